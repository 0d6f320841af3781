/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/sim/table.h"

#include <inttypes.h>
#include <string.h>

#include "common/macro.h"
#include "tests/sim/bound.h"

/* Over so many scenarios with a gap, the median of parity has a bound of its own (issue 6). */
#define MANY_SCENARIOS 10
#define MEDIAN_PARITY  0.95

struct cell {
	char text[48];
};

static struct cell number(const struct comparison *of, const char *format, double scale)
{
	struct cell cell = {"–"};

	/* The formats are this file's own. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	if (of->present)
		snprintf(cell.text, sizeof(cell.text), format, of->value * scale);
#pragma GCC diagnostic pop
	return cell;
}

/* The median over the seeds of a run's figure, where it isn't below 0. */
static struct comparison median_of(const struct runs *runs, enum arm_kind arm,
				   double (*value)(const struct run_figures *))
{
	_cleanup_free_ double *values = calloc(runs->n_seeds + 1, sizeof(*values));
	struct comparison ret = {};
	size_t n = 0;

	for (unsigned seed = 0; values && runs->runs[arm] && seed < runs->n_seeds; seed++) {
		const struct run_figures *run = &runs->runs[arm][seed];

		if (run->status >= 0 && value(run) >= 0)
			values[n++] = value(run);
	}
	ret.present = n > 0;
	ret.value = metrics_median(values, n);
	return ret;
}

/* The share of the deadlines that all loads missed, without those that nobody waits for. */
static double all_misses(const struct run_figures *run)
{
	unsigned due = 0, missed = 0;

	for (unsigned i = 0; i < run->n_groups; i++)
		if (!run->groups[i].background) {
			due += run->groups[i].due;
			missed += run->groups[i].missed;
		}
	return due > 0 ? (double)missed / due : -1;
}

/* "a / b / c / d": native, without, patches, with. */
static struct cell four(const struct runs *runs, double (*value)(const struct run_figures *),
			const char *format, double scale)
{
	static const enum arm_kind arms[] = {ARM_NATIVE, ARM_WITHOUT, ARM_PATCHES, ARM_WITH};
	struct cell cell = {""};

	for (unsigned i = 0; i < ARRAY_SIZE(arms); i++) {
		struct comparison one = median_of(runs, arms[i], value);
		struct cell text = number(&one, format, scale);
		size_t length = strlen(cell.text);

		snprintf(cell.text + length, sizeof(cell.text) - length, "%s%.12s",
			 i > 0 ? " / " : "", text.text);
	}
	return cell;
}

/* -- bounds -- */

static void print_repeat(const struct runner *runner, unsigned scenario, enum arm_kind arm,
			 unsigned seed)
{
	printf("    tests/sim/vmfreq-sim --seed %u --arm %s %s --trace\n",
	       runner->first_seed + seed, arm_name(arm), runner->paths[scenario]);
}

static bool says(const struct scenario *scenario, enum bound_what what)
{
	for (unsigned i = 0; i < scenario->n_bounds; i++)
		if (scenario->bounds[i].what == what)
			return true;
	return false;
}

struct verdicts {
	unsigned failed, checked;
};

static void check_one(const struct runner *runner, unsigned scenario,
		      const struct scenario_bound *bound, bool print, struct verdicts *verdicts)
{
	const struct runs runs = runner_runs(runner, scenario);
	char text[256];
	unsigned seed = 0;

	switch (bound_check(bound, &runs, text, sizeof(text), &seed)) {
	case BOUND_UNKNOWN:
		return;
	case BOUND_FAILED:
		verdicts->failed++;
		if (print) {
			printf("- %s: %s\n", runner->scenarios[scenario]->name, text);
			print_repeat(runner, scenario, runs.runs[ARM_WITH] ? ARM_WITH : ARM_WITHOUT,
				     seed);
		}
		break;
	case BOUND_OK:
		break;
	}
	verdicts->checked++;
}

static void check_runs(const struct runner *runner, unsigned scenario, bool print,
		       struct verdicts *verdicts)
{
	const struct runs runs = runner_runs(runner, scenario);

	for (unsigned arm = 0; arm < ARM_N; arm++)
		for (unsigned seed = 0; runs.runs[arm] && seed < runs.n_seeds; seed++) {
			if (runs.runs[arm][seed].status >= 0)
				continue;
			verdicts->failed++;
			if (!print)
				continue;
			printf("- %s: the run ended with: %s\n", runner->scenarios[scenario]->name,
			       strerror(-runs.runs[arm][seed].status));
			print_repeat(runner, scenario, (enum arm_kind)arm, seed);
		}
}

static struct verdicts check_scenario(const struct runner *runner, unsigned index, bool print)
{
	const struct scenario *scenario = runner->scenarios[index];
	struct verdicts verdicts = {};
	const struct scenario_bound *defaults;
	unsigned n;

	check_runs(runner, index, print, &verdicts);
	defaults = bound_defaults(&n);
	for (unsigned i = 0; i < n; i++)
		if (!says(scenario, defaults[i].what))
			check_one(runner, index, &defaults[i], print, &verdicts);
	for (unsigned i = 0; i < scenario->n_bounds; i++)
		check_one(runner, index, &scenario->bounds[i], print, &verdicts);
	return verdicts;
}

/* -- the table -- */

static const char *verdict_text(const struct verdicts *verdicts)
{
	return verdicts->failed ? "FAIL" : verdicts->checked ? "ok" : "–";
}

static unsigned print_row(const struct runner *runner, unsigned index)
{
	const struct runs runs = runner_runs(runner, index);
	struct comparison gap = metrics_gap(&runs), gap_misses = metrics_gap_misses(&runs);
	struct comparison parity = metrics_parity(&runs, ARM_WITH);
	struct comparison misses = metrics_parity_misses(&runs, ARM_WITH);
	struct comparison rival = metrics_parity(&runs, ARM_PATCHES);
	struct comparison rival_misses = metrics_parity_misses(&runs, ARM_PATCHES);
	struct comparison loss = metrics_loss(&runs, ARM_WITH);
	struct verdicts verdicts = check_scenario(runner, index, false);

	printf("| %s | %s | %s | %s (%s) | %s (%s) | %s | %s | %s | %s |\n",
	       runner->scenarios[index]->name, number(&gap, "%.0f %%", 100).text,
	       number(&gap_misses, "%.1f", 100).text, number(&parity, "%.2f", 1).text,
	       number(&rival, "%.2f", 1).text, number(&misses, "%.2f", 1).text,
	       number(&rival_misses, "%.2f", 1).text, four(&runs, all_misses, "%.1f", 100).text,
	       four(&runs, run_energy_per_work, "%.0f", 1).text, number(&loss, "%.1f %%", 100).text,
	       verdict_text(&verdicts));
	return verdicts.failed;
}

static bool waives(const struct scenario *scenario, enum bound_what what)
{
	for (unsigned i = 0; i < scenario->n_bounds; i++)
		if (scenario->bounds[i].what == what && scenario->bounds[i].none)
			return true;
	return false;
}

/* Over all scenarios: medians, and the bound on them. How many failed. */
static unsigned print_medians(const struct runner *runner)
{
	_cleanup_free_ double *values = calloc(runner->n_scenarios * 2 + 1, sizeof(*values));
	unsigned failed = 0;

	for (unsigned arm = ARM_PATCHES; values && arm <= ARM_WITH; arm++) {
		size_t n = 0;
		double median;

		for (unsigned i = 0; runner->arms[arm] && i < runner->n_scenarios; i++) {
			const struct runs runs = runner_runs(runner, i);
			struct comparison bursts = metrics_parity(&runs, (enum arm_kind)arm);
			struct comparison misses = metrics_parity_misses(&runs, (enum arm_kind)arm);

			if (bursts.present && !waives(runner->scenarios[i], BOUND_PARITY))
				values[n++] = bursts.value;
			if (misses.present && !waives(runner->scenarios[i], BOUND_PARITY_MISSES))
				values[n++] = misses.value;
		}
		if (n == 0)
			continue;
		median = metrics_median(values, n);
		printf("%s: the median of %zu parities is %.3f, the lowest %.3f\n",
		       arm_name((enum arm_kind)arm), n, median, values[0]);
		if (arm == ARM_WITH && n >= MANY_SCENARIOS && median < MEDIAN_PARITY) {
			printf("- that median must be >= %.2f\n", MEDIAN_PARITY);
			failed++;
		}
	}
	return failed;
}

static void print_cost(const struct runner *runner)
{
	size_t n = (size_t)runner->n_scenarios * ARM_N * runner->n_seeds, runs = 0;
	uint64_t usec = 0, events = 0;

	for (size_t i = 0; i < n; i++) {
		if (runner->figures[i].status == -ENODATA)
			continue;
		usec += runner->figures[i].wall_usec;
		events += runner->figures[i].events;
		runs++;
	}
	printf("%zu runs, %.1f s of their own time, %.1f million events\n", runs,
	       (double)usec / (double)USEC_PER_SEC, (double)events / 1e6);
}

unsigned table_print(const struct runner *runner)
{
	unsigned failed = 0;

	printf("Seeds %u to %u. Gaps are without vmfreq against native: of the time of bursts, and "
	       "points of missed "
	       "deadlines. Behind\neach parity, the patches'. Four figures are native / without / "
	       "patches / with.\n\n",
	       runner->first_seed, runner->first_seed + runner->n_seeds - 1);
	printf("| scenario | gap | gap, misses | parity | parity, misses | misses, %% | energy, mJ "
	       "per s of work "
	       "| loss | |\n|---|---|---|---|---|---|---|---|---|\n");
	for (unsigned i = 0; i < runner->n_scenarios; i++)
		failed += print_row(runner, i);
	printf("\n");
	for (unsigned i = 0; i < runner->n_scenarios; i++)
		check_scenario(runner, i, true);
	failed += print_medians(runner);
	print_cost(runner);
	return failed;
}

/* -- more -- */

static void print_group(const struct runner *runner, unsigned scenario, unsigned arm,
			unsigned group)
{
	const struct runs runs = runner_runs(runner, scenario);
	const struct run_figures *run;
	const struct group_figures *g;

	for (unsigned seed = 0; seed < runner->n_seeds; seed++) {
		run = &runs.runs[arm][seed];
		if (run->status < 0 || group >= run->n_groups)
			continue;
		g = &run->groups[group];
		printf("| %s | %s | %u | %u of %u | %.3f | %.3f | %.3f | %u of %u | %.3f | %.3f | "
		       "%.0f | %.1f "
		       "|\n",
		       g->name, arm_name((enum arm_kind)arm), runner->first_seed + seed,
		       g->finished, g->bursts, g->mean_nsec / (double)SIM_MSEC,
		       g->median_nsec / (double)SIM_MSEC, g->p95_nsec / (double)SIM_MSEC, g->missed,
		       g->due, g->offered_nsec / (double)SIM_SEC, g->done_nsec / (double)SIM_SEC,
		       g->mhz, g->settle_nsec / (double)SIM_MSEC);
	}
}

static void print_runs(const struct runner *runner, unsigned scenario)
{
	const struct runs runs = runner_runs(runner, scenario);

	printf("\n| arm | seed | mJ | mean MHz | changes/s | throttled | writes | in 4 ms | "
	       "settled | nudges | reports | "
	       "events | ms | KiB |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
	for (unsigned arm = 0; arm < ARM_N; arm++)
		for (unsigned seed = 0; runs.runs[arm] && seed < runner->n_seeds; seed++) {
			const struct run_figures *run = &runs.runs[arm][seed];

			printf("| %s | %u | %.1f | %.0f | %.1f | %.3f | %" PRIu64 " | %u | %" PRIu64
			       " | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %.1f | %" PRIu64
			       " |\n",
			       arm_name((enum arm_kind)arm), runner->first_seed + seed,
			       run->energy_mj, run->mean_mhz, run->changes_per_sec, run->throttled,
			       run->arm.writes, run->arm.most_in_4ms, run->arm.writes_settled,
			       run->arm.nudges, run->arm.reports, run->events, (double)run->wall_usec / 1000,
			       run->memory_kb);
		}
}

void table_print_details(const struct runner *runner)
{
	for (unsigned i = 0; i < runner->n_scenarios; i++) {
		const struct runs runs = runner_runs(runner, i);

		printf("\n## %s\n\n%s\n\n| load | arm | seed | ended | mean ms | median | p95 | "
		       "missed | offered s | done s "
		       "| MHz | settled ms |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n",
		       runner->scenarios[i]->name, runner->scenarios[i]->about);
		for (unsigned group = 0; group < METRICS_GROUPS_MAX; group++)
			for (unsigned arm = 0; arm < ARM_N; arm++)
				if (runs.runs[arm])
					print_group(runner, i, arm, group);
		print_runs(runner, i);
	}
}

static const char *role_of(const struct group_figures *group)
{
	return group->background ? "background" : group->neighbour ? "neighbour" : "helped";
}

static void write_rows(const struct runner *runner, FILE *file, unsigned scenario, unsigned arm)
{
	const struct runs runs = runner_runs(runner, scenario);

	for (unsigned seed = 0; runs.runs[arm] && seed < runner->n_seeds; seed++) {
		const struct run_figures *run = &runs.runs[arm][seed];

		for (unsigned i = 0; run->status >= 0 && i < run->n_groups; i++) {
			const struct group_figures *g = &run->groups[i];

			fprintf(file,
				"%s,%s,%u,%s,%u,%u,%u,%u,%.0f,%.0f,%.0f,%.4f,%.0f,%.0f,%.1f,%.3f,%."
				"1f,%.2f,%" PRIu64 ",%.0f,%s,%d,%d\n",
				runner->scenarios[scenario]->name, arm_name((enum arm_kind)arm),
				runner->first_seed + seed, g->name, g->bursts, g->finished, g->due,
				g->missed, g->mean_nsec, g->median_nsec, g->p95_nsec, g->stretch,
				g->offered_nsec, g->done_nsec, g->mhz, run->energy_mj,
				run->mean_mhz, run->changes_per_sec, run->arm.writes,
				run->all_work_nsec, role_of(g),
				!waives(runner->scenarios[scenario], BOUND_PARITY),
				!waives(runner->scenarios[scenario], BOUND_PARITY_MISSES));
		}
	}
}

int table_write_csv(const struct runner *runner, const char *path)
{
	FILE *file = fopen(path, "we");

	if (!file)
		return -errno;
	fputs("scenario,arm,seed,load,bursts,finished,due,missed,mean_nsec,median_nsec,p95_nsec,"
	      "stretch,"
	      "offered_nsec,done_nsec,mhz,energy_mj,mean_mhz,changes_per_s,writes,all_work_nsec,"
	      "role,"
	      "parity_counts,misses_count\n",
	      file);
	for (unsigned i = 0; i < runner->n_scenarios; i++)
		for (unsigned arm = 0; arm < ARM_N; arm++)
			write_rows(runner, file, i, arm);
	return fclose(file) == 0 ? 0 : -errno;
}
