/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Work, counted down in own running time x rate. Pure, no libc.
 *
 * An emulated CPU doesn't slow down with its frequency, so a burst isn't so many rounds of a loop
 * but so much capacity/1024 x frequency/highest frequency x running time. */
#pragma once

#include <stdint.h>

/* One ns at the highest frequency of a CPU of capacity 1024 (a rate of 2^20, as freqpage_rate20()).
 */
#define METER_NSEC (INT64_C(1) << 20)

static inline int64_t meter_of_usec(uint32_t work_usec)
{
	return (int64_t)work_usec * 1000 * METER_NSEC;
}

/* What is left after a thread has run for so long at that rate. ran_nsec may be below zero: time
 * that was counted as run, and of which only now is known that it was stolen. */
static inline int64_t meter_left(int64_t left, int64_t ran_nsec, uint32_t rate20)
{
	return left - ran_nsec * (int64_t)rate20;
}
