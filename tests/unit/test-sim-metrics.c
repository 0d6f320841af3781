/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Figures by hand. */
#include "test_scenario.h"

#include <math.h>

#include "tests/sim/bound.h"
#include "tests/sim/metrics.h"

#define MS SIM_MSEC

static void near(double is, double should)
{
	EXPECT(fabs(is - should) <= 1e-9 + 1e-9 * fabs(should), "%.12g isn't %.12g", is, should);
}

static void test_median(_unused_ void **state)
{
	double odd[] = {5, 1, 3}, even[] = {4, 1, 3, 2};

	near(metrics_median(odd, 3), 3);
	near(metrics_median(even, 4), 2.5);
	near(metrics_median(NULL, 0), 0);
}

static void add(struct metrics_group *group, uint64_t released, uint64_t time, uint64_t deadline,
		double work)
{
	size_t burst = metrics_begin(group, released, deadline, work);

	if (time != SIM_NEVER)
		metrics_end(group, burst, released + time);
}

/* Ten bursts: one before the warm-up, one in the tail, and eight that count, of which one hasn't
 * ended. */
static void test_group(_unused_ void **state)
{
	struct metrics_group group = {.name = "g"};
	struct group_figures f;

	add(&group, 90 * MS, 50 * MS, 1 * MS, 1e6);
	add(&group, 100 * MS, 2 * MS, 4 * MS, 2e6);
	add(&group, 110 * MS, 4 * MS, 4 * MS, 2e6); /* just in time */
	add(&group, 120 * MS, 6 * MS, 4 * MS, 2e6);
	add(&group, 130 * MS, 8 * MS, SIM_NEVER, 4e6);
	add(&group, 140 * MS, 1 * MS, 4 * MS, 1e6);
	add(&group, 150 * MS, 3 * MS, 4 * MS, 1e6);
	add(&group, 160 * MS, SIM_NEVER, 4 * MS, 3e6);	/* 40 ms old: missed */
	add(&group, 190 * MS, SIM_NEVER, 20 * MS, 1e6); /* 10 ms old: not due yet */
	add(&group, 195 * MS, 1 * MS, 4 * MS, 1e6);
	metrics_figures(&group, 100 * MS, 195 * MS, 200 * MS, &f);
	assert_int_equal(f.bursts, 8);
	assert_int_equal(f.finished, 6);
	assert_int_equal(f.due, 6);
	assert_int_equal(f.missed, 2);
	near(f.mean_nsec, (2 + 4 + 6 + 8 + 1 + 3 + 40 + 10) * 1e6 / 8);
	near(f.median_nsec, 5e6);
	near(f.p95_nsec, 40e6);
	near(f.stretch, 74.0 / 16);
	near(f.settle_nsec, -1);
	free(group.bursts);
}

/* Two of four were dropped: all have missed, and two have a time. */
static void test_dropped(_unused_ void **state)
{
	struct metrics_group group = {};
	struct group_figures f;

	for (unsigned i = 0; i < 4; i++) {
		size_t burst = metrics_begin(&group, i * MS, i % 2 ? SIM_SEC : MS, 1e6);

		if (i % 2)
			metrics_drop(&group, burst);
		else
			metrics_end(&group, burst, (i + 3) * MS);
	}
	metrics_figures(&group, 0, 10 * MS, 10 * MS, &f);
	assert_int_equal(f.bursts, 2);
	assert_int_equal(f.due, 4);
	assert_int_equal(f.missed, 4);
	near(f.mean_nsec, 3e6);
	near(f.stretch, 3);
	near(f.offered_nsec, 2e6);
	free(group.bursts);
}

static void test_more_work(_unused_ void **state)
{
	struct metrics_group group = {};
	size_t burst = metrics_begin(&group, 0, SIM_NEVER, 1e6);

	metrics_more(&group, burst, 2e6);
	metrics_more(&group, SIZE_MAX,
		     4e6); /* one that was forgotten: the work was offered all the same */
	near(group.bursts[0].work_nsec, 3e6);
	near(group.offered_nsec, 7e6);
	free(group.bursts);
}

/* Steps at 1 s (up), 2 s (down), 3 s (up), 4 s. Bursts each 20 ms of 10 ms of work; steady is 15
 * ms. After the first step up the bursts of 100 ms take 30 ms, after the second those of 40 ms. */
static void test_settle(_unused_ void **state)
{
	struct metrics_group group = {.step_every_nsec = SIM_SEC};
	struct group_figures f;

	for (uint64_t at = 0; at < 4000 * MS; at += 20 * MS) {
		bool slow =
			(at >= 1000 * MS && at < 1100 * MS) || (at >= 3000 * MS && at < 3040 * MS);

		add(&group, at, slow ? 30 * MS : 15 * MS, SIM_NEVER, 10e6);
	}
	metrics_figures(&group, 500 * MS, 4000 * MS, 4000 * MS, &f);
	/* The last slow ones are released 80 and 20 ms after their steps. */
	near(f.settle_nsec, ((80 + 30) + (20 + 30)) * 1e6 / 2);
	free(group.bursts);
}

/* -- arms beside each other -- */

#define SEEDS 3

struct set {
	struct run_figures runs[ARM_N][SEEDS];
	struct runs view;
};

/* Three loads: "a" is to be helped, "n" is a neighbour, "b" nobody waits for. */
static void fill(struct set *set, enum arm_kind arm, const double stretch[SEEDS],
		 const unsigned missed[SEEDS], double neighbour, double energy)
{
	set->view.n_seeds = SEEDS;
	set->view.runs[arm] = set->runs[arm];
	for (unsigned i = 0; i < SEEDS; i++)
		set->runs[arm][i] = (struct run_figures){
			.energy_mj = energy,
			.all_work_nsec = 2e9,
			.n_groups = 3,
			.groups = {{.name = "a",
				    .bursts = 100,
				    .due = 100,
				    .missed = missed[i],
				    .stretch = stretch[i]},
				   {.name = "n",
				    .bursts = 10,
				    .neighbour = true,
				    .stretch = 1,
				    .done_nsec = neighbour},
				   {.name = "b",
				    .bursts = 10,
				    .background = true,
				    .stretch = arm == ARM_WITHOUT ? 9 : 1}},
		};
}

static void make(struct set *set)
{
	memset(set, 0, sizeof(*set));
	fill(set, ARM_NATIVE, (double[]){1.0, 1.0, 1.1}, (unsigned[]){0, 2, 4}, 5e9, 1000);
	fill(set, ARM_WITHOUT, (double[]){2.0, 3.0, 2.1}, (unsigned[]){50, 42, 4}, 4e9, 800);
	fill(set, ARM_PATCHES, (double[]){1.0, 1.0, 1.1}, (unsigned[]){0, 2, 4}, 4e9, 1200);
	fill(set, ARM_WITH, (double[]){1.2, 2.0, 1.1}, (unsigned[]){10, 2, 4}, 3.96e9, 1100);
}

static void test_gap(_unused_ void **state)
{
	struct set set;
	struct comparison gap;

	make(&set);
	gap = metrics_gap(&set.view);
	assert_true(gap.present);
	assert_string_equal(gap.group, "a");
	near(gap.value, 2.1 / 1.0 - 1); /* of the medians; b is worse, but background */
	gap = metrics_gap_misses(&set.view);
	near(gap.value, 0.42 - 0.02);
	set.view.runs[ARM_NATIVE] = NULL;
	assert_false(metrics_gap(&set.view).present);
}

static void test_parity(_unused_ void **state)
{
	struct set set;
	struct comparison parity;

	make(&set);
	parity = metrics_parity(&set.view, ARM_WITH);
	assert_true(parity.present);
	/* By seed: 0.8, 0.5, 1. */
	near(parity.value, 0.8);
	near(parity.worst, 0.5);
	assert_int_equal(parity.seed, 1);
	parity = metrics_parity_misses(&set.view, ARM_WITH);
	/* 0.8 and 1; the third seed has no gap. */
	near(parity.value, 0.9);
	near(metrics_parity(&set.view, ARM_PATCHES).value, 1);
}

/* Less than 10 %, or less than a point, is no gap. */
static void test_no_gap(_unused_ void **state)
{
	struct set set;

	make(&set);
	fill(&set, ARM_WITHOUT, (double[]){1.09, 1.09, 1.09}, (unsigned[]){2, 2, 2}, 4e9, 800);
	assert_false(metrics_parity(&set.view, ARM_WITH).present);
	assert_false(metrics_parity_misses(&set.view, ARM_WITH).present);
	fill(&set, ARM_WITHOUT, (double[]){1.11, 1.11, 1.11}, (unsigned[]){4, 4, 4}, 4e9, 800);
	assert_true(metrics_parity(&set.view, ARM_WITH).present);
	assert_true(metrics_parity_misses(&set.view, ARM_WITH).present);
	fill(&set, ARM_NATIVE, (double[]){1, 1, 1}, (unsigned[]){50, 50, 50}, 4e9, 800);
	fill(&set, ARM_WITHOUT, (double[]){1, 1, 1}, (unsigned[]){54, 54, 54}, 4e9, 800);
	assert_false(metrics_parity_misses(&set.view, ARM_WITH).present); /* 8 % of native's */
}

static void test_loss(_unused_ void **state)
{
	struct set set;

	make(&set);
	near(metrics_loss(&set.view, ARM_WITH).value, 0); /* n's: a is faster */
	/* Slower than without, but not than native: a load with deadlines loses nothing by it. */
	fill(&set, ARM_NATIVE, (double[]){4, 4, 4}, (unsigned[]){0, 0, 0}, 4e9, 800);
	fill(&set, ARM_WITH, (double[]){3.9, 3.9, 3.9}, (unsigned[]){0, 0, 0}, 4e9, 800);
	assert_true(metrics_loss(&set.view, ARM_WITH).value <= 0);
	fill(&set, ARM_WITH, (double[]){4.2, 4.2, 4.2}, (unsigned[]){0, 0, 0}, 4e9, 800);
	near(metrics_loss(&set.view, ARM_WITH).value, 0.05);
	/* Or by missed deadlines above both. */
	fill(&set, ARM_WITH, (double[]){1, 1, 1}, (unsigned[]){60, 60, 60}, 4e9, 800);
	near(metrics_loss(&set.view, ARM_WITH).value, 0.18); /* 10, 18, 56 points */
	/* Without deadlines it's against without alone. */
	for (unsigned arm = 0; arm < ARM_N; arm++)
		for (unsigned i = 0; i < SEEDS; i++)
			set.runs[arm][i].groups[0].due = 0;
	fill(&set, ARM_WITH, (double[]){2.2, 3.3, 2.31}, (unsigned[]){0, 0, 0}, 4e9, 800);
	near(metrics_loss(&set.view, ARM_WITH).value, 0.1);
}

static void test_energy_and_neighbours(_unused_ void **state)
{
	struct set set;

	make(&set);
	near(run_energy_per_work(&set.runs[ARM_NATIVE][0]), 500);
	near(metrics_energy(&set.view, ARM_WITH, ARM_PATCHES).value, 1100.0 / 1200);
	near(metrics_neighbours(&set.view, ARM_WITH).value, 0.99);
	set.runs[ARM_WITH][0].all_work_nsec = 0;
	assert_true(run_energy_per_work(&set.runs[ARM_WITH][0]) < 0);
}

static void test_bounds(_unused_ void **state)
{
	static const struct {
		struct scenario_bound bound;
		enum bound_verdict verdict;
		const char *says;
	} rows[] = {
		{{.what = BOUND_PARITY, .at_least = true, .value = 0.8}, BOUND_OK, "is 0.8,"},
		{{.what = BOUND_PARITY, .at_least = true, .value = 0.81},
		 BOUND_FAILED,
		 "parity of a is 0.8, must be >= 0.81"},
		{{.what = BOUND_PARITY, .none = true}, BOUND_UNKNOWN, ""},
		{{.what = BOUND_NEIGHBOUR, .at_least = true, .value = 0.98}, BOUND_OK, "99.0%"},
		{{.what = BOUND_ENERGY_PATCHES, .value = 0.9}, BOUND_FAILED, "91.7%"},
		{{.what = BOUND_MISSES, .value = 0.09}, BOUND_FAILED, "is 10.0%, must be <= 9.0%"},
		{{.what = BOUND_MISSES, .value = 0.1, .group = "a"}, BOUND_OK, ""},
		{{.what = BOUND_MISSES, .value = 0.1, .group = "x"}, BOUND_UNKNOWN, ""},
		{{.what = BOUND_WRITES, .value = 7}, BOUND_FAILED, "writes is 8, must be <= 7"},
		{{.what = BOUND_SETTLE, .value = 7}, BOUND_UNKNOWN, ""},
	};
	struct set set;

	make(&set);
	set.runs[ARM_WITH][2].arm.writes = 8;
	for (unsigned i = 0; i < SEEDS; i++)
		for (unsigned g = 0; g < 3; g++)
			set.runs[ARM_WITH][i].groups[g].settle_nsec = -1;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[256] = "";
		unsigned seed = 99;

		EXPECT(bound_check(&rows[i].bound, &set.view, text, sizeof(text), &seed) ==
			       rows[i].verdict,
		       "row %zu: %s", i, text);
		EXPECT(strstr(text, rows[i].says), "row %zu: %s", i, text);
		if (rows[i].bound.what == BOUND_WRITES)
			assert_int_equal(seed, 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_median),	cmocka_unit_test(test_group),
		cmocka_unit_test(test_dropped), cmocka_unit_test(test_more_work),
		cmocka_unit_test(test_settle),	cmocka_unit_test(test_gap),
		cmocka_unit_test(test_parity),	cmocka_unit_test(test_no_gap),
		cmocka_unit_test(test_loss),	cmocka_unit_test(test_energy_and_neighbours),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
