/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who gets how much of a budget that doesn't suffice for all: in proportion to weight, and nobody
 * more than was asked for. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct share_claim {
	uint32_t wants;	 /* in 1/1024 of the largest CPU, 0 … 2^24 */
	uint32_t weight; /* 1 … 10000 */
	uint32_t gets;	 /* the result: 0 … wants */
};

/* The water level: what each unit of weight gets, in 1/1024 of wants' unit, so that all of
 * min(wants, weight x level / 1024) together are within the budget and as near to it as whole
 * numbers allow. UINT64_MAX if all get what they want. */
uint64_t share_level(const struct share_claim *claims, size_t n, uint64_t budget);

/* Fills in what each gets: never more than wants, never more together than budget. The sum that
 * they get. */
uint64_t share_out(struct share_claim *claims, size_t n, uint64_t budget);
