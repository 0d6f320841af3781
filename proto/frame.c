/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes <-> frames. Pure. */
#include "proto/frame.h"

#include <errno.h>
#include <string.h>

void put_u16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)value;
	p[1] = (uint8_t)(value >> 8);
}

void put_u32(uint8_t *p, uint32_t value)
{
	put_u16(p, (uint16_t)value);
	put_u16(p + 2, (uint16_t)(value >> 16));
}

void put_u64(uint8_t *p, uint64_t value)
{
	put_u32(p, (uint32_t)value);
	put_u32(p + 4, (uint32_t)(value >> 32));
}

uint16_t get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

uint32_t get_u32(const uint8_t *p)
{
	return get_u16(p) | (uint32_t)get_u16(p + 2) << 16;
}

uint64_t get_u64(const uint8_t *p)
{
	return get_u32(p) | (uint64_t)get_u32(p + 4) << 32;
}

void frame_put_header(uint8_t *buffer, uint8_t type, size_t size)
{
	put_u16(buffer, FRAME_MAGIC);
	buffer[2] = type;
	buffer[3] = 0;
	put_u32(buffer + 4, (uint32_t)size);
}

void frame_decoder_init(struct frame_decoder *decoder)
{
	decoder->begin = decoder->end = 0;
}

uint8_t *frame_decoder_space(struct frame_decoder *decoder, size_t *ret_size)
{
	if (decoder->begin > 0) {
		memmove(decoder->buffer, decoder->buffer + decoder->begin,
			decoder->end - decoder->begin);
		decoder->end -= decoder->begin;
		decoder->begin = 0;
	}
	*ret_size = sizeof(decoder->buffer) - decoder->end;
	return decoder->buffer + decoder->end;
}

void frame_decoder_commit(struct frame_decoder *decoder, size_t n)
{
	decoder->end += n;
}

int frame_decoder_next(struct frame_decoder *decoder, struct frame *ret)
{
	const uint8_t *p = decoder->buffer + decoder->begin;
	size_t have = decoder->end - decoder->begin;
	size_t size;

	/* Each byte of the header is judged as soon as it is there: garbage shows early. */
	if ((have >= 1 && p[0] != (FRAME_MAGIC & 0xff)) || (have >= 2 && p[1] != FRAME_MAGIC >> 8) ||
	    (have >= 4 && p[3] != 0))
		return -EBADMSG;
	if (have < FRAME_HEADER)
		return 0;
	size = get_u32(p + 4);
	if (size > FRAME_PAYLOAD_MAX)
		return -EBADMSG;
	if (have < FRAME_HEADER + size)
		return 0;
	*ret = (struct frame){.type = p[2], .payload = p + FRAME_HEADER, .size = size};
	decoder->begin += FRAME_HEADER + size;
	return 1;
}

bool frame_decoder_is_partial(const struct frame_decoder *decoder)
{
	return decoder->end > decoder->begin;
}
