/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The arm of the comparison that is vmfreq: a guestd in each VM, a hostd on the host, a path
 * between. */
#include <string.h>

#include "common/macro.h"
#include "tests/sim/guestd_model.h"
#include "tests/sim/hostd_model.h"

struct seat {
	struct seat *next;
	struct vm *vm;
	struct path *path;
	struct guestd_model *guestd;
};

struct arm_state {
	struct world *world;
	struct hostd_model *host;
	struct governor_policy policy; /* of guests that have a cpufreq */
	struct seat *seats;
	struct event warm;
};

/* What a guest that has a cpufreq is given: the operating points of the host's largest CPUs, each a
 * vCPU's own. */
static void take_policy(const struct machine_config *config, struct governor_policy *ret)
{
	const struct freq_domain *domain;
	unsigned best = 0;

	for (unsigned i = 1; i < config->kernel.n_cpus; i++)
		if (config->kernel.capacity[i] > config->kernel.capacity[best])
			best = i;
	domain = &config->domain[config->kernel.domain[best]];
	*ret = (struct governor_policy){.n_steps = MIN(domain->n_opps, GOVERNOR_STEPS_MAX)};
	for (unsigned i = 0; i < ret->n_steps; i++)
		ret->step_khz[i] = domain->opp[i].khz;
	if (ret->n_steps == 0)
		return;
	ret->min_khz = ret->step_khz[0];
	ret->top_khz = ret->max_khz = ret->step_khz[ret->n_steps - 1];
}

static const struct agent_config *agent_of(const struct world *world, const struct vm *vm)
{
	const struct scenario *scenario = world_scenario(world);

	for (unsigned i = 0; i < scenario->n_vms; i++)
		if (strcmp(scenario->vms[i].vm.name, vm_config(vm)->name) == 0)
			return &scenario->vms[i].agent;
	return NULL;
}

static struct seat *find(const struct arm_state *state, const struct vm *vm)
{
	for (struct seat *seat = state->seats; seat; seat = seat->next)
		if (seat->vm == vm)
			return seat;
	return NULL;
}

static void on_updated(void *userdata, _unused_ struct vm *vm, unsigned vcpu, _unused_ bool iowait)
{
	struct seat *seat = userdata;

	guestd_model_updated(seat->guestd, vcpu);
}

static void on_idle(void *userdata, _unused_ struct vm *vm, unsigned vcpu, bool idle)
{
	struct seat *seat = userdata;

	guestd_model_idle(seat->guestd, vcpu, idle);
}

static const struct vm_ops vm_ops = {on_updated, on_idle};

static bool seat_guestd(struct arm_state *state, struct seat *seat,
			const struct agent_config *agent)
{
	const struct guestd_world world = {.queue = world_queue(state->world),
					   .vm = seat->vm,
					   .path = seat->path,
					   .agent = agent,
					   .seed = world_seed(state->world),
					   .figures = world_arm_figures(state->world)};
	struct guestd_config config;

	guestd_config_init(&config);
	config.policy = state->policy;
	seat->guestd = guestd_model_new(&world, &config);
	if (seat->guestd)
		vm_set_ops(seat->vm, &vm_ops, seat);
	return seat->guestd;
}

static void vm_started(void *userdata, struct vm *vm)
{
	struct arm_state *state = userdata;
	const struct agent_config *agent = agent_of(state->world, vm);
	struct seat *seat;

	if (!agent || find(state, vm))
		return;
	seat = calloc(1, sizeof(*seat));
	if (!seat)
		return;
	seat->vm = vm;
	seat->path = path_new(world_queue(state->world), &world_scenario(state->world)->path,
			      world_seed(state->world), vm_config(vm)->name);
	seat->next = state->seats;
	state->seats = seat;
	if (seat->path)
		hostd_model_add(state->host, vm, seat->path, agent);
	if (seat->path && agent->kind != AGENT_NONE)
		seat_guestd(state, seat, agent);
}

static void free_seat(struct seat *seat)
{
	guestd_model_free(seat->guestd);
	path_free(seat->path);
	free(seat);
}

static void vm_stopped(void *userdata, struct vm *vm)
{
	struct arm_state *state = userdata;
	struct seat *seat = find(state, vm), **p = &state->seats;

	if (!seat)
		return;
	while (*p != seat)
		p = &(*p)->next;
	*p = seat->next;
	vm_set_ops(vm, NULL, NULL);
	hostd_model_remove(state->host, vm);
	free_seat(seat);
}

static void vm_changed(void *userdata, struct vm *vm)
{
	struct arm_state *state = userdata;

	hostd_model_changed(state->host, vm);
}

/* The last third of what is steady. */
static struct hostd_config hostd_config_of(const struct scenario *scenario)
{
	uint64_t from = scenario->steady_from_nsec, until = scenario->steady_until_nsec;
	struct hostd_config config;

	hostd_config_init(&config);
	if (scenario->hostd)
		config.host = *scenario->hostd;
	if (from < until) {
		config.settled_from_nsec = until - (until - from) / 3;
		config.settled_until_nsec = until;
	}
	config.figures_nsec = MAX(scenario->length_nsec - scenario->warm_nsec, UINT64_C(1));
	config.budget1024_percent = scenario->budget1024_percent;
	return config;
}

/* What came before isn't measured; floors that stand are there still. */
static void on_warm(struct event *event)
{
	struct arm_state *state = EVENT_OWNER(event, struct arm_state, warm);

	*world_arm_figures(state->world) = (struct arm_figures){};
}

static void *begin(struct world *world)
{
	const struct hostd_config config = hostd_config_of(world_scenario(world));
	struct arm_state *state = calloc(1, sizeof(*state));

	if (!state)
		return NULL;
	state->world = world;
	take_policy(machine_config(world_machine(world)), &state->policy);
	state->host = hostd_model_new(world_queue(world), world_machine(world), &config,
				      world_arm_figures(world));
	if (!state->host) {
		free(state);
		return NULL;
	}
	state->warm.fire = on_warm;
	queue_set(world_queue(world), &state->warm, world_scenario(world)->warm_nsec);
	for (unsigned i = 0; i < world_n_vms(world); i++)
		if (world_vm(world, i))
			vm_started(state, world_vm(world, i));
	return state;
}

static void end(void *userdata)
{
	struct arm_state *state = userdata;

	if (!state)
		return;
	queue_set(world_queue(state->world), &state->warm, SIM_NEVER);
	hostd_model_free(state->host);
	for (struct seat *seat = state->seats, *next; seat; seat = next) {
		next = seat->next;
		free_seat(seat);
	}
	free(state);
}

const struct arm arm_vmfreq = {begin, vm_started, vm_stopped, vm_changed, end};
