/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a guest's utilization to demand in host units: 1024 is the largest CPU at its highest
 * frequency. Pure.
 *
 * A guest counts its utilization at the scale that it believes in. Where its load tracking follows
 * its cpufreq (arm64) that is the frequency scale which guestd has set; else it is 1024, and
 * utilization is the share of time for which a CPU was busy, however slow it was. The work behind
 * it was done at what the host delivered meanwhile, so
 *
 *     demand = util x delivered / applied x (1 - stolen)
 *
 * with the means over the running time that PELT remembers (a half-life of 32 ms), for utilization
 * is such a mean itself; while the vCPU sleeps nothing of them changes, as nothing of a task's
 * util_est does. Stolen time is cut out of a guest's clock (update_rq_clock_task() in
 * kernel/sched/core.c), so a task that wants the CPU reads full however little it gets; what it
 * would get on the host is its share of the CPU.
 *
 * A CPU that is full without invariance says "at least this": what is delivered now is too little,
 * and nobody knows by how much. Then the demand grows by a quarter in each GROWTH_USEC, as
 * schedutil's does on a host that isn't invariant (next = 1.25 x now x util / max), until the
 * guest's CPU idles again. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SCALE_GROWTH_USEC UINT64_C(4000)

/* What a vCPU last said of itself, and when. */
struct scale_report {
	uint16_t util_avg, util_est; /* 0..1024 at the guest's scale */
	uint16_t applied1024;	     /* the scale that the guest's kernel applied, 1..1024 */
	bool saturated;
	uint64_t steal_usec; /* stolen since its record before */
};

/* Of one vCPU. Zero-initialised: nothing is known of it, and what is delivered is taken for what
 * was applied. */
struct scale {
	uint32_t delivered1024; /* means, in 1/1024 of 1/1024 */
	uint32_t mean_applied1024;
	uint32_t stolen1024;
	uint16_t now1024;      /* delivered at the last look; 0: never looked */
	uint16_t applied1024;  /* of the last report; 0: there was none */
	uint64_t report_usec;  /* when that came */
	uint64_t growing_usec; /* since when it is saturated; 0: it isn't */
	uint32_t grown1024;    /* the demand that this has led to */
};

/* A look: what the thread's CPU delivers now, capacity x frequency / highest frequency, 1..1024. It
 * is taken to have been so for run_nsec, for which the thread ran since the look before. */
void scale_look(struct scale *scale, uint16_t delivered1024, uint64_t run_nsec);

/* Takes a report that came at now_usec. */
void scale_report(struct scale *scale, const struct scale_report *report, uint64_t now_usec);

/* A utilization of the last report in host units, 0..1024. */
uint16_t scale_to_host(const struct scale *scale, uint16_t util1024);

/* What a saturated guest wants at least at now_usec; 0 if it isn't saturated, or its load tracking
 * is invariant (then its utilization grows by itself). *ret_next_usec is when it grows next. */
uint16_t scale_growth(struct scale *scale, uint64_t now_usec, uint64_t *ret_next_usec);
