/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What in this guest makes its signal mislead, or its cpufreq useless. Pure. */
#include "guestd/concern.h"

#include "common/macro.h"
#include "guestd/counters_proc.h"

#define NO_SCHEDSTAT                                                                               \
	(COUNTERS_PROC_NO_SCHEDSTAT | COUNTERS_PROC_SCHEDSTAT_VERSION |                            \
	 COUNTERS_PROC_SCHEDSTAT_BROKEN)

uint32_t concern_decide(const struct concern_facts *facts)
{
	const struct {
		enum notice_concern concern;
		bool holds;
	} rows[] = {
		{NOTICE_SCHED_EXT, facts->sched_ext},
		/* Whether we want cpufreq or not: that driver speaks to the host. */
		{NOTICE_VIRT_CPUFREQ, facts->virt > 0},
		{NOTICE_GOVERNOR, facts->wants_cpufreq && facts->theirs > 0},
		{NOTICE_NO_CPUFREQ, facts->wants_cpufreq && facts->policies == 0},
		{NOTICE_NO_USERSPACE, facts->wants_cpufreq && facts->never > 0},
		{NOTICE_NO_PSI, facts->lacks & COUNTERS_PROC_NO_PSI},
		{NOTICE_NO_SCHEDSTAT, facts->lacks & NO_SCHEDSTAT},
	};
	uint32_t concerns = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].holds)
			concerns |= UINT32_C(1) << rows[i].concern;
	return concerns;
}

static const char *explain_schedstat(unsigned lacks)
{
	if (lacks & COUNTERS_PROC_SCHEDSTAT_VERSION)
		return "/proc/schedstat is of a version that isn't known: utilization is from "
		       "/proc/stat alone, which is coarser";
	if (lacks & COUNTERS_PROC_SCHEDSTAT_BROKEN)
		return "/proc/schedstat can't be read: utilization is from /proc/stat alone, which "
		       "is coarser";
	return "there is no /proc/schedstat, for the kernel is built without CONFIG_SCHEDSTATS: "
	       "utilization is from /proc/stat alone, which is coarser";
}

const char *concern_explain(enum notice_concern concern, unsigned lacks)
{
	switch (concern) {
	case NOTICE_SCHED_EXT:
		return "a sched_ext scheduler runs the tasks: the signal counts run time in /proc, "
		       "which holds under any scheduler";
	case NOTICE_VIRT_CPUFREQ:
		return "the virt-cpufreq driver tells the VMM itself what this guest wants: its "
		       "policies are left alone, and the host may hear of two";
	case NOTICE_GOVERNOR:
		return "somebody else has set a cpufreq governor: that policy is theirs until "
		       "vmfreq-guestd starts again";
	case NOTICE_NO_CPUFREQ:
		return "this guest has no cpufreq, so it isn't told what the host delivers; its "
		       "utilization is streamed all the same";
	case NOTICE_NO_USERSPACE:
		return "a cpufreq policy has no userspace governor, or refuses it: it is left as "
		       "it "
		       "is; the kernel needs CONFIG_CPU_FREQ_GOV_USERSPACE";
	case NOTICE_NO_PSI:
		return "there is no /proc/pressure, for the kernel is built without CONFIG_PSI or "
		       "started with psi=0: reports go without it";
	case NOTICE_NO_SCHEDSTAT:
		return explain_schedstat(lacks);
	}
	return NULL;
}
