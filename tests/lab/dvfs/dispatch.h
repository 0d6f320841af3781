/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who runs what, and until when: the little scheduler of the carriers. Pure, no libc, no pointers
 * inside: it stands in a guest's memory too. Callers hold a lock of their own around each call.
 *
 * A lane is what runs one thing at a time: a vCPU, or with by_task a task's own thread (and one
 * more lane, dispatch_timer_lane(), for a device's interrupts). Each lane is told what it has to
 * run, or how long to wait; nothing here waits. Times are us since the timetable's start. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/lab/dvfs/timetable.h"

#define DISPATCH_LANES	    (TIMETABLE_TASKS + 1)
#define DISPATCH_SLICE_NSEC INT64_C(3000000)   /* of the round robin, in own running time */
#define DISPATCH_GRACE_USEC UINT64_C(10000000) /* past the length, for what was released before */
#define DISPATCH_NEVER	    UINT64_MAX

struct dispatch_burst {
	uint64_t released_usec, begun_usec, ended_usec; /* DISPATCH_NEVER: not yet */
	uint32_t cpu;					/* where it ended */
	uint32_t next; /* in its task's queue, or its lane's timers */
};

struct dispatch_task {
	uint32_t lane;
	uint32_t place, burst; /* the next ones in the timetable */
	uint32_t head, tail;   /* released chains that wait behind the current one */
	uint32_t current;      /* the burst that it works on; TIMETABLE_NONE: it sleeps */
	uint32_t next;	       /* in its lane's queue */
	uint32_t running;
	int64_t left;	     /* of the current one's work, as meter.h counts it */
	uint64_t moved_usec; /* when it should have begun on its idle lane; DISPATCH_NEVER */
};

struct dispatch_lane {
	uint32_t head, tail; /* tasks that are ready, without the running one */
	uint32_t timers;     /* chains whose release is to come, by time */
	uint32_t waiting;
	uint32_t kicked; /* look again: somebody else has put something into the queue */
	uint32_t unused;
	int64_t slice_nsec; /* what is left of it */
};

struct dispatch {
	uint32_t by_task, n_lanes, n_ended, n_moves;
	uint32_t n_left_out, unused; /* bursts that were stale before they began */
	uint64_t move_usec,
		move_max_usec; /* from a place's time until it ran on a lane that was idle */
	struct dispatch_lane lane[DISPATCH_LANES];
	struct dispatch_task task[TIMETABLE_TASKS];
	struct dispatch_burst burst[TIMETABLE_BURSTS];
};

enum dispatch_what { DISPATCH_WAIT, DISPATCH_RUN, DISPATCH_END };

struct dispatch_turn {
	enum dispatch_what what;
	uint32_t task;	     /* to run, */
	int64_t left;	     /* its work */
	bool shared;	     /* whether others wait for the lane */
	int64_t slice_nsec;  /* how long it may run if so, in own running time */
	uint64_t until_usec; /* then look again, running or waiting */
	uint64_t kick;	     /* lanes to wake: a bit each */
};

/* Nothing released yet. by_task: each task has a lane of its own, and the timetable's places are
 * the caller's business. */
void dispatch_init(struct dispatch *d, const struct timetable *t, bool by_task);

/* With by_task: the lane that a chain's delay is waited for on. It never runs anything. */
uint32_t dispatch_timer_lane(const struct timetable *t);

/* What the lane has to do now. */
struct dispatch_turn dispatch_next(struct dispatch *d, const struct timetable *t, uint32_t lane,
				   uint64_t now_usec);

/* The lane has run the task for ran_nsec of its own running time; that is left of the burst's work
 * (0 or less: it has ended), on that CPU. Returns the lanes to wake. */
uint64_t dispatch_put(struct dispatch *d, const struct timetable *t, uint32_t lane, uint32_t task,
		      int64_t left, int64_t ran_nsec, uint32_t cpu, uint64_t now_usec);
