/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A scenario as its text says it (tests/sim/SCENARIOS.md has the language), and what must hold of it. */
#pragma once

#include "tests/sim/world.h"

#define SCENARIO_NAME_MAX 64U

/* The path between a guest and the host, each way. */
struct path_config {
	uint64_t delay_nsec;	/* from the write to the other's wake-up, at least */
	uint64_t jitter_nsec;	/* exponential, on top; nothing overtakes */
	double stall_share;	/* of the messages that take stall_nsec instead: vhost's worker waits for a CPU */
	uint64_t stall_nsec;
	uint64_t cut_every_nsec; /* mean time between two cuts of the connection; 0: never. guestd reconnects. */
};

enum agent_kind { AGENT_NONE, AGENT_BPF, AGENT_PROC, AGENT_LIAR };

/* What a VM's guestd is, and what its operator grants it ([domain …]). */
struct agent_config {
	enum agent_kind kind;
	uint16_t lie_util1024;	 /* a liar's claim for each vCPU, whatever it does */
	uint64_t lie_period_nsec; /* it claims that for half of it, and nothing for the other; 0: always */
	uint64_t silent_from_nsec, silent_until_nsec;
	uint16_t floor_max1024;
	unsigned weight;
	unsigned goal;		 /* index in {balanced, speed, energy, off} */
	bool feedback;
};

struct scenario_vm {
	struct vm_config vm; /* vm.name is owned by the scenario */
	struct agent_config agent;
	uint64_t start_nsec, stop_nsec; /* SIM_NEVER: it runs to the end */
};

struct host_config;

/* What tasks do is load.h's; what has to hold is bound.h's. Both are opaque here. */
struct scenario_load;
struct scenario_bound;

struct scenario {
	char name[SCENARIO_NAME_MAX];
	char *about;
	uint64_t warm_nsec, length_nsec; /* figures are of what comes after warm_nsec */
	uint64_t steady_from_nsec, steady_until_nsec; /* "steady"; both SIM_NEVER: it never is */
	struct machine_config machine;
	struct path_config path;
	unsigned n_vms;
	struct scenario_vm *vms;
	unsigned n_loads;
	struct scenario_load *loads;
	unsigned n_bounds;
	struct scenario_bound *bounds;
	uint16_t budget1024_percent; /* hostd's budget: 0 is none, else percent of one largest CPU */
	struct scenario_step *steps; /* what happens at a time: hotplug, pause, pins, a CPU goes offline */
	unsigned n_steps;
	const struct host_config *hostd; /* not of its text: NULL is hostd as by default */
};

/* Reads one. -errno, with "FILE:LINE: what is wrong" on stderr. */
int scenario_read(const char *path, struct scenario **ret);
void scenario_free(struct scenario *scenario);
