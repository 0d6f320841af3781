/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/sim/load_private.h"

#include <string.h>

#include "common/macro.h"
#include "tests/lab/dvfs/timetable.h"

#define CONTAINER_OF(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))

uint64_t load_now(const struct load *load)
{
	return (load->paused ? load->paused_nsec : queue_now(load->site.queue)) - load->stood_nsec;
}

/* -- timers -- */

static void timer_fire(struct event *event)
{
	struct load_timer *timer = CONTAINER_OF(event, struct load_timer, event);

	timer->fire(timer);
}

void load_timer_set(struct load_timer *timer, uint64_t at_nsec)
{
	const struct load *load = timer->load;
	uint64_t now = load_now(load);

	timer->event.fire = timer_fire;
	if (load->paused) {
		timer->held = true;
		timer->left_nsec = at_nsec > now ? at_nsec - now : 0;
	} else {
		queue_set(load->site.queue, &timer->event, at_nsec + load->stood_nsec);
	}
}

static void timer_pause(struct load_timer *timer)
{
	if (timer->event.place == 0)
		return;
	timer->held = true;
	timer->left_nsec = timer->event.at_nsec - queue_now(timer->load->site.queue);
	queue_set(timer->load->site.queue, &timer->event, SIM_NEVER);
}

static void timer_resume(struct load_timer *timer)
{
	if (!timer->held)
		return;
	timer->held = false;
	queue_set(timer->load->site.queue, &timer->event,
		  queue_now(timer->load->site.queue) + timer->left_nsec);
}

static void timer_drop(struct load_timer *timer)
{
	if (timer->event.place != 0)
		queue_set(timer->load->site.queue, &timer->event, SIM_NEVER);
}

static void each_timer(struct load *load, void (*what)(struct load_timer *))
{
	what(&load->timer);
	what(&load->hop);
	what(&load->mix);
	for (unsigned i = 0; i < load->n_tasks; i++)
		what(&load->tasks[i].timer);
	if (load->ops->timers)
		load->ops->timers(load, what);
}

/* -- jobs -- */

void load_offer(struct load_task *task, double work_nsec, bool iowait,
		void (*done)(struct load_task *, struct load_job *), struct load_round *round,
		size_t index)
{
	struct load_job *job = malloc(sizeof(*job));
	bool first = !task->first;

	if (!job) {
		task->group->no_memory = true;
		return;
	}
	*job = (struct load_job){.work_nsec = work_nsec,
				 .iowait = iowait,
				 .done = done,
				 .round = round,
				 .index = index};
	*task->last = job;
	task->last = &job->next;
	if (!first || task->in_done)
		return;
	if (task->held)
		task->held_nsec = work_nsec;
	else
		task_wake(&task->task, work_nsec, iowait);
}

/* A job is done: its program may give this task and others more, and the next in the queue follows.
 */
static void task_done(struct task *base)
{
	struct load_task *task = base->userdata;
	struct load_job *job = task->first;

	if (!job)
		return;
	task->first = job->next;
	if (!task->first)
		task->last = &task->first;
	task->in_done = true;
	job->done(task, job);
	task->in_done = false;
	free(job);
	if (task->first)
		task_wake(base, task->first->work_nsec, false);
}

struct load_round *load_round_new(struct load *load, struct metrics_group *group,
				  uint64_t deadline_nsec)
{
	struct load_round *round = malloc(sizeof(*round));

	if (!round) {
		group->no_memory = true;
		return NULL;
	}
	*round = (struct load_round){.released_nsec = load_now(load), .scale = 1};
	round->burst = metrics_begin(group, round->released_nsec, deadline_nsec, 0);
	*load->last_round = round;
	load->last_round = &round->next;
	return round;
}

void load_round_end(struct load *load, struct metrics_group *group)
{
	struct load_round *round = load->rounds;

	metrics_end(group, round->burst, load_now(load));
	load->rounds = round->next;
	if (!load->rounds)
		load->last_round = &load->rounds;
	free(round);
}

/* -- places -- */

void load_place(struct load_task *task, unsigned place)
{
	const struct load_site *site = &task->load->site;
	uint64_t allowed =
		place < site->n_places && site->place[place] ? site->place[place] : site->allowed;

	task->place = place;
	if (allowed != task->task.allowed)
		task_set_allowed(&task->task, allowed);
}

void load_place_elsewhere(struct load_task *task, struct dice *dice)
{
	unsigned n = task->load->site.n_places;

	if (n < 2)
		return;
	if (task->place == LOAD_NOWHERE)
		load_place(task, (unsigned)dice_between(dice, 0, n - 1));
	else
		load_place(task, (unsigned)(task->place + dice_between(dice, 1, n - 1)) % n);
}

/* Two vCPUs exchange all that is on them. All loads of a VM that hop draw from dice of the same
 * name, so that those with the same times go together. */
static void hop(struct load_timer *timer)
{
	struct load *load = timer->load;
	unsigned n = load->site.n_places;

	if (n > 1) {
		unsigned one = (unsigned)dice_between(&load->hop_dice, 0, n - 1);
		unsigned two = (unsigned)(one + dice_between(&load->hop_dice, 1, n - 1)) % n;

		for (unsigned i = 0; i < load->n_tasks; i++)
			if (load->tasks[i].place == one)
				load_place(&load->tasks[i], two);
			else if (load->tasks[i].place == two)
				load_place(&load->tasks[i], one);
	}
	load_timer_set(timer, load_now(load) + load_draw_nsec(&load->hop_dice, &load->config->hop));
}

/* Two tasks exchange their places. */
static void mix(struct load_timer *timer)
{
	struct load *load = timer->load;
	unsigned one = (unsigned)dice_between(&load->mix_dice, 0, load->n_tasks - 1);
	unsigned two = (unsigned)dice_between(&load->mix_dice, 0, load->n_tasks - 1);
	unsigned place = load->tasks[one].place;

	load_place(&load->tasks[one], load->tasks[two].place);
	load_place(&load->tasks[two], place);
	load_timer_set(timer, load_now(load) + load_draw_nsec(&load->mix_dice, &load->config->mix));
}

/* -- all of it -- */

static const struct load_ops *const programs[LOAD_N] = {
	[LOAD_PERIODIC] = &load_periodic,
	[LOAD_WAVE] = &load_periodic,
	[LOAD_UI] = &load_ui,
	[LOAD_STORAGE] = &load_storage,
	[LOAD_INFERENCE] = &load_inference,
	[LOAD_HOG] = &load_hog,
	[LOAD_COMPILE] = &load_compile,
	[LOAD_SERVER] = &load_server,
	[LOAD_NOISE] = &load_noise,
	[LOAD_TIMETABLE] = &load_timetable,
};
static const struct task_ops task_ops = {.done = task_done};

/* A kind: the name without the number behind it, as plan.py's group(). */
static void kind_of(const char *name, char kind[static TIMETABLE_NAME])
{
	size_t length = strlen(name);

	while (length > 0 && (strchr("0123456789-", name[length - 1])))
		length--;
	memcpy(kind, name, length);
	kind[length] = '\0';
}

/* Which group a timetable's task is in; as many as there are before it if it is the first of its
 * kind. */
static unsigned kind_index(const struct timetable *t, unsigned task)
{
	char kinds[METRICS_GROUPS_MAX][TIMETABLE_NAME], kind[TIMETABLE_NAME];
	unsigned n = 0, at = 0;

	for (unsigned i = 0; i <= task; i++) {
		kind_of(t->task[i].name, kind);
		for (at = 0; at < n && strcmp(kinds[at], kind) != 0; at++)
			;
		if (at == n && n < METRICS_GROUPS_MAX)
			memcpy(kinds[n++], kind, sizeof(kind));
	}
	return MIN(at, METRICS_GROUPS_MAX - 1);
}

unsigned load_groups(const struct scenario_load *config,
		     char ret_names[METRICS_GROUPS_MAX][METRICS_NAME_MAX])
{
	const struct timetable *t = config->timetable;
	unsigned n = 0;

	if (!t) {
		memcpy(ret_names[0], config->name, METRICS_NAME_MAX);
		return 1;
	}
	for (unsigned i = 0; i < t->n_tasks; i++) {
		char kind[TIMETABLE_NAME];

		if (kind_index(t, i) < n)
			continue;
		kind_of(t->task[i].name, kind);
		snprintf(ret_names[n++], METRICS_NAME_MAX, "%.8s.%.14s", config->name, kind);
	}
	return n;
}

static unsigned count_tasks(const struct scenario_load *config, const struct load_site *site)
{
	switch (config->program) {
	case LOAD_UI:
		return config->tasks + 1;
	case LOAD_STORAGE:
		return 2;
	case LOAD_NOISE:
		return site->n_places;
	case LOAD_TIMETABLE:
		return config->timetable->n_tasks;
	default:
		return config->tasks;
	}
}

static void name_dice(struct dice *dice, const struct load_site *site, const char *load,
		      const char *what, unsigned index)
{
	char name[160];

	snprintf(name, sizeof(name), "vm %s load %s %s %u", site->vm, load, what, index);
	dice_init(dice, site->seed, name);
}

static void init_task(struct load *load, unsigned index, struct metrics_group *const groups[])
{
	const struct scenario_load *config = load->config;
	struct load_task *task = &load->tasks[index];
	bool placed =
		config->placed || config->hop.high > 0 || config->mix.high > 0 || config->roam;

	task->load = load;
	task->group = groups[config->timetable ? kind_index(config->timetable, index) : 0];
	task->index = index;
	task->place = LOAD_NOWHERE;
	task->last = &task->first;
	task->timer.load = load;
	name_dice(&task->dice, &load->site, config->name, "task", index);
	task_init(&task->task, load->site.kernel, config->name, load->site.allowed, &task_ops,
		  task);
	if (config->weight > 0)
		task->task.weight = config->weight;
	if (placed)
		load_place(task, (config->first_place + index) % load->site.n_places);
}

static void begin_moves(struct load *load)
{
	const struct scenario_load *config = load->config;

	load->hop.fire = hop;
	load->mix.fire = mix;
	if (config->hop.high > 0)
		load_timer_set(&load->hop,
			       load_now(load) + load_draw_nsec(&load->hop_dice, &config->hop));
	if (config->mix.high > 0)
		load_timer_set(&load->mix,
			       load_now(load) + load_draw_nsec(&load->mix_dice, &config->mix));
}

struct load *load_new(const struct scenario_load *config, const struct load_site *site,
		      struct metrics_group *const groups[])
{
	struct load *load = calloc(1, sizeof(*load));

	if (!load)
		return NULL;
	load->config = config;
	load->ops = programs[config->program];
	load->site = *site;
	load->last_round = &load->rounds;
	load->timer.load = load->hop.load = load->mix.load = load;
	name_dice(&load->dice, site, config->name, "all", 0);
	name_dice(&load->hop_dice, site, "", "hop", 0);
	name_dice(&load->mix_dice, site, config->name, "mix", 0);
	load->tasks = calloc(count_tasks(config, site), sizeof(*load->tasks));
	if (!load->tasks) {
		free(load);
		return NULL;
	}
	for (; load->n_tasks < count_tasks(config, site); load->n_tasks++)
		init_task(load, load->n_tasks, groups);
	begin_moves(load);
	if (load->ops->begin(load) < 0) {
		load_free(load);
		return NULL;
	}
	return load;
}

void load_free(struct load *load)
{
	if (!load)
		return;
	each_timer(load, timer_drop);
	if (load->ops->end)
		load->ops->end(load);
	for (unsigned i = 0; i < load->n_tasks; i++) {
		task_remove(&load->tasks[i].task);
		for (struct load_job *job = load->tasks[i].first, *next; job; job = next) {
			next = job->next;
			free(job);
		}
	}
	for (struct load_round *round = load->rounds, *next; round; round = next) {
		next = round->next;
		free(round);
	}
	free(load->tasks);
	free(load);
}

void load_moved(struct load *load, const struct load_site *site)
{
	load->site = *site;
	for (unsigned i = 0; i < load->n_tasks; i++)
		load_place(&load->tasks[i], load->tasks[i].place);
}

static void hold_task(struct load_task *task, bool hold)
{
	struct cpu_view view;

	if (hold && task->task.queued) {
		kernel_view(task->load->site.kernel, task->task.cpu, &view); /* what is left now */
		task->held_nsec = task->task.work_nsec;
		task_sleep(&task->task);
	} else if (!hold && task->held && task->first) {
		task_wake(&task->task, task->held_nsec, false);
	}
	task->held = hold;
}

void load_pause(struct load *load, bool paused, bool tasks)
{
	if (load->paused == paused)
		return;
	if (paused) {
		load->paused_nsec = queue_now(load->site.queue);
		each_timer(load, timer_pause);
	}
	for (unsigned i = 0; tasks && i < load->n_tasks; i++)
		hold_task(&load->tasks[i], paused);
	load->paused = paused;
	if (!paused) {
		load->stood_nsec += queue_now(load->site.queue) - load->paused_nsec;
		each_timer(load, timer_resume);
	}
}

unsigned load_n_tasks(const struct load *load)
{
	return load->n_tasks;
}

struct task *load_task(struct load *load, unsigned i)
{
	return &load->tasks[i].task;
}

struct metrics_group *load_task_group(struct load *load, unsigned i)
{
	return load->tasks[i].group;
}
