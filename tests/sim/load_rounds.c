/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs whose tasks wait for each other: what is waited for is the round, which is one burst. */
#include <stdlib.h>

#include "common/macro.h"
#include "tests/lab/dvfs/timetable.h"
#include "tests/sim/load_private.h"

static bool over(const struct load *load)
{
	return load_now(load) >= load->config->until_nsec;
}

/* A part of a round, for a task. */
static void offer_part(struct load_task *task, struct load_round *round, double work_nsec,
		       bool iowait, void (*done)(struct load_task *, struct load_job *))
{
	metrics_more(task->group, round->burst, work_nsec);
	load_offer(task, work_nsec, iowait, done, round, 0);
}

static void begin_rounds(struct load *load, void (*release)(struct load_timer *))
{
	const struct scenario_load *config = load->config;

	load->timer.fire = release;
	load_timer_set(&load->timer, MAX(load_now(load), config->from_nsec) +
					     dice_between(&load->dice, 0, config->period.low));
}

/* A new round, of a task 0 that counts for all; the timer is set for the one after it. NULL: it's
 * over. */
static struct load_round *release_round(struct load_timer *timer)
{
	struct load *load = timer->load;
	const struct scenario_load *config = load->config;

	if (over(load))
		return NULL;
	load_timer_set(timer, load_now(load) + config->period.low);
	return load_round_new(load, load->tasks[0].group,
			      config->deadline_nsec ? config->deadline_nsec : config->period.low);
}

/* -- ui: the UI thread, then its workers, then the UI thread again; frames can overlap -- */

static void ui_joined(struct load_task *task, _unused_ struct load_job *job)
{
	load_round_end(task->load, task->group);
}

static void ui_part_done(struct load_task *task, struct load_job *job)
{
	struct load *load = task->load;
	struct load_round *round = job->round;

	if (--round->left == 0)
		offer_part(&load->tasks[0], round,
			   (double)load_draw_nsec(&load->tasks[0].dice, &load->config->join) *
				   round->scale,
			   false, ui_joined);
}

static void ui_started(struct load_task *task, struct load_job *job)
{
	struct load *load = task->load;
	struct load_round *round = job->round;

	round->left = load->n_tasks - 1;
	for (unsigned i = 1; i < load->n_tasks; i++) {
		double share = (double)load_draw_nsec(&load->tasks[i].dice, &load->config->share);

		offer_part(&load->tasks[i], round, share * round->scale, false, ui_part_done);
	}
}

static void ui_release(struct load_timer *timer)
{
	struct load *load = timer->load;
	const struct scenario_load *config = load->config;
	struct load_round *round = release_round(timer);

	if (!round)
		return;
	if (config->heavy.high > 0)
		round->scale = load_draw(&load->dice, &config->heavy);
	offer_part(&load->tasks[0], round, load_draw(&load->dice, &config->work) * round->scale,
		   false, ui_started);
}

static int ui_begin(struct load *load)
{
	begin_rounds(load, ui_release);
	return 0;
}

const struct load_ops load_ui = {.begin = ui_begin};

/* -- storage: a reader (task 0) asks and sleeps until the disk answers, then wakes a worker (task
 * 1), whose end lets the reader ask for more; one round after the other -- */

static void storage_next(struct load *load);

static void storage_ask(struct load *load)
{
	struct load_task *reader = &load->tasks[0];

	load_timer_set(&reader->timer,
		       load_now(load) + load_draw_nsec(&reader->dice, &load->config->wait));
}

static void storage_worked(struct load_task *task, struct load_job *job)
{
	struct load *load = task->load;

	if (--job->round->left > 0) {
		storage_ask(load);
		return;
	}
	load_round_end(load, task->group);
	storage_next(load);
}

static void storage_taken(struct load_task *task, struct load_job *job)
{
	struct load_task *worker = &task->load->tasks[1];

	offer_part(worker, job->round, load_draw(&worker->dice, &task->load->config->work), false,
		   storage_worked);
}

/* Small, and by the reader: to ask, or to take the answer. */
static void storage_read(struct load *load, bool iowait,
			 void (*done)(struct load_task *, struct load_job *))
{
	struct load_task *reader = &load->tasks[0];

	offer_part(reader, load->rounds, (double)load_draw_nsec(&reader->dice, &load->config->ask),
		   iowait, done);
}

static void storage_answer(struct load_timer *timer)
{
	storage_read(timer->load, true, storage_taken);
}

static void storage_asked(struct load_task *task, _unused_ struct load_job *job)
{
	storage_ask(task->load);
}

/* Begins the first round of the list, if there is one. */
static void storage_next(struct load *load)
{
	struct load_round *round = load->rounds;

	if (!round)
		return;
	round->left = load->config->requests;
	for (unsigned i = 0; load->config->roam && i < load->n_tasks; i++)
		load_place_elsewhere(&load->tasks[i], &load->tasks[i].dice);
	storage_read(load, false, storage_asked);
}

static void storage_release(struct load_timer *timer)
{
	struct load_round *round = release_round(timer);

	if (round && timer->load->rounds == round)
		storage_next(timer->load);
}

static int storage_begin(struct load *load)
{
	load->tasks[0].timer.fire = storage_answer;
	begin_rounds(load, storage_release);
	return 0;
}

const struct load_ops load_storage = {.begin = storage_begin};

/* -- inference: layers, with a barrier after each; one round after the other -- */

static void inference_layer(struct load *load);

static void inference_done(struct load_task *task, struct load_job *job)
{
	struct load *load = task->load;

	if (--job->round->left % load->n_tasks != 0)
		return;
	if (job->round->left == 0)
		load_round_end(load, task->group);
	if (load->rounds)
		inference_layer(load);
}

static void inference_layer(struct load *load)
{
	struct load_round *round = load->rounds;

	if (round->left == 0)
		round->left = load->config->layers * load->n_tasks;
	for (unsigned i = 0; i < load->n_tasks; i++)
		offer_part(&load->tasks[i], round,
			   load_draw(&load->tasks[i].dice, &load->config->work), false,
			   inference_done);
}

static void inference_release(struct load_timer *timer)
{
	struct load_round *round = release_round(timer);

	if (round && timer->load->rounds == round)
		inference_layer(timer->load);
}

static int inference_begin(struct load *load)
{
	begin_rounds(load, inference_release);
	return 0;
}

const struct load_ops load_inference = {.begin = inference_begin};

/* -- timetable: what plan.py describes; the dice of its making have been thrown -- */

struct chain_timer {
	struct load_timer timer;
	uint32_t burst;
};

struct table_state {
	uint32_t place, burst; /* the next of them */
	uint64_t begin_nsec;
	uint32_t *order; /* bursts that are no chains, by their time */
	uint32_t n_order;
	struct load_timer bursts;
	struct chain_timer *chains; /* one for each burst, since any may wait */
};

static void table_release(struct load *load, uint32_t index);

static void table_chain(struct load_timer *timer)
{
	struct chain_timer *chain = (struct chain_timer *)(void *)timer;

	table_release(timer->load, chain->burst);
}

static void table_done(struct load_task *task, struct load_job *job)
{
	struct load *load = task->load;
	const struct timetable *t = load->config->timetable;
	struct table_state *state = load->state;
	uint32_t index = (uint32_t)(uintptr_t)job->round;

	metrics_end(task->group, job->index, load_now(load));
	job->round = NULL;
	for (uint32_t i = t->burst[index].chain; i != TIMETABLE_NONE; i = t->burst[i].chain_next)
		if (t->burst[i].at_usec == 0)
			table_release(load, i);
		else
			load_timer_set(&state->chains[i].timer,
				       load_now(load) + t->burst[i].at_usec * SIM_USEC);
}

static void table_release(struct load *load, uint32_t index)
{
	const struct timetable_burst *burst = &load->config->timetable->burst[index];
	struct load_task *task = &load->tasks[burst->task];
	double work = (double)burst->work_usec * SIM_USEC;
	size_t number = metrics_begin(
		task->group, load_now(load),
		burst->deadline_usec ? burst->deadline_usec * SIM_USEC : SIM_NEVER, work);

	/* The index takes the round's place, of which timetables have none. */
	load_offer(task, work, false, table_done, (void *)(uintptr_t)index, number);
}

static void table_bursts(struct load_timer *timer)
{
	struct load *load = timer->load;
	struct table_state *state = load->state;
	const struct timetable *t = load->config->timetable;

	while (state->burst < state->n_order) {
		uint64_t at =
			state->begin_nsec + t->burst[state->order[state->burst]].at_usec * SIM_USEC;

		if (at > load_now(load)) {
			load_timer_set(timer, at);
			return;
		}
		table_release(load, state->order[state->burst++]);
	}
}

static void table_places(struct load_timer *timer)
{
	struct load *load = timer->load;
	struct table_state *state = load->state;
	const struct timetable *t = load->config->timetable;

	for (; state->place < t->n_places; state->place++) {
		const struct timetable_place *place = &t->place[state->place];
		uint64_t at = state->begin_nsec + place->at_usec * SIM_USEC;

		if (at > load_now(load)) {
			load_timer_set(timer, at);
			return;
		}
		load_place(&load->tasks[place->task], place->cpu);
	}
}

static const struct timetable *sorting;

static int by_time(const void *left, const void *right)
{
	uint64_t a = sorting->burst[*(const uint32_t *)left].at_usec,
		 b = sorting->burst[*(const uint32_t *)right].at_usec;

	if (a != b)
		return a < b ? -1 : 1;
	return *(const uint32_t *)left < *(const uint32_t *)right ? -1 : 1;
}

static int table_begin(struct load *load)
{
	const struct timetable *t = load->config->timetable;
	struct table_state *state = calloc(1, sizeof(*state));

	load->state = state;
	if (!state)
		return -ENOMEM;
	state->begin_nsec = MAX(load_now(load), load->config->from_nsec);
	state->order = calloc(t->n_bursts, sizeof(*state->order));
	state->chains = calloc(t->n_bursts, sizeof(*state->chains));
	if (!state->order || !state->chains)
		return -ENOMEM;
	state->bursts = (struct load_timer){.load = load, .fire = table_bursts};
	for (uint32_t i = 0; i < t->n_bursts; i++) {
		state->chains[i] = (struct chain_timer){{.load = load, .fire = table_chain}, i};
		if (t->burst[i].after == TIMETABLE_NONE)
			state->order[state->n_order++] = i;
	}
	sorting = t;
	qsort(state->order, state->n_order, sizeof(*state->order), by_time);
	load->timer.fire = table_places;
	table_places(&load->timer);
	load_timer_set(&state->bursts, state->begin_nsec);
	return 0;
}

static void table_timers(struct load *load, void (*what)(struct load_timer *))
{
	struct table_state *state = load->state;

	if (!state || !state->chains)
		return;
	what(&state->bursts);
	for (uint32_t i = 0; i < load->config->timetable->n_bursts; i++)
		what(&state->chains[i].timer);
}

static void table_end(struct load *load)
{
	struct table_state *state = load->state;

	if (!state)
		return;
	for (unsigned i = 0; i < load->n_tasks; i++)
		for (struct load_job *job = load->tasks[i].first; job; job = job->next)
			job->round = NULL;
	free(state->order);
	free(state->chains);
	free(state);
}

const struct load_ops load_timetable = {
	.begin = table_begin, .end = table_end, .timers = table_timers};
