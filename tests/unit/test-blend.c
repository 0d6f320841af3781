/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd/blend.c: who has the CPU, and what that makes of each kind of sample. */
#include "tests/unit/test.h"

#include "guestd/blend.h"
#include "common/counters.h"

#define MSEC UINT64_C(1000000)

static struct blend blend;
static struct blended out;

static int setup(_unused_ void **state)
{
	blend = (struct blend){};
	return 0;
}

/* A sample of nsec ms in which so many ms were booked, tasks came, and units of idle time went by.
 */
static void take(unsigned msec, unsigned run_msec, unsigned slices, unsigned idle_units,
		 uint32_t likely1024)
{
	const struct blend_sample sample = {.nsec = msec * MSEC,
					    .idle_nsec = idle_units * COUNTERS_TICK_NSEC,
					    .has_sched = true,
					    .run_nsec = run_msec * MSEC,
					    .slices = slices};

	blend_update(&blend, &sample, likely1024, &out);
	assert_true(out.busy_nsec <= sample.nsec && out.recent_nsec <= out.busy_nsec);
}

static void assert_out(unsigned busy_msec, unsigned recent_msec, int past_msec,
		       enum blend_tenant tenant)
{
	assert_int_equal(out.busy_nsec, busy_msec * MSEC);
	assert_int_equal(out.recent_nsec, recent_msec * MSEC);
	assert_int_equal(out.past_nsec, past_msec * (int64_t)MSEC);
	assert_int_equal(blend.tenant, tenant);
}

/* Comes in the middle of a sample, stays for two, leaves in the middle of one. */
static void test_tenant(_unused_ void **state)
{
	take(10, 0, 1, 0, 0);
	assert_out(5, 5, 0, BLEND_TASK);
	take(10, 0, 0, 0, 0);
	assert_out(10, 10, 0, BLEND_TASK);
	take(10, 0, 0, 0, 0);
	assert_out(10, 10, 0, BLEND_TASK);
	take(10, 30, 0, 0, 0);
	assert_out(5, 0, 0, BLEND_NONE);
	take(10, 0, 0, 1, 0);
	assert_out(0, 0, 0, BLEND_NONE);
}

/* It had run for less, or for more, than we thought at both ends. */
static void test_ends(_unused_ void **state)
{
	take(10, 0, 1, 0, 0);
	take(10, 12, 0, 0, 0);
	assert_out(6, 0, 1, BLEND_NONE);
	setup(NULL);
	take(10, 0, 1, 0, 0);
	take(10, 2, 0, 0, 0);
	assert_out(1, 0, -4, BLEND_NONE);
	setup(NULL);
	take(10, 0, 1, 0, 0);
	take(10, 0, 0, 0, 0);
	take(10, 9, 0, 0, 0); /* less than a whole sample that it must have had: clocks differ */
	assert_out(0, 0, -5, BLEND_NONE);
}

/* Some left and some came: as busy as on average behind what was booked. */
static void test_mixed(_unused_ void **state)
{
	take(10, 4, 3, 0, 512);
	assert_out(7, 0, 0, BLEND_UNKNOWN);
	take(10, 10, 2, 0, 1024); /* 3 of the 10 were credited before */
	assert_out(10, 0, 0, BLEND_UNKNOWN);
	take(10, 1, 1, 0, 0); /* 3 were credited, and 1 at most was true */
	assert_out(0, 0, -2, BLEND_UNKNOWN);
	take(10, 25, 1, 0, 0); /* a lump from before */
	assert_out(10, 0, 15, BLEND_UNKNOWN);
}

/* Nothing moves: after a unit of /proc/stat and a tick, it is a task. */
static void test_doubt(_unused_ void **state)
{
	take(10, 4, 1, 0, 0);
	assert_out(4, 0, 0, BLEND_UNKNOWN);
	take(10, 0, 0, 0, 0);
	assert_out(0, 0, 0, BLEND_UNKNOWN);
	take(10, 0, 0, 0, 0);
	assert_out(10, 10, 10, BLEND_TASK);
	/* Or the idle time does: then there was none, and what was credited is taken back. */
	setup(NULL);
	take(10, 4, 1, 0, 512);
	assert_out(7, 0, 0, BLEND_UNKNOWN);
	take(10, 0, 0, 1, 512);
	assert_out(0, 0, -3, BLEND_NONE);
	/* Nobody is there, and yet nothing idles: something that isn't a task runs. */
	for (unsigned i = 0; i < 3; i++) {
		take(10, 0, 0, 0, 0);
		assert_out(0, 0, 0, BLEND_NONE);
	}
	take(10, 0, 0, 0, 0);
	assert_int_equal(blend.tenant, BLEND_UNKNOWN);
	take(10, 0, 0, 0, 0);
	take(10, 0, 0, 0, 0);
	assert_int_equal(blend.tenant, BLEND_TASK);
	take(10, 0, 0, 1, 0); /* one unit may belong to the sample before */
	assert_int_equal(blend.tenant, BLEND_TASK);
	take(30, 0, 0, 2, 0);
	assert_int_equal(blend.tenant, BLEND_NONE);
}

/* An idle guest's rare samples: no guess at an arrival, but what didn't idle was busy. */
static void test_long(_unused_ void **state)
{
	take(250, 0, 1, 25, 0);
	assert_out(0, 0, 0, BLEND_TASK);
	setup(NULL);
	take(250, 0, 1, 10, 0);
	assert_out(140, 140, 0, BLEND_TASK);
	setup(NULL);
	take(250, 3, 20, 10, 0);
	assert_out(140, 0, 0, BLEND_UNKNOWN);
	setup(NULL);
	take(250, 3, 20, 24, 0);
	assert_out(3, 0, 0, BLEND_UNKNOWN);
}

/* Where the reader is, everything else is booked. */
static void test_self(_unused_ void **state)
{
	const struct blend_sample sample = {
		.nsec = 10 * MSEC, .has_sched = true, .is_self = true, .slices = 1};

	blend_update(&blend, &sample, 1024, &out);
	assert_out(0, 0, 0, BLEND_UNKNOWN);
}

static void stat_alone(unsigned msec, unsigned idle_units, bool iowait, uint64_t stamp,
		       uint32_t likely1024)
{
	const struct blend_sample sample = {.stamp_nsec = stamp,
					    .nsec = msec * MSEC,
					    .idle_nsec = idle_units * COUNTERS_TICK_NSEC,
					    .iowait_moved = iowait};

	blend_update(&blend, &sample, likely1024, &out);
}

static void test_stat_alone(_unused_ void **state)
{
	stat_alone(10, 0, false, 1, 0); /* idle may stand still for one unit */
	assert_int_equal(out.busy_nsec, 0);
	stat_alone(10, 0, false, 1, 0); /* and not for more */
	assert_int_equal(out.busy_nsec, 10 * MSEC);
	stat_alone(10, 0, false, 1, 1024);
	assert_int_equal(out.busy_nsec, 10 * MSEC);
	stat_alone(10, 1, false, 1, 1024); /* it moves by what it was behind */
	assert_int_equal(out.busy_nsec, 10 * MSEC);
	stat_alone(10, 1, false, 1, 1024);
	assert_int_equal(out.busy_nsec, 0);
	/* Two numbers, two units, while iowait moves and a little after. */
	setup(NULL);
	stat_alone(10, 0, true, 1, 0);
	stat_alone(10, 0, false, 200 * MSEC, 0);
	assert_int_equal(out.busy_nsec, 0);
	stat_alone(10, 0, false, 220 * MSEC, 0);
	assert_int_equal(out.busy_nsec, 10 * MSEC);
	stat_alone(10, 0, false, 300 * MSEC, 0);
	assert_int_equal(out.busy_nsec, 10 * MSEC);
}

/* An idle guest's rare samples: a unit that is missing is none that was busy. */
static void test_stat_alone_long(_unused_ void **state)
{
	stat_alone(250, 24, false, 1, 0);
	assert_int_equal(out.busy_nsec, 0);
	stat_alone(250, 24, false, 1, 0);
	assert_int_equal(out.busy_nsec, 0);
	stat_alone(250, 10, false, 1, 0);
	assert_int_equal(out.busy_nsec, 140 * MSEC);
	stat_alone(250, 26, false, 1, 0);
	assert_int_equal(out.busy_nsec, 0);
}

/* Any counters at all: bounds hold, nothing overflows. */
static void test_any_counters(_unused_ void **state)
{
	uint64_t seed = 7;

	for (unsigned i = 0; i < 1000000; i++) {
		struct blend_sample sample = {.stamp_nsec = i * MSEC,
					      .nsec = 1 + test_random(&seed) % (300 * MSEC),
					      .has_sched = test_random(&seed) % 8 != 0,
					      .is_self = test_random(&seed) % 4 == 0};
		uint64_t huge = test_random(&seed) % 1000 == 0 ? UINT64_MAX - 5 : 0;

		if (test_random(&seed) % 2)
			sample.run_nsec = test_random(&seed) % (20 * MSEC) + huge;
		sample.slices = test_random(&seed) % 3;
		sample.idle_nsec = test_random(&seed) % 3 * COUNTERS_TICK_NSEC;
		blend_update(&blend, &sample, test_random(&seed) % 1025, &out);
		assert_true(out.busy_nsec <= sample.nsec);
		assert_true(out.recent_nsec <= out.busy_nsec);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_tenant, setup),
		cmocka_unit_test_setup(test_ends, setup),
		cmocka_unit_test_setup(test_mixed, setup),
		cmocka_unit_test_setup(test_doubt, setup),
		cmocka_unit_test_setup(test_long, setup),
		cmocka_unit_test_setup(test_self, setup),
		cmocka_unit_test_setup(test_stat_alone, setup),
		cmocka_unit_test_setup(test_stat_alone_long, setup),
		cmocka_unit_test_setup(test_any_counters, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
