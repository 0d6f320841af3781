/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rival: the KVM-CPUFreq patches (RFC by D. Dai and S. Kannan, 2023). The guest's cpufreq
 * driver hands what its schedutil makes of each vCPU's utilization to the host by a hypercall; the
 * host takes it for the thread's, where it is larger (util_guest); and the guest's frequency scale
 * is what the host gives, at once. */
#include "common/macro.h"
#include "tests/sim/sugov_model.h"
#include "tests/sim/world.h"

#include <stdlib.h>

#define RATE_LIMIT_NSEC                                                                            \
	SIM_MSEC /* cpufreq_policy_transition_delay_us() of a driver that states no latency */
#define HYPERCALL_NSEC 3000. /* of work */

struct hinted {
	struct vm *vm;
	struct patches *patches;
	struct hinted *next;
	struct {
		struct sugov_cpu sugov;
		uint64_t sent_nsec;
		double sent;
	} vcpu[SIM_CPUS_MAX];
};

struct patches {
	struct world *world;
	struct hinted *vms;
};

/* sugov_update_single_freq(): no less while the CPU hasn't idled. */
static void updated(void *userdata, struct vm *vm, unsigned vcpu, bool iowait)
{
	struct hinted *hinted = userdata;
	struct sugov_cpu *sugov = &hinted->vcpu[vcpu].sugov;
	const struct kernel_config *config = kernel_config(vm_kernel(vm));
	uint64_t now = queue_now(world_queue(hinted->patches->world));
	struct cpu_signal signal;
	double util, boost;

	sugov_iowait(sugov, now, config->tick_nsec, iowait);
	if (now - hinted->vcpu[vcpu].sent_nsec < RATE_LIMIT_NSEC)
		return;
	kernel_signal(vm_kernel(vm), vcpu, &signal);
	boost = sugov_boost(sugov, now, config->tick_nsec, 1024);
	util = sugov_util(&signal, 1024, config->runnable_boost);
	util = MAX(util, boost);
	if (sugov_hold(sugov, &signal, 1024) && util < hinted->vcpu[vcpu].sent)
		return;
	if (util == hinted->vcpu[vcpu].sent)
		return;
	hinted->vcpu[vcpu].sent = util;
	hinted->vcpu[vcpu].sent_nsec = now;
	task_set_util_guest(vm_thread(vm, vcpu), util);
	kernel_charge(vm_kernel(vm), vcpu, HYPERCALL_NSEC);
}

static const struct vm_ops ops = {.updated = updated};

static struct hinted **find(struct patches *patches, const struct vm *vm)
{
	struct hinted **link = &patches->vms;

	while (*link && (*link)->vm != vm)
		link = &(*link)->next;
	return link;
}

static void vm_started(void *state, struct vm *vm)
{
	struct patches *patches = state;
	struct hinted **link = find(patches, vm);

	if (*link)
		return;
	*link = calloc(1, sizeof(**link));
	if (!*link)
		abort();
	(*link)->vm = vm;
	(*link)->patches = patches;
	vm_follow_scale(vm, true);
	vm_set_ops(vm, &ops, *link);
}

static void vm_stopped(void *state, struct vm *vm)
{
	struct hinted **link = find(state, vm), *gone = *link;

	if (!gone)
		return;
	vm_set_ops(vm, NULL, NULL);
	*link = gone->next;
	free(gone);
}

static void vm_changed(_unused_ void *state, _unused_ struct vm *vm)
{
	/* The hint belongs to the thread, wherever it runs. */
}

static void *begin(struct world *world)
{
	struct patches *patches = calloc(1, sizeof(*patches));

	if (!patches)
		abort();
	patches->world = world;
	for (unsigned i = 0; i < world_n_vms(world); i++)
		if (world_vm(world, i))
			vm_started(patches, world_vm(world, i));
	return patches;
}

/* The VMs that still run are nobody's from now on. */
static void end(void *state)
{
	struct patches *patches = state;

	for (unsigned i = 0; i < world_n_vms(patches->world); i++)
		if (world_vm(patches->world, i))
			vm_stopped(patches, world_vm(patches->world, i));
	while (patches->vms) {
		struct hinted *gone = patches->vms;

		patches->vms = gone->next;
		free(gone);
	}
	free(patches);
}

const struct arm arm_patches = {
	.begin = begin,
	.vm_started = vm_started,
	.vm_stopped = vm_stopped,
	.vm_changed = vm_changed,
	.end = end,
};
