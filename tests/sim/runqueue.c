/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A CPU's run queue: who is queued, who runs, when its work is done and when it ticks
 * (kernel/sched/core.c, fair.c). */
#include "tests/sim/kernel_private.h"

void rq_resched(struct rq *rq)
{
	rq->kernel->resched |= bit_of(rq->cpu);
}

static uint64_t rq_now(const struct rq *rq)
{
	return queue_now(rq->kernel->queue);
}

static void wait_last(struct rq *rq, struct task *task)
{
	struct task **end = &rq->waiting;

	while (*end)
		end = &(*end)->next;
	task->next = NULL;
	task->since_nsec = rq_now(rq);
	*end = task;
}

static void wait_no_more(struct rq *rq, struct task *task)
{
	struct task **link = &rq->waiting;
	uint64_t delay = rq_now(rq) - task->since_nsec;

	while (*link != task)
		link = &(*link)->next;
	*link = task->next;
	task->next = NULL;
	task->delay_nsec += delay;
	rq->delay_nsec += delay;
}

/* It loses the CPU. sched_info_depart() books its time only now. */
static void stop_curr(struct rq *rq)
{
	struct task *curr = rq->curr;

	rq->booked_nsec += rq_now(rq) - curr->since_nsec;
	curr->running = false;
	rq->curr = NULL;
	rq->reported = NULL;
	if (curr->ops && curr->ops->runs)
		curr->ops->runs(curr, false);
	if (rq->kernel->ops.switched)
		rq->kernel->ops.switched(rq->kernel->userdata, rq->cpu, curr, false);
}

static void start_curr(struct rq *rq, struct task *task)
{
	wait_no_more(rq, task);
	load_update(task);
	rq->curr = task;
	rq->slices++;
	task->switches++;
	task->running = true;
	task->since_nsec = rq_now(rq);
	rq->reported = task;
	if (task->ops && task->ops->runs)
		task->ops->runs(task, true);
	if (rq->kernel->ops.switched)
		rq->kernel->ops.switched(rq->kernel->userdata, rq->cpu, task, true);
}

/* Whether a CPU takes an interrupt at once. If not, its time is stolen until it does. */
bool rq_interrupt(struct rq *rq)
{
	const struct kernel *kernel = rq->kernel;

	if (!kernel->ops.interrupt || kernel->ops.interrupt(kernel->userdata, rq->cpu))
		return true;
	rq_account(rq);
	rq->stolen = true;
	rq->speed = 0;
	rq_program(rq);
	return false;
}

/* enqueue_task_fair() */
void rq_enqueue(struct rq *rq, struct task *task)
{
	rq_integrate(rq);
	clamp_enqueue(rq, task);
	est_enqueue(rq, task);
	if (task->attached) {
		load_update(task);
		rq_publish(rq);
	} else {
		load_attach(rq, task);
	}
	eevdf_place(rq, task);
	wait_last(rq, task);
	task->queued = true;
	rq->n_queued++;
	if (!rq->curr || eevdf_pick(rq) != rq->curr)
		rq_resched(rq);
	eas_update_overutilized(rq);
}

/* dequeue_task_fair(). util_est learns from the average as it is now: since 7.1.5 again
 * (update_load_avg(), UPDATE_UTIL_EST), as before 6.12; in between from that of the last update, up
 * to a tick old. */
void rq_dequeue(struct rq *rq, struct task *task, bool sleeps)
{
	rq_publish(rq);
	load_update(task);
	eevdf_leave(rq, task);
	if (rq->curr == task)
		stop_curr(rq);
	else
		wait_no_more(rq, task);
	task->queued = false;
	rq->n_queued--;
	clamp_dequeue(rq, task);
	est_dequeue(rq, task);
	if (sleeps)
		est_update(rq, task);
	rq_resched(rq);
}

void rq_move(struct task *task, unsigned cpu)
{
	struct rq *from = rq_of(task);

	rq_dequeue(from, task, false);
	load_detach(from, task, true);
	task->cpu = cpu;
	task->migrations++;
	rq_enqueue(rq_of(task), task);
	rq_interrupt(rq_of(task));
}

static void set_idle(struct rq *rq, bool idle)
{
	uint64_t now = rq_now(rq), tick = rq->kernel->config.tick_nsec;

	rq->idle = idle;
	rq->kernel->idle_changed ^= bit_of(rq->cpu); /* there and back again is nothing */
	if (idle) {
		rq_go_idle(rq);
		rq->idle_since_nsec = now;
		rq->idle_calls++;
	} else {
		rq->tick_due_nsec = (now / tick + 1) * tick;
	}
}

/* Whether an idle CPU that has something to do now still is on its way. */
static bool leaves_idle(struct rq *rq)
{
	const struct kernel_config *config = &rq->kernel->config;
	uint64_t nsec = config->wake_nsec;

	if (!rq->idle || rq->awake || rq->n_queued == 0 || nsec == 0)
		return false;
	if (rq->leave_idle.place != 0)
		return true;
	if (config->wake_jitter_nsec > 0)
		nsec += dice_wait(&rq->kernel->jitter, config->wake_jitter_nsec);
	queue_set(rq->kernel->queue, &rq->leave_idle, rq_now(rq) + nsec);
	return true;
}

void rq_leave_idle(struct event *event)
{
	struct rq *rq = EVENT_OWNER(event, struct rq, leave_idle);

	kernel_enter(rq->kernel);
	rq->awake = true;
	rq_resched(rq);
	kernel_leave(rq->kernel);
}

/* __schedule() */
void rq_schedule(struct rq *rq)
{
	struct task *prev = rq->curr, *next;

	rq_integrate(rq);
	if (leaves_idle(rq))
		return;
	rq->awake = false;
	if (!prev && rq->n_queued == 0 && !rq->idle && rq->online)
		balance_newidle(rq);
	next = eevdf_pick(rq);
	if (prev && next != prev) {
		load_update(prev);
		rq_publish(rq);
		stop_curr(rq);
		wait_last(rq, prev);
	}
	if (next && next != prev)
		start_curr(rq, next);
	if (!next != rq->idle)
		set_idle(rq, !next);
	rq_program(rq);
}

static void set_once(struct rq *rq, struct event *event, uint64_t at)
{
	if (event->place != 0 ? event->at_nsec != at : at != SIM_NEVER)
		queue_set(rq->kernel->queue, event, at);
}

void rq_program(struct rq *rq)
{
	uint64_t at = SIM_NEVER, tick = SIM_NEVER, now = rq_now(rq);
	const struct task *curr = rq->curr;

	if (curr && !rq->stolen) {
		tick = MAX(rq->tick_due_nsec, now);
		if (!curr->endless) {
			double left = curr->work_nsec + rq->overhead;

			at = now;
			if (left > WORK_DONE_NSEC)
				at += (uint64_t)(left / rq->speed) + 1;
		}
	}
	set_once(rq, &rq->tick, tick);
	set_once(rq, &rq->complete, at);
}

/* task_tick_fair() */
void rq_tick(struct event *event)
{
	struct rq *rq = EVENT_OWNER(event, struct rq, tick);
	uint64_t tick = rq->kernel->config.tick_nsec;

	kernel_enter(rq->kernel);
	rq->tick_due_nsec = (rq_now(rq) / tick + 1) * tick;
	rq_publish(rq);
	load_update(rq->curr);
	rq->overhead += rq->kernel->config.tick_work_nsec;
	if (eevdf_tick(rq))
		rq_resched(rq);
	eas_update_overutilized(rq);
	balance_tick(rq);
	rq_program(rq);
	kernel_leave(rq->kernel);
}

/* The current task's work is done. */
void rq_complete(struct event *event)
{
	struct rq *rq = EVENT_OWNER(event, struct rq, complete);
	struct task *task = rq->curr;

	kernel_enter(rq->kernel);
	rq_account(rq);
	if (task->work_nsec <= WORK_DONE_NSEC && rq->overhead <= WORK_DONE_NSEC) {
		task->work_nsec = 0;
		rq->kernel->context = (int)rq->cpu;
		if (task->ops && task->ops->done)
			task->ops->done(task);
		rq->kernel->context = -1;
		if (rq->curr == task && task->work_nsec <= 0)
			rq_dequeue(rq, task, true);
	}
	rq_program(rq);
	kernel_leave(rq->kernel);
}
