/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text of /proc/stat. Pure. */
#pragma once

#include "common/counters.h"

/* Reads the lines "cpuN ..." and "procs_running" of /proc/stat into counters: present,
 * cpu[].*_ticks and procs_running (0 if there is no such line). In ticks of 1/USER_HZ. Columns:
 * user nice system idle iowait irq softirq steal [guest guest_nice] (proc_stat(5)); the guest
 * columns are part of user and so are not added again. -EBADMSG: no CPU at all, a CPU twice or of
 * CPUMASK_CPUS or more, a column missing, negative or not a number, or text that ends inside a
 * line; what counters holds is undefined then. */
int cpustat_parse(const char *text, struct counters *counters);
