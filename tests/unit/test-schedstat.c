/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd/schedstat.c: the text of /proc/schedstat, of each version that we know, and hostile. */
#include "tests/unit/test.h"

#include "guestd/schedstat.h"

#define HEAD(v) "version " v "\ntimestamp 4294937296\n"
#define C0	"cpu0 0 0 0 0 0 0 2011529363 31023415 4587\n"
#define C1	"cpu1 0 0 0 0 0 0 1911529363 21023415 3587\n"
#define D15	"domain0 00000003 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25\n"
#define D17	"domain0 PKG 03 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25\n"

static struct counters counters;
static struct cpumask present;

static void test_good(_unused_ void **state)
{
	static const char *const texts[] = {
		HEAD("15") C0 D15 C1 D15, HEAD("16") C0 D15 C1 D15, HEAD("17") C0 D17 C1 D17,
		"version 17\n" C0 C1,	  HEAD("17") C1 C0,
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		counters.cpu[0] = (struct cpu_counters){};
		EXPECT(schedstat_parse(texts[i], &counters, &present) == 0, "refused: %s",
		       texts[i]);
		assert_int_equal(cpumask_count(&present), 2);
		assert_int_equal(counters.cpu[0].run_nsec, 2011529363);
		assert_int_equal(counters.cpu[0].delay_nsec, 31023415);
		assert_int_equal(counters.cpu[0].slices, 4587);
		assert_int_equal(counters.cpu[1].slices, 3587);
	}
}

static void test_bad(_unused_ void **state)
{
	static const struct {
		const char *text;
		int result;
	} rows[] = {
		{HEAD("14") C0, -EPROTONOSUPPORT},
		{HEAD("18") C0, -EPROTONOSUPPORT},
		{HEAD("0") C0, -EPROTONOSUPPORT},
		{"", -EBADMSG},
		{C0, -EBADMSG},
		{"version\n" C0, -EBADMSG},
		{"version x\n" C0, -EBADMSG},
		{"version -17\n" C0, -EBADMSG},
		{"version 17", -EBADMSG},
		{"version 17 \n" C0, -EBADMSG},
		{HEAD("17"), -EBADMSG},
		{HEAD("17") C0 C0, -EBADMSG},
		{HEAD("17") "cpu0 0 0 0 0 0 0 1 2\n", -EBADMSG},
		{HEAD("17") "cpu0 0 0 0 0 0 0 1 2 3 4\n", -EBADMSG},
		{HEAD("17") "cpu0 0 0 0 0 0 0 1 -2 3\n", -EBADMSG},
		{HEAD("17") "cpu0 0 0 0 0 0 0 18446744073709551616 2 3\n", -EBADMSG},
		{HEAD("17") "cpu0 0 0 0 0 0 0 1 2 3", -EBADMSG},
		{HEAD("17") C0 "cpu1 0 0", -EBADMSG},
		{HEAD("17") "cpu1024 0 0 0 0 0 0 1 2 3\n", -EBADMSG},
		{HEAD("17") "cpux 0 0 0 0 0 0 1 2 3\n", -EBADMSG},
		{HEAD("17") "cpu 0 0 0 0 0 0 1 2 3\n", -EBADMSG},
		{HEAD("17") "cpu0\n", -EBADMSG},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cpumask mask = {.word = {0x55}};

		EXPECT(schedstat_parse(rows[i].text, &counters, &mask) == rows[i].result,
		       "row %zu: %s", i, rows[i].text);
		EXPECT(mask.word[0] == 0x55, "written: %s", rows[i].text);
	}
}

static void test_many(_unused_ void **state)
{
	_cleanup_free_ char *text = malloc(CPUMASK_CPUS * 192U);
	size_t used = (size_t)sprintf(text, HEAD("15"));

	for (unsigned i = 0; i < CPUMASK_CPUS; i++)
		used += (size_t)sprintf(text + used, "cpu%u 0 0 0 0 0 0 %u 2 3\n" D15, i, i);
	assert_int_equal(schedstat_parse(text, &counters, &present), 0);
	assert_int_equal(cpumask_count(&present), CPUMASK_CPUS);
	assert_int_equal(counters.cpu[1023].run_nsec, 1023);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
