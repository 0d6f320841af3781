/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many runs at a time, each in a process of its own. */
#pragma once

#include "tests/sim/run.h"

struct runner {
	unsigned n_scenarios;
	struct scenario **scenarios;
	const char **paths;
	unsigned first_seed, n_seeds;
	bool arms[ARM_N];
	unsigned jobs;		     /* at a time */
	unsigned limit_secs;	     /* for one run, which is then ended */
	struct run_figures *figures; /* by scenario, arm and seed: runner_runs() */
};

/* -errno: nothing can be run. A run that couldn't be made, or whose process died, has its status in
 * its figures. */
int runner_run(struct runner *runner);
struct runs runner_runs(const struct runner *runner, unsigned scenario);
void runner_free(struct runner *runner);
