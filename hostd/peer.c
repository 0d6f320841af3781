/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a connection may do, and when it is over. Pure. */
#include "hostd/peer.h"

#include <errno.h>

#include "common/macro.h"

#define PORT_PRIVILEGED 1024U

const char *peer_refusal(const struct peer_config *config, uint32_t cid, uint32_t port,
			 bool has_domain)
{
	if (cid <= 2)
		return "CIDs up to 2 are the host's own, never a guest's";
	if (!has_domain)
		return "no running domain has this CID";
	if (port >= PORT_PRIVILEGED && !config->any_port)
		return "the source port is not below 1024: the sender need not be root";
	return NULL;
}

void peer_init(struct peer *peer, const struct peer_config *config, uint64_t now_usec)
{
	*peer = (struct peer){
		.accepted_usec = now_usec,
		.frame_usec = now_usec,
		.bucket_usec = now_usec,
		.bucket_milli = config->burst * UINT64_C(1000),
	};
}

uint64_t peer_take_token(struct peer *peer, const struct peer_config *config, uint64_t now_usec)
{
	uint64_t full = config->burst * UINT64_C(1000);
	uint64_t passed = now_usec - peer->bucket_usec, rate = MAX(config->rate, 1U);

	/* A rate of N/s fills N thousandths a millisecond. A long pause fills it anyway. */
	passed = MIN(passed, USEC_PER_SEC * config->burst / rate + USEC_PER_MSEC);
	if (passed >= USEC_PER_MSEC) {
		peer->bucket_milli = MIN(full, peer->bucket_milli + passed / USEC_PER_MSEC * rate);
		peer->bucket_usec = now_usec - passed % USEC_PER_MSEC;
	}
	peer->bucket_milli -= MIN(peer->bucket_milli, 1000U);
	if (peer->bucket_milli >= 1000)
		return 0;
	return (1000 - peer->bucket_milli + rate - 1) / rate * USEC_PER_MSEC -
	       (now_usec - peer->bucket_usec);
}

static int take_hello(struct peer *peer, const struct frame *frame, struct message_hello *hello,
		      const char **ret_reason)
{
	int r = hello_parse(frame, hello);

	if (r == -EPROTONOSUPPORT) {
		*ret_reason = "another major version of the protocol";
		return r;
	}
	if (r < 0 || !hello_is_of_guest(hello)) {
		*ret_reason = "no valid HELLO of a guest";
		return -EBADMSG;
	}
	peer->greeted = true;
	peer->minor = hello->minor;
	return 0;
}

static void count_report(struct peer *peer, uint32_t sequence)
{
	if (peer->has_sequence)
		peer->lost += sequence - peer->sequence - 1;
	peer->has_sequence = true;
	peer->sequence = sequence;
	peer->reports++;
}

int peer_frame(struct peer *peer, const struct frame *frame, uint64_t now_usec,
	       struct message_hello *hello, struct message *ret, const char **ret_reason)
{
	int r;

	peer->frame_usec = now_usec;
	peer->frames++;
	if (!peer->greeted) {
		ret->type = MESSAGE_HELLO;
		return take_hello(peer, frame, hello, ret_reason);
	}
	r = message_parse(frame, peer->minor, ret);
	if (r == 0 && ret->type == MESSAGE_FEEDBACK)
		r = -EBADMSG; /* the host's to send */
	if (r == 0 && ret->type == MESSAGE_REPORT && peer->has_sequence &&
	    ret->report.sequence - peer->sequence - 1 >= UINT32_MAX / 2)
		r = -EBADMSG; /* backwards, or doubled */
	if (r < 0) {
		*ret_reason = "a frame that the protocol doesn't allow";
		return r;
	}
	if (ret->type == MESSAGE_REPORT)
		count_report(peer, ret->report.sequence);
	else if (ret->type == MESSAGE_UNKNOWN)
		peer->skipped++;
	return 0;
}

void peer_partial(struct peer *peer, bool partial, uint64_t now_usec)
{
	if (!partial)
		peer->partial_usec = 0;
	else if (peer->partial_usec == 0 || peer->frame_usec > peer->partial_usec)
		peer->partial_usec = now_usec;
}

const char *peer_overdue(const struct peer *peer, const struct peer_config *config,
			 uint64_t now_usec, uint64_t *ret_next_usec)
{
	uint64_t hello = peer->greeted ? USEC_INFINITY : peer->accepted_usec + config->hello_usec;
	uint64_t frame = peer->partial_usec ? peer->partial_usec + config->frame_usec
					    : USEC_INFINITY;
	uint64_t idle = peer->frame_usec + config->idle_usec;

	*ret_next_usec = MIN(hello, MIN(frame, idle));
	if (now_usec >= hello)
		return "no HELLO in time";
	if (now_usec >= frame)
		return "a frame was not completed in time";
	if (now_usec >= idle)
		return "silent for too long";
	return NULL;
}
