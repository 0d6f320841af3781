/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* In testing builds alone: connections of the testing listener until they have said their CID. From
 * then on they are as any other guest's. */
#include "hostd/host_private.h"

#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/macro.h"
#include "hostd/testing_listener.h"
#include "hostd/testing_preamble.h"

/* The kernel says that root has connected, which is what a vsock port below 1024 says. */
#define PORT_OF_ROOT 0U

struct pending {
	struct testing *testing;
	int fd;
	struct testing_preamble preamble;
	sd_event_source *io, *timer;
	struct pending *next;
};

struct testing {
	struct host *host;
	struct testing_listener listener;
	sd_event_source *source;
	struct pending *pending;
	unsigned n_pending;
	struct ratelimit log;
};

/* -- one connection
 * -------------------------------------------------------------------------------*/

static void pending_free(struct pending *pending)
{
	struct testing *testing = pending->testing;

	for (struct pending **p = &testing->pending; *p; p = &(*p)->next)
		if (*p == pending) {
			*p = pending->next;
			testing->n_pending--;
			break;
		}
	sd_event_source_disable_unref(pending->io);
	sd_event_source_disable_unref(pending->timer);
	if (pending->fd >= 0)
		close(pending->fd);
	free(pending);
}

static void log_closed(struct testing *testing, const char *reason)
{
	uint64_t now_usec = 0;

	sd_event_now(testing->host->event, CLOCK_MONOTONIC, &now_usec);
	log_event_limited(&testing->log, now_usec, LOG_WARNING, NULL, LOG_FIELDS(.reason = reason),
			  "TESTING LISTENER: a connection is closed: %s", reason);
}

static void give_up(struct pending *pending, const char *reason)
{
	log_closed(pending->testing, reason);
	pending_free(pending);
}

/* It has said whose it wants to be: whether it may is for the host to say. */
static void hand_over(struct pending *pending, uint32_t cid)
{
	struct testing *testing = pending->testing;
	struct host *host = testing->host;
	int fd = TAKE_FD(pending->fd);
	uint64_t now_usec = 0;

	pending_free(pending);
	sd_event_now(host->event, CLOCK_MONOTONIC, &now_usec);
	log_event_limited(&testing->log, now_usec, LOG_WARNING, NULL, LOG_FIELDS(.cid = cid),
			  "TESTING LISTENER: a connection is taken for CID %" PRIu32 "'s", cid);
	host_take_connection(host, fd, cid, PORT_OF_ROOT);
}

static int on_preamble(_unused_ sd_event_source *source, int fd, _unused_ uint32_t revents,
		       void *userdata)
{
	struct pending *pending = userdata;
	uint32_t cid = 0;
	size_t room;
	uint8_t *space = testing_preamble_space(&pending->preamble, &room);
	ssize_t n = recv(fd, space, room, MSG_DONTWAIT);
	int r;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		give_up(pending, n < 0 ? strerror(errno) : "it ended before it said its CID");
		return 0;
	}
	r = testing_preamble_commit(&pending->preamble, (size_t)n, &cid);
	if (r < 0)
		give_up(pending, "it doesn't begin with the preamble that names a CID");
	else if (r > 0)
		hand_over(pending, cid);
	return 0;
}

static int on_timeout(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
	give_up(userdata, "it didn't say its CID in time");
	return 0;
}

/* fd is its own in success alone. */
static int pending_new(struct testing *testing, int fd)
{
	struct pending *pending = calloc(1, sizeof(*pending));
	sd_event *event = testing->host->event;
	int r;

	if (!pending)
		return -ENOMEM;
	pending->testing = testing;
	pending->fd = -EBADF;
	r = sd_event_add_io(event, &pending->io, fd, EPOLLIN, on_preamble, pending);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &pending->timer, CLOCK_MONOTONIC,
					       TESTING_TIMEOUT_USEC, USEC_PER_MSEC, on_timeout,
					       pending);
	if (r < 0) {
		pending_free(pending);
		return r;
	}
	pending->fd = fd;
	pending->next = testing->pending;
	testing->pending = pending;
	testing->n_pending++;
	return 0;
}

static int on_connect(_unused_ sd_event_source *source, _unused_ int fd, _unused_ uint32_t revents,
		      void *userdata)
{
	struct testing *testing = userdata;
	const char *reason;
	uid_t uid;
	int peer = testing_listener_accept(&testing->listener, &uid);

	if (peer < 0)
		return 0;
	reason = testing_refusal(uid, testing->n_pending);
	if (!reason && pending_new(testing, peer) < 0)
		reason = "no memory";
	if (reason) {
		log_closed(testing, reason);
		close(peer);
	}
	return 0;
}

/* -- the listener
 * ---------------------------------------------------------------------------------*/

static int open_listener(struct testing *testing, const char *path)
{
	int r = testing_listener_open(path, &testing->listener);

	if (r < 0) {
		log_event(LOG_ERR, EVENT_START_FAILED,
			  LOG_FIELDS(.reason = "it can't listen for tests"),
			  "--testing-listen=%s: %s", path, strerror(-r));
		return r;
	}
	r = sd_event_add_io(testing->host->event, &testing->source, testing->listener.fd, EPOLLIN,
			    on_connect, testing);
	/* As with vsock, nobody is refused because there is no inventory yet. */
	if (r >= 0)
		r = sd_event_source_set_enabled(
			testing->source, testing->host->inventory ? SD_EVENT_ON : SD_EVENT_OFF);
	if (r < 0)
		testing_listener_close(&testing->listener);
	return r;
}

int host_testing_start(struct host *host)
{
	const char *path = host->options.testing_path;
	struct testing *testing;
	int r;

	log_warning(TESTING_BUILD ": vmfreq-hostd was configured with --enable-testing; not for "
				  "hosts that matter");
	if (!path)
		return 0;
	testing = calloc(1, sizeof(*testing));
	if (!testing)
		return -ENOMEM;
	testing->host = host;
	testing->log = (struct ratelimit){.interval_usec = 30 * USEC_PER_SEC, .burst = 10};
	r = open_listener(testing, path);
	if (r < 0) {
		sd_event_source_disable_unref(testing->source);
		free(testing);
		return r;
	}
	host->testing = testing;
	log_warning("TESTING LISTENER ACTIVE at %s: root may report in the name of any guest",
		    path);
	host_look(host);
	return 0;
}

void host_testing_enable(struct host *host)
{
	if (host->testing)
		sd_event_source_set_enabled(host->testing->source, SD_EVENT_ON);
}

void host_testing_stop(struct host *host)
{
	struct testing *testing = TAKE_PTR(host->testing);

	if (!testing)
		return;
	while (testing->pending)
		pending_free(testing->pending);
	sd_event_source_disable_unref(testing->source);
	testing_listener_close(&testing->listener);
	free(testing);
}
