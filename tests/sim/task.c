/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What can be done to a task. */
#include "tests/sim/kernel_private.h"

void task_init(struct task *task, struct kernel *kernel, const char *name, uint64_t allowed,
	       const struct task_ops *ops, void *userdata)
{
	*task = (struct task){
		.kernel = kernel,
		.ops = ops,
		.userdata = userdata,
		.name = name,
		.allowed = allowed,
		.weight = 1024,
		.uclamp_max = 1024,
	};
	task->cpu = (unsigned)__builtin_ctzll(allowed_online(task));
	task->attached = true; /* with nothing to add */
	task->pelt.last_nsec = rq_pelt_clock(rq_of(task));
}

/* try_to_wake_up() on a CPU that is doing something now. */
static void wake_now(struct task *task, unsigned waker)
{
	unsigned cpu = place_wakeup(task, waker);
	struct rq *rq = &task->kernel->rq[cpu];

	if (cpu != task->cpu) {
		if (task->attached)
			load_detach(rq_of(task), task, false);
		task->cpu = cpu;
		task->migrations++;
	}
	rq_enqueue(rq, task);
	if (task->iowait)
		rq_touch(rq, true);
	task->iowait = false;
}

static void arrive_later(struct rq *rq, struct task *task)
{
	struct task **end = &rq->arriving;

	while (*end)
		end = &(*end)->next;
	task->next = NULL;
	task->waking = true;
	*end = task;
}

static void add_work(struct task *task, double work_nsec)
{
	if (task->running)
		rq_account(rq_of(task));
	task->work_nsec += work_nsec;
	if (task->running)
		rq_program(rq_of(task));
}

/* The interrupt comes to the CPU where it fell asleep, or the waker is what runs now. */
void task_wake(struct task *task, double work_nsec, bool iowait)
{
	struct kernel *kernel = task->kernel;
	unsigned waker = task->cpu;

	if (task->queued || task->waking) {
		add_work(task, work_nsec);
		return;
	}
	kernel_enter(kernel);
	task->work_nsec += work_nsec;
	task->iowait = iowait;
	if (kernel->context >= 0)
		waker = (unsigned)kernel->context;
	else if (!kernel->rq[waker].online)
		waker = (unsigned)__builtin_ctzll(allowed_online(task));
	if (kernel->context < 0 && !rq_interrupt(&kernel->rq[waker])) {
		arrive_later(&kernel->rq[waker], task);
	} else {
		wake_now(task, waker);
		if (task->cpu != waker)
			rq_interrupt(rq_of(task));
	}
	kernel_leave(kernel);
}

void kernel_arrived(struct kernel *kernel, unsigned cpu)
{
	struct rq *rq = &kernel->rq[cpu];
	int context = kernel->context;
	struct task *task;

	kernel_enter(kernel);
	kernel->context = (int)cpu;
	while ((task = rq->arriving)) {
		rq->arriving = task->next;
		task->next = NULL;
		task->waking = false;
		wake_now(task, cpu);
		if (task->cpu != cpu)
			rq_interrupt(rq_of(task));
	}
	kernel->context = context;
	kernel_leave(kernel);
}

static void forget_arrival(struct task *task)
{
	RQ_FOREACH(rq, task->kernel)
	for (struct task **link = &rq->arriving; *link; link = &(*link)->next)
		if (*link == task) {
			*link = task->next;
			task->next = NULL;
			task->waking = false;
			return;
		}
}

void task_sleep(struct task *task)
{
	struct kernel *kernel = task->kernel;

	kernel_enter(kernel);
	if (task->waking)
		forget_arrival(task);
	task->work_nsec = 0;
	if (task->queued)
		rq_dequeue(rq_of(task), task, true);
	kernel_leave(kernel);
}

/* sched_setattr() takes a task off its run queue and puts it back (sched_change_begin(),
 * sched_change_end()). The first of these updates the run queue's average, and if a period has
 * ended calls cpufreq: without the task's clamps and estimate. The second finds nothing to update.
 * So the new clamps make a frequency at the next update, at the latest the next tick. */
static void take_off(struct rq *rq, struct task *task)
{
	struct kernel *kernel = rq->kernel;

	clamp_dequeue(rq, task);
	est_dequeue(rq, task);
	rq_publish(rq);
	if (kernel->updated & bit_of(rq->cpu) && kernel->ops.updated_without) {
		kernel->updated &= ~bit_of(rq->cpu);
		kernel->ops.updated_without(kernel->userdata, rq->cpu);
	}
}

void task_set_uclamp(struct task *task, uint16_t min, uint16_t max)
{
	struct kernel *kernel = task->kernel;
	struct rq *rq = rq_of(task);

	kernel_enter(kernel);
	if (task->queued)
		take_off(rq, task);
	task->uclamp_min = MIN(min, 1024);
	task->uclamp_max = MIN(max, 1024);
	if (task->queued) {
		clamp_enqueue(rq, task);
		est_enqueue(rq, task);
		eas_update_overutilized(rq);
	}
	kernel_leave(kernel);
}

void task_set_allowed(struct task *task, uint64_t allowed)
{
	struct kernel *kernel = task->kernel;

	kernel_enter(kernel);
	task->allowed = allowed;
	if (task->queued && !(allowed_online(task) & bit_of(task->cpu)))
		rq_move(task, place_wakeup(task, task->cpu));
	kernel_leave(kernel);
}

void task_move(struct task *task, unsigned cpu)
{
	struct kernel *kernel = task->kernel;

	if (cpu == task->cpu || cpu >= kernel->n || !kernel->rq[cpu].online)
		return;
	kernel_enter(kernel);
	if (task->queued) {
		rq_move(task, cpu);
	} else if (!task->waking) {
		load_detach(rq_of(task), task, false);
		task->cpu = cpu;
		task->migrations++;
		load_attach(rq_of(task), task);
	}
	kernel_leave(kernel);
}

/* The patches' hint: the run queue's sum has it at once, and cpufreq is told. */
void task_set_util_guest(struct task *task, double util)
{
	struct rq *rq = rq_of(task);

	if (task->util_guest == util)
		return;
	kernel_enter(task->kernel);
	if (task->queued) {
		double before = task->est_counted;

		task->util_guest = util;
		task->est_counted = task_est(task);
		rq->avg.util_est += task->est_counted - before;
		rq_touch(rq, false);
	}
	task->util_guest = util;
	kernel_leave(task->kernel);
}

void task_remove(struct task *task)
{
	task_sleep(task);
	if (task->attached)
		load_detach(rq_of(task), task, false);
}

double task_util(struct task *task)
{
	struct rq *rq = rq_of(task);
	struct pelt_model now;

	rq_account(rq);
	now = task->pelt;
	if (task->attached)
		pelt_model_advance(&now, rq_pelt_clock(rq), task->running ? CAPACITY : 0,
				   task->queued ? CAPACITY : 0);
	return now.util;
}
