/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long a CPU was busy between two samples, out of /proc/schedstat and /proc/stat. Pure.
 *
 * /proc/schedstat adds up to the nanosecond how long tasks ran, but books a task's time when it
 * leaves the CPU: what a lone hog uses shows up late, in one lump. It counts arrivals at once.
 *
 * /proc/stat's idle time is prompt, but printed in units of 10 ms: over a sample of 10 ms it is 0,
 * 1 or 2. It is exact to that unit where the kernel takes it from the idle clock; newer kernels do
 * so only while the tick is stopped, and count ticks for short naps, so that it may be off by a
 * tenth for a load that keeps step with the tick.
 *
 * With schedstat: what was booked was busy. What is not booked yet is one task's at most, the one
 * that has the CPU (the tenant), and whether there is one follows from the counters: a departure
 * always books time, so an arrival without a booking means that it is there still, a booking
 * without an arrival that it is gone, and neither that nothing has changed. Where both happened,
 * nobody knows: then the rest of the sample is as busy as the CPU is on average, until the idle
 * time moves (there was no tenant) or fails to move for longer than its unit (there is one). What
 * was credited so is remembered (the lead) and taken off when the booking comes. Any switch books
 * all that ran before it, so a lead that is larger was wrong, and is taken back. Over long samples
 * /proc/stat alone sets a lower bound: what didn't idle, less its unit, was busy.
 *
 * Without: the CPU is as busy as on average, and the sum of these guesses may leave the printed
 * idle time neither behind nor ahead by more than its unit. So an error can't add up, and a hog
 * shows within 10 ms. Over long samples the same lower bound as above takes the place of the guess.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Whether a task holds the CPU. */
enum blend_tenant { BLEND_UNKNOWN, BLEND_NONE, BLEND_TASK };

/* Zero-initialised. */
struct blend {
	enum blend_tenant tenant;
	uint64_t lead_nsec;  /* credited as busy since the last switch, and not yet booked */
	uint64_t entry_nsec; /* of that, in the sample in which the tenant came */
	uint64_t doubt_nsec; /* how long neither anything was booked nor the idle time has moved */
	uint64_t doubt_credit_nsec; /* what was credited meanwhile */
	uint64_t phase_nsec; /* without schedstat: idle time since the printed number moved */
	uint64_t iowait_until_nsec; /* the iowait number moved not long ago */
};

/* What the counters did between two samples. */
struct blend_sample {
	uint64_t stamp_nsec, nsec; /* when it ended, and how long it was */
	uint64_t idle_nsec;	   /* idle and iowait, in units of COUNTERS_TICK_NSEC */
	bool iowait_moved;
	bool has_sched; /* the next two are set */
	uint64_t run_nsec, slices;
	bool is_self; /* the reader itself was on that CPU when it read */
};

struct blended {
	uint64_t busy_nsec;   /* of the sample, stolen time included; at most nsec */
	uint64_t recent_nsec; /* of that, at its very end */
	/* Found out late: what ended age_nsec ago was busy for this much longer, or shorter. */
	int64_t past_nsec;
	uint64_t age_nsec;
};

/* Takes the next sample. likely1024 is how busy the CPU is on average, 0..1024. */
void blend_update(struct blend *blend, const struct blend_sample *sample, uint32_t likely1024,
		  struct blended *ret);
