/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CLOCK_MONOTONIC of the simulated daemons, and how late sd-event's timers are. */
#pragma once

#include "common/macro.h"
#include "tests/sim/queue.h"

/* Stamps of 0 mean "never" in many places, so it begins later; by a multiple of the unit in which
 * wake-ups are counted (guestd/pelt_step.h). A guest's is the same: in a pause it goes on. */
#define DAEMON_BASE_USEC UINT64_C(1048576)
#define DAEMON_BASE_NSEC (DAEMON_BASE_USEC * NSEC_PER_USEC)

static inline uint64_t daemon_nsec(const struct queue *queue)
{
	return DAEMON_BASE_NSEC + queue_now(queue);
}

static inline uint64_t daemon_usec(const struct queue *queue)
{
	return daemon_nsec(queue) / NSEC_PER_USEC;
}

/* Sets a timer of sd-event's for at_usec of that clock. A loop that has nothing else to do sleeps
 * to the end of the accuracy (sleep_between() in sd-event.c, but for the moments at which it wakes
 * all programs together). USEC_INFINITY turns it off. */
static inline void daemon_set_timer(struct queue *queue, struct event *event, uint64_t at_usec,
				    uint64_t accuracy_usec)
{
	uint64_t usec = MAX(at_usec, DAEMON_BASE_USEC) - DAEMON_BASE_USEC + accuracy_usec;

	queue_set(queue, event,
		  at_usec == USEC_INFINITY ? SIM_NEVER
					   : MAX(usec * NSEC_PER_USEC, queue_now(queue)));
}
