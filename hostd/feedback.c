/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What of a host CPU's speed a guest is told. Pure. */
#include "hostd/feedback.h"

#include "common/macro.h"

uint16_t feedback_delivered1024(const struct feedback_vcpu *real)
{
	uint64_t share = real->capacity;

	if (real->freq_khz > 0 && real->freq_max_khz > 0)
		share = share * real->freq_khz / real->freq_max_khz;
	return (uint16_t)CLAMP(share, 1U, CAPACITY_SCALE);
}

/* The nearest step, and never nothing. */
static uint16_t in_steps(uint16_t value1024, uint16_t step1024)
{
	unsigned steps = (value1024 + step1024 / 2U) / step1024;

	return (uint16_t)MIN(MAX(steps, 1U) * step1024, CAPACITY_SCALE);
}

void feedback_say(const struct feedback_vcpu *real, const struct feedback_vcpu *told,
		  uint16_t step1024, uint32_t top_khz, struct feedback_vcpu *ret)
{
	uint16_t real1024 = feedback_delivered1024(real), say1024;
	uint16_t told1024 = told->freq_max_khz > 0 ? feedback_delivered1024(told) : 0;
	unsigned apart = (unsigned)(MAX(real1024, told1024) - MIN(real1024, told1024));

	step1024 = CLAMP(step1024, 1, 512);
	top_khz = MAX(top_khz, CAPACITY_SCALE);
	if (told1024 > 0 && told->freq_max_khz == top_khz && 4 * apart < 3U * step1024) {
		*ret = *told;
		return;
	}
	say1024 = in_steps(real1024, step1024);
	*ret = (struct feedback_vcpu){
		.cpu = real->cpu,
		.capacity = CAPACITY_SCALE,
		.freq_khz = (uint32_t)(((uint64_t)top_khz * say1024 + CAPACITY_SCALE - 1) /
				       CAPACITY_SCALE),
		.freq_max_khz = top_khz,
	};
}
