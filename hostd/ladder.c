/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which means of setting floors this host gets, and why. Pure. */
#include "hostd/ladder.h"

#include <string.h>

#include "common/macro.h"

#define NO_UCLAMP "this kernel is built without uclamp (CONFIG_UCLAMP_TASK)"
#define MIN_FREQ  "scaling_min_freq of the CPUs that vCPUs run on, so no ceilings"

static bool is_active(const struct cpufreq_policy *policy)
{
	return strcmp(policy->driver, "intel_pstate") == 0 ||
	       strcmp(policy->driver, "amd-pstate-epp") == 0;
}

static struct cpumask *kind_of(const struct cpufreq_policy *policy, struct governors *governors)
{
	if (strcmp(policy->governor, "performance") == 0)
		return &governors->performance;
	if (is_active(policy))
		return &governors->active;
	if (strcmp(policy->governor, "schedutil") == 0)
		return &governors->schedutil;
	return &governors->other;
}

void ladder_governors(const struct topology *topology, struct governors *ret)
{
	*ret = (struct governors){};
	CPUMASK_FOREACH(cpu, &topology->online) {
		uint16_t policy = topology->cpu[cpu].policy;

		if (policy < topology->n_policies)
			cpumask_set(kind_of(&topology->policy[policy], ret), cpu);
		else
			cpumask_set(&ret->none, cpu);
	}
}

static bool has_governor(const struct governors *governors)
{
	return !cpumask_is_empty(&governors->schedutil) ||
	       !cpumask_is_empty(&governors->performance) ||
	       !cpumask_is_empty(&governors->active) || !cpumask_is_empty(&governors->other);
}

/* Whether each CPU that has a cpufreq has schedutil. */
static bool all_obey(const struct governors *governors)
{
	return !cpumask_is_empty(&governors->schedutil) &&
	       cpumask_is_empty(&governors->performance) && cpumask_is_empty(&governors->active) &&
	       cpumask_is_empty(&governors->other);
}

static bool all_at_highest(const struct governors *governors)
{
	return !cpumask_is_empty(&governors->performance) &&
	       cpumask_is_empty(&governors->schedutil) && cpumask_is_empty(&governors->active) &&
	       cpumask_is_empty(&governors->other);
}

static const char *uclamp_reason(const struct governors *governors)
{
	if (all_obey(governors))
		return "uclamp.min";
	if (!has_governor(governors))
		return "uclamp.min, but this host has no cpufreq: no frequency will follow";
	if (all_at_highest(governors))
		return "uclamp.min, for the choice of cores alone: the performance governor holds "
		       "all frequencies at their highest";
	return "uclamp.min, but not every CPU's governor is schedutil: those frequencies won't "
	       "follow";
}

static enum rung off(const char **ret_reason, const char *reason)
{
	*ret_reason = reason;
	return RUNG_OFF;
}

static const char *nothing_reason(const struct ladder_facts *facts)
{
	if (facts->uclamp != -EOPNOTSUPP)
		return "uclamp can't be used (sched_setattr fails), nor scaling_min_freq";
	if (facts->min_freq == -ENOENT)
		return NO_UCLAMP ", and this host has no cpufreq";
	return NO_UCLAMP ", and scaling_min_freq can't be written";
}

static const char *uclamp_problem(const struct ladder_facts *facts)
{
	return facts->uclamp == -EOPNOTSUPP ? NO_UCLAMP
					    : "uclamp can't be used: sched_setattr fails";
}

static enum rung choose_cpufreq(const struct ladder_facts *facts, const char **ret_reason)
{
	if (facts->min_freq == -ENOENT)
		return off(ret_reason, "this host has no cpufreq");
	if (facts->min_freq < 0)
		return off(ret_reason, "scaling_min_freq can't be written");
	*ret_reason = MIN_FREQ;
	return RUNG_CPUFREQ;
}

/* Why uclamp isn't the means although there is another. */
static const char *fallback_reason(const struct ladder_facts *facts)
{
	if (facts->uclamp == -EOPNOTSUPP)
		return NO_UCLAMP ": " MIN_FREQ;
	if (facts->uclamp < 0)
		return "uclamp can't be used, sched_setattr fails: " MIN_FREQ;
	if (!cpumask_is_empty(&facts->governors.active))
		return "uclamp does nothing under intel_pstate or amd-pstate in active "
		       "mode: " MIN_FREQ;
	return "uclamp does nothing where the governor isn't schedutil: " MIN_FREQ;
}

static enum rung choose_auto(const struct ladder_facts *facts, const char **ret_reason)
{
	const struct governors *governors = &facts->governors;
	bool has_uclamp = facts->uclamp >= 0;

	if (all_at_highest(governors) && !(has_uclamp && facts->classes))
		return off(ret_reason, "not needed: the performance governor holds all "
				       "frequencies at their highest");
	if (!has_uclamp && facts->min_freq < 0)
		return off(ret_reason, nothing_reason(facts));
	if (!has_uclamp || (has_governor(governors) && !all_obey(governors) &&
			    !all_at_highest(governors) && facts->min_freq >= 0)) {
		*ret_reason = fallback_reason(facts);
		return RUNG_CPUFREQ;
	}
	*ret_reason = uclamp_reason(governors);
	return RUNG_THREAD;
}

enum rung ladder_choose(const struct ladder_facts *facts, const char **ret_reason)
{
	switch (facts->choice) {
	case ACTUATOR_OFF:
		return off(ret_reason, "actuator = off");
	case ACTUATOR_CPUFREQ:
		return choose_cpufreq(facts, ret_reason);
	case ACTUATOR_THREAD:
		if (facts->uclamp < 0)
			return off(ret_reason, uclamp_problem(facts));
		*ret_reason = uclamp_reason(&facts->governors);
		return RUNG_THREAD;
	case ACTUATOR_CGROUP:
		if (!facts->uclamp_files)
			return off(ret_reason, NO_UCLAMP);
		*ret_reason = uclamp_reason(&facts->governors);
		return RUNG_CGROUP;
	case ACTUATOR_AUTO:
		break;
	}
	return choose_auto(facts, ret_reason);
}
