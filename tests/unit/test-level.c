/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/level.c: a level rises at once, is held, falls by halves, or at once when a task has left;
 * and the floors and ceilings that follow of it. */
#include "tests/unit/test_level.h"

static const struct level_config config = {
	.headroom1024 = 1024, .grain = 8, .step = 50, LEVEL_FIGURES};

/* What happens at which time: a demand, the level that comes of it, and when it would change. */
struct event {
	uint64_t at;
	uint16_t demand;
	bool left;
	uint16_t level;
	uint64_t next;
};

static void run(const struct level_config *c, const struct event *events, size_t n)
{
	struct level level = {};

	for (size_t i = 0; i < n; i++) {
		uint64_t next = 4711;
		uint16_t value = level_move(&level, c, events[i].demand, events[i].left,
					    T0 + events[i].at, &next);
		uint64_t wanted = events[i].next ? T0 + events[i].next : USEC_INFINITY;

		EXPECT(value == events[i].level && level.level1024 == value, "event %zu: level %u",
		       i, value);
		EXPECT(next == wanted, "event %zu: next %lld", i, (long long)(next - T0));
	}
}

static void test_rise_hold_fall(_unused_ void **state)
{
	static const struct event events[] = {
		{0, 0, false, 0, 0},
		{1 * MSEC, 300, false, 300, 0},
		{2 * MSEC, 800, false, 800, 0},	      /* up at once */
		{3 * MSEC, 0, false, 800, 103 * MSEC}, /* held */
		{103 * MSEC - 1, 0, false, 800, 103 * MSEC},
		{103 * MSEC, 0, false, 400, 143 * MSEC}, /* then by halves */
		{143 * MSEC - 1, 0, false, 400, 143 * MSEC},
		{143 * MSEC, 0, false, 200, 183 * MSEC},
		{183 * MSEC, 0, false, 100, 223 * MSEC},
		{223 * MSEC, 0, false, 50, 263 * MSEC}, /* a half of one step is one */
		{263 * MSEC, 0, false, 0, 0},	       /* half of that is less */
		{900 * MSEC, 0, false, 0, 0},
	};

	run(&config, events, ARRAY_SIZE(events));
}

/* Half of the distance to what is still asked for. */
static void test_fall_to_a_demand(_unused_ void **state)
{
	static const struct event events[] = {
		{0, 800, false, 800, 0},
		{10 * MSEC, 300, false, 800, 110 * MSEC},
		{110 * MSEC, 300, false, 550, 150 * MSEC},
		{150 * MSEC, 300, false, 425, 190 * MSEC},
		{190 * MSEC, 300, false, 362, 230 * MSEC},
		{230 * MSEC, 300, false, 300, 0},
		/* What it came down to is held too. */
		{500 * MSEC, 0, false, 300, 600 * MSEC},
		{600 * MSEC, 0, false, 150, 640 * MSEC},
	};

	run(&config, events, ARRAY_SIZE(events));
}

static void test_bursts(_unused_ void **state)
{
	static const struct event events[] = {
		{0, 600, false, 600, 0},
		{10 * MSEC, 0, false, 600, 110 * MSEC},
		{90 * MSEC, 600, false, 600, 0}, /* the same again holds it anew */
		{100 * MSEC, 0, false, 600, 200 * MSEC},
		{150 * MSEC, 599, false, 600, 200 * MSEC}, /* less doesn't */
		{200 * MSEC, 0, false, 300, 240 * MSEC},
		{210 * MSEC, 301, false, 301, 0},
		{220 * MSEC, 0, false, 301, 320 * MSEC},
		/* Late: where looks in time would have brought it. */
		{380 * MSEC, 0, false, 75, 400 * MSEC},
		{100000 * MSEC, 0, false, 0, 0},
	};

	run(&config, events, ARRAY_SIZE(events));
}

static void test_left(_unused_ void **state)
{
	static const struct event events[] = {
		{0, 700, false, 700, 0},
		{1 * MSEC, 200, true, 200, 0}, /* at once */
		{2 * MSEC, 0, false, 200, 102 * MSEC},
		{3 * MSEC, 0, true, 0, 0},     /* also what is held */
		{4 * MSEC, 500, true, 500, 0}, /* others may have come */
		{5 * MSEC, 500, true, 500, 0},
		{6 * MSEC, 100, false, 500, 106 * MSEC},
		{106 * MSEC, 100, false, 300, 146 * MSEC},
		{110 * MSEC, 150, true, 150, 0},		/* and what falls */
		{120 * MSEC, 0, false, 150, 220 * MSEC}, /* with a hold of its own */
	};

	run(&config, events, ARRAY_SIZE(events));
}

static void test_no_hold(_unused_ void **state)
{
	static const struct level_config c = {.headroom1024 = 1024, .step = 1};
	static const struct level_config no_step = {.headroom1024 = 1024};
	static const struct event events[] = {
		{0, 800, false, 800, 0},
		{10, 0, false, 400, 11}, /* the first half is due at once
						 */
		{11, 0, false, 200, 12},
		{17, 0, false, 3, 18},
		{18, 0, false, 1, 19},
		{19, 0, false, 0, 0},
	};

	run(&c, events, ARRAY_SIZE(events));
	run(&no_step, events, ARRAY_SIZE(events));
}

static void test_large_step(_unused_ void **state)
{
	static const struct level_config c = {.step = 512, .half_life_usec = MSEC};
	static const struct event events[] = {
		{0, 1024, false, 1024, 0},
		{10 * MSEC, 0, false, 512, 11 * MSEC},
		{11 * MSEC, 0, false, 0, 0},
	};

	run(&c, events, ARRAY_SIZE(events));
}

static void test_floor(_unused_ void **state)
{
	static const struct {
		uint32_t headroom;
		uint16_t step, level, have, max, floor;
	} rows[] = {
		{1024, 50, 0, 0, 1024, 0},
		{1024, 50, 1, 0, 1024, 0},
		{1024, 50, 2, 0, 1024, 8},
		{1024, 50, 9, 0, 1024, 8},
		{1024, 50, 10, 0, 1024, 16},
		{1024, 50, 400, 0, 1024, 392},
		{1024, 50, 401, 0, 1024, 392},
		{1024, 50, 402, 0, 1024, 400},
		{1024, 50, 1016, 0, 1024, 1000},
		{1024, 50, 1024, 0, 1024, 1008},
		{1280, 50, 800, 0, 1024, 984},
		{1280, 50, 832, 0, 1024, 1024},
		{1280, 50, 836, 0, 1024, 1024},
		{1280, 1, 1024, 0, 1024, 1024},
		{1280, 1, 3, 0, 1024, 8},
		{1024, 0, 7, 0, 1024, 8},
		{1024, 512, 513, 0, 1024, 504},
		{1024, 50, 1024, 0, 410, 410},
		{1024, 50, 1024, 0, 0, 0},
		/* What is there stays while it is enough and by less than a step too much. */
		{1024, 50, 150, 147, 1024, 147},
		{1024, 50, 150, 152, 1024, 152},
		{1024, 50, 150, 196, 1024, 196},
		{1024, 50, 150, 197, 1024, 152},
		{1024, 50, 151, 147, 1024, 147},
		{1024, 50, 151, 146, 1024, 152},
		{1024, 50, 10, 1024, 1024, 16},
		{1280, 50, 80, 147, 1024, 147},
		{1280, 50, 80, 148, 1024, 104},
		{1280, 50, 80, 97, 1024, 104},
		{1024, 50, 2, 40, 1024, 40},
		/* But for nothing at all nothing stays, nor above the limit. */
		{1024, 50, 0, 8, 1024, 0},
		{1024, 50, 1, 8, 1024, 0},
		{1024, 50, 140, 150, 149, 149},
		/* A step of 1, and of none, is that it has to be just enough. */
		{1024, 1, 100, 98, 1024, 98},
		{1024, 1, 100, 99, 1024, 104},
		{1024, 0, 100, 98, 1024, 98},
		{1024, 0, 100, 99, 1024, 104},
		{1024, 2, 100, 99, 1024, 99},
		{1024, 2, 100, 100, 1024, 104},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct level_config c = {
			.headroom1024 = rows[i].headroom, .grain = 8, .step = rows[i].step};
		uint16_t floor1024 = level_floor(&c, rows[i].level, rows[i].have, rows[i].max);

		EXPECT(floor1024 == rows[i].floor, "row %zu: %u", i, floor1024);
		EXPECT(level_floor(&c, rows[i].level, floor1024, rows[i].max) == floor1024,
		       "row %zu isn't steady", i);
	}
}

static void test_grain(_unused_ void **state)
{
	static const struct {
		uint16_t grain, level, floor;
	} rows[] = {{0, 100, 98}, {1, 100, 98},	    {8, 100, 104},	{0, 102, 99},
		    {1, 102, 99}, {2, 102, 100},    {64, 100, 128},	{64, 65, 64},
		    {64, 0, 0},	  {64, 1000, 1024}, {1000, 1021, 1000}, {1000, 1022, 1024}};
	const struct level level = {.level1024 = 100, .rose_usec = T0};
	struct level_config c = config;
	uint64_t next;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		c.grain = rows[i].grain;
		EXPECT(level_floor(&c, rows[i].level, 0, 1024) == rows[i].floor, "row %zu", i);
	}
	c.grain = 64;
	assert_int_equal(level_ceiling(&level, &c, 1024, 0, T0 + USEC_PER_SEC, &next), 256);
}

/* A demand, then a ceiling, at each time. */
struct look {
	uint64_t at;
	uint16_t demand, have, min, ceiling;
	uint64_t next;
};

static void look(const struct level_config *c, const struct look *looks, size_t n)
{
	struct level level = {};

	for (size_t i = 0; i < n; i++) {
		uint64_t now = T0 + looks[i].at, next = 4711;
		uint64_t wanted = looks[i].next ? T0 + looks[i].next : USEC_INFINITY;
		uint16_t value;

		level_move(&level, c, looks[i].demand, false, now, &next);
		value = level_ceiling(&level, c, looks[i].have, looks[i].min, now, &next);
		EXPECT(value == looks[i].ceiling, "look %zu: %u", i, value);
		EXPECT(next == wanted, "look %zu: next %lld", i, (long long)(next - T0));
	}
}

static void test_ceiling_comes_when_calm(_unused_ void **state)
{
	static const struct look looks[] = {
		{0, 0, 1024, 0, 1024, 0}, /* nothing was ever asked for */
		{1 * MSEC, 300, 1024, 0, 1024, 21 * MSEC},
		{21 * MSEC - 1, 300, 1024, 0, 1024, 21 * MSEC},
		{21 * MSEC, 300, 1024, 0, 400, 0},
		{22 * MSEC, 349, 400, 0, 448, 0},	   /* less than a step is no rise */
		{23 * MSEC, 399, 448, 0, 1024, 43 * MSEC}, /* a step is */
		{43 * MSEC, 399, 1024, 0, 496, 0},
		{44 * MSEC, 100, 496, 0, 496, 0}, /* the level is held, and so this */
	};

	look(&config, looks, ARRAY_SIZE(looks));
}

/* Where each step counts, one more is a rise, and the same again is none. */
static void test_smallest_rise(_unused_ void **state)
{
	static const struct look looks[] = {
		{0, 300, 1024, 0, 1024, 20 * MSEC},
		{10 * MSEC, 300, 1024, 0, 1024, 20 * MSEC},
		{20 * MSEC, 300, 1024, 0, 400, 0},
		{21 * MSEC, 300, 400, 0, 400, 0},
		{22 * MSEC, 301, 400, 0, 1024, 42 * MSEC},
	};
	struct level_config c = config;

	for (c.step = 0; c.step <= 1; c.step++)
		look(&c, looks, ARRAY_SIZE(looks));
}

static void test_ceiling_values(_unused_ void **state)
{
	static const struct {
		uint32_t headroom;
		uint16_t level, have, min, ceiling;
	} rows[] = {
		{1024, 300, 1024, 0, 400},    {1024, 308, 1024, 0, 408},
		{1024, 309, 1024, 0, 408},    {1280, 300, 1024, 0, 472},
		{1024, 300, 1024, 401, 408},  {1024, 300, 1024, 400, 400},
		{1024, 300, 443, 0, 443},     {1024, 300, 444, 0, 400},
		{1024, 300, 394, 0, 394},     {1024, 300, 393, 0, 400},
		{1024, 942, 1024, 0, 1024},   {1024, 943, 1024, 0, 1024},
		{1024, 936, 1024, 0, 1024},   {1024, 893, 1024, 0, 1024},
		{1024, 892, 1024, 0, 976},    {1024, 1024, 1024, 0, 1024},
		{1024, 300, 300, 1024, 1024}, {1024, 894, 1000, 0, 1000},
		{1024, 919, 1000, 0, 1000},   {1024, 920, 1000, 0, 1008},
		{1024, 300, 1024, 975, 1024}, {1024, 300, 1024, 974, 976},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct level_config c = config;
		const struct level level = {.level1024 = rows[i].level, .rose_usec = T0};
		uint64_t next = 4711;
		uint16_t value;

		c.headroom1024 = rows[i].headroom;
		value = level_ceiling(&level, &c, rows[i].have, rows[i].min, T0 + 20 * MSEC, &next);
		EXPECT(value == rows[i].ceiling, "row %zu: %u", i, value);
		EXPECT(next == USEC_INFINITY, "row %zu", i);
	}
}

/* It stays for as long as the host remembers what has left, and no longer. */
static void test_ceiling_is_forgotten(_unused_ void **state)
{
	static const struct level_config c = {.headroom1024 = 1024,
					      .grain = 8,
					      .step = 50,
					      .half_life_usec = 1,
					      .slack1024 = 100,
					      .calm_usec = 20 * MSEC,
					      .forget_usec = 500 * MSEC};
	static const struct look looks[] = {
		{0, 300, 1024, 0, 1024, 20 * MSEC},
		{10 * MSEC, 0, 1024, 0, 1024, 20 * MSEC},
		{11 * MSEC, 0, 1024, 0, 1024, 20 * MSEC}, /* nothing is asked for from now on */
		{20 * MSEC, 0, 1024, 0, 104, 511 * MSEC},
		{511 * MSEC - 1, 0, 104, 0, 104, 511 * MSEC},
		{511 * MSEC, 0, 104, 0, 1024, 0},
		{600 * MSEC, 0, 1024, 0, 1024, 0},
		{700 * MSEC, 40, 1024, 0, 144, 0}, /* too little for a rise */
		{800 * MSEC, 90, 144, 0, 1024, 820 * MSEC},
		{820 * MSEC, 90, 1024, 0, 192, 0},
	};
	struct level_config short_memory = c;
	static const struct look early[] = {
		{0, 300, 1024, 0, 1024, 20 * MSEC},
		{1 * MSEC, 0, 1024, 0, 1024, 20 * MSEC},
		{2 * MSEC, 0, 1024, 0, 1024, 20 * MSEC},
		{7 * MSEC, 0, 1024, 0, 1024, 0},
	};

	look(&c, looks, ARRAY_SIZE(looks));
	short_memory.forget_usec = 5 * MSEC;
	look(&short_memory, early, ARRAY_SIZE(early));
}

/* The first microsecond of the clock is a time as any other. */
static void test_early_clock(_unused_ void **state)
{
	struct level level = {.rose_usec = 1, .zero_usec = 1};
	struct level_config c = config;
	uint64_t next;

	assert_int_equal(level_ceiling(&level, &config, 1024, 0, 20 * MSEC + 1, &next), 104);
	assert_int_equal(next, 500 * MSEC + 1);
	assert_int_equal(level_ceiling(&level, &config, 100, 0, 500 * MSEC + 1, &next), 1024);
	/* To rise at, */
	level = (struct level){};
	level_move(&level, &config, 500, false, 1, &next);
	level_move(&level, &config, 0, true, 2, &next);
	assert_int_equal(level.zero_usec, 2);
	/* and to fall at. */
	level = (struct level){};
	c.hold_usec = 1;
	level_move(&level, &c, 500, false, 0, &next);
	assert_int_equal(level_move(&level, &c, 0, false, 0, &next), 500);
	assert_int_equal(next, 1);
}

/* A task that has left takes the ceiling down with the level; who never asked has nothing to
 * forget. */
static void test_ceiling_after_left(_unused_ void **state)
{
	struct level level = {};
	uint64_t next;

	level_move(&level, &config, 0, false, T0, &next);
	assert_int_equal(level.zero_usec, 0);
	level_move(&level, &config, 800, false, T0, &next);
	level_move(&level, &config, 100, true, T0 + 30 * MSEC, &next);
	assert_int_equal(level_ceiling(&level, &config, 1024, 0, T0 + 30 * MSEC, &next), 200);
	level_move(&level, &config, 0, true, T0 + 40 * MSEC, &next);
	assert_int_equal(level.zero_usec, T0 + 40 * MSEC);
	assert_int_equal(level_ceiling(&level, &config, 200, 0, T0 + 40 * MSEC, &next), 104);
	assert_int_equal(next, T0 + 540 * MSEC);
	level_move(&level, &config, 0, false, T0 + 50 * MSEC, &next);
	assert_int_equal(level.zero_usec, T0 + 40 * MSEC);
	level_move(&level, &config, 1, false, T0 + 60 * MSEC, &next);
	assert_int_equal(level.zero_usec, 0);
}

static struct level_config random_config(uint64_t *seed)
{
	return (struct level_config){.headroom1024 = test_random(seed) % 2 ? 1024 : 1280,
				     .grain = (uint16_t)(test_random(seed) % 65),
				     .step = (uint16_t)(test_random(seed) % 513),
				     .hold_usec = test_random(seed) % 200000,
				     .half_life_usec = test_random(seed) % 100000,
				     .slack1024 = (uint16_t)(test_random(seed) % 300),
				     .calm_usec = test_random(seed) % 50000,
				     .forget_usec = test_random(seed) % 500000};
}

/* Never below what is asked for nor above what was, `next` always ahead, and gone in a bounded
 * time. */
static void test_any(_unused_ void **state)
{
	uint64_t seed = 12;

	for (unsigned round = 0; round < 2000; round++) {
		const struct level_config c = random_config(&seed);
		uint16_t max = (uint16_t)(test_random(&seed) % 1025), have = 0, high = 1024;
		uint64_t now = 1 + test_random(&seed), next, later;
		struct level level = {};

		for (unsigned i = 0; i < 100; i++) {
			uint16_t demand = (uint16_t)(test_random(&seed) % 1025);
			bool left = test_random(&seed) % 3 == 0;
			uint16_t before = level.level1024, value;

			now += test_random(&seed) % 300000;
			value = level_move(&level, &c, demand, left, now, &next);
			EXPECT(value >= demand && value <= MAX(before, demand), "round %u: %u",
			       round, value);
			EXPECT(!left || value == demand, "round %u", round);
			EXPECT(next > now && (value == demand) == (next == USEC_INFINITY),
			       "round %u: next is over", round);
			EXPECT(level_move(&level, &c, demand, left, now, &later) == value &&
				       later == next,
			       "round %u: another level at the same time", round);
			have = level_floor(&c, value, have, max);
			high = level_ceiling(&level, &c, high, have, now, &next);
			EXPECT(have <= max && high >= have && high <= LEVEL_NO_CEILING &&
				       next > now,
			       "round %u: %u to %u", round, have, high);
			EXPECT(have == max || have >= value * c.headroom1024 / 1024 * 49 / 50,
			       "round %u", round);
		}
		level_move(&level, &c, 0, false, now, &next);
		/* 1024 falls to 0 in 11 halves at most. */
		now += c.hold_usec + 11 * MAX(c.half_life_usec, 1U);
		EXPECT(level_move(&level, &c, 0, false, now, &next) == 0 &&
			       next == USEC_INFINITY,
		       "round %u: %u is left", round, level.level1024);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rise_hold_fall),
		cmocka_unit_test(test_fall_to_a_demand),
		cmocka_unit_test(test_bursts),
		cmocka_unit_test(test_left),
		cmocka_unit_test(test_no_hold),
		cmocka_unit_test(test_large_step),
		cmocka_unit_test(test_floor),
		cmocka_unit_test(test_grain),
		cmocka_unit_test(test_ceiling_comes_when_calm),
		cmocka_unit_test(test_smallest_rise),
		cmocka_unit_test(test_ceiling_values),
		cmocka_unit_test(test_ceiling_is_forgotten),
		cmocka_unit_test(test_early_clock),
		cmocka_unit_test(test_ceiling_after_left),
		cmocka_unit_test(test_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
