/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Floors of threads by the lowest frequency of the CPUs that they run on (scaling_min_freq), for
 * hosts where uclamp does nothing. freqplan.h decides; the doors are minfreq.h, through the ledger,
 * and threads.h.
 *
 * A table of threads and their floors is kept here. freqfloor_set() and its like only note; it is
 * freqfloor_tick() that looks where threads run and writes, once for all that has changed. A policy
 * whose scaling_min_freq somebody else has changed is theirs from then on. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "hostd/ledger.h"
#include "hostd/threads.h"
#include "hostd/topology.h"

struct freqfloor;

/* ledger and topology outlive it. -ENOMEM. */
int freqfloor_new(int root_fd, struct ledger *ledger, const struct topology *topology,
		  struct freqfloor **ret);

/* Puts all policies back. What fails stays in the ledger, for the end. */
void freqfloor_put_back(struct freqfloor *freqfloor);

/* Forgets all; what stands changed stays in the ledger. Returns NULL. */
struct freqfloor *freqfloor_free(struct freqfloor *freqfloor);

/* Gives a thread a floor of 1 … 1024. cpus is where it may run: within one policy it need not be
 * looked at again. 0; -ESRCH if the thread has gone; -EBADMSG, -ENOMEM. */
int freqfloor_set(struct freqfloor *freqfloor, const struct vcpu_thread *thread, uint16_t floor1024,
		  const struct cpumask *cpus);

/* Takes a thread's floor away; nothing if it has none. */
void freqfloor_clear(struct freqfloor *freqfloor, pid_t tid);

/* Says that a thread that may have a floor can run on other CPUs from now on; NULL: anywhere. */
void freqfloor_set_cpus(struct freqfloor *freqfloor, pid_t tid, const struct cpumask *cpus);

/* Brings all policies to now: each written at most once in interval_usec, and only if its minimum
 * changes. *ret_next_usec is when to come again without a change; USEC_INFINITY: never. Cheap if
 * there is nothing to do. */
void freqfloor_tick(struct freqfloor *freqfloor, uint64_t interval_usec, uint64_t now_usec,
		    uint64_t *ret_next_usec);

/* Asks the kernel whether what we set still stands, and what the limits are now. For now and then;
 * a tick has to follow. */
void freqfloor_verify(struct freqfloor *freqfloor, uint64_t now_usec);

/* What the minimum of a CPU's policy is now, in 1/1024 of the largest CPU. -ENODATA without one. */
int freqfloor_effective(const struct freqfloor *freqfloor, unsigned cpu, uint16_t *ret_floor1024);

/* Whether a CPU's policy is somebody else's, and the -errno of the last write to it that failed (0:
 * none). */
bool freqfloor_is_theirs(const struct freqfloor *freqfloor, unsigned cpu);
int freqfloor_error(const struct freqfloor *freqfloor, unsigned cpu);
