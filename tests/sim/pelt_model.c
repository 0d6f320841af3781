/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/sim/pelt_model.h"

#include <math.h>

#define STEPS	  1024U /* of a half-life, in a table */
#define STEP_NSEC (PELT_HALF_LIFE_NSEC / STEPS)
#define LN2	  0.69314718055994531

static double table[STEPS];

/* Square roots are exact to the last bit everywhere, exp2() isn't. */
static void fill_table(void)
{
	double root = 0.5, power[10];

	for (unsigned bit = 10; bit-- > 0;)
		power[bit] = root = sqrt(root);
	for (unsigned i = 0; i < STEPS; i++) {
		table[i] = 1;
		for (unsigned bit = 0; bit < 10; bit++)
			if (i >> bit & 1)
				table[i] *= power[bit];
	}
}

double pelt_decay_factor(double nsec)
{
	double halvings, rest, small;
	unsigned step;

	if (nsec <= 0)
		return 1;
	if (nsec >= 64 * PELT_HALF_LIFE_NSEC)
		return 0;
	if (table[0] == 0)
		fill_table();
	halvings = (double)(unsigned)(nsec / PELT_HALF_LIFE_NSEC);
	rest = nsec - halvings * PELT_HALF_LIFE_NSEC;
	step = (unsigned)(rest / STEP_NSEC);
	if (step >= STEPS)
		step = STEPS - 1;
	small = (rest - step * STEP_NSEC) * (LN2 / PELT_HALF_LIFE_NSEC);
	return table[step] * (1 - small * (1 - small * (0.5 - small / 6))) /
	       (double)(UINT64_C(1) << (unsigned)halvings);
}

bool pelt_model_advance(struct pelt_model *pelt, double now_nsec, double util_target,
			double runnable_target)
{
	double past = now_nsec - pelt->last_nsec, kept;
	bool ended;

	if (past <= 0)
		return false;
	ended = (uint64_t)(now_nsec / PELT_PERIOD_NSEC) !=
		(uint64_t)(pelt->last_nsec / PELT_PERIOD_NSEC);
	kept = pelt_decay_factor(past);
	pelt->util = util_target + (pelt->util - util_target) * kept;
	pelt->runnable = runnable_target + (pelt->runnable - runnable_target) * kept;
	pelt->last_nsec = now_nsec;
	return ended;
}
