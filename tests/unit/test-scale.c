/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/scale.c: a guest's utilization in host units. Its figures are PELT's, by hand: y^32 = 1/2.
 */
#include "tests/unit/test.h"

#include "hostd/scale.h"

#define T0     (100 * USEC_PER_SEC)
#define PERIOD UINT64_C(1048576) /* ns, of PELT */
#define HALF   (32 * PERIOD)
#define LONG   (40 * HALF)
#define HOUR   (3600 * USEC_PER_SEC * NSEC_PER_USEC)

static struct scale scale;
static struct scale_table table;
static uint64_t now, run; /* ns, of the thread */

static int setup(_unused_ void **state)
{
	scale = (struct scale){};
	table = (struct scale_table){};
	now = T0 * NSEC_PER_USEC;
	run = 5 * HALF;
	return 0;
}

static void report(uint16_t demand, uint16_t applied, uint64_t steal_usec, uint64_t at)
{
	scale_report(&scale,
		     &(struct scale_report){.demand1024 = demand,
					    .applied1024 = applied,
					    .steal_usec = steal_usec},
		     T0 + at);
}

/* A look, that long after the one before, of which it ran for so long. */
static void look(uint64_t nsec, uint64_t busy_nsec, uint16_t delivered)
{
	now += nsec;
	run += busy_nsec;
	scale_look(&scale, &table, &(struct scale_look){now, run, delivered});
}

static uint16_t host(uint16_t util)
{
	return scale_to_host(&scale, &table, util);
}

static uint16_t most(uint16_t util)
{
	return scale_most(&scale, &table, util);
}

/* As long as nobody has looked, what is delivered is taken for what was applied. */
static void test_unknown(_unused_ void **state)
{
	static const uint16_t rows[][2] = {{0, 0},	 {1, 1},       {512, 512},
					   {1024, 1024}, {1025, 1024}, {UINT16_MAX, 1024}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		EXPECT(host(rows[i][0]) == rows[i][1], "row %zu", i);
		EXPECT(most(rows[i][0]) == rows[i][1], "row %zu", i);
	}
	report(512, 300, 0, 0);
	assert_int_equal(host(512), 512);
	assert_int_equal(most(512), 512);
	/* Nor do those that come and leave say anything. */
	scale_come(&scale, &table, 500);
	scale_leave(&scale, 500);
	assert_int_equal(scale.seen.util, 0);
	assert_int_equal(scale.worth.util, 0);
}

/* Of a size that hasn't been seen: util x delivered / applied, within bounds. */
static void test_not_seen(_unused_ void **state)
{
	static const struct {
		uint16_t applied, delivered, util, host;
	} rows[] = {
		{1024, 1024, 512, 512},
		{1024, 512, 512, 256},
		{1024, 300, 1024, 300},
		{1024, 1, 1024, 1},
		{1024, 1, 1023, 0},
		{1024, 0, 1024, 1},
		{1024, 2000, 700, 700},
		{2000, 512, 700, 350},
		{512, 512, 512, 512},
		{512, 256, 512, 256},
		{512, 540, 512, 540},
		{512, 1024, 500, 1000},
		{512, 1024, 513, 1024},
		{1, 1, 1024, 1024},
		{1, 1024, 10, 320}, /* 32 times is the most */
		{0, 1, 700, 700},
		/* Each division cuts off what isn't whole: it isn't made more than it is. */
		{900, 300, 900, 299},
		/* A utilization above the guest's own scale isn't more than all. */
		{300, 300, 1025, 1024},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		setup(NULL);
		report(1024, rows[i].applied, 0, 0);
		look(0, 0, rows[i].delivered);
		EXPECT(host(rows[i].util) == rows[i].host, "row %zu: %u", i, host(rows[i].util));
	}
	/* Before there is a report nothing is applied. */
	setup(NULL);
	look(0, 0, 512);
	assert_int_equal(host(1024), 512);
}

/* No guest's kernel applies a scale of 0: it counts as 1 in all that is done with it. */
static void test_no_scale_at_all(_unused_ void **state)
{
	uint32_t seen[2];

	for (uint16_t applied = 0; applied < 2; applied++) {
		setup(NULL);
		report(20, applied, 0, 0);
		look(0, 0, 512);
		look(LONG, LONG, 512);
		seen[applied] = scale.seen.util;
	}
	assert_true(seen[1] > 0);
	assert_int_equal(seen[0], seen[1]);
}

/* 32 times is the most of what was measured, too: at 1/64 of the speed that there was the guest
 * counts 16.5 for 661, 40 times as much. */
static void test_most_that_is_measured(_unused_ void **state)
{
	report(16, 16, 0, 0);
	look(0, 0, 1024);
	look(48 * PERIOD, 48 * PERIOD, 1024);
	assert_true(scale.worth.util > 39 * scale.seen.util);
	assert_int_equal(table.factor[0], 32 << 20);
	assert_int_equal(host(16), 512);
}

/* Who runs without a pause: (1 - y^(t/2)) / (1 - y^t) at half the speed. */
static void test_continuous_run(_unused_ void **state)
{
	static const struct {
		uint64_t nsec;
		uint16_t demand, host;
	} rows[] = {
		{HALF, 512, 300},     /* (1 - 0.7071) / 0.5 = 0.5858 */
		{2 * HALF, 768, 512}, /* 0.5 / 0.75 */
		{4 * HALF, 960, 768}, /* 0.75 / 0.9375 */
		{LONG, 1024, 1024},   /* full at any speed */
		{HALF / 2, 300, 163}, /* 0.1591 / 0.2929 = 0.5432 */
		{HALF / 4, 163, 85},  /* 0.0830 / 0.1591 = 0.5216 */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		setup(NULL);
		report(rows[i].demand, 1024, 0, 0);
		look(0, 0, 512);
		EXPECT(host(rows[i].demand) == rows[i].demand / 2, "row %zu", i);
		look(rows[i].nsec, rows[i].nsec, 512);
		EXPECT(abs(host(rows[i].demand) - rows[i].host) <= 1, "row %zu: %u", i,
		       host(rows[i].demand));
		/* In two looks as in one. */
		setup(NULL);
		report(rows[i].demand, 1024, 0, 0);
		look(0, 0, 512);
		look(rows[i].nsec / 2, rows[i].nsec / 2, 512);
		look(rows[i].nsec / 2, rows[i].nsec / 2, 512);
		EXPECT(abs(host(rows[i].demand) - rows[i].host) <= 1, "row %zu: %u", i,
		       host(rows[i].demand));
	}
}

/* Who works and idles in turn: 16 periods of 32. After the work the guest counts
 * (1 - y^16) / (1 - y^32) = 0.5858, and the host (1 - y^8) / (1 - y^32) = 0.3182, for at idle the
 * clocks are even again. */
static void test_duty(_unused_ void **state)
{
	report(600, 1024, 0, 0);
	look(0, 0, 512);
	for (unsigned i = 0; i < 20; i++)
		look(HALF, HALF / 2, 512);
	assert_in_range(host(600), 325, 327);
	assert_in_range(table.factor[3], 0.5422 * 1024 * 1024, 0.5442 * 1024 * 1024);
	/* By the end y^16 of the one is left, and y^24 of the other, which was behind by 8. */
	assert_in_range(scale.seen.util >> PELT_SHIFT, 423, 425);
	assert_in_range(scale.worth.util >> PELT_SHIFT, 192, 194);
	assert_int_equal(scale.worth.behind_nsec, 0);
}

/* What is delivered is taken to have been between the two looks' all the time: 768 here, so in 128
 * / 3 periods the host's clock does 32. */
static void test_mean_of_two_looks(_unused_ void **state)
{
	report(1024, 1024, 0, 0);
	look(0, 0, 1024);
	look(HALF * 4 / 3, HALF * 4 / 3, 512);
	assert_in_range(scale.worth.util >> PELT_SHIFT, 511, 512);
	assert_in_range(scale.seen.util >> PELT_SHIFT, 617, 618); /* 1 - 2^(-4/3) */
	assert_int_equal(host(1024), 512);
}

/* A guest that follows counts at its own scale: so both are alike where it is right. */
static void test_seen_as_applied(_unused_ void **state)
{
	report(512, 512, 0, 0);
	look(0, 0, 512);
	look(2 * HALF, 2 * HALF, 512);
	assert_in_range(scale.seen.util >> PELT_SHIFT, 511, 512);
	assert_int_equal(scale.worth.util, scale.seen.util);
	assert_int_equal(host(512), 512);
	/* Faster than it knows: 1 - y^64 of 1 - y^32. */
	setup(NULL);
	report(512, 512, 0, 0);
	look(0, 0, 1024);
	look(2 * HALF, 2 * HALF, 1024);
	assert_in_range(host(512), 766, 768);
}

/* A factor is taken while enough was seen for what is asked for, and of one that ran of late. */
static void test_gates(_unused_ void **state)
{
	static const struct {
		uint64_t nsec, busy;
		uint16_t demand;
		bool takes;
	} rows[] = {
		{HALF, HALF, 512, true},
		{HALF, HALF, 635, true}, /* 512 is four fifths of 640 */
		{HALF, HALF, 645, false},
		/* A quarter of the time. */
		{4 * HALF, HALF, 100, true},
		{4 * HALF + 4, HALF, 100, false},
		/* 16 of 1024: 0.73 of a period. */
		{PERIOD * 80 / 100, PERIOD * 80 / 100, 1, true},
		{PERIOD * 66 / 100, PERIOD * 66 / 100, 1, false},
		{HALF, 0, 0, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool takes = false;

		setup(NULL);
		report(rows[i].demand, 1024, 0, 0);
		look(0, 0, 512);
		look(rows[i].nsec, rows[i].busy, 512);
		for (unsigned k = 0; k < SCALE_SIZES; k++)
			takes = takes || table.factor[k] > 0;
		EXPECT(takes == rows[i].takes, "row %zu", i);
	}
}

/* Four fifths: 512 of 640, and of that PELT rounds down. */
static void test_enough_is_seen(_unused_ void **state)
{
	static const uint16_t rows[][2] = {{638, true}, {641, false}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		setup(NULL);
		report(rows[i][0], 1024, 0, 0);
		look(0, 0, 512);
		look(HALF, HALF, 512);
		EXPECT((table.factor[3] > 0) == rows[i][1], "row %zu", i);
	}
	/* And 16 of 1024 at least, of which a small one has enough: of half a period 11, of a whole
	 * one 22. */
	for (unsigned halves = 1; halves <= 2; halves++) {
		setup(NULL);
		report(1, 1024, 0, 0);
		look(0, 0, 512);
		look(halves * PERIOD / 2, halves * PERIOD / 2, 512);
		EXPECT((table.factor[0] > 0) == (halves == 2), "%u", halves);
	}
}

/* What a task brought along, or left, was guessed: a factor is learnt of what has run since. */
static void test_guess_teaches_nothing(_unused_ void **state)
{
	for (unsigned leaves = 0; leaves <= 1; leaves++) {
		setup(NULL);
		report(1000, 1024, 0, 0);
		look(0, 0, 1024);
		if (leaves)
			scale_leave(&scale, 1000);
		else
			scale_come(&scale, &table, 1000);
		look(24 * PERIOD, 24 * PERIOD, 256); /* 595 of 1000 are left */
		EXPECT(table.factor[3] == 0, "%u", leaves);
		look(24 * PERIOD, 24 * PERIOD, 256);
		EXPECT(table.factor[3] > 0, "%u", leaves);
	}
}

/* A guest that counts with its frequency is roughly right where nothing has been seen, whatever the
 * frequency is now that it begins to run. */
static void test_guess_of_an_invariant_guest(_unused_ void **state)
{
	struct scale_report said = {.demand1024 = 500, .applied1024 = 700, .invariant = true};

	scale_report(&scale, &said, T0);
	look(0, 0, 70);
	assert_int_equal(host(500), 500);
	scale_come(&scale, &table, 500);
	assert_int_equal(scale.worth.util >> PELT_SHIFT, 500);
	scale_leave(&scale, 300);
	assert_int_equal(scale.worth.util >> PELT_SHIFT, 300);
	table.factor[2] = 1 << 19;
	assert_int_equal(host(500), 250); /* once it is known that counts */
	said.invariant = false;
	scale_report(&scale, &said, T0);
	table.factor[2] = 0;
	assert_int_equal(host(500), 49);
}

/* One for each doubling: each of what is asked for, not of what was seen. */
static void test_sizes(_unused_ void **state)
{
	static const uint16_t rows[][2] = {{0, 0},   {1, 0},   {128, 0}, {129, 1}, {256, 1},
					   {257, 2}, {512, 2}, {513, 3}, {1024, 3}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		setup(NULL);
		report(rows[i][0], 1024, 0, 0);
		look(0, 0, 512);
		look(LONG, LONG, 512);
		for (unsigned k = 0; k < SCALE_SIZES; k++)
			EXPECT((table.factor[k] > 0) == (k == rows[i][1]), "row %zu, size %u", i,
			       k);
	}
	/* And so it is used; the others are as what is delivered now. */
	table = (struct scale_table){{1 << 18, 1 << 19, 3 << 18, 1 << 20}};
	assert_int_equal(host(128), 32);
	assert_int_equal(host(256), 128);
	assert_int_equal(host(512), 384);
	assert_int_equal(host(1024), 1024);
	/* Known to be worth nothing isn't unknown. */
	table.factor[0] = 1;
	assert_int_equal(host(128), 0);
	table.factor[0] = 1 << 18;
	table.factor[1] = 0;
	look(LONG, 0, 256);
	assert_int_equal(host(256), 64);
	assert_int_equal(host(128), 32);
}

/* Two vCPUs of a guest go by one table. */
static void test_table_of_a_guest(_unused_ void **state)
{
	struct scale other = {};

	report(1024, 1024, 0, 0);
	look(0, 0, 512);
	look(LONG, LONG, 512);
	scale_look(&other, &table, &(struct scale_look){now, 0, 512});
	assert_int_equal(scale_to_host(&other, &table, 1000), host(1000));
	assert_int_equal(scale_to_host(&other, &table, 400), 200);
}

/* Idle for less than a sixteenth is the error of two clocks. At idle the clock that is behind makes
 * that good. */
static void test_hardly_idle(_unused_ void **state)
{
	look(0, 0, 512);
	look(16 * PERIOD, 15 * PERIOD + 1, 512);
	assert_int_equal(scale.worth.behind_nsec, 8 * PERIOD);
	look(16 * PERIOD, 15 * PERIOD, 512);
	assert_int_equal(scale.worth.behind_nsec, 0);
	/* Nor can it have run for longer than the time. */
	look(16 * PERIOD, 20 * PERIOD, 512);
	assert_int_equal(scale.worth.behind_nsec, 8 * PERIOD);
}

/* Another thread, a clock that goes back, an hour without a look: nothing is known of that time,
 * and nothing of before it. */
static void test_begins_anew(_unused_ void **state)
{
	static const struct {
		int64_t nsec, run;
		bool anew;
	} rows[] = {{HALF, -1, true},	 {-1, 0, true},	   {(int64_t)HOUR + 1, 0, true},
		    {HALF, HALF, false}, {HALF, 0, false}, {(int64_t)HOUR, HOUR, false},
		    {0, 0, false}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		setup(NULL);
		report(1024, 1024, 0, 0);
		look(0, 0, 512);
		look(LONG, LONG, 512);
		look((uint64_t)rows[i].nsec, (uint64_t)rows[i].run, 256);
		EXPECT((scale.seen.util == 0) == rows[i].anew &&
			       (scale.worth.util == 0) == rows[i].anew,
		       "row %zu", i);
		EXPECT(scale.now_nsec == now && scale.run_nsec == run && scale.delivered1024 == 256,
		       "row %zu", i);
		EXPECT(table.factor[3] > 0, "row %zu", i);
	}
	/* The next look goes on from there. */
	setup(NULL);
	look(0, 0, 512);
	look(HALF, (uint64_t)-1, 512);
	look(HALF, HALF, 512);
	assert_in_range(scale.seen.util >> PELT_SHIFT, 511, 512);
}

/* The most: as if it hadn't paused. 1 - (1 - u)^e. */
static void test_most(_unused_ void **state)
{
	static const struct {
		uint16_t delivered, util, most;
	} rows[] = {
		{512, 512, 300}, /* 1 - 0.5^0.5 = 0.2929 */
		{256, 512, 163}, /* 1 - 0.5^0.25 = 0.1591 */
		{512, 768, 512}, /* 1 - 0.25^0.5 */
		{256, 960, 512}, /* 1 - (1/16)^0.25 */
		{1024, 700, 700},
		{512, 0, 0},
		{512, 1024, 1023}, /* (20 half-lives, half of them: 2^-10) */
		{512, 5000, 1023},
		{256, 1024, 992}, /* a quarter of the 20 half-lives: 2^-5 is left */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		setup(NULL);
		report(1024, 1024, 0, 0);
		look(0, 0, rows[i].delivered);
		EXPECT(abs(most(rows[i].util) - rows[i].most) <= 1, "row %zu: %u", i,
		       most(rows[i].util));
	}
	/* What was measured, if that is more; if it is less, not. */
	setup(NULL);
	look(0, 0, 512);
	table.factor[2] = 1 << 20;
	assert_int_equal(most(512), 512);
	table.factor[2] = 1 << 18;
	assert_in_range(most(512), 299, 300);
	assert_int_equal(host(512), 128);
	/* 1 - 0.5^2 */
	report(512, 512, 0, 0);
	look(HALF, 0, 1024);
	assert_in_range(most(512), 767, 768);
}

/* A ceiling must not be too low, not by one either: the whole number below 1024 (1 - (1 - u)^e). */
static void test_most_to_the_point(_unused_ void **state)
{
	static const uint16_t rows[][3] = {
		{1021, 470, 469},   /* 469.01 */
		{1012, 805, 801},   /* 801.0 */
		{934, 71, 64},	    /* 64.96 */
		{1021, 1024, 1023}, /* 1023.999 */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		setup(NULL);
		report(1024, 1024, 0, 0);
		look(0, 0, rows[i][0]);
		EXPECT(most(rows[i][1]) == rows[i][2], "row %zu: %u", i, most(rows[i][1]));
	}
	/* The smallest of all, whatever was measured of its size: 1 - (1 - 1/1024)^4 = 3.99 / 1024
	 */
	setup(NULL);
	report(1024, 256, 0, 0);
	look(0, 0, 1024);
	table.factor[0] = 1 << 18;
	assert_int_equal(host(1), 0);
	assert_int_equal(most(1), 3);
}

/* A guest that counts work itself is taken at its word, but for what was stolen. */
static void test_counts_work(_unused_ void **state)
{
	struct scale_report said = {.demand1024 = 512, .applied1024 = 512, .counts_work = true};

	scale_report(&scale, &said, T0);
	look(0, 0, 1024);
	look(2 * HALF, 2 * HALF, 1024);
	assert_int_equal(host(512), 512);
	assert_int_equal(most(512), 512);
	assert_int_equal(host(2000), 1024);
	said.steal_usec = 50 * HALF / 1000;
	scale_report(&scale, &said, T0 + 100 * HALF / 1000);
	assert_in_range(host(512), 255, 257);
	said.counts_work = false;
	said.steal_usec = 0;
	scale_report(&scale, &said, T0 + 200 * HALF / 1000);
	assert_in_range(host(512), 766, 768);
}

/* The thread's own is what it ran, whoever ran in it: 1 of 2 for a half-life, then a half-life of
 * sleep, in which the peak falls at half the speed. Another thread begins anew. */
static void test_own(_unused_ void **state)
{
	report(512, 1024, 0, 0);
	look(0, 0, 512);
	assert_int_equal(scale_own1024(&scale), 0);
	for (unsigned i = 1; i <= 64; i++)
		look(HALF / 64, HALF / 64, 1024);
	assert_in_range(scale_own1024(&scale), 500, 513);
	scale_leave(&scale, 0);
	scale_come(&scale, &table, 1000);
	assert_in_range(scale_own1024(&scale), 500, 513);
	look(HALF, 0, 1024);
	assert_in_range(scale_own1024(&scale), 355, 364);
	run = 0;
	look(1, 1, 1024);
	assert_int_equal(scale_own1024(&scale), 0);
}

/* Those that come bring what their size is worth, of those that stay the part is as delivered. */
static void test_come_and_leave(_unused_ void **state)
{
	report(512, 1024, 0, 0);
	look(0, 0, 512);
	table.factor[2] = 3 << 18;
	scale_come(&scale, &table, 400);
	assert_int_equal(scale.seen.util, 400 << PELT_SHIFT);
	assert_int_equal(scale.worth.util, 300 << PELT_SHIFT);
	assert_int_equal(scale.seen.peak, 400 << PELT_SHIFT);
	scale_leave(&scale, 400);
	assert_int_equal(scale.seen.util, 400 << PELT_SHIFT);
	assert_int_equal(scale.worth.util, 200 << PELT_SHIFT);
	assert_int_equal(scale.worth.peak, 200 << PELT_SHIFT);
	scale_come(&scale, &table, 100);
	assert_int_equal(scale.worth.util, 50 << PELT_SHIFT);
	/* The sums have an end, as has a factor. */
	scale_come(&scale, &table, UINT16_MAX);
	assert_int_equal(scale.seen.util, PELT_ONE);
	report(512, 1, 0, 1000);
	look(HALF, 0, 1024);
	scale_leave(&scale, 10);
	assert_int_equal(scale.worth.util, 320 << PELT_SHIFT);
	scale_leave(&scale, 100);
	assert_int_equal(scale.worth.util, PELT_ONE);
}

/* Stolen time is cut out of the guest's clock, so it isn't demand. */
static void test_steal(_unused_ void **state)
{
	const uint64_t half = HALF / 1000; /* in usec */

	report(1024, 1024, 1000000, 0); /* of before it was known */
	assert_int_equal(host(1024), 1024);
	/* Half of 100 half-lives of wall time. */
	report(1024, 1024, 50 * half, 100 * half);
	assert_in_range(host(1024), 511, 513);
	assert_in_range(host(512), 255, 257);
	assert_in_range(most(512), 255, 257);
	/* One half-life without. */
	report(1024, 1024, 0, 101 * half);
	assert_in_range(host(1024), 767, 769);
	report(1024, 1024, 0, 201 * half);
	assert_in_range(host(1024), 1023, 1024);
	/* More than all of the time is all of it. */
	report(1024, 1024, UINT32_MAX, 301 * half);
	assert_in_range(host(1024), 0, 1);
	/* Two reports at once. */
	report(1024, 1024, 0, 301 * half);
	assert_in_range(host(1024), 0, 1);
	/* However short the time was. */
	setup(NULL);
	report(1024, 1024, 0, 0);
	report(1024, 1024, 1, 1);
	assert_int_equal(host(1024), 1023);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		TEST(test_unknown),
		TEST(test_not_seen),
		TEST(test_no_scale_at_all),
		TEST(test_most_that_is_measured),
		TEST(test_continuous_run),
		TEST(test_duty),
		TEST(test_mean_of_two_looks),
		TEST(test_seen_as_applied),
		TEST(test_gates),
		TEST(test_sizes),
		TEST(test_enough_is_seen),
		TEST(test_table_of_a_guest),
		TEST(test_hardly_idle),
		TEST(test_begins_anew),
		TEST(test_most),
		TEST(test_most_to_the_point),
		TEST(test_come_and_leave),
		TEST(test_own),
		TEST(test_guess_teaches_nothing),
		TEST(test_guess_of_an_invariant_guest),
		TEST(test_counts_work),
		TEST(test_steal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
