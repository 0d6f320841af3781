/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One connection's conversation with the host: HELLO first, then FEEDBACK, PING and BYE. Pure. */
#include "guestd/dialog.h"

#include <string.h>

#include "common/macro.h"

void dialog_start(struct dialog *dialog, uint64_t now_usec)
{
	dialog->streaming = dialog->quiet = false;
	dialog->peer_major = dialog->peer_minor = 0;
	dialog->lease_max_msec = PROTO_LEASE_MAX_MSEC;
	dialog->heard_usec = now_usec;
	dialog->agent[0] = '\0';
}

static enum dialog_event take_hello(struct dialog *dialog, const struct frame *frame)
{
	struct message_hello *hello = &dialog->hello;
	int r = hello_parse(frame, hello);

	if (r == -EPROTONOSUPPORT) {
		dialog->peer_major = hello->major;
		dialog->peer_minor = hello->minor;
		return DIALOG_VERSION;
	}
	if (r < 0 || !hello_is_of_host(hello))
		return DIALOG_BAD;
	dialog->peer_major = hello->major;
	dialog->peer_minor = hello->minor;
	dialog->lease_max_msec = hello->lease_max_msec;
	memcpy(dialog->agent, hello->agent, sizeof(dialog->agent));
	dialog->streaming = true;
	return DIALOG_STREAMING;
}

/* Before its HELLO the host may say BYE, and that alone: it has refused us. */
static enum dialog_event take_first(struct dialog *dialog, const struct frame *frame)
{
	if (frame->type == MESSAGE_HELLO)
		return take_hello(dialog, frame);
	if (frame->type == MESSAGE_BYE && message_parse(frame, PROTO_MINOR, &dialog->message) == 0)
		return DIALOG_BYE;
	return DIALOG_BAD;
}

static enum dialog_event take_ping(struct dialog *dialog, const struct message_ping *ping)
{
	bool quiet = ping->has_flags ? ping->flags & PING_NO_REPORTS : dialog->quiet;

	if (quiet == dialog->quiet)
		return DIALOG_NOTHING;
	dialog->quiet = quiet;
	return DIALOG_WANTS;
}

enum dialog_event dialog_frame(struct dialog *dialog, const struct frame *frame, uint64_t now_usec)
{
	dialog->heard_usec = now_usec;
	if (!dialog->streaming)
		return take_first(dialog, frame);
	if (message_parse(frame, dialog->peer_minor, &dialog->message) < 0)
		return DIALOG_BAD;
	switch (dialog->message.type) {
	case MESSAGE_FEEDBACK:
		return DIALOG_FEEDBACK;
	case MESSAGE_BYE:
		return DIALOG_BYE;
	case MESSAGE_PING:
		return take_ping(dialog, &dialog->message.ping);
	case MESSAGE_UNKNOWN:
		return DIALOG_NOTHING;
	default:
		return DIALOG_BAD; /* REPORT and NOTICE are for hosts */
	}
}

enum dialog_event dialog_check(const struct dialog *dialog, uint64_t now_usec)
{
	uint64_t limit = dialog->streaming ? DIALOG_SILENCE_USEC : DIALOG_HELLO_USEC;

	return now_usec - dialog->heard_usec >= limit ? DIALOG_TIMEOUT : DIALOG_NOTHING;
}
