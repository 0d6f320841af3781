/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd's whole way on a host without uclamp: from a guest's bytes to scaling_min_freq of the CPUs
 * that its vCPUs run on, and back; and what of a host and a domain takes the use out of floors. */
#include "tests/unit/test_host.h"

#include <sched.h>

#define CPUFREQ "sys/devices/system/cpu/cpufreq"

/* -- the made-up host: a cpufreq policy for each CPU
 * -------------------------------------------------*/

static void write_policies(const char *root, const char *file, const char *text)
{
	for (unsigned cpu = 0; cpu < 4; cpu++) {
		char path[128];

		snprintf(path, sizeof(path), CPUFREQ "/policy%u/%s", cpu, file);
		test_write(root, path, text);
	}
}

static void wait_for_min(struct fixture *f, unsigned cpu, const char *khz)
{
	char path[128];

	snprintf(path, sizeof(path), CPUFREQ "/policy%u/scaling_min_freq", cpu);
	wait_for_file(f, path, khz);
}

static void assert_mins_as_before(struct fixture *f)
{
	for (unsigned cpu = 0; cpu < 4; cpu++)
		wait_for_min(f, cpu, "600000");
}

/* Thread 1002, vCPU 1's, has run on this CPU, with this policy of the scheduler. */
static void move_thread(struct fixture *f, unsigned cpu, unsigned policy)
{
	char text[512];

	snprintf(
		text, sizeof(text),
		"1002 (CPU 1/KVM) S 1 1 1 0 -1 0 0 0 0 0 5 5 0 0 20 0 9 0 2002 0 0 0 0 0 0 0 0 0 0 "
		"0 0 0 0 0 17 %u 0 %u 0 0 0 0 0 0 0 0 0 0 0\n",
		cpu, policy);
	test_write(f->root, "proc/1002/task/1002/stat", text);
}

static int setup_cpufreq(void **state)
{
	_cleanup_free_ char *sysctl = NULL;
	struct fixture *f;

	assert_int_equal(setup(state), 0);
	f = *state;
	test_write(f->root, "proc/sys/kernel/osrelease", "6.1.0-test\n");
	assert_true(asprintf(&sysctl, "%s/proc/sys/kernel/sched_util_clamp_min", f->root) > 0);
	assert_int_equal(unlink(sysctl), 0);
	write_policies(f->root, "scaling_min_freq", "600000\n");
	write_policies(f->root, "scaling_max_freq", "3000000\n");
	write_policies(f->root, "scaling_available_frequencies",
		       "3000000 2400000 1800000 1200000 600000 \n");
	move_thread(f, 1, SCHED_OTHER);
	f->config.actuator = ACTUATOR_AUTO;
	f->config.lease_max_usec = 60 * USEC_PER_SEC;
	return 0;
}

/* -- tests
 * ----------------------------------------------------------------------------------------*/

static void test_floor(void **state)
{
	struct fixture *f = *state;

	start_with_guest(f);
	assert_true(status_has(f, "\"floor\":{\"actuator\":\"cpufreq\""));
	assert_true(
		status_has(f, "scaling_min_freq of the CPUs that vCPUs run on, so no ceilings"));

	/* 700 x 1.25, on the next step of 3 GHz; and its place, as on any other host. */
	send_report(f, 0, 700, 60000);
	wait_for_min(f, 1, "3000000");
	wait_for_min(f, 0, "600000");
	wait_for_file(f, VCPU "1/cpuset.cpus", "2-3");
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "0.00");
	assert_true(status_has(f, "\"floor_effective\":1024"));
	assert_true(status_has(f, "\"settings_changed\":3")); /* two places, one minimum */

	/* The scheduler moves it, as its place asks. */
	move_thread(f, 3, SCHED_OTHER);
	wait_for_min(f, 3, "3000000");
	wait_for_min(f, 1, "600000");

	send_report(f, 0, 0, 60000);
	assert_mins_as_before(f);
	send_report(f, 0, 300, 60000);
	wait_for_min(f, 3, "1200000");
	assert_int_equal(host_free(TAKE_PTR(f->host)), 0);
	assert_mins_as_before(f);
	assert_int_not_equal(access(f->ledger, F_OK), 0);
}

static void test_lease_runs_out(void **state)
{
	struct fixture *f = *state;

	start_with_guest(f);
	send_report(f, 0, 900, 300);
	wait_for_min(f, 1, "3000000");
	assert_mins_as_before(f);
}

static void test_domain_ends(void **state)
{
	struct fixture *f = *state;

	start_with_guest(f);
	send_report(f, 0, 900, 60000);
	wait_for_min(f, 1, "3000000");
	close(TAKE_FD(f->guest));
	assert_mins_as_before(f);
}

static void test_dry_run(void **state)
{
	struct fixture *f = *state;

	start_host(f, true);
	call_from(f, CID, PORT);
	send_hello(f);
	send_report(f, 900, 900, 60000);
	assert_int_equal(host_domain(f->host, 0)->vcpus[1].have.floor1024, 1024);
	host_verify(f->host);
	settle(f);
	assert_mins_as_before(f);
	assert_true(status_has(f, "\"settings_changed\":0"));
}

static void test_killed(void **state)
{
	struct fixture *f = *state;
	struct ledger_tally tally;

	die_with_floor(f, CPUFREQ "/policy1/scaling_min_freq", "3000000");
	tally = restore(f);
	assert_int_equal(tally.restored, 3);
	assert_int_equal(tally.failed, 0);
	assert_mins_as_before(f);
}

static void test_somebody_else(void **state)
{
	struct fixture *f = *state;

	start_with_guest(f);
	send_report(f, 0, 900, 60000);
	wait_for_min(f, 1, "3000000");
	test_write(f->root, CPUFREQ "/policy1/scaling_min_freq", "2400000\n");
	host_verify(f->host);
	host_verify(f->host); /* seen by the first, told by the second at the latest */
	assert_true(status_has(f, "\"min_freq_taken\""));
	assert_true(status_has(f, "\"detail\":\"CPUs 1\""));
	assert_true(status_has(f, "scaling_min_freq of its host CPU was set by somebody else"));
	send_report(f, 0, 300, 60000);
	assert_int_equal(host_free(TAKE_PTR(f->host)), 0);
	wait_for_min(f, 1, "2400000");
}

/* An operator chooses the performance governor, and then schedutil again. */
static void test_governor_changes(void **state)
{
	struct fixture *f = *state;

	start_with_guest(f);
	send_report(f, 0, 900, 60000);
	wait_for_min(f, 1, "3000000");
	write_policies(f->root, "scaling_governor", "performance\n");
	host_verify(f->host);
	assert_true(status_has(f, "\"floor\":{\"actuator\":\"off\""));
	assert_true(status_has(f, "the performance governor holds all"));
	assert_true(status_has(f, "\"performance_governor\""));
	assert_mins_as_before(f);
	write_policies(f->root, "scaling_governor", "schedutil\n");
	host_verify(f->host);
	assert_true(status_has(f, "\"floor\":{\"actuator\":\"cpufreq\""));
	assert_false(status_has(f, "\"performance_governor\""));
	send_report(f, 0, 901, 60000);
	wait_for_min(f, 1, "3000000");
}

static void test_active_mode(void **state)
{
	struct fixture *f = *state;

	write_policies(f->root, "scaling_driver", "intel_pstate\n");
	write_policies(f->root, "scaling_governor", "powersave\n");
	start_with_guest(f);
	assert_true(status_has(f, "\"floor\":{\"actuator\":\"cpufreq\""));
	assert_true(status_has(f, "\"active_mode\""));
	assert_true(status_has(f, "\"detail\":\"CPUs 0-3\""));
	send_report(f, 0, 900, 60000);
	wait_for_min(f, 1, "3000000");
}

/* Neither uclamp nor cpufreq: places all the same, and it is no failure. */
static void test_nothing(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int root_fd = open(f->root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(renameat(root_fd, CPUFREQ, root_fd, "no-cpufreq"), 0);
	start_with_guest(f);
	assert_true(status_has(f, "\"floor\":{\"actuator\":\"off\""));
	assert_true(status_has(f, "\"host_no_cpufreq\""));
	send_report(f, 0, 900, 60000);
	wait_for_file(f, VCPU "1/cpuset.cpus", "2-3");
	assert_int_equal(host_free(TAKE_PTR(f->host)), 0);
	wait_for_file(f, VCPU "1/cpuset.cpus", "0-3");
}

static void test_concerns_of_a_domain(void **state)
{
	struct fixture *f = *state;

	start_with_guest(f);
	host_verify(f->host);
	assert_false(status_has(f, "\"realtime\""));
	assert_false(status_has(f, "\"quota\""));
	move_thread(f, 1, SCHED_RR);
	test_write(f->root, SCOPE "/cpu.max", "50000 100000\n");
	host_verify(f->host);
	assert_true(status_has(f, "\"realtime\""));
	assert_true(status_has(f, "\"quota\""));
	move_thread(f, 1, SCHED_OTHER);
	test_write(f->root, SCOPE "/cpu.max", "max 100000\n");
	test_write(f->root, VCPU "0/cpu.max", "20000 100000\n");
	host_verify(f->host);
	assert_false(status_has(f, "\"realtime\""));
	assert_true(status_has(f, "\"quota\""));
	test_write(f->root, VCPU "0/cpu.max", "max 100000\n");
	host_verify(f->host);
	assert_false(status_has(f, "\"quota\""));
}

static void test_sched_ext(void **state)
{
	struct fixture *f = *state;

	start_with_guest(f);
	test_write(f->root, "sys/kernel/sched_ext/state", "enabled\n");
	host_verify(f->host);
	assert_true(status_has(f, "\"host_sched_ext\""));
	test_write(f->root, "sys/kernel/sched_ext/state", "disabled\n");
	host_verify(f->host);
	assert_false(status_has(f, "\"host_sched_ext\""));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_cpufreq, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_floor),
		TEST(test_lease_runs_out),
		TEST(test_domain_ends),
		TEST(test_dry_run),
		TEST(test_killed),
		TEST(test_somebody_else),
		TEST(test_governor_changes),
		TEST(test_active_mode),
		TEST(test_nothing),
		TEST(test_concerns_of_a_domain),
		TEST(test_sched_ext),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
