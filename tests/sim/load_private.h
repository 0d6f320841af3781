/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the programs of load.h are made of: timers of the load's clock, and tasks with a queue of
 * jobs. */
#pragma once

#include "tests/sim/load.h"

#define LOAD_NOWHERE UINT32_MAX /* a task that the kernel places */

struct load_task;

struct load_timer {
	struct event event;
	struct load *load;
	void (*fire)(struct load_timer *timer);
	uint64_t left_nsec; /* while the clock stands */
	bool held;
};

/* Something that is to be done from its release on: a period, a frame, a request. */
struct load_round {
	size_t burst;
	uint64_t released_nsec;
	double scale;  /* of its work */
	unsigned left; /* parts, requests or layers */
	struct load_round *next;
};

/* A part of it, for one task. */
struct load_job {
	struct load_job *next;
	double work_nsec;
	bool iowait;
	void (*done)(struct load_task *task, struct load_job *job);
	struct load_round *round;
	size_t index; /* the program's */
};

struct load_task {
	struct task task;
	struct load *load;
	struct metrics_group *group;
	unsigned index, place;
	struct dice dice;
	struct load_timer timer;
	struct load_job *first, **last;
	bool in_done, held;
	double held_nsec;
	/* Of periodic ones. */
	uint64_t period_nsec, base_nsec;
	double work_nsec;
	struct load_task *idle; /* server's */
};

struct load_ops {
	int (*begin)(struct load *load); /* -ENOMEM */
	void (*end)(struct load *load);	 /* may be NULL */
	/* Does that with each timer that isn't struct load's or struct load_task's; may be NULL. */
	void (*timers)(struct load *load, void (*what)(struct load_timer *));
};

struct load {
	const struct scenario_load *config;
	const struct load_ops *ops;
	struct load_site site;
	struct dice dice, hop_dice, mix_dice;
	struct load_timer timer, hop, mix;
	uint64_t stood_nsec, paused_nsec;
	bool paused;
	unsigned n_tasks, n_timers;
	struct load_task *tasks;
	struct load_round *rounds, **last_round; /* that wait or are under way */
	struct load_task *idle;			 /* server's */
	void *state;
};

extern const struct load_ops load_periodic, load_ui, load_storage, load_inference, load_hog,
	load_compile, load_server, load_noise, load_timetable;

/* When it is that time by the load's clock. A timer's fire and load must be set. */
void load_timer_set(struct load_timer *timer, uint64_t at_nsec);

/* Gives a task work, behind what it has. No memory: it is lost, and the group says so. */
void load_offer(struct load_task *task, double work_nsec, bool iowait,
		void (*done)(struct load_task *, struct load_job *), struct load_round *round,
		size_t index);
/* Released now, and put behind the others. NULL: no memory. */
struct load_round *load_round_new(struct load *load, struct metrics_group *group,
				  uint64_t deadline_nsec);
/* It has ended now. The first of the list is taken off it and freed. */
void load_round_end(struct load *load, struct metrics_group *group);
void load_place(struct load_task *task, unsigned place);
void load_place_elsewhere(struct load_task *task, struct dice *dice);

/* The task whose timer it is. */
#define CONTAINER_OF_TIMER(p)                                                                      \
	((struct load_task *)(void *)((char *)(p)-offsetof(struct load_task, timer)))

static inline double load_draw(struct dice *dice, const struct text_amount *amount)
{
	return amount->low + (amount->high - amount->low) * dice_share(dice);
}

static inline uint64_t load_draw_nsec(struct dice *dice, const struct text_range *range)
{
	return dice_between(dice, range->low, range->high);
}
