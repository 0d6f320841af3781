/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd/governor.c: from FEEDBACK to a step of the guest's own table. */
#include "tests/unit/test.h"

#include "guestd/governor.h"

#define START (1000 * USEC_PER_SEC)

static struct governor governor;

/* Puts one FEEDBACK through its wire format. */
static void feed(const struct feedback_vcpu *vcpus, unsigned n, uint64_t now)
{
	static uint8_t buffer[FEEDBACK_FRAME_MAX];
	struct message message;
	struct frame frame;
	int size = feedback_put(buffer, sizeof(buffer), 1, vcpus, n);

	assert_true(size > 0);
	frame = (struct frame){MESSAGE_FEEDBACK, buffer + FRAME_HEADER,
			       (size_t)size - FRAME_HEADER};
	assert_int_equal(message_parse(&frame, PROTO_MINOR, &message), 0);
	governor_feed(&governor, &message.feedback, now);
}

static struct governor_policy policy_of(unsigned first, unsigned last)
{
	struct governor_policy policy = {.top_khz = 3000000,
					 .min_khz = 600000,
					 .max_khz = 3000000,
					 .n_steps = 5,
					 .step_khz = {600000, 1200000, 1800000, 2400000, 3000000}};

	for (unsigned i = first; i <= last; i++)
		cpumask_set(&policy.cpus, i);
	return policy;
}

static int setup(_unused_ void **state)
{
	governor_reset(&governor);
	return 0;
}

static void test_targets(_unused_ void **state)
{
	static const struct {
		struct feedback_vcpu feedback;
		unsigned khz;
	} rows[] = {
		{{0, 1024, 3000000, 3000000}, 3000000},
		{{0, 1024, 2990000, 3000000}, 2400000}, /* doesn't overstate */
		{{0, 1024, 2400000, 3000000}, 2400000}, /* though 819/1024 of 3 GHz is below it */
		{{0, 1024, 1800000, 3000000}, 1800000},
		{{0, 1024, 1200000, 3000000}, 1200000},
		{{0, 1024, 2390000, 3000000}, 1800000},
		{{0, 1024, 600000, 3000000}, 600000},
		{{0, 1024, 1, 3000000}, 600000}, /* nothing lower is allowed */
		{{0, 1, 0, 0}, 600000},
		{{0, 512, 0, 0}, 1200000}, /* the frequency isn't known: its capacity */
		{{0, 512, 2000000, 0}, 1200000},
		{{0, 512, 0, 2000000}, 1200000},
		{{0, 512, 2000000, 2000000}, 1200000},
		{{0, 1024, 4294967295, 4294967295}, 3000000},
	};
	struct governor_policy policy = policy_of(0, 0);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		feed(&rows[i].feedback, 1, START);
		EXPECT(governor_target(&governor, &policy) == rows[i].khz, "row %zu: %u", i,
		       governor_target(&governor, &policy));
	}
}

static void test_no_table(_unused_ void **state)
{
	const struct feedback_vcpu half = {0, 512, 0, 0}, little = {0, 10, 0, 0};
	struct governor_policy policy = policy_of(0, 0);

	policy.n_steps = 0;
	feed(&half, 1, START);
	assert_int_equal(governor_target(&governor, &policy), 1500000);
	feed(&little, 1, START);
	assert_int_equal(governor_target(&governor, &policy), 600000);
}

static void test_limits(_unused_ void **state)
{
	const struct feedback_vcpu full = {0, 1024, 0, 0}, little = {0, 10, 0, 0};
	struct governor_policy policy = policy_of(0, 0);

	policy.max_khz = 2000000; /* between two steps */
	policy.min_khz = 1000000;
	feed(&full, 1, START);
	assert_int_equal(governor_target(&governor, &policy), 1800000);
	feed(&little, 1, START);
	assert_int_equal(governor_target(&governor, &policy), 1200000);
	policy.min_khz = policy.max_khz = 1000000; /* no step at all in between */
	assert_int_equal(governor_target(&governor, &policy), 1000000);
	policy.min_khz = 3000000; /* limits that contradict each other */
	policy.max_khz = 600000;
	assert_int_equal(governor_target(&governor, &policy), 3000000);
	policy.n_steps = 0;
	policy.top_khz = 0;
	assert_int_equal(governor_target(&governor, &policy), 3000000);
}

/* The fastest CPU of a policy counts; one that the host doesn't name doesn't. */
static void test_shared_policy(_unused_ void **state)
{
	const struct feedback_vcpu vcpus[] = {{0, 300, 0, 0}, {1, 700, 0, 0}, {4, 1024, 0, 0}};
	struct governor_policy policy = policy_of(0, 2), other = policy_of(5, 6);

	feed(vcpus, ARRAY_SIZE(vcpus), START);
	assert_int_equal(governor_target(&governor, &policy), 1800000);
	assert_int_equal(governor_target(&governor, &other), 3000000);
	/* A later FEEDBACK that names only one leaves the other as it was. */
	feed(&vcpus[0], 1, START);
	assert_int_equal(governor_target(&governor, &policy), 1800000);
}

static void test_silence(_unused_ void **state)
{
	const struct feedback_vcpu low = {0, 300, 0, 0};
	struct governor_policy policy = policy_of(0, 0);

	assert_int_equal(governor_target(&governor, &policy), 3000000); /* before the first */
	governor_hear(&governor, START);
	assert_int_equal(governor_target(&governor, &policy), 3000000); /* a PING isn't it */
	feed(&low, 1, START);
	assert_int_equal(governor_target(&governor, &policy), 600000);
	governor_check(&governor, START + GOVERNOR_SILENCE_USEC - 1);
	assert_int_equal(governor_target(&governor, &policy), 600000);
	governor_hear(&governor, START + GOVERNOR_SILENCE_USEC - 1);
	governor_check(&governor, START + GOVERNOR_SILENCE_USEC);
	assert_int_equal(governor_target(&governor, &policy), 600000);
	governor_check(&governor, START + 2 * GOVERNOR_SILENCE_USEC);
	assert_int_equal(governor_target(&governor, &policy), 3000000);
	feed(&low, 1, START);
	governor_reset(&governor); /* the connection is lost */
	assert_int_equal(governor_target(&governor, &policy), 3000000);
}

static void test_rate(_unused_ void **state)
{
	const uint64_t interval = 20 * USEC_PER_MSEC;
	const struct feedback_vcpu low = {0, 300, 0, 0}, high = {0, 900, 0, 0};
	struct governor_policy policy = policy_of(0, 0);
	struct governor_state written = {};
	uint64_t now = START;
	uint32_t khz = 0;

	assert_true(governor_decide(&governor, &policy, &written, interval, now, &khz));
	assert_int_equal(khz, 3000000);
	governor_wrote(&written, khz, now);
	assert_false(governor_decide(&governor, &policy, &written, interval, now, &khz));
	feed(&low, 1, now);
	assert_false(
		governor_decide(&governor, &policy, &written, interval, now + interval - 1, &khz));
	now += interval;
	assert_true(governor_decide(&governor, &policy, &written, interval, now, &khz));
	assert_int_equal(khz, 600000);
	governor_wrote(&written, khz, now);
	feed(&high, 1, now);
	assert_false(governor_decide(&governor, &policy, &written, interval, now, &khz));
	feed(&low, 1, now); /* back again before the time is over: nothing to write */
	assert_false(governor_decide(&governor, &policy, &written, interval, now + interval, &khz));
}

static void test_wait(_unused_ void **state)
{
	const uint64_t interval = governor_interval_usec(20 * USEC_PER_MSEC, true);
	const struct feedback_vcpu low = {0, 300, 0, 0};
	struct governor_policy policy = policy_of(0, 0);
	struct governor_state written = {};

	assert_int_equal(governor_wait_usec(&governor, &policy, &written, interval, START), 0);
	governor_wrote(&written, 3000000, START);
	assert_int_equal(governor_wait_usec(&governor, &policy, &written, interval, START),
			 UINT64_MAX);
	feed(&low, 1, START);
	assert_int_equal(governor_wait_usec(&governor, &policy, &written, interval, START + 5),
			 interval - 5);
	assert_int_equal(
		governor_wait_usec(&governor, &policy, &written, interval, START + interval), 0);
}

/* Where nothing follows it, it is written rarely; as told, if that is more rarely yet. */
static void test_interval(_unused_ void **state)
{
	assert_int_equal(governor_interval_usec(20 * USEC_PER_MSEC, true), 20 * USEC_PER_MSEC);
	assert_int_equal(governor_interval_usec(20 * USEC_PER_MSEC, false), USEC_PER_SEC);
	assert_int_equal(governor_interval_usec(5 * USEC_PER_SEC, false), 5 * USEC_PER_SEC);
}

static void test_scale(_unused_ void **state)
{
	struct governor_policy policy = policy_of(0, 0);

	assert_int_equal(governor_scale1024(&policy, 0), 1024);
	assert_int_equal(governor_scale1024(&policy, 3000000), 1024);
	assert_int_equal(governor_scale1024(&policy, 1500000), 512);
	assert_int_equal(governor_scale1024(&policy, 1), 1);
	assert_int_equal(governor_scale1024(&policy, UINT32_MAX), 1024);
	policy.top_khz = 0;
	assert_int_equal(governor_scale1024(&policy, 1500000), 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_targets, setup),
		cmocka_unit_test_setup(test_no_table, setup),
		cmocka_unit_test_setup(test_limits, setup),
		cmocka_unit_test_setup(test_shared_policy, setup),
		cmocka_unit_test_setup(test_silence, setup),
		cmocka_unit_test_setup(test_rate, setup),
		cmocka_unit_test_setup(test_wait, setup),
		cmocka_unit_test_setup(test_interval, setup),
		cmocka_unit_test_setup(test_scale, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
