/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long to wait before the next try to connect. Pure. */
#include "guestd/backoff.h"

#include "common/macro.h"

#define TRIES_MAX 9U /* MIN << 6 is above MAX */

void backoff_reset(struct backoff *backoff)
{
	backoff->tries = 0;
}

void backoff_max(struct backoff *backoff)
{
	backoff->tries = TRIES_MAX;
}

uint64_t backoff_next_usec(struct backoff *backoff, uint32_t random)
{
	uint64_t usec = MIN(BACKOFF_MIN_USEC << backoff->tries, BACKOFF_MAX_USEC);

	backoff->tries = MIN(backoff->tries + 1, TRIES_MAX);
	return usec - usec / 4 + (usec / 2 * random >> 32);
}
