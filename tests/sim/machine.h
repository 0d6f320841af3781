/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A host's CPUs: frequency domains with operating points, power and latency; schedutil; energy. Owns the
 * host's kernel. */
#pragma once

#include "tests/sim/kernel.h"

#define SIM_DOMAINS_MAX 16U
#define SIM_OPPS_MAX	24U

struct opp {
	uint32_t khz;
	double mw; /* of one CPU that is busy at it */
};

struct freq_domain {
	unsigned n_opps;
	struct opp opp[SIM_OPPS_MAX]; /* ascending */
	uint64_t latency_nsec;	      /* from the decision to the new frequency */
	uint64_t rate_limit_nsec;     /* schedutil's rate_limit_us */
	bool fast_switch;	      /* else a kthread does it: some µs more, and it needs a CPU */
};

struct machine_config {
	struct kernel_config kernel;
	unsigned n_domains;
	struct freq_domain domain[SIM_DOMAINS_MAX]; /* kernel.domain[] says which CPUs */
	unsigned release_major, release_minor; /* decides on the headroom: sugov_effective_cpu_perf() */
	bool performance;	/* the performance governor instead of schedutil: the operator's rival */
	double budget_mw;	/* power limit: above it, averaged over 100 ms, tops are lowered; 0: none */
	double idle_mw;		/* of each CPU that idles, so that racing to idle isn't free */
};

/* A machine by name: separate, shared, biglittle (as tests/lab/dts.sh has them; lab-separate and so on: as
 * the lab emulates them), server16, hybrid8, phone8, old61. False:
 * there is none of that name. */
bool machine_shape(const char *name, struct machine_config *ret);

struct machine;

struct machine *machine_new(struct queue *queue, const struct machine_config *config);
void machine_free(struct machine *machine);
struct kernel *machine_kernel(struct machine *machine);
const struct machine_config *machine_config(const struct machine *machine);

uint32_t machine_khz(const struct machine *machine, unsigned cpu);
uint32_t machine_max_khz(const struct machine *machine, unsigned cpu);
/* scaling_min_freq and scaling_max_freq of the CPU's domain, for the ladder's cpufreq rung. */
void machine_set_min_khz(struct machine *machine, unsigned cpu, uint32_t khz);

struct machine_figures {
	double energy_mj;
	uint64_t changes;		  /* of frequency, all domains */
	double busy_khz_nsec[SIM_CPUS_MAX]; /* frequency x time while busy */
	uint64_t busy_nsec[SIM_CPUS_MAX];
	double khz_nsec[SIM_CPUS_MAX];	  /* at all times */
	uint64_t nsec;
	double throttled_nsec;		  /* the power limit held some domain down */
};
/* Since machine_new(), or the last machine_reset_figures(). */
void machine_figures(struct machine *machine, struct machine_figures *ret);
void machine_reset_figures(struct machine *machine);

/* The host kernel's own callbacks come here first and are passed on to whoever set this: eBPF on the host. */
void machine_set_watch(struct machine *machine, const struct kernel_ops *ops, void *userdata);
