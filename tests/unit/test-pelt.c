/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* common/pelt.c speaks the kernel's unit: against the sum over periods of 1024 us that the kernel's
 * documentation defines (Documentation/scheduler/sched-pelt.c, ___update_load_sum()), in floating
 * point, for duties, periods and times between two looks. */
#include "tests/unit/test.h"

#include "common/pelt.h"
#include "common/pelt_decay.h"

#define PERIOD_NSEC UINT64_C(1048576)
#define Y	    0.97857206208770013451 /* y^32 = 1/2 */
#define USEC	    UINT64_C(1000)
#define MSEC	    UINT64_C(1000000)
#define STEP	    (50 * USEC)

/* The truth. A whole period counts 1, and all of them since ever 1 / (1 - y). */
struct reference {
	double sum;    /* of the busy time, in periods, aged */
	uint64_t nsec; /* gone of the period that runs */
};

static void reference_advance(struct reference *reference, uint64_t nsec, bool busy)
{
	while (nsec > 0) {
		uint64_t part = MIN(nsec, PERIOD_NSEC - reference->nsec);

		if (busy)
			reference->sum += (double)part / (double)PERIOD_NSEC;
		reference->nsec += part;
		nsec -= part;
		if (reference->nsec == PERIOD_NSEC) {
			reference->sum *= Y;
			reference->nsec = 0;
		}
	}
}

/* get_pelt_divider(): what the sum would be had it always been busy. */
static double reference_util(const struct reference *reference)
{
	double most = Y / (1 - Y) + (double)reference->nsec / (double)PERIOD_NSEC;

	return 1024 * reference->sum / most;
}

struct pair {
	struct pelt pelt;
	struct reference reference;
	double worst, sum;
	unsigned n;
};

static void pair_look(struct pair *pair, uint64_t nsec, uint64_t busy_nsec)
{
	double error;

	pelt_advance(&pair->pelt, 1024, &nsec, &busy_nsec);
	error = pair->pelt.util / 1024. - reference_util(&pair->reference);
	pair->worst = MAX(pair->worst, error < 0 ? -error : error);
	pair->sum += error;
	pair->n++;
}

/* Looked at as often as the load changes, there is nothing to tell the two apart but that the
 * kernel ages by whole periods: at most one period's worth, 22 of 1024. */
static void test_exact(_unused_ void **state)
{
	static const unsigned duties[][2] = {{1, 2},	{5, 10}, {11, 16},  {2, 20},	{8, 50},
					     {50, 100}, {9, 10}, {20, 200}, {180, 200}, {1, 1}};

	for (size_t i = 0; i < ARRAY_SIZE(duties); i++) {
		struct pair pair = {};

		for (uint64_t t = 0; t < 3000 * MSEC; t += STEP) {
			bool busy = t % (duties[i][1] * MSEC) < duties[i][0] * MSEC;

			reference_advance(&pair.reference, STEP, busy);
			pair_look(&pair, STEP, busy ? STEP : 0);
		}
		if (getenv("VERBOSE"))
			print_message("%u/%u: mean %.1f worst %.1f\n", duties[i][0], duties[i][1],
				      pair.sum / pair.n, pair.worst);
		EXPECT(pair.worst <= 6, "row %zu: %.1f", i, pair.worst);
		EXPECT(pair.sum / pair.n < 3 && pair.sum / pair.n > -3, "row %zu: mean %.1f", i,
		       pair.sum / pair.n);
	}
}

/* Looked at more rarely, a sample's busy time is taken as spread evenly over it: where in it that
 * was is lost. Within 6 of 1024 for samples of up to 4 ms, 20 for 10 ms, 60 for 40 ms, and 3 on
 * average whatever they are. */
static void test_intervals(_unused_ void **state)
{
	static const struct {
		unsigned busy, period, interval;
	} rows[] = {
		{1, 2, 1},    {1, 2, 4},     {1, 2, 10},    {5, 10, 3},
		{5, 10, 10},  {11, 16, 4},   {11, 16, 10},  {11, 16, 40},
		{2, 20, 10},  {2, 20, 40},   {8, 50, 10},   {8, 50, 40},
		{50, 100, 1}, {50, 100, 10}, {50, 100, 40}, {180, 200, 10},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t interval = rows[i].interval * MSEC + 7 * STEP, since = 0, busy_nsec = 0;
		double worst = rows[i].interval < 10 ? 6 : rows[i].interval == 10 ? 20 : 60;
		struct pair pair = {};

		for (uint64_t t = 0; t < 6000 * MSEC; t += STEP) {
			bool busy = t % (rows[i].period * MSEC) < rows[i].busy * MSEC;

			reference_advance(&pair.reference, STEP, busy);
			since += STEP;
			busy_nsec += busy ? STEP : 0;
			if (since < interval)
				continue;
			pair_look(&pair, since, busy_nsec);
			since = busy_nsec = 0;
		}
		if (getenv("VERBOSE"))
			print_message("%u/%u every %u: mean %.1f worst %.1f\n", rows[i].busy,
				      rows[i].period, rows[i].interval, pair.sum / pair.n,
				      pair.worst);
		EXPECT(pair.worst <= worst, "row %zu: %.1f", i, pair.worst);
		EXPECT(pair.sum / pair.n < 3 && pair.sum / pair.n > -3, "row %zu: mean %.1f", i,
		       pair.sum / pair.n);
	}
}

/* Up and down by half in 32 periods, whatever the sampling interval. */
static void test_half_life(_unused_ void **state)
{
	for (unsigned pieces = 1; pieces <= 32; pieces *= 2) {
		struct pelt pelt = {};

		for (unsigned i = 0; i < pieces; i++) {
			uint64_t nsec = 32 * PERIOD_NSEC / pieces, busy_nsec = nsec;

			pelt_advance(&pelt, 1024, &nsec, &busy_nsec);
		}
		EXPECT(pelt.util / 1024 >= 511 && pelt.util / 1024 <= 512, "%u: %u", pieces,
		       pelt.util / 1024);
		for (unsigned i = 0; i < pieces; i++) {
			uint64_t nsec = 32 * PERIOD_NSEC / pieces, busy_nsec = 0;

			pelt_advance(&pelt, 1024, &nsec, &busy_nsec);
		}
		EXPECT(pelt.util / 1024 >= 255 && pelt.util / 1024 <= 256, "%u: %u", pieces,
		       pelt.util / 1024);
	}
}

/* Half of a value is left after each half-life, y of it after each period; between two periods it
 * is a straight line. What has been for 63 half-lives is nothing, whatever it was. */
static void test_decay(_unused_ void **state)
{
	static const uint64_t half = 32 * PERIOD_NSEC;
	const struct {
		uint64_t value, nsec, left;
	} rows[] = {
		{PELT_ONE, 0, PELT_ONE},
		{PELT_ONE, half, PELT_ONE / 2},
		{PELT_ONE, 20 * half, 1},
		{PELT_ONE, PERIOD_NSEC, 1026107},     /* 2^20 x 0.978572 */
		{PELT_ONE, PERIOD_NSEC / 2, 1037342}, /* midway */
		{PELT_ONE, half + PERIOD_NSEC, 513054},
		{PELT_ONE, 31 * PERIOD_NSEC, 535768}, /* 2^19 / 0.978572 */
		{UINT64_C(1) << 62, 62 * half, 1},
		{UINT64_C(1) << 63, 63 * half - PERIOD_NSEC, 1}, /* 1.02 */
		{UINT64_MAX, 63 * half, 0},
		{UINT64_MAX, UINT64_MAX, 0},
		{0, half, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		EXPECT(pelt_decay(rows[i].value, rows[i].nsec) == rows[i].left, "row %zu: %llu", i,
		       (unsigned long long)pelt_decay(rows[i].value, rows[i].nsec));
}

/* What was taken for idle and wasn't counts as it would have by now, and the other way round: of
 * half a life a half, of which a half-life later a half is left. Not below nothing, nor above all;
 * and a peak isn't taken back. */
static void test_correct(_unused_ void **state)
{
	static const struct {
		int64_t periods;
		unsigned age, before, after;
	} rows[] = {
		{32, 0, 0, 512},     {32, 32, 0, 256},	  {64, 0, 100, 868},   {0, 0, 300, 300},
		{-32, 0, 1024, 512}, {-32, 32, 800, 544}, {-64, 0, 1024, 256}, {32, 0, 1000, 1024},
		{-32, 0, 256, 0},    {32, 64, 800, 928},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t before = rows[i].before << PELT_SHIFT;
		struct pelt pelt = {.util = before, .peak = before};
		int64_t after;

		pelt_correct(&pelt, rows[i].periods * (int64_t)PERIOD_NSEC,
			     rows[i].age * PERIOD_NSEC);
		after = (int64_t)pelt.util - (int64_t)(rows[i].after << PELT_SHIFT);
		EXPECT(after >= -1 && after <= 1, "row %zu: %u", i, pelt.util);
		EXPECT(pelt.peak == MAX(before, pelt.util), "row %zu: peak %u", i, pelt.peak);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact),	  cmocka_unit_test(test_intervals),
		cmocka_unit_test(test_half_life), cmocka_unit_test(test_correct),
		cmocka_unit_test(test_decay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
