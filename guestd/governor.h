/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* FEEDBACK -> the speed of each cpufreq policy of the guest. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/cpumask.h"
#include "proto/message.h"

#define GOVERNOR_SILENCE_USEC UINT64_C(15000000) /* the host sends a PING every 5 s at least */
#define GOVERNOR_INFORM_USEC  UINT64_C(1000000)
#define GOVERNOR_STEPS_MAX    64U

/* What a policy can do. Frequencies in kHz. */
struct governor_policy {
	struct cpumask cpus;
	uint32_t top_khz;		       /* cpuinfo_max_freq: what 1024 means */
	uint32_t min_khz, max_khz;	       /* scaling_min_freq and scaling_max_freq */
	unsigned n_steps;		       /* 0: it has no table, any value will do */
	uint32_t step_khz[GOVERNOR_STEPS_MAX]; /* ascending */
};

/* What was written to it last. Zero-initialised. */
struct governor_state {
	uint32_t written_khz;
	uint64_t written_usec;
};

struct governor {
	bool valid; /* FEEDBACK came on this connection, and the host was heard since */
	uint64_t heard_usec;
	uint16_t delivered1024[PROTO_CPUS_MAX]; /* 0: not told */
};

/* The host is not heard: every policy goes to its maximum, and stays there until FEEDBACK. */
void governor_reset(struct governor *governor);

/* A frame of any kind came from the host. */
void governor_hear(struct governor *governor, uint64_t now_usec);

/* A FEEDBACK came. CPUs that it doesn't name keep what was said of them. */
void governor_feed(struct governor *governor, const struct message_feedback *feedback,
		   uint64_t now_usec);

/* Resets when nothing came for GOVERNOR_SILENCE_USEC. */
void governor_check(struct governor *governor, uint64_t now_usec);

/* The speed for a policy, in kHz: top x delivered / 1024, delivered being capacity x freq /
 * freq_max of the host CPU, or its capacity alone while the host can't tell the frequency; the
 * largest over the policy's CPUs, for the fastest of them is what its tasks can get. The nearest
 * step that doesn't overstate it, within the policy's limits; the lowest allowed one if all do. The
 * maximum while the host said nothing of any of its CPUs. */
uint32_t governor_target(const struct governor *governor, const struct governor_policy *policy);

/* The least time between two writes to a policy. Where the kernel's load tracking doesn't follow
 * them they only inform whoever looks, and each may cost an exit to the VMM: GOVERNOR_INFORM_USEC
 * then, if not more was asked for. */
uint64_t governor_interval_usec(uint64_t asked_usec, bool follows);

/* How long a policy whose step has changed has to wait for its write: 0 if it need not, UINT64_MAX
 * if there is nothing to write. */
uint64_t governor_wait_usec(const struct governor *governor, const struct governor_policy *policy,
			    const struct governor_state *state, uint64_t interval_usec,
			    uint64_t now_usec);

/* The scale that a kernel whose load tracking follows cpufreq applies at khz, 1..1024: cur / max of
 * arch_set_freq_scale(). khz 0: not known, 1024. */
uint16_t governor_scale1024(const struct governor_policy *policy, uint32_t khz);

/* Whether to write *ret_khz at now_usec: the step has changed, and the last write is interval_usec
 * ago. Say governor_wrote() if it was written. */
bool governor_decide(const struct governor *governor, const struct governor_policy *policy,
		     const struct governor_state *state, uint64_t interval_usec, uint64_t now_usec,
		     uint32_t *ret_khz);
void governor_wrote(struct governor_state *state, uint32_t khz, uint64_t now_usec);
