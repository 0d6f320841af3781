/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd/estimate.c where two samples don't belong together, or only a part of the time between
 * them was the guest's: CPU hotplug, counters that start again or leap, suspend, save and restore,
 * steal. What can't be known changes nothing: the utilization stays what it was. */
#include "tests/unit/test_cpu_sim.h"

#define HOUR (3600 * 1000 * MSEC)

/* Samples of 10 ms for so many ms. None is further than `most` from the truth. */
static void assert_follows(struct sim *sim, load_t load, unsigned msec, double most,
			   const char *when)
{
	for (unsigned i = 0; i < msec / 10; i++) {
		struct estimate estimate = sim_run(sim, load, 10 * MSEC);
		double error = estimate.util_avg - sim->util;

		EXPECT(error < most && -error < most, "%s, sample %u: %u, truth %.0f", when, i,
		       estimate.util_avg, sim->util);
	}
}

static struct estimate now_of(const struct sim *sim)
{
	struct estimate estimate;

	estimator_get(sim->estimator, CPU, &estimate);
	return estimate;
}

/* What the counters count from is another past: a CPU that came back, or a machine that did. */
static void restart_counters(struct sim *sim)
{
	sim->idle = sim->stolen = sim->run = sim->booked = sim->slices = 0;
}

static void test_hotplug(_unused_ void **state)
{
	struct estimate estimate;
	struct sim sim;

	sim_init(&sim);
	for (unsigned i = 0; i < 50; i++)
		estimate = sim_run(&sim, load_full, 10 * MSEC);
	assert_int_equal(estimate.util_est, 1024);
	sim.now += 10 * MSEC;
	sim.counters->stamp_nsec = sim.now;
	cpumask_clear(&sim.counters->present);
	cpumask_set(&sim.counters->present, CPUMASK_CPUS - 1);
	estimator_update(sim.estimator, sim.counters, NULL);
	assert_int_equal(now_of(&sim).util_est, 0);
	restart_counters(&sim);
	sim.was_busy = false;
	sim.util = 0;
	estimate = sim_run(&sim, load_none, 10 * MSEC); /* it is back: a first sample, no more */
	assert_int_equal(estimate.util_est, 0);
	assert_follows(&sim, load_none, 100, 1, "back and idle");
	assert_follows(&sim, load_full, 500, 250, "back and busy");
	assert_in_range(now_of(&sim).util_avg, 1020, 1024);
	estimator_get(sim.estimator, CPUMASK_CPUS, &estimate);
	assert_int_equal(estimate.util_est, 0);
	estimator_get(sim.estimator, UINT32_MAX, &estimate);
	assert_int_equal(estimate.util_est, 0);
	sim_done(&sim);
}

/* It was away and is back before anybody looked: its counters tell. */
static void test_hotplug_between_samples(_unused_ void **state)
{
	struct sim sim;

	sim_init(&sim);
	assert_follows(&sim, load_full, 1000, 1025, "before");
	restart_counters(&sim);
	sim.slices = 1;
	assert_follows(&sim, load_full, 1000, 40, "busy all the time");
	assert_follows(&sim, load_none, 1000, 120, "idle");
	restart_counters(&sim);
	assert_follows(&sim, load_none, 1000, 5, "idle all the time");
	sim_done(&sim);
}

/* Any one counter that goes back: nothing is concluded from that sample, and the next are right. */
static void test_counter_goes_back(_unused_ void **state)
{
	enum { IDLE, STOLEN, BOOKED, SLICES, COUNTERS };

	period_nsec = 10 * MSEC;
	busy_nsec = 5 * MSEC;
	for (unsigned which = 0; which < COUNTERS; which++) {
		struct estimate before = {}, after;
		struct sim sim;

		sim_init(&sim);
		sim.stolen = HOUR;
		for (unsigned i = 0; i < 200; i++)
			before = sim_run(&sim, load_duty, 10 * MSEC);
		*(uint64_t *[]){&sim.idle, &sim.stolen, &sim.booked, &sim.slices}[which] /= 2;
		after = sim_run(&sim, load_duty, 10 * MSEC);
		EXPECT(after.util_avg == before.util_avg, "counter %u: %u, before %u", which,
		       after.util_avg, before.util_avg);
		assert_follows(&sim, load_duty, 500, 110, "after it");
		sim_done(&sim);
	}
}

/* No time has passed, or a clock that can't go back does. */
static void test_clock(_unused_ void **state)
{
	struct estimate before = {};
	struct sim sim;

	sim_init(&sim);
	period_nsec = 10 * MSEC;
	busy_nsec = 5 * MSEC;
	for (unsigned i = 0; i < 100; i++)
		before = sim_run(&sim, load_duty, 10 * MSEC);
	sim_sample(&sim, NULL);
	assert_int_equal(now_of(&sim).util_avg, before.util_avg);
	sim.now -= sim.now / 2 / STEP * STEP;
	sim_sample(&sim, NULL);
	assert_int_equal(now_of(&sim).util_avg, before.util_avg);
	sim.counters->self_cpu = COUNTERS_NO_CPU;
	assert_follows(&sim, load_duty, 500, 110, "after it");
	sim_done(&sim);
}

enum leap { LEAP_NONE, LEAP_IDLE, LEAP_STEAL, LEAP_RUN, LEAPS };

static void suspend(struct sim *sim, enum leap leap)
{
	sim->idle += leap == LEAP_IDLE ? 3 * HOUR : 0;
	sim->stolen += leap == LEAP_STEAL ? 3 * HOUR : 0;
	sim->booked += leap == LEAP_RUN ? 3 * HOUR : 0;
	sim->slices += leap == LEAP_RUN;
}

/* CLOCK_MONOTONIC stands still in suspend, so the samples before and after it are neighbours. A
 * counter that doesn't stand still has leapt then, by hours in one sample: no sample has so much.
 */
static void test_suspend(_unused_ void **state)
{
	for (enum leap leap = LEAP_NONE; leap < LEAPS; leap++) {
		struct sim sim;

		sim_init(&sim);
		assert_follows(&sim, load_full, 1000, 1025, "before");
		suspend(&sim, leap);
		assert_follows(&sim, load_full, 500, 20, "a busy CPU");
		assert_follows(&sim, load_none, 500, 200, "and when that goes");
		sim_done(&sim);

		if (leap == LEAP_RUN)
			continue; /* it is the task that had the CPU that books */
		sim_init(&sim);
		assert_follows(&sim, load_none, 1000, 1, "before");
		suspend(&sim, leap);
		assert_follows(&sim, load_none, 500, 1, "an idle CPU");
		sim_done(&sim);
	}
}

/* Saved and restored, or paused: the clock may have gone on, and nothing has run. How the counters
 * took it differs: not at all, as idle time, or as run time of the task that had the CPU. */
static void test_restore(_unused_ void **state)
{
	enum { NOT_AT_ALL, AS_IDLE, AS_RUN, KINDS };

	for (unsigned how = 0; how < KINDS; how++) {
		struct estimate before, after;
		struct sim sim;

		sim_init(&sim);
		assert_follows(&sim, load_none, 1000, 1, "before");
		before = sim_run(&sim, load_full, 10 * MSEC); /* it has only just come */
		sim.now += HOUR;
		sim.idle += how == AS_IDLE ? HOUR : 0;
		sim.run += how == AS_RUN ? HOUR : 0;
		after = sim_run(&sim, load_full, 10 * MSEC);
		EXPECT(after.util_avg == before.util_avg, "kind %u: %u, before %u", how,
		       after.util_avg, before.util_avg);
		assert_follows(&sim, load_full, 30, 400, "still there");
		/* Its hour is booked now: it must not count. */
		assert_follows(&sim, load_none, 500, 250, "gone");
		EXPECT(now_of(&sim).util_avg < 5, "kind %u", how);
		sim_done(&sim);
	}
}

/* A pause that is too short to be told from a busy guest: the tickless idle time has it. */
static void test_short_pause(_unused_ void **state)
{
	struct sim sim;

	sim_init(&sim);
	assert_follows(&sim, load_none, 1000, 1, "before");
	sim.now += GAP - 100 * MSEC;
	sim.idle += GAP - 100 * MSEC;
	assert_follows(&sim, load_none, 500, 5, "an idle CPU");
	assert_follows(&sim, load_full, 1000, 1025, "before");
	sim.now += GAP - 100 * MSEC;
	sim.run += GAP - 100 * MSEC;
	assert_follows(&sim, load_full, 500, 5, "a busy CPU");
	sim_done(&sim);
}

/* Half of a hog's time is stolen: it reads as a hog, and stealing from an idle CPU as nothing. */
static void test_steal(_unused_ void **state)
{
	struct estimate estimate = {};
	uint64_t steal_usec = 0;
	struct sim sim;

	sim_init(&sim);
	for (unsigned i = 0; i < 200; i++) {
		sim.stolen += 5 * MSEC;
		estimate = sim_run(&sim, load_full, 10 * MSEC);
		steal_usec += estimate.steal_usec;
		if (i > 60)
			EXPECT(estimate.util_avg > 1000, "step %u: %u", i, estimate.util_avg);
	}
	assert_in_range(steal_usec, 980000, 1000000);
	for (unsigned i = 0; i < 200; i++) {
		sim.stolen += 5 * MSEC;
		estimate = sim_run(&sim, load_none, 10 * MSEC);
	}
	EXPECT(estimate.util_est < 10, "%u", estimate.util_est);
	sim_done(&sim);
}

/* A part of a part-time task's time is stolen: what is left of time is what counts, as in the
 * kernel. A third of the time that the task has the CPU, in pieces of 2 ms. */
static void test_steal_of_duty(_unused_ void **state)
{
	static const struct {
		unsigned period_msec, busy_msec;
	} rows[] = {{20, 5}, {10, 5}, {50, 40}, {100, 50}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t work = 0, turn = 0, taken = 0;
		double sum = 0;
		struct sim sim;

		sim_init(&sim);
		period_nsec = rows[i].period_msec * MSEC;
		busy_nsec = rows[i].busy_msec * MSEC;
		for (unsigned n = 0; n < 1000; n++) {
			for (unsigned k = 0; k < 100; k++) {
				if (sim.was_busy && ++turn / 20 % 3 == 2) {
					sim_step_stolen(&sim);
					taken += STEP;
				} else {
					sim_step(&sim, load_duty(work));
					work += STEP;
				}
			}
			sim_sample(&sim, NULL);
			if (n >= 100)
				sum += now_of(&sim).util_avg - sim.util;
		}
		assert_true(taken > 0);
		if (getenv("VERBOSE"))
			print_message("row %zu: mean error %.1f\n", i, sum / 900);
		EXPECT(sum / 900 < 15 && -sum / 900 < 15, "row %zu: mean error %.1f", i, sum / 900);
		sim_done(&sim);
	}
}

/* Hostile counters: nothing overflows. */
static void test_huge_counters(_unused_ void **state)
{
	struct sim sim;

	sim_init(&sim);
	period_nsec = 10 * MSEC;
	busy_nsec = 5 * MSEC;
	for (unsigned i = 0; i < 100; i++)
		sim_run(&sim, load_duty, 10 * MSEC);
	for (unsigned i = 0; i < 2; i++) {
		sim.booked = sim.slices = sim.idle = sim.stolen = UINT64_MAX / 2 + i * (HOUR << 9);
		sim.now += 10 * MSEC;
		sim_sample(&sim, NULL);
		assert_true(now_of(&sim).util_avg <= 1024 && now_of(&sim).util_est <= 1024);
	}
	sim_done(&sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hotplug),
		cmocka_unit_test(test_hotplug_between_samples),
		cmocka_unit_test(test_counter_goes_back),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_suspend),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_short_pause),
		cmocka_unit_test(test_steal),
		cmocka_unit_test(test_steal_of_duty),
		cmocka_unit_test(test_huge_counters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
