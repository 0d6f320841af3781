/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's per-entity load tracking, redone in integers. Pure. */
#include "guestd/pelt.h"

#include "common/macro.h"

#define PERIOD_SHIFT 20
#define HALF_LIFE    32 /* periods */
#define BEHIND_MAX   (USEC_PER_SEC * NSEC_PER_USEC)
/* (LOAD_AVG_MAX - 1024) / LOAD_AVG_MAX: the kernel takes it for full */
#define FULL_1024 1002U

uint64_t pelt_decay(uint64_t value, uint64_t nsec)
{
	/* 2^32 x y^n; one more entry to interpolate. */
	static const uint32_t powers[HALF_LIFE + 1] = {
		0xffffffff, 0xfa83b2da, 0xf5257d14, 0xefe4b99a, 0xeac0c6e6, 0xe5b906e6, 0xe0ccdeeb,
		0xdbfbb796, 0xd744fcc9, 0xd2a81d91, 0xce248c14, 0xc9b9bd85, 0xc5672a10, 0xc12c4cc9,
		0xbd08a39e, 0xb8fbaf46, 0xb504f333, 0xb123f581, 0xad583ee9, 0xa9a15ab4, 0xa5fed6a9,
		0xa2704302, 0x9ef5325f, 0x9b8d39b9, 0x9837f050, 0x94f4efa8, 0x91c3d373, 0x8ea4398a,
		0x8b95c1e3, 0x88980e80, 0x85aac367, 0x82cd8698, 0x80000000};
	uint64_t periods = nsec >> PERIOD_SHIFT, part = nsec & ((1U << PERIOD_SHIFT) - 1);
	uint64_t halvings = periods / HALF_LIFE, n = periods % HALF_LIFE, power;

	if (halvings >= 63)
		return 0;
	power = powers[n] - (((uint64_t)powers[n] - powers[n + 1]) * part >> PERIOD_SHIFT);
	value >>= halvings;
	return (uint64_t)(((unsigned __int128)value * power + (UINT64_C(1) << 31)) >> 32);
}

static void apply_scale(struct pelt *pelt, uint16_t scale1024, uint64_t *nsec, uint64_t *busy_nsec)
{
	uint64_t idle = *nsec - *busy_nsec, scaled = *busy_nsec * scale1024 / CAPACITY_SCALE;

	pelt->behind_nsec = MIN(pelt->behind_nsec + *busy_nsec - scaled, BEHIND_MAX);
	*busy_nsec = scaled;
	*nsec = scaled + idle;
	if (idle == 0)
		return;
	if (pelt->util < FULL_1024 << PELT_SHIFT)
		*nsec += pelt->behind_nsec;
	pelt->behind_nsec = 0;
}

void pelt_advance(struct pelt *pelt, uint16_t scale1024, uint64_t *nsec, uint64_t *busy_nsec)
{
	uint64_t share, kept;

	apply_scale(pelt, scale1024, nsec, busy_nsec);
	if (*nsec == 0)
		return;
	kept = pelt_decay(PELT_ONE, *nsec);
	share = *busy_nsec * PELT_ONE / *nsec; /* an hour is 2^42 ns */
	pelt->util = (uint32_t)((pelt->util * kept + share * (PELT_ONE - kept)) / PELT_ONE);
	pelt->peak = (uint32_t)MAX(pelt_decay(pelt->peak, *nsec / 2), pelt->util);
}

void pelt_correct(struct pelt *pelt, int64_t past_nsec, uint64_t age_nsec)
{
	uint64_t nsec = past_nsec < 0 ? -(uint64_t)past_nsec : (uint64_t)past_nsec;
	uint64_t part = pelt_decay(PELT_ONE - pelt_decay(PELT_ONE, nsec), age_nsec);

	if (past_nsec < 0)
		pelt->util -= (uint32_t)MIN(pelt->util, part);
	else
		pelt->util = (uint32_t)MIN(pelt->util + part, PELT_ONE);
	pelt->peak = MAX(pelt->peak, pelt->util);
}
