/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/cpuset.c: one thread's CPUs, with a kernel that the test plays, and on a real thread. */
#include "tests/unit/test_thread.h"

#include <pthread.h>
#include <sched.h>

#include "hostd/cpuset.h"

#define EFFECTIVE "sys/fs/cgroup/vm/vcpu0/cpuset.cpus.effective"

/* The kernel, and one thread of it. */
static struct {
	struct cpumask user;   /* what was asked for last */
	struct cpumask cpuset; /* what its cpuset allows */
	struct cpumask online;
	int get_error, set_error;
	unsigned sets;
	void (*after_set)(void);
} kernel;

/* What the thread may use: of what was asked for, the part in the cpuset, or all of that. */
static struct cpumask allowed_now(void)
{
	struct cpumask mask;

	cpumask_and(&mask, &kernel.user, &kernel.cpuset);
	return cpumask_is_empty(&mask) ? kernel.cpuset : mask;
}

static void write_status(void)
{
	struct cpumask allowed = allowed_now();
	char list[CPUMASK_TEXT_MAX], text[CPUMASK_TEXT_MAX + 128];

	assert_true(cpumask_format(&allowed, list, sizeof(list)) >= 0);
	snprintf(text, sizeof(text),
		 "Name:\tCPU 0/KVM\nState:\tS (sleeping)\nCpus_allowed:\tff\n"
		 "Cpus_allowed_list:\t%s\nMems_allowed_list:\t0\n",
		 list);
	test_write(dir, "proc/7/task/7/status", text);
}

static int fake_get(void *userdata _unused_, pid_t tid, struct cpumask *ret)
{
	struct cpumask allowed = allowed_now();

	if (kernel.get_error)
		return kernel.get_error;
	if (tid != 7)
		return -ESRCH;
	cpumask_and(ret, &allowed, &kernel.online);
	return 0;
}

/* As __sched_setaffinity() does it. */
static int fake_set(void *userdata _unused_, pid_t tid, const struct cpumask *mask)
{
	struct cpumask both;

	assert_false(cpumask_is_empty(mask));
	if (kernel.set_error)
		return kernel.set_error;
	if (tid != 7)
		return -ESRCH;
	cpumask_and(&both, mask, &kernel.cpuset);
	cpumask_and(&both, &both, &kernel.online);
	if (cpumask_is_empty(&both))
		return -EINVAL;
	kernel.sets++;
	kernel.user = *mask;
	write_status();
	if (kernel.after_set)
		kernel.after_set();
	return 0;
}

static const struct cpuset_calls fake_calls = {fake_get, fake_set, NULL};
static struct cpuset_door door;

static struct cpumask mask_of(const char *list)
{
	struct cpumask mask;

	assert_int_equal(cpumask_parse(list, &mask), 0);
	return mask;
}

/* The cpuset of the thread's cgroup. */
static void set_cpuset(const char *list)
{
	kernel.cpuset = mask_of(list);
	test_write(dir, EFFECTIVE, list);
	write_status();
}

static int setup(void **state)
{
	int r = root_setup(state);

	memset(&kernel, 0, sizeof(kernel));
	memset(&kernel.user, 0xff, sizeof(kernel.user));
	memset(&kernel.online, 0xff, sizeof(kernel.online));
	door = (struct cpuset_door){.root_fd = root_fd, .calls = &fake_calls};
	cpuset_setting_ops(&door, &ops);
	write_thread(1000, "/vm/vcpu0");
	test_write(dir, "sys/devices/system/cpu/possible", "0-15\n");
	test_write(dir, "sys/fs/cgroup/cpuset.cpus.effective", "0-15\n");
	set_cpuset("0-7");
	return r;
}

static void expect_list(const char *list)
{
	char value[SETTING_VALUE_MAX];

	assert_int_equal(ops.read(ops.userdata, NAME, value, sizeof(value)), 0);
	assert_string_equal(value, list);
}

static bool user_is_all(void)
{
	return cpumask_count(&kernel.user) == CPUMASK_CPUS;
}

static void test_write_list(void **state _unused_)
{
	assert_string_equal(ops.kind, "affinity");
	expect_list("0-7");
	assert_int_equal(write_setting("2-3"), 0);
	expect_list("2-3");
	assert_int_equal(write_setting("3,5-9"), 0);
	expect_list("3,5-7");
	assert_false(user_is_all());
	/* All that it may have: as if it had never been pinned, so it follows a cpuset that grows.
	 */
	assert_int_equal(write_setting("0-7"), 0);
	assert_true(user_is_all());
	set_cpuset("0-11");
	expect_list("0-11");
}

static void test_bad_values(void **state _unused_)
{
	static const struct {
		const char *value;
		int result;
	} rows[] = {{"", -EINVAL},     {"\n", -EINVAL},	    {"x", -EINVAL},   {"8-15", -EINVAL},
		    {"1024", -ERANGE}, {"0-1024", -ERANGE}, {"3-1", -EINVAL}, {",", -EINVAL}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int r = write_setting(rows[i].value);

		EXPECT(r == rows[i].result, "row %zu gave %d", i, r);
		EXPECT(ops.restore(ops.userdata, NAME, rows[i].value) == r, "row %zu", i);
	}
	assert_int_equal(kernel.sets, 0);
}

/* Each subset of the CPUs, in each cpuset, with each set online: what is written is never empty,
 * never outside, and an error if it can't be. */
static void test_every_subset(void **state _unused_)
{
	for (unsigned cpus = 1; cpus < 16; cpus++)
		for (unsigned cpuset = 1; cpuset < 16; cpuset++) {
			char list[32];
			int r;

			kernel.cpuset = (struct cpumask){.word = {cpuset}};
			cpumask_format(&kernel.cpuset, list, sizeof(list));
			set_cpuset(list);
			cpumask_format(&(struct cpumask){.word = {cpus}}, list, sizeof(list));
			r = write_setting(list);
			EXPECT(r == (cpus & cpuset ? 0 : -EINVAL), "%#x in %#x gave %d", cpus,
			       cpuset, r);
			if (r < 0)
				continue;
			assert_int_equal(allowed_now().word[0], cpus & cpuset);
			EXPECT(user_is_all() == ((cpuset & ~cpus) == 0), "%#x in %#x", cpus,
			       cpuset);
		}
}

static void test_random_lists(void **state _unused_)
{
	uint64_t seed = 1;

	set_cpuset("0-1023");
	for (unsigned i = 0; i < 300; i++) {
		struct cpumask mask = {}, now;
		char list[CPUMASK_TEXT_MAX];
		unsigned n = 1 + test_random(&seed) % 700;

		while (n-- > 0)
			cpumask_set(&mask, test_random(&seed) % CPUMASK_CPUS);
		assert_true(cpumask_format(&mask, list, sizeof(list)) > 0);
		assert_int_equal(write_setting(list), 0);
		assert_int_equal(cpuset_allowed(root_fd, 7, &now), 0);
		assert_true(cpumask_equal(&now, &mask));
	}
}

/* In the root cpuset all possible CPUs are what an unpinned thread has, the offline ones too. */
static void test_root_cpuset(void **state _unused_)
{
	static const char *const cgroups[] = {"/", "", "/no/controller/here"};

	for (size_t i = 0; i < ARRAY_SIZE(cgroups); i++) {
		char name[64];

		write_thread(1000, cgroups[i]);
		snprintf(name, sizeof(name), "7:1000:%s", cgroups[i]);
		kernel.cpuset = mask_of("0-31");
		test_write(dir, "sys/devices/system/cpu/possible", "0-31\n");
		assert_int_equal(ops.write(ops.userdata, name, "0-15"), 0);
		EXPECT(!user_is_all(), "row %zu", i);
		assert_int_equal(ops.write(ops.userdata, name, "0-31"), 0);
		EXPECT(user_is_all(), "row %zu", i);
	}
	/* Where nothing is known, what was asked for is what is written. */
	assert_int_equal(unlinkat(root_fd, "sys/devices/system/cpu/possible", 0), 0);
	assert_int_equal(ops.write(ops.userdata, "7:1000:/no/controller/here", "0-31"), 0);
	assert_false(user_is_all());
}

static void test_expect(void **state _unused_)
{
	static const struct {
		const char *value, *cpuset, *seen;
	} rows[] = {
		{"2-3", "0-7", "2-3"}, {"2-3", "0-2", "2"},	  {"2-3", "0-1", "0-1"},
		{"0-7", "0-7", "0-7"}, {"0-7", "0-2,4", "0-2,4"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char seen[SETTING_VALUE_MAX];

		set_cpuset("0-7");
		assert_int_equal(write_setting(rows[i].value), 0);
		set_cpuset(rows[i].cpuset);
		assert_int_equal(ops.expect(ops.userdata, NAME, rows[i].value, seen, sizeof(seen)),
				 0);
		EXPECT(strcmp(seen, rows[i].seen) == 0, "row %zu: %s", i, seen);
		/* It is what is really seen. */
		expect_list(seen);
	}
	assert_true(ops.expect(ops.userdata, NAME, "", (char[8]){}, 8) < 0);
	assert_int_equal(ops.expect(ops.userdata, "8:1:/", "1", (char[8]){}, 8), -ESRCH);
}

static void test_gone(void **state _unused_)
{
	char value[16];

	write_thread(1001, "/vm/vcpu0");
	assert_int_equal(write_setting("1"), -ESRCH);
	assert_int_equal(ops.read(ops.userdata, NAME, value, sizeof(value)), -ESRCH);
	write_thread(1000, "/vm/emulator");
	assert_int_equal(write_setting("1"), -ESRCH);
	assert_int_equal(kernel.sets, 0);
	/* Put back all the same, by the cpuset that it is in by now. */
	test_write(dir, "sys/fs/cgroup/vm/emulator/cpuset.cpus.effective", "0-3\n");
	kernel.cpuset = mask_of("0-3");
	kernel.user = mask_of("1");
	assert_int_equal(ops.restore(ops.userdata, NAME, "0-7"), 0);
	assert_true(user_is_all());
	unlinkat(root_fd, "proc/7/task/7/stat", 0);
	assert_int_equal(ops.restore(ops.userdata, NAME, "0-7"), -ESRCH);
	unlinkat(root_fd, "proc/7/task/7/status", 0);
	assert_int_equal(ops.read(ops.userdata, NAME, value, sizeof(value)), -ESRCH);
	assert_int_equal(ops.read(ops.userdata, "x", value, sizeof(value)), -EINVAL);
}

static void become_another(void)
{
	replace_thread();
	kernel.after_set = NULL;
}

/* The number went to somebody else's thread between check and write. */
static void test_reused(void **state _unused_)
{
	kernel.after_set = become_another;
	assert_int_equal(write_setting("2-3"), -ESRCH);
	assert_true(user_is_all());
	assert_int_equal(kernel.sets, 2);
}

static void become_another_and_pinned(void)
{
	become_another();
	kernel.user = mask_of("5");
}

static void test_reused_and_pinned(void **state _unused_)
{
	kernel.after_set = become_another_and_pinned;
	assert_int_equal(write_setting("2-3"), -ESRCH);
	assert_int_equal(kernel.user.word[0], 1 << 5);
	assert_int_equal(kernel.sets, 1);
}

static void pin_elsewhere(void)
{
	kernel.user = mask_of("5");
}

static void test_read_back(void **state _unused_)
{
	kernel.after_set = pin_elsewhere;
	assert_int_equal(write_setting("2-3"), -EBUSY);
}

static void test_errors(void **state _unused_)
{
	static const int errors[] = {-EINTR,  -EAGAIN, -ESRCH, -EPERM, -EBUSY,
				     -ENODEV, -EINVAL, -EIO,   -ENOMEM};

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		kernel.set_error = errors[i];
		assert_int_equal(write_setting("2"), errors[i]);
		kernel.set_error = 0;
		kernel.get_error = errors[i];
		assert_int_equal(write_setting("2"), errors[i]);
		kernel.get_error = 0;
	}
}

static void test_allowed(void **state _unused_)
{
	static const struct {
		const char *text;
		int result;
	} rows[] = {
		{"Name:\tx\nCpus_allowed_list:\t0-3\n", 0},
		{"Name:\tx\nCpus_allowed_list:\t0-3", 0},
		{"Name:\tx\nCpus_allowed_list:\t\n", 0},
		{"Name:\tCpus_allowed_list:\t0\n", -EBADMSG},
		{"Name:\tx\nCpus_allowed_list:\tx\n", -EBADMSG},
		{"Name:\tx\nCpus_allowed_list:\t0-4000\n", -EBADMSG},
		{"", -EBADMSG},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cpumask mask;
		int r;

		test_write(dir, "proc/7/task/7/status", rows[i].text);
		r = cpuset_allowed(root_fd, 7, &mask);
		EXPECT(r == rows[i].result, "row %zu gave %d", i, r);
	}
}

static void test_effective(void **state _unused_)
{
	struct cpumask mask;
	char cgroup[600];

	test_write(dir, "sys/fs/cgroup/a/b/cpuset.cpus.effective", "1-2\n");
	assert_int_equal(cpuset_effective(root_fd, "/a/b/c/d", &mask), 0);
	assert_int_equal(mask.word[0], 6);
	assert_int_equal(cpuset_effective(root_fd, "/a/b", &mask), 0);
	assert_int_equal(mask.word[0], 6);
	assert_int_equal(cpuset_effective(root_fd, "/a", &mask), 0);
	assert_int_equal(mask.word[0], 0xffff);
	assert_int_equal(cpuset_effective(root_fd, "/", &mask), 0);
	assert_int_equal(cpuset_effective(root_fd, "", &mask), 0);
	assert_int_equal(mask.word[0], 0xffff);
	test_write(dir, "sys/fs/cgroup/a/b/cpuset.cpus.effective", "x\n");
	assert_int_equal(cpuset_effective(root_fd, "/a/b/c", &mask), -EBADMSG);
	memset(cgroup, 'a', sizeof(cgroup));
	cgroup[0] = '/';
	cgroup[sizeof(cgroup) - 1] = '\0';
	assert_int_equal(cpuset_effective(root_fd, cgroup, &mask), -ENAMETOOLONG);
	assert_int_equal(unlinkat(root_fd, "sys/fs/cgroup/cpuset.cpus.effective", 0), 0);
	assert_int_equal(cpuset_effective(root_fd, "/nothing", &mask), -ENOENT);
}

static void test_name(void **state _unused_)
{
	struct vcpu_thread thread = {.tid = 7, .start_time = 1000, .cgroup = "/vm/vcpu0"};
	char name[64];

	assert_int_equal(cpuset_setting_name(&thread, name, sizeof(name)),
			 strlen("affinity:" NAME));
	assert_string_equal(name, "affinity:" NAME);
	assert_int_equal(cpuset_setting_name(&thread, name, strlen("affinity:" NAME)), -ENOBUFS);
	assert_int_equal(cpuset_setting_name(&thread, name, 0), -ENOBUFS);
}

/* -- this machine ----------------------------------------------------------------------------- */

static pthread_barrier_t barrier;
static pid_t its_tid;

static void *wait_for_end(void *arg)
{
	its_tid = gettid();
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return arg;
}

static void pin_and_restore(struct cpuset_door *real)
{
	struct setting_ops real_ops;
	struct vcpu_thread thread;
	struct ledger *ledger = NULL;
	struct ledger_entry *entry;
	struct ledger_tally tally = {};
	struct cpumask before, after, one = {};
	char name[SETTING_NAME_MAX], value[SETTING_VALUE_MAX];
	_cleanup_free_ char *path = NULL;

	assert_true(asprintf(&path, "%s/ledger", dir) > 0);
	cpuset_setting_ops(real, &real_ops);
	assert_int_equal(ledger_open(path, "boot", &real_ops, 1, &ledger), 0);
	assert_int_equal(thread_identify(real->root_fd, its_tid, &thread), 0);
	assert_int_equal(cpuset_allowed(real->root_fd, its_tid, &before), 0);
	assert_true(cpuset_setting_name(&thread, name, sizeof(name)) > 0);
	assert_int_equal(ledger_entry(ledger, name, &entry), 0);
	assert_int_equal(cpuset_calls_kernel.get(NULL, its_tid, &one), 0);
	while (cpumask_count(&one) > 1)
		cpumask_unset(&one, cpumask_next(&one, 0));
	assert_true(cpumask_format(&one, value, sizeof(value)) > 0);
	assert_int_equal(ledger_set(ledger, entry, value), cpumask_equal(&one, &before) ? 0 : 1);
	assert_int_equal(ledger_verify(ledger, entry), 1);
	assert_int_equal(cpuset_allowed(real->root_fd, its_tid, &after), 0);
	assert_true(cpumask_equal(&after, &one));
	ledger_restore_all(ledger, &tally);
	assert_int_equal(tally.failed + tally.theirs + tally.gone, 0);
	assert_int_equal(cpuset_allowed(real->root_fd, its_tid, &after), 0);
	assert_true(cpumask_equal(&after, &before));
	ledger_close(ledger);
}

/* A real thread through the ledger. Where the sandbox of the tests forbids it, skip. */
static void test_this_machine(void **state _unused_)
{
	_cleanup_close_ int root = rootfs_open("/");
	struct cpuset_door real = {.root_fd = root, .calls = &cpuset_calls_kernel};
	struct cpumask mask;
	pthread_t id;

	if (cpuset_calls_kernel.get(NULL, 0, &mask) < 0 ||
	    cpuset_calls_kernel.set(NULL, 0, &mask) < 0)
		TEST_SKIP("this machine doesn't allow sched_setaffinity");
	pthread_barrier_init(&barrier, NULL, 2);
	assert_int_equal(pthread_create(&id, NULL, wait_for_end, NULL), 0);
	pthread_barrier_wait(&barrier);
	pin_and_restore(&real);
	pthread_barrier_wait(&barrier);
	pthread_join(id, NULL);
	pthread_barrier_destroy(&barrier);
}

#define CPUSET_TEST(test) cmocka_unit_test_setup_teardown(test, setup, root_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CPUSET_TEST(test_write_list),
		CPUSET_TEST(test_bad_values),
		CPUSET_TEST(test_every_subset),
		CPUSET_TEST(test_random_lists),
		CPUSET_TEST(test_root_cpuset),
		CPUSET_TEST(test_expect),
		CPUSET_TEST(test_gone),
		CPUSET_TEST(test_reused),
		CPUSET_TEST(test_reused_and_pinned),
		CPUSET_TEST(test_read_back),
		CPUSET_TEST(test_errors),
		CPUSET_TEST(test_allowed),
		CPUSET_TEST(test_effective),
		CPUSET_TEST(test_name),
		CPUSET_TEST(test_this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
