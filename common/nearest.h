/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* "Did you mean ...?": the known name that is nearest to what somebody wrote. Pure. */
#pragma once

/* How many letters must be put in, taken away, changed, or swapped with their neighbour to make one
 * name of the other (the optimal string alignment distance), in any case. Names of up to
 * NEAREST_NAME_MAX bytes; of longer ones only the difference of their lengths counts. Pure. */
#define NEAREST_NAME_MAX 63U
unsigned nearest_distance(const char *a, const char *b);

/* The best name so far. Initialise with the word that was written. */
struct nearest {
	const char *word;
	const char *name; /* NULL while none is near: a third of the word may be wrong */
	unsigned distance;
};

/* Takes a known name if it is nearer than those before it. Pure. */
void nearest_offer(struct nearest *nearest, const char *name);
