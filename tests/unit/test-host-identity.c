/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd's whole way where a guest's CPU number isn't the vCPU's index: the domain has three vCPUs,
 * of which 1 isn't plugged in, so the guest's CPU 1 is vCPU 2. */
#include "tests/unit/test_host.h"

#define UNKNOWN UINT64_MAX

static struct inventory *make_three(bool with_vcpu1)
{
	struct inventory *inventory = make_inventory(7, 0);
	struct inventory_domain *domain = &inventory->domains[0];
	struct inventory_vcpu *vcpus = calloc(3, sizeof(*vcpus));

	assert_non_null(vcpus);
	free(domain->vcpus);
	domain->vcpus = vcpus;
	domain->n_vcpus = 3;
	domain->vcpus[1].offline = !with_vcpu1;
	return inventory;
}

static void start_three(struct fixture *f, const struct hello_cpu *cpus, uint16_t n_cpus)
{
	write_cgroup(f->root, VCPU "1", 0);
	write_cgroup(f->root, VCPU "2", 1003);
	write_thread(f->root, 1003, VCPU "2");
	new_host(f, false);
	host_take_inventory(f->host, make_three(false));
	call_from(f, CID, PORT);
	write_hello_of(f, cpus, n_cpus);
	settle(f);
}

/* What the newest FEEDBACK for a guest's CPU said. */
static bool was_told(struct fixture *f, uint16_t cpu, struct feedback_vcpu *ret)
{
	static struct frame_decoder decoder;
	struct message message;
	struct frame frame;
	bool found = false;
	size_t room;
	uint8_t *space;
	ssize_t got;

	frame_decoder_init(&decoder);
	space = frame_decoder_space(&decoder, &room);
	got = read(f->guest, space, room);
	frame_decoder_commit(&decoder, (size_t)MAX(got, 0));
	while (frame_decoder_next(&decoder, &frame) == 1) {
		if (frame.type != MESSAGE_FEEDBACK)
			continue;
		assert_int_equal(message_parse(&frame, PROTO_MINOR, &message), 0);
		for (unsigned i = 0; i < message.feedback.n_vcpus; i++) {
			struct feedback_vcpu vcpu;

			feedback_vcpu(&message.feedback, i, &vcpu);
			if (vcpu.cpu == cpu)
				*ret = vcpu, found = true;
		}
	}
	return found;
}

static void test_cpu1_is_vcpu2(void **state)
{
	struct fixture *f = *state;
	struct feedback_vcpu told = {};

	start_three(f, (const struct hello_cpu[]){{0, 0}, {1, 2}}, 2);
	send_report(f, 0, 900, 60000);
	wait_for_file(f, VCPU "2/cpu.uclamp.min", "max");
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "0.00");
	wait_for_file(f, VCPU "0/cpu.uclamp.min", "0.00");
	assert_true(status_has(f, "{\"index\":2,\"guest_cpu\":1,\"util\":900,"));
	assert_true(status_has(f, "{\"index\":1,\"util\":0,"));
	host_verify(f->host);
	assert_true(status_has(f, "\"cid\":42,\"connected\":true"));
	assert_false(status_has(f, "cpu_ids"));
	assert_false(status_has(f, "vcpu_offline"));
	/* Back: the guest hears of its CPU 1 what vCPU 2 gets, and of no CPU 2. */
	assert_true(was_told(f, 1, &told));
	assert_int_equal(told.freq_khz, 1875000); /* 60 % in steps of 12.5 % */
	send_report(f, 900, 0, 60000);
	wait_for_file(f, VCPU "0/cpu.uclamp.min", "max");
	test_write(f->root, "sys/devices/system/cpu/cpufreq/policy1/scaling_cur_freq", "2250000\n");
	for (unsigned i = 0; i < 1000 && !was_told(f, 1, &told); i++)
		assert_true(sd_event_run(f->event, 10000) >= 0);
	assert_int_equal(told.freq_khz, 2250000);
	test_write(f->root, "sys/devices/system/cpu/cpufreq/policy1/scaling_cur_freq", "600000\n");
	for (unsigned i = 0; i < 20; i++) {
		assert_true(sd_event_run(f->event, 10000) >= 0);
		assert_false(was_told(f, 2, &told));
	}
}

/* The guest heard of its new CPU before libvirt's XML said so: nothing is done for a vCPU that
 * isn't there, and what was said counts once it is, though the guest doesn't say it again. */
static void test_plugged_in(void **state)
{
	struct fixture *f = *state;

	start_three(f, (const struct hello_cpu[]){{0, 0}, {1, 2}, {2, 1}}, 3);
	assert_false(status_has(f, "cpu_ids"));
	{
		const struct report_vcpu cpu2 = {
			.cpu = 2, .util_avg = 900, .freq_scale = 1024, .uclamp_max = 1024};
		const struct message_report report = {
			.sequence = ++f->sequence, .lease_msec = 60000, .n_vcpus = 1};
		uint8_t frame[512];
		int n = report_put(frame, sizeof(frame), &report, &cpu2);

		assert_int_equal(write(f->guest, frame, (size_t)n), n);
		settle(f);
	}
	host_verify(f->host);
	assert_true(status_has(f, "{\"name\":\"vcpu_offline\","));
	assert_true(status_has(f, "{\"index\":1,\"util\":0,\"util_avg\":900,"));
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "0.00");
	wait_for_file(f, VCPU "2/cpu.uclamp.min", "0.00");

	write_cgroup(f->root, VCPU "1", 1002);
	host_take_inventory(f->host, make_three(true));
	/* Threads are looked for now and then, at a report; the guest renews its lease meanwhile.
	 */
	for (unsigned i = 0; i < 1000 && !status_has(f, "\"thread\":1002"); i++)
		send_report(f, 0, 0, 60000);
	send_report(f, 0, 0, 60000);
	assert_true(status_has(f, "\"index\":1,\"guest_cpu\":2,\"util\":900,"));
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "max");
	wait_for_file(f, VCPU "2/cpu.uclamp.min", "0.00");
	host_verify(f->host);
	assert_false(status_has(f, "vcpu_offline"));
}

/* A HELLO that can't be right: CPU 0 would have vCPU 2's floor as well as CPU 1. Number is index,
 * and the second CPU, whose vCPU isn't there, gets nothing. */
static void test_doubled(void **state)
{
	struct fixture *f = *state;

	start_three(f, (const struct hello_cpu[]){{0, 2}, {1, 2}}, 2);
	assert_true(status_has(f, "{\"name\":\"cpu_ids_wrong\","));
	assert_true(status_has(f, "\"detail\":\"two of its CPUs have one id\""));
	send_report(f, 900, 900, 60000);
	wait_for_file(f, VCPU "0/cpu.uclamp.min", "max");
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "0.00");
	wait_for_file(f, VCPU "2/cpu.uclamp.min", "0.00");
	host_verify(f->host);
	assert_true(status_has(f, "{\"name\":\"cpu_ids_wrong\","));
	assert_true(status_has(f, "{\"name\":\"vcpu_offline\","));
	/* It goes with the connection. */
	close(TAKE_FD(f->guest));
	settle(f);
	assert_false(status_has(f, "cpu_ids_wrong"));
}

static void test_unknown(void **state)
{
	struct fixture *f = *state;

	start_three(f, (const struct hello_cpu[]){{0, UNKNOWN}, {2, UNKNOWN}}, 2);
	assert_true(status_has(f, "{\"name\":\"cpu_ids_unknown\","));
	assert_true(status_has(f, "\"detail\":\"it doesn't know its CPUs' ids\""));
	/* A newer connection that knows them. */
	call_from(f, CID, PORT);
	send_hello(f);
	assert_false(status_has(f, "cpu_ids"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_cpu1_is_vcpu2),
		HOST_TEST(test_plugged_in),
		HOST_TEST(test_doubled),
		HOST_TEST(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
