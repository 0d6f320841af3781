/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/scale.c: a guest's utilization in host units. */
#include "tests/unit/test.h"

#include "hostd/scale.h"

#define T0	  (100 * USEC_PER_SEC)
#define MSEC	  USEC_PER_MSEC
#define HALF_LIFE (UINT64_C(32) << 20) /* ns, of PELT */
#define LONG	  (100 * HALF_LIFE)

static void report(struct scale *scale, uint16_t applied, bool saturated, uint64_t steal_usec,
		   uint64_t at)
{
	scale_report(scale,
		     &(struct scale_report){.util_avg = 500,
					    .util_est = 600,
					    .applied1024 = applied,
					    .saturated = saturated,
					    .steal_usec = steal_usec},
		     T0 + at);
}

/* As long as nobody has looked, what is delivered is taken for what was applied. */
static void test_unknown(_unused_ void **state)
{
	static const uint16_t rows[][2] = {{0, 0},	 {1, 1},       {512, 512},
					   {1024, 1024}, {1025, 1024}, {UINT16_MAX, 1024}};
	struct scale scale = {};
	uint64_t next = 4711;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		EXPECT(scale_to_host(&scale, rows[i][0]) == rows[i][1], "row %zu", i);
	report(&scale, 300, false, 0, 0);
	assert_int_equal(scale_to_host(&scale, 512), 512);
	assert_int_equal(scale_growth(&scale, T0, &next), 0);
	assert_int_equal(next, USEC_INFINITY);
}

/* demand = util x delivered / applied */
static void test_delivered_and_applied(_unused_ void **state)
{
	static const struct {
		uint16_t applied, delivered, util, host;
	} rows[] = {
		{1024, 1024, 512, 512},
		{1024, 512, 512, 256},
		{512, 512, 512, 512},
		{512, 1024, 512, 1024},
		{512, 1024, 600, 1024},
		{1024, 300, 1024, 300},
		{1, 1, 1024, 1024},
		{1, 1024, 1, 1024},
		{1024, 1, 1024, 1},
		{1024, 1, 1023, 0},
		{300, 600, 100, 200},
		{0, 1, 700, 700},
		{2000, 1024, 700, 700},
		{512, 0, 512, 1},
		{512, 2000, 100, 200},
		/* A utilization above the guest's own scale isn't more than all. */
		{300, 300, 1025, 1024},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct scale scale = {};

		report(&scale, rows[i].applied, false, 0, 0);
		scale_look(&scale, rows[i].delivered, 0);
		EXPECT(scale_to_host(&scale, rows[i].util) == rows[i].host, "row %zu: %u", i,
		       scale_to_host(&scale, rows[i].util));
	}
}

/* A look before there is a report: nothing is applied. */
static void test_look_first(_unused_ void **state)
{
	struct scale scale = {};

	scale_look(&scale, 512, 0);
	assert_int_equal(scale_to_host(&scale, 1024), 512);
}

/* Means over the time that the thread ran: half of what was is left after a half-life. */
static void test_means(_unused_ void **state)
{
	static const struct {
		uint64_t run;
		uint16_t host; /* of 1024, after 1024 was delivered for long, and 512 since */
	} rows[] = {{0, 1024},
		    {HALF_LIFE, 768},
		    {2 * HALF_LIFE, 640},
		    {3 * HALF_LIFE, 576},
		    {HALF_LIFE / 2, 874}, /* 512 + 512 x 0.7071 */
		    {LONG, 512}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct scale scale = {};
		uint16_t host;

		report(&scale, 1024, false, 0, 0);
		scale_look(&scale, 1024, LONG);
		scale_look(&scale, 512, rows[i].run);
		host = scale_to_host(&scale, 1024);
		EXPECT(host + 1 >= rows[i].host && host <= rows[i].host, "row %zu: %u", i, host);
		/* And up again. */
		scale_look(&scale, 1024, LONG);
		EXPECT(scale_to_host(&scale, 1024) == 1024, "row %zu", i);
	}
}

/* What was applied is a mean of the same time. */
static void test_mean_applied(_unused_ void **state)
{
	struct scale scale = {};

	report(&scale, 1024, false, 0, 0);
	scale_look(&scale, 512, LONG);
	report(&scale, 512, false, 0, 1000);
	/* The utilization is still that of the scale before. */
	assert_int_equal(scale_to_host(&scale, 512), 256);
	scale_look(&scale, 512, HALF_LIFE); /* 512 / 768 */
	assert_in_range(scale_to_host(&scale, 512), 340, 342);
	scale_look(&scale, 512, LONG);
	assert_int_equal(scale_to_host(&scale, 512), 512);
}

/* Stolen time is cut out of the guest's clock, so it isn't demand. */
static void test_steal(_unused_ void **state)
{
	struct scale scale = {};

	report(&scale, 1024, false, 1000000, 0); /* of before it was known */
	assert_int_equal(scale_to_host(&scale, 1024), 1024);
	/* Half of 100 half-lives of wall time. */
	report(&scale, 1024, false, 50 * (HALF_LIFE / 1000), 100 * (HALF_LIFE / 1000));
	assert_in_range(scale_to_host(&scale, 1024), 511, 513);
	assert_in_range(scale_to_host(&scale, 512), 255, 257);
	/* One half-life without. */
	report(&scale, 1024, false, 0, 101 * (HALF_LIFE / 1000));
	assert_in_range(scale_to_host(&scale, 1024), 767, 769);
	report(&scale, 1024, false, 0, 201 * (HALF_LIFE / 1000));
	assert_in_range(scale_to_host(&scale, 1024), 1023, 1024);
	/* More than all of the time is all of it. */
	report(&scale, 1024, false, UINT32_MAX, 301 * (HALF_LIFE / 1000));
	assert_in_range(scale_to_host(&scale, 1024), 0, 1);
	/* Two reports at once. */
	report(&scale, 1024, false, 0, 301 * (HALF_LIFE / 1000));
	assert_in_range(scale_to_host(&scale, 1024), 0, 1);
}

/* By a quarter in each 4 ms, from what was delivered when it began, until it idles. */
static void test_growth(_unused_ void **state)
{
	static const struct {
		uint64_t at;
		uint16_t grown;
		uint64_t next;
	} rows[] = {
		{0, 300, 4000},	     {3999, 300, 4000},	 {4000, 376, 8000},
		{4000, 376, 8000},   {8001, 471, 12000}, {16000, 737, 20000},
		{20000, 922, 24000}, {24000, 1024, 0},	 {5000000, 1024, 0},
	};
	struct scale scale = {};
	uint64_t next;

	scale_look(&scale, 300, 0);
	report(&scale, 1024, true, 0, 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint16_t grown = scale_growth(&scale, T0 + rows[i].at, &next);

		EXPECT(grown == rows[i].grown, "row %zu: %u", i, grown);
		EXPECT(next == (rows[i].next ? T0 + rows[i].next : USEC_INFINITY), "row %zu", i);
	}
	report(&scale, 1024, false, 0, 5000001);
	assert_int_equal(scale_growth(&scale, T0 + 6000000, &next), 0);
	assert_int_equal(next, USEC_INFINITY);
	/* Anew, from what is delivered by then; late, and not begun anew by another report. */
	scale_look(&scale, 600, 0);
	report(&scale, 1024, true, 0, 6000000);
	report(&scale, 1024, true, 0, 6004000);
	assert_int_equal(scale_growth(&scale, T0 + 6004000, &next), 751);
	assert_int_equal(next, T0 + 6008000);
	scale_look(&scale, 100, 0);
	assert_int_equal(scale_growth(&scale, T0 + 6008000, &next), 939);
}

static void test_growth_ends_at_all(_unused_ void **state)
{
	struct scale scale = {};
	uint64_t next;

	/* Nobody knows what is delivered: all at once. */
	report(&scale, 1024, true, 0, 0);
	assert_int_equal(scale_growth(&scale, T0, &next), 1024);
	assert_int_equal(next, USEC_INFINITY);
	/* A guest that is invariant grows by itself. */
	report(&scale, 1023, true, 0, 1000);
	assert_int_equal(scale_growth(&scale, T0 + 1000, &next), 0);
	assert_int_equal(next, USEC_INFINITY);
	/* From next to nothing it gets there all the same. */
	scale = (struct scale){};
	scale_look(&scale, 1, 0);
	report(&scale, 1024, true, 0, 0);
	assert_int_equal(scale_growth(&scale, T0, &next), 1);
	assert_int_equal(scale_growth(&scale, T0 + 4000, &next), 2);
	assert_int_equal(scale_growth(&scale, T0 + 40 * 4000, &next), 1024);
	assert_int_equal(next, USEC_INFINITY);
}

/* What was stolen isn't grown for. */
static void test_growth_and_steal(_unused_ void **state)
{
	struct scale scale = {};
	uint64_t next;

	report(&scale, 1024, false, 0, 0);
	report(&scale, 1024, true, 2500000, 10000000);
	assert_in_range(scale_growth(&scale, T0 + 10000000, &next), 767, 769);
	assert_int_equal(next, USEC_INFINITY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_delivered_and_applied),
		cmocka_unit_test(test_look_first),
		cmocka_unit_test(test_means),
		cmocka_unit_test(test_mean_applied),
		cmocka_unit_test(test_steal),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_growth_ends_at_all),
		cmocka_unit_test(test_growth_and_steal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
