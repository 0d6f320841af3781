/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A door: who this guest and its CPUs are, for HELLO. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/cpumask.h"
#include "proto/message.h"

/* Fills ret->cpu and n_cpus with the CPUs of the mask, each with the id that the machine knows it by,
 * or UINT64_MAX where nothing says it:
 * - x86: the APIC id in /proc/cpuinfo ("processor", then "apicid"), of CPUs that are online;
 * - arm64 with a device tree: MPIDR's affinity in cpuN/of_node/reg;
 * - arm64 with ACPI: the same in the MADT, by cpuN/firmware_node/uid. */
void identity_read_cpus(int root_fd, const struct cpumask *cpus, struct message_hello *ret);

/* /proc/sys/kernel/random/boot_id: -errno of the read, or -EBADMSG if it isn't a UUID. */
int identity_read_boot_id(int root_fd, uint8_t ret[16]);

/* Whether this architecture's load tracking follows what cpufreq was told to set: arm64 does
 * (arch_set_freq_scale()), x86 counts cycles with APERF/MPERF or not at all. */
bool identity_follows_cpufreq(void);
