/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's counter and the host's clock, put together by questions and answers. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The best answer so far: the counter was read at nsec, give or take error_nsec. All 0: none yet.
 */
struct clocks {
	uint64_t nsec, error_nsec, count, hz;
};

/* An answer: the counter, read between the question and the answer's arrival. */
void clocks_add(struct clocks *clocks, uint64_t asked_nsec, uint64_t answered_nsec, uint64_t count);

/* The counter at a time, before or after. */
uint64_t clocks_count_at(const struct clocks *clocks, uint64_t nsec);

/* How far the counter has gone from where earlier said that it would be when later was measured, in
 * ns. */
int64_t clocks_drift_nsec(const struct clocks *earlier, const struct clocks *later);
