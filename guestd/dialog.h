/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One connection's conversation with the host: HELLO first, then FEEDBACK, PING and BYE. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/message.h"

#define DIALOG_HELLO_USEC   UINT64_C(5000000)  /* how long the host may take to answer */
#define DIALOG_SILENCE_USEC UINT64_C(15000000) /* it sends a PING every 5 s at least */

enum dialog_event {
	DIALOG_NOTHING,	  /* a PING, or a frame of a newer version */
	DIALOG_WANTS,	  /* a PING: `quiet` is otherwise from now on */
	DIALOG_STREAMING, /* the host's HELLO: reports may go out */
	DIALOG_FEEDBACK,  /* message.feedback is set, and points into the frame */
	DIALOG_BYE,	  /* message.bye is set; the host closes */
	DIALOG_VERSION,	  /* the host speaks another major version */
	DIALOG_BAD,	  /* not what PROTOCOL.md allows: close */
	DIALOG_TIMEOUT,	  /* the host is silent: close */
};

struct dialog {
	bool streaming;
	bool quiet; /* the host has no use for reports */
	uint8_t peer_major, peer_minor;
	uint32_t lease_max_msec;
	uint64_t heard_usec;
	char agent[PROTO_TEXT_MAX + 1];
	struct message message; /* of the last event */
	struct message_hello hello;
};

/* A connection was made at now_usec. */
void dialog_start(struct dialog *dialog, uint64_t now_usec);

/* A frame came. */
enum dialog_event dialog_frame(struct dialog *dialog, const struct frame *frame, uint64_t now_usec);

/* No frame came: NOTHING or TIMEOUT. */
enum dialog_event dialog_check(const struct dialog *dialog, uint64_t now_usec);
