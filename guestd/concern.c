/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What in this guest makes its signal mislead or less than it could be, or its cpufreq useless.
 * Pure. */
#include "guestd/concern.h"

#include "common/macro.h"
#include "guestd/counters_proc.h"

#define NO_SCHEDSTAT                                                                               \
	(COUNTERS_PROC_NO_SCHEDSTAT | COUNTERS_PROC_SCHEDSTAT_VERSION |                            \
	 COUNTERS_PROC_SCHEDSTAT_BROKEN)

/* Of each enum counters_bpf_lack: the host is told the reason. */
static const enum notice_concern of_bpf_lack[COUNTERS_BPF_N] = {
	[COUNTERS_BPF_NOT_BUILT] = NOTICE_EBPF_NOT_BUILT,
	[COUNTERS_BPF_NO_BTF] = NOTICE_EBPF_NO_BTF,
	[COUNTERS_BPF_NO_CAPABILITY] = NOTICE_EBPF_NO_CAPABILITY,
	[COUNTERS_BPF_FORBIDDEN] = NOTICE_EBPF_FORBIDDEN,
	[COUNTERS_BPF_NO_TRACEPOINT] = NOTICE_EBPF_NO_TRACEPOINT,
	[COUNTERS_BPF_NO_MEMORY] = NOTICE_EBPF_NO_MEMORY,
	[COUNTERS_BPF_REJECTED] = NOTICE_EBPF_REJECTED,
};

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
		{of_bpf_lack[facts->bpf_lack], facts->bpf_lack != COUNTERS_BPF_FINE},
	};
	uint32_t concerns = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].holds)
			concerns |= UINT32_C(1) << rows[i].concern;
	return concerns;
}

/* What all lacks of eBPF come to. */
#define BY_PROC                                                                                    \
	": utilization is from counters in /proc, which tell of a change later and at a higher "   \
	"price; signal = proc says that this is meant"

#define BY_STAT                                                                                    \
	": where eBPF doesn't say it, utilization is from /proc/stat alone, which is coarser"

static const char *explain_schedstat(unsigned lacks)
{
	if (lacks & COUNTERS_PROC_SCHEDSTAT_VERSION)
		return "/proc/schedstat is of a version that isn't known" BY_STAT;
	if (lacks & COUNTERS_PROC_SCHEDSTAT_BROKEN)
		return "/proc/schedstat can't be read" BY_STAT;
	return "there is no /proc/schedstat, for the kernel is built without "
	       "CONFIG_SCHEDSTATS" BY_STAT;
}

const char *concern_explain(enum notice_concern concern, unsigned lacks)
{
	switch (concern) {
	case NOTICE_SCHED_EXT:
		return "a sched_ext scheduler runs the tasks: utilization is from /proc, which "
		       "counts run time under any scheduler; what eBPF reads, with signal = ebpf, "
		       "stays near zero then";
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
	case NOTICE_EBPF_NOT_BUILT:
		return "vmfreq-guestd is built without its eBPF programs, which takes clang, "
		       "bpftool and libbpf" BY_PROC;
	case NOTICE_EBPF_NO_BTF:
		return "there is no /sys/kernel/btf/vmlinux, for the kernel is built without "
		       "CONFIG_DEBUG_INFO_BTF, so there is no eBPF" BY_PROC;
	case NOTICE_EBPF_NO_CAPABILITY:
		return "CAP_BPF and CAP_PERFMON, which the unit grants, are missing, so there is "
		       "no eBPF" BY_PROC;
	case NOTICE_EBPF_FORBIDDEN:
		return "seccomp (the unit's SystemCallFilter), lockdown or a container forbids "
		       "eBPF" BY_PROC;
	case NOTICE_EBPF_NO_TRACEPOINT:
		return "the kernel lacks the scheduler's tracepoints, which take Linux 5.10 with "
		       "CONFIG_SMP, so there is no eBPF" BY_PROC;
	case NOTICE_EBPF_NO_MEMORY:
		return "there wasn't enough memory for the eBPF programs, which are tried again "
		       "at the next start" BY_PROC;
	case NOTICE_EBPF_REJECTED:
		return "the kernel rejects the eBPF programs; a newer vmfreq-guestd may fit "
		       "it" BY_PROC;
	}
	return NULL;
}
