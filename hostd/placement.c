/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* On which class of cores a vCPU should be. Pure. */
#include "hostd/placement.h"

#include "common/macro.h"

static bool class_is_usable(const struct placement_class *class, const struct cpumask *allowed,
			    struct cpumask *ret)
{
	cpumask_and(ret, &class->cpus, allowed);
	return !cpumask_is_empty(ret);
}

static unsigned usable_classes(const struct placement_config *config, const struct cpumask *allowed)
{
	struct cpumask cpus;
	unsigned n = 0;

	for (unsigned i = 0; i < config->n_classes; i++)
		n += class_is_usable(&config->classes[i], allowed, &cpus);
	return n;
}

unsigned placement_class_for(const struct placement_config *config, uint16_t demand1024,
			     const struct cpumask *allowed)
{
	struct cpumask cpus;
	unsigned best = 0;

	for (unsigned i = 0; i < config->n_classes; i++) {
		if (!class_is_usable(&config->classes[i], allowed, &cpus))
			continue;
		best = i;
		if (demand1024 * 1280U < config->classes[i].capacity1024 * 1024U)
			break;
	}
	return best;
}

bool placement_choose(struct placement_state *state, const struct placement_config *config,
		      uint16_t demand1024, const struct cpumask *allowed, uint64_t now_usec,
		      struct cpumask *ret, uint64_t *ret_next_usec)
{
	struct cpumask current;
	unsigned wanted;

	*ret_next_usec = USEC_INFINITY;
	if (usable_classes(config, allowed) < 2) {
		*state = (struct placement_state){};
		return false;
	}
	wanted = placement_class_for(config, demand1024, allowed);
	if (!state->placed || state->class >= config->n_classes || wanted >= state->class ||
	    !class_is_usable(&config->classes[state->class], allowed, &current)) {
		*state = (struct placement_state){.placed = true, .class = wanted};
	} else {
		if (state->small_since_usec == 0)
			state->small_since_usec = now_usec;
		if (now_usec - state->small_since_usec >= config->dwell_usec)
			*state = (struct placement_state){.placed = true, .class = wanted};
		else
			*ret_next_usec = state->small_since_usec + config->dwell_usec;
	}
	cpumask_and(ret, &config->classes[state->class].cpus, allowed);
	return true;
}
