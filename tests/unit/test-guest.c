/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd/guest*.c: the whole daemon below a fake root, with a host on a socketpair. No vsock. */
#include "tests/unit/bad-config.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>

#include "common/log.h"
#include "common/rootfs.h"
#include "guestd/cpufreq.h"
#include "guestd/guest.h"
#include "proto/message.h"
#include "tests/unit/test_systemd.h"

#define FOLDER	 "sys/devices/system/cpu/cpufreq/policy0/"
#define PATIENCE (20 * USEC_PER_SEC) /* until something that must happen has failed to */

static char *dir;
static char config_path[512]; /* of the configuration: a test may change it while the guest runs */
static int root_fd, host_fd;
static int open_result;
static unsigned n_opens;
static bool dry_run;
static struct guest *guest;
static struct frame_decoder decoder;
static struct frame frame; /* the last from the guest */
static struct message message;
static struct message_hello hello;

static int open_pair(_unused_ void *userdata, _unused_ uint32_t cid, _unused_ uint32_t port)
{
	int fds[2];

	n_opens++;
	if (open_result < 0)
		return open_result;
	closep(&host_fd);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
			 0);
	host_fd = fds[1];
	frame_decoder_init(&decoder);
	return fds[0];
}

static uint64_t now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
}

/* n CPUs whose idle time is ticks of 10 ms. */
static void write_stat(unsigned n, uint64_t idle_ticks)
{
	char text[1024] = "cpu  1 1 1 1 1 1 1 1 0 0\n", line[80];

	for (unsigned i = 0; i < n; i++) {
		snprintf(line, sizeof(line), "cpu%u 1 1 1 %012llu 1 1 1 1 0 0\n", i,
			 (unsigned long long)idle_ticks);
		strcat(text, line);
	}
	test_write(dir, "proc/stat", text);
}

static void write_config(const char *text)
{
	test_write(dir, "vmfreq.conf", text);
}

static int setup(_unused_ void **state)
{
	static const char *const files[][2] = {
		{"affected_cpus", "0 1\n"},
		{"cpuinfo_max_freq", "3000000\n"},
		{"scaling_min_freq", "1200000\n"},
		{"scaling_max_freq", "3000000\n"},
		{"scaling_setspeed", "1800000"},
		{"scaling_governor", "schedutil"},
		{"scaling_available_frequencies", "1200000 1800000 2400000 3000000\n"}};

	log_set_level(getenv("VERBOSE") ? LOG_DEBUG : LOG_EMERG);
	dir = test_make_dir();
	root_fd = rootfs_open(dir);
	host_fd = -EBADF;
	open_result = 0;
	n_opens = 0;
	dry_run = false;
	guest = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char path[128];

		snprintf(path, sizeof(path), FOLDER "%s", files[i][0]);
		test_write(dir, path, files[i][1]);
	}
	test_write(dir, "run/x", "");
	test_write(dir, "proc/sys/kernel/random/boot_id", "00112233-4455-6677-8899-aabbccddeeff\n");
	test_write(dir, "proc/pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=0.00 total=77\n");
	write_stat(2, 1000);
	write_config("[guest]\nidle_interval = 20ms\ninterval = 5ms\n");
	return 0;
}

static int teardown(_unused_ void **state)
{
	guest_free(guest);
	closep(&host_fd);
	close(root_fd);
	test_remove_dir(dir);
	return 0;
}

static void start(bool follows_cpufreq)
{
	const struct guest_options options = {.root_fd = root_fd,
					      .config_path = config_path,
					      .dry_run = dry_run,
					      .open = open_pair,
					      .follows_cpufreq = follows_cpufreq};
	struct guest_config config;

	snprintf(config_path, sizeof(config_path), "%s/vmfreq.conf", dir);
	assert_int_equal(config_load(config_path, &guest_config_table, &config, NULL, NULL, NULL),
			 0);
	assert_int_equal(guest_new(&options, &config, &guest), 0);
}

/* Lets the guest run once, waiting for a millisecond at most. */
static void turn(void)
{
	assert_true(sd_event_run(guest_event(guest), 1000) >= 0);
}

static void turn_for(uint64_t usec)
{
	for (uint64_t end = now_usec() + usec; now_usec() < end;)
		turn();
}

/* Whether another frame is there, without the guest's doing. */
static bool take_frame(void)
{
	size_t size;
	uint8_t *space;
	ssize_t n;

	if (host_fd < 0)
		return false;
	if (frame_decoder_next(&decoder, &frame) > 0)
		return true;
	space = frame_decoder_space(&decoder, &size);
	n = read(host_fd, space, size);
	if (n <= 0)
		return false;
	frame_decoder_commit(&decoder, (size_t)n);
	return frame_decoder_next(&decoder, &frame) > 0;
}

/* The next frame, which must be of this type; REPORTs and NOTICEs in between are skipped if asked for
 * others. */
static void expect(enum message_type type)
{
	for (uint64_t end = now_usec() + PATIENCE;;) {
		if (!take_frame()) {
			EXPECT(now_usec() < end, "no %s", message_type_name(type));
			turn();
			continue;
		}
		if (frame.type == type ||
		    (frame.type != MESSAGE_REPORT && frame.type != MESSAGE_NOTICE))
			break;
	}
	EXPECT(frame.type == type, "%s, not %s", message_type_name(frame.type),
	       message_type_name(type));
	if (type == MESSAGE_HELLO)
		assert_int_equal(hello_parse(&frame, &hello), 0);
	else
		assert_int_equal(message_parse(&frame, PROTO_MINOR, &message), 0);
}

static void send_bytes(const void *data, size_t size)
{
	assert_int_equal(write(host_fd, data, size), size);
}

static void send_hello(uint8_t major)
{
	static struct message_hello mine;
	uint8_t buffer[512];

	mine = (struct message_hello){.major = major,
				      .minor = PROTO_MINOR,
				      .fields = 1U << HELLO_AGENT | 1U << HELLO_LEASE_MAX,
				      .lease_max_msec = 300,
				      .agent = "test"};
	send_bytes(buffer, (size_t)hello_put(buffer, sizeof(buffer), &mine));
}

static void send_feedback(unsigned capacity)
{
	const struct feedback_vcpu vcpus[] = {{0, (uint16_t)capacity, 0, 0},
					      {1, (uint16_t)capacity, 0, 0}};
	uint8_t buffer[64];

	send_bytes(buffer, (size_t)feedback_put(buffer, sizeof(buffer), 1, vcpus, 2));
}

static void send_bye(enum bye_code code)
{
	uint8_t buffer[64];

	send_bytes(buffer, (size_t)bye_put(buffer, sizeof(buffer), code, "because"));
}

static void start_streaming(bool follows_cpufreq)
{
	start(follows_cpufreq);
	expect(MESSAGE_HELLO);
	send_hello(PROTO_MAJOR);
	expect(MESSAGE_REPORT);
}

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
	     ticks += 1000) {
		write_stat(2, ticks);
		turn();
		while (take_frame()) {
			assert_int_equal(message_parse(&frame, PROTO_MINOR, &message), 0);
			zeros += util_est_of(1) == 0;
		}
	}
	assert_int_equal(zeros, 1);
}

static void test_cpufreq(_unused_ void **state)
{
	start_streaming(true);
	assert_true(hello.invariant);
	test_assert_file(dir, FOLDER "scaling_governor", "userspace");
	test_assert_file(dir, FOLDER "scaling_setspeed", "3000000");
	send_feedback(700);
	expect_speed("1800000");
	for (;;) {
		struct report_vcpu vcpu;

		expect(MESSAGE_REPORT);
		if (message.report.n_vcpus == 0)
			continue;
		report_vcpu(&message.report, 0, &vcpu);
		if (vcpu.freq_scale == 614) /* 1024 * 18 / 30 */
			break;
	}
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
	for (;;) {
		struct report_vcpu vcpu;

		expect(MESSAGE_REPORT);
		if (message.report.n_vcpus == 0)
			continue;
		report_vcpu(&message.report, 0, &vcpu);
		if (vcpu.freq_scale == 1024)
			break;
		send_feedback(1024);
	}
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

static void test_reconnects(_unused_ void **state)
{
	open_result = -ECONNREFUSED;
	start(false);
	turn_for(400 * USEC_PER_MSEC);
	assert_in_range(n_opens, 2, 5);
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

static void test_hotplug(_unused_ void **state)
{
	start_streaming(false);
	while (util_est_of(1) != 1024)
		expect(MESSAGE_REPORT);
	write_stat(1, 1000);
	/* write_stat() doesn't shorten the file, test_write() does: CPU 1 is gone. */
	do
		expect(MESSAGE_REPORT);
	while (util_est_of(1) != 0);
	write_stat(3, 1000); /* CPU 2 was not in our HELLO */
	expect(MESSAGE_BYE);
	assert_int_equal(message.bye.code, BYE_SHUTDOWN);
	expect(MESSAGE_HELLO);
	assert_int_equal(hello.n_cpus, 3);
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
		cmocka_unit_test_setup_teardown(test_hello_and_full_report, setup, teardown),
		cmocka_unit_test_setup_teardown(test_busy_and_idle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cpufreq, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cpufreq_theirs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cpufreq_no_state, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cpufreq_off, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dry_run, setup, teardown),
		cmocka_unit_test_setup_teardown(test_after_a_kill, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reconnects, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_version, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_host, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hotplug, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reload, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_reloads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_stat, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_samples, setup, teardown),
		cmocka_unit_test_setup_teardown(test_watchdog, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
