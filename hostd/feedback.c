/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What of a host CPU's speed a guest is told. Pure. */
#include "hostd/feedback.h"

#include "common/macro.h"

/* Up to the next step: a guest takes the highest of its own speeds that doesn't overstate what it is told, so
 * what is rounded up here by less than the distance of those comes out right there. */
static uint16_t in_steps(uint16_t value1024, uint16_t step1024)
{
	unsigned steps = (value1024 + step1024 - 1U) / step1024;

	return (uint16_t)MIN(steps * step1024, CAPACITY_SCALE);
}

void feedback_say(const struct feedback_vcpu *real, const struct feedback_vcpu *told,
		  uint16_t step1024, uint32_t top_khz, struct feedback_vcpu *ret)
{
	uint16_t real1024 = feedback_delivered1024(real), say1024;
	uint16_t told1024 = told->freq_max_khz > 0 ? feedback_delivered1024(told) : 0;

	step1024 = CLAMP(step1024, 1, 512);
	top_khz = MAX(top_khz, CAPACITY_SCALE);
	/* It falls when it has fallen by a quarter of a step more than it takes. */
	if (told->freq_max_khz == top_khz && real1024 <= told1024 &&
	    4 * real1024 + 5U * step1024 > 4U * told1024) {
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
