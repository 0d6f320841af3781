/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events in the order of their time: a binary heap in which each event knows its place. */
#include "tests/sim/queue.h"

#include <stdlib.h>

struct queue {
	uint64_t now_nsec, order, fired;
	struct event **heap; /* from 1 on */
	size_t n, size;
};

struct queue *queue_new(void)
{
	struct queue *queue = calloc(1, sizeof(*queue));

	if (!queue)
		abort();
	return queue;
}

void queue_free(struct queue *queue)
{
	if (!queue)
		return;
	free(queue->heap);
	free(queue);
}

uint64_t queue_now(const struct queue *queue)
{
	return queue->now_nsec;
}

uint64_t queue_fired(const struct queue *queue)
{
	return queue->fired;
}

static bool before(const struct event *a, const struct event *b)
{
	return a->at_nsec != b->at_nsec ? a->at_nsec < b->at_nsec : a->order < b->order;
}

static void put(struct queue *queue, struct event *event, size_t place)
{
	queue->heap[place] = event;
	event->place = place;
}

static void rise(struct queue *queue, struct event *event, size_t place)
{
	for (; place > 1 && before(event, queue->heap[place / 2]); place /= 2)
		put(queue, queue->heap[place / 2], place);
	put(queue, event, place);
}

static void sink(struct queue *queue, struct event *event, size_t place)
{
	for (size_t child; (child = 2 * place) <= queue->n; place = child) {
		if (child < queue->n && before(queue->heap[child + 1], queue->heap[child]))
			child++;
		if (!before(queue->heap[child], event))
			break;
		put(queue, queue->heap[child], place);
	}
	put(queue, event, place);
}

static void settle(struct queue *queue, struct event *event, size_t place)
{
	if (place > 1 && before(event, queue->heap[place / 2]))
		rise(queue, event, place);
	else
		sink(queue, event, place);
}

static void take_out(struct queue *queue, struct event *event)
{
	size_t place = event->place;
	struct event *last = queue->heap[queue->n--];

	event->place = 0;
	if (last != event)
		settle(queue, last, place);
}

static void make_room(struct queue *queue)
{
	if (queue->n + 1 < queue->size)
		return;
	queue->size = queue->size ? 2 * queue->size : 64;
	queue->heap = reallocarray(queue->heap, queue->size, sizeof(*queue->heap));
	if (!queue->heap)
		abort();
}

void queue_set(struct queue *queue, struct event *event, uint64_t at_nsec)
{
	if (at_nsec == SIM_NEVER) {
		if (event->place != 0)
			take_out(queue, event);
		return;
	}
	event->at_nsec = at_nsec < queue->now_nsec ? queue->now_nsec : at_nsec;
	event->order = ++queue->order;
	if (event->place != 0) {
		settle(queue, event, event->place);
		return;
	}
	make_room(queue);
	rise(queue, event, ++queue->n);
}

void queue_run(struct queue *queue, uint64_t until_nsec)
{
	while (queue->n > 0 && queue->heap[1]->at_nsec <= until_nsec) {
		struct event *event = queue->heap[1];

		take_out(queue, event);
		queue->now_nsec = event->at_nsec;
		queue->fired++;
		event->fire(event);
	}
	if (until_nsec > queue->now_nsec)
		queue->now_nsec = until_nsec;
}
