/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A door: the eBPF programs of pelt.bpf.c, their mapped records and the ring that wakes us. Once it
 * is open, nothing here but the close makes a system call or needs a capability.
 *
 * How it is used: wait for the fd; counters_bpf_drain() says which CPUs rang; read them, report,
 * and say what was sent with counters_bpf_sent(), for only then a CPU rings again. A CPU rings when
 * it wants a step more or less than was sent. When it goes idle it doesn't ring, and its value
 * falls without a further word: so whoever has sent more than zero looks again by itself
 * (pelt_estimate_fall_nsec()). A ring is a hint that may be held back by the interval. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/cpumask.h"
#include "guestd/counters_bpf_lack.h"
#include "guestd/pelt_record.h"

struct counters_bpf;

struct counters_bpf_options {
	struct pelt_step step;
	/* Rises are seen as a task is enqueued, not at the next PELT period or tick: costs every
	 * sleep and wake-up in the guest some 50 ns or more. */
	bool prompt;
	/* Gets libbpf's own messages, the verifier's log among them; level as in libbpf's enum.
	 * NULL: nobody does. Process-wide while counters_bpf_open() runs. */
	int (*print)(int level, const char *format, va_list arguments);
};

/* Loads the programs and attaches them. *ret_lack is always set: COUNTERS_BPF_FINE, or why not.
 * -EOPNOTSUPP if it wasn't built in; -EPERM, -ENOENT (no BTF), -ESRCH (no tracepoint), -ENOMEM or
 * another -errno of the kernel's. Takes some MiB of memory for a moment, and gives them back. */
int counters_bpf_open(const struct counters_bpf_options *options, struct counters_bpf **ret,
		      enum counters_bpf_lack *ret_lack);
void counters_bpf_close(struct counters_bpf *bpf);

/* Readable when a CPU has rung. Owned by bpf. */
int counters_bpf_fd(const struct counters_bpf *bpf);

/* Takes what is in the ring: *ret has the CPUs that rang. How many events there were, or -errno. */
int counters_bpf_drain(struct counters_bpf *bpf, struct cpumask *ret);

/* CPUs of this number and above have no record. */
unsigned counters_bpf_n_cpus(const struct counters_bpf *bpf);

/* What is so at now_nsec (CLOCK_MONOTONIC): pelt_record_read(), settled. -ENOENT: no such record.
 */
int counters_bpf_read(const struct counters_bpf *bpf, unsigned cpu, uint64_t now_nsec,
		      struct pelt_record *ret);

/* The host was told that the CPU wants that much (pelt_step_wanted(), 0..1024), or, with the value
 * of before, was told nothing: from now on it may ring again. True if what it wants has already
 * moved away from that by a step: read again, for it may not ring by itself. */
bool counters_bpf_sent(struct counters_bpf *bpf, unsigned cpu, uint16_t wanted1024,
		       uint64_t now_nsec);

/* Another step, from the next update on. */
void counters_bpf_configure(struct counters_bpf *bpf, const struct pelt_step *step);

/* The n-th program's name, and its fd in *ret_fd, which stays bpf's; NULL if there are not so many,
 * or the program isn't loaded (*ret_fd is -EBADF). For tests/bench. */
const char *counters_bpf_program(const struct counters_bpf *bpf, unsigned n, int *ret_fd);
