/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What happens in a world, as text: "TIME(ms) WHAT". Frequencies and clamps are looked at every 100
 * us, and said when they have changed; a burst is said when it ends. */
#include <stdlib.h>

#include "tests/sim/world_private.h"

#define LOOK_NSEC (100 * SIM_USEC)

struct world_tracer {
	struct event event;
	struct world *world;
	FILE *file;
	uint32_t khz[SIM_CPUS_MAX];
	struct clamp {
		uint16_t min, max;
	} (*clamps)[SIM_CPUS_MAX]; /* by VM and vCPU */
};

static double now_msec(struct world *world)
{
	return (double)queue_now(world->queue) / (double)SIM_MSEC;
}

static void look_at_frequencies(struct world_tracer *tracer)
{
	struct world *world = tracer->world;

	for (unsigned cpu = 0; cpu < world->scenario->machine.kernel.n_cpus; cpu++) {
		uint32_t khz = machine_khz(world->machine, cpu);

		if (khz != tracer->khz[cpu])
			fprintf(tracer->file, "%10.3f  cpu%-2u %u MHz\n", now_msec(world), cpu,
				khz / 1000);
		tracer->khz[cpu] = khz;
	}
}

static void look_at_vm(struct world_tracer *tracer, unsigned i)
{
	struct world *world = tracer->world;
	const struct vm_config *config = &world->scenario->vms[i].vm;

	for (unsigned vcpu = 0; vcpu < config->n_vcpus; vcpu++) {
		const struct task *thread = vm_thread(world->vms[i].vm, vcpu);
		struct clamp *last = &tracer->clamps[i][vcpu];

		if (thread->uclamp_min != last->min || thread->uclamp_max != last->max)
			fprintf(tracer->file, "%10.3f  %s vcpu%u on cpu%u: clamps %u to %u\n",
				now_msec(world), config->name, vcpu, thread->cpu,
				thread->uclamp_min, thread->uclamp_max);
		*last = (struct clamp){thread->uclamp_min, thread->uclamp_max};
	}
}

static void look(struct event *event)
{
	struct world_tracer *tracer = WORLD_CONTAINER(event, struct world_tracer, event);
	struct world *world = tracer->world;

	look_at_frequencies(tracer);
	for (unsigned i = 0; i < world_n_vms(world); i++)
		if (world->vms[i].vm)
			look_at_vm(tracer, i);
	queue_set(world->queue, event, queue_now(world->queue) + LOOK_NSEC);
}

static void burst_ended(const struct metrics_group *group, const struct metrics_burst *burst)
{
	struct world *world = group->userdata;
	uint64_t time = burst->ended_nsec - burst->released_nsec;

	fprintf(world->tracer->file, "%10.3f  %s: %.3f ms for %.3f ms of work%s\n", now_msec(world),
		group->name, (double)time / (double)SIM_MSEC, burst->work_nsec / (double)SIM_MSEC,
		burst->deadline_nsec != SIM_NEVER && time > burst->deadline_nsec ? ", too late"
										 : "");
}

void world_trace(struct world *world, FILE *file)
{
	struct world_tracer *tracer = calloc(1, sizeof(*tracer));

	if (!tracer)
		return;
	tracer->clamps = calloc(world_n_vms(world) + 1, sizeof(*tracer->clamps));
	if (!tracer->clamps) {
		free(tracer);
		return;
	}
	for (unsigned i = 0; i < world_n_vms(world); i++)
		for (unsigned vcpu = 0; vcpu < SIM_CPUS_MAX; vcpu++)
			tracer->clamps[i][vcpu].max = 1024;
	tracer->world = world;
	tracer->file = file;
	tracer->event.fire = look;
	world->tracer = tracer;
	for (unsigned i = 0; i < world->n_groups; i++)
		world->groups[i].ended = burst_ended;
	queue_set(world->queue, &tracer->event, queue_now(world->queue));
}

void world_trace_free(struct world *world)
{
	if (!world->tracer)
		return;
	free(world->tracer->clamps);
	free(world->tracer);
}
