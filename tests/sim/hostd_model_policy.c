/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the simulated hostd's demands to what its threads should have: hostd/arbiter.h decides. As
 * hostd/domain.c, hostd/host_floors.c and hostd/host_residency.c. */
#include "common/macro.h"
#include "hostd/feedback.h"
#include "tests/sim/hostd_model_private.h"

#define TICK_NSEC (10 * SIM_MSEC)

const uint64_t hostd_policy_look_nsec = 10 * SIM_MSEC;

bool hostd_policy_init(struct hostd_model *host)
{
	const struct host_config *config = &host->config.host;
	const struct machine_config *machine = machine_config(host->machine);
	const struct arbiter_config arbiter = {
		.level = {.step = (uint16_t)config->floor_step,
			  .hold_usec = config->floor_hold_usec,
			  .half_life_usec = config->floor_half_life_usec,
			  .slack1024 = (uint16_t)config->ceiling_slack1024,
			  .calm_usec = LEVEL_CALM_USEC,
			  .forget_usec = LEVEL_FORGET_USEC},
		.budget1024 = host->config.budget1024_percent * CAPACITY_SCALE / 100,
		.ceiling_min1024 = ARBITER_CEILING_MIN,
		.ceilings = true,
		.energy_aware = machine->kernel.energy_aware,
		.invariant = machine->kernel.invariant,
		.classes = host->placement,
		.kernel_major = machine->release_major,
		.kernel_minor = machine->release_minor,
	};

	host->arbiter = arbiter_new(&arbiter);
	for (unsigned i = 0; host->arbiter && i < machine->kernel.n_cpus; i++) {
		arbiter_set_capacity(host->arbiter, i, (uint16_t)machine->kernel.capacity[i]);
		arbiter_set_policy(host->arbiter, i, (uint16_t)machine->kernel.domain[i]);
	}
	return host->arbiter;
}

bool hostd_policy_add(struct hostd_domain *domain)
{
	const struct arbiter_grant grant = {
		.floor_max1024 = MIN((uint16_t)domain->host->config.host.floor_max,
				     domain->agent->floor_max1024),
		.weight = domain->agent->weight,
		.goal = domain->agent->goal,
	};

	domain->number = arbiter_add(domain->host->arbiter, domain->n_vcpus, &grant);
	return domain->number != ARBITER_NONE;
}

void hostd_policy_remove(struct hostd_domain *domain)
{
	arbiter_remove(domain->host->arbiter, domain->number, hostd_now_usec(domain->host));
}

void hostd_policy_thread(struct hostd_domain *domain, unsigned i)
{
	uint64_t now_usec = hostd_now_usec(domain->host);

	arbiter_restart(domain->host->arbiter, domain->number, i, now_usec);
	arbiter_set_allowed(domain->host->arbiter, domain->number, i, &domain->vcpus[i].allowed,
			    now_usec);
}

/* Where the thread is, and how fast, at this moment. */
static void look_at(struct hostd_domain *domain, unsigned i, uint64_t now_usec)
{
	const struct task *thread = domain->vcpus[i].thread;
	struct feedback_vcpu delivered;
	struct cpu_view view;

	if (!thread)
		return;
	kernel_view(machine_kernel(domain->host->machine), thread->cpu,
		    &view); /* brings it to now */
	hostd_delivered(domain, i, &delivered);
	arbiter_look(domain->host->arbiter, domain->number, i, thread->cpu,
		     &(struct scale_look){now_usec * NSEC_PER_USEC, thread->run_nsec,
					  feedback_delivered1024(&delivered)});
}

static void tell_arbiter(struct hostd_domain *domain, unsigned i, uint64_t now_usec)
{
	struct demand *demand = &domain->demands[i];
	struct hostd_vcpu *vcpu = &domain->vcpus[i];
	bool counts = demand->util1024 > 0;
	struct arbiter_report report = {.applied1024 = CAPACITY_SCALE};

	if (!demand->news && demand->util1024 == vcpu->told1024)
		return;
	if (counts || demand->news)
		report = (struct arbiter_report){
			.util_avg = counts ? demand->util_avg : 0,
			.demand1024 = demand->util1024,
			.applied1024 = domain->invariant ? demand->freq_scale : CAPACITY_SCALE,
			.invariant = domain->invariant,
			.counts_work = domain->invariant && !domain->follows,
			.steal_usec = demand->news ? demand->last_steal_usec : 0,
			.saturated = counts && demand->flags & VCPU_SATURATED,
			.left = demand->news && demand->left && domain->signal == SIGNAL_EBPF,
			.came = demand->news && demand->came,
			.trusted = domain->signal == SIGNAL_EBPF && !domain->demand.lapsed &&
				   domain->has_hello,
		};
	look_at(domain, i, now_usec);
	demand->news = false;
	vcpu->told1024 = demand->util1024;
	arbiter_report(domain->host->arbiter, domain->number, i, &report, now_usec);
}

/* As decide(). */
static uint64_t decide(struct hostd_domain *domain, unsigned i, uint64_t now_usec)
{
	const struct hostd_model *host = domain->host;
	struct hostd_vcpu *vcpu = &domain->vcpus[i];
	uint64_t next_want, next_place = USEC_INFINITY;
	bool knows = domain->has_hello && !domain->demand.lapsed;
	struct arbiter_want arbitrated;

	arbiter_want(host->arbiter, domain->number, i, now_usec, &arbitrated, &next_want);
	vcpu->hurry = arbitrated.hurry;
	vcpu->plan = (struct plan_want){.floor1024 = arbitrated.floor1024,
					.ceiling1024 = arbitrated.ceiling1024};
	if (vcpu->cpus_are_theirs)
		vcpu->plan.placed = vcpu->have.placed, vcpu->plan.cpus = vcpu->have.cpus;
	else if (knows && host->has_cpus)
		vcpu->plan.placed = placement_choose(&vcpu->placement, &host->placement,
						     arbitrated.level1024, &vcpu->allowed, now_usec,
						     &vcpu->plan.cpus, &next_place);
	else
		vcpu->placement = (struct placement_state){};
	return MIN(next_want, next_place);
}

/* As act(). */
static uint64_t act(struct hostd_domain *domain, bool rises, uint64_t now_usec)
{
	uint64_t next_usec = USEC_INFINITY;

	for (unsigned i = 0; i < domain->n_vcpus; i++) {
		struct hostd_vcpu *vcpu = &domain->vcpus[i];
		uint64_t vcpu_next;

		if (!vcpu->thread || (rises && !plan_raises(&vcpu->have, &vcpu->plan)))
			continue;
		vcpu_next = hostd_write(domain, i, &vcpu->plan, vcpu->hurry, now_usec);
		next_usec = MIN(next_usec, vcpu_next);
	}
	return next_usec;
}

/* As domain_run_vcpus(). */
uint64_t hostd_policy_run(struct hostd_domain *domain, uint64_t now_usec)
{
	uint64_t next_usec = USEC_INFINITY, next_act;

	if (domain->agent->goal == GOAL_OFF)
		return USEC_INFINITY;
	for (unsigned i = 0; i < domain->n_vcpus; i++)
		tell_arbiter(domain, i, now_usec);
	for (unsigned i = 0; i < domain->n_vcpus; i++) {
		uint64_t vcpu_next = decide(domain, i, now_usec);

		next_usec = MIN(next_usec, vcpu_next);
	}
	act(domain, true, now_usec);
	next_act = act(domain, false, now_usec);
	return MIN(next_usec, next_act);
}

static struct hostd_domain *by_number(struct hostd_model *host, uint32_t number)
{
	struct hostd_domain *domain = host->domains;

	while (domain && domain->number != number)
		domain = domain->next;
	return domain;
}

void hostd_policy_post(struct hostd_model *host)
{
	for (uint32_t number; (number = arbiter_next(host->arbiter)) != ARBITER_NONE;) {
		struct hostd_domain *domain = by_number(host, number);

		if (domain)
			hostd_wake(domain, DUE_RUN);
	}
}

/* -- looks -- */

static void see_thread(struct hostd_domain *domain, unsigned i, bool checks, uint64_t now_usec)
{
	struct hostd_model *host = domain->host;
	struct hostd_vcpu *vcpu = &domain->vcpus[i];
	const struct cpu_seen *cpu = &host->cpu[vcpu->seen.cpu];
	struct feedback_vcpu delivered = {
		.capacity = cpu->capacity1024, .freq_khz = cpu->khz, .freq_max_khz = cpu->max_khz};

	if (!vcpu->seen.valid)
		return;
	if (vcpu->run_nsec > 0 && vcpu->seen.run_nsec > vcpu->run_nsec)
		otherload_vcpu(&host->other[vcpu->seen.cpu], vcpu->seen.run_nsec - vcpu->run_nsec);
	vcpu->run_nsec = vcpu->seen.run_nsec;
	if (arbiter_needs_look(host->arbiter, domain->number, i))
		arbiter_look(host->arbiter, domain->number, i, vcpu->seen.cpu,
			     &(struct scale_look){now_usec * NSEC_PER_USEC, vcpu->seen.run_nsec,
						  feedback_delivered1024(&delivered)});
	if (checks)
		arbiter_check(host->arbiter, domain->number, i, vcpu->seen.run_nsec, now_usec);
}

static void see_others(struct hostd_model *host, uint64_t now_usec)
{
	for (unsigned i = 0; i < host->n_cpus; i++) {
		const struct cpu_seen *cpu = &host->cpu[i];
		struct feedback_vcpu delivered = {.capacity = cpu->capacity1024,
						  .freq_khz = cpu->khz,
						  .freq_max_khz = cpu->max_khz};

		arbiter_other(host->arbiter, i,
			      otherload_look(&host->other[i], cpu->idle_ticks * TICK_NSEC,
					     feedback_delivered1024(&delivered),
					     now_usec * NSEC_PER_USEC),
			      now_usec);
	}
}

void hostd_policy_looked(struct hostd_model *host, uint64_t now_usec)
{
	bool checks = host->config.host.claim_check_usec > 0 && now_usec >= host->check_usec;

	for (struct hostd_domain *domain = host->domains; domain; domain = domain->next) {
		for (unsigned i = 0; i < domain->n_vcpus; i++)
			see_thread(domain, i, checks, now_usec);
		if (demand_any(&domain->demand))
			hostd_wake(domain, DUE_RUN);
	}
	if (checks)
		host->check_usec = now_usec + host->config.host.claim_check_usec;
	if (now_usec >= host->other_usec) {
		see_others(host, now_usec);
		host->other_usec = now_usec + OTHERLOAD_LOOK_USEC;
	}
	hostd_policy_post(host);
}
