/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/cpuload.c: for how long CPUs have idled, by /proc/stat. */
#include "tests/unit/test_root.h"

#include "common/cpumask.h"
#include "hostd/cpuload.h"

#define HEAD "cpu  10 0 0 100 1 0 0 0 0 0\n"
#define CPUS HEAD "cpu0 5 0 0 40 2 0 0 0 0 0\ncpu3 5 0 0 60 0 1 1 0 0 0\n"

static bool idles(struct cpuload *load, unsigned cpu, uint64_t msec)
{
	uint64_t nsec = 0;

	return cpuload_idle(load, cpu, &nsec) && nsec == msec * 1000000;
}

static void test_look(void **state _unused_)
{
	struct cpuload *load = NULL;
	uint64_t nsec;

	assert_int_equal(cpuload_new(root_fd, &load), 0);
	assert_false(cpuload_idle(load, 0, &nsec));
	assert_int_equal(cpuload_look(load), -ENOENT);
	write_file(CPUS "intr 77 1 2 3\nctxt 5\n", "proc/stat");
	assert_int_equal(cpuload_look(load), 0);
	assert_true(idles(load, 0, 420)); /* iowait is idle, too */
	assert_true(idles(load, 3, 600));
	assert_false(cpuload_idle(load, 1, &nsec));
	assert_false(cpuload_idle(load, CPUMASK_CPUS, &nsec));
	/* The same descriptor tells what is new. */
	write_file(HEAD "cpu0 5 0 0 41 2 0 0 0 0 0\n", "proc/stat");
	assert_int_equal(cpuload_look(load), 0);
	assert_true(idles(load, 0, 430));
	assert_false(cpuload_idle(load, 3, &nsec));
	assert_null(cpuload_free(load));
	assert_null(cpuload_free(NULL));
}

/* What isn't understood leaves nothing known. */
static void test_wrong(void **state _unused_)
{
	static const char *const texts[] = {"", "cpu0 1 2", HEAD, HEAD "cpu0 5 0 0 -40 2 0 0 0\n",
					    HEAD "cpu0 5 0\n"};
	struct cpuload *load = NULL;
	uint64_t nsec;

	assert_int_equal(cpuload_new(root_fd, &load), 0);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		write_file(CPUS, "proc/stat");
		assert_int_equal(cpuload_look(load), 0);
		write_file(texts[i], "proc/stat");
		EXPECT(cpuload_look(load) == -EBADMSG, "text %zu", i);
		EXPECT(!cpuload_idle(load, 0, &nsec), "text %zu", i);
	}
	cpuload_free(load);
}

/* A host with thousands of interrupts, and one with more text than there is room for. */
static void test_long(void **state _unused_)
{
	size_t size = 400000;
	char *text = malloc(size);
	struct cpuload *load = NULL;

	assert_non_null(text);
	assert_int_equal(cpuload_new(root_fd, &load), 0);
	strcpy(text, CPUS "intr 1");
	for (size_t n = strlen(text); n < size - 3; n += 2)
		memcpy(text + n, " 7\n", 4);
	write_file(text, "proc/stat");
	assert_int_equal(cpuload_look(load), 0);
	assert_true(idles(load, 3, 600));
	/* Cut in the middle of a line that isn't of a CPU. */
	strcpy(text, CPUS "cpx 1");
	for (size_t n = strlen(text); n < size - 3; n += 2)
		memcpy(text + n, "7\n", 3);
	write_file(text, "proc/stat");
	assert_int_equal(cpuload_look(load), 0);
	assert_true(idles(load, 3, 600));
	cpuload_free(load);
	free(text);
}

#define CPULOAD_TEST(test) cmocka_unit_test_setup_teardown(test, root_setup, root_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CPULOAD_TEST(test_look),
		CPULOAD_TEST(test_wrong),
		CPULOAD_TEST(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
