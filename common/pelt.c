/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's per-entity load tracking, redone in integers. Pure. */
#include "common/pelt.h"

#include "common/macro.h"
#include "common/pelt_decay.h"

#define BEHIND_MAX   (USEC_PER_SEC * NSEC_PER_USEC)
/* (LOAD_AVG_MAX - 1024) / LOAD_AVG_MAX: the kernel takes it for full */
#define FULL_1024 1002U

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
