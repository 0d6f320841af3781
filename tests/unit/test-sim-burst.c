/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lab's `burst` in the model: docs/benchmarks/dvfs-separate-7.3.md. A task that works 30 ms (at
 * top frequency) of each 230 wakes up on another of four vCPUs each time; on each of them some
 * housework of 0.1 ms goes on every 20 to 60 ms. */
#include "tests/unit/test_sim.h"

#include "tests/sim/dice.h"

#define LENGTH_NSEC (20 * SIM_SEC)
#define SEEDS	    10U

struct house {
	struct task task;
	struct event timer;
	struct burst *burst;
};

struct burst {
	struct bench bench;
	struct vm *vm;
	struct dice dice;
	struct house house[4];
	struct task task;
	struct event timer;
	unsigned on, n;
	uint64_t due_nsec;
	double took_nsec;
};

static void house_due(struct event *event)
{
	struct house *house = EVENT_OWNER(event, struct house, timer);
	struct burst *burst = house->burst;

	queue_set(burst->bench.queue, event,
		  queue_now(burst->bench.queue) +
			  dice_between(&burst->dice, 20 * SIM_MSEC, 60 * SIM_MSEC));
	task_wake(&house->task, 0.1e6, false);
}

static void burst_due(struct event *event)
{
	struct burst *burst = EVENT_OWNER(event, struct burst, timer);

	burst->due_nsec = queue_now(burst->bench.queue);
	queue_set(burst->bench.queue, event, burst->due_nsec + 230 * SIM_MSEC);
	burst->on = (burst->on + (unsigned)dice_between(&burst->dice, 1, 3)) % 4;
	task_set_allowed(&burst->task, 1U << burst->on);
	task_wake(&burst->task, 30e6, false);
}

static void burst_done(struct task *task)
{
	struct burst *burst = task->userdata;

	burst->n++;
	burst->took_nsec += (double)(queue_now(burst->bench.queue) - burst->due_nsec);
}

static const struct task_ops burst_ops = {.done = burst_done};

static void start(struct burst *burst, struct kernel *kernel)
{
	for (unsigned i = 0; i < 4; i++) {
		struct house *house = &burst->house[i];

		*house = (struct house){.burst = burst, .timer.fire = house_due};
		task_init(&house->task, kernel, "house", 1U << i, NULL, NULL);
		queue_set(burst->bench.queue, &house->timer,
			  dice_between(&burst->dice, 20 * SIM_MSEC, 60 * SIM_MSEC));
	}
	task_init(&burst->task, kernel, "burst", 15, &burst_ops, burst);
	burst->timer.fire = burst_due;
	queue_set(burst->bench.queue, &burst->timer, 200 * SIM_MSEC);
}

struct result {
	double ms, mhz;
};

static struct result run(const char *shape, uint64_t seed, bool native)
{
	struct burst burst = {0};
	struct vm_config vm = {.name = "vm", .n_vcpus = 4, .pin = {1, 2, 4, 8}};
	struct result result;

	assert_true(machine_shape(shape, &burst.bench.config));
	burst.bench.config.kernel.seed = seed;
	bench_start(&burst.bench);
	dice_init(&burst.dice, seed, "burst");
	kernel_config_init(&vm.kernel);
	if (!native)
		burst.vm = vm_new(burst.bench.queue, burst.bench.machine, &vm);
	start(&burst, native ? burst.bench.kernel : vm_kernel(burst.vm));
	bench_run(&burst.bench, LENGTH_NSEC);
	result.ms = burst.took_nsec / burst.n / 1e6;
	result.mhz = 3000 * burst.task.done_nsec / (double)burst.task.run_nsec;
	task_remove(&burst.task);
	for (unsigned i = 0; i < 4; i++)
		task_remove(&burst.house[i].task);
	vm_free(burst.vm);
	bench_end(&burst.bench);
	return result;
}

static struct result mean_of(const char *shape, bool native)
{
	struct result sum = {0};

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct result one = run(shape, seed, native);

		sum.ms += one.ms / SEEDS;
		sum.mhz += one.mhz / SEEDS;
	}
	print_message("%s, %s: %.1f ms, %.0f MHz\n", shape, native ? "native" : "VM", sum.ms,
		      sum.mhz);
	return sum;
}

/* In the lab 48.5 ms (45.5 to 52.3): the task's own util_est is still there, but what it comes to
 * in 230 ms is less than what it takes to go at full speed. */
static void test_native(_unused_ void **state)
{
	struct result result = mean_of("lab-separate", true);

	EXPECT(near(result.ms, 48.5, 4.85), "%.1f ms", result.ms);
}

/* From nothing a thread's utilization is u after -48.4 ms x ln(1 - u / 1024) of work, and an
 * operating point is left when 1.25 u is above it: 30 ms of work take 92.8 ms with the points of
 * `separate`, and some more for what waits for ticks. In the lab they take 109 (106 to 116): its
 * vCPU is emulated and sleeps now and then in a burst, whereupon the run queue's clock catches up
 * with what was slow, and the average falls. */
static void test_vm(_unused_ void **state)
{
	struct result result = mean_of("separate", false);

	EXPECT(result.ms > 92.8 && result.ms < 97, "%.1f ms", result.ms);
	assert_true(mean_of("lab-separate", false).ms > 92.8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_native),
		cmocka_unit_test(test_vm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
