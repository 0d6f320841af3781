/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A run queue's clocks, and the averages of it and its tasks (kernel/sched/pelt.[ch], fair.c). */
#include "tests/sim/kernel_private.h"

/* update_curr(), update_rq_clock_task() and update_rq_clock_pelt(). Stolen time is in none of the
 * clocks. */
static void account_busy(struct rq *rq, uint64_t nsec)
{
	struct task *curr = rq->curr;
	double passed = (double)nsec, work = passed * rq->speed, extra = MIN(work, rq->overhead);

	rq->clock_task += passed;
	rq->clock_pelt += passed * rq->pelt_rate;
	rq->run_nsec += nsec;
	curr->run_nsec += nsec;
	curr->vruntime += passed * CAPACITY / curr->weight;
	rq->overhead -= extra;
	work -= extra;
	curr->done_nsec += work;
	if (!curr->endless)
		curr->work_nsec = MAX(curr->work_nsec - work, 0.);
}

void rq_account(struct rq *rq)
{
	uint64_t now = queue_now(rq->kernel->queue), nsec = now - rq->clock_nsec;

	if (nsec == 0)
		return;
	rq->clock_nsec = now;
	if (rq->stolen) {
		rq->steal_nsec += nsec;
	} else if (rq->curr) {
		account_busy(rq, nsec);
	} else {
		rq->idle_nsec += nsec;
		rq->clock_task += (double)nsec;
		rq->clock_pelt = rq->clock_task;
	}
}

/* rq_clock_pelt() */
double rq_pelt_clock(const struct rq *rq)
{
	return rq->clock_pelt - rq->lost_idle;
}

void rq_go_idle(struct rq *rq)
{
	if (rq->pelt.util >= PELT_SATURATED)
		rq->lost_idle += rq->clock_task - rq->clock_pelt;
	rq->clock_pelt = rq->clock_task;
	rq->overhead = 0;
}

void rq_integrate(struct rq *rq)
{
	rq_account(rq);
	if (pelt_model_advance(&rq->pelt, rq_pelt_clock(rq), rq->curr ? CAPACITY : 0,
			       rq->n_queued * CAPACITY))
		rq->period_ended = true;
}

void rq_touch(struct rq *rq, bool iowait)
{
	rq->kernel->updated |= bit_of(rq->cpu);
	if (iowait)
		rq->kernel->iowait |= bit_of(rq->cpu);
}

static void show(struct rq *rq)
{
	rq->avg.util_avg = rq->pelt.util;
	rq->avg.runnable_avg = rq->pelt.runnable;
	rq->avg.update_nsec = (uint64_t)rq->pelt.last_nsec;
	rq->updated_nsec = rq->clock_nsec;
	rq_touch(rq, false);
}

void rq_publish(struct rq *rq)
{
	rq_integrate(rq);
	if (!rq->period_ended && !rq->removed)
		return;
	rq->period_ended = rq->removed = false;
	show(rq);
}

static void task_show(struct task *task)
{
	task->avg.util_avg = task->pelt.util;
	task->avg.runnable_avg = task->pelt.runnable;
	task->avg.update_nsec = (uint64_t)task->pelt.last_nsec;
	task->period_ended = false;
}

static void task_integrate(struct task *task)
{
	const struct rq *rq = rq_of(task);

	if (pelt_model_advance(&task->pelt, rq_pelt_clock(rq), rq->curr == task ? CAPACITY : 0,
			       task->queued ? CAPACITY : 0))
		task->period_ended = true;
}

/* The run queue is accounted already. */
void load_update(struct task *task)
{
	task_integrate(task);
	if (!task->period_ended)
		return;
	task_show(task);
	task->est_unchanged = false; /* cfs_se_util_change() */
}

void load_age_blocked(struct task *task)
{
	rq_account(rq_of(task));
	task_integrate(task);
	task_show(task);
}

/* attach_entity_load_avg(): at the new one's clock, and both sums and averages grow at once. */
void load_attach(struct rq *rq, struct task *task)
{
	rq_integrate(rq);
	task->pelt.last_nsec = rq->pelt.last_nsec;
	rq->pelt.util += task->pelt.util;
	rq->pelt.runnable += task->pelt.runnable;
	task->attached = true;
	show(rq);
}

static double less(double a, double b)
{
	return a > b ? a - b : 0;
}

/* detach_entity_load_avg() of one that is queued; of one that slept (remove_entity_load_avg()) the
 * kernel takes notice at the run queue's next update. */
void load_detach(struct rq *rq, struct task *task, bool at_once)
{
	rq_integrate(rq);
	task_integrate(task);
	task_show(task);
	rq->pelt.util = less(rq->pelt.util, task->pelt.util);
	rq->pelt.runnable = less(rq->pelt.runnable, task->pelt.runnable);
	task->attached = false;
	if (at_once)
		show(rq);
	else
		rq->removed = true;
}

void load_age_idle(struct kernel *kernel)
{
	uint64_t now = queue_now(kernel->queue);

	if (now < kernel->blocked_at_nsec)
		return;
	kernel->blocked_at_nsec = now + BLOCKED_NSEC;
	RQ_FOREACH(rq, kernel)
	if (rq->online && !rq->curr && (rq->avg.util_avg >= 1 || rq->removed))
		rq_publish(rq);
}

double task_est(const struct task *task)
{
	return MAX(task->avg.util_est, task->util_guest);
}

void est_enqueue(struct rq *rq, struct task *task)
{
	task->est_counted = task_est(task);
	rq->avg.util_est += task->est_counted;
}

void est_dequeue(struct rq *rq, struct task *task)
{
	rq->avg.util_est = rq->n_queued > 0 ? less(rq->avg.util_est, task->est_counted) : 0;
	task->est_counted = 0;
}

/* util_est_update(), since 6.8: up at once, down by a quarter of the difference. */
void est_update(struct rq *rq, struct task *task)
{
	double ewma = task->avg.util_est, util = task->avg.util_avg;

	if (task->est_unchanged)
		return;
	if (ewma <= util)
		ewma = util;
	else if (ewma - util >= UTIL_EST_MARGIN) {
		if (util > rq->capacity)
			return;
		if (!rq->kernel->config.est_keeps ||
		    util + UTIL_EST_MARGIN >= task->avg.runnable_avg)
			ewma -= (ewma - util) / 4;
	}
	task->avg.util_est = ewma;
	task->est_unchanged = true;
}
