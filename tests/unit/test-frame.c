/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proto/frame.c: a byte stream cut into frames, however it comes, and what can't be one. */
#include "tests/unit/test.h"

#include "proto/frame.h"

static struct frame_decoder decoder;

static int setup(_unused_ void **state)
{
	memset(&decoder, 0xa5, sizeof(decoder));
	frame_decoder_init(&decoder);
	return 0;
}

static void feed(const void *data, size_t n)
{
	size_t room;
	uint8_t *space = frame_decoder_space(&decoder, &room);

	assert_true(n <= room);
	if (n > 0)
		memcpy(space, data, n);
	frame_decoder_commit(&decoder, n);
}

static void feed_hex(const char *text)
{
	uint8_t bytes[256];

	feed(bytes, test_hex(text, bytes, sizeof(bytes)));
}

static void test_fields(_unused_ void **state)
{
	uint8_t bytes[16];

	memset(bytes, 0xee, sizeof(bytes));
	put_u16(bytes, 0x0123);
	put_u32(bytes + 2, 0x89abcdef);
	put_u64(bytes + 6, UINT64_C(0xfedcba9876543210));
	assert_memory_equal(bytes, "\x23\x01\xef\xcd\xab\x89\x10\x32\x54\x76\x98\xba\xdc\xfe\xee\xee",
			    16);
	assert_int_equal(get_u16(bytes), 0x0123);
	assert_int_equal(get_u32(bytes + 2), 0x89abcdef);
	assert_int_equal(get_u64(bytes + 6), UINT64_C(0xfedcba9876543210));
	/* No sign creeps in, and no alignment is needed. */
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(get_u16(bytes + 1), UINT16_MAX);
	assert_int_equal(get_u32(bytes + 1), UINT32_MAX);
	assert_int_equal(get_u64(bytes + 1), UINT64_MAX);
}

static void test_header(_unused_ void **state)
{
	uint8_t bytes[FRAME_HEADER];

	frame_put_header(bytes, 2, 0x7ff8);
	assert_memory_equal(bytes, "VF\x02\x00\xf8\x7f\x00\x00", 8);
}

static void test_whole_frame(_unused_ void **state)
{
	struct frame frame = {};

	assert_int_equal(frame_decoder_next(&decoder, &frame), 0);
	assert_false(frame_decoder_is_partial(&decoder));
	feed_hex("56 46 04 00 03 00 00 00 61 62 63");
	assert_true(frame_decoder_is_partial(&decoder));
	assert_int_equal(frame_decoder_next(&decoder, &frame), 1);
	assert_int_equal(frame.type, 4);
	assert_int_equal(frame.size, 3);
	assert_memory_equal(frame.payload, "abc", 3);
	assert_false(frame_decoder_is_partial(&decoder));
	assert_int_equal(frame_decoder_next(&decoder, &frame), 0);
}

static void test_byte_by_byte(_unused_ void **state)
{
	static const uint8_t bytes[] = "VF\x07\x00\x02\x00\x00\x00xyVF\xff\x00\x00\x00\x00\x00";
	struct frame frame = {};

	for (size_t i = 0; i < 18; i++) {
		feed(bytes + i, 1);
		assert_int_equal(frame_decoder_next(&decoder, &frame), i == 9 || i == 17);
		assert_int_equal(frame_decoder_is_partial(&decoder), i != 9 && i != 17);
		if (i == 9) {
			assert_int_equal(frame.type, 7);
			assert_memory_equal(frame.payload, "xy", 2);
		}
	}
	assert_int_equal(frame.type, 255);
	assert_int_equal(frame.size, 0);
}

/* Garbage shows at its first byte, and stays. */
static void test_garbage(_unused_ void **state)
{
	static const char *const rows[] = {
		"00",
		"57",
		"48 54 54 50 2f 31 2e 31",
		"56 00",
		"56 47",
		"56 46 02 01",
		"56 46 02 ff",
		"56 46 02 00 f9 7f 00 00", /* one more than the maximum */
		"56 46 02 00 00 00 01 00",
		"56 46 02 00 00 00 00 80",
		"56 46 02 00 ff ff ff ff",
		"56 46 04 00 00 00 00 00 00", /* behind a good frame */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t bytes[16];
		size_t n = test_hex(rows[i], bytes, sizeof(bytes));
		struct frame frame;
		int r = 0;

		frame_decoder_init(&decoder);
		for (size_t j = 0; j + 1 < n; j++) {
			feed(bytes + j, 1);
			r = frame_decoder_next(&decoder, &frame);
			if (i == 2 && j > 0)
				EXPECT(r == -EBADMSG, "row %zu byte %zu", i, j);
		}
		feed(bytes + n - 1, 1);
		r = frame_decoder_next(&decoder, &frame);
		EXPECT(r == -EBADMSG, "row %zu gave %d", i, r);
		EXPECT(frame_decoder_next(&decoder, &frame) == -EBADMSG, "row %zu", i);
	}
}

/* Every good prefix of a header waits for more. */
static void test_prefixes(_unused_ void **state)
{
	static const uint8_t bytes[] = "VF\x02\x00\x02\x00\x00\x00x";

	for (size_t n = 0; n <= 9; n++) {
		struct frame frame;

		frame_decoder_init(&decoder);
		feed(bytes, n);
		assert_int_equal(frame_decoder_next(&decoder, &frame), 0);
		assert_int_equal(frame_decoder_is_partial(&decoder), n > 0);
	}
}

static void test_largest_frame(_unused_ void **state)
{
	static uint8_t bytes[FRAME_MAX];
	struct frame frame;
	size_t room;

	frame_put_header(bytes, 2, FRAME_PAYLOAD_MAX);
	for (size_t i = FRAME_HEADER; i < FRAME_MAX; i++)
		bytes[i] = (uint8_t)(i * 7);
	feed(bytes, FRAME_MAX - 1);
	assert_int_equal(frame_decoder_next(&decoder, &frame), 0);
	frame_decoder_space(&decoder, &room);
	assert_int_equal(room, 1);
	feed(bytes + FRAME_MAX - 1, 1);
	assert_int_equal(frame_decoder_next(&decoder, &frame), 1);
	assert_int_equal(frame.size, FRAME_PAYLOAD_MAX);
	assert_memory_equal(frame.payload, bytes + FRAME_HEADER, FRAME_PAYLOAD_MAX);
	frame_decoder_space(&decoder, &room);
	assert_int_equal(room, FRAME_MAX);
}

/* As many as fit come out of one read; the last one's beginning moves to the front. */
static void test_full_buffer(_unused_ void **state)
{
	uint8_t bytes[17] = "VF\x06\x00\x09\x00\x00\x00";
	const size_t n_frames = FRAME_MAX / sizeof(bytes), rest = FRAME_MAX % sizeof(bytes);
	struct frame frame;
	size_t room;

	for (uint64_t i = 0; i < n_frames; i++) {
		put_u64(bytes + FRAME_HEADER, i);
		feed(bytes, sizeof(bytes));
	}
	frame_decoder_space(&decoder, &room);
	assert_int_equal(room, rest);
	feed(bytes, rest);
	for (uint64_t i = 0; i < n_frames; i++) {
		assert_int_equal(frame_decoder_next(&decoder, &frame), 1);
		assert_int_equal(get_u64(frame.payload), i);
	}
	assert_int_equal(frame_decoder_next(&decoder, &frame), 0);
	feed(bytes + rest, sizeof(bytes) - rest);
	assert_int_equal(frame_decoder_next(&decoder, &frame), 1);
	assert_int_equal(frame_decoder_next(&decoder, &frame), 0);
}

/* Random frames in random pieces: what goes in comes out, in order. */
static void test_random_splits(_unused_ void **state)
{
	static uint8_t stream[200000];
	uint64_t seed = 42;

	for (unsigned round = 0; round < 50; round++) {
		size_t size = 0, at = 0, taken = 0;

		while (size < sizeof(stream) - FRAME_MAX) {
			size_t n = test_random(&seed) % (round % 2 ? 64 : FRAME_PAYLOAD_MAX + 1);

			frame_put_header(stream + size, (uint8_t)test_random(&seed), n);
			for (size_t i = 0; i < n; i++)
				stream[size + FRAME_HEADER + i] = (uint8_t)test_random(&seed);
			size += FRAME_HEADER + n;
		}
		frame_decoder_init(&decoder);
		while (at < size) {
			struct frame frame;
			size_t room, n;
			int r;

			frame_decoder_space(&decoder, &room);
			assert_true(room > 0);
			n = 1 + test_random(&seed) % (round < 25 ? 40000 : 200);
			n = MIN(MIN(n, room), size - at);
			feed(stream + at, n);
			at += n;
			while ((r = frame_decoder_next(&decoder, &frame)) == 1) {
				EXPECT(frame.type == stream[taken + 2] &&
					       frame.size == get_u32(stream + taken + 4) &&
					       memcmp(frame.payload, stream + taken + FRAME_HEADER,
						      frame.size) == 0,
				       "round %u at %zu", round, taken);
				taken += FRAME_HEADER + frame.size;
			}
			EXPECT(r == 0, "round %u at %zu", round, at);
		}
		assert_int_equal(taken, size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_header),
		cmocka_unit_test_setup(test_whole_frame, setup),
		cmocka_unit_test_setup(test_byte_by_byte, setup),
		cmocka_unit_test_setup(test_garbage, setup),
		cmocka_unit_test_setup(test_prefixes, setup),
		cmocka_unit_test_setup(test_largest_frame, setup),
		cmocka_unit_test_setup(test_full_buffer, setup),
		cmocka_unit_test_setup(test_random_splits, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
