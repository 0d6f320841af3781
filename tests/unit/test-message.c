/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proto/message.c: every field of every message at its limits and beyond, from an equal and from a
 * newer peer, and what is written reads back as the same. */
#include "tests/unit/test.h"

#include "proto/message.h"

#define NEWER (PROTO_MINOR + 1)

/* A frame in the making: bytes is its payload. */
struct draft {
	uint8_t type;
	size_t size;
	uint8_t bytes[FRAME_PAYLOAD_MAX];
};

static struct draft draft;
static struct message_hello hello;

static struct frame frame_of(const struct draft *d)
{
	return (struct frame){.type = d->type, .payload = d->bytes, .size = d->size};
}

static void draft_hex(uint8_t type, const char *text)
{
	draft.type = type;
	draft.size = test_hex(text, draft.bytes, sizeof(draft.bytes));
}

/* Takes a whole frame apart into the draft. */
static void draft_frame(const uint8_t *bytes, int n)
{
	assert_true(n >= (int)FRAME_HEADER);
	assert_memory_equal(bytes, "VF", 2);
	assert_int_equal(bytes[3], 0);
	assert_int_equal(get_u32(bytes + 4), n - (int)FRAME_HEADER);
	draft.type = bytes[2];
	draft.size = (size_t)n - FRAME_HEADER;
	memcpy(draft.bytes, bytes + FRAME_HEADER, draft.size);
}

static int parse(uint8_t minor, struct message *ret)
{
	struct frame frame = frame_of(&draft);

	memset(ret, 0xa5, sizeof(*ret));
	return message_parse(&frame, minor, ret);
}

static int parse_hello(void)
{
	struct frame frame = frame_of(&draft);

	memset(&hello, 0xa5, sizeof(hello));
	return hello_parse(&frame, &hello);
}

/* One change of a good message, and what becomes of it with an equal and with a newer peer. */
struct change {
	size_t offset, width; /* width 0: value is the new size */
	uint64_t value;
	int equal, newer;
};

static void check_changes(const struct change *changes, size_t n)
{
	const struct draft good = draft;

	for (size_t i = 0; i < n; i++) {
		const struct change *c = &changes[i];
		struct message message;
		int r;

		draft = good;
		if (c->width == 0)
			draft.size = c->value;
		else if (c->width == 2)
			put_u16(draft.bytes + c->offset, (uint16_t)c->value);
		else if (c->width == 4)
			put_u32(draft.bytes + c->offset, (uint32_t)c->value);
		else
			put_u64(draft.bytes + c->offset, c->value);
		r = parse(PROTO_MINOR, &message);
		EXPECT(r == c->equal, "change %zu gave %d", i, r);
		EXPECT(r < 0 || message.type == good.type, "change %zu", i);
		r = parse(0, &message);
		EXPECT(r == c->equal, "change %zu gave %d with an older peer", i, r);
		r = parse(NEWER, &message);
		EXPECT(r == c->newer, "change %zu gave %d with a newer peer", i, r);
	}
	draft = good;
}

/* -- HELLO -- */

static const char guest_hello[] =
	"00 01 00 00"
	" 01 00 18 00 00 00 00 00 10 00 00 00 00 00 00 00  05 00 00 00 ff ff ff ff ff ff ff ff"
	" 02 00 01 00 01"
	" 03 00 01 00 01"
	" 04 00 10 00 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f"
	" 05 00 02 00 76 31"
	" 06 00 01 00 03";
static const char host_hello[] = "00 01 00 00 05 00 00 00 07 00 04 00 e8 03 00 00";

static void test_hello_of_guest(_unused_ void **state)
{
	draft_hex(MESSAGE_HELLO, guest_hello);
	assert_int_equal(parse_hello(), 0);
	assert_true(hello_is_of_guest(&hello));
	assert_false(hello_is_of_host(&hello));
	assert_int_equal(hello.major, 0);
	assert_int_equal(hello.minor, 1);
	assert_int_equal(hello.fields, 0x7e);
	assert_int_equal(hello.n_cpus, 2);
	assert_int_equal(hello.cpu[0].cpu, 0);
	assert_int_equal(hello.cpu[0].id, 16);
	assert_int_equal(hello.cpu[1].cpu, 5);
	assert_int_equal(hello.cpu[1].id, UINT64_MAX);
	assert_int_equal(hello.signal, SIGNAL_PROC);
	assert_true(hello.invariant);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(hello.boot_id[i], i);
	assert_string_equal(hello.agent, "v1");
	assert_int_equal(hello.cpufreq, CPUFREQ_OFF);
}

static void test_hello_of_host(_unused_ void **state)
{
	draft_hex(MESSAGE_HELLO, host_hello);
	assert_int_equal(parse_hello(), 0);
	assert_true(hello_is_of_host(&hello));
	assert_false(hello_is_of_guest(&hello));
	assert_int_equal(hello.lease_max_msec, 1000);
	assert_string_equal(hello.agent, "");
}

/* The tail of a HELLO: good, doubled, too short, too long, out of range, unknown. */
static void test_hello_fields(_unused_ void **state)
{
	static const struct {
		const char *fields;
		int equal, newer;
	} rows[] = {
		{"", 0, 0},
		{"01", -EBADMSG, -EBADMSG}, /* half a field's head */
		{"02 00 01", -EBADMSG, -EBADMSG},
		{"02 00 02 00 01", -EBADMSG, -EBADMSG}, /* longer than what is left */
		{"02 00 ff ff 01", -EBADMSG, -EBADMSG},
		{"02 00 01 00 01 02 00 01 00 01", -EBADMSG, -EBADMSG}, /* doubled */
		{"05 00 00 00 05 00 00 00", -EBADMSG, -EBADMSG},
		{"05 00 00 00 02 00 01 00 01 05 00 00 00", -EBADMSG, -EBADMSG},
		{"01 00 00 00", -EBADMSG, -EBADMSG}, /* no CPU */
		{"01 00 0b 00 00 00 00 00 00 00 00 00 00 00 00", -EBADMSG, -EBADMSG},
		{"01 00 0d 00 00 00 00 00 00 00 00 00 00 00 00 00 00", -EBADMSG, -EBADMSG},
		{"01 00 0c 00 ff 03 00 00 00 00 00 00 00 00 00 00", 0, 0},
		{"01 00 0c 00 00 04 00 00 00 00 00 00 00 00 00 00", -EBADMSG, -EBADMSG},
		{"01 00 0c 00 00 00 01 00 00 00 00 00 00 00 00 00", -EBADMSG, -EBADMSG},
		{"01 00 18 00 01 00 00 00 00 00 00 00 00 00 00 00" /* the same CPU twice */
		 " 01 00 00 00 00 00 00 00 00 00 00 00", -EBADMSG, -EBADMSG},
		{"01 00 18 00 01 00 00 00 00 00 00 00 00 00 00 00" /* descending */
		 " 00 00 00 00 00 00 00 00 00 00 00 00", -EBADMSG, -EBADMSG},
		{"02 00 00 00", -EBADMSG, -EBADMSG},
		{"02 00 01 00 00", -EBADMSG, -EBADMSG},
		{"02 00 01 00 02", 0, 0},
		{"02 00 01 00 03", -EBADMSG, -EBADMSG},
		{"02 00 02 00 01 00", -EBADMSG, -EBADMSG},
		{"03 00 01 00 00", 0, 0},
		{"03 00 01 00 02", -EBADMSG, -EBADMSG},
		{"04 00 0f 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00", -EBADMSG, -EBADMSG},
		{"04 00 11 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00", -EBADMSG,
		 -EBADMSG},
		{"05 00 02 00 20 7e", 0, 0},
		{"05 00 01 00 1f", -EBADMSG, -EBADMSG}, /* text that a terminal would obey */
		{"05 00 01 00 1b", -EBADMSG, -EBADMSG},
		{"05 00 01 00 7f", -EBADMSG, -EBADMSG},
		{"05 00 01 00 00", -EBADMSG, -EBADMSG},
		{"05 00 02 00 c3 a4", -EBADMSG, -EBADMSG},
		{"06 00 01 00 00", 0, 0},
		{"06 00 01 00 04", -EBADMSG, -EBADMSG},
		{"07 00 04 00 01 00 00 00", 0, 0},
		{"07 00 04 00 60 ea 00 00", 0, 0},
		{"07 00 04 00 61 ea 00 00", -EBADMSG, -EBADMSG},
		{"07 00 04 00 00 00 00 00", -EBADMSG, -EBADMSG},
		{"07 00 02 00 01 00", -EBADMSG, -EBADMSG},
		{"07 00 08 00 01 00 00 00 00 00 00 00", -EBADMSG, -EBADMSG},
		{"00 00 00 00", -EBADMSG, 0}, /* unknown: a newer version may have it */
		{"08 00 00 00", -EBADMSG, 0},
		{"1f 00 01 00 ff", -EBADMSG, 0},
		{"20 00 01 00 ff", -EBADMSG, 0},
		{"22 00 01 00 ff", -EBADMSG, 0}, /* 2, if tags were taken modulo 32 */
		{"ff ff 03 00 01 02 03", -EBADMSG, 0},
		{"08 00 02 00 01", -EBADMSG, -EBADMSG},
		{"22 00 00 00 02 00 01 00 01 22 00 00 00", -EBADMSG, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[256];
		int r;

		snprintf(text, sizeof(text), "00 %02x 00 00 %s", PROTO_MINOR, rows[i].fields);
		draft_hex(MESSAGE_HELLO, text);
		r = parse_hello();
		EXPECT(r == rows[i].equal, "row %zu gave %d", i, r);
		draft.bytes[1] = NEWER;
		r = parse_hello();
		EXPECT(r == rows[i].newer, "row %zu gave %d of a newer version", i, r);
	}
}

static void test_hello_head(_unused_ void **state)
{
	struct frame frame;

	draft_hex(MESSAGE_HELLO, host_hello);
	for (size_t size = 0; size < 4; size++) {
		draft.size = size;
		assert_int_equal(parse_hello(), -EBADMSG);
	}
	draft_hex(MESSAGE_HELLO, host_hello);
	draft.bytes[2] = 1;
	assert_int_equal(parse_hello(), -EBADMSG);
	draft_hex(MESSAGE_PING, host_hello);
	assert_int_equal(parse_hello(), -EBADMSG);
	/* Another major version says which, whatever else it says. */
	draft_hex(MESSAGE_HELLO, "01 07 ff ff ff ff ff");
	assert_int_equal(parse_hello(), -EPROTONOSUPPORT);
	assert_int_equal(hello.major, 1);
	assert_int_equal(hello.minor, 7);
	/* Only the first frame is a HELLO. */
	draft_hex(MESSAGE_HELLO, guest_hello);
	frame = frame_of(&draft);
	assert_int_equal(message_parse(&frame, PROTO_MINOR, &(struct message){.type = 0}),
			 -EBADMSG);
	assert_int_equal(message_parse(&frame, NEWER, &(struct message){.type = 0}), -EBADMSG);
}

/* Each of the required fields is missed; each prefix is refused or lacks one. */
static void test_hello_missing_fields(_unused_ void **state)
{
	draft_hex(MESSAGE_HELLO, guest_hello);
	for (size_t n = draft.size; n-- > 0;) {
		draft.size = n;
		if (parse_hello() == 0)
			EXPECT(!hello_is_of_guest(&hello), "%zu bytes", n);
	}
	for (unsigned tag = 0; tag < 8; tag++) {
		hello.fields = 0xffU & ~(1U << tag);
		assert_int_equal(hello_is_of_guest(&hello), tag == 0 || tag == 7);
		assert_int_equal(hello_is_of_host(&hello), tag != 5 && tag != 7);
	}
}

static void test_hello_limits(_unused_ void **state)
{
	static uint8_t buffer[FRAME_MAX];
	int n, again;

	/* 1024 CPUs and 200 bytes of text are the most. */
	hello = (struct message_hello){.minor = PROTO_MINOR, .fields = 0xfe, .signal = SIGNAL_EBPF,
				       .invariant = true, .cpufreq = CPUFREQ_OURS,
				       .lease_max_msec = 60000, .n_cpus = PROTO_CPUS_MAX};
	memset(hello.agent, 'a', PROTO_TEXT_MAX);
	for (unsigned i = 0; i < PROTO_CPUS_MAX; i++)
		hello.cpu[i] = (struct hello_cpu){.cpu = i, .id = UINT64_C(1) << 40 | i};
	n = hello_put(buffer, sizeof(buffer), &hello);
	draft_frame(buffer, n);
	assert_int_equal(parse_hello(), 0);
	assert_int_equal(hello.fields, 0xfe);
	assert_int_equal(hello.n_cpus, PROTO_CPUS_MAX);
	assert_int_equal(hello.cpu[1023].cpu, 1023);
	assert_int_equal(hello.cpu[1023].id, UINT64_C(1) << 40 | 1023);
	assert_int_equal(strlen(hello.agent), PROTO_TEXT_MAX);
	assert_int_equal(hello.lease_max_msec, 60000);
	again = hello_put(buffer, sizeof(buffer), &hello);
	assert_int_equal(again, n);
	assert_memory_equal(buffer + FRAME_HEADER, draft.bytes, draft.size);

	/* One more of either is too much. */
	draft_hex(MESSAGE_HELLO, "00 01 00 00 05 00 c9 00");
	memset(draft.bytes + 8, 'a', 201);
	draft.size = 8 + 201;
	assert_int_equal(parse_hello(), -EBADMSG);
	draft_hex(MESSAGE_HELLO, "00 01 00 00 01 00 0c 30");
	draft.size = 8 + 1025 * 12;
	for (unsigned i = 0; i < 1025; i++)
		put_u32(draft.bytes + 8 + (size_t)i * 12, i);
	assert_int_equal(parse_hello(), -EBADMSG);
}

static void test_hello_put_subset(_unused_ void **state)
{
	uint8_t buffer[1024];
	int n;

	hello = (struct message_hello){.minor = PROTO_MINOR, .fields = 0};
	n = hello_put(buffer, sizeof(buffer), &hello);
	draft_frame(buffer, n);
	assert_int_equal(draft.size, 4);
	assert_int_equal(parse_hello(), 0);
	assert_int_equal(hello.fields, 0);

	draft_hex(MESSAGE_HELLO, host_hello);
	assert_int_equal(parse_hello(), 0);
	n = hello_put(buffer, sizeof(buffer), &hello);
	assert_int_equal(n, FRAME_HEADER + draft.size);
	assert_memory_equal(buffer + FRAME_HEADER, draft.bytes, draft.size);
	for (size_t size = 0; size < (size_t)n; size++)
		assert_int_equal(hello_put(buffer, size, &hello), -ENOBUFS);
}

/* -- REPORT -- */

static const struct report_vcpu vcpus[] = {
	{.cpu = 1, .flags = VCPU_SATURATED, .util_avg = 700, .util_est = 1024, .freq_scale = 512,
	 .runnable = 3, .uclamp_min = 10, .uclamp_max = 1000, .run_delay_usec = 0x01020304,
	 .steal_usec = 0x05060708},
	{.cpu = 1023, .util_avg = 0, .util_est = 0, .freq_scale = 1024,
	 .runnable = PROTO_UNKNOWN_U16, .uclamp_max = 1024},
};

static void draft_report(void)
{
	struct message_report report = {.sequence = 0xfffffffe, .stamp_usec = UINT64_MAX - 1,
					.lease_msec = 600, .psi_fields = 0x15,
					.psi_usec = {1, 2, 3, 4, UINT64_MAX}, .n_vcpus = 2};
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
		{72, 2, 0, -EBADMSG, -EBADMSG}, /* freq_scale */
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
		many[i] = (struct report_vcpu){.cpu = (uint16_t)i, .freq_scale = 1024,
					       .steal_usec = i};
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
		{16, 4, 0, 0, 0}, /* freq_max_khz: not known */
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
		{"02 00 01 00 61 01 00 04 00 01 00 00 00", 0, 0},
		{"01 00 04 00 01 00 00 00 02 00 00 00", 0, 0},
		{"01 00 04 00 80 00 00 00", -EBADMSG, 0}, /* a bit that nobody has yet */
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
		{"01 00 04 00 00 00 00", -EBADMSG, -EBADMSG}, /* longer than what is left */
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
	assert_string_equal(notice_concern_name(7), "unknown");
}

/* No payload of any type and length makes the parser read outside of it (ASan watches), or yields a
 * record that breaks a limit. */
static void test_random_payloads(_unused_ void **state)
{
	uint64_t seed = 7;

	for (unsigned round = 0; round < 200000; round++) {
		size_t n = test_random(&seed) % 160;
		_cleanup_free_ uint8_t *bytes = malloc(MAX(n, 1U));
		struct frame frame = {.type = (uint8_t)(test_random(&seed) % 8), .payload = bytes,
				      .size = n};
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
		cmocka_unit_test(test_hello_of_guest),
		cmocka_unit_test(test_hello_of_host),
		cmocka_unit_test(test_hello_fields),
		cmocka_unit_test(test_hello_head),
		cmocka_unit_test(test_hello_missing_fields),
		cmocka_unit_test(test_hello_limits),
		cmocka_unit_test(test_hello_put_subset),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_report_changes),
		cmocka_unit_test(test_report_longer_records),
		cmocka_unit_test(test_report_limits),
		cmocka_unit_test(test_feedback),
		cmocka_unit_test(test_feedback_changes),
		cmocka_unit_test(test_feedback_longer_records),
		cmocka_unit_test(test_feedback_limits),
		cmocka_unit_test(test_ping),
		cmocka_unit_test(test_bye),
		cmocka_unit_test(test_notice),
		cmocka_unit_test(test_notice_fields),
		cmocka_unit_test(test_unknown_types),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_random_payloads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
