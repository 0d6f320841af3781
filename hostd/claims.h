/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest claims, held against what its vCPU's thread really ran. Pure.
 *
 * A util_avg is a mean of what was used: over a time that is long beside PELT's half-life, the mean
 * of the reported ones is the share that was run, within the error of when reports come.
 * Halt-polling and exits make the thread run for longer than the guest says, so an honest guest is
 * on the safe side. A util_est is what util_avg was when tasks went to sleep: some util_avg
 * reported before must have been near it.
 *
 * So in a period the claims are too high if their mean is above what was run by a quarter and
 * CLAIMS_MARGIN, or if what was asked for is so much above the highest util_avg of the period,
 * though the thread ran for long enough to come near it: a task that has slept for minutes keeps
 * its util_est. After CLAIMS_PATIENCE such periods in a row the vCPU comes down to what it uses,
 * with as much to spare, and after CLAIMS_PAROLE good ones, and one more for each bad one since, it
 * is believed again. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CLAIMS_MARGIN	51U /* 1/1024: 5 % */
#define CLAIMS_PATIENCE 3U  /* periods */
#define CLAIMS_PAROLE	5U

/* Of one vCPU. Zero-initialised. */
struct claims {
	uint64_t begin_usec; /* of the period; 0: none has begun */
	uint64_t stamp_usec; /* up to where the claim is summed up */
	uint64_t claim_sum;  /* 1/1024 x usec, in host units */
	uint64_t run_nsec;   /* the thread's counter at the begin */
	uint16_t claim1024;  /* what holds now: the util_avg, in host units, */
	uint16_t asked1024;  /* and what is asked for */
	uint16_t peak1024;   /* the highest of the period */
	uint16_t wanted1024; /* likewise of what was asked for */
	uint8_t too_high;    /* periods in a row */
	uint8_t good;	     /* likewise, while it is held down */
	uint8_t parole;	     /* how many it needs */
	bool held_down;
	uint16_t most1024; /* what it may ask for, while held down */
};

/* The vCPU claims a util_avg, and asks for a demand, from now on: in host units, 0 once its lease
 * has run out. */
void claims_put(struct claims *claims, uint16_t util_avg1024, uint16_t demand1024,
		uint64_t now_usec);

/* Ends the period at now_usec and begins the next. run_nsec: how long the thread has run since
 * ever; delivered1024: what its CPUs gave it meanwhile, on average. Whether held_down or most1024
 * has changed. A first period, and one in which the counter went backwards (another thread), says
 * nothing. */
bool claims_check(struct claims *claims, uint64_t run_nsec, uint16_t delivered1024,
		  uint64_t now_usec);

/* What is left of a demand. */
uint16_t claims_cut(const struct claims *claims, uint16_t demand1024);

/* The vCPU has another thread now, or its guest begins anew. What it was held down to stays. */
void claims_restart(struct claims *claims);
