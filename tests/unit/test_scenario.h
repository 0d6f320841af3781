/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scenarios out of literals, and what is said of wrong ones. */
#pragma once

#include "test.h"
#include "tests/sim/run.h"

/* Reads text as a scenario; what is said on stderr goes to ret_said (free() it), if it isn't NULL.
 */
static inline int test_sim_read(const char *text, struct scenario **ret, char **ret_said)
{
	char *dir = test_make_dir(), *path = NULL, *said = NULL;
	FILE *real = stderr;
	size_t size;
	int r;

	test_write(dir, "x.sim", text);
	assert_true(asprintf(&path, "%s/x.sim", dir) > 0);
	stderr = open_memstream(&said, &size);
	assert_non_null(stderr);
	r = scenario_read(path, ret);
	fclose(stderr);
	stderr = real;
	if (ret_said)
		*ret_said = said;
	else
		free(said);
	free(path);
	test_remove_dir(dir);
	return r;
}

/* A world of that text. The scenario has to be freed behind it. */
static inline struct world *test_sim_world(const char *text, enum arm_kind arm, uint64_t seed,
					   struct scenario **ret)
{
	struct world *world;
	char *said;

	EXPECT(test_sim_read(text, ret, &said) == 0, "%s", said);
	free(said);
	world = world_new(*ret, arm, seed);
	assert_non_null(world);
	return world;
}

/* Its figures after a run. */
static inline struct run_figures test_sim_run(const char *text, enum arm_kind arm, uint64_t seed)
{
	struct scenario *scenario;
	struct world *world = test_sim_world(text, arm, seed, &scenario);
	struct run_figures figures;

	world_run(world, &figures);
	world_free(world);
	scenario_free(scenario);
	assert_int_equal(figures.status, 0);
	return figures;
}
