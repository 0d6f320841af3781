/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/sim/bound.h"

#include <stdio.h>
#include <string.h>

#include "common/macro.h"
#include "common/parse.h"

enum unit { UNIT_PERCENT, UNIT_SHARE, UNIT_NSEC, UNIT_MHZ, UNIT_NUMBER };

static const struct kind {
	const char *name;
	enum unit unit;
	bool grouped; /* may name a group */
} kinds[BOUND_N] = {
	[BOUND_GAP] = {"gap", UNIT_PERCENT, false},
	[BOUND_GAP_MISSES] = {"gap-misses", UNIT_PERCENT, false},
	[BOUND_PARITY] = {"parity", UNIT_SHARE, false},
	[BOUND_PARITY_MISSES] = {"parity-misses", UNIT_SHARE, false},
	[BOUND_LOSS] = {"loss", UNIT_PERCENT, false},
	[BOUND_ENERGY_PATCHES] = {"energy-vs-patches", UNIT_PERCENT, false},
	[BOUND_ENERGY_WITHOUT] = {"energy-vs-without", UNIT_PERCENT, false},
	[BOUND_ENERGY_NATIVE] = {"energy-vs-native", UNIT_PERCENT, false},
	[BOUND_NEIGHBOUR] = {"neighbour", UNIT_PERCENT, false},
	[BOUND_MISSES] = {"misses", UNIT_PERCENT, true},
	[BOUND_SETTLE] = {"settle", UNIT_NSEC, true},
	[BOUND_CHANGES] = {"changes-per-s", UNIT_NUMBER, false},
	[BOUND_MEAN_MHZ] = {"mean-frequency", UNIT_MHZ, false},
	[BOUND_TOP] = {"top", UNIT_PERCENT, true},
	[BOUND_WRITES] = {"writes", UNIT_NUMBER, false},
	[BOUND_WRITES_SETTLED] = {"writes-settled", UNIT_NUMBER, false},
	[BOUND_WRITES_4MS] = {"writes-in-4ms", UNIT_NUMBER, false},
	[BOUND_FLOORS] = {"floors", UNIT_PERCENT, false},
	[BOUND_FEEDBACK] = {"feedback-bits", UNIT_NUMBER, false},
	[BOUND_WALL] = {"wall-time", UNIT_NSEC, false},
	[BOUND_MEMORY] = {"memory-mb", UNIT_NUMBER, false},
};

/* Issue 6, "Must show". Half a point of energy is what rounding to whole percents hides. */
static const struct scenario_bound defaults[] = {
	{.what = BOUND_PARITY, .at_least = true, .value = 0.8},
	{.what = BOUND_PARITY_MISSES, .at_least = true, .value = 0.8},
	{.what = BOUND_LOSS, .value = 0.02},
	{.what = BOUND_ENERGY_PATCHES, .value = 1.005},
	{.what = BOUND_WRITES_4MS, .value = 1},
};

const struct scenario_bound *bound_defaults(unsigned *ret_n)
{
	*ret_n = ARRAY_SIZE(defaults);
	return defaults;
}

const char *bound_name(enum bound_what what)
{
	return kinds[what].name;
}

/* -- reading -- */

static int read_value(enum unit unit, const char *word, double *ret)
{
	uint64_t value;
	char *end;

	switch (unit) {
	case UNIT_PERCENT:
		return text_share(word, ret);
	case UNIT_NSEC:
		if (text_nsec(word, &value) < 0)
			return -EINVAL;
		*ret = (double)value;
		return 0;
	case UNIT_MHZ:
		if (parse_khz(word, &value) < 0)
			return -EINVAL;
		*ret = (double)value / 1000;
		return 0;
	case UNIT_SHARE:
	case UNIT_NUMBER:
		*ret = strtod(word, &end);
		return *word >= '0' && *word <= '9' && *end == '\0' ? 0 : -EINVAL;
	}
	return -EINVAL;
}

static const char *unit_text(enum unit unit)
{
	static const char *const texts[] = {
		[UNIT_PERCENT] = "a share such as 98%", [UNIT_SHARE] = "a number such as 0.8",
		[UNIT_NSEC] = "a time such as 20ms",	[UNIT_MHZ] = "a frequency such as 600MHz",
		[UNIT_NUMBER] = "a number such as 2",
	};

	return texts[unit];
}

static int find_kind(const char *name)
{
	for (int i = 0; i < BOUND_N; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return i;
	return -EINVAL;
}

static int no_such_bound(const struct text_line *line, const char *name)
{
	char names[512] = "";
	size_t length = 0;

	for (int i = 0; i < BOUND_N; i++)
		length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s",
					   i > 0 ? ", " : "", kinds[i].name);
	return text_wrong(line, "there is no bound '%s'; take one of %s", name, names);
}

int bound_parse(const struct text_line *line, unsigned at, struct scenario_bound *bound)
{
	unsigned left = line->n_words - MIN(at, line->n_words);
	int kind = left > 0 ? find_kind(line->word[at]) : -EINVAL;
	const char *op;

	if (kind < 0)
		return no_such_bound(line, left > 0 ? line->word[at] : "");
	*bound = (struct scenario_bound){.what = (enum bound_what)kind};
	if (left == 2 && strcmp(line->word[at + 1], "none") == 0) {
		bound->none = true;
		return 0;
	}
	if (left == 4 && kinds[kind].grouped && strlen(line->word[at + 1]) < METRICS_NAME_MAX) {
		strcpy(bound->group, line->word[at + 1]);
		at++;
		left--;
	}
	if (left != 3)
		return text_wrong(line, "a bound is '%s%s >= VALUE', '<= VALUE' or 'none'",
				  kinds[kind].name, kinds[kind].grouped ? " [LOAD]" : "");
	op = line->word[at + 1];
	if (strcmp(op, ">=") != 0 && strcmp(op, "<=") != 0)
		return text_wrong(line, "'%s' compares nothing; write >= or <=", op);
	bound->at_least = *op == '>';
	if (read_value(kinds[kind].unit, line->word[at + 2], &bound->value) < 0)
		return text_wrong(line, "%s can't be '%s'; it takes %s", kinds[kind].name,
				  line->word[at + 2], unit_text(kinds[kind].unit));
	return 0;
}

/* -- checking -- */

#define NOTHING -1e10

static double group_value(enum bound_what what, const struct run_figures *run,
			  const struct group_figures *group)
{
	if (what == BOUND_MISSES)
		return group->due > 0 ? (double)group->missed / group->due : NOTHING;
	if (what == BOUND_SETTLE)
		return group->settle_nsec < 0 ? NOTHING : group->settle_nsec;
	return group->mhz > 0 && run->top_mhz > 0 ? group->mhz / run->top_mhz : NOTHING;
}

/* The worst of the groups that it is about. */
static double worst_group(const struct scenario_bound *bound, const struct run_figures *run)
{
	double worst = NOTHING;

	for (unsigned i = 0; i < run->n_groups; i++) {
		const struct group_figures *group = &run->groups[i];
		double value;

		if (*bound->group ? strcmp(group->name, bound->group) != 0 : group->background)
			continue;
		value = group_value(bound->what, run, group);
		if (value <= -1e9)
			continue;
		if (worst <= -1e9 || (bound->at_least ? value < worst : value > worst))
			worst = value;
	}
	return worst;
}

static double run_value(const struct scenario_bound *bound, const struct run_figures *run)
{
	switch (bound->what) {
	case BOUND_CHANGES:
		return run->changes_per_sec;
	case BOUND_MEAN_MHZ:
		return run->mean_mhz;
	case BOUND_WRITES:
		return (double)run->arm.writes;
	case BOUND_WRITES_SETTLED:
		return (double)run->arm.writes_settled;
	case BOUND_WRITES_4MS:
		return run->arm.most_in_4ms;
	case BOUND_FLOORS:
		return run->arm.floors_sum_most / CAPACITY_SCALE;
	case BOUND_FEEDBACK:
		return run->arm.feedback_bits;
	case BOUND_WALL:
		return (double)run->wall_usec * (double)NSEC_PER_USEC;
	case BOUND_MEMORY:
		return (double)run->memory_kb / 1024;
	default:
		return worst_group(bound, run);
	}
}

/* Each seed for itself. */
static struct comparison of_each_run(const struct scenario_bound *bound, const struct runs *runs)
{
	const struct run_figures *with = runs->runs[ARM_WITH];
	struct comparison ret = {};

	for (unsigned seed = 0; with && seed < runs->n_seeds; seed++) {
		double value = with[seed].status < 0 ? NOTHING : run_value(bound, &with[seed]);

		if (value <= -1e9)
			continue;
		if (!ret.present || (bound->at_least ? value < ret.value : value > ret.value)) {
			ret.value = ret.worst = value;
			ret.seed = seed;
		}
		ret.present = true;
	}
	memcpy(ret.group, bound->group, sizeof(ret.group));
	return ret;
}

static struct comparison compare(const struct scenario_bound *bound, const struct runs *runs)
{
	switch (bound->what) {
	case BOUND_GAP:
		return metrics_gap(runs);
	case BOUND_GAP_MISSES:
		return metrics_gap_misses(runs);
	case BOUND_PARITY:
		return metrics_parity(runs, ARM_WITH);
	case BOUND_PARITY_MISSES:
		return metrics_parity_misses(runs, ARM_WITH);
	case BOUND_LOSS:
		return metrics_loss(runs, ARM_WITH);
	case BOUND_ENERGY_PATCHES:
		return metrics_energy(runs, ARM_WITH, ARM_PATCHES);
	case BOUND_ENERGY_WITHOUT:
		return metrics_energy(runs, ARM_WITH, ARM_WITHOUT);
	case BOUND_ENERGY_NATIVE:
		return metrics_energy(runs, ARM_WITH, ARM_NATIVE);
	case BOUND_NEIGHBOUR:
		return metrics_neighbours(runs, ARM_WITH);
	default:
		return of_each_run(bound, runs);
	}
}

static int value_text(enum unit unit, double value, char *text, size_t size)
{
	switch (unit) {
	case UNIT_PERCENT:
		return snprintf(text, size, "%.1f%%", value * 100);
	case UNIT_NSEC:
		return snprintf(text, size, "%.3fms", value / (double)SIM_MSEC);
	case UNIT_MHZ:
		return snprintf(text, size, "%.0fMHz", value);
	case UNIT_SHARE:
	case UNIT_NUMBER:
		break;
	}
	return snprintf(text, size, "%.4g", value);
}

enum bound_verdict bound_check(const struct scenario_bound *bound, const struct runs *runs,
			       char *ret_text, size_t size, unsigned *ret_seed)
{
	struct comparison found;
	enum unit unit = kinds[bound->what].unit;
	char is[32], must[32];

	if (bound->none)
		return BOUND_UNKNOWN;
	found = compare(bound, runs);
	if (!found.present)
		return BOUND_UNKNOWN;
	value_text(unit, found.value, is, sizeof(is));
	value_text(unit, bound->value, must, sizeof(must));
	snprintf(ret_text, size, "%s%s%s is %s, must be %s %s", kinds[bound->what].name,
		 *found.group ? " of " : "", found.group, is, bound->at_least ? ">=" : "<=", must);
	*ret_seed = found.seed;
	if (bound->at_least ? found.value >= bound->value : found.value <= bound->value)
		return BOUND_OK;
	return BOUND_FAILED;
}
