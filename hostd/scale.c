/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a guest's utilization to demand in host units. Pure. */
#include "hostd/scale.h"

#include "common/macro.h"
#include "common/pelt_decay.h"

#define ONE (CAPACITY_SCALE * CAPACITY_SCALE)

/* The mean moves to what has been so for nsec. */
static uint32_t blend(uint32_t mean, uint32_t value1024, uint64_t nsec)
{
	uint64_t kept = pelt_decay(ONE, nsec);

	return (uint32_t)((mean * kept + (uint64_t)value1024 * CAPACITY_SCALE * (ONE - kept)) /
			  ONE);
}

void scale_look(struct scale *scale, uint16_t delivered1024, uint64_t run_nsec)
{
	uint16_t applied1024 = scale->applied1024 > 0 ? scale->applied1024 : CAPACITY_SCALE;

	delivered1024 = CLAMP(delivered1024, 1, CAPACITY_SCALE);
	if (scale->now1024 == 0) {
		scale->delivered1024 = delivered1024 * CAPACITY_SCALE;
		scale->mean_applied1024 = applied1024 * CAPACITY_SCALE;
	}
	scale->delivered1024 = blend(scale->delivered1024, delivered1024, run_nsec);
	scale->mean_applied1024 = blend(scale->mean_applied1024, applied1024, run_nsec);
	scale->now1024 = delivered1024;
}

/* How much of the time since the report before was stolen; a first report says nothing of that. */
static void take_steal(struct scale *scale, uint64_t steal_usec, uint64_t usec)
{
	uint64_t share1024 = usec > 0 ? MIN(steal_usec * CAPACITY_SCALE / usec, CAPACITY_SCALE) : 0;

	scale->stolen1024 = blend(scale->stolen1024, (uint32_t)share1024, usec * NSEC_PER_USEC);
}

static void take_saturation(struct scale *scale, bool grows, uint64_t now_usec)
{
	if (!grows) {
		scale->growing_usec = 0;
		scale->grown1024 = 0;
	} else if (scale->growing_usec == 0) {
		scale->growing_usec = now_usec;
		scale->grown1024 = scale->now1024 > 0 ? scale->now1024 : CAPACITY_SCALE;
	}
}

void scale_report(struct scale *scale, const struct scale_report *report, uint64_t now_usec)
{
	scale->applied1024 = (uint16_t)CLAMP(report->applied1024, 1U, CAPACITY_SCALE);
	if (scale->report_usec > 0)
		take_steal(scale, report->steal_usec, now_usec - scale->report_usec);
	scale->report_usec = now_usec;
	take_saturation(scale, report->saturated && scale->applied1024 == CAPACITY_SCALE, now_usec);
}

uint16_t scale_to_host(const struct scale *scale, uint16_t util1024)
{
	uint64_t util = util1024;

	if (scale->now1024 > 0)
		util = util * scale->delivered1024 / MAX(scale->mean_applied1024, 1U);
	return (uint16_t)MIN(util * (ONE - scale->stolen1024) / ONE, CAPACITY_SCALE);
}

uint16_t scale_growth(struct scale *scale, uint64_t now_usec, uint64_t *ret_next_usec)
{
	*ret_next_usec = USEC_INFINITY;
	if (scale->growing_usec == 0)
		return 0;
	while (scale->grown1024 < CAPACITY_SCALE &&
	       now_usec >= scale->growing_usec + SCALE_GROWTH_USEC) {
		scale->grown1024 = MIN(scale->grown1024 + scale->grown1024 / 4 + 1, CAPACITY_SCALE);
		scale->growing_usec += SCALE_GROWTH_USEC;
	}
	if (scale->grown1024 < CAPACITY_SCALE)
		*ret_next_usec = scale->growing_usec + SCALE_GROWTH_USEC;
	return (uint16_t)((uint64_t)scale->grown1024 * (ONE - scale->stolen1024) / ONE);
}
