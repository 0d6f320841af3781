/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an operator has laid on domains until the next reboot: a limit of what they may get, or that
 * vmfreq keeps its hands off them. By UUID, for it outlives a start of the domain. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hostd/inventory.h"

#define LIMIT_NONE 100U /* percent of the largest CPU */

struct domain_limit {
	uint8_t percent; /* its floors are at most this much of the largest CPU: 0..LIMIT_NONE */
	bool released;	 /* everything of it is put back, and nothing is set */
};

struct limits_entry {
	uint8_t uuid[DOMAIN_UUID];
	struct domain_limit limit;
};

/* Zero-initialised: none. */
struct limits {
	struct limits_entry *entries; /* only those that say something */
	size_t n;
};

/* What holds for a domain: LIMIT_NONE and not released if nothing was said of it. */
struct domain_limit limits_get(const struct limits *limits, const uint8_t *uuid);

/* Says it, or, with LIMIT_NONE and not released, takes back what was said. -ENOMEM with everything
 * as it was. */
int limits_set(struct limits *limits, const uint8_t *uuid, const struct domain_limit *limit);

void limits_clear(struct limits *limits);

/* Takes what a text says, on top of what is there: a line each, "UUID limit=50" or "UUID released"
 * or both; '#' begins a comment. The text is cut up. A line that says something else, or whose
 * newline is missing (it was torn), is skipped. Their number, or -ENOMEM. */
int limits_parse(struct limits *limits, char *text);

/* The same text, which the caller frees; NULL if there is no memory. */
char *limits_format(const struct limits *limits);

/* What is left of a floor's maximum, both in 1/1024 of the largest CPU. */
uint16_t limit_floor_max(const struct domain_limit *limit, uint16_t floor_max);
