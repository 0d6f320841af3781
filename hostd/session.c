/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One guest's connection on the event loop: its bytes in, judged by peer.c, and frames out. */
#include "hostd/session.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/macro.h"

/* Frames taken in one wake-up, so that one guest can't keep the others waiting. */
#define FRAMES_PER_WAKEUP 64U

struct session {
	int fd;
	const struct peer_config *config;
	const struct session_events *events;
	void *userdata;
	sd_event_source *io, *timer;
	uint64_t resume_usec; /* reading is paused until then; 0: it isn't */
	uint64_t sent_usec;
	struct peer peer;
	size_t out_begin, out_end;
	uint8_t out[FEEDBACK_FRAME_MAX];
	struct frame_decoder decoder;
};

static uint64_t now_of(struct session *session)
{
	uint64_t now_usec = 0;

	sd_event_now(sd_event_source_get_event(session->timer), CLOCK_MONOTONIC, &now_usec);
	return now_usec;
}

static void session_free(struct session *session)
{
	sd_event_source_disable_unref(session->io);
	sd_event_source_disable_unref(session->timer);
	if (session->fd >= 0)
		close(session->fd);
	free(session);
}

/* Tells the peer why, if its socket has room; it is over whatever comes of it. */
static void send_bye(struct session *session, enum bye_code code, const char *reason)
{
	uint8_t frame[FRAME_HEADER + 4 + PROTO_TEXT_MAX];
	int n = bye_put(frame, sizeof(frame), code, reason);

	if (n > 0 && session->out_begin == session->out_end &&
	    send(session->fd, frame, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return;
	shutdown(session->fd, SHUT_WR);
}

struct session *session_end(struct session *session, enum bye_code code, const char *reason)
{
	if (session) {
		if (code > 0)
			send_bye(session, code, reason);
		session_free(session);
	}
	return NULL;
}

static int over(struct session *session, enum bye_code code, const char *reason)
{
	session->events->closed(session->userdata, session, code, reason);
	return -ECONNRESET;
}

static void watch(struct session *session)
{
	uint32_t events = session->resume_usec ? 0 : EPOLLIN;

	if (session->out_begin < session->out_end)
		events |= EPOLLOUT;
	sd_event_source_set_io_events(session->io, events);
}

/* Sets the timer to the next deadline, or to the end of a pause. */
static int set_deadline(struct session *session, uint64_t now_usec)
{
	uint64_t next_usec;
	const char *late;

	peer_partial(&session->peer, frame_decoder_is_partial(&session->decoder) &&
					     !session->resume_usec, now_usec);
	late = peer_overdue(&session->peer, session->config, now_usec, &next_usec);
	if (late)
		return over(session, BYE_TIMEOUT, late);
	if (session->resume_usec)
		next_usec = MIN(next_usec, session->resume_usec);
	watch(session);
	return sd_event_source_set_time(session->timer, next_usec);
}

/* Hands one frame to the owner. Negative: the session is over and freed. */
static int take_frame(struct session *session, const struct frame *frame, uint64_t now_usec)
{
	struct message_hello hello;
	struct message message = {};
	const char *reason = NULL;
	char versions[96];
	int r = peer_frame(&session->peer, frame, now_usec, &hello, &message, &reason);

	if (r == -EPROTONOSUPPORT) {
		snprintf(versions, sizeof(versions), "%s: it speaks %u.%u, hostd speaks %u.%u",
			 reason, hello.major, hello.minor, PROTO_MAJOR, PROTO_MINOR);
		return over(session, BYE_VERSION, versions);
	}
	if (r < 0)
		return over(session, BYE_PROTOCOL, reason);
	if (message.type == MESSAGE_HELLO)
		session->events->hello(session->userdata, session, &hello);
	else if (message.type == MESSAGE_REPORT)
		session->events->report(session->userdata, session, &message.report, now_usec);
	else if (message.type == MESSAGE_NOTICE)
		session->events->notice(session->userdata, session, &message.notice);
	else if (message.type == MESSAGE_BYE)
		return over(session, 0, message.bye.text);
	return 0;
}

static int take_frames(struct session *session, uint64_t now_usec)
{
	struct frame frame;
	int r = 0;

	for (unsigned n = 0; n < FRAMES_PER_WAKEUP; n++) {
		uint64_t pause_usec;

		r = frame_decoder_next(&session->decoder, &frame);
		if (r == 0)
			return 0;
		if (r < 0)
			return over(session, BYE_PROTOCOL, "bytes that are no frame");
		r = take_frame(session, &frame, now_usec);
		if (r < 0)
			return r;
		pause_usec = peer_take_token(&session->peer, session->config, now_usec);
		if (pause_usec > 0) {
			session->resume_usec = now_usec + pause_usec;
			return 0;
		}
	}
	session->resume_usec = now_usec; /* the others first, then the rest of the buffer */
	return 0;
}

static int read_some(struct session *session, uint64_t now_usec)
{
	size_t room;
	uint8_t *space = frame_decoder_space(&session->decoder, &room);
	ssize_t n = recv(session->fd, space, room, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return over(session, 0, strerror(errno));
	if (n == 0)
		return over(session, 0, "the guest closed the connection");
	frame_decoder_commit(&session->decoder, (size_t)n);
	return take_frames(session, now_usec);
}

static int flush(struct session *session)
{
	ssize_t n = send(session->fd, session->out + session->out_begin,
			 session->out_end - session->out_begin, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	session->out_begin += (size_t)n;
	return 0;
}

static int on_io(_unused_ sd_event_source *source, _unused_ int fd, uint32_t revents,
		 void *userdata)
{
	struct session *session = userdata;
	uint64_t now_usec = now_of(session);

	if (revents & EPOLLOUT && flush(session) < 0) {
		over(session, 0, "sending failed");
		return 0;
	}
	if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR) && read_some(session, now_usec) < 0)
		return 0;
	set_deadline(session, now_usec);
	return 0;
}

static int on_timer(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
	struct session *session = userdata;
	uint64_t now_usec = now_of(session);

	sd_event_source_set_enabled(session->timer, SD_EVENT_ON);
	if (session->resume_usec && now_usec >= session->resume_usec) {
		session->resume_usec = 0;
		if (take_frames(session, now_usec) < 0)
			return 0;
	}
	set_deadline(session, now_usec);
	return 0;
}

int session_new(sd_event *event, int fd, const struct peer_config *config,
		const struct session_events *events, void *userdata, struct session **ret)
{
	/* calloc() and no copy of a whole struct: pages of the buffers that stay unused stay unmapped. */
	struct session *session = calloc(1, sizeof(*session));
	uint64_t now_usec = 0;
	int r;

	if (!session)
		return -ENOMEM;
	session->fd = -EBADF;
	session->config = config;
	session->events = events;
	session->userdata = userdata;
	frame_decoder_init(&session->decoder);
	sd_event_now(event, CLOCK_MONOTONIC, &now_usec);
	peer_init(&session->peer, config, now_usec);
	r = sd_event_add_io(event, &session->io, fd, EPOLLIN, on_io, session);
	if (r >= 0)
		r = sd_event_add_time(event, &session->timer, CLOCK_MONOTONIC,
				      now_usec + config->hello_usec, USEC_PER_MSEC, on_timer,
				      session);
	if (r < 0) {
		session_free(session);
		return r;
	}
	session->fd = fd;
	*ret = session;
	return 0;
}

int session_send(struct session *session, const uint8_t *frame, size_t size)
{
	if (session->out_begin < session->out_end || size > sizeof(session->out))
		return -EAGAIN;
	memcpy(session->out, frame, size);
	session->out_begin = 0;
	session->out_end = size;
	session->sent_usec = now_of(session);
	/* What fails here shows in the next read; a session is never freed under its caller. */
	(void)flush(session);
	watch(session);
	return 0;
}

const struct peer *session_peer(const struct session *session)
{
	return &session->peer;
}

uint64_t session_sent_usec(const struct session *session)
{
	return session->sent_usec;
}
