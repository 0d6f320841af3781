/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What one look at a kernel's counters gives, the guest's or the host's: filled by a door. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/cpumask.h"

/* /proc/stat counts in units of 1/USER_HZ, which is 100 on every architecture that we run on. */
#define COUNTERS_TICK_NSEC UINT64_C(10000000)

/* All count up from some time in the past, and may start again when a CPU goes and comes. */
struct cpu_counters {
	uint64_t busy_ticks;   /* user, nice, system, irq and softirq; guests are part of user */
	uint64_t idle_ticks;   /* exact but for the unit where the kernel is tickless, as all are */
	uint64_t iowait_ticks; /* idle too, and now and then it goes back a little */
	uint64_t steal_ticks;  /* the vCPU wanted to run and the host didn't let it */
	uint64_t run_nsec;     /* tasks ran, steal included: booked when a task leaves the CPU */
	uint64_t delay_nsec;   /* tasks waited: booked when a task gets the CPU */
	uint64_t slices;       /* tasks that got the CPU: counted when they do */
};

#define COUNTERS_NO_CPU UINT32_MAX

struct counters {
	uint64_t stamp_nsec;	/* CLOCK_MONOTONIC */
	bool has_schedstat;	/* else run, delay and slices are not set */
	uint32_t self_cpu;	/* where the reader itself ran, or COUNTERS_NO_CPU */
	uint64_t self_run_nsec; /* CPU time that the reader itself has used */
	uint64_t procs_running; /* runnable tasks of the whole guest, the reader included */
	struct cpumask present; /* the CPUs below that are set */
	struct cpu_counters cpu[CPUMASK_CPUS];
};
