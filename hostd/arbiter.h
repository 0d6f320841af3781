/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What each vCPU of the host should have, from what all of them ask for: the policy as a whole.
 * Pure.
 *
 *     report -> scale (host units) -> claims (believed?) -> level (held) -> share of the budget
 *       -> sum over the CPU where its thread is, with the other load there -> floor, ceiling
 *
 * uclamp takes the maximum of the threads on a CPU where utilization adds up, so each thread's
 * floor has to cover what all there need together. Where a thread is follows from its mask if that
 * is one CPU; else it is as the last look said. docs/policy.md has how stale that may be and what
 * follows.
 *
 * The owner tells of every change with its time; arbiter_want() says what a vCPU should have and
 * when that changes by itself. Where a change of one vCPU changes what another should have, that
 * one's domain is put in a queue, arbiter_next(). Memory is taken when domains come, never
 * afterwards. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/cpumask.h"
#include "hostd/host_config.h"
#include "hostd/level.h"
#include "hostd/placement.h"
#include "hostd/scale.h"

#define ARBITER_CPU_UNKNOWN UINT16_MAX
#define ARBITER_NONE	    UINT32_MAX
#define ARBITER_CEILING_MIN 102U

struct arbiter;

struct arbiter_config {
	struct level_config level; /* headroom1024 is the arbiter's own: see arbiter_look_floor() */
	uint32_t headroom1024;	   /* where the means of floors decide on it; 0: the kernel does */
	uint32_t budget1024;	   /* of all floors together; 0: none */
	uint16_t ceiling_min1024;
	bool ceilings;	   /* the means of this host have them */
	bool energy_aware; /* EAS places by floors */
	/* The host's load tracking counts work. Where it doesn't (x86 without APERF and MPERF) its
	 * own utilization is the share of time, too, and so is what a floor is compared with. */
	bool invariant;
	struct placement_config classes;
	unsigned kernel_major, kernel_minor;
};

/* What a domain may get. */
struct arbiter_grant {
	uint16_t floor_max1024;
	uint32_t weight;
	enum goal goal;
};

/* What a report said of a vCPU; the lease has run out, or it isn't there: all zero but applied1024.
 */
struct arbiter_report {
	uint16_t util_avg;    /* 0..1024, at the guest's scale */
	uint16_t demand1024;  /* what follows of them with the guest's own clamps: demand.h */
	uint16_t applied1024; /* 1..1024 */
	bool invariant, counts_work; /* scale.h */
	uint64_t steal_usec;
	bool saturated;
	bool left, came; /* a task has left or come since the record before: demand.h */
	bool trusted;	 /* the kernel's own signal, by eBPF: it may carry a ceiling */
};

struct arbiter_want {
	uint16_t level1024; /* what the vCPU is taken to need, for placement */
	uint16_t floor1024;
	uint16_t ceiling1024; /* LEVEL_NO_CEILING: none */
	bool hurry;	      /* others wait for what this one has too much of: lower it soon */
	bool shares;	      /* its CPU has other demand or load */
};

/* NULL if there is no memory. */
struct arbiter *arbiter_new(const struct arbiter_config *config);
struct arbiter *arbiter_free(struct arbiter *arbiter);

/* New settings; what is known stays. Every domain is queued. */
void arbiter_configure(struct arbiter *arbiter, const struct arbiter_config *config);

/* What a CPU gives at its highest frequency, 1..1024. 1024 until it is said. */
void arbiter_set_capacity(struct arbiter *arbiter, unsigned cpu, uint16_t capacity1024);

/* CPUs with the same number here change their frequency together. Each is alone until it is said,
 * with a number above CPUMASK_CPUS. */
void arbiter_set_policy(struct arbiter *arbiter, unsigned cpu, uint16_t policy);

/* A domain comes: its number, which may be that of one that has gone. ARBITER_NONE if there is no
 * memory. */
uint32_t arbiter_add(struct arbiter *arbiter, unsigned n_vcpus, const struct arbiter_grant *grant);
void arbiter_remove(struct arbiter *arbiter, uint32_t domain, uint64_t now_usec);
void arbiter_grant(struct arbiter *arbiter, uint32_t domain, const struct arbiter_grant *grant,
		   uint64_t now_usec);

/* Where a vCPU's thread may run. */
void arbiter_set_allowed(struct arbiter *arbiter, uint32_t domain, unsigned vcpu,
			 const struct cpumask *allowed, uint64_t now_usec);

void arbiter_report(struct arbiter *arbiter, uint32_t domain, unsigned vcpu,
		    const struct arbiter_report *report, uint64_t now_usec);

/* A look at a thread, which is, or was last, on that CPU. Best right before its report, too. */
void arbiter_look(struct arbiter *arbiter, uint32_t domain, unsigned vcpu, unsigned cpu,
		  const struct scale_look *look);

/* Where a vCPU's thread is, as far as is known; or ARBITER_CPU_UNKNOWN. */
unsigned arbiter_cpu_of(const struct arbiter *arbiter, uint32_t domain, unsigned vcpu);

/* Whether looks at it are of use now: it asks for something. */
bool arbiter_needs_look(const struct arbiter *arbiter, uint32_t domain, unsigned vcpu);

/* What else ran on a CPU, 1/1024 of the largest CPU: all but the threads of vCPUs. */
void arbiter_other(struct arbiter *arbiter, unsigned cpu, uint16_t other1024, uint64_t now_usec);

/* Whether vCPUs with a demand are on that CPU, so that what else runs there matters. */
bool arbiter_uses(const struct arbiter *arbiter, unsigned cpu);

/* The slow check of claims (claims.h): run_nsec is the thread's counter. Whether anything has
 * changed. */
bool arbiter_check(struct arbiter *arbiter, uint32_t domain, unsigned vcpu, uint64_t run_nsec,
		   uint64_t now_usec);
bool arbiter_is_held_down(const struct arbiter *arbiter, uint32_t domain, unsigned vcpu);

/* Its thread is another one, or its guest has begun anew. */
void arbiter_restart(struct arbiter *arbiter, uint32_t domain, unsigned vcpu, uint64_t now_usec);

/* At which frequency the CPU of this vCPU, the only one with a floor there, ran: headroom.h. Whether
 * floors change for that. */
bool arbiter_look_floor(struct arbiter *arbiter, uint32_t domain, unsigned vcpu, unsigned cpu,
			uint16_t floor1024, uint32_t khz, uint32_t step_khz, uint32_t max_khz);
uint32_t arbiter_headroom1024(const struct arbiter *arbiter);

/* What it should have at now_usec. *ret_next_usec: when that changes without news, USEC_INFINITY if
 * never. */
void arbiter_want(struct arbiter *arbiter, uint32_t domain, unsigned vcpu, uint64_t now_usec,
		  struct arbiter_want *ret, uint64_t *ret_next_usec);

/* The floor that stands on its thread from now on, 0: none. Rises wait until what is lowered
 * elsewhere has been written, so that the floors that stand are within the budget at every moment.
 */
void arbiter_wrote(struct arbiter *arbiter, uint32_t domain, unsigned vcpu, uint16_t floor1024);

/* A domain whose wants have changed for others' sake, which is taken from the queue; ARBITER_NONE:
 * no more. */
uint32_t arbiter_next(struct arbiter *arbiter);

/* Of the budget: what all ask for, and what they are given, in 1/1024 of the largest CPU. */
void arbiter_budget(const struct arbiter *arbiter, uint64_t *ret_wants, uint64_t *ret_gets);
