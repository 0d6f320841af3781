/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd's whole way, from a guest's bytes to the files of its vCPUs' cgroups and back: the real host.c
 * on a real event loop, over a socketpair with an injected CID, below a made-up root. */
#include "tests/unit/test_host.h"

#include "hostd/host_private.h"
#include "tests/unit/bad-config.h"
#include "tests/unit/test_systemd.h"

/* What the host sent: the types of its frames, and of FEEDBACKs the last record of vCPU 1. */
static unsigned read_types(struct fixture *f, uint8_t types[16], struct feedback_vcpu *ret)
{
	static struct frame_decoder decoder;
	struct message message;
	struct frame frame;
	unsigned n = 0;
	uint8_t *space;
	size_t room;
	ssize_t got;

	frame_decoder_init(&decoder);
	space = frame_decoder_space(&decoder, &room);
	got = read(f->guest, space, room);
	frame_decoder_commit(&decoder, (size_t)MAX(got, 0));
	while (n < 16 && frame_decoder_next(&decoder, &frame) == 1) {
		types[n++] = frame.type;
		if (frame.type != MESSAGE_FEEDBACK)
			continue;
		assert_int_equal(message_parse(&frame, PROTO_MINOR, &message), 0);
		feedback_vcpu(&message.feedback, message.feedback.n_vcpus - 1U, ret);
	}
	return n;
}

static void assert_as_before(struct fixture *f)
{
	static const char *const cgroups[] = {SLICE, SCOPE, SCOPE "/libvirt", VCPU "0", VCPU "1"};
	char path[512];

	for (size_t i = 0; i < ARRAY_SIZE(cgroups); i++) {
		snprintf(path, sizeof(path), "%s/cpu.uclamp.min", cgroups[i]);
		wait_for_file(f, path, "0.00");
		snprintf(path, sizeof(path), "%s/cpuset.cpus", cgroups[i]);
		wait_for_file(f, path, "0-3");
	}
}

/* -- tests ----------------------------------------------------------------------------------------*/

static void test_load_on_one_vcpu(void **state)
{
	struct fixture *f = *state;
	struct feedback_vcpu told = {};
	uint8_t types[16];

	start_with_guest(f);
	assert_true(read_types(f, types, &told) >= 2);
	assert_int_equal(types[0], MESSAGE_HELLO);
	assert_int_equal(types[1], MESSAGE_FEEDBACK);
	assert_int_equal(told.cpu, 1);
	assert_int_equal(told.freq_khz, 1875000); /* 60 % in steps of 12.5 % */
	assert_int_equal(told.freq_max_khz, 3000000);
	assert_int_equal(told.capacity, 1024);

	send_report(f, 0, 900, 60000);
	/* 900 x 1.25 is more than all there is. */
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "max");
	wait_for_file(f, VCPU "0/cpu.uclamp.min", "0.00");
	wait_for_file(f, SLICE "/cpu.uclamp.min", "max");
	wait_for_file(f, SCOPE "/cpu.uclamp.min", "max");
	wait_for_file(f, SCOPE "/libvirt/cpu.uclamp.min", "max");
	wait_for_file(f, VCPU "1/cpuset.cpus", "2-3");
	wait_for_file(f, VCPU "0/cpuset.cpus", "0-1");

	send_report(f, 0, 0, 60000);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "0.00");
	wait_for_file(f, VCPU "1/cpuset.cpus", "0-1");
	host_free(TAKE_PTR(f->host));
	assert_as_before(f);
	assert_int_not_equal(access(f->ledger, F_OK), 0);
}

/* The watchdog hears of the verify pass over all domains, not of a loop that turns and guests that
 * talk. libvirt's thread, which isn't even there in this test, has no say in it. */
static void test_watchdog(void **state)
{
	struct fixture *f = *state;
	struct systemd *systemd = systemd_new(USEC_PER_SEC);
	sd_event_source *timer = NULL;

	start_with_guest(f);
	send_report(f, 0, 900, 60000);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "max");
	assert_int_equal(systemd_count(systemd, "WATCHDOG=1"), 0);
	assert_true(sd_event_add_time(f->event, &timer, CLOCK_MONOTONIC, 1, 1, host_on_verify,
				      f->host) >= 0);
	settle(f);
	assert_int_equal(systemd_count(systemd, "WATCHDOG=1"), 1);
	sd_event_source_disable_unref(timer);
	systemd_free(systemd);
}

static void test_dry_run_changes_nothing(void **state)
{
	struct fixture *f = *state;

	start_host(f, true);
	call_from(f, CID, PORT);
	send_hello(f);
	send_report(f, 900, 900, 60000);
	assert_int_equal(host_domain(f->host, 0)->vcpus[1].have.floor1024, 1024);
	assert_as_before(f);
	assert_int_not_equal(access(f->ledger, F_OK), 0);
}

static void test_lease_runs_out(void **state)
{
	struct fixture *f = *state;

	start_with_guest(f);
	send_report(f, 0, 900, 300);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "max");
	/* Not another word: what it asked for goes, and so does its place on the larger cores. */
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "0.00");
	wait_for_file(f, VCPU "1/cpuset.cpus", "0-3");
	/* And a renewal brings it back. */
	send_report(f, 0, 900, 60000);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "max");
}

static void test_connection_ends(void **state)
{
	struct fixture *f = *state;

	start_with_guest(f);
	send_report(f, 0, 900, 60000);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "max");
	close(TAKE_FD(f->guest));
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "0.00");
	wait_for_file(f, VCPU "0/cpuset.cpus", "0-3");
}

static void test_newer_connection_replaces(void **state)
{
	struct fixture *f = *state;
	int older;

	start_with_guest(f);
	send_report(f, 0, 900, 60000);
	older = TAKE_FD(f->guest);

	/* One that says nothing yet, and one that says nothing good, change nothing. */
	call_from(f, CID, PORT + 1);
	call_from(f, CID, PORT + 2);
	assert_int_equal(host_counts(f->host)->closed_by_code[BYE_REPLACED], 1);
	assert_int_equal(write(f->guest, "nonsense", 8), 8);
	settle(f);
	assert_int_equal(host_counts(f->host)->closed_by_code[BYE_PROTOCOL], 1);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "max");

	/* One that greets is the guest now: what the older asked for went with it. */
	call_from(f, CID, PORT + 3);
	send_hello(f);
	assert_int_equal(host_counts(f->host)->closed_by_code[BYE_REPLACED], 2);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "0.00");
	send_report(f, 0, 900, 60000);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "max");
	close(older);
	settle(f);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "max");
}

static void test_strangers_are_refused(void **state)
{
	struct fixture *f = *state;
	struct feedback_vcpu told;
	uint8_t types[16];

	start_host(f, false);
	call_from(f, CID + 1, PORT);
	assert_int_equal(host_counts(f->host)->refused_cid, 1);
	assert_int_equal(read_types(f, types, &told), 1);
	assert_int_equal(types[0], MESSAGE_BYE);
	call_from(f, CID, 1024);
	assert_int_equal(host_counts(f->host)->refused_port, 1);
	call_from(f, 2, PORT);
	assert_int_equal(host_counts(f->host)->refused_cid, 2);
	assert_as_before(f);
}

static void test_garbage_closes_that_connection_alone(void **state)
{
	struct fixture *f = *state;

	start_host(f, false);
	call_from(f, CID, PORT);
	assert_int_equal(write(f->guest, "GET / HTTP/1.0\r\n", 16), 16);
	settle(f);
	assert_int_equal(host_counts(f->host)->closed_by_code[BYE_PROTOCOL], 1);
	call_from(f, CID, PORT);
	send_hello(f);
	send_report(f, 0, 900, 60000);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "max");
	assert_int_equal(write(f->guest, "VF\x02\x00\x04\x00\x00\x00junk", 12), 12);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "0.00");
	assert_int_equal(host_counts(f->host)->closed_by_code[BYE_PROTOCOL], 2);
}

static void test_restarted_domain_is_another(void **state)
{
	struct fixture *f = *state;

	start_with_guest(f);
	send_report(f, 0, 900, 60000);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "max");
	host_take_inventory(f->host, make_inventory(8, 0)); /* the same UUID and CID, a new id */
	assert_int_equal(host_n_domains(f->host), 1);
	assert_null(host_domain(f->host, 0)->hello);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "0.00");
	wait_for_file(f, VCPU "1/cpuset.cpus", "0-3");
	wait_for_file(f, SCOPE "/cpu.uclamp.min", "0.00");
}

static void test_operators_pin_stands(void **state)
{
	struct fixture *f = *state;

	start_with_guest(f);
	send_report(f, 0, 900, 60000);
	wait_for_file(f, VCPU "1/cpuset.cpus", "2-3");
	host_take_inventory(f->host, make_inventory(7, 1)); /* virsh vcpupin g 1 3 */
	wait_for_file(f, VCPU "1/cpuset.cpus", "3");
	send_report(f, 900, 0, 60000);
	wait_for_file(f, VCPU "0/cpuset.cpus", "2-3");
	wait_for_file(f, VCPU "1/cpuset.cpus", "3");
	host_free(TAKE_PTR(f->host));
	wait_for_file(f, VCPU "1/cpuset.cpus", "3");
	wait_for_file(f, VCPU "0/cpuset.cpus", "0-3");
}

static void send_notice(struct fixture *f, uint32_t concerns, const char *scheduler)
{
	struct message_notice notice = {.concerns = concerns};
	uint8_t frame[NOTICE_FRAME_MAX];
	int n;

	snprintf(notice.scheduler, sizeof(notice.scheduler), "%s", scheduler);
	n = notice_put(frame, sizeof(frame), &notice);
	assert_true(n > 0);
	assert_int_equal(write(f->guest, frame, (size_t)n), n);
	settle(f);
}

/* What a guest says of itself is in the status, is replaced by the next word, goes with the connection,
 * and changes nothing of what is done. */
static void test_concerns(void **state)
{
	struct fixture *f = *state;

	start_host(f, false);
	assert_true(status_has(f, "\"concerns\":[]"));
	call_from(f, CID, PORT);
	send_hello(f);
	send_notice(f, 1U << NOTICE_SCHED_EXT | 1U << NOTICE_NO_PSI, "scx_lavd");
	assert_true(status_has(f, "{\"name\":\"sched_ext\",\"text\":\"a sched_ext"));
	assert_true(status_has(f, "\"detail\":\"scx_lavd\"}"));
	assert_true(status_has(f, "{\"name\":\"no_psi\","));
	send_report(f, 0, 900, 60000);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "max");
	send_notice(f, 1U << NOTICE_NO_PSI | 1U << NOTICE_EBPF_NO_BTF, "");
	assert_false(status_has(f, "sched_ext"));
	assert_true(status_has(f, "{\"name\":\"no_psi\","));
	assert_true(status_has(f, "{\"name\":\"ebpf_no_btf\",\"text\":\"the guest has no "));
	close(TAKE_FD(f->guest));
	settle(f);
	assert_true(status_has(f, "\"concerns\":[]"));
}

/* A reload takes all of a good file, nothing of a bad one, and says what is wrong with it. */
static void test_reload(void **state)
{
	struct fixture *f = *state;

	start_with_guest(f);
	test_write(f->root, "vmfreq.conf", "[host]\nfloor_hold = 0\nfloor_max = 50%\n");
	assert_int_equal(host_reload(f->host), 0);
	assert_string_equal(host_config_error(f->host), "");
	send_report(f, 0, 900, 60000);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "50.00");

	test_write(f->root, "vmfreq.conf", "[host]\nfloor_max = 100%\nfloor_hold = 5\n");
	assert_int_equal(host_reload(f->host), -EINVAL);
	assert_non_null(strstr(host_config_error(f->host), "/vmfreq.conf:3: floor_hold: '5'"));

	/* What only the host can tell. */
	test_write(f->root, "vmfreq.conf", "[host]\nfloor_max = 100%\ncore_classes = 0 < 9\n");
	assert_int_equal(host_reload(f->host), -EINVAL);
	assert_non_null(strstr(host_config_error(f->host), "core_classes: class 2: there is no CPU 9"));
	send_report(f, 0, 0, 60000);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "0.00");
	send_report(f, 0, 900, 60000);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "50.00");
}

/* Each of the wrong configurations leaves the running one as it is, and the host at work. */
static void test_bad_reloads(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ struct bad_config *bad = NULL;
	size_t n = bad_config_read(&bad);
	struct host_config before;
	unsigned refused = 0;

	log_set_level(LOG_EMERG);
	start_with_guest(f);
	memcpy(&before, host_running_config(f->host), sizeof(before));
	for (size_t i = 0; i < n; i++) {
		if (!bad_config_is_for(&bad[i], "host"))
			continue;
		strcpy(f->config_path, bad[i].path);
		EXPECT(host_reload(f->host) < 0, "%s is taken", bad[i].name);
		EXPECT(strncmp(host_config_error(f->host), "/", 1) == 0 &&
			       strchr(host_config_error(f->host), '\n') == NULL,
		       "%s: %s", bad[i].name, host_config_error(f->host));
		EXPECT(memcmp(&before, host_running_config(f->host), sizeof(before)) == 0, "%s",
		       bad[i].name);
		send_report(f, 0, refused % 2 ? 0 : 900, 60000);
		wait_for_file(f, VCPU "1/cpu.uclamp.min", refused++ % 2 ? "0.00" : "max");
	}
	assert_true(refused >= 77);
	log_set_level(LOG_INFO);
}

/* What takes effect at the next start stays as it is in the running configuration. */
static void test_reload_at_start(void **state)
{
	struct fixture *f = *state;

	start_host(f, false);
	test_write(f->root, "vmfreq.conf", "[host]\nport = 1\nplacement = off\nfloor_hold = 7ms\n");
	assert_int_equal(host_reload(f->host), 0);
	assert_int_equal(host_running_config(f->host)->port, 9213);
	assert_int_equal(host_running_config(f->host)->placement, PLACE_CGROUP);
	assert_int_equal(host_running_config(f->host)->floor_hold_usec, 7000);
}

/* Dies with floors and places set; what it left is put back by the ledger alone. */
static void test_killed(void **state)
{
	struct fixture *f = *state;
	struct ledger_tally tally;

	die_with_floor(f, VCPU "1/cpu.uclamp.min", "max");
	tally = restore(f);
	assert_int_equal(tally.restored, 6); /* 4 uclamp files, 2 cpusets */
	assert_int_equal(tally.failed, 0);
	assert_as_before(f);
	assert_int_equal(restore(f).restored, 0);
}

/* A limit holds at once, and outlives a restart of hostd and of the domain. */
static void test_limit(void **state)
{
	struct fixture *f = *state;

	start_with_guest(f);
	send_report(f, 0, 900, 60000);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "max");
	assert_int_equal(lay(f, 50, false), 0);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "50.00");
	assert_int_equal(lay(f, 0, false), 0);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "0.00");
	assert_int_equal(lay(f, 25, false), 0);

	host_free(TAKE_PTR(f->host));
	start_host(f, false);
	assert_int_equal(host_domain(f->host, 0)->limit.percent, 25);
	host_take_inventory(f->host, make_inventory(8, 0));
	assert_int_equal(host_domain(f->host, 0)->info.id, 8);
	assert_int_equal(host_domain(f->host, 0)->limit.percent, 25);
	assert_int_equal(lay(f, LIMIT_NONE, false), 0);
	assert_int_not_equal(access(f->limits, F_OK), 0);
}

/* Released: all is put back at once, whatever the guest says then, until it is resumed. */
static void test_release(void **state)
{
	struct fixture *f = *state;

	start_with_guest(f);
	send_report(f, 0, 900, 60000);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "max");
	wait_for_file(f, VCPU "1/cpuset.cpus", "2-3");
	assert_int_equal(lay(f, LIMIT_NONE, true), 0);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "0.00");
	wait_for_file(f, VCPU "1/cpuset.cpus", "0-3");
	wait_for_file(f, SCOPE "/cpu.uclamp.min", "0.00");
	send_report(f, 700, 900, 60000);
	host_take_inventory(f->host, make_inventory(7, 0));
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "0.00");
	wait_for_file(f, VCPU "0/cpuset.cpus", "0-3");
	assert_non_null(host_domain(f->host, 0)->hello);

	assert_int_equal(lay(f, LIMIT_NONE, false), 0);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "max");
	wait_for_file(f, VCPU "1/cpuset.cpus", "2-3");
	assert_int_equal(lay(f, LIMIT_NONE, true), 0);
	host_free(TAKE_PTR(f->host));
	start_host(f, false);
	assert_true(host_domain(f->host, 0)->limit.released);
}

/* What can't be kept isn't done; what is damaged is one domain's loss; a dry run keeps nothing. */
static void test_limits_file(void **state)
{
	static const struct domain_limit limit = {50, false};
	static const uint8_t stranger[DOMAIN_UUID] = {9};
	struct fixture *f = *state;

	test_write(f->root, "limits", "07000000-0000-0000-0000-000000000000 limit=\n");
	start_host(f, false);
	assert_int_equal(host_domain(f->host, 0)->limit.percent, LIMIT_NONE);
	assert_int_equal(host_limit_domain(f->host, stranger, &limit), -ENOENT);
	assert_int_equal(unlink(f->limits), 0);
	assert_int_equal(mkdir(f->limits, 0755), 0);
	assert_int_equal(lay(f, 50, false), -EISDIR);
	assert_int_equal(host_domain(f->host, 0)->limit.percent, LIMIT_NONE);
	assert_int_equal(rmdir(f->limits), 0);

	host_free(TAKE_PTR(f->host));
	start_host(f, true);
	assert_int_equal(lay(f, 50, false), 0);
	assert_int_equal(host_domain(f->host, 0)->limit.percent, 50);
	assert_int_not_equal(access(f->limits, F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_load_on_one_vcpu),
		HOST_TEST(test_watchdog),
		HOST_TEST(test_dry_run_changes_nothing),
		HOST_TEST(test_lease_runs_out),
		HOST_TEST(test_connection_ends),
		HOST_TEST(test_newer_connection_replaces),
		HOST_TEST(test_strangers_are_refused),
		HOST_TEST(test_garbage_closes_that_connection_alone),
		HOST_TEST(test_restarted_domain_is_another),
		HOST_TEST(test_operators_pin_stands),
		HOST_TEST(test_concerns),
		HOST_TEST(test_reload),
		HOST_TEST(test_limit),
		HOST_TEST(test_release),
		HOST_TEST(test_limits_file),
		HOST_TEST(test_bad_reloads),
		HOST_TEST(test_reload_at_start),
		HOST_TEST(test_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
