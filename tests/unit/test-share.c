/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/share.c: a budget by weight, and nobody gets more than was asked for. */
#include "tests/unit/test.h"

#include "hostd/share.h"

#define MOST (1U << 24)

static void test_table(_unused_ void **state)
{
	static const struct {
		uint64_t budget;
		uint64_t level;
		struct {
			uint32_t wants, weight, gets;
		} of[3];
	} rows[] = {
		{600, UINT64_MAX, {{100, 1, 100}, {200, 1, 200}, {300, 1, 300}}},
		{599, 307199, {{100, 1, 100}, {200, 1, 200}, {300, 1, 299}}},
		{300, 103423, {{100, 1, 100}, {200, 1, 100}, {300, 1, 100}}},
		{299, 102399, {{100, 1, 99}, {200, 1, 99}, {300, 1, 99}}},
		/* What one leaves is for the others. */
		{900, 512 * 1024 - 1 + 512, {{100, 1, 100}, {1000, 1, 400}, {1000, 1, 400}}},
		/* By weight. */
		{600, 0, {{1000, 100, 100}, {1000, 200, 200}, {1000, 300, 300}}},
		{600, 0, {{50, 100, 50}, {1000, 100, 275}, {1000, 100, 275}}},
		{1100, 0, {{1000, 10000, 1000}, {1000, 100, 100}, {0, 1, 0}}},
		{0, 0, {{1, 1, 0}, {1000, 10000, 0}, {0, 1, 0}}},
		{0, UINT64_MAX, {{0, 1, 0}, {0, 1, 0}, {0, 1, 0}}},
		/* The largest of all. */
		{3 * UINT64_C(16777216),
		 UINT64_MAX,
		 {{MOST, 1, MOST}, {MOST, 1, MOST}, {MOST, 1, MOST}}},
		{2 * UINT64_C(16777216),
		 0,
		 {{MOST, 1, MOST / 2}, {MOST, 1, MOST / 2}, {MOST, 10000, MOST}}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct share_claim claims[3];
		uint64_t sum = 0;

		for (unsigned k = 0; k < 3; k++)
			claims[k] = (struct share_claim){rows[i].of[k].wants, rows[i].of[k].weight,
							 4711};
		if (rows[i].level == UINT64_MAX || i < 4)
			EXPECT(share_level(claims, 3, rows[i].budget) == rows[i].level,
			       "row %zu: level %llu", i,
			       (unsigned long long)share_level(claims, 3, rows[i].budget));
		sum = share_out(claims, 3, rows[i].budget);
		for (unsigned k = 0; k < 3; k++) {
			EXPECT(claims[k].gets == rows[i].of[k].gets, "row %zu: %u gets %u", i, k,
			       claims[k].gets);
			sum -= claims[k].gets;
		}
		EXPECT(sum == 0, "row %zu", i);
	}
}

static void test_nobody(_unused_ void **state)
{
	assert_int_equal(share_out(NULL, 0, 0), 0);
	assert_true(share_level(NULL, 0, 0) == UINT64_MAX);
}

/* The level is the highest: one more would be over. */
static void test_any(_unused_ void **state)
{
	uint64_t seed = 13;

	for (unsigned round = 0; round < 3000; round++) {
		struct share_claim claims[8];
		size_t n = 1 + test_random(&seed) % 8;
		uint64_t budget = test_random(&seed) % (1U << (1 + test_random(&seed) % 27));
		uint64_t level, sum, more = 0, wants = 0;

		for (size_t k = 0; k < n; k++) {
			claims[k].wants = test_random(&seed) % (MOST + 1);
			claims[k].weight = 1 + test_random(&seed) % 10000;
			wants += claims[k].wants;
		}
		level = share_level(claims, n, budget);
		sum = share_out(claims, n, budget);
		EXPECT(sum <= budget, "round %u", round);
		EXPECT((level == UINT64_MAX) == (wants <= budget), "round %u", round);
		EXPECT(level < UINT64_MAX || sum == wants, "round %u", round);
		for (size_t k = 0; k < n; k++) {
			uint64_t part =
				level == UINT64_MAX ? UINT64_MAX : claims[k].weight * level / 1024;

			EXPECT(claims[k].gets == MIN(part, claims[k].wants), "round %u", round);
			more += MIN(claims[k].weight * (level + 1) / 1024, claims[k].wants);
		}
		EXPECT(level == UINT64_MAX || more > budget, "round %u: more was to be had", round);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
