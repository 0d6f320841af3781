/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/placement.c: whole classes of cores, inside the domain's own mask, never empty. */
#include "tests/unit/test.h"

#include "hostd/placement.h"

#define T0    (100 * USEC_PER_SEC)
#define MSEC  USEC_PER_MSEC
#define DWELL (500 * MSEC)

static struct cpumask mask_of(const char *text)
{
	struct cpumask mask;

	EXPECT(cpumask_parse(text, &mask) == 0, "'%s' is no list", text);
	return mask;
}

static struct placement_config two_classes(void)
{
	return (struct placement_config){
		.n_classes = 2,
		.classes = {{mask_of("0-3"), 400}, {mask_of("4-7"), 1024}},
		.dwell_usec = DWELL,
	};
}

static struct placement_config three_classes(void)
{
	return (struct placement_config){
		.n_classes = 3,
		.classes = {{mask_of("0-1"), 256}, {mask_of("2-5"), 640}, {mask_of("6-7"), 1024}},
		.dwell_usec = DWELL,
	};
}

static void test_class_for(_unused_ void **state)
{
	static const struct {
		uint16_t demand;
		const char *allowed;
		unsigned class;
	} rows[] = {
		{0, "0-7", 0},
		{204, "0-7", 0}, /* 1.25 x 204 = 255 < 256 */
		{205, "0-7", 1},
		{511, "0-7", 1}, /* 1.25 x 511 = 638.75 < 640 */
		{512, "0-7", 2}, /* 1.25 x 512 = 640 */
		{1024, "0-7", 2}, /* the largest if none suffices */
		{0, "2-7", 1}, /* the smallest may not be used */
		{0, "6", 2},
		{1024, "0-5", 1}, /* the largest that may be */
		{1024, "1", 0},
		{300, "0-1,6-7", 2}, /* the fitting one may not be */
		{UINT16_MAX, "0-7", 2},
		{0, "", 0},
		{1024, "8-15", 0},
	};
	const struct placement_config config = three_classes();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cpumask allowed = mask_of(rows[i].allowed);

		EXPECT(placement_class_for(&config, rows[i].demand, &allowed) == rows[i].class,
		       "row %zu", i);
	}
}

/* 1.25 x util < capacity, to the last digit: 803.2 for 1004. */
static void test_class_to_the_last_digit(_unused_ void **state)
{
	const struct placement_config config = {
		.n_classes = 2, .classes = {{mask_of("0-3"), 1004}, {mask_of("4-7"), 1024}}};
	const struct cpumask all = mask_of("0-7");

	assert_int_equal(placement_class_for(&config, 803, &all), 0);
	assert_int_equal(placement_class_for(&config, 804, &all), 1);
}

/* What happens at which time: a demand, the CPUs that come of it (NULL: leave it alone), and when
 * that would change. */
struct event {
	uint64_t at;
	uint16_t demand;
	const char *allowed, *cpus;
	uint64_t next;
};

static void run(const struct placement_config *config, const struct event *events, size_t n)
{
	struct placement_state placement = {};

	for (size_t i = 0; i < n; i++) {
		const struct event *e = &events[i];
		struct cpumask allowed = mask_of(e->allowed), cpus = {};
		uint64_t next = 4711;
		char text[CPUMASK_TEXT_MAX];
		bool chosen = placement_choose(&placement, config, e->demand, &allowed, T0 + e->at,
					       &cpus, &next);

		cpumask_format(&cpus, text, sizeof(text));
		EXPECT(chosen == (e->cpus != NULL), "event %zu: %d", i, chosen);
		EXPECT(!chosen || strcmp(text, e->cpus) == 0, "event %zu: %s", i, text);
		EXPECT(next == (e->next ? T0 + e->next : USEC_INFINITY), "event %zu: next %lld", i,
		       (long long)(next - T0));
	}
}

static void test_up_at_once_down_late(_unused_ void **state)
{
	static const struct event events[] = {
		{0, 0, "0-7", "0-3", 0},
		{1 * MSEC, 900, "0-7", "4-7", 0},
		{2 * MSEC, 0, "0-7", "4-7", 502 * MSEC},
		{300 * MSEC, 10, "0-7", "4-7", 502 * MSEC},
		{400 * MSEC, 900, "0-7", "4-7", 0}, /* not long enough: from the start again */
		{500 * MSEC, 0, "0-7", "4-7", 1000 * MSEC},
		{999 * MSEC, 0, "0-7", "4-7", 1000 * MSEC},
		{1000 * MSEC, 0, "0-7", "0-3", 0},
		{1001 * MSEC, 320, "0-7", "4-7", 0},
	};
	const struct placement_config config = two_classes();

	run(&config, events, ARRAY_SIZE(events));
}

static void test_first_choice_needs_no_dwell(_unused_ void **state)
{
	static const struct event events[] = {
		{0, 900, "0-7", "4-7", 0},
	};
	static const struct event small[] = {
		{0, 100, "0-7", "0-3", 0},
	};
	const struct placement_config config = two_classes();

	run(&config, events, ARRAY_SIZE(events));
	run(&config, small, ARRAY_SIZE(small));
}

static void test_inside_the_mask(_unused_ void **state)
{
	static const struct event events[] = {
		{0, 0, "2-5", "2-3", 0},
		{1 * MSEC, 900, "2-5", "4-5", 0},
		{2 * MSEC, 900, "3-7", "4-7", 0}, /* the mask has changed */
		{3 * MSEC, 900, "3,7", "7", 0},
		/* Only one class is left of it: nothing to choose, and nothing remembered. */
		{4 * MSEC, 900, "0-3", NULL, 0},
		{5 * MSEC, 900, "4-7", NULL, 0},
		{6 * MSEC, 0, "", NULL, 0},
		{7 * MSEC, 0, "8-15", NULL, 0},
		{8 * MSEC, 0, "0-7", "0-3", 0},
	};
	const struct placement_config config = two_classes();

	run(&config, events, ARRAY_SIZE(events));
}

/* The class that it is on is taken away: it moves at once, whatever the demand. */
static void test_class_taken_away(_unused_ void **state)
{
	static const struct event events[] = {
		{0, 900, "0-7", "6-7", 0},
		{1 * MSEC, 0, "0-5", "0-1", 0},
		{2 * MSEC, 300, "0-5", "2-5", 0},
		{3 * MSEC, 0, "0-1,6-7", "0-1", 0},
	};
	const struct placement_config config = three_classes();

	run(&config, events, ARRAY_SIZE(events));
}

static void test_down_two_classes(_unused_ void **state)
{
	static const struct event events[] = {
		{0, 900, "0-7", "6-7", 0},
		{1 * MSEC, 300, "0-7", "6-7", 501 * MSEC},
		{501 * MSEC, 300, "0-7", "2-5", 0},
		{502 * MSEC, 0, "0-7", "2-5", 1002 * MSEC},
		{1500 * MSEC, 0, "0-7", "0-1", 0}, /* a late look */
	};
	const struct placement_config config = three_classes();

	run(&config, events, ARRAY_SIZE(events));
}

static void test_nothing_to_choose(_unused_ void **state)
{
	static const struct event none[] = {{0, 900, "0-7", NULL, 0}};
	struct placement_config config = two_classes();

	config.n_classes = 1;
	run(&config, none, 1);
	config.n_classes = 0;
	run(&config, none, 1);
	/* A class that has no CPU is none. */
	config = two_classes();
	cpumask_clear(&config.classes[0].cpus);
	run(&config, none, 1);
}

/* What was chosen with more classes than there are now doesn't count. */
static void test_fewer_classes(_unused_ void **state)
{
	struct placement_config config = three_classes();
	struct placement_state placement = {};
	struct cpumask allowed = mask_of("0-7"), cpus, wanted = mask_of("0-1");
	uint64_t next;

	assert_true(placement_choose(&placement, &config, 900, &allowed, T0, &cpus, &next));
	assert_int_equal(placement.class, 2);
	config.n_classes = 2;
	assert_true(placement_choose(&placement, &config, 0, &allowed, T0, &cpus, &next));
	assert_true(cpumask_equal(&cpus, &wanted));
}

/* Every mask on 8 CPUs, every split into two classes, every kind of demand: a non-empty part of the
 * mask, of one class, or nothing. */
static void test_every_mask(_unused_ void **state)
{
	static const uint16_t demands[] = {0, 319, 320, 1024};

	for (unsigned small = 0; small < 256; small++)
		for (unsigned mask = 0; mask < 256; mask++)
			for (size_t i = 0; i < ARRAY_SIZE(demands); i++) {
				struct placement_config config = {
					.n_classes = 2,
					.classes = {{{{small}}, 400}, {{{255 & ~small}}, 1024}},
					.dwell_usec = DWELL};
				struct placement_state placement = {};
				struct cpumask allowed = {{mask}}, cpus = {};
				uint64_t next;
				bool both = (mask & small) && (mask & ~small);
				unsigned wanted = i < 2 ? mask & small : mask & ~small;

				EXPECT(placement_choose(&placement, &config, demands[i], &allowed,
							T0, &cpus, &next) == both,
				       "%x %x", small, mask);
				EXPECT(!both || cpus.word[0] == wanted, "%x %x: %llx", small, mask,
				       (unsigned long long)cpus.word[0]);
			}
}

/* The same with up to 8 classes on 1024 CPUs, over time. */
static void test_random_masks(_unused_ void **state)
{
	uint64_t seed = 5;

	for (unsigned round = 0; round < 300; round++) {
		struct placement_config config = {.n_classes = 1 + test_random(&seed) % 8,
						  .dwell_usec = test_random(&seed) % 1000000};
		struct placement_state placement = {};
		uint64_t now = T0, next;

		for (unsigned i = 0; i < config.n_classes; i++)
			config.classes[i].capacity1024 =
				(uint16_t)(1024 * (i + 1) / config.n_classes);
		for (unsigned cpu = 0; cpu < CPUMASK_CPUS; cpu++)
			cpumask_set(&config.classes[test_random(&seed) % config.n_classes].cpus,
				    cpu);
		for (unsigned i = 0; i < 50; i++) {
			struct cpumask allowed = {}, cpus, rest;

			for (unsigned n = test_random(&seed) % 20; n > 0; n--)
				cpumask_set(&allowed, test_random(&seed) % CPUMASK_CPUS);
			now += test_random(&seed) % 500000;
			if (!placement_choose(&placement, &config,
					      (uint16_t)(test_random(&seed) % 1025), &allowed, now,
					      &cpus, &next))
				continue;
			EXPECT(!cpumask_is_empty(&cpus) && cpumask_is_subset(&cpus, &allowed),
			       "round %u", round);
			assert_true(placement.class < config.n_classes);
			cpumask_and(&rest, &allowed, &config.classes[placement.class].cpus);
			EXPECT(cpumask_equal(&cpus, &rest), "round %u: not a whole class", round);
			EXPECT(next > now, "round %u: next is over", round);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_class_for),
		cmocka_unit_test(test_class_to_the_last_digit),
		cmocka_unit_test(test_up_at_once_down_late),
		cmocka_unit_test(test_first_choice_needs_no_dwell),
		cmocka_unit_test(test_inside_the_mask),
		cmocka_unit_test(test_class_taken_away),
		cmocka_unit_test(test_down_two_classes),
		cmocka_unit_test(test_nothing_to_choose),
		cmocka_unit_test(test_fewer_classes),
		cmocka_unit_test(test_every_mask),
		cmocka_unit_test(test_random_masks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
