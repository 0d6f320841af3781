/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/arbiter_budget.c: all own floors together stay within the budget, whatever guests claim. */
#include "tests/unit/test_arbiter.h"

/* Random sets of claims, each checked against the budget: a million with VMFREQ_CLAIM_SETS=1000000.
 */
#define CLAIM_SETS 200000U
#define VCPUS	   32U

static void begin(uint32_t budget, uint16_t step)
{
	struct arbiter_config config = floors_alone();

	config.budget1024 = budget;
	config.level.step = step;
	arbiter_begin(&config);
}

/* Another budget, as a reload brings it. */
static void set_budget(uint32_t budget)
{
	struct arbiter_config config = floors_alone();

	config.budget1024 = budget;
	arbiter_configure(arbiter, &config);
}

static uint32_t add_weighted(unsigned n_vcpus, uint32_t weight)
{
	return arbiter_add(arbiter, n_vcpus,
			   &(struct arbiter_grant){.floor_max1024 = 1024, .weight = weight});
}

static void expect_budget(uint64_t wants, uint64_t gets)
{
	uint64_t w, g;

	arbiter_budget(arbiter, &w, &g);
	EXPECT(w == wants && g == gets, "%llu of %llu", (unsigned long long)g,
	       (unsigned long long)w);
}

static void test_enough(_unused_ void **state)
{
	uint32_t a, b;

	begin(1000, 1);
	a = add(1);
	b = add(1);
	assert_int_equal(ask(a, 0, 600, 0), 592);
	assert_int_equal(ask(b, 0, 400, 0), 392);
	assert_int_equal(next, USEC_INFINITY);
	expect_budget(984, 984);
	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE);
	assert_int_equal(leave(a, 0, 100, 1), 104);
	expect_budget(496, 496);
	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE);
}

static void test_no_budget(_unused_ void **state)
{
	uint32_t a;

	begin(0, 1);
	a = add(2);
	assert_int_equal(ask(a, 0, 1024, 0), 1008);
	assert_int_equal(ask(a, 1, 1024, 0), 1008);
	expect_budget(2016, 2016);
}

/* Who wants more takes what is free at once; at a division the other comes down, and is told. */
static void test_division(_unused_ void **state)
{
	uint32_t a, b;

	begin(1000, 1);
	a = add(1);
	b = add(1);
	assert_int_equal(ask(a, 0, 800, 0), 784);
	assert_int_equal(ask(b, 0, 800, 0), 500);
	expect_budget(1568, 1000);
	assert_int_equal(want(b, 0, 0).level1024, 510); /* for placement, too */
	assert_int_equal(arbiter_next(arbiter), a);	/* there isn't enough from now on */
	assert_int_equal(arbiter_next(arbiter), b);	/* it is cut */
	assert_int_equal(floor_of(a, 0, 0), 500);
	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE);
	/* The next only 4 ms later. */
	assert_int_equal(ask(a, 0, 1000, 1 * MSEC), 500);
	assert_int_equal(next, T0 + 4 * MSEC);
	/* What is given back is free at once. */
	assert_int_equal(leave(a, 0, 300, 2 * MSEC), 296);
	assert_int_equal(next, T0 + 4 * MSEC);
	expect_budget(1080, 796);
	assert_int_equal(ask(b, 0, 809, 2 * MSEC), 704);
	assert_int_equal(floor_of(a, 0, 2 * MSEC), 296);
	expect_budget(1088, 1000);
	/* Divided anew, when it is time. */
	assert_int_equal(floor_of(a, 0, 4 * MSEC), 296);
	assert_int_equal(next, USEC_INFINITY);
	assert_int_equal(floor_of(b, 0, 4 * MSEC), 704);
	forget_queue();
	assert_int_equal(ask(a, 0, 400, 5 * MSEC), 296);
	assert_int_equal(next, T0 + 8 * MSEC);
	assert_int_equal(floor_of(a, 0, 8 * MSEC), 392);
	assert_int_equal(arbiter_next(arbiter), a);
	assert_int_equal(arbiter_next(arbiter), b);
	assert_int_equal(floor_of(b, 0, 8 * MSEC), 608);
	assert_int_equal(next, USEC_INFINITY);
}

static void test_weights(_unused_ void **state)
{
	const struct arbiter_grant less = {.floor_max1024 = 1024, .weight = 50};
	uint32_t a, b, c;

	begin(1000, 1);
	a = add_weighted(1, 100);
	b = add_weighted(1, 300);
	c = add_weighted(1, 100);
	ask(a, 0, 1024, 0);
	ask(b, 0, 1024, 0);
	assert_int_equal(ask(c, 0, 100, 4 * MSEC), 104);
	forget_queue();
	assert_int_equal(floor_of(a, 0, 4 * MSEC), 224);
	assert_int_equal(floor_of(b, 0, 4 * MSEC), 672);
	assert_int_equal(next, USEC_INFINITY);
	/* Another weight: divided anew, though nobody wants another. */
	arbiter_grant(arbiter, b, &less, T0 + 5 * MSEC);
	assert_true(only_queued(b));
	assert_int_equal(floor_of(b, 0, 5 * MSEC), 672);
	assert_int_equal(next, T0 + 8 * MSEC);
	assert_int_equal(floor_of(b, 0, 8 * MSEC), 298);
	assert_true(arbiter_next(arbiter) == a && arbiter_next(arbiter) == b);
	assert_int_equal(floor_of(a, 0, 8 * MSEC), 597);
}

/* A domain's vCPUs come down together; and go up together when one of them gives back. */
static void test_siblings(_unused_ void **state)
{
	uint32_t a;

	begin(1000, 1);
	a = add(2);
	assert_int_equal(ask(a, 0, 800, 0), 784);
	assert_int_equal(ask(a, 1, 800, 0), 500);
	assert_true(only_queued(a));
	assert_int_equal(floor_of(a, 0, 0), 500);
	assert_int_equal(leave(a, 1, 200, 1), 200);
	assert_true(only_queued(a));
	assert_int_equal(floor_of(a, 0, 1), 784);
	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE);
}

/* Floors in steps: a step more might be more than there is. */
static void test_steps(_unused_ void **state)
{
	uint32_t a, b;

	begin(440, 50);
	a = add(1);
	b = add(1);
	assert_int_equal(ask(a, 0, 401, 0), 392);
	assert_int_equal(ask(b, 0, 301, 0), 220);
	forget_queue();
	assert_int_equal(floor_of(a, 0, 0), 220);
	expect_budget(688, 440);
	/* It stays while that is less by less than a step. */
	assert_int_equal(leave(b, 0, 180, 4 * MSEC), 176);
	forget_queue();
	assert_int_equal(floor_of(a, 0, 4 * MSEC), 220);   /* of 264 */
	assert_int_equal(leave(b, 0, 151, 8 * MSEC), 176); /* it stays as any floor does */
	assert_int_equal(leave(b, 0, 128, 8 * MSEC), 128);
	forget_queue();
	assert_int_equal(floor_of(a, 0, 8 * MSEC), 312);
	expect_budget(520, 440);
	assert_int_equal(leave(b, 0, 75, 12 * MSEC), 80);
	forget_queue();
	assert_int_equal(floor_of(a, 0, 12 * MSEC), 312); /* of 360 */
	expect_budget(472, 440);
}

/* Where there isn't enough for all nothing is kept for who sleeps, until what is held has room. */
static void test_no_hold_when_short(_unused_ void **state)
{
	uint32_t a, b;

	begin(1000, 1);
	a = add_on("0");
	b = add_on("1");
	assert_int_equal(ask(a, 0, 800, 0), 784);
	assert_int_equal(ask(b, 0, 800, 0), 500);
	forget_queue();
	assert_int_equal(floor_of(a, 0, 0), 500);
	assert_int_equal(ask(a, 0, 10, 1), 16);
	assert_int_equal(next, T0 + 4 * MSEC);
	expect_budget(800, 516);
	assert_int_equal(floor_of(b, 0, 4 * MSEC), 784);
	expect_budget(800, 800);
	assert_int_equal(floor_of(a, 0, 4 * MSEC), 16);
	assert_int_equal(next, T0 + 100 * MSEC); /* that of its CPU, which fell as it was cut */
	forget_queue();
	/* Of 405 not yet, of 207 yes. */
	assert_int_equal(floor_of(a, 0, 1 + 100 * MSEC), 16);
	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE);
	assert_int_equal(floor_of(a, 0, 1 + 140 * MSEC), 208);
	assert_true(arbiter_next(arbiter) == a && arbiter_next(arbiter) == b);
	assert_int_equal(floor_of(b, 0, 1 + 140 * MSEC), 784);
}

/* Another budget may end it, and a domain that goes takes what was held for it along. */
static void test_short_ends(_unused_ void **state)
{
	uint32_t a, b, c;

	begin(1000, 1);
	a = add(1);
	b = add(1);
	c = add(1);
	ask(a, 0, 400, 0);
	ask(b, 0, 400, 0);
	ask(c, 0, 400, 0);
	assert_int_equal(ask(a, 0, 10, 1), 16);
	forget_queue();
	arbiter_remove(arbiter, c, T0 + 2);
	assert_true(arbiter_next(arbiter) == a && arbiter_next(arbiter) == b);
	assert_int_equal(floor_of(a, 0, 2), 392);
	/* 392 and 392 are more than 783, and not than 784. */
	set_budget(783);
	assert_int_equal(floor_of(a, 0, 3), 16);
	set_budget(784);
	assert_int_equal(floor_of(a, 0, 3), 392);
	/* Without a budget there is always enough. */
	set_budget(0);
	assert_int_equal(floor_of(a, 0, 3), 392);
}

/* The smallest budget is one, too. */
static void test_smallest_budget(_unused_ void **state)
{
	uint32_t a;

	begin(1, 1);
	a = add(1);
	assert_int_equal(ask(a, 0, 800, 0), 1);
	assert_int_equal(ask(a, 0, 10, 1), 1);
	expect_budget(16, 1); /* nothing is kept */
}

/* Others on a CPU don't give back what the budget takes. */
static void test_cut_on_one_cpu(_unused_ void **state)
{
	uint32_t a, b;

	begin(400, 1);
	a = add_on("0");
	b = add_on("0");
	ask(a, 0, 800, 0);
	ask(b, 0, 800, 4 * MSEC);
	forget_queue();
	/* 204 is left of each level: 800 x 200 / 784. */
	assert_int_equal(want(a, 0, 4 * MSEC).level1024, 204);
	assert_int_equal(want(b, 0, 4 * MSEC).level1024, 204);
	assert_int_equal(floor_of(a, 0, 4 * MSEC), F(408));
	assert_int_equal(floor_of(b, 0, 4 * MSEC), F(408));
	arbiter_other(arbiter, 0, 80, T0);
	assert_int_equal(floor_of(a, 0, 4 * MSEC), F(488));
	/* Who sleeps leaves nothing there. */
	ask(a, 0, 10, 5 * MSEC);
	ask(b, 0, 800, 8 * MSEC);
	assert_int_equal(floor_of(b, 0, 8 * MSEC), F(391 + 10 + 80));
}

/* What is lowered elsewhere has to be written first: until then there is only the room that the
 * floors which stand leave. */
static void test_standing(_unused_ void **state)
{
	uint32_t a, b;

	begin(1000, 1);
	a = add(1);
	b = add(1);
	assert_int_equal(ask(a, 0, 800, 0), 784);
	arbiter_wrote(arbiter, a, 0, 784);
	assert_false(want(a, 0, 0).hurry);
	assert_int_equal(ask(b, 0, 800, 0), 216);
	assert_int_equal(next, T0 + 4 * MSEC);
	assert_int_equal(floor_of(a, 0, 0), 500);
	assert_int_equal(floor_of(b, 0, 1), 216); /* 500 are its own by now */
	assert_true(want(a, 0, 1).hurry);
	arbiter_wrote(arbiter, b, 0, 216);
	assert_int_equal(floor_of(b, 0, 2), 216);
	arbiter_wrote(arbiter, a, 0, 500);
	assert_int_equal(floor_of(b, 0, 3), 500);
	assert_int_equal(next, USEC_INFINITY);
	arbiter_wrote(arbiter, b, 0, 500);
	/* What stands is not in the way of itself, and a fall always has room. */
	assert_int_equal(floor_of(b, 0, 4), 500);
	assert_int_equal(leave(b, 0, 300, 5), 296);
	/* A domain that goes has nothing that stands. */
	arbiter_remove(arbiter, b, T0 + 6);
	assert_int_equal(floor_of(a, 0, 4 * MSEC), 784);
	arbiter_wrote(arbiter, a, 0, 784);
	/* Whatever the budget is by now. */
	set_budget(100);
	assert_int_equal(floor_of(a, 0, 5 * MSEC), 100);
	set_budget(0);
	assert_int_equal(floor_of(a, 0, 5 * MSEC), 784);
}

/* Who needs no more than what stands waits for nobody, not even where a smaller budget is still to
 * be written for others. */
static void test_standing_is_enough(_unused_ void **state)
{
	uint32_t a, b;

	begin(1000, 1);
	a = add(1);
	b = add(1);
	ask(a, 0, 400, 0);
	ask(b, 0, 600, 0);
	arbiter_wrote(arbiter, a, 0, 392);
	arbiter_wrote(arbiter, b, 0, 592);
	set_budget(784);
	assert_int_equal(floor_of(a, 0, 1), 392);
	assert_int_equal(next, USEC_INFINITY);
	assert_int_equal(floor_of(b, 0, 1), 392);
}

/* What stands for others on the same CPU is theirs. */
static void test_standing_beside_others(_unused_ void **state)
{
	uint32_t a, b, c;

	begin(1000, 1);
	a = add_on("0");
	b = add_on("0");
	c = add(1);
	ask(a, 0, 300, 0);
	assert_int_equal(ask(b, 0, 300, 0), F(600));
	assert_int_equal(floor_of(a, 0, 0), F(600));
	arbiter_wrote(arbiter, a, 0, F(600));
	arbiter_wrote(arbiter, b, 0, F(600));
	assert_int_equal(ask(c, 0, 400, 0), F(400)); /* beside 296 and 296 */
}

/* A domain that goes leaves its part to those that have too little, and they hear of it. */
static void test_remove(_unused_ void **state)
{
	uint32_t a, b, c;

	begin(1000, 1);
	a = add(1);
	b = add(1);
	c = add(1);
	ask(a, 0, 800, 0);
	ask(c, 0, 50, 0);
	assert_int_equal(ask(b, 0, 800, 0), 472);
	forget_queue();
	assert_int_equal(floor_of(a, 0, 0), 472);
	arbiter_remove(arbiter, a, T0 + 1);
	expect_budget(840, 528);
	assert_true(arbiter_next(arbiter) == b && arbiter_next(arbiter) == c);
	assert_int_equal(floor_of(b, 0, 1), 472);
	assert_int_equal(next, T0 + 4 * MSEC);
	assert_int_equal(floor_of(b, 0, 4 * MSEC), 784);
	forget_queue();
	/* Nobody has too little: nobody hears of it. */
	arbiter_remove(arbiter, b, T0 + 5 * MSEC);
	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE);
	expect_budget(56, 56);
	arbiter_remove(arbiter, c, T0 + 5 * MSEC);
	expect_budget(0, 0);
}

/* While there still isn't enough for all, those that are cut hear of it, the first as well as the
 * last, and nobody else does. */
static void test_remove_one_of_many(_unused_ void **state)
{
	uint32_t a, b, c, d;

	begin(1000, 1);
	a = add(1);
	b = add(1);
	c = add(1);
	d = add(1);
	ask(d, 0, 50, 0);
	ask(a, 0, 800, 0);
	ask(b, 0, 800, 0);
	ask(c, 0, 800, 4 * MSEC);
	forget_queue();
	arbiter_remove(arbiter, b, T0 + 5 * MSEC);
	assert_true(arbiter_next(arbiter) == a && arbiter_next(arbiter) == c);
	assert_int_equal(arbiter_next(arbiter), ARBITER_NONE);
	assert_int_equal(floor_of(a, 0, 8 * MSEC), 472);
	assert_int_equal(floor_of(d, 0, 8 * MSEC), 56);
}

/* Another budget holds from the next look at each; the same again changes nothing. */
static void test_reload(_unused_ void **state)
{
	uint32_t a, b;

	begin(0, 1);
	a = add(1);
	b = add(1);
	ask(a, 0, 800, 0);
	ask(b, 0, 800, 0);
	set_budget(1000);
	assert_true(arbiter_next(arbiter) == a && arbiter_next(arbiter) == b);
	assert_int_equal(floor_of(b, 0, 0), 500);
	assert_int_equal(floor_of(a, 0, 0), 500);
	forget_queue();
	set_budget(1000);
	assert_true(arbiter_next(arbiter) == a && arbiter_next(arbiter) == b);
	assert_int_equal(floor_of(b, 0, 0), 500);
	expect_budget(1568, 1000);
	set_budget(400); /* at once, not after 4 ms */
	assert_int_equal(floor_of(b, 0, 0), 200);
	assert_int_equal(floor_of(a, 0, 0), 200);
	set_budget(2000);
	assert_int_equal(floor_of(b, 0, 0), 784);
	expect_budget(1568, 1568);
	set_budget(0);
	assert_int_equal(floor_of(a, 0, 0), 784);
	assert_int_equal(next, USEC_INFINITY);
	expect_budget(1568, 1568);
}

/* A claim that the grant doesn't allow isn't one on the budget. */
static void test_floor_max(_unused_ void **state)
{
	const struct arbiter_grant little = {.floor_max1024 = 300, .weight = 100};
	uint32_t a;

	begin(1000, 50);
	a = add(1);
	ask(a, 0, 800, 0);
	arbiter_grant(arbiter, a, &little, T0);
	assert_true(only_queued(a));
	assert_int_equal(floor_of(a, 0, 0), 300);
	expect_budget(300, 300);
}

struct world {
	uint64_t seed, at;
	uint32_t budget;
	unsigned n_domains, n_vcpus[VCPUS], floors[VCPUS][VCPUS];
	uint32_t domains[VCPUS];
};

/* Each vCPU on a CPU of its own, or on one that nobody knows: its floor is its own. */
static void make_world(struct world *world)
{
	unsigned cpu = 0;

	world->budget = 1 + test_random(&world->seed) % (VCPUS * 700);
	begin(world->budget, (uint16_t)(1 + test_random(&world->seed) % 100));
	world->n_domains = 0;
	while (cpu < VCPUS) {
		unsigned d = world->n_domains++;
		unsigned n = 1 + test_random(&world->seed) % 6;

		world->n_vcpus[d] = n = MIN(n, VCPUS - cpu);
		world->domains[d] = arbiter_add(
			arbiter, n,
			&(struct arbiter_grant){
				.floor_max1024 = (uint16_t)(test_random(&world->seed) % 1025),
				.weight = 1 + test_random(&world->seed) % 1000});
		for (unsigned k = 0; k < n; k++, cpu++) {
			struct cpumask mask = {};

			cpumask_set(&mask, cpu);
			if (test_random(&world->seed) % 4 > 0)
				arbiter_set_allowed(arbiter, world->domains[d], k, &mask, T0);
			world->floors[d][k] = 0;
		}
	}
}

static void ask_again(struct world *world, unsigned d)
{
	for (unsigned k = 0; k < world->n_vcpus[d]; k++)
		world->floors[d][k] = floor_of(world->domains[d], k, world->at);
}

/* Some say something new, all who have to are asked again: the sum of all. */
static uint64_t claim(struct world *world)
{
	uint64_t sum = 0;
	uint32_t i;

	world->at += test_random(&world->seed) % (30 * MSEC);
	for (unsigned d = 0; d < world->n_domains; d++) {
		for (unsigned k = 0; k < world->n_vcpus[d]; k++)
			if (test_random(&world->seed) % 3 == 0)
				say(world->domains[d], k,
				    (uint16_t)(test_random(&world->seed) % 1025),
				    test_random(&world->seed) % 4 == 0, world->at);
		ask_again(world, d);
	}
	for (unsigned n = 0; (i = arbiter_next(arbiter)) != ARBITER_NONE; n++) {
		EXPECT(n < 10 * VCPUS, "the queue doesn't end");
		ask_again(world, i);
	}
	for (unsigned d = 0; d < world->n_domains; d++)
		for (unsigned k = 0; k < world->n_vcpus[d]; k++)
			sum += world->floors[d][k];
	return sum;
}

static void test_random_claims(_unused_ void **state)
{
	const char *text = getenv("VMFREQ_CLAIM_SETS");
	unsigned long sets = text ? strtoul(text, NULL, 10) : CLAIM_SETS, scarce = 0;
	struct world world = {.seed = 15};

	for (unsigned long i = 0; i < sets; i++) {
		uint64_t sum, wants, gets;

		if (i % 200 == 0) {
			arbiter_free(arbiter);
			make_world(&world);
		}
		sum = claim(&world);
		arbiter_budget(arbiter, &wants, &gets);
		EXPECT(sum <= world.budget && gets <= world.budget && sum <= gets,
		       "set %lu: %llu of %u", i, (unsigned long long)sum, world.budget);
		scarce += wants > world.budget;
	}
	print_message("%lu sets of claims, of which %lu wanted more than the budget\n", sets,
		      scarce);
	EXPECT(scarce > sets / 10, "the budget is never scarce");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, arbiter_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_enough),
		TEST(test_no_budget),
		TEST(test_division),
		TEST(test_weights),
		TEST(test_siblings),
		TEST(test_steps),
		TEST(test_no_hold_when_short),
		TEST(test_short_ends),
		TEST(test_smallest_budget),
		TEST(test_standing),
		TEST(test_standing_is_enough),
		TEST(test_standing_beside_others),
		TEST(test_cut_on_one_cpu),
		TEST(test_remove),
		TEST(test_remove_one_of_many),
		TEST(test_reload),
		TEST(test_floor_max),
		TEST(test_random_claims),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
