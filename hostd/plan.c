/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From what a vCPU should have to the writes that this takes. Pure. */
#include "hostd/plan.h"

#include "common/macro.h"

static unsigned plan_cpus(const struct plan_have *have, const struct plan_want *want)
{
	if (!want->placed)
		return have->placed ? PLAN_CLEAR_CPUS : PLAN_NOTHING;
	if (have->placed && cpumask_equal(&have->cpus, &want->cpus))
		return PLAN_NOTHING;
	return PLAN_SET_CPUS;
}

unsigned plan_vcpu(const struct plan_have *have, const struct plan_want *want,
		   uint64_t interval_usec, uint64_t now_usec, uint64_t *ret_next_usec)
{
	unsigned ops = plan_cpus(have, want);

	*ret_next_usec = USEC_INFINITY;
	if (have->floor1024 == want->floor1024)
		return ops;
	if (have->floor_written_usec > 0 && now_usec < have->floor_written_usec + interval_usec) {
		*ret_next_usec = have->floor_written_usec + interval_usec;
		return ops;
	}
	return ops | (want->floor1024 > 0 ? PLAN_SET_FLOOR : PLAN_CLEAR_FLOOR);
}

void plan_done(struct plan_have *have, const struct plan_want *want, enum plan_op op,
	       uint64_t now_usec)
{
	switch (op) {
	case PLAN_SET_FLOOR:
	case PLAN_CLEAR_FLOOR:
		have->floor1024 = want->floor1024;
		have->floor_written_usec = now_usec;
		break;
	case PLAN_SET_CPUS:
	case PLAN_CLEAR_CPUS:
		have->placed = want->placed;
		have->cpus = want->cpus;
		break;
	case PLAN_NOTHING:
		break;
	}
}
