/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What each vCPU of the host should have, from what all of them ask for. Pure. */
#include "hostd/arbiter_private.h"

#include <stdlib.h>
#include <string.h>

#include "common/macro.h"

/* 1/1024: a guest from which more than this was stolen of late shares its CPU with somebody. */
#define STOLEN_LEAST  32U

/* -- domains
 * --------------------------------------------------------------------------------------*/

struct arbiter *arbiter_new(const struct arbiter_config *config)
{
	struct arbiter *arbiter = calloc(1, sizeof(*arbiter));

	if (!arbiter)
		return NULL;
	arbiter->config = *config;
	arbiter->first_queued = arbiter->last_queued = ARBITER_NONE;
	headroom_init(&arbiter->headroom, config->kernel_major, config->kernel_minor);
	for (unsigned i = 0; i < CPUMASK_CPUS; i++)
		arbiter->cpus[i] = (struct arbiter_cpu){.capacity1024 = CAPACITY_SCALE,
							.policy = (uint16_t)(CPUMASK_CPUS + i)};
	return arbiter;
}

struct arbiter *arbiter_free(struct arbiter *arbiter)
{
	if (!arbiter)
		return NULL;
	for (uint32_t i = 0; i < arbiter->n_domains; i++)
		free(arbiter->domains[i].vcpus);
	free(arbiter->domains);
	free(arbiter->claims);
	free(arbiter);
	return NULL;
}

void arbiter_queue(struct arbiter *arbiter, uint32_t i)
{
	struct arbiter_domain *domain = &arbiter->domains[i];

	if (domain->queued || !domain->used)
		return;
	domain->queued = true;
	domain->next_queued = ARBITER_NONE;
	if (arbiter->last_queued == ARBITER_NONE)
		arbiter->first_queued = i;
	else
		arbiter->domains[arbiter->last_queued].next_queued = i;
	arbiter->last_queued = i;
}

/* One that has gone since is passed over. */
uint32_t arbiter_next(struct arbiter *arbiter)
{
	while (arbiter->first_queued != ARBITER_NONE) {
		uint32_t i = arbiter->first_queued;
		struct arbiter_domain *domain = &arbiter->domains[i];

		arbiter->first_queued = domain->next_queued;
		if (arbiter->first_queued == ARBITER_NONE)
			arbiter->last_queued = ARBITER_NONE;
		domain->queued = false;
		if (domain->used)
			return i;
	}
	return ARBITER_NONE;
}

void arbiter_queue_all(struct arbiter *arbiter)
{
	for (uint32_t i = 0; i < arbiter->n_domains; i++)
		arbiter_queue(arbiter, i);
}

void arbiter_configure(struct arbiter *arbiter, const struct arbiter_config *config)
{
	bool other_budget = config->budget1024 != arbiter->config.budget1024;

	arbiter->config = *config;
	if (other_budget)
		for (uint32_t i = 0; i < arbiter->n_domains; i++) {
			struct arbiter_domain *domain = &arbiter->domains[i];

			arbiter->gets -= domain->gets;
			domain->gets = config->budget1024 > 0 ? 0 : domain->wants;
			arbiter->gets += domain->gets;
		}
	arbiter->unshared = arbiter->gets < arbiter->wants;
	arbiter->share_usec = 0;
	arbiter_queue_all(arbiter);
}

/* What a goal makes of the settings. For speed a floor stays for longer; for energy it isn't held.
 */
static struct level_config levels_for(const struct arbiter *arbiter, enum goal goal)
{
	struct level_config level = arbiter->config.level;

	level.headroom1024 = arbiter_headroom1024(arbiter);
	level.grain = arbiter->config.invariant ? LEVEL_GRAIN : LEVEL_GRAIN_RELATIVE;
	if (goal == GOAL_SPEED) {
		level.hold_usec *= 2;
	} else if (goal == GOAL_ENERGY) {
		level.hold_usec = 0;
		level.slack1024 /= 2;
	}
	return level;
}

/* A free place, made if need be. */
static uint32_t find_place(struct arbiter *arbiter)
{
	uint32_t n = arbiter->n_domains, more = n + MAX(n / 2, 16U);
	struct arbiter_domain *domains;
	struct share_claim *claims;

	for (uint32_t i = 0; i < n; i++)
		if (!arbiter->domains[i].used && !arbiter->domains[i].queued)
			return i;
	claims = calloc(more, sizeof(*claims));
	domains = calloc(more, sizeof(*domains));
	if (!claims || !domains) {
		free(claims);
		free(domains);
		return ARBITER_NONE;
	}
	if (n > 0)
		memcpy(domains, arbiter->domains, n * sizeof(*domains));
	free(arbiter->domains);
	free(arbiter->claims);
	arbiter->domains = domains;
	arbiter->claims = claims;
	arbiter->n_domains = more;
	return n;
}

uint32_t arbiter_add(struct arbiter *arbiter, unsigned n_vcpus, const struct arbiter_grant *grant)
{
	struct arbiter_vcpu *vcpus = calloc(MAX(n_vcpus, 1), sizeof(*vcpus));
	uint32_t i = vcpus ? find_place(arbiter) : ARBITER_NONE;

	if (i == ARBITER_NONE) {
		free(vcpus);
		return ARBITER_NONE;
	}
	for (unsigned k = 0; k < n_vcpus; k++)
		vcpus[k] = (struct arbiter_vcpu){
			.domain = i,
			.cpu = ARBITER_CPU_UNKNOWN,
			.report.applied1024 = CAPACITY_SCALE,
			.ceiling1024 = LEVEL_NO_CEILING,
		};
	arbiter->domains[i] = (struct arbiter_domain){
		.used = true, .n_vcpus = n_vcpus, .grant = *grant, .vcpus = vcpus};
	return i;
}

/* What one gives up is for those that have too little. */
static void queue_cut(struct arbiter *arbiter)
{
	for (uint32_t i = 0; i < arbiter->n_domains; i++)
		if (arbiter->domains[i].gets < arbiter->domains[i].wants)
			arbiter_queue(arbiter, i);
}

static void withdraw(struct arbiter *arbiter, struct arbiter_vcpu *vcpu)
{
	arbiter_budget_is_short(arbiter, vcpu, 0);
	arbiter->standing -= vcpu->standing1024;
	vcpu->standing1024 = 0;
	arbiter_budget_put(arbiter, vcpu, 0);
	vcpu->share1024 = 0;
	arbiter_cpu_part(arbiter, vcpu, 0, true);
}

void arbiter_remove(struct arbiter *arbiter, uint32_t i, uint64_t now_usec)
{
	struct arbiter_domain *domain = &arbiter->domains[i];
	const struct level_config config = levels_for(arbiter, domain->grant.goal);

	for (unsigned k = 0; k < domain->n_vcpus; k++) {
		struct arbiter_vcpu *vcpu = &domain->vcpus[k];
		uint64_t next_usec;

		withdraw(arbiter, vcpu);
		arbiter_cpu_level(arbiter, vcpu, &config, now_usec, &next_usec);
		arbiter_cpu_put(arbiter, vcpu, ARBITER_CPU_UNKNOWN);
	}
	free(domain->vcpus);
	domain->vcpus = NULL;
	domain->n_vcpus = 0;
	domain->used = false;
	if (arbiter->unshared)
		queue_cut(arbiter);
}

void arbiter_grant(struct arbiter *arbiter, uint32_t domain, const struct arbiter_grant *grant,
		   _unused_ uint64_t now_usec)
{
	arbiter->domains[domain].grant = *grant;
	arbiter->unshared = arbiter->gets < arbiter->wants;
	arbiter_queue(arbiter, domain);
}

/* -- what is known of a vCPU
 * ----------------------------------------------------------------------*/

static struct arbiter_vcpu *vcpu_of(const struct arbiter *arbiter, uint32_t domain, unsigned vcpu)
{
	return &arbiter->domains[domain].vcpus[vcpu];
}

void arbiter_set_allowed(struct arbiter *arbiter, uint32_t domain, unsigned i,
			 const struct cpumask *allowed, _unused_ uint64_t now_usec)
{
	struct arbiter_vcpu *vcpu = vcpu_of(arbiter, domain, i);
	bool is_same = cpumask_equal(&vcpu->allowed, allowed);
	uint16_t was_on = vcpu->cpu;

	vcpu->allowed = *allowed;
	vcpu->pinned = cpumask_count(allowed) == 1;
	if (vcpu->pinned)
		arbiter_cpu_put(arbiter, vcpu, (uint16_t)cpumask_next(allowed, 0));
	else if (was_on != ARBITER_CPU_UNKNOWN && !cpumask_has(allowed, was_on))
		arbiter_cpu_put(arbiter, vcpu, ARBITER_CPU_UNKNOWN);
	if ((!is_same || vcpu->cpu != was_on) && arbiter_cpu_matters(vcpu))
		arbiter_queue(arbiter, domain);
}

void arbiter_report(struct arbiter *arbiter, uint32_t domain, unsigned i,
		    const struct arbiter_report *report, uint64_t now_usec)
{
	struct arbiter_vcpu *vcpu = vcpu_of(arbiter, domain, i);
	const struct scale_report scaled = {.demand1024 = report->demand1024,
					    .applied1024 = report->applied1024,
					    .invariant = report->invariant,
					    .counts_work = report->counts_work,
					    .steal_usec = report->steal_usec};

	vcpu->report = *report;
	vcpu->left |= report->left;
	scale_report(&vcpu->scale, &scaled, now_usec);
	if (report->left) {
		scale_leave(&vcpu->scale, report->util_avg);
	} else if (report->came) {
		scale_come(&vcpu->scale, &arbiter->domains[domain].table, report->util_avg);
	}
}

void arbiter_look(struct arbiter *arbiter, uint32_t domain, unsigned i, unsigned cpu,
		  const struct scale_look *look)
{
	struct arbiter_vcpu *vcpu = vcpu_of(arbiter, domain, i);

	vcpu->delivered_sum += look->delivered1024;
	vcpu->looks++;
	if (arbiter->config.invariant)
		scale_look(&vcpu->scale, &arbiter->domains[domain].table, look);
	if (vcpu->pinned || cpu >= CPUMASK_CPUS || cpu == vcpu->cpu)
		return;
	arbiter_cpu_put(arbiter, vcpu, (uint16_t)cpu);
	arbiter_queue(arbiter, domain);
}

unsigned arbiter_cpu_of(const struct arbiter *arbiter, uint32_t domain, unsigned i)
{
	return vcpu_of(arbiter, domain, i)->cpu;
}

bool arbiter_needs_look(const struct arbiter *arbiter, uint32_t domain, unsigned i)
{
	return vcpu_of(arbiter, domain, i)->level.level1024 > 0;
}

void arbiter_restart(struct arbiter *arbiter, uint32_t domain, unsigned i, uint64_t now_usec)
{
	struct arbiter_vcpu *vcpu = vcpu_of(arbiter, domain, i);

	claims_restart(&vcpu->claims);
	vcpu->scale = (struct scale){};
	vcpu->delivered_sum = vcpu->looks = 0;
	claims_put(&vcpu->claims, 0, 0, now_usec);
}

bool arbiter_check(struct arbiter *arbiter, uint32_t domain, unsigned i, uint64_t run_nsec,
		   uint64_t now_usec)
{
	struct arbiter_vcpu *vcpu = vcpu_of(arbiter, domain, i);
	/* Where claims are shares of time, so is what was used. */
	bool counts_work = arbiter->config.invariant && vcpu->looks > 0;
	uint64_t delivered = counts_work ? vcpu->delivered_sum / vcpu->looks : CAPACITY_SCALE;
	bool changed = claims_check(&vcpu->claims, run_nsec, (uint16_t)delivered, now_usec);

	vcpu->delivered_sum = vcpu->looks = 0;
	if (changed)
		arbiter_queue(arbiter, domain);
	return changed;
}

bool arbiter_is_held_down(const struct arbiter *arbiter, uint32_t domain, unsigned i)
{
	return vcpu_of(arbiter, domain, i)->claims.held_down;
}

bool arbiter_look_floor(struct arbiter *arbiter, uint32_t domain, unsigned i, unsigned cpu,
			uint16_t floor1024, uint32_t khz, uint32_t step_khz, uint32_t max_khz)
{
	uint16_t own1024 = scale_own1024(&vcpu_of(arbiter, domain, i)->scale);
	bool changed = cpu < CPUMASK_CPUS && arbiter->config.headroom1024 == 0 &&
		       headroom_look(&arbiter->headroom, floor1024, own1024,
				     arbiter->cpus[cpu].capacity1024, khz, step_khz, max_khz);

	if (changed)
		arbiter_queue_all(arbiter);
	return changed;
}

uint32_t arbiter_headroom1024(const struct arbiter *arbiter)
{
	return arbiter->config.headroom1024 > 0 ? arbiter->config.headroom1024
						: arbiter->headroom.headroom1024;
}

/* -- what it should have
 * --------------------------------------------------------------------------*/

/* What it asks for now, in host units, as far as it is believed. */
static uint16_t demand_now(const struct arbiter_domain *domain, struct arbiter_vcpu *vcpu,
			   uint64_t now_usec)
{
	uint16_t demand1024 = scale_to_host(&vcpu->scale, &domain->table, vcpu->report.demand1024);

	claims_put(&vcpu->claims,
		   scale_to_host(&vcpu->scale, &domain->table, vcpu->report.util_avg), demand1024,
		   now_usec);
	return domain->grant.goal == GOAL_OFF ? 0 : claims_cut(&vcpu->claims, demand1024);
}

/* The highest floor that others' demand may give a thread: where the kernel places by floors (EAS),
 * a small vCPU would be sent to a big CPU for what its neighbours there need. */
static uint16_t most_for_others(const struct arbiter *arbiter, const struct arbiter_vcpu *vcpu,
				uint16_t level1024)
{
	const struct placement_config *classes = &arbiter->config.classes;
	uint16_t capacity1024 = arbiter->cpus[vcpu->cpu].capacity1024;

	if (arbiter->config.energy_aware && classes->n_classes > 1 && !vcpu->pinned) {
		unsigned class = placement_class_for(classes, level1024, &vcpu->allowed);

		capacity1024 = MIN(capacity1024, classes->classes[class].capacity1024);
	}
	return capacity1024;
}

/* What its own level asks for, within the budget. Cut, it isn't in steps, for a step more may be
 * more than there is; it stays where it is if that is less by less than a step. */
static uint16_t own_floor(const struct arbiter *arbiter, const struct arbiter_vcpu *vcpu,
			  const struct level_config *config)
{
	uint16_t most1024 = arbiter_budget_cut(arbiter, vcpu->domain, vcpu->own1024);
	bool is_near = vcpu->floor1024 <= most1024 && vcpu->floor1024 + config->step > most1024;

	return most1024 < vcpu->own1024 && is_near ? vcpu->floor1024 : most1024;
}

static uint16_t floor_now(struct arbiter *arbiter, struct arbiter_vcpu *vcpu,
			  const struct level_config *config, uint16_t level1024, uint64_t now_usec,
			  uint64_t *ret_next_usec)
{
	const struct level_config plain =
		levels_for(arbiter, arbiter_cpu_is_shared(arbiter, vcpu)
					    ? GOAL_BALANCED
					    : arbiter->domains[vcpu->domain].grant.goal);
	uint16_t max1024 = arbiter->domains[vcpu->domain].grant.floor_max1024, floor1024;
	uint64_t cpu_usec, room_usec;
	uint16_t together1024 = arbiter_cpu_level(arbiter, vcpu, &plain, now_usec, &cpu_usec);
	uint16_t around1024 = arbiter_cpu_around(arbiter, vcpu);

	floor1024 = arbiter_budget_room(arbiter, vcpu, own_floor(arbiter, vcpu, config), now_usec,
					&room_usec);
	vcpu->alone1024 = floor1024;
	together1024 = MAX(together1024, around1024);
	if (level1024 > 0 && together1024 > level1024) {
		uint16_t most1024 = MIN(most_for_others(arbiter, vcpu, level1024), max1024);
		uint16_t others1024 = level_floor(config, together1024, vcpu->floor1024, most1024);

		floor1024 = MAX(floor1024, others1024);
	}
	*ret_next_usec = MIN(cpu_usec, room_usec);
	return floor1024;
}

static bool may_have_ceiling(const struct arbiter *arbiter, const struct arbiter_vcpu *vcpu)
{
	const struct arbiter_domain *domain = &arbiter->domains[vcpu->domain];

	return arbiter->config.ceilings && arbiter->config.invariant && vcpu->report.trusted &&
	       !vcpu->report.saturated &&
	       (domain->grant.goal == GOAL_BALANCED || domain->grant.goal == GOAL_ENERGY) &&
	       vcpu->scale.stolen < STOLEN_LEAST * CAPACITY_SCALE &&
	       !arbiter_cpu_is_shared(arbiter, vcpu);
}

static uint16_t ceiling_now(const struct arbiter *arbiter, const struct arbiter_vcpu *vcpu,
			    const struct level_config *config, uint16_t floor1024,
			    uint64_t now_usec, uint64_t *ret_next_usec)
{
	uint16_t min1024 = MAX(arbiter->config.ceiling_min1024, floor1024);

	*ret_next_usec = USEC_INFINITY;
	return may_have_ceiling(arbiter, vcpu)
		       ? level_ceiling(&vcpu->most, config, vcpu->ceiling1024, min1024, now_usec,
				       ret_next_usec)
		       : LEVEL_NO_CEILING;
}

/* Siblings that need less than its level go by it. */
static void tell_siblings(struct arbiter *arbiter, const struct arbiter_vcpu *vcpu,
			  uint16_t level1024)
{
	unsigned step = MAX(arbiter->config.level.step, 1U);
	bool moves = level1024 >= vcpu->share1024 + step || level1024 + step <= vcpu->share1024;

	if (moves && arbiter_cpu_is_gone_by(arbiter, vcpu, MAX(level1024, vcpu->share1024)))
		arbiter_queue(arbiter, vcpu->domain);
}

void arbiter_want(struct arbiter *arbiter, uint32_t i, unsigned k, uint64_t now_usec,
		  struct arbiter_want *ret, uint64_t *ret_next_usec)
{
	const struct arbiter_domain *domain = &arbiter->domains[i];
	struct arbiter_vcpu *vcpu = &domain->vcpus[k];
	const struct level_config config = levels_for(arbiter, domain->grant.goal);
	uint64_t level_usec, most_usec, share_usec, cpu_usec, ceiling_usec;
	bool left = vcpu->left;
	uint16_t level1024;

	vcpu->left = false;
	vcpu->demand1024 = demand_now(domain, vcpu, now_usec);
	level1024 = level_move(&vcpu->level, &config, vcpu->demand1024, left, now_usec, &level_usec);
	level_move(&vcpu->most, &config,
		   scale_most(&vcpu->scale, &domain->table, vcpu->report.demand1024), left, now_usec,
		   &most_usec);
	/* Where there isn't enough for all nothing is kept for those who sleep. */
	if (arbiter_budget_is_short(
		    arbiter, vcpu,
		    level_floor(&config, level1024, vcpu->held1024, domain->grant.floor_max1024)))
		level1024 = vcpu->demand1024;
	arbiter_budget_put(
		arbiter, vcpu,
		level_floor(&config, level1024, vcpu->own1024, domain->grant.floor_max1024));
	arbiter_budget_share(arbiter, now_usec, &share_usec);
	level1024 = arbiter_budget_cut(arbiter, i, level1024);
	tell_siblings(arbiter, vcpu, level1024);
	vcpu->share1024 = level1024;
	arbiter_cpu_part(arbiter, vcpu, MIN(vcpu->demand1024, level1024), left);
	vcpu->floor1024 = floor_now(arbiter, vcpu, &config, level1024, now_usec, &cpu_usec);
	vcpu->ceiling1024 =
		ceiling_now(arbiter, vcpu, &config, vcpu->floor1024, now_usec, &ceiling_usec);
	*ret = (struct arbiter_want){.level1024 = level1024,
				     .floor1024 = vcpu->floor1024,
				     .ceiling1024 = vcpu->ceiling1024,
				     .hurry = arbiter->gets < arbiter->wants,
				     .shares = arbiter_cpu_is_shared(arbiter, vcpu)};
	*ret_next_usec = MIN(MIN(MIN(level_usec, most_usec), share_usec),
			     MIN(cpu_usec, ceiling_usec));
}
