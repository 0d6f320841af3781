/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A hostd that is killed before or after any of its writes of floors and ceilings: --restore brings
 * back what was there before, of both. tests/unit/test-ledger-crash.c does it for each byte of the
 * ledger's file. */
#include "tests/unit/test_clamps.h"

static const unsigned steps[][2] = {
	{300, 400}, {500, 1024}, {500, 600}, {700, 800}, {100, 200}, {0, 300},	 {0, 1024},
	{0, 500},   {950, 1024}, {60, 100},  {300, 350}, {0, 0},     {400, 500},
};

static void run_scenario(enum actuator_choice choice)
{
	open_actuator(choice, false);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		if (set_clamps(steps[i][0], steps[i][1]) < 0)
			_exit(3);
	/* As domain.c ends with a thread. */
	actuator_forget(actuator, &actuated);
	close_actuator();
	_exit(0);
}

/* What the operator had set. */
static void reset_all(void)
{
	*kernel = (struct kernel){.min = 51, .max = 922, .min_is_set = true, .max_is_set = true};
	test_write(f->root, VCPU "1/cpu.uclamp.min", "5.00\n");
	test_write(f->root, VCPU "1/cpu.uclamp.max", "90.00\n");
}

static void assert_all_as_before(unsigned point)
{
	static const char *const above[] = {SLICE, SCOPE, SCOPE "/libvirt"};
	char path[512];

	EXPECT(kernel->min == 51 && kernel->max == 922, "point %u: %u %u", point, kernel->min,
	       kernel->max);
	assert_true(kernel->min_is_set && kernel->max_is_set);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "5.00");
	wait_for_file(f, VCPU "1/cpu.uclamp.max", "90.00");
	for (size_t i = 0; i < ARRAY_SIZE(above); i++) {
		snprintf(path, sizeof(path), "%s/cpu.uclamp.min", above[i]);
		wait_for_file(f, path, "0.00");
	}
}

/* Whether the scenario had come so far. */
static bool kill_at(enum actuator_choice choice, unsigned point)
{
	int status;
	pid_t pid;

	kernel->dies_at = point;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		run_scenario(choice);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	EXPECT(WEXITSTATUS(status) == 9 || WEXITSTATUS(status) == 0, "point %u: exit %d", point,
	       WEXITSTATUS(status));
	return WEXITSTATUS(status) == 9;
}

static unsigned kill_everywhere(enum actuator_choice choice)
{
	unsigned point = 1;

	for (bool killed = true; killed; point++) {
		struct ledger_tally tally;

		reset_all();
		killed = kill_at(choice, point);
		kernel->dies_at = 0;
		tally = restore(f);
		EXPECT(tally.failed + tally.theirs + tally.gone + tally.damaged == 0, "point %u",
		       point);
		assert_all_as_before(point);
		assert_int_equal(restore(f).restored, 0);
		assert_all_as_before(point);
	}
	return point - 2;
}

static void test_by_thread(void **state _unused_)
{
	/* One call for each step, before and after it; the end has nothing but two restores. */
	assert_int_equal(kill_everywhere(ACTUATOR_THREAD), 2 * (ARRAY_SIZE(steps) + 2));
}

static void test_by_cgroup(void **state _unused_)
{
	/* Two files for most steps, and three above at first and at the end. */
	assert_true(kill_everywhere(ACTUATOR_CGROUP) > 2 * (ARRAY_SIZE(steps) + 6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLAMPS_TEST(test_by_thread),
		CLAMPS_TEST(test_by_cgroup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
