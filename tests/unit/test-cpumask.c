/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* common/cpumask.c: sets of CPUs and the kernel's list format, both ways. */
#include "tests/unit/test.h"

#include "common/cpumask.h"

static struct cpumask mask_of(const char *text)
{
	struct cpumask mask;

	EXPECT(cpumask_parse(text, &mask) == 0, "'%s' is no list", text);
	return mask;
}

static void test_bits(_unused_ void **state)
{
	static const unsigned cpus[] = {0, 1, 63, 64, 127, 512, 1022, 1023};
	struct cpumask mask;

	memset(&mask, 0xff, sizeof(mask));
	cpumask_clear(&mask);
	assert_true(cpumask_is_empty(&mask));
	for (size_t i = 0; i < ARRAY_SIZE(cpus); i++) {
		assert_false(cpumask_has(&mask, cpus[i]));
		cpumask_set(&mask, cpus[i]);
		assert_true(cpumask_has(&mask, cpus[i]));
		assert_int_equal(cpumask_count(&mask), i + 1);
		assert_int_equal(cpumask_next(&mask, cpus[i]), cpus[i]);
	}
	assert_false(cpumask_has(&mask, 2));
	assert_int_equal(cpumask_next(&mask, 2), 63);
	assert_int_equal(cpumask_next(&mask, 1024), CPUMASK_CPUS);
	assert_int_equal(cpumask_next(&mask, UINT32_MAX), CPUMASK_CPUS);
	for (size_t i = 0; i < ARRAY_SIZE(cpus); i++)
		cpumask_unset(&mask, cpus[i]);
	assert_true(cpumask_is_empty(&mask));
}

static void test_beyond_the_end(_unused_ void **state)
{
	static const unsigned cpus[] = {1024, 1025, 65536, UINT32_MAX};
	struct cpumask mask = mask_of("0-1023"), full = mask;

	for (size_t i = 0; i < ARRAY_SIZE(cpus); i++) {
		cpumask_unset(&mask, cpus[i]);
		assert_false(cpumask_has(&mask, cpus[i]));
	}
	assert_true(cpumask_equal(&mask, &full));
	cpumask_clear(&mask);
	for (size_t i = 0; i < ARRAY_SIZE(cpus); i++)
		cpumask_set(&mask, cpus[i]);
	assert_true(cpumask_is_empty(&mask));
}

static void test_parse(_unused_ void **state)
{
	static const struct {
		const char *text;
		int result;
		unsigned count, first, last;
	} rows[] = {
		{"", 0, 0, CPUMASK_CPUS, 0},
		{"\n", 0, 0, CPUMASK_CPUS, 0},
		{"0", 0, 1, 0, 0},
		{"0\n", 0, 1, 0, 0},
		{"0-3,8", 0, 5, 0, 8},
		{"8,0-3", 0, 5, 0, 8},
		{"3-3", 0, 1, 3, 3},
		{"0-1,1-2", 0, 3, 0, 2},
		{"007", 0, 1, 7, 7},
		{"0-1023", 0, 1024, 0, 1023},
		{"1023", 0, 1, 1023, 1023},
		{"1024", -ERANGE, 0, 0, 0},
		{"0-1024", -ERANGE, 0, 0, 0},
		{"4294967296", -ERANGE, 0, 0, 0}, /* would be 0 in 32 bits */
		{"18446744073709551616", -ERANGE, 0, 0, 0},
		{"3-1", -EINVAL, 0, 0, 0},
		{",", -EINVAL, 0, 0, 0},
		{"1,", -EINVAL, 0, 0, 0},
		{",1", -EINVAL, 0, 0, 0},
		{"1,,2", -EINVAL, 0, 0, 0},
		{"1-", -EINVAL, 0, 0, 0},
		{"-1", -EINVAL, 0, 0, 0},
		{"1--2", -EINVAL, 0, 0, 0},
		{"1-2-3", -EINVAL, 0, 0, 0},
		{"0-7:1/2", -EINVAL, 0, 0, 0},
		{" 1", -EINVAL, 0, 0, 0},
		{"1 ", -EINVAL, 0, 0, 0},
		{"1\n\n", -EINVAL, 0, 0, 0},
		{"1\n2", -EINVAL, 0, 0, 0},
		{"0x1", -EINVAL, 0, 0, 0},
		{"all", -EINVAL, 0, 0, 0},
		{"^1", -EINVAL, 0, 0, 0},
		{"1;2", -EINVAL, 0, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cpumask mask = {{0x5a5a}}, before = mask;
		int r = cpumask_parse(rows[i].text, &mask);

		EXPECT(r == rows[i].result, "'%s' gave %d", rows[i].text, r);
		if (r < 0) {
			EXPECT(cpumask_equal(&mask, &before), "'%s' changed it", rows[i].text);
			continue;
		}
		EXPECT(cpumask_count(&mask) == rows[i].count &&
			       cpumask_next(&mask, 0) == rows[i].first &&
			       (rows[i].count == 0 || cpumask_has(&mask, rows[i].last)),
		       "'%s' is another set", rows[i].text);
	}
}

static void test_format(_unused_ void **state)
{
	static const char *const rows[][2] = {
		{"", ""},
		{"0", "0"},
		{"0-1", "0-1"},
		{"3,2,1,7", "1-3,7"},
		{"62-65", "62-65"},
		{"0-1023", "0-1023"},
		{"0,2,4-5,1023", "0,2,4-5,1023"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cpumask mask = mask_of(rows[i][0]);
		size_t length = strlen(rows[i][1]);
		char text[64];

		assert_int_equal(cpumask_format(&mask, text, sizeof(text)), length);
		assert_string_equal(text, rows[i][1]);
		/* The room that it needs, and not a byte less. */
		assert_int_equal(cpumask_format(&mask, text, length + 1), length);
		for (size_t size = 0; size <= length; size++)
			assert_int_equal(cpumask_format(&mask, text, size), -ENOBUFS);
	}
}

static void test_longest_text(_unused_ void **state)
{
	char text[CPUMASK_TEXT_MAX];

	/* Of each n CPUs all but one: the lists with the most and the longest words. */
	for (unsigned n = 2; n < 5; n++) {
		struct cpumask mask = {}, back;

		for (unsigned cpu = 0; cpu < CPUMASK_CPUS; cpu++)
			if (cpu % n != n - 1)
				cpumask_set(&mask, cpu);
		assert_true(cpumask_format(&mask, text, sizeof(text)) > 2000);
		assert_int_equal(cpumask_parse(text, &back), 0);
		assert_true(cpumask_equal(&mask, &back));
	}
}

/* Every subset of 8 CPUs, against plain integers. */
static void test_all_subsets(_unused_ void **state)
{
	for (unsigned a = 0; a < 256; a++)
		for (unsigned b = 0; b < 256; b++) {
			struct cpumask x = {{(uint64_t)a << 60, a >> 4}};
			struct cpumask y = {{(uint64_t)b << 60, b >> 4}};
			struct cpumask both, either;
			unsigned n = 0;

			cpumask_and(&both, &x, &y);
			cpumask_or(&either, &x, &y);
			assert_int_equal(cpumask_count(&both), __builtin_popcount(a & b));
			assert_int_equal(cpumask_count(&either), __builtin_popcount(a | b));
			assert_int_equal(cpumask_is_subset(&x, &y), (a & ~b) == 0);
			assert_int_equal(cpumask_equal(&x, &y), a == b);
			assert_int_equal(cpumask_is_empty(&both), (a & b) == 0);
			CPUMASK_FOREACH(cpu, &x) {
				assert_true(a >> (cpu - 60) & 1);
				n++;
			}
			assert_int_equal(n, __builtin_popcount(a));
		}
}

static void test_round_trip(_unused_ void **state)
{
	uint64_t seed = 1;

	for (unsigned round = 0; round < 500; round++) {
		struct cpumask mask = {}, back = {};
		char text[CPUMASK_TEXT_MAX];

		for (unsigned i = test_random(&seed) % 600; i > 0; i--)
			cpumask_set(&mask, test_random(&seed) % CPUMASK_CPUS);
		assert_true(cpumask_format(&mask, text, sizeof(text)) >= 0);
		assert_int_equal(cpumask_parse(text, &back), 0);
		EXPECT(cpumask_equal(&mask, &back), "round %u: %s", round, text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bits),         cmocka_unit_test(test_beyond_the_end),
		cmocka_unit_test(test_parse),        cmocka_unit_test(test_format),
		cmocka_unit_test(test_longest_text), cmocka_unit_test(test_all_subsets),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
