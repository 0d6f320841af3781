/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --check-config and --dump-config, which both daemons have. */
#include "common/config_cli.h"

#include <sysexits.h>

#include "common/macro.h"

static void print_complaint(void *userdata, bool is_error, const char *file, unsigned line,
			    const char *message)
{
	struct config_outcome *outcome = userdata;

	config_outcome_add(outcome, is_error, file, line, message);
	if (line > 0)
		fprintf(stderr, "%s:%u: %s%s\n", file, line, is_error ? "" : "warning: ", message);
	else
		fprintf(stderr, "%s: %s%s\n", file, is_error ? "" : "warning: ", message);
}

static int load(const char *path, const struct config_table *table, void **ret_config,
		struct config_sources *sources, struct config_outcome *outcome)
{
	*ret_config = calloc(1, table->size);
	if (!*ret_config)
		return -ENOMEM;
	return config_load(path, table, *ret_config, sources, print_complaint, outcome);
}

int config_cli_check(const char *path, const struct config_table *table)
{
	_cleanup_(config_sources_done) struct config_sources sources = {};
	_cleanup_free_ void *config = NULL;
	struct config_outcome outcome = {};

	if (load(path, table, &config, &sources, &outcome) < 0)
		return EX_CONFIG;
	config_done(table, config);
	if (sources.n_files == 0)
		printf("%s is not there, so all is as by default", path);
	for (size_t i = 0; i < sources.n_files; i++)
		printf("%s%s", i ? ", " : "", sources.files[i]);
	if (outcome.warnings > 0)
		printf(": good, but for %u warning%s\n", outcome.warnings,
		       outcome.warnings == 1 ? "" : "s");
	else
		printf(": good\n");
	return EXIT_SUCCESS;
}

int config_cli_dump(const char *path, const struct config_table *table)
{
	_cleanup_(config_sources_done) struct config_sources sources = {};
	_cleanup_free_ void *config = NULL;
	struct config_outcome outcome = {};
	int r;

	if (load(path, table, &config, &sources, &outcome) < 0)
		return EX_CONFIG;
	r = config_dump(table, config, &sources, stdout);
	config_done(table, config);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
