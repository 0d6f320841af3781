/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Load balancing (kernel/sched/fair.c, sched_balance_rq() and who calls it), as far as it changes
 * where a task runs within tens of ms: a CPU that idles pulls, a task that doesn't fit is pushed,
 * and hogs that are more than the CPUs take turns. */
#include "tests/sim/kernel_private.h"

#define BUSY_FACTOR    16U /* sd->busy_factor: a busy CPU balances so much less often */
#define FAILURES_TRIED 4U  /* until what the imbalance doesn't call for is moved all the same */

/* EAS leaves tasks where it placed them until the machine is overutilized
 * (sched_balance_find_src_group()). */
static bool left_to_eas(const struct kernel *kernel)
{
	return kernel->config.energy_aware && !kernel->overutilized;
}

/* One that waits here and may run there: the first. */
static struct task *movable(const struct rq *from, const struct rq *to)
{
	for (struct task *task = from->waiting; task; task = task->next)
		if (allowed_online(task) & bit_of(to->cpu))
			return task;
	return NULL;
}

static struct task *find_waiting(const struct rq *to, unsigned least)
{
	struct task *best = NULL, *task;
	unsigned most = 0;

	RQ_FOREACH(from, to->kernel)
	{
		if (from == to || !from->online || from->n_queued < least || from->n_queued <= most)
			continue;
		task = movable(from, to);
		if (!task)
			continue;
		best = task;
		most = from->n_queued;
	}
	return best;
}

/* sched_balance_newidle() */
void balance_newidle(struct rq *rq)
{
	struct task *task;

	load_age_idle(rq->kernel);
	if (left_to_eas(rq->kernel))
		return;
	task = find_waiting(rq, 2);
	if (task)
		rq_move(task, rq->cpu);
}

/* nohz_balancer_kick(): an idle CPU is woken to pull what waits here. */
static void offer_waiting(struct rq *rq)
{
	RQ_FOREACH(to, rq->kernel)
	{
		struct task *task;

		if (!to->online || to->n_queued > 0)
			continue;
		task = movable(rq, to);
		if (!task)
			continue;
		rq_move(task, to->cpu);
		return;
	}
}

/* update_misfit_status(), then an idle CPU of more capacity takes it by active balance. */
static void push_misfit(struct rq *rq)
{
	struct task *curr = rq->curr;
	struct rq *best = NULL;

	if (!rq->kernel->asymmetric || !curr || place_task_fits(curr, rq))
		return;
	RQ_FOREACH(to, rq->kernel)
	if (to->online && to->n_queued == 0 && to->capacity > rq->capacity &&
	    allowed_online(curr) & bit_of(to->cpu) && (!best || to->capacity > best->capacity))
		best = to;
	if (best)
		rq_move(curr, best->cpu);
}

/* Between busy CPUs: two more than here is an imbalance; one more is moved after some failures, so
 * that who shares a CPU changes (nr_balance_failed in detach_tasks()). */
static void pull_when_busy(struct rq *rq)
{
	uint64_t now = queue_now(rq->kernel->queue);
	struct task *task;

	if (now < rq->balance_at_nsec)
		return;
	rq->balance_at_nsec = now + rq->kernel->n * BUSY_FACTOR * SIM_MSEC;
	task = find_waiting(rq, rq->n_queued + 1);
	if (!task) {
		rq->n_failed = 0;
		return;
	}
	if (rq_of(task)->n_queued < rq->n_queued + 2 && ++rq->n_failed <= FAILURES_TRIED)
		return;
	rq->n_failed = 0;
	rq_move(task, rq->cpu);
}

/* sched_balance_trigger(), nohz_balancer_kick() */
void balance_tick(struct rq *rq)
{
	load_age_idle(rq->kernel);
	eas_reset_overutilized(rq->kernel);
	if (left_to_eas(rq->kernel))
		return;
	push_misfit(rq);
	if (rq->n_queued >= 2)
		offer_waiting(rq);
	pull_when_busy(rq);
}
