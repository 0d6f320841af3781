/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the carriers do and when (README.md has the text's format). One block without pointers, so
 * that it can stand in a guest's memory. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TIMETABLE_CPUS	 8u
#define TIMETABLE_TASKS	 62u
#define TIMETABLE_PLACES 16384u
#define TIMETABLE_BURSTS 65536u
#define TIMETABLE_NAME	 24u
#define TIMETABLE_NONE	 UINT32_MAX
/* Twice the bursts: a look-up of their ids. A power of two. */
#define TIMETABLE_IDS 131072u

struct timetable_place {
	uint64_t at_usec;
	uint32_t task, cpu;
	uint32_t next; /* of the same task */
	uint32_t unused;
};

struct timetable_burst {
	uint64_t at_usec; /* the release; of a chain, how long after the end of another */
	uint32_t id, task;
	uint32_t work_usec, deadline_usec;
	uint32_t after; /* the other; TIMETABLE_NONE: not a chain */
	uint32_t next;	/* of the same task, not a chain */
	uint32_t chain; /* the first that waits for this one, and the next that waits with it */
	uint32_t chain_next;
};

struct timetable_task {
	char name[TIMETABLE_NAME];
	uint32_t place, last_place; /* the first and the last */
	uint32_t burst, last_burst; /* the first and the last that are no chains */
};

struct timetable {
	uint64_t length_usec;
	uint32_t n_cpus, n_tasks, n_places, n_bursts;
	uint32_t host_cpu[TIMETABLE_CPUS]; /* where the host has each: at its number, or pinned */
	struct timetable_task task[TIMETABLE_TASKS];
	struct timetable_place place[TIMETABLE_PLACES]; /* by time */
	struct timetable_burst burst[TIMETABLE_BURSTS];
	uint32_t by_id[TIMETABLE_IDS]; /* the parser's own */
};

/* Parses a whole text. 0, or -EINVAL for a line that isn't as README.md says, -E2BIG for more of
 * something than there is room for; ret_line then is the line's number (0: something is missing at
 * the end) and ret_why says what is wrong with it. The timetable is then of no use. */
int timetable_parse(const char *text, struct timetable *ret, unsigned *ret_line,
		    const char **ret_why);
