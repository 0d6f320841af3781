/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From what a vCPU should have to the writes that this takes: only what changed, and not too often.
 * Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/cpumask.h"

enum plan_op {
	PLAN_NOTHING = 0,
	PLAN_SET_FLOOR = 1 << 0,
	PLAN_CLEAR_FLOOR = 1 << 1, /* put back what was there before us */
	PLAN_SET_CPUS = 1 << 2,
	PLAN_CLEAR_CPUS = 1 << 3,
};

/* What a vCPU's thread should have: a floor of 0 and placed false mean "as without us". */
struct plan_want {
	uint16_t floor1024;
	bool placed;
	struct cpumask cpus;
};

/* What we have given it. */
struct plan_have {
	uint16_t floor1024;
	bool placed;
	struct cpumask cpus;
	uint64_t floor_written_usec; /* 0: never */
};

/* The writes that lead from have to want: enum plan_op, or-ed. A floor is written at most once in
 * interval_usec; until then it waits and *ret_next_usec says when its turn is (USEC_INFINITY if
 * nothing waits). */
unsigned plan_vcpu(const struct plan_have *have, const struct plan_want *want,
		   uint64_t interval_usec, uint64_t now_usec, uint64_t *ret_next_usec);

/* Notes that one of the writes was done. */
void plan_done(struct plan_have *have, const struct plan_want *want, enum plan_op op,
	       uint64_t now_usec);
