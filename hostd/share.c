/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who gets how much of a budget that doesn't suffice for all. Pure. */
#include "hostd/share.h"

#include "common/macro.h"

#define LEVEL_BITS 36U /* 2^24 wanted at a weight of 1, in 1/1024 */

static uint32_t gets_at(const struct share_claim *claim, uint64_t level)
{
	return (uint32_t)MIN(claim->wants, claim->weight * level / 1024);
}

static uint64_t sum_at(const struct share_claim *claims, size_t n, uint64_t level)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += gets_at(&claims[i], level);
	return sum;
}

uint64_t share_level(const struct share_claim *claims, size_t n, uint64_t budget)
{
	uint64_t level = 0, all = 0;

	for (size_t i = 0; i < n; i++)
		all += claims[i].wants;
	if (all <= budget)
		return UINT64_MAX;
	/* The highest level whose sum is within the budget, bit by bit. */
	for (unsigned bit = LEVEL_BITS; bit-- > 0;)
		if (sum_at(claims, n, level | UINT64_C(1) << bit) <= budget)
			level |= UINT64_C(1) << bit;
	return level;
}

uint64_t share_out(struct share_claim *claims, size_t n, uint64_t budget)
{
	uint64_t level = share_level(claims, n, budget), sum = 0;

	for (size_t i = 0; i < n; i++) {
		claims[i].gets = level == UINT64_MAX ? claims[i].wants : gets_at(&claims[i], level);
		sum += claims[i].gets;
	}
	return sum;
}
