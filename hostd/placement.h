/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* On which class of cores a vCPU should be. Pure.
 *
 * Whole classes, never single CPUs: the kernel still balances inside. Up at once, down only after
 * the smaller class has sufficed for a while. Always inside the domain's own mask, never empty. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/cpumask.h"

#define PLACEMENT_CLASSES_MAX 8U

struct placement_class {
	struct cpumask cpus;
	uint16_t capacity1024; /* of one of its CPUs */
};

struct placement_config {
	unsigned n_classes; /* fewer than 2: there is nothing to choose */
	struct placement_class classes[PLACEMENT_CLASSES_MAX]; /* the smallest first */
	uint64_t dwell_usec; /* a smaller class must have sufficed for this long */
};

struct placement_state {
	bool placed;
	unsigned class;          /* where it is, if placed */
	uint64_t small_since_usec; /* since when a smaller class has sufficed; 0: it doesn't */
};

/* Chooses for a vCPU that asks for demand1024. allowed is the domain's own mask within the CPUs that
 * are online. false if there is nothing to choose (one class, or its mask lies within one): leave it
 * alone. Else *ret is the set of CPUs, a non-empty part of allowed. *ret_next_usec is when the
 * answer may change without a new report, USEC_INFINITY if never. */
bool placement_choose(struct placement_state *state, const struct placement_config *config,
		      uint16_t demand1024, const struct cpumask *allowed, uint64_t now_usec,
		      struct cpumask *ret, uint64_t *ret_next_usec);

/* The index of the smallest class that suffices for demand1024, the largest if none does. As the
 * kernel's fits_capacity() (kernel/sched/fair.c): 1.25 x util < capacity. Classes that have no CPU
 * in allowed are passed over; 0 if none has. */
unsigned placement_class_for(const struct placement_config *config, uint16_t demand1024,
			     const struct cpumask *allowed);
