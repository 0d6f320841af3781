/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ctl/clusters.c: lists of CPUs on vmfreqctl's command line, right and wrong. */
#include "tests/unit/test.h"

#include "ctl/clusters.h"

static void test_clusters(_unused_ void **state)
{
	struct clusters clusters = {};
	char why[100];

	assert_int_equal(clusters_last(&clusters), -1);
	assert_int_equal(clusters_parse("0-1,6:3-4", &clusters, why, sizeof(why)), 0);
	assert_int_equal(clusters.n, 2);
	assert_memory_equal(clusters.of, ((uint16_t[8]){1, 1, 0, 2, 2, 0, 1, 0}),
			    8 * sizeof(uint16_t));
	assert_int_equal(clusters_last(&clusters), 6);
}

static void test_bad_clusters(_unused_ void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"", "'' is no list"},
		{"0-1:", "'' is no list"},
		{":0-1", "'' is no list"},
		{"0-1;2-3", "'0-1;2-3' is no list"},
		{"3-0", "'3-0' is no list"},
		{"0-1024", "'0-1024' is no list of CPUs below 1024"},
		{"0-3:3-4", "CPU 3 is there twice"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct clusters clusters = {.n = 77};
		char why[100] = "";
		int r = clusters_parse(rows[i].text, &clusters, why, sizeof(why));

		EXPECT(r == -EINVAL, "'%s': %d", rows[i].text, r);
		EXPECT(strstr(why, rows[i].why), "'%s': %s", rows[i].text, why);
		EXPECT(clusters.n == 77, "'%s': written", rows[i].text);
	}
}

/* A list that is cut off where it would still be right is refused all the same. */
static void test_long_cluster(_unused_ void **state)
{
	struct clusters clusters;
	char text[2 * CPUMASK_TEXT_MAX], why[100];

	memset(text, '0', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(clusters_parse(text, &clusters, why, sizeof(why)), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clusters),
		cmocka_unit_test(test_bad_clusters),
		cmocka_unit_test(test_long_cluster),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
