/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The simulated hostd's connection with a guest. As hostd/session.c, and what hostd/host_guests.c
 * does with its events. A path has one connection at a time, so none is ever replaced. */
#include <string.h>

#include "common/macro.h"
#include "tests/sim/hostd_model_private.h"

#define FRAMES_PER_WAKEUP 64U /* as there */

/* As over(), with on_closed() and drop_caller(). Returns -ECONNRESET. */
static int over(struct hostd_domain *domain, enum bye_code code, const char *reason)
{
	struct hostd_session *session = &domain->session;
	uint8_t frame[FRAME_HEADER + 4 + PROTO_TEXT_MAX];
	int n = code > 0 ? bye_put(frame, sizeof(frame), code, reason) : 0;

	if (n > 0)
		path_send(domain->path, PATH_HOST, frame, (size_t)n);
	path_close(domain->path, PATH_HOST);
	session->connected = false;
	session->n_waiting = 0;
	queue_set(domain->host->queue, &domain->session_timer, SIM_NEVER);
	if (domain->has_hello)
		hostd_domain_silent(domain);
	return -ECONNRESET;
}

/* As set_deadline(). */
static int set_deadline(struct hostd_domain *domain, uint64_t now_usec)
{
	struct hostd_session *session = &domain->session;
	uint64_t next_usec;
	const char *late;

	peer_partial(&session->peer,
		     frame_decoder_is_partial(&session->decoder) && !session->resume_usec,
		     now_usec);
	late = peer_overdue(&session->peer, &domain->host->peer_config, now_usec, &next_usec);
	if (late)
		return over(domain, BYE_TIMEOUT, late);
	if (session->resume_usec)
		next_usec = MIN(next_usec, session->resume_usec);
	daemon_set_timer(domain->host->queue, &domain->session_timer, next_usec,
			 HOSTD_ACCURACY_USEC);
	return 0;
}

int hostd_session_send(struct hostd_domain *domain, const uint8_t *frame, size_t size)
{
	domain->session.sent_usec = hostd_now_usec(domain->host);
	domain->host->figures->bytes += size;
	return path_send(domain->path, PATH_HOST, frame, size);
}

/* As on_hello() of hostd/host_guests.c. */
static void take_hello(struct hostd_domain *domain, const struct message_hello *hello)
{
	uint8_t frame[FRAME_HEADER + 512];
	struct message_hello reply = {
		.major = PROTO_MAJOR,
		.minor = PROTO_MINOR,
		.fields = 1U << HELLO_AGENT | 1U << HELLO_LEASE_MAX,
		.lease_max_msec =
			(uint32_t)(domain->host->config.host.lease_max_usec / USEC_PER_MSEC),
		.agent = "vmfreq-hostd in the simulator",
	};
	int size = hello_put(frame, sizeof(frame), &reply);

	if (size > 0)
		hostd_session_send(domain, frame, (size_t)size);
	hostd_domain_greet(domain, hello);
}

/* As take_frame(). */
static int take_frame(struct hostd_domain *domain, const struct frame *frame, uint64_t now_usec)
{
	static struct message_hello hello;
	struct message message = {};
	const char *reason = NULL;
	int r = peer_frame(&domain->session.peer, frame, now_usec, &hello, &message, &reason);

	if (r < 0)
		return over(domain, r == -EPROTONOSUPPORT ? BYE_VERSION : BYE_PROTOCOL, reason);
	if (message.type == MESSAGE_HELLO)
		take_hello(domain, &hello);
	else if (message.type == MESSAGE_REPORT)
		hostd_domain_report(domain, &message.report, now_usec);
	else if (message.type == MESSAGE_BYE)
		return over(domain, 0, message.bye.text);
	return 0;
}

/* As take_frames(). */
static int take_frames(struct hostd_domain *domain, uint64_t now_usec)
{
	struct hostd_session *session = &domain->session;

	for (unsigned n = 0; n < FRAMES_PER_WAKEUP; n++) {
		uint64_t pause_usec;
		struct frame frame;
		int r = frame_decoder_next(&session->decoder, &frame);

		if (r == 0)
			return 0;
		if (r < 0)
			return over(domain, BYE_PROTOCOL, "bytes that are no frame");
		r = take_frame(domain, &frame, now_usec);
		if (r < 0)
			return r;
		pause_usec = peer_take_token(&session->peer, &domain->host->peer_config, now_usec);
		if (pause_usec > 0) {
			session->resume_usec = now_usec + pause_usec;
			return 0;
		}
	}
	session->resume_usec = now_usec;
	return 0;
}

/* As read_some(): once, as much as there is room for. */
static int read_some(struct hostd_domain *domain, uint64_t now_usec)
{
	struct hostd_session *session = &domain->session;
	size_t room, n;
	uint8_t *space = frame_decoder_space(&session->decoder, &room);

	n = MIN(room, session->n_waiting);
	memcpy(space, session->waiting, n);
	session->n_waiting -= n;
	memmove(session->waiting, session->waiting + n, session->n_waiting);
	frame_decoder_commit(&session->decoder, n);
	return take_frames(domain, now_usec);
}

/* As host_take_connection() with session_new(). */
static void begin(struct hostd_domain *domain, uint64_t now_usec)
{
	struct hostd_session *session = &domain->session;

	session->connected = true;
	session->resume_usec = session->sent_usec = 0;
	frame_decoder_init(&session->decoder);
	peer_init(&session->peer, &domain->host->peer_config, now_usec);
}

/* What came with the connection that ended has been read before its end was. */
static bool take_news(struct hostd_domain *domain, uint64_t now_usec)
{
	struct hostd_session *session = &domain->session;

	if (session->went_down) {
		session->went_down = false;
		if (session->connected)
			over(domain, 0, "the guest closed the connection");
	}
	if (session->came_up) {
		session->came_up = false;
		begin(domain, now_usec);
	}
	return session->connected;
}

void hostd_session_serve(struct hostd_domain *domain, unsigned due)
{
	struct hostd_session *session = &domain->session;
	uint64_t now_usec = hostd_now_usec(domain->host);

	if (!take_news(domain, now_usec))
		return;
	if (session->resume_usec && now_usec >= session->resume_usec) {
		session->resume_usec = 0;
		if (take_frames(domain, now_usec) < 0)
			return;
	}
	if (due & DUE_IO && !session->resume_usec && session->n_waiting > 0 &&
	    read_some(domain, now_usec) < 0)
		return;
	if (set_deadline(domain, now_usec) < 0)
		return;
	if (session->n_waiting > 0 && !session->resume_usec)
		hostd_wake(domain, DUE_IO);
}

/* -- the path's news -- */

static void on_up(void *userdata)
{
	struct hostd_domain *domain = userdata;

	domain->session.came_up = true;
	domain->session.n_waiting = 0;
	hostd_wake(domain, DUE_IO);
}

static void on_bytes(void *userdata, const uint8_t *bytes, size_t size)
{
	struct hostd_domain *domain = userdata;
	struct hostd_session *session = &domain->session;
	uint8_t *waiting = realloc(session->waiting, session->n_waiting + size);

	if (!waiting)
		return;
	memcpy(waiting + session->n_waiting, bytes, size);
	session->waiting = waiting;
	session->n_waiting += size;
	hostd_wake(domain, DUE_IO);
}

static void on_down(void *userdata)
{
	struct hostd_domain *domain = userdata;

	domain->session.went_down = true;
	hostd_wake(domain, DUE_IO);
}

static const struct path_ops path_ops = {on_up, on_bytes, on_down};

void hostd_session_attach(struct hostd_domain *domain)
{
	path_attach(domain->path, PATH_HOST, &path_ops, domain);
}
