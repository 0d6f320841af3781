/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/peer.c: who is let in, what it may say, how much, and until when. */
#include "tests/unit/test.h"

#include "hostd/peer.h"

#define T0  (100 * USEC_PER_SEC)
#define SEC USEC_PER_SEC

static const struct peer_config config = {.hello_usec = 2 * SEC, .frame_usec = 2 * SEC,
					  .idle_usec = 30 * SEC, .rate = 1000, .burst = 2000};

static struct peer peer;
static struct message_hello hello;
static struct message message;
static const char *reason;

static int setup(_unused_ void **state)
{
	memset(&peer, 0xa5, sizeof(peer));
	peer_init(&peer, &config, T0);
	reason = NULL;
	return 0;
}

static void test_refusal(_unused_ void **state)
{
	static const struct {
		uint32_t cid, port;
		bool has_domain, any_port;
		const char *about; /* NULL: let in */
	} rows[] = {
		{3, 1023, true, false, NULL},
		{3, 0, true, false, NULL},
		{3, 1024, true, false, "port"},
		{3, UINT32_MAX, true, false, "port"},
		{3, 1024, true, true, NULL},
		{3, 1, false, false, "no running domain"},
		{3, 1024, false, true, "no running domain"},
		{0, 1, true, true, "CIDs up to 2"},
		{1, 1, true, true, "CIDs up to 2"},
		{2, 1, true, true, "CIDs up to 2"},
		{2, 1024, false, false, "CIDs up to 2"},
		{UINT32_MAX, 1, true, false, NULL},
		{UINT32_MAX, 1, false, false, "no running domain"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct peer_config c = config;
		const char *text;

		c.any_port = rows[i].any_port;
		text = peer_refusal(&c, rows[i].cid, rows[i].port, rows[i].has_domain);
		EXPECT((text == NULL) == (rows[i].about == NULL), "row %zu: %s", i, text);
		EXPECT(!text || strstr(text, rows[i].about), "row %zu: %s", i, text);
		/* It goes into a BYE as it is. */
		EXPECT(!text || strlen(text) <= PROTO_TEXT_MAX, "row %zu", i);
	}
}

static int take(uint8_t *bytes, int size, uint64_t now_usec)
{
	struct frame frame = {bytes[2], bytes + FRAME_HEADER, (size_t)size - FRAME_HEADER};

	assert_true(size >= (int)FRAME_HEADER);
	reason = NULL;
	return peer_frame(&peer, &frame, now_usec, &hello, &message, &reason);
}

static int take_hello(uint8_t major, uint8_t minor, uint32_t fields, uint64_t now_usec)
{
	static struct message_hello out;
	static uint8_t bytes[FRAME_MAX];

	out = (struct message_hello){.major = major, .minor = minor, .fields = fields,
				     .signal = SIGNAL_PROC, .lease_max_msec = 1,
				     .agent = "test", .n_cpus = 1};
	return take(bytes, hello_put(bytes, sizeof(bytes), &out), now_usec);
}

static int take_report(uint32_t sequence, uint64_t now_usec)
{
	uint8_t bytes[128];
	struct message_report report = {.sequence = sequence, .lease_msec = 100};

	return take(bytes, report_put(bytes, sizeof(bytes), &report, NULL), now_usec);
}

static int take_ping(uint64_t now_usec)
{
	uint8_t bytes[16];

	return take(bytes, ping_put(bytes, sizeof(bytes), 1), now_usec);
}

static void greet(uint8_t minor)
{
	assert_int_equal(take_hello(PROTO_MAJOR, minor, 0x7e, T0), 0);
	assert_int_equal(message.type, MESSAGE_HELLO);
	assert_true(peer.greeted);
}

static void test_hello_first(_unused_ void **state)
{
	uint8_t bytes[64];
	int n;

	assert_int_equal(take_report(1, T0), -EBADMSG);
	assert_string_equal(reason, "no valid HELLO of a guest");
	setup(NULL);
	assert_int_equal(take_ping(T0), -EBADMSG);
	setup(NULL);
	n = bye_put(bytes, sizeof(bytes), BYE_SHUTDOWN, "");
	assert_int_equal(take(bytes, n, T0), -EBADMSG);
	assert_false(peer.greeted);

	setup(NULL);
	greet(PROTO_MINOR);
	assert_string_equal(hello.agent, "test");
	assert_int_equal(hello.n_cpus, 1);
	/* Only one. */
	assert_int_equal(take_hello(PROTO_MAJOR, PROTO_MINOR, 0x7e, T0), -EBADMSG);
}

static void test_bad_hellos(_unused_ void **state)
{
	assert_int_equal(take_hello(PROTO_MAJOR + 1, 0, 0x7e, T0), -EPROTONOSUPPORT);
	assert_string_equal(reason, "another major version of the protocol");
	setup(NULL);
	for (unsigned tag = 1; tag <= 6; tag++) {
		assert_int_equal(take_hello(PROTO_MAJOR, PROTO_MINOR, 0x7e & ~(1U << tag), T0),
				 -EBADMSG);
		assert_false(peer.greeted);
	}
	/* That is a host's. */
	assert_int_equal(take_hello(PROTO_MAJOR, PROTO_MINOR, 0xa0, T0), -EBADMSG);
}

static void test_sequence(_unused_ void **state)
{
	greet(PROTO_MINOR);
	assert_int_equal(take_report(UINT32_MAX - 1, T0), 0); /* the first may be any */
	assert_int_equal(peer.lost, 0);
	assert_int_equal(take_report(UINT32_MAX, T0), 0);
	assert_int_equal(take_report(0, T0), 0); /* around */
	assert_int_equal(peer.lost, 0);
	assert_int_equal(take_report(5, T0), 0);
	assert_int_equal(peer.lost, 4);
	assert_int_equal(peer.reports, 4);
	assert_int_equal(take_report(0x80000004, T0), 0); /* the farthest */
	assert_int_equal(peer.lost, UINT32_C(4) + 0x7ffffffe);
}

/* Backwards or doubled is no lost frame but a broken sender. */
static void test_sequence_backwards(_unused_ void **state)
{
	static const struct {
		uint32_t sequence;
		int result;
	} rows[] = {
		{0x80000005, 0},	{3, 0}, {0, 0}, {UINT32_MAX, 0}, {4, -EBADMSG},
		{0x80000004, -EBADMSG}, {0x80000003, -EBADMSG}, {5, -EBADMSG},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		setup(NULL);
		greet(PROTO_MINOR);
		assert_int_equal(take_report(0x80000004, T0), 0);
		EXPECT(take_report(rows[i].sequence, T0) == rows[i].result, "row %zu", i);
		EXPECT(peer.reports == (rows[i].result == 0 ? 2 : 1), "row %zu", i);
		EXPECT(peer.sequence == (rows[i].result == 0 ? rows[i].sequence : 0x80000004),
		       "row %zu", i);
	}
}

static void test_unknown_frames(_unused_ void **state)
{
	uint8_t bytes[FRAME_HEADER + 3] = "VF\x99\x00\x03\x00\x00\x00";

	greet(PROTO_MINOR);
	assert_int_equal(take(bytes, sizeof(bytes), T0), -EBADMSG);
	assert_string_equal(reason, "a frame that the protocol doesn't allow");
	setup(NULL);
	greet(PROTO_MINOR + 1);
	assert_int_equal(take(bytes, sizeof(bytes), T0), 0);
	assert_int_equal(message.type, MESSAGE_UNKNOWN);
	assert_int_equal(peer.skipped, 1);
	assert_int_equal(peer.frames, 2);
}

/* What is the host's to send isn't a guest's. */
static void test_feedback_from_a_guest(_unused_ void **state)
{
	uint8_t bytes[32];

	greet(PROTO_MINOR);
	assert_int_equal(take(bytes, feedback_put(bytes, sizeof(bytes), 1, NULL, 0), T0),
			 -EBADMSG);
	assert_int_equal(take_ping(T0), 0);
	assert_int_equal(message.type, MESSAGE_PING);
	assert_int_equal(take(bytes, bye_put(bytes, sizeof(bytes), BYE_SHUTDOWN, "x"), T0), 0);
	assert_int_equal(message.type, MESSAGE_BYE);
	assert_string_equal(message.bye.text, "x");
}

static void test_hello_deadline(_unused_ void **state)
{
	uint64_t next;

	assert_null(peer_overdue(&peer, &config, T0 + 2 * SEC - 1, &next));
	assert_int_equal(next, T0 + 2 * SEC);
	/* Frames that don't come through don't help. */
	peer_partial(&peer, true, T0 + SEC);
	assert_string_equal(peer_overdue(&peer, &config, T0 + 2 * SEC, &next),
			    "no HELLO in time");
	peer_partial(&peer, false, T0 + SEC);
	greet(PROTO_MINOR);
	assert_null(peer_overdue(&peer, &config, T0 + 2 * SEC, &next));
	assert_int_equal(next, T0 + 30 * SEC);
}

static void test_frame_deadline(_unused_ void **state)
{
	uint64_t next;

	greet(PROTO_MINOR);
	peer_partial(&peer, true, T0 + 5 * SEC);
	peer_partial(&peer, true, T0 + 6 * SEC); /* more bytes, still the same frame */
	assert_null(peer_overdue(&peer, &config, T0 + 7 * SEC - 1, &next));
	assert_int_equal(next, T0 + 7 * SEC);
	assert_string_equal(peer_overdue(&peer, &config, T0 + 7 * SEC, &next),
			    "a frame was not completed in time");
	/* It came through and another has begun: that one has its own time. */
	assert_int_equal(take_ping(T0 + 6 * SEC + 1), 0);
	peer_partial(&peer, true, T0 + 6 * SEC + 1);
	assert_null(peer_overdue(&peer, &config, T0 + 7 * SEC, &next));
	assert_int_equal(next, T0 + 8 * SEC + 1);
	peer_partial(&peer, false, T0 + 7 * SEC);
	assert_null(peer_overdue(&peer, &config, T0 + 9 * SEC, &next));
	assert_int_equal(next, T0 + 36 * SEC + 1);
}

static void test_idle_deadline(_unused_ void **state)
{
	uint64_t next;

	greet(PROTO_MINOR);
	assert_null(peer_overdue(&peer, &config, T0 + 30 * SEC - 1, &next));
	assert_string_equal(peer_overdue(&peer, &config, T0 + 30 * SEC, &next),
			    "silent for too long");
	assert_int_equal(take_ping(T0 + 29 * SEC), 0);
	assert_null(peer_overdue(&peer, &config, T0 + 59 * SEC - 1, &next));
	assert_int_equal(next, T0 + 59 * SEC);
	assert_non_null(peer_overdue(&peer, &config, T0 + 59 * SEC, &next));
}

/* A peer that sends a byte a second is over in 2 s, before and after its HELLO. */
static void test_drip(_unused_ void **state)
{
	uint64_t next;

	greet(PROTO_MINOR);
	for (uint64_t now = T0 + SEC; now < T0 + 3 * SEC; now += SEC) {
		peer_partial(&peer, true, now);
		assert_null(peer_overdue(&peer, &config, now, &next));
	}
	assert_non_null(peer_overdue(&peer, &config, T0 + 3 * SEC, &next));
}

/* It doesn't gain time by what came with the end of the frame before. */
static void test_drip_behind_a_frame(_unused_ void **state)
{
	uint64_t next;

	greet(PROTO_MINOR);
	peer_partial(&peer, true, T0);
	peer_partial(&peer, true, T0 + SEC);
	assert_string_equal(peer_overdue(&peer, &config, T0 + 2 * SEC, &next),
			    "a frame was not completed in time");
}

/* Frames that a peer which always has more gets through in `usec`. */
static uint64_t flood(const struct peer_config *c, uint64_t usec)
{
	uint64_t now = T0, n = 0;

	peer_init(&peer, c, T0);
	while (now < T0 + usec) {
		uint64_t pause = peer_take_token(&peer, c, now);

		n++;
		if (pause > 0)
			now += pause;
		EXPECT(n < 10000000, "no end");
	}
	return n;
}

/* What is read of a flood is the burst and then the rate: no pause lets one through for nothing. */
static void test_rate(_unused_ void **state)
{
	static const struct {
		uint32_t rate, burst;
	} rows[] = {{1000, 2000}, {10, 20}, {3, 1}, {100000, 200000}, {7, 14}, {999, 4}, {1500, 4}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct peer_config c = {.rate = rows[i].rate, .burst = rows[i].burst};
		uint64_t n = flood(&c, 10 * SEC), most = rows[i].burst + 10 * rows[i].rate;

		EXPECT(n <= most + 1, "%u/s: %llu", rows[i].rate, (unsigned long long)n);
		/* A pause is a whole millisecond at least, which rounds a little away. */
		EXPECT(n * 100 >= most * 95, "%u/s: only %llu", rows[i].rate,
		       (unsigned long long)n);
	}
}

static void test_honest_rate_is_never_paused(_unused_ void **state)
{
	uint64_t now = T0;

	for (unsigned i = 0; i < 20000; i++) {
		assert_int_equal(peer_take_token(&peer, &config, now), 0);
		now += 1003;
	}
	/* After a pause there is a whole burst again, and no more. */
	now += 3600 * SEC;
	for (unsigned i = 1; i < config.burst; i++)
		assert_int_equal(peer_take_token(&peer, &config, now), 0);
	assert_int_equal(peer_take_token(&peer, &config, now), 1000);
}

/* The pause ends when there is a token: not before, and not much after. */
static void test_pause(_unused_ void **state)
{
	static const struct peer_config c = {.rate = 10, .burst = 1};
	uint64_t pause;

	peer_init(&peer, &c, T0);
	assert_int_equal(peer_take_token(&peer, &c, T0 + 300), 100000 - 300);
	/* 7 ms and a bit later another frame was read all the same. */
	pause = peer_take_token(&peer, &c, T0 + 7500);
	assert_int_equal(pause, 100000 - 500);
	assert_int_equal(peer_take_token(&peer, &c, T0 + 7500 + pause), 100000);
}

/* Of what is left in the bucket only the rest is waited for, and for a whole token nothing. */
static void test_pause_for_the_rest(_unused_ void **state)
{
	static const struct peer_config c = {.rate = 10, .burst = 2};

	peer_init(&peer, &c, T0);
	assert_int_equal(peer_take_token(&peer, &c, T0 + 300), 0);
	assert_int_equal(peer_take_token(&peer, &c, T0 + 50000), 50000);
}

static void test_no_rate(_unused_ void **state)
{
	static const struct peer_config c = {};

	peer_init(&peer, &c, T0);
	for (unsigned i = 0; i < 10; i++)
		assert_true(peer_take_token(&peer, &c, T0 + i * SEC) > 0);
}

/* Time that jumps doesn't fill a bucket beyond its brim. */
static void test_clock(_unused_ void **state)
{
	static const uint64_t times[] = {T0, 0, UINT64_MAX, 1, T0, UINT64_MAX - 1};

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		unsigned n = 0;

		while (peer_take_token(&peer, &config, times[i]) == 0)
			n++;
		EXPECT(n < config.burst, "at %zu: %u", i, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_refusal, setup),
		cmocka_unit_test_setup(test_hello_first, setup),
		cmocka_unit_test_setup(test_bad_hellos, setup),
		cmocka_unit_test_setup(test_sequence, setup),
		cmocka_unit_test_setup(test_sequence_backwards, setup),
		cmocka_unit_test_setup(test_unknown_frames, setup),
		cmocka_unit_test_setup(test_feedback_from_a_guest, setup),
		cmocka_unit_test_setup(test_hello_deadline, setup),
		cmocka_unit_test_setup(test_frame_deadline, setup),
		cmocka_unit_test_setup(test_idle_deadline, setup),
		cmocka_unit_test_setup(test_drip, setup),
		cmocka_unit_test_setup(test_drip_behind_a_frame, setup),
		cmocka_unit_test_setup(test_rate, setup),
		cmocka_unit_test_setup(test_honest_rate_is_never_paused, setup),
		cmocka_unit_test_setup(test_pause, setup),
		cmocka_unit_test_setup(test_pause_for_the_rest, setup),
		cmocka_unit_test_setup(test_no_rate, setup),
		cmocka_unit_test_setup(test_clock, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
