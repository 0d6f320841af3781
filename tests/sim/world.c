/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/sim/world_private.h"

#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "common/macro.h"

/* So often it is looked at which frequency tasks have: no divisor of what loads use as their
 * periods. */
#define SAMPLE_NSEC (997 * SIM_USEC)
/* Bursts that begin in the last part of a run don't count: they would have no time to end. */
#define TAIL_SHARE 20

static const struct arm *find_arm(enum arm_kind kind)
{
	switch (kind) {
	case ARM_PATCHES:
		return &arm_patches;
	case ARM_WITH:
		return &arm_vmfreq;
	case ARM_NATIVE:
	case ARM_WITHOUT:
	case ARM_PINNED:
	case ARM_N:
		break;
	}
	return NULL;
}

const char *arm_name(enum arm_kind arm)
{
	static const char *const names[ARM_N] = {"native", "without", "patches", "with", "pinned"};

	return names[arm];
}

struct queue *world_queue(struct world *world)
{
	return world->queue;
}

struct machine *world_machine(struct world *world)
{
	return world->machine;
}

const struct scenario *world_scenario(const struct world *world)
{
	return world->scenario;
}

enum arm_kind world_arm(const struct world *world)
{
	return world->arm;
}

uint64_t world_seed(const struct world *world)
{
	return world->seed;
}

unsigned world_n_vms(const struct world *world)
{
	return world->scenario->n_vms;
}

struct vm *world_vm(struct world *world, unsigned i)
{
	return world->vms[i].vm;
}

struct arm_figures *world_arm_figures(struct world *world)
{
	return &world->arm_figures;
}

unsigned world_n_groups(const struct world *world)
{
	return world->n_groups;
}

const struct metrics_group *world_group(const struct world *world, unsigned i)
{
	return &world->groups[i];
}

/* -- looking -- */

/* The host's CPU that a task of a load runs on now, or -1. */
static int host_cpu(struct world *world, const struct world_load *load, const struct task *task)
{
	const struct task *thread;

	if (!task->running)
		return -1;
	if (load->config->on_host || world->arm == ARM_NATIVE)
		return (int)task->cpu;
	thread = vm_thread(world->vms[load->vm].vm, task->cpu);
	return thread->running ? (int)thread->cpu : -1;
}

static void sample(struct event *event)
{
	struct world *world = WORLD_CONTAINER(event, struct world, sample);

	for (unsigned i = 0; i < world->n_loads; i++) {
		struct world_load *load = &world->loads[i];

		for (unsigned t = 0; load->load && t < load_n_tasks(load->load); t++) {
			struct metrics_group *group = load_task_group(load->load, t);
			int cpu = host_cpu(world, load, load_task(load->load, t));

			if (cpu < 0)
				continue;
			group->running_nsec += SAMPLE_NSEC;
			group->mhz_nsec += (double)SAMPLE_NSEC *
					   machine_khz(world->machine, (unsigned)cpu) / 1000;
		}
	}
	queue_set(world->queue, event, queue_now(world->queue) + SAMPLE_NSEC);
}

static void on_warm(struct event *event)
{
	struct world *world = WORLD_CONTAINER(event, struct world, warm);

	machine_reset_figures(world->machine);
	world_account(world);
	for (unsigned i = 0; i < world->n_groups; i++)
		world->groups[i].offered_nsec = world->groups[i].done_nsec = 0;
	for (unsigned i = 0; i < world->n_loads; i++)
		if (world->loads[i].load)
			world_count_done(world->loads[i].load, -1);
	world->sample.fire = sample;
	queue_set(world->queue, &world->sample, queue_now(world->queue) + SAMPLE_NSEC);
}

static void on_steady(struct event *event)
{
	struct world *world = WORLD_CONTAINER(event, struct world, steady);
	struct machine_figures figures;

	machine_figures(world->machine, &figures);
	if (!world->is_steady) {
		world->is_steady = true;
		world->changes_before = figures.changes;
		queue_set(world->queue, event, world->scenario->steady_until_nsec);
	} else {
		world->changes_steady = figures.changes - world->changes_before;
		world->was_steady = true;
	}
}

/* -- making -- */

static void name_groups(struct world *world)
{
	for (unsigned i = 0; i < world->scenario->n_loads; i++) {
		const struct scenario_load *config = &world->scenario->loads[i];
		char names[METRICS_GROUPS_MAX][METRICS_NAME_MAX];
		unsigned n = load_groups(config, names);

		for (unsigned j = 0; j < n && world->n_groups < METRICS_GROUPS_MAX; j++) {
			struct metrics_group *group = &world->groups[world->n_groups++];

			memcpy(group->name, names[j], METRICS_NAME_MAX);
			group->neighbour = config->neighbour;
			group->background = config->background;
			group->userdata = world;
			if (config->program == LOAD_WAVE && !config->ramp) {
				group->step_every_nsec = config->every.low;
				group->step_from_nsec = config->from_nsec;
			}
		}
	}
}

static void add_load(struct world *world, const struct scenario_load *config, unsigned vm,
		     unsigned first_group, unsigned n_groups)
{
	struct world_load *load = &world->loads[world->n_loads++];

	load->world = world;
	load->config = config;
	load->vm = vm;
	for (unsigned i = 0; i < n_groups; i++)
		load->groups[i] = &world->groups[first_group + i];
}

static int add_loads(struct world *world)
{
	const struct scenario *scenario = world->scenario;
	unsigned n = 0, group = 0;

	for (unsigned i = 0; i < scenario->n_loads; i++)
		n += scenario->loads[i].on_host ? 1 : scenario->loads[i].n_vms;
	world->loads = calloc(n + 1, sizeof(*world->loads));
	if (!world->loads)
		return -ENOMEM;
	for (unsigned i = 0; i < scenario->n_loads; i++) {
		const struct scenario_load *config = &scenario->loads[i];
		char names[METRICS_GROUPS_MAX][METRICS_NAME_MAX];
		unsigned n_groups = load_groups(config, names);

		for (unsigned j = 0; j < (config->on_host ? 1 : config->n_vms); j++)
			add_load(world, config, config->first_vm + j, group, n_groups);
		group += n_groups;
	}
	return 0;
}

static int add_vms(struct world *world)
{
	const struct scenario *scenario = world->scenario;

	world->vms = calloc(scenario->n_vms + 1, sizeof(*world->vms));
	if (!world->vms)
		return -ENOMEM;
	for (unsigned i = 0; i < scenario->n_vms; i++) {
		const struct scenario_vm *config = &scenario->vms[i];
		struct world_vm *vm = &world->vms[i];

		vm->world = world;
		vm->index = i;
		vm->online = config->vm.n_vcpus >= 64 ? UINT64_MAX
						      : (UINT64_C(1) << config->vm.n_vcpus) - 1;
		memcpy(vm->pin, config->vm.pin, sizeof(vm->pin));
		vm->start.fire = world_on_start;
		vm->stop.fire = world_on_stop;
		if (config->start_nsec > 0)
			queue_set(world->queue, &vm->start, config->start_nsec);
		queue_set(world->queue, &vm->stop, config->stop_nsec);
	}
	return 0;
}

static int add_steps(struct world *world)
{
	const struct scenario *scenario = world->scenario;

	world->steps = calloc(scenario->n_steps + 1, sizeof(*world->steps));
	if (!world->steps)
		return -ENOMEM;
	for (unsigned i = 0; i < scenario->n_steps; i++) {
		world->steps[i] = (struct world_step){
			.event.fire = world_on_step, .world = world, .step = &scenario->steps[i]};
		queue_set(world->queue, &world->steps[i].event, scenario->steps[i].at_nsec);
	}
	world->warm.fire = on_warm;
	queue_set(world->queue, &world->warm, scenario->warm_nsec);
	world->steady.fire = on_steady;
	if (scenario->steady_from_nsec != SIM_NEVER)
		queue_set(world->queue, &world->steady, scenario->steady_from_nsec);
	return 0;
}

static int make(struct world *world)
{
	struct machine_config config = world->scenario->machine;
	int r;

	config.performance = config.performance || world->arm == ARM_PINNED;
	world->queue = queue_new();
	if (!world->queue)
		return -ENOMEM;
	world->machine = machine_new(world->queue, &config);
	if (!world->machine)
		return -ENOMEM;
	name_groups(world);
	r = add_vms(world);
	if (r >= 0)
		r = add_loads(world);
	if (r >= 0)
		r = add_steps(world);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < world->n_loads; i++)
		if (world->loads[i].config->on_host)
			world_begin_load(&world->loads[i]);
	for (unsigned i = 0; i < world_n_vms(world); i++)
		if (world->scenario->vms[i].start_nsec == 0)
			world_start_vm(&world->vms[i]);
	return world->status;
}

struct world *world_new(const struct scenario *scenario, enum arm_kind arm, uint64_t seed)
{
	struct world *world = calloc(1, sizeof(*world));

	if (!world)
		return NULL;
	world->scenario = scenario;
	world->arm = arm;
	world->seed = seed;
	world->ops = find_arm(arm);
	if (make(world) < 0) {
		world_free(world);
		return NULL;
	}
	world->begun = true;
	if (world->ops && world->ops->begin)
		world->arm_state = world->ops->begin(world);
	return world;
}

void world_free(struct world *world)
{
	if (!world)
		return;
	for (unsigned i = 0; world->vms && i < world_n_vms(world); i++)
		if (world->vms[i].runs)
			world_stop_vm(&world->vms[i]);
	for (unsigned i = 0; world->loads && i < world->n_loads; i++)
		load_free(world->loads[i].load);
	if (world->begun && world->ops && world->ops->end)
		world->ops->end(world->arm_state);
	if (world->machine)
		machine_free(world->machine);
	if (world->queue)
		queue_free(world->queue);
	for (unsigned i = 0; i < world->n_groups; i++)
		free(world->groups[i].bursts);
	world_trace_free(world);
	free(world->vms);
	free(world->loads);
	free(world->steps);
	free(world);
}

/* -- running -- */

static uint64_t wall_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}

static void machine_part(struct world *world, struct run_figures *ret)
{
	const struct scenario *scenario = world->scenario;
	unsigned n_cpus = scenario->machine.kernel.n_cpus;
	struct machine_figures figures;
	double sum = 0;

	machine_figures(world->machine, &figures);
	ret->length_nsec = (double)figures.nsec;
	ret->energy_mj = figures.energy_mj;
	ret->throttled = figures.throttled_nsec / ret->length_nsec;
	ret->changes_per_sec = (double)figures.changes * (double)SIM_SEC / ret->length_nsec;
	if (world->was_steady)
		ret->changes_per_sec =
			(double)world->changes_steady * (double)SIM_SEC /
			(double)(scenario->steady_until_nsec - scenario->steady_from_nsec);
	for (unsigned cpu = 0; cpu < n_cpus; cpu++) {
		double top = machine_max_khz(world->machine, cpu) / 1000.0;

		sum += figures.khz_nsec[cpu] / ret->length_nsec / 1000;
		ret->top_mhz = MAX(ret->top_mhz, top);
	}
	ret->mean_mhz = sum / n_cpus;
}

static void group_part(struct world *world, struct run_figures *ret)
{
	uint64_t end = queue_now(world->queue);
	uint64_t last = end - (end - world->scenario->warm_nsec) / TAIL_SHARE;

	world_account(world);
	for (unsigned i = 0; i < world->n_loads; i++)
		if (world->loads[i].load)
			world_count_done(world->loads[i].load, 1);
	ret->n_groups = world->n_groups;
	for (unsigned i = 0; i < world->n_groups; i++) {
		metrics_figures(&world->groups[i], world->scenario->warm_nsec, last, end,
				&ret->groups[i]);
		ret->all_work_nsec += ret->groups[i].done_nsec;
		if (world->groups[i].no_memory)
			world->status = -ENOMEM;
	}
	for (unsigned i = 0; i < world->n_loads; i++)
		if (world->loads[i].load)
			world_count_done(world->loads[i].load, -1);
}

void world_run(struct world *world, struct run_figures *ret)
{
	uint64_t begun = wall_usec();
	struct rusage usage;

	*ret = (struct run_figures){};
	queue_run(world->queue, world->scenario->length_nsec);
	machine_part(world, ret);
	group_part(world, ret);
	ret->arm = world->arm_figures;
	ret->status = world->status;
	ret->events = queue_fired(world->queue);
	ret->wall_usec = wall_usec() - begun;
	if (getrusage(RUSAGE_SELF, &usage) == 0)
		ret->memory_kb = (uint64_t)usage.ru_maxrss;
}
