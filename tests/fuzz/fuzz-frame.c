/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A byte stream, both ways: cut into random pieces it yields the same frames, and ends at the same
 * garbage, as in one go; each frame goes through the parsers. The first 8 bytes say how it is cut. */
#include "proto/message.h"
#include "tests/fuzz/fuzz.h"

/* What came out of a stream. */
struct outcome {
	uint64_t n_frames, n_bytes;
	uint32_t digest;
	int result; /* of the last frame_decoder_next() */
};

static struct frame_decoder decoder;
static struct message_hello hello;

static void take_frame(struct outcome *outcome, const struct frame *frame)
{
	struct message message;

	REQUIRE(frame->size <= FRAME_PAYLOAD_MAX);
	REQUIRE(frame->payload >= decoder.buffer + FRAME_HEADER);
	REQUIRE(frame->payload + frame->size <= decoder.buffer + decoder.end);
	outcome->n_frames++;
	outcome->n_bytes += FRAME_HEADER + frame->size;
	outcome->digest = outcome->digest * 31 + frame->type;
	for (size_t i = 0; i < frame->size; i++)
		outcome->digest = outcome->digest * 31 + frame->payload[i];
	(void)hello_parse(frame, &hello);
	(void)message_parse(frame, PROTO_MINOR, &message);
	(void)message_parse(frame, PROTO_MINOR + 1, &message);
}

/* How large the next piece is: small ones more often. */
static size_t next_piece(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return 1 + (size_t)(*seed >> 40) % ((*seed >> 33) % 4 ? 16 : 4096);
}

static struct outcome run(const uint8_t *data, size_t size, uint64_t seed)
{
	struct outcome outcome = {};
	size_t at = 0;

	frame_decoder_init(&decoder);
	for (;;) {
		struct frame frame;
		size_t room, n = seed ? next_piece(&seed) : SIZE_MAX;
		uint8_t *space;

		while ((outcome.result = frame_decoder_next(&decoder, &frame)) == 1)
			take_frame(&outcome, &frame);
		if (outcome.result < 0 || at == size)
			return outcome;
		space = frame_decoder_space(&decoder, &room);
		REQUIRE(room > 0 && space + room == decoder.buffer + FRAME_MAX);
		n = MIN(n, room);
		n = MIN(n, size - at);
		memcpy(space, data + at, n);
		frame_decoder_commit(&decoder, n);
		at += n;
		REQUIRE(frame_decoder_is_partial(&decoder));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, pieces;
	uint64_t seed;

	if (size < 8)
		return 0;
	seed = get_u64(data) | 1;
	whole = run(data + 8, size - 8, 0);
	pieces = run(data + 8, size - 8, seed);
	REQUIRE(whole.n_frames == pieces.n_frames && whole.n_bytes == pieces.n_bytes);
	REQUIRE(whole.digest == pieces.digest && whole.result == pieces.result);
	REQUIRE(whole.n_bytes <= size - 8);
	return 0;
}
