/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tests/lab/dvfs/feeder.c: the program, with a made-up /sys and /proc, and a pipe for trace_pipe.
 */
#include "tests/unit/test_root.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/lab/dvfs/feeder.h"
#include "tests/lab/dvfs/freqpage.h"

#define INSTANCE     "sys/kernel/tracing/instances/vmfreq-dvfs/"
#define PATIENCE_SEC 60

static pid_t child;
static int pipe_fd;
static const struct freqpage *page;

static void write_cpu(unsigned cpu, const char *khz)
{
	write_file(khz, "sys/devices/system/cpu/cpu%u/cpufreq/scaling_cur_freq", cpu);
}

static int setup(void **state)
{
	static const char *const files[] = {"tracing_on",
					    "trace_clock",
					    "buffer_percent",
					    "buffer_size_kb",
					    "events/enable",
					    "events/power/cpu_frequency/enable",
					    "events/sched/sched_switch/filter",
					    "events/sched/sched_switch/enable"};

	if (root_setup(state) != 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		write_file("", INSTANCE "%s", files[i]);
	for (unsigned cpu = 0; cpu < 2; cpu++) {
		write_cpu(cpu, "600000\n");
		write_file("3000000\n", "sys/devices/system/cpu/cpu%u/cpufreq/cpuinfo_max_freq",
			   cpu);
	}
	write_file("300\n", "sys/devices/system/cpu/cpu1/cpu_capacity");
	write_file("900 (CPU 0/KVM) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 "
		   "24 25 26 27 28 29 30 31 32 33 34 35 1 0 0\n",
		   "proc/900/stat");
	test_write_bytes(dir, "page", (char[FREQPAGE_SIZE]){}, FREQPAGE_SIZE);
	child = 0;
	pipe_fd = -1;
	page = NULL;
	return mkfifoat(root_fd, INSTANCE "trace_pipe", 0600);
}

static int teardown(void **state)
{
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	if (pipe_fd >= 0)
		close(pipe_fd);
	if (page)
		munmap((void *)(uintptr_t)page, FREQPAGE_SIZE);
	return root_teardown(state);
}

static bool in_time(void)
{
	static time_t until;

	if (until == 0)
		until = time(NULL) + PATIENCE_SEC;
	usleep(2000);
	return time(NULL) < until;
}

#define AWAIT(condition)                                                                           \
	while (!(condition))                                                                       \
	EXPECT(in_time(), "not so in time: %s", #condition)

/* Starts the program, and waits until it keeps its page. */
static void start(void)
{
	char file[512], root[512];
	char *argv[] = {"feeder", "--root", root, "--vcpu", "0:900", file, NULL};
	int fd;

	snprintf(root, sizeof(root), "%s", dir);
	snprintf(file, sizeof(file), "%s/page", dir);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(feeder_main((int)ARRAY_SIZE(argv) - 1, argv));
	/* both ends, so that this doesn't wait for the other */
	pipe_fd = openat(root_fd, INSTANCE "trace_pipe", O_RDWR | O_CLOEXEC);
	assert_true(pipe_fd >= 0);
	fd = openat(root_fd, "page", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	page = mmap(NULL, FREQPAGE_SIZE, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	assert_true(page != MAP_FAILED);
	AWAIT(freqpage_is_valid(page));
}

static void trace(const char *text)
{
	assert_int_equal(write(pipe_fd, text, strlen(text)), strlen(text));
}

static void stop(void)
{
	int status;

	assert_int_equal(kill(child, SIGTERM), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	child = 0;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_feed(_unused_ void **state)
{
	start();
	assert_int_equal(page->n_cpus, 2);
	assert_int_equal(page->cpu[0].khz, 600000);
	assert_int_equal(page->cpu[0].capacity, 1024);
	assert_int_equal(page->cpu[1].max_khz, 3000000);
	assert_int_equal(page->cpu[1].capacity, 300);
	assert_int_equal(page->vcpu[0].tid, 900);
	assert_int_equal(page->vcpu[0].cpu, 1);
	test_assert_file(dir, INSTANCE "tracing_on", "1");
	test_assert_file(dir, INSTANCE "trace_clock", "mono");
	test_assert_file(dir, INSTANCE "buffer_percent", "0");
	test_assert_file(dir, INSTANCE "events/sched/sched_switch/filter",
			 "prev_pid==900||next_pid==900");
	write_cpu(1, "1500000\n");
	trace(" a-1 [000] d..2. 10.000001: cpu_frequ"); /* lines come in pieces */
	trace("ency: state=1500000 cpu_id=1\n a-1 [000] d..2. 10.000002: sched_switch: prev_comm=a "
	      "prev_pid=1 prev_prio=120 prev_state=S ==> next_comm=b next_pid=900 "
	      "next_prio=120\n");
	AWAIT(FREQPAGE_GET(page->cpu[1].khz) == 1500000 && FREQPAGE_GET(page->vcpu[0].cpu) == 0);
	AWAIT(FREQPAGE_GET(page->events) == 1);
	assert_true(page->late_usec > 0); /* 10 s after the start is long ago */
	stop();
	test_assert_file(dir, INSTANCE "tracing_on", "0");
}

/* A change without an event is found, put right and counted. */
static void test_missed_event(_unused_ void **state)
{
	uint64_t beat_nsec;

	start();
	beat_nsec = FREQPAGE_GET(page->beat_nsec);
	write_cpu(0, "1200000\n");
	AWAIT(FREQPAGE_GET(page->cpu[0].khz) == 1200000);
	assert_int_equal(page->wrong, 1);
	assert_int_equal(page->events, 0);
	assert_true(page->beat_nsec > beat_nsec);
	stop();
}

/* Its trace ends: so does it, and says so. */
static void test_end_of_trace(_unused_ void **state)
{
	int status;

	start();
	close(pipe_fd);
	pipe_fd = -1;
	assert_int_equal(waitpid(child, &status, 0), child);
	child = 0;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

/* Without cpufreq, or without tracefs, there is nothing to keep. */
static void test_lacks(_unused_ void **state)
{
	static const char *const lacks[] = {
		"sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq",
		INSTANCE "events/power/cpu_frequency/enable",
		"proc/900/stat",
	};
	char file[512], root[512];
	char *argv[] = {"feeder", "--root", root, "--vcpu", "0:900", file, NULL};

	snprintf(root, sizeof(root), "%s", dir);
	snprintf(file, sizeof(file), "%s/page", dir);
	/* so that opening it doesn't wait */
	pipe_fd = openat(root_fd, INSTANCE "trace_pipe", O_RDWR | O_CLOEXEC);
	assert_true(pipe_fd >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(lacks); i++) {
		assert_int_equal(renameat(root_fd, lacks[i], root_fd, "away"), 0);
		EXPECT(feeder_main((int)ARRAY_SIZE(argv) - 1, argv) == 1, "without %s", lacks[i]);
		assert_int_equal(renameat(root_fd, "away", root_fd, lacks[i]), 0);
	}
}

static int busy;

int __real_unlinkat(int fd, const char *path, int flags);
int __wrap_unlinkat(int fd, const char *path, int flags);

/* As tracefs does for an instance that is read from. */
int __wrap_unlinkat(int fd, const char *path, int flags)
{
	if (!busy)
		return __real_unlinkat(fd, path, flags);
	errno = EBUSY;
	return -1;
}

/* Another feeder's instance is left alone, and so is its page. */
static void test_second_feeder(_unused_ void **state)
{
	char file[512], root[512], bytes[FREQPAGE_SIZE];
	char *argv[] = {"feeder", "--root", root, file, NULL};

	snprintf(root, sizeof(root), "%s", dir);
	snprintf(file, sizeof(file), "%s/page", dir);
	write_file("1", INSTANCE "tracing_on");
	memset(bytes, 'x', sizeof(bytes));
	test_write_bytes(dir, "page", bytes, sizeof(bytes));
	busy = 1;
	assert_int_equal(feeder_main((int)ARRAY_SIZE(argv) - 1, argv), 1);
	busy = 0;
	test_assert_file(dir, INSTANCE "tracing_on", "1");
	bytes[FREQPAGE_SIZE - 1] = '\0'; /* as much as is read back */
	test_assert_file(dir, "page", bytes);
}

static void test_usage(_unused_ void **state)
{
	char *rows[][5] = {
		{"feeder"},
		{"feeder", "--vcpu", "0:1"},
		{"feeder", "--vcpu", "0", "/dev/null"},
		{"feeder", "--vcpu", "16:1", "/dev/null"},
		{"feeder", "--vcpu", "0:0", "/dev/null"},
		{"feeder", "--what", "0:1", "/dev/null"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int argc = 0;

		while (argc < 5 && rows[i][argc])
			argc++;
		EXPECT(feeder_main(argc, rows[i]) == 2, "row %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_feed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_missed_event, setup, teardown),
		cmocka_unit_test_setup_teardown(test_end_of_trace, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lacks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_second_feeder, setup, teardown),
		cmocka_unit_test_setup_teardown(test_usage, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
