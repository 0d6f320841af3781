/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A hostile host: any bytes, in any pieces, through guestd's decoder, conversation and governor. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/macro.h"
#include "guestd/dialog.h"
#include "guestd/governor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct frame_decoder decoder;
static struct dialog dialog;
static struct governor governor;

static void check_target(void)
{
	struct governor_policy policy = {.top_khz = 3000000,
					 .min_khz = 1000000,
					 .max_khz = 2500000,
					 .n_steps = 3,
					 .step_khz = {600000, 1800000, 3000000}};

	for (unsigned i = 0; i < PROTO_CPUS_MAX; i += 7)
		cpumask_set(&policy.cpus, i);
	if (governor_target(&governor, &policy) != 1800000)
		abort();
	policy.n_steps = 0;
	if (governor_target(&governor, &policy) < 1000000 ||
	    governor_target(&governor, &policy) > 2500000)
		abort();
}

/* Whether the conversation goes on. */
static bool take_frames(uint64_t now_usec)
{
	struct frame frame;
	int r;

	while ((r = frame_decoder_next(&decoder, &frame)) > 0)
		switch (dialog_frame(&dialog, &frame, now_usec)) {
		case DIALOG_FEEDBACK:
			governor_feed(&governor, &dialog.message.feedback, now_usec);
			check_target();
			break;
		case DIALOG_STREAMING:
			if (dialog.lease_max_msec == 0 ||
			    dialog.lease_max_msec > PROTO_LEASE_MAX_MSEC)
				abort();
			break;
		case DIALOG_NOTHING:
			break;
		default:
			return false;
		}
	return r == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t now_usec = 1;

	frame_decoder_init(&decoder);
	dialog_start(&dialog, now_usec);
	governor_reset(&governor);
	/* The first byte is the size of the pieces. */
	for (size_t piece = size > 0 ? data[0] + 1U : 1, at = 1; at < size; now_usec++) {
		size_t room, n = MIN(piece, size - at);
		uint8_t *space = frame_decoder_space(&decoder, &room);

		n = MIN(n, room);
		if (n == 0)
			abort();
		memcpy(space, data + at, n);
		frame_decoder_commit(&decoder, n);
		at += n;
		if (!take_frames(now_usec))
			break;
	}
	return 0;
}
