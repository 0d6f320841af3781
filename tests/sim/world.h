/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One run of a scenario: a machine, its VMs and loads, and one arm of the comparison. */
#pragma once

#include "tests/sim/dice.h"
#include "tests/sim/vm.h"

enum arm_kind {
	ARM_NATIVE,  /* bare host: the tasks are the host's own, on the CPUs that their VM may use */
	ARM_WITHOUT, /* a VM, and nobody helps */
	ARM_PATCHES, /* the KVM-CPUFreq patches: the guest says its utilization by hypercall, and the thread's is the
		      * larger of the two; the guest's kernel gets its frequency scale */
	ARM_WITH,    /* vmfreq */
	ARM_PINNED,  /* what an operator would do by hand: performance governor */
	ARM_N
};
const char *arm_name(enum arm_kind arm);

struct scenario; /* scenario.h */
struct world;

/* What an arm does. world.c knows them by a table. */
struct arm {
	/* NULL if it needs nothing. Called once the machine and the VMs that run from the start are there. */
	void *(*begin)(struct world *world);
	void (*vm_started)(void *state, struct vm *vm);
	void (*vm_stopped)(void *state, struct vm *vm);
	void (*vm_changed)(void *state, struct vm *vm); /* pins, hotplug, pause: libvirt's events */
	void (*end)(void *state);
};
extern const struct arm arm_patches, arm_vmfreq;

struct queue *world_queue(struct world *world);
struct machine *world_machine(struct world *world);
const struct scenario *world_scenario(const struct world *world);
enum arm_kind world_arm(const struct world *world);
uint64_t world_seed(const struct world *world);
unsigned world_n_vms(const struct world *world);
struct vm *world_vm(struct world *world, unsigned i); /* NULL: it isn't running */

/* What the vmfreq arm counts. */
struct arm_figures {
	uint64_t reports, bytes;
	uint64_t writes;	   /* sched_setattr() and the like */
	uint64_t nudges;
	uint64_t writes_settled;   /* in the last third of what the scenario calls steady */
	unsigned most_in_4ms;	   /* of one vCPU */
	double floors_sum_most;	   /* the largest sum of the CPUs' highest floors; with a budget alone */
	double feedback_bits;	   /* what a guest could learn of its neighbours: bits per second */
};
struct arm_figures *world_arm_figures(struct world *world);
