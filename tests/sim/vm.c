/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A VM. A vCPU is a thread of the host's that runs for as long as its guest CPU has something to
 * do, and a while longer (kvm_vcpu_halt()). What the two kernels want of each other goes by events,
 * never by calls within calls: the host tells the guest's CPU its speed at once, the guest's wishes
 * come to the host when the guest's kernel has settled. */
#include "tests/sim/vm.h"

#include "common/macro.h"

#include <stdlib.h>

#define POLL_START_NSEC (10 * SIM_USEC) /* kvm.halt_poll_ns_grow_start */
#define AGENT_JOBS	64U

struct vcpu {
	struct vm *vm;
	unsigned index;
	struct task thread;
	struct event kick;   /* an interrupt for a thread that sleeps, or for a running one */
	struct event arrive; /* the thread runs: interrupts are delivered */
	struct event halt;   /* it has polled for long enough */
	bool halted;	     /* its thread sleeps, or is about to */
	bool polls;	     /* the guest's CPU idles, the thread doesn't sleep yet */
	bool charge;	     /* an exit to pay for */
	uint64_t poll_nsec, halt_nsec;
	double scale;
};

struct agent_job {
	double work_nsec;
	struct event *done;
};

struct vm {
	struct queue *queue;
	struct machine *machine;
	struct vm_config config;
	struct kernel *kernel;
	struct vcpu *vcpu;
	struct vm_ops ops;
	void *userdata;
	bool paused, follow;
	struct task agent;
	struct agent_job job[AGENT_JOBS];
	unsigned job_first, n_jobs;
};

static double host_speed(const struct vcpu *vcpu)
{
	return kernel_speed(vcpu->thread.kernel, vcpu->thread.cpu);
}

/* grow_halt_poll_ns(), shrink_halt_poll_ns(): after a halt of that length. */
static void adapt_polling(struct vcpu *vcpu, uint64_t halted_nsec)
{
	uint64_t most = vcpu->vm->config.halt_poll_nsec;

	if (most == 0 || halted_nsec <= vcpu->poll_nsec)
		return;
	if (halted_nsec < most) {
		vcpu->poll_nsec = MIN(MAX(vcpu->poll_nsec * 2, POLL_START_NSEC), most);
	} else {
		vcpu->poll_nsec /= 2;
		if (vcpu->poll_nsec < POLL_START_NSEC)
			vcpu->poll_nsec = 0;
	}
}

static void poll_then_halt(struct vcpu *vcpu)
{
	uint64_t now = queue_now(vcpu->vm->queue);
	struct cpu_view host;

	if (vcpu->polls || vcpu->halted)
		return;
	vcpu->polls = true;
	vcpu->halt_nsec = now;
	/* kvm_vcpu_can_poll(): not while somebody else wants the CPU */
	kernel_view(vcpu->thread.kernel, vcpu->thread.cpu, &host);
	queue_set(vcpu->vm->queue, &vcpu->halt, now + (host.n_running > 1 ? 0 : vcpu->poll_nsec));
}

static void stop_polling(struct vcpu *vcpu)
{
	if (!vcpu->polls)
		return;
	vcpu->polls = false;
	queue_set(vcpu->vm->queue, &vcpu->halt, SIM_NEVER);
	adapt_polling(vcpu, queue_now(vcpu->vm->queue) - vcpu->halt_nsec);
}

static void on_halt(struct event *event)
{
	struct vcpu *vcpu = EVENT_OWNER(event, struct vcpu, halt);

	/* A thread that is preempted looks again when it runs. */
	if (!vcpu->thread.running || kernel_has_work(vcpu->vm->kernel, vcpu->index))
		return;
	vcpu->halted = true;
	task_sleep(&vcpu->thread);
}

static void on_kick(struct event *event)
{
	struct vcpu *vcpu = EVENT_OWNER(event, struct vcpu, kick);

	if (vcpu->vm->paused)
		return;
	if (!vcpu->halted) {
		vcpu->charge = true;
		return;
	}
	vcpu->halted = false;
	task_wake(&vcpu->thread, 0, false);
}

/* The thread is in the guest: what waited comes in, and costs an exit. */
static void on_arrive(struct event *event)
{
	struct vcpu *vcpu = EVENT_OWNER(event, struct vcpu, arrive);
	struct vm *vm = vcpu->vm;

	if (!vcpu->thread.running)
		return;
	kernel_arrived(vm->kernel, vcpu->index);
	if (!kernel_has_work(vm->kernel, vcpu->index)) {
		vcpu->polls = false;
		poll_then_halt(vcpu);
		return;
	}
	stop_polling(vcpu);
	if (vcpu->charge)
		kernel_charge(vm->kernel, vcpu->index, (double)vm->config.exit_nsec);
	vcpu->charge = false;
}

static void set_speed(struct vcpu *vcpu, double speed)
{
	if (vcpu->vm->follow && speed > 0)
		vcpu->scale = speed;
	kernel_set_speed(vcpu->vm->kernel, vcpu->index, speed, vcpu->scale);
}

static void thread_runs(struct task *task, bool runs)
{
	struct vcpu *vcpu = task->userdata;

	if (runs) {
		set_speed(vcpu, host_speed(vcpu));
		queue_set(vcpu->vm->queue, &vcpu->arrive, queue_now(vcpu->vm->queue));
	} else if (!vcpu->halted || vcpu->vm->paused) {
		set_speed(vcpu, 0);
	}
}

static void thread_speed(struct task *task, double speed, _unused_ double scale)
{
	set_speed(task->userdata, speed);
}

static const struct task_ops thread_ops = {.runs = thread_runs, .speed = thread_speed};

static bool guest_interrupt(void *userdata, unsigned cpu)
{
	struct vm *vm = userdata;
	struct vcpu *vcpu = &vm->vcpu[cpu];

	if (vcpu->thread.running && !vm->paused)
		return true;
	queue_set(vm->queue, &vcpu->kick, queue_now(vm->queue));
	return false;
}

static void guest_idle(void *userdata, unsigned cpu, bool idle)
{
	struct vm *vm = userdata;
	struct vcpu *vcpu = &vm->vcpu[cpu];

	if (idle) {
		if (vcpu->thread.running)
			poll_then_halt(vcpu);
	} else {
		/* A wake-up that came while it polled, or whose thread is on its way. */
		stop_polling(vcpu);
		kernel_charge(vm->kernel, cpu, (double)vm->config.exit_nsec);
		vcpu->charge = false;
	}
	if (vm->ops.idle)
		vm->ops.idle(vm->userdata, vm, cpu, idle);
}

static void guest_updated(void *userdata, unsigned cpu, bool iowait)
{
	struct vm *vm = userdata;

	if (vm->ops.updated)
		vm->ops.updated(vm->userdata, vm, cpu, iowait);
}

static const struct kernel_ops guest_ops = {
	.updated = guest_updated,
	.idle = guest_idle,
	.interrupt = guest_interrupt,
};

static void next_job(struct vm *vm)
{
	if (vm->n_jobs > 0)
		task_wake(&vm->agent, vm->job[vm->job_first].work_nsec, false);
}

static void agent_done(struct task *task)
{
	struct vm *vm = task->userdata;
	struct event *done = vm->job[vm->job_first].done;

	vm->job_first = (vm->job_first + 1) % AGENT_JOBS;
	vm->n_jobs--;
	if (done)
		queue_set(vm->queue, done, queue_now(vm->queue));
	next_job(vm);
}

static const struct task_ops agent_ops = {.done = agent_done};

static void vcpu_init(struct vm *vm, unsigned index)
{
	struct vcpu *vcpu = &vm->vcpu[index];

	vcpu->vm = vm;
	vcpu->index = index;
	vcpu->halted = true;
	vcpu->scale = 1;
	vcpu->kick.fire = on_kick;
	vcpu->arrive.fire = on_arrive;
	vcpu->halt.fire = on_halt;
	task_init(&vcpu->thread, machine_kernel(vm->machine), vm->config.name,
		  vm->config.pin[index], &thread_ops, vcpu);
	vcpu->thread.endless = true;
}

struct vm *vm_new(struct queue *queue, struct machine *machine, const struct vm_config *config)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	if (!vm)
		abort();
	vm->queue = queue;
	vm->machine = machine;
	vm->config = *config;
	vm->config.kernel.n_cpus = config->n_vcpus;
	vm->config.kernel.invariant = config->invariant;
	vm->config.kernel.tick_work_nsec = (double)config->exit_nsec;
	for (unsigned i = 0; i < config->n_vcpus; i++)
		vm->config.kernel.capacity[i] = 1024;
	vm->kernel = kernel_new(queue, &vm->config.kernel, &guest_ops, vm);
	vm->vcpu = calloc(config->n_vcpus, sizeof(*vm->vcpu));
	if (!vm->vcpu)
		abort();
	for (unsigned i = 0; i < config->n_vcpus; i++)
		vcpu_init(vm, i);
	if (config->counts)
		vm_follow_scale(vm, true);
	task_init(&vm->agent, vm->kernel, "guestd", UINT64_MAX, &agent_ops, vm);
	vm->agent.weight = 3121; /* its unit says Nice=-5: sched_prio_to_weight[] */
	return vm;
}

void vm_free(struct vm *vm)
{
	if (!vm)
		return;
	for (unsigned i = 0; i < vm->config.n_vcpus; i++) {
		struct vcpu *vcpu = &vm->vcpu[i];

		vcpu->halted = true;
		task_remove(&vcpu->thread);
		queue_set(vm->queue, &vcpu->kick, SIM_NEVER);
		queue_set(vm->queue, &vcpu->arrive, SIM_NEVER);
		queue_set(vm->queue, &vcpu->halt, SIM_NEVER);
	}
	kernel_free(vm->kernel);
	free(vm->vcpu);
	free(vm);
}

void vm_set_ops(struct vm *vm, const struct vm_ops *ops, void *userdata)
{
	vm->ops = ops ? *ops : (struct vm_ops){0};
	vm->userdata = userdata;
}

struct kernel *vm_kernel(struct vm *vm)
{
	return vm->kernel;
}

const struct vm_config *vm_config(const struct vm *vm)
{
	return &vm->config;
}

struct task *vm_thread(struct vm *vm, unsigned vcpu)
{
	return &vm->vcpu[vcpu].thread;
}

static void apply_scale(struct vcpu *vcpu)
{
	kernel_set_speed(vcpu->vm->kernel, vcpu->index, kernel_speed(vcpu->vm->kernel, vcpu->index),
			 vcpu->scale);
}

void vm_set_scale(struct vm *vm, unsigned vcpu, double scale)
{
	if (!vm->config.invariant || vm->vcpu[vcpu].scale == scale)
		return;
	vm->vcpu[vcpu].scale = scale;
	apply_scale(&vm->vcpu[vcpu]);
}

double vm_scale(const struct vm *vm, unsigned vcpu)
{
	return vm->vcpu[vcpu].scale;
}

void vm_follow_scale(struct vm *vm, bool follow)
{
	vm->follow = follow && vm->config.invariant;
	for (unsigned i = 0; vm->follow && i < vm->config.n_vcpus; i++) {
		vm->vcpu[i].scale = host_speed(&vm->vcpu[i]);
		apply_scale(&vm->vcpu[i]);
	}
}

static void pause_vcpu(struct vcpu *vcpu)
{
	stop_polling(vcpu);
	vcpu->halted = true;
	task_sleep(&vcpu->thread);
	set_speed(vcpu, 0);
}

static void resume_vcpu(struct vcpu *vcpu)
{
	vcpu->halted = false;
	task_wake(&vcpu->thread, 0, false);
}

void vm_pause(struct vm *vm, bool paused)
{
	if (vm->paused == paused)
		return;
	vm->paused = paused;
	for (unsigned i = 0; i < vm->config.n_vcpus; i++)
		if (paused)
			pause_vcpu(&vm->vcpu[i]);
		else
			resume_vcpu(&vm->vcpu[i]);
}

void vm_set_online(struct vm *vm, unsigned vcpu, bool online)
{
	kernel_set_online(vm->kernel, vcpu, online);
}

void vm_run_agent(struct vm *vm, double work_nsec, struct event *done)
{
	if (vm->n_jobs == AGENT_JOBS)
		abort();
	vm->job[(vm->job_first + vm->n_jobs) % AGENT_JOBS] = (struct agent_job){work_nsec, done};
	if (vm->n_jobs++ == 0)
		next_job(vm);
}

struct task *vm_agent(struct vm *vm)
{
	return &vm->agent;
}
