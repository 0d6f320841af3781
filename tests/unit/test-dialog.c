/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd/dialog.c: what the host may say when, and how long it may be silent. */
#include "tests/unit/test.h"

#include "guestd/dialog.h"

#define START (1000 * USEC_PER_SEC)

static struct dialog dialog;
static uint8_t buffer[FRAME_MAX];

static int setup(_unused_ void **state)
{
	dialog_start(&dialog, START);
	return 0;
}

static enum dialog_event take(int size)
{
	struct frame frame = {buffer[2], buffer + FRAME_HEADER, (size_t)size - FRAME_HEADER};

	assert_true(size >= (int)FRAME_HEADER);
	return dialog_frame(&dialog, &frame, START + 1);
}

static int put_hello(uint8_t major, uint8_t minor, uint32_t fields)
{
	static struct message_hello hello;

	hello = (struct message_hello){.major = major,
				       .minor = minor,
				       .fields = fields,
				       .lease_max_msec = 1000,
				       .agent = "a host"};
	return hello_put(buffer, sizeof(buffer), &hello);
}

#define HOST_FIELDS (1U << HELLO_AGENT | 1U << HELLO_LEASE_MAX)

static int put_good_hello(void)
{
	return put_hello(PROTO_MAJOR, PROTO_MINOR, HOST_FIELDS);
}

static int put_unknown(void)
{
	frame_put_header(buffer, 200, 4);
	return FRAME_HEADER + 4;
}

static int put_feedback(void)
{
	const struct feedback_vcpu vcpu = {3, 512, 1000, 2000};

	return feedback_put(buffer, sizeof(buffer), 1, &vcpu, 1);
}

static int put_report(void)
{
	const struct message_report report = {.sequence = 1, .lease_msec = 1};

	return report_put(buffer, sizeof(buffer), &report, NULL);
}

static int put_notice(void)
{
	const struct message_notice notice = {.concerns = 1};

	return notice_put(buffer, sizeof(buffer), &notice);
}

static void test_conversation(_unused_ void **state)
{
	assert_false(dialog.streaming);
	assert_int_equal(take(put_good_hello()), DIALOG_STREAMING);
	assert_true(dialog.streaming);
	assert_int_equal(dialog.lease_max_msec, 1000);
	assert_string_equal(dialog.agent, "a host");
	assert_int_equal(take(ping_put(buffer, sizeof(buffer), 5)), DIALOG_NOTHING);
	assert_int_equal(take(put_feedback()), DIALOG_FEEDBACK);
	assert_int_equal(dialog.message.feedback.n_vcpus, 1);
	assert_int_equal(take(bye_put(buffer, sizeof(buffer), BYE_REPLACED, "x")), DIALOG_BYE);
	assert_int_equal(dialog.message.bye.code, BYE_REPLACED);
	dialog_start(&dialog, START);
	assert_false(dialog.streaming);
	assert_int_equal(dialog.lease_max_msec, PROTO_LEASE_MAX_MSEC);
}

/* The host's word of whether it wants reports: until it says otherwise. */
static void test_quiet(_unused_ void **state)
{
	take(put_good_hello());
	assert_false(dialog.quiet);
	assert_int_equal(take(ping_put_flags(buffer, sizeof(buffer), 5, 0)), DIALOG_NOTHING);
	assert_int_equal(take(ping_put_flags(buffer, sizeof(buffer), 5, PING_NO_REPORTS)),
			 DIALOG_WANTS);
	assert_true(dialog.quiet);
	assert_int_equal(take(ping_put_flags(buffer, sizeof(buffer), 5, PING_NO_REPORTS)),
			 DIALOG_NOTHING);
	assert_int_equal(take(ping_put(buffer, sizeof(buffer), 5)), DIALOG_NOTHING);
	assert_true(dialog.quiet);
	assert_int_equal(take(ping_put_flags(buffer, sizeof(buffer), 5, 0)), DIALOG_WANTS);
	assert_false(dialog.quiet);
	take(ping_put_flags(buffer, sizeof(buffer), 5, PING_NO_REPORTS));
	dialog_start(&dialog, START);
	assert_false(dialog.quiet);
}

static void test_before_hello(_unused_ void **state)
{
	assert_int_equal(take(ping_put(buffer, sizeof(buffer), 5)), DIALOG_BAD);
	assert_int_equal(take(put_feedback()), DIALOG_BAD);
	assert_int_equal(take(put_unknown()), DIALOG_BAD);
	assert_int_equal(take(put_hello(PROTO_MAJOR, PROTO_MINOR, 1U << HELLO_AGENT)), DIALOG_BAD);
	assert_int_equal(take(put_hello(PROTO_MAJOR + 1, 7, HOST_FIELDS)), DIALOG_VERSION);
	assert_int_equal(dialog.peer_major, PROTO_MAJOR + 1);
	assert_int_equal(dialog.peer_minor, 7);
	assert_false(dialog.streaming);
	assert_int_equal(take(bye_put(buffer, sizeof(buffer), BYE_REFUSED, "no")), DIALOG_BYE);
	assert_string_equal(dialog.message.bye.text, "no");
}

static void test_after_hello(_unused_ void **state)
{
	take(put_good_hello());
	assert_int_equal(take(put_good_hello()), DIALOG_BAD); /* twice */
	assert_int_equal(take(put_report()), DIALOG_BAD);     /* hosts don't report */
	assert_int_equal(take(put_notice()), DIALOG_BAD);     /* nor have they such concerns */
	assert_int_equal(take(put_unknown()), DIALOG_BAD);    /* of our own version */
}

static void test_newer_host(_unused_ void **state)
{
	assert_int_equal(take(put_hello(PROTO_MAJOR, PROTO_MINOR + 1, HOST_FIELDS)),
			 DIALOG_STREAMING);
	assert_int_equal(take(put_unknown()), DIALOG_NOTHING);
	assert_int_equal(take(put_feedback()), DIALOG_FEEDBACK);
}

static void test_deadlines(_unused_ void **state)
{
	assert_int_equal(dialog_check(&dialog, START + DIALOG_HELLO_USEC - 1), DIALOG_NOTHING);
	assert_int_equal(dialog_check(&dialog, START + DIALOG_HELLO_USEC), DIALOG_TIMEOUT);
	take(put_good_hello());
	assert_int_equal(dialog_check(&dialog, START + DIALOG_SILENCE_USEC), DIALOG_NOTHING);
	assert_int_equal(dialog_check(&dialog, START + DIALOG_SILENCE_USEC + 1), DIALOG_TIMEOUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_conversation, setup),
		cmocka_unit_test_setup(test_before_hello, setup),
		cmocka_unit_test_setup(test_quiet, setup),
		cmocka_unit_test_setup(test_after_hello, setup),
		cmocka_unit_test_setup(test_newer_host, setup),
		cmocka_unit_test_setup(test_deadlines, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
