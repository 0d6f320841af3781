/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What has to hold of a scenario, and whether it does (SCENARIOS.md). */
#pragma once

#include "tests/sim/metrics.h"
#include "tests/sim/text.h"

enum bound_what {
	/* Of all seeds together: their median. */
	BOUND_GAP,
	BOUND_GAP_MISSES,
	BOUND_PARITY,
	BOUND_PARITY_MISSES,
	BOUND_LOSS,
	BOUND_ENERGY_PATCHES,
	BOUND_ENERGY_WITHOUT,
	BOUND_ENERGY_NATIVE,
	BOUND_NEIGHBOUR,
	/* Of each run with vmfreq. */
	BOUND_MISSES,
	BOUND_SETTLE,
	BOUND_CHANGES,
	BOUND_MEAN_MHZ,
	BOUND_TOP,
	BOUND_WRITES,
	BOUND_WRITES_SETTLED,
	BOUND_WRITES_4MS,
	BOUND_FLOORS,
	BOUND_FEEDBACK,
	BOUND_WALL,
	BOUND_MEMORY,
	BOUND_N
};

struct scenario_bound {
	enum bound_what what;
	bool none; /* a default that this scenario doesn't have */
	bool at_least;
	double value;		      /* shares of 1, nsec, MHz, numbers */
	char group[METRICS_NAME_MAX]; /* "": every one that has a deadline, or all */
};

/* "WHAT [GROUP] >= VALUE", "... <= VALUE", "WHAT none", from the word at on. */
int bound_parse(const struct text_line *line, unsigned at, struct scenario_bound *bound);

/* The bounds that hold of every scenario which doesn't say another; as many as *ret_n. */
const struct scenario_bound *bound_defaults(unsigned *ret_n);

enum bound_verdict {
	BOUND_OK,
	BOUND_FAILED,
	BOUND_UNKNOWN /* the arms for it weren't run, or there is no gap */
};

/* ret_text: what was found, for people; ret_seed: the place of the seed that is worst. */
enum bound_verdict bound_check(const struct scenario_bound *bound, const struct runs *runs,
			       char *ret_text, size_t size, unsigned *ret_seed);
const char *bound_name(enum bound_what what);
