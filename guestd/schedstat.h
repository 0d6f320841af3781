/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text of /proc/schedstat. Pure. */
#pragma once

#include "common/counters.h"

#define SCHEDSTAT_VERSION_MIN 15U
#define SCHEDSTAT_VERSION_MAX 17U

/* Reads run_nsec, delay_nsec and slices of each CPU into counters, and its CPUs into *ret_present.
 * Line: "cpuN" and 9 numbers, of which 7 is the time that tasks ran, 8 the time that they waited,
 * both in ns, 9 the timeslices (Documentation/scheduler/sched-stats.rst, kernel/sched/stats.c; the
 * same in versions 15 to 17, which differ in the domains' lines only; those are skipped).
 * -EPROTONOSUPPORT: another version. -EBADMSG: not of this form, a CPU twice, or cut off; what the
 * three fields hold is undefined then. */
int schedstat_parse(const char *text, struct counters *counters, struct cpumask *ret_present);
