/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long to wait before the next try to connect. Pure. */
#pragma once

#include <stdint.h>

#define BACKOFF_MIN_USEC UINT64_C(10000)
#define BACKOFF_MAX_USEC UINT64_C(5000000)

struct backoff {
	unsigned tries; /* since the last success */
};

/* A connection worked: the next failure waits for the minimum. */
void backoff_reset(struct backoff *backoff);

/* The peer doesn't want us: from now on wait for the maximum. */
void backoff_max(struct backoff *backoff);

/* The next delay: doubling from the minimum to the maximum, then up to a quarter more or less, for
 * many guests may lose one host at the same moment. random is any number. */
uint64_t backoff_next_usec(struct backoff *backoff, uint32_t random);
