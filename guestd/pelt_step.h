/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What guestd and its eBPF programs share: the record of a CPU, and the decision of when to wake
 * guestd for it. Pure; compiled for both, so it needs nothing but <stdint.h>. */
#pragma once

#include <stdint.h>

#define PELT_STEP_FULL1024	1024U
#define PELT_STEP_SATURATED1024 992U /* 31/32, as in estimate.c: 1024 comes only in the limit */

/* One CPU: a cache line of a mapped array. The programs write what is between two changes of
 * sequence under the run queue's lock, so there is one writer at a time. Utilizations are the
 * kernel's, cut to 0..1024. */
struct pelt_record {
	uint32_t sequence;     /* odd while being written; 0: never was */
	uint16_t runnable;     /* tasks of all classes; one that is just coming isn't in yet */
	uint16_t sent1024;     /* guestd writes it: what the host was last told is wanted */
	uint64_t stamp_nsec;   /* CLOCK_MONOTONIC of the update */
	uint16_t util_avg1024; /* of the root CFS run queue */
	uint16_t util_est1024; /* of the same; 0 where the kernel has none */
	uint16_t rt1024;
	uint16_t dl1024;
	uint16_t uclamp_min1024; /* the largest request of the runnable tasks; 0 without uclamp */
	uint16_t uclamp_max1024; /* the same; 1024 without uclamp */
	uint32_t rung;		 /* bit 0: guestd was woken and hasn't looked; rest: when */
	uint64_t run_nsec;	 /* tasks ran, steal included; counts up */
	uint64_t steal_nsec;	 /* counts up; 0 where the kernel doesn't know */
	uint64_t delay_nsec;	 /* tasks waited: booked when one gets the CPU; counts up */
	/* When it went idle, CLOCK_MONOTONIC; 0 while it isn't. Not under the sequence: the CPU
	 * writes it by itself, without the lock. */
	uint64_t idle_nsec;
};
_Static_assert(sizeof(struct pelt_record) == 64, "a record is a cache line");

/* How eager the programs are. guestd may change it while they run. */
struct pelt_step {
	uint16_t rise1024;   /* wake when it wants this much more than was sent, 1..1024 */
	uint16_t fall1024;   /* and this much less: the hysteresis, 1..1024 */
	uint16_t least1024;  /* what wants less wants nothing; once it does, half of that */
	uint16_t rise_shift; /* a rise is also at least this part of what was sent: 1 / 2^it; 0: no
			      */
	uint32_t rise_nsec;  /* no wake-up for a rise within it since the last one, 0..1 s */
	uint32_t fall_nsec;  /* nor for a fall: that needn't be soon */
};

/* guestd itself: what its own work adds is left out of the records, for it is no demand, and a
 * report of it would make more of it. */
struct pelt_self {
	uint64_t task; /* the programs find it: its address in the kernel, 0 before */
	int32_t pid;   /* guestd writes it; 0: nothing is left out */
	uint32_t unused;
};

enum pelt_event_reason { PELT_EVENT_NONE, PELT_EVENT_RISE, PELT_EVENT_FALL };

/* What goes through the ring buffer. It rings; what there is to know is in the record. */
struct pelt_event {
	uint32_t cpu;
	uint32_t reason;
};

#define PELT_RUNG_SHIFT	  10U /* rung counts in 1024 ns: an hour and some until it wraps */
#define PELT_RUNG_WAITING 1U  /* in place of its lowest bit */

static inline uint32_t pelt_step_rung(uint64_t now_nsec)
{
	return (uint32_t)(now_nsec >> PELT_RUNG_SHIFT) | PELT_RUNG_WAITING;
}

/* Whether interval_nsec are over since then. After a wrap it may find that they aren't when they
 * long are: for one interval, every hour. */
static inline int pelt_step_is_over(uint32_t rung, uint64_t now_nsec, uint32_t interval_nsec)
{
	uint32_t since = (uint32_t)(now_nsec >> PELT_RUNG_SHIFT) - (rung & ~PELT_RUNG_WAITING);

	return since >= interval_nsec >> PELT_RUNG_SHIFT;
}

static inline uint32_t pelt_step_cut(uint64_t util)
{
	return util < PELT_STEP_FULL1024 ? (uint32_t)util : PELT_STEP_FULL1024;
}

static inline uint32_t pelt_step_less(uint32_t value, uint32_t part)
{
	return value > part ? value - part : 0;
}

/* What a CPU's others use, of a sum that may be above 1024 and has our own part in it. Where nobody
 * had to wait it is the rest. A CPU that has been full would be so without us as well, unless we
 * were most of it ourselves. */
static inline uint32_t pelt_step_others(uint32_t util, uint32_t self)
{
	uint32_t others = pelt_step_less(util, self);

	return util >= PELT_STEP_SATURATED1024 && 2 * others >= self ? util : others;
}

/* The performance that the kernel would ask of a real CPU: as effective_cpu_util() in
 * kernel/sched, the classes add up; of CFS the higher of what is and what was before the tasks
 * slept; then the requests, of which the minimum wins, as in uclamp_rq_util_with(). 0..1024. */
static inline uint32_t pelt_step_wanted(const struct pelt_record *record)
{
	uint32_t cfs = record->util_avg1024 > record->util_est1024 ? record->util_avg1024
								   : record->util_est1024;
	uint32_t wanted = pelt_step_cut((uint64_t)cfs + record->rt1024 + record->dl1024);

	if (wanted > record->uclamp_max1024)
		wanted = record->uclamp_max1024;
	return wanted > record->uclamp_min1024 ? wanted : record->uclamp_min1024;
}

/* By how much more than what was sent a CPU has to want. */
static inline uint32_t pelt_step_rise(const struct pelt_step *step, uint32_t sent1024)
{
	uint32_t part = step->rise_shift > 0 ? sent1024 >> step->rise_shift : 0;

	return part > step->rise1024 ? part : step->rise1024;
}

/* Whether that differs from what was sent by a step. Both ends count however near they are: the
 * last step up may be a small one, and nothing is nothing. From nothing up, and back to it, are
 * the reporter's own conditions (reporter.c). */
static inline enum pelt_event_reason pelt_step_is_off(const struct pelt_step *step,
						      const struct pelt_record *record,
						      uint32_t wanted1024)
{
	uint32_t sent = record->sent1024;

	if (wanted1024 >= sent + pelt_step_rise(step, sent) ||
	    (wanted1024 == PELT_STEP_FULL1024 && sent < PELT_STEP_FULL1024))
		return sent != 0 || wanted1024 >= step->least1024 ? PELT_EVENT_RISE
								  : PELT_EVENT_NONE;
	if (sent != 0 && (wanted1024 + step->fall1024 <= sent || 2 * wanted1024 < step->least1024))
		return PELT_EVENT_FALL;
	return PELT_EVENT_NONE;
}

/* Does it deserve a wake-up? The comparison that fails nearly always comes first. */
static inline enum pelt_event_reason pelt_step_due(const struct pelt_step *step,
						   const struct pelt_record *record,
						   uint32_t wanted1024, uint64_t now_nsec)
{
	enum pelt_event_reason reason = pelt_step_is_off(step, record, wanted1024);

	if (reason == PELT_EVENT_NONE || record->rung & PELT_RUNG_WAITING ||
	    !pelt_step_is_over(record->rung, now_nsec,
			       reason == PELT_EVENT_RISE ? step->rise_nsec : step->fall_nsec))
		return PELT_EVENT_NONE;
	return reason;
}
