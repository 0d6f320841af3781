/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A whole run: what world.h's worlds are made, run and looked at with. */
#pragma once

#include <stdio.h>

#include "tests/sim/metrics.h"
#include "tests/sim/scenario.h"

struct world *world_new(const struct scenario *scenario, enum arm_kind arm, uint64_t seed);
void world_free(struct world *world);
/* Says what happens on that file, from now on: frequencies, clamps, bursts. */
void world_trace(struct world *world, FILE *file);
/* To the scenario's end. */
void world_run(struct world *world, struct run_figures *ret);
/* The groups, for who wants to look at their bursts. */
unsigned world_n_groups(const struct world *world);
const struct metrics_group *world_group(const struct world *world, unsigned i);
