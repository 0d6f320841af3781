/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmfreq's arm in the simulator's own machine: a guest whose tasks change places. */
#include "tests/sim/scenario.h"
#include "tests/unit/test.h"

#define PERIOD_NSEC (16 * SIM_MSEC)
#define END_NSEC    (10 * SIM_SEC)

/* What world.h promises, with one VM of two vCPUs. */
struct world {
	struct queue *queue;
	struct machine *machine;
	struct vm *vm;
	struct scenario scenario;
	struct scenario_vm config;
	struct arm_figures figures;
	uint64_t seed;
};

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
	return &world->scenario;
}

uint64_t world_seed(const struct world *world)
{
	return world->seed;
}

unsigned world_n_vms(_unused_ const struct world *world)
{
	return 1;
}

struct vm *world_vm(struct world *world, _unused_ unsigned i)
{
	return world->vm;
}

struct arm_figures *world_arm_figures(struct world *world)
{
	return &world->figures;
}

/* A task that works for a part of each period, and should be done by its end. */
struct worker {
	struct task task;
	struct event release;
	struct world *world;
	double work_nsec;
	unsigned n, late;
	unsigned waiting; /* releases that aren't done */
};

static void on_release(struct event *event)
{
	struct worker *worker = EVENT_OWNER(event, struct worker, release);

	queue_set(worker->world->queue, event, queue_now(worker->world->queue) + PERIOD_NSEC);
	worker->n++;
	worker->late += worker->waiting > 0;
	if (worker->waiting++ == 0)
		task_wake(&worker->task, worker->work_nsec, false);
}

static void on_done(struct task *task)
{
	struct worker *worker = task->userdata;

	if (--worker->waiting > 0)
		task_wake(task, worker->work_nsec, false);
}

static const struct task_ops worker_ops = {.done = on_done};

struct swap {
	struct event event;
	struct world *world;
	struct worker *worker;
	struct dice dice;
};

static void on_swap(struct event *event)
{
	struct swap *swap = EVENT_OWNER(event, struct swap, event);
	uint64_t allowed = swap->worker[0].task.allowed;

	task_set_allowed(&swap->worker[0].task, swap->worker[1].task.allowed);
	task_set_allowed(&swap->worker[1].task, allowed);
	queue_set(swap->world->queue, event,
		  queue_now(swap->world->queue) + dice_between(&swap->dice, 60, 240) * SIM_MSEC);
}

/* How long A runs at worst before a floor of half a CPU comes. */
struct watch {
	struct event event;
	struct worker *worker;
	uint64_t since_nsec, worst_nsec;
};

static void on_watch(struct event *event)
{
	struct watch *watch = EVENT_OWNER(event, struct watch, event);
	struct world *world = watch->worker->world;
	uint64_t now = queue_now(world->queue);
	const struct task *task = &watch->worker->task;

	queue_set(world->queue, event, now + 50 * SIM_USEC);
	if (!task->running || vm_thread(world->vm, task->cpu)->uclamp_min >= 512) {
		watch->since_nsec = 0;
		return;
	}
	if (watch->since_nsec == 0)
		watch->since_nsec = now;
	if (now > SIM_SEC)
		watch->worst_nsec = MAX(watch->worst_nsec, now - watch->since_nsec);
}

/* What came of a run. */
struct result {
	unsigned late, n;
	uint64_t events, worst_nsec;
	struct arm_figures figures;
};

static void make_world(struct world *world, enum agent_kind kind, uint64_t seed)
{
	struct machine_config config;

	assert_true(machine_shape("separate", &config));
	*world = (struct world){.queue = queue_new(), .seed = seed};
	world->machine = machine_new(world->queue, &config);
	world->config = (struct scenario_vm){
		.vm = {.name = "a",
		       .n_vcpus = 2,
		       .pin = {1, 2},
		       .halt_poll_nsec = 200 * SIM_USEC,
		       .exit_nsec = 5 * SIM_USEC,
		       .invariant = true},
		.agent = {.kind = kind,
			  .lie_util1024 = 1024,
			  .floor_max1024 = 1024,
			  .feedback = true},
	};
	kernel_config_init(&world->config.vm.kernel);
	world->scenario = (struct scenario){
		.warm_nsec = SIM_SEC,
		.length_nsec = END_NSEC,
		.machine = config,
		.path = {.delay_nsec = 50 * SIM_USEC, .jitter_nsec = 20 * SIM_USEC},
		.n_vms = 1,
		.vms = &world->config,
	};
	world->vm = vm_new(world->queue, world->machine, &world->config.vm);
}

static void add_worker(struct world *world, struct worker *worker, unsigned vcpu, double share)
{
	*worker = (struct worker){.world = world, .work_nsec = share * (double)PERIOD_NSEC};
	worker->release.fire = on_release;
	task_init(&worker->task, vm_kernel(world->vm), "worker", UINT64_C(1) << vcpu, &worker_ops,
		  worker);
	queue_set(world->queue, &worker->release, (1 + vcpu) * SIM_MSEC);
}

static void run_world(struct world *world, struct worker *worker, struct result *ret)
{
	struct watch watch = {.event.fire = on_watch, .worker = worker};

	queue_set(world->queue, &watch.event, 0);
	queue_run(world->queue, SIM_SEC);
	worker->late = worker->n = 0;
	queue_run(world->queue, END_NSEC);
	*ret = (struct result){.late = worker->late,
			       .n = worker->n,
			       .events = queue_fired(world->queue),
			       .worst_nsec = watch.worst_nsec,
			       .figures = world->figures};
	queue_set(world->queue, &watch.event, SIM_NEVER);
}

/* A needs 70 % of a CPU at its highest frequency and B 10 %, and they swap their vCPUs at random
 * times. */
static struct result swap_in_a_guest(enum agent_kind kind, uint64_t seed)
{
	struct worker worker[2];
	struct swap swap = {.worker = worker};
	struct result result;
	struct world world;
	void *state = NULL;

	make_world(&world, kind, seed);
	swap.world = &world;
	swap.event.fire = on_swap;
	dice_init(&swap.dice, seed, "swap");
	add_worker(&world, &worker[0], 0, 0.7);
	add_worker(&world, &worker[1], 1, 0.1);
	queue_set(world.queue, &swap.event, 100 * SIM_MSEC);
	if (kind != AGENT_NONE)
		state = arm_vmfreq.begin(&world);
	run_world(&world, &worker[0], &result);
	if (state) {
		arm_vmfreq.vm_stopped(state, world.vm);
		arm_vmfreq.end(state);
	}
	for (unsigned i = 0; i < 2; i++) {
		queue_set(world.queue, &worker[i].release, SIM_NEVER);
		task_remove(&worker[i].task);
	}
	vm_free(world.vm);
	machine_free(world.machine);
	queue_free(world.queue);
	return result;
}

static void test_a_hop_is_followed(_unused_ void **state)
{
	for (uint64_t seed = 1; seed <= 3; seed++) {
		const struct result without = swap_in_a_guest(AGENT_NONE, seed);
		const struct result proc = swap_in_a_guest(AGENT_PROC, seed);
		const struct result with = swap_in_a_guest(AGENT_BPF, seed);

		assert_int_equal(without.figures.writes, 0);
		EXPECT(with.late * 33 <= with.n, "seed %u: %u of %u are late", (unsigned)seed,
		       with.late, with.n);
		EXPECT(with.late * 10 < without.late, "seed %u: %u, and %u without", (unsigned)seed,
		       with.late, without.late);
		EXPECT(proc.late * 2 < without.late, "seed %u: %u, and %u without", (unsigned)seed,
		       proc.late, without.late);
		assert_in_range(with.worst_nsec, 0, 8 * SIM_MSEC);
		assert_int_equal(with.figures.most_in_4ms, 1);
		assert_true(with.figures.reports > 100);
		assert_true(with.figures.floors_sum_most <= 2048);
	}
}

/* It says that all is full, while its tasks run and sleep: floors that nothing runs for are cut. */
static void test_a_liar_is_found_out(_unused_ void **state)
{
	const struct result result = swap_in_a_guest(AGENT_LIAR, 1);

	assert_in_range(result.figures.writes, 1, 40);
	assert_in_range(result.figures.reports, 40, 50);
	assert_true(result.late > 0);
}

static void test_goes_by_its_seed(_unused_ void **state)
{
	const struct result once = swap_in_a_guest(AGENT_BPF, 1);
	const struct result again = swap_in_a_guest(AGENT_BPF, 1);
	const struct result other = swap_in_a_guest(AGENT_BPF, 2);

	assert_int_equal(once.figures.bytes, again.figures.bytes);
	assert_int_equal(once.figures.writes, again.figures.writes);
	assert_true(once.figures.feedback_bits == again.figures.feedback_bits);
	assert_int_equal(once.late, again.late);
	assert_int_equal(once.events, again.events);
	assert_int_equal(once.worst_nsec, again.worst_nsec);
	assert_int_not_equal(once.figures.bytes, other.figures.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_hop_is_followed),
		cmocka_unit_test(test_a_liar_is_found_out),
		cmocka_unit_test(test_goes_by_its_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
