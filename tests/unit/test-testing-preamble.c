/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/testing_preamble.c: what names a CID, in whatever pieces it comes, and what doesn't. */
#include "tests/unit/test.h"

#include "hostd/testing_preamble.h"
#include "proto/message.h"

/* As from a socket, `step` bytes at a time: what the last commit said. */
static int take(const uint8_t *bytes, size_t size, size_t step, uint32_t *ret_cid,
		size_t *ret_taken)
{
	struct testing_preamble preamble = {};
	size_t taken = 0;
	int r = 0;

	while (r == 0 && taken < size) {
		size_t room, n = MIN(step, size - taken);
		uint8_t *space = testing_preamble_space(&preamble, &room);

		assert_true(room > 0 && room <= TESTING_PREAMBLE);
		n = MIN(n, room);
		memcpy(space, bytes + taken, n);
		taken += n;
		r = testing_preamble_commit(&preamble, n, ret_cid);
	}
	*ret_taken = taken;
	return r;
}

static void test_good(_unused_ void **state)
{
	static const uint32_t cids[] = {0, 3, 42, 0x01020304, UINT32_MAX};
	uint8_t bytes[TESTING_PREAMBLE + 4] = {};

	for (size_t i = 0; i < ARRAY_SIZE(cids); i++)
		for (size_t step = 1; step <= sizeof(bytes); step++) {
			uint32_t cid = 7;
			size_t taken;

			testing_preamble_put(bytes, cids[i]);
			EXPECT(take(bytes, sizeof(bytes), step, &cid, &taken) == 1, "step %zu",
			       step);
			EXPECT(cid == cids[i], "%u", cid);
			/* What follows is the protocol's. */
			EXPECT(taken == TESTING_PREAMBLE, "took %zu", taken);
		}
}

static void test_layout(_unused_ void **state)
{
	static const uint8_t wanted[TESTING_PREAMBLE] = {'V', 'M', 'F', 'Q', 'T',  'E',
							 'S', 'T', 42,	0,   0x01, 0};
	uint8_t bytes[TESTING_PREAMBLE];

	testing_preamble_put(bytes, 0x1002a);
	assert_memory_equal(bytes, wanted, sizeof(wanted));
}

static void test_not_whole(_unused_ void **state)
{
	uint8_t bytes[TESTING_PREAMBLE];

	testing_preamble_put(bytes, 42);
	for (size_t n = 0; n < sizeof(bytes); n++) {
		uint32_t cid = 7;
		size_t taken;

		EXPECT(take(bytes, n, 1, &cid, &taken) == 0 && cid == 7, "%zu bytes", n);
	}
}

/* Each wrong byte is known when it comes. */
static void test_wrong(_unused_ void **state)
{
	for (size_t at = 0; at < 8; at++)
		for (unsigned value = 0; value < 256; value++) {
			uint8_t bytes[TESTING_PREAMBLE];
			uint32_t cid = 7;
			size_t taken;

			testing_preamble_put(bytes, 42);
			if (bytes[at] == value)
				continue;
			bytes[at] = (uint8_t)value;
			EXPECT(take(bytes, sizeof(bytes), 1, &cid, &taken) == -EBADMSG,
			       "byte %zu is %u", at, value);
			EXPECT(taken == at + 1 && cid == 7, "byte %zu is %u", at, value);
			EXPECT(take(bytes, sizeof(bytes), TESTING_PREAMBLE, &cid, &taken) ==
				       -EBADMSG,
			       "byte %zu is %u", at, value);
		}
}

static void test_a_frame_is_none(_unused_ void **state)
{
	uint8_t frame[FRAME_HEADER + 8];
	uint32_t cid;
	size_t taken;
	int n = ping_put(frame, sizeof(frame), 1);

	assert_true(n > 0);
	assert_int_equal(take(frame, (size_t)n, (size_t)n, &cid, &taken), -EBADMSG);
}

static void test_who_may(_unused_ void **state)
{
	assert_null(testing_refusal(0, 0));
	assert_null(testing_refusal(0, TESTING_PENDING_MAX - 1));
	assert_non_null(testing_refusal(0, TESTING_PENDING_MAX));
	assert_non_null(testing_refusal(1, 0));
	assert_non_null(testing_refusal((uid_t)-1, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_not_whole),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_a_frame_is_none),
		cmocka_unit_test(test_who_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
