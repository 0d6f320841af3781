/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counters -> utilization of each CPU, in the unit of the kernel's PELT. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/counters.h"
#include "proto/message.h"

struct estimator;

struct estimate {
	uint16_t util_avg;	 /* 0..1024 */
	uint16_t util_est;	 /* util_avg..1024 */
	bool saturated;		 /* it did not idle in the window */
	uint32_t run_delay_usec; /* in the last sample */
	uint32_t steal_usec;
	uint16_t runnable;   /* tasks, or PROTO_UNKNOWN_U16 */
	uint16_t uclamp_min; /* the largest request of a runnable task, 0 if none or not known */
	uint16_t uclamp_max; /* likewise, 1024 */
};

/* What /proc doesn't say. */
#define ESTIMATE_UNKNOWN                                                                           \
	((struct estimate){.runnable = PROTO_UNKNOWN_U16, .uclamp_max = PROTO_UTIL_MAX})

/* NULL if there is no memory. window_nsec: how far back the prompt part of util_est looks, 1 ms to
 * 1 s. gap_nsec: two samples further apart than this say nothing about each other (the guest was
 * stopped, or saved and restored); an hour at most. */
struct estimator *estimator_new(uint64_t window_nsec, uint64_t gap_nsec);
void estimator_free(struct estimator *estimator);

/* New settings; the past stays. */
void estimator_configure(struct estimator *estimator, uint64_t window_nsec, uint64_t gap_nsec);

/* Takes the next sample. scale1024 has the frequency scale that the guest kernel applies to the
 * load of each CPU (CPUMASK_CPUS of them, 1..1024), or is NULL for none. The first sample of a CPU,
 * one after a gap, and one whose counters went backwards only set what the next is compared with.
 */
void estimator_update(struct estimator *estimator, const struct counters *counters,
		      const uint16_t *scale1024);

/* A CPU that is not there has ESTIMATE_UNKNOWN. */
void estimator_get(const struct estimator *estimator, unsigned cpu, struct estimate *ret);

/* Whether some CPU was busy for more than a 32nd of the last sample and is so on average, too, or a
 * task was seen to get one and not yet to leave it: that may be over in a microsecond or last for
 * ever, and the next sample tells, so it should come soon. */
bool estimator_is_active(const struct estimator *estimator);
