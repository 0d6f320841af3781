/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events in the order of their time: the simulator's only clock. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_USEC UINT64_C(1000)
#define SIM_MSEC UINT64_C(1000000)
#define SIM_SEC	 UINT64_C(1000000000)
#define SIM_NEVER UINT64_MAX

struct event;
typedef void (*event_fire)(struct event *event);

/* Embedded in what it is about (container_of). Zero-initialised but for fire: it isn't queued. */
struct event {
	event_fire fire;
	uint64_t at_nsec;
	uint64_t order; /* of two at the same time the one that was set first comes first */
	size_t place;	/* 0: not queued */
};

#define EVENT_OWNER(event_, type, member) ((type *)((char *)(event_)-offsetof(type, member)))

struct queue;

struct queue *queue_new(void);
void queue_free(struct queue *queue);

/* nsec since the run began. It moves only in queue_run(). */
uint64_t queue_now(const struct queue *queue);

/* Sets, or moves, an event; one in the past fires now. SIM_NEVER takes it out. */
void queue_set(struct queue *queue, struct event *event, uint64_t at_nsec);

/* Fires all up to and including until_nsec; then it is until_nsec. */
void queue_run(struct queue *queue, uint64_t until_nsec);

uint64_t queue_fired(const struct queue *queue); /* how many, for who looks at the cost */
