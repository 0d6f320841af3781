/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A VM: a guest's kernel, whose CPUs are vCPU threads on the host. */
#pragma once

#include "tests/sim/machine.h"

struct vm_config {
	const char *name;
	unsigned n_vcpus;
	uint64_t pin[SIM_CPUS_MAX];  /* host CPUs that each vCPU may use */
	uint64_t halt_poll_nsec;     /* the most that a halted vCPU polls (kvm.halt_poll_ns: 200 us); it grows and
				      * shrinks as kvm_vcpu_halt() does */
	uint64_t exit_nsec;	     /* work that a wake-up, a timer or a tick costs the thread */
	bool invariant;		     /* the guest's load tracking follows its cpufreq (arm64) */
	bool counts;		     /* or rather counters of its own (AMU); with invariant alone */
	struct kernel_config kernel; /* of the guest; n_cpus, capacity and invariant are set here */
};

struct vm;

/* What an arm of the comparison is told; any may be NULL. */
struct vm_ops {
	void (*updated)(void *userdata, struct vm *vm, unsigned vcpu, bool iowait);
	void (*idle)(void *userdata, struct vm *vm, unsigned vcpu, bool idle);
};

struct vm *vm_new(struct queue *queue, struct machine *machine, const struct vm_config *config);
void vm_free(struct vm *vm);
void vm_set_ops(struct vm *vm, const struct vm_ops *ops, void *userdata);
struct kernel *vm_kernel(struct vm *vm);
const struct vm_config *vm_config(const struct vm *vm);
struct task *vm_thread(struct vm *vm, unsigned vcpu); /* the vCPU's thread on the host */

/* The guest's cpufreq: what its load tracking takes as its scale, 0..1. Only if invariant. */
void vm_set_scale(struct vm *vm, unsigned vcpu, double scale);
double vm_scale(const struct vm *vm, unsigned vcpu);
/* From now on it is what the host gives, at each moment: capacity and frequency of the thread's CPU, and for one that sleeps
 * what it had last. The KVM-CPUFreq patches' way. */
void vm_follow_scale(struct vm *vm, bool follow);

/* `virsh suspend` and resume: its threads don't run, its clock stands. */
void vm_pause(struct vm *vm, bool paused);
void vm_set_online(struct vm *vm, unsigned vcpu, bool online); /* `virsh setvcpu --live` */

/* Runs a small task in the guest as guestd would be: on the vCPU where it is, work in nsec; fires when done. */
void vm_run_agent(struct vm *vm, double work_nsec, struct event *done);

/* That task, of the guest's kernel: guestd leaves itself out of what it reports. It is there from the start. */
struct task *vm_agent(struct vm *vm);
