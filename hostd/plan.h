/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From what a vCPU should have to the writes that this takes: only what changed, and not too often.
 * Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/cpumask.h"
#include "hostd/clamps.h"

enum plan_op {
	PLAN_NOTHING = 0,
	PLAN_SET_CLAMPS = 1 << 0,   /* floor and ceiling, together */
	PLAN_CLEAR_CLAMPS = 1 << 1, /* put back what was there before us */
	PLAN_SET_CPUS = 1 << 2,
	PLAN_CLEAR_CPUS = 1 << 3,
};

/* What a vCPU's thread should have: a floor of 0, a ceiling of 1024 (or 0) and placed false mean
 * "as without us". A ceiling below the floor is raised to it. */
struct plan_want {
	uint16_t floor1024, ceiling1024;
	bool placed;
	struct cpumask cpus;
};

/* What we have given it: likewise. */
struct plan_have {
	uint16_t floor1024, ceiling1024;
	bool placed;
	struct cpumask cpus;
	uint64_t written_usec; /* floor or ceiling; 0: never */
};

/* How often floor and ceiling are written. Each write brings both to what is wanted. */
struct plan_pace {
	uint64_t write_interval_usec; /* between any two writes */
	/* From any write to one that raises neither: such a one can wait, and would keep a rise
	 * that comes right behind it waiting. Counts if it is the longer. */
	uint64_t lower_interval_usec;
};

/* The floor and the ceiling that are wanted: what PLAN_SET_CLAMPS is to write. */
struct clamps plan_clamps(const struct plan_want *want);

/* And those that stand there by our hand. */
struct clamps plan_stands(const struct plan_have *have);

/* The writes that lead from have to want: enum plan_op, or-ed. Floor and ceiling are one write. It
 * waits for its turn by *pace, and *ret_next_usec says when that is (USEC_INFINITY if nothing
 * waits). */
unsigned plan_vcpu(const struct plan_have *have, const struct plan_want *want,
		   const struct plan_pace *pace, uint64_t now_usec, uint64_t *ret_next_usec);

/* Whether floor or ceiling is to rise. Such writes come first. */
bool plan_raises(const struct plan_have *have, const struct plan_want *want);

/* Whether a write that led from the one to the other raises so much that a thread which runs
 * shouldn't wait for the kernel's next look at the frequency: nudge.h. */
bool plan_nudges(struct clamps from, struct clamps to);

/* Notes that one of the writes was done. */
void plan_done(struct plan_have *have, const struct plan_want *want, enum plan_op op,
	       uint64_t now_usec);
