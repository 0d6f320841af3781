/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd/pelt_step.h: what a CPU wants, and when that deserves a wake-up. The eBPF programs are
 * compiled of the same lines. */
#include "tests/unit/test.h"

#include "guestd/pelt_step.h"

#define MSEC UINT64_C(1000000)

static const struct pelt_step step = {.rise1024 = 50,
				      .fall1024 = 100,
				      .least1024 = 60,
				      .rise_nsec = 2 * MSEC,
				      .fall_nsec = 32 * MSEC};

static void test_wanted(_unused_ void **state)
{
	static const struct {
		struct pelt_record record;
		uint32_t wanted1024;
	} rows[] = {
		{{.uclamp_max1024 = 1024}, 0},
		{{.util_avg1024 = 300, .uclamp_max1024 = 1024}, 300},
		{{.util_avg1024 = 300, .util_est1024 = 700, .uclamp_max1024 = 1024}, 700},
		{{.util_avg1024 = 700, .util_est1024 = 300, .uclamp_max1024 = 1024}, 700},
		/* the classes add up, and not beyond the CPU */
		{{.util_avg1024 = 300, .rt1024 = 20, .dl1024 = 3, .uclamp_max1024 = 1024}, 323},
		{{.util_avg1024 = 1024, .rt1024 = 1024, .dl1024 = 1024, .uclamp_max1024 = 1024},
		 1024},
		/* requests, the minimum over the maximum */
		{{.util_avg1024 = 300, .uclamp_min1024 = 400, .uclamp_max1024 = 1024}, 400},
		{{.util_avg1024 = 300, .uclamp_min1024 = 200, .uclamp_max1024 = 1024}, 300},
		{{.util_avg1024 = 300, .uclamp_max1024 = 200}, 200},
		{{.util_avg1024 = 300, .uclamp_min1024 = 500, .uclamp_max1024 = 200}, 500},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		EXPECT(pelt_step_wanted(&rows[i].record) == rows[i].wanted1024, "row %u: %u", i,
		       pelt_step_wanted(&rows[i].record));
}

static void test_cut(_unused_ void **state)
{
	assert_int_equal(pelt_step_cut(0), 0);
	assert_int_equal(pelt_step_cut(1023), 1023);
	assert_int_equal(pelt_step_cut(1024), 1024);
	assert_int_equal(pelt_step_cut(1025), 1024);
	assert_int_equal(pelt_step_cut(UINT64_C(1) << 40), 1024);
}

/* Up by the step, down by more, and both ends in any case. */
/* Our own part of a CPU's sum. */
static void test_others(_unused_ void **state)
{
	static const struct {
		uint32_t util, self, others;
	} rows[] = {
		{300, 0, 300},
		{300, 40, 260},
		{30, 40, 0},	 /* what is left of us there fades later */
		{991, 400, 591}, /* it idled now and then, so nobody had to wait */
		{1024, 60, 1024},
		{1024, 560, 1024}, /* a hog that we share the CPU with would have all of it */
		{1024, 800, 224},  /* it was us: that is no demand */
		{1024, 1024, 0},
		{1500, 600, 1500}, /* a task has just come from another CPU */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t others = pelt_step_others(rows[i].util, rows[i].self);

		EXPECT(others == rows[i].others, "row %zu: %u", i, others);
	}
}

static void test_steps(_unused_ void **state)
{
	static const struct {
		uint16_t sent1024, wanted1024;
		enum pelt_event_reason reason;
	} rows[] = {
		{0, 0, PELT_EVENT_NONE},       {0, 59, PELT_EVENT_NONE},
		{0, 60, PELT_EVENT_RISE},      {0, 1024, PELT_EVENT_RISE},
		{60, 30, PELT_EVENT_NONE},     {60, 29, PELT_EVENT_FALL},
		{500, 549, PELT_EVENT_NONE},   {500, 550, PELT_EVENT_RISE},
		{500, 500, PELT_EVENT_NONE},   {500, 401, PELT_EVENT_NONE},
		{500, 400, PELT_EVENT_FALL},   {500, 0, PELT_EVENT_FALL},
		{40, 89, PELT_EVENT_NONE},     {40, 90, PELT_EVENT_RISE},
		{1000, 1023, PELT_EVENT_NONE}, {1000, 1024, PELT_EVENT_RISE},
		{1024, 1024, PELT_EVENT_NONE}, {1024, 925, PELT_EVENT_NONE},
		{1024, 924, PELT_EVENT_FALL},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pelt_record record = {.sent1024 = rows[i].sent1024};

		EXPECT(pelt_step_is_off(&step, &record, rows[i].wanted1024) == rows[i].reason,
		       "row %u", i);
		/* the boot is an hour ago, so no interval is in the way */
		EXPECT(pelt_step_due(&step, &record, rows[i].wanted1024, 3600000 * MSEC) ==
			       rows[i].reason,
		       "row %u, due", i);
	}
}

/* Where rises are coarse: a part of what was sent, if that is more than a step. */
static void test_coarse(_unused_ void **state)
{
	static const struct {
		uint16_t shift, sent1024;
		uint32_t rise1024;
	} rows[] = {
		{0, 1000, 50}, {3, 0, 50}, {3, 399, 50}, {3, 408, 51}, {3, 800, 100}, {1, 800, 400},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct pelt_step coarse = {.rise1024 = 50,
						 .fall1024 = 100,
						 .least1024 = 60,
						 .rise_shift = rows[i].shift};
		struct pelt_record record = {.sent1024 = rows[i].sent1024};
		uint32_t rise = MAX(rows[i].rise1024, rows[i].sent1024 ? 0U : coarse.least1024);

		EXPECT(pelt_step_rise(&coarse, rows[i].sent1024) == rows[i].rise1024, "row %u", i);
		EXPECT(pelt_step_is_off(&coarse, &record, record.sent1024 + rise - 1) ==
			       PELT_EVENT_NONE,
		       "row %u, below", i);
		EXPECT(pelt_step_is_off(&coarse, &record, record.sent1024 + rise) ==
			       PELT_EVENT_RISE,
		       "row %u, there", i);
	}
}

/* After a ring there is none until guestd has answered, nor within the interval. */
static void test_interval(_unused_ void **state)
{
	const uint64_t start = 1000000 * MSEC + 12345;
	struct pelt_record record = {.sent1024 = 100, .rung = pelt_step_rung(start)};

	assert_int_equal(pelt_step_due(&step, &record, 800, start), PELT_EVENT_NONE);
	assert_int_equal(pelt_step_due(&step, &record, 800, start + 999 * MSEC), PELT_EVENT_NONE);
	record.rung &= ~PELT_RUNG_WAITING;
	assert_int_equal(pelt_step_due(&step, &record, 800, start + MSEC), PELT_EVENT_NONE);
	assert_int_equal(pelt_step_due(&step, &record, 800, start + 2 * MSEC - 8192),
			 PELT_EVENT_NONE);
	assert_int_equal(pelt_step_due(&step, &record, 800, start + 2 * MSEC + 4096),
			 PELT_EVENT_RISE);
	/* a fall waits for longer */
	assert_int_equal(pelt_step_due(&step, &record, 0, start + 31 * MSEC), PELT_EVENT_NONE);
	assert_int_equal(pelt_step_due(&step, &record, 0, start + 32 * MSEC + 4096),
			 PELT_EVENT_FALL);
	assert_int_equal(pelt_step_due(&step, &record, 100, start + 2 * MSEC + 4096),
			 PELT_EVENT_NONE);
}

/* The time of a ring is kept in 32 bits. */
static void test_wrap(_unused_ void **state)
{
	const uint64_t wrap = UINT64_C(1) << (32 + PELT_RUNG_SHIFT);
	uint32_t rung = pelt_step_rung(wrap - MSEC);

	assert_false(pelt_step_is_over(rung, wrap, 2 * MSEC));
	assert_true(pelt_step_is_over(rung, wrap + MSEC + 4096, 2 * MSEC));
	assert_true(pelt_step_is_over(rung, wrap + 1000 * MSEC, 1000 * MSEC));
	assert_true(pelt_step_is_over(rung, wrap, 0));
	assert_true(pelt_step_is_over(pelt_step_rung(2048), 4096, 2048));
	assert_false(pelt_step_is_over(pelt_step_rung(2048), 4095, 2048));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wanted), cmocka_unit_test(test_cut),
		cmocka_unit_test(test_others), cmocka_unit_test(test_steps),
		cmocka_unit_test(test_coarse), cmocka_unit_test(test_interval),
		cmocka_unit_test(test_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
