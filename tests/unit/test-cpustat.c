/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* common/cpustat.c: the text of /proc/stat, good and hostile. */
#include "tests/unit/test.h"

#include "common/cpustat.h"

#define SUM "cpu  13276 0 5962 184847 765 0 110 40 0 0\n"
#define C0  "cpu0 6151 1 2273 94096 22 2 11 16 5 6\n"
#define C1  "cpu1 7125 0 3689 90750 743 0 99 23 0 0\n"
#define END "intr 123 0 0 0\nctxt 5\nbtime 6\nprocesses 7\nprocs_running 4\nprocs_blocked 1\n"

static struct counters counters;

static void test_good(_unused_ void **state)
{
	assert_int_equal(cpustat_parse(SUM C0 C1 END, &counters), 0);
	assert_int_equal(cpumask_count(&counters.present), 2);
	assert_int_equal(counters.cpu[0].busy_ticks, 6151 + 1 + 2273 + 2 + 11);
	assert_int_equal(counters.cpu[0].idle_ticks, 94096);
	assert_int_equal(counters.cpu[0].iowait_ticks, 22);
	assert_int_equal(counters.cpu[0].steal_ticks, 16);
	assert_int_equal(counters.cpu[1].idle_ticks, 90750);
	assert_int_equal(counters.procs_running, 4);

	/* Without the guest columns (old kernels), without the rest, and with a CPU missing. */
	assert_int_equal(cpustat_parse("cpu3 1 2 3 4 5 6 7 8\n", &counters), 0);
	assert_int_equal(cpumask_count(&counters.present), 1);
	assert_true(cpumask_has(&counters.present, 3));
	assert_int_equal(counters.procs_running, 0);
	assert_int_equal(
		cpustat_parse("cpu1023 1 2 3 4 5 6 7 8 9 10\ncpu0 1 2 3 4 5 6 7 8\n", &counters),
		0);
	assert_int_equal(cpumask_count(&counters.present), 2);
}

static void test_bad(_unused_ void **state)
{
	static const char *const texts[] = {
		"",
		SUM,
		SUM END,
		SUM C0 C0,
		SUM C0 "cpu1 1 2 3 4 5 6 7\n", /* no steal */
		SUM C0 "cpu1 1 2 3 4 5 6 7 8", /* cut off */
		SUM C0 "cpu1 1 2 3",
		SUM C0 "cpu",
		"cpu0 1 -2 3 4 5 6 7 8 9 10\n",
		"cpu0 1 2 3 4x 5 6 7 8 9 10\n",
		"cpu0 1 2 3 0x4 5 6 7 8 9 10\n",
		"cpu0\n",
		"cpux 1 2 3 4 5 6 7 8\n",
		"cpu-1 1 2 3 4 5 6 7 8\n",
		"cpu1024 1 2 3 4 5 6 7 8\n",
		"cpu18446744073709551616 1 2 3 4 5 6 7 8\n",
		"cpu0 18446744073709551616 2 3 4 5 6 7 8\n",
		"cpu0 18446744073709551615 1 3 4 5 6 7 8\n", /* the sum overflows */
		C0 "procs_running x\n",
		C0 "procs_running \n",
		C0 "procs_running -1\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		EXPECT(cpustat_parse(texts[i], &counters) == -EBADMSG, "taken: %s", texts[i]);
}

static void test_truncated(_unused_ void **state)
{
	char text[] = SUM C0 C1 END;

	for (size_t n = sizeof(text) - 2; n > 0; n--) {
		bool whole = text[n - 1] == '\n' && n >= sizeof(SUM C0) - 1;

		text[n] = '\0';
		EXPECT((cpustat_parse(text, &counters) == 0) == whole, "%zu bytes", n);
	}
}

static void test_many(_unused_ void **state)
{
	_cleanup_free_ char *text = malloc(CPUMASK_CPUS * 64U);
	size_t used = 0;

	for (unsigned i = 0; i < CPUMASK_CPUS; i++)
		used += (size_t)sprintf(text + used, "cpu%u 1 1 1 %u 1 1 1 1 0 0\n", i, i);
	assert_int_equal(cpustat_parse(text, &counters), 0);
	assert_int_equal(cpumask_count(&counters.present), CPUMASK_CPUS);
	assert_int_equal(counters.cpu[777].idle_ticks, 777);
	sprintf(text + used, "cpu%u 1 1 1 1 1 1 1 1 0 0\n", CPUMASK_CPUS);
	assert_int_equal(cpustat_parse(text, &counters), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
