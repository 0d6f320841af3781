/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* schedutil's policies, and the driver behind them (kernel/sched/cpufreq_schedutil.c,
 * drivers/cpufreq/cpufreq.c). */
#include "tests/sim/machine_private.h"

#define KTHREAD_NSEC                                                                               \
	(5 * SIM_USEC) /* irq_work, and the worker's wake-up on a CPU of the domain                \
			*/

static bool headroom_is_late(const struct machine *machine)
{
	unsigned major = machine->config.release_major;

	return major > 6 || (major == 6 && machine->config.release_minor >= 8);
}

static double capacity_of(const struct machine *machine, unsigned cpu)
{
	return machine->config.kernel.capacity[cpu];
}

static double ask(struct machine *machine, unsigned cpu, uint64_t now)
{
	const struct kernel_config *kernel = &machine->config.kernel;
	struct host_cpu *host = &machine->cpu[cpu];
	double capacity = capacity_of(machine, cpu), util, boost;
	struct cpu_signal signal;

	kernel_signal(machine->kernel, cpu, &signal);
	util = sugov_util(&signal, capacity, kernel->runnable_boost);
	boost = sugov_boost(&host->sugov, now, kernel->tick_nsec, capacity);
	return sugov_performance(&signal, util, boost, capacity, headroom_is_late(machine));
}

/* cpufreq_driver_resolve_freq(), CPUFREQ_RELATION_L within the limits */
static unsigned resolve(const struct policy *policy, double khz)
{
	unsigned opp = 0;

	khz = MAX(khz, (double)policy->min_khz);
	while (opp < policy->top && policy->config->opp[opp].khz < khz)
		opp++;
	return opp;
}

/* get_next_freq(), get_capacity_ref_freq(): a machine that isn't invariant scales the frequency
 * that it has, since 6.8 with a margin on that, too. */
static unsigned next_opp(struct policy *policy, double performance, double capacity)
{
	const struct machine *machine = policy->machine;
	const struct opp *steps = policy->config->opp;
	double khz = steps[policy->config->n_opps - 1].khz;

	if (!machine->config.kernel.invariant)
		khz = steps[policy->now].khz * (headroom_is_late(machine) ? 1.25 : 1);
	khz = (double)(uint64_t)(khz * performance / capacity);
	if (khz == policy->cached_raw && !policy->need_update)
		return policy->next;
	policy->cached_raw = khz;
	return resolve(policy, khz);
}

static bool should_update(struct policy *policy, uint64_t now)
{
	if (policy->limits_changed) {
		policy->limits_changed = false;
		policy->need_update = true;
		return true;
	}
	return now - policy->change_nsec >= policy->config->rate_limit_nsec;
}

static void start_change(struct policy *policy)
{
	struct queue *queue = policy->machine->queue;

	if (policy->config->fast_switch) {
		policy->landing = policy->next;
		queue_set(queue, &policy->land, queue_now(queue) + policy->config->latency_nsec);
		return;
	}
	if (policy->work_in_progress)
		return;
	policy->work_in_progress = true;
	queue_set(queue, &policy->worker, queue_now(queue) + KTHREAD_NSEC);
}

/* sugov_work(). One change at a time: the driver holds the lock until it is done. */
static void work(struct event *event)
{
	struct policy *policy = EVENT_OWNER(event, struct policy, worker);
	struct queue *queue = policy->machine->queue;

	if (policy->land.place != 0) {
		queue_set(queue, event, policy->land.at_nsec);
		return;
	}
	policy->work_in_progress = false;
	if (policy->next == policy->now)
		return;
	policy->landing = policy->next;
	queue_set(queue, &policy->land, queue_now(queue) + policy->config->latency_nsec);
}

static void land(struct event *event)
{
	struct policy *policy = EVENT_OWNER(event, struct policy, land);

	if (policy->landing != policy->now)
		machine_land(policy, policy->landing);
}

/* sugov_update_next_freq() */
static void commit(struct policy *policy, uint64_t now, unsigned opp)
{
	policy->need_update = false;
	if (policy->next == opp)
		return;
	policy->next = opp;
	policy->change_nsec = now;
	start_change(policy);
}

/* sugov_update_single_freq() */
static void update_single(struct policy *policy, unsigned cpu, uint64_t now)
{
	struct machine *machine = policy->machine;
	double capacity = capacity_of(machine, cpu), raw = policy->cached_raw;
	struct cpu_signal signal;
	unsigned opp = next_opp(policy, ask(machine, cpu, now), capacity);

	kernel_signal(machine->kernel, cpu, &signal);
	if (sugov_hold(&machine->cpu[cpu].sugov, &signal, capacity) && opp < policy->next &&
	    !policy->need_update) {
		opp = policy->next;
		policy->cached_raw = raw;
	}
	commit(policy, now, opp);
}

/* sugov_update_shared(), sugov_next_freq_shared() */
static void update_shared(struct policy *policy, uint64_t now)
{
	struct machine *machine = policy->machine;
	double most = 0;

	for (uint64_t rest = policy->cpus; rest; rest &= rest - 1) {
		double performance = ask(machine, (unsigned)__builtin_ctzll(rest), now);

		most = MAX(most, performance);
	}
	commit(policy, now, next_opp(policy, most, capacity_of(machine, policy->first_cpu)));
}

void cpufreq_update(struct machine *machine, unsigned cpu, bool iowait)
{
	struct policy *policy = machine->cpu[cpu].policy;
	uint64_t now = queue_now(machine->queue);

	if (machine->config.performance)
		return;
	sugov_iowait(&machine->cpu[cpu].sugov, now, machine->config.kernel.tick_nsec, iowait);
	if (!should_update(policy, now))
		return;
	if (policy->n_cpus == 1)
		update_single(policy, cpu, now);
	else
		update_shared(policy, now);
}

/* What already is outside goes inside at once (cpufreq_policy_apply_limits()); a driver that
 * switches fast hears of a minimum only at the next update, but of the power limit from the
 * hardware. */
void cpufreq_limits(struct policy *policy)
{
	const struct machine *machine = policy->machine;
	unsigned opp = machine->config.performance
			       ? policy->top
			       : resolve(policy, policy->config->opp[policy->now].khz);
	bool waits = policy->config->fast_switch && !machine->config.performance;

	policy->limits_changed = true;
	if (opp == policy->next || (waits && policy->next <= policy->top))
		return;
	policy->next = opp;
	start_change(policy);
}

void cpufreq_init(struct machine *machine)
{
	for (unsigned i = 0; i < machine->config.n_domains; i++) {
		struct policy *policy = &machine->policy[i];

		policy->machine = machine;
		policy->config = &machine->config.domain[i];
		policy->top = policy->config->n_opps - 1;
		policy->worker.fire = work;
		policy->land.fire = land;
	}
	for (unsigned cpu = machine->config.kernel.n_cpus; cpu-- > 0;) {
		struct policy *policy = &machine->policy[machine->config.kernel.domain[cpu]];

		machine->cpu[cpu].policy = policy;
		policy->first_cpu = cpu;
		policy->cpus |= UINT64_C(1) << cpu;
		policy->n_cpus++;
	}
}
