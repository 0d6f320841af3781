/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which frequencies the simulator's schedutil chooses, and what they cost. */
#include "tests/unit/test.h"

#include "tests/sim/machine.h"

/* A task that works for so long of each period. */
struct periodic {
	struct task task;
	struct event timer;
	struct queue *queue;
	double work_nsec;
	uint64_t period_nsec, begin_nsec, worst_nsec;
	unsigned n;
};

static void due(struct event *event)
{
	struct periodic *p = EVENT_OWNER(event, struct periodic, timer);

	queue_set(p->queue, event, queue_now(p->queue) + p->period_nsec);
	p->begin_nsec = queue_now(p->queue);
	task_wake(&p->task, p->work_nsec, false);
}

static void done(struct task *task)
{
	struct periodic *p = task->userdata;
	uint64_t took = queue_now(p->queue) - p->begin_nsec;

	p->worst_nsec = MAX(p->worst_nsec, took);
	p->n++;
}

static const struct task_ops periodic_ops = {.done = done};

static void start(struct periodic *p, struct queue *queue, struct machine *machine,
		  uint64_t allowed, double work_nsec, uint64_t period_nsec)
{
	*p = (struct periodic){.queue = queue, .work_nsec = work_nsec, .period_nsec = period_nsec};
	p->timer.fire = due;
	task_init(&p->task, machine_kernel(machine), "periodic", allowed, &periodic_ops, p);
	queue_set(queue, &p->timer, queue_now(queue));
}

static double busy_mhz(struct machine *machine, unsigned cpu)
{
	struct machine_figures figures;

	machine_figures(machine, &figures);
	return figures.busy_khz_nsec[cpu] / (double)figures.busy_nsec[cpu] / 1000;
}

/* On one CPU of capacity 1024 with these operating points: MHz while a task that works 8 ms of 50
 * is busy. */
static double floored_mhz(const unsigned *mhz, unsigned n, uint16_t floor, double work_nsec)
{
	struct machine_config config;
	struct queue *queue = queue_new();
	struct machine *machine;
	struct periodic task;
	double result;

	assert_true(machine_shape("separate", &config));
	config.domain[0].n_opps = n;
	for (unsigned i = 0; i < n; i++)
		config.domain[0].opp[i] = (struct opp){.khz = mhz[i] * 1000, .mw = 1};
	machine = machine_new(queue, &config);
	start(&task, queue, machine, 1, work_nsec, 50 * SIM_MSEC);
	task_set_uclamp(&task.task, floor, 1024);
	queue_run(queue, SIM_SEC);
	machine_reset_figures(machine);
	queue_run(queue, 3 * SIM_SEC);
	result = busy_mhz(machine, 0);
	task_remove(&task.task);
	queue_set(queue, &task.timer, SIM_NEVER);
	machine_free(machine);
	queue_free(queue);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_floors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
