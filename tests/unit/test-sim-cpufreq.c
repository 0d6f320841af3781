/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which frequencies the simulator's schedutil chooses, and what they cost. */
#include "tests/unit/test_sim.h"

/* On one CPU of capacity 1024 with these operating points: MHz while a task is busy that has work
 * every 50 ms. */
static double floored_mhz(const unsigned *mhz, unsigned n, uint16_t floor, double work_nsec)
{
	struct bench bench;
	struct periodic task;
	double result;

	assert_true(machine_shape("separate", &bench.config));
	bench.config.domain[0].n_opps = n;
	for (unsigned i = 0; i < n; i++)
		bench.config.domain[0].opp[i] = (struct opp){.khz = mhz[i] * 1000, .mw = 1};
	bench_start(&bench);
	periodic_start(&task, bench.queue, bench.kernel, 1, work_nsec, 50 * SIM_MSEC);
	task_set_uclamp(&task.task, floor, 1024);
	bench_run(&bench, SIM_SEC);
	machine_reset_figures(bench.machine);
	bench_run(&bench, 2 * SIM_SEC);
	result = bench_mhz(&bench, 0);
	periodic_stop(&task);
	bench_end(&bench);
	return result;
}

/* What the arm64 lab measured first, with operating points of its own (800, 1400, 2000, 2600 and
 * 3000 MHz came of floors of 0, 400, 600, 800 and 1024, for 8 ms of 50, by the clock and not in
 * cycles), and what the floors come to with those of tests/lab/dts.sh: the next step from floor x
 * top. */
static void test_floors(_unused_ void **state)
{
	static const unsigned first[] = {800, 1400, 2000, 2600, 3000};
	static const unsigned today[] = {600, 900, 1200, 1500, 1800, 2100, 2400, 2700, 3000};
	static const struct {
		uint16_t floor;
		double first, today;
	} table[] = {
		{0, 800, 1000},	   {400, 1400, 1200},  {600, 2000, 1800},
		{800, 2600, 2400}, {1024, 3000, 3000},
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++) {
		double a = floored_mhz(first, 5, table[i].floor, 8e6 * table[i].first / 3000);
		double b = floored_mhz(today, 9, table[i].floor, 8e6);

		EXPECT(a > table[i].first * 0.99 && a < table[i].first * 1.01, "floor %u: %.0f MHz",
		       table[i].floor, a);
		/* Without a floor it goes by its average, which is between two steps. */
		EXPECT(table[i].floor == 0 ? b > 600 && b < 1200
					   : b > table[i].today * 0.99 && b < table[i].today * 1.01,
		       "floor %u: %.0f MHz", table[i].floor, b);
	}
}

/* sched_setattr() on a task that runs: a higher floor takes hold at the next tick. In a domain of
 * several CPUs cpufreq finds no floor at all until then; a CPU of its own holds its frequency. */
static void test_setattr(_unused_ void **state)
{
	static const struct {
		const char *shape;
		uint32_t meanwhile;
	} table[] = {{"separate", 2400000}, {"shared", 600000}};

	for (unsigned i = 0; i < 2; i++) {
		struct bench bench;
		struct periodic task;

		bench_init(&bench, table[i].shape);
		periodic_start(&task, bench.queue, bench.kernel, 1, 8e6, SIM_SEC);
		task_set_uclamp(&task.task, 800, 1024);
		bench_run(&bench, SIM_SEC + 5 * SIM_MSEC);
		assert_int_equal(machine_khz(bench.machine, 0), 2400000);
		bench_run(&bench, 500 * SIM_USEC); /* a period has ended since the tick at 4 ms */
		task_set_uclamp(&task.task, 900, 1024);
		bench_run(&bench, SIM_MSEC);
		assert_true(task.task.running);
		EXPECT(machine_khz(bench.machine, 0) == table[i].meanwhile, "%s: %u kHz",
		       table[i].shape, machine_khz(bench.machine, 0));
		bench_run(&bench, 2 * SIM_MSEC);
		assert_true(task.task.running);
		assert_int_equal(machine_khz(bench.machine, 0), 2700000);
		periodic_stop(&task);
		bench_end(&bench);
	}
}

/* 500 of 1024 is 1465 MHz. Since 6.8 a floor is met as it is, before a quarter was added to it. */
static void test_headroom_by_release(_unused_ void **state)
{
	static const struct {
		const char *shape;
		double mhz;
	} table[] = {{"separate", 1500}, {"old61", 2100}};

	for (unsigned i = 0; i < 2; i++) {
		struct bench bench;
		struct periodic task;

		bench_init(&bench, table[i].shape);
		periodic_start(&task, bench.queue, bench.kernel, 1, 2e6, 50 * SIM_MSEC);
		task_set_uclamp(&task.task, 500, 1024);
		bench_run(&bench, SIM_SEC);
		machine_reset_figures(bench.machine);
		bench_run(&bench, SIM_SEC);
		EXPECT(near(bench_mhz(&bench, 0), table[i].mhz, 10), "%s: %.0f MHz", table[i].shape,
		       bench_mhz(&bench, 0));
		periodic_stop(&task);
		bench_end(&bench);
	}
}

/* 512 + 512 as a maximum is half the speed; what both need together is all of it. */
static void test_two_floors_are_one(_unused_ void **state)
{
	struct bench bench;
	struct periodic a, b;

	bench_init(&bench, "separate");
	periodic_start(&a, bench.queue, bench.kernel, 1, 0.5e6, 20 * SIM_MSEC);
	periodic_start(&b, bench.queue, bench.kernel, 1, 0.5e6, 20 * SIM_MSEC);
	task_set_uclamp(&a.task, 512, 1024);
	task_set_uclamp(&b.task, 512, 1024);
	bench_run(&bench, SIM_SEC);
	machine_reset_figures(bench.machine);
	bench_run(&bench, SIM_SEC);
	assert_true(near(bench_mhz(&bench, 0), 1500, 10));
	periodic_stop(&a);
	periodic_stop(&b);
	bench_end(&bench);
}

static void test_hog_and_idle(_unused_ void **state)
{
	static const char *const shapes[] = {"separate",     "shared",	 "biglittle", "old61",
					     "lab-separate", "server16", "hybrid8",   "phone8"};

	for (unsigned i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		struct bench bench;
		struct periodic hog;

		bench_init(&bench, shapes[i]);
		bench_run(&bench, SIM_SEC);
		for (unsigned cpu = 0; cpu < bench.config.kernel.n_cpus; cpu++)
			assert_int_equal(
				machine_khz(bench.machine, cpu),
				bench.config.domain[bench.config.kernel.domain[cpu]].opp[0].khz);
		hog_start(&hog, bench.queue, bench.kernel, 1);
		bench_run(&bench, 2 * SIM_SEC);
		EXPECT(machine_khz(bench.machine, 0) == machine_max_khz(bench.machine, 0),
		       "%s: %u kHz", shapes[i], machine_khz(bench.machine, 0));
		periodic_stop(&hog);
		bench_end(&bench);
	}
}

/* A hog's frequency rises with its utilization: to 3000 MHz where 1.25 x util is above 2700 / 3000,
 * util 737. */
static void test_ramp(_unused_ void **state)
{
	struct bench bench;
	struct periodic hog;
	struct cpu_signal signal;

	bench_init(&bench, "separate");
	hog_start(&hog, bench.queue, bench.kernel, 1);
	while (machine_khz(bench.machine, 0) < 3000000)
		bench_run(&bench, 100 * SIM_USEC);
	kernel_signal(bench.kernel, 0, &signal);
	EXPECT(signal.util_avg >= 737 && signal.util_avg < 737 + 4 * 22, "%.0f", signal.util_avg);
	/* 64 ms of work at full speed make 737 of 1024 after 61 ms; it was slower on the way. */
	EXPECT(queue_now(bench.queue) > 100 * SIM_MSEC && queue_now(bench.queue) < 200 * SIM_MSEC,
	       "%.1f ms", queue_now(bench.queue) / 1e6);
	periodic_stop(&hog);
	bench_end(&bench);
}

/* In a domain that is shared the busiest CPU decides. */
static void test_shared(_unused_ void **state)
{
	struct bench bench;
	struct periodic hog, small;

	bench_init(&bench, "shared");
	hog_start(&hog, bench.queue, bench.kernel, 1);
	periodic_start(&small, bench.queue, bench.kernel, 2, 0.2e6, 20 * SIM_MSEC);
	bench_run(&bench, SIM_SEC);
	machine_reset_figures(bench.machine);
	bench_run(&bench, SIM_SEC);
	assert_true(near(bench_mhz(&bench, 1), 3000, 1));
	task_sleep(&hog.task);
	bench_run(&bench, SIM_SEC);
	machine_reset_figures(bench.machine);
	bench_run(&bench, SIM_SEC);
	assert_true(near(bench_mhz(&bench, 1), 600, 1));
	periodic_stop(&hog);
	periodic_stop(&small);
	bench_end(&bench);
}

/* FACTS.md, of the x86 lab: without invariance a floor below about 820 holds the frequency where it
 * is, 850 climbs to the top. */
static void test_not_invariant(_unused_ void **state)
{
	static const uint16_t floor[] = {810, 850};

	for (unsigned i = 0; i < 2; i++) {
		struct bench bench;
		struct periodic task;

		bench_init(&bench, "server16");
		periodic_start(&task, bench.queue, bench.kernel, 1, 0.2e6, 20 * SIM_MSEC);
		task_set_uclamp(&task.task, floor[i], 1024);
		bench_run(&bench, 3 * SIM_SEC);
		machine_reset_figures(bench.machine);
		bench_run(&bench, SIM_SEC);
		EXPECT(near(bench_mhz(&bench, 0), i == 0 ? 1200 : 3200, 1), "floor %u: %.0f MHz",
		       floor[i], bench_mhz(&bench, 0));
		periodic_stop(&task);
		bench_end(&bench);
	}
}

/* 1 s busy at 600 MHz and two states of idle CPUs, by hand: 480 x 600 x 0.65 V squared are 121.68
 * mW. */
static void test_energy(_unused_ void **state)
{
	struct bench bench;
	struct periodic task;
	struct machine_figures figures;

	assert_true(machine_shape("separate", &bench.config));
	bench.config.idle_mw = 5;
	bench_start(&bench);
	assert_true(near(bench.config.domain[0].opp[0].mw, 121.68, 1e-9));
	assert_true(near(bench.config.domain[0].opp[8].mw, 480 * 3. * 1.21, 1e-9));
	/* 0.4 ms of work in 4 ms: at 600 MHz it is busy half the time, and 10 % of 1024 x 1.25 ask
	 * for no more. */
	periodic_start(&task, bench.queue, bench.kernel, 1, 0.4e6, 4 * SIM_MSEC);
	bench_run(&bench, 2 * SIM_SEC);
	machine_figures(bench.machine, &figures);
	assert_int_equal(figures.changes, 0);
	EXPECT(near(figures.busy_nsec[0] / 1e9, 1, 0.001), "%.4f s", figures.busy_nsec[0] / 1e9);
	EXPECT(near(figures.energy_mj, 121.68 + 5 * 7, 0.2), "%.2f mJ", figures.energy_mj);
	periodic_stop(&task);
	bench_end(&bench);
}

/* Each time that a task comes back from I/O within a tick its CPU's boost doubles. */
static void test_iowait_boost(_unused_ void **state)
{
	struct bench bench;
	struct task task;

	bench_init(&bench, "separate");
	task_init(&task, bench.kernel, "reader", 1, NULL, NULL);
	for (unsigned i = 0; i < 20; i++) {
		task_wake(&task, 0.05e6, true);
		bench_run(&bench, 2 * SIM_MSEC);
	}
	assert_int_equal(machine_khz(bench.machine, 0), 3000000);
	bench_run(&bench, 20 * SIM_MSEC);
	for (unsigned i = 0; i < 3; i++) {
		task_wake(&task, 0.05e6, false);
		bench_run(&bench, 2 * SIM_MSEC);
	}
	assert_int_equal(machine_khz(bench.machine, 0), 600000);
	task_remove(&task);
	bench_end(&bench);
}

/* Above the budget, tops come down; the performance governor's too. Below it they come back. */
static void test_power_limit(_unused_ void **state)
{
	struct bench bench;
	struct periodic hog[4];
	struct machine_figures figures;

	assert_true(machine_shape("separate", &bench.config));
	bench.config.budget_mw = 3000;
	bench.config.performance = true;
	bench_start(&bench);
	assert_int_equal(machine_khz(bench.machine, 3), 3000000);
	for (unsigned i = 0; i < 4; i++)
		hog_start(&hog[i], bench.queue, bench.kernel, 15);
	bench_run(&bench, 3 * SIM_SEC);
	machine_reset_figures(bench.machine);
	bench_run(&bench, 2 * SIM_SEC);
	machine_figures(bench.machine, &figures);
	EXPECT(figures.energy_mj / 2 < 3200 && figures.energy_mj / 2 > 2400, "%.0f mW",
	       figures.energy_mj / 2);
	assert_true(figures.throttled_nsec > 1.9e9);
	for (unsigned i = 0; i < 4; i++)
		periodic_stop(&hog[i]);
	bench_run(&bench, 3 * SIM_SEC);
	assert_int_equal(machine_khz(bench.machine, 3), 3000000);
	bench_end(&bench);
}

static void test_minimum(_unused_ void **state)
{
	struct bench bench;

	bench_init(&bench, "separate");
	machine_set_min_khz(bench.machine, 1, 1900000);
	bench_run(&bench, SIM_MSEC);
	assert_int_equal(machine_khz(bench.machine, 1), 2100000);
	assert_int_equal(machine_khz(bench.machine, 0), 600000);
	bench_end(&bench);
}

/* cpufreq_policy_transition_delay_us() of 10 us */
static void test_rate_limits(_unused_ void **state)
{
	struct machine_config config;

	assert_true(machine_shape("separate", &config));
	assert_int_equal(config.domain[0].rate_limit_nsec, 15 * SIM_USEC);
	assert_true(machine_shape("old61", &config));
	assert_int_equal(config.domain[0].rate_limit_nsec, 10 * SIM_MSEC);
	assert_false(machine_shape("none", &config));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_floors),	     cmocka_unit_test(test_headroom_by_release),
		cmocka_unit_test(test_setattr),	     cmocka_unit_test(test_two_floors_are_one),
		cmocka_unit_test(test_hog_and_idle), cmocka_unit_test(test_ramp),
		cmocka_unit_test(test_shared),	     cmocka_unit_test(test_not_invariant),
		cmocka_unit_test(test_energy),	     cmocka_unit_test(test_iowait_boost),
		cmocka_unit_test(test_power_limit),  cmocka_unit_test(test_minimum),
		cmocka_unit_test(test_rate_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
