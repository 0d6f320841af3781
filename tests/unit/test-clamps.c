/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/clamps.c: how a floor and a ceiling go together. */
#include "tests/unit/test.h"

#include "hostd/clamps.h"

static bool equal(struct clamps a, struct clamps b)
{
	return a.floor1024 == b.floor1024 && a.ceiling1024 == b.ceiling1024;
}

static void test_tidy(_unused_ void **state)
{
	static const struct {
		struct clamps clamps, tidy;
		bool none;
	} rows[] = {
		{{}, {0, 1024}, true},
		{{0, 1024}, {0, 1024}, true},
		{{0, 2000}, {0, 1024}, true},
		{{1, 0}, {1, 1024}, false},
		{{0, 1}, {0, 1}, false},
		{{0, 1023}, {0, 1023}, false},
		{{300, 400}, {300, 400}, false},
		{{300, 300}, {300, 300}, false},
		{{300, 299}, {300, 300}, false},
		{{1024, 1}, {1024, 1024}, false},
		{{2000, 3}, {1024, 1024}, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		EXPECT(equal(clamps_tidy(rows[i].clamps), rows[i].tidy), "row %zu", i);
		EXPECT(clamps_are_none(rows[i].clamps) == rows[i].none, "row %zu", i);
	}
}

static void test_within(_unused_ void **state)
{
	static const struct {
		struct clamps want, before, set;
	} rows[] = {
		/* nobody has set anything */
		{{300, 400}, {0, 1024}, {300, 400}},
		{{300, 1024}, {0, 1024}, {300, 1024}},
		{{0, 400}, {0, 1024}, {0, 400}},
		{{0, 1024}, {0, 1024}, {0, 1024}},
		/* the operator's minimum: a floor adds to it, a ceiling stays above it */
		{{300, 1024}, {200, 1024}, {300, 1024}},
		{{200, 1024}, {200, 1024}, {0, 1024}},
		{{100, 150}, {200, 1024}, {0, 200}},
		{{100, 150}, {1024, 1024}, {0, 1024}},
		/* the operator's maximum: a floor is cut to it, a ceiling is lower or not set */
		{{800, 1024}, {0, 500}, {500, 1024}},
		{{800, 900}, {0, 500}, {500, 1024}},
		{{300, 400}, {0, 500}, {300, 400}},
		{{300, 500}, {0, 500}, {300, 1024}},
		{{300, 600}, {0, 500}, {300, 1024}},
		/* both */
		{{800, 900}, {200, 500}, {500, 1024}},
		{{100, 300}, {200, 500}, {0, 300}},
		{{100, 100}, {500, 500}, {0, 1024}},
		/* a real-time thread's default minimum, and somebody's maximum: nothing is lowered
		 */
		{{800, 900}, {1024, 500}, {0, 1024}},
		{{100, 200}, {1024, 500}, {0, 1024}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct clamps set = clamps_within(rows[i].want, rows[i].before);

		EXPECT(equal(set, rows[i].set), "row %zu: %u %u", i, set.floor1024,
		       set.ceiling1024);
	}
}

/* Whatever is wanted of whatever stood there: what then stands there is in order, and within what
 * did stand there unless that wasn't in order itself. */
static void test_within_random(_unused_ void **state)
{
	uint64_t seed = 4;

	for (unsigned i = 0; i < 200000; i++) {
		struct clamps want = {(uint16_t)(test_random(&seed) % 1025),
				      (uint16_t)(test_random(&seed) % 1025)};
		struct clamps before = {(uint16_t)(test_random(&seed) % 1025),
					(uint16_t)(test_random(&seed) % 1025)};
		struct clamps set = clamps_within(want, before), stands = before;

		if (set.floor1024 > 0)
			stands.floor1024 = set.floor1024;
		if (set.ceiling1024 < 1024)
			stands.ceiling1024 = set.ceiling1024;
		EXPECT(stands.floor1024 >= before.floor1024, "%u", i);
		EXPECT(stands.ceiling1024 <= before.ceiling1024, "%u", i);
		if (before.floor1024 > before.ceiling1024)
			EXPECT(equal(stands, before), "%u", i);
		else
			EXPECT(stands.floor1024 <= stands.ceiling1024, "%u", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tidy),
		cmocka_unit_test(test_within),
		cmocka_unit_test(test_within_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
