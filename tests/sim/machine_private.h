/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parts of a machine's model share. */
#pragma once

#include "common/macro.h"
#include "tests/sim/machine.h"
#include "tests/sim/sugov_model.h"

#define CAPACITY 1024.

/* struct cpufreq_policy and struct sugov_policy */
struct policy {
	struct machine *machine;
	const struct freq_domain *config;
	unsigned first_cpu, n_cpus;
	uint64_t cpus;
	unsigned now, next,
		landing; /* operating points: that holds, that is asked for, that is being set */
	unsigned top;	 /* the highest that the power limit leaves */
	uint32_t min_khz;
	double cached_raw; /* get_next_freq()'s last result before rounding */
	uint64_t change_nsec;
	bool limits_changed, need_update, work_in_progress;
	struct event worker; /* the kthread gets to it */
	struct event land;   /* the frequency is there */
};

struct host_cpu {
	struct policy *policy;
	struct sugov_cpu sugov;
	bool busy;
	uint64_t since_nsec; /* accounted up to then */
	double energy_mj, busy_khz_nsec, khz_nsec;
	uint64_t busy_nsec;
};

struct machine {
	struct queue *queue;
	struct machine_config config;
	struct kernel *kernel;
	struct kernel_ops watch;
	void *watch_userdata;
	struct policy policy[SIM_DOMAINS_MAX];
	struct host_cpu cpu[SIM_CPUS_MAX];
	uint64_t changes, reset_nsec;
	/* The power limit. */
	struct event limit;
	unsigned lowered; /* operating points off each top */
	double window_mj[10], limit_mj;
	unsigned window_at;
	uint64_t throttled_since_nsec, throttled_nsec;
};

/* -- machine.c -- */
void machine_land(struct policy *policy, unsigned opp); /* a frequency holds from now on */

/* -- cpufreq_model.c -- */
void cpufreq_init(struct machine *machine);
void cpufreq_update(struct machine *machine, unsigned cpu, bool iowait); /* cpufreq_update_util() */
void cpufreq_limits(struct policy *policy);				 /* sugov_limits() */

/* -- power.c -- */
void power_account(struct machine *machine, unsigned cpu);
double power_total_mj(struct machine *machine); /* all CPUs', up to now */
double power_energy(const struct machine *machine, unsigned domain, double max_util,
		    double sum_util);
void power_limit_init(struct machine *machine);
