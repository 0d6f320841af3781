/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PELT's decay in integers, at any time. Pure. */
#include "common/pelt_decay.h"

#include "common/pelt_powers.h"

#define PERIOD_SHIFT 20

uint64_t pelt_decay(uint64_t value, uint64_t nsec)
{
	uint64_t periods = nsec >> PERIOD_SHIFT, part = nsec & ((1U << PERIOD_SHIFT) - 1);
	uint64_t halvings = periods / PELT_HALF_LIFE, n = periods % PELT_HALF_LIFE, power;

	if (halvings >= 63)
		return 0;
	power = pelt_powers[n] -
		(((uint64_t)pelt_powers[n] - pelt_powers[n + 1]) * part >> PERIOD_SHIFT);
	value >>= halvings;
	return (uint64_t)(((unsigned __int128)value * power + (UINT64_C(1) << 31)) >> 32);
}
