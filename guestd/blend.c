/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long a CPU was busy between two samples; the header says how and why. Pure. */
#include "guestd/blend.h"

#include "common/macro.h"
#include "common/counters.h"

#define MSEC UINT64_C(1000000)
/* Neither booking nor idle time for this long is a tenant: a unit of /proc/stat and a tick of 4 ms.
 */
#define DOUBT_NSEC (COUNTERS_TICK_NSEC + 4 * MSEC)
/* The same where we had seen the last task leave: something is wrong with what we know. */
#define DISBELIEF_NSEC (4 * COUNTERS_TICK_NSEC)
#define SHORT_NSEC     (32 * MSEC)
#define LONG_NSEC      (100 * MSEC)
#define IOWAIT_NSEC    (250 * MSEC)

/* A task leaves that we had seen come and stay. The samples in between were all its own; what is
 * left of its time is shared by the first sample and this one, in equal parts for all we know. */
static void book_departure(const struct blend *blend, const struct blend_sample *sample,
			   struct blended *ret)
{
	uint64_t entry = MIN(blend->entry_nsec, blend->lead_nsec);
	uint64_t between = blend->lead_nsec - entry;
	uint64_t ends = sample->run_nsec - MIN(sample->run_nsec, between);

	ret->busy_nsec = MIN(ends / 2, sample->nsec);
	ret->past_nsec = (int64_t)(MIN(ends, INT64_MAX) - ret->busy_nsec) - (int64_t)entry;
	ret->age_nsec = between + sample->nsec;
}

/* There was a switch: all before the last one is booked. Takes off what had been credited. */
static void book(struct blend *blend, const struct blend_sample *sample, struct blended *ret)
{
	if (blend->tenant == BLEND_TASK && sample->slices == 0) {
		book_departure(blend, sample, ret);
	} else if (sample->run_nsec >= blend->lead_nsec) {
		uint64_t fresh = MIN(sample->run_nsec - blend->lead_nsec, INT64_MAX);

		ret->busy_nsec = MIN(fresh, sample->nsec);
		ret->past_nsec = (int64_t)(fresh - ret->busy_nsec);
		ret->age_nsec = sample->nsec;
	} else {
		ret->past_nsec = -(int64_t)(blend->lead_nsec - sample->run_nsec);
		ret->age_nsec = sample->nsec;
	}
	blend->lead_nsec = blend->entry_nsec = 0;
	blend->doubt_nsec = blend->doubt_credit_nsec = 0;
}

/* Who has the CPU after a switch, and what that one has run since, in a sample of which `left` is
 * not booked. */
static uint64_t tail_of_switch(struct blend *blend, const struct blend_sample *sample,
			       uint64_t left, uint32_t likely1024)
{
	if (sample->slices == 0) {
		blend->tenant = BLEND_NONE;
		return 0;
	}
	/* We came last, and that booked whatever ran before us. */
	blend->tenant = BLEND_UNKNOWN;
	if (sample->is_self)
		return 0;
	if (sample->run_nsec > 0)
		return left * MIN(likely1024, CAPACITY_SCALE) / CAPACITY_SCALE;
	/* It came somewhere in the sample. In a guest that was idle most are gone at once, so don't
	 * guess over a long sample: the next one comes soon, see estimator_is_active(). */
	blend->tenant = BLEND_TASK;
	return sample->nsec <= SHORT_NSEC ? left / 2 : 0;
}

/* Nothing booked, nobody came, the idle time stands still, and we don't know who was there. */
static uint64_t tail_of_doubt(struct blend *blend, const struct blend_sample *sample,
			      uint32_t likely1024, struct blended *ret)
{
	uint64_t credit = sample->nsec * MIN(likely1024, CAPACITY_SCALE) / CAPACITY_SCALE;

	if (blend->doubt_nsec + sample->nsec < DOUBT_NSEC) {
		blend->doubt_nsec += sample->nsec;
		blend->doubt_credit_nsec += credit;
		return credit;
	}
	ret->past_nsec = (int64_t)(blend->doubt_nsec - blend->doubt_credit_nsec);
	ret->age_nsec = sample->nsec;
	blend->lead_nsec += blend->doubt_nsec - blend->doubt_credit_nsec;
	blend->doubt_nsec = blend->doubt_credit_nsec = 0;
	blend->tenant = BLEND_TASK;
	return sample->nsec;
}

/* No switch at all: whoever was there is there. */
static uint64_t tail_of_quiet(struct blend *blend, const struct blend_sample *sample,
			      uint32_t likely1024, struct blended *ret)
{
	switch (blend->tenant) {
	case BLEND_TASK:
		/* The two files are not read in one instant: one unit may belong before it. */
		if (sample->idle_nsec > COUNTERS_TICK_NSEC)
			break;
		return sample->nsec;
	case BLEND_NONE:
		blend->doubt_nsec = sample->idle_nsec > 0 ? 0 : blend->doubt_nsec + sample->nsec;
		if (blend->doubt_nsec < DISBELIEF_NSEC)
			return 0;
		blend->tenant = BLEND_UNKNOWN;
		blend->doubt_nsec = 0;
		return 0;
	case BLEND_UNKNOWN:
		if (sample->idle_nsec == 0)
			return tail_of_doubt(blend, sample, likely1024, ret);
		break;
	}
	/* It idled, and nobody came since: there is no tenant, and was none. */
	ret->past_nsec = -(int64_t)MIN(blend->lead_nsec, INT64_MAX);
	ret->age_nsec = sample->nsec;
	*blend = (struct blend){.tenant = BLEND_NONE};
	return 0;
}

static void blend_both(struct blend *blend, const struct blend_sample *sample, uint32_t likely1024,
		       struct blended *ret)
{
	bool came = sample->slices > 0 && sample->run_nsec == 0 && !sample->is_self;
	uint64_t tail, least;

	*ret = (struct blended){};
	if (sample->run_nsec > 0 || sample->slices > 0) {
		book(blend, sample, ret);
		tail = tail_of_switch(blend, sample, sample->nsec - ret->busy_nsec, likely1024);
	} else {
		tail = tail_of_quiet(blend, sample, likely1024, ret);
	}
	least = sample->nsec - MIN(sample->nsec, sample->idle_nsec + COUNTERS_TICK_NSEC);
	if (!sample->is_self && ret->busy_nsec + tail < least)
		tail = least - ret->busy_nsec;
	blend->lead_nsec += tail;
	if (came)
		blend->entry_nsec = tail;
	ret->busy_nsec += tail;
	ret->recent_nsec = blend->tenant == BLEND_TASK ? tail : 0;
}

/* Idle and iowait are rounded each by itself: while iowait moves, there are two units of slack. */
static uint64_t slack(struct blend *blend, const struct blend_sample *sample)
{
	if (sample->iowait_moved)
		blend->iowait_until_nsec = sample->stamp_nsec + IOWAIT_NSEC;
	return sample->stamp_nsec < blend->iowait_until_nsec ? 2 * COUNTERS_TICK_NSEC
							     : COUNTERS_TICK_NSEC;
}

/* An idle guest's rare samples: what didn't idle, less the unit, was busy. To be right on average
 * would be to find a whole unit at once now and then, which looks like a task that has come. */
static void blend_stat_long(struct blend *blend, const struct blend_sample *sample, uint64_t bound,
			    struct blended *ret)
{
	uint64_t idle = sample->idle_nsec + bound;

	*ret = (struct blended){.busy_nsec = sample->nsec - MIN(idle, sample->nsec)};
	*blend = (struct blend){.phase_nsec = bound / 2,
				.iowait_until_nsec = blend->iowait_until_nsec};
}

static void blend_stat_alone(struct blend *blend, const struct blend_sample *sample,
			     uint32_t likely1024, struct blended *ret)
{
	uint64_t bound = slack(blend, sample), phase = MIN(blend->phase_nsec, bound);
	uint64_t idle =
		sample->nsec * (CAPACITY_SCALE - MIN(likely1024, CAPACITY_SCALE)) / CAPACITY_SCALE;

	if (sample->nsec > LONG_NSEC) {
		blend_stat_long(blend, sample, bound, ret);
		return;
	}
	phase += idle;
	if (phase < sample->idle_nsec) {
		idle += sample->idle_nsec - phase;
		phase = sample->idle_nsec;
	}
	phase -= sample->idle_nsec;
	if (phase > bound) {
		idle -= MIN(idle, phase - bound);
		phase = bound;
	}
	*ret = (struct blended){.busy_nsec = sample->nsec - MIN(idle, sample->nsec)};
	*blend = (struct blend){.phase_nsec = phase, .iowait_until_nsec = blend->iowait_until_nsec};
}

void blend_update(struct blend *blend, const struct blend_sample *sample, uint32_t likely1024,
		  struct blended *ret)
{
	if (sample->has_sched)
		blend_both(blend, sample, likely1024, ret);
	else
		blend_stat_alone(blend, sample, likely1024, ret);
}
