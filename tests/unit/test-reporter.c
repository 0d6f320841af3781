/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd/reporter.c: when a report, a renewal, a zero or a PING is due, and what is in it. */
#include "tests/unit/test.h"

#include "guestd/reporter.h"

#define STEP  31U
#define LEAST REPORTER_LEAST_1024
#define LEASE (600 * USEC_PER_MSEC)
#define START (1000 * USEC_PER_SEC)

static struct reporter *reporter;
static struct report_vcpu records[PROTO_CPUS_MAX];
static struct message_report report;
static uint64_t now;

static int setup(_unused_ void **state)
{
	reporter = reporter_new();
	now = START;
	if (reporter) {
		reporter_configure(reporter, LEASE, STEP);
		reporter_restart(reporter, now);
	}
	return !reporter;
}

static int teardown(_unused_ void **state)
{
	reporter_free(reporter);
	return 0;
}

static void put(unsigned cpu, unsigned avg, unsigned est)
{
	struct estimate estimate = {.runnable = PROTO_UNKNOWN_U16,
				    .uclamp_max = 1024,
				    .util_avg = (uint16_t)avg,
				    .util_est = (uint16_t)est,
				    .run_delay_usec = 3,
				    .steal_usec = 5};

	reporter_put(reporter, cpu, &estimate, 1024);
}

static enum reporter_due decide(void)
{
	return reporter_decide(reporter, now);
}

/* Expects a report and takes it: the number of its records. */
static unsigned take(void)
{
	assert_int_equal(decide(), REPORTER_REPORT);
	reporter_build(reporter, now, &report, records);
	return report.n_vcpus;
}

static void test_full_first(_unused_ void **state)
{
	assert_int_equal(decide(), REPORTER_NOTHING); /* no sample yet */
	put(0, 0, 0);
	put(3, 100, 200);
	assert_int_equal(take(), 2);
	assert_int_equal(report.sequence, 1);
	assert_int_equal(report.lease_msec, 600);
	assert_int_equal(records[0].cpu, 0);
	assert_int_equal(records[0].util_est, 0);
	assert_int_equal(records[1].cpu, 3);
	assert_int_equal(records[1].util_avg, 100);
	assert_int_equal(records[1].util_est, 200);
	assert_int_equal(records[1].freq_scale, 1024);
	assert_int_equal(records[1].runnable, PROTO_UNKNOWN_U16);
	assert_int_equal(records[1].uclamp_max, 1024);
	assert_int_equal(decide(), REPORTER_NOTHING);

	reporter_restart(reporter, now); /* another connection: all of it again, zeros too */
	assert_int_equal(take(), 2);
	assert_int_equal(report.sequence, 1);
}

static void test_steps(_unused_ void **state)
{
	put(0, 0, 0);
	put(1, 0, 0);
	take();
	put(0, 10, LEAST - 1);
	assert_int_equal(decide(), REPORTER_NOTHING);
	put(0, 10, LEAST);
	assert_int_equal(take(), 1); /* cpu1 has nothing to say */
	put(0, 10, LEAST + STEP - 1);
	assert_int_equal(decide(), REPORTER_NOTHING);
	put(0, 10, 500);
	assert_int_equal(take(), 1);
	put(0, 10, 500 - 2 * STEP + 1); /* down: two steps */
	assert_int_equal(decide(), REPORTER_NOTHING);
	put(0, 10, 500 - 2 * STEP);
	assert_int_equal(take(), 1);
	assert_int_equal(records[0].util_est, 500 - 2 * STEP);
}

/* Rises alone, and by no less than a step. */
static void test_coarse(_unused_ void **state)
{
	reporter_coarsen(reporter, 3);
	put(0, 10, 800);
	assert_int_equal(take(), 1);
	put(0, 10, 899);
	assert_int_equal(decide(), REPORTER_NOTHING);
	put(0, 10, 900);
	assert_int_equal(take(), 1);
	put(0, 10, 900 - 2 * STEP);
	assert_int_equal(take(), 1);
	put(0, 10, 0);
	assert_int_equal(take(), 1);
	put(0, 10, LEAST);
	assert_int_equal(take(), 1);
	put(0, 10, LEAST + STEP - 1);
	assert_int_equal(decide(), REPORTER_NOTHING);
	put(0, 10, LEAST + STEP);
	assert_int_equal(take(), 1);
	put(0, 10, 800);
	assert_int_equal(take(), 1);
	reporter_coarsen(reporter, 0);
	put(0, 10, 800 + STEP);
	assert_int_equal(take(), 1);
}

/* The host has no use for reports: a PING is all, and later it is told of all again. */
static void test_muted(_unused_ void **state)
{
	uint32_t sequence;

	put(0, 10, 800);
	put(1, 10, 300);
	assert_int_equal(take(), 2);
	sequence = report.sequence;
	reporter_mute(reporter, true);
	assert_int_equal(decide(), REPORTER_NOTHING);
	assert_int_equal(reporter_sent(reporter, 0), 0);
	put(0, 10, 1024);
	now += REPORTER_PING_USEC - 1;
	assert_int_equal(decide(), REPORTER_NOTHING);
	assert_int_equal(reporter_next_usec(reporter), now + 1);
	now += 1;
	assert_int_equal(decide(), REPORTER_PING);
	reporter_pinged(reporter, now);
	assert_int_equal(decide(), REPORTER_NOTHING);
	reporter_mute(reporter, false);
	assert_int_equal(take(), 2);
	assert_int_equal(report.sequence, sequence + 1); /* of the same connection */
	reporter_mute(reporter, true);
	reporter_restart(reporter, now);
	assert_int_equal(take(), 2);
}

/* A CPU below a step of its own goes along with another's report. */
static void test_company(_unused_ void **state)
{
	put(0, 200, 200);
	put(1, 200, 200);
	put(2, 200, 200);
	take();
	put(0, 300, 300);
	put(1, 210, 210);
	put(2, 203, 203);
	assert_int_equal(take(), 2);
	assert_int_equal(records[1].cpu, 1);
	assert_int_equal(records[1].util_est, 210);
}

static void test_one_zero(_unused_ void **state)
{
	put(0, 300, 300);
	put(1, 0, 0);
	take();
	put(0, 5, LEAST / 2); /* half of the least still counts */
	assert_true(reporter_is_busy(reporter));
	put(0, 5, LEAST / 2 - 1);
	assert_false(reporter_is_busy(reporter));
	assert_int_equal(take(), 1);
	assert_int_equal(records[0].util_est, 0);
	assert_int_equal(records[0].util_avg, 0);
	for (now += 1; now < START + 9999 * USEC_PER_MSEC; now += 250 * USEC_PER_MSEC) {
		put(0, 5, LEAST / 2);
		assert_int_equal(decide(), REPORTER_NOTHING);
	}
	/* It takes all of the least to come back. */
	put(0, 5, LEAST - 1);
	assert_false(reporter_is_busy(reporter));
	put(0, 5, LEAST);
	assert_true(reporter_is_busy(reporter));
	put(0, 5, LEAST - 1);
	assert_true(reporter_is_busy(reporter));
}

static void test_renewal(_unused_ void **state)
{
	put(0, 512, 512);
	put(1, 0, 0);
	take();
	for (unsigned i = 0; i < 10; i++) {
		now += LEASE / 3 - 1;
		assert_int_equal(decide(), REPORTER_NOTHING);
		now += 1;
		assert_int_equal(take(), 0); /* nothing new: a renewal alone */
		assert_int_equal(report.sequence, i + 2);
	}
	put(0, 520, 520); /* a quarter step is worth a record once there is a frame */
	now += LEASE / 3;
	assert_int_equal(take(), 1);
}

static void test_ping(_unused_ void **state)
{
	put(0, 0, 0);
	take();
	now += REPORTER_PING_USEC - 1;
	assert_int_equal(decide(), REPORTER_NOTHING);
	now += 1;
	assert_int_equal(decide(), REPORTER_PING);
	reporter_pinged(reporter, now);
	assert_int_equal(decide(), REPORTER_NOTHING);
	now += REPORTER_PING_USEC;
	put(0, 200, 200);
	assert_int_equal(take(), 1); /* a report says as much as a PING */
	put(0, 0, 0);
	assert_int_equal(take(), 1);
	now += REPORTER_PING_USEC - 1;
	assert_int_equal(decide(), REPORTER_NOTHING);
}

static void test_sums(_unused_ void **state)
{
	put(0, 100, 100);
	take();
	assert_int_equal(records[0].run_delay_usec, 3);
	for (unsigned i = 0; i < 10; i++)
		put(0, 100, 100);
	put(0, 200, 200);
	assert_int_equal(take(), 1);
	assert_int_equal(records[0].run_delay_usec, 33);
	assert_int_equal(records[0].steal_usec, 55);
	for (unsigned i = 0; i < 3; i++) {
		struct estimate huge = {
			.util_est = 900, .uclamp_max = 1024, .run_delay_usec = UINT32_MAX};

		reporter_put(reporter, 0, &huge, 1024);
	}
	assert_int_equal(take(), 1);
	assert_true(records[0].run_delay_usec == UINT32_MAX);
}

static void test_saturation(_unused_ void **state)
{
	struct estimate estimate = {.util_avg = 1000, .util_est = 1000, .uclamp_max = 1024};

	reporter_put(reporter, 0, &estimate, 1024);
	take();
	estimate.saturated = true;
	reporter_put(reporter, 0, &estimate, 1024);
	assert_int_equal(take(), 1);
	assert_int_equal(records[0].flags, VCPU_SATURATED);
	estimate.saturated = false;
	reporter_put(reporter, 0, &estimate, 1024);
	assert_int_equal(decide(), REPORTER_NOTHING); /* that alone lowers nothing */
}

static void test_hotplug(_unused_ void **state)
{
	put(0, 300, 300);
	put(1, 300, 300);
	take();
	reporter_remove(reporter, 1);
	assert_int_equal(take(), 1);
	assert_int_equal(records[0].cpu, 1);
	assert_int_equal(records[0].util_est, 0);
	now += 3600 * USEC_PER_SEC;
	assert_int_equal(take(), 0); /* cpu0's lease; cpu1 is not mentioned again */
	put(1, 0, 0);
	assert_int_equal(take(), 1);	/* it is back, and reported anew */
	reporter_remove(reporter, 777); /* never there */
	put(PROTO_CPUS_MAX, 5, 5);
	assert_int_equal(decide(), REPORTER_NOTHING);
	reporter_restart(reporter, now);
	reporter_remove(reporter, 1);
	assert_int_equal(take(), 1);
}

/* 1024 CPUs fit into a frame, and what comes out is what the decoder accepts. */
/* The host undoes the scale, so another one is news: not worth a report, but in the next. */
static void test_scale(_unused_ void **state)
{
	struct estimate estimate = {.util_avg = 400, .util_est = 400, .uclamp_max = 1024};

	reporter_put(reporter, 0, &estimate, 1024);
	reporter_put(reporter, 1, &estimate, 1024);
	assert_int_equal(take(), 2);
	reporter_put(reporter, 0, &estimate, 512);
	reporter_put(reporter, 1, &estimate, 1020);
	assert_int_equal(decide(), REPORTER_NOTHING);
	now += LEASE / 3;
	assert_int_equal(take(), 1);
	assert_int_equal(records[0].cpu, 0);
	assert_int_equal(records[0].freq_scale, 512);
	now += LEASE / 3;
	assert_int_equal(take(), 0);
}

static void test_many(_unused_ void **state)
{
	static uint8_t buffer[REPORT_FRAME_MAX];
	struct message message;
	struct frame frame;
	int n;

	for (unsigned i = 0; i < PROTO_CPUS_MAX; i++)
		put(i, i, i);
	assert_int_equal(take(), PROTO_CPUS_MAX);
	n = report_put(buffer, sizeof(buffer), &report, records);
	assert_int_equal(n, REPORT_FRAME_MAX);
	frame = (struct frame){MESSAGE_REPORT, buffer + FRAME_HEADER, (size_t)n - FRAME_HEADER};
	assert_int_equal(message_parse(&frame, PROTO_MINOR, &message), 0);
	assert_int_equal(message.report.n_vcpus, PROTO_CPUS_MAX);
}

static void test_lease_bounds(_unused_ void **state)
{
	reporter_configure(reporter, UINT64_MAX, 0);
	put(0, 1, 1);
	take();
	assert_int_equal(report.lease_msec, PROTO_LEASE_MAX_MSEC);
	reporter_configure(reporter, 0, UINT32_MAX);
	now += USEC_PER_MSEC;
	put(0, 1024, 1024);
	take();
	assert_int_equal(report.lease_msec, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_full_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_steps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_coarse, setup, teardown),
		cmocka_unit_test_setup_teardown(test_muted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_company, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_zero, setup, teardown),
		cmocka_unit_test_setup_teardown(test_renewal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ping, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sums, setup, teardown),
		cmocka_unit_test_setup_teardown(test_saturation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hotplug, setup, teardown),
		cmocka_unit_test_setup_teardown(test_scale, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lease_bounds, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
