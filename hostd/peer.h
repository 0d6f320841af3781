/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a connection may do, and when it is over: everything about a stranger's bytes that isn't
 * their format. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/message.h"

struct peer_config {
	bool any_port;           /* accept source ports of 1024 and more too */
	uint64_t hello_usec;     /* from accept to a whole HELLO */
	uint64_t frame_usec;     /* from a frame's first byte to its last */
	uint64_t idle_usec;      /* between two frames */
	uint32_t rate;           /* frames a second that are read, averaged */
	uint32_t burst;          /* frames that may come at once */
};

struct peer {
	bool greeted;            /* a good HELLO was here */
	uint8_t minor;           /* what it speaks */
	uint64_t accepted_usec;
	uint64_t frame_usec;     /* when the last whole frame came */
	uint64_t partial_usec;   /* since when a frame is incomplete; 0: none is */
	uint64_t bucket_usec;    /* when the bucket was last filled */
	uint64_t bucket_milli;   /* tokens in it, in thousandths */
	uint64_t frames, reports, skipped, lost;
	bool has_sequence;
	uint32_t sequence;
};

/* Why a connection isn't taken: NULL if it is. The text goes to the log and, in a BYE, to the peer. */
const char *peer_refusal(const struct peer_config *config, uint32_t cid, uint32_t port,
			 bool has_domain);

void peer_init(struct peer *peer, const struct peer_config *config, uint64_t now_usec);

/* Takes one token for a frame that was just read. 0, or how long to stop reading until there is one
 * for the next. */
uint64_t peer_take_token(struct peer *peer, const struct peer_config *config, uint64_t now_usec);

/* What the peer's next frame is. Until it has greeted, hello is filled and MESSAGE_HELLO comes back
 * in ret->type; after that, ret. -EPROTONOSUPPORT or -EBADMSG: close it, with *ret_reason (static)
 * for both logs. */
int peer_frame(struct peer *peer, const struct frame *frame, uint64_t now_usec,
	       struct message_hello *hello, struct message *ret, const char **ret_reason);

/* Tells whether a frame is incomplete, after everything that came has been taken. */
void peer_partial(struct peer *peer, bool partial, uint64_t now_usec);

/* NULL if all is well, else what it is too late for. *ret_next_usec is the next deadline. */
const char *peer_overdue(const struct peer *peer, const struct peer_config *config,
			 uint64_t now_usec, uint64_t *ret_next_usec);
