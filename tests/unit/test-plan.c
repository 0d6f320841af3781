/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/plan.c: only what changed, and not too often. */
#include "tests/unit/test.h"

#include "hostd/plan.h"

#define T0       (100 * USEC_PER_SEC)
#define INTERVAL 4000U

static const struct cpumask small = {{0x0f}}, big = {{0xf0}}, none;

static void test_what_changed(_unused_ void **state)
{
	static const struct {
		struct plan_have have;
		struct plan_want want;
		unsigned ops;
	} rows[] = {
		{{}, {}, PLAN_NOTHING},
		{{}, {.floor1024 = 1}, PLAN_SET_FLOOR},
		{{.floor1024 = 1}, {.floor1024 = 1}, PLAN_NOTHING},
		{{.floor1024 = 1}, {.floor1024 = 1024}, PLAN_SET_FLOOR},
		{{.floor1024 = 1024}, {.floor1024 = 1}, PLAN_SET_FLOOR},
		{{.floor1024 = 1}, {}, PLAN_CLEAR_FLOOR},
		{{}, {.placed = true, .cpus = {{1}}}, PLAN_SET_CPUS},
		{{.placed = true, .cpus = {{1}}}, {.placed = true, .cpus = {{1}}}, PLAN_NOTHING},
		{{.placed = true, .cpus = {{1}}}, {.placed = true, .cpus = {{2}}}, PLAN_SET_CPUS},
		{{.placed = true, .cpus = {{1}}}, {.placed = true, .cpus = {{1, 1}}},
		 PLAN_SET_CPUS},
		{{.placed = true, .cpus = {{1}}}, {.cpus = {{1}}}, PLAN_CLEAR_CPUS},
		{{.cpus = {{1}}}, {.placed = true, .cpus = {{1}}}, PLAN_SET_CPUS},
		{{.cpus = {{1}}}, {.cpus = {{2}}}, PLAN_NOTHING},
		{{.floor1024 = 5}, {.placed = true, .cpus = {{1}}},
		 PLAN_CLEAR_FLOOR | PLAN_SET_CPUS},
		{{.placed = true, .cpus = {{1}}}, {.floor1024 = 5},
		 PLAN_SET_FLOOR | PLAN_CLEAR_CPUS},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t next = 4711;
		unsigned ops = plan_vcpu(&rows[i].have, &rows[i].want, INTERVAL, T0, &next);

		EXPECT(ops == rows[i].ops, "row %zu: %x", i, ops);
		EXPECT(next == USEC_INFINITY, "row %zu", i);
	}
}

static void test_not_too_often(_unused_ void **state)
{
	struct plan_have have = {.floor1024 = 100, .floor_written_usec = T0};
	struct plan_want want = {.floor1024 = 200};
	uint64_t next;

	assert_int_equal(plan_vcpu(&have, &want, INTERVAL, T0, &next), PLAN_NOTHING);
	assert_int_equal(next, T0 + INTERVAL);
	assert_int_equal(plan_vcpu(&have, &want, INTERVAL, T0 + INTERVAL - 1, &next),
			 PLAN_NOTHING);
	assert_int_equal(next, T0 + INTERVAL);
	assert_int_equal(plan_vcpu(&have, &want, INTERVAL, T0 + INTERVAL, &next), PLAN_SET_FLOOR);
	assert_int_equal(next, USEC_INFINITY);
	/* Going waits as well, and what isn't wanted any more doesn't. */
	want.floor1024 = 0;
	assert_int_equal(plan_vcpu(&have, &want, INTERVAL, T0 + 1, &next), PLAN_NOTHING);
	assert_int_equal(next, T0 + INTERVAL);
	assert_int_equal(plan_vcpu(&have, &want, INTERVAL, T0 + INTERVAL, &next),
			 PLAN_CLEAR_FLOOR);
	want.floor1024 = 100;
	assert_int_equal(plan_vcpu(&have, &want, INTERVAL, T0 + 1, &next), PLAN_NOTHING);
	assert_int_equal(next, USEC_INFINITY);
	/* Placement doesn't wait: it changes rarely as it is. */
	want = (struct plan_want){.floor1024 = 200, .placed = true, .cpus = big};
	assert_int_equal(plan_vcpu(&have, &want, INTERVAL, T0 + 1, &next), PLAN_SET_CPUS);
	assert_int_equal(next, T0 + INTERVAL);
	/* The earliest time that there is. */
	have.floor_written_usec = 1;
	assert_int_equal(plan_vcpu(&have, &want, INTERVAL, 2, &next), PLAN_SET_CPUS);
	assert_int_equal(next, 1 + INTERVAL);
	/* No interval, no wait. */
	assert_int_equal(plan_vcpu(&have, &want, 0, T0, &next), PLAN_SET_FLOOR | PLAN_SET_CPUS);
}

static void test_done(_unused_ void **state)
{
	struct plan_want want = {.floor1024 = 300, .placed = true, .cpus = small};
	struct plan_have have = {};
	uint64_t next;

	plan_done(&have, &want, PLAN_NOTHING, T0);
	assert_int_equal(have.floor1024, 0);
	assert_false(have.placed);
	assert_int_equal(have.floor_written_usec, 0);

	/* One write is done, the other has failed: it is still to do. */
	plan_done(&have, &want, PLAN_SET_FLOOR, T0);
	assert_int_equal(have.floor1024, 300);
	assert_int_equal(have.floor_written_usec, T0);
	assert_int_equal(plan_vcpu(&have, &want, INTERVAL, T0, &next), PLAN_SET_CPUS);
	plan_done(&have, &want, PLAN_SET_CPUS, T0 + 1);
	assert_true(have.placed);
	assert_true(cpumask_equal(&have.cpus, &small));
	assert_int_equal(have.floor_written_usec, T0);
	assert_int_equal(plan_vcpu(&have, &want, INTERVAL, T0 + 1, &next), PLAN_NOTHING);

	want = (struct plan_want){.floor1024 = 0, .placed = false, .cpus = none};
	plan_done(&have, &want, PLAN_CLEAR_CPUS, T0 + 2);
	assert_false(have.placed);
	plan_done(&have, &want, PLAN_CLEAR_FLOOR, T0 + 10000);
	assert_int_equal(have.floor1024, 0);
	assert_int_equal(have.floor_written_usec, T0 + 10000);
	assert_int_equal(plan_vcpu(&have, &want, INTERVAL, T0 + 10000, &next), PLAN_NOTHING);
}

/* Whatever is wanted, writes of the floor are an interval apart and lead to what is wanted. */
static void test_random_wants(_unused_ void **state)
{
	struct plan_have have = {};
	uint64_t seed = 9, now = T0, last = 0;

	for (unsigned i = 0; i < 20000; i++) {
		struct plan_want want = {.floor1024 = (uint16_t)(test_random(&seed) % 3),
					 .placed = test_random(&seed) % 2};
		uint64_t next;
		unsigned ops;

		want.cpus = test_random(&seed) % 2 ? small : big;
		now += test_random(&seed) % 3000;
		ops = plan_vcpu(&have, &want, INTERVAL, now, &next);
		if (ops & (PLAN_SET_FLOOR | PLAN_CLEAR_FLOOR)) {
			EXPECT(last == 0 || now - last >= INTERVAL, "write %u", i);
			last = now;
		}
		EXPECT(next > now, "write %u: next is over", i);
		for (unsigned op = 1; op <= PLAN_CLEAR_CPUS; op <<= 1)
			if (ops & op)
				plan_done(&have, &want, (enum plan_op)op, now);
		EXPECT(have.floor1024 == want.floor1024 || next == last + INTERVAL, "write %u", i);
		EXPECT(have.placed == want.placed, "write %u", i);
		EXPECT(!have.placed || cpumask_equal(&have.cpus, &want.cpus), "write %u", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_changed),
		cmocka_unit_test(test_not_too_often),
		cmocka_unit_test(test_done),
		cmocka_unit_test(test_random_wants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
