/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A floor and a ceiling of a thread (uclamp.min and uclamp.max), and how they go together with each
 * other and with what stood there before us. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* In 1/1024 of the largest CPU. A floor of 0 and a ceiling of 1024 mean "as without us"; so does a
 * ceiling of 0, which would be of no use: so what is zero-initialised wants nothing. */
struct clamps {
	uint16_t floor1024, ceiling1024;
};

/* The same, with a ceiling of 1 … 1024 that isn't below the floor. */
struct clamps clamps_tidy(struct clamps clamps);

/* Whether there is neither. */
bool clamps_are_none(struct clamps clamps);

/* What is to be set of `want` where `before` stood before us: the floor is never above the maximum
 * that stood there and the ceiling never below the minimum, for both are somebody's word; and what
 * asks for no more than stood there is "as without us". `before` is as it was read: 0 and 1024 are
 * values like others, and its floor may be above its ceiling (a real-time thread's default). */
struct clamps clamps_within(struct clamps want, struct clamps before);
