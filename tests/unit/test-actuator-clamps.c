/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/actuator_clamps.c: a vCPU's floor and ceiling by each of the means, beside an operator who
 * sets some of it himself. */
#include "tests/unit/test_clamps.h"

#include <signal.h>
#include <sys/resource.h>

/* -- by thread
 * ----------------------------------------------------------------------------------------*/

/* Each step is one system call, whatever of the two it changes, and none if it changes nothing. */
static void test_one_call(void **state _unused_)
{
	static const struct {
		unsigned floor, ceiling;
		uint32_t min, max;
		bool min_is_set, max_is_set;
	} rows[] = {
		{300, 400, 300, 400, true, true},    {500, 1024, 500, 1024, true, false},
		{500, 600, 500, 600, true, true},    {700, 800, 700, 800, true, true},
		{100, 200, 100, 200, true, true},    {100, 150, 100, 150, true, true},
		{120, 150, 120, 150, true, true},    {0, 150, 0, 150, false, true},
		{0, 1024, 0, 1024, false, false},    {1024, 1024, 1024, 1024, true, false},
		{0, 300, 0, 300, false, true},	     {900, 100, 900, 900, true, true},
		{900, 1024, 900, 1024, true, false}, {0, 0, 0, 1024, false, false},
	};

	open_actuator(ACTUATOR_THREAD, false);
	assert_true(actuator_has_ceilings(actuator));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (unsigned twice = 0; twice < 2; twice++) {
			assert_true(set_clamps(rows[i].floor, rows[i].ceiling) >= 0);
			EXPECT(kernel->writes == i + 1, "row %zu: %u writes", i, kernel->writes);
		}
		EXPECT(kernel->min == rows[i].min && kernel->max == rows[i].max, "row %zu: %u %u",
		       i, kernel->min, kernel->max);
		EXPECT(kernel->min_is_set == rows[i].min_is_set, "row %zu", i);
		EXPECT(kernel->max_is_set == rows[i].max_is_set, "row %zu", i);
	}
	assert_int_equal(actuator_changed(actuator), 0);
	close_actuator();
	assert_int_not_equal(access(f->ledger, F_OK), 0);
}

/* At the end, and when hostd had no end. */
static void test_put_back(void **state _unused_)
{
	kernel->min = 50;
	kernel->max = 900;
	kernel->min_is_set = kernel->max_is_set = true;
	open_actuator(ACTUATOR_THREAD, false);
	assert_true(set_clamps(300, 400) >= 0);
	assert_int_equal(actuator_changed(actuator), 2);
	assert_int_equal(close_actuator().restored, 2);
	assert_clamps(50, 900);

	open_actuator(ACTUATOR_THREAD, false);
	assert_true(set_clamps(300, 400) >= 0);
	assert_int_equal(actuator_clear_clamps(actuator, &actuated), 0);
	assert_clamps(50, 900);
	assert_int_equal(close_actuator().restored, 0);
}

/* What the operator had set before is the frame: no floor above his maximum, no ceiling below his
 * minimum. */
static void test_within_the_operators(void **state _unused_)
{
	kernel->min = 200;
	kernel->max = 500;
	open_actuator(ACTUATOR_THREAD, false);
	assert_sets(800, 1024, 500, 500);
	assert_sets(800, 900, 500, 500);
	assert_sets(300, 400, 300, 400);
	assert_sets(0, 100, 200, 200);
	assert_sets(0, 1024, 200, 500);
	/* He widens it while nothing of ours stands there. */
	kernel->max = 700;
	assert_sets(800, 1024, 700, 700);
	/* And narrows it: from the next change on that is the limit. */
	kernel->min = kernel->max = 100;
	assert_sets(600, 1024, 100, 100);
}

/* While a floor stands there, the operator's maximum is read once, and again by the verify pass and
 * when the kernel refuses: so a write of a floor is two reads by the door, and no more. */
static void test_maximum_is_kept(void **state _unused_)
{
	kernel->max = 500;
	open_actuator(ACTUATOR_THREAD, false);
	assert_true(set_clamps(300, 1024) >= 0);
	kernel->reads = 0;
	assert_true(set_clamps(400, 1024) >= 0);
	assert_int_equal(kernel->reads, 2);
	assert_sets(800, 1024, 500, 500);
	assert_true(set_clamps(450, 1024) >= 0);
	assert_int_equal(kernel->reads, 6);
	kernel->max = 700;
	assert_sets(800, 1024, 500, 700);
	assert_false(actuator_lost_ceiling(actuator, &actuated));
	assert_sets(900, 1024, 700, 700);
	assert_true(set_clamps(200, 1024) >= 0);
	kernel->max = 600;
	assert_sets(650, 1024, 600, 600);
	/* A ceiling of ours is read before it is changed, and only then. */
	assert_true(set_clamps(200, 300) >= 0);
	kernel->reads = 0;
	assert_true(set_clamps(250, 300) >= 0);
	assert_int_equal(kernel->reads, 2);
	assert_true(set_clamps(250, 310) >= 0);
	assert_int_equal(kernel->reads, 5);
	/* With a ceiling of ours, and after it, it is what stood there then. */
	assert_sets(200, 300, 200, 300);
	assert_sets(900, 1024, 600, 600);
	assert_true(set_clamps(200, 1024) >= 0);
	kernel->max = 550;
	assert_sets(900, 1024, 550, 550);
	/* Behind a ceiling, and where no floor stood, it is read anew. */
	assert_true(set_clamps(200, 300) >= 0);
	assert_true(set_clamps(400, 1024) >= 0);
	kernel->max = 650;
	assert_sets(900, 1024, 650, 650);
	assert_true(set_clamps(0, 1024) >= 0);
	kernel->max = 800;
	assert_sets(900, 1024, 800, 800);
	/* For a ceiling, too. */
	assert_true(set_clamps(200, 1024) >= 0);
	kernel->max = 300;
	assert_sets(200, 400, 200, 300);
	assert_sets(200, 250, 200, 250);
	close_actuator();
	assert_clamps(0, 300);
}

/* -- somebody else's word
 * -------------------------------------------------------------------------*/

/* `uclampset --max 350` while a ceiling of ours stands: it stays, whatever comes next. */
static void test_taken_before_a_change(void **state _unused_)
{
	static const unsigned next[][2] = {
		{300, 1024}, {0, 1024}, {320, 500}, {0, 310}, {600, 700}};

	for (size_t i = 0; i < ARRAY_SIZE(next); i++) {
		kernel->min = 0;
		kernel->max = 1024;
		open_actuator(ACTUATOR_THREAD, false);
		assert_true(set_clamps(300, 400) >= 0);
		kernel->max = 350;
		EXPECT(set_clamps(next[i][0], next[i][1]) >= 0, "row %zu", i);
		EXPECT(kernel->max == 350, "row %zu: %u", i, kernel->max);
		EXPECT(kernel->min == MIN(next[i][0], 350U), "row %zu: %u", i, kernel->min);
		assert_true(actuator_lost_ceiling(actuator, &actuated));
		/* From then on, too. */
		assert_sets(100, 200, 100, 350);
		close_actuator();
		assert_clamps(0, 350);
	}
}

static void test_taken_and_verified(void **state _unused_)
{
	open_actuator(ACTUATOR_THREAD, false);
	assert_true(set_clamps(300, 400) >= 0);
	assert_false(actuator_lost_ceiling(actuator, &actuated));
	assert_false(actuator_lost_floor(actuator, &actuated));
	kernel->max = 500;
	assert_false(actuator_lost_floor(actuator, &actuated));
	assert_true(actuator_lost_ceiling(actuator, &actuated));
	assert_sets(0, 1024, 0, 500);
	/* Other means come: a clean slate. */
	actuator_clear_clamps(actuator, &actuated);
	assert_false(actuator_lost_ceiling(actuator, &actuated));
	assert_sets(0, 450, 0, 450);
	close_actuator();
	assert_clamps(0, 500);
}

/* The floor alone is somebody else's: it isn't reset when both are to go, and is the least that a
 * ceiling leaves. */
static void test_floor_taken(void **state _unused_)
{
	open_actuator(ACTUATOR_THREAD, false);
	assert_true(set_clamps(300, 600) >= 0);
	kernel->min = 250;
	assert_sets(0, 1024, 250, 1024);
	assert_sets(0, 100, 250, 250);
	close_actuator();
	assert_clamps(250, 1024);
}

/* Set by somebody else after hostd had died: --restore leaves it. */
static void test_taken_after_death(void **state _unused_)
{
	struct ledger_tally tally;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		open_actuator(ACTUATOR_THREAD, false);
		(void)set_clamps(300, 400);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_clamps(300, 400);
	kernel->max = 500;
	tally = restore(f);
	assert_int_equal(tally.restored, 1);
	assert_int_equal(tally.theirs, 1);
	assert_clamps(0, 500);
}

/* -- failures, dry runs
 * ---------------------------------------------------------------------------*/

static void test_errors(void **state _unused_)
{
	static const int errors[] = {-EPERM, -EAGAIN, -EBUSY, -EOPNOTSUPP};

	open_actuator(ACTUATOR_THREAD, false);
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		kernel->error = errors[i];
		assert_int_equal(set_clamps(300, 400), errors[i]);
		assert_clamps(0, 1024);
		kernel->error = 0;
		assert_sets(300, 400, 300, 400);
		kernel->error = errors[i];
		assert_int_equal(set_clamps(500, 1024), errors[i]);
		assert_int_equal(set_clamps(0, 1024), errors[i]);
		assert_clamps(300, 400);
		kernel->error = 0;
		assert_sets(0, 1024, 0, 1024);
	}
	/* The thread is gone: there is nothing to put back any more. */
	assert_true(set_clamps(300, 400) >= 0);
	kernel->error = -ESRCH;
	assert_int_equal(set_clamps(500, 1024), -ESRCH);
	actuator_forget(actuator, &actuated);
	assert_int_equal(actuator_changed(actuator), 0);
	kernel->error = 0;
}

/* A floor that can't be set, or a ledger that can't be written, leaves no ceiling below it. */
static void test_lifted_all_the_same(void **state _unused_)
{
	static const unsigned next[] = {500, 1024};
	struct rlimit limit, full;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	full = limit;
	full.rlim_cur = 0;
	open_actuator(ACTUATOR_THREAD, false);
	for (size_t i = 0; i < ARRAY_SIZE(next); i++) {
		assert_true(set_clamps(300, 400) >= 0);
		kernel->min_error = -EPERM;
		assert_int_equal(set_clamps(450, next[i]), -EPERM);
		assert_clamps(300, 1024);
		kernel->min_error = 0;
		assert_sets(300, 400, 300, 400);

		assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
		/* One that is to be lower stays, and a floor that is to go goes. */
		assert_int_equal(set_clamps(310, 350), -EFBIG);
		assert_clamps(300, 400);
		assert_int_equal(set_clamps(450, next[i]), -EFBIG);
		assert_clamps(300, 1024);
		assert_int_equal(set_clamps(0, 350), -EFBIG);
		assert_clamps(0, 1024);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	}
	close_actuator();
	assert_clamps(0, 1024);
	assert_int_not_equal(access(f->ledger, F_OK), 0);
}

static void test_dry_run(void **state _unused_)
{
	open_actuator(ACTUATOR_THREAD, true);
	kernel->max = 800;
	assert_true(set_clamps(300, 400) >= 0);
	assert_int_equal(actuator_changed(actuator), 2);
	assert_false(actuator_lost_ceiling(actuator, &actuated));
	assert_true(set_clamps(500, 1024) >= 0);
	assert_int_equal(actuator_changed(actuator), 1);
	assert_true(set_clamps(0, 0) >= 0);
	assert_int_equal(actuator_changed(actuator), 0);
	assert_int_equal(kernel->writes, 0);
	assert_int_not_equal(access(f->ledger, F_OK), 0);
}

/* A ledger of a version that knew no ceilings: its one line for a thread was the minimum. */
static void test_old_ledger(void **state _unused_)
{
	static const char old[] =
		"vmfreq-ledger 1 11111111-2222-3333-4444-555555555555 #85c7afed\n"
		"prior uclamp:1002:2002:/machine.slice/machine-qemu\\x2d7\\x2dg.scope/libvirt/vcpu1"
		" =7 #69133314\n"
		"ours uclamp:1002:2002:/machine.slice/machine-qemu\\x2d7\\x2dg.scope/libvirt/vcpu1"
		" =300 #89f9ba09\n";

	test_write(f->root, "ledger", old);
	kernel->min = 300;
	kernel->max = 900;
	assert_int_equal(open_actuator(ACTUATOR_THREAD, false).restored, 1);
	assert_clamps(7, 900);
}

/* -- by cgroup
 * ----------------------------------------------------------------------------------------*/

static void expect_files(const char *min, const char *max)
{
	wait_for_file(f, VCPU "1/cpu.uclamp.min", min);
	wait_for_file(f, VCPU "1/cpu.uclamp.max", max);
}

/* The fake refuses each order but the right one. */
static void test_by_cgroup(void **state _unused_)
{
	uint64_t seed = 3;

	open_actuator(ACTUATOR_CGROUP, false);
	assert_true(actuator_has_ceilings(actuator));
	assert_true(set_clamps(256, 512) >= 0);
	expect_files("25.00", "50.00");
	wait_for_file(f, SCOPE "/cpu.uclamp.min", "max");
	wait_for_file(f, SCOPE "/cpu.uclamp.max", "max");
	kernel->writes = 0;
	assert_true(set_clamps(768, 896) >= 0);
	expect_files("75.00", "87.50");
	assert_true(set_clamps(128, 256) >= 0);
	expect_files("12.50", "25.00");
	assert_true(set_clamps(512, 1024) >= 0);
	expect_files("50.00", "max");
	assert_true(set_clamps(0, 256) >= 0);
	expect_files("0.00", "25.00");
	assert_int_equal(kernel->writes, 8);
	assert_true(set_clamps(0, 128) >= 0);
	assert_int_equal(kernel->writes, 9);
	for (unsigned i = 0; i < 1000; i++)
		EXPECT(set_clamps(test_random(&seed) % 1025, test_random(&seed) % 1025) >= 0, "%u",
		       i);
	close_actuator();
	expect_files("0.00", "max");
	wait_for_file(f, SCOPE "/cpu.uclamp.min", "0.00");
}

static void test_operators_cgroup(void **state _unused_)
{
	test_write(f->root, VCPU "1/cpu.uclamp.max", "50.00\n");
	open_actuator(ACTUATOR_CGROUP, false);
	assert_true(set_clamps(768, 1024) >= 0);
	expect_files("50.00", "50.00");
	assert_true(set_clamps(128, 256) >= 0);
	expect_files("12.50", "25.00");
	test_write(f->root, VCPU "1/cpu.uclamp.max", "37.50\n");
	assert_true(set_clamps(512, 1024) >= 0);
	expect_files("37.50", "37.50");
	close_actuator();
	expect_files("0.00", "37.50");
}

/* A cgroup that isn't one vCPU's own gets floors as ever, but no ceiling. */
static void test_shared_cgroup(void **state _unused_)
{
	strcpy(thread.cgroup, OF_CGROUPS(SCOPE "/libvirt"));
	write_thread(f->root, TID, SCOPE "/libvirt");
	open_actuator(ACTUATOR_CGROUP, false);
	assert_true(set_clamps(256, 512) >= 0);
	wait_for_file(f, SCOPE "/libvirt/cpu.uclamp.min", "25.00");
	wait_for_file(f, SCOPE "/libvirt/cpu.uclamp.max", "max");
	close_actuator();
	/* By thread it is the thread's alone, wherever that is. */
	open_actuator(ACTUATOR_THREAD, false);
	assert_sets(256, 512, 256, 512);
}

/* -- by cpufreq
 * --------------------------------------------------------------------------------*/

/* scaling_max_freq isn't ours. */
static void test_by_cpufreq(void **state _unused_)
{
	static const char policy[] = "sys/devices/system/cpu/cpufreq/policy%u/scaling_%s_freq";
	char path[128];
	uint64_t next;

	for (unsigned cpu = 0; cpu < 4; cpu++) {
		snprintf(path, sizeof(path), policy, cpu, "min");
		test_write(f->root, path, "600000\n");
		snprintf(path, sizeof(path), policy, cpu, "max");
		test_write(f->root, path, "3000000\n");
	}
	free(topology);
	assert_int_equal(topology_read(root_fd, &topology), 0);
	open_actuator(ACTUATOR_CPUFREQ, false);
	assert_true(actuator_has_floors(actuator));
	assert_false(actuator_has_ceilings(actuator));
	assert_true(set_clamps(600, 700) >= 0);
	actuator_tick(actuator, 0, USEC_PER_SEC, &next);
	snprintf(path, sizeof(path), policy, 1, "max");
	wait_for_file(f, path, "3000000");
	snprintf(path, sizeof(path), policy, 1, "min");
	assert_int_not_equal(actuator_changed(actuator), 0);
	/* A ceiling alone is nothing to do, and the floor goes all the same. */
	assert_true(set_clamps(0, 300) >= 0);
	close_actuator();
	wait_for_file(f, path, "600000");
	assert_int_equal(kernel->writes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLAMPS_TEST(test_one_call),
		CLAMPS_TEST(test_put_back),
		CLAMPS_TEST(test_within_the_operators),
		CLAMPS_TEST(test_maximum_is_kept),
		CLAMPS_TEST(test_taken_before_a_change),
		CLAMPS_TEST(test_taken_and_verified),
		CLAMPS_TEST(test_floor_taken),
		CLAMPS_TEST(test_taken_after_death),
		CLAMPS_TEST(test_errors),
		CLAMPS_TEST(test_lifted_all_the_same),
		CLAMPS_TEST(test_dry_run),
		CLAMPS_TEST(test_old_ledger),
		CLAMPS_TEST(test_by_cgroup),
		CLAMPS_TEST(test_operators_cgroup),
		CLAMPS_TEST(test_shared_cgroup),
		CLAMPS_TEST(test_by_cpufreq),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
