/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From what a vCPU should have to the writes that this takes. Pure. */
#include "hostd/plan.h"

#include "common/macro.h"

/* Less is little, and in an ordinary ramp comes with every report. */
#define NUDGE_LEAST1024 64U

static unsigned plan_cpus(const struct plan_have *have, const struct plan_want *want)
{
	if (!want->placed)
		return have->placed ? PLAN_CLEAR_CPUS : PLAN_NOTHING;
	if (have->placed && cpumask_equal(&have->cpus, &want->cpus))
		return PLAN_NOTHING;
	return PLAN_SET_CPUS;
}

struct clamps plan_clamps(const struct plan_want *want)
{
	return clamps_tidy((struct clamps){want->floor1024, want->ceiling1024});
}

struct clamps plan_stands(const struct plan_have *have)
{
	return clamps_tidy((struct clamps){have->floor1024, have->ceiling1024});
}

static bool raises(struct clamps from, struct clamps to)
{
	return to.floor1024 > from.floor1024 || to.ceiling1024 > from.ceiling1024;
}

bool plan_raises(const struct plan_have *have, const struct plan_want *want)
{
	return raises(plan_stands(have), plan_clamps(want));
}

/* A rise waits for the shorter interval alone: lateness is what we are here to mend. */
static uint64_t interval(struct clamps from, struct clamps to, const struct plan_pace *pace)
{
	if (raises(from, to))
		return pace->write_interval_usec;
	return MAX(pace->write_interval_usec, pace->lower_interval_usec);
}

unsigned plan_vcpu(const struct plan_have *have, const struct plan_want *want,
		   const struct plan_pace *pace, uint64_t now_usec, uint64_t *ret_next_usec)
{
	struct clamps from = plan_stands(have), to = plan_clamps(want);
	unsigned ops = plan_cpus(have, want);
	uint64_t turn_usec;

	*ret_next_usec = USEC_INFINITY;
	if (from.floor1024 == to.floor1024 && from.ceiling1024 == to.ceiling1024)
		return ops;
	turn_usec = have->written_usec + interval(from, to, pace);
	if (have->written_usec > 0 && now_usec < turn_usec) {
		*ret_next_usec = turn_usec;
		return ops;
	}
	return ops | (clamps_are_none(to) ? PLAN_CLEAR_CLAMPS : PLAN_SET_CLAMPS);
}

bool plan_nudges(struct clamps from, struct clamps to)
{
	return to.floor1024 >= from.floor1024 + NUDGE_LEAST1024 ||
	       to.ceiling1024 >= from.ceiling1024 + NUDGE_LEAST1024;
}

void plan_done(struct plan_have *have, const struct plan_want *want, enum plan_op op,
	       uint64_t now_usec)
{
	switch (op) {
	case PLAN_SET_CLAMPS:
	case PLAN_CLEAR_CLAMPS:
		have->floor1024 = plan_clamps(want).floor1024;
		have->ceiling1024 = plan_clamps(want).ceiling1024;
		have->written_usec = now_usec;
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
