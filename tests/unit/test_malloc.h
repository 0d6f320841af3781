/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* malloc that fails on demand and counts, and calloc that sees who writes behind its last block.
 * The program is linked with $(malloc_ldflags), so that what is ours asks here; the libraries' own
 * allocations are not touched. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MALLOC_EDGE 256U /* bytes */

static unsigned long malloc_calls;    /* so far */
static unsigned long malloc_fails_at; /* the call that fails; 0: none */
static bool malloc_fails_on;	      /* and all those after it */
static bool malloc_edges;	      /* calloc's blocks get an edge from now on */
static uint8_t *malloc_edge;	      /* the last one's */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);

static inline bool malloc_fails(void)
{
	malloc_calls++;
	if (malloc_fails_at == 0 || malloc_calls < malloc_fails_at)
		return false;
	return malloc_calls == malloc_fails_at || malloc_fails_on;
}

void *__wrap_malloc(size_t size)
{
	return malloc_fails() ? NULL : __real_malloc(size);
}

static inline void *malloc_with_edge(size_t size)
{
	uint8_t *block = __real_calloc(1, size + MALLOC_EDGE);

	if (block) {
		malloc_edge = block + size;
		memset(malloc_edge, 0xa5, MALLOC_EDGE);
	}
	return block;
}

/* Whether nobody has written there. */
static inline bool malloc_edge_is_whole(void)
{
	for (size_t i = 0; i < MALLOC_EDGE; i++)
		if (malloc_edge[i] != 0xa5)
			return false;
	return true;
}

void *__wrap_calloc(size_t n, size_t size)
{
	if (malloc_fails())
		return NULL;
	return malloc_edges ? malloc_with_edge(n * size) : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return malloc_fails() ? NULL : __real_realloc(p, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return malloc_fails() ? NULL : __real_reallocarray(p, n, size);
}
