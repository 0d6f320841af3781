/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd/pelt_record.c: reading a record that is being written, and what an idle CPU's is worth. */
#include "tests/unit/test.h"

#include <pthread.h>

#include "common/pelt_decay.h"
#include "common/pelt_powers.h"
#include "guestd/pelt_record.h"

#define MSEC	  UINT64_C(1000000)
#define HALF_LIFE (UINT64_C(32) << 20)

static void test_read(_unused_ void **state)
{
	struct pelt_record shared = {.sequence = 4,
				     .stamp_nsec = 5,
				     .util_avg1024 = 6,
				     .dl1024 = 7,
				     .rung = 8,
				     .idle_nsec = 9},
			   copy;

	memset(&copy, 0xff, sizeof(copy));
	assert_int_equal(pelt_record_read(&shared, &copy), 0);
	assert_memory_equal(&copy, &shared, sizeof(copy));
}

static void test_unreadable(_unused_ void **state)
{
	struct pelt_record shared = {.sequence = 5, .stamp_nsec = 5}, copy = {.stamp_nsec = 77};

	assert_int_equal(pelt_record_read(&shared, &copy), -EAGAIN);
	shared.sequence = 0;
	assert_int_equal(pelt_record_read(&shared, &copy), -ENODATA);
	assert_int_equal(copy.stamp_nsec, 77);
}

#define READS 5000000U

static struct pelt_record written;
static bool enough;

/* As the programs write, every field from one number, until there were enough readings. */
static void *write_records(_unused_ void *userdata)
{
	for (uint32_t n = 1; !__atomic_load_n(&enough, __ATOMIC_RELAXED); n = n % (1U << 30) + 1) {
		__atomic_exchange_n(&written.sequence, 2 * n - 1, __ATOMIC_SEQ_CST);
		__atomic_store_n(&written.stamp_nsec, n, __ATOMIC_RELAXED);
		__atomic_store_n(&written.run_nsec, n, __ATOMIC_RELAXED);
		__atomic_store_n(&written.delay_nsec, n, __ATOMIC_RELAXED);
		__atomic_exchange_n(&written.sequence, 2 * n, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static void test_writer(_unused_ void **state)
{
	unsigned torn = 0;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, write_records, NULL), 0);
	while (__atomic_load_n(&written.sequence, __ATOMIC_RELAXED) == 0)
		sched_yield();
	for (unsigned i = 0; i < READS; i++) {
		struct pelt_record copy;

		if (pelt_record_read(&written, &copy) == 0)
			torn += copy.stamp_nsec != copy.sequence / 2 ||
				copy.run_nsec != copy.stamp_nsec ||
				copy.delay_nsec != copy.stamp_nsec;
	}
	__atomic_store_n(&enough, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_int_equal(torn, 0);
}

static void test_busy_stays(_unused_ void **state)
{
	struct pelt_record record = {.stamp_nsec = 100 * MSEC,
				     .util_avg1024 = 800,
				     .util_est1024 = 900,
				     .rt1024 = 40,
				     .runnable = 3,
				     .uclamp_min1024 = 5},
			   before = record;

	pelt_record_settle(&record, 100 * MSEC + 10 * HALF_LIFE);
	assert_memory_equal(&record, &before, sizeof(record));
}

static void test_idle_falls(_unused_ void **state)
{
	static const struct {
		uint64_t stamp_nsec, idle_nsec, now_nsec;
		unsigned util_avg1024, rt1024;
	} rows[] = {
		{100 * MSEC, 100 * MSEC, 100 * MSEC, 800, 40},
		{100 * MSEC, 100 * MSEC, 100 * MSEC + HALF_LIFE, 400, 20},
		{100 * MSEC, 100 * MSEC, 100 * MSEC + 2 * HALF_LIFE, 200, 10},
		{100 * MSEC, 100 * MSEC, 100 * MSEC + 30 * HALF_LIFE, 0, 0},
		/* from going idle, not from the update before that */
		{90 * MSEC, 100 * MSEC, 100 * MSEC + HALF_LIFE, 400, 20},
		/* from an update by another CPU while it is idle */
		{100 * MSEC, 50 * MSEC, 100 * MSEC + HALF_LIFE, 400, 20},
		/* read after the clock was */
		{100 * MSEC, 100 * MSEC, 99 * MSEC, 800, 40},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pelt_record record = {.stamp_nsec = rows[i].stamp_nsec,
					     .idle_nsec = rows[i].idle_nsec,
					     .util_avg1024 = 800,
					     .util_est1024 = 900,
					     .rt1024 = 40,
					     .runnable = 1,
					     .uclamp_min1024 = 5,
					     .uclamp_max1024 = 700};

		pelt_record_settle(&record, rows[i].now_nsec);
		EXPECT(record.util_avg1024 == rows[i].util_avg1024, "row %u: %u", i,
		       record.util_avg1024);
		EXPECT(record.rt1024 == rows[i].rt1024, "row %u: %u", i, record.rt1024);
		EXPECT(record.util_est1024 == 0 && record.runnable == 0 &&
			       record.uclamp_min1024 == 0 && record.uclamp_max1024 == 700,
		       "row %u: something is runnable", i);
	}
}

static void test_sent(_unused_ void **state)
{
	struct pelt_record record = {.sent1024 = 10, .rung = pelt_step_rung(5000 * MSEC)};
	uint32_t rung = record.rung;

	pelt_record_sent(&record, 700);
	assert_int_equal(record.sent1024, 700);
	assert_int_equal(record.rung, rung & ~PELT_RUNG_WAITING);
}

/* The shortest time after which it has fallen so far. */
static void test_fall_time(_unused_ void **state)
{
	assert_int_equal(pelt_record_fall_nsec(500, 500), 0);
	assert_int_equal(pelt_record_fall_nsec(0, 0), 0);
	assert_int_equal(pelt_record_fall_nsec(1024, 512), HALF_LIFE);
	assert_int_equal(pelt_record_fall_nsec(1024, 256), 2 * HALF_LIFE);
	assert_int_equal(pelt_record_fall_nsec(1024, 0), UINT64_C(352) << 20);
	for (unsigned to = 0; to < 1024; to += 31) {
		struct pelt_record record = {.util_avg1024 = 1024, .stamp_nsec = 1, .idle_nsec = 1};
		uint64_t nsec = pelt_record_fall_nsec(1024, to);

		pelt_record_settle(&record, 1 + nsec);
		EXPECT(record.util_avg1024 <= to, "%u: %u", to, record.util_avg1024);
		record.util_avg1024 = 1024;
		pelt_record_settle(&record, 1 + nsec - (1 << 20));
		EXPECT(record.util_avg1024 > to, "%u: it was there before", to);
	}
}

/* The programs' decay is guestd's, but for the rounding. */
static void test_powers(_unused_ void **state)
{
	assert_int_equal(pelt_powers_decay(1024, 0), 1023);
	assert_int_equal(pelt_powers_decay(1024, 32), 511);
	assert_int_equal(pelt_powers_decay(1024, 1024), 0);
	assert_int_equal(pelt_powers_decay(1024, UINT64_MAX), 0);
	for (unsigned periods = 0; periods < 400; periods++) {
		uint64_t exact = pelt_decay(1024, (uint64_t)periods << 20);
		uint32_t found = pelt_powers_decay(1024, periods);

		EXPECT(found <= exact && found + 2 >= exact, "%u: %u, not %u", periods, found,
		       (unsigned)exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),	   cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_writer),	   cmocka_unit_test(test_busy_stays),
		cmocka_unit_test(test_idle_falls), cmocka_unit_test(test_sent),
		cmocka_unit_test(test_fall_time),  cmocka_unit_test(test_powers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
