/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd/backoff.c: doubling, bounds and jitter. */
#include "tests/unit/test.h"

#include "guestd/backoff.h"

#define MIDDLE (UINT32_MAX / 2 + 1) /* neither more nor less */

static void test_doubling(_unused_ void **state)
{
	static const unsigned msec[] = {10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5000, 5000};
	struct backoff backoff = {};

	for (size_t i = 0; i < ARRAY_SIZE(msec); i++)
		assert_int_equal(backoff_next_usec(&backoff, MIDDLE), msec[i] * USEC_PER_MSEC);
	backoff_reset(&backoff);
	assert_int_equal(backoff_next_usec(&backoff, MIDDLE), BACKOFF_MIN_USEC);
	backoff_max(&backoff);
	assert_int_equal(backoff_next_usec(&backoff, MIDDLE), BACKOFF_MAX_USEC);
	for (unsigned i = 0; i < 1000; i++)
		backoff_next_usec(&backoff, MIDDLE);
	assert_int_equal(backoff_next_usec(&backoff, MIDDLE), BACKOFF_MAX_USEC);
}

static void test_jitter(_unused_ void **state)
{
	struct backoff backoff = {};
	uint64_t seed = 1;

	assert_int_equal(backoff_next_usec(&backoff, 0), 7500);
	backoff_reset(&backoff);
	assert_in_range(backoff_next_usec(&backoff, UINT32_MAX), 12499, 12500);
	for (unsigned i = 0; i < 10000; i++) {
		backoff_max(&backoff);
		assert_in_range(backoff_next_usec(&backoff, test_random(&seed)), 3750000, 6250000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_doubling),
		cmocka_unit_test(test_jitter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
