/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd/cpufreq.c: policies in a fake sysfs, taken over, given back, and left when they are
 * theirs. */
#include "tests/unit/test_root.h"

#include "guestd/cpufreq.h"

#define FOLDER "sys/devices/system/cpu/cpufreq/"

static struct cpufreq *cpufreq;

static void write_policy(const char *name, const char *governor, const char *cpus)
{
	static const char *const files[][2] = {
		{"cpuinfo_max_freq", "3000000\n"},
		{"scaling_min_freq", "1200000\n"},
		{"scaling_max_freq", "3000000\n"},
		{"scaling_setspeed", "1800000"},
		{"scaling_available_frequencies", "3000000 2400000 1800000 1200000 \n"}};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		write_file(files[i][1], FOLDER "%s/%s", name, files[i][0]);
	write_file(governor, FOLDER "%s/scaling_governor", name);
	write_file(cpus, FOLDER "%s/affected_cpus", name);
}

static void assert_policy(const char *name, const char *governor, const char *khz)
{
	char path[128];

	snprintf(path, sizeof(path), FOLDER "%s/scaling_governor", name);
	test_assert_file(dir, path, governor);
	snprintf(path, sizeof(path), FOLDER "%s/scaling_setspeed", name);
	test_assert_file(dir, path, khz);
}

static bool state_is_there(void)
{
	return faccessat(root_fd, CPUFREQ_STATE, F_OK, 0) == 0;
}

/* Puts a link where a file of policy0 was. */
static void replace(const char *file, const char *target)
{
	_cleanup_free_ char *path = NULL;

	assert_true(asprintf(&path, "%s/" FOLDER "policy0/%s", dir, file) > 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(target, path), 0);
}

static int setup(void **state)
{
	int r = root_setup(state);

	cpufreq = NULL;
	test_write(dir, "run/x", "");
	write_policy("policy0", "schedutil", "0 1 \n");
	write_policy("policy2", "userspace", "2\n");
	return r;
}

static int teardown(void **state)
{
	cpufreq_close(cpufreq);
	return root_teardown(state);
}

static unsigned find(unsigned id)
{
	for (unsigned i = 0; i < cpufreq_count(cpufreq); i++)
		if (cpufreq_policy(cpufreq, i)->id == id)
			return i;
	fail_msg("no policy%u", id);
	return 0;
}

static void take_all(void)
{
	int error;

	assert_int_equal(cpufreq_open(root_fd, &cpufreq), 0);
	assert_int_equal(cpufreq_take(cpufreq, &error), 0);
	assert_int_equal(error, 0);
	assert_int_equal(cpufreq_count_held(cpufreq, CPUFREQ_HOLD_OURS), 2);
}

static void test_scan(_unused_ void **state)
{
	const struct governor_policy *can;

	test_write(dir, FOLDER "policy9/affected_cpus", "9\n"); /* offline: nothing to read */
	test_write(dir, FOLDER "policyx/affected_cpus", "9\n");
	test_write(dir, FOLDER "boost", "1\n");
	assert_int_equal(cpufreq_open(root_fd, &cpufreq), 0);
	assert_int_equal(cpufreq_count(cpufreq), 2);
	can = &cpufreq_policy(cpufreq, find(0))->can;
	assert_int_equal(can->top_khz, 3000000);
	assert_int_equal(can->min_khz, 1200000);
	assert_int_equal(can->n_steps, 4);
	assert_int_equal(can->step_khz[0], 1200000);
	assert_int_equal(can->step_khz[3], 3000000);
	assert_int_equal(cpumask_count(&can->cpus), 2);
	assert_true(cpumask_has(&can->cpus, 1));
	test_write(dir, FOLDER "policy0/scaling_max_freq", "2400000\n");
	cpufreq_refresh(cpufreq, find(0));
	assert_int_equal(cpufreq_policy(cpufreq, find(0))->can.max_khz, 2400000);
	assert_policy("policy0", "schedutil", "1800000"); /* looking changes nothing */
}

static void test_none(_unused_ void **state)
{
	_cleanup_close_ int empty_fd = openat(root_fd, "run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error;

	assert_int_equal(cpufreq_open(empty_fd, &cpufreq), 0);
	assert_int_equal(cpufreq_count(cpufreq), 0);
	assert_int_equal(cpufreq_take(cpufreq, &error), 0);
	assert_int_equal(cpufreq_restore(cpufreq), 0);
}

static void test_take_set_restore(_unused_ void **state)
{
	take_all();
	assert_policy("policy0", "userspace", "1800000");
	assert_true(state_is_there());
	assert_int_equal(cpufreq_set(cpufreq, find(0), 2400000), 0);
	assert_int_equal(cpufreq_set(cpufreq, find(2), 1200000), 0);
	assert_policy("policy0", "userspace", "2400000");
	assert_policy("policy2", "userspace", "1200000");
	assert_int_equal(cpufreq_restore(cpufreq), 0);
	assert_policy("policy0", "schedutil", "2400000"); /* its governor sets it */
	assert_policy("policy2", "userspace", "1800000"); /* it was a speed: that one */
	assert_false(state_is_there());
}

/* Killed: the next start gives back what the last one found, not what it left. */
static void test_killed(_unused_ void **state)
{
	unsigned left = 9;

	take_all();
	cpufreq_set(cpufreq, find(2), 1200000);
	cpufreq_close(cpufreq);
	cpufreq = NULL;
	assert_int_equal(cpufreq_recover(root_fd, &left), 2);
	assert_int_equal(left, 0);
	assert_policy("policy0", "schedutil", "1800000");
	assert_policy("policy2", "userspace", "1800000");
	assert_false(state_is_there());
	assert_int_equal(cpufreq_recover(root_fd, &left), 0); /* twice does no harm */
	assert_policy("policy0", "schedutil", "1800000");
}

static void test_killed_and_changed(_unused_ void **state)
{
	unsigned left = 0;

	take_all();
	test_write(dir, FOLDER "policy0/scaling_governor", "powersave");
	assert_int_equal(cpufreq_recover(root_fd, &left), 1);
	assert_int_equal(left, 1);
	assert_policy("policy0", "powersave", "1800000");
	assert_false(state_is_there());
}

static void test_theirs(_unused_ void **state)
{
	take_all();
	test_write(dir, FOLDER "policy0/scaling_governor", "powersave");
	assert_int_equal(cpufreq_set(cpufreq, find(0), 2400000), -ECANCELED);
	assert_int_equal(cpufreq_policy(cpufreq, find(0))->hold, CPUFREQ_HOLD_THEIRS);
	assert_policy("policy0", "powersave", "1800000");
	/* Also if they set our governor later: it stays theirs. */
	test_write(dir, FOLDER "policy0/scaling_governor", "userspace");
	assert_int_equal(cpufreq_restore(cpufreq), 0);
	assert_policy("policy0", "userspace", "1800000");
	assert_false(state_is_there());
}

/* Seen also where nothing has to be set. */
static void test_theirs_by_looking(_unused_ void **state)
{
	take_all();
	assert_int_equal(cpufreq_refresh(cpufreq, find(0)), 0);
	test_write(dir, FOLDER "policy0/scaling_governor", "powersave");
	assert_int_equal(cpufreq_refresh(cpufreq, find(0)), -ECANCELED);
	assert_int_equal(cpufreq_policy(cpufreq, find(0))->hold, CPUFREQ_HOLD_THEIRS);
	assert_int_equal(cpufreq_refresh(cpufreq, find(0)), 0); /* no longer news */
	assert_int_equal(cpufreq_restore(cpufreq), 0);
	assert_policy("policy0", "powersave", "1800000");
}

static void test_look(_unused_ void **state)
{
	assert_int_equal(cpufreq_open(root_fd, &cpufreq), 0);
	cpufreq_look(cpufreq, find(0));
	assert_int_equal(cpufreq_policy(cpufreq, find(0))->cur_khz, 0);
	test_write(dir, FOLDER "policy0/scaling_cur_freq", "2400000\n");
	cpufreq_look(cpufreq, find(0));
	assert_int_equal(cpufreq_policy(cpufreq, find(0))->cur_khz, 2400000);
	test_write(dir, FOLDER "policy0/scaling_cur_freq", "<unknown>\n");
	cpufreq_look(cpufreq, find(0));
	assert_int_equal(cpufreq_policy(cpufreq, find(0))->cur_khz, 0);
}

static void test_theirs_at_the_end(_unused_ void **state)
{
	take_all();
	test_write(dir, FOLDER "policy0/scaling_governor", "powersave");
	assert_int_equal(cpufreq_restore(cpufreq), 0);
	assert_policy("policy0", "powersave", "1800000");
}

static void test_no_userspace(_unused_ void **state)
{
	int error = 0;

	replace("scaling_governor", "/proc/version"); /* can be read, and not written */
	assert_int_equal(cpufreq_open(root_fd, &cpufreq), 0);
	assert_int_equal(cpufreq_take(cpufreq, &error), 0);
	assert_int_equal(cpufreq_count_held(cpufreq, CPUFREQ_HOLD_OURS), 1);
	assert_int_equal(cpufreq_count_held(cpufreq, CPUFREQ_HOLD_NEVER), 1);
	assert_int_equal(cpufreq_restore(cpufreq), 0);
	assert_false(state_is_there());
}

/* What can't be written down isn't touched. */
static void test_no_state(_unused_ void **state)
{
	int error = 0;

	test_write(dir, "run/vmfreq-guestd", "a file where the folder should be");
	assert_int_equal(cpufreq_open(root_fd, &cpufreq), 0);
	assert_int_equal(cpufreq_take(cpufreq, &error), -ENOTDIR);
	assert_int_equal(cpufreq_count_held(cpufreq, CPUFREQ_HOLD_FREE), 2);
	assert_policy("policy0", "schedutil", "1800000");
	unlinkat(root_fd, "run/vmfreq-guestd", 0);
	assert_int_equal(cpufreq_take(cpufreq, &error), 0); /* later it may work */
	assert_int_equal(cpufreq_count_held(cpufreq, CPUFREQ_HOLD_OURS), 2);
}

static void test_set_faults(_unused_ void **state)
{
	take_all();
	replace("scaling_setspeed", "/dev/full");
	assert_int_equal(cpufreq_set(cpufreq, find(0), 2400000), -ENOSPC); /* may work later */
	assert_int_equal(cpufreq_policy(cpufreq, find(0))->hold, CPUFREQ_HOLD_OURS);
	replace("scaling_setspeed", "/proc/version/x"); /* ENOTDIR: never */
	assert_int_equal(cpufreq_set(cpufreq, find(0), 2400000), -ENOTDIR);
	assert_int_equal(cpufreq_policy(cpufreq, find(0))->hold, CPUFREQ_HOLD_NEVER);
	test_assert_file(dir, FOLDER "policy0/scaling_governor", "schedutil");
	assert_true(state_is_there());	     /* for policy2 */
	replace("scaling_setspeed", "none"); /* gone, with its CPU */
	cpufreq_policy(cpufreq, find(0))->hold = CPUFREQ_HOLD_OURS;
	test_write(dir, FOLDER "policy0/scaling_governor", "userspace");
	assert_int_equal(cpufreq_set(cpufreq, find(0), 2400000), -ENOENT);
	assert_false(cpufreq_policy(cpufreq, find(0))->seen);
}

static void test_restore_fails(_unused_ void **state)
{
	unsigned left = 0;

	take_all();
	replace("scaling_governor", "/dev/full"); /* can't be read: nobody knows whose it is */
	assert_int_equal(cpufreq_restore(cpufreq), -EFBIG);
	assert_true(state_is_there());
	assert_policy("policy2", "userspace", "1800000"); /* the other one is done */

	/* policy2's speed can't be written: it stays written down, and the other is done. */
	test_write(dir, CPUFREQ_STATE,
		   "policy2 userspace 1800000\nnonsense\npolicy7 schedutil 0\n");
	test_write(dir, FOLDER "policy2/scaling_governor", "userspace");
	unlinkat(root_fd, FOLDER "policy2/scaling_setspeed", 0);
	assert_int_equal(symlinkat("/dev/full", root_fd, FOLDER "policy2/scaling_setspeed"), 0);
	assert_int_equal(cpufreq_recover(root_fd, &left), -ENOSPC);
	assert_true(state_is_there());
	unlinkat(root_fd, FOLDER "policy2/scaling_setspeed", 0);
	test_write(dir, FOLDER "policy2/scaling_setspeed", "1200000");
	assert_int_equal(cpufreq_recover(root_fd, &left), 1);
	assert_int_equal(left, 2);
	assert_policy("policy2", "userspace", "1800000");
}

static void test_hotplug(_unused_ void **state)
{
	int error;

	take_all();
	write_policy("policy5", "schedutil", "5\n");
	cpufreq_policy(cpufreq, find(2))->id = 7; /* as if policy7 had been, and policy2 were new */
	assert_int_equal(cpufreq_scan(cpufreq), 0);
	assert_int_equal(cpufreq_count(cpufreq), 3);
	cpufreq_policy(cpufreq, find(2))->hold = CPUFREQ_HOLD_OURS;
	assert_int_equal(cpufreq_policy(cpufreq, find(2))->hold, CPUFREQ_HOLD_OURS);
	assert_int_equal(cpufreq_policy(cpufreq, find(5))->hold, CPUFREQ_HOLD_FREE);
	assert_int_equal(cpufreq_take(cpufreq, &error), 0);
	assert_int_equal(cpufreq_restore(cpufreq), 0);
	assert_policy("policy5", "schedutil", "1800000");
}

/* Offline, and online again with the governor that it had: what was there before us isn't that. */
static void test_offline(_unused_ void **state)
{
	int error;

	take_all();
	governor_wrote(&cpufreq_policy(cpufreq, find(0))->state, 2400000, 1);
	unlinkat(root_fd, FOLDER "policy0/cpuinfo_max_freq", 0); /* can't be read */
	assert_int_equal(cpufreq_scan(cpufreq), 0);
	assert_int_equal(cpufreq_count(cpufreq), 2);
	assert_false(cpufreq_policy(cpufreq, find(0))->seen);
	test_write(dir, FOLDER "policy0/cpuinfo_max_freq", "3000000\n");
	assert_int_equal(cpufreq_scan(cpufreq), 0);
	assert_true(cpufreq_policy(cpufreq, find(0))->seen);
	/* A governor that starts anew has another speed: it is to be set again. */
	assert_int_equal(cpufreq_policy(cpufreq, find(0))->state.written_khz, 0);
	assert_int_equal(cpufreq_take(cpufreq, &error), 0);

	/* The same, but with another governor: it is new, and taken again. */
	unlinkat(root_fd, FOLDER "policy0/cpuinfo_max_freq", 0);
	assert_int_equal(cpufreq_scan(cpufreq), 0);
	write_policy("policy0", "powersave", "0 1\n");
	assert_int_equal(cpufreq_scan(cpufreq), 0);
	assert_int_equal(cpufreq_policy(cpufreq, find(0))->hold, CPUFREQ_HOLD_FREE);
	assert_int_equal(cpufreq_take(cpufreq, &error), 0);
	assert_int_equal(cpufreq_restore(cpufreq), 0);
	assert_policy("policy0", "powersave", "1800000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_scan, setup, teardown),
		cmocka_unit_test_setup_teardown(test_none, setup, teardown),
		cmocka_unit_test_setup_teardown(test_take_set_restore, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed_and_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_theirs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_theirs_by_looking, setup, teardown),
		cmocka_unit_test_setup_teardown(test_look, setup, teardown),
		cmocka_unit_test_setup_teardown(test_theirs_at_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_userspace, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_state, setup, teardown),
		cmocka_unit_test_setup_teardown(test_set_faults, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restore_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hotplug, setup, teardown),
		cmocka_unit_test_setup_teardown(test_offline, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
