/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd/cpufreq.c, killed at every system call of taking, setting and giving back: what --restore
 * makes of it must equal what was there before. */
#include "tests/unit/test.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "common/rootfs.h"
#include "guestd/cpufreq.h"

#define FOLDER "sys/devices/system/cpu/cpufreq/"

static const char *const files[][2] = {
	{FOLDER "policy0/affected_cpus", "0\n"},
	{FOLDER "policy0/cpuinfo_max_freq", "3000000\n"},
	{FOLDER "policy0/scaling_min_freq", "1200000\n"},
	{FOLDER "policy0/scaling_max_freq", "3000000\n"},
	{FOLDER "policy0/scaling_governor", "schedutil"},
	{FOLDER "policy0/scaling_setspeed", "1800000"},
	{FOLDER "policy1/affected_cpus", "1\n"},
	{FOLDER "policy1/cpuinfo_max_freq", "3000000\n"},
	{FOLDER "policy1/scaling_min_freq", "1200000\n"},
	{FOLDER "policy1/scaling_max_freq", "3000000\n"},
	{FOLDER "policy1/scaling_governor", "userspace"},
	{FOLDER "policy1/scaling_setspeed", "1800000"},
	{"run/x", ""},
};

static void scenario(int root_fd)
{
	struct cpufreq *cpufreq;
	int error;

	if (cpufreq_open(root_fd, &cpufreq) < 0 || cpufreq_take(cpufreq, &error) < 0 || error < 0)
		_exit(1);
	for (unsigned i = 0; i < cpufreq_count(cpufreq); i++)
		if (cpufreq_set(cpufreq, i, 2400000) < 0)
			_exit(1);
	if (cpufreq_restore(cpufreq) < 0)
		_exit(1);
	_exit(0);
}

/* What each file held when it last held anything: opening a file of the fake for writing empties
 * it, which sysfs doesn't do, and a kill can come before the write. */
static char held[ARRAY_SIZE(files)][64];

static void look(int root_fd)
{
	char text[64];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (rootfs_read(root_fd, files[i][0], text, sizeof(text)) > 0)
			strcpy(held[i], text);
}

static void mend(const char *dir, int root_fd)
{
	char text[64];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (rootfs_read(root_fd, files[i][0], text, sizeof(text)) == 0)
			test_write(dir, files[i][0], held[i]);
}

/* Runs the scenario up to its n-th stop at a system call, entry or exit, and kills it there.
 * Whether it had come that far; *ret_traced is false where ptrace isn't allowed. */
static bool run_and_kill(int root_fd, unsigned n, bool *ret_traced)
{
	pid_t pid = fork();
	int status;

	*ret_traced = true;
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(77);
		raise(SIGSTOP);
		scenario(root_fd);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		*ret_traced = false;
		return false;
	}
	for (unsigned i = 0; i < n; i++) {
		look(root_fd);
		assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			return false;
		}
	}
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return true;
}

static void assert_as_before(const char *dir)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		/* A speed means something under the userspace governor alone. */
		if (strcmp(files[i][0], FOLDER "policy0/scaling_setspeed") == 0)
			continue;
		test_assert_file(dir, files[i][0], files[i][1]);
	}
}

static void test_every_call(_unused_ void **state)
{
	char *dir = test_make_dir();
	int root_fd = rootfs_open(dir);
	bool traced, alive = true;
	unsigned n;

	for (n = 1; alive; n++) {
		unsigned left;

		for (size_t i = 0; i < ARRAY_SIZE(files); i++)
			test_write(dir, files[i][0], files[i][1]);
		alive = run_and_kill(root_fd, n, &traced);
		if (!traced)
			break;
		mend(dir, root_fd);
		if (getenv("VERBOSE"))
			print_message("stop %u\n", n);
		EXPECT(cpufreq_recover(root_fd, &left) >= 0, "stop %u", n);
		assert_as_before(dir);
		assert_int_equal(faccessat(root_fd, CPUFREQ_STATE, F_OK, 0), -1);
		EXPECT(cpufreq_recover(root_fd, &left) == 0, "stop %u, again", n);
		assert_as_before(dir);
	}
	close(root_fd);
	test_remove_dir(dir);
	if (!traced)
		TEST_SKIP("this machine doesn't allow ptrace");
	print_message("killed at %u stops\n", n - 2);
	assert_true(n > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
