/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the floors of threads to the lowest frequency of each cpufreq policy. Pure. */
#include "hostd/freqplan.h"

#include "common/macro.h"

#define LOOK_MIN_USEC	     (10 * USEC_PER_MSEC)
#define LOOK_USEC_PER_THREAD 300U /* 3 us of work in each */

static uint32_t in_steps(const struct freqplan_policy *policy, uint32_t khz)
{
	for (unsigned i = 0; i < policy->n_steps; i++)
		if (policy->steps[i] >= khz)
			return policy->steps[i];
	return policy->n_steps > 0 ? policy->steps[policy->n_steps - 1] : khz;
}

uint32_t freqplan_khz(const struct freqplan_policy *policy, uint16_t floor1024)
{
	uint32_t capacity1024 = MAX(policy->capacity1024, 1);
	uint64_t khz = ((uint64_t)policy->max_khz * floor1024 + capacity1024 - 1) / capacity1024;
	uint32_t limit_khz = policy->max_khz;

	if (policy->limit_khz > 0)
		limit_khz = MIN(limit_khz, policy->limit_khz);
	return MIN(in_steps(policy, (uint32_t)MIN(khz, limit_khz)), limit_khz);
}

uint16_t freqplan_floor1024(const struct freqplan_policy *policy, uint32_t khz)
{
	uint64_t floor1024 = (uint64_t)khz * policy->capacity1024 / MAX(policy->max_khz, 1);

	return (uint16_t)MIN(floor1024, CAPACITY_SCALE);
}

/* What it should have if neither time nor writes mattered. */
static uint32_t target_khz(const struct freqplan_policy *policy, uint16_t floor1024)
{
	uint32_t khz = floor1024 > 0 ? freqplan_khz(policy, floor1024) : 0;

	return khz > policy->prior_khz ? khz : 0;
}

uint32_t freqplan_decide(struct freqplan_policy *policy, uint16_t floor1024, uint64_t interval_usec,
			 uint64_t now_usec, uint64_t *ret_next_usec)
{
	uint32_t want_khz = target_khz(policy, floor1024);

	*ret_next_usec = USEC_INFINITY;
	if (want_khz >= policy->have_khz)
		policy->fall_usec = 0;
	if (want_khz == policy->have_khz)
		return want_khz;
	if (want_khz < policy->have_khz) {
		if (policy->fall_usec == 0)
			policy->fall_usec = now_usec + FREQPLAN_HOLD_USEC;
		if (now_usec < policy->fall_usec) {
			*ret_next_usec = policy->fall_usec;
			return policy->have_khz;
		}
	}
	if (policy->written_usec > 0 && now_usec < policy->written_usec + interval_usec) {
		*ret_next_usec = policy->written_usec + interval_usec;
		return policy->have_khz;
	}
	return want_khz;
}

void freqplan_done(struct freqplan_policy *policy, uint32_t khz, uint64_t now_usec)
{
	policy->have_khz = khz;
	policy->fall_usec = 0;
	policy->written_usec = now_usec;
}

bool freqplan_lags(const struct freqplan_policy *policy, uint64_t now_usec)
{
	return policy->written_usec > 0 && now_usec < policy->written_usec + FREQPLAN_LAG_USEC;
}

uint64_t freqplan_look_usec(unsigned n)
{
	return MAX(LOOK_MIN_USEC, (uint64_t)n * LOOK_USEC_PER_THREAD);
}

unsigned freqplan_sort(uint32_t *steps, unsigned n)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++) {
		uint32_t khz = steps[i];
		unsigned at = kept;

		while (at > 0 && steps[at - 1] > khz)
			at--;
		if (at > 0 && steps[at - 1] == khz)
			continue;
		for (unsigned k = kept; k > at; k--)
			steps[k] = steps[k - 1];
		steps[at] = khz;
		kept++;
	}
	return kept;
}
