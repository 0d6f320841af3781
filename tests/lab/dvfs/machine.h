/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The payload's doors: what a vCPU of QEMU's -M virt does. machine.c has them for the machine,
 * test-dvfs-payload for the host. */
#pragma once

#include <stdint.h>

#define MACHINE_NOT_SUPPORTED UINT64_MAX /* SMCCC's answer */

uint64_t machine_counter_hz(void);
uint64_t machine_counter(void); /* CNTVCT */

/* A call to the hypervisor (SMCCC, HVC conduit); its first result. */
uint64_t machine_call(uint64_t function, uint64_t a, uint64_t b, uint64_t c);

/* Readies this vCPU's part of the interrupt controller; the first caller is vCPU 0. */
void machine_init_vcpu(uint32_t vcpu);

/* Sleeps (WFI) until the counter is there, or another vCPU has called machine_wake() since the last
 * sleep ended, or for no reason. */
void machine_sleep_until(uint64_t counter);
void machine_wake(uint32_t vcpu);

/* Where a secondary vCPU has to begin, for PSCI's CPU_ON. */
uint64_t machine_entry(void);

/* Lets this vCPU read its steal time at that guest physical address: NULL if it can't. */
const volatile uint64_t *machine_map_steal(uint64_t address);

/* Work: a loop. */
void machine_spin(uint32_t rounds);
