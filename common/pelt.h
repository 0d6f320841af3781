/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's per-entity load tracking, redone in integers. Pure. */
#pragma once

#include <stdint.h>

#define PELT_SHIFT 10 /* utilization has this many more bits than the kernel's */
#define PELT_ONE   (UINT32_C(1024) << PELT_SHIFT)

/* Zero-initialised: a CPU that has never run anything. */
struct pelt {
	uint32_t util;	      /* 0..PELT_ONE */
	uint32_t peak;	      /* the highest util, falling at half its speed; never below util */
	uint64_t behind_nsec; /* by how much the scaled clock is behind */
};

/* nsec pass, at most an hour, of which busy_nsec were busy, spread evenly:
 * util = util * y^t + PELT_ONE * busy/t * (1 - y^t).
 * The peak stands for a task that pauses or sleeps and will come back, as the kernel's util_est
 * does; but it falls by time, for we don't see tasks come and go.
 *
 * scale1024, 1..1024, is the frequency scale that the kernel applies, 1024 for none. The kernel's
 * own tracking then counts cycles: its clock is slow while the CPU is slow and busy, and catches up
 * when the CPU idles, unless it hadn't idled for so long that the difference says nothing
 * (update_rq_clock_pelt() and update_idle_rq_clock_pelt()). *nsec and *busy_nsec become that
 * clock's. */
void pelt_advance(struct pelt *pelt, uint16_t scale1024, uint64_t *nsec, uint64_t *busy_nsec);

/* It turns out that past_nsec, of time that ended age_nsec ago and was taken for idle, were busy;
 * or, if negative, the other way round. */
void pelt_correct(struct pelt *pelt, int64_t past_nsec, uint64_t age_nsec);
