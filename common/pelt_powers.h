/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PELT's decay, for both daemons and for guestd's eBPF programs: y^32 = 1/2, and y^n for each n up to there. Needs
 * nothing but <stdint.h>. */
#pragma once

#include <stdint.h>

#define PELT_HALF_LIFE 32U /* periods of 1024 x 1024 ns */

/* 2^32 x y^n (runnable_avg_yN_inv[] of kernel/sched/sched-pelt.h); the last one is for who
 * interpolates. */
static const uint32_t pelt_powers[PELT_HALF_LIFE + 1] = {
	0xffffffff, 0xfa83b2da, 0xf5257d14, 0xefe4b99a, 0xeac0c6e6, 0xe5b906e6, 0xe0ccdeeb,
	0xdbfbb796, 0xd744fcc9, 0xd2a81d91, 0xce248c14, 0xc9b9bd85, 0xc5672a10, 0xc12c4cc9,
	0xbd08a39e, 0xb8fbaf46, 0xb504f333, 0xb123f581, 0xad583ee9, 0xa9a15ab4, 0xa5fed6a9,
	0xa2704302, 0x9ef5325f, 0x9b8d39b9, 0x9837f050, 0x94f4efa8, 0x91c3d373, 0x8ea4398a,
	0x8b95c1e3, 0x88980e80, 0x85aac367, 0x82cd8698, 0x80000000};

/* value x y^periods, rounded down: as decay_load() of kernel/sched/pelt.c. value below 2^32. */
static inline uint32_t pelt_powers_decay(uint32_t value, uint64_t periods)
{
	if (periods >= PELT_HALF_LIFE * PELT_HALF_LIFE)
		return 0;
	value >>= periods / PELT_HALF_LIFE;
	return (uint32_t)((uint64_t)value * pelt_powers[periods % PELT_HALF_LIFE] >> 32);
}
