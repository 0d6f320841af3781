/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bytes' way between a guest and the host. */
#include "tests/sim/path_model.h"

#include <string.h>

#include "common/macro.h"

enum parcel_kind { PARCEL_UP, PARCEL_BYTES, PARCEL_DOWN };

/* What is under way, in the order in which it arrives. */
struct parcel {
	struct parcel *next;
	uint64_t at_nsec;
	enum parcel_kind kind;
	size_t size;
	uint8_t bytes[];
};

/* One direction, named by the end where it arrives. */
struct way {
	struct event event;
	struct path *path;
	enum path_end to;
	struct dice dice;
	struct parcel *first, **last;
	uint64_t last_nsec; /* nothing arrives before */
};

struct path {
	struct queue *queue;
	struct path_config config;
	struct way way[2];
	struct event cut;
	struct dice cuts;
	const struct path_ops *ops[2];
	void *userdata[2];
	bool up[2];
};

static void set_arrival(struct way *way)
{
	queue_set(way->path->queue, &way->event, way->first ? way->first->at_nsec : SIM_NEVER);
}

static struct parcel *take_first(struct way *way)
{
	struct parcel *parcel = way->first;

	way->first = parcel->next;
	if (!way->first)
		way->last = &way->first;
	return parcel;
}

static void deliver(struct path *path, enum path_end end, const struct parcel *parcel)
{
	const struct path_ops *ops = path->ops[end];

	switch (parcel->kind) {
	case PARCEL_UP:
		path->up[end] = true;
		ops->up(path->userdata[end]);
		break;
	case PARCEL_BYTES:
		if (path->up[end])
			ops->bytes(path->userdata[end], parcel->bytes, parcel->size);
		break;
	case PARCEL_DOWN:
		if (path->up[end]) {
			path->up[end] = false;
			ops->down(path->userdata[end]);
		}
		break;
	}
}

static void arrive(struct event *event)
{
	struct way *way = EVENT_OWNER(event, struct way, event);
	struct parcel *parcel = take_first(way);

	set_arrival(way);
	deliver(way->path, way->to, parcel);
	free(parcel);
}

/* How long what is sent now takes. */
static uint64_t delay_of(struct way *way)
{
	const struct path_config *config = &way->path->config;

	if (config->stall_share > 0 && dice_share(&way->dice) < config->stall_share)
		return config->stall_nsec;
	return config->delay_nsec +
	       (config->jitter_nsec > 0 ? dice_wait(&way->dice, config->jitter_nsec) : 0);
}

static int post(struct way *way, enum parcel_kind kind, const uint8_t *bytes, size_t size)
{
	struct parcel *parcel = malloc(sizeof(*parcel) + size);

	if (!parcel)
		return -ENOMEM;
	way->last_nsec = MAX(way->last_nsec, queue_now(way->path->queue) + delay_of(way));
	parcel->next = NULL;
	parcel->at_nsec = way->last_nsec;
	parcel->kind = kind;
	parcel->size = size;
	if (size > 0)
		memcpy(parcel->bytes, bytes, size);
	*way->last = parcel;
	way->last = &parcel->next;
	set_arrival(way);
	return 0;
}

static void drop_all(struct way *way)
{
	while (way->first)
		free(take_first(way));
	set_arrival(way);
}

static void set_cut(struct path *path)
{
	if (path->config.cut_every_nsec > 0)
		queue_set(path->queue, &path->cut,
			  queue_now(path->queue) +
				  dice_wait(&path->cuts, path->config.cut_every_nsec));
}

/* The connection is reset: what is under way is lost, and both ends learn of it at once. */
static void cut(struct event *event)
{
	struct path *path = EVENT_OWNER(event, struct path, cut);

	set_cut(path);
	if (!path->up[PATH_GUEST] || !path->up[PATH_HOST])
		return; /* there is nothing to cut yet */
	for (unsigned end = 0; end < 2; end++) {
		drop_all(&path->way[end]);
		path->up[end] = false;
	}
	for (unsigned end = 0; end < 2; end++)
		path->ops[end]->down(path->userdata[end]);
}

static void init_way(struct path *path, enum path_end to, uint64_t seed, const char *name)
{
	struct way *way = &path->way[to];
	char stream[128];

	snprintf(stream, sizeof(stream), "path %s to %s", name, to == PATH_HOST ? "host" : "guest");
	dice_init(&way->dice, seed, stream);
	way->event.fire = arrive;
	way->path = path;
	way->to = to;
	way->last = &way->first;
}

struct path *path_new(struct queue *queue, const struct path_config *config, uint64_t seed,
		      const char *name)
{
	struct path *path = calloc(1, sizeof(*path));
	char stream[128];

	if (!path)
		return NULL;
	path->queue = queue;
	path->config = *config;
	init_way(path, PATH_GUEST, seed, name);
	init_way(path, PATH_HOST, seed, name);
	snprintf(stream, sizeof(stream), "path %s cuts", name);
	dice_init(&path->cuts, seed, stream);
	path->cut.fire = cut;
	set_cut(path);
	return path;
}

void path_free(struct path *path)
{
	if (!path)
		return;
	for (unsigned end = 0; end < 2; end++)
		drop_all(&path->way[end]);
	queue_set(path->queue, &path->cut, SIM_NEVER);
	free(path);
}

void path_attach(struct path *path, enum path_end end, const struct path_ops *ops, void *userdata)
{
	path->ops[end] = ops;
	path->userdata[end] = userdata;
}

void path_connect(struct path *path)
{
	struct way *there = &path->way[PATH_HOST], *back = &path->way[PATH_GUEST];

	if (post(there, PARCEL_UP, NULL, 0) < 0)
		return;
	/* The answer is the host kernel's own, when the call has come. */
	back->last_nsec = MAX(back->last_nsec, there->last_nsec);
	post(back, PARCEL_UP, NULL, 0);
}

void path_close(struct path *path, enum path_end end)
{
	if (!path->up[end])
		return;
	path->up[end] = false;
	post(&path->way[!end], PARCEL_DOWN, NULL, 0);
}

bool path_is_up(const struct path *path, enum path_end end)
{
	return path->up[end];
}

int path_send(struct path *path, enum path_end from, const uint8_t *bytes, size_t size)
{
	return path->up[from] ? post(&path->way[!from], PARCEL_BYTES, bytes, size) : -ENOTCONN;
}
