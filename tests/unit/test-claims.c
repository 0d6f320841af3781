/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/claims.c: who claims what isn't used comes down to what is, and is believed again later. */
#include "tests/unit/test.h"

#include "hostd/claims.h"

#define T0     (100 * USEC_PER_SEC)
#define PERIOD USEC_PER_SEC

struct vcpu {
	struct claims claims;
	uint64_t now_usec, run_nsec;
};

static struct vcpu start(void)
{
	struct vcpu vcpu = {.now_usec = T0, .run_nsec = 5 * NSEC_PER_USEC};

	assert_false(claims_check(&vcpu.claims, vcpu.run_nsec, 1024, vcpu.now_usec));
	return vcpu;
}

/* A period in which it claims and asks for that from its begin to its end, and runs for used1024 /
 * 1024 of it on a CPU that delivers all. */
static bool period(struct vcpu *vcpu, uint16_t avg, uint16_t demand, uint16_t used1024)
{
	claims_put(&vcpu->claims, avg, demand, vcpu->now_usec);
	vcpu->now_usec += PERIOD;
	vcpu->run_nsec += (PERIOD * used1024 / 1024 + 1) * NSEC_PER_USEC;
	claims_put(&vcpu->claims, 0, 0, vcpu->now_usec);
	return claims_check(&vcpu->claims, vcpu->run_nsec, 1024, vcpu->now_usec);
}

/* Three such periods from the start: held down to what, or not. */
static void test_limits(_unused_ void **state)
{
	static const struct {
		uint16_t avg, demand, used, most; /* most 0: it is believed */
	} rows[] = {
		/* The mean of the claims: used + a quarter + 51. */
		{0, 0, 0, 0},
		{51, 51, 0, 0},
		{52, 52, 0, 51},
		{551, 551, 400, 0},
		{552, 552, 400, 551},
		{1024, 1024, 779, 0},
		{1024, 1024, 778, 1023},
		{1024, 1024, 0, 51},
		{300, 300, 1024, 0},
		{1024, 1024, 100, 176},
		/* What was asked for: peak + a quarter + 51, of one that ran. */
		{400, 551, 400, 0},
		{400, 552, 400, 551},
		{0, 1024, 50, 0},
		{0, 51, 51, 0},
		{0, 52, 51, 114},
		{0, 1024, 51, 114},
		{100, 177, 100, 176},
		{100, 200, 300, 426},
		{300, 500, 280, 426},
		{779, 1024, 779, 0},
		{778, 1024, 778, 1023},
		{900, 1024, 1024, 0},
		/* All that there is is left to one that used nearly all, but it is held to that. */
		{100, 200, 1000, 1024},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vcpu vcpu = start();
		uint16_t most = rows[i].most ? rows[i].most : 1024;

		for (unsigned k = 1; k <= CLAIMS_PATIENCE; k++) {
			bool changed = period(&vcpu, rows[i].avg, rows[i].demand, rows[i].used);

			EXPECT(changed == (k == CLAIMS_PATIENCE && rows[i].most), "row %zu: %u", i,
			       k);
			EXPECT(vcpu.claims.held_down == changed, "row %zu: %u", i, k);
			EXPECT(changed || claims_cut(&vcpu.claims, 1024) == 1024, "row %zu", i);
		}
		EXPECT(claims_cut(&vcpu.claims, 1024) == most, "row %zu: %u", i,
		       claims_cut(&vcpu.claims, 1024));
		EXPECT(claims_cut(&vcpu.claims, most) == most, "row %zu", i);
		EXPECT(claims_cut(&vcpu.claims, most - 1) == most - 1, "row %zu", i);
	}
}

/* What a CPU delivered counts for what was used. */
static void test_delivered(_unused_ void **state)
{
	static const struct {
		uint16_t delivered, avg;
		bool bad;
	} rows[] = {{1024, 1024, false}, {512, 1024, true}, {512, 691, false},
		    {512, 692, true},	 {1, 51, false},    {1, 53, true}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vcpu vcpu = start();

		for (unsigned k = 0; k < CLAIMS_PATIENCE; k++) {
			claims_put(&vcpu.claims, rows[i].avg, rows[i].avg, vcpu.now_usec);
			vcpu.now_usec += PERIOD;
			vcpu.run_nsec += PERIOD * NSEC_PER_USEC;
			claims_check(&vcpu.claims, vcpu.run_nsec, rows[i].delivered, vcpu.now_usec);
		}
		EXPECT(vcpu.claims.held_down == rows[i].bad, "row %zu", i);
	}
}

/* The mean is over the time for which each claim stood. */
static void test_mean_over_time(_unused_ void **state)
{
	static const struct {
		uint64_t high_usec; /* of 1000000: 1024 is claimed */
		bool bad;
	} rows[] = {{0, false}, {100000, false}, {172000, false}, {173000, true}, {1000000, true}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vcpu vcpu = start();

		for (unsigned k = 0; k < CLAIMS_PATIENCE; k++) {
			/* Used: 100, so 176 may be claimed. */
			claims_put(&vcpu.claims, 1024, 1024, vcpu.now_usec);
			claims_put(&vcpu.claims, 0, 0, vcpu.now_usec + rows[i].high_usec);
			vcpu.now_usec += PERIOD;
			vcpu.run_nsec += (PERIOD * 100 / 1024 + 1) * NSEC_PER_USEC;
			claims_check(&vcpu.claims, vcpu.run_nsec, 1024, vcpu.now_usec);
		}
		EXPECT(vcpu.claims.held_down == rows[i].bad, "row %zu", i);
	}
}

/* To the microsecond: 52 of a thread that doesn't run is too much, and hardly less isn't. */
static void test_mean_to_the_point(_unused_ void **state)
{
	for (uint64_t less_usec = 0; less_usec <= 1; less_usec++) {
		struct vcpu vcpu = start();

		for (unsigned k = 0; k < CLAIMS_PATIENCE; k++) {
			claims_put(&vcpu.claims, 52, 52, vcpu.now_usec);
			vcpu.now_usec += PERIOD;
			claims_put(&vcpu.claims, 51, 51, vcpu.now_usec - less_usec);
			claims_check(&vcpu.claims, vcpu.run_nsec, 1024, vcpu.now_usec);
		}
		EXPECT(vcpu.claims.held_down == (less_usec == 0), "%u us", (unsigned)less_usec);
	}
}

/* Bad periods in a row: a good one, and it counts anew. */
static void test_patience(_unused_ void **state)
{
	struct vcpu vcpu = start();

	for (unsigned i = 0; i < 5; i++) {
		assert_false(period(&vcpu, 1000, 1000, 100));
		assert_false(period(&vcpu, 1000, 1000, 100));
		assert_false(period(&vcpu, 100, 100, 100));
	}
	assert_false(period(&vcpu, 1000, 1000, 100));
	assert_false(period(&vcpu, 1000, 1000, 100));
	assert_true(period(&vcpu, 1000, 1000, 100));
	assert_true(vcpu.claims.held_down);
	assert_int_equal(vcpu.claims.most1024, 176);
}

static void test_parole(_unused_ void **state)
{
	struct vcpu vcpu = start();

	for (unsigned i = 0; i < CLAIMS_PATIENCE; i++)
		period(&vcpu, 1000, 1000, 100);
	for (unsigned i = 1; i < CLAIMS_PAROLE; i++)
		assert_false(period(&vcpu, 100, 100, 100));
	/* A bad one: one more, and from the first again. */
	assert_false(period(&vcpu, 1000, 1000, 100));
	for (unsigned i = 0; i < CLAIMS_PAROLE; i++)
		assert_false(period(&vcpu, 100, 100, 100));
	assert_true(vcpu.claims.held_down);
	assert_true(period(&vcpu, 100, 100, 100));
	assert_false(vcpu.claims.held_down);
	assert_int_equal(claims_cut(&vcpu.claims, 1024), 1024);
	/* It has to be bad as often as at first, and is held for as long. */
	assert_false(period(&vcpu, 1000, 1000, 100));
	assert_false(period(&vcpu, 1000, 1000, 100));
	assert_true(period(&vcpu, 1000, 1000, 100));
	for (unsigned i = 1; i < CLAIMS_PAROLE; i++)
		assert_false(period(&vcpu, 100, 100, 100));
	assert_true(period(&vcpu, 100, 100, 100));
}

/* However often: it doesn't wrap round. */
static void test_long_parole(_unused_ void **state)
{
	struct vcpu vcpu = start();

	for (unsigned i = 0; i < 1000; i++)
		period(&vcpu, 1000, 1000, 100);
	assert_true(vcpu.claims.held_down);
	for (unsigned i = 1; i < UINT8_MAX; i++)
		EXPECT(!period(&vcpu, 100, 100, 100), "period %u", i);
	assert_true(period(&vcpu, 100, 100, 100));
	for (unsigned i = 0; i < 1000; i++)
		assert_false(period(&vcpu, 100, 100, 100));
	assert_false(period(&vcpu, 1000, 1000, 100));
	assert_false(period(&vcpu, 1000, 1000, 100));
	assert_true(period(&vcpu, 1000, 1000, 100));
}

/* What it is held down to follows what it uses. */
static void test_most_follows(_unused_ void **state)
{
	struct vcpu vcpu = start();

	for (unsigned i = 0; i < CLAIMS_PATIENCE; i++)
		period(&vcpu, 1000, 1000, 100);
	assert_int_equal(vcpu.claims.most1024, 176);
	assert_true(period(&vcpu, 1000, 1000, 400));
	assert_int_equal(vcpu.claims.most1024, 551);
	assert_false(period(&vcpu, 1000, 1000, 400));
	/* Honest by now: what it used or claimed, whichever is more. */
	assert_true(period(&vcpu, 200, 200, 300));
	assert_int_equal(vcpu.claims.most1024, 426);
	assert_true(period(&vcpu, 400, 400, 300));
	assert_int_equal(vcpu.claims.most1024, 551);
}

/* A guest that asks once and then says nothing more still asks. */
static void test_time_without_reports(_unused_ void **state)
{
	struct vcpu vcpu = start();

	claims_put(&vcpu.claims, 100, 900, vcpu.now_usec);
	for (unsigned i = 1; i <= CLAIMS_PATIENCE; i++) {
		vcpu.now_usec += PERIOD;
		vcpu.run_nsec += PERIOD * NSEC_PER_USEC / 10;
		EXPECT(claims_check(&vcpu.claims, vcpu.run_nsec, 1024, vcpu.now_usec) ==
			       (i == CLAIMS_PATIENCE),
		       "period %u", i);
	}
	assert_int_equal(claims_cut(&vcpu.claims, 900), 178); /* it used 102 */
	/* So does one that claims. */
	vcpu = start();
	claims_put(&vcpu.claims, 900, 900, vcpu.now_usec);
	for (unsigned i = 0; i < CLAIMS_PATIENCE; i++) {
		vcpu.now_usec += PERIOD;
		vcpu.run_nsec += PERIOD * NSEC_PER_USEC / 10;
		claims_check(&vcpu.claims, vcpu.run_nsec, 1024, vcpu.now_usec);
	}
	assert_true(vcpu.claims.held_down);
}

/* A peak counts in its own period; what still holds at its end counts in the next as well. */
static void test_peaks_are_of_the_period(_unused_ void **state)
{
	struct vcpu vcpu = start();

	for (unsigned i = 0; i < 10; i++) {
		/* It asked for that much in the middle, and ran as much. */
		claims_put(&vcpu.claims, 700, 900, vcpu.now_usec);
		claims_put(&vcpu.claims, 200, 300, vcpu.now_usec + 1000);
		vcpu.now_usec += PERIOD;
		vcpu.run_nsec += PERIOD * NSEC_PER_USEC / 4;
		assert_false(claims_check(&vcpu.claims, vcpu.run_nsec, 1024, vcpu.now_usec));
	}
	assert_int_equal(vcpu.claims.peak1024, 200);
	assert_int_equal(vcpu.claims.wanted1024, 300);
	assert_int_equal(vcpu.claims.too_high, 0);
	claims_put(&vcpu.claims, 100, 400, vcpu.now_usec);
	assert_int_equal(vcpu.claims.peak1024, 200);
	assert_int_equal(vcpu.claims.wanted1024, 400);
}

/* Another thread: its counter begins anew, and the period with it. */
static void test_counter_backwards(_unused_ void **state)
{
	struct vcpu vcpu = start();

	period(&vcpu, 1000, 1000, 100);
	period(&vcpu, 1000, 1000, 100);
	claims_put(&vcpu.claims, 1000, 1000, vcpu.now_usec);
	vcpu.now_usec += PERIOD;
	vcpu.run_nsec = 7;
	assert_false(claims_check(&vcpu.claims, vcpu.run_nsec, 1024, vcpu.now_usec));
	assert_false(vcpu.claims.held_down);
	assert_true(period(&vcpu, 1000, 1000, 100));
	/* Nor does a period without time say anything, or one with a counter that stands. */
	assert_false(claims_check(&vcpu.claims, vcpu.run_nsec, 1024, vcpu.now_usec));
	assert_int_equal(vcpu.claims.good, 0);
	vcpu.now_usec += PERIOD;
	assert_true(claims_check(&vcpu.claims, vcpu.run_nsec, 1024, vcpu.now_usec));
	assert_int_equal(vcpu.claims.most1024, 51);
}

static void test_restart(_unused_ void **state)
{
	struct vcpu vcpu = start();

	for (unsigned i = 0; i < CLAIMS_PATIENCE; i++)
		period(&vcpu, 1000, 1000, 100);
	claims_put(&vcpu.claims, 1000, 1000, vcpu.now_usec + 1);
	claims_restart(&vcpu.claims);
	/* What it was held down to stays; the next check begins a period. */
	assert_int_equal(claims_cut(&vcpu.claims, 1024), 176);
	vcpu.now_usec += PERIOD;
	vcpu.run_nsec += PERIOD * NSEC_PER_USEC;
	assert_false(claims_check(&vcpu.claims, vcpu.run_nsec, 1024, vcpu.now_usec));
	assert_int_equal(vcpu.claims.claim1024 + vcpu.claims.peak1024 + vcpu.claims.wanted1024, 0);
	assert_int_equal(vcpu.claims.asked1024, 0);
	for (unsigned i = 1; i < CLAIMS_PAROLE; i++)
		period(&vcpu, 0, 0, 0);
	assert_true(vcpu.claims.held_down);
	assert_true(period(&vcpu, 0, 0, 0));
}

/* A thread that has run for longer than there was time has run all the time, also where 16 bits
 * wouldn't hold how much that is. */
static void test_too_much_run(_unused_ void **state)
{
	struct vcpu vcpu = start();

	for (unsigned i = 0; i < CLAIMS_PATIENCE; i++) {
		claims_put(&vcpu.claims, 1024, 1024, vcpu.now_usec);
		vcpu.now_usec += PERIOD;
		vcpu.run_nsec += 64 * PERIOD * NSEC_PER_USEC;
		assert_false(claims_check(&vcpu.claims, vcpu.run_nsec, 1024, vcpu.now_usec));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_delivered),
		cmocka_unit_test(test_mean_over_time),
		cmocka_unit_test(test_mean_to_the_point),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_parole),
		cmocka_unit_test(test_long_parole),
		cmocka_unit_test(test_most_follows),
		cmocka_unit_test(test_time_without_reports),
		cmocka_unit_test(test_peaks_are_of_the_period),
		cmocka_unit_test(test_counter_backwards),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_too_much_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
