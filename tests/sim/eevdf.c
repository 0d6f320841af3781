/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who runs next: earliest eligible virtual deadline first, as kernel/sched/fair.c has it since 6.6.
 * Of it are left out slices of one's own, delayed dequeue and the hierarchy of groups. */
#include "tests/sim/kernel_private.h"

/* avg_vruntime(): the weighted mean of all that are queued. */
static double mean_vruntime(const struct rq *rq, double *ret_weight)
{
	const struct task *curr = rq->curr && rq->curr->queued ? rq->curr : NULL;
	double weight = 0, sum = 0, base = rq->vtime;

	if (curr) {
		weight = curr->weight;
		sum = (curr->vruntime - base) * curr->weight;
	}
	for (const struct task *task = rq->waiting; task; task = task->next) {
		weight += task->weight;
		sum += (task->vruntime - base) * task->weight;
	}
	*ret_weight = weight;
	return weight > 0 ? base + sum / weight : base;
}

static double slice_of(const struct rq *rq, const struct task *task)
{
	return (double)rq->kernel->config.slice_nsec * CAPACITY / task->weight;
}

/* The lag with which it left is kept, whatever its own coming does to the mean. It isn't in the
 * list yet. */
void eevdf_place(struct rq *rq, struct task *task)
{
	double weight, mean = mean_vruntime(rq, &weight), lag = task->vlag;

	if (weight > 0)
		lag *= (weight + task->weight) / weight;
	else
		lag = 0;
	rq->vtime = mean;
	task->vruntime = mean - lag;
	task->deadline = task->vruntime + slice_of(rq, task);
}

/* It still is one of the queued. */
void eevdf_leave(struct rq *rq, struct task *task)
{
	double weight, mean = mean_vruntime(rq, &weight);
	double limit = MAX(2 * slice_of(rq, task),
			   (double)rq->kernel->config.tick_nsec * CAPACITY / task->weight);

	rq->vtime = mean;
	task->vlag = MIN(MAX(mean - task->vruntime, -limit), limit);
}

/* RUN_TO_PARITY: who runs keeps on until its slice is over or it has had its share. */
struct task *eevdf_pick(const struct rq *rq)
{
	double weight, mean = mean_vruntime(rq, &weight);
	struct task *curr = rq->curr && rq->curr->queued ? rq->curr : NULL, *best = NULL;

	if (curr && curr->vruntime > mean && rq->waiting)
		curr = NULL;
	if (curr && curr->vruntime < curr->deadline)
		return curr;
	best = curr;
	for (struct task *task = rq->waiting; task; task = task->next)
		if (task->vruntime <= mean + 1 && (!best || task->deadline < best->deadline))
			best = task;
	return best ? best : rq->waiting;
}

bool eevdf_tick(struct rq *rq)
{
	struct task *curr = rq->curr;

	if (curr->vruntime < curr->deadline)
		return false;
	curr->deadline = curr->vruntime + slice_of(rq, curr);
	return rq->waiting != NULL;
}
