/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/freqplan.c: the right frequency for a floor, up at once, down after a hold, never more
 * often than allowed, never above a limit, never below what stood there before. */
#include "tests/unit/test.h"

#include "hostd/freqplan.h"

#define T0	 (100 * USEC_PER_SEC)
#define MSEC	 USEC_PER_MSEC
#define HOLD	 FREQPLAN_HOLD_USEC
#define INTERVAL (4 * MSEC)

/* The x86 lab's: five states, one capacity. */
static struct freqplan_policy make_big(void)
{
	return (struct freqplan_policy){
		.max_khz = 3000000,
		.capacity1024 = 1024,
		.n_steps = 5,
		.steps = {600000, 1200000, 1800000, 2400000, 3000000},
	};
}

static void test_khz(_unused_ void **state)
{
	static const struct {
		uint32_t max_khz, limit_khz;
		uint16_t capacity;
		bool steps;
		uint16_t floor;
		uint32_t khz;
	} rows[] = {
		/* With no table each kHz: floor x max / capacity, rounded up. */
		{3000000, 0, 1024, false, 1024, 3000000},
		{3000000, 0, 1024, false, 512, 1500000},
		{3000000, 0, 1024, false, 1, 2930},
		{3000000, 0, 1024, false, 0, 0},
		/* A small core has to run faster for the same, and can't give more than all. */
		{2000000, 0, 512, false, 256, 1000000},
		{2000000, 0, 512, false, 512, 2000000},
		{2000000, 0, 512, false, 1024, 2000000},
		{1400000, 0, 300, false, 100, 466667},
		/* The driver's table, upwards. */
		{3000000, 0, 1024, true, 1, 600000},
		{3000000, 0, 1024, true, 204, 600000},
		{3000000, 0, 1024, true, 205, 1200000},
		{3000000, 0, 1024, true, 512, 1800000},
		{3000000, 0, 1024, true, 1024, 3000000},
		/* What is exactly a step is that step. */
		{1024000, 0, 1024, true, 600, 600000},
		{1024000, 0, 1024, true, 601, 1024000},
		/* Somebody's, or the heat's, maximum. */
		{3000000, 1800000, 1024, true, 1024, 1800000},
		{3000000, 1800000, 1024, true, 300, 1200000},
		{3000000, 1800000, 1024, false, 1000, 1800000},
		{3000000, 9000000, 1024, false, 1024, 3000000},
		/* Steps of boost above the highest of the hardware, while boost is off. */
		{2400000, 0, 1024, true, 1024, 2400000},
		/* Nonsense isn't divided by. */
		{3000000, 0, 0, false, 1, 3000000},
		{0, 0, 1024, false, 1024, 0},
		{UINT32_MAX, 0, 1, false, 1024, UINT32_MAX},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct freqplan_policy policy = make_big();

		policy.max_khz = rows[i].max_khz;
		policy.limit_khz = rows[i].limit_khz;
		policy.capacity1024 = rows[i].capacity;
		policy.n_steps = rows[i].steps ? 5 : 0;
		EXPECT(freqplan_khz(&policy, rows[i].floor) == rows[i].khz, "row %zu: %u", i,
		       freqplan_khz(&policy, rows[i].floor));
	}
}

/* A driver with a single step: that one, whatever is wanted. */
static void test_one_step(_unused_ void **state)
{
	struct freqplan_policy policy = make_big();

	policy.n_steps = 1;
	assert_int_equal(freqplan_khz(&policy, 1), 600000);
	assert_int_equal(freqplan_khz(&policy, 1024), 600000);
}

/* As the kernel itself would choose for that utilization: schedutil's 1.25 x util x max / capacity
 * is the floor with its own headroom. */
static void test_headroom(_unused_ void **state)
{
	static const uint16_t utils[] = {1, 100, 300, 512, 800, 819};
	const struct freqplan_policy policy = {.max_khz = 2000000, .capacity1024 = 1024};

	for (size_t i = 0; i < ARRAY_SIZE(utils); i++) {
		uint32_t kernel_khz =
			(uint32_t)((utils[i] + utils[i] / 4) * UINT64_C(2000000) / 1024);
		uint16_t floor = (uint16_t)(utils[i] * FREQPLAN_HEADROOM1024 / CAPACITY_SCALE);

		EXPECT(freqplan_khz(&policy, floor) - kernel_khz <= 1, "util %u: %u", utils[i],
		       freqplan_khz(&policy, floor));
	}
}

static void test_back_to_floor(_unused_ void **state)
{
	static const struct {
		uint32_t max_khz;
		uint16_t capacity;
		uint32_t khz;
		uint16_t floor;
	} rows[] = {{3000000, 1024, 1500000, 512},
		    {2000000, 512, 1000000, 256},
		    {3000000, 1024, 9000000, 1024},
		    {0, 1024, 1, 1024},
		    {3000000, 1024, 0, 0}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct freqplan_policy policy = {.max_khz = rows[i].max_khz,
						       .capacity1024 = rows[i].capacity};

		EXPECT(freqplan_floor1024(&policy, rows[i].khz) == rows[i].floor, "row %zu: %u", i,
		       freqplan_floor1024(&policy, rows[i].khz));
	}
}

/* What happens when: the largest floor there, the minimum that comes of it, and when to ask again.
 */
struct event {
	uint64_t at;
	uint16_t floor;
	uint32_t khz;
	uint64_t next; /* 0: never */
};

/* Whatever is decided is written. */
static void run(struct freqplan_policy *policy, const struct event *events, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t now = T0 + events[i].at, next = 4711;
		uint32_t khz = freqplan_decide(policy, events[i].floor, INTERVAL, now, &next);
		uint64_t wanted = events[i].next ? T0 + events[i].next : USEC_INFINITY;

		EXPECT(khz == events[i].khz, "event %zu: %u kHz", i, khz);
		EXPECT(next == wanted, "event %zu: next %lld", i, (long long)(next - T0));
		if (khz != policy->have_khz)
			freqplan_done(policy, khz, now);
	}
}

static void test_rise_hold_fall(_unused_ void **state)
{
	static const struct event events[] = {
		{0, 0, 0, 0},
		{1 * MSEC, 300, 1200000, 0},
		{20 * MSEC, 900, 3000000, 0}, /* up at once */
		{30 * MSEC, 300, 3000000, 30 * MSEC + HOLD},
		{40 * MSEC, 300, 3000000, 30 * MSEC + HOLD}, /* the hold isn't prolonged */
		{30 * MSEC + HOLD - 1, 300, 3000000, 30 * MSEC + HOLD},
		{30 * MSEC + HOLD, 300, 1200000, 0},
		{200 * MSEC, 0, 1200000, 200 * MSEC + HOLD},
		{200 * MSEC + HOLD, 0, 0, 0},
		{999 * MSEC, 0, 0, 0},
		{1000 * MSEC, 1, 600000, 0}, /* the smallest floor is one */
	};
	struct freqplan_policy policy = make_big();

	run(&policy, events, ARRAY_SIZE(events));
}

/* A thread that hops back and forth: neither of its two policies falls in between. */
static void test_bounce(_unused_ void **state)
{
	struct freqplan_policy here = make_big(), there = make_big();
	unsigned writes = 0;

	for (unsigned i = 0; i < 100; i++) {
		uint64_t now = T0 + i * 10 * MSEC, next;
		struct freqplan_policy *policies[] = {&here, &there};

		for (unsigned k = 0; k < 2; k++) {
			uint16_t floor = i % 2 == k ? 800 : 0;
			uint32_t khz = freqplan_decide(policies[k], floor, INTERVAL, now, &next);

			if (khz == policies[k]->have_khz)
				continue;
			freqplan_done(policies[k], khz, now);
			writes++;
		}
	}
	assert_int_equal(writes, 2);
	assert_int_equal(here.have_khz, 2400000);
	assert_int_equal(there.have_khz, 2400000);
}

static void test_interval(_unused_ void **state)
{
	static const struct event events[] = {
		{10, 300, 1200000, 0},
		{20, 900, 1200000, 10 + INTERVAL}, /* too soon: it waits */
		{30, 500, 1200000, 10 + INTERVAL},
		{10 + INTERVAL, 900, 3000000, 0},
	};
	struct freqplan_policy policy = make_big();

	run(&policy, events, ARRAY_SIZE(events));
}

static void test_prior(_unused_ void **state)
{
	static const struct event events[] = {
		{1 * MSEC, 300, 0, 0}, /* what stands there is enough, or more */
		{10 * MSEC, 400, 0, 0},
		{20 * MSEC, 500, 1800000, 0},
		{30 * MSEC, 400, 1800000, 30 * MSEC + HOLD},
		{30 * MSEC + HOLD, 400, 0, 0}, /* back to it, not below */
	};
	struct freqplan_policy policy = make_big();

	policy.prior_khz = 1200000;
	run(&policy, events, ARRAY_SIZE(events));
}

/* A limit below what stands there without us, as an operator may write it: nothing to be had. */
static void test_limit_below_prior(_unused_ void **state)
{
	static const struct event events[] = {{1 * MSEC, 1024, 0, 0}, {2 * MSEC, 0, 0, 0}};
	struct freqplan_policy policy = make_big();

	policy.prior_khz = policy.limit_khz = 1200000;
	run(&policy, events, ARRAY_SIZE(events));
}

static void test_limit_changes(_unused_ void **state)
{
	static const struct event hot[] = {{1 * MSEC, 1024, 3000000, 0}},
				  throttled[] = {{100 * MSEC, 1024, 3000000, 100 * MSEC + HOLD},
						 {100 * MSEC + HOLD, 1024, 1800000, 0}},
				  cool[] = {{300 * MSEC, 1024, 3000000, 0}};
	struct freqplan_policy policy = make_big();

	run(&policy, hot, ARRAY_SIZE(hot));
	policy.limit_khz = 1800000;
	run(&policy, throttled, ARRAY_SIZE(throttled));
	policy.limit_khz = 3000000;
	run(&policy, cool, ARRAY_SIZE(cool));
}

static void test_lag(_unused_ void **state)
{
	struct freqplan_policy policy = make_big();

	assert_false(freqplan_lags(&policy, 1));
	freqplan_done(&policy, 1200000, T0);
	assert_true(freqplan_lags(&policy, T0));
	assert_true(freqplan_lags(&policy, T0 + FREQPLAN_LAG_USEC - 1));
	assert_false(freqplan_lags(&policy, T0 + FREQPLAN_LAG_USEC));
}

static void test_look(_unused_ void **state)
{
	assert_int_equal(freqplan_look_usec(1), 10 * MSEC);
	assert_int_equal(freqplan_look_usec(33), 10 * MSEC);
	/* A hundred threads at 3 us each are 1 % of 30 ms. */
	assert_int_equal(freqplan_look_usec(100), 30 * MSEC);
	assert_int_equal(freqplan_look_usec(4096), 4096 * 300);
}

static void test_sort(_unused_ void **state)
{
	static const struct {
		unsigned n, kept;
		uint32_t in[5], out[5];
	} rows[] = {
		{0, 0, {0}, {0}},
		{1, 1, {7}, {7}},
		{5, 5, {5, 4, 3, 2, 1}, {1, 2, 3, 4, 5}}, /* as acpi-cpufreq has it */
		{5, 5, {1, 2, 3, 4, 5}, {1, 2, 3, 4, 5}},
		{5, 3, {3, 1, 3, 2, 1}, {1, 2, 3}},
		{4, 1, {9, 9, 9, 9}, {9}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t steps[5];

		memcpy(steps, rows[i].in, sizeof(steps));
		EXPECT(freqplan_sort(steps, rows[i].n) == rows[i].kept, "row %zu", i);
		EXPECT(memcmp(steps, rows[i].out, rows[i].kept * sizeof(*steps)) == 0, "row %zu",
		       i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_step),
		cmocka_unit_test(test_khz),
		cmocka_unit_test(test_headroom),
		cmocka_unit_test(test_back_to_floor),
		cmocka_unit_test(test_rise_hold_fall),
		cmocka_unit_test(test_bounce),
		cmocka_unit_test(test_interval),
		cmocka_unit_test(test_prior),
		cmocka_unit_test(test_limit_below_prior),
		cmocka_unit_test(test_limit_changes),
		cmocka_unit_test(test_lag),
		cmocka_unit_test(test_look),
		cmocka_unit_test(test_sort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
