/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What of a host CPU's speed a guest is told. Pure.
 *
 * FEEDBACK is a view of the host: the frequency of a CPU that is shared, or of a shared frequency
 * domain, says what the neighbours do. A guest needs it for one thing, the scale of its own load
 * tracking, and the host takes out what that gets wrong (scale.h). So it is told the product of
 * capacity and frequency alone, up to the next step of the largest CPU's speed; it rises at once, and falls
 * by more than a quarter of a step beyond where it would have come from. */
#pragma once

#include <stdint.h>

#include "proto/message.h"

/* What to say of what is delivered (feedback_delivered1024()), where told was said last (zero: nothing): told again if the difference is too
 * small. step1024 1..512; top_khz is the frequency that stands for 1024, of the largest CPU. */
void feedback_say(const struct feedback_vcpu *real, const struct feedback_vcpu *told,
		  uint16_t step1024, uint32_t top_khz, struct feedback_vcpu *ret);
