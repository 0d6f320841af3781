/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Why the eBPF source can't be had. Pure. */
#include "guestd/counters_bpf_lack.h"

#include "common/macro.h"

const char *counters_bpf_lack_text(enum counters_bpf_lack lack)
{
	static const char *const texts[COUNTERS_BPF_N] = {
		[COUNTERS_BPF_FINE] = "fine",
		[COUNTERS_BPF_NOT_BUILT] = "built without it",
		[COUNTERS_BPF_NO_BTF] = "the kernel has no BTF",
		[COUNTERS_BPF_NO_CAPABILITY] = "CAP_BPF and CAP_PERFMON are missing",
		[COUNTERS_BPF_FORBIDDEN] = "forbidden by seccomp, lockdown or a container",
		[COUNTERS_BPF_NO_TRACEPOINT] = "the kernel lacks the scheduler's tracepoints",
		[COUNTERS_BPF_NO_MEMORY] = "not enough memory",
		[COUNTERS_BPF_REJECTED] = "the kernel rejects the programs",
	};

	return lack > COUNTERS_BPF_FINE && lack < COUNTERS_BPF_N ? texts[lack] : texts[0];
}

enum counters_bpf_lack counters_bpf_lack_of(enum counters_bpf_stage stage, int error)
{
	if (error >= 0)
		return COUNTERS_BPF_FINE;
	if (stage == COUNTERS_BPF_BUILD)
		return COUNTERS_BPF_NOT_BUILT;
	if (stage == COUNTERS_BPF_BTF)
		return COUNTERS_BPF_NO_BTF;
	if (stage == COUNTERS_BPF_CAPABILITY)
		return COUNTERS_BPF_NO_CAPABILITY;
	switch (error) {
	case -EPERM:
	case -ENOSYS: /* seccomp's, or a kernel without bpf() */
		return COUNTERS_BPF_FORBIDDEN;
	case -ESRCH: /* libbpf: BTF has no such tracepoint */
		return COUNTERS_BPF_NO_TRACEPOINT;
	case -ENOMEM:
		return COUNTERS_BPF_NO_MEMORY;
	default:
		return COUNTERS_BPF_REJECTED;
	}
}
