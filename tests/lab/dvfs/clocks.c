/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lab/dvfs/clocks.h"

#define NSEC_PER_SEC UINT64_C(1000000000)

void clocks_add(struct clocks *clocks, uint64_t asked_nsec, uint64_t answered_nsec, uint64_t count)
{
	uint64_t error_nsec = (answered_nsec - asked_nsec + 1) / 2;

	if (clocks->nsec != 0 && clocks->error_nsec <= error_nsec)
		return;
	clocks->nsec = asked_nsec + (answered_nsec - asked_nsec) / 2;
	clocks->error_nsec = error_nsec;
	clocks->count = count;
}

static uint64_t count_of(uint64_t nsec, uint64_t hz)
{
	return nsec / NSEC_PER_SEC * hz + nsec % NSEC_PER_SEC * hz / NSEC_PER_SEC;
}

uint64_t clocks_count_at(const struct clocks *clocks, uint64_t nsec)
{
	if (nsec >= clocks->nsec)
		return clocks->count + count_of(nsec - clocks->nsec, clocks->hz);
	return clocks->count - count_of(clocks->nsec - nsec, clocks->hz);
}

int64_t clocks_drift_nsec(const struct clocks *earlier, const struct clocks *later)
{
	int64_t counts = (int64_t)(later->count - clocks_count_at(earlier, later->nsec));

	return counts * (int64_t)NSEC_PER_SEC / (int64_t)later->hz;
}
