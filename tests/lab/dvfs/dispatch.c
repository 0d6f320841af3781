/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lab/dvfs/dispatch.h"

#include "tests/lab/dvfs/meter.h"

#define NONE TIMETABLE_NONE

/* A call's arguments, and the lanes that it has to wake. */
struct call {
	struct dispatch *d;
	const struct timetable *t;
	uint32_t lane;
	uint64_t now_usec, kick;
};

static void kick(struct call *c, uint32_t lane)
{
	struct dispatch_lane *l = &c->d->lane[lane];

	if (lane == c->lane)
		return;
	__atomic_store_n(&l->kicked, 1, __ATOMIC_RELEASE);
	if (l->waiting)
		c->kick |= UINT64_C(1) << lane;
}

/* ---- a lane's queue of tasks */

static void push_task(struct call *c, uint32_t task, bool front)
{
	struct dispatch_task *k = &c->d->task[task];
	struct dispatch_lane *l = &c->d->lane[k->lane];

	k->next = front ? l->head : NONE;
	if (l->head == NONE)
		l->head = l->tail = task;
	else if (front)
		l->head = task;
	else
		l->tail = c->d->task[l->tail].next = task;
	kick(c, k->lane);
}

static uint32_t pop_task(struct call *c)
{
	struct dispatch_lane *l = &c->d->lane[c->lane];
	uint32_t task = l->head;

	l->head = c->d->task[task].next;
	return task;
}

static void remove_task(struct call *c, uint32_t task)
{
	struct dispatch_lane *l = &c->d->lane[c->d->task[task].lane];
	uint32_t before = NONE, at = l->head;

	while (at != task) {
		before = at;
		at = c->d->task[at].next;
	}
	if (before == NONE)
		l->head = c->d->task[task].next;
	else
		c->d->task[before].next = c->d->task[task].next;
	if (l->tail == task)
		l->tail = before;
}

/* ---- a task's bursts and places */

static uint64_t next_burst_usec(const struct call *c, const struct dispatch_task *k)
{
	return k->burst == NONE ? DISPATCH_NEVER : c->t->burst[k->burst].at_usec;
}

static uint64_t next_place_usec(const struct call *c, const struct dispatch_task *k)
{
	return k->place == NONE || c->d->by_task ? DISPATCH_NEVER : c->t->place[k->place].at_usec;
}

static void take_place(const struct call *c, struct dispatch_task *k)
{
	k->lane = c->t->place[k->place].cpu;
	k->place = c->t->place[k->place].next;
}

/* A burst with a deadline is of no use any more when the task's next one is due before it has
 * begun, as a frame is: it is left out. What others wait for is never. Without this, a task that
 * can't keep up once would never again have slept, and all that is measured after it would be its
 * backlog. */
static void leave_out_stale(struct call *c, struct dispatch_task *k)
{
	while (k->burst != NONE) {
		const struct timetable_burst *b = &c->t->burst[k->burst];

		if (b->deadline_usec == 0 || b->chain != NONE || b->next == NONE ||
		    c->t->burst[b->next].at_usec > c->now_usec)
			return;
		k->burst = b->next;
		c->d->n_left_out++;
	}
}

/* What is released is worked on in the order of its release. False if there is nothing. */
static bool take_burst(struct call *c, struct dispatch_task *k)
{
	uint64_t chain_usec = k->head == NONE ? DISPATCH_NEVER : c->d->burst[k->head].released_usec;
	uint64_t plain_usec;

	leave_out_stale(c, k);
	plain_usec = next_burst_usec(c, k);

	if (chain_usec == DISPATCH_NEVER && plain_usec > c->now_usec)
		return false;
	if (chain_usec <= plain_usec) {
		k->current = k->head;
		k->head = c->d->burst[k->head].next;
	} else {
		k->current = k->burst;
		k->burst = c->t->burst[k->burst].next;
		c->d->burst[k->current].released_usec = plain_usec;
	}
	k->left = meter_of_usec(c->t->burst[k->current].work_usec);
	return true;
}

/* A task that sleeps moves when it next wakes up. Its timer stays on the lane where it fell asleep,
 * as a kernel's would: that lane wakes it, and the one that it has moved to meanwhile. */
static void move_sleeping(struct call *c, struct dispatch_task *k, uint64_t until_usec)
{
	while (next_place_usec(c, k) <= until_usec)
		take_place(c, k);
}

static void wake_task(struct call *c, uint32_t task)
{
	struct dispatch_task *k = &c->d->task[task];

	if (k->current == NONE && take_burst(c, k)) {
		move_sleeping(c, k, c->now_usec);
		push_task(c, task, false);
	}
}

/* A task that isn't asleep goes where its place is by now. Where that lane is idle, how long it
 * takes until it runs there is worth knowing. */
static void move_ready(struct call *c, uint32_t task, bool queued)
{
	struct dispatch_task *k = &c->d->task[task];
	uint64_t place_usec = next_place_usec(c, k);
	uint32_t from = k->lane;

	if (place_usec > c->now_usec)
		return;
	if (queued)
		remove_task(c, task);
	move_sleeping(c, k, c->now_usec);
	if (k->lane != from && c->d->lane[k->lane].waiting)
		k->moved_usec = place_usec;
	if (queued)
		push_task(c, task, false);
}

/* ---- chains */

static void release_chain(struct call *c, uint32_t burst)
{
	struct dispatch_burst *b = &c->d->burst[burst];
	uint32_t task = c->t->burst[burst].task;
	struct dispatch_task *k = &c->d->task[task];

	b->next = NONE;
	if (k->head == NONE)
		k->head = burst;
	else
		c->d->burst[k->tail].next = burst;
	k->tail = burst;
	wake_task(c, task);
}

static void arm_timer(struct call *c, uint32_t lane, uint32_t burst)
{
	uint32_t *at = &c->d->lane[lane].timers;

	while (*at != NONE && c->d->burst[*at].released_usec <= c->d->burst[burst].released_usec)
		at = &c->d->burst[*at].next;
	c->d->burst[burst].next = *at;
	*at = burst;
	kick(c, lane);
}

/* The interrupt that ends a delay comes to the lane that has asked for it, as a device's would; or
 * to the timers' lane, unless it is for the task that has asked itself. */
static void start_chains(struct call *c, uint32_t ended)
{
	for (uint32_t i = c->t->burst[ended].chain; i != NONE; i = c->t->burst[i].chain_next) {
		uint64_t delay_usec = c->t->burst[i].at_usec;
		bool by_timer = c->d->by_task && c->t->burst[i].task != c->lane;

		c->d->burst[i].released_usec = c->now_usec + delay_usec;
		if (delay_usec == 0)
			release_chain(c, i);
		else
			arm_timer(c, by_timer ? dispatch_timer_lane(c->t) : c->lane, i);
	}
}

/* ---- a lane's turn */

/* The tasks that may be on the lane: with by_task its own alone, and none on the timers' lane. */
static uint32_t first_task(const struct call *c)
{
	return c->d->by_task ? c->lane : 0;
}

static uint32_t end_task(const struct call *c)
{
	return c->d->by_task && c->lane < c->t->n_tasks ? c->lane + 1 : c->t->n_tasks;
}

static void release_due(struct call *c)
{
	struct dispatch_lane *l = &c->d->lane[c->lane];

	while (l->timers != NONE && c->d->burst[l->timers].released_usec <= c->now_usec) {
		uint32_t burst = l->timers;

		l->timers = c->d->burst[burst].next;
		release_chain(c, burst);
	}
	for (uint32_t i = first_task(c); i < end_task(c); i++) {
		struct dispatch_task *k = &c->d->task[i];

		if (k->lane != c->lane || k->running)
			continue;
		if (k->current == NONE)
			wake_task(c, i);
		else
			move_ready(c, i, true);
	}
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool all_ended(const struct call *c)
{
	return c->d->n_ended + c->d->n_left_out == c->t->n_bursts;
}

static uint64_t end_usec(const struct call *c)
{
	return c->t->length_usec + (all_ended(c) ? 0 : DISPATCH_GRACE_USEC);
}

static uint64_t look_again_usec(const struct call *c)
{
	const struct dispatch_lane *l = &c->d->lane[c->lane];
	uint64_t usec = end_usec(c);

	if (l->timers != NONE)
		usec = sooner(usec, c->d->burst[l->timers].released_usec);
	for (uint32_t i = first_task(c); i < end_task(c); i++) {
		const struct dispatch_task *k = &c->d->task[i];

		if (k->lane == c->lane)
			usec = sooner(usec, k->current == NONE ? next_burst_usec(c, k)
							       : next_place_usec(c, k));
	}
	return usec;
}

static void note_begin(struct call *c, struct dispatch_task *k)
{
	struct dispatch_burst *b = &c->d->burst[k->current];

	if (b->begun_usec == DISPATCH_NEVER)
		b->begun_usec = c->now_usec;
	if (k->moved_usec != DISPATCH_NEVER) {
		uint64_t delay_usec = c->now_usec - k->moved_usec;

		c->d->n_moves++;
		c->d->move_usec += delay_usec;
		if (delay_usec > c->d->move_max_usec)
			c->d->move_max_usec = delay_usec;
		k->moved_usec = DISPATCH_NEVER;
	}
}

struct dispatch_turn dispatch_next(struct dispatch *d, const struct timetable *t, uint32_t lane,
				   uint64_t now_usec)
{
	struct call c = {.d = d, .t = t, .lane = lane, .now_usec = now_usec};
	struct dispatch_lane *l = &d->lane[lane];
	struct dispatch_turn turn = {.what = DISPATCH_WAIT};

	__atomic_store_n(&l->kicked, 0, __ATOMIC_RELAXED);
	release_due(&c);
	if (now_usec >= end_usec(&c)) {
		turn.what = DISPATCH_END;
	} else if (l->head != NONE) {
		turn.what = DISPATCH_RUN;
		turn.task = pop_task(&c);
		d->task[turn.task].running = 1;
		note_begin(&c, &d->task[turn.task]);
		turn.left = d->task[turn.task].left;
		turn.shared = l->head != NONE;
		turn.slice_nsec = l->slice_nsec;
	}
	l->waiting = turn.what == DISPATCH_WAIT;
	turn.until_usec = look_again_usec(&c);
	turn.kick = c.kick;
	return turn;
}

static void end_burst(struct call *c, struct dispatch_task *k, uint32_t cpu)
{
	uint32_t ended = k->current;

	c->d->burst[ended].ended_usec = c->now_usec;
	c->d->burst[ended].cpu = cpu;
	c->d->n_ended++;
	k->current = NONE;
	start_chains(c, ended);
	if (all_ended(c))
		for (uint32_t i = 0; i < c->d->n_lanes; i++)
			kick(c, i);
}

uint64_t dispatch_put(struct dispatch *d, const struct timetable *t, uint32_t lane, uint32_t task,
		      int64_t left, int64_t ran_nsec, uint32_t cpu, uint64_t now_usec)
{
	struct call c = {.d = d, .t = t, .lane = lane, .now_usec = now_usec};
	struct dispatch_lane *l = &d->lane[lane];
	struct dispatch_task *k = &d->task[task];

	release_due(&c); /* what came while it ran stands before it in the queue */
	k->running = 0;
	k->left = left;
	l->slice_nsec -= ran_nsec;
	if (left <= 0) {
		end_burst(&c, k, cpu);
		l->slice_nsec = DISPATCH_SLICE_NSEC;
		wake_task(&c, task);
		return c.kick;
	}
	move_ready(&c, task, false);
	if (l->slice_nsec <= 0 || k->lane != lane) {
		l->slice_nsec = DISPATCH_SLICE_NSEC;
		push_task(&c, task, false);
	} else {
		push_task(&c, task, true);
	}
	return c.kick;
}

uint32_t dispatch_timer_lane(const struct timetable *t)
{
	return t->n_tasks;
}

static void init_task(struct dispatch_task *k, const struct timetable_task *task, uint32_t lane)
{
	*k = (struct dispatch_task){.lane = lane,
				    .place = task->place,
				    .burst = task->burst,
				    .head = NONE,
				    .current = NONE,
				    .moved_usec = DISPATCH_NEVER};
}

void dispatch_init(struct dispatch *d, const struct timetable *t, bool by_task)
{
	d->by_task = by_task;
	d->n_lanes = by_task ? t->n_tasks + 1 : t->n_cpus;
	d->n_ended = d->n_left_out = d->n_moves = 0;
	d->move_usec = d->move_max_usec = 0;
	for (uint32_t i = 0; i < d->n_lanes; i++)
		d->lane[i] = (struct dispatch_lane){
			.head = NONE, .timers = NONE, .slice_nsec = DISPATCH_SLICE_NSEC};
	for (uint32_t i = 0; i < t->n_tasks; i++)
		init_task(&d->task[i], &t->task[i], by_task ? i : t->place[t->task[i].place].cpu);
	for (uint32_t i = 0; i < t->n_bursts; i++)
		d->burst[i] = (struct dispatch_burst){.released_usec = DISPATCH_NEVER,
						      .begun_usec = DISPATCH_NEVER,
						      .ended_usec = DISPATCH_NEVER,
						      .next = NONE};
}
