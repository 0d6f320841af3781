/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes <-> frames. A byte stream is cut into frames as it comes, without allocation; a frame is
 * put together field by field. Pure. The format is in PROTOCOL.md. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAGIC       0x4656U /* "VF", little-endian */
#define FRAME_HEADER      8U
#define FRAME_PAYLOAD_MAX 32760U
#define FRAME_MAX         (FRAME_HEADER + FRAME_PAYLOAD_MAX)

/* A frame inside a decoder's buffer: valid until the next call on that decoder. */
struct frame {
	uint8_t type;
	const uint8_t *payload;
	size_t size;
};

struct frame_decoder {
	size_t begin, end; /* what is in buffer and not yet taken */
	uint8_t buffer[FRAME_MAX];
};

void frame_decoder_init(struct frame_decoder *decoder);

/* Where the next bytes of the stream go, and how many have room: never 0 after frame_decoder_next()
 * has returned 0. */
uint8_t *frame_decoder_space(struct frame_decoder *decoder, size_t *ret_size);

/* n bytes have been put there; n is at most what frame_decoder_space() said. */
void frame_decoder_commit(struct frame_decoder *decoder, size_t n);

/* 1 and the next frame; 0 if it isn't whole yet; -EBADMSG if the stream can't be one of frames (the
 * connection is over then: there is no way to find the next frame). */
int frame_decoder_next(struct frame_decoder *decoder, struct frame *ret);

/* Whether a frame has begun and is not whole: the deadline for frames runs. */
bool frame_decoder_is_partial(const struct frame_decoder *decoder);

/* Little-endian fields at p. */
void put_u16(uint8_t *p, uint16_t value);
void put_u32(uint8_t *p, uint32_t value);
void put_u64(uint8_t *p, uint64_t value);
uint16_t get_u16(const uint8_t *p);
uint32_t get_u32(const uint8_t *p);
uint64_t get_u64(const uint8_t *p);

/* Writes a frame's header; `size` bytes of payload, at most FRAME_PAYLOAD_MAX, follow it. */
void frame_put_header(uint8_t *buffer, uint8_t type, size_t size);
