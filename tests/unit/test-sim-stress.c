/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Everything at once, at random: tasks, VMs, pins, clamps, hotplug, pauses. The model's books have
 * to be right after each step: who is queued where, sums of averages and estimates, clamps, and
 * time. */
#include "tests/unit/test_sim.h"

#include <math.h>

#include "tests/sim/dice.h"
#include "tests/sim/kernel_private.h"

#define N_TASKS 12U
#define STEPS	4000U

struct stress {
	struct bench bench;
	struct dice dice;
	struct vm *vm[2];
	struct task task[3][N_TASKS]; /* of the host and of each guest */
};

static struct kernel *kernel_of(struct stress *stress, unsigned which)
{
	return which == 0 ? stress->bench.kernel : vm_kernel(stress->vm[which - 1]);
}

struct books {
	double util, est;
	unsigned queued, running, clamped[2];
};

static void book(struct books *books, struct task *task)
{
	struct books *of = &books[task->cpu];

	of->util += task_util(task);
	of->queued += task->queued;
	of->running += task->running;
	of->est += task->est_counted;
	assert_true(!task->running || task->queued);
	assert_true(!task->waking || !task->queued);
}

static unsigned clamped(const struct rq *rq, unsigned which)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SIM_BUCKETS_MAX; i++)
		n += rq->clamp[which].bucket[i].tasks;
	return n;
}

static void check_rq(struct rq *rq, const struct books *books)
{
	struct cpu_view view;

	kernel_view(rq->kernel, rq->cpu, &view);
	assert_int_equal(view.n_running, books->queued);
	assert_int_equal(rq->curr != NULL, books->running);
	EXPECT(fabs(view.util_avg - books->util) < 1, "CPU %u: %.3f, its tasks %.3f", rq->cpu,
	       view.util_avg, books->util);
	assert_true(fabs(view.util_est - books->est) < 1e-6);
	assert_int_equal(clamped(rq, CLAMP_MIN), books->queued);
	assert_int_equal(clamped(rq, CLAMP_MAX), books->queued);
	assert_true(view.util_avg >= 0);
	assert_true(rq->online || books->queued == 0);
	assert_true(view.run_nsec + view.idle_nsec + view.steal_nsec ==
		    queue_now(rq->kernel->queue));
}

static void check(struct stress *stress)
{
	for (unsigned which = 0; which < 3; which++) {
		struct kernel *kernel = kernel_of(stress, which);
		struct books books[SIM_CPUS_MAX] = {0};

		for (unsigned i = 0; i < N_TASKS; i++)
			book(books, &stress->task[which][i]);
		for (unsigned vm = 0; which == 0 && vm < 2; vm++)
			for (unsigned i = 0; i < vm_config(stress->vm[vm])->n_vcpus; i++)
				book(books, vm_thread(stress->vm[vm], i));
		for (unsigned cpu = 0; cpu < kernel->n; cpu++)
			check_rq(&kernel->rq[cpu], &books[cpu]);
	}
}

static void disturb_task(struct stress *stress, struct kernel *kernel, struct task *task)
{
	uint64_t all = (UINT64_C(1) << kernel->n) - 1, some = dice_between(&stress->dice, 1, all);

	switch (dice_between(&stress->dice, 0, 5)) {
	case 0:
	case 1:
		task_wake(task, (double)dice_between(&stress->dice, 0, 5000000), some & 1);
		break;
	case 2:
		task_sleep(task);
		break;
	case 3:
		task_set_allowed(task, some);
		break;
	case 4:
		task_set_uclamp(task, (uint16_t)dice_between(&stress->dice, 0, 1024),
				(uint16_t)dice_between(&stress->dice, 0, 1024));
		break;
	default:
		task_move(task, (unsigned)dice_between(&stress->dice, 0, kernel->n - 1));
	}
}

static void disturb_vm(struct stress *stress, struct vm *vm)
{
	unsigned vcpu = (unsigned)dice_between(&stress->dice, 0, vm_config(vm)->n_vcpus - 1);

	switch (dice_between(&stress->dice, 0, 6)) {
	case 0:
		vm_pause(vm, dice_between(&stress->dice, 0, 1));
		break;
	case 1:
		vm_set_online(vm, vcpu, dice_between(&stress->dice, 0, 1));
		break;
	case 2:
		task_set_allowed(vm_thread(vm, vcpu), dice_between(&stress->dice, 1, 15));
		break;
	case 3:
		task_set_uclamp(vm_thread(vm, vcpu), (uint16_t)dice_between(&stress->dice, 0, 1024),
				1024);
		break;
	case 4:
		task_set_util_guest(vm_thread(vm, vcpu),
				    (double)dice_between(&stress->dice, 0, 1024));
		break;
	case 5:
		vm_set_scale(vm, vcpu, (double)dice_between(&stress->dice, 1, 4) / 4);
		break;
	default:
		vm_pause(vm, false);
	}
}

static void disturb(struct stress *stress)
{
	unsigned which = (unsigned)dice_between(&stress->dice, 0, 2);

	if (dice_between(&stress->dice, 0, 9) > 0)
		disturb_task(stress, kernel_of(stress, which),
			     &stress->task[which][dice_between(&stress->dice, 0, N_TASKS - 1)]);
	else if (which > 0)
		disturb_vm(stress, stress->vm[which - 1]);
	else
		kernel_set_online(stress->bench.kernel, (unsigned)dice_between(&stress->dice, 0, 3),
				  dice_between(&stress->dice, 0, 1));
}

/* All that was begun comes to its end, once nothing is in its way. */
static void calm_down(struct stress *stress)
{
	for (unsigned cpu = 0; cpu < 4; cpu++)
		kernel_set_online(stress->bench.kernel, cpu, true);
	for (unsigned vm = 0; vm < 2; vm++) {
		vm_pause(stress->vm[vm], false);
		for (unsigned i = 0; i < vm_config(stress->vm[vm])->n_vcpus; i++)
			vm_set_online(stress->vm[vm], i, true);
	}
	bench_run(&stress->bench, 20 * SIM_SEC);
	check(stress);
	for (unsigned which = 0; which < 3; which++)
		for (unsigned i = 0; i < N_TASKS; i++)
			EXPECT(!stress->task[which][i].queued && !stress->task[which][i].waking,
			       "kernel %u: task %u", which, i);
	for (unsigned vm = 0; vm < 2; vm++)
		for (unsigned i = 0; i < vm_config(stress->vm[vm])->n_vcpus; i++)
			EXPECT(!vm_thread(stress->vm[vm], i)->queued, "VM %u: vCPU %u", vm, i);
}

static void run(const char *shape, uint64_t seed)
{
	struct stress stress = {0};
	struct vm_config vm = {
		.name = "vm",
		.n_vcpus = 3,
		.pin = {15, 15, 1},
		.halt_poll_nsec = 200 * SIM_USEC,
		.exit_nsec = 3000,
		.invariant = seed % 2,
	};

	bench_init(&stress.bench, shape);
	kernel_config_init(&vm.kernel);
	dice_init(&stress.dice, seed, "stress");
	for (unsigned i = 0; i < 2; i++)
		stress.vm[i] = vm_new(stress.bench.queue, stress.bench.machine, &vm);
	for (unsigned which = 0; which < 3; which++)
		for (unsigned i = 0; i < N_TASKS; i++)
			task_init(&stress.task[which][i], kernel_of(&stress, which), "task",
				  UINT64_MAX, NULL, NULL);
	for (unsigned i = 0; i < STEPS; i++) {
		disturb(&stress);
		check(&stress);
		bench_run(&stress.bench, dice_between(&stress.dice, 0, 800) * SIM_USEC);
		check(&stress);
	}
	calm_down(&stress);
	for (unsigned which = 0; which < 3; which++)
		for (unsigned i = 0; i < N_TASKS; i++)
			task_remove(&stress.task[which][i]);
	for (unsigned i = 0; i < 2; i++)
		vm_free(stress.vm[i]);
	bench_end(&stress.bench);
}

static void test_stress(_unused_ void **state)
{
	static const char *const shapes[] = {"separate", "biglittle", "lab-shared"};

	for (uint64_t seed = 1; seed <= 6; seed++)
		run(shapes[seed % 3], seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stress),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
