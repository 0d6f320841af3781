/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the fuzz targets share. Each is linked with libFuzzer, and with replay.c for `make check`. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/macro.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A finding. */
#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* The input, taken bit by bit; zeros behind its end. */
struct input {
	const uint8_t *data;
	size_t size;
};

static inline uint8_t take_u8(struct input *input)
{
	if (input->size == 0)
		return 0;
	input->size--;
	return *input->data++;
}

static inline uint32_t take_u16(struct input *input)
{
	uint32_t low = take_u8(input);

	return low | (uint32_t)take_u8(input) << 8;
}
