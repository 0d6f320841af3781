/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lowest frequency of a cpufreq policy: scaling_min_freq. A door:
 * /sys/devices/system/cpu/cpufreq below a root. */
#pragma once

#include <stdint.h>

#include "hostd/freqplan.h"
#include "hostd/ledger.h"
#include "hostd/topology.h"

struct minfreq_door {
	int root_fd;
};

/* Settings of kind "cpufreq": "cpufreq:N", value: scaling_min_freq of policyN in kHz. -ENOENT or
 * -ENODEV when the policy is gone, -EBUSY while all its CPUs are offline. What is read is never
 * above scaling_max_freq, whatever was written (cpufreq_set_policy() in drivers/cpufreq/cpufreq.c).
 * Putting back what was read before us can't tell a minimum that an operator chose from one that
 * the driver gives: the effect is the same. */
void minfreq_setting_ops(struct minfreq_door *door, struct setting_ops *ret);

/* 0 if some policy has a scaling_min_freq that can be written; -ENOENT if none has, or the errno of
 * the last that can't be: -EROFS, -EACCES. */
int minfreq_probe(int root_fd, const struct topology *topology);

/* The limits of policy `number` as they stand now. The errors of the setting. */
int minfreq_read(int root_fd, unsigned number, uint32_t *ret_min_khz, uint32_t *ret_max_khz);

/* The frequencies that its driver knows, with those of boost, in no order: how many. 0 if it has no
 * table: then each kHz can be asked for. */
unsigned minfreq_steps(int root_fd, unsigned number, uint32_t ret[FREQPLAN_STEPS_MAX]);
