/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a lane (dispatch.h) does all the time: run what it is told to, or wait. The same for host
 * threads and for vCPUs of the payload; what differs is behind the doors. No libc. */
#pragma once

#include "tests/lab/dvfs/dispatch.h"

struct lane_doors {
	uint64_t (*now_usec)(void *userdata); /* since the timetable's start */
	/* The lane's own running time, without what it was preempted. Only differences count; it
	 * may step back where it becomes known late that a time was stolen. */
	int64_t (*ran_nsec)(void *userdata);
	uint32_t (*rate20)(void *userdata); /* freqpage_rate20() of the CPU that it is on */
	uint32_t (*cpu)(void *userdata);    /* which, for the log */
	void (*spin)(void *userdata, uint32_t rounds); /* of a loop: work */
	/* Sleeps until then, or until kicked is set: may return earlier. Must not spin. */
	void (*wait)(void *userdata, uint64_t until_usec, const uint32_t *kicked);
	void (*kick)(void *userdata, uint32_t lane); /* ends its wait */
	void (*lock)(void *userdata);
	void (*unlock)(void *userdata);
};

struct lane {
	struct dispatch *dispatch;
	const struct timetable *timetable;
	const struct lane_doors *doors;
	void *userdata;
	uint32_t index;
	uint64_t steps, step_nsec;  /* how finely work was counted */
	uint64_t rounds_per_second; /* as it was lately; 0: not known yet */
};

/* Until the timetable is at its end. */
void lane_run(struct lane *lane);
