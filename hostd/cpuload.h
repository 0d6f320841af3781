/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For how long each of the host's CPUs has idled: /proc/stat below a root. A door. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct cpuload;

/* Memory for all CPUs that there can be, and nothing more later on. -ENOMEM. */
int cpuload_new(int root_fd, struct cpuload **ret);
struct cpuload *cpuload_free(struct cpuload *load);

/* Looks at all CPUs. The file stays open from the first look on. No allocation.
 * -errno, -EBADMSG: then nothing is known. */
int cpuload_look(struct cpuload *load);

/* How long that CPU had idled at the last look, iowait included, since it came: in ns, by the unit
 * of 10 ms. Whether the look saw it. */
bool cpuload_idle(const struct cpuload *load, unsigned cpu, uint64_t *ret_nsec);
