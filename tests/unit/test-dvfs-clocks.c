/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tests/lab/dvfs/clocks.c: a guest's counter and the host's clock. */
#include "tests/unit/test.h"

#include "tests/lab/dvfs/clocks.h"

#define SEC UINT64_C(1000000000)

static void test_best(_unused_ void **state)
{
	struct clocks clocks = {.hz = 62500000};

	clocks_add(&clocks, 5 * SEC, 5 * SEC + 4000, 1000);
	assert_int_equal(clocks.error_nsec, 2000);
	clocks_add(&clocks, 6 * SEC, 6 * SEC + 100, 62501000);
	clocks_add(&clocks, 7 * SEC, 7 * SEC + 90000, 125001000); /* worse */
	assert_int_equal(clocks.error_nsec, 50);
	assert_int_equal(clocks.nsec, 6 * SEC + 50);
	assert_int_equal(clocks.count, 62501000);
}

static void test_count(_unused_ void **state)
{
	struct clocks clocks = {.hz = 62500000, .nsec = 6 * SEC, .count = 500000000};

	assert_int_equal(clocks_count_at(&clocks, 6 * SEC), 500000000);
	assert_int_equal(clocks_count_at(&clocks, 8 * SEC + 16), 500000000 + 125000001);
	assert_int_equal(clocks_count_at(&clocks, 5 * SEC), 500000000 - 62500000);
	/* neither a fast counter nor a long time overflows */
	clocks.hz = 1000000000;
	assert_int_equal(clocks_count_at(&clocks, 6 * SEC + 1000000 * SEC),
			 500000000 + 1000000 * SEC);
}

static void test_drift(_unused_ void **state)
{
	struct clocks before = {.hz = 1000000000, .nsec = 6 * SEC, .count = 500};
	struct clocks after = {.hz = 1000000000, .nsec = 16 * SEC, .count = 500 + 10 * SEC - 700};

	assert_int_equal(clocks_drift_nsec(&before, &after), -700);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_best),
		cmocka_unit_test(test_count),
		cmocka_unit_test(test_drift),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
