/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A door: who this guest and its CPUs are, for HELLO. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/cpumask.h"
#include "proto/message.h"

/* Fills ret->cpu and n_cpus with the CPUs of the mask, each with its APIC id from /proc/cpuinfo
 * ("processor", then "apicid") or UINT64_MAX where that says none (arm64 shows no MPIDR). */
void identity_read_cpus(int root_fd, const struct cpumask *cpus, struct message_hello *ret);

/* /proc/sys/kernel/random/boot_id: -errno of the read, or -EBADMSG if it isn't a UUID. */
int identity_read_boot_id(int root_fd, uint8_t ret[16]);

/* Whether this architecture's load tracking follows what cpufreq was told to set: arm64 does
 * (arch_set_freq_scale()), x86 counts cycles with APERF/MPERF or not at all. */
bool identity_follows_cpufreq(void);
