/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd's eBPF signal without a kernel: the records as the programs of guestd/pelt.bpf.c leave
 * them, when they ring, and what guestd/guest_signal.c does between its pure files. What fills the
 * records is the caller's: a simulated kernel, or a list of what one has said
 * (tests/bench/dvfs/replay.c). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guestd/pelt_estimate.h"
#include "guestd/reporter.h"

struct signal_model;

/* n_cpus: 1 to PROTO_CPUS_MAX. step1024 as in guestd's settings. NULL if there is no memory. */
struct signal_model *signal_model_new(unsigned n_cpus, uint32_t step1024);
void signal_model_free(struct signal_model *model);

/* A CPU's record, to be filled before signal_model_note(). */
struct pelt_record *signal_model_record(struct signal_model *model, unsigned cpu);

/* What the record's utilization is at now_nsec has been put in. Whether the programs ring for it.
 */
bool signal_model_note(struct signal_model *model, unsigned cpu, uint64_t now_nsec);

/* The CPU goes idle, or leaves it. */
void signal_model_idle(struct signal_model *model, unsigned cpu, bool idle, uint64_t now_nsec);

/* As guest_signal_look(): the records of the CPUs below n_cpus whose bit is set, to the reporter.
 * scale1024 is an array, by CPU, of what the guest's kernel scales by. */
void signal_model_look(struct signal_model *model, const struct cpumask *cpus,
		       const uint16_t *scale1024, struct reporter *reporter, uint64_t now_nsec);

/* As guest_signal_settle(), of a connection that streams: lets the CPUs ring again. In what time to
 * look again though none does, in usec. cost_nsec is the CPU time of a look. */
uint64_t signal_model_settle(struct signal_model *model, const struct cpumask *cpus,
			     struct reporter *reporter, uint64_t cost_nsec, uint64_t now_usec);
