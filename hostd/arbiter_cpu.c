/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The arbiter's CPUs: which vCPUs are on each, and what they need together. Pure. */
#include "hostd/arbiter_private.h"

#include "common/macro.h"

static void unlink_vcpu(struct arbiter *arbiter, struct arbiter_vcpu *vcpu)
{
	if (vcpu->previous)
		vcpu->previous->next = vcpu->next;
	else
		arbiter->cpus[vcpu->cpu].vcpus = vcpu->next;
	if (vcpu->next)
		vcpu->next->previous = vcpu->previous;
	vcpu->next = vcpu->previous = NULL;
}

static void link_vcpu(struct arbiter *arbiter, struct arbiter_vcpu *vcpu)
{
	struct arbiter_cpu *cpu = &arbiter->cpus[vcpu->cpu];

	vcpu->next = cpu->vcpus;
	if (cpu->vcpus)
		cpu->vcpus->previous = vcpu;
	cpu->vcpus = vcpu;
}

void arbiter_cpu_part(struct arbiter *arbiter, struct arbiter_vcpu *vcpu, uint16_t part1024,
		      bool left)
{
	uint16_t old1024 = vcpu->part1024;
	struct arbiter_cpu *cpu;

	vcpu->part1024 = part1024;
	if (vcpu->cpu == ARBITER_CPU_UNKNOWN)
		return;
	cpu = &arbiter->cpus[vcpu->cpu];
	cpu->sum1024 += part1024;
	cpu->sum1024 -= old1024;
	cpu->n_demanding += part1024 > 0;
	cpu->n_demanding -= old1024 > 0;
	if (left && part1024 < old1024)
		cpu->level.level1024 -= MIN(cpu->level.level1024, old1024 - part1024);
}

bool arbiter_cpu_matters(const struct arbiter_vcpu *vcpu)
{
	return vcpu->level.level1024 > 0 || vcpu->ceiling1024 < LEVEL_NO_CEILING;
}

static void queue_all_but(struct arbiter *arbiter, const struct arbiter_cpu *cpu,
			  const struct arbiter_vcpu *but)
{
	for (struct arbiter_vcpu *vcpu = cpu->vcpus; vcpu; vcpu = vcpu->next)
		if (vcpu != but && arbiter_cpu_matters(vcpu))
			arbiter_queue(arbiter, vcpu->domain);
}

/* Those that stay on its old CPU need less from now on, and of when that falls only it may know.
 * Those on the new one are told when it is said what it should have. */
void arbiter_cpu_put(struct arbiter *arbiter, struct arbiter_vcpu *vcpu, uint16_t cpu)
{
	uint16_t part1024 = vcpu->part1024;

	if (cpu == vcpu->cpu)
		return;
	if (vcpu->cpu != ARBITER_CPU_UNKNOWN) {
		arbiter_cpu_part(arbiter, vcpu, 0, true);
		unlink_vcpu(arbiter, vcpu);
		queue_all_but(arbiter, &arbiter->cpus[vcpu->cpu], NULL);
	}
	vcpu->cpu = cpu;
	vcpu->part1024 = 0;
	if (cpu != ARBITER_CPU_UNKNOWN)
		link_vcpu(arbiter, vcpu);
	arbiter_cpu_part(arbiter, vcpu, part1024, false);
}

/* Those that are on the CPU go by what they were told; one of them may have been told already. */
static void tell(struct arbiter *arbiter, struct arbiter_cpu *cpu, const struct arbiter_vcpu *but,
		 uint16_t needs1024)
{
	if (needs1024 == cpu->told1024 && cpu->n_demanding == cpu->told_demanding)
		return;
	cpu->told1024 = needs1024;
	cpu->told_demanding = cpu->n_demanding;
	queue_all_but(arbiter, cpu, but);
}

/* A budget holds for what is held, too: the CPU's level stays within what is left of those of its
 * vCPUs. Without one, what has moved away or ran beside them is held as well. */
static uint32_t most_by_budget(const struct arbiter *arbiter, const struct arbiter_cpu *cpu)
{
	uint32_t sum = cpu->other1024;

	if (arbiter->config.budget1024 == 0)
		return UINT32_MAX;
	for (const struct arbiter_vcpu *vcpu = cpu->vcpus; vcpu; vcpu = vcpu->next)
		sum += vcpu->share1024;
	return sum;
}

uint16_t arbiter_cpu_level(struct arbiter *arbiter, const struct arbiter_vcpu *vcpu,
			   const struct level_config *config, uint64_t now_usec,
			   uint64_t *ret_next_usec)
{
	struct arbiter_cpu *cpu;
	uint32_t needs;
	uint16_t level1024;

	*ret_next_usec = USEC_INFINITY;
	if (vcpu->cpu == ARBITER_CPU_UNKNOWN)
		return 0;
	cpu = &arbiter->cpus[vcpu->cpu];
	needs = cpu->n_demanding > 0 ? cpu->sum1024 + cpu->other1024 : 0;
	level1024 = level_move(&cpu->level, config, (uint16_t)MIN(needs, cpu->capacity1024), false,
			       now_usec, ret_next_usec);
	level1024 = (uint16_t)MIN(level1024, most_by_budget(arbiter, cpu));
	tell(arbiter, cpu, vcpu, level_floor(config, level1024, 0, CAPACITY_SCALE));
	return level1024;
}

/* Whether the other one is a sibling on another CPU that changes its frequency with the vCPU's. */
static bool is_around(const struct arbiter *arbiter, const struct arbiter_vcpu *vcpu,
		      const struct arbiter_vcpu *other)
{
	return vcpu->cpu != ARBITER_CPU_UNKNOWN && other->cpu != ARBITER_CPU_UNKNOWN &&
	       other->cpu != vcpu->cpu &&
	       arbiter->cpus[other->cpu].policy == arbiter->cpus[vcpu->cpu].policy;
}

/* schedutil goes by the highest of a policy's CPUs (sugov_next_freq_shared()), natively also by
 * what sleeps there, which keeps its part; but a thread's floor counts while it runs. Of the
 * siblings alone: what another guest says shouldn't run this one's CPU up. */
uint16_t arbiter_cpu_around(const struct arbiter *arbiter, const struct arbiter_vcpu *vcpu)
{
	const struct arbiter_domain *domain = &arbiter->domains[vcpu->domain];
	uint16_t most1024 = 0;

	for (unsigned i = 0; i < domain->n_vcpus; i++)
		if (is_around(arbiter, vcpu, &domain->vcpus[i]))
			most1024 = MAX(most1024, domain->vcpus[i].share1024);
	return most1024;
}

bool arbiter_cpu_is_gone_by(const struct arbiter *arbiter, const struct arbiter_vcpu *vcpu,
			    uint16_t level1024)
{
	const struct arbiter_domain *domain = &arbiter->domains[vcpu->domain];

	for (unsigned i = 0; i < domain->n_vcpus; i++) {
		const struct arbiter_vcpu *other = &domain->vcpus[i];

		if (other->share1024 > 0 && other->share1024 < level1024 &&
		    is_around(arbiter, vcpu, other))
			return true;
	}
	return false;
}

bool arbiter_cpu_is_shared(const struct arbiter *arbiter, const struct arbiter_vcpu *vcpu)
{
	const struct arbiter_cpu *cpu;

	if (vcpu->cpu == ARBITER_CPU_UNKNOWN)
		return true;
	cpu = &arbiter->cpus[vcpu->cpu];
	return cpu->n_demanding > (vcpu->part1024 > 0) || cpu->other1024 > 0;
}

void arbiter_set_capacity(struct arbiter *arbiter, unsigned cpu, uint16_t capacity1024)
{
	if (cpu < CPUMASK_CPUS)
		arbiter->cpus[cpu].capacity1024 = CLAMP(capacity1024, 1, CAPACITY_SCALE);
}

void arbiter_set_policy(struct arbiter *arbiter, unsigned cpu, uint16_t policy)
{
	if (cpu < CPUMASK_CPUS)
		arbiter->cpus[cpu].policy = policy;
}

bool arbiter_uses(const struct arbiter *arbiter, unsigned cpu)
{
	return cpu < CPUMASK_CPUS && arbiter->cpus[cpu].n_demanding > 0;
}

/* By less than half of what counts it hasn't changed. */
void arbiter_other(struct arbiter *arbiter, unsigned cpu, uint16_t other1024,
		   _unused_ uint64_t now_usec)
{
	struct arbiter_cpu *at;
	uint16_t old1024;

	if (cpu >= CPUMASK_CPUS)
		return;
	at = &arbiter->cpus[cpu];
	old1024 = at->other1024;
	other1024 = MIN(other1024, CAPACITY_SCALE);
	if (other1024 < ARBITER_OTHER_LEAST)
		other1024 = old1024 > 0 && other1024 >= ARBITER_OTHER_LEAST / 2 ? old1024 : 0;
	if (other1024 + 0U < old1024 + ARBITER_OTHER_LEAST / 2 &&
	    old1024 + 0U < other1024 + ARBITER_OTHER_LEAST / 2)
		return;
	at->other1024 = other1024;
	queue_all_but(arbiter, at, NULL);
}
