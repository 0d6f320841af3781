/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What in this guest makes its signal mislead or less than it could be, or its cpufreq useless.
 * Pure: facts in, a set out. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guestd/counters_bpf_lack.h"
#include "proto/message.h"

struct concern_facts {
	bool sched_ext;			 /* sched_ext_read() */
	bool wants_cpufreq;		 /* the settings do; else nobody misses it */
	unsigned policies;		 /* of cpufreq, */
	unsigned virt;			 /* of them CPUFREQ_HOLD_VIRT, */
	unsigned theirs;		 /* CPUFREQ_HOLD_THEIRS, */
	unsigned never;			 /* CPUFREQ_HOLD_NEVER */
	unsigned lacks;			 /* enum counters_proc_lack */
	enum counters_bpf_lack bpf_lack; /* COUNTERS_BPF_FINE also where nobody wants eBPF */
};

/* The set, as it goes into a NOTICE: bit n is enum notice_concern n. */
uint32_t concern_decide(const struct concern_facts *facts);

/* For this guest's administrator: what it is, what it does and what helps, in a sentence. NULL if
 * there is no such concern. lacks tells the reasons of one apart. */
const char *concern_explain(enum notice_concern concern, unsigned lacks);
