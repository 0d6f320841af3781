/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The simulator's scheduler: util_est, clamps, shares of a CPU, where tasks wake up and how they
 * are balanced. */
#include "tests/unit/test_sim.h"

/* -- util_est -- */

/* It takes the average at once when that has risen, and a quarter of the way down when it has
 * fallen. */
static void test_util_est(_unused_ void **state)
{
	struct bench bench;
	struct periodic task;
	double before, util;

	bench_init(&bench, "separate");
	periodic_start(&task, bench.queue, bench.kernel, 1, 40e6, 100 * SIM_MSEC);
	bench_run(&bench, 2 * SIM_SEC + 99 * SIM_MSEC);
	assert_true(!task.task.queued && task.task.avg.util_est > 400);
	assert_true(near(task.task.avg.util_est, task.task.avg.util_avg, 10));
	before = task.task.avg.util_est;
	task.work_nsec = 5e6;
	bench_run(&bench, 100 * SIM_MSEC);
	util = task.task.avg.util_avg;
	assert_true(util < before - 50);
	EXPECT(near(task.task.avg.util_est, before - (before - util) / 4, 0.01),
	       "%.1f of %.1f and %.1f", task.task.avg.util_est, before, util);
	task.work_nsec = 60e6;
	bench_run(&bench, 100 * SIM_MSEC);
	assert_true(near(task.task.avg.util_est, task.task.avg.util_avg, 0.01));
	periodic_stop(&task);
	bench_end(&bench);
}

/* A difference of less than 10 isn't worth it. */
static void test_util_est_margin(_unused_ void **state)
{
	struct bench bench;
	struct periodic task;
	double before;

	bench_init(&bench, "separate");
	periodic_start(&task, bench.queue, bench.kernel, 1, 40e6, 100 * SIM_MSEC);
	bench_run(&bench, 2 * SIM_SEC + 99 * SIM_MSEC);
	before = task.task.avg.util_est;
	task.work_nsec = 39.8e6;
	bench_run(&bench, 100 * SIM_MSEC);
	assert_true(task.task.avg.util_avg < before - 1);
	assert_true(near(task.task.avg.util_est, before, 1e-9));
	periodic_stop(&task);
	bench_end(&bench);
}

/* One that had to share its CPU has its estimate kept: it would have wanted more. */
static void test_util_est_of_who_waited(_unused_ void **state)
{
	struct bench bench;
	struct periodic task, hog;
	double before;

	bench_init(&bench, "separate");
	periodic_start(&task, bench.queue, bench.kernel, 1, 40e6, 100 * SIM_MSEC);
	bench_run(&bench, 2 * SIM_SEC + 99 * SIM_MSEC);
	before = task.task.avg.util_est;
	hog_start(&hog, bench.queue, bench.kernel, 1);
	task.work_nsec = 20e6;
	bench_run(&bench, 100 * SIM_MSEC);
	assert_true(!task.task.queued);
	assert_true(task.task.avg.runnable_avg > task.task.avg.util_avg + 10);
	assert_true(task.task.avg.util_avg < before - 10);
	assert_true(near(task.task.avg.util_est, before, 1e-9));
	periodic_stop(&task);
	periodic_stop(&hog);
	bench_end(&bench);
}

/* The run queue's is the sum of those that are queued, and the patches' hint counts where it is
 * larger. */
static void test_util_est_sum(_unused_ void **state)
{
	struct bench bench;
	struct periodic a, b;
	struct cpu_view view;

	bench_init(&bench, "separate");
	periodic_start(&a, bench.queue, bench.kernel, 1, 20e6, 100 * SIM_MSEC);
	periodic_start(&b, bench.queue, bench.kernel, 1, 20e6, 100 * SIM_MSEC);
	bench_run(&bench, 2 * SIM_SEC + 5 * SIM_MSEC);
	kernel_view(bench.kernel, 0, &view);
	assert_int_equal(view.n_running, 2);
	assert_true(near(view.util_est, a.task.avg.util_est + b.task.avg.util_est, 0.01));
	task_set_util_guest(&a.task, 900);
	kernel_view(bench.kernel, 0, &view);
	assert_true(near(view.util_est, 900 + b.task.avg.util_est, 0.01));
	task_set_util_guest(&a.task, 1);
	kernel_view(bench.kernel, 0, &view);
	assert_true(near(view.util_est, a.task.avg.util_est + b.task.avg.util_est, 0.01));
	bench_run(&bench, 90 * SIM_MSEC);
	kernel_view(bench.kernel, 0, &view);
	assert_true(near(view.util_est, 0, 1e-9));
	periodic_stop(&a);
	periodic_stop(&b);
	bench_end(&bench);
}

/* -- uclamp -- */

static struct cpu_view look(struct bench *bench, unsigned cpu)
{
	struct cpu_view view;

	kernel_view(bench->kernel, cpu, &view);
	return view;
}

static void test_clamps_are_a_maximum(_unused_ void **state)
{
	struct bench bench;
	struct periodic a, b;

	bench_init(&bench, "separate");
	hog_start(&a, bench.queue, bench.kernel, 1);
	hog_start(&b, bench.queue, bench.kernel, 1);
	task_set_uclamp(&a.task, 512, 1024);
	task_set_uclamp(&b.task, 512, 1024);
	assert_true(look(&bench, 0).uclamp_min == 512);
	/* Of the same bucket of 205: it keeps its highest until it is empty. */
	task_set_uclamp(&a.task, 420, 1024);
	assert_true(look(&bench, 0).uclamp_min == 512);
	task_set_uclamp(&b.task, 430, 1024);
	assert_true(look(&bench, 0).uclamp_min == 512);
	task_sleep(&b.task);
	assert_true(look(&bench, 0).uclamp_min == 512);
	task_set_uclamp(&a.task, 100, 1024);
	assert_true(look(&bench, 0).uclamp_min == 100);
	task_sleep(&a.task);
	assert_true(look(&bench, 0).uclamp_min == 0);
	periodic_stop(&a);
	periodic_stop(&b);
	bench_end(&bench);
}

/* Who isn't capped lifts the cap for all. The last one stays while the CPU idles. */
static void test_caps(_unused_ void **state)
{
	struct bench bench;
	struct periodic a, b;

	bench_init(&bench, "separate");
	hog_start(&a, bench.queue, bench.kernel, 1);
	task_set_uclamp(&a.task, 0, 300);
	assert_true(look(&bench, 0).uclamp_max == 300);
	hog_start(&b, bench.queue, bench.kernel, 1);
	assert_true(look(&bench, 0).uclamp_max == 1024);
	task_sleep(&b.task);
	assert_true(look(&bench, 0).uclamp_max == 300);
	task_sleep(&a.task);
	assert_true(look(&bench, 0).uclamp_max == 300);
	task_wake(&b.task, 1e6, false);
	assert_true(look(&bench, 0).uclamp_max == 1024);
	periodic_stop(&a);
	periodic_stop(&b);
	bench_end(&bench);
}

/* -- shares and places -- */

static void test_fair_shares(_unused_ void **state)
{
	struct bench bench;
	struct periodic a, b;
	double share;

	bench_init(&bench, "separate");
	hog_start(&a, bench.queue, bench.kernel, 1);
	hog_start(&b, bench.queue, bench.kernel, 1);
	b.task.weight = 3072;
	bench_run(&bench, 4 * SIM_SEC);
	share = b.task.run_nsec / (double)(a.task.run_nsec + b.task.run_nsec);
	EXPECT(near(share, 0.75, 0.02), "%.3f", share);
	assert_true(a.task.delay_nsec > 2 * SIM_SEC);
	periodic_stop(&a);
	periodic_stop(&b);
	bench_end(&bench);
}

/* One that sleeps most of the time gets the CPU when it wakes, from one that doesn't. */
static void test_sleeper_preempts(_unused_ void **state)
{
	struct bench bench;
	struct periodic hog, sleeper;

	bench_init(&bench, "separate");
	hog_start(&hog, bench.queue, bench.kernel, 1);
	periodic_start(&sleeper, bench.queue, bench.kernel, 1, 0.2e6, 20 * SIM_MSEC);
	bench_run(&bench, 4 * SIM_SEC);
	assert_int_equal(sleeper.n, 200);
	EXPECT(sleeper.task.delay_nsec / sleeper.n < 3 * SIM_MSEC, "%.2f ms",
	       sleeper.task.delay_nsec / 1e6 / sleeper.n);
	periodic_stop(&hog);
	periodic_stop(&sleeper);
	bench_end(&bench);
}

/* Four hogs on four CPUs have one each, wherever they began; a fifth takes turns with the others.
 */
static void test_balance(_unused_ void **state)
{
	struct bench bench;
	struct periodic hog[5];

	bench_init(&bench, "separate");
	for (unsigned i = 0; i < 4; i++) {
		hog_start(&hog[i], bench.queue, bench.kernel, 1);
		task_set_allowed(&hog[i].task, 15);
	}
	bench_run(&bench, 100 * SIM_MSEC);
	for (unsigned cpu = 0; cpu < 4; cpu++)
		assert_int_equal(look(&bench, cpu).n_running, 1);
	hog_start(&hog[4], bench.queue, bench.kernel, 15);
	bench_run(&bench, 20 * SIM_SEC);
	for (unsigned i = 0; i < 5; i++)
		EXPECT(hog[i].task.run_nsec > 13 * SIM_SEC, "hog %u: %.1f s", i,
		       hog[i].task.run_nsec / 1e9);
	for (unsigned i = 0; i < 5; i++)
		periodic_stop(&hog[i]);
	bench_end(&bench);
}

static void test_newidle_pulls(_unused_ void **state)
{
	struct bench bench;
	struct periodic a, b, brief;

	bench_init(&bench, "separate");
	periodic_start(&brief, bench.queue, bench.kernel, 2, 1e6, 10 * SIM_SEC);
	hog_start(&a, bench.queue, bench.kernel, 1);
	hog_start(&b, bench.queue, bench.kernel, 1);
	b.task.allowed = a.task.allowed = 3;
	bench_run(&bench, 3 * SIM_MSEC);
	assert_int_equal(look(&bench, 0).n_running, 2);
	bench_run(&bench,
		  3 * SIM_MSEC); /* at 600 MHz it takes 5 ms, and tick 4 finds no idle CPU */
	assert_int_equal(look(&bench, 0).n_running, 1);
	assert_int_equal(look(&bench, 1).n_running, 1);
	periodic_stop(&a);
	periodic_stop(&b);
	periodic_stop(&brief);
	bench_end(&bench);
}

/* A small task goes to a little core, by its energy; with a floor above what that has, to a big
 * one. */
static void test_eas(_unused_ void **state)
{
	struct bench bench;
	struct periodic task;

	bench_init(&bench, "biglittle");
	periodic_start(&task, bench.queue, bench.kernel, 15, 1e6, 20 * SIM_MSEC);
	task_move(&task.task, 3);
	bench_run(&bench, SIM_SEC);
	EXPECT(task.task.cpu < 2, "on %u", task.task.cpu);
	task_set_uclamp(&task.task, 500, 1024);
	bench_run(&bench, 50 * SIM_MSEC);
	EXPECT(task.task.cpu >= 2, "with a floor on %u", task.task.cpu);
	task_set_uclamp(&task.task, 0, 1024);
	bench_run(&bench, 50 * SIM_MSEC);
	EXPECT(task.task.cpu < 2, "again on %u", task.task.cpu);
	periodic_stop(&task);
	bench_end(&bench);
}

/* One that has grown too big for its core is moved while it runs. */
static void test_misfit(_unused_ void **state)
{
	struct bench bench;
	struct periodic hog;

	bench_init(&bench, "biglittle");
	hog_start(&hog, bench.queue, bench.kernel, 1);
	task_set_allowed(&hog.task, 15);
	bench_run(&bench, 200 * SIM_MSEC);
	EXPECT(hog.task.cpu >= 2, "on %u", hog.task.cpu);
	assert_int_equal(hog.task.migrations, 1);
	periodic_stop(&hog);
	bench_end(&bench);
}

/* Four hogs on phone8's eight CPUs take the bigger ones. */
static void test_big_ones_first(_unused_ void **state)
{
	struct bench bench;
	struct periodic hog[4];

	bench_init(&bench, "phone8");
	for (unsigned i = 0; i < 4; i++)
		hog_start(&hog[i], bench.queue, bench.kernel, 255);
	bench_run(&bench, SIM_SEC);
	for (unsigned cpu = 4; cpu < 8; cpu++)
		EXPECT(look(&bench, cpu).n_running == 1, "CPU %u", cpu);
	for (unsigned i = 0; i < 4; i++)
		periodic_stop(&hog[i]);
	bench_end(&bench);
}

static void test_offline(_unused_ void **state)
{
	struct bench bench;
	struct periodic hog, pinned;

	bench_init(&bench, "separate");
	hog_start(&hog, bench.queue, bench.kernel, 15);
	periodic_start(&pinned, bench.queue, bench.kernel, 2, 1e6, 10 * SIM_MSEC);
	bench_run(&bench, 100 * SIM_MSEC);
	for (unsigned cpu = 0; cpu < 3; cpu++)
		kernel_set_online(bench.kernel, cpu, false);
	bench_run(&bench, SIM_SEC);
	assert_int_equal(hog.task.cpu, 3);
	assert_int_equal(pinned.task.cpu, 3);
	assert_true(pinned.n > 90);
	kernel_set_online(bench.kernel, 3, false); /* the last one stays */
	kernel_set_online(bench.kernel, 1, true);
	bench_run(&bench, SIM_SEC);
	assert_int_equal(pinned.task.cpu, 1);
	assert_int_equal(hog.task.cpu, 3);
	periodic_stop(&hog);
	periodic_stop(&pinned);
	bench_end(&bench);
}

/* Time is somebody's: busy, waiting or idle. */
static void test_accounts(_unused_ void **state)
{
	struct bench bench;
	struct periodic a, b;
	struct cpu_view view;

	bench_init(&bench, "separate");
	periodic_start(&a, bench.queue, bench.kernel, 1, 2e6, 10 * SIM_MSEC);
	periodic_start(&b, bench.queue, bench.kernel, 1, 3e6, 30 * SIM_MSEC);
	bench_run(&bench, 3 * SIM_SEC);
	view = look(&bench, 0);
	assert_int_equal(view.run_nsec + view.idle_nsec, 3 * SIM_SEC);
	assert_int_equal(view.run_nsec, a.task.run_nsec + b.task.run_nsec);
	assert_int_equal(view.delay_nsec, a.task.delay_nsec + b.task.delay_nsec);
	assert_int_equal(view.slices, a.task.switches + b.task.switches);
	assert_int_equal(view.booked_nsec, view.run_nsec);
	assert_true(near(a.task.done_nsec, 300 * 2e6, 5e6));
	periodic_stop(&a);
	periodic_stop(&b);
	bench_end(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_util_est),
		cmocka_unit_test(test_util_est_margin),
		cmocka_unit_test(test_util_est_of_who_waited),
		cmocka_unit_test(test_util_est_sum),
		cmocka_unit_test(test_clamps_are_a_maximum),
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_fair_shares),
		cmocka_unit_test(test_sleeper_preempts),
		cmocka_unit_test(test_balance),
		cmocka_unit_test(test_newidle_pulls),
		cmocka_unit_test(test_eas),
		cmocka_unit_test(test_misfit),
		cmocka_unit_test(test_big_ones_first),
		cmocka_unit_test(test_offline),
		cmocka_unit_test(test_accounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
