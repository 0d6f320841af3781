/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/sim/machine_private.h"

#include <stdlib.h>

static void on_updated(void *userdata, unsigned cpu, bool iowait)
{
	struct machine *machine = userdata;

	cpufreq_update(machine, cpu, iowait);
	if (machine->watch.updated)
		machine->watch.updated(machine->watch_userdata, cpu, iowait);
}

static void on_updated_without(void *userdata, unsigned cpu)
{
	cpufreq_update(userdata, cpu, false);
}

static void on_idle(void *userdata, unsigned cpu, bool idle)
{
	struct machine *machine = userdata;

	power_account(machine, cpu);
	machine->cpu[cpu].busy = !idle;
	if (machine->watch.idle)
		machine->watch.idle(machine->watch_userdata, cpu, idle);
}

static void on_switched(void *userdata, unsigned cpu, struct task *task, bool runs)
{
	struct machine *machine = userdata;

	if (machine->watch.switched)
		machine->watch.switched(machine->watch_userdata, cpu, task, runs);
}

static double on_energy(void *userdata, unsigned domain, double max_util, double sum_util)
{
	return power_energy(userdata, domain, max_util, sum_util);
}

static const struct kernel_ops ops = {
	.updated = on_updated,
	.updated_without = on_updated_without,
	.idle = on_idle,
	.switched = on_switched,
	.energy = on_energy,
};

void machine_land(struct policy *policy, unsigned opp)
{
	struct machine *machine = policy->machine;
	uint32_t khz = policy->config->opp[opp].khz;
	double scale = (double)khz / policy->config->opp[policy->config->n_opps - 1].khz;

	for (uint64_t rest = policy->cpus; rest; rest &= rest - 1)
		power_account(machine, (unsigned)__builtin_ctzll(rest));
	if (policy->now != opp)
		machine->changes++;
	policy->now = opp;
	for (uint64_t rest = policy->cpus; rest; rest &= rest - 1) {
		unsigned cpu = (unsigned)__builtin_ctzll(rest);

		kernel_set_speed(machine->kernel, cpu,
				 machine->config.kernel.capacity[cpu] / CAPACITY * scale, scale);
	}
}

static void check(const struct machine_config *config)
{
	if (config->n_domains == 0 || config->n_domains > SIM_DOMAINS_MAX)
		abort();
	for (unsigned i = 0; i < config->n_domains; i++)
		if (config->domain[i].n_opps == 0 || config->domain[i].n_opps > SIM_OPPS_MAX)
			abort();
	for (unsigned cpu = 0; cpu < config->kernel.n_cpus; cpu++)
		if (config->kernel.domain[cpu] >= config->n_domains)
			abort();
}

struct machine *machine_new(struct queue *queue, const struct machine_config *config)
{
	struct machine *machine = calloc(1, sizeof(*machine));

	if (!machine)
		abort();
	check(config);
	machine->queue = queue;
	machine->config = *config;
	machine->kernel = kernel_new(queue, &config->kernel, &ops, machine);
	machine->reset_nsec = queue_now(queue);
	cpufreq_init(machine);
	for (unsigned cpu = 0; cpu < config->kernel.n_cpus; cpu++)
		machine->cpu[cpu].since_nsec = machine->reset_nsec;
	for (unsigned i = 0; i < config->n_domains; i++) {
		struct policy *policy = &machine->policy[i];

		policy->next = config->performance ? policy->top : 0;
		machine_land(policy, policy->next);
	}
	machine->changes = 0;
	power_limit_init(machine);
	return machine;
}

void machine_free(struct machine *machine)
{
	if (!machine)
		return;
	for (unsigned i = 0; i < machine->config.n_domains; i++) {
		queue_set(machine->queue, &machine->policy[i].worker, SIM_NEVER);
		queue_set(machine->queue, &machine->policy[i].land, SIM_NEVER);
	}
	queue_set(machine->queue, &machine->limit, SIM_NEVER);
	kernel_free(machine->kernel);
	free(machine);
}

struct kernel *machine_kernel(struct machine *machine)
{
	return machine->kernel;
}

const struct machine_config *machine_config(const struct machine *machine)
{
	return &machine->config;
}

uint32_t machine_khz(const struct machine *machine, unsigned cpu)
{
	const struct policy *policy = machine->cpu[cpu].policy;

	return policy->config->opp[policy->now].khz;
}

uint32_t machine_max_khz(const struct machine *machine, unsigned cpu)
{
	const struct policy *policy = machine->cpu[cpu].policy;

	return policy->config->opp[policy->config->n_opps - 1].khz;
}

void machine_set_min_khz(struct machine *machine, unsigned cpu, uint32_t khz)
{
	struct policy *policy = machine->cpu[cpu].policy;

	if (policy->min_khz == khz)
		return;
	policy->min_khz = khz;
	cpufreq_limits(policy);
}

void machine_figures(struct machine *machine, struct machine_figures *ret)
{
	uint64_t now = queue_now(machine->queue);

	*ret = (struct machine_figures){
		.energy_mj = power_total_mj(machine),
		.changes = machine->changes,
		.nsec = now - machine->reset_nsec,
		.throttled_nsec = (double)machine->throttled_nsec,
	};
	if (machine->lowered > 0)
		ret->throttled_nsec += (double)(now - machine->throttled_since_nsec);
	for (unsigned cpu = 0; cpu < machine->config.kernel.n_cpus; cpu++) {
		ret->busy_khz_nsec[cpu] = machine->cpu[cpu].busy_khz_nsec;
		ret->busy_nsec[cpu] = machine->cpu[cpu].busy_nsec;
		ret->khz_nsec[cpu] = machine->cpu[cpu].khz_nsec;
	}
}

void machine_reset_figures(struct machine *machine)
{
	machine->reset_nsec = queue_now(machine->queue);
	machine->changes = 0;
	machine->throttled_nsec = 0;
	machine->throttled_since_nsec = machine->reset_nsec;
	machine->limit_mj -= power_total_mj(machine);
	for (unsigned cpu = 0; cpu < machine->config.kernel.n_cpus; cpu++) {
		struct host_cpu *host = &machine->cpu[cpu];

		host->energy_mj = host->busy_khz_nsec = host->khz_nsec = 0;
		host->busy_nsec = 0;
	}
}

void machine_set_watch(struct machine *machine, const struct kernel_ops *watch, void *userdata)
{
	machine->watch = watch ? *watch : (struct kernel_ops){0};
	machine->watch_userdata = userdata;
}
