/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What makes a guest's signal mislead, or takes the use out of what is done for it: each has a name
 * for programs, and a text for the host's operator that says what it does and what helps. Pure.
 *
 * They are told, not acted on: hostd can't know what a wrong signal should have been, and a floor
 * that is too low only leaves the host as it was without vmfreq. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "hostd/ladder.h"
#include "hostd/testing.h"
#include "proto/message.h"

/* A set of them is a uint64_t. The low half is what the guest says of itself, with the numbers that
 * it uses in its NOTICE; the high half is what the host finds. */
#define CONCERN_BIT(concern)  (UINT64_C(1) << (concern))
#define CONCERN_N	      64U
#define CONCERN_OF_GUEST      UINT64_C(0xffffffff)
#define CONCERN_FIRST_OF_HOST 32U

enum concern_of_host {
	/* of a domain */
	CONCERN_REALTIME = CONCERN_FIRST_OF_HOST,
	CONCERN_QUOTA,
	CONCERN_CPU_IDS_UNKNOWN,
	CONCERN_CPU_IDS_WRONG,
	CONCERN_VCPU_OFFLINE,
	CONCERN_CLAIMS,
	/* of the host itself */
	CONCERN_HOST_SCHED_EXT = 48,
	CONCERN_ACTIVE_MODE,
	CONCERN_PERFORMANCE,
	CONCERN_GOVERNOR,
	CONCERN_NO_CPUFREQ,
	CONCERN_MIN_FREQ_TAKEN,
	CONCERN_MIN_FREQ_FAILED,
#ifdef ENABLE_TESTING
	CONCERN_TESTING_LISTENER,
#endif
};

/* Those that come of the ids in a HELLO. */
#define CONCERN_OF_IDENTITY                                                                        \
	(CONCERN_BIT(CONCERN_CPU_IDS_UNKNOWN) | CONCERN_BIT(CONCERN_CPU_IDS_WRONG))

/* "sched_ext"; NULL if there is no such concern. */
const char *concern_name(unsigned concern);

/* One sentence or two, without a newline. signal is the guest's (enum hello_signal, 0 if not
 * known), for what misleads one may leave the other alone. NULL if there is no such concern. */
const char *concern_text(unsigned concern, unsigned signal);

/* What is known of the host itself. */
struct concern_facts {
	struct governors governors;
	bool sched_ext;
	struct cpumask taken;  /* whose scaling_min_freq somebody else has set since */
	struct cpumask failed; /* whose scaling_min_freq couldn't be written */
#ifdef ENABLE_TESTING
	bool testing_listener; /* reports may be made up */
#endif
};

/* Which concerns follow from it. */
uint64_t concern_of_host(const struct concern_facts *facts);

/* The CPUs that one of them is about; NULL if it is about all. */
const struct cpumask *concern_cpus(const struct concern_facts *facts, unsigned concern);

/* The same in words: "CPUs 0-3", or "". CONCERN_DETAIL_MAX always fits. */
#define CONCERN_DETAIL_MAX (CPUMASK_TEXT_MAX + sizeof("CPUs "))
void concern_detail(const struct concern_facts *facts, unsigned concern, char *ret, size_t size);
