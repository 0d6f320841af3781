/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the simulator's tests share: a machine by name, and tasks that work for so long of each
 * period. */
#pragma once

#include "tests/unit/test.h"

#include "tests/sim/vm.h"

struct periodic {
	struct task task;
	struct event timer;
	struct queue *queue;
	double work_nsec;
	uint64_t period_nsec; /* 0: it never sleeps */
	unsigned n;
};

static inline void periodic_due(struct event *event)
{
	struct periodic *p = EVENT_OWNER(event, struct periodic, timer);

	queue_set(p->queue, event, queue_now(p->queue) + p->period_nsec);
	task_wake(&p->task, p->work_nsec, false);
}

static inline void periodic_done(struct task *task)
{
	struct periodic *p = task->userdata;

	p->n++;
	if (p->period_nsec == 0)
		task_wake(task, p->work_nsec, false);
}

static const struct task_ops periodic_ops = {.done = periodic_done};

static inline void periodic_start(struct periodic *p, struct queue *queue, struct kernel *kernel,
				  uint64_t allowed, double work_nsec, uint64_t period_nsec)
{
	*p = (struct periodic){.queue = queue, .work_nsec = work_nsec, .period_nsec = period_nsec};
	p->timer.fire = periodic_due;
	task_init(&p->task, kernel, "periodic", allowed, &periodic_ops, p);
	if (period_nsec > 0)
		queue_set(queue, &p->timer, queue_now(queue));
	else
		task_wake(&p->task, work_nsec, false);
}

static inline void hog_start(struct periodic *p, struct queue *queue, struct kernel *kernel,
			     uint64_t allowed)
{
	periodic_start(p, queue, kernel, allowed, 1e7, 0);
}

static inline void periodic_stop(struct periodic *p)
{
	queue_set(p->queue, &p->timer, SIM_NEVER);
	task_remove(&p->task);
}

/* A machine of a shape, with a clock of its own. */
struct bench {
	struct machine_config config;
	struct queue *queue;
	struct machine *machine;
	struct kernel *kernel;
};

static inline void bench_start(struct bench *bench)
{
	bench->queue = queue_new();
	bench->machine = machine_new(bench->queue, &bench->config);
	bench->kernel = machine_kernel(bench->machine);
}

static inline void bench_init(struct bench *bench, const char *shape)
{
	assert_true(machine_shape(shape, &bench->config));
	bench_start(bench);
}

static inline void bench_run(struct bench *bench, uint64_t nsec)
{
	queue_run(bench->queue, queue_now(bench->queue) + nsec);
}

static inline void bench_end(struct bench *bench)
{
	machine_free(bench->machine);
	queue_free(bench->queue);
}

/* Its mean frequency while it was busy, since the figures were last reset. */
static inline double bench_mhz(struct bench *bench, unsigned cpu)
{
	struct machine_figures figures;

	machine_figures(bench->machine, &figures);
	return figures.busy_khz_nsec[cpu] / (double)figures.busy_nsec[cpu] / 1000;
}

static inline bool near(double value, double wanted, double by)
{
	return value >= wanted - by && value <= wanted + by;
}
