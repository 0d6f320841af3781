/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/sim/runner.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/macro.h"

/* One write is whole, whoever else writes. */
struct message {
	unsigned job;
	struct run_figures figures;
};
_Static_assert(sizeof(struct message) <= PIPE_BUF, "figures of a run don't fit into one write");

struct child {
	pid_t pid;
	unsigned job;
};

struct pool {
	struct runner *runner;
	int ends[2];
	struct child *children;
	unsigned n_children, next, n_jobs;
};

static size_t index_of(const struct runner *runner, unsigned scenario, unsigned arm, unsigned seed)
{
	return ((size_t)scenario * ARM_N + arm) * runner->n_seeds + seed;
}

struct runs runner_runs(const struct runner *runner, unsigned scenario)
{
	struct runs runs = {.n_seeds = runner->n_seeds};

	for (unsigned arm = 0; arm < ARM_N; arm++)
		if (runner->arms[arm])
			runs.runs[arm] = &runner->figures[index_of(runner, scenario, arm, 0)];
	return runs;
}

static void run_job(const struct runner *runner, unsigned job, struct run_figures *ret)
{
	unsigned seed = job % runner->n_seeds, arm = job / runner->n_seeds % ARM_N;
	const struct scenario *scenario = runner->scenarios[job / runner->n_seeds / ARM_N];
	struct world *world = world_new(scenario, (enum arm_kind)arm, runner->first_seed + seed);

	if (!world) {
		*ret = (struct run_figures){.status = -ENOMEM};
		return;
	}
	world_run(world, ret);
	world_free(world);
}

/* In the child. */
static _Noreturn void run_and_tell(struct pool *pool, unsigned job)
{
	struct message message = {.job = job};

	alarm(pool->runner->limit_secs);
	run_job(pool->runner, job, &message.figures);
	_exit(write(pool->ends[1], &message, sizeof(message)) == sizeof(message) ? EXIT_SUCCESS
										 : EXIT_FAILURE);
}

/* Jobs of arms that aren't wanted are left out. False: there are no more. */
static bool next_job(struct pool *pool, unsigned *ret)
{
	while (pool->next < pool->n_jobs) {
		unsigned job = pool->next++;

		if (pool->runner->arms[job / pool->runner->n_seeds % ARM_N]) {
			*ret = job;
			return true;
		}
	}
	return false;
}

static int start_children(struct pool *pool)
{
	unsigned job;

	while (pool->n_children < pool->runner->jobs && next_job(pool, &job)) {
		pid_t pid = fork();

		if (pid < 0)
			return -errno;
		if (pid == 0)
			run_and_tell(pool, job);
		pool->children[pool->n_children++] = (struct child){pid, job};
	}
	return 0;
}

static void read_messages(struct pool *pool)
{
	struct message message;

	while (read(pool->ends[0], &message, sizeof(message)) == sizeof(message))
		pool->runner->figures[message.job] = message.figures;
}

/* Until one of them has ended. */
static int wait_for_one(struct pool *pool)
{
	int status;
	pid_t pid = waitpid(-1, &status, 0);

	if (pid < 0)
		return errno == EINTR ? 0 : -errno;
	read_messages(pool);
	for (unsigned i = 0; i < pool->n_children; i++) {
		if (pool->children[i].pid != pid)
			continue;
		if (status != 0)
			pool->runner->figures[pool->children[i].job].status =
				WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? -ETIME
										   : -ECHILD;
		pool->children[i] = pool->children[--pool->n_children];
		break;
	}
	return 0;
}

static int run_all(struct pool *pool)
{
	int r = 0;

	fflush(NULL);
	do {
		int started = start_children(pool);

		r = r < 0 ? r : started;
		if (r < 0)
			pool->next = pool->n_jobs;
	} while (pool->n_children > 0 && (wait_for_one(pool) >= 0 || pool->n_children > 0));
	return r;
}

int runner_run(struct runner *runner)
{
	size_t n_jobs = (size_t)runner->n_scenarios * ARM_N * runner->n_seeds;
	struct pool pool = {.runner = runner, .n_jobs = (unsigned)n_jobs};
	int r;

	runner->figures = calloc(n_jobs + 1, sizeof(*runner->figures));
	pool.children = calloc(runner->jobs, sizeof(*pool.children));
	if (!runner->figures || !pool.children || pipe2(pool.ends, O_CLOEXEC) < 0) {
		free(pool.children);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n_jobs; i++)
		runner->figures[i].status = -ENODATA;
	r = fcntl(pool.ends[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : run_all(&pool);
	close(pool.ends[0]);
	close(pool.ends[1]);
	free(pool.children);
	return r;
}

void runner_free(struct runner *runner)
{
	for (unsigned i = 0; i < runner->n_scenarios; i++)
		scenario_free(runner->scenarios[i]);
	free(runner->scenarios);
	free(runner->paths);
	free(runner->figures);
}
