/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tests/lab/dvfs/carrier.c: both carriers, for a moment and in earnest. */
#include "tests/unit/test_dvfs_log.h"
#include "tests/unit/test_root.h"

#include <sched.h>
#include <sys/mman.h>

#include "tests/lab/dvfs/carrier.h"

#define TIMETABLE                                                                                  \
	"cpus 1\nlength 30000\ntask 0 a\ntask 1 b\nplace 0 0 0\nplace 0 1 0\nplace 9000 1 0\n"     \
	"burst 1 1000 0 700 0\nburst 2 1000 1 500 0\nburst 3 1100 0 100 0\n"                       \
	"chain 4 3 0 1 300 0\nchain 5 4 900 0 100 0\nchain 6 5 100 0 200 0\n"

static char page_path[512], timetable_path[512], out_path[512];

static int setup(void **state)
{

	if (root_setup(state) != 0)
		return -1;
	snprintf(page_path, sizeof(page_path), "%s/page", dir);
	snprintf(timetable_path, sizeof(timetable_path), "%s/timetable", dir);
	snprintf(out_path, sizeof(out_path), "%s/out", dir);
	test_write_bytes(dir, "page", (char[FREQPAGE_SIZE]){}, FREQPAGE_SIZE);
	test_write(dir, "timetable", TIMETABLE);
	return 0;
}

static void beat(int64_t ago_nsec)
{
	struct freqpage *page = hostside_map(page_path, FREQPAGE_SIZE);

	assert_non_null(page);
	fill_page(page, ago_nsec);
	munmap(page, FREQPAGE_SIZE);
}

/* The log's line start. */
static unsigned long long read_start(void)
{
	_cleanup_fclose_ FILE *file = fopen(out_path, "re");
	unsigned long long usec;
	char line[512];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "start %llu", &usec) == 1)
			return usec;
	fail_msg("no start in %s", out_path);
	return 0;
}

static int run(const char *carrier)
{
	char *argv[] = {"carrier",
			(char *)(uintptr_t)carrier,
			"--page",
			page_path,
			timetable_path,
			out_path,
			NULL};

	return carrier_main((int)ARRAY_SIZE(argv) - 1, argv);
}

static void check(const char *carrier, const char *first, unsigned n_threads)
{
	struct log_burst b[8];
	cpu_set_t cpus;

	assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	if (!CPU_ISSET(0, &cpus))
		TEST_SKIP("CPU 0 isn't ours");
	beat(FED);
	assert_int_equal(run(carrier), 0);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	assert_int_equal(read_log(out_path, first, b, ARRAY_SIZE(b)), 6);
	assert_int_equal(read_threads(out_path), n_threads);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(b[i].id, i + 1);
		assert_int_equal(b[i].cpu, 0);
		assert_worked(&b[i]);
	}
	assert_int_equal(b[2].task, 0);
	assert_int_equal(b[2].released_usec, 1100);
	assert_true(b[2].begun_usec >= b[0].ended_usec);	     /* in its queue */
	assert_int_equal(b[3].released_usec, b[2].ended_usec);	     /* at once, on another task */
	assert_int_equal(b[4].released_usec, b[3].ended_usec + 900); /* by the timers' lane */
	assert_int_equal(b[5].released_usec, b[4].ended_usec + 100); /* by itself */
}

static void test_native(_unused_ void **state)
{
	check("native", "# native:", 2);
}

static void test_threads(_unused_ void **state)
{
	check("threads", "# threads:", 1);
}

/* A task is where its place says, a while after it was told to be there: how long that takes is the
 * machine's business. */
static void test_native_moves(_unused_ void **state)
{
	unsigned gap_usec = 5000, cpu = 0;
	struct log_burst b[1];
	cpu_set_t cpus;
	char text[256];

	assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	if (!CPU_ISSET(0, &cpus) || !CPU_ISSET(1, &cpus))
		TEST_SKIP("CPUs 0 and 1 aren't ours");
	beat(FED);
	for (; cpu == 0 && gap_usec < 10000000; gap_usec *= 8) {
		snprintf(text, sizeof(text),
			 "cpus 2\nlength %u\ntask 0 a\nplace 0 0 0\nplace 1000 0 1\n"
			 "burst 1 %u 0 100 0\n",
			 gap_usec + 2000, gap_usec + 1000);
		test_write(dir, "timetable", text);
		assert_int_equal(run("native"), 0);
		sched_setaffinity(0, sizeof(cpus), &cpus);
		assert_int_equal(read_log(out_path, "# native:", b, ARRAY_SIZE(b)), 1);
		cpu = b[0].cpu;
	}
	assert_int_equal(cpu, 1);
}

/* A vCPU that the host has on another CPU: its tasks are there, too. */
static void test_native_pinned(_unused_ void **state)
{
	struct log_burst b[2];
	cpu_set_t cpus;

	assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	if (!CPU_ISSET(0, &cpus))
		TEST_SKIP("CPU 0 isn't ours");
	beat(FED);
	test_write(dir, "timetable",
		   "cpus 3\npin 1 0\npin 2 0\nlength 9000\ntask 0 a\ntask 1 b\n"
		   "place 0 0 1\nplace 0 1 1\nplace 3000 1 2\nburst 1 1000 0 100 0\nburst 2 5000 1 "
		   "100 0\n");
	assert_int_equal(run("native"), 0);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	assert_int_equal(read_log(out_path, "# native:", b, ARRAY_SIZE(b)), 2);
	assert_int_equal(b[0].cpu, 0);
	assert_int_equal(b[1].cpu, 0);
}

/* Two carriers that are told the same moment begin together. How far ahead a moment has to be is
 * the machine's business. */
static void test_start(_unused_ void **state)
{
	unsigned long long start = 0, ahead_usec = 200000;
	char text[32];
	char *argv[] = {"carrier", "threads", "--start",      text,
			"--page",  page_path, timetable_path, out_path};
	struct log_burst b[8];
	cpu_set_t cpus;
	int r = 1;

	assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	if (!CPU_ISSET(0, &cpus))
		TEST_SKIP("CPU 0 isn't ours");
	beat(FED);
	for (; r != 0 && ahead_usec < 20000000; ahead_usec *= 8) {
		start = hostside_now_nsec() / NSEC_PER_USEC + ahead_usec;
		snprintf(text, sizeof(text), "%llu", start);
		r = carrier_main(ARRAY_SIZE(argv), argv);
		sched_setaffinity(0, sizeof(cpus), &cpus);
	}
	assert_int_equal(r, 0);
	assert_int_equal(read_start(), start);
	assert_int_equal(read_log(out_path, "# threads:", b, ARRAY_SIZE(b)), 6);
	assert_true(hostside_now_nsec() / NSEC_PER_USEC >= start + b[5].ended_usec);
	assert_int_equal(unlinkat(root_fd, "out", 0), 0);
	assert_int_equal(carrier_main(ARRAY_SIZE(argv), argv), 1); /* that moment is over */
	sched_setaffinity(0, sizeof(cpus), &cpus);
	assert_int_equal(access(out_path, F_OK), -1);
}

static void test_floating(_unused_ void **state)
{
	check("floating", "# floating:", 1);
}

/* A frequency that nobody keeps is none. */
static void test_no_feeder(_unused_ void **state)
{
	assert_int_equal(run("native"), 1); /* an empty page */
	beat(INT64_C(10000000000));
	assert_int_equal(run("native"), 1);
	assert_int_equal(unlinkat(root_fd, "page", 0), 0);
	assert_int_equal(run("native"), 1);
	test_write(dir, "page", "short");
	assert_int_equal(run("native"), 1);
}

static void test_bad_timetable(_unused_ void **state)
{
	beat(FED);
	test_write(dir, "timetable", "cpus 1\n");
	assert_int_equal(run("native"), 1);
	assert_int_equal(unlinkat(root_fd, "timetable", 0), 0);
	assert_int_equal(run("native"), 1);
}

static void test_usage(_unused_ void **state)
{
	char *rows[][6] = {{"carrier"},
			   {"carrier", "payload", "a", "b"},
			   {"carrier", "native", "a"},
			   {"carrier", "native", "--pag", "a", "b", "c"},
			   {"carrier", "native", "--start", "1"},
			   {"carrier", "native", "--start", "0", "b", "c"},
			   {"carrier", "native", "--start", "-1", "b", "c"},
			   {"carrier", "native", "--start", "1s", "b", "c"}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int argc = 0;

		while (argc < 6 && rows[i][argc])
			argc++;
		EXPECT(carrier_main(argc, rows[i]) == 2, "row %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_native, setup, root_teardown),
		cmocka_unit_test_setup_teardown(test_native_moves, setup, root_teardown),
		cmocka_unit_test_setup_teardown(test_native_pinned, setup, root_teardown),
		cmocka_unit_test_setup_teardown(test_start, setup, root_teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, root_teardown),
		cmocka_unit_test_setup_teardown(test_floating, setup, root_teardown),
		cmocka_unit_test_setup_teardown(test_no_feeder, setup, root_teardown),
		cmocka_unit_test_setup_teardown(test_bad_timetable, setup, root_teardown),
		cmocka_unit_test_setup_teardown(test_usage, setup, root_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
