/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs whose tasks don't wait for each other. */
#include <stdlib.h>

#include "common/macro.h"
#include "tests/sim/load_private.h"

#define HOG_CHUNK_NSEC (10.0 * SIM_MSEC)

static bool over(const struct load *load)
{
	return load_now(load) >= load->config->until_nsec;
}

static uint64_t begin_nsec(const struct load *load)
{
	return MAX(load_now(load), load->config->from_nsec);
}

/* A job that is a burst of its own is done. */
static void end_burst(struct load_task *task, struct load_job *job)
{
	metrics_end(task->group, job->index, load_now(task->load));
}

/* One is under way and another waits. */
static bool behind(const struct load_task *task)
{
	return task->first && task->first->next;
}

static void offer_burst(struct load_task *task, double work_nsec, uint64_t deadline_nsec,
			bool iowait, void (*done)(struct load_task *, struct load_job *))
{
	size_t burst = metrics_begin(task->group, load_now(task->load), deadline_nsec, work_nsec);

	if (task->load->config->drop && behind(task))
		metrics_drop(task->group, burst);
	else
		load_offer(task, work_nsec, iowait, done, NULL, burst);
}

/* -- periodic, and wave, whose work changes with the time -- */

/* Which share of the way from low to high it is. */
static double wave_height(const struct load *load)
{
	const struct scenario_load *config = load->config;
	double turns = (double)(load_now(load) - MIN(load_now(load), config->from_nsec)) /
		       (double)config->every.low;
	double part = turns - (double)(uint64_t)turns;
	bool odd = (uint64_t)turns % 2 == 1;

	if (config->ramp)
		return odd ? 1 - part : part;
	return odd ? 1 : 0;
}

static double period_work(struct load_task *task)
{
	const struct load *load = task->load;
	const struct scenario_load *config = load->config;
	double work = task->work_nsec;

	if (config->program == LOAD_WAVE) {
		double high =
			config->high.low * (config->high.is_share ? (double)task->period_nsec : 1);

		work += (high - work) * wave_height(load);
	}
	return work * (1 + config->vary * (2 * dice_share(&task->dice) - 1));
}

static void release_period(struct load_timer *timer)
{
	struct load_task *task = CONTAINER_OF_TIMER(timer);
	const struct scenario_load *config = task->load->config;
	uint64_t jitter =
		config->jitter_nsec ? dice_between(&task->dice, 0, config->jitter_nsec) : 0;

	if (over(task->load))
		return;
	if (config->roam)
		load_place_elsewhere(task, &task->dice);
	offer_burst(task, period_work(task),
		    config->deadline_nsec ? config->deadline_nsec : task->period_nsec, false,
		    end_burst);
	task->base_nsec += task->period_nsec;
	load_timer_set(timer, task->base_nsec + jitter);
}

static int begin_periodic(struct load *load)
{
	const struct scenario_load *config = load->config;

	for (unsigned i = 0; i < load->n_tasks; i++) {
		struct load_task *task = &load->tasks[i];

		task->period_nsec = load_draw_nsec(&task->dice, &config->period);
		task->work_nsec = load_draw(&task->dice, &config->work);
		if (config->work.is_share)
			task->work_nsec *= (double)task->period_nsec;
		task->base_nsec =
			begin_nsec(load) + dice_between(&task->dice, 0, task->period_nsec);
		task->timer.fire = release_period;
		load_timer_set(&task->timer, task->base_nsec);
	}
	return 0;
}

const struct load_ops load_periodic = {.begin = begin_periodic};

/* -- noise: what each CPU has to do by itself -- */

static void release_noise(struct load_timer *timer)
{
	struct load_task *task = CONTAINER_OF_TIMER(timer);
	const struct scenario_load *config = task->load->config;

	if (over(task->load))
		return;
	offer_burst(task, load_draw(&task->dice, &config->work), SIM_NEVER, false, end_burst);
	load_timer_set(timer, load_now(task->load) + dice_wait(&task->dice, config->every.low));
}

static int begin_noise(struct load *load)
{
	for (unsigned i = 0; i < load->n_tasks; i++) {
		struct load_task *task = &load->tasks[i];

		load_place(task, i);
		task->timer.fire = release_noise;
		load_timer_set(&task->timer,
			       begin_nsec(load) + dice_wait(&task->dice, load->config->every.low));
	}
	return 0;
}

const struct load_ops load_noise = {.begin = begin_noise};

/* -- hog: as much as it gets, counted in chunks -- */

static void next_chunk(struct load_task *task, struct load_job *job)
{
	if (job)
		end_burst(task, job);
	if (!over(task->load))
		offer_burst(task, HOG_CHUNK_NSEC, SIM_NEVER, false, next_chunk);
}

static void begin_chunks(struct load_timer *timer)
{
	next_chunk(CONTAINER_OF_TIMER(timer), NULL);
}

static int begin_hog(struct load *load)
{
	for (unsigned i = 0; i < load->n_tasks; i++) {
		load->tasks[i].timer.fire = begin_chunks;
		load_timer_set(&load->tasks[i].timer, begin_nsec(load));
	}
	return 0;
}

const struct load_ops load_hog = {.begin = begin_hog};

/* -- compile: runs of any length, with a wait for the disk after each -- */

static void wait_for_disk(struct load_task *task, struct load_job *job)
{
	end_burst(task, job);
	load_timer_set(&task->timer,
		       load_now(task->load) +
			       load_draw_nsec(&task->dice, &task->load->config->wait));
}

static void next_run(struct load_timer *timer)
{
	struct load_task *task = CONTAINER_OF_TIMER(timer);

	if (!over(task->load))
		offer_burst(task, load_draw(&task->dice, &task->load->config->work), SIM_NEVER,
			    true, wait_for_disk);
}

static int begin_compile(struct load *load)
{
	for (unsigned i = 0; i < load->n_tasks; i++) {
		struct load_task *task = &load->tasks[i];

		task->timer.fire = next_run;
		load_timer_set(&task->timer,
			       begin_nsec(load) + load_draw_nsec(&task->dice, &load->config->wait));
	}
	return 0;
}

const struct load_ops load_compile = {.begin = begin_compile};

/* -- server: requests come when they come, and wait for a free task -- */

static void take_request(struct load_task *task);

static void end_request(struct load_task *task, struct load_job *job)
{
	struct load *load = task->load;

	metrics_end(task->group, job->index, load_now(load));
	free(job->round);
	if (load->rounds) {
		take_request(task);
	} else {
		task->idle = load->idle;
		load->idle = task;
	}
}

/* The task gets the request that has waited longest. */
static void take_request(struct load_task *task)
{
	struct load *load = task->load;
	struct load_round *round = load->rounds;

	load->rounds = round->next;
	if (!load->rounds)
		load->last_round = &load->rounds;
	round->next = NULL;
	load_offer(task, round->scale, false, end_request, round, round->burst);
}

static void release_request(struct load_timer *timer)
{
	struct load *load = timer->load;
	const struct scenario_load *config = load->config;
	struct load_task *task = load->idle;
	struct load_round *round;

	if (over(load))
		return;
	round = load_round_new(load, load->tasks[0].group,
			       config->deadline_nsec ? config->deadline_nsec : SIM_NEVER);
	if (round) {
		round->scale = load_draw(&load->dice, &config->work);
		metrics_more(load->tasks[0].group, round->burst, round->scale);
		if (task) {
			load->idle = task->idle;
			take_request(task);
		}
	}
	load_timer_set(timer, load_now(load) + dice_wait(&load->dice, config->every.low));
}

static int begin_server(struct load *load)
{
	for (unsigned i = load->n_tasks; i-- > 0;) {
		load->tasks[i].idle = load->idle;
		load->idle = &load->tasks[i];
	}
	load->timer.fire = release_request;
	load_timer_set(&load->timer,
		       begin_nsec(load) + dice_wait(&load->dice, load->config->every.low));
	return 0;
}

/* Requests that are under way aren't in the list any more. */
static void end_server(struct load *load)
{
	for (unsigned i = 0; i < load->n_tasks; i++)
		for (struct load_job *job = load->tasks[i].first; job; job = job->next)
			free(job->round);
}

const struct load_ops load_server = {.begin = begin_server, .end = end_server};
