/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/threads.c: which threads belong to a domain, and what /proc says of them. */
#include "tests/unit/test_root.h"

#include <pthread.h>
#include <sched.h>

#include "hostd/threads.h"

#define SCOPE "/machine.slice/machine-qemu\\x2d3\\x2dweb.scope"
#define STAT_TAIL                                                                                  \
	" S 1 2 3 0 -1 4194368 5 0 0 0 77 23 0 0 20 0 9 0 %llu 1000 100 18446744073709551615 1 1 " \
	"0 0 0 0 0 4096 0 0 0 0 -1 3 0 0 0 0 0 0 0 0 0 0 0 0 0\n"

/* A thread `tid` with its files, both as a process of its own and as a thread of `pid`. */
static void add_thread(int pid, int tid, const char *comm, unsigned long long start,
		       const char *cgroup)
{
	char text[1024];

	snprintf(text, sizeof(text), "%d (%s)" STAT_TAIL, tid, comm, start);
	write_file(text, "proc/%d/task/%d/stat", tid, tid);
	snprintf(text, sizeof(text), "%s\n", comm);
	write_file(text, "proc/%d/task/%d/comm", tid, tid);
	if (cgroup) {
		snprintf(text, sizeof(text), "12:cpuset:/old\n1:name=systemd:/x\n0::%s\n", cgroup);
		write_file(text, "proc/%d/task/%d/cgroup", tid, tid);
	}
	if (pid != tid)
		write_file("", "proc/%d/task/%d/x", pid, tid);
}

static int resolve(int id, const char *name, unsigned n, struct vcpu_thread *ret,
		   enum thread_source *ret_source)
{
	*ret_source = THREAD_SOURCE_NONE;
	return threads_resolve(root_fd, id, name, n, ret, ret_source);
}

/* -- one thread ------------------------------------------------------------------------------- */

static void test_stat(void **state _unused_)
{
	static const char *const names[] = {"CPU 0/KVM", "a) R 1 2", "(((", "", ") ) )", "a\nb"};
	struct thread_stat stat;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		add_thread(7, 7, names[i], 12345, NULL);
		EXPECT(thread_stat(root_fd, 7, &stat) == 0, "row %zu", i);
		assert_int_equal(stat.start_time, 12345);
		assert_int_equal(stat.cpu_ticks, 100);
		assert_int_equal(stat.cpu, 3);
		assert_int_equal(stat.policy, SCHED_OTHER);
		assert_int_equal(stat.rt_priority, 0);
		assert_int_equal(stat.state, 'S');
	}
	assert_int_equal(thread_stat(root_fd, 8, &stat), -ESRCH);
	assert_int_equal(thread_stat(root_fd, 0, &stat), -ESRCH);
	assert_int_equal(thread_stat(root_fd, -7, &stat), -ESRCH);
}

/* What can't be told is an error: each cut of a good line, and a few lines of rubbish. */
static void test_stat_hostile(void **state _unused_)
{
	static const char *const rows[] = {
		"",
		"\n",
		"7",
		"7 (a",
		"7 (a)",
		"7 (a) ",
		"7 (a) S",
		"7 (a)S 1",
		"7 (a) 5 1",
		"7 (a) SS 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 "
		"28 29 30 31 32 33 34 35 36 37 38 39 40\n",
		"7 (a) S 1 2 3 4 5 6 7 8 9 10 -11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 "
		"28 29 30 31 32 33 34 35 36 37 38 39 40\n",
		"7 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 99999999999999999999 20 21 "
		"22 "
		"23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40\n"};
	const char *good = "7 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 "
			   "25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40\n";
	struct thread_stat stat = {.start_time = 4711};
	size_t least = (size_t)(strstr(good, " 38") - good) + 3;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		write_file(rows[i], "proc/7/task/7/stat");
		EXPECT(thread_stat(root_fd, 7, &stat) == -EBADMSG, "row %zu", i);
	}
	for (size_t i = 0; i < least - 2; i++) {
		test_write_bytes(dir, "proc/7/task/7/stat", good, i);
		EXPECT(thread_stat(root_fd, 7, &stat) == -EBADMSG, "cut at %zu", i);
	}
	assert_int_equal(stat.start_time, 4711);
	write_file(good, "proc/7/task/7/stat");
	assert_int_equal(thread_stat(root_fd, 7, &stat), 0);
	assert_int_equal(stat.start_time, 19);
	assert_int_equal(stat.cpu_ticks, 11 + 12);
	assert_int_equal(stat.cpu, 36);
	assert_int_equal(stat.rt_priority, 37);
	assert_int_equal(stat.policy, 38);
}

static void test_schedstat(void **state _unused_)
{
	uint64_t run = 0, delay = 0;

	assert_int_equal(thread_schedstat(root_fd, 7, &run, &delay), -ESRCH);
	write_file("123456789 4242 17\n", "proc/7/task/7/schedstat");
	assert_int_equal(thread_schedstat(root_fd, 7, &run, &delay), 0);
	assert_int_equal(run, 123456789);
	assert_int_equal(delay, 4242);
	write_file("0 0 0\n", "proc/7/task/7/schedstat");
	assert_int_equal(thread_schedstat(root_fd, 7, &run, &delay), -ENODATA);
	write_file("1 2\n", "proc/7/task/7/schedstat");
	assert_int_equal(thread_schedstat(root_fd, 7, &run, &delay), -EBADMSG);
	write_file("1 -2 3\n", "proc/7/task/7/schedstat");
	assert_int_equal(thread_schedstat(root_fd, 7, &run, &delay), -EBADMSG);
	assert_int_equal(run, 123456789);
}

static void test_sched(void **state _unused_)
{
	static const char text[] =
		"CPU 1/TCG (7, #threads: 5)\n"
		"---------------------------------------------------------\n"
		"se.exec_start                                :        541265.973100\n"
		"se.avg.util_avg                              :                  299\n"
		"se.avg.util_est                              :                    0\n"
		"uclamp.min                                   :                  512\n"
		"uclamp.max                                   :                 1024\n"
		"effective uclamp.min                         :                  600\n"
		"effective uclamp.max                         :                  900\n"
		"policy                                       :                    0\n";
	unsigned min = 1, max = 2, util = 3;

	assert_int_equal(thread_effective_uclamp(root_fd, 7, &min, &max), -ESRCH);
	assert_int_equal(thread_util_avg(root_fd, 7, &util), -ESRCH);
	add_thread(7, 7, "x", 1, NULL);
	/* The thread is there, the file isn't: a kernel without CONFIG_SCHED_DEBUG. */
	assert_int_equal(thread_util_avg(root_fd, 7, &util), -ENODATA);
	write_file(text, "proc/7/task/7/sched");
	assert_int_equal(thread_effective_uclamp(root_fd, 7, &min, &max), 0);
	assert_int_equal(thread_util_avg(root_fd, 7, &util), 0);
	assert_int_equal(min, 600);
	assert_int_equal(max, 900);
	assert_int_equal(util, 299);
	write_file("CPU 1/TCG (7, #threads: 5)\n---\nuclamp.min : 5\n", "proc/7/task/7/sched");
	assert_int_equal(thread_effective_uclamp(root_fd, 7, &min, &max), -ENODATA);
	assert_int_equal(thread_util_avg(root_fd, 7, &util), -ENODATA);
	write_file("effective uclamp.min : 5\neffective uclamp.max : x\n", "proc/7/task/7/sched");
	assert_int_equal(thread_effective_uclamp(root_fd, 7, &min, &max), -EBADMSG);
	assert_int_equal(min, 600);
	write_file("", "proc/7/task/7/sched");
	assert_int_equal(thread_util_avg(root_fd, 7, &util), -ENODATA);
}

static void test_identity(void **state _unused_)
{
	struct vcpu_thread thread, same;

	assert_int_equal(thread_identify(root_fd, 7, &thread), -ESRCH);
	add_thread(7, 7, "x", 1000, SCOPE "/libvirt/vcpu0");
	assert_int_equal(thread_identify(root_fd, 7, &thread), 0);
	assert_int_equal(thread.tid, 7);
	assert_int_equal(thread.start_time, 1000);
	assert_string_equal(thread.cgroup, SCOPE "/libvirt/vcpu0");
	assert_int_equal(thread_check(root_fd, &thread), 0);
	assert_int_equal(thread_check_alive(root_fd, &thread), 0);

	same = thread;
	add_thread(7, 7, "x", 1000, SCOPE "/libvirt/emulator"); /* moved */
	assert_int_equal(thread_check(root_fd, &thread), -ESRCH);
	assert_int_equal(thread_check_alive(root_fd, &thread), 0);
	add_thread(7, 7, "x", 1001, SCOPE "/libvirt/vcpu0"); /* another */
	assert_int_equal(thread_check(root_fd, &thread), -ESRCH);
	assert_int_equal(thread_check_alive(root_fd, &thread), -ESRCH);
	write_file(
		"7 (x) Z 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 1000 20 21 22 23 24 25 26 27 "
		"28 29 30 31 32 33 34 35 36 37 38 39 40\n",
		"proc/7/task/7/stat");
	assert_int_equal(thread_check(root_fd, &thread), -ESRCH);
	same.tid = 0;
	assert_int_equal(thread_check(root_fd, &same), -ESRCH);
}

/* Hosts with the old hierarchies alone, and paths that are too long. */
static void test_cgroup_line(void **state _unused_)
{
	struct vcpu_thread thread;
	char line[1024] = "0::/";

	add_thread(7, 7, "x", 1, NULL);
	assert_int_equal(thread_identify(root_fd, 7, &thread), 0);
	assert_string_equal(thread.cgroup, "");
	write_file("3:cpu:/a\n10::/no\n", "proc/7/task/7/cgroup");
	assert_int_equal(thread_identify(root_fd, 7, &thread), 0);
	assert_string_equal(thread.cgroup, "");
	write_file("0::/a:b c", "proc/7/task/7/cgroup");
	assert_int_equal(thread_identify(root_fd, 7, &thread), 0);
	assert_string_equal(thread.cgroup, "/a:b c");
	memset(line + 4, 'a', THREAD_CGROUP_MAX - 2);
	write_file(line, "proc/7/task/7/cgroup");
	assert_int_equal(thread_identify(root_fd, 7, &thread), 0);
	line[4 + THREAD_CGROUP_MAX - 2] = 'a';
	write_file(line, "proc/7/task/7/cgroup");
	assert_int_equal(thread_identify(root_fd, 7, &thread), -ENAMETOOLONG);
	assert_int_equal(strlen(thread.cgroup), THREAD_CGROUP_MAX - 1);
}

static void test_text(void **state _unused_)
{
	static const struct {
		const char *text;
		int result;
	} rows[] = {
		{"7:1000:/a:b", 0},
		{"7:18446744073709551615:", 0},
		{"2147483647:0:/", 0},
		{"0:1:/", -EINVAL},
		{"2147483648:1:/", -ERANGE},
		{"-7:1:/", -EINVAL},
		{"7", -EINVAL},
		{"7:1000", -EINVAL},
		{"", -EINVAL},
		{":1:/", -EINVAL},
		{"7::/", -EINVAL},
		{"7x:1:/", -EINVAL},
		{" 7:1:/", -EINVAL},
		{"7:18446744073709551616:/", -ERANGE},
		{"0000000000000000000000000007:1:/", -EINVAL},
	};
	char text[THREAD_CGROUP_MAX + 64];
	struct vcpu_thread thread;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int r = thread_parse(rows[i].text, &thread);

		EXPECT(r == rows[i].result, "row %zu gave %d", i, r);
		if (r < 0)
			continue;
		assert_int_equal(thread_setting_name("kind", &thread, text, sizeof(text)),
				 strlen("kind:") + strlen(rows[i].text));
		assert_string_equal(text + strlen("kind:"), rows[i].text);
		assert_memory_equal(text, "kind:", strlen("kind:"));
	}
	assert_int_equal(thread_setting_name("kind", &thread, text, 10), -ENOBUFS);
	memset(text, 'a', sizeof(text));
	memcpy(text, "7:1:", 4);
	text[4 + THREAD_CGROUP_MAX] = '\0';
	assert_int_equal(thread_parse(text, &thread), -ENAMETOOLONG);
}

/* -- a domain --------------------------------------------------------------------------------- */

/* A domain "web" of id 3: process 100, emulator thread 100, a worker, vCPUs 0 and 2 (1 is offline).
 */
static void add_domain(const char *level)
{
	char text[256];

	write_file("100\n", "run/libvirt/qemu/web.pid");
	snprintf(text, sizeof(text), SCOPE "%s/emulator", level);
	add_thread(100, 100, "qemu-system-x86", 900, text);
	add_thread(100, 101, "worker", 901, text);
	snprintf(text, sizeof(text), SCOPE "%s/vcpu0", level);
	add_thread(100, 102, "CPU 0/KVM", 902, text);
	write_file("102\n", "sys/fs/cgroup%s/cgroup.threads", text);
	snprintf(text, sizeof(text), SCOPE "%s/vcpu2", level);
	add_thread(100, 104, "CPU 2/KVM", 904, text);
	write_file("104\n", "sys/fs/cgroup%s/cgroup.threads", text);
	write_file("100\n101\n", "sys/fs/cgroup%s%s/emulator/cgroup.threads", SCOPE, level);
}

static void expect_domain(const struct vcpu_thread *threads, const char *level)
{
	char text[256];

	assert_int_equal(threads[0].tid, 102);
	assert_int_equal(threads[0].start_time, 902);
	snprintf(text, sizeof(text), SCOPE "%s/vcpu0", level);
	assert_string_equal(threads[0].cgroup, text);
	assert_int_equal(threads[1].tid, 0);
	assert_int_equal(threads[2].tid, 104);
	assert_int_equal(threads[3].tid, 0);
}

/* By the process's own cgroup, and without a pidfile by the name of the scope. */
static void test_by_cgroup(void **state _unused_)
{
	static const char *const levels[] = {"/libvirt", ""};

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		struct vcpu_thread threads[4];
		enum thread_source source;

		add_domain(levels[i]);
		assert_int_equal(resolve(3, "web", 4, threads, &source), 2);
		assert_int_equal(source, THREAD_SOURCE_CGROUP);
		expect_domain(threads, levels[i]);
		assert_int_equal(resolve(3, "another", 4, threads, &source), 2);
		assert_int_equal(source, THREAD_SOURCE_CGROUP);
		expect_domain(threads, levels[i]);
		assert_int_equal(resolve(3, "web", 1, threads, &source), 1);
		/* Another id: the pidfile is of another run, and so its threads' names don't count.
		 */
		assert_int_equal(resolve(33, "web", 4, threads, &source), -ESRCH);
		write_file("", "proc/100/task/102/x");
		root_teardown(NULL);
		root_setup(NULL);
	}
}

/* Where a partition puts scopes elsewhere, and without machined. */
static void test_by_scope(void **state _unused_)
{
	static const char *const scopes[] = {
		"/machine.slice/machine-a.slice/machine-a-b.slice/machine-qemu\\x2d12\\x2dx.scope",
		"/prod.slice/machine-qemu\\x2d12\\x2dx.scope",
		"/machine/prod.partition/qemu-12-x.libvirt-qemu",
		"/machine-qemu\\x2d12\\x2dx.scope",
	};

	for (size_t i = 0; i < ARRAY_SIZE(scopes); i++) {
		struct vcpu_thread thread;
		enum thread_source source;
		char cgroup[THREAD_CGROUP_MAX];

		/* Neighbours whose names begin alike. */
		write_file("9\n", "sys/fs/cgroup/machine.slice/machine-qemu\\x2d1\\x2dx.scope/"
				  "libvirt/vcpu0/cgroup.threads");
		write_file("9\n", "sys/fs/cgroup/machine.slice/machine-qemu\\x2d123\\x2dx.scope/"
				  "libvirt/vcpu0/cgroup.threads");
		add_thread(9, 9, "CPU 0/KVM", 9, "/");
		snprintf(cgroup, sizeof(cgroup), "%s/libvirt/vcpu0", scopes[i]);
		add_thread(500, 501, "CPU 0/KVM", 5, cgroup);
		write_file("501\n", "sys/fs/cgroup%s/cgroup.threads", cgroup);
		EXPECT(resolve(12, "x", 1, &thread, &source) == 1, "row %zu", i);
		assert_int_equal(thread.tid, 501);
		assert_string_equal(thread.cgroup, cgroup);
		root_teardown(NULL);
		root_setup(NULL);
	}
}

/* libvirt without cgroups, as in KubeVirt. */
static void test_by_name(void **state _unused_)
{
	struct vcpu_thread threads[3];
	enum thread_source source;

	write_file("100\n", "run/libvirt/qemu/web.pid");
	add_thread(100, 100, "qemu-system-x86", 1, "/pod");
	write_file("", "proc/100/task/100/x");
	add_thread(100, 101, "CPU 0/TCG", 2, "/pod");
	add_thread(100, 102, "CPU 2/KVM", 3, "/pod");
	add_thread(100, 103, "CPU 3/KVM", 4, "/pod"); /* more than it has */
	add_thread(100, 104, "CPU 1", 5, "/pod");
	add_thread(100, 105, "CPU x/KVM", 6, "/pod");
	add_thread(100, 106, "CPU 1/KVMx", 7, "/pod");
	add_thread(100, 107, "ALL CPUs/TCG", 8, "/pod");
	add_thread(100, 108, "CPU 99999999/KVM", 9, "/pod");
	assert_int_equal(resolve(1, "web", 3, threads, &source), 2);
	assert_int_equal(source, THREAD_SOURCE_NAMES);
	assert_int_equal(threads[0].tid, 101);
	assert_int_equal(threads[1].tid, 0);
	assert_int_equal(threads[2].tid, 102);
	assert_string_equal(threads[0].cgroup, "/pod");
	/* They end one after the other. */
	write_file("", "proc/102/task/102/stat");
	assert_int_equal(resolve(1, "web", 3, threads, &source), 1);
	assert_int_equal(threads[2].tid, 0);
}

/* More than one thread in a vcpuN, none, or what can't be read. */
static void test_odd_cgroups(void **state _unused_)
{
	static const struct {
		const char *text;
		pid_t tid;
	} rows[] = {
		{"102\n", 102},	   {"101\n102\n", 102}, {"101\n", 101}, {"", 0},
		{"\n", 0},	   {"x\n", 0},		{"0\n", 0},	{"-1\n", 0},
		{"100\n101\n", 0}, {"4242\n", 0},	{"102", 102},	{"99999999999999999\n", 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vcpu_thread threads[4];
		enum thread_source source;

		add_domain("/libvirt");
		write_file(rows[i].text, "sys/fs/cgroup" SCOPE "/libvirt/vcpu0/cgroup.threads");
		assert_int_equal(resolve(3, "web", 4, threads, &source), rows[i].tid ? 2 : 1);
		EXPECT(threads[0].tid == rows[i].tid, "row %zu gave %d", i, threads[0].tid);
	}
}

static void test_nothing(void **state _unused_)
{
	struct vcpu_thread threads[2] = {{.tid = 4711}};
	enum thread_source source;
	char name[600];

	assert_int_equal(resolve(3, "web", 2, threads, &source), -ESRCH);
	assert_int_equal(resolve(3, "../web", 2, threads, &source), -EINVAL);
	assert_int_equal(resolve(3, "web", 0, threads, &source), -EINVAL);
	assert_int_equal(resolve(3, "web", THREADS_MAX + 1, threads, &source), -EINVAL);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(resolve(3, name, 2, threads, &source), -ESRCH);
	write_file("garbage\n", "run/libvirt/qemu/web.pid");
	assert_int_equal(resolve(3, "web", 2, threads, &source), -ESRCH);
	write_file("100\n", "run/libvirt/qemu/web.pid"); /* stale */
	assert_int_equal(resolve(3, "web", 2, threads, &source), -ESRCH);
	assert_int_equal(threads[0].tid, 4711);
	assert_int_equal(source, THREAD_SOURCE_NONE);
	assert_string_equal(thread_source_text(THREAD_SOURCE_NAMES), "names");
	assert_string_equal(thread_source_text(THREAD_SOURCE_CGROUP), "cgroup");
	assert_string_equal(thread_source_text(THREAD_SOURCE_NONE), "none");
}

/* -- this machine ----------------------------------------------------------------------------- */

static pthread_barrier_t barrier;
static pid_t its_tid;

static void *spin_and_wait(void *arg)
{
	for (volatile unsigned i = 0; i < 50000000; i++)
		;
	its_tid = gettid();
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return arg;
}

/* A real thread: its own time, not its process's, and it is gone when it has ended. */
static void test_real_thread(void **state _unused_)
{
	_cleanup_close_ int root = rootfs_open("/"), fd = -EBADF;
	struct thread_stat stat, whole;
	struct vcpu_thread thread;
	uint64_t run, delay;
	pthread_t id;

	for (volatile unsigned i = 0; i < 200000000; i++)
		;
	pthread_barrier_init(&barrier, NULL, 2);
	assert_int_equal(pthread_create(&id, NULL, spin_and_wait, NULL), 0);
	pthread_barrier_wait(&barrier);
	assert_int_equal(thread_identify(root, its_tid, &thread), 0);
	assert_int_equal(thread_check(root, &thread), 0);
	assert_int_equal(thread_stat(root, its_tid, &stat), 0);
	assert_int_equal(thread_stat(root, getpid(), &whole), 0);
	assert_true(stat.start_time >= whole.start_time);
	assert_true(stat.cpu_ticks <= whole.cpu_ticks);
	if (thread_schedstat(root, its_tid, &run, &delay) >= 0)
		assert_true(run > 0);
	fd = thread_hold(root, &thread);
	assert_true(fd >= 0);
	assert_int_equal(thread_held(fd), 0);
	pthread_barrier_wait(&barrier);
	pthread_join(id, NULL);
	for (unsigned i = 0; i < 1000 && thread_check(root, &thread) == 0; i++)
		usleep(1000);
	assert_int_equal(thread_check(root, &thread), -ESRCH);
	assert_int_equal(thread_held(fd), -ESRCH);
	assert_int_equal(thread_hold(root, &thread), -ESRCH);
	assert_int_equal(thread_schedstat(root, its_tid, &run, &delay), -ESRCH);
	pthread_barrier_destroy(&barrier);
}

#define THREADS_TEST(test) cmocka_unit_test_setup_teardown(test, root_setup, root_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		THREADS_TEST(test_stat),
		THREADS_TEST(test_stat_hostile),
		THREADS_TEST(test_schedstat),
		THREADS_TEST(test_sched),
		THREADS_TEST(test_identity),
		THREADS_TEST(test_cgroup_line),
		THREADS_TEST(test_text),
		THREADS_TEST(test_by_cgroup),
		THREADS_TEST(test_by_scope),
		THREADS_TEST(test_by_name),
		THREADS_TEST(test_odd_cgroups),
		THREADS_TEST(test_nothing),
		cmocka_unit_test(test_real_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
