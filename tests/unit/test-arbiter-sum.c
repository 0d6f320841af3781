/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/arbiter_cpu.c: floors cover what all on a CPU need together, and who goes by it is told. */
#include "tests/unit/test_arbiter.h"

static int setup(_unused_ void **state)
{
	const struct arbiter_config config = floors_alone();

	arbiter_begin(&config);
	return 0;
}

/* uclamp takes the maximum of 512 and 512, so each has to be 1024. */
static void test_sum(_unused_ void **state)
{
	uint32_t a = add_on("3"), b = add_on("3");

	assert_int_equal(ask(a, 0, 512, 0), F(512));
	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE); /* b asks for nothing */
	assert_int_equal(ask(b, 0, 512, 0), F(1024));
	assert_true(only_queued(a));
	assert_int_equal(floor_of(a, 0, 0), F(1024));
	assert_true(want(a, 0, 0).shares);
	assert_int_equal(want(a, 0, 0).level1024, 512); /* it doesn't need more itself */
	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE);
	/* More than there is: all that there is. */
	assert_int_equal(ask(a, 0, 600, 1), F(1024));
	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE); /* which is no news for b */
}

/* However little it asks for, it isn't its own neighbour. */
static void test_alone(_unused_ void **state)
{
	uint32_t a = add_on("0"), b = add_on("0");

	for (uint16_t util = 0; util <= 2; util++) {
		ask(a, 0, util, 0);
		EXPECT(!want(a, 0, 0).shares, "%u", util);
		EXPECT(want(b, 0, 0).shares == (util > 0), "%u", util);
	}
}

/* However little it asks for, it goes by what the others need as well. */
static void test_hardly_anything_beside_much(_unused_ void **state)
{
	uint32_t a = add_on("0"), b = add_on("0");

	ask(a, 0, 1, 0);
	ask(b, 0, 500, 0);
	assert_true(only_queued(a));
	assert_int_equal(floor_of(a, 0, 0), F(501));
}

static void test_vcpus_of_one_domain(_unused_ void **state)
{
	uint32_t a = add(3);

	allow(a, 0, "0");
	allow(a, 1, "0");
	allow(a, 2, "1");
	assert_int_equal(ask(a, 0, 100, 0), F(100));
	assert_int_equal(ask(a, 2, 300, 0), F(300));
	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE);
	assert_int_equal(ask(a, 1, 200, 0), F(300));
	assert_true(only_queued(a));
	assert_int_equal(floor_of(a, 0, 0), F(300));
	assert_int_equal(floor_of(a, 2, 0), F(300));
}

/* Of a CPU that has less than 1024, and with headroom on what all need. */
static void test_capacity_and_headroom(_unused_ void **state)
{
	struct arbiter_config config = plain;
	uint32_t a, b;

	config.kernel_minor = 8;
	arbiter_begin_anew(&config);
	a = add(1);
	b = add(1);
	arbiter_set_capacity(arbiter, 2, 400);
	arbiter_set_capacity(arbiter, CPUMASK_CPUS, 400); /* there is no such CPU */
	allow(a, 0, "2");
	allow(b, 0, "2");
	assert_int_equal(ask(a, 0, 100, 0), F(125));
	assert_int_equal(ask(b, 0, 200, 0), F(375));
	assert_int_equal(ask(b, 0, 299, 0), 400); /* 498, were there so much */
	/* Its own demand may be for a larger CPU. */
	assert_int_equal(ask(b, 0, 500, 0), F(625));
	assert_int_equal(floor_of(a, 0, 0), 400);
}

/* Others don't take a floor above what its domain may have. */
static void test_floor_max(_unused_ void **state)
{
	const struct arbiter_grant little = {.floor_max1024 = 300, .weight = 100};
	uint32_t a = arbiter_add(arbiter, 1, &little), b = add(1);

	allow(a, 0, "0");
	allow(b, 0, "0");
	assert_int_equal(ask(a, 0, 100, 0), F(100));
	assert_int_equal(ask(b, 0, 500, 0), F(600));
	assert_int_equal(floor_of(a, 0, 0), 300);
	assert_int_equal(ask(a, 0, 1000, 0), 300);
}

static void test_other_load(_unused_ void **state)
{
	uint32_t a = add_on("0");

	assert_int_equal(ask(a, 0, 512, 0), F(512));
	assert_true(arbiter_uses(arbiter, 0));
	assert_false(arbiter_uses(arbiter, 1));
	assert_false(arbiter_uses(arbiter, CPUMASK_CPUS));
	arbiter_other(arbiter, CPUMASK_CPUS, 512, T0);
	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE);
	arbiter_other(arbiter, 0, 512, T0);
	assert_true(only_queued(a));
	assert_int_equal(floor_of(a, 0, 0), F(1024));
	assert_true(want(a, 0, 0).shares);
	/* Nobody there asks: what else runs there is none of ours. */
	assert_int_equal(leave(a, 0, 0, 1), 0);
	assert_false(arbiter_uses(arbiter, 0));
	arbiter_other(arbiter, 0, 100, T0);
	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE);
	assert_int_equal(ask(a, 0, 100, 2), F(512)); /* what it was is held */
	assert_int_equal(floor_of(a, 0, 900 * MSEC), F(200));
}

/* Less than 64 is nothing, and a change of less than 32 is none. */
static void test_other_load_flaps(_unused_ void **state)
{
	static const struct {
		uint16_t other, floor;
		bool tells;
	} rows[] = {
		{63, F(100), false},   {64, F(164), true},    {32, F(164), false},
		{63, F(164), false},   {95, F(164), false},   {96, F(196), true},
		{65, F(196), false},   {64, F(164), true},    {31, F(100), true},
		{0, F(100), false},    {32, F(100), false},   {63, F(100), false},
		{100, F(200), true},   {131, F(200), false},  {69, F(200), false},
		{132, F(232), true},   {40, F(232), false}, /* it may be noise: as it was */
		{1024, F(1024), true}, {5000, F(1024), false}, {UINT16_MAX, F(1024), false},
		{993, F(1024), false}, {0, F(100), true},
	};
	uint32_t a = add_on("0");

	assert_int_equal(ask(a, 0, 100, 0), F(100));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint16_t floor1024;

		arbiter_other(arbiter, 0, rows[i].other, T0);
		EXPECT((arbiter_next(arbiter) == a) == rows[i].tells, "row %zu", i);
		/* It is held, and falls by the end. */
		floor1024 = floor_of(a, 0, i * USEC_PER_SEC);
		floor1024 = floor_of(a, 0, i * USEC_PER_SEC + 900 * MSEC);
		EXPECT(floor1024 == rows[i].floor, "row %zu: %u", i, floor1024);
		EXPECT(want(a, 0, i * USEC_PER_SEC + 900 * MSEC).shares == (rows[i].floor > F(100)),
		       "row %zu", i);
		forget_queue();
	}
}

/* What all need together is held and falls as each one's does, and all are told when it does. */
static void test_hold(_unused_ void **state)
{
	uint32_t a = add_on("0"), b = add_on("0");

	ask(a, 0, 400, 0);
	ask(b, 0, 400, 0);
	forget_queue();
	assert_int_equal(floor_of(a, 0, 0), F(800));
	/* b sleeps: it may come back. */
	assert_int_equal(ask(b, 0, 0, 1 * MSEC), F(800));
	assert_int_equal(next, T0 + 101 * MSEC);
	assert_true(only_queued(a)); /* it is alone by now */
	assert_int_equal(floor_of(a, 0, 1 * MSEC), F(800));
	assert_int_equal(next, T0 + 101 * MSEC);
	assert_false(want(a, 0, 1 * MSEC).shares);
	assert_int_equal(floor_of(b, 0, 101 * MSEC), F(600));
	assert_true(only_queued(a));
	assert_int_equal(floor_of(a, 0, 101 * MSEC), F(600));
	assert_int_equal(next, T0 + 141 * MSEC);
	/* Back. */
	assert_int_equal(ask(b, 0, 400, 110 * MSEC), F(800));
	assert_true(only_queued(a));
	/* b's task leaves: at once, for all. */
	assert_int_equal(leave(b, 0, 0, 120 * MSEC), 0);
	assert_true(only_queued(a));
	assert_int_equal(floor_of(a, 0, 120 * MSEC), F(400));
	assert_int_equal(next, USEC_INFINITY);
}

/* A task leaves one of several whose sum was more than the CPU has. */
static void test_left_of_more_than_there_is(_unused_ void **state)
{
	uint32_t a = add_on("0"), b = add_on("0"), c = add_on("0");

	ask(a, 0, 800, 0);
	ask(b, 0, 800, 0);
	ask(c, 0, 100, 0);
	forget_queue();
	assert_int_equal(leave(b, 0, 100, 1), F(1000));
	forget_queue();
	assert_int_equal(floor_of(a, 0, 1), F(1000));
	assert_int_equal(leave(b, 0, 0, 2), 0);
	forget_queue();
	assert_int_equal(floor_of(a, 0, 2), F(900));
	assert_int_equal(floor_of(c, 0, 2), F(900));
}

/* When the last one sleeps the other load beside it is nobody's concern any more: all of it falls,
 * to nothing. */
static void test_hold_of_other_load(_unused_ void **state)
{
	uint32_t a = add_on("0");

	arbiter_other(arbiter, 0, 65, T0);
	assert_int_equal(ask(a, 0, 100, 0), F(165));
	assert_int_equal(ask(a, 0, 0, 1 * MSEC), F(165));
	assert_int_equal(floor_of(a, 0, 101 * MSEC), F(82));
	assert_int_equal(floor_of(a, 0, 141 * MSEC), F(41));
}

/* What has left goes, what is held of who sleeps stays. */
static void test_left_beside_one_that_sleeps(_unused_ void **state)
{
	uint32_t a = add_on("0"), b = add_on("0");

	ask(a, 0, 400, 0);
	ask(b, 0, 400, 0);
	assert_int_equal(ask(b, 0, 0, 1), F(800));
	assert_int_equal(leave(a, 0, 100, 2), F(500));
	assert_int_equal(leave(a, 0, 150, 3), F(500)); /* nothing of its part */
}

/* Threads that aren't pinned are where they were seen last. */
static void test_move(_unused_ void **state)
{
	uint32_t a = add_on("0-3"), b = add_on("0"), c = add_on("1");

	assert_int_equal(ask(a, 0, 300, 0), F(300));
	assert_true(want(a, 0, 0).shares); /* it isn't known where it is */
	assert_int_equal(ask(b, 0, 200, 0), F(200));
	assert_int_equal(ask(c, 0, 100, 0), F(100));
	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE);
	see(a, 0, 0);
	assert_true(only_queued(a));
	assert_int_equal(floor_of(a, 0, 1), F(500));
	assert_true(only_queued(b));
	assert_int_equal(floor_of(b, 0, 1), F(500));
	/* Seen there again. */
	see(a, 0, 0);
	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE);
	/* It goes to another: b is told of it at once, what it took isn't held there. */
	see(a, 0, 1);
	assert_int_equal(arbiter_next(arbiter), b);
	assert_int_equal(arbiter_next(arbiter), a);
	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE);
	assert_int_equal(floor_of(b, 0, 2), F(200));
	assert_false(want(b, 0, 2).shares);
	assert_int_equal(floor_of(a, 0, 2), F(400));
	assert_true(only_queued(c));
	assert_int_equal(floor_of(c, 0, 2), F(400));
	/* A CPU that there isn't says nothing. */
	see(a, 0, ARBITER_CPU_UNKNOWN);
	see(a, 0, CPUMASK_CPUS);
	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE);
	/* One that is pinned is where it is pinned. */
	see(c, 0, 2);
	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE);
	assert_int_equal(floor_of(c, 0, 3), F(400));
}

/* What a thread needs is on its new CPU from when it was seen there, not only from when it was
 * itself asked. */
static void test_heard_of_before_it_is_told(_unused_ void **state)
{
	uint32_t a = add_on("0-3"), c = add_on("1");

	see(a, 0, 0);
	ask(a, 0, 300, 0);
	assert_int_equal(ask(c, 0, 100, 0), F(100));
	see(a, 0, 1);
	assert_int_equal(floor_of(c, 0, 1), F(400));
	assert_true(want(c, 0, 1).shares);
}

/* It sleeps and is moved while its level is held: the CPU that it was on has to be looked after by
 * who is left there. */
static void test_move_with_hold(_unused_ void **state)
{
	uint32_t a = add_on("0-3"), b = add_on("0");

	see(a, 0, 0);
	ask(b, 0, 200, 0);
	ask(a, 0, 300, 0);
	forget_queue();
	assert_int_equal(floor_of(b, 0, 0), F(500));
	assert_int_equal(ask(a, 0, 0, 1 * MSEC), F(500));
	forget_queue();
	assert_int_equal(floor_of(b, 0, 1 * MSEC), F(500));
	see(a, 0, 1);
	assert_int_equal(arbiter_next(arbiter), b);
	assert_int_equal(arbiter_next(arbiter), a);
	assert_int_equal(floor_of(b, 0, 2 * MSEC), F(500));
	assert_int_equal(next, T0 + 101 * MSEC);
	assert_int_equal(floor_of(a, 0, 2 * MSEC), F(300)); /* its own is still held */
	assert_int_equal(floor_of(b, 0, 101 * MSEC), F(350));
}

static void test_allowed(_unused_ void **state)
{
	uint32_t a = add_on("0"), b = add_on("1");

	ask(a, 0, 300, 0);
	ask(b, 0, 200, 0);
	forget_queue();
	/* Pinned elsewhere: that is where it is. */
	allow(a, 0, "1");
	assert_true(only_queued(a));
	assert_int_equal(floor_of(a, 0, 1), F(500));
	assert_true(only_queued(b));
	/* The same again. */
	allow(a, 0, "1");
	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE);
	/* It may be elsewhere, but was last seen here. */
	allow(a, 0, "1-2");
	assert_true(only_queued(a));
	assert_int_equal(floor_of(a, 0, 2), F(500));
	/* It can't be here any more. */
	allow(a, 0, "2-3");
	assert_int_equal(arbiter_next(arbiter), b);
	assert_int_equal(arbiter_next(arbiter), a);
	assert_int_equal(floor_of(a, 0, 3), F(300));
	assert_true(want(a, 0, 3).shares);
	assert_int_equal(floor_of(b, 0, 3), F(200));
	/* It is seen where it can't be, and said again where it can. */
	see(a, 0, 0);
	assert_true(only_queued(a));
	assert_false(want(a, 0, 3).shares);
	allow(a, 0, "2-3");
	assert_true(only_queued(a));
	allow(a, 0, "");
	assert_int_equal(floor_of(a, 0, 3), F(300));
	/* Who asks for nothing has nothing to be told. */
	assert_int_equal(leave(a, 0, 0, 4), 0);
	want(a, 0, 600 * MSEC);
	forget_queue();
	allow(a, 0, "1");
	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE);
}

/* Another that begins to ask on the CPU lifts the ceiling, also of one that sleeps. */
static void test_shares(_unused_ void **state)
{
	uint32_t a, b;

	arbiter_configure(arbiter, &plain);
	a = add_on("0");
	b = add_on("0");
	assert_int_equal(ask(a, 0, 300, 0), F(300));
	assert_int_equal(want(a, 0, 20 * MSEC).ceiling1024, 400);
	assert_int_equal(leave(a, 0, 0, 21 * MSEC), 0);
	assert_int_equal(want(a, 0, 21 * MSEC).ceiling1024, 104);
	assert_int_equal(next, T0 + 521 * MSEC);
	assert_int_equal(ask(b, 0, 200, 30 * MSEC), F(200));
	assert_true(only_queued(a));
	assert_int_equal(want(a, 0, 30 * MSEC).ceiling1024, NONE);
	assert_int_equal(leave(b, 0, 0, 40 * MSEC), 0);
	assert_int_equal(want(a, 0, 40 * MSEC).ceiling1024, 104);
	/* So does other load. */
	forget_queue();
	arbiter_other(arbiter, 0, 200, T0);
	assert_int_equal(arbiter_next(arbiter), a);
	assert_int_equal(want(a, 0, 40 * MSEC).ceiling1024, NONE);
}

/* One that is within a step of what it should have is told when that isn't enough any more. */
static void test_told_by_steps(_unused_ void **state)
{
	const struct arbiter_grant little = {.floor_max1024 = 60, .weight = 100};
	struct arbiter_config config = plain;
	uint32_t a, b;

	config.level.step = 50;
	arbiter_begin_anew(&config);
	a = arbiter_add(arbiter, 1, &little);
	b = add(1);
	allow(a, 0, "0");
	allow(b, 0, "0");
	assert_int_equal(ask(a, 0, 120, 0), 60);
	assert_int_equal(leave(a, 0, 80, 1), 60);
	assert_int_equal(ask(b, 0, 20, 2), F(100));
	forget_queue();
	assert_int_equal(ask(a, 0, 120, 3), 60);
	assert_true(only_queued(b));
	assert_int_equal(floor_of(b, 0, 3), F(140));
	/* Within a grain nobody is told. */
	assert_int_equal(ask(a, 0, 125, 4), 60);
	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE);
	assert_int_equal(floor_of(b, 0, 4), F(140));
}

/* Nor within the first grain, which begins at what has to be rounded up to it. */
static void test_told_by_grains(_unused_ void **state)
{
	uint32_t a = add_on("0"), b = add_on("0");

	ask(a, 0, 1, 0);
	ask(b, 0, 1, 0);
	forget_queue();
	assert_int_equal(floor_of(a, 0, 0), 8);
	assert_int_equal(ask(b, 0, 8, 1), 8);
	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE);
	assert_int_equal(ask(b, 0, 9, 2), 16);
	assert_true(only_queued(a));
	assert_int_equal(floor_of(a, 0, 2), 16);
}

/* Where the kernel places by floors, others don't send a small one to a larger CPU. */
static void test_energy_aware(_unused_ void **state)
{
	struct arbiter_config config = plain;
	uint32_t small, large, pinned;

	config.energy_aware = true;
	config.classes.n_classes = 2;
	config.classes.classes[0] = (struct placement_class){.capacity1024 = 400};
	config.classes.classes[1] = (struct placement_class){.capacity1024 = 1024};
	cpumask_parse("0-1", &config.classes.classes[0].cpus);
	cpumask_parse("2-3", &config.classes.classes[1].cpus);
	arbiter_begin_anew(&config);
	small = add(1);
	large = add(1);
	pinned = add(1);
	allow(small, 0, "0-3");
	allow(large, 0, "0-3");
	allow(pinned, 0, "2");
	see(small, 0, 2);
	see(large, 0, 2);
	ask(small, 0, 100, 0);
	ask(pinned, 0, 100, 0);
	assert_int_equal(ask(large, 0, 500, 0), F(700));
	assert_int_equal(floor_of(small, 0, 0), 400);
	assert_int_equal(floor_of(pinned, 0, 0), F(700));
	/* It has outgrown its class. */
	assert_int_equal(ask(small, 0, 319, 1), 400);
	assert_int_equal(ask(small, 0, 320, 1), F(920));
	/* It can't be on a small one. */
	assert_int_equal(leave(small, 0, 100, 2), 400);
	allow(small, 0, "2-3");
	assert_int_equal(floor_of(small, 0, 2), F(700));
	/* Where floors don't place, it doesn't matter. */
	allow(small, 0, "0-3");
	assert_int_equal(floor_of(small, 0, 2), 400);
	config.energy_aware = false;
	arbiter_configure(arbiter, &config);
	assert_int_equal(floor_of(small, 0, 2), F(700));
	config.energy_aware = true;
	config.classes.n_classes = 1;
	arbiter_configure(arbiter, &config);
	assert_int_equal(floor_of(small, 0, 2), F(700));
}

/* CPUs that change their frequency together go by the highest of them, natively also by what sleeps
 * there: so who runs has its siblings' level. Another guest's it hasn't, and not in its sleep. */
static void test_around(_unused_ void **state)
{
	uint32_t a = add(4), b = add(1);

	for (unsigned i = 0; i < 3; i++)
		arbiter_set_policy(arbiter, i, 7);
	arbiter_set_policy(arbiter, CPUMASK_CPUS, 7); /* there is no such CPU */
	allow(a, 0, "0");
	allow(a, 1, "1");
	allow(a, 2, "3"); /* with a frequency of its own */
	allow(a, 3, "0-1"); /* it isn't known where it is */
	allow(b, 0, "2");
	assert_int_equal(ask(b, 0, 900, 0), F(900));
	assert_int_equal(ask(a, 1, 100, 0), F(100));
	forget_queue();
	assert_int_equal(ask(a, 0, 800, 0), F(800));
	assert_true(only_queued(a));
	assert_int_equal(floor_of(a, 1, 0), F(800));
	assert_int_equal(ask(a, 2, 200, 0), F(200));
	assert_int_equal(ask(a, 3, 300, 0), F(300));
	assert_int_equal(floor_of(b, 0, 0), F(900));
	forget_queue();
	/* Its own is the higher one, and by less than a step nobody is told. */
	assert_int_equal(ask(a, 1, 790, 1), F(800));
	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE);
	assert_int_equal(ask(a, 0, 805, 1), F(805));
	assert_true(only_queued(a));
	assert_int_equal(floor_of(a, 1, 1), F(805));
	/* It leaves, and so does what the other had of it. */
	assert_int_equal(leave(a, 1, 100, 2), F(805));
	forget_queue();
	assert_int_equal(leave(a, 0, 50, 2), F(100));
	assert_true(only_queued(a));
	assert_int_equal(floor_of(a, 1, 2), F(100));
	/* Who asks for nothing has nothing of it. */
	assert_int_equal(leave(a, 1, 0, 3), 0);
	assert_int_equal(floor_of(a, 0, 3), F(50));
	/* Alone again. */
	assert_int_equal(ask(a, 1, 400, 4), F(400));
	assert_int_equal(floor_of(a, 0, 4), F(400));
	arbiter_set_policy(arbiter, 1, CPUMASK_CPUS + 1);
	assert_int_equal(floor_of(a, 0, 4), F(50));
}

/* A domain that goes takes what it needed with it, and who was beside it is told. */
static void test_remove(_unused_ void **state)
{
	uint32_t a = add(1), b = add(2);

	allow(a, 0, "0");
	allow(b, 0, "0");
	allow(b, 1, "0");
	ask(a, 0, 100, 0);
	ask(b, 0, 200, 0);
	ask(b, 1, 300, 0);
	forget_queue();
	assert_int_equal(floor_of(a, 0, 0), F(600));
	arbiter_remove(arbiter, b, T0 + 1);
	assert_true(only_queued(a));
	assert_int_equal(floor_of(a, 0, 1), F(100));
	assert_int_equal(next, USEC_INFINITY);
	assert_false(want(a, 0, 1).shares);
}

/* Those that it leaves behind are told once: when each has been asked there is nothing left to say.
 */
static void test_remove_beside_two(_unused_ void **state)
{
	uint32_t a = add_on("0"), b = add_on("0"), c = add_on("0");

	ask(a, 0, 100, 0);
	ask(b, 0, 200, 0);
	ask(c, 0, 300, 0);
	forget_queue();
	arbiter_remove(arbiter, b, T0 + 1);
	assert_true(arbiter_next(arbiter) == c && only_queued(a));
	assert_int_equal(floor_of(a, 0, 1), F(400));
	assert_int_equal(floor_of(c, 0, 1), F(400));
	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE);
}

/* b sleeps when it goes: that a's floor falls then is a's to know. */
static void test_remove_with_hold(_unused_ void **state)
{
	uint32_t a = add_on("0"), b = add_on("0");

	ask(a, 0, 100, 0);
	ask(b, 0, 200, 0);
	forget_queue();
	ask(b, 0, 0, 1 * MSEC);
	forget_queue();
	arbiter_remove(arbiter, b, T0 + 2 * MSEC);
	assert_true(only_queued(a));
	assert_int_equal(floor_of(a, 0, 2 * MSEC), F(300));
	assert_int_equal(next, T0 + 101 * MSEC);
	assert_int_equal(floor_of(a, 0, 101 * MSEC), F(200));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, arbiter_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_sum),
		TEST(test_alone),
		TEST(test_hardly_anything_beside_much),
		TEST(test_vcpus_of_one_domain),
		TEST(test_capacity_and_headroom),
		TEST(test_floor_max),
		TEST(test_other_load),
		TEST(test_other_load_flaps),
		TEST(test_hold),
		TEST(test_hold_of_other_load),
		TEST(test_left_of_more_than_there_is),
		TEST(test_left_beside_one_that_sleeps),
		TEST(test_move),
		TEST(test_move_with_hold),
		TEST(test_allowed),
		TEST(test_shares),
		TEST(test_told_by_steps),
		TEST(test_told_by_grains),
		TEST(test_heard_of_before_it_is_told),
		TEST(test_energy_aware),
		TEST(test_around),
		TEST(test_remove),
		TEST(test_remove_beside_two),
		TEST(test_remove_with_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
