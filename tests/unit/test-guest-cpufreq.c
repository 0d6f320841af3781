/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd/guest_cpufreq.c in the whole daemon: the guest's frequency follows what the host delivers,
 * and is put back; or is left alone. */
#include "tests/unit/test_guest.h"

#include <signal.h>
#include <sys/wait.h>

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

/* What the next report with a record of that CPU says of its scale. */
static uint16_t next_scale_of(unsigned cpu)
{
	for (;;) {
		expect(MESSAGE_REPORT);
		for (unsigned i = 0; i < message.report.n_vcpus; i++) {
			struct report_vcpu vcpu;

			report_vcpu(&message.report, i, &vcpu);
			if (vcpu.cpu == cpu)
				return vcpu.freq_scale;
		}
	}
}

static uint16_t next_scale(void)
{
	return next_scale_of(0);
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
	assert_true(hello.invariant); /* the kernel follows whoever sets it */
	send_feedback(100);
	turn_for(60 * USEC_PER_MSEC);
	test_assert_file(dir, FOLDER "scaling_governor", "schedutil");
	test_assert_file(dir, FOLDER "scaling_setspeed", "1800000");
}

/* The limits are changed while we run, and the host says nothing: the speed is within them all the
 * same, and as before when they are as before. */
static void test_limits_change(_unused_ void **state)
{
	start_streaming(true);
	expect_speed("3000000");
	test_write(dir, FOLDER "scaling_max_freq", "2000000\n");
	expect_speed("1800000");
	test_write(dir, FOLDER "scaling_max_freq", "3000000\n");
	expect_speed("3000000");
	send_feedback(100);
	expect_speed("1200000");
	test_write(dir, FOLDER "scaling_min_freq", "1900000\n");
	expect_speed("2400000");
}

/* A policy for each CPU, and each CPU's own scale. */
static void test_scale_of_each(_unused_ void **state)
{
	static const char *const files[][2] = {{"affected_cpus", "1\n"},
					       {"cpuinfo_max_freq", "3000000\n"},
					       {"scaling_min_freq", "600000\n"},
					       {"scaling_max_freq", "3000000\n"},
					       {"scaling_setspeed", "<unsupported>"},
					       {"scaling_governor", "schedutil"}};
	const struct feedback_vcpu vcpus[] = {{0, 614, 0, 0}, {1, 1024, 1000000, 2000000}};
	uint8_t buffer[64];

	test_write(dir, FOLDER "affected_cpus", "0\n");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		write_file(files[i][1], "sys/devices/system/cpu/cpufreq/policy1/%s", files[i][0]);
	start_streaming(true);
	send_bytes(buffer, (size_t)feedback_put(buffer, sizeof(buffer), 1, vcpus, 2));
	while (next_scale_of(0) != 1024 * 18 / 30)
		;
	while (next_scale_of(1) != 512) /* it has no table: any speed will do */
		;
	test_assert_file(dir, FOLDER "scaling_setspeed", "1800000");
	test_assert_file(dir, "sys/devices/system/cpu/cpufreq/policy1/scaling_setspeed", "1500000");
}

/* The kernel has made another speed of ours (its limits, the driver's table): the scale is that's.
 */
static void test_scale_is_the_kernels(_unused_ void **state)
{
	test_write(dir, FOLDER "scaling_cur_freq", "1500000\n");
	start_streaming(true);
	while (next_scale() != 512)
		;
	test_assert_file(dir, FOLDER "scaling_setspeed", "3000000");
	test_write(dir, FOLDER "scaling_cur_freq", "2250000\n");
	while (next_scale() != 768)
		;
}

/* Where we leave cpufreq alone the kernel scales by what others set. */
static void test_scale_of_others(_unused_ void **state)
{
	write_config("[guest]\ncpufreq = no\nidle_interval = 20ms\ninterval = 5ms\n");
	test_write(dir, FOLDER "scaling_cur_freq", "1500000\n");
	start_streaming(true);
	while (next_scale() != 512)
		;
	test_write(dir, FOLDER "scaling_cur_freq", "3000000\n");
	while (next_scale() != 1024)
		;
	guest_free(guest);
	guest = NULL;
	closep(&host_fd); /* and the BYE in it */
	host_fd = -EBADF;
	start_streaming(false); /* x86: by none */
	test_write(dir, FOLDER "scaling_cur_freq", "1500000\n");
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(next_scale(), 1024);
}

/* Somebody changes the governor, and the host says nothing new: that is seen all the same. */
static void test_theirs_unasked(_unused_ void **state)
{
	start_streaming(true);
	send_feedback(700);
	expect_speed("1800000");
	while (next_scale() != 614)
		;
	test_write(dir, FOLDER "scaling_governor", "powersave");
	while (next_scale() != 1024)
		;
	assert_int_equal(faccessat(root_fd, CPUFREQ_STATE, F_OK, 0), -1);
}

/* On x86 it only informs: at most one write a second, whatever the host says. */
static void test_informs_rarely(_unused_ void **state)
{
	uint64_t begin = now_usec(), now = begin;
	char last[32] = "", text[32];
	unsigned changes = 0;

	start_streaming(false);
	for (unsigned i = 0; now < begin + 500 * USEC_PER_MSEC; i++, now = now_usec()) {
		send_feedback(i % 2 ? 1024 : 700);
		turn();
		while (take_frame())
			;
		if (rootfs_read_line(root_fd, FOLDER "scaling_setspeed", text, sizeof(text)) > 0 &&
		    strcmp(text, last) != 0) {
			strcpy(last, text);
			changes++;
		}
	}
	EXPECT(changes <= 1 + (now - begin) / USEC_PER_SEC, "%u", changes);
	send_feedback(700);
	expect_speed("1800000"); /* and it does come */
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

/* The daemon itself is killed while the speed is its own: --restore, which the unit runs then, and
 * the next start each give back what was there. */
static void test_killed(_unused_ void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		unsigned left = 9;
		pid_t pid;
		int status;

		test_write(dir, FOLDER "scaling_governor", "ondemand");
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			start_streaming(true);
			send_feedback(700);
			expect_speed("1800000");
			raise(SIGKILL);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		test_assert_file(dir, FOLDER "scaling_governor", "userspace");
		if (i == 0) {
			assert_int_equal(cpufreq_recover(root_fd, &left), 1);
			assert_int_equal(left, 0);
		} else {
			start_streaming(true);
			test_assert_file(dir, FOLDER "scaling_governor", "userspace");
			guest_free(guest);
			guest = NULL;
		}
		test_assert_file(dir, FOLDER "scaling_governor", "ondemand");
		assert_int_equal(faccessat(root_fd, CPUFREQ_STATE, F_OK, 0), -1);
	}
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
		GUEST_TEST(test_cpufreq),
		GUEST_TEST(test_cpufreq_theirs),
		GUEST_TEST(test_cpufreq_no_state),
		GUEST_TEST(test_cpufreq_off),
		GUEST_TEST(test_limits_change),
		GUEST_TEST(test_scale_of_each),
		GUEST_TEST(test_scale_is_the_kernels),
		GUEST_TEST(test_scale_of_others),
		GUEST_TEST(test_theirs_unasked),
		GUEST_TEST(test_informs_rarely),
		GUEST_TEST(test_dry_run),
		GUEST_TEST(test_killed),
		GUEST_TEST(test_after_a_kill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
