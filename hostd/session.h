/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One guest's connection on the event loop: its bytes in, judged by peer.c, and frames out. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "hostd/peer.h"

struct session;

/* What a session tells its owner. None may free it but `closed`, which must. */
struct session_events {
	void (*hello)(void *userdata, struct session *session, const struct message_hello *hello);
	void (*report)(void *userdata, struct session *session,
		       const struct message_report *report, uint64_t now_usec);
	void (*notice)(void *userdata, struct session *session,
		       const struct message_notice *notice);
	/* It is over. by_peer: it ended without our doing. code is 0 where no rule was broken. */
	void (*closed)(void *userdata, struct session *session, enum bye_code code,
		       const char *reason);
};

/* Begins a session on a connected, non-blocking descriptor, which it owns from then on, in success
 * alone. config outlives it. */
int session_new(sd_event *event, int fd, const struct peer_config *config,
		const struct session_events *events, void *userdata, struct session **ret);

/* Sends a BYE if there is room for it, and frees the session without calling `closed`. code 0: no
 * BYE. Returns NULL. */
struct session *session_end(struct session *session, enum bye_code code, const char *reason);

/* Sends a whole frame. -EAGAIN: what was sent before isn't through yet and this one is dropped;
 * other errors come to `closed` by the event loop. */
int session_send(struct session *session, const uint8_t *frame, size_t size);

/* Its counts and state. */
const struct peer *session_peer(const struct session *session);

/* When a frame was last sent, 0 if none was. */
uint64_t session_sent_usec(const struct session *session);
