/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd/cpufreq.c when a read or a write fails: each call in turn, with each errno. Whatever
 * fails, nothing crashes, and a later --restore gives back what was there. Linked with --wrap. */
#include "tests/unit/test.h"

#include "common/rootfs.h"
#include "guestd/cpufreq.h"

#define FOLDER "sys/devices/system/cpu/cpufreq/"

int __real_rootfs_write(int root_fd, const char *path, const char *text);
int __real_rootfs_read_line(int root_fd, const char *path, char *buffer, size_t size);
int __wrap_rootfs_write(int root_fd, const char *path, const char *text);
int __wrap_rootfs_read_line(int root_fd, const char *path, char *buffer, size_t size);

static unsigned n_calls, fails_at; /* 0: none fails */
static bool fails_on;		   /* and all that follow */
static int fault;

static bool fails(void)
{
	n_calls++;
	return fails_at > 0 && (n_calls == fails_at || (fails_on && n_calls > fails_at));
}

int __wrap_rootfs_write(int root_fd, const char *path, const char *text)
{
	return fails() ? fault : __real_rootfs_write(root_fd, path, text);
}

int __wrap_rootfs_read_line(int root_fd, const char *path, char *buffer, size_t size)
{
	return fails() ? fault : __real_rootfs_read_line(root_fd, path, buffer, size);
}

static void write_tree(const char *dir)
{
	static const char *const files[][2] = {
		{"affected_cpus", "0\n"},	   {"cpuinfo_max_freq", "3000000\n"},
		{"scaling_min_freq", "1200000\n"}, {"scaling_max_freq", "3000000\n"},
		{"scaling_setspeed", "1800000"},
	};

	for (unsigned policy = 0; policy < 2; policy++) {
		char path[128];

		for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
			snprintf(path, sizeof(path), FOLDER "policy%u/%s", policy, files[i][0]);
			test_write(dir, path, files[i][1]);
		}
		snprintf(path, sizeof(path), FOLDER "policy%u/scaling_governor", policy);
		test_write(dir, path, policy == 0 ? "schedutil" : "userspace");
	}
}

static void run(int root_fd)
{
	struct cpufreq *cpufreq = NULL;
	int error;

	assert_int_equal(cpufreq_open(root_fd, &cpufreq), 0);
	cpufreq_take(cpufreq, &error);
	for (unsigned i = 0; i < cpufreq_count(cpufreq); i++)
		if (cpufreq_policy(cpufreq, i)->hold == CPUFREQ_HOLD_OURS)
			cpufreq_set(cpufreq, i, 2400000);
	cpufreq_scan(cpufreq);
	cpufreq_restore(cpufreq);
	cpufreq_close(cpufreq);
}

static void test_each_call(_unused_ void **state)
{
	/* A thing that is gone has nothing to give back, so those are not here. */
	static const int faults[] = {-EINTR, -EAGAIN, -EPERM, -EACCES,
				     -EBUSY, -EINVAL, -EIO,   -ENOSPC};
	char *dir = test_make_dir();
	int root_fd = rootfs_open(dir);
	unsigned runs = 0, left;

	test_write(dir, "run/x", "");
	for (size_t i = 0; i < ARRAY_SIZE(faults) * 2; i++) {
		fault = faults[i / 2];
		fails_on = i % 2;
		for (unsigned at = 1;; at++, runs++) {
			write_tree(dir);
			n_calls = 0;
			fails_at = at;
			run(root_fd);
			fails_at = 0;
			if (n_calls < at)
				break;
			EXPECT(cpufreq_recover(root_fd, &left) >= 0, "%s at call %u",
			       strerror(-fault), at);
			test_assert_file(dir, FOLDER "policy0/scaling_governor", "schedutil");
			test_assert_file(dir, FOLDER "policy1/scaling_governor", "userspace");
			test_assert_file(dir, FOLDER "policy1/scaling_setspeed", "1800000");
			assert_int_equal(faccessat(root_fd, CPUFREQ_STATE, F_OK, 0), -1);
		}
	}
	print_message("%u runs with a fault\n", runs);
	close(root_fd);
	test_remove_dir(dir);
}

/* --restore itself fails: a second one does it. */
static void test_recover(_unused_ void **state)
{
	char *dir = test_make_dir();
	int root_fd = rootfs_open(dir);
	unsigned left;

	for (unsigned at = 1; at <= 4; at++) {
		write_tree(dir);
		test_write(dir, FOLDER "policy0/scaling_governor", "userspace");
		test_write(dir, FOLDER "policy1/scaling_setspeed", "2400000");
		test_write(dir, CPUFREQ_STATE, "policy0 schedutil 0\npolicy1 userspace 1800000\n");
		fault = -EIO;
		fails_on = false;
		fails_at = at;
		n_calls = 0;
		assert_int_equal(cpufreq_recover(root_fd, &left), -EIO);
		fails_at = 0;
		assert_true(cpufreq_recover(root_fd, &left) >= 1);
		test_assert_file(dir, FOLDER "policy0/scaling_governor", "schedutil");
		test_assert_file(dir, FOLDER "policy1/scaling_setspeed", "1800000");
	}
	close(root_fd);
	test_remove_dir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_call),
		cmocka_unit_test(test_recover),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
