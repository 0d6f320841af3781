/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/sim/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/macro.h"

/* A step is over when no later burst, until the last third before the next step, is slower than
 * those of that last third by more than this. */
#define SETTLED 1.25

size_t metrics_begin(struct metrics_group *group, uint64_t released_nsec, uint64_t deadline_nsec,
		     double work_nsec)
{
	if (group->n == group->room) {
		size_t room = group->room ? group->room * 2 : 64;
		struct metrics_burst *bursts =
			reallocarray(group->bursts, room, sizeof(*group->bursts));

		if (!bursts) {
			group->no_memory = true;
			return SIZE_MAX;
		}
		group->bursts = bursts;
		group->room = room;
	}
	group->bursts[group->n] =
		(struct metrics_burst){released_nsec, SIM_NEVER, deadline_nsec, work_nsec, false};
	group->offered_nsec += work_nsec;
	group->offered_all_nsec += work_nsec;
	return group->n++;
}

void metrics_more(struct metrics_group *group, size_t burst, double work_nsec)
{
	if (burst < group->n)
		group->bursts[burst].work_nsec += work_nsec;
	group->offered_nsec += work_nsec;
	group->offered_all_nsec += work_nsec;
}

void metrics_drop(struct metrics_group *group, size_t burst)
{
	if (burst >= group->n)
		return;
	group->bursts[burst].dropped = true;
	group->offered_nsec -= group->bursts[burst].work_nsec;
	group->offered_all_nsec -= group->bursts[burst].work_nsec;
}

void metrics_end(struct metrics_group *group, size_t burst, uint64_t ended_nsec)
{
	if (burst >= group->n)
		return;
	group->bursts[burst].ended_nsec = ended_nsec;
	if (group->ended)
		group->ended(group, &group->bursts[burst]);
}

/* -- one group -- */

static int by_value(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return a < b ? -1 : a > b ? 1 : 0;
}

double metrics_median(double *values, size_t n)
{
	if (n == 0)
		return 0;
	qsort(values, n, sizeof(*values), by_value);
	return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static double burst_time(const struct metrics_burst *burst, uint64_t now)
{
	uint64_t end = burst->ended_nsec != SIM_NEVER ? burst->ended_nsec : now;

	return (double)(end - MIN(end, burst->released_nsec));
}

static void count_deadline(const struct metrics_burst *burst, uint64_t now,
			   struct group_figures *figures)
{
	bool ended = burst->ended_nsec != SIM_NEVER;

	if (burst->deadline_nsec == SIM_NEVER)
		return;
	if (!ended && !burst->dropped && now - burst->released_nsec <= burst->deadline_nsec)
		return;
	figures->due++;
	if (!ended || burst->ended_nsec - burst->released_nsec > burst->deadline_nsec)
		figures->missed++;
}

/* The bursts released in [begin, end), how much longer than at the highest speed each took. Their
 * number. */
static size_t stretches(const struct metrics_group *group, uint64_t begin, uint64_t end,
			uint64_t now, double *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < group->n; i++) {
		const struct metrics_burst *burst = &group->bursts[i];

		if (burst->released_nsec >= begin && burst->released_nsec < end &&
		    burst->work_nsec > 0 && !burst->dropped)
			ret[n++] = burst_time(burst, now) / burst->work_nsec;
	}
	return n;
}

/* How long after the step at `at` the load was slow; below 0: too few bursts to tell. */
static double settle_time(const struct metrics_group *group, uint64_t at, uint64_t next,
			  uint64_t now, double *room)
{
	uint64_t third = next - (next - at) / 3;
	size_t n = stretches(group, third, next, now, room);
	double steady = metrics_median(room, n), settled = 0;

	if (n < 3)
		return -1;
	for (size_t i = 0; i < group->n; i++) {
		const struct metrics_burst *burst = &group->bursts[i];

		if (burst->released_nsec < at || burst->released_nsec >= third ||
		    burst->work_nsec <= 0 || burst->dropped)
			continue;
		if (burst_time(burst, now) > SETTLED * steady * burst->work_nsec)
			settled = MAX(settled,
				      (double)(burst->released_nsec - at) + burst_time(burst, now));
	}
	return settled;
}

/* The mean over the steps up, which are every second one. */
static double settle(const struct metrics_group *group, uint64_t begin, uint64_t end, uint64_t now,
		     double *room)
{
	double sum = 0;
	unsigned n = 0;

	if (group->step_every_nsec == 0)
		return -1;
	for (uint64_t at = group->step_from_nsec + group->step_every_nsec;
	     at + group->step_every_nsec <= end; at += 2 * group->step_every_nsec) {
		double time =
			at < begin ? -1
				   : settle_time(group, at, at + group->step_every_nsec, now, room);

		if (time < 0)
			continue;
		sum += time;
		n++;
	}
	return n > 0 ? sum / n : -1;
}

static double percentile(const double *sorted, size_t n, double share)
{
	size_t at = (size_t)ceil(share * (double)n);

	return n == 0 ? 0 : sorted[at > 0 ? at - 1 : 0];
}

void metrics_figures(const struct metrics_group *group, uint64_t begin_nsec, uint64_t end_nsec,
		     uint64_t now_nsec, struct group_figures *ret)
{
	_cleanup_free_ double *times = calloc(group->n + 1, sizeof(*times));
	double sum = 0, work = 0;

	*ret = (struct group_figures){.neighbour = group->neighbour,
				      .background = group->background,
				      .offered_nsec = group->offered_nsec,
				      .done_nsec = group->done_nsec,
				      .settle_nsec = -1};
	memcpy(ret->name, group->name, sizeof(ret->name));
	if (group->running_nsec > 0)
		ret->mhz = group->mhz_nsec / group->running_nsec;
	for (size_t i = 0; times && i < group->n; i++) {
		const struct metrics_burst *burst = &group->bursts[i];

		if (burst->released_nsec < begin_nsec || burst->released_nsec >= end_nsec)
			continue;
		count_deadline(burst, now_nsec, ret);
		if (burst->dropped)
			continue;
		times[ret->bursts++] = burst_time(burst, now_nsec);
		ret->finished += burst->ended_nsec != SIM_NEVER;
		sum += burst_time(burst, now_nsec);
		work += burst->work_nsec;
	}
	if (ret->bursts == 0)
		return;
	ret->mean_nsec = sum / ret->bursts;
	ret->stretch = work > 0 ? sum / work : 0;
	ret->median_nsec = metrics_median(times, ret->bursts);
	ret->p95_nsec = percentile(times, ret->bursts, 0.95);
	ret->settle_nsec = settle(group, begin_nsec, end_nsec, now_nsec, times);
}

/* -- arms beside each other -- */

double run_energy_per_work(const struct run_figures *run)
{
	return run->all_work_nsec > 0 ? run->energy_mj / (run->all_work_nsec / (double)SIM_SEC)
				      : -1;
}

const struct group_figures *run_group(const struct run_figures *run, const char *name)
{
	for (unsigned i = 0; i < run->n_groups; i++)
		if (strcmp(run->groups[i].name, name) == 0)
			return &run->groups[i];
	return NULL;
}

static double missed_share(const struct group_figures *group)
{
	return group->due > 0 ? (double)group->missed / group->due : 0;
}

enum figure { FIGURE_STRETCH, FIGURE_MISSES };

/* A figure of a group in one run; below 0: there is none. */
static double figure_of(const struct runs *runs, enum arm_kind arm, unsigned seed,
			const char *group, enum figure figure)
{
	const struct group_figures *found;

	if (!runs->runs[arm] || runs->runs[arm][seed].status < 0)
		return -1;
	found = run_group(&runs->runs[arm][seed], group);
	if (!found || found->bursts == 0 || (figure == FIGURE_MISSES && found->due == 0))
		return -1;
	return figure == FIGURE_STRETCH ? found->stretch : missed_share(found);
}

/* One value for each seed, by a function that is below -1e9 where there is none: their median and
 * the worst, which is the highest or the lowest. */
static struct comparison over_seeds(const struct runs *runs, const char *group, bool worst_is_high,
				    double (*value)(const struct runs *, unsigned, const char *,
						    const void *),
				    const void *userdata)
{
	_cleanup_free_ double *values = calloc(runs->n_seeds + 1, sizeof(*values));
	struct comparison ret = {};
	size_t n = 0;

	for (unsigned seed = 0; values && seed < runs->n_seeds; seed++) {
		double one = value(runs, seed, group, userdata);

		if (one < -1e9)
			continue;
		if (n == 0 || (worst_is_high ? one > ret.worst : one < ret.worst)) {
			ret.worst = one;
			ret.seed = seed;
		}
		values[n++] = one;
	}
	ret.present = n > 0;
	ret.value = metrics_median(values, n);
	snprintf(ret.group, sizeof(ret.group), "%s", group);
	return ret;
}

#define NOTHING -1e10

/* The groups' names are those of the first run there is. */
static const struct run_figures *a_run(const struct runs *runs)
{
	for (unsigned seed = 0; seed < runs->n_seeds; seed++)
		for (unsigned arm = 0; arm < ARM_N; arm++)
			if (runs->runs[arm] && runs->runs[arm][seed].status >= 0)
				return &runs->runs[arm][seed];
	return NULL;
}

struct pair {
	enum arm_kind arm;
	enum figure figure;
};

static double plain(const struct runs *runs, unsigned seed, const char *group, const void *userdata)
{
	const struct pair *pair = userdata;
	double value = figure_of(runs, pair->arm, seed, group, pair->figure);

	return value < 0 ? NOTHING : value;
}

/* Of one group. present only if there are both arms. */
static struct comparison gap_of(const struct runs *runs, const char *group, enum figure figure)
{
	const struct pair native = {ARM_NATIVE, figure}, without = {ARM_WITHOUT, figure};
	struct comparison bare = over_seeds(runs, group, true, plain, &native);
	struct comparison vm = over_seeds(runs, group, true, plain, &without);

	vm.present = vm.present && bare.present && (figure == FIGURE_MISSES || bare.value > 0);
	if (vm.present)
		vm.value = figure == FIGURE_STRETCH ? vm.value / bare.value - 1
						    : vm.value - bare.value;
	vm.worst = bare.value; /* for has_gap() */
	return vm;
}

static bool has_gap(const struct runs *runs, const char *group, enum figure figure)
{
	struct comparison gap = gap_of(runs, group, figure);

	if (!gap.present)
		return false;
	if (figure == FIGURE_STRETCH)
		return gap.value >= METRICS_GAP;
	return gap.value >= METRICS_GAP_POINTS && gap.value >= METRICS_GAP * gap.worst;
}

static struct comparison largest_gap(const struct runs *runs, enum figure figure)
{
	const struct run_figures *run = a_run(runs);
	struct comparison ret = {};

	for (unsigned i = 0; run && i < run->n_groups; i++) {
		struct comparison gap;

		if (run->groups[i].background || run->groups[i].neighbour)
			continue;
		gap = gap_of(runs, run->groups[i].name, figure);
		if (gap.present && (!ret.present || gap.value > ret.value))
			ret = gap;
	}
	ret.worst = ret.value;
	return ret;
}

struct comparison metrics_gap(const struct runs *runs)
{
	return largest_gap(runs, FIGURE_STRETCH);
}

struct comparison metrics_gap_misses(const struct runs *runs)
{
	return largest_gap(runs, FIGURE_MISSES);
}

/* Seeds that have no gap of their own say nothing. */
static double parity_of(const struct runs *runs, unsigned seed, const char *group,
			const void *userdata)
{
	const struct pair *pair = userdata;
	double native = figure_of(runs, ARM_NATIVE, seed, group, pair->figure);
	double without = figure_of(runs, ARM_WITHOUT, seed, group, pair->figure);
	double with = figure_of(runs, pair->arm, seed, group, pair->figure);

	if (native < 0 || with < 0 || without <= native)
		return NOTHING;
	return (without - with) / (without - native);
}

static struct comparison lowest_parity(const struct runs *runs, enum arm_kind arm,
				       enum figure figure)
{
	const struct run_figures *run = a_run(runs);
	const struct pair pair = {arm, figure};
	struct comparison ret = {};

	for (unsigned i = 0; run && i < run->n_groups; i++) {
		const struct group_figures *group = &run->groups[i];
		struct comparison parity;

		if (group->background || group->neighbour || !has_gap(runs, group->name, figure))
			continue;
		parity = over_seeds(runs, group->name, false, parity_of, &pair);
		if (parity.present && (!ret.present || parity.value < ret.value))
			ret = parity;
	}
	return ret;
}

struct comparison metrics_parity(const struct runs *runs, enum arm_kind arm)
{
	return lowest_parity(runs, arm, FIGURE_STRETCH);
}

struct comparison metrics_parity_misses(const struct runs *runs, enum arm_kind arm)
{
	return lowest_parity(runs, arm, FIGURE_MISSES);
}

static double loss_of(const struct runs *runs, unsigned seed, const char *group,
		      const void *userdata)
{
	const struct pair *pair = userdata;
	double with = figure_of(runs, pair->arm, seed, group, FIGURE_STRETCH);
	double without = figure_of(runs, ARM_WITHOUT, seed, group, FIGURE_STRETCH);
	double misses = figure_of(runs, pair->arm, seed, group, FIGURE_MISSES);
	double misses_without = figure_of(runs, ARM_WITHOUT, seed, group, FIGURE_MISSES);

	if (with < 0 || without <= 0)
		return NOTHING;
	if (misses < 0 || misses_without < 0)
		return with / without - 1;
	without = MAX(without, figure_of(runs, ARM_NATIVE, seed, group, FIGURE_STRETCH));
	misses_without =
		MAX(misses_without, figure_of(runs, ARM_NATIVE, seed, group, FIGURE_MISSES));
	return MAX(with / without - 1, misses - misses_without);
}

struct comparison metrics_loss(const struct runs *runs, enum arm_kind arm)
{
	const struct run_figures *run = a_run(runs);
	const struct pair pair = {arm, FIGURE_STRETCH};
	struct comparison ret = {};

	for (unsigned i = 0; run && i < run->n_groups; i++) {
		struct comparison loss;

		if (run->groups[i].background)
			continue;
		loss = over_seeds(runs, run->groups[i].name, true, loss_of, &pair);
		if (loss.present && (!ret.present || loss.value > ret.value))
			ret = loss;
	}
	return ret;
}

struct arms {
	enum arm_kind arm, other;
};

static double energy_ratio(const struct runs *runs, unsigned seed, _unused_ const char *group,
			   const void *userdata)
{
	const struct arms *arms = userdata;
	const struct run_figures *one = runs->runs[arms->arm], *two = runs->runs[arms->other];

	if (!one || !two || one[seed].status < 0 || two[seed].status < 0 ||
	    run_energy_per_work(&one[seed]) <= 0 || run_energy_per_work(&two[seed]) <= 0)
		return NOTHING;
	return run_energy_per_work(&one[seed]) / run_energy_per_work(&two[seed]);
}

struct comparison metrics_energy(const struct runs *runs, enum arm_kind arm, enum arm_kind other)
{
	const struct arms arms = {arm, other};

	return over_seeds(runs, "", true, energy_ratio, &arms);
}

static double neighbour_ratio(const struct runs *runs, unsigned seed, const char *group,
			      const void *userdata)
{
	const struct arms *arms = userdata;
	const struct run_figures *one = runs->runs[arms->arm], *two = runs->runs[arms->other];
	const struct group_figures *a, *b;

	if (!one || !two || one[seed].status < 0 || two[seed].status < 0)
		return NOTHING;
	a = run_group(&one[seed], group);
	b = run_group(&two[seed], group);
	return a && b && b->done_nsec > 0 ? a->done_nsec / b->done_nsec : NOTHING;
}

struct comparison metrics_neighbours(const struct runs *runs, enum arm_kind arm)
{
	const struct run_figures *run = a_run(runs);
	const struct arms arms = {arm, ARM_WITHOUT};
	struct comparison ret = {};

	for (unsigned i = 0; run && i < run->n_groups; i++) {
		struct comparison one;

		if (!run->groups[i].neighbour)
			continue;
		one = over_seeds(runs, run->groups[i].name, false, neighbour_ratio, &arms);
		if (one.present && (!ret.present || one.value < ret.value))
			ret = one;
	}
	return ret;
}
