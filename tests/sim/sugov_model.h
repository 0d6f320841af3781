/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* schedutil's arithmetic (kernel/sched/cpufreq_schedutil.c) without its policies: what a CPU asks
 * for. Of the host's CPUs, and with the patches of a guest's. */
#pragma once

#include "tests/sim/kernel.h"

struct sugov_cpu {
	unsigned boost; /* 0, or 128..1024 */
	bool boost_pending;
	uint64_t update_nsec, saved_idle_calls;
};

/* sugov_iowait_boost(), sugov_iowait_reset(): at each update of the CPU, also those that the rate
 * limit ignores. */
void sugov_iowait(struct sugov_cpu *cpu, uint64_t now_nsec, uint64_t tick_nsec, bool iowait);
/* sugov_iowait_apply(): what the boost is worth now, 0..capacity. It halves if nobody has asked for
 * it since. */
double sugov_boost(struct sugov_cpu *cpu, uint64_t now_nsec, uint64_t tick_nsec, double capacity);
/* sugov_hold_freq(): it hasn't idled since the last time that this was asked, and isn't capped. */
bool sugov_hold(struct sugov_cpu *cpu, const struct cpu_signal *signal, double capacity);

/* cpu_util_cfs_boost(): 0..capacity */
double sugov_util(const struct cpu_signal *signal, double capacity, bool runnable_boost);
/* sugov_effective_cpu_perf(): with headroom, which since 6.8 (`late`) the minimum has none of. */
double sugov_performance(const struct cpu_signal *signal, double util, double boost,
			 double capacity, bool late);
