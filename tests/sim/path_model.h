/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bytes' way between a guest and the host: a stream each way, as a vsock connection is one,
 * with its delay. What is sent in one piece arrives in one piece; nothing overtakes; nothing is
 * lost but by the end of the connection. There is no limit to what may be under way. */
#pragma once

#include "tests/sim/dice.h"
#include "tests/sim/queue.h"
#include "tests/sim/scenario.h"

enum path_end { PATH_GUEST, PATH_HOST };

/* What an end is told. */
struct path_ops {
	void (*up)(void *userdata); /* there is a connection */
	void (*bytes)(void *userdata, const uint8_t *bytes, size_t size);
	void (*down)(void *userdata); /* it is over, and this end didn't end it */
};

struct path;

/* name: of the VM, for the dice. NULL if there is no memory. */
struct path *path_new(struct queue *queue, const struct path_config *config, uint64_t seed,
		      const char *name);
void path_free(struct path *path);
void path_attach(struct path *path, enum path_end end, const struct path_ops *ops, void *userdata);

/* The guest connects: both ends learn of it, the host first. */
void path_connect(struct path *path);

/* One end closes; the other learns of it after what was sent before. */
void path_close(struct path *path, enum path_end end);

/* Whether this end knows a connection. */
bool path_is_up(const struct path *path, enum path_end end);

/* Sends from this end. 0, -ENOTCONN or -ENOMEM. */
int path_send(struct path *path, enum path_end from, const uint8_t *bytes, size_t size);
