/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a guest's utilization to demand in host units. Pure. */
#include "hostd/scale.h"

#include "common/macro.h"
#include "common/pelt_decay.h"

#define ONE	   (CAPACITY_SCALE * CAPACITY_SCALE)
#define HALF_LIFE  (UINT64_C(32) << 20) /* PELT's, ns */
#define FACTOR_MAX (32U * ONE)
/* Below this much has been seen a quotient says little. */
#define SEEN_LEAST (16U << PELT_SHIFT)
/* Less idle time than this part is the error of two clocks that are read one after the other. */
#define IDLE_PART 16U
#define GAP_NSEC  (3600 * USEC_PER_SEC * NSEC_PER_USEC)

/* -- the most that a utilization may be worth -- */

/* The longest time whose y^t is at least `left` of ONE: 1024 ns of error, 20 half-lives at most. */
static uint64_t time_of(uint32_t left)
{
	uint64_t low = 0, high = 20 * HALF_LIFE;

	while (high - low > 1024) {
		uint64_t middle = (low + high) / 2;

		if (pelt_decay(ONE, middle) >= left)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* 1 - (1 - u)^e as a factor of u, both in 1/ONE. */
static uint32_t factor_of_span(uint16_t util1024, uint64_t exponent)
{
	uint32_t left = (CAPACITY_SCALE - MIN(util1024, CAPACITY_SCALE)) * CAPACITY_SCALE;
	uint64_t worth = ONE - pelt_decay(ONE, time_of(left) * exponent / ONE);

	return (uint32_t)(worth * CAPACITY_SCALE / MAX(util1024, 1));
}

/* delivered / applied, in 1/ONE */
static uint64_t exponent_of(const struct scale *scale)
{
	return MIN((uint64_t)scale->delivered1024 * ONE / MAX(scale->applied1024, 1), FACTOR_MAX);
}

/* -- looks and reports -- */

static void advance(struct scale *scale, uint16_t delivered1024, uint64_t nsec, bool busy)
{
	uint64_t worth_nsec = nsec, worth_busy = busy ? nsec : 0;
	uint64_t seen_nsec = nsec, seen_busy = worth_busy;
	uint64_t own_nsec = nsec, own_busy = worth_busy;

	pelt_advance(&scale->own, delivered1024, &own_nsec, &own_busy);
	pelt_advance(&scale->worth, delivered1024, &worth_nsec, &worth_busy);
	pelt_advance(&scale->seen, scale->applied1024, &seen_nsec, &seen_busy);
	seen_nsec = nsec;
	seen_busy = 0;
	pelt_advance(&scale->guessed, scale->applied1024, &seen_nsec, &seen_busy);
}

static unsigned size_of(uint16_t util1024)
{
	unsigned size = 0;

	while (size < SCALE_SIZES - 1 && util1024 > 128U << size)
		size++;
	return size;
}

/* Of a size that hasn't been seen: as if it had run at what is delivered now, unless its guest has
 * counted with that already. */
static uint32_t factor_of(const struct scale *scale, const struct scale_table *table,
			  uint16_t util1024)
{
	uint32_t factor = table->factor[size_of(util1024)];

	if (factor == 0)
		factor = scale->invariant ? ONE : (uint32_t)exponent_of(scale);
	return factor;
}

static void take_factor(const struct scale *scale, struct scale_table *table)
{
	uint64_t factor = (uint64_t)scale->worth.util * ONE / MAX(scale->seen.util, 1U);
	uint64_t least = scale->invariant ? ONE * 3 / 4 : 1;
	uint64_t most = scale->invariant ? ONE * 4 / 3 : FACTOR_MAX;

	if (scale->seen.util >= SEEN_LEAST && 2 * scale->guessed.util <= scale->seen.util &&
	    5 * (scale->seen.util >> PELT_SHIFT) >= 4U * scale->demand1024)
		table->factor[size_of(scale->demand1024)] = (uint32_t)CLAMP(factor, least, most);
}

void scale_look(struct scale *scale, struct scale_table *table, const struct scale_look *look)
{
	uint16_t delivered1024 = CLAMP(look->delivered1024, 1U, CAPACITY_SCALE);
	uint64_t nsec = look->now_nsec - scale->now_nsec, busy_nsec;
	uint16_t mean1024;

	if (!scale->reported)
		scale->applied1024 = CAPACITY_SCALE;
	if (!scale->looked || look->run_nsec < scale->run_nsec || nsec > GAP_NSEC) {
		scale->worth = scale->seen = scale->guessed = scale->own = (struct pelt){};
	} else {
		busy_nsec = MIN(look->run_nsec - scale->run_nsec, nsec);
		if (nsec - busy_nsec < nsec / IDLE_PART)
			busy_nsec = nsec;
		/* When it idles the slower of the two clocks makes good what it is behind: what
		 * counts is what it was before, as when a task goes to sleep. */
		mean1024 = (uint16_t)((scale->delivered1024 + delivered1024) / 2);
		advance(scale, mean1024, busy_nsec, true);
		if (4 * busy_nsec >= nsec)
			take_factor(scale, table);
		advance(scale, mean1024, nsec - busy_nsec, false);
	}
	scale->delivered1024 = delivered1024;
	scale->looked = true;
	scale->now_nsec = look->now_nsec;
	scale->run_nsec = look->run_nsec;
}

uint16_t scale_own1024(const struct scale *scale)
{
	return (uint16_t)(scale->own.peak >> PELT_SHIFT);
}

/* How much of the time since the report before was stolen. */
static void take_steal(struct scale *scale, uint64_t steal_usec, uint64_t usec)
{
	uint64_t share = usec > 0 ? MIN(steal_usec * ONE / usec, ONE) : 0;
	uint64_t kept = pelt_decay(ONE, usec * NSEC_PER_USEC);

	scale->stolen = (uint32_t)((scale->stolen * kept + share * (ONE - kept)) / ONE);
}

void scale_report(struct scale *scale, const struct scale_report *report, uint64_t now_usec)
{
	scale->demand1024 = report->demand1024;
	scale->invariant = report->invariant;
	scale->counts_work = report->counts_work;
	scale->applied1024 = (uint16_t)CLAMP(report->applied1024, 1U, CAPACITY_SCALE);
	if (scale->reported)
		take_steal(scale, report->steal_usec, now_usec - scale->report_usec);
	scale->reported = true;
	scale->report_usec = now_usec;
}

static void set_sums(struct scale *scale, uint16_t util1024, uint64_t factor)
{
	uint32_t util = MIN(util1024, CAPACITY_SCALE) << PELT_SHIFT;

	scale->seen = scale->guessed = (struct pelt){.util = util, .peak = util};
	util = (uint32_t)MIN(util * factor / ONE, PELT_ONE);
	scale->worth = (struct pelt){.util = util, .peak = util};
}

void scale_come(struct scale *scale, const struct scale_table *table, uint16_t util_avg1024)
{
	if (scale->looked)
		set_sums(scale, util_avg1024, factor_of(scale, table, util_avg1024));
}

void scale_leave(struct scale *scale, uint16_t util_avg1024)
{
	if (scale->looked)
		set_sums(scale, util_avg1024, scale->invariant ? ONE : exponent_of(scale));
}

/* Whether its utilization has to be converted at all. */
static bool converts(const struct scale *scale)
{
	return scale->looked && !scale->counts_work;
}

static uint16_t worth(const struct scale *scale, uint16_t util1024, uint64_t factor)
{
	uint64_t util = MIN(util1024 * factor / ONE, CAPACITY_SCALE);

	return (uint16_t)(util * (ONE - scale->stolen) / ONE);
}

uint16_t scale_to_host(const struct scale *scale, const struct scale_table *table,
		       uint16_t util1024)
{
	return worth(scale, util1024, converts(scale) ? factor_of(scale, table, util1024) : ONE);
}

uint16_t scale_most(const struct scale *scale, const struct scale_table *table, uint16_t util1024)
{
	uint64_t factor = ONE;

	if (converts(scale))
		factor = MAX(factor_of(scale, table, util1024),
			     factor_of_span(util1024, exponent_of(scale)));
	return worth(scale, util1024, factor);
}
