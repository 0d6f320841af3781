/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proto/message.c: the messages with a record for each vCPU: every field at its limits and beyond,
 * of an equal and of a newer peer, and what is written reads back as the same. */
#include "tests/unit/test_message.h"

/* -- REPORT -- */

static const struct report_vcpu vcpus[] = {
	{.cpu = 1,
	 .flags = VCPU_SATURATED,
	 .util_avg = 700,
	 .util_est = 1024,
	 .freq_scale = 512,
	 .runnable = 3,
	 .uclamp_min = 10,
	 .uclamp_max = 1000,
	 .run_delay_usec = 0x01020304,
	 .steal_usec = 0x05060708},
	{.cpu = 1023,
	 .util_avg = 0,
	 .util_est = 0,
	 .freq_scale = 1024,
	 .runnable = PROTO_UNKNOWN_U16,
	 .uclamp_max = 1024},
};

static void draft_report(void)
{
	struct message_report report = {.sequence = 0xfffffffe,
					.stamp_usec = UINT64_MAX - 1,
					.lease_msec = 600,
					.psi_fields = 0x15,
					.psi_usec = {1, 2, 3, 4, UINT64_MAX},
					.n_vcpus = 2};
	uint8_t buffer[REPORT_FRAME_MAX];
	int n = report_put(buffer, sizeof(buffer), &report, vcpus);

	assert_int_equal(n, FRAME_HEADER + 64 + 2 * 24);
	draft_frame(buffer, n);
	assert_int_equal(draft.type, MESSAGE_REPORT);
}

static void test_report(_unused_ void **state)
{
	struct report_vcpu vcpu;
	struct message message;
	uint8_t again[256];

	draft_report();
	assert_int_equal(parse(PROTO_MINOR, &message), 0);
	assert_int_equal(message.type, MESSAGE_REPORT);
	assert_int_equal(message.report.sequence, 0xfffffffe);
	assert_int_equal(message.report.stamp_usec, UINT64_MAX - 1);
	assert_int_equal(message.report.lease_msec, 600);
	assert_int_equal(message.report.psi_fields, 0x15);
	assert_int_equal(message.report.psi_usec[PSI_CPU_SOME], 1);
	assert_int_equal(message.report.psi_usec[PSI_IO_FULL], UINT64_MAX);
	assert_int_equal(message.report.n_vcpus, 2);
	assert_int_equal(message.report.record_size, REPORT_RECORD);
	for (unsigned i = 0; i < 2; i++) {
		memset(&vcpu, 0xa5, sizeof(vcpu));
		report_vcpu(&message.report, i, &vcpu);
		assert_memory_equal(&vcpu, &vcpus[i], sizeof(vcpu));
	}
	assert_int_equal(report_put(again, sizeof(again), &message.report, vcpus),
			 FRAME_HEADER + draft.size);
	assert_memory_equal(again + FRAME_HEADER, draft.bytes, draft.size);
}

static void test_report_changes(_unused_ void **state)
{
	static const struct change changes[] = {
		{0, 0, 64 + 48, 0, 0},
		{0, 0, 64 + 47, -EBADMSG, -EBADMSG}, /* cut, or too long */
		{0, 0, 64 + 49, -EBADMSG, -EBADMSG},
		{0, 0, 64, -EBADMSG, -EBADMSG},
		{0, 0, 63, -EBADMSG, -EBADMSG},
		{0, 0, 0, -EBADMSG, -EBADMSG},
		{4, 2, 1, -EBADMSG, -EBADMSG}, /* n_vcpus */
		{4, 2, 3, -EBADMSG, -EBADMSG},
		{4, 2, 1025, -EBADMSG, -EBADMSG},
		{4, 2, 0xffff, -EBADMSG, -EBADMSG},
		{6, 2, 0, -EBADMSG, -EBADMSG}, /* record_size */
		{6, 2, 23, -EBADMSG, -EBADMSG},
		{6, 2, 25, -EBADMSG, -EBADMSG},
		{6, 2, 0xffff, -EBADMSG, -EBADMSG},
		{16, 2, 0, -EBADMSG, -EBADMSG}, /* lease_msec */
		{16, 2, 1, 0, 0},
		{16, 2, 60000, 0, 0},
		{16, 2, 60001, -EBADMSG, -EBADMSG},
		{18, 2, 0x1f, 0, 0}, /* psi_fields */
		{18, 2, 0x20, -EBADMSG, 0},
		{18, 2, 0x8000, -EBADMSG, 0},
		{20, 4, 1, -EBADMSG, 0}, /* reserved */
		{24, 8, UINT64_MAX, 0, 0},
		{64, 2, 0, 0, 0}, /* cpu of the first record */
		{64, 2, 1022, 0, 0},
		{64, 2, 1023, -EBADMSG, -EBADMSG}, /* the second has it */
		{64, 2, 1024, -EBADMSG, -EBADMSG},
		{88, 2, 1, -EBADMSG, -EBADMSG}, /* cpu of the second: the first has it */
		{88, 2, 0, -EBADMSG, -EBADMSG}, /* descending */
		{88, 2, 2, 0, 0},
		{88, 2, 1024, -EBADMSG, -EBADMSG},
		{66, 2, 0, 0, 0}, /* flags */
		{66, 2, 2, -EBADMSG, 0},
		{66, 2, 0x8001, -EBADMSG, 0},
		{68, 2, 1024, 0, 0}, /* util_avg */
		{68, 2, 1025, -EBADMSG, -EBADMSG},
		{68, 2, 0xffff, -EBADMSG, -EBADMSG},
		{70, 2, 1025, -EBADMSG, -EBADMSG}, /* util_est */
		{72, 2, 0, -EBADMSG, -EBADMSG},	   /* freq_scale */
		{72, 2, 1, 0, 0},
		{72, 2, 1025, -EBADMSG, -EBADMSG},
		{74, 2, 0, 0, 0}, /* runnable */
		{74, 2, 0xffff, 0, 0},
		{76, 2, 1024, 0, 0}, /* uclamp_min */
		{76, 2, 1025, -EBADMSG, -EBADMSG},
		{78, 2, 0, 0, 0}, /* uclamp_max */
		{78, 2, 1025, -EBADMSG, -EBADMSG},
		{80, 4, UINT32_MAX, 0, 0},
		{92, 2, 1025, -EBADMSG, -EBADMSG}, /* util_avg of the second record */
	};

	draft_report();
	check_changes(changes, ARRAY_SIZE(changes));
}

/* A newer peer's records may be longer; what is behind the fields that we know is skipped. */
static void test_report_longer_records(_unused_ void **state)
{
	struct report_vcpu vcpu;
	struct message message;

	draft_report();
	memmove(draft.bytes + 64 + 31, draft.bytes + 64 + 24, 24);
	memset(draft.bytes + 64 + 24, 0xff, 7);
	memset(draft.bytes + 64 + 31 + 24, 0xff, 7);
	put_u16(draft.bytes + 6, 31);
	draft.size = 64 + 2 * 31;
	assert_int_equal(parse(PROTO_MINOR, &message), -EBADMSG);
	assert_int_equal(parse(NEWER, &message), 0);
	assert_int_equal(message.report.record_size, 31);
	for (unsigned i = 0; i < 2; i++) {
		report_vcpu(&message.report, i, &vcpu);
		assert_memory_equal(&vcpu, &vcpus[i], sizeof(vcpu));
	}
	draft.size--;
	assert_int_equal(parse(NEWER, &message), -EBADMSG);
}

static void test_report_limits(_unused_ void **state)
{
	static struct report_vcpu many[PROTO_CPUS_MAX];
	static uint8_t buffer[REPORT_FRAME_MAX];
	struct message_report report = {.lease_msec = 1};
	struct message message;

	/* None at all: a renewal. */
	draft_frame(buffer, report_put(buffer, sizeof(buffer), &report, NULL));
	assert_int_equal(draft.size, REPORT_FIXED);
	assert_int_equal(parse(PROTO_MINOR, &message), 0);
	assert_int_equal(message.report.n_vcpus, 0);
	put_u16(draft.bytes + 6, 0);
	assert_int_equal(parse(PROTO_MINOR, &message), -EBADMSG);

	/* All of them fit into one frame. */
	for (unsigned i = 0; i < PROTO_CPUS_MAX; i++)
		many[i] = (struct report_vcpu){
			.cpu = (uint16_t)i, .freq_scale = 1024, .steal_usec = i};
	report.n_vcpus = PROTO_CPUS_MAX;
	draft_frame(buffer, report_put(buffer, sizeof(buffer), &report, many));
	assert_true(draft.size <= FRAME_PAYLOAD_MAX);
	assert_int_equal(parse(PROTO_MINOR, &message), 0);
	report_vcpu(&message.report, 1023, &many[0]);
	assert_int_equal(many[0].cpu, 1023);
	assert_int_equal(many[0].steal_usec, 1023);

	report.n_vcpus = PROTO_CPUS_MAX + 1;
	assert_int_equal(report_put(buffer, sizeof(buffer), &report, many), -ENOBUFS);
	report.n_vcpus = 2;
	assert_int_equal(report_put(buffer, FRAME_HEADER + 64 + 47, &report, many), -ENOBUFS);
	assert_int_equal(report_put(buffer, FRAME_HEADER + 64 + 48, &report, many),
			 FRAME_HEADER + 64 + 48);
}

/* -- FEEDBACK -- */

static const struct feedback_vcpu delivered[] = {
	{.cpu = 0, .capacity = 1, .freq_khz = 600000, .freq_max_khz = 3000000},
	{.cpu = 7, .capacity = 1024, .freq_khz = UINT32_MAX, .freq_max_khz = UINT32_MAX},
};

static void draft_feedback(void)
{
	uint8_t buffer[64];
	int n = feedback_put(buffer, sizeof(buffer), 0xa1b2c3d4, delivered, 2);

	assert_int_equal(n, FRAME_HEADER + 8 + 2 * 12);
	draft_frame(buffer, n);
	assert_int_equal(draft.type, MESSAGE_FEEDBACK);
}

static void test_feedback(_unused_ void **state)
{
	struct feedback_vcpu vcpu;
	struct message message;

	draft_feedback();
	assert_int_equal(parse(PROTO_MINOR, &message), 0);
	assert_int_equal(message.type, MESSAGE_FEEDBACK);
	assert_int_equal(message.feedback.sequence, 0xa1b2c3d4);
	assert_int_equal(message.feedback.n_vcpus, 2);
	for (unsigned i = 0; i < 2; i++) {
		memset(&vcpu, 0xa5, sizeof(vcpu));
		feedback_vcpu(&message.feedback, i, &vcpu);
		assert_memory_equal(&vcpu, &delivered[i], sizeof(vcpu));
	}
}

static void test_feedback_changes(_unused_ void **state)
{
	static const struct change changes[] = {
		{0, 0, 8 + 24, 0, 0},
		{0, 0, 8 + 23, -EBADMSG, -EBADMSG},
		{0, 0, 8 + 25, -EBADMSG, -EBADMSG},
		{0, 0, 7, -EBADMSG, -EBADMSG},
		{0, 0, 0, -EBADMSG, -EBADMSG},
		{4, 2, 1, -EBADMSG, -EBADMSG}, /* n_vcpus */
		{4, 2, 1025, -EBADMSG, -EBADMSG},
		{6, 2, 0, -EBADMSG, -EBADMSG}, /* record_size */
		{6, 2, 11, -EBADMSG, -EBADMSG},
		{6, 2, 13, -EBADMSG, -EBADMSG},
		{8, 2, 6, 0, 0}, /* cpu */
		{8, 2, 7, -EBADMSG, -EBADMSG},
		{8, 2, 1024, -EBADMSG, -EBADMSG},
		{20, 2, 0, -EBADMSG, -EBADMSG}, /* the second's: the same as the first */
		{20, 2, 1023, 0, 0},
		{20, 2, 1024, -EBADMSG, -EBADMSG},
		{10, 2, 0, -EBADMSG, -EBADMSG}, /* capacity */
		{10, 2, 1024, 0, 0},
		{10, 2, 1025, -EBADMSG, -EBADMSG},
		{12, 4, 0, 0, 0}, /* freq_khz: not known */
		{12, 4, 3000000, 0, 0},
		{12, 4, 3000001, -EBADMSG, -EBADMSG}, /* above its own maximum */
		{16, 4, 0, 0, 0},		      /* freq_max_khz: not known */
		{16, 4, 599999, -EBADMSG, -EBADMSG},
	};

	draft_feedback();
	check_changes(changes, ARRAY_SIZE(changes));
}

static void test_feedback_longer_records(_unused_ void **state)
{
	struct feedback_vcpu vcpu;
	struct message message;

	draft_feedback();
	memmove(draft.bytes + 8 + 16, draft.bytes + 8 + 12, 12);
	put_u16(draft.bytes + 6, 16);
	draft.size = 8 + 2 * 16;
	assert_int_equal(parse(PROTO_MINOR, &message), -EBADMSG);
	assert_int_equal(parse(NEWER, &message), 0);
	feedback_vcpu(&message.feedback, 1, &vcpu);
	assert_memory_equal(&vcpu, &delivered[1], sizeof(vcpu));
}

static void test_feedback_limits(_unused_ void **state)
{
	static struct feedback_vcpu many[PROTO_CPUS_MAX];
	static uint8_t buffer[FEEDBACK_FRAME_MAX];
	struct message message;

	for (unsigned i = 0; i < PROTO_CPUS_MAX; i++)
		many[i] = (struct feedback_vcpu){.cpu = (uint16_t)i, .capacity = 1};
	draft_frame(buffer, feedback_put(buffer, sizeof(buffer), 0, many, PROTO_CPUS_MAX));
	assert_int_equal(parse(PROTO_MINOR, &message), 0);
	assert_int_equal(message.feedback.n_vcpus, PROTO_CPUS_MAX);
	assert_int_equal(feedback_put(buffer, sizeof(buffer), 0, many, PROTO_CPUS_MAX + 1),
			 -ENOBUFS);
	assert_int_equal(feedback_put(buffer, FRAME_HEADER + 8 + 11, 0, many, 1), -ENOBUFS);
	draft_frame(buffer, feedback_put(buffer, FRAME_HEADER + 8, 0, NULL, 0));
	assert_int_equal(parse(PROTO_MINOR, &message), 0);
	assert_int_equal(message.feedback.n_vcpus, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_report_changes),
		cmocka_unit_test(test_report_longer_records),
		cmocka_unit_test(test_report_limits),
		cmocka_unit_test(test_feedback),
		cmocka_unit_test(test_feedback_changes),
		cmocka_unit_test(test_feedback_longer_records),
		cmocka_unit_test(test_feedback_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
