/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tests/sim/load.h"
#include "tests/sim/run.h"
#include "tests/sim/step.h"

#define WORLD_CONTAINER(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))

struct world_vm {
	struct world *world;
	unsigned index;
	bool runs;
	struct vm *vm; /* NULL on the bare host */
	uint64_t online, pin[SIM_CPUS_MAX];
	struct event start, stop;
};

struct world_load {
	struct world *world;
	const struct scenario_load *config;
	unsigned vm;
	struct load *load; /* NULL: its VM isn't running */
	struct metrics_group *groups[METRICS_GROUPS_MAX];
};

struct world_step {
	struct event event;
	struct world *world;
	const struct scenario_step *step;
};

struct world_tracer;

struct world {
	const struct scenario *scenario;
	enum arm_kind arm;
	const struct arm *ops; /* NULL: it does nothing */
	void *arm_state;
	struct arm_figures arm_figures;
	uint64_t seed;
	int status;
	bool begun;
	struct queue *queue;
	struct machine *machine;
	struct world_vm *vms;
	unsigned n_loads;
	struct world_load *loads;
	struct world_step *steps;
	unsigned n_groups;
	struct metrics_group groups[METRICS_GROUPS_MAX];
	struct event warm, sample, steady;
	bool is_steady, was_steady;
	uint64_t changes_before, changes_steady;
	struct world_tracer *tracer;
};

/* world_vms.c */
void world_begin_load(struct world_load *load);
void world_start_vm(struct world_vm *vm);
void world_stop_vm(struct world_vm *vm);
void world_on_start(struct event *event);
void world_on_stop(struct event *event);
void world_on_step(struct event *event);
/* Brings the work that all tasks have done up to now. */
void world_account(struct world *world);
/* Adds what a load's tasks have done to their groups, or (sign is -1) takes it off. */
void world_count_done(struct load *load, double sign);

/* trace.c */
void world_trace_free(struct world *world);
