/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The eBPF programs' record of a CPU -> its estimate, and when to look at it again. Pure. */
#pragma once

#include "guestd/estimate.h"
#include "guestd/pelt_record.h"

/* What has counted up so far on a CPU. Zero-initialised: nothing is known. */
struct pelt_account {
	bool primed;
	uint64_t delay_nsec, steal_nsec;
};

/* How much the host takes from this guest, of late. Zero-initialised: nothing is known. */
struct pelt_stolen {
	uint64_t stamp_usec, passed_usec, stolen_usec;
};

/* A record that pelt_record_settle() made true for now; *account is what it had counted at the call
 * before, and becomes what it has counted now. util_avg is the sum of the classes, as
 * effective_cpu_util() in kernel/sched makes it; util_est has CFS's own util_est in it. A CPU that
 * isn't idle and whose average is full is saturated. A count that went backwards counts for
 * nothing. */
void pelt_estimate(const struct pelt_record *record, struct pelt_account *account,
		   struct estimate *ret);

/* In what time a CPU has to be looked at again although it doesn't ring, because its demand will
 * have fallen by then if it is idle, or goes idle at once: to half of what was sent (by fall1024 at
 * least), or at once to half of least1024, where it is as good as none, if that is near. At least
 * 50 ms: the thread of an idle vCPU sleeps, and a floor under it does nothing, so nobody is in a
 * hurry; and each look is a wake-up, but one for all CPUs, where a ring of each that goes idle for
 * a moment would be many. One of which nothing was sent has nothing to take back: UINT64_MAX. */
uint64_t pelt_estimate_fall_nsec(const struct pelt_record *record, const struct pelt_step *step,
				 uint16_t sent1024);

/* Between now_usec and the call before that much was stolen from all CPUs together. What is older
 * than 100 ms counts for half, and so on. */
void pelt_stolen_put(struct pelt_stolen *stolen, uint64_t stolen_usec, uint64_t now_usec);

/* The rise_shift of struct pelt_step: 3 while a third of a CPU is stolen, else 0. Who is stolen
 * from shares his CPUs, and what guestd needs comes out of everybody's share; while the host gives
 * no more than that, a rise is what the guest's clock, which leaves stolen time out, makes of
 * waiting for its turn. */
unsigned pelt_stolen_rise_shift(const struct pelt_stolen *stolen);

/* How much farther apart wake-ups for falls are: 3 while a sixth of a CPU is stolen, else 1. */
unsigned pelt_stolen_fall_factor(const struct pelt_stolen *stolen);

/* How far apart the wake-ups for a CPU have to be, in usec, if a look costs us cost_nsec of CPU
 * time: those for a rise 4 ms, those for a fall 20 ms. Where we are slow it is 4 times the cost for
 * a rise and 16 times that for a fall, in whole steps, up to 16 and 80 ms. */
uint64_t pelt_estimate_rise_usec(uint64_t cost_nsec);
uint64_t pelt_estimate_fall_usec(uint64_t cost_nsec);
