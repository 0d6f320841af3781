/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What makes a guest's signal mislead, or takes the use out of what is done for it. Pure. */
#include "hostd/concern.h"

#include "common/macro.h"

/* What all lacks of eBPF come to. */
#define BY_PROC                                                                                    \
	": its utilization is from counters in /proc, which tell of a change later and of a task " \
	"that moves not at all"

static const struct concern {
	unsigned concern;
	const char *name, *text;
} concerns[] = {
	{NOTICE_SCHED_EXT, "sched_ext",
	 "a sched_ext scheduler runs the guest's tasks; its signal counts run time in /proc, which "
	 "holds under any scheduler"},
	{NOTICE_VIRT_CPUFREQ, "virt_cpufreq",
	 "the guest's virt-cpufreq driver tells the VMM itself what it wants, so two may set "
	 "uclamp.min of one thread; take that device from the VM, or stop vmfreq-guestd in it"},
	{NOTICE_GOVERNOR, "governor",
	 "somebody in the guest has chosen a cpufreq governor, so the guest isn't told what it "
	 "gets; restart vmfreq-guestd in it to have it set again"},
	{NOTICE_NO_CPUFREQ, "no_cpufreq",
	 "the guest has no cpufreq, so it believes that its CPUs run at one fixed speed; its "
	 "demand is heard all the same"},
	{NOTICE_NO_USERSPACE, "no_userspace_governor",
	 "the guest's kernel has no userspace governor (CONFIG_CPU_FREQ_GOV_USERSPACE), or its "
	 "cpufreq driver refuses it, so the guest isn't told what it gets"},
	{NOTICE_NO_PSI, "no_psi",
	 "the guest has no /proc/pressure (CONFIG_PSI, or psi=1 on its command line), so nobody "
	 "sees whether its tasks wait"},
	{NOTICE_NO_SCHEDSTAT, "no_schedstat",
	 "the guest has no /proc/schedstat that is understood (CONFIG_SCHEDSTATS), so where eBPF "
	 "doesn't say it utilization is of /proc/stat alone, in steps of 10 ms"},
	{NOTICE_EBPF_NOT_BUILT, "ebpf_not_built",
	 "the guest's vmfreq-guestd is built without its eBPF programs" BY_PROC
	 "; build it with clang, bpftool and libbpf"},
	{NOTICE_EBPF_NO_BTF, "ebpf_no_btf",
	 "the guest has no /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF), without which eBPF "
	 "can't read its scheduler" BY_PROC "; take a kernel that has it"},
	{NOTICE_EBPF_NO_CAPABILITY, "ebpf_no_capability",
	 "vmfreq-guestd in the guest has no CAP_BPF and CAP_PERFMON, so no eBPF" BY_PROC
	 "; its unit grants both, see the drop-ins there"},
	{NOTICE_EBPF_FORBIDDEN, "ebpf_forbidden",
	 "seccomp, lockdown or a container forbids eBPF to vmfreq-guestd in the guest" BY_PROC
	 "; see its unit's SystemCallFilter and /sys/kernel/security/lockdown there"},
	{NOTICE_EBPF_NO_TRACEPOINT, "ebpf_no_tracepoint",
	 "the guest's kernel lacks the scheduler's tracepoints that eBPF would be called by" BY_PROC
	 "; they take Linux 5.10 with CONFIG_SMP"},
	{NOTICE_EBPF_NO_MEMORY, "ebpf_no_memory",
	 "the guest hadn't enough memory for the eBPF programs of vmfreq-guestd" BY_PROC
	 "; restart it there once it has"},
	{NOTICE_EBPF_REJECTED, "ebpf_rejected",
	 "the guest's kernel rejects the eBPF programs of vmfreq-guestd" BY_PROC
	 "; a newer vmfreq-guestd may fit that kernel"},
	{CONCERN_REALTIME, "realtime",
	 "its vCPUs have a real-time policy: schedutil runs those at the highest frequency "
	 "whatever "
	 "their demand, so floors change nothing; take <vcpusched> from the domain's <cputune> to "
	 "have frequencies follow"},
	{CONCERN_QUOTA, "quota",
	 "a quota (cpu.max) stops its vCPUs however fast their CPUs are, so its guest's demand "
	 "misleads and a floor can't help; take <quota>, <vcpu_quota> or <global_quota> from the "
	 "domain's <cputune>, or cpu.max from the slice above"},
	{CONCERN_CPU_IDS_UNKNOWN, "cpu_ids_unknown",
	 "which vCPU a CPU of the guest is isn't known by its id (APIC id or MPIDR), so the "
	 "guest's "
	 "number is taken for the vCPU's index: wrong if vCPUs were plugged in out of order; a "
	 "newer vmfreq-guestd may know the ids"},
	{CONCERN_CPU_IDS_WRONG, "cpu_ids_wrong",
	 "the ids of the guest's CPUs (APIC ids or MPIDRs) aren't those that QEMU gives to the "
	 "vCPUs of this domain, so none is believed and the guest's number is taken for the vCPU's "
	 "index; see <topology> in the domain's XML, and who speaks there"},
	{CONCERN_VCPU_OFFLINE, "vcpu_offline",
	 "the guest reports of a CPU whose vCPU isn't plugged in, as far as libvirt says and a "
	 "thread shows: its demand is left alone until it is"},
	{CONCERN_CLAIMS, "claims",
	 "its guest claims more than its vCPU threads run, so it is held down to what they use, with "
	 "a quarter to spare, until its claims are true again; see who speaks there in the name of "
	 "vmfreq-guestd, and uclamp.min of the tasks there"},
	{CONCERN_HOST_SCHED_EXT, "host_sched_ext",
	 "a sched_ext scheduler is in charge of this host and may pay no heed to uclamp.min; stop "
	 "it, or set actuator = cpufreq"},
	{CONCERN_ACTIVE_MODE, "active_mode",
	 "intel_pstate or amd-pstate is in active mode, which chooses frequencies without the "
	 "scheduler: uclamp.min does nothing, scaling_min_freq does; put it in passive mode with "
	 "schedutil (intel_pstate=passive or amd_pstate=passive on the kernel's command line)"},
	{CONCERN_PERFORMANCE, "performance_governor",
	 "the governor is performance, always the highest frequency: floors change nothing; write "
	 "schedutil to scaling_governor to have frequencies follow demand"},
	{CONCERN_GOVERNOR, "host_governor",
	 "the governor isn't schedutil and doesn't read uclamp.min: only scaling_min_freq reaches "
	 "it; write schedutil to scaling_governor"},
	{CONCERN_NO_CPUFREQ, "host_no_cpufreq",
	 "this host has no cpufreq, so no frequency follows a floor; load its driver, or let the "
	 "firmware hand power management to the kernel"},
	{CONCERN_MIN_FREQ_TAKEN, "min_freq_taken",
	 "somebody else has set scaling_min_freq while a floor stood there, so it is left alone; "
	 "restart vmfreq-hostd once they are done with it"},
	{CONCERN_MIN_FREQ_FAILED, "min_freq_failed",
	 "scaling_min_freq can't be written, so vCPUs have no floor there: the reason stands with "
	 "each vCPU; is /sys read-only for vmfreq-hostd?"},
#ifdef ENABLE_TESTING
	{CONCERN_TESTING_LISTENER, "testing_listener",
	 "TESTING LISTENER ACTIVE: this is a TESTING BUILD, and root may report in the name of any "
	 "guest, so what is shown of guests may be made up; start it without --testing-listen, and "
	 "build it without --enable-testing"},
#endif
};

/* The kernel's util_avg is of the fair class, and under sched_ext no task is in that. */
static const char sched_ext_misleads[] =
	"a sched_ext scheduler runs the guest's tasks, and the util_avg that its eBPF signal reads "
	"stays near zero: floors are too low; set signal = proc in the guest, or stop that "
	"scheduler";

static const struct concern *find(unsigned concern)
{
	for (unsigned i = 0; i < ARRAY_SIZE(concerns); i++)
		if (concerns[i].concern == concern)
			return &concerns[i];
	return NULL;
}

const char *concern_name(unsigned concern)
{
	const struct concern *found = find(concern);

	return found ? found->name : NULL;
}

const char *concern_text(unsigned concern, unsigned signal)
{
	const struct concern *found = find(concern);

	if (concern == NOTICE_SCHED_EXT && signal == SIGNAL_EBPF)
		return sched_ext_misleads;
	return found ? found->text : NULL;
}

const struct cpumask *concern_cpus(const struct concern_facts *facts, unsigned concern)
{
	switch (concern) {
	case CONCERN_ACTIVE_MODE:
		return &facts->governors.active;
	case CONCERN_PERFORMANCE:
		return &facts->governors.performance;
	case CONCERN_GOVERNOR:
		return &facts->governors.other;
	case CONCERN_MIN_FREQ_TAKEN:
		return &facts->taken;
	case CONCERN_MIN_FREQ_FAILED:
		return &facts->failed;
	default:
		return NULL;
	}
}

void concern_detail(const struct concern_facts *facts, unsigned concern, char *ret, size_t size)
{
	const struct cpumask *cpus = concern_cpus(facts, concern);
	char text[CPUMASK_TEXT_MAX];

	if (cpus && cpumask_format(cpus, text, sizeof(text)) > 0)
		snprintf(ret, size, "CPUs %s", text);
	else
		snprintf(ret, size, "%s", "");
}

uint64_t concern_of_host(const struct concern_facts *facts)
{
	const struct governors *governors = &facts->governors;
	uint64_t found = 0;

	if (facts->sched_ext)
		found |= CONCERN_BIT(CONCERN_HOST_SCHED_EXT);
	for (unsigned i = CONCERN_HOST_SCHED_EXT; i < CONCERN_N; i++) {
		const struct cpumask *cpus = concern_cpus(facts, i);

		if (cpus && !cpumask_is_empty(cpus))
			found |= CONCERN_BIT(i);
	}
	if (!cpumask_is_empty(&governors->none) && cpumask_is_empty(&governors->schedutil) &&
	    cpumask_is_empty(&governors->performance) && cpumask_is_empty(&governors->active) &&
	    cpumask_is_empty(&governors->other))
		found |= CONCERN_BIT(CONCERN_NO_CPUFREQ);
#ifdef ENABLE_TESTING
	if (facts->testing_listener)
		found |= CONCERN_BIT(CONCERN_TESTING_LISTENER);
#endif
	return found;
}
