/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/arbiter.c: domains and their queue, and what one vCPU should have of what is said of it. */
#include "tests/unit/test_arbiter.h"

static void test_nothing(_unused_ void **state)
{
	uint32_t a = add(2);
	struct arbiter_want w = want(a, 1, 0);

	assert_int_equal(w.level1024, 0);
	assert_int_equal(w.floor1024, 0);
	assert_int_equal(w.ceiling1024, NONE);
	assert_true(w.shares); /* it isn't known where it is */
	assert_int_equal(next, USEC_INFINITY);
	assert_false(arbiter_needs_look(arbiter, a, 1));
	assert_false(arbiter_is_held_down(arbiter, a, 1));
	assert_null(arbiter_free(NULL));
}

/* Numbers are used again, but not while somebody may still take the old one from the queue. */
static void test_numbers(_unused_ void **state)
{
	uint32_t a = add(1), b = add(0), c = add(2);

	assert_true(a != b && b != c && a != c);
	arbiter_remove(arbiter, b, T0);
	assert_int_equal(add(1), b);
	arbiter_configure(arbiter, &plain);
	arbiter_remove(arbiter, b, T0);
	assert_true(add(1) != b);
	assert_int_equal(arbiter_next(arbiter), a);
	assert_int_equal(arbiter_next(arbiter), c); /* b has gone */
	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE);
	assert_int_equal(add(1), b);
	/* What comes there is new. */
	ask(b, 0, 500, 0);
	arbiter_remove(arbiter, b, T0);
	assert_int_equal(add(1), b);
	assert_int_equal(floor_of(b, 0, 0), 0);
}

/* Once each, in the order in which they came in; also after the last was taken. */
static void test_queue(_unused_ void **state)
{
	uint32_t a = add(1), b = add(1), c = add(1);

	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE);
	allow(c, 0, "0-1");
	see(c, 0, 0);
	see(a, 0, 0);
	arbiter_configure(arbiter, &plain);
	assert_int_equal(arbiter_next(arbiter), c);
	assert_int_equal(arbiter_next(arbiter), a);
	see(c, 0, 1); /* behind b, which isn't the last yet */
	assert_int_equal(arbiter_next(arbiter), b);
	assert_int_equal(arbiter_next(arbiter), c);
	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE);
	see(b, 0, 1);
	assert_true(only_queued(b));
}

/* Many, so that there has to be more room: what is known stays, and places are found again. */
static void test_many(_unused_ void **state)
{
	uint32_t domains[200];

	for (unsigned i = 0; i < 200; i++) {
		domains[i] = add(1);
		assert_int_equal(domains[i], i);
		assert_int_equal(ask(i, 0, (uint16_t)i, 0), F(i));
		see(i, 0, i);
	}
	for (unsigned i = 0; i < 200; i++) {
		EXPECT(arbiter_next(arbiter) == i, "%u", i);
		EXPECT(floor_of(i, 0, 1) == F(i), "%u", i);
	}
	arbiter_remove(arbiter, 77, T0);
	assert_int_equal(add(1), 77);
	assert_int_equal(add(1), 200);
}

/* From a report to a floor, and when it changes by itself. */
static void test_want(_unused_ void **state)
{
	uint32_t a = add_on("0");

	assert_int_equal(ask(a, 0, 600, 0), F(600));
	assert_int_equal(next, T0 + 20 * MSEC); /* a ceiling comes */
	assert_true(arbiter_needs_look(arbiter, a, 0));
	assert_int_equal(want(a, 0, 20 * MSEC).ceiling1024, 688);
	assert_int_equal(next, USEC_INFINITY);
	assert_int_equal(ask(a, 0, 0, 30 * MSEC), F(600));
	assert_int_equal(next, T0 + 130 * MSEC);
	assert_int_equal(want(a, 0, 30 * MSEC).level1024, 600);
	assert_int_equal(floor_of(a, 0, 130 * MSEC), F(300));
	assert_int_equal(leave(a, 0, 0, 140 * MSEC), 0);
	assert_int_equal(floor_of(a, 0, 500 * MSEC), 0);
	assert_int_equal(next, T0 + 640 * MSEC); /* the ceiling is forgotten */
	assert_int_equal(want(a, 0, 640 * MSEC).ceiling1024, NONE);
	assert_false(arbiter_needs_look(arbiter, a, 0));
}

/* The demand that follows of the guest's clamps, not its util, is what counts. */
static void test_demand(_unused_ void **state)
{
	static const struct arbiter_report report = {
		.util_avg = 300, .demand1024 = 500, .applied1024 = 1024};
	uint32_t a = add(1);

	arbiter_report(arbiter, a, 0, &report, T0);
	assert_int_equal(floor_of(a, 0, 0), F(500));
}

/* A task that left is remembered until somebody asks, and no longer. */
static void test_left(_unused_ void **state)
{
	uint32_t a = add(1);

	ask(a, 0, 800, 0);
	say(a, 0, 300, true, 1);
	say(a, 0, 300, false, 2);
	assert_int_equal(floor_of(a, 0, 3), F(300));
	assert_int_equal(ask(a, 0, 100, 4), F(300));
}

struct goal_row {
	enum goal goal;
	uint16_t at_once, held, later; /* floors: of 600; 150 ms after it is 0; 250 ms after */
	uint16_t ceiling;
};

static void test_goals(_unused_ void **state)
{
	static const struct goal_row rows[] = {
		{GOAL_BALANCED, F(600), F(150), F(37), 688},
		{GOAL_SPEED, F(600), F(600), F(150), NONE},
		{GOAL_ENERGY, F(600), F(37), F(4), 640}, /* 588 + 50 */
		{GOAL_OFF, 0, 0, 0, NONE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct arbiter_grant grant = {
			.floor_max1024 = 1024, .weight = 100, .goal = rows[i].goal};
		uint32_t a = arbiter_add(arbiter, 1, &grant);

		allow(a, 0, "0");
		EXPECT(ask(a, 0, 600, 0) == rows[i].at_once, "goal %zu", i);
		EXPECT(want(a, 0, 20 * MSEC).ceiling1024 == rows[i].ceiling, "goal %zu: %u", i,
		       want(a, 0, 20 * MSEC).ceiling1024);
		ask(a, 0, 0, 20 * MSEC);
		EXPECT(floor_of(a, 0, 170 * MSEC) == rows[i].held, "goal %zu: %u", i,
		       floor_of(a, 0, 170 * MSEC));
		EXPECT(floor_of(a, 0, 270 * MSEC) == rows[i].later, "goal %zu: %u", i,
		       floor_of(a, 0, 270 * MSEC));
		arbiter_remove(arbiter, a, T0 + USEC_PER_SEC);
		forget_queue();
	}
}

/* Off while it asks: as if it had gone to sleep. On again: what it asks for by now. */
static void test_goal_off_and_on(_unused_ void **state)
{
	const struct arbiter_grant off = {.floor_max1024 = 1024, .weight = 100, .goal = GOAL_OFF};
	uint32_t a = add(1);

	assert_int_equal(ask(a, 0, 600, 0), F(600));
	arbiter_grant(arbiter, a, &off, T0);
	assert_true(only_queued(a));
	assert_int_equal(floor_of(a, 0, 0), F(600));
	assert_int_equal(next, T0 + 100 * MSEC);
	assert_int_equal(floor_of(a, 0, USEC_PER_SEC), 0);
	assert_int_equal(next, USEC_INFINITY);
	assert_int_equal(ask(a, 0, 700, USEC_PER_SEC), 0);
	arbiter_grant(arbiter, a, &all, T0);
	assert_true(only_queued(a));
	assert_int_equal(floor_of(a, 0, USEC_PER_SEC), F(700));
}

/* Which ceilings there are: with the host's means, a trusted signal, of a guest with room. */
static void test_who_has_a_ceiling(_unused_ void **state)
{
	static const struct {
		bool means, invariant, trusted, saturated, pinned;
		uint16_t ceiling;
	} rows[] = {{true, true, true, false, true, 400},   {false, true, true, false, true, NONE},
		    {true, false, true, false, true, NONE}, {true, true, false, false, true, NONE},
		    {true, true, true, true, true, NONE},   {true, true, true, false, false, NONE}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct arbiter_config config = plain;
		uint32_t a;

		config.ceilings = rows[i].means;
		config.invariant = rows[i].invariant;
		arbiter_configure(arbiter, &config);
		a = add(1);
		if (rows[i].pinned)
			allow(a, 0, "0");
		arbiter_report(arbiter, a, 0,
			       &(struct arbiter_report){.demand1024 = 300,
							.applied1024 = 1023,
							.trusted = rows[i].trusted,
							.saturated = rows[i].saturated},
			       T0);
		want(a, 0, 0);
		EXPECT(want(a, 0, 20 * MSEC).ceiling1024 == rows[i].ceiling, "row %zu", i);
		arbiter_remove(arbiter, a, T0 + USEC_PER_SEC);
		forget_queue();
	}
}

static void test_lowest_ceiling(_unused_ void **state)
{
	struct arbiter_config config = plain;
	uint32_t a = add(1);

	config.ceiling_min1024 = 500;
	config.level.slack1024 = 0;
	arbiter_configure(arbiter, &config);
	allow(a, 0, "0");
	ask(a, 0, 300, 0);
	assert_int_equal(want(a, 0, 20 * MSEC).ceiling1024, 504);
	ask(a, 0, 600, 20 * MSEC);
	assert_int_equal(want(a, 0, 40 * MSEC).ceiling1024, 592);
}

/* A guest whose time is stolen shares its CPU with somebody, whoever that is. */
static void test_stolen_has_no_ceiling(_unused_ void **state)
{
	static const struct {
		uint64_t steal_usec; /* of a second */
		uint16_t ceiling;
	} rows[] = {{0, 400}, {30000, 392}, {32000, NONE}, {500000, NONE}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct arbiter_report report = {
			.demand1024 = 300, .applied1024 = 1024, .trusted = true};
		uint32_t a = add(1);

		allow(a, 0, "0");
		arbiter_report(arbiter, a, 0, &report, T0);
		report.steal_usec = rows[i].steal_usec;
		arbiter_report(arbiter, a, 0, &report, T0 + USEC_PER_SEC);
		want(a, 0, USEC_PER_SEC);
		EXPECT(want(a, 0, 2 * USEC_PER_SEC).ceiling1024 == rows[i].ceiling, "row %zu: %u",
		       i, want(a, 0, 2 * USEC_PER_SEC).ceiling1024);
		arbiter_remove(arbiter, a, T0 + 2 * USEC_PER_SEC);
		forget_queue();
	}
}

/* A look at a thread that has run for run_msec by at_msec. */
static void look(uint32_t domain, uint64_t at_msec, uint64_t run_msec, uint16_t delivered)
{
	arbiter_look(arbiter, domain, 0, 0,
		     &(struct scale_look){.now_nsec = (T0 + at_msec * MSEC) * NSEC_PER_USEC,
					  .run_nsec = run_msec * MSEC * NSEC_PER_USEC,
					  .delivered1024 = delivered});
}

/* A look says what is delivered, and the thread's counter for how long: test-scale.c has what
 * follows. */
static void test_looks(_unused_ void **state)
{
	uint32_t a = add_on("0"), b = add(1);

	look(a, 0, 0, 512);
	assert_int_equal(ask(a, 0, 1000, 0), F(500)); /* as it is delivered now */
	look(a, 2000, 2000, 512);		      /* full at any speed */
	assert_int_equal(ask(a, 0, 1000, 6 * USEC_PER_SEC), F(1000));
	/* Another guest knows nothing of it. */
	look(b, 0, 0, 512);
	say(b, 0, 1000, false, 6 * USEC_PER_SEC);
	assert_int_equal(want(b, 0, 6 * USEC_PER_SEC).level1024, 500);
}

/* A guest's vCPUs go by one table. */
static void test_looks_of_siblings(_unused_ void **state)
{
	uint32_t a = add(2);

	arbiter_look(arbiter, a, 1, 1, &(struct scale_look){.delivered1024 = 512});
	assert_int_equal(ask(a, 1, 1000, 0), F(500));
	look(a, 0, 0, 512);
	say(a, 0, 1000, false, 0);
	look(a, 2000, 2000, 512);
	assert_int_equal(ask(a, 1, 1000, 1), F(1000));
}

/* A host that isn't invariant counts time as the guest does. */
static void test_looks_where_not_invariant(_unused_ void **state)
{
	struct arbiter_config config = plain;
	uint32_t a = add(1);

	config.invariant = false;
	arbiter_configure(arbiter, &config);
	forget_queue();
	look(a, 0, 0, 512);
	assert_true(only_queued(a));		  /* but where it is is known */
	assert_int_equal(ask(a, 0, 800, 0), 832); /* in grains of 64, for each write costs */
	look(a, 2000, 2000, 512);
	assert_int_equal(want(a, 0, 0).level1024, 800);
}

/* Claims: what a thread ran of late is held against what was said of it. */
static void test_check(_unused_ void **state)
{
	uint32_t a = add(1);

	ask(a, 0, 800, 0);
	assert_false(arbiter_check(arbiter, a, 0, 1, T0));
	for (unsigned i = 1; i <= 3; i++) {
		assert_false(arbiter_is_held_down(arbiter, a, 0));
		EXPECT(arbiter_check(arbiter, a, 0, 1 + i * 100000000, T0 + i * USEC_PER_SEC) ==
			       (i == 3),
		       "check %u", i);
	}
	assert_true(arbiter_is_held_down(arbiter, a, 0));
	assert_true(only_queued(a));
	assert_int_equal(floor_of(a, 0, 3 * USEC_PER_SEC), F(800));
	assert_int_equal(floor_of(a, 0, 4 * USEC_PER_SEC), F(178));
	/* Another thread: it isn't believed for that. */
	arbiter_restart(arbiter, a, 0, T0 + 4 * USEC_PER_SEC);
	assert_true(arbiter_is_held_down(arbiter, a, 0));
	assert_false(arbiter_check(arbiter, a, 0, 1, T0 + 5 * USEC_PER_SEC));
	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE);
}

/* What the thread's CPU delivered counts, as the mean of the looks of the period. */
static void test_check_delivered(_unused_ void **state)
{
	static const struct {
		uint16_t looks[3];
		bool bad;
	} rows[] = {{{0, 0, 0}, false},
		    {{512, 512, 0}, true},
		    {{1024, 1024, 512}, false},
		    {{512, 1024, 0}, false},
		    {{256, 256, 1024}, true}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t a = add(1);
		bool changed = false;

		for (unsigned k = 0; k < 4; k++) {
			uint64_t run = 1 + k * UINT64_C(1000000000);

			/* The claim is of host units already, whatever is delivered. */
			changed = arbiter_check(arbiter, a, 0, run, T0 + k * USEC_PER_SEC);
			arbiter_restart(arbiter, a, 0, T0 + k * USEC_PER_SEC);
			arbiter_check(arbiter, a, 0, run, T0 + k * USEC_PER_SEC);
			ask(a, 0, 900, k * USEC_PER_SEC);
			for (unsigned n = 0; n < 3; n++)
				if (rows[i].looks[n] > 0)
					look(a, k * 1000, run / 1000000, rows[i].looks[n]);
		}
		EXPECT(changed == rows[i].bad, "row %zu", i);
		arbiter_remove(arbiter, a, T0 + 4 * USEC_PER_SEC);
		forget_queue();
	}
}

/* Of that period: a slow one before doesn't make one that is honest in a fast one look a liar. */
static void test_check_delivered_lately(_unused_ void **state)
{
	uint32_t a = add_on("0");

	arbiter_check(arbiter, a, 0, 1, T0);
	for (unsigned i = 0; i < 10; i++)
		look(a, i * 100, i * 100, 256);
	for (unsigned k = 1; k <= 5; k++) {
		EXPECT(!arbiter_check(arbiter, a, 0, 1 + k * UINT64_C(1000000000),
				      T0 + k * USEC_PER_SEC),
		       "period %u", k);
		look(a, k * 1000, k * 1000, 1024);
		ask(a, 0, 900, k * USEC_PER_SEC);
	}
}

/* A restart forgets what was delivered and stolen, but not what the guest's sizes are worth. */
static void test_restart(_unused_ void **state)
{
	uint32_t a = add_on("0");

	look(a, 0, 0, 512);
	assert_int_equal(ask(a, 0, 1000, 0), F(500));
	arbiter_restart(arbiter, a, 0, T0);
	assert_int_equal(ask(a, 0, 1000, 1), F(1000));
	/* The first look at the new thread says how fast it is at once. */
	look(a, 1, 5000, 256);
	assert_int_equal(leave(a, 0, 1000, 2), F(250));
}

/* Floors bring the quarter that the kernel doesn't add, by its version at first and then by looks.
 */
static void test_headroom(_unused_ void **state)
{
	struct arbiter_config config = plain;
	uint32_t a = add_on("0"), b = add_on("1");

	assert_int_equal(arbiter_headroom1024(arbiter), 1024);
	assert_int_equal(ask(a, 0, 400, 0), F(400));
	for (unsigned i = 0; i < 3; i++)
		assert_false(arbiter_look_floor(arbiter, a, 0, 0, 400, 1200000, 600000, 3000000));
	assert_false(arbiter_look_floor(arbiter, a, 0, CPUMASK_CPUS, 400, 1200000, 600000, 3000000));
	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE);
	/* By the capacity of that CPU: 200 of 512. */
	arbiter_set_capacity(arbiter, 1, 512);
	assert_true(arbiter_look_floor(arbiter, b, 0, 1, 200, 1200000, 600000, 3000000));
	assert_int_equal(arbiter_headroom1024(arbiter), 1280);
	assert_true(arbiter_next(arbiter) == a && arbiter_next(arbiter) == b);
	assert_int_equal(floor_of(a, 0, 0), F(500));
	/* What was found stays at a reload. */
	arbiter_configure(arbiter, &config);
	assert_int_equal(floor_of(a, 0, 0), F(500));
	config.level.step = 200;
	arbiter_configure(arbiter, &config);
	assert_int_equal(ask(a, 0, 500, 1), F(625));
	assert_int_equal(leave(a, 0, 450, 2), F(625));
}

static void test_capacity_bounds(_unused_ void **state)
{
	uint32_t a = add_on("0"), b = add_on("0");

	arbiter_set_capacity(arbiter, 0, 0); /* taken for 1 */
	ask(a, 0, 1, 0);
	assert_int_equal(ask(b, 0, 1, 0), 0);
	ask(a, 0, 100, 0);
	assert_int_equal(ask(b, 0, 200, 0), F(200));
	arbiter_set_capacity(arbiter, 0, UINT16_MAX);
	assert_int_equal(ask(b, 0, 1000, 0), F(1024));
	/* Of more than 1024 this would be another frequency's floor. */
	for (unsigned i = 0; i < 3; i++)
		assert_false(arbiter_look_floor(arbiter, a, 0, 0, 400, 1200000, 600000, 3000000));
	assert_true(arbiter_look_floor(arbiter, a, 0, 0, 400, 1200000, 600000, 3000000));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, arbiter_setup, arbiter_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_nothing),
		TEST(test_numbers),
		TEST(test_queue),
		TEST(test_many),
		TEST(test_want),
		TEST(test_demand),
		TEST(test_left),
		TEST(test_goals),
		TEST(test_goal_off_and_on),
		TEST(test_who_has_a_ceiling),
		TEST(test_lowest_ceiling),
		TEST(test_stolen_has_no_ceiling),
		TEST(test_looks),
		TEST(test_looks_of_siblings),
		TEST(test_looks_where_not_invariant),
		TEST(test_check),
		TEST(test_check_delivered),
		TEST(test_check_delivered_lately),
		TEST(test_restart),
		TEST(test_headroom),
		TEST(test_capacity_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
