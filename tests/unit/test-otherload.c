/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/otherload.c: what runs on a CPU besides the threads of vCPUs. */
#include "tests/unit/test.h"

#include "hostd/otherload.h"

#define MS   UINT64_C(1000000) /* in ns */
#define TICK (10 * MS)	       /* /proc/stat's unit */
#define LOOK (50 * MS)
#define T0   (1000000 * MS)

static struct otherload load;
static uint64_t now, idle; /* ns */

static int setup(_unused_ void **state)
{
	load = (struct otherload){};
	now = T0;
	idle = T0 / 2;
	return 0;
}

/* One look later, of which so much was idle. */
static uint16_t look(uint64_t nsec, uint64_t idle_nsec, uint16_t delivered)
{
	now += nsec;
	idle += idle_nsec;
	return otherload_look(&load, idle, delivered, now);
}

/* After many looks of which the same part was idle. */
static uint16_t settle(uint64_t idle_nsec, uint64_t vcpus_nsec, uint16_t delivered)
{
	uint16_t ret = 0;

	for (unsigned i = 0; i < 200; i++) {
		otherload_vcpu(&load, vcpus_nsec);
		ret = look(LOOK, idle_nsec, delivered);
	}
	return ret;
}

static void test_first_look(_unused_ void **state)
{
	otherload_vcpu(&load, 5 * LOOK); /* of a time that nobody knows */
	assert_int_equal(look(LOOK, 0, 1024), 0);
	assert_int_equal(load.vcpus_nsec, 0);
	assert_int_equal(load.stamp_nsec, now);
	assert_int_equal(load.idle_nsec, idle);
	assert_int_equal(settle(LOOK, 0, 1024), 0);
	assert_int_equal(load.mean, 0); /* a CPU that idles has nothing at all */
}

/* Half of what is missing is there after 250 ms: 256 x 1.048576 ms to be exact. */
static void test_half_life(_unused_ void **state)
{
	const uint64_t half = UINT64_C(256) << 20;

	look(LOOK, LOOK, 1024);
	assert_in_range(look(half, 0, 1024), 511, 512);
	assert_in_range(look(half, 0, 1024), 767, 768);
	assert_in_range(look(half, half, 1024), 383, 384);
	/* In two looks as in one. */
	setup(NULL);
	look(LOOK, LOOK, 1024);
	look(half / 2, 0, 1024);
	assert_in_range(look(half / 2, 0, 1024), 510, 512);
}

/* What wasn't idle, less what vCPUs ran, at the speed that there was. */
static void test_parts(_unused_ void **state)
{
	static const struct {
		uint64_t idle, vcpus;
		uint16_t delivered, other;
	} rows[] = {
		{LOOK, 0, 1024, 0},
		{0, 0, 1024, 1023},
		{0, 0, 512, 511},
		{0, 0, 1, 0},
		{LOOK / 2, 0, 1024, 511},
		/* A hog of a vCPU isn't other load, */
		{0, LOOK, 1024, 0},
		{LOOK / 2, LOOK / 2, 1024, 0},
		/* but what is beside it is. */
		{0, LOOK / 2, 1024, 511},
		{LOOK / 4 * 3, LOOK / 8, 512, 63},
		{LOOK / 4, LOOK / 4, 512, 255},
		/* More than the time that there was, as sums of two clocks may be. */
		{0, 10 * LOOK, 1024, 0},
		{2 * LOOK, 0, 1024, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint16_t other;

		setup(NULL);
		look(LOOK, LOOK, 1024);
		other = settle(rows[i].idle, rows[i].vcpus, rows[i].delivered);
		EXPECT(other >= rows[i].other && other <= rows[i].other + 1U, "row %zu: %u", i,
		       other);
	}
}

/* Idle time is told in units of 10 ms, late. What one look takes too much of is made good by the
 * next, so a vCPU that is busy for 7 ms of each 50 isn't other load, nor its error. */
static void test_unit_error_telescopes(_unused_ void **state)
{
	uint64_t true_idle = 0, told = 0;
	unsigned high = 0;

	look(LOOK, 0, 1024);
	for (unsigned i = 0; i < 400; i++) {
		uint16_t other;

		true_idle += LOOK - 7 * MS;
		otherload_vcpu(&load, 7 * MS);
		other = look(LOOK, true_idle / TICK * TICK - told, 1024);
		told = true_idle / TICK * TICK;
		if (i > 20)
			high = MAX(high, other);
	}
	/* A unit is 204 of a look of 50 ms; of it 12.7 % count. */
	EXPECT(high < 32, "%u", high);
}

/* Below zero it is kept too, but not without bounds: a load that begins is soon heard of. */
static void test_below_zero(_unused_ void **state)
{
	look(LOOK, 0, 1024);
	assert_int_equal(settle(2 * LOOK, 0, 1024), 0);
	assert_int_equal(load.mean, -1024 * 1024 / 8);
	/* -128 + (1024 + 128) / 2, but for the ends. */
	assert_in_range(look(UINT64_C(256) << 20, 0, 1024), 447, 448);
}

/* However much vCPUs are said to have run, of one look it counts for no more than twice its time:
 * so the load that there was isn't forgotten at once. 511 x 2^(-50/268.4) less 1024 of what is
 * missing to that. */
static void test_most_of_vcpus(_unused_ void **state)
{
	for (unsigned times = 2; times <= 10; times++) {
		setup(NULL);
		look(LOOK, 0, 1024);
		settle(LOOK / 2, 0, 1024);
		otherload_vcpu(&load, times * LOOK);
		assert_in_range(look(LOOK, 0, 1024), 324, 326);
	}
}

/* Not more than there is. */
static void test_all(_unused_ void **state)
{
	look(LOOK, 0, 1024);
	load.mean = 1024 * 1024;
	assert_int_equal(look(LOOK, 0, 1024), 1024);
	assert_int_equal(load.mean, 1024 * 1024);
}

/* What says nothing leaves what was known, and the next look goes on from it. */
static void test_gaps(_unused_ void **state)
{
	static const struct {
		int64_t nsec, idle;
		bool counts;
	} rows[] = {
		{1000 * MS, 0, true},
		{1000 * MS + 1, 0, false}, /* more than a second */
		{0, 0, false},		   /* at the same time */
		{-1, 0, false},		   /* back */
		{50 * MS, -1, false},	   /* the counter goes back, as iowait may */
		{50 * MS, 0, true},
		{50 * MS, 100 * MS, true},	/* twice the time: units */
		{50 * MS, 100 * MS + 1, false}, /* more: offline meanwhile */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int32_t mean;

		setup(NULL);
		look(LOOK, 0, 1024);
		settle(LOOK / 2, 0, 1024);
		mean = load.mean;
		otherload_vcpu(&load, 1);
		now += (uint64_t)rows[i].nsec;
		idle += (uint64_t)rows[i].idle;
		otherload_look(&load, idle, 1024, now);
		EXPECT((load.mean != mean) == rows[i].counts, "row %zu: %d from %d", i, load.mean,
		       mean);
		EXPECT(load.stamp_nsec == now && load.idle_nsec == idle && load.vcpus_nsec == 0,
		       "row %zu", i);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		TEST(test_first_look), TEST(test_half_life),
		TEST(test_parts),      TEST(test_unit_error_telescopes),
		TEST(test_below_zero), TEST(test_most_of_vcpus),
		TEST(test_all),	       TEST(test_gaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
