/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What VMs and loads of a world go through: they begin, end, stand, and move. */
#include "tests/sim/world_private.h"

#include <string.h>

#include "common/macro.h"

/* -- loads -- */

/* Where a VM's loads run: in it, or on what its vCPUs may use of the bare host. */
static struct load_site vm_site(struct world *world, unsigned index)
{
	const struct world_vm *vm = &world->vms[index];
	const struct vm_config *config = &world->scenario->vms[index].vm;
	bool native = world->arm == ARM_NATIVE;
	struct load_site site = {
		.queue = world->queue,
		.kernel = native ? machine_kernel(world->machine) : vm_kernel(vm->vm),
		.vm = config->name,
		.seed = world->seed,
		.n_places = config->n_vcpus,
	};

	for (unsigned i = 0; i < config->n_vcpus; i++) {
		bool on = vm->online & UINT64_C(1) << i;

		site.place[i] = !on ? 0 : native ? vm->pin[i] : UINT64_C(1) << i;
		site.allowed |= native ? site.place[i] : UINT64_C(1) << i;
	}
	return site;
}

static struct load_site host_site(struct world *world, const struct scenario_load *config)
{
	struct load_site site = {
		.queue = world->queue,
		.kernel = machine_kernel(world->machine),
		.vm = "host",
		.seed = world->seed,
		.allowed = config->cpus,
	};

	for (unsigned cpu = 0; cpu < SIM_CPUS_MAX; cpu++)
		if (config->cpus & UINT64_C(1) << cpu)
			site.place[site.n_places++] = UINT64_C(1) << cpu;
	return site;
}

/* Brings the work that tasks have done up to now. */
static void account(struct kernel *kernel, unsigned n_cpus)
{
	struct cpu_view view;

	for (unsigned cpu = 0; cpu < n_cpus; cpu++)
		kernel_view(kernel, cpu, &view);
}

void world_account(struct world *world)
{
	account(machine_kernel(world->machine), world->scenario->machine.kernel.n_cpus);
	for (unsigned i = 0; i < world_n_vms(world); i++)
		if (world->vms[i].vm)
			account(vm_kernel(world->vms[i].vm), world->scenario->vms[i].vm.n_vcpus);
}

/* Adds what a load's tasks have done to their groups, or takes it off. */
void world_count_done(struct load *load, double sign)
{
	for (unsigned i = 0; i < load_n_tasks(load); i++)
		load_task_group(load, i)->done_nsec += sign * load_task(load, i)->done_nsec;
}

void world_begin_load(struct world_load *load)
{
	struct world *world = load->world;
	const struct load_site site =
		load->config->on_host ? host_site(world, load->config) : vm_site(world, load->vm);

	load->load = load_new(load->config, &site, load->groups);
	if (!load->load)
		world->status = -ENOMEM;
}

static void end_load(struct world_load *load)
{
	if (!load->load)
		return;
	world_account(load->world);
	world_count_done(load->load, 1);
	load_free(load->load);
	load->load = NULL;
}

/* The loads of a VM: in a row. */
#define FOREACH_LOAD(world, index, one)                                                            \
	for (struct world_load *one = (world)->loads; one < (world)->loads + (world)->n_loads;     \
	     one++)                                                                                \
		if (!one->config->on_host && one->vm == (index))

/* -- VMs -- */

void world_start_vm(struct world_vm *vm)
{
	struct world *world = vm->world;
	const struct scenario_vm *config = &world->scenario->vms[vm->index];

	vm->runs = true;
	if (world->arm != ARM_NATIVE) {
		struct vm_config like = config->vm;

		/* Their kernels tell the guest's load tracking what the host gives. */
		if (world->arm == ARM_PATCHES)
			like.invariant = world->scenario->machine.kernel.invariant;
		vm->vm = vm_new(world->queue, world->machine, &like);
		if (!vm->vm) {
			world->status = -ENOMEM;
			return;
		}
	}
	FOREACH_LOAD(world, vm->index, load)
	world_begin_load(load);
	if (world->begun && world->ops && world->ops->vm_started)
		world->ops->vm_started(world->arm_state, vm->vm);
}

void world_stop_vm(struct world_vm *vm)
{
	struct world *world = vm->world;
	struct vm *stopped = TAKE_PTR(vm->vm);

	FOREACH_LOAD(world, vm->index, load)
	if (load->load) {
		if (stopped)
			account(vm_kernel(stopped), world->scenario->vms[vm->index].vm.n_vcpus);
		end_load(load);
	}
	vm->runs = false;
	if (!stopped)
		return;
	if (world->begun && world->ops && world->ops->vm_stopped)
		world->ops->vm_stopped(world->arm_state, stopped);
	vm_free(stopped);
}

void world_on_start(struct event *event)
{
	world_start_vm(WORLD_CONTAINER(event, struct world_vm, start));
}

void world_on_stop(struct event *event)
{
	world_stop_vm(WORLD_CONTAINER(event, struct world_vm, stop));
}

static void changed(struct world_vm *vm)
{
	struct world *world = vm->world;

	if (vm->vm && world->begun && world->ops && world->ops->vm_changed)
		world->ops->vm_changed(world->arm_state, vm->vm);
}

static void move_loads(struct world_vm *vm)
{
	const struct load_site site = vm_site(vm->world, vm->index);

	FOREACH_LOAD(vm->world, vm->index, load)
	if (load->load)
		load_moved(load->load, &site);
}

static void pause_vm(struct world_vm *vm, bool paused)
{
	if (vm->vm)
		vm_pause(vm->vm, paused);
	FOREACH_LOAD(vm->world, vm->index, load)
	if (load->load)
		load_pause(load->load, paused, vm->vm == NULL);
	changed(vm);
}

static void plug_vcpu(struct world_vm *vm, unsigned vcpu, bool on)
{
	if (on)
		vm->online |= UINT64_C(1) << vcpu;
	else
		vm->online &= ~(UINT64_C(1) << vcpu);
	/* Tasks leave before their CPU does, and come after it has come. */
	if (!on)
		move_loads(vm);
	if (vm->vm)
		vm_set_online(vm->vm, vcpu, on);
	if (on)
		move_loads(vm);
	changed(vm);
}

static void pin_vm(struct world_vm *vm, const uint64_t *pin)
{
	unsigned n = vm->world->scenario->vms[vm->index].vm.n_vcpus;

	memcpy(vm->pin, pin, n * sizeof(*pin));
	for (unsigned i = 0; vm->vm && i < n; i++)
		task_set_allowed(vm_thread(vm->vm, i), pin[i]);
	if (!vm->vm)
		move_loads(vm);
	changed(vm);
}

void world_on_step(struct event *event)
{
	struct world_step *one = WORLD_CONTAINER(event, struct world_step, event);
	const struct scenario_step *step = one->step;
	struct world *world = one->world;

	if (step->kind == STEP_CPU) {
		kernel_set_online(machine_kernel(world->machine), step->cpu, step->on);
		return;
	}
	for (unsigned i = step->first_vm; i < step->first_vm + step->n_vms; i++) {
		struct world_vm *vm = &world->vms[i];

		if (!vm->runs)
			continue;
		if (step->kind == STEP_VCPU)
			plug_vcpu(vm, step->cpu, step->on);
		else if (step->kind == STEP_PIN)
			pin_vm(vm, step->pin);
		else
			pause_vm(vm, step->kind == STEP_PAUSE);
	}
}
