/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proto/message.c: HELLO, every field at its limits and beyond, of an equal and of a newer peer. */
#include "tests/unit/test_message.h"

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
		 " 01 00 00 00 00 00 00 00 00 00 00 00",
		 -EBADMSG, -EBADMSG},
		{"01 00 18 00 01 00 00 00 00 00 00 00 00 00 00 00" /* descending */
		 " 00 00 00 00 00 00 00 00 00 00 00 00",
		 -EBADMSG, -EBADMSG},
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
	hello = (struct message_hello){.minor = PROTO_MINOR,
				       .fields = 0xfe,
				       .signal = SIGNAL_EBPF,
				       .invariant = true,
				       .cpufreq = CPUFREQ_OURS,
				       .lease_max_msec = 60000,
				       .n_cpus = PROTO_CPUS_MAX};
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
