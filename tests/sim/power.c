/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the CPUs spend, what EAS thinks that they would, and a limit to it. */
#include "tests/sim/machine_private.h"

#define LIMIT_NSEC (10 * SIM_MSEC) /* how often the limit looks; at the last ten of these */
#define LIMIT_LOW  0.8		   /* of the budget: below it, tops rise again */

static double spent_mj(const struct machine *machine, unsigned cpu, uint64_t nsec)
{
	const struct host_cpu *host = &machine->cpu[cpu];
	double mw = host->busy ? host->policy->config->opp[host->policy->now].mw
			       : machine->config.idle_mw;

	return mw * (double)nsec / (double)SIM_SEC;
}

void power_account(struct machine *machine, unsigned cpu)
{
	struct host_cpu *host = &machine->cpu[cpu];
	uint64_t now = queue_now(machine->queue), nsec = now - host->since_nsec;
	double khz_nsec = (double)nsec * host->policy->config->opp[host->policy->now].khz;

	host->since_nsec = now;
	host->energy_mj += spent_mj(machine, cpu, nsec);
	host->khz_nsec += khz_nsec;
	if (host->busy) {
		host->busy_nsec += nsec;
		host->busy_khz_nsec += khz_nsec;
	}
}

double power_total_mj(struct machine *machine)
{
	double sum = 0;

	for (unsigned cpu = 0; cpu < machine->config.kernel.n_cpus; cpu++) {
		power_account(machine, cpu);
		sum += machine->cpu[cpu].energy_mj;
	}
	return sum;
}

/* em_cpu_energy(): at the lowest operating point that has that performance, for so much work. */
double power_energy(const struct machine *machine, unsigned domain, double max_util,
		    double sum_util)
{
	const struct policy *policy = &machine->policy[domain];
	const struct opp *steps = policy->config->opp;
	double capacity = machine->config.kernel.capacity[policy->first_cpu], performance;
	unsigned last = policy->config->n_opps - 1, i = 0;

	while (i < last && capacity * steps[i].khz / steps[last].khz < max_util)
		i++;
	performance = capacity * steps[i].khz / steps[last].khz;
	return steps[i].mw / performance * sum_util;
}

static void set_lowered(struct machine *machine, unsigned lowered)
{
	uint64_t now = queue_now(machine->queue);

	if (machine->lowered > 0)
		machine->throttled_nsec += now - machine->throttled_since_nsec;
	machine->throttled_since_nsec = now;
	machine->lowered = lowered;
	for (unsigned i = 0; i < machine->config.n_domains; i++) {
		struct policy *policy = &machine->policy[i];
		unsigned last = policy->config->n_opps - 1;

		policy->top = last > lowered ? last - lowered : 0;
		cpufreq_limits(policy);
	}
}

/* As firmware does it, roughly: all tops fall by a step while the last 100 ms are above the budget,
 * and the last step hasn't mended that yet. */
static void limit(struct event *event)
{
	struct machine *machine = EVENT_OWNER(event, struct machine, limit);
	double total = power_total_mj(machine), last = total - machine->limit_mj, sum = 0, budget;

	machine->window_mj[machine->window_at++ % 10] = last;
	machine->limit_mj = total;
	for (unsigned i = 0; i < 10; i++)
		sum += machine->window_mj[i] / 10;
	budget = machine->config.budget_mw * LIMIT_NSEC / SIM_SEC;
	if (sum > budget && last > budget && machine->lowered < SIM_OPPS_MAX)
		set_lowered(machine, machine->lowered + 1);
	else if (sum < budget * LIMIT_LOW && last < budget * LIMIT_LOW && machine->lowered > 0)
		set_lowered(machine, machine->lowered - 1);
	queue_set(machine->queue, event, queue_now(machine->queue) + LIMIT_NSEC);
}

void power_limit_init(struct machine *machine)
{
	machine->limit.fire = limit;
	if (machine->config.budget_mw > 0)
		queue_set(machine->queue, &machine->limit, queue_now(machine->queue) + LIMIT_NSEC);
}
