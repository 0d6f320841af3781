/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/policy.c: floors rise at once, are held, fall by halves, and never pass their limit. */
#include "tests/unit/test.h"

#include "hostd/policy.h"

#define T0   (100 * USEC_PER_SEC)
#define MSEC USEC_PER_MSEC

static const struct policy_config config = {.headroom1024 = 1024, .floor_max = 1024, .step = 50,
					    .hold_usec = 100 * MSEC, .half_life_usec = 40 * MSEC};

static void test_headroom(_unused_ void **state)
{
	static const struct {
		unsigned major, minor, headroom;
	} rows[] = {{5, 3, 1024}, {5, 99, 1024}, {6, 1, 1024}, {6, 7, 1024},
		    {6, 8, 1280}, {6, 12, 1280}, {7, 0, 1280}, {7, 2, 1280}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		EXPECT(policy_headroom(rows[i].major, rows[i].minor) == rows[i].headroom, "%u.%u",
		       rows[i].major, rows[i].minor);
}

static void test_target(_unused_ void **state)
{
	static const struct {
		uint32_t headroom;
		uint16_t floor_max, step, demand, target;
	} rows[] = {
		{1024, 1024, 50, 0, 0},	     {1024, 1024, 50, 1, 50},
		{1024, 1024, 50, 50, 50},    {1024, 1024, 50, 51, 100},
		{1024, 1024, 50, 1000, 1000}, {1024, 1024, 50, 1001, 1024},
		{1024, 1024, 50, 1024, 1024}, {1280, 1024, 1, 800, 1000},
		{1280, 1024, 1, 1024, 1024}, {1280, 1024, 1, 3, 3},
		{1024, 400, 50, 399, 400},   {1024, 400, 50, 1024, 400},
		{1024, 410, 50, 401, 410},   {1024, 0, 50, 1024, 0},
		{1024, 1024, 0, 7, 7},	     {1024, 1024, 512, 1, 512},
		{1024, 1024, 512, 513, 1024}, {0, 1024, 50, 1024, 0},
		{1280, 1024, 50, UINT16_MAX, 1024},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct policy_config c = {.headroom1024 = rows[i].headroom,
						.floor_max = rows[i].floor_max,
						.step = rows[i].step};

		EXPECT(policy_target(&c, rows[i].demand) == rows[i].target, "row %zu: %u", i,
		       policy_target(&c, rows[i].demand));
	}
}

/* What happens at which time: a demand, the floor that comes of it, and when it would change. */
struct event {
	uint64_t at;
	uint16_t demand, floor;
	uint64_t next;
};

static void run(const struct policy_config *c, const struct event *events, size_t n)
{
	struct floor_state floor = {};

	for (size_t i = 0; i < n; i++) {
		uint64_t next = 4711;
		uint16_t value =
			policy_floor(&floor, c, events[i].demand, T0 + events[i].at, &next);
		uint64_t wanted = events[i].next ? T0 + events[i].next : USEC_INFINITY;

		EXPECT(value == events[i].floor, "event %zu: floor %u", i, value);
		EXPECT(next == wanted, "event %zu: next %lld", i, (long long)(next - T0));
	}
}

static void test_rise_hold_fall(_unused_ void **state)
{
	static const struct event events[] = {
		{0, 0, 0, 0},
		{1 * MSEC, 300, 300, 0},
		{2 * MSEC, 800, 800, 0}, /* up at once */
		{3 * MSEC, 0, 800, 103 * MSEC}, /* held */
		{102 * MSEC, 0, 800, 103 * MSEC},
		{103 * MSEC, 0, 400, 143 * MSEC}, /* then by halves */
		{142 * MSEC, 0, 400, 143 * MSEC},
		{143 * MSEC, 0, 200, 183 * MSEC},
		{183 * MSEC, 0, 100, 223 * MSEC},
		{223 * MSEC, 0, 50, 263 * MSEC},
		{263 * MSEC, 0, 0, 0}, /* to nothing */
		{900 * MSEC, 0, 0, 0},
	};

	run(&config, events, ARRAY_SIZE(events));
}

/* Half of the distance to what is still asked for. */
static void test_fall_to_a_demand(_unused_ void **state)
{
	static const struct event events[] = {
		{0, 800, 800, 0},
		{10 * MSEC, 300, 800, 110 * MSEC},
		{110 * MSEC, 300, 550, 150 * MSEC},
		{150 * MSEC, 300, 450, 190 * MSEC},
		{190 * MSEC, 300, 400, 230 * MSEC},
		{230 * MSEC, 300, 350, 270 * MSEC},
		{270 * MSEC, 300, 300, 0},
		/* The floor it came down to is held too. */
		{500 * MSEC, 0, 300, 600 * MSEC},
		{600 * MSEC, 0, 150, 640 * MSEC},
	};

	run(&config, events, ARRAY_SIZE(events));
}

/* A burst that comes back while the floor is held finds it; the hold begins anew when it ends. */
static void test_bursts(_unused_ void **state)
{
	static const struct event events[] = {
		{0, 600, 600, 0},
		{10 * MSEC, 0, 600, 110 * MSEC},
		{90 * MSEC, 600, 600, 0},
		{100 * MSEC, 0, 600, 200 * MSEC},
		{150 * MSEC, 300, 600, 200 * MSEC}, /* less than the floor doesn't hold it */
		{200 * MSEC, 0, 300, 240 * MSEC},
		{210 * MSEC, 320, 350, 0}, /* more does */
		{220 * MSEC, 0, 350, 320 * MSEC},
	};

	run(&config, events, ARRAY_SIZE(events));
}

/* A steady demand may not be said again for a long time: it holds until the next. */
static void test_hold_after_steady_demand(_unused_ void **state)
{
	static const struct event events[] = {
		{0, 600, 600, 0},
		{5000 * MSEC, 0, 600, 5100 * MSEC},
		{5100 * MSEC, 0, 300, 5140 * MSEC},
	};

	run(&config, events, ARRAY_SIZE(events));
}

/* A look that comes late finds the floor where looks in time would have brought it. */
static void test_late_look(_unused_ void **state)
{
	static const struct event events[] = {
		{0, 800, 800, 0},	     {1 * MSEC, 0, 800, 101 * MSEC},
		{185 * MSEC, 0, 100, 221 * MSEC}, {100000 * MSEC, 0, 0, 0},
	};

	run(&config, events, ARRAY_SIZE(events));
}

static void test_no_hold(_unused_ void **state)
{
	static const struct policy_config c = {.headroom1024 = 1024, .floor_max = 1024, .step = 1,
					       .hold_usec = 0, .half_life_usec = 0};
	static const struct event events[] = {
		{0, 800, 800, 0},
		{10, 0, 400, 11}, /* the first half is due at once */
		{100, 0, 0, 0},
	};

	run(&c, events, ARRAY_SIZE(events));
}

/* No step is so large that it never gets down. */
static void test_large_step(_unused_ void **state)
{
	static const struct policy_config c = {.headroom1024 = 1024, .floor_max = 1024,
					       .step = 512, .hold_usec = 0,
					       .half_life_usec = MSEC};
	static const struct event events[] = {
		{0, 1024, 1024, 0},
		{10 * MSEC, 0, 512, 11 * MSEC},
		{11 * MSEC, 0, 0, 0},
	};

	run(&c, events, ARRAY_SIZE(events));
}

/* A limit that is lowered while we run holds for what stands already. */
static void test_lower_limit(_unused_ void **state)
{
	struct policy_config c = config;
	struct floor_state floor = {};
	uint64_t next;

	assert_int_equal(policy_floor(&floor, &c, 900, T0, &next), 900);
	c.floor_max = 200;
	assert_int_equal(policy_floor(&floor, &c, 0, T0 + MSEC, &next), 200);
	c.floor_max = 0;
	assert_int_equal(policy_floor(&floor, &c, 900, T0 + MSEC, &next), 0);
	assert_int_equal(next, USEC_INFINITY);
}

/* Whatever a guest claims and whenever it is looked at: never above the limit, never below what is
 * asked for, gone in a bounded time, and `next` is always ahead. */
static void test_random_claims(_unused_ void **state)
{
	uint64_t seed = 11;

	for (unsigned round = 0; round < 2000; round++) {
		const struct policy_config c = {
			.headroom1024 = test_random(&seed) % 2 ? 1024 : 1280,
			.floor_max = (uint16_t)(test_random(&seed) % 1025),
			.step = (uint16_t)(test_random(&seed) % 513),
			.hold_usec = test_random(&seed) % 200000,
			.half_life_usec = test_random(&seed) % 100000,
		};
		struct floor_state floor = {};
		uint64_t now = test_random(&seed), next;

		for (unsigned i = 0; i < 100; i++) {
			uint16_t demand = (uint16_t)(test_random(&seed) % 1025);
			uint16_t value;

			now += test_random(&seed) % 300000;
			value = policy_floor(&floor, &c, demand, now, &next);
			EXPECT(value <= c.floor_max && value >= policy_target(&c, demand),
			       "round %u: %u", round, value);
			EXPECT(next > now, "round %u: next is over", round);
			EXPECT(policy_floor(&floor, &c, demand, now, &next) == value,
			       "round %u: another floor at the same time", round);
		}
		policy_floor(&floor, &c, 0, now, &next);
		/* 1024 falls to 0 in 11 halves at most. */
		now += c.hold_usec + 11 * MAX(c.half_life_usec, 1U);
		EXPECT(policy_floor(&floor, &c, 0, now, &next) == 0 && next == USEC_INFINITY,
		       "round %u: %u is left", round, floor.floor1024);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headroom),
		cmocka_unit_test(test_target),
		cmocka_unit_test(test_rise_hold_fall),
		cmocka_unit_test(test_fall_to_a_demand),
		cmocka_unit_test(test_bursts),
		cmocka_unit_test(test_hold_after_steady_demand),
		cmocka_unit_test(test_late_look),
		cmocka_unit_test(test_no_hold),
		cmocka_unit_test(test_large_step),
		cmocka_unit_test(test_lower_limit),
		cmocka_unit_test(test_random_claims),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
