/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd/pelt_estimate.c: a record's classes as one estimate, what was counted since the one
 * before, and when to look at an idle CPU again. */
#include "tests/unit/test.h"

#include "guestd/pelt_estimate.h"

#define NOW	  UINT64_C(5000000000)
#define HALF_LIFE (UINT64_C(32) << 20)

static struct estimate estimate_of(const struct pelt_record *record)
{
	struct pelt_account account = {};
	struct estimate estimate;

	memset(&estimate, 0xa5, sizeof(estimate));
	pelt_estimate(record, &account, &estimate);
	return estimate;
}

/* As effective_cpu_util(): CFS, RT and DL add up, to a whole CPU at most; of CFS the estimate is
 * the larger of what is and what was before the tasks slept. */
static void test_classes(_unused_ void **state)
{
	static const struct {
		uint16_t avg, est, rt, dl;
		unsigned util_avg, util_est;
	} rows[] = {
		{0, 0, 0, 0, 0, 0},
		{300, 0, 0, 0, 300, 300}, /* a kernel without util_est, or one that is behind */
		{300, 700, 0, 0, 300, 700},
		{700, 300, 0, 0, 700, 700},
		{300, 700, 20, 3, 323, 723},
		{0, 0, 20, 0, 20, 20},
		{0, 0, 0, 3, 3, 3},
		{1000, 1000, 20, 3, 1023, 1023},
		{1000, 1000, 20, 5, 1024, 1024},
		{400, 1024, 20, 5, 425, 1024},
		{1024, 1024, 1024, 1024, 1024, 1024},
		{60000, 60000, 60000, 60000, 1024, 1024}, /* no sum of it is cut to 16 bits */
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct estimate estimate = estimate_of(&(struct pelt_record){
			.util_avg1024 = rows[i].avg,
			.util_est1024 = rows[i].est,
			.rt1024 = rows[i].rt,
			.dl1024 = rows[i].dl,
		});

		EXPECT(estimate.util_avg == rows[i].util_avg &&
			       estimate.util_est == rows[i].util_est,
		       "row %u: %u, %u", i, estimate.util_avg, estimate.util_est);
	}
}

/* An average that is as good as full, in whatever class, on a CPU that isn't idle. What tasks
 * wanted before they slept says nothing of it. */
static void test_saturated(_unused_ void **state)
{
	static const struct {
		struct pelt_record record;
		bool saturated;
	} rows[] = {
		{{.util_avg1024 = 991}, false},
		{{.util_avg1024 = 992}, true},
		{{.util_avg1024 = 1024}, true},
		{{.util_avg1024 = 500, .rt1024 = 492}, true},
		{{.util_avg1024 = 500, .rt1024 = 491}, false},
		{{.dl1024 = 1024}, true},
		{{.util_avg1024 = 500, .util_est1024 = 1024}, false},
		{{.util_avg1024 = 1024, .idle_nsec = 1}, false},
		{{.util_avg1024 = 1024, .idle_nsec = NOW}, false},
		{{.idle_nsec = NOW}, false},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		EXPECT(estimate_of(&rows[i].record).saturated == rows[i].saturated, "row %u", i);
}

static void test_passed_on(_unused_ void **state)
{
	struct estimate estimate = estimate_of(
		&(struct pelt_record){.runnable = 3, .uclamp_min1024 = 200, .uclamp_max1024 = 800});

	assert_int_equal(estimate.runnable, 3);
	assert_int_equal(estimate.uclamp_min, 200);
	assert_int_equal(estimate.uclamp_max, 800);
	/* A number that means "not known" is no number of tasks. */
	estimate = estimate_of(&(struct pelt_record){.runnable = PROTO_UNKNOWN_U16});
	assert_int_equal(estimate.runnable, PROTO_UNKNOWN_U16 - 1);
}

/* What was counted since the record before: nothing of the first, for it has all since the programs
 * were attached; nothing after a step backwards, and then on from there. */
static void test_counts(_unused_ void **state)
{
	static const struct {
		uint64_t delay_nsec, steal_nsec;
		unsigned run_delay_usec, steal_usec;
	} rows[] = {
		{7000000000, 9000000000, 0, 0},
		{7000000000, 9000000000, 0, 0},
		{7000005000, 9000000999, 5, 0},
		{7000006000, 9000002000, 1, 1},
		{1000, 9000003000, 0, 1}, /* one went backwards, the other is good */
		{4000, 500, 3, 0},
		{4000, 2500, 0, 2},
		{UINT64_C(4000) + UINT32_MAX * UINT64_C(1000), 2500, UINT32_MAX, 0},
		{UINT64_MAX, UINT64_MAX, UINT32_MAX, UINT32_MAX}, /* no wrap */
	};
	struct pelt_account account = {};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct pelt_record record = {.delay_nsec = rows[i].delay_nsec,
						   .steal_nsec = rows[i].steal_nsec};
		struct estimate estimate;

		pelt_estimate(&record, &account, &estimate);
		EXPECT(estimate.run_delay_usec == rows[i].run_delay_usec &&
			       estimate.steal_usec == rows[i].steal_usec,
		       "row %u: %u, %u", i, estimate.run_delay_usec, estimate.steal_usec);
		assert_true(account.primed);
		assert_int_equal(account.delay_nsec, rows[i].delay_nsec);
		assert_int_equal(account.steal_nsec, rows[i].steal_nsec);
	}
}

#define REST (UINT64_C(50) * NSEC_PER_USEC * USEC_PER_MSEC)

static void test_fall_times(_unused_ void **state)
{
	static const struct pelt_step step = {.rise1024 = 201, .fall1024 = 402, .least1024 = 201};
	static const struct {
		uint16_t sent, avg;
		uint64_t idle_nsec, fall_nsec;
	} rows[] = {
		{0, 500, NOW, UINT64_MAX}, /* nothing was sent, so nothing has to be taken back */
		{804, 804, NOW, REST},	   /* half of what was sent it is sooner */
		{804, 804, 0, REST},	   /* it may go idle at once, and doesn't ring then */
		{1024, 512, NOW, REST},	   /* it is there already */
		{600, 396, NOW, 2 * HALF_LIFE}, /* 402 less is no more than twice nothing */
		{600, 396, 0, 2 * HALF_LIFE},
		{200, 396, NOW, 2 * HALF_LIFE}, /* 100, half of the least, is nothing; 99 surely */
		{402, 396, NOW, 2 * HALF_LIFE}, /* half is near to it */
		{402, 792, NOW, 3 * HALF_LIFE},
		{100, 99, NOW, REST},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct pelt_record record = {.util_avg1024 = rows[i].avg,
						   .uclamp_max1024 = 1024,
						   .idle_nsec = rows[i].idle_nsec};
		uint64_t nsec = pelt_estimate_fall_nsec(&record, &step, rows[i].sent);

		EXPECT(nsec == rows[i].fall_nsec, "row %u: %llu", i, (unsigned long long)nsec);
	}
}

/* A CPU that was full, and has been idle for so long. */
static struct pelt_record settled(uint64_t nsec)
{
	struct pelt_record record = {
		.util_avg1024 = 1024, .uclamp_max1024 = 1024, .stamp_nsec = NOW, .idle_nsec = NOW};

	pelt_record_settle(&record, NOW + nsec);
	return record;
}

#define EARLY (UINT64_C(2) << 20) /* a period of PELT's, and one for what roundings come to */

/* The whole way down, as the daemon goes it: when it is told to look the host has to hear of it,
 * but for 1 of 1024 that two roundings make, and it is by half, or the end. */
static void test_way_down(_unused_ void **state)
{
	static const struct pelt_step steps[] = {
		{.rise1024 = 31, .fall1024 = 62, .least1024 = 64},
		{.rise1024 = 62, .fall1024 = 124, .least1024 = 64},
		{.rise1024 = 102, .fall1024 = 204, .least1024 = 102},
		{.rise1024 = 1024, .fall1024 = 1024, .least1024 = 1024}};

	for (unsigned i = 0; i < ARRAY_SIZE(steps); i++) {
		const uint32_t nothing = (steps[i].least1024 - 1U) / 2, fall = steps[i].fall1024;
		unsigned looks = 0, sent = 1024;
		uint64_t age = 0;

		for (; sent > 0; looks++) {
			struct pelt_record now = settled(age);
			uint64_t nsec = pelt_estimate_fall_nsec(&now, &steps[i], (uint16_t)sent);
			struct pelt_record then = settled(age + nsec);
			struct pelt_record early = settled(age + nsec - MIN(nsec, EARLY));
			uint32_t wanted = pelt_step_wanted(&then);
			uint32_t before = pelt_step_wanted(&early);
			uint32_t low = MIN(sent / 2, pelt_step_less(sent, fall));

			EXPECT(nsec > 0 && nsec != UINT64_MAX, "step %u, %u was sent", i, sent);
			EXPECT(wanted <= nothing + 1 || wanted + fall <= sent + 1,
			       "step %u: %u of %u is no news", i, wanted, sent);
			EXPECT(nsec <= REST || before > low ||
				       (low <= 2 * nothing && before >= nothing),
			       "step %u: %u of %u was worth a look before", i, before, sent);
			if (wanted <= nothing || wanted + fall <= sent)
				sent = wanted <= nothing ? 0 : wanted;
			age += nsec;
		}
		/* Once for each half, and at times once more for a rounding. */
		EXPECT(looks <= 2 * 5, "step %u: %u looks", i, looks);
	}
}

/* By what a look costs: quick machines as often as the host writes, slow ones less often, and not
 * for ever less. */
static void test_intervals(_unused_ void **state)
{
	static const struct {
		uint64_t cost_nsec, rise_usec, fall_usec;
	} rows[] = {
		{0, 4000, 20000},	 {60000, 4000, 20000},	    {1900000, 4000, 20000},
		{2000000, 8000, 20000},	 {2500000, 8000, 40000},    {3400000, 12000, 40000},
		{5000000, 16000, 80000}, {100000000, 16000, 80000}, {UINT64_MAX / 2, 16000, 80000},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		EXPECT(pelt_estimate_rise_usec(rows[i].cost_nsec) == rows[i].rise_usec,
		       "row %u: %llu", i,
		       (unsigned long long)pelt_estimate_rise_usec(rows[i].cost_nsec));
		EXPECT(pelt_estimate_fall_usec(rows[i].cost_nsec) == rows[i].fall_usec,
		       "row %u: %llu", i,
		       (unsigned long long)pelt_estimate_fall_usec(rows[i].cost_nsec));
	}
}

/* A third of a CPU, of late. */
static void test_stolen(_unused_ void **state)
{
	struct pelt_stolen stolen = {};
	uint64_t now = 1000 * USEC_PER_SEC;

	assert_int_equal(pelt_stolen_rise_shift(&stolen), 0);
	assert_int_equal(pelt_stolen_fall_factor(&stolen), 1);
	pelt_stolen_put(&stolen, 5000, now); /* in what time isn't known */
	assert_int_equal(pelt_stolen_rise_shift(&stolen), 0);
	pelt_stolen_put(&stolen, 3333, now += 10000);
	assert_int_equal(pelt_stolen_rise_shift(&stolen), 0);
	pelt_stolen_put(&stolen, 1, now); /* two looks at once */
	assert_int_equal(pelt_stolen_rise_shift(&stolen), 0);
	pelt_stolen_put(&stolen, 3334, now += 10000);
	assert_int_equal(pelt_stolen_rise_shift(&stolen), 3);
	pelt_stolen_put(&stolen, 0, now += 10000);
	assert_int_equal(pelt_stolen_rise_shift(&stolen), 0);
	assert_int_equal(pelt_stolen_fall_factor(&stolen), 3); /* 6667 of 30000 */
	pelt_stolen_put(&stolen, 0, now += 10000);
	assert_int_equal(pelt_stolen_fall_factor(&stolen), 3);
	pelt_stolen_put(&stolen, 0, now += 3);
	assert_int_equal(pelt_stolen_fall_factor(&stolen), 1);
	for (unsigned i = 0; i < 100; i++)
		pelt_stolen_put(&stolen, 40000, now += 10000); /* of four CPUs */
	assert_int_equal(pelt_stolen_rise_shift(&stolen), 3);
	for (unsigned i = 0; i < 30; i++)
		pelt_stolen_put(&stolen, 0, now += 10000);
	assert_int_equal(pelt_stolen_rise_shift(&stolen), 0);
	pelt_stolen_put(&stolen, 100, now - 50000); /* a clock that goes back */
	assert_int_equal(pelt_stolen_rise_shift(&stolen), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stolen),	   cmocka_unit_test(test_intervals),
		cmocka_unit_test(test_classes),	   cmocka_unit_test(test_saturated),
		cmocka_unit_test(test_passed_on),  cmocka_unit_test(test_counts),
		cmocka_unit_test(test_fall_times), cmocka_unit_test(test_way_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
