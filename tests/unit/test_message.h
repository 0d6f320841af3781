/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of messages share: one in the making, which is parsed as it comes from an equal,
 * an older or a newer peer. */
#pragma once

#include "tests/unit/test.h"

#include "proto/message.h"

#define NEWER (PROTO_MINOR + 1)

/* A frame in the making: bytes is its payload. */
struct draft {
	uint8_t type;
	size_t size;
	uint8_t bytes[FRAME_PAYLOAD_MAX];
};

static struct draft draft;
static struct message_hello hello;

static inline struct frame frame_of(const struct draft *d)
{
	return (struct frame){.type = d->type, .payload = d->bytes, .size = d->size};
}

static inline void draft_hex(uint8_t type, const char *text)
{
	draft.type = type;
	draft.size = test_hex(text, draft.bytes, sizeof(draft.bytes));
}

/* Takes a whole frame apart into the draft. */
static inline void draft_frame(const uint8_t *bytes, int n)
{
	assert_true(n >= (int)FRAME_HEADER);
	assert_memory_equal(bytes, "VF", 2);
	assert_int_equal(bytes[3], 0);
	assert_int_equal(get_u32(bytes + 4), n - (int)FRAME_HEADER);
	draft.type = bytes[2];
	draft.size = (size_t)n - FRAME_HEADER;
	memcpy(draft.bytes, bytes + FRAME_HEADER, draft.size);
}

static inline int parse(uint8_t minor, struct message *ret)
{
	struct frame frame = frame_of(&draft);

	memset(ret, 0xa5, sizeof(*ret));
	return message_parse(&frame, minor, ret);
}

static inline int parse_hello(void)
{
	struct frame frame = frame_of(&draft);

	memset(&hello, 0xa5, sizeof(hello));
	return hello_parse(&frame, &hello);
}

/* One change of a good message, and what becomes of it with an equal and with a newer peer. */
struct change {
	size_t offset, width; /* width 0: value is the new size */
	uint64_t value;
	int equal, newer;
};

static inline void check_changes(const struct change *changes, size_t n)
{
	const struct draft good = draft;

	for (size_t i = 0; i < n; i++) {
		const struct change *c = &changes[i];
		struct message message;
		int r;

		draft = good;
		if (c->width == 0)
			draft.size = c->value;
		else if (c->width == 2)
			put_u16(draft.bytes + c->offset, (uint16_t)c->value);
		else if (c->width == 4)
			put_u32(draft.bytes + c->offset, (uint32_t)c->value);
		else
			put_u64(draft.bytes + c->offset, c->value);
		r = parse(PROTO_MINOR, &message);
		EXPECT(r == c->equal, "change %zu gave %d", i, r);
		EXPECT(r < 0 || message.type == good.type, "change %zu", i);
		r = parse(0, &message);
		EXPECT(r == c->equal, "change %zu gave %d with an older peer", i, r);
		r = parse(NEWER, &message);
		EXPECT(r == c->newer, "change %zu gave %d with a newer peer", i, r);
	}
	draft = good;
}
