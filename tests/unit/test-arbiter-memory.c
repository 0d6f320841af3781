/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/arbiter.c: its memory comes with domains and goes with them, and it stays within it. */
#include "tests/unit/test_arbiter.h"

#include <malloc.h>

#include "tests/unit/test_malloc.h"

static void test_no_memory(_unused_ void **state)
{
	unsigned long failed = 0;

	malloc_calls = 0;
	malloc_fails_at = 1;
	assert_null(arbiter_new(&plain));
	for (malloc_fails_at = 1;; malloc_fails_at++) {
		malloc_calls = 0;
		if (add(1) != ARBITER_NONE)
			break;
		failed++;
	}
	malloc_fails_at = 0;
	assert_int_equal(failed, 3);
	assert_int_equal(add(1), 1);
	assert_int_equal(ask(0, 0, 300, 0), F(300));
	/* Afterwards none is needed. */
	malloc_calls = 0;
	ask(1, 0, 300, 0);
	allow(0, 0, "0");
	see(1, 0, 0);
	arbiter_configure(arbiter, &plain);
	arbiter_remove(arbiter, 0, T0);
	assert_int_equal(malloc_calls, 0);
}

/* Domains come, as many as make more room needed, and go, and for some there is no memory: the
 * allocator counts what is left behind. The first rounds are for what it keeps by for later ones.
 */
static void test_nothing_is_left_behind(_unused_ void **state)
{
	size_t used = 0, now;

	for (unsigned round = 0; round < 40; round++) {
		arbiter_begin_anew(&plain);
		for (unsigned i = 0; i < 40; i++) {
			malloc_calls = 0;
			malloc_fails_at = i % 5;
			add(1);
		}
		malloc_fails_at = 0;
		arbiter_remove(arbiter, 0, T0);
		arbiter_remove(arbiter, 20, T0);
		add(2);
		arbiter = arbiter_free(arbiter);
		if (round == 10)
			used = mallinfo2().uordblks;
	}
	/* A chunk or two are what the allocator keeps; what is left behind is at least 32 bytes,
	 * its smallest, in each round. */
	now = mallinfo2().uordblks;
	EXPECT(now < used + 29 * 32U, "%zu, then %zu", used, now);
}

/* What is said of CPUs that there aren't is neither kept nor written anywhere. */
static void test_no_such_cpu(_unused_ void **state)
{
	static const unsigned cpus[] = {CPUMASK_CPUS, CPUMASK_CPUS + 1, ARBITER_CPU_UNKNOWN};
	uint32_t a;

	malloc_edges = true;
	arbiter_begin_anew(&plain);
	malloc_edges = false;
	a = add(1);
	ask(a, 0, 300, 0);
	for (size_t i = 0; i < ARRAY_SIZE(cpus); i++) {
		arbiter_set_capacity(arbiter, cpus[i], 700);
		arbiter_other(arbiter, cpus[i], 700, T0);
		see(a, 0, cpus[i]);
		EXPECT(!arbiter_uses(arbiter, cpus[i]), "CPU %u", cpus[i]);
		EXPECT(malloc_edge_is_whole(), "CPU %u", cpus[i]);
		EXPECT(arbiter_next(arbiter) == ARBITER_NONE, "CPU %u", cpus[i]);
	}
	assert_int_equal(floor_of(a, 0, 0), F(300));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, arbiter_setup, arbiter_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_no_memory),
		TEST(test_nothing_is_left_behind),
		TEST(test_no_such_cpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
