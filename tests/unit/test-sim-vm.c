/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The simulator's VMs: what of a guest the host sees, and of the host the guest. */
#include "tests/unit/test_sim.h"

struct vms {
	struct bench bench;
	struct vm_config config;
	struct vm *vm;
};

static void vms_init(struct vms *vms, const char *shape, unsigned n_vcpus)
{
	assert_true(machine_shape(shape, &vms->bench.config));
	vms->bench.config.kernel.wake_nsec = 0;
	bench_start(&vms->bench);
	vms->config = (struct vm_config){.name = "vm", .n_vcpus = n_vcpus, .exit_nsec = 2000};
	kernel_config_init(&vms->config.kernel);
	for (unsigned i = 0; i < n_vcpus; i++)
		vms->config.pin[i] = 1U << i;
}

static void vms_start(struct vms *vms)
{
	vms->vm = vm_new(vms->bench.queue, vms->bench.machine, &vms->config);
}

static void vms_end(struct vms *vms)
{
	vm_free(vms->vm);
	bench_end(&vms->bench);
}

static struct cpu_view look(struct kernel *kernel, unsigned cpu)
{
	struct cpu_view view;

	kernel_view(kernel, cpu, &view);
	return view;
}

/* A guest's task goes as fast as the host's CPU, which goes as fast as the thread seems to need. */
static void test_hog(_unused_ void **state)
{
	struct vms vms;
	struct periodic hog;

	vms_init(&vms, "separate", 2);
	vms_start(&vms);
	hog_start(&hog, vms.bench.queue, vm_kernel(vms.vm), 1);
	bench_run(&vms.bench, 2 * SIM_SEC);
	assert_int_equal(machine_khz(vms.bench.machine, 0), 3000000);
	assert_true(hog.task.done_nsec > 1.7e9 && hog.task.done_nsec < 1.99e9);
	assert_int_equal(vm_thread(vms.vm, 0)->run_nsec, 2 * SIM_SEC);
	assert_int_equal(vm_thread(vms.vm, 1)->run_nsec, 0);
	assert_true(look(vm_kernel(vms.vm), 0).util_avg > 1020);
	periodic_stop(&hog);
	vms_end(&vms);
}

/* What is stolen is in none of the guest's clocks: its hog is 1024 though it gets half of the CPU.
 */
static void test_steal(_unused_ void **state)
{
	struct vms vms;
	struct periodic hog, other;
	struct cpu_view view;

	vms_init(&vms, "separate", 1);
	vms_start(&vms);
	hog_start(&hog, vms.bench.queue, vm_kernel(vms.vm), 1);
	hog_start(&other, vms.bench.queue, vms.bench.kernel, 1);
	bench_run(&vms.bench, 2 * SIM_SEC);
	view = look(vm_kernel(vms.vm), 0);
	EXPECT(view.util_avg > 1020, "%.0f", view.util_avg);
	EXPECT(near(view.steal_nsec / 1e9, 1, 0.03), "%.3f s stolen", view.steal_nsec / 1e9);
	assert_int_equal(view.steal_nsec + view.run_nsec + view.idle_nsec, 2 * SIM_SEC);
	assert_true(near(view.steal_nsec / 1e6, vm_thread(vms.vm, 0)->delay_nsec / 1e6, 10));
	assert_true(near(task_util(vm_thread(vms.vm, 0)), 512, 60));
	periodic_stop(&hog);
	periodic_stop(&other);
	vms_end(&vms);
}

/* A thread that polls is busy to the host; the guest's CPU idles. */
static void test_halt_polling(_unused_ void **state)
{
	double thread[2], guest[2];

	for (unsigned i = 0; i < 2; i++) {
		struct vms vms;
		struct periodic task;

		vms_init(&vms, "separate", 1);
		vms.config.halt_poll_nsec = i * 200 * SIM_USEC;
		vms_start(&vms);
		periodic_start(&task, vms.bench.queue, vm_kernel(vms.vm), 1, 0.02e6,
			       200 * SIM_USEC);
		bench_run(&vms.bench, SIM_SEC);
		thread[i] = vm_thread(vms.vm, 0)->run_nsec / 1e9;
		guest[i] = look(vm_kernel(vms.vm), 0).run_nsec / 1e9;
		periodic_stop(&task);
		vms_end(&vms);
	}
	EXPECT(near(thread[0], guest[0], 0.001), "without: %.3f, guest %.3f", thread[0], guest[0]);
	EXPECT(thread[1] > 0.95, "polling: %.3f", thread[1]);
	assert_true(guest[1] < 0.2); /* and it is faster, for the host takes the polling for work */
}

/* It doubles after halts that it would have covered, and is halved by long ones, down to nothing.
 */
static void test_polling_adapts(_unused_ void **state)
{
	struct vms vms;
	struct periodic task;
	uint64_t before;

	vms_init(&vms, "separate", 1);
	vms.config.halt_poll_nsec = 200 * SIM_USEC;
	vms_start(&vms);
	periodic_start(&task, vms.bench.queue, vm_kernel(vms.vm), 1, 0.02e6, 10 * SIM_MSEC);
	bench_run(&vms.bench, SIM_SEC);
	before = vm_thread(vms.vm, 0)->run_nsec;
	assert_int_equal(before, look(vm_kernel(vms.vm), 0).run_nsec);
	task.period_nsec = 200 * SIM_USEC;
	bench_run(&vms.bench, SIM_SEC);
	assert_true(vm_thread(vms.vm, 0)->run_nsec - before > 900 * SIM_MSEC);
	periodic_stop(&task);
	vms_end(&vms);
}

/* A wake-up on a halted vCPU waits until its thread has the CPU, and costs an exit. */
static void test_wake_up(_unused_ void **state)
{
	struct vms vms;
	struct periodic other;
	struct task task;

	vms_init(&vms, "separate", 1);
	vms.config.exit_nsec = 100000;
	vms_start(&vms);
	task_init(&task, vm_kernel(vms.vm), "it", 1, NULL, NULL);
	task_wake(&task, 0.1e6, false);
	bench_run(&vms.bench, 10 * SIM_MSEC);
	/* (100 us + 100 us) at 600 of 3000 MHz */
	EXPECT(near(vm_thread(vms.vm, 0)->run_nsec / 1e6, 1, 0.01), "%.3f ms",
	       vm_thread(vms.vm, 0)->run_nsec / 1e6);
	assert_true(near(task.done_nsec, 0.1e6, 5));
	hog_start(&other, vms.bench.queue, vms.bench.kernel, 1);
	task_set_allowed(vm_thread(vms.vm, 0), 1);
	bench_run(&vms.bench, SIM_SEC);
	vm_thread(vms.vm, 0)->vlag = -1e7; /* it has had more than its share */
	task_wake(&task, 0.1e6, false);
	bench_run(&vms.bench, 500 * SIM_USEC);
	assert_false(task.queued);
	assert_true(task.waking && vm_thread(vms.vm, 0)->queued && !vm_thread(vms.vm, 0)->running);
	assert_true(look(vm_kernel(vms.vm), 0).steal_nsec >= 500 * SIM_USEC);
	bench_run(&vms.bench, SIM_SEC);
	EXPECT(near(task.done_nsec, 0.2e6, 5), "%.0f", task.done_nsec);
	periodic_stop(&other);
	task_remove(&task);
	vms_end(&vms);
}

/* The guest's load tracking believes its scale: at half speed and a scale of 1, half-busy is half.
 */
static void test_scale(_unused_ void **state)
{
	static const double wanted[] = {760, 400, 400};

	/* 2: by counters of its own it does so by itself */
	for (unsigned follow = 0; follow < 3; follow++) {
		struct vms vms;
		struct periodic task;
		double peak;

		vms_init(&vms, "separate", 1);
		vms.bench.config.domain[0].n_opps = 4; /* up to 1500 MHz */
		machine_free(vms.bench.machine);
		queue_free(vms.bench.queue);
		vms.bench.config.domain[0].opp[0] = (struct opp){.khz = 1500000, .mw = 1};
		vms.bench.config.domain[0].opp[1] = (struct opp){.khz = 3000000, .mw = 2};
		vms.bench.config.domain[0].n_opps = 2;
		bench_start(&vms.bench);
		vms.config.invariant = true;
		vms.config.counts = follow == 2;
		vms_start(&vms);
		if (follow < 2)
			vm_follow_scale(vms.vm, follow);
		periodic_start(&task, vms.bench.queue, vm_kernel(vms.vm), 1, 7e6, 20 * SIM_MSEC);
		bench_run(&vms.bench, 2 * SIM_SEC + 19 * SIM_MSEC);
		assert_int_equal(machine_khz(vms.bench.machine, 0), 1500000);
		peak = task.task.avg.util_est;
		EXPECT(near(peak, wanted[follow], 60), "follow %u: %.0f", follow, peak);
		assert_true(near(vm_scale(vms.vm, 0), follow ? 0.5 : 1, 1e-9));
		periodic_stop(&task);
		vms_end(&vms);
	}
}

static void test_pause(_unused_ void **state)
{
	struct vms vms;
	struct periodic hog, task;
	double done;

	vms_init(&vms, "separate", 2);
	vms_start(&vms);
	hog_start(&hog, vms.bench.queue, vm_kernel(vms.vm), 1);
	periodic_start(&task, vms.bench.queue, vm_kernel(vms.vm), 2, 1e6, 10 * SIM_MSEC);
	bench_run(&vms.bench, SIM_SEC);
	vm_pause(vms.vm, true);
	done = hog.task.done_nsec + task.task.done_nsec;
	bench_run(&vms.bench, SIM_SEC);
	assert_true(near(hog.task.done_nsec + task.task.done_nsec, done, 1));
	assert_true(look(vms.bench.kernel, 0).idle && look(vms.bench.kernel, 1).idle);
	assert_true(look(vm_kernel(vms.vm), 0).util_avg > 1000);
	vm_pause(vms.vm, false);
	bench_run(&vms.bench, SIM_SEC);
	assert_true(hog.task.done_nsec > 1.7e9);
	assert_true(task.n > 95);
	periodic_stop(&hog);
	periodic_stop(&task);
	vms_end(&vms);
}

static void test_hotplug(_unused_ void **state)
{
	struct vms vms;
	struct periodic hog[2];

	vms_init(&vms, "separate", 2);
	vms_start(&vms);
	for (unsigned i = 0; i < 2; i++)
		hog_start(&hog[i], vms.bench.queue, vm_kernel(vms.vm), 3);
	bench_run(&vms.bench, SIM_SEC);
	vm_set_online(vms.vm, 1, false);
	bench_run(&vms.bench, SIM_SEC);
	assert_true(look(vms.bench.kernel, 1).idle);
	assert_int_equal(look(vm_kernel(vms.vm), 0).n_running, 2);
	vm_set_online(vms.vm, 1, true);
	bench_run(&vms.bench, SIM_SEC);
	assert_int_equal(look(vm_kernel(vms.vm), 1).n_running, 1);
	assert_false(look(vms.bench.kernel, 1).idle);
	for (unsigned i = 0; i < 2; i++)
		periodic_stop(&hog[i]);
	vms_end(&vms);
}

static unsigned n_fired;

static void count(_unused_ struct event *event)
{
	n_fired++;
}

/* guestd's work is work of the guest's, and takes its time. */
static void test_agent(_unused_ void **state)
{
	struct vms vms;
	struct event first = {.fire = count}, second = {.fire = count};

	n_fired = 0;
	vms_init(&vms, "separate", 1);
	vms_start(&vms);
	vm_run_agent(vms.vm, 0.1e6, &first);
	vm_run_agent(vms.vm, 0.1e6, &second);
	bench_run(&vms.bench, 400 * SIM_USEC);
	assert_int_equal(n_fired, 0);
	bench_run(&vms.bench, 200 * SIM_USEC);
	assert_int_equal(n_fired, 1);
	bench_run(&vms.bench, SIM_MSEC);
	assert_int_equal(n_fired, 2);
	vms_end(&vms);
}

/* vCPUs that may use all CPUs are spread by the host, more of them than there are take turns, and
 * none is forgotten. */
static void test_overcommit(_unused_ void **state)
{
	struct vms vms;
	struct periodic hog[6];
	double sum = 0;

	vms_init(&vms, "separate", 6);
	for (unsigned i = 0; i < 6; i++)
		vms.config.pin[i] = 15;
	vms_start(&vms);
	for (unsigned i = 0; i < 6; i++)
		hog_start(&hog[i], vms.bench.queue, vm_kernel(vms.vm), 63);
	bench_run(&vms.bench, 6 * SIM_SEC);
	for (unsigned i = 0; i < 6; i++) {
		sum += hog[i].task.done_nsec;
		EXPECT(hog[i].task.done_nsec > 2.5e9, "hog %u: %.2f s", i,
		       hog[i].task.done_nsec / 1e9);
	}
	EXPECT(sum > 23.3e9 && sum <= 24e9, "%.2f s of work", sum / 1e9);
	for (unsigned i = 0; i < 6; i++)
		periodic_stop(&hog[i]);
	vms_end(&vms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hog),	     cmocka_unit_test(test_steal),
		cmocka_unit_test(test_halt_polling), cmocka_unit_test(test_polling_adapts),
		cmocka_unit_test(test_wake_up),	     cmocka_unit_test(test_scale),
		cmocka_unit_test(test_pause),	     cmocka_unit_test(test_hotplug),
		cmocka_unit_test(test_agent),	     cmocka_unit_test(test_overcommit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
