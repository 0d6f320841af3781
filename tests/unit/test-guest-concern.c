/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd/concern.c, a row for each reason; guestd/sched_ext.c below fake roots; and the daemon,
 * which says once what has come and gone. */
#include "tests/unit/test.h"

#include <sys/socket.h>
#include <time.h>

#include "common/log.h"
#include "common/rootfs.h"
#include "guestd/concern.h"
#include "guestd/counters_proc.h"
#include "guestd/guest_private.h"
#include "guestd/sched_ext.h"
#include "guestd/status.h"

#define BIT(n) (1U << (n))
#define SCX    "sys/kernel/sched_ext/"
#define POLICY "sys/devices/system/cpu/cpufreq/policy"

static void test_decide(_unused_ void **state)
{
	static const struct {
		struct concern_facts facts;
		uint32_t concerns;
	} rows[] = {
		{{.wants_cpufreq = true, .policies = 2}, 0},
		{{.wants_cpufreq = true, .policies = 2, .sched_ext = true}, BIT(NOTICE_SCHED_EXT)},
		{{.wants_cpufreq = true}, BIT(NOTICE_NO_CPUFREQ)},
		{{.wants_cpufreq = false}, 0}, /* nobody asked for it */
		{{.wants_cpufreq = true, .policies = 2, .theirs = 1}, BIT(NOTICE_GOVERNOR)},
		{{.wants_cpufreq = false, .policies = 2, .theirs = 1}, 0},
		{{.wants_cpufreq = true, .policies = 2, .never = 2}, BIT(NOTICE_NO_USERSPACE)},
		{{.wants_cpufreq = false, .policies = 2, .never = 2}, 0},
		{{.wants_cpufreq = true, .policies = 2, .virt = 2}, BIT(NOTICE_VIRT_CPUFREQ)},
		{{.wants_cpufreq = false, .policies = 2, .virt = 2}, BIT(NOTICE_VIRT_CPUFREQ)},
		{{.lacks = COUNTERS_PROC_NO_PSI}, BIT(NOTICE_NO_PSI)},
		{{.lacks = COUNTERS_PROC_NO_SCHEDSTAT}, BIT(NOTICE_NO_SCHEDSTAT)},
		{{.lacks = COUNTERS_PROC_SCHEDSTAT_VERSION}, BIT(NOTICE_NO_SCHEDSTAT)},
		{{.lacks = COUNTERS_PROC_SCHEDSTAT_BROKEN}, BIT(NOTICE_NO_SCHEDSTAT)},
		{{.bpf_lack = COUNTERS_BPF_FINE}, 0},
		{{.bpf_lack = COUNTERS_BPF_NOT_BUILT}, BIT(NOTICE_EBPF_NOT_BUILT)},
		{{.bpf_lack = COUNTERS_BPF_NO_BTF}, BIT(NOTICE_EBPF_NO_BTF)},
		{{.bpf_lack = COUNTERS_BPF_NO_CAPABILITY}, BIT(NOTICE_EBPF_NO_CAPABILITY)},
		{{.bpf_lack = COUNTERS_BPF_FORBIDDEN}, BIT(NOTICE_EBPF_FORBIDDEN)},
		{{.bpf_lack = COUNTERS_BPF_NO_TRACEPOINT}, BIT(NOTICE_EBPF_NO_TRACEPOINT)},
		{{.bpf_lack = COUNTERS_BPF_NO_MEMORY}, BIT(NOTICE_EBPF_NO_MEMORY)},
		{{.bpf_lack = COUNTERS_BPF_REJECTED}, BIT(NOTICE_EBPF_REJECTED)},
		{{.wants_cpufreq = true,
		  .policies = 3,
		  .theirs = 1,
		  .never = 1,
		  .virt = 1,
		  .sched_ext = true,
		  .lacks = 0xff,
		  .bpf_lack = COUNTERS_BPF_NO_BTF},
		 (NOTICE_KNOWN_0_2 & ~BIT(NOTICE_NO_CPUFREQ)) | BIT(NOTICE_EBPF_NO_BTF)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t concerns = concern_decide(&rows[i].facts);

		EXPECT(concerns == rows[i].concerns, "row %zu gave %#x", i, concerns);
	}
}

static void test_explain(_unused_ void **state)
{
	for (unsigned i = 0; NOTICE_KNOWN >> i; i++) {
		const char *text = concern_explain(i, 0);

		EXPECT(text && strlen(text) > 40 && !strchr(text, '\n'), "concern %u: %s", i, text);
	}
	assert_null(concern_explain(31, 0));
	assert_non_null(strstr(concern_explain(NOTICE_NO_SCHEDSTAT, COUNTERS_PROC_NO_SCHEDSTAT),
			       "CONFIG_SCHEDSTATS"));
	assert_non_null(strstr(
		concern_explain(NOTICE_NO_SCHEDSTAT, COUNTERS_PROC_SCHEDSTAT_VERSION), "version"));
	assert_non_null(strstr(concern_explain(NOTICE_NO_SCHEDSTAT, COUNTERS_PROC_SCHEDSTAT_BROKEN),
			       "can't be read"));
	/* Each lack of eBPF its own. */
	for (unsigned i = NOTICE_EBPF_NOT_BUILT; i <= NOTICE_EBPF_REJECTED; i++) {
		assert_non_null(strstr(concern_explain(i, 0), "signal = proc"));
		for (unsigned k = NOTICE_EBPF_NOT_BUILT; k < i; k++)
			assert_string_not_equal(concern_explain(i, 0), concern_explain(k, 0));
	}
}

static void test_sched_ext(_unused_ void **state)
{
	static const struct {
		const char *state, *ops;
		bool enabled;
		const char *name;
	} rows[] = {
		{NULL, NULL, false, ""},
		{"disabled\n", NULL, false, ""},
		{"disabled\n", "scx_lavd\n", false, ""},
		{"enabling\n", "scx_lavd\n", false, ""},
		{"enabled\n", "scx_lavd\n", true, "scx_lavd"},
		{"enabled\n", NULL, true, ""}, /* gone since, or an older kernel */
		{"enabled\n", "a\x1b[31mb\n", true, "a?[31mb"},
		{"enabled\n", "two\nlines\n", true, ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *dir = test_make_dir(), name[PROTO_TEXT_MAX + 1];
		_cleanup_close_ int root_fd = rootfs_open(dir);

		if (rows[i].state)
			test_write(dir, SCX "state", rows[i].state);
		if (rows[i].ops)
			test_write(dir, SCX "root/ops", rows[i].ops);
		memset(name, 'x', sizeof(name));
		EXPECT(sched_ext_read(root_fd, name) == rows[i].enabled, "row %zu", i);
		EXPECT(strcmp(name, rows[i].name) == 0, "row %zu: '%s'", i, name);
		test_remove_dir(dir);
	}
}

/* -- the daemon -- */

static char *dir;
static int root_fd, host_fd;
static struct guest *guest;
static struct frame_decoder decoder;

static int open_pair(_unused_ void *userdata, _unused_ uint32_t cid, _unused_ uint32_t port)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
			 0);
	host_fd = fds[1];
	frame_decoder_init(&decoder);
	return fds[0];
}

static void write_policy(unsigned id, const char *driver)
{
	static const char *const files[][2] = {
		{"affected_cpus", "0\n"},	   {"cpuinfo_max_freq", "3000000\n"},
		{"scaling_min_freq", "1200000\n"}, {"scaling_max_freq", "3000000\n"},
		{"scaling_setspeed", "1800000"},   {"scaling_governor", "schedutil"},
	};
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), POLICY "%u/%s", id, files[i][0]);
		test_write(dir, path, files[i][1]);
	}
	snprintf(path, sizeof(path), POLICY "%u/scaling_driver", id);
	test_write(dir, path, driver);
}

static int setup(_unused_ void **state)
{
	log_set_level(getenv("VERBOSE") ? LOG_DEBUG : LOG_EMERG);
	dir = test_make_dir();
	root_fd = rootfs_open(dir);
	host_fd = -EBADF;
	guest = NULL;
	test_write(dir, "run/x", "");
	test_write(dir, "proc/stat", "cpu  1 1 1 1 1 1 1 1 0 0\ncpu0 1 1 1 1000 1 1 1 1 0 0\n");
	test_write(dir, "proc/schedstat",
		   "version 17\ntimestamp 1\ncpu0 0 0 0 0 0 0 1000000 1000 10\n");
	test_write(dir, "proc/pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=0.00 total=77\n");
	test_write(dir, "proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=7\n");
	test_write(dir, "proc/pressure/io", "some avg10=0.00 avg60=0.00 avg300=0.00 total=7\n");
	write_policy(0, "acpi-cpufreq\n");
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

static void start(void)
{
	const struct guest_options options = {.root_fd = root_fd, .open = open_pair};
	struct guest_config config;

	config_defaults(guest_config_keys, guest_config_keys_n, &config);
	config.idle_interval_usec = config.interval_usec = 5 * USEC_PER_MSEC;
	assert_int_equal(guest_new(&options, &config, &guest), 0);
}

/* The next frame of the guest, within n turns of its loop: false if none came. */
static bool next_frame(struct frame *ret, unsigned turns)
{
	for (; turns > 0; turns--) {
		size_t room;
		uint8_t *space;
		ssize_t n;

		if (host_fd >= 0 && frame_decoder_next(&decoder, ret) > 0)
			return true;
		if (host_fd >= 0) {
			space = frame_decoder_space(&decoder, &room);
			n = read(host_fd, space, room);
			if (n > 0) {
				frame_decoder_commit(&decoder, (size_t)n);
				continue;
			}
		}
		assert_true(sd_event_run(guest_event(guest), 1000) >= 0);
	}
	return false;
}

/* Under a sched_ext scheduler eBPF would see nothing: so that is why it is /proc. */
static void test_signal_reason(_unused_ void **state)
{
	static const struct {
		const char *scx, *reason;
	} rows[] = {{"disabled\n", "no eBPF"}, {"enabled\n", "a sched_ext scheduler"}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_object *status;
		const char *reason;

		test_write(dir, SCX "state", rows[i].scx);
		start();
		status = guest_status_json(guest);
		reason = json_object_get_string(json_object_object_get(status, "signal_reason"));
		EXPECT(reason && strstr(reason, rows[i].reason), "row %zu: %s", i, reason);
		json_object_put(status);
		guest_free(guest);
		guest = NULL;
		closep(&host_fd);
	}
}

static void stream(void)
{
	static struct message_hello hello;
	struct frame frame;
	uint8_t buffer[512];
	int n;

	assert_true(next_frame(&frame, 10000));
	assert_int_equal(frame.type, MESSAGE_HELLO);
	hello = (struct message_hello){.minor = PROTO_MINOR,
				       .fields = 1U << HELLO_AGENT | 1U << HELLO_LEASE_MAX,
				       .lease_max_msec = 300,
				       .agent = "test"};
	n = hello_put(buffer, sizeof(buffer), &hello);
	assert_int_equal(write(host_fd, buffer, (size_t)n), n);
}

static void expect_notice(struct message_notice *ret)
{
	struct message message;
	struct frame frame;

	do
		assert_true(next_frame(&frame, 10000));
	while (frame.type == MESSAGE_REPORT || frame.type == MESSAGE_PING);
	assert_int_equal(frame.type, MESSAGE_NOTICE);
	assert_int_equal(message_parse(&frame, PROTO_MINOR, &message), 0);
	*ret = message.notice;
}

static void expect_no_notice(void)
{
	struct frame frame;

	for (unsigned i = 0; i < 20; i++)
		if (next_frame(&frame, 5))
			assert_int_not_equal(frame.type, MESSAGE_NOTICE);
}

/* Nothing to say; then a scheduler comes, and goes: each is said once. */
static void test_change(_unused_ void **state)
{
	struct message_notice notice;

	start();
	stream();
	expect_no_notice();
	guest->looked_usec = guest_now_usec();
	test_write(dir, SCX "state", "enabled\n");
	test_write(dir, SCX "root/ops", "scx_lavd\n");
	expect_no_notice(); /* not before 10 s have passed */
	guest->looked_usec -= 10 * USEC_PER_SEC;
	expect_notice(&notice);
	assert_int_equal(notice.concerns, BIT(NOTICE_SCHED_EXT));
	assert_string_equal(notice.scheduler, "scx_lavd");
	guest->looked_usec -= 10 * USEC_PER_SEC;
	expect_no_notice();
	test_write(dir, SCX "root/ops", "scx_rusty\n"); /* another one */
	guest->looked_usec -= 10 * USEC_PER_SEC;
	expect_notice(&notice);
	assert_string_equal(notice.scheduler, "scx_rusty");
	test_write(dir, SCX "state", "disabled\n");
	guest->looked_usec -= 10 * USEC_PER_SEC;
	expect_notice(&notice);
	assert_int_equal(notice.concerns, 0);
	assert_string_equal(notice.scheduler, "");
	expect_no_notice();
}

/* What was there from the start goes out before the first report, on each connection. */
static void test_after_hello(_unused_ void **state)
{
	struct message_notice notice;
	struct frame frame;

	unlinkat(root_fd, "proc/schedstat", 0);
	start();
	for (unsigned i = 0; i < 2; i++) {
		stream();
		assert_true(next_frame(&frame, 10000));
		assert_int_equal(frame.type, MESSAGE_NOTICE);
		assert_true(next_frame(&frame, 10000));
		assert_int_equal(frame.type, MESSAGE_REPORT);
		close(host_fd);
		host_fd = -EBADF;
	}
	stream();
	expect_notice(&notice);
	assert_int_equal(notice.concerns, BIT(NOTICE_NO_SCHEDSTAT));
}

static void test_psi_and_governor(_unused_ void **state)
{
	static const struct feedback_vcpu low = {0, 300, 0, 0};
	struct message_notice notice;
	uint8_t buffer[64];
	int n = feedback_put(buffer, sizeof(buffer), 1, &low, 1);

	test_write(dir, "proc/pressure/io", ""); /* psi=0: there, and can't be read */
	start();
	stream();
	expect_notice(&notice);
	assert_int_equal(notice.concerns, BIT(NOTICE_NO_PSI));
	test_write(dir, POLICY "0/scaling_governor", "performance");
	assert_int_equal(write(host_fd, buffer, (size_t)n), n);
	expect_notice(&notice);
	assert_int_equal(notice.concerns, BIT(NOTICE_NO_PSI) | BIT(NOTICE_GOVERNOR));
}

/* The driver that tells the VMM is left alone, and said. */
static void test_virt_cpufreq(_unused_ void **state)
{
	struct message_notice notice;

	write_policy(0, "virt-cpufreq\n");
	start();
	stream();
	expect_notice(&notice);
	assert_int_equal(notice.concerns, BIT(NOTICE_VIRT_CPUFREQ));
	assert_int_equal(guest_cpufreq_state(guest), CPUFREQ_FOREIGN);
	guest_free(guest);
	guest = NULL;
	test_assert_file(dir, POLICY "0/scaling_governor", "schedutil");
	test_assert_file(dir, POLICY "0/scaling_setspeed", "1800000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decide),
		cmocka_unit_test(test_explain),
		cmocka_unit_test(test_sched_ext),
		cmocka_unit_test_setup_teardown(test_change, setup, teardown),
		cmocka_unit_test_setup_teardown(test_after_hello, setup, teardown),
		cmocka_unit_test_setup_teardown(test_psi_and_governor, setup, teardown),
		cmocka_unit_test_setup_teardown(test_virt_cpufreq, setup, teardown),
		cmocka_unit_test_setup_teardown(test_signal_reason, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
