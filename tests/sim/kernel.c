/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A kernel as a whole: its CPUs, what is pending at the end of each of its steps, and looking at
 * it. */
#include "tests/sim/kernel_private.h"

#include <stdlib.h>

void kernel_config_init(struct kernel_config *config)
{
	*config = (struct kernel_config){
		.n_cpus = 4,
		.tick_nsec = 4 * SIM_MSEC, /* Debian's HZ of 250 */
		.slice_nsec =
			2100 * SIM_USEC, /* 0.7 ms x (1 + log2(4)): sched_init_granularity() */
		.uclamp_buckets = 5,
		.invariant = true,
		.runnable_boost = true,
		.est_keeps = true,
	};
	for (unsigned i = 0; i < SIM_CPUS_MAX; i++) {
		config->capacity[i] = CAPACITY;
		config->domain[i] = i;
	}
}

static void rq_init(struct kernel *kernel, unsigned cpu)
{
	struct rq *rq = &kernel->rq[cpu];

	rq->kernel = kernel;
	rq->cpu = cpu;
	rq->online = rq->idle = true;
	rq->capacity = kernel->config.capacity[cpu];
	rq->speed = rq->capacity / CAPACITY;
	rq->scale = 1;
	rq->pelt_rate = rq->speed;
	rq->clock_nsec = rq->idle_since_nsec = queue_now(kernel->queue);
	rq->clock_task = rq->clock_pelt = rq->pelt.last_nsec = (double)rq->clock_nsec;
	rq->tick.fire = rq_tick;
	rq->complete.fire = rq_complete;
	rq->leave_idle.fire = rq_leave_idle;
	clamp_init(rq);
}

/* get_update_sysctl_factor() x sysctl_sched_base_slice: 0.7 ms x (1 + log2(CPUs, at most 8)) */
static uint64_t slice_of(unsigned n_cpus)
{
	unsigned factor = 1;

	for (unsigned n = MIN(n_cpus, 8U); n > 1; n /= 2)
		factor++;
	return factor * 700 * SIM_USEC;
}

struct kernel *kernel_new(struct queue *queue, const struct kernel_config *config,
			  const struct kernel_ops *ops, void *userdata)
{
	struct kernel *kernel = calloc(1, sizeof(*kernel));

	if (!kernel || config->n_cpus == 0 || config->n_cpus > SIM_CPUS_MAX ||
	    config->uclamp_buckets > SIM_BUCKETS_MAX)
		abort();
	kernel->queue = queue;
	kernel->config = *config;
	if (config->slice_nsec == 0)
		kernel->config.slice_nsec = slice_of(config->n_cpus);
	kernel->userdata = userdata;
	kernel->n = config->n_cpus;
	kernel->online = kernel->n == 64 ? UINT64_MAX : bit_of(kernel->n) - 1;
	kernel->context = -1;
	dice_init(&kernel->jitter, config->seed, "wake-up");
	if (ops)
		kernel->ops = *ops;
	kernel->rq = calloc(kernel->n, sizeof(*kernel->rq));
	if (!kernel->rq)
		abort();
	for (unsigned cpu = 0; cpu < kernel->n; cpu++) {
		rq_init(kernel, cpu);
		if (config->capacity[cpu] != config->capacity[0])
			kernel->asymmetric = true;
	}
	return kernel;
}

void kernel_free(struct kernel *kernel)
{
	if (!kernel)
		return;
	RQ_FOREACH(rq, kernel)
	{
		queue_set(kernel->queue, &rq->tick, SIM_NEVER);
		queue_set(kernel->queue, &rq->complete, SIM_NEVER);
		queue_set(kernel->queue, &rq->leave_idle, SIM_NEVER);
	}
	free(kernel->rq);
	free(kernel);
}

const struct kernel_config *kernel_config(const struct kernel *kernel)
{
	return &kernel->config;
}

void kernel_enter(struct kernel *kernel)
{
	kernel->depth++;
}

static unsigned take_first(uint64_t *mask)
{
	unsigned cpu = (unsigned)__builtin_ctzll(*mask);

	*mask &= *mask - 1;
	return cpu;
}

static void tell_updated(struct kernel *kernel)
{
	unsigned cpu = take_first(&kernel->updated);
	bool iowait = kernel->iowait & bit_of(cpu);

	kernel->iowait &= ~bit_of(cpu);
	if (kernel->ops.updated)
		kernel->ops.updated(kernel->userdata, cpu, iowait);
}

static void tell_idle(struct kernel *kernel)
{
	unsigned cpu = take_first(&kernel->idle_changed);

	if (kernel->ops.idle)
		kernel->ops.idle(kernel->userdata, cpu, kernel->rq[cpu].idle);
}

/* cpufreq first: it is called when tasks come and go, before the CPU switches or idles
 * (sugov_hold_freq() looks at that). */
void kernel_leave(struct kernel *kernel)
{
	while (kernel->depth == 1) {
		if (kernel->updated)
			tell_updated(kernel);
		else if (kernel->resched)
			rq_schedule(&kernel->rq[take_first(&kernel->resched)]);
		else if (kernel->idle_changed)
			tell_idle(kernel);
		else
			break;
	}
	kernel->depth--;
}

void kernel_set_speed(struct kernel *kernel, unsigned cpu, double speed, double scale)
{
	struct rq *rq = &kernel->rq[cpu];

	rq_account(rq);
	rq->speed = speed;
	rq->scale = scale;
	rq->stolen = speed <= 0;
	rq->pelt_rate = rq->capacity / CAPACITY * (kernel->config.invariant ? scale : 1);
	if (rq->curr && rq->curr->ops && rq->curr->ops->speed)
		rq->curr->ops->speed(rq->curr, speed, scale);
	rq_program(rq);
}

double kernel_speed(const struct kernel *kernel, unsigned cpu)
{
	return kernel->rq[cpu].speed;
}

double kernel_scale(const struct kernel *kernel, unsigned cpu)
{
	return kernel->rq[cpu].scale;
}

void kernel_charge(struct kernel *kernel, unsigned cpu, double work_nsec)
{
	struct rq *rq = &kernel->rq[cpu];

	rq_account(rq);
	if (rq->n_queued == 0)
		return;
	rq->overhead += work_nsec;
	rq_program(rq);
}

bool kernel_has_work(const struct kernel *kernel, unsigned cpu)
{
	return kernel->rq[cpu].n_queued > 0 || kernel->rq[cpu].arriving;
}

/* sched_cpu_deactivate(), migrate_tasks() */
static void move_away(struct rq *rq)
{
	struct kernel *kernel = rq->kernel;
	struct task *arriving = rq->arriving;

	while (rq->n_queued > 0) {
		struct task *task = rq->curr ? rq->curr : rq->waiting;

		rq_move(task, place_wakeup(task, task->cpu));
	}
	rq->arriving = NULL;
	while (arriving) {
		struct task *task = arriving;
		double work = task->work_nsec;

		arriving = task->next;
		task->next = NULL;
		task->waking = false;
		task->work_nsec = 0;
		kernel->context = -1;
		task_wake(task, work, task->iowait);
	}
}

void kernel_set_online(struct kernel *kernel, unsigned cpu, bool online)
{
	struct rq *rq = &kernel->rq[cpu];

	if (rq->online == online || (!online && (kernel->online & (kernel->online - 1)) == 0))
		return;
	kernel_enter(kernel);
	rq->online = online;
	kernel->online ^= bit_of(cpu);
	if (!online)
		move_away(rq);
	kernel_leave(kernel);
}

bool kernel_is_online(const struct kernel *kernel, unsigned cpu)
{
	return kernel->rq[cpu].online;
}

void kernel_view(struct kernel *kernel, unsigned cpu, struct cpu_view *ret)
{
	struct rq *rq = &kernel->rq[cpu];
	struct pelt_model now;

	rq_account(rq);
	now = rq->pelt;
	pelt_model_advance(&now, rq_pelt_clock(rq), rq->curr ? CAPACITY : 0,
			   rq->n_queued * CAPACITY);
	*ret = (struct cpu_view){
		.util_avg = now.util,
		.util_est = rq->avg.util_est,
		.runnable_avg = now.runnable,
		.uclamp_min = clamp_of(rq, CLAMP_MIN),
		.uclamp_max = clamp_of(rq, CLAMP_MAX),
		.n_running = rq->n_queued,
		.idle = rq->idle,
		.idle_since_nsec = rq->idle_since_nsec,
		.update_nsec = rq->updated_nsec,
		.run_nsec = rq->run_nsec,
		.delay_nsec = rq->delay_nsec,
		.idle_nsec = rq->idle_nsec,
		.steal_nsec = rq->steal_nsec,
		.slices = rq->slices,
		.booked_nsec = rq->booked_nsec,
	};
}

void kernel_signal(const struct kernel *kernel, unsigned cpu, struct cpu_signal *ret)
{
	const struct rq *rq = &kernel->rq[cpu];

	*ret = (struct cpu_signal){
		.util_avg = rq->avg.util_avg,
		.util_est = rq->avg.util_est,
		.runnable_avg = rq->avg.runnable_avg,
		.uclamp_min = clamp_of(rq, CLAMP_MIN),
		.uclamp_max = clamp_of(rq, CLAMP_MAX),
		.idle_calls = rq->idle_calls,
		.update_nsec = rq->updated_nsec,
		.idle = rq->idle,
	};
}
