/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/plan.c: only what changed, and not too often. */
#include "tests/unit/test.h"

#include "hostd/plan.h"

#define T0	 (100 * USEC_PER_SEC)
#define INTERVAL 4000U
#define LOWER	 20000U

static const struct plan_pace pace = {INTERVAL, LOWER};
static const struct cpumask small = {{0x0f}}, big = {{0xf0}}, none;

static void test_what_changed(_unused_ void **state)
{
	static const struct {
		struct plan_have have;
		struct plan_want want;
		unsigned ops;
	} rows[] = {
		{{}, {}, PLAN_NOTHING},
		{{}, {.floor1024 = 1}, PLAN_SET_CLAMPS},
		{{.floor1024 = 1}, {.floor1024 = 1}, PLAN_NOTHING},
		{{.floor1024 = 1}, {.floor1024 = 1024}, PLAN_SET_CLAMPS},
		{{.floor1024 = 1024}, {.floor1024 = 1}, PLAN_SET_CLAMPS},
		{{.floor1024 = 1}, {}, PLAN_CLEAR_CLAMPS},
		{{}, {.ceiling1024 = 1024}, PLAN_NOTHING},
		{{.ceiling1024 = 1024}, {}, PLAN_NOTHING},
		{{}, {.ceiling1024 = 1}, PLAN_SET_CLAMPS},
		{{.ceiling1024 = 500}, {.ceiling1024 = 500}, PLAN_NOTHING},
		{{.ceiling1024 = 500}, {.ceiling1024 = 400}, PLAN_SET_CLAMPS},
		{{.ceiling1024 = 500}, {.ceiling1024 = 600}, PLAN_SET_CLAMPS},
		{{.ceiling1024 = 500}, {.ceiling1024 = 1024}, PLAN_CLEAR_CLAMPS},
		{{.ceiling1024 = 500}, {.floor1024 = 1}, PLAN_SET_CLAMPS},
		{{.floor1024 = 1, .ceiling1024 = 500}, {.floor1024 = 1}, PLAN_SET_CLAMPS},
		{{.floor1024 = 1, .ceiling1024 = 500}, {.ceiling1024 = 500}, PLAN_SET_CLAMPS},
		{{.floor1024 = 1, .ceiling1024 = 500}, {}, PLAN_CLEAR_CLAMPS},
		/* a ceiling below the floor is one at the floor */
		{{.floor1024 = 300, .ceiling1024 = 300},
		 {.floor1024 = 300, .ceiling1024 = 200},
		 PLAN_NOTHING},
		{{.floor1024 = 1024}, {.floor1024 = 1024, .ceiling1024 = 200}, PLAN_NOTHING},
		{{}, {.placed = true, .cpus = {{1}}}, PLAN_SET_CPUS},
		{{.placed = true, .cpus = {{1}}}, {.placed = true, .cpus = {{1}}}, PLAN_NOTHING},
		{{.placed = true, .cpus = {{1}}}, {.placed = true, .cpus = {{2}}}, PLAN_SET_CPUS},
		{{.placed = true, .cpus = {{1}}},
		 {.placed = true, .cpus = {{1, 1}}},
		 PLAN_SET_CPUS},
		{{.placed = true, .cpus = {{1}}}, {.cpus = {{1}}}, PLAN_CLEAR_CPUS},
		{{.cpus = {{1}}}, {.placed = true, .cpus = {{1}}}, PLAN_SET_CPUS},
		{{.cpus = {{1}}}, {.cpus = {{2}}}, PLAN_NOTHING},
		{{.floor1024 = 5},
		 {.placed = true, .cpus = {{1}}},
		 PLAN_CLEAR_CLAMPS | PLAN_SET_CPUS},
		{{.placed = true, .cpus = {{1}}},
		 {.floor1024 = 5},
		 PLAN_SET_CLAMPS | PLAN_CLEAR_CPUS},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t next = 4711;
		unsigned ops = plan_vcpu(&rows[i].have, &rows[i].want, &pace, T0, &next);

		EXPECT(ops == rows[i].ops, "row %zu: %x", i, ops);
		EXPECT(next == USEC_INFINITY, "row %zu", i);
	}
}

static void test_not_too_often(_unused_ void **state)
{
	struct plan_have have = {.floor1024 = 100, .written_usec = T0};
	struct plan_want want = {.floor1024 = 200};
	uint64_t next;

	/* What was never written has no turn to wait for. */
	assert_int_equal(plan_vcpu(&(struct plan_have){}, &want, &pace, 1, &next), PLAN_SET_CLAMPS);
	assert_int_equal(plan_vcpu(&have, &want, &pace, T0, &next), PLAN_NOTHING);
	assert_int_equal(next, T0 + INTERVAL);
	assert_int_equal(plan_vcpu(&have, &want, &pace, T0 + INTERVAL - 1, &next), PLAN_NOTHING);
	assert_int_equal(next, T0 + INTERVAL);
	assert_int_equal(plan_vcpu(&have, &want, &pace, T0 + INTERVAL, &next), PLAN_SET_CLAMPS);
	assert_int_equal(next, USEC_INFINITY);
	/* What isn't wanted any more doesn't wait. */
	want.floor1024 = 100;
	assert_int_equal(plan_vcpu(&have, &want, &pace, T0 + 1, &next), PLAN_NOTHING);
	assert_int_equal(next, USEC_INFINITY);
	/* Placement doesn't wait: it changes rarely as it is. */
	want = (struct plan_want){.floor1024 = 200, .placed = true, .cpus = big};
	assert_int_equal(plan_vcpu(&have, &want, &pace, T0 + 1, &next), PLAN_SET_CPUS);
	assert_int_equal(next, T0 + INTERVAL);
	/* The earliest time that there is. */
	have.written_usec = 1;
	assert_int_equal(plan_vcpu(&have, &want, &pace, 2, &next), PLAN_SET_CPUS);
	assert_int_equal(next, 1 + INTERVAL);
	/* No interval, no wait. */
	assert_int_equal(plan_vcpu(&have, &want, &(struct plan_pace){0, LOWER}, T0, &next),
			 PLAN_SET_CLAMPS | PLAN_SET_CPUS);
}

/* What raises the floor or the ceiling waits for the short interval, whatever else it lowers; what
 * raises neither for the long one. */
static void test_rise_and_fall(_unused_ void **state)
{
	static const struct {
		struct clamps have, want;
		unsigned usec;
	} rows[] = {
		{{300, 500}, {301, 500}, INTERVAL},  {{300, 500}, {300, 501}, INTERVAL},
		{{300, 500}, {300, 1024}, INTERVAL}, {{300, 500}, {0, 1024}, INTERVAL},
		{{0, 500}, {0, 1024}, INTERVAL},     {{300, 500}, {400, 450}, INTERVAL},
		{{300, 500}, {200, 600}, INTERVAL},  {{300, 400}, {700, 100}, INTERVAL},
		{{300, 500}, {299, 500}, LOWER},     {{300, 500}, {300, 499}, LOWER},
		{{300, 500}, {0, 500}, LOWER},	     {{300, 1024}, {300, 400}, LOWER},
		{{300, 1024}, {0, 1024}, LOWER},     {{300, 1024}, {200, 500}, LOWER},
		{{300, 500}, {200, 300}, LOWER},     {{300, 500}, {300, 1}, LOWER},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct plan_have have = {.floor1024 = rows[i].have.floor1024,
					 .ceiling1024 = rows[i].have.ceiling1024,
					 .written_usec = T0};
		struct plan_want want = {.floor1024 = rows[i].want.floor1024,
					 .ceiling1024 = rows[i].want.ceiling1024};
		uint64_t next;

		EXPECT(plan_vcpu(&have, &want, &pace, T0 + rows[i].usec - 1, &next) == PLAN_NOTHING,
		       "row %zu is early", i);
		EXPECT(next == T0 + rows[i].usec, "row %zu", i);
		EXPECT(plan_vcpu(&have, &want, &pace, T0 + rows[i].usec, &next) != PLAN_NOTHING,
		       "row %zu is late", i);
		/* The longer of the two counts for what can wait. */
		EXPECT(plan_vcpu(&have, &want, &(struct plan_pace){INTERVAL, 1}, T0 + INTERVAL - 1,
				 &next) == PLAN_NOTHING,
		       "row %zu, the other way round", i);
		EXPECT(next == T0 + INTERVAL, "row %zu, the other way round", i);
	}
}

/* A rise right behind a fall waits for one short interval, and one behind a rise, too; a fall
 * behind a rise doesn't take the next one's turn. */
static void test_fall_leaves_the_turn(_unused_ void **state)
{
	struct plan_want low = {.floor1024 = 100, .ceiling1024 = 200}, high = {.floor1024 = 900};
	struct plan_have have = {};
	uint64_t next;

	assert_int_equal(plan_vcpu(&have, &high, &pace, T0, &next), PLAN_SET_CLAMPS);
	plan_done(&have, &high, PLAN_SET_CLAMPS, T0);
	assert_int_equal(plan_vcpu(&have, &low, &pace, T0 + 10000, &next), PLAN_NOTHING);
	assert_int_equal(next, T0 + LOWER);
	high.floor1024 = 950;
	assert_int_equal(plan_vcpu(&have, &high, &pace, T0 + 10001, &next), PLAN_SET_CLAMPS);
	plan_done(&have, &high, PLAN_SET_CLAMPS, T0 + 10001);
	assert_int_equal(plan_vcpu(&have, &low, &pace, T0 + 10001 + LOWER, &next), PLAN_SET_CLAMPS);
	plan_done(&have, &low, PLAN_SET_CLAMPS, T0 + 10001 + LOWER);
	assert_int_equal(plan_vcpu(&have, &high, &pace, T0 + 10002 + LOWER, &next), PLAN_NOTHING);
	assert_int_equal(next, T0 + 10001 + LOWER + INTERVAL);
}

static void test_raises(_unused_ void **state)
{
	const struct plan_have have = {.floor1024 = 100, .ceiling1024 = 500};

	assert_true(plan_raises(&have, &(struct plan_want){.floor1024 = 101, .ceiling1024 = 500}));
	assert_true(plan_raises(&have, &(struct plan_want){.floor1024 = 100, .ceiling1024 = 501}));
	assert_true(plan_raises(&have, &(struct plan_want){.floor1024 = 0, .ceiling1024 = 1024}));
	assert_true(plan_raises(&have, &(struct plan_want){}));
	assert_true(plan_raises(&have, &(struct plan_want){.floor1024 = 101, .ceiling1024 = 400}));
	assert_false(plan_raises(&have, &(struct plan_want){.floor1024 = 100, .ceiling1024 = 500}));
	assert_false(plan_raises(&have, &(struct plan_want){.floor1024 = 99, .ceiling1024 = 499}));
}

/* By a sixteenth and more, and never for what falls. */
static void test_nudges(_unused_ void **state)
{
	assert_true(plan_nudges((struct clamps){100, 1024}, (struct clamps){164, 1024}));
	assert_false(plan_nudges((struct clamps){100, 1024}, (struct clamps){163, 1024}));
	assert_true(plan_nudges((struct clamps){100, 200}, (struct clamps){100, 264}));
	assert_false(plan_nudges((struct clamps){100, 200}, (struct clamps){100, 263}));
	assert_true(plan_nudges((struct clamps){900, 960}, (struct clamps){100, 1024}));
	assert_false(plan_nudges((struct clamps){900, 1024}, (struct clamps){100, 200}));
}

static void test_done(_unused_ void **state)
{
	struct plan_want want = {
		.floor1024 = 300, .ceiling1024 = 250, .placed = true, .cpus = small};
	struct plan_have have = {};
	uint64_t next;

	plan_done(&have, &want, PLAN_NOTHING, T0);
	assert_int_equal(have.floor1024, 0);
	assert_false(have.placed);
	assert_int_equal(have.written_usec, 0);

	/* One write is done, the other has failed: it is still to do. */
	plan_done(&have, &want, PLAN_SET_CLAMPS, T0);
	assert_int_equal(have.floor1024, 300);
	assert_int_equal(have.ceiling1024, 300);
	assert_int_equal(have.written_usec, T0);
	assert_int_equal(plan_vcpu(&have, &want, &pace, T0, &next), PLAN_SET_CPUS);
	plan_done(&have, &want, PLAN_SET_CPUS, T0 + 1);
	assert_true(have.placed);
	assert_true(cpumask_equal(&have.cpus, &small));
	assert_int_equal(have.written_usec, T0);
	assert_int_equal(plan_vcpu(&have, &want, &pace, T0 + 1, &next), PLAN_NOTHING);

	want = (struct plan_want){.floor1024 = 0, .placed = false, .cpus = none};
	plan_done(&have, &want, PLAN_CLEAR_CPUS, T0 + 2);
	assert_false(have.placed);
	plan_done(&have, &want, PLAN_CLEAR_CLAMPS, T0 + 10000);
	assert_int_equal(have.floor1024, 0);
	assert_int_equal(have.ceiling1024, 1024);
	assert_int_equal(have.written_usec, T0 + 10000);
	assert_int_equal(plan_vcpu(&have, &want, &pace, T0 + 10000, &next), PLAN_NOTHING);
}

/* Whatever is wanted: writes are an interval apart, and the longer one apart if nothing rises; no
 * ceiling is below its floor; and what is written is what is wanted then. */
static void test_random_wants(_unused_ void **state)
{
	struct plan_have have = {};
	uint64_t seed = 9, now = T0, last = 0;
	unsigned writes = 0;

	for (unsigned i = 0; i < 20000; i++) {
		struct plan_want want = {.floor1024 = (uint16_t)(test_random(&seed) % 3 * 100),
					 .ceiling1024 = (uint16_t)(test_random(&seed) % 4 * 100),
					 .placed = test_random(&seed) % 2};
		struct clamps to = plan_clamps(&want), from = {have.floor1024, have.ceiling1024};
		uint64_t next;
		unsigned ops;
		bool rises;

		from = clamps_tidy(from);
		rises = to.floor1024 > from.floor1024 || to.ceiling1024 > from.ceiling1024;
		want.cpus = test_random(&seed) % 2 ? small : big;
		now += test_random(&seed) % 3000;
		ops = plan_vcpu(&have, &want, &pace, now, &next);
		if (ops & (PLAN_SET_CLAMPS | PLAN_CLEAR_CLAMPS)) {
			EXPECT(last == 0 || now - last >= (rises ? INTERVAL : LOWER), "write %u",
			       i);
			EXPECT(to.ceiling1024 >= to.floor1024, "write %u", i);
			last = now;
			writes++;
		}
		EXPECT(next > now, "write %u: next is over", i);
		for (unsigned op = 1; op <= PLAN_CLEAR_CPUS; op <<= 1)
			if (ops & op)
				plan_done(&have, &want, (enum plan_op)op, now);
		EXPECT((have.floor1024 == to.floor1024 &&
			clamps_tidy((struct clamps){have.floor1024, have.ceiling1024})
					.ceiling1024 == to.ceiling1024) ||
			       next == last + (rises ? INTERVAL : LOWER),
		       "write %u", i);
		EXPECT(have.placed == want.placed, "write %u", i);
		EXPECT(!have.placed || cpumask_equal(&have.cpus, &want.cpus), "write %u", i);
	}
	assert_true(writes > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_changed),  cmocka_unit_test(test_not_too_often),
		cmocka_unit_test(test_rise_and_fall), cmocka_unit_test(test_fall_leaves_the_turn),
		cmocka_unit_test(test_raises),
		cmocka_unit_test(test_nudges),
		cmocka_unit_test(test_done),	      cmocka_unit_test(test_random_wants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
