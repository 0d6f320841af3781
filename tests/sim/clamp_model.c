/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Utilization clamping (kernel/sched/core.c, uclamp_rq_inc_id(), uclamp_rq_dec_id()): a run queue's
 * clamps are the highest of its runnable tasks', by buckets. */
#include "tests/sim/kernel_private.h"

/* uclamp_bucket_id(), UCLAMP_BUCKET_DELTA */
static unsigned bucket_of(const struct rq *rq, unsigned value)
{
	unsigned n = rq->kernel->config.uclamp_buckets, delta = (1024 + n / 2) / n;

	return MIN(value / delta, n - 1);
}

void clamp_init(struct rq *rq)
{
	rq->clamp[CLAMP_MIN].value = 0;
	rq->clamp[CLAMP_MAX].value = CAPACITY;
	rq->clamp_idle = true;
}

static void enqueue_one(struct rq *rq, unsigned which, uint16_t value)
{
	struct clamp_rq *clamp = &rq->clamp[which];
	unsigned id = bucket_of(rq, value);

	/* uclamp_idle_reset(): the last maximum held while the CPU idled. */
	if (rq->clamp_idle && which == CLAMP_MAX) {
		clamp->value = value;
		rq->clamp_idle = false;
	}
	if (++clamp->bucket[id].tasks == 1 || value > clamp->bucket[id].value)
		clamp->bucket[id].value = value;
	clamp->value = MAX(clamp->value, (double)value);
}

/* uclamp_rq_max_value(), uclamp_idle_value() */
static void recount(struct rq *rq, unsigned which)
{
	struct clamp_rq *clamp = &rq->clamp[which];

	for (unsigned id = rq->kernel->config.uclamp_buckets; id-- > 0;)
		if (clamp->bucket[id].tasks > 0) {
			clamp->value = clamp->bucket[id].value;
			return;
		}
	if (which == CLAMP_MAX)
		rq->clamp_idle = true;
	else
		clamp->value = 0;
}

static void dequeue_one(struct rq *rq, unsigned which, uint16_t value)
{
	struct clamp_rq *clamp = &rq->clamp[which];
	unsigned id = bucket_of(rq, value);

	if (--clamp->bucket[id].tasks > 0)
		return;
	if (clamp->bucket[id].value >= clamp->value)
		recount(rq, which);
}

void clamp_enqueue(struct rq *rq, struct task *task)
{
	if (rq->kernel->config.uclamp_buckets == 0)
		return;
	task->clamp_counted[CLAMP_MIN] = task->uclamp_min;
	task->clamp_counted[CLAMP_MAX] = task->uclamp_max;
	enqueue_one(rq, CLAMP_MIN, task->uclamp_min);
	enqueue_one(rq, CLAMP_MAX, task->uclamp_max);
}

void clamp_dequeue(struct rq *rq, struct task *task)
{
	if (rq->kernel->config.uclamp_buckets == 0)
		return;
	dequeue_one(rq, CLAMP_MIN, task->clamp_counted[CLAMP_MIN]);
	dequeue_one(rq, CLAMP_MAX, task->clamp_counted[CLAMP_MAX]);
}

double clamp_of(const struct rq *rq, unsigned which)
{
	return rq->clamp[which].value;
}
