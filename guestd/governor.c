/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* FEEDBACK -> the speed of each cpufreq policy of the guest. Pure. */
#include "guestd/governor.h"

#include "common/macro.h"

void governor_reset(struct governor *governor)
{
	*governor = (struct governor){};
}

void governor_hear(struct governor *governor, uint64_t now_usec)
{
	governor->heard_usec = now_usec;
}

void governor_feed(struct governor *governor, const struct message_feedback *feedback,
		   uint64_t now_usec)
{
	for (unsigned i = 0; i < feedback->n_vcpus; i++) {
		struct feedback_vcpu vcpu;

		feedback_vcpu(feedback, i, &vcpu);
		governor->delivered1024[vcpu.cpu] = feedback_delivered1024(&vcpu);
	}
	governor->valid = true;
	governor_hear(governor, now_usec);
}

void governor_check(struct governor *governor, uint64_t now_usec)
{
	if (governor->valid && now_usec - governor->heard_usec >= GOVERNOR_SILENCE_USEC)
		governor_reset(governor);
}

/* The largest step of at most khz, between the limits; without a table, khz between them. What is
 * delivered was rounded down to 1/1024: a step that is above it by no more is the one that was
 * meant. */
static uint32_t nearest_step(const struct governor_policy *policy, uint32_t khz)
{
	uint32_t rounding = policy->top_khz / CAPACITY_SCALE;
	uint32_t max = MAX(policy->max_khz, policy->min_khz), best = 0;

	khz = CLAMP(khz, policy->min_khz, max);
	for (unsigned i = 0; i < policy->n_steps; i++) {
		uint32_t step = policy->step_khz[i];

		if (step < policy->min_khz || step > max)
			continue;
		if (step <= khz + rounding || best == 0)
			best = step;
	}
	return best ? best : khz;
}

uint32_t governor_target(const struct governor *governor, const struct governor_policy *policy)
{
	uint16_t delivered = 0;

	CPUMASK_FOREACH(cpu, &policy->cpus)
		delivered = MAX(delivered, governor->delivered1024[cpu]);
	if (!governor->valid || delivered == 0)
		delivered = CAPACITY_SCALE;
	return nearest_step(policy,
			    (uint32_t)((uint64_t)policy->top_khz * delivered / CAPACITY_SCALE));
}

uint64_t governor_interval_usec(uint64_t asked_usec, bool follows)
{
	return follows ? asked_usec : MAX(asked_usec, GOVERNOR_INFORM_USEC);
}

uint64_t governor_wait_usec(const struct governor *governor, const struct governor_policy *policy,
			    const struct governor_state *state, uint64_t interval_usec,
			    uint64_t now_usec)
{
	uint64_t since_usec = now_usec - state->written_usec;

	if (governor_target(governor, policy) == state->written_khz)
		return UINT64_MAX;
	return state->written_khz ? interval_usec - MIN(since_usec, interval_usec) : 0;
}

uint16_t governor_scale1024(const struct governor_policy *policy, uint32_t khz)
{
	if (khz == 0 || policy->top_khz == 0)
		return CAPACITY_SCALE;
	return (uint16_t)CLAMP((uint64_t)khz * CAPACITY_SCALE / policy->top_khz, 1U,
			       CAPACITY_SCALE);
}

bool governor_decide(const struct governor *governor, const struct governor_policy *policy,
		     const struct governor_state *state, uint64_t interval_usec, uint64_t now_usec,
		     uint32_t *ret_khz)
{
	if (governor_wait_usec(governor, policy, state, interval_usec, now_usec) > 0)
		return false;
	*ret_khz = governor_target(governor, policy);
	return true;
}

void governor_wrote(struct governor_state *state, uint32_t khz, uint64_t now_usec)
{
	state->written_khz = khz;
	state->written_usec = now_usec;
}
