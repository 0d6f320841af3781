/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What runs on the host's CPUs besides the threads of vCPUs that report. Pure.
 *
 * A CPU's busy time is what wasn't idle (/proc/stat: prompt, in units of 10 ms that don't add up to
 * an error); from that goes what the threads of vCPUs ran there (their schedstat, exact). The rest,
 * at the speed that the CPU had, is the other load: QEMU's own threads, vhost, other domains, the
 * host's services. Smoothed with a half-life of 250 ms: over 50 ms the unit alone is a fifth, and
 * it doesn't follow a burst of the host's own; schedutil does, for that is no thread of ours. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/cpumask.h"

#define OTHERLOAD_LOOK_USEC UINT64_C(50000)

/* Of one CPU. Zero-initialised: nothing is known. */
struct otherload {
	uint64_t stamp_nsec; /* of the last look; 0: there was none */
	uint64_t idle_nsec;
	uint64_t vcpus_nsec; /* what threads of vCPUs have run there since */
	int32_t mean;	     /* 1/1024 of 1/1024; a little below zero by the unit's error */
};

/* A thread that was seen on the CPU has run for so long since it was seen before. */
void otherload_vcpu(struct otherload *load, uint64_t run_nsec);

/* A look at stamp_nsec, when the CPU had idled (iowait included) for idle_nsec since ever and
 * delivers delivered1024 (1..1024). The other load in 1/1024 of the largest CPU. A first look, one
 * that goes back, and one after more than a second say nothing: what was known stays. */
uint16_t otherload_look(struct otherload *load, uint64_t idle_nsec, uint16_t delivered1024,
			uint64_t stamp_nsec);
