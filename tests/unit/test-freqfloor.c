/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/freqfloor.c below a made-up root: floors of threads become minimum frequencies of the
 * policies that they run on, follow them, and are put back; what somebody else chose stands. */
#include "tests/unit/test_policies.h"

#include "hostd/freqfloor.h"
#include "hostd/freqplan.h"
#include "hostd/minfreq.h"

#define MSEC	 USEC_PER_MSEC
#define INTERVAL (4 * MSEC)
#define LOOK	 (10 * MSEC)
#define HOLD	 FREQPLAN_HOLD_USEC
#define BOOT_ID	 "11111111-2222-3333-4444-555555555555"

static char *ledger_path;
static struct minfreq_door door;
static struct setting_ops ops;
static struct ledger *ledger;
static struct freqfloor *floors;
static uint64_t now;
static int write_error; /* what writes to the host give */
static unsigned writes;

int __real_rootfs_write(int fd, const char *path, const char *text);
int __wrap_rootfs_write(int fd, const char *path, const char *text);
int __wrap_rootfs_write(int fd, const char *path, const char *text)
{
	writes++;
	return write_error ? write_error : __real_rootfs_write(fd, path, text);
}

static void write_thread(unsigned tid, unsigned start, unsigned cpu)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "%u (CPU 0/KVM) S 1 1 1 0 -1 0 0 0 0 0 5 5 0 0 20 0 9 0 %u 0 0 0 0 0 0 0 0 0 0 0 "
		 "0 0 0 0 17 %u 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
		 tid, start, cpu);
	write_file(text, "proc/%u/task/%u/stat", tid, tid);
}

static void end_thread(unsigned tid)
{
	char path[128];

	snprintf(path, sizeof(path), "proc/%u/task/%u/stat", tid, tid);
	assert_int_equal(unlinkat(root_fd, path, 0), 0);
}

static void read_policy(unsigned number, const char *file, char *text, size_t size)
{
	char path[128];

	snprintf(path, sizeof(path), CPUFREQ "/policy%u/%s", number, file);
	assert_true(rootfs_read_line(root_fd, path, text, size) >= 0);
}

#define ASSERT_MIN(number, khz)                                                                    \
	do {                                                                                       \
		char text_[32];                                                                    \
		read_policy(number, "scaling_min_freq", text_, sizeof(text_));                     \
		EXPECT(strcmp(text_, khz) == 0, "policy %u stands at %s", number, text_);          \
	} while (0)

/* -- the table under test
 * -------------------------------------------------------------------------*/

static void open_all(void)
{
	assert_int_equal(ledger_open(ledger_path, BOOT_ID, &ops, 1, &ledger), 0);
	assert_int_equal(freqfloor_new(root_fd, ledger, topology, &floors), 0);
}

static struct ledger_tally close_all(void)
{
	struct ledger_tally tally = {};

	floors = freqfloor_free(floors);
	ledger_restore_all(ledger, &tally);
	ledger = ledger_close(ledger);
	return tally;
}

static int setup(void **state)
{
	assert_int_equal(root_setup(state), 0);
	assert_true(asprintf(&ledger_path, "%s/ledger", dir) > 0);
	read_cpus();
	write_thread(1001, 7, 0);
	write_thread(1002, 7, 2);
	door = (struct minfreq_door){root_fd};
	minfreq_setting_ops(&door, &ops);
	now = 1000 * USEC_PER_SEC;
	write_error = 0;
	open_all();
	return 0;
}

static int teardown(void **state)
{
	if (ledger)
		close_all();
	free(topology);
	free(ledger_path);
	return root_teardown(state);
}

static int set(pid_t tid, uint16_t floor, const char *cpus)
{
	const struct vcpu_thread thread = {.tid = tid, .start_time = 7};
	struct cpumask mask = {};

	assert_int_equal(cpumask_parse(cpus ? cpus : "", &mask), 0);
	return freqfloor_set(floors, &thread, floor, cpus ? &mask : NULL);
}

static uint64_t tick_in(uint64_t usec)
{
	uint64_t next = 4711;

	now += usec;
	freqfloor_tick(floors, INTERVAL, now, &next);
	EXPECT(next > now, "%llu usec ago", (unsigned long long)(now - next));
	return next == USEC_INFINITY ? 0 : next - now;
}

/* -- tests
 * ----------------------------------------------------------------------------------------*/

static void test_floor(_unused_ void **state)
{
	uint16_t effective = 0;

	assert_int_equal(tick_in(0), 0);
	assert_int_equal(set(1001, 256, "0-3"), 0);
	assert_int_equal(set(1002, 500, "0-3"), 0);
	assert_int_equal(tick_in(1), LOOK);
	ASSERT_MIN(0, "1000000"); /* half of what a small CPU can do */
	ASSERT_MIN(2, "1800000"); /* the next of its steps */
	assert_int_equal(freqfloor_effective(floors, 1, &effective), 0);
	assert_int_equal(effective, 256);
	assert_int_equal(freqfloor_effective(floors, 3, &effective), 0);
	assert_int_equal(effective, 614);
	assert_int_equal(freqfloor_effective(floors, 7, &effective), -ENODATA);

	/* Steady: looked at, and nothing written. */
	writes = 0;
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(tick_in(LOOK), LOOK);
	assert_int_equal(writes, 0);

	freqfloor_clear(floors, 1001);
	freqfloor_clear(floors, 1002);
	freqfloor_clear(floors, 4711);
	assert_int_equal(tick_in(1), HOLD);
	assert_int_equal(tick_in(HOLD), 0);
	ASSERT_MIN(0, "400000");
	ASSERT_MIN(2, "600000");
}

/* The largest of those that share a policy counts. */
static void test_shared(_unused_ void **state)
{
	write_thread(1001, 7, 3);
	assert_int_equal(set(1001, 300, NULL), 0);
	assert_int_equal(set(1002, 1024, NULL), 0);
	tick_in(1);
	ASSERT_MIN(2, "3000000");
	ASSERT_MIN(0, "400000");
	freqfloor_clear(floors, 1002);
	tick_in(1);
	tick_in(HOLD);
	ASSERT_MIN(2, "1200000");
}

static void test_follows_its_thread(_unused_ void **state)
{
	assert_int_equal(set(1001, 512, "0-3"), 0);
	assert_int_equal(tick_in(1), LOOK);
	ASSERT_MIN(0, "2000000");
	write_thread(1001, 7, 2);
	assert_int_equal(tick_in(LOOK / 2), LOOK / 2); /* not looked at yet */
	ASSERT_MIN(2, "600000");
	tick_in(LOOK / 2);
	ASSERT_MIN(2, "1800000");
	ASSERT_MIN(0, "2000000"); /* held */
	for (unsigned i = 0; i < HOLD / LOOK; i++)
		tick_in(LOOK);
	ASSERT_MIN(0, "400000");
	ASSERT_MIN(2, "1800000");
}

/* Pinned within one policy, by us or by libvirt: never looked at, and right all the same. */
static void test_pinned(_unused_ void **state)
{
	struct cpumask big = {};

	cpumask_set(&big, 2);
	cpumask_set(&big, 3);
	assert_int_equal(set(1001, 512, "2-3"), 0);
	assert_int_equal(tick_in(1), 0);
	ASSERT_MIN(2, "1800000");
	ASSERT_MIN(0, "400000");
	/* Let go: it is where /proc says. */
	freqfloor_set_cpus(floors, 1001, NULL);
	assert_int_equal(tick_in(INTERVAL), LOOK);
	tick_in(LOOK);
	ASSERT_MIN(0, "2000000");
	freqfloor_set_cpus(floors, 1001, &big);
	freqfloor_set_cpus(floors, 4711, &big);
	tick_in(INTERVAL);
	tick_in(HOLD);
	ASSERT_MIN(0, "400000");
	ASSERT_MIN(2, "1800000");
}

static void test_thread_ends(_unused_ void **state)
{
	assert_int_equal(set(1001, 512, NULL), 0);
	tick_in(1);
	ASSERT_MIN(0, "2000000");
	end_thread(1001);
	tick_in(LOOK);
	tick_in(HOLD);
	ASSERT_MIN(0, "400000");
	assert_int_equal(set(1001, 512, NULL), -ESRCH);
	/* And one that has got its number isn't taken for it. */
	write_thread(1001, 8, 0);
	assert_int_equal(set(1001, 512, NULL), -ESRCH);
	assert_int_equal(tick_in(1), 0);
	ASSERT_MIN(0, "400000");
}

/* More than was there before us, or nothing. */
static void test_prior_is_enough(_unused_ void **state)
{
	write_policy(2, "scaling_min_freq", "2400000");
	assert_int_equal(set(1002, 500, "2-3"), 0);
	writes = 0;
	assert_int_equal(tick_in(1), 0);
	assert_int_equal(writes, 0);
	ASSERT_MIN(2, "2400000");
	assert_int_equal(set(1002, 900, "2-3"), 0);
	tick_in(INTERVAL);
	ASSERT_MIN(2, "3000000");
	assert_int_equal(set(1002, 500, "2-3"), 0);
	tick_in(INTERVAL);
	tick_in(HOLD);
	ASSERT_MIN(2, "2400000");
	assert_int_equal(close_all().failed, 0);
	ASSERT_MIN(2, "2400000");
}

static void test_never_above_the_maximum(_unused_ void **state)
{
	write_policy(2, "scaling_max_freq", "1800000");
	assert_int_equal(set(1002, 1024, "2-3"), 0);
	tick_in(1);
	ASSERT_MIN(2, "1800000");
	/* What lowers it while we stand above is no hand on our setting: the kernel shows it so. */
	write_policy(2, "scaling_max_freq", "1200000");
	write_policy(2, "scaling_min_freq", "1200000");
	tick_in(USEC_PER_SEC);
	freqfloor_verify(floors, now);
	tick_in(1);
	tick_in(HOLD);
	assert_false(freqfloor_is_theirs(floors, 2));
	ASSERT_MIN(2, "1200000");
	write_policy(2, "scaling_max_freq", "3000000");
	tick_in(USEC_PER_SEC);
	freqfloor_verify(floors, now);
	tick_in(1);
	ASSERT_MIN(2, "3000000");
}

static void test_somebody_else(_unused_ void **state)
{
	assert_int_equal(set(1002, 500, "2-3"), 0);
	tick_in(1);
	ASSERT_MIN(2, "1800000");
	write_policy(2, "scaling_min_freq", "2400000");
	assert_int_equal(set(1002, 1024, "2-3"), 0);
	tick_in(INTERVAL);
	assert_true(freqfloor_is_theirs(floors, 3));
	assert_false(freqfloor_is_theirs(floors, 0));
	ASSERT_MIN(2, "2400000");
	freqfloor_clear(floors, 1002);
	tick_in(USEC_PER_SEC);
	assert_int_equal(set(1001, 512, "0-1"), 0);
	tick_in(INTERVAL);
	ASSERT_MIN(0, "2000000"); /* the others are still ours */
	assert_int_equal(close_all().restored, 1);
	ASSERT_MIN(0, "400000");
	ASSERT_MIN(2, "2400000");
}

/* Nothing is to be written, so it is the look every few seconds that notices. */
static void test_somebody_else_in_peace(_unused_ void **state)
{
	assert_int_equal(set(1002, 500, "2-3"), 0);
	tick_in(1);
	tick_in(USEC_PER_SEC);
	write_policy(2, "scaling_min_freq", "600000"); /* just what was there before */
	freqfloor_verify(floors, now);
	tick_in(1);
	assert_true(freqfloor_is_theirs(floors, 2));
	ASSERT_MIN(2, "600000");
}

/* While we want nothing, what somebody chooses is what we go back to. */
static void test_somebody_else_while_idle(_unused_ void **state)
{
	assert_int_equal(set(1002, 500, "2-3"), 0);
	tick_in(1);
	freqfloor_clear(floors, 1002);
	tick_in(1);
	tick_in(HOLD);
	ASSERT_MIN(2, "600000");
	write_policy(2, "scaling_min_freq", "1200000");
	assert_int_equal(set(1002, 500, "2-3"), 0);
	tick_in(INTERVAL);
	assert_false(freqfloor_is_theirs(floors, 2));
	ASSERT_MIN(2, "1800000");
	close_all();
	ASSERT_MIN(2, "1200000");
}

/* The kernel still shows a former value for a moment after a write: nobody's hand. */
static void test_lag(_unused_ void **state)
{
	assert_int_equal(set(1002, 500, "2-3"), 0);
	tick_in(1);
	write_policy(2, "scaling_min_freq", "600000");
	assert_int_equal(set(1002, 1024, "2-3"), 0);
	tick_in(INTERVAL);
	ASSERT_MIN(2, "3000000");
	write_policy(2, "scaling_min_freq", "1800000");
	freqfloor_verify(floors, now);
	tick_in(1);
	assert_false(freqfloor_is_theirs(floors, 2));
	/* Nor does it make us stop with our value on its way. */
	write_policy(2, "scaling_min_freq", "600000");
	assert_int_equal(close_all().restored, 1);
	ASSERT_MIN(2, "600000");
}

/* At the end of a floor our value may still be read: it isn't taken for what was there before. */
static void test_lag_at_the_end(_unused_ void **state)
{
	assert_int_equal(set(1002, 500, "2-3"), 0);
	tick_in(1);
	freqfloor_clear(floors, 1002);
	tick_in(1);
	tick_in(HOLD);
	write_policy(2, "scaling_min_freq", "1800000"); /* as if it were on its way */
	assert_int_equal(set(1002, 1024, "2-3"), 0);
	tick_in(INTERVAL);
	ASSERT_MIN(2, "3000000");
	close_all();
	ASSERT_MIN(2, "600000");
}

/* Once at rest nothing of ours is left in the ledger. */
static void test_rest(_unused_ void **state)
{
	assert_int_equal(set(1002, 500, "2-3"), 0);
	tick_in(1);
	freqfloor_clear(floors, 1002);
	tick_in(1);
	tick_in(HOLD);
	freqfloor_verify(floors, now);
	assert_int_equal(ledger_count(ledger), 1);
	tick_in(USEC_PER_SEC);
	freqfloor_verify(floors, now);
	assert_int_equal(ledger_count(ledger), 0);
	writes = 0;
	assert_int_equal(tick_in(1), 0);
	assert_int_equal(writes, 0);
	assert_int_equal(set(1002, 500, "2-3"), 0);
	tick_in(1);
	ASSERT_MIN(2, "1800000");
}

static void test_writes_fail(_unused_ void **state)
{
	write_error = -EBUSY; /* all its CPUs are offline */
	assert_int_equal(set(1002, 500, "2-3"), 0);
	assert_int_equal(tick_in(1), 100 * MSEC);
	assert_int_equal(freqfloor_error(floors, 2), -EBUSY);
	assert_int_equal(freqfloor_error(floors, 0), 0);
	writes = 0;
	tick_in(50 * MSEC);
	assert_int_equal(writes, 0);
	write_error = -EACCES; /* won't work: asked again once a minute */
	assert_int_equal(tick_in(50 * MSEC), 60 * USEC_PER_SEC);
	write_error = 0;
	assert_int_equal(tick_in(60 * USEC_PER_SEC), 0);
	assert_int_equal(freqfloor_error(floors, 2), 0);
	ASSERT_MIN(2, "1800000");
}

/* Its CPUs go and come back, and so does the policy: with another driver it is another one. */
static void test_hotplug(_unused_ void **state)
{
	assert_int_equal(set(1002, 500, "0-3"), 0);
	tick_in(1);
	ASSERT_MIN(2, "1800000");
	test_write(dir, "sys/devices/system/cpu/online", "0-1\n");
	assert_int_equal(renameat(root_fd, CPUFREQ "/policy2", root_fd, "gone"), 0);
	assert_int_equal(topology_refresh(root_fd, topology), 0);
	assert_int_equal(topology->n_policies, 1);
	write_thread(1002, 7, 1);
	assert_int_equal(tick_in(LOOK), 0); /* nowhere else to go */
	freqfloor_set_cpus(floors, 1002, NULL);
	freqfloor_clear(floors, 1002);
	assert_int_equal(set(1002, 256, NULL), 0);
	tick_in(INTERVAL);
	ASSERT_MIN(0, "1000000");

	test_write(dir, "sys/devices/system/cpu/online", "0-3\n");
	write_policies("amd-pstate");
	assert_int_equal(topology_refresh(root_fd, topology), 0);
	write_thread(1002, 7, 3);
	tick_in(LOOK);
	assert_int_equal(set(1002, 300, NULL), 0);
	tick_in(INTERVAL);
	ASSERT_MIN(2, "1200000");
	assert_false(freqfloor_is_theirs(floors, 2));
	close_all();
	ASSERT_MIN(2, "600000");
	ASSERT_MIN(0, "400000");
}

static void test_policy_is_gone_at_the_end(_unused_ void **state)
{
	struct ledger_tally tally;

	assert_int_equal(set(1002, 500, "2-3"), 0);
	tick_in(1);
	assert_int_equal(renameat(root_fd, CPUFREQ "/policy2", root_fd, "gone"), 0);
	tally = close_all();
	assert_int_equal(tally.gone, 1);
	assert_int_equal(tally.failed, 0);
}

/* What a crash leaves is put back by the next run, at whatever point it came. */
static void test_crash(_unused_ void **state)
{
	static const struct {
		const char *stands; /* in the file, when the next run reads it */
		unsigned restored, theirs;
		const char *end;
	} rows[] = {
		{"3000000", 1, 0, "600000"},  /* after the last write */
		{"1800000", 1, 0, "600000"},  /* between its note and it */
		{"600000", 1, 0, "600000"},   /* the same after the first note: written once more */
		{"2400000", 0, 1, "2400000"}, /* somebody else since */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ledger_tally tally;

		write_policy(2, "scaling_min_freq", "600000");
		if (!ledger)
			open_all();
		assert_int_equal(set(1002, 500, "2-3"), 0);
		tick_in(1);
		assert_int_equal(set(1002, 1024, "2-3"), 0);
		tick_in(INTERVAL);
		ASSERT_MIN(2, "3000000");
		floors = freqfloor_free(floors);
		ledger = ledger_close(ledger); /* with nothing put back: the file stays */
		write_policy(2, "scaling_min_freq", rows[i].stands);

		assert_int_equal(ledger_open(ledger_path, BOOT_ID, &ops, 1, &ledger), 0);
		tally = close_all();
		EXPECT(tally.restored == rows[i].restored, "row %zu: %u", i, tally.restored);
		EXPECT(tally.theirs == rows[i].theirs, "row %zu: %u", i, tally.theirs);
		ASSERT_MIN(2, rows[i].end);
		assert_int_not_equal(access(ledger_path, F_OK), 0);
	}
}

/* A policy that couldn't be put back then, for it was offline, is taken on with what was there. */
static void test_taken_on(_unused_ void **state)
{
	struct ledger_tally tally = {};

	assert_int_equal(set(1002, 500, "2-3"), 0);
	tick_in(1);
	floors = freqfloor_free(floors);
	ledger = ledger_close(ledger);
	write_error = -EBUSY;
	assert_int_equal(ledger_open(ledger_path, BOOT_ID, &ops, 1, &ledger), 0);
	ledger_restore_all(ledger, &tally);
	assert_int_equal(tally.failed, 1);
	write_error = 0;
	assert_int_equal(freqfloor_new(root_fd, ledger, topology, &floors), 0);
	assert_int_equal(set(1002, 1024, "2-3"), 0);
	tick_in(INTERVAL);
	ASSERT_MIN(2, "3000000");
	close_all();
	ASSERT_MIN(2, "600000");
}

static void test_dry(_unused_ void **state)
{
	close_all();
	assert_int_equal(ledger_open_dry(&ops, 1, &ledger), 0);
	assert_int_equal(freqfloor_new(root_fd, ledger, topology, &floors), 0);
	assert_int_equal(set(1002, 500, NULL), 0);
	writes = 0;
	tick_in(1);
	for (unsigned i = 0; i < 200; i++)
		tick_in(LOOK);
	freqfloor_verify(floors, now);
	tick_in(1);
	assert_false(freqfloor_is_theirs(floors, 2));
	freqfloor_clear(floors, 1002);
	tick_in(1);
	tick_in(HOLD);
	close_all();
	assert_int_equal(writes, 0);
	ASSERT_MIN(2, "600000");
}

static void test_put_back(_unused_ void **state)
{
	assert_int_equal(set(1001, 512, NULL), 0);
	assert_int_equal(set(1002, 512, NULL), 0);
	tick_in(1);
	freqfloor_put_back(floors);
	ASSERT_MIN(0, "400000");
	ASSERT_MIN(2, "600000");
	assert_int_equal(ledger_count(ledger), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_floor),
		TEST(test_shared),
		TEST(test_follows_its_thread),
		TEST(test_pinned),
		TEST(test_thread_ends),
		TEST(test_prior_is_enough),
		TEST(test_never_above_the_maximum),
		TEST(test_somebody_else),
		TEST(test_somebody_else_in_peace),
		TEST(test_somebody_else_while_idle),
		TEST(test_lag),
		TEST(test_lag_at_the_end),
		TEST(test_rest),
		TEST(test_writes_fail),
		TEST(test_hotplug),
		TEST(test_policy_is_gone_at_the_end),
		TEST(test_crash),
		TEST(test_taken_on),
		TEST(test_dry),
		TEST(test_put_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
