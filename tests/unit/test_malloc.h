/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* malloc that fails on demand and counts. The program is linked with $(malloc_ldflags), so that
 * what is ours asks here; the libraries' own allocations are not touched. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

static unsigned long malloc_calls;    /* so far */
static unsigned long malloc_fails_at; /* the call that fails; 0: none */
static bool malloc_fails_on;	      /* and all those after it */

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

void *__wrap_calloc(size_t n, size_t size)
{
	return malloc_fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return malloc_fails() ? NULL : __real_realloc(p, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return malloc_fails() ? NULL : __real_reallocarray(p, n, size);
}
