/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From what a vCPU asks for to the floor (uclamp.min) of its thread. Pure. */
#include "hostd/policy.h"

#include "common/macro.h"

uint32_t policy_headroom(unsigned kernel_major, unsigned kernel_minor)
{
	bool with_floor = kernel_major > 6 || (kernel_major == 6 && kernel_minor >= 8);

	return with_floor ? CAPACITY_SCALE + CAPACITY_SCALE / 4 : CAPACITY_SCALE;
}

/* Up to the next step; what is nearly nothing is nothing. */
static uint16_t in_steps(const struct policy_config *config, uint32_t value)
{
	uint32_t step = MAX(config->step, 1);

	value = (value + step - 1) / step * step;
	return (uint16_t)MIN(value, config->floor_max);
}

uint16_t policy_target(const struct policy_config *config, uint16_t demand1024)
{
	uint32_t wanted = (uint32_t)demand1024 * config->headroom1024 / CAPACITY_SCALE;

	return in_steps(config, wanted);
}

/* One half-life's fall from floor to target, at least one step. */
static uint16_t halve(const struct policy_config *config, uint16_t floor1024, uint16_t target)
{
	uint16_t next = in_steps(config, target + (uint32_t)(floor1024 - target) / 2);

	return next < floor1024 ? next : target;
}

uint16_t policy_floor(struct floor_state *state, const struct policy_config *config,
		      uint16_t demand1024, uint64_t now_usec, uint64_t *ret_next_usec)
{
	uint16_t target = policy_target(config, demand1024);

	state->floor1024 = MIN(state->floor1024, config->floor_max);
	if (target >= state->floor1024) {
		state->floor1024 = target;
		state->fall_usec = 0;
		*ret_next_usec = USEC_INFINITY;
		return target;
	}
	/* The demand of the call before held until now, however long ago that call was. */
	if (state->fall_usec == 0)
		state->fall_usec = now_usec + config->hold_usec;
	while (state->floor1024 > target && now_usec >= state->fall_usec) {
		state->floor1024 = halve(config, state->floor1024, target);
		state->fall_usec += MAX(config->half_life_usec, 1);
	}
	if (state->floor1024 == target)
		state->fall_usec = 0;
	*ret_next_usec = state->fall_usec > 0 ? state->fall_usec : USEC_INFINITY;
	return state->floor1024;
}
