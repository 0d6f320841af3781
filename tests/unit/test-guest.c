/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd/guest*.c: the whole daemon below a made-up root, with a host on a socketpair. What it does
 * to cpufreq is test-guest-cpufreq.c's. */
#include "tests/unit/test_guest.h"

#include <signal.h>

#include "tests/unit/bad-config.h"
#include "tests/unit/test_systemd.h"

static unsigned util_est_of(unsigned cpu)
{
	for (unsigned i = 0; i < message.report.n_vcpus; i++) {
		struct report_vcpu vcpu;

		report_vcpu(&message.report, i, &vcpu);
		if (vcpu.cpu == cpu)
			return vcpu.util_est;
	}
	return UINT32_MAX;
}

static void test_hello_and_full_report(_unused_ void **state)
{
	start(false);
	expect(MESSAGE_HELLO);
	assert_true(hello_is_of_guest(&hello));
	assert_int_equal(hello.n_cpus, 2);
	assert_int_equal(hello.cpu[1].cpu, 1);
	assert_int_equal(hello.signal, SIGNAL_PROC);
	assert_int_equal(hello.cpufreq, CPUFREQ_OURS);
	assert_false(hello.invariant);
	assert_int_equal(hello.boot_id[15], 0xff);
	assert_int_equal(strncmp(hello.agent, "vmfreq-guestd ", 14), 0);
	turn_for(50 * USEC_PER_MSEC);
	assert_false(take_frame()); /* nothing before the host has answered */
	send_hello(PROTO_MAJOR);
	expect(MESSAGE_REPORT);
	assert_int_equal(message.report.sequence, 1);
	assert_int_equal(message.report.n_vcpus, 2);
	assert_int_equal(message.report.lease_msec, 300); /* what the host allows */
	assert_int_equal(message.report.psi_fields, 1U << PSI_CPU_SOME);
	assert_int_equal(message.report.psi_usec[PSI_CPU_SOME], 77);
}

/* Idle counters that stand still are a busy CPU; that leap ahead, an idle one. */
static void test_busy_and_idle(_unused_ void **state)
{
	unsigned zeros = 0, reports = 0;

	start_streaming(false);
	while (util_est_of(1) != 1024)
		expect(MESSAGE_REPORT);
	/* A lone hog: nothing changes, and the lease is renewed all the same. */
	turn_for(100 * USEC_PER_MSEC);
	while (take_frame())
		;
	for (uint64_t end = now_usec() + 600 * USEC_PER_MSEC; now_usec() < end; turn())
		while (take_frame())
			reports++;
	assert_in_range(reports, 4, 10); /* every 100 ms */
	for (uint64_t ticks = 2000, end = now_usec() + 2 * USEC_PER_SEC; now_usec() < end;
	     ticks += 30) {
		write_stat(2, ticks);
		turn();
		while (take_frame()) {
			assert_int_equal(message_parse(&frame, PROTO_MINOR, &message), 0);
			zeros += util_est_of(1) == 0;
		}
	}
	assert_int_equal(zeros, 1);
}

static void test_reconnects(_unused_ void **state)
{
	open_result = -ECONNREFUSED;
	start(false);
	turn_for(400 * USEC_PER_MSEC);
	assert_in_range(n_opens, 2, 7); /* after 10, 30, 70, 150 and 310 ms, a quarter sooner at most */
	open_result = 0;
	expect(MESSAGE_HELLO);
	send_hello(PROTO_MAJOR);
	expect(MESSAGE_REPORT);
	send_bye(BYE_SHUTDOWN);
	expect(MESSAGE_HELLO);
	send_hello(PROTO_MAJOR);
	expect(MESSAGE_REPORT);
	assert_int_equal(message.report.sequence, 1);
	assert_int_equal(message.report.n_vcpus, 2);
}

static void test_refused(_unused_ void **state)
{
	start(false);
	expect(MESSAGE_HELLO);
	send_bye(BYE_REFUSED);
	turn_for(USEC_PER_SEC);
	assert_int_equal(n_opens, 1); /* 3.75 s at the least */
}

static void test_other_version(_unused_ void **state)
{
	start(false);
	expect(MESSAGE_HELLO);
	send_hello(PROTO_MAJOR + 1);
	expect(MESSAGE_BYE);
	assert_int_equal(message.bye.code, BYE_VERSION);
	assert_non_null(strstr(message.bye.text, "version"));
	turn_for(500 * USEC_PER_MSEC);
	assert_int_equal(n_opens, 1);
}

static void test_hostile_host(_unused_ void **state)
{
	static const char *const hex[] = {
		"00",
		"56 46 05 01",
		"56 46 03 00 ff ff ff ff",
		"56 46 03 00 04 00 00 00 00 00 00 00",	  /* FEEDBACK, cut short */
		"56 46 02 00 00 00 00 00",		  /* REPORT */
		"56 46 63 00 00 00 00 00",		  /* unknown to our version */
		"56 46 05 00 05 00 00 00 01 00 00 00 1b", /* BYE with a control character */
	};

	for (size_t i = 0; i < ARRAY_SIZE(hex); i++) {
		uint8_t bytes[64];

		start_streaming(false);
		send_bytes(bytes, test_hex(hex[i], bytes, sizeof(bytes)));
		expect(MESSAGE_BYE);
		EXPECT(message.bye.code == BYE_PROTOCOL, "row %zu: %u", i, message.bye.code);
		guest_free(guest);
		guest = NULL;
	}
}

/* It streams, and a busy CPU 1 goes. */
static void stream_and_unplug(void)
{
	start_streaming(false);
	while (util_est_of(1) != 1024)
		expect(MESSAGE_REPORT);
	write_stat(1, 1000);
	/* write_stat() doesn't shorten the file, test_write() does: CPU 1 is gone. */
	do
		expect(MESSAGE_REPORT);
	while (util_est_of(1) != 0);
}

static void test_hotplug(_unused_ void **state)
{
	stream_and_unplug();
	write_stat(3, 1000); /* CPU 2 was not in our HELLO */
	expect(MESSAGE_BYE);
	assert_int_equal(message.bye.code, BYE_SHUTDOWN);
	expect(MESSAGE_HELLO);
	assert_int_equal(hello.n_cpus, 3);
}

/* A number that comes back may be another vCPU's by then: its id is said anew. */
static void test_cpu_returns(_unused_ void **state)
{
	stream_and_unplug();
	write_stat(2, 1000);
	expect(MESSAGE_BYE);
	assert_int_equal(message.bye.code, BYE_SHUTDOWN);
	expect(MESSAGE_HELLO);
	assert_int_equal(hello.n_cpus, 2);
}

static void test_reload(_unused_ void **state)
{
	start_streaming(false);
	write_config("[guest]\ninterval = soon\nlease = 200ms\nstep = big\n");
	raise(SIGHUP);
	turn_for(50 * USEC_PER_MSEC);
	assert_non_null(strstr(guest_config_error(guest), "/vmfreq.conf:2: interval: 'soon'"));
	assert_int_equal(guest_reload(guest), -EINVAL);
	while (take_frame())
		EXPECT(frame.type == MESSAGE_REPORT || frame.type == MESSAGE_NOTICE,
		       "a bad file has changed something");
	/* The same lease: the host allows 300 ms, which a reload doesn't forget. */
	write_config("[guest]\nstep = 4%\n");
	assert_int_equal(guest_reload(guest), 0);
	for (unsigned i = 0; i < 3; i++) {
		expect(MESSAGE_REPORT);
		assert_int_equal(message.report.lease_msec, 300);
	}
	write_config("[guest]\ncpufreq = no\nlease = 200ms\n");
	raise(SIGHUP);
	expect(MESSAGE_BYE);
	test_assert_file(dir, FOLDER "scaling_governor", "schedutil");
	expect(MESSAGE_HELLO);
	assert_int_equal(hello.cpufreq, CPUFREQ_OFF);
	send_hello(PROTO_MAJOR);
	expect(MESSAGE_REPORT);
	assert_int_equal(message.report.lease_msec, 200);
	assert_string_equal(guest_config_error(guest), "");
	raise(SIGTERM);
	assert_int_equal(sd_event_loop(guest_event(guest)), 0);
	guest_free(guest);
	guest = NULL;
	expect(MESSAGE_BYE);
	assert_int_equal(message.bye.code, BYE_SHUTDOWN);
}

/* Each of the wrong configurations leaves the running one as it is, and the guest at work. */
static void test_bad_reloads(_unused_ void **state)
{
	_cleanup_free_ struct bad_config *bad = NULL;
	size_t n = bad_config_read(&bad);
	struct guest_config before;
	unsigned refused = 0;

	start_streaming(false);
	memcpy(&before, guest_running_config(guest), sizeof(before));
	for (size_t i = 0; i < n; i++) {
		if (!bad_config_is_for(&bad[i], "guest"))
			continue;
		strcpy(config_path, bad[i].path);
		EXPECT(guest_reload(guest) < 0, "%s is taken", bad[i].name);
		EXPECT(*guest_config_error(guest) == '/', "%s: %s", bad[i].name,
		       guest_config_error(guest));
		EXPECT(memcmp(&before, guest_running_config(guest), sizeof(before)) == 0, "%s",
		       bad[i].name);
		turn();
		while (take_frame())
			EXPECT(frame.type == MESSAGE_REPORT || frame.type == MESSAGE_NOTICE,
			       "%s has changed something", bad[i].name);
		refused++;
	}
	assert_true(refused >= 30);
	expect(MESSAGE_REPORT);
	assert_int_equal(message.report.lease_msec, 300);
}

static void test_no_stat(_unused_ void **state)
{
	const struct guest_options options = {.root_fd = root_fd, .open = open_pair};
	struct guest_config config;

	config_defaults(guest_config_keys, guest_config_keys_n, &config);
	unlinkat(root_fd, "proc/stat", 0);
	assert_int_equal(guest_new(&options, &config, &guest), -ENOENT);
	test_write(dir, "proc/stat", "nonsense\n");
	assert_int_equal(guest_new(&options, &config, &guest), -EBADMSG);
	test_assert_file(dir, FOLDER "scaling_governor", "schedutil");
	assert_null(guest);
}

/* /proc/stat fails for a while: no reports, no end. */
static void test_bad_samples(_unused_ void **state)
{
	start_streaming(false);
	while (util_est_of(0) != 1024)
		expect(MESSAGE_REPORT);
	test_write(dir, "proc/stat", "nonsense\n");
	turn_for(50 * USEC_PER_MSEC);
	while (take_frame())
		;
	turn_for(400 * USEC_PER_MSEC);
	assert_false(take_frame());
	write_stat(2, 1000);
	expect(MESSAGE_REPORT);
}

/* The watchdog hears of samples, not of a loop that turns: with none it is fed no more. */
static void test_watchdog(_unused_ void **state)
{
	struct systemd *systemd = systemd_new(8 * USEC_PER_MSEC);
	uint64_t end = now_usec() + PATIENCE;

	start_streaming(false);
	while (systemd_count(systemd, "WATCHDOG=1") == 0 && now_usec() < end)
		turn();
	assert_true(now_usec() < end);
	test_write(dir, "proc/stat", "nonsense\n");
	turn_for(50 * USEC_PER_MSEC);
	systemd_count(systemd, "WATCHDOG=1");
	turn_for(200 * USEC_PER_MSEC);
	assert_int_equal(systemd_count(systemd, "WATCHDOG=1"), 0);
	write_stat(2, 1000);
	while (systemd_count(systemd, "WATCHDOG=1") == 0 && now_usec() < end)
		turn();
	assert_true(now_usec() < end);
	systemd_free(systemd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		GUEST_TEST(test_hello_and_full_report),
		GUEST_TEST(test_busy_and_idle),
		GUEST_TEST(test_reconnects),
		GUEST_TEST(test_refused),
		GUEST_TEST(test_other_version),
		GUEST_TEST(test_hostile_host),
		GUEST_TEST(test_hotplug),
		GUEST_TEST(test_cpu_returns),
		GUEST_TEST(test_reload),
		GUEST_TEST(test_bad_reloads),
		GUEST_TEST(test_no_stat),
		GUEST_TEST(test_bad_samples),
		GUEST_TEST(test_watchdog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
