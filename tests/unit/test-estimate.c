/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd/estimate.c: against a CPU whose every burst is known (test_cpu_sim.h). What breaks a run
 * of samples is test-estimate-breaks.c's. */
#include "tests/unit/test_cpu_sim.h"

#include "common/pelt_decay.h"
#include "common/pelt.h"

static void test_decay(_unused_ void **state)
{
	assert_int_equal(pelt_decay(1 << 20, 0), 1 << 20);
	assert_in_range(pelt_decay(1 << 20, 32 << 20), (1 << 19) - 1, (1 << 19) + 1);
	assert_in_range(pelt_decay(1 << 20, 16 << 20), 741454, 741456); /* 2^20 / sqrt(2) */
	assert_int_equal(pelt_decay(1 << 20, UINT64_C(63) * 32 << 20), 0);
	assert_int_equal(pelt_decay(UINT64_MAX, UINT64_MAX), 0);
	assert_int_equal(pelt_decay(0, 12345), 0);
	/* Between two entries it is as good as linear: within 1/10000 of the truth. */
	assert_in_range(pelt_decay(1 << 20, 1 << 19), 1037281 - 104, 1037281 + 104);
	for (uint64_t t = 0; t < UINT64_C(3) << 26; t += 9999991)
		assert_true(pelt_decay(1 << 20, t + 9999991) <= pelt_decay(1 << 20, t));
}

/* A settled error of util_avg, its mean and its bound, for duties and periods. */
static void duties(bool by_ticks)
{
	static const struct {
		unsigned period_msec, busy_msec, interval_msec, mean, worst;
	} rows[] = {
		{2, 1, 10, 10, 40},	{10, 1, 10, 10, 60},	 {10, 5, 10, 10, 110},
		{16, 11, 10, 10, 150},	{20, 2, 10, 15, 110},	 {50, 8, 10, 10, 150},
		{100, 50, 10, 10, 120}, {200, 100, 10, 10, 120}, {200, 20, 10, 10, 150},
		{50, 45, 10, 12, 140},	{16, 11, 1, 10, 80},	 {100, 50, 1, 10, 80},
		{16, 11, 4, 10, 80},	{7, 3, 3, 10, 80},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		double sum = 0, worst = 0;
		unsigned n = 0;
		struct sim sim;

		sim_init(&sim);
		sim.by_ticks = by_ticks;
		period_nsec = rows[i].period_msec * MSEC;
		busy_nsec = rows[i].busy_msec * MSEC;
		for (uint64_t t = 0; t < 6000 * MSEC; t += rows[i].interval_msec * MSEC + STEP) {
			struct estimate estimate =
				sim_run(&sim, load_duty, rows[i].interval_msec * MSEC + STEP);
			double error = estimate.util_avg - sim.util;

			if (t < 1000 * MSEC)
				continue;
			sum += error;
			worst = MAX(worst, error < 0 ? -error : error);
			n++;
		}
		if (getenv("VERBOSE"))
			print_message("period %u busy %u interval %u: mean %.1f worst %.1f\n",
				      rows[i].period_msec, rows[i].busy_msec, rows[i].interval_msec,
				      sum / n, worst);
		EXPECT(sum / n < rows[i].mean && -sum / n < rows[i].mean,
		       "row %zu: mean error %.1f", i, sum / n);
		EXPECT(worst <= rows[i].worst, "row %zu: worst error %.1f", i, worst);
		sim_done(&sim);
	}
}

static void test_duties(_unused_ void **state)
{
	duties(false);
}

/* /proc/stat's idle time may be wrong by a lot then; schedstat isn't. */
static void test_duties_by_ticks(_unused_ void **state)
{
	duties(true);
}

static bool load_after_100(uint64_t now)
{
	return now >= 1234567 * STEP + 1003 * MSEC;
}

/* A hog arrives on a cold CPU: how long until util_est says so? And its own first booking, a
 * minute later, changes nothing. */
static void lone_hog(bool no_sched, uint64_t limit, unsigned late)
{
	struct estimate estimate;
	uint64_t lag = 0;
	struct sim sim;

	sim_init(&sim);
	sim.no_sched = no_sched;
	for (unsigned i = 0; i < 100; i++) {
		estimate = sim_run(&sim, load_after_100, 10 * MSEC);
		EXPECT(estimate.util_est == 0 && !estimate.saturated, "idle: %u",
		       estimate.util_est);
	}
	for (unsigned i = 0; i < 20; i++) {
		estimate = sim_run(&sim, load_after_100, 10 * MSEC);
		if (lag == 0 && estimate.util_est >= 1000)
			lag = sim.now - (1234567 * STEP + 1003 * MSEC);
	}
	if (getenv("VERBOSE"))
		print_message("hog seen after %u ms\n", (unsigned)(lag / MSEC));
	EXPECT(lag > 0 && lag <= limit, "seen after %u ms", (unsigned)(lag / MSEC));
	for (unsigned i = 0; i < 100; i++) {
		estimate = sim_run(&sim, load_full, 10 * MSEC);
		EXPECT(estimate.util_est == 1024 && estimate.saturated, "step %u: %u", i,
		       estimate.util_est);
		EXPECT(estimate.util_avg >= 1024 - 300 / (i + 1) - 2, "step %u: avg %u", i,
		       estimate.util_avg);
	}
	/* It leaves. Its second of run time is booked now and must not count twice. */
	for (unsigned i = 0; i < 30; i++) {
		estimate = sim_run(&sim, load_none, 10 * MSEC);
		EXPECT(estimate.util_avg - sim.util < late && estimate.util_avg >= sim.util - 30,
		       "leaving, step %u: %u, truth %.0f", i, estimate.util_avg, sim.util);
	}
	for (unsigned i = 0; i < 50; i++)
		estimate = sim_run(&sim, load_none, 10 * MSEC);
	EXPECT(estimate.util_est < 31 && !estimate.saturated, "left: %u", estimate.util_est);
	sim_done(&sim);
}

static void test_lone_hog(_unused_ void **state)
{
	lone_hog(false, 32 * MSEC, 100);
	lone_hog(true, 32 * MSEC, 250); /* up to 10 ms late at both ends */
}

/* Probed every 250 ms, a hog is at its full value with the first probe that can see it, or, if it
 * has only just come, the next sample must be asked for. */
static void test_idle_probe(_unused_ void **state)
{
	struct estimate estimate;
	struct sim sim;

	sim_init(&sim);
	for (unsigned i = 0; i < 10; i++)
		estimate = sim_run(&sim, load_none, 250 * MSEC);
	assert_int_equal(estimate.util_est, 0);
	assert_false(estimator_is_active(sim.estimator));
	sim_run(&sim, load_none, 150 * MSEC - 10 * MSEC);
	for (unsigned i = 0; i < 1100; i++)
		sim_step(&sim, i >= 100);
	sim_sample(&sim, NULL);
	estimator_get(sim.estimator, CPU, &estimate);
	EXPECT(estimate.util_est == 1024, "%u", estimate.util_est);
	EXPECT(estimate.util_avg > 800, "%u", estimate.util_avg);
	assert_true(estimator_is_active(sim.estimator));
	sim_done(&sim);

	sim_init(&sim);
	sim_run(&sim, load_none, 250 * MSEC);
	for (unsigned i = 0; i < 2500; i++)
		sim_step(&sim, i >= 2490); /* 1 ms ago */
	sim_sample(&sim, NULL);
	estimator_get(sim.estimator, CPU, &estimate);
	EXPECT(estimate.util_est < 31, "%u", estimate.util_est);
	assert_true(estimator_is_active(sim.estimator));
	estimate = sim_run(&sim, load_full, 10 * MSEC);
	EXPECT(estimate.util_est >= 500, "%u", estimate.util_est);
	sim_done(&sim);
}

/* The kernel's invariant tracking: a half-speed CPU that is half busy is a quarter used, one that
 * never idles gets to the top all the same. */
static void test_scale(_unused_ void **state)
{
	static uint16_t scale[CPUMASK_CPUS];
	struct estimate estimate;
	double sum = 0;
	struct sim sim;

	sim_init(&sim);
	scale[CPU] = 512;
	period_nsec = 20 * MSEC;
	busy_nsec = 10 * MSEC;
	for (unsigned i = 0; i < 200; i++) {
		for (unsigned k = 0; k < 100; k++)
			sim_step(&sim, load_duty(sim.now));
		sim_sample(&sim, scale);
		estimator_get(sim.estimator, CPU, &estimate);
		if (i >= 100)
			sum += estimate.util_avg;
	}
	EXPECT(sum > 240 * 100 && sum < 300 * 100, "%.0f", sum / 100);
	for (unsigned i = 0; i < 100; i++) {
		for (unsigned k = 0; k < 100; k++)
			sim_step(&sim, true);
		sim_sample(&sim, scale);
	}
	estimator_get(sim.estimator, CPU, &estimate);
	EXPECT(estimate.util_avg > 1015 && estimate.saturated, "%u", estimate.util_avg);
	sim_done(&sim);
}

/* schedstat goes away while we run: /proc/stat goes on alone. */
static void test_schedstat_lost(_unused_ void **state)
{
	struct estimate estimate;
	struct sim sim;

	sim_init(&sim);
	for (unsigned i = 0; i < 50; i++)
		sim_run(&sim, load_full, 10 * MSEC);
	sim.no_sched = true;
	for (unsigned i = 0; i < 50; i++)
		estimate = sim_run(&sim, load_full, 10 * MSEC);
	assert_in_range(estimate.util_avg, 1020, 1024);
	for (unsigned i = 0; i < 80; i++)
		estimate = sim_run(&sim, load_none, 10 * MSEC);
	EXPECT(estimate.util_est < 31, "%u", estimate.util_est);
	sim.no_sched = false;
	for (unsigned i = 0; i < 10; i++)
		estimate = sim_run(&sim, load_full, 10 * MSEC);
	assert_int_equal(estimate.util_est, 1024);
	sim_done(&sim);
}

/* Interrupts on an idle CPU are busy time that no task ever gets: they must not swallow what tasks
 * book later. */
static void test_interrupts(_unused_ void **state)
{
	struct estimate estimate = {};
	double sum = 0;
	struct sim sim;

	sim_init(&sim);
	period_nsec = 20 * MSEC;
	busy_nsec = 8 * MSEC;
	for (unsigned i = 0; i < 600; i++) {
		for (unsigned k = 0; k < 100; k++) {
			if (!load_duty(sim.now) && k % 20 == 0) { /* 5 %: neither idle nor booked */
				sim.now += STEP;
				continue;
			}
			sim_step(&sim, load_duty(sim.now));
		}
		sim_sample(&sim, NULL);
		estimator_get(sim.estimator, CPU, &estimate);
		if (i >= 100)
			sum += estimate.util_avg;
	}
	/* 40 % of tasks, and 3 % of interrupts */
	EXPECT(sum / 500 > 400 && sum / 500 < 460, "%.0f", sum / 500);
	sim_done(&sim);
}

/* Where the reader itself runs, each sample has its own arrival: that isn't a task that stays. */
static void test_self(_unused_ void **state)
{
	struct estimate estimate = {};
	struct sim sim;

	sim_init(&sim);
	for (unsigned i = 0; i < 300; i++) {
		for (unsigned k = 0; k < 99; k++)
			sim_step(&sim, false);
		sim_step(&sim, true);
		sim_sample_on(&sim, NULL, CPU);
		estimator_get(sim.estimator, CPU, &estimate);
	}
	EXPECT(estimate.util_avg < 40, "%u", estimate.util_avg);
	sim_done(&sim);
}

/* The reader's own time on a CPU that idles is no demand; on one that doesn't, it is part of it. */
static void test_own_time(_unused_ void **state)
{
	struct estimate estimate = {};
	struct sim sim;

	sim_init(&sim);
	for (unsigned i = 0; i < 300; i++) {
		sim.counters->self_run_nsec += 3 * MSEC;
		for (unsigned k = 0; k < 100; k++)
			sim_step(&sim, k < 30);
		sim_sample_on(&sim, NULL, CPU);
		estimator_get(sim.estimator, CPU, &estimate);
	}
	EXPECT(estimate.util_est < 10, "%u", estimate.util_est);
	for (unsigned i = 0; i < 100; i++) {
		sim.counters->self_run_nsec += 3 * MSEC;
		for (unsigned k = 0; k < 100; k++)
			sim_step(&sim, true);
		sim_sample_on(&sim, NULL, CPU);
		estimator_get(sim.estimator, CPU, &estimate);
	}
	EXPECT(estimate.util_avg > 1000, "%u", estimate.util_avg);
	sim_done(&sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decay),
		cmocka_unit_test(test_duties),
		cmocka_unit_test(test_duties_by_ticks),
		cmocka_unit_test(test_lone_hog),
		cmocka_unit_test(test_idle_probe),
		cmocka_unit_test(test_scale),
		cmocka_unit_test(test_schedstat_lost),
		cmocka_unit_test(test_interrupts),
		cmocka_unit_test(test_self),
		cmocka_unit_test(test_own_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
