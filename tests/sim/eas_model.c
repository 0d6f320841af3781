/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Energy-aware scheduling (kernel/sched/fair.c, find_energy_efficient_cpu()). */
#include "tests/sim/kernel_private.h"

#define RESET_NSEC (8 * SIM_MSEC) /* about how often a balance looks at the whole machine */

/* cpu_overutilized() */
static bool is_over(const struct rq *rq)
{
	double util = place_util(rq, NULL, -1, false);

	return place_fits(util, clamp_of(rq, CLAMP_MIN), clamp_of(rq, CLAMP_MAX), rq) <= 0;
}

void eas_update_overutilized(struct rq *rq)
{
	struct kernel *kernel = rq->kernel;

	if (kernel->config.energy_aware && !kernel->overutilized && is_over(rq))
		kernel->overutilized = true;
}

/* update_sd_lb_stats() at the root domain */
void eas_reset_overutilized(struct kernel *kernel)
{
	uint64_t now = queue_now(kernel->queue);

	if (!kernel->config.energy_aware || now < kernel->overutilized_at_nsec)
		return;
	kernel->overutilized_at_nsec = now + RESET_NSEC;
	kernel->overutilized = false;
	RQ_FOREACH(rq, kernel)
	if (rq->online && is_over(rq))
		kernel->overutilized = true;
}

/* sugov_effective_cpu_perf() of a CPU with the task on dst: eenv_pd_max_util(). */
static double performance(const struct rq *rq, const struct task *task, int dst)
{
	double util = place_util(rq, task, dst, rq->kernel->config.runnable_boost) * 1.25;
	double min = clamp_of(rq, CLAMP_MIN), max = clamp_of(rq, CLAMP_MAX);

	if (dst == (int)rq->cpu) {
		min = MAX(min, (double)task->uclamp_min);
		max = rq->clamp_idle ? (double)task->uclamp_max
				     : MAX(max, (double)task->uclamp_max);
	}
	max = MIN(max, rq->capacity);
	util = MIN(util, max);
	return MAX(util, MIN(min, max));
}

/* compute_energy() */
static double energy(const struct task *task, unsigned domain, int dst)
{
	const struct kernel *kernel = task->kernel;
	double max = 0, sum = 0, capacity = 0, busy = MAX(task->avg.util_avg, task_est(task));

	RQ_FOREACH(rq, kernel)
	{
		if (!rq->online || kernel->config.domain[rq->cpu] != domain)
			continue;
		max = MAX(max, performance(rq, task, dst));
		sum += place_util(rq, task, -1, false);
		capacity += rq->capacity;
		if (dst == (int)rq->cpu)
			sum += busy;
	}
	return kernel->ops.energy(kernel->userdata, domain, max, MIN(sum, capacity));
}

struct candidate {
	int cpu, fits;
	double spare, capacity, delta;
};

static int fits_with(const struct task *task, const struct rq *rq, double *ret_spare)
{
	double util = place_util(rq, task, (int)rq->cpu, false);
	double min = task->uclamp_min, max = task->uclamp_max;

	if (!rq->clamp_idle) {
		min = MAX(min, clamp_of(rq, CLAMP_MIN));
		max = MAX(max, clamp_of(rq, CLAMP_MAX));
	}
	*ret_spare = MAX(rq->capacity - util, 0.);
	return place_fits(util, min, max, rq);
}

/* Of a domain the CPU with the most room, and the one where the task was. */
static void look_at_domain(const struct task *task, unsigned domain, unsigned prev,
			   struct candidate *roomy, struct candidate *was)
{
	struct kernel *kernel = task->kernel;
	uint64_t mask = allowed_online(task);

	*roomy = *was = (struct candidate){.cpu = -1, .fits = -1, .spare = -1};
	RQ_FOREACH(rq, kernel)
	{
		struct candidate here = {.cpu = (int)rq->cpu, .capacity = rq->capacity};

		if (kernel->config.domain[rq->cpu] != domain || !(mask & bit_of(rq->cpu)))
			continue;
		here.fits = fits_with(task, rq, &here.spare);
		if (here.fits == 0)
			continue;
		if (rq->cpu == prev)
			*was = here;
		else if (here.fits > roomy->fits ||
			 (here.fits == roomy->fits && here.spare > roomy->spare))
			*roomy = here;
	}
}

static void consider(const struct task *task, unsigned domain, unsigned prev,
		     struct candidate *best, struct candidate *was)
{
	struct candidate roomy, here;
	double base;

	look_at_domain(task, domain, prev, &roomy, &here);
	if (roomy.cpu < 0 && here.cpu < 0)
		return;
	base = energy(task, domain, -1);
	if (here.cpu >= 0) {
		here.delta = energy(task, domain, here.cpu) - base;
		*was = here;
		best->delta = MIN(best->delta, here.delta);
	}
	if (roomy.cpu < 0 || roomy.spare <= here.spare || roomy.fits < best->fits)
		return;
	if (roomy.fits < 0 && roomy.capacity <= best->capacity)
		return;
	roomy.delta = energy(task, domain, roomy.cpu) - base;
	if (roomy.fits > 0 && roomy.fits == best->fits && roomy.delta >= best->delta)
		return;
	*best = roomy;
}

int eas_place(struct task *task, unsigned prev)
{
	struct kernel *kernel = task->kernel;
	struct candidate best = {.cpu = -1, .fits = -1, .delta = 1e300},
			 was = {.cpu = -1, .fits = -1, .delta = 1e300};
	uint64_t domains = 0;

	if (!kernel->ops.energy)
		return -1;
	if (MAX(task->avg.util_avg, task_est(task)) <= 0 && task->uclamp_min == 0)
		return allowed_online(task) & bit_of(prev) ? (int)prev : -1;
	for (unsigned cpu = 0; cpu < kernel->n; cpu++) {
		unsigned domain = kernel->config.domain[cpu];

		if (domains & bit_of(domain))
			continue;
		domains |= bit_of(domain);
		consider(task, domain, prev, &best, &was);
	}
	if (best.cpu >= 0 && (best.fits > was.fits || (best.fits > 0 && best.delta < was.delta) ||
			      (best.fits < 0 && best.capacity > was.capacity)))
		return best.cpu;
	return was.cpu >= 0 ? was.cpu : -1;
}
