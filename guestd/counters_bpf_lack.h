/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Why the eBPF source can't be had. Pure. */
#pragma once

enum counters_bpf_lack {
	COUNTERS_BPF_FINE,
	COUNTERS_BPF_NOT_BUILT, /* there was no clang, bpftool or libbpf */
	COUNTERS_BPF_NO_BTF,	/* no /sys/kernel/btf/vmlinux: CONFIG_DEBUG_INFO_BTF is not set */
	COUNTERS_BPF_NO_CAPABILITY, /* not CAP_BPF and CAP_PERFMON, nor CAP_SYS_ADMIN */
	COUNTERS_BPF_FORBIDDEN,	    /* has them, and is refused: seccomp, lockdown, a container */
	COUNTERS_BPF_NO_TRACEPOINT, /* a kernel before 5.10, or without CONFIG_SMP */
	COUNTERS_BPF_NO_MEMORY,
	COUNTERS_BPF_REJECTED, /* by the verifier, or for lack of a field of the kernel's */
	COUNTERS_BPF_N,
};

/* Where it went wrong. */
enum counters_bpf_stage {
	COUNTERS_BPF_BUILD,
	COUNTERS_BPF_BTF,
	COUNTERS_BPF_CAPABILITY,
	COUNTERS_BPF_LOAD, /* and what comes after it */
};

/* A sentence's end for status and the log: "no eBPF: …". "fine" for COUNTERS_BPF_FINE and for what
 * is none. */
const char *counters_bpf_lack_text(enum counters_bpf_lack lack);

/* What a failure of the stage with that -errno comes to. */
enum counters_bpf_lack counters_bpf_lack_of(enum counters_bpf_stage stage, int error);
