/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proto/message.c: the small messages, and what goes for all of them: unknown types, names, and
 * payloads of random bytes. HELLO is test-message-hello.c's, REPORT and FEEDBACK are
 * test-message-records.c's. */
#include "tests/unit/test_message.h"

/* -- PING and BYE -- */

static void test_ping(_unused_ void **state)
{
	static const struct change changes[] = {
		{0, 0, 8, 0, 0},
		{0, 0, 7, -EBADMSG, -EBADMSG},
		{0, 0, 0, -EBADMSG, -EBADMSG},
		{0, 0, 9, -EBADMSG, 0},
		{0, 0, FRAME_PAYLOAD_MAX, -EBADMSG, 0},
	};
	uint8_t buffer[16];
	struct message message;

	assert_int_equal(ping_put(buffer, 15, 1), -ENOBUFS);
	assert_int_equal(ping_put(buffer, 16, UINT64_C(0x1122334455667788)), 16);
	draft_frame(buffer, 16);
	assert_int_equal(parse(PROTO_MINOR, &message), 0);
	assert_int_equal(message.type, MESSAGE_PING);
	assert_int_equal(message.ping.stamp_usec, UINT64_C(0x1122334455667788));
	check_changes(changes, ARRAY_SIZE(changes));
}

/* Flags, since 0.4: nothing else of their size, and no bits that this version doesn't know. */
static void test_ping_flags(_unused_ void **state)
{
	static const struct {
		uint8_t size;
		uint32_t flags;
		int equal, newer;
	} rows[] = {
		{12, 0, 0, 0},	      {12, 1, 0, 0},	    {12, 2, -EBADMSG, 0},
		{11, 0, -EBADMSG, 0}, {13, 0, -EBADMSG, 0}, {12, 0x80000001, -EBADMSG, 0},
	};
	uint8_t buffer[24] = {};
	struct message message;

	assert_int_equal(ping_put_flags(buffer, 19, 5, 0), -ENOBUFS);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(ping_put_flags(buffer, 20, 5, rows[i].flags), 20);
		draft_frame(buffer, 20);
		draft.size = rows[i].size;
		EXPECT(parse(PROTO_MINOR, &message) == rows[i].equal, "row %zu", i);
		EXPECT(parse(3, &message) == -EBADMSG, "row %zu, of before", i);
		EXPECT(parse(PROTO_MINOR + 1, &message) == rows[i].newer, "row %zu, newer", i);
		assert_int_equal(message.ping.stamp_usec, 5);
		assert_int_equal(message.ping.has_flags, rows[i].size >= 12);
		assert_int_equal(message.ping.flags,
				 rows[i].size >= 12 ? rows[i].flags & PING_NO_REPORTS : 0);
	}
}

static void test_bye(_unused_ void **state)
{
	static const struct change changes[] = {
		{0, 0, 4, 0, 0},
		{0, 0, 3, -EBADMSG, -EBADMSG},
		{0, 0, 0, -EBADMSG, -EBADMSG},
		{0, 2, 0xffff, 0, 0}, /* an unknown code is good */
		{2, 2, 1, -EBADMSG, -EBADMSG},
		{4, 2, 0x0a41, -EBADMSG, -EBADMSG},
		{4, 2, 0x4100, -EBADMSG, -EBADMSG},
		{4, 2, 0x417f, -EBADMSG, -EBADMSG},
	};
	char text[PROTO_TEXT_MAX + 50];
	uint8_t buffer[FRAME_HEADER + 4 + PROTO_TEXT_MAX];
	struct message message;
	int n;

	n = bye_put(buffer, sizeof(buffer), BYE_REFUSED, "no domain");
	assert_int_equal(n, FRAME_HEADER + 4 + 9);
	draft_frame(buffer, n);
	assert_int_equal(parse(PROTO_MINOR, &message), 0);
	assert_int_equal(message.type, MESSAGE_BYE);
	assert_int_equal(message.bye.code, BYE_REFUSED);
	assert_string_equal(message.bye.text, "no domain");
	check_changes(changes, ARRAY_SIZE(changes));
	assert_int_equal(bye_put(buffer, (size_t)n - 1, BYE_REFUSED, "no domain"), -ENOBUFS);
	assert_int_equal(bye_put(buffer, (size_t)n, BYE_REFUSED, "no domain"), n);

	/* A reason that is too long is cut, and 200 bytes are taken. */
	memset(text, 'r', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	n = bye_put(buffer, sizeof(buffer), BYE_SHUTDOWN, text);
	assert_int_equal(n, sizeof(buffer));
	draft_frame(buffer, n);
	assert_int_equal(parse(PROTO_MINOR, &message), 0);
	assert_int_equal(strlen(message.bye.text), PROTO_TEXT_MAX);
	draft.bytes[draft.size++] = 'r';
	assert_int_equal(parse(NEWER, &message), -EBADMSG);
}

/* -- NOTICE -- */

static void test_notice(_unused_ void **state)
{
	struct message_notice notice = {.concerns = NOTICE_KNOWN};
	uint8_t buffer[NOTICE_FRAME_MAX + FRAME_HEADER];
	struct message message;
	int n;

	n = notice_put(buffer, sizeof(buffer), &notice);
	assert_int_equal(n, FRAME_HEADER + 8);
	draft_frame(buffer, n);
	assert_int_equal(parse(PROTO_MINOR, &message), 0);
	assert_int_equal(message.type, MESSAGE_NOTICE);
	assert_int_equal(message.notice.concerns, NOTICE_KNOWN);
	assert_string_equal(message.notice.scheduler, "");
	assert_int_equal(notice_put(buffer, (size_t)n - 1, &notice), -ENOBUFS);

	memset(notice.scheduler, 's', PROTO_TEXT_MAX);
	n = notice_put(buffer, sizeof(buffer), &notice);
	assert_true(n <= (int)NOTICE_FRAME_MAX);
	draft_frame(buffer, n);
	assert_int_equal(parse(PROTO_MINOR, &message), 0);
	assert_string_equal(message.notice.scheduler, notice.scheduler);
	for (size_t size = 0; size < (size_t)n; size++)
		assert_int_equal(notice_put(buffer, size, &notice), -ENOBUFS);
}

/* Fields in any order, doubled, missing, cut, out of range, unknown. */
static void test_notice_fields(_unused_ void **state)
{
	static const struct {
		const char *fields;
		int equal, newer;
	} rows[] = {
		{"01 00 04 00 00 00 00 00", 0, 0},
		{"01 00 04 00 7f 00 00 00", 0, 0},
		{"01 00 04 00 ff 3f 00 00", 0, 0},
		{"02 00 01 00 61 01 00 04 00 01 00 00 00", 0, 0},
		{"01 00 04 00 01 00 00 00 02 00 00 00", 0, 0},
		{"01 00 04 00 00 40 00 00", -EBADMSG, 0}, /* a bit that nobody has yet */
		{"01 00 04 00 00 00 00 80", -EBADMSG, 0},
		{"01 00 04 00 00 00 00 00 03 00 01 00 00", -EBADMSG, 0},
		{"01 00 04 00 00 00 00 00 21 00 04 00 00 00 00 00", -EBADMSG, 0},
		{"", -EBADMSG, -EBADMSG}, /* CONCERNS is required */
		{"02 00 01 00 61", -EBADMSG, -EBADMSG},
		{"03 00 00 00", -EBADMSG, -EBADMSG},
		{"01 00 04 00 00 00 00 00 01 00 04 00 00 00 00 00", -EBADMSG, -EBADMSG},
		{"01 00 04 00 00 00 00 00 02 00 00 00 02 00 00 00", -EBADMSG, -EBADMSG},
		{"01 00 03 00 00 00 00", -EBADMSG, -EBADMSG},
		{"01 00 05 00 00 00 00 00 00", -EBADMSG, -EBADMSG},
		{"01 00 04 00 00 00 00", -EBADMSG, -EBADMSG},	    /* longer than what is left */
		{"01 00 04 00 00 00 00 00 02", -EBADMSG, -EBADMSG}, /* part of a field's head */
		{"01 00 04 00 00 00 00 00 02 00 01 00 1b", -EBADMSG, -EBADMSG},
		{"01 00 04 00 00 00 00 00 02 00 01 00 00", -EBADMSG, -EBADMSG},
		{"01 00 04 00 00 00 00 00 03 00 01 00", -EBADMSG, -EBADMSG},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct message message;
		int r;

		draft_hex(MESSAGE_NOTICE, rows[i].fields);
		r = parse(PROTO_MINOR, &message);
		EXPECT(r == rows[i].equal, "row %zu gave %d", i, r);
		r = parse(NEWER, &message);
		EXPECT(r == rows[i].newer, "row %zu gave %d of a newer version", i, r);
		EXPECT(r < 0 || !(message.notice.concerns & ~NOTICE_KNOWN),
		       "row %zu: a bit that isn't known was kept", i);
		EXPECT(parse(1, &message) == -EBADMSG, "row %zu: version 0.1 has no NOTICE", i);
	}
}

/* Each concern is an error of a version that hadn't it, so that nobody takes one for another. */
static void test_notice_versions(_unused_ void **state)
{
	struct message_notice notice = {};
	uint8_t buffer[NOTICE_FRAME_MAX];
	struct message message;

	for (unsigned bit = 0; NOTICE_KNOWN >> bit; bit++) {
		notice.concerns = UINT32_C(1) << bit;
		draft_frame(buffer, notice_put(buffer, sizeof(buffer), &notice));
		EXPECT(parse(2, &message) == (bit <= NOTICE_NO_SCHEDSTAT ? 0 : -EBADMSG), "bit %u",
		       bit);
		EXPECT(parse(3, &message) == 0 && message.notice.concerns == notice.concerns,
		       "bit %u", bit);
	}
}

/* -- all of them -- */

static void test_unknown_types(_unused_ void **state)
{
	struct message message;

	for (unsigned type = 0; type < 256; type++) {
		if (type >= MESSAGE_HELLO && type <= MESSAGE_NOTICE)
			continue;
		draft_hex((uint8_t)type, "01 02 03");
		assert_int_equal(parse(PROTO_MINOR, &message), -EBADMSG);
		assert_int_equal(parse(NEWER, &message), 0);
		assert_int_equal(message.type, MESSAGE_UNKNOWN);
	}
}

static void test_names(_unused_ void **state)
{
	assert_string_equal(message_type_name(MESSAGE_HELLO), "HELLO");
	assert_string_equal(message_type_name(MESSAGE_BYE), "BYE");
	assert_string_equal(message_type_name(0), "unknown");
	assert_string_equal(message_type_name(MESSAGE_NOTICE), "NOTICE");
	assert_string_equal(message_type_name(7), "unknown");
	assert_string_equal(message_type_name(UINT32_MAX), "unknown");
	assert_string_equal(bye_code_name(BYE_SHUTDOWN), "shutdown");
	assert_string_equal(bye_code_name(BYE_FLOOD), "flood");
	assert_string_equal(bye_code_name(0), "unknown");
	assert_string_equal(bye_code_name(0xffff), "unknown");
	assert_string_equal(hello_signal_name(SIGNAL_PROC), "proc");
	assert_string_equal(hello_signal_name(SIGNAL_EBPF), "ebpf");
	assert_string_equal(hello_signal_name(3), "unknown");
	assert_string_equal(hello_cpufreq_name(CPUFREQ_NONE), "none");
	assert_string_equal(hello_cpufreq_name(CPUFREQ_OFF), "off");
	assert_string_equal(hello_cpufreq_name(4), "unknown");
	assert_string_equal(notice_concern_name(NOTICE_SCHED_EXT), "sched_ext");
	assert_string_equal(notice_concern_name(NOTICE_NO_SCHEDSTAT), "no_schedstat");
	assert_string_equal(notice_concern_name(NOTICE_EBPF_NOT_BUILT), "ebpf_not_built");
	assert_string_equal(notice_concern_name(NOTICE_EBPF_REJECTED), "ebpf_rejected");
	assert_string_equal(notice_concern_name(14), "unknown");
}

/* No payload of any type and length makes the parser read outside of it (ASan watches), or yields a
 * record that breaks a limit. */
static void test_random_payloads(_unused_ void **state)
{
	uint64_t seed = 7;

	for (unsigned round = 0; round < 200000; round++) {
		size_t n = test_random(&seed) % 160;
		_cleanup_free_ uint8_t *bytes = malloc(MAX(n, 1U));
		struct frame frame = {
			.type = (uint8_t)(test_random(&seed) % 8), .payload = bytes, .size = n};
		struct message message;

		for (size_t i = 0; i < n; i++)
			bytes[i] = test_random(&seed) % 4 ? 0 : (uint8_t)test_random(&seed);
		if (n >= 8 && test_random(&seed) % 2) {
			put_u16(bytes + 4, (uint16_t)(n / 24));
			put_u16(bytes + 6, 24);
		}
		(void)hello_parse(&frame, &hello);
		if (message_parse(&frame, (uint8_t)(round % 4), &message) < 0 ||
		    message.type != MESSAGE_REPORT)
			continue;
		for (unsigned i = 0; i < message.report.n_vcpus; i++) {
			struct report_vcpu vcpu;

			report_vcpu(&message.report, i, &vcpu);
			assert_true(vcpu.cpu < 1024 && vcpu.util_avg <= 1024 &&
				    vcpu.util_est <= 1024);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ping),
		cmocka_unit_test(test_ping_flags),
		cmocka_unit_test(test_bye),
		cmocka_unit_test(test_notice),
		cmocka_unit_test(test_notice_fields),
		cmocka_unit_test(test_notice_versions),
		cmocka_unit_test(test_unknown_types),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_random_payloads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
