/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A door: /proc/stat, /proc/schedstat and /proc/pressure, kept open and read again. */
#pragma once

#include <stdint.h>

#include "common/counters.h"
#include "proto/message.h"

struct counters_proc;

/* Why a source is missing: none of these is an error, the daemon goes on with what is there. */
enum counters_proc_lack {
	COUNTERS_PROC_NO_SCHEDSTAT = 0x1,      /* no such file: CONFIG_SCHEDSTATS is not set */
	COUNTERS_PROC_SCHEDSTAT_VERSION = 0x2, /* of a version that we don't know */
	COUNTERS_PROC_SCHEDSTAT_BROKEN = 0x4,  /* not readable, or not of its form */
	COUNTERS_PROC_NO_PSI = 0x8,	       /* no /proc/pressure, or not readable */
};

/* Opens the files below root_fd, which is not kept. -errno where /proc/stat can't be opened. */
int counters_proc_open(int root_fd, struct counters_proc **ret);
void counters_proc_close(struct counters_proc *proc);

/* Reads what the estimator needs. -ENOBUFS: the text has outgrown the buffer; counters_proc_grow()
 * and the next call is good. Otherwise -errno of the read, or -EBADMSG. Allocates nothing. */
int counters_proc_read(struct counters_proc *proc, struct counters *ret);

/* Makes the buffer twice as large. -ENOMEM; -EFBIG if it is absurd already. */
int counters_proc_grow(struct counters_proc *proc);

/* The totals of PSI, and which of them are there (bit n: usec[n]). */
uint16_t counters_proc_read_psi(struct counters_proc *proc, uint64_t usec[PSI_N]);

/* Bits of enum counters_proc_lack, as of the last reads. */
unsigned counters_proc_lacks(const struct counters_proc *proc);
