/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the operator says of a domain, by vmfreqctl and by the configuration, and that all of it is
 * put back. */
#include "hostd/domain_private.h"

#include <string.h>

#include "common/macro.h"

/* The cgroups of a domain are its own: what was opened in them for floors goes back with it. */
static void close_cgroups(struct domain *domain)
{
	static const char suffix[] = ".scope";
	char cgroup[THREAD_CGROUP_MAX];

	for (unsigned i = 0; i < domain->info.n_vcpus; i++) {
		const char *end = strstr(domain->vcpus[i].thread.cgroup, suffix);

		if (!end)
			continue;
		snprintf(cgroup, sizeof(cgroup), "%.*s",
			 (int)(end + strlen(suffix) - domain->vcpus[i].thread.cgroup),
			 domain->vcpus[i].thread.cgroup);
		actuator_close_cgroup(domain->env->actuator, cgroup);
		return;
	}
}

void domain_put_back(struct domain *domain)
{
	for (unsigned i = 0; i < domain->info.n_vcpus; i++) {
		struct vcpu *vcpu = &domain->vcpus[i];

		actuator_forget(domain->env->actuator, &vcpu->actuated);
		vcpu->have = (struct plan_have){};
		if (domain->number != ARBITER_NONE)
			domain_tell_floor(domain, i);
		vcpu->placement = (struct placement_state){};
		vcpu->retry_usec = 0;
		vcpu->error = 0;
	}
	close_cgroups(domain);
}

bool domain_is_off(const struct domain *domain)
{
	return domain->limit.released || domain->entitlement.goal == GOAL_OFF;
}

bool domain_is_quiet(const struct domain *domain)
{
	bool follows = domain->hello && domain->hello->cpufreq == CPUFREQ_OURS;

	return domain_is_off(domain) && !(follows && domain->entitlement.feedback);
}

/* Something of what the operator said is otherwise. */
static void follow(struct domain *domain)
{
	domain_tell_grant(domain);
	if (domain_is_off(domain))
		domain_put_back(domain);
	domain_run(domain);
	domain_tell_quiet(domain);
	if (domain->env->changed)
		domain->env->changed(domain->env->userdata);
}

void domain_set_limit(struct domain *domain, const struct domain_limit *limit)
{
	domain->limit = *limit;
	follow(domain);
}

bool domain_entitle(struct domain *domain)
{
	struct entitlement before = domain->entitlement;
	bool is_same;

	entitlement_resolve(domain->env->config, domain->info.name, domain->info.uuid,
			    &domain->entitlement);
	is_same = entitlement_equal(&before, &domain->entitlement);
	if (!is_same)
		follow(domain);
	return !is_same;
}
