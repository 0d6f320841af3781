/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What makes a guest's signal mislead, or takes the use out of what is done for it. Pure. */
#include "hostd/concern.h"

#include "common/macro.h"

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
	 "the guest has no /proc/schedstat that is understood (CONFIG_SCHEDSTATS), so its "
	 "utilization is of /proc/stat alone, in steps of 10 ms"},
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
