/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What tasks do: pure programs over a kernel's tasks, which run in a guest and on the bare host
 * alike. SCENARIOS.md says what each is. */
#pragma once

#include "tests/sim/dice.h"
#include "tests/sim/kernel.h"
#include "tests/sim/metrics.h"
#include "tests/sim/text.h"

struct timetable; /* tests/lab/dvfs/timetable.h */

enum load_program {
	LOAD_PERIODIC,
	LOAD_WAVE,
	LOAD_UI,
	LOAD_STORAGE,
	LOAD_INFERENCE,
	LOAD_HOG,
	LOAD_COMPILE,
	LOAD_SERVER,
	LOAD_NOISE,
	LOAD_TIMETABLE,
	LOAD_N
};

struct scenario_load {
	char name[METRICS_NAME_MAX];
	enum load_program program;
	bool on_host;
	unsigned first_vm, n_vms;
	uint64_t cpus;			/* on the host */
	bool neighbour, background;	/* others' work; work that nobody waits for */
	uint64_t from_nsec, until_nsec; /* of the load's clock */
	unsigned tasks, requests, layers, weight;
	struct text_amount work, high, heavy;
	struct text_range share, join, ask; /* ui's and storage's parts, of work */
	struct text_range period, wait, hop, mix, every;
	uint64_t jitter_nsec;
	double vary;
	uint64_t deadline_nsec; /* 0: the period; SIM_NEVER: none */
	bool placed, roam, ramp, drop;
	unsigned first_place;
	struct timetable *timetable;
};

/* Reads the words of a line from at on: "PROGRAM key value ...". -EINVAL, said; -errno of a
 * timetable's file. */
int load_parse(const struct text_line *line, unsigned at, struct scenario_load *load);

/* Where a load runs: in a guest, or on the host. A place is a vCPU, or what stands for it: on the
 * host the CPUs that the vCPU may use. */
struct load_site {
	struct queue *queue;
	struct kernel *kernel;
	const char *vm; /* the name, for the dice */
	uint64_t seed;
	unsigned n_places;
	uint64_t place[SIM_CPUS_MAX]; /* by bit; 0: that vCPU is off */
	uint64_t allowed;	      /* of tasks that have no place: all places */
};

struct load;

/* Its groups of bursts: one by its own name; of a timetable one for each kind of task, "NAME.KIND".
 * How many. */
unsigned load_groups(const struct scenario_load *config,
		     char ret_names[METRICS_GROUPS_MAX][METRICS_NAME_MAX]);

/* Begins it now. What config, site->vm and groups (as many as load_groups() says) point to must
 * outlive it. NULL: no memory. */
struct load *load_new(const struct scenario_load *config, const struct load_site *site,
		      struct metrics_group *const groups[]);
void load_free(struct load *load);
/* The places have changed; the kernel is the same. */
void load_moved(struct load *load, const struct load_site *site);
/* Its clock stands, and so do its tasks, if tasks says so (a guest's do by themselves). */
void load_pause(struct load *load, bool paused, bool tasks);

uint64_t load_now(const struct load *load); /* of its clock, which begins with the queue's */
unsigned load_n_tasks(const struct load *load);
struct task *load_task(struct load *load, unsigned i);
struct metrics_group *load_task_group(struct load *load, unsigned i);
