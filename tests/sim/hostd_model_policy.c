/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the simulated hostd's demands to what its threads should have. This file alone is another
 * when the policy is: as run_vcpu() of hostd/domain.c, which asks hostd/policy.c and
 * hostd/placement.c for each vCPU by itself. What a look tells (struct thread_seen, struct
 * cpu_seen) isn't used yet. */
#include "common/macro.h"
#include "hostd/limits.h"
#include "tests/sim/hostd_model_private.h"

#define GOAL_OFF 3U

const uint64_t hostd_policy_look_nsec = 0;

/* The operator's word, as limit_floor_max() of what `vmfreqctl limit` says. */
static struct policy_config config_of(const struct hostd_domain *domain)
{
	struct policy_config config = domain->host->policy;

	config.floor_max = MIN(config.floor_max, domain->agent->floor_max1024);
	return config;
}

static uint64_t run_vcpu(struct hostd_domain *domain, unsigned i, uint64_t now_usec)
{
	const struct hostd_model *host = domain->host;
	const struct policy_config config = config_of(domain);
	struct hostd_vcpu *vcpu = &domain->vcpus[i];
	uint64_t next_floor, next_place = USEC_INFINITY, next_plan;
	uint16_t demand1024 = domain->demands[i].util1024;
	bool knows = domain->has_hello && !domain->demand.lapsed;
	struct plan_want want = {};

	want.floor1024 = policy_floor(&vcpu->floor, &config, demand1024, now_usec, &next_floor);
	if (vcpu->cpus_are_theirs)
		want.placed = vcpu->have.placed, want.cpus = vcpu->have.cpus;
	else if (knows && host->has_cpus)
		want.placed = placement_choose(&vcpu->placement, &host->placement, demand1024,
					       &vcpu->allowed, now_usec, &want.cpus, &next_place);
	else
		vcpu->placement = (struct placement_state){};
	if (!vcpu->thread)
		return MIN(next_floor, next_place);
	next_plan = hostd_write(domain, i, &want, now_usec);
	return MIN(next_plan, MIN(next_floor, next_place));
}

uint64_t hostd_policy_run(struct hostd_domain *domain, uint64_t now_usec)
{
	uint64_t next_usec = USEC_INFINITY;

	if (domain->agent->goal == GOAL_OFF)
		return USEC_INFINITY;
	for (unsigned i = 0; i < domain->n_vcpus; i++) {
		uint64_t vcpu_next = run_vcpu(domain, i, now_usec);

		next_usec = MIN(next_usec, vcpu_next);
	}
	return next_usec;
}

void hostd_policy_looked(_unused_ struct hostd_model *host, _unused_ uint64_t now_usec)
{
}
