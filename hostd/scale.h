/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a guest's utilization to demand in host units: 1024 is the largest CPU at its highest
 * frequency. Pure.
 *
 * A guest counts its utilization at the scale that it believes in. Where its load tracking follows
 * its cpufreq (arm64) that is the frequency scale which guestd has set; else it is 1024, and
 * utilization is the share of time for which a CPU was busy, however slow it was. What it is worth
 * to the host depends on how the vCPU ran: half the speed halves the worth of one that works and
 * idles in turn, but who runs without a pause is full at any speed, only later. So hostd does
 * PELT's sum (common/pelt.h) twice over the time for which the vCPU's thread ran: at what the host
 * delivered (worth), and at what the guest's kernel applied (seen). The second is what the guest
 * counts, the first what the host would; their quotient is the factor.
 *
 * What a task's util_est is worth was decided when it ran, and it may have run on another vCPU. So
 * a factor changes only while what was seen is at least half of what is asked for (before, that is
 * mostly memory), and a guest has one for each doubling of what is asked for: that is how its big
 * task is told from a timer's small one, which runs at the lowest frequency, wherever they are.
 *
 * A guest whose kernel has counters of its own (AMU) counts work as the host does, and is taken at
 * its word. One that follows FEEDBACK isn't: that is late, and in steps.
 *
 * Stolen time is cut out of a guest's clock (update_rq_clock_task() in kernel/sched/core.c), so a
 * task that wants the CPU reads full however little it gets; what it would get on the host is its
 * share of the CPU: all is multiplied with what wasn't stolen. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/pelt.h"

#define SCALE_SIZES 4U /* up to 128, 256, 512, 1024 */

/* What a vCPU last said of itself. */
struct scale_report {
	uint16_t demand1024;  /* 0..1024 at the guest's scale */
	uint16_t applied1024; /* the scale that the guest's kernel applied, 1..1024 */
	bool invariant;	      /* its load tracking follows frequency: roughly it is right */
	bool counts_work;     /* and by counters of its own: it is right */
	uint64_t steal_usec;  /* stolen since its record before */
};

/* What a look at its thread says. */
struct scale_look {
	uint64_t now_nsec;	/* CLOCK_MONOTONIC */
	uint64_t run_nsec;	/* how long it has run since it was made */
	uint16_t delivered1024; /* capacity x frequency / highest frequency of its CPU, 1..1024 */
};

/* Of one guest: what 1024 of its utilization is worth, in 1/1024 of 1/1024, by its size; 0: not
 * known. */
struct scale_table {
	uint32_t factor[SCALE_SIZES];
};

/* Of one vCPU. Zero-initialised: nothing is known of it, and its utilization is taken as it is. */
struct scale {
	bool looked, reported, invariant, counts_work;
	uint64_t now_nsec, run_nsec; /* of the last look */
	struct pelt worth, seen;
	struct pelt guessed; /* what of seen came with a task, or was left by one */
	struct pelt own;     /* the thread's own, as the host has it: tasks come and go, it stays */
	uint32_t stolen;		  /* mean of the share of time, likewise */
	uint16_t delivered1024;		  /* of the last look */
	uint16_t demand1024, applied1024; /* of the last report */
	uint64_t report_usec;
};

/* A look. What is delivered is taken to have been so since the look before; a first one, and one of
 * another thread, says nothing of the time. */
void scale_look(struct scale *scale, struct scale_table *table, const struct scale_look *look);

/* What the thread's own utilization has lately come to at most, 0..1024, as the host's kernel may
 * remember it. */
uint16_t scale_own1024(const struct scale *scale);

/* Takes a report that came at now_usec. */
void scale_report(struct scale *scale, const struct scale_report *report, uint64_t now_usec);

/* Tasks have come or left, with their part of both sums: util_avg1024 is what the guest counts now.
 * What has come is worth what its size is worth, what is left what is delivered now. */
void scale_come(struct scale *scale, const struct scale_table *table, uint16_t util_avg1024);
void scale_leave(struct scale *scale, uint16_t util_avg1024);

/* A utilization in host units, 0..1024. */
uint16_t scale_to_host(const struct scale *scale, const struct scale_table *table,
		       uint16_t util1024);

/* The most that it may be worth: as if the vCPU hadn't paused (1 - (1 - u)^e, with e = delivered /
 * applied, for u = 1 - y^t after a time t, and a clock that counts work stands at t x e then). For
 * ceilings, which must not be too low. */
uint16_t scale_most(const struct scale *scale, const struct scale_table *table, uint16_t util1024);
