/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmfreq-sim: runs scenarios with seeds in arms, and compares. */
#include <getopt.h>
#include <glob.h>
#include <string.h>
#include <unistd.h>

#include "common/macro.h"
#include "common/parse.h"
#include "tests/sim/setting.h"
#include "tests/sim/table.h"

#define TUNING_FIRST 1U
#define TUNING_LAST  13U
#define FINAL_LAST   20U
#define LIMIT_SECS   300U

struct options {
	struct runner runner;
	bool trace, details, list, settings;
	int judge; /* the arm that is judged as vmfreq's would be, or -1 */
	const char *csv;
	struct host_config hostd;
};

static const char help[] =
	"vmfreq-sim [OPTION...] [SCENARIO.sim...]\n"
	"Runs scenarios (all of tests/sim/scenarios if none is named) and prints a table. Exits "
	"with 1 if a bound\n"
	"doesn't hold, with 2 if it couldn't run them.\n\n"
	"  --seed N          this seed alone\n"
	"  --seeds A-B       these (default: 1-13, those that policies may be tuned with)\n"
	"  --final           14-20, which are for final tables alone\n"
	"  --arm A,B...      native, without, patches, with, pinned (default: all that there are "
	"but pinned)\n"
	"  --judge ARM       bounds are checked as if this arm were vmfreq's\n"
	"  --set KEY=VALUE   vmfreq-hostd's, as in [host] of vmfreq.conf; may stand more than "
	"once\n"
	"  --settings        the keys that can be set, and what they are\n"
	"  --jobs N          runs at a time (default: one for each CPU)\n"
	"  --details         the figures of each load and run, too\n"
	"  --csv FILE        they are written to FILE\n"
	"  --trace           one scenario, seed and arm: what happens in it\n"
	"  --list            the scenarios and what they are about\n"
	"  --help\n";

static int wrong(const char *what, const char *word)
{
	fprintf(stderr, "vmfreq-sim: %s '%s'; look at --help\n", what, word);
	return -EINVAL;
}

static int wrong_setting(const char *message)
{
	fprintf(stderr, "vmfreq-sim: --set: %s\n", message);
	return -EINVAL;
}

static int find_arm(const char *name)
{
	for (int arm = 0; arm < ARM_N; arm++)
		if (strcmp(arm_name((enum arm_kind)arm), name) == 0)
			return arm;
	return wrong("there is no arm", name);
}

static int read_seeds(const char *text, struct runner *runner)
{
	unsigned first, last;
	char rest;
	int n = sscanf(text, "%u-%u%c", &first, &last, &rest);

	if (n == 1)
		last = first;
	if (n < 1 || n > 2 || first == 0 || last < first || last - first >= 10000)
		return wrong("these are no seeds:", text);
	runner->first_seed = first;
	runner->n_seeds = last - first + 1;
	return 0;
}

static int read_arms(char *text, struct runner *runner)
{
	char *save = NULL;

	memset(runner->arms, 0, sizeof(runner->arms));
	for (char *name = strtok_r(text, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
		int arm = find_arm(name);

		if (arm < 0)
			return arm;
		runner->arms[arm] = true;
	}
	return 0;
}

static int read_jobs(const char *text, struct runner *runner)
{
	uint64_t jobs;

	if (parse_u64_max(text, 1024, &jobs) < 0 || jobs == 0)
		return wrong("this is no number of jobs:", text);
	runner->jobs = (unsigned)jobs;
	return 0;
}

static int read_setting(const char *text, struct host_config *hostd)
{
	char message[512];

	return setting_read(text, hostd, message, sizeof(message)) < 0 ? wrong_setting(message) : 0;
}

enum {
	OPT_SEED = 256,
	OPT_SEEDS,
	OPT_FINAL,
	OPT_ARM,
	OPT_JUDGE,
	OPT_SET,
	OPT_SETTINGS,
	OPT_JOBS,
	OPT_DETAILS,
	OPT_CSV,
	OPT_TRACE,
	OPT_LIST,
	OPT_HELP
};

static int read_option(int option, char *arg, struct options *options)
{
	switch (option) {
	case OPT_SEED:
	case OPT_SEEDS:
		return read_seeds(arg, &options->runner);
	case OPT_FINAL:
		options->runner.first_seed = TUNING_LAST + 1;
		options->runner.n_seeds = FINAL_LAST - TUNING_LAST;
		return 0;
	case OPT_ARM:
		return read_arms(arg, &options->runner);
	case OPT_JUDGE:
		options->judge = find_arm(arg);
		return options->judge < 0 ? options->judge : 0;
	case OPT_SET:
		return read_setting(arg, &options->hostd);
	case OPT_SETTINGS:
		options->settings = true;
		return 0;
	case OPT_JOBS:
		return read_jobs(arg, &options->runner);
	case OPT_DETAILS:
		options->details = true;
		return 0;
	case OPT_CSV:
		options->csv = arg;
		return 0;
	case OPT_TRACE:
		options->trace = true;
		return 0;
	case OPT_LIST:
		options->list = true;
		return 0;
	case OPT_HELP:
		fputs(help, stdout);
		exit(EXIT_SUCCESS);
	default:
		return -EINVAL;
	}
}

static int read_options(int argc, char **argv, struct options *options)
{
	static const struct option table[] = {
		{"seed", required_argument, NULL, OPT_SEED},
		{"seeds", required_argument, NULL, OPT_SEEDS},
		{"final", no_argument, NULL, OPT_FINAL},
		{"arm", required_argument, NULL, OPT_ARM},
		{"judge", required_argument, NULL, OPT_JUDGE},
		{"set", required_argument, NULL, OPT_SET},
		{"settings", no_argument, NULL, OPT_SETTINGS},
		{"jobs", required_argument, NULL, OPT_JOBS},
		{"details", no_argument, NULL, OPT_DETAILS},
		{"csv", required_argument, NULL, OPT_CSV},
		{"trace", no_argument, NULL, OPT_TRACE},
		{"list", no_argument, NULL, OPT_LIST},
		{"help", no_argument, NULL, OPT_HELP},
		{},
	};
	char message[512];
	int option, r = 0;

	while (r >= 0 && (option = getopt_long(argc, argv, "", table, NULL)) >= 0)
		r = read_option(option, optarg, options);
	if (r >= 0 && setting_check(&options->hostd, message, sizeof(message)) < 0)
		r = wrong_setting(message);
	return r;
}

/* -- scenarios -- */

static int read_scenarios(struct options *options, char **paths, size_t n)
{
	struct runner *runner = &options->runner;

	runner->scenarios = calloc(n + 1, sizeof(*runner->scenarios));
	runner->paths = calloc(n + 1, sizeof(*runner->paths));
	if (!runner->scenarios || !runner->paths)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int r = scenario_read(paths[i], &runner->scenarios[i]);

		if (r < 0)
			return r;
		runner->scenarios[i]->hostd = &options->hostd;
		runner->paths[i] = paths[i];
		runner->n_scenarios++;
	}
	return n > 0 ? 0 : wrong("there are no scenarios in", SRCDIR "/tests/sim/scenarios");
}

static void list_scenarios(const struct runner *runner)
{
	for (unsigned i = 0; i < runner->n_scenarios; i++)
		printf("%-28s %s\n", runner->scenarios[i]->name, runner->scenarios[i]->about);
}

static int trace(const struct options *options)
{
	const struct runner *runner = &options->runner;
	struct run_figures figures;
	struct world *world;
	unsigned arm = 0, n_arms = 0;

	for (unsigned i = 0; i < ARM_N; i++)
		if (runner->arms[i]) {
			arm = i;
			n_arms++;
		}
	if (runner->n_scenarios != 1 || runner->n_seeds != 1 || n_arms != 1)
		return wrong("one scenario, --seed N and --arm NAME go with", "--trace");
	world = world_new(runner->scenarios[0], (enum arm_kind)arm, runner->first_seed);
	if (!world)
		return -ENOMEM;
	world_trace(world, stdout);
	world_run(world, &figures);
	world_free(world);
	return figures.status;
}

/* Another arm's runs stand for vmfreq's. */
static void judge_other(struct options *options)
{
	struct runner *runner = &options->runner;
	size_t n = runner->n_seeds;

	for (unsigned i = 0; i < runner->n_scenarios; i++)
		memcpy(&runner->figures[(i * ARM_N + ARM_WITH) * n],
		       &runner->figures[(i * ARM_N + (unsigned)options->judge) * n],
		       n * sizeof(*runner->figures));
	runner->arms[ARM_WITH] = true;
}

static int run(struct options *options)
{
	unsigned failed;
	int r;

	if (options->judge >= 0) {
		options->runner.arms[options->judge] = true;
		options->runner.arms[ARM_WITH] = false;
	}
	r = runner_run(&options->runner);
	if (r < 0)
		return r;
	if (options->judge >= 0)
		judge_other(options);
	failed = table_print(&options->runner);
	if (options->details)
		table_print_details(&options->runner);
	if (options->csv)
		r = table_write_csv(&options->runner, options->csv);
	if (r < 0)
		return r;
	return failed > 0 ? 1 : 0;
}

static void set_defaults(struct options *options)
{
	long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);

	*options = (struct options){
		.judge = -1,
		.runner = {.first_seed = TUNING_FIRST,
			   .n_seeds = TUNING_LAST - TUNING_FIRST + 1,
			   .jobs = n_cpus > 0 ? (unsigned)n_cpus : 1,
			   .limit_secs = LIMIT_SECS},
	};
	for (unsigned arm = 0; arm < ARM_N; arm++)
		options->runner.arms[arm] = arm != ARM_PINNED;
	config_defaults(host_config_keys, host_config_n_keys, &options->hostd);
}

int main(int argc, char **argv)
{
	struct options options;
	glob_t found = {};
	int r;

	set_defaults(&options);
	r = read_options(argc, argv, &options);
	if (r >= 0 && options.settings) {
		setting_print(&options.hostd, stdout);
		return 0;
	}
	if (r >= 0 && optind == argc) {
		glob(SRCDIR "/tests/sim/scenarios/*.sim", 0, NULL, &found);
		r = read_scenarios(&options, found.gl_pathv, found.gl_pathc);
	} else if (r >= 0) {
		r = read_scenarios(&options, argv + optind, (size_t)(argc - optind));
	}
	if (r >= 0 && options.list)
		list_scenarios(&options.runner);
	else if (r >= 0)
		r = options.trace ? trace(&options) : run(&options);
	runner_free(&options.runner);
	globfree(&found);
	if (r < 0 && r != -EINVAL)
		fprintf(stderr, "vmfreq-sim: %s\n", strerror(-r));
	return r < 0 ? 2 : r;
}
