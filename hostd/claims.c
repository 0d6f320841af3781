/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest claims, held against what its vCPU's thread really ran. Pure. */
#include "hostd/claims.h"

#include "common/macro.h"

/* 1/1024 of the time: a thread that has run for less says nothing of its peaks. */
#define PEAK_RUN 51U

static uint16_t with_margin(uint64_t value1024)
{
	return (uint16_t)MIN(value1024 + value1024 / 4 + CLAIMS_MARGIN, CAPACITY_SCALE);
}

static void sum_up(struct claims *claims, uint64_t now_usec)
{
	claims->claim_sum += claims->claim1024 * (now_usec - claims->stamp_usec);
	claims->stamp_usec = now_usec;
}

void claims_put(struct claims *claims, uint16_t util_avg1024, uint16_t demand1024,
		uint64_t now_usec)
{
	sum_up(claims, now_usec);
	claims->claim1024 = util_avg1024;
	claims->asked1024 = demand1024;
	claims->peak1024 = MAX(claims->peak1024, util_avg1024);
	claims->wanted1024 = MAX(claims->wanted1024, demand1024);
}

static void begin(struct claims *claims, uint64_t run_nsec, uint64_t now_usec)
{
	claims->begin_usec = claims->stamp_usec = now_usec;
	claims->claim_sum = 0;
	claims->run_nsec = run_nsec;
	claims->peak1024 = claims->claim1024;
	claims->wanted1024 = claims->asked1024;
}

static void take_bad(struct claims *claims)
{
	claims->good = 0;
	if (claims->held_down) {
		claims->parole += claims->parole < UINT8_MAX;
		return;
	}
	claims->too_high++;
	if (claims->too_high < CLAIMS_PATIENCE)
		return;
	claims->held_down = true;
	claims->parole = CLAIMS_PAROLE;
}

static void take_good(struct claims *claims)
{
	claims->too_high = 0;
	claims->good += claims->good < UINT8_MAX;
	if (claims->good >= claims->parole)
		claims->held_down = false;
}

static void judge(struct claims *claims, uint16_t used1024, uint64_t claimed1024)
{
	bool mean = claimed1024 > with_margin(used1024);
	bool peak = used1024 >= PEAK_RUN && claims->wanted1024 > with_margin(claims->peak1024);

	if (mean || peak)
		take_bad(claims);
	else
		take_good(claims);
	if (!claims->held_down)
		claims->most1024 = CAPACITY_SCALE;
	else
		claims->most1024 = with_margin(mean ? used1024 : MAX(claims->peak1024, used1024));
}

bool claims_check(struct claims *claims, uint64_t run_nsec, uint16_t delivered1024,
		  uint64_t now_usec)
{
	const struct claims before = *claims;
	uint64_t usec = now_usec - claims->begin_usec, used1024, claimed1024;

	sum_up(claims, now_usec);
	if (before.begin_usec == 0 || usec == 0 || run_nsec < before.run_nsec) {
		begin(claims, run_nsec, now_usec);
		return false;
	}
	used1024 = (run_nsec - before.run_nsec) / NSEC_PER_USEC * delivered1024 / usec;
	used1024 = MIN(used1024, CAPACITY_SCALE);
	claimed1024 = claims->claim_sum / usec;
	judge(claims, (uint16_t)used1024, claimed1024);
	begin(claims, run_nsec, now_usec);
	return claims->held_down != before.held_down ||
	       (claims->held_down && claims->most1024 != before.most1024);
}

uint16_t claims_cut(const struct claims *claims, uint16_t demand1024)
{
	return claims->held_down ? MIN(demand1024, claims->most1024) : demand1024;
}

void claims_restart(struct claims *claims)
{
	claims->begin_usec = 0;
	claims->claim_sum = 0;
	claims->claim1024 = claims->peak1024 = 0;
	claims->asked1024 = claims->wanted1024 = 0;
}
