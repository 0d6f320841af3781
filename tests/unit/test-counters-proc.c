/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd/counters_proc.c: what is read below a fake root, and what if it is missing. */
#include "tests/unit/test_root.h"

#include "guestd/counters_proc.h"

#define STAT                                                                                       \
	"cpu  3 0 3 3 3 0 3 3 0 0\ncpu0 1 0 2 3 4 0 5 6 0 0\ncpu1 1 0 2 3 4 0 5 6 0 0\n"           \
	"procs_running 2\n"
#define SCHEDSTAT                                                                                  \
	"version 17\ntimestamp 1\ncpu0 0 0 0 0 0 0 100 200 3\ncpu1 0 0 0 0 0 0 101 201 4\n"
#define PSI(total)                                                                                 \
	"some avg10=0.00 avg60=0.00 avg300=0.00 total=" total "\n"                                 \
	"full avg10=0.00 avg60=0.00 avg300=0.00 total=1" total "\n"

static struct counters_proc *proc;
static struct counters counters;

static int setup(void **state)
{
	int r = root_setup(state);

	test_write(dir, "proc/stat", STAT);
	test_write(dir, "proc/schedstat", SCHEDSTAT);
	test_write(dir, "proc/pressure/cpu", PSI("5"));
	test_write(dir, "proc/pressure/memory", PSI("6"));
	test_write(dir, "proc/pressure/io", PSI("7"));
	proc = NULL;
	return r;
}

static int teardown(void **state)
{
	counters_proc_close(proc);
	return root_teardown(state);
}

static void test_all(_unused_ void **state)
{
	uint64_t usec[PSI_N];

	assert_int_equal(counters_proc_open(root_fd, &proc), 0);
	assert_int_equal(counters_proc_read(proc, &counters), 0);
	assert_true(counters.stamp_nsec > 0);
	assert_true(counters.has_schedstat);
	assert_int_equal(cpumask_count(&counters.present), 2);
	assert_int_equal(counters.cpu[1].run_nsec, 101);
	assert_int_equal(counters.cpu[1].steal_ticks, 6);
	assert_int_equal(counters.procs_running, 2);
	assert_int_equal(counters_proc_read_psi(proc, usec), 0x1f);
	assert_int_equal(usec[PSI_CPU_SOME], 5);
	assert_int_equal(usec[PSI_MEMORY_SOME], 6);
	assert_int_equal(usec[PSI_MEMORY_FULL], 16);
	assert_int_equal(usec[PSI_IO_FULL], 17);
	assert_int_equal(counters_proc_lacks(proc), 0);

	/* The files stay open: what is in them now, not what was. */
	test_write(dir, "proc/stat", "cpu1 9 9 9 9 9 9 9 9\n");
	assert_int_equal(counters_proc_read(proc, &counters), 0);
	assert_int_equal(cpumask_count(&counters.present), 1);
	assert_int_equal(counters.cpu[1].steal_ticks, 9);
}

static void test_missing(_unused_ void **state)
{
	uint64_t usec[PSI_N];

	unlinkat(root_fd, "proc/schedstat", 0);
	unlinkat(root_fd, "proc/pressure/io", 0);
	assert_int_equal(counters_proc_open(root_fd, &proc), 0);
	assert_int_equal(counters_proc_lacks(proc),
			 COUNTERS_PROC_NO_SCHEDSTAT | COUNTERS_PROC_NO_PSI);
	assert_int_equal(counters_proc_read(proc, &counters), 0);
	assert_false(counters.has_schedstat);
	assert_int_equal(counters_proc_read_psi(proc, usec),
			 1U << PSI_CPU_SOME | 1U << PSI_MEMORY_SOME | 1U << PSI_MEMORY_FULL);
}

static void test_no_stat(_unused_ void **state)
{
	unlinkat(root_fd, "proc/stat", 0);
	assert_int_equal(counters_proc_open(root_fd, &proc), -ENOENT);
	assert_null(proc);
}

static void test_broken(_unused_ void **state)
{
	static const struct {
		const char *schedstat;
		unsigned lack;
	} rows[] = {{"version 99\ncpu0 1\n", COUNTERS_PROC_SCHEDSTAT_VERSION},
		    {"version 17\ncpu0 1\n", COUNTERS_PROC_SCHEDSTAT_BROKEN},
		    {"", COUNTERS_PROC_SCHEDSTAT_BROKEN}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		test_write(dir, "proc/schedstat", rows[i].schedstat);
		assert_int_equal(counters_proc_open(root_fd, &proc), 0);
		assert_int_equal(counters_proc_read(proc, &counters), 0);
		assert_false(counters.has_schedstat);
		EXPECT(counters_proc_lacks(proc) == rows[i].lack, "row %zu", i);
		/* It is not looked at again. */
		test_write(dir, "proc/schedstat", SCHEDSTAT);
		assert_int_equal(counters_proc_read(proc, &counters), 0);
		assert_false(counters.has_schedstat);
		counters_proc_close(proc);
		proc = NULL;
	}
}

static void test_broken_stat_and_psi(_unused_ void **state)
{
	uint64_t usec[PSI_N];

	test_write(dir, "proc/pressure/cpu", "");
	assert_int_equal(counters_proc_open(root_fd, &proc), 0);
	assert_int_equal(counters_proc_read_psi(proc, usec) & 1U << PSI_CPU_SOME, 0);
	assert_int_equal(counters_proc_lacks(proc), COUNTERS_PROC_NO_PSI);
	test_write(dir, "proc/stat", "nonsense\n");
	assert_int_equal(counters_proc_read(proc, &counters), -EBADMSG);
	test_write(dir, "proc/stat", STAT); /* a bad sample is not the end */
	assert_int_equal(counters_proc_read(proc, &counters), 0);
}

/* A CPU that is in one of the files only is on its way: it has no sample. */
static void test_hotplug_race(_unused_ void **state)
{
	test_write(dir, "proc/schedstat", "version 17\ncpu1 0 0 0 0 0 0 101 201 4\n");
	assert_int_equal(counters_proc_open(root_fd, &proc), 0);
	assert_int_equal(counters_proc_read(proc, &counters), 0);
	assert_int_equal(cpumask_count(&counters.present), 1);
	assert_true(cpumask_has(&counters.present, 1));
}

static void test_grow(_unused_ void **state)
{
	const size_t size = 200000;
	_cleanup_free_ char *text = malloc(size + 1);
	int r, grown = 0;

	assert_non_null(text);
	memset(text, ' ', size);
	memcpy(text, STAT "intr", sizeof(STAT "intr") - 1);
	text[size - 1] = '\n';
	text[size] = '\0';
	test_write(dir, "proc/stat", text);
	assert_int_equal(counters_proc_open(root_fd, &proc), 0);
	while ((r = counters_proc_read(proc, &counters)) == -ENOBUFS) {
		assert_int_equal(counters_proc_grow(proc), 0);
		grown++;
	}
	assert_int_equal(r, 0);
	assert_int_equal(grown, 2); /* 64 KiB -> 256 KiB */
	while ((r = counters_proc_grow(proc)) == 0)
		;
	assert_int_equal(r, -EFBIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all, setup, teardown),
		cmocka_unit_test_setup_teardown(test_missing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_stat, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broken_stat_and_psi, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hotplug_race, setup, teardown),
		cmocka_unit_test_setup_teardown(test_grow, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
