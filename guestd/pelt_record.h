/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The eBPF programs' record of a CPU, as guestd reads it. Pure. */
#pragma once

#include <stdint.h>

#include "guestd/pelt_step.h"

/* Copies a record that the programs may be writing. -EAGAIN if it changed at each try: the vCPU
 * that writes it may have been stopped by the host in the middle, so look again later and go by the
 * last copy until then. -ENODATA if it was never written: nothing has run there since the programs
 * were attached. */
int pelt_record_read(const struct pelt_record *shared, struct pelt_record *ret);

/* Makes a copy true for now_nsec (CLOCK_MONOTONIC). The kernel doesn't update an idle CPU's
 * averages until something wakes there, so they fall here as they will be found to have fallen
 * then: by half in 32 periods of 1024 x 1024 ns, from the later of the last update and the time
 * when it went idle. What is runnable, and so util_est and the largest uclamp.min, is none.
 *
 * The record of a CPU that isn't idle stays as it is, however old: a tick would have updated it, so
 * either the host doesn't run the vCPU, and its tasks wait and want what they wanted (PELT leaves
 * out stolen time as well), or it is a nohz_full CPU with one task, which is updated once a second.
 */
void pelt_record_settle(struct pelt_record *record, uint64_t now_nsec);

/* Notes in the record that the host was told of wanted1024, 0..1024, and lets the CPU ring again.
 * In this order, so that it can't ring for what it differed from before. */
void pelt_record_sent(struct pelt_record *shared, uint16_t wanted1024);

/* In what time an idle CPU's utilization falls from one value to another, 0..1024, within a PELT
 * period: 0 if it isn't above it. To 0 it takes 370 ms. */
uint64_t pelt_record_fall_nsec(uint32_t from1024, uint32_t to1024);
