/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Random numbers by seed and name: the same on every machine, and no stream disturbs another. */
#pragma once

#include <stdint.h>

struct dice {
	uint64_t state[4];
};

/* A stream of its own for each name ("vm a task A period"), so that what one arm, task or path draws
 * doesn't change what another gets. */
void dice_init(struct dice *dice, uint64_t seed, const char *name);

uint64_t dice_u64(struct dice *dice);
uint64_t dice_between(struct dice *dice, uint64_t low, uint64_t high); /* both included */
double dice_share(struct dice *dice);				       /* 0 <= x < 1 */
/* Exponentially distributed with that mean, at most 20 times it. */
uint64_t dice_wait(struct dice *dice, uint64_t mean);
