/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From ftrace's text to the shared page. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/lab/dvfs/freqpage.h"

enum feed_kind { FEED_FREQUENCY, FEED_SWITCH, FEED_LOST };

struct feed_event {
	enum feed_kind kind;
	uint64_t at_usec; /* CLOCK_MONOTONIC, if trace_clock is mono */
	uint32_t cpu;	  /* whose frequency; on which a thread gave way to another */
	uint32_t khz;	  /* its frequency */
	uint32_t from_tid, to_tid;
	bool from_ready; /* the first one would have gone on */
	uint64_t n;	 /* how many events were lost */
};

/* A line of trace_pipe, with or without its newline. False for any other line. */
bool feed_parse(const char *line, struct feed_event *ret);

/* Puts it into the page. Whether it was a frequency that the page has a place for. */
bool feed_apply(struct freqpage *page, const struct feed_event *event);

/* Counts how late a change of frequency was: from its timestamp until it stood in the page. */
void feed_count_late(struct freqpage *page, uint64_t at_usec, uint64_t stored_usec);

/* The processor field of /proc/TID/stat: -EINVAL if the text isn't such a file. */
int feed_parse_stat(const char *text, uint32_t *ret_cpu);
