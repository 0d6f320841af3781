/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the host's programs share: files, clocks, and the burst log. Doors. */
#pragma once

#include <sched.h>
#include <stdio.h>

#include "tests/lab/dvfs/dispatch.h"
#include "tests/lab/dvfs/freqpage.h"

#define HOSTSIDE_PAGE "/dev/shm/vmfreq-dvfs"

/* CLOCK_MONOTONIC */
uint64_t hostside_now_nsec(void);
void hostside_sleep_until(uint64_t nsec);

/* The host's CPUs that the timetable doesn't use. False if there are none. */
bool hostside_spare_cpus(const struct timetable *t, cpu_set_t *ret);

/* Moves the caller to them, if there are any. */
void hostside_stand_aside(const struct timetable *t);

/* The timetable in a file: to free(). NULL, and it has been said on stderr why. */
struct timetable *hostside_timetable(const char *program, const char *path);

/* Maps size bytes of a file that is there, "PATH@OFFSET" or "PATH" (offset: decimal or 0x, of whole
 * pages), for reading and writing: NULL with errno set. */
void *hostside_map(const char *path_at_offset, size_t size);

/* The page that a feeder keeps now. NULL, and it has been said why: without one a carrier's work
 * would be counted at a frequency that isn't true. */
struct freqpage *hostside_page(const char *program, const char *path_at_offset);

/* Whether the feeder still looks round. */
bool hostside_page_is_fed(const struct freqpage *page);

/* A log: its first comment, what else is to be said of the run, and its bursts. lines may be NULL.
 * before: the page at the run's start. 0 or -errno. */
struct hostside_log {
	const char *carrier;
	const char *lines;
	uint64_t start_usec;
	const struct freqpage *before, *after;
};
int hostside_write_log(const char *path, const struct hostside_log *log, const struct timetable *t,
		       const struct dispatch *d);
