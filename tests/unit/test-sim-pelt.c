/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The simulator's PELT against the kernel's own arithmetic: whole numbers, periods of 1024 us, and
 * the clock of a run queue that slows with its CPU (kernel/sched/pelt.c and pelt.h). */
#include "tests/unit/test_sim.h"

#include <math.h>

#include "tests/sim/dice.h"

#define LOAD_AVG_MAX 47742U

/* One run queue as the kernel counts it. */
struct whole {
	uint64_t clock_nsec, task_nsec, pelt_nsec, lost_nsec, last_nsec;
	uint32_t contrib, sum, avg; /* sum is in 1/1024 */
	uint64_t scaled;
};

static uint32_t decayed(uint32_t value, uint64_t periods)
{
	uint32_t inverse = (uint32_t)(pow(0.5, (double)(periods % 32) / 32) * 4294967295.);

	if (periods > 32 * 63)
		return 0;
	value >>= periods / 32;
	return (uint32_t)((uint64_t)value * inverse >> 32);
}

/* ___update_load_sum() with accumulate_sum(), ___update_load_avg() */
static void whole_load(struct whole *w, bool ran)
{
	uint64_t now = w->pelt_nsec - w->lost_nsec, delta = (now - w->last_nsec) >> 10, periods;
	uint32_t part = (uint32_t)delta;

	if (delta == 0)
		return;
	w->last_nsec += delta << 10;
	delta += w->contrib;
	periods = delta / 1024;
	if (periods > 0) {
		w->sum = decayed(w->sum, periods);
		delta %= 1024;
		part = decayed(1024 - w->contrib, periods) + LOAD_AVG_MAX -
		       decayed(LOAD_AVG_MAX, periods) - 1024 + (uint32_t)delta;
	}
	w->contrib = (uint32_t)delta;
	if (ran)
		w->sum += part << 10;
	if (periods > 0)
		w->avg = w->sum / (LOAD_AVG_MAX - 1024 + w->contrib);
}

/* update_rq_clock_pelt(), update_idle_rq_clock_pelt() */
static void whole_advance(struct whole *w, uint64_t now_nsec, bool ran, unsigned scale1024)
{
	uint64_t delta = now_nsec - w->clock_nsec;

	w->clock_nsec = now_nsec;
	w->task_nsec += delta;
	if (ran)
		w->pelt_nsec += delta * scale1024 >> 10;
	else
		w->pelt_nsec = w->task_nsec;
	whole_load(w, ran);
}

static void whole_idles(struct whole *w)
{
	if (w->sum >= ((LOAD_AVG_MAX - 1024) << 10) - LOAD_AVG_MAX)
		w->lost_nsec += w->task_nsec - w->pelt_nsec;
	w->pelt_nsec = w->task_nsec;
}

struct pair {
	struct queue *queue;
	struct kernel *kernel;
	struct task task;
	struct whole whole;
	unsigned scale1024;
	double worst, sum;
	unsigned n;
};

static void pair_init(struct pair *pair)
{
	struct kernel_config config;

	kernel_config_init(&config);
	config.n_cpus = 1;
	*pair = (struct pair){.queue = queue_new(), .scale1024 = 1024};
	pair->kernel = kernel_new(pair->queue, &config, NULL, NULL);
	task_init(&pair->task, pair->kernel, "it", 1, NULL, NULL);
	pair->task.endless = true;
}

static void pair_end(struct pair *pair)
{
	task_remove(&pair->task);
	kernel_free(pair->kernel);
	queue_free(pair->queue);
}

static void pair_scale(struct pair *pair, unsigned scale1024)
{
	pair->scale1024 = scale1024;
	kernel_set_speed(pair->kernel, 0, scale1024 / 1024., scale1024 / 1024.);
}

static void pair_pass(struct pair *pair, uint64_t nsec, bool runs)
{
	struct cpu_view view;
	double error;

	if (runs)
		task_wake(&pair->task, 0, false);
	queue_run(pair->queue, queue_now(pair->queue) + nsec);
	whole_advance(&pair->whole, queue_now(pair->queue), runs, pair->scale1024);
	kernel_view(pair->kernel, 0, &view);
	error = view.util_avg - pair->whole.avg;
	pair->worst = MAX(pair->worst, fabs(error));
	pair->sum += error;
	pair->n++;
	if (runs) {
		task_sleep(&pair->task);
		whole_idles(&pair->whole);
	}
}

/* The average that the kernel shows may be a period old: 1024 x (1 - y), 22 of 1024. */
static void expect_alike(struct pair *pair, const char *what)
{
	EXPECT(pair->worst < 24, "%s: %.1f off", what, pair->worst);
	EXPECT(fabs(pair->sum / pair->n) < 4, "%s: %.1f off in the mean", what,
	       pair->sum / pair->n);
}

static void test_half_life(_unused_ void **state)
{
	struct pair pair;
	struct cpu_view view;

	pair_init(&pair);
	pair_pass(&pair, 32 * 1048576, true);
	kernel_view(pair.kernel, 0, &view);
	assert_true(near(view.util_avg, 512, 0.01));
	pair_pass(&pair, 64 * 1048576, false);
	kernel_view(pair.kernel, 0, &view);
	assert_true(near(view.util_avg, 128, 0.01));
	pair_pass(&pair, SIM_SEC, true);
	kernel_view(pair.kernel, 0, &view);
	assert_true(near(view.util_avg, 1024, 0.01));
	expect_alike(&pair, "half-life");
	pair_end(&pair);
}

static void test_duties(_unused_ void **state)
{
	struct pair pair;
	struct dice dice;

	dice_init(&dice, 1, "duties");
	pair_init(&pair);
	for (unsigned i = 0; i < 2000; i++) {
		pair_pass(&pair, dice_between(&dice, 100, 20000) * SIM_USEC, true);
		pair_pass(&pair, dice_between(&dice, 100, 20000) * SIM_USEC, false);
	}
	expect_alike(&pair, "duties");
	pair_end(&pair);
}

/* Slow while it is busy, caught up with when it idles. */
static void test_scale(_unused_ void **state)
{
	struct pair pair;
	struct dice dice;

	dice_init(&dice, 2, "scale");
	pair_init(&pair);
	for (unsigned i = 0; i < 2000; i++) {
		pair_scale(&pair, (unsigned)dice_between(&dice, 205, 1024));
		pair_pass(&pair, dice_between(&dice, 100, 30000) * SIM_USEC, true);
		pair_pass(&pair, dice_between(&dice, 100, 30000) * SIM_USEC, false);
	}
	expect_alike(&pair, "scale");
	pair_end(&pair);
}

/* One that has been busy for ever has no idle time to give back: at half speed it is 1024 all the
 * same, and a pause doesn't make up for what was slow. */
static void test_saturated(_unused_ void **state)
{
	struct pair pair;
	struct cpu_view view;

	pair_init(&pair);
	pair_scale(&pair, 512);
	pair_pass(&pair, 2 * SIM_SEC, true);
	pair_pass(&pair, 10 * SIM_MSEC, false);
	kernel_view(pair.kernel, 0, &view);
	EXPECT(view.util_avg > 800, "%.0f after 10 ms", view.util_avg);
	expect_alike(&pair, "saturated");
	pair_scale(&pair, 512);
	pair_pass(&pair, 200 * SIM_MSEC, true);
	pair_pass(&pair, 10 * SIM_MSEC, false);
	expect_alike(&pair, "saturated, then not");
	pair_end(&pair);
}

static void test_decay_factor(_unused_ void **state)
{
	for (double nsec = 0; nsec < 1e10; nsec = nsec * 1.07 + 1) {
		double wanted = pow(0.5, nsec / PELT_HALF_LIFE_NSEC), got = pelt_decay_factor(nsec);

		EXPECT(fabs(got - wanted) <= 1e-12, "%.0f ns: %.17g, not %.17g", nsec, got, wanted);
	}
}

/* Of a task that moves its average goes along: in the new CPU's at once, and in the old one's no
 * more. */
static void test_move(_unused_ void **state)
{
	struct bench bench;
	struct periodic hog;
	struct cpu_view from, to;
	double before;

	bench_init(&bench, "separate");
	hog_start(&hog, bench.queue, bench.kernel, 3);
	bench_run(&bench, SIM_SEC);
	before = task_util(&hog.task);
	assert_true(before > 1000);
	task_move(&hog.task, hog.task.cpu == 0);
	kernel_view(bench.kernel, hog.task.cpu, &to);
	kernel_view(bench.kernel, hog.task.cpu == 0, &from);
	assert_true(near(to.util_avg, before, 0.01));
	assert_true(near(from.util_avg, 0, 0.01));
	periodic_stop(&hog);
	bench_end(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decay_factor), cmocka_unit_test(test_half_life),
		cmocka_unit_test(test_duties),	     cmocka_unit_test(test_scale),
		cmocka_unit_test(test_saturated),    cmocka_unit_test(test_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
