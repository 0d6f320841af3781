/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a task wakes up (kernel/sched/fair.c, select_task_rq_fair()), with one last-level cache for
 * all CPUs. */
#include "tests/sim/kernel_private.h"

/* cpu_util(): of a CPU as if the task were on dst, -1 for nowhere. NULL: as it is. */
double place_util(const struct rq *rq, const struct task *task, int dst, bool boost)
{
	double util = rq->avg.util_avg, est = rq->avg.util_est;
	bool here = task && task->cpu == rq->cpu, there = task && dst == (int)rq->cpu;

	if (boost)
		util = MAX(util, rq->avg.runnable_avg);
	if (here && !there)
		util = MAX(util - task->avg.util_avg, 0.);
	else if (!here && there)
		util += task->avg.util_avg;
	if (there)
		est += task_est(task);
	else if (here && task->queued)
		est = MAX(est - task_est(task), 0.);
	util = MAX(util, est);
	return MIN(util, rq->capacity);
}

/* util_fits_cpu(): 1 it fits, 0 it doesn't, -1 it does but for its minimum. */
int place_fits(double util, double min, double max, const struct rq *rq)
{
	bool fits = util * 1280 < rq->capacity * 1024;

	if (rq->kernel->config.uclamp_buckets == 0)
		return fits;
	if (!(rq->capacity >= CAPACITY && max >= CAPACITY) && max <= rq->capacity)
		fits = true;
	min = MIN(min, max);
	if (fits && util < min && min > rq->capacity)
		return -1;
	return fits;
}

static double task_util_est(const struct task *task)
{
	return MAX(task->avg.util_avg, task_est(task));
}

bool place_task_fits(const struct task *task, const struct rq *rq)
{
	return place_fits(task_util_est(task), task->uclamp_min, task->uclamp_max, rq) > 0;
}

static bool is_idle(const struct rq *rq)
{
	return rq->online && rq->n_queued == 0;
}

/* asym_fits_cpu() */
static bool good(const struct task *task, const struct rq *rq)
{
	return is_idle(rq) && (!rq->kernel->asymmetric || place_task_fits(task, rq));
}

/* select_idle_capacity() */
static int idle_by_capacity(const struct task *task, uint64_t mask, unsigned target)
{
	struct kernel *kernel = task->kernel;
	double best_capacity = 0;
	int best = -1, best_fits = 0;

	for (unsigned i = 0; i < kernel->n; i++) {
		unsigned cpu = (target + i) % kernel->n;
		struct rq *rq = &kernel->rq[cpu];
		int fits;

		if (!(mask & bit_of(cpu)) || !is_idle(rq))
			continue;
		fits = place_fits(task_util_est(task), task->uclamp_min, task->uclamp_max, rq);
		if (fits > 0)
			return (int)cpu;
		if (fits < best_fits || (fits == best_fits && rq->capacity > best_capacity)) {
			best = (int)cpu;
			best_fits = fits;
			best_capacity = rq->capacity;
		}
	}
	return best;
}

/* select_idle_cpu() */
static int idle_by_number(const struct task *task, uint64_t mask, unsigned target)
{
	const struct kernel *kernel = task->kernel;

	for (unsigned i = 1; i <= kernel->n; i++) {
		unsigned cpu = (target + i) % kernel->n;

		if (mask & bit_of(cpu) && is_idle(&kernel->rq[cpu]))
			return (int)cpu;
	}
	return -1;
}

/* wake_affine() */
static unsigned affine(const struct task *task, uint64_t mask, unsigned waker)
{
	const struct rq *rq = task->kernel->rq;
	unsigned prev = task->cpu;

	if (waker == prev || !(mask & bit_of(waker)))
		return prev;
	if (is_idle(&rq[prev]))
		return prev;
	if (is_idle(&rq[waker]))
		return waker;
	return rq[waker].n_queued < rq[prev].n_queued ? waker : prev;
}

/* select_idle_sibling() */
static unsigned idle_sibling(const struct task *task, uint64_t mask, unsigned waker)
{
	const struct kernel *kernel = task->kernel;
	unsigned target = affine(task, mask, waker);
	int found;

	if (mask & bit_of(target) && good(task, &kernel->rq[target]))
		return target;
	if (mask & bit_of(task->cpu) && good(task, &kernel->rq[task->cpu]))
		return task->cpu;
	found = kernel->asymmetric ? idle_by_capacity(task, mask, target)
				   : idle_by_number(task, mask, target);
	if (found >= 0)
		return (unsigned)found;
	return mask & bit_of(target) ? target : (unsigned)__builtin_ctzll(mask);
}

unsigned place_wakeup(struct task *task, unsigned waker)
{
	uint64_t mask = allowed_online(task);
	int cpu;

	if ((mask & (mask - 1)) == 0)
		return (unsigned)__builtin_ctzll(mask);
	if (task->attached)
		load_age_blocked(task);
	if (task->kernel->config.energy_aware && !task->kernel->overutilized) {
		cpu = eas_place(task, task->cpu);
		if (cpu >= 0)
			return (unsigned)cpu;
	}
	return idle_sibling(task, mask, waker);
}
