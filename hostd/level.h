/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a vCPU, or a host CPU, is taken to need, and the floor (uclamp.min) and ceiling (uclamp.max)
 * that follow. Pure. docs/policy.md says why it is so.
 *
 * A level rises at once, for lateness is what we are here to mend. When demand falls it is held, for
 * tasks that sleep come back, and what comes back each period shouldn't be written each time; then
 * it falls by halves. When a task has left the vCPU it falls at once: it is elsewhere now. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define LEVEL_NO_CEILING 1024U
#define LEVEL_GRAIN	 8U
/* Where frequencies are relative to the present one (no invariance) each write while a thread runs
 * costs some of it: the kernel takes the thread off its queue and looks at the frequency meanwhile.
 * So few of them. */
#define LEVEL_GRAIN_RELATIVE 64U
#define LEVEL_CALM_USEC	     UINT64_C(5000)
#define LEVEL_FORGET_USEC    UINT64_C(250000)

struct level_config {
	uint32_t headroom1024; /* perf that schedutil gives for a demand, / 1024: 1280 is 1.25 */
	uint16_t grain;	       /* floors and ceilings are multiples of it */
	uint16_t step; /* what a floor or a ceiling may be too high by before it is lowered: fewer
			  writes */
	uint64_t hold_usec;	 /* after the last demand that reached the level */
	uint64_t half_life_usec; /* then the distance to the demand halves in this time */
	uint16_t slack1024;	 /* how far a ceiling stays above what native would run at */
	uint64_t calm_usec;	 /* a ceiling comes back when demand hasn't risen for so long */
	uint64_t
		forget_usec; /* for how long one stays once nothing is asked for: by then the host's
			      * own averages of the thread have forgotten the task that left */
};

/* Zero-initialised: it needs nothing. */
struct level {
	uint16_t level1024;
	uint64_t fall_usec; /* when it falls next, unless demand comes back first; 0: demand holds
			       it */
	uint64_t rose_usec; /* when it rose last; 0: never */
	uint64_t zero_usec; /* since when nothing is asked for; 0: something is, or never was */
};

/* Moves the level to now_usec and returns it. demand1024: what is asked for from now on, 0..1024;
 * left: a task has left since the call before, so what it needed isn't coming back.
 * *ret_next_usec is when the level would change by itself, USEC_INFINITY if never. */
uint16_t level_move(struct level *level, const struct level_config *config, uint16_t demand1024,
		    bool left, uint64_t now_usec, uint64_t *ret_next_usec);

/* The floor for a level: with headroom, in grains, at most max1024. Where it is have1024
 * already it stays while that is enough and by less than a step too much: so a demand on the edge
 * isn't written again and again. */
uint16_t level_floor(const struct level_config *config, uint16_t level1024, uint16_t have1024,
		     uint16_t max1024);

/* The ceiling for a level that is trusted and fresh, of a thread that shares its CPU with nothing:
 * LEVEL_NO_CEILING while it rises, and where it would be above all that there is. It stays as a
 * floor does. min1024: it is never below that. *ret_next_usec as above. */
uint16_t level_ceiling(const struct level *level, const struct level_config *config,
		       uint16_t have1024, uint16_t min1024, uint64_t now_usec,
		       uint64_t *ret_next_usec);
