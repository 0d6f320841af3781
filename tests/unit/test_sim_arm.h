/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A host and a guest for the simulator's guestd and hostd whose numbers are what a test says: the
 * doors of tests/sim/kernel.h, vm.h and machine.h that they use, over plain arrays. Time is a real
 * queue's. */
#pragma once

#include "tests/sim/guestd_model.h"
#include "tests/sim/hostd_model.h"
#include "tests/unit/test.h"

#define SIM_TEST_CPUS		 4U
#define SIM_TEST_AT(queue, nsec) queue_run((queue), (nsec))

struct kernel {
	struct queue *idles; /* nothing else runs on a host's CPUs */
	struct cpu_view view[SIM_TEST_CPUS];
	bool offline[SIM_TEST_CPUS];
};

struct vm {
	struct vm_config config;
	struct kernel kernel;
	struct task thread[SIM_TEST_CPUS], agent;
	double scale[SIM_TEST_CPUS];
	struct queue *queue;
	unsigned sets; /* of clamps and of CPUs */
	uint64_t set_hash;
};

struct machine {
	struct machine_config config;
	struct kernel kernel;
	uint32_t khz[SIM_TEST_CPUS];
};

/* All of it. */
struct sim_test {
	struct queue *queue;
	struct machine machine;
	struct vm vm;
	struct path_config path_config;
	struct path *path;
	struct agent_config agent;
	struct arm_figures figures;
	struct guestd_config guestd_config;
	struct hostd_config hostd_config;
	struct guestd_model *guestd;
	struct hostd_model *hostd;
	uint64_t seed;
};

/* -- the doors -- */

struct kernel *vm_kernel(struct vm *vm)
{
	return &vm->kernel;
}

const struct vm_config *vm_config(const struct vm *vm)
{
	return &vm->config;
}

struct task *vm_thread(struct vm *vm, unsigned vcpu)
{
	return &vm->thread[vcpu];
}

struct task *vm_agent(struct vm *vm)
{
	return &vm->agent;
}

void vm_set_scale(struct vm *vm, unsigned vcpu, double scale)
{
	vm->scale[vcpu] = scale;
}

/* Nobody is in its way. */
void vm_run_agent(struct vm *vm, double work_nsec, struct event *done)
{
	vm->agent.run_nsec += (uint64_t)work_nsec;
	queue_set(vm->queue, done, queue_now(vm->queue) + (uint64_t)work_nsec);
}

void kernel_view(struct kernel *kernel, unsigned cpu, struct cpu_view *ret)
{
	*ret = kernel->view[cpu];
	if (kernel->idles)
		ret->idle_nsec = queue_now(kernel->idles);
}

void kernel_signal(const struct kernel *kernel, unsigned cpu, struct cpu_signal *ret)
{
	const struct cpu_view *view = &kernel->view[cpu];

	*ret = (struct cpu_signal){.util_avg = view->util_avg,
				   .util_est = view->util_est,
				   .uclamp_min = view->uclamp_min,
				   .uclamp_max = view->uclamp_max,
				   .update_nsec = view->update_nsec};
}

bool kernel_is_online(const struct kernel *kernel, unsigned cpu)
{
	return !kernel->offline[cpu];
}

double task_util(struct task *task)
{
	return task->avg.util_avg;
}

static void sim_test_note(struct task *task, uint64_t what)
{
	struct vm *vm = task->userdata;

	vm->sets++;
	vm->set_hash = (vm->set_hash * 31 + what) * 31 + queue_now(vm->queue);
}

void task_set_uclamp(struct task *task, uint16_t min, uint16_t max)
{
	task->uclamp_min = min;
	task->uclamp_max = max;
	sim_test_note(task, (uint64_t)min << 16 | max);
}

/* hostd's nudge is no vCPU's. */
void task_set_allowed(struct task *task, uint64_t allowed)
{
	task->allowed = allowed;
	if (task->userdata)
		sim_test_note(task, allowed);
}

void task_init(struct task *task, struct kernel *kernel, const char *name, uint64_t allowed,
	       const struct task_ops *ops, void *userdata)
{
	*task = (struct task){
		.kernel = kernel,
		.name = name,
		.allowed = allowed,
		.ops = ops,
		.userdata = userdata,
	};
}

void task_wake(struct task *task, _unused_ double work_nsec, _unused_ bool iowait)
{
	task->cpu = (unsigned)__builtin_ctzll(task->allowed);
}

void task_move(struct task *task, unsigned cpu)
{
	task->cpu = cpu;
}

void task_remove(_unused_ struct task *task)
{
}

struct kernel *machine_kernel(struct machine *machine)
{
	return &machine->kernel;
}

const struct machine_config *machine_config(const struct machine *machine)
{
	return &machine->config;
}

uint32_t machine_khz(const struct machine *machine, unsigned cpu)
{
	return machine->khz[cpu];
}

uint32_t machine_max_khz(const struct machine *machine, _unused_ unsigned cpu)
{
	return machine->config.domain[0].opp[machine->config.domain[0].n_opps - 1].khz;
}

/* -- what a test does -- */

/* Two vCPUs, each with a CPU of its own, an eBPF agent; 50 us each way. Change it, then
 * sim_test_start(). */
static inline void sim_test_init(struct sim_test *test)
{
	*test = (struct sim_test){
		.machine.config = {.kernel = {.n_cpus = SIM_TEST_CPUS,
					      .invariant = true,
					      .capacity = {1024, 1024, 1024, 1024}},
				   .n_domains = 1,
				   .domain = {{.n_opps = 3,
					       .opp = {{1000000, 1}, {1500000, 2}, {3000000, 4}}}},
				   .release_major = 6,
				   .release_minor = 12},
		.machine.khz = {3000000, 3000000, 3000000, 3000000},
		.vm.config = {.name = "a", .n_vcpus = 2},
		.path_config = {.delay_nsec = 50 * SIM_USEC},
		.agent = {.kind = AGENT_BPF, .floor_max1024 = 1024, .feedback = true},
		.seed = 1,
	};
	test->queue = queue_new();
	test->vm.queue = test->queue;
	test->machine.kernel.idles = test->queue;
	for (unsigned i = 0; i < SIM_TEST_CPUS; i++) {
		test->vm.thread[i] = (struct task){.cpu = i, .allowed = 15, .userdata = &test->vm};
		test->vm.kernel.view[i].uclamp_max = 1024;
	}
	guestd_config_init(&test->guestd_config);
	hostd_config_init(&test->hostd_config);
	test->hostd_config.host.claim_check_usec = 0; /* its threads run nothing */
}

static inline void sim_test_start(struct sim_test *test)
{
	const struct guestd_world world = {
		.queue = test->queue,
		.vm = &test->vm,
		.agent = &test->agent,
		.seed = test->seed,
		.figures = &test->figures,
		.path = test->path = path_new(test->queue, &test->path_config, test->seed, "a")};

	test->hostd =
		hostd_model_new(test->queue, &test->machine, &test->hostd_config, &test->figures);
	assert_int_equal(hostd_model_add(test->hostd, &test->vm, test->path, &test->agent), 0);
	test->guestd = guestd_model_new(&world, &test->guestd_config);
	assert_non_null(test->guestd);
	for (unsigned i = 0; i < test->vm.config.n_vcpus; i++)
		guestd_model_idle(test->guestd, i, true);
}

static inline void sim_test_end(struct sim_test *test)
{
	guestd_model_free(test->guestd);
	hostd_model_free(test->hostd);
	path_free(test->path);
	queue_free(test->queue);
}

/* A vCPU's tasks come to use that much, and run on; or with 0 they have gone. */
static inline void sim_test_use(struct sim_test *test, unsigned vcpu, double util)
{
	struct cpu_view *view = &test->vm.kernel.view[vcpu];

	view->util_avg = util;
	view->util_est = util;
	view->n_running = util > 0;
	test->vm.thread[vcpu].queued = util > 0;
	view->update_nsec++;
	guestd_model_idle(test->guestd, vcpu, false);
	guestd_model_updated(test->guestd, vcpu);
	if (util <= 0)
		guestd_model_idle(test->guestd, vcpu, true);
}

static inline uint16_t sim_test_floor(const struct sim_test *test, unsigned vcpu)
{
	return test->vm.thread[vcpu].uclamp_min;
}
