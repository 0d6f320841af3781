/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What arbiter.c and its parts share. Nobody else includes this but tests/fuzz/fuzz-arbiter.c,
 * which holds the sums against their parts. */
#pragma once

#include "hostd/arbiter.h"
#include "hostd/claims.h"
#include "hostd/headroom.h"
#include "hostd/scale.h"
#include "hostd/share.h"

struct arbiter_vcpu {
	struct arbiter_vcpu *next, *previous; /* on the same CPU */
	uint32_t domain;
	uint16_t cpu;	    /* or ARBITER_CPU_UNKNOWN */
	bool pinned;	    /* it can be there alone */
	bool left;	    /* since the level was moved last */
	struct cpumask allowed;
	struct arbiter_report report;
	struct scale scale;
	struct claims claims;
	struct level level;	/* of what it asks for, */
	struct level most;	/* and of the most that this may mean: for the ceiling */
	uint64_t delivered_sum; /* of the looks since the last check */
	uint32_t looks;
	uint16_t demand1024;   /* as the last want found it, in host units, within the claims */
	uint16_t held1024;     /* the floor for its level with all that is held, */
	uint16_t own1024;      /* and the one that it asks for: what the budget is about */
	uint16_t part1024;     /* its part of the CPU's sum */
	uint16_t share1024;    /* its level, as far as the budget goes */
	uint16_t alone1024;    /* the floor of the last want without what others on the CPU need */
	uint16_t standing1024; /* what of that stands */
	uint16_t floor1024, ceiling1024; /* the last want */
};

struct arbiter_domain {
	bool used, queued;
	uint32_t next_queued;
	unsigned n_vcpus;
	struct arbiter_grant grant;
	uint32_t wants, gets; /* of the budget */
	struct scale_table table;
	struct arbiter_vcpu *vcpus;
};

struct arbiter_cpu {
	struct arbiter_vcpu *vcpus;
	uint16_t policy; /* of cpufreq */
	uint16_t capacity1024;
	uint16_t other1024;
	uint32_t sum1024;     /* of the parts */
	unsigned n_demanding; /* vCPUs with a part */
	struct level level;   /* of the sum and the other load */
	uint16_t told1024;    /* what its vCPUs last went by */
	unsigned told_demanding;
};

struct arbiter {
	struct arbiter_config config;
	struct headroom headroom;
	uint32_t n_domains, first_queued, last_queued;
	struct arbiter_domain *domains;
	struct share_claim *claims; /* room for n_domains */
	uint64_t standing;	    /* sum of what stands */
	uint64_t gets, wants;	    /* sums over the domains */
	uint64_t held;		    /* sum of all vCPUs' held1024 */
	bool is_short;		    /* that is above the budget */
	bool unshared;		    /* what is wanted has changed since it was shared out */
	uint64_t share_usec;	    /* it isn't shared out anew before */
	struct arbiter_cpu cpus[CPUMASK_CPUS];
};

/* Puts a domain in the queue, once; and all. */
void arbiter_queue(struct arbiter *arbiter, uint32_t domain);
void arbiter_queue_all(struct arbiter *arbiter);

/* -- arbiter_cpu.c: what is on a CPU -- */
/* Other load below this doesn't count: a host is never quite still. */
#define ARBITER_OTHER_LEAST 64U

/* Whether it goes by what else is on its CPU: it has, or may have, a floor or a ceiling. */
bool arbiter_cpu_matters(const struct arbiter_vcpu *vcpu);

void arbiter_cpu_put(struct arbiter *arbiter, struct arbiter_vcpu *vcpu, uint16_t cpu);

/* The vCPU's part of the sum is now this; left as in level_move(). */
void arbiter_cpu_part(struct arbiter *arbiter, struct arbiter_vcpu *vcpu, uint16_t part1024,
		      bool left);

/* The CPU's level now. Queues the domains of its other vCPUs if they should know. */
uint16_t arbiter_cpu_level(struct arbiter *arbiter, const struct arbiter_vcpu *vcpu,
			   const struct level_config *config, uint64_t now_usec,
			   uint64_t *ret_next_usec);

/* The highest level of its siblings on the other CPUs that change their frequency with its own. */
uint16_t arbiter_cpu_around(const struct arbiter *arbiter, const struct arbiter_vcpu *vcpu);

/* Whether one of those asks for something, and for less than that. */
bool arbiter_cpu_is_gone_by(const struct arbiter *arbiter, const struct arbiter_vcpu *vcpu,
			    uint16_t level1024);

/* Whether something else of note is on the vCPU's CPU, or it isn't known which that is. */
bool arbiter_cpu_is_shared(const struct arbiter *arbiter, const struct arbiter_vcpu *vcpu);

/* -- arbiter_budget.c: the budget -- */
/* With all that is held a vCPU's own floor is now this. Whether there isn't enough for all so: then
 * nothing is kept for those who sleep. Queues all if that has changed. */
bool arbiter_budget_is_short(struct arbiter *arbiter, struct arbiter_vcpu *vcpu, uint16_t held1024);

/* A vCPU's own floor is now this. */
void arbiter_budget_put(struct arbiter *arbiter, struct arbiter_vcpu *vcpu, uint16_t own1024);

/* Shares out anew if that is due. *ret_next_usec: when to come again for it. */
void arbiter_budget_share(struct arbiter *arbiter, uint64_t now_usec, uint64_t *ret_next_usec);

/* What of a floor there is room for now. *ret_next_usec: when to ask again if it is less. */
uint16_t arbiter_budget_room(const struct arbiter *arbiter, const struct arbiter_vcpu *vcpu,
			     uint16_t floor1024, uint64_t now_usec, uint64_t *ret_next_usec);

/* What is left of a value of that domain's. */
uint16_t arbiter_budget_cut(const struct arbiter *arbiter, uint32_t domain, uint16_t value1024);
