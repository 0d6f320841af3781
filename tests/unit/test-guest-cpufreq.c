/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd/guest_cpufreq.c in the whole daemon: the guest's frequency follows what the host delivers,
 * and is put back; or is left alone. */
#include "tests/unit/test_guest.h"

#include <signal.h>

#include "guestd/cpufreq.h"

/* Turns until the speed that the guest has set is this. */
static void expect_speed(const char *khz)
{
	char text[32];

	for (uint64_t end = now_usec() + PATIENCE; now_usec() < end;) {
		if (rootfs_read_line(root_fd, FOLDER "scaling_setspeed", text, sizeof(text)) > 0 &&
		    strcmp(text, khz) == 0)
			return;
		turn();
	}
	fail_msg("the speed is %s, not %s", text, khz);
}

/* What the next report with records says of its first CPU's scale. */
static uint16_t next_scale(void)
{
	struct report_vcpu vcpu;

	do
		expect(MESSAGE_REPORT);
	while (message.report.n_vcpus == 0);
	report_vcpu(&message.report, 0, &vcpu);
	return vcpu.freq_scale;
}

static void test_cpufreq(_unused_ void **state)
{
	start_streaming(true);
	assert_true(hello.invariant);
	test_assert_file(dir, FOLDER "scaling_governor", "userspace");
	test_assert_file(dir, FOLDER "scaling_setspeed", "3000000");
	send_feedback(700);
	expect_speed("1800000");
	while (next_scale() != 614) /* 1024 * 18 / 30 */
		;
	send_feedback(1024);
	expect_speed("3000000");
	send_feedback(100);
	expect_speed("1200000");
	closep(&host_fd); /* the host is lost: as fast as can be */
	host_fd = -EBADF;
	expect_speed("3000000");
	expect(MESSAGE_HELLO); /* and it comes back */
	guest_free(guest);
	guest = NULL;
	test_assert_file(dir, FOLDER "scaling_governor", "schedutil");
}

/* Somebody changes the governor while it is ours: theirs from then on, and no scale of ours. */
static void test_cpufreq_theirs(_unused_ void **state)
{
	start_streaming(true);
	send_feedback(700);
	expect_speed("1800000");
	test_write(dir, FOLDER "scaling_governor", "powersave");
	send_feedback(1024);
	while (next_scale() != 1024)
		send_feedback(1024);
	guest_free(guest);
	guest = NULL;
	test_assert_file(dir, FOLDER "scaling_governor", "powersave");
	test_assert_file(dir, FOLDER "scaling_setspeed", "1800000");
}

/* What was there before can't be written down: hands off, and streaming all the same. */
static void test_cpufreq_no_state(_unused_ void **state)
{
	test_write(dir, "run/vmfreq-guestd", "a file where the folder should be");
	start_streaming(true);
	assert_int_equal(hello.cpufreq, CPUFREQ_FOREIGN);
	send_feedback(100);
	turn_for(60 * USEC_PER_MSEC);
	test_assert_file(dir, FOLDER "scaling_governor", "schedutil");
	test_assert_file(dir, FOLDER "scaling_setspeed", "1800000");
}

static void test_cpufreq_off(_unused_ void **state)
{
	write_config("[guest]\ncpufreq = no\nidle_interval = 20ms\n");
	start_streaming(true);
	assert_int_equal(hello.cpufreq, CPUFREQ_OFF);
	assert_false(hello.invariant);
	send_feedback(100);
	turn_for(60 * USEC_PER_MSEC);
	test_assert_file(dir, FOLDER "scaling_governor", "schedutil");
	test_assert_file(dir, FOLDER "scaling_setspeed", "1800000");
}

/* Whatever the config and an earlier run say, before a reload and after it. */
static void test_dry_run(_unused_ void **state)
{
	dry_run = true;
	test_write(dir, CPUFREQ_STATE, "policy0 powersave 0\n");
	start_streaming(true);
	assert_int_equal(hello.cpufreq, CPUFREQ_OFF);
	raise(SIGHUP);
	send_feedback(100);
	turn_for(60 * USEC_PER_MSEC);
	guest_free(guest);
	guest = NULL;
	test_assert_file(dir, FOLDER "scaling_governor", "schedutil");
	test_assert_file(dir, FOLDER "scaling_setspeed", "1800000");
	test_assert_file(dir, CPUFREQ_STATE, "policy0 powersave 0\n");
}

/* An earlier run was killed: what it found is what this one gives back. */
static void test_after_a_kill(_unused_ void **state)
{
	test_write(dir, FOLDER "scaling_governor", "userspace");
	test_write(dir, CPUFREQ_STATE, "policy0 schedutil 0\n");
	start_streaming(false);
	guest_free(guest);
	guest = NULL;
	test_assert_file(dir, FOLDER "scaling_governor", "schedutil");
	assert_int_equal(faccessat(root_fd, CPUFREQ_STATE, F_OK, 0), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		GUEST_TEST(test_cpufreq),	   GUEST_TEST(test_cpufreq_theirs),
		GUEST_TEST(test_cpufreq_no_state), GUEST_TEST(test_cpufreq_off),
		GUEST_TEST(test_dry_run),	   GUEST_TEST(test_after_a_kill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
