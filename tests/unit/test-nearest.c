/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* common/nearest.c: what was meant. */
#include "tests/unit/test.h"

#include "common/nearest.h"

static void test_distance(_unused_ void **state)
{
	static const struct {
		const char *a, *b;
		unsigned distance;
	} rows[] = {
		{"", "", 0},
		{"", "abc", 3},
		{"port", "port", 0},
		{"port", "PORT", 0},
		{"port", "prot", 1},  /* swapped */
		{"port", "pot", 1},   /* one short */
		{"port", "porto", 1}, /* one over */
		{"port", "part", 1},  /* another */
		{"port", "opr", 2},
		{"abc", "cba", 2},
		{"floor-hold", "floor_hold", 1},
		{"FloorHold", "floor_hold", 1},
		{"kitten", "sitting", 3},
		{"window", "step", 6},
	};
	char longest[NEAREST_NAME_MAX + 2];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		EXPECT(nearest_distance(rows[i].a, rows[i].b) == rows[i].distance, "%s, %s: %u",
		       rows[i].a, rows[i].b, nearest_distance(rows[i].a, rows[i].b));
		EXPECT(nearest_distance(rows[i].b, rows[i].a) == rows[i].distance, "%s, %s",
		       rows[i].b, rows[i].a);
	}
	memset(longest, 'a', sizeof(longest) - 1);
	longest[NEAREST_NAME_MAX + 1] = '\0';
	assert_int_equal(nearest_distance(longest, "b"), NEAREST_NAME_MAX);
	longest[NEAREST_NAME_MAX] = '\0';
	assert_int_equal(nearest_distance(longest, "a"), NEAREST_NAME_MAX - 1);
}

static void test_offer(_unused_ void **state)
{
	static const char *const names[] = {"floor_max", "floor_hold", "lease_max", "port"};
	static const struct {
		const char *word, *name;
	} rows[] = {
		{"floor_hodl", "floor_hold"},
		{"flor_max", "floor_max"},
		{"leasemax", "lease_max"},
		{"prt", "port"},
		{"x", NULL},
		{"", NULL},
		{"threshold", NULL},
		{"floor_min", "floor_max"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct nearest nearest = {.word = rows[i].word};

		for (size_t k = 0; k < ARRAY_SIZE(names); k++)
			nearest_offer(&nearest, names[k]);
		EXPECT(nearest.name == rows[i].name || (nearest.name && rows[i].name &&
							strcmp(nearest.name, rows[i].name) == 0),
		       "%s: %s", rows[i].word, nearest.name ? nearest.name : "nothing");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_offer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
