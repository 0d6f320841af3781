/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What each vCPU of a guest asks for, as its reports say, for as long as their lease holds. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "hostd/vcpu_identity.h"
#include "proto/message.h"

struct demand {
	uint16_t util1024; /* what it asks for, 0..1024; 0 while the lease has lapsed, or it is held
			    */
	uint16_t util_avg; /* as last reported */
	uint16_t util_est; /* as last reported */
	uint16_t uclamp_min;  /* as last reported: what its tasks ask for, 0 is nothing, */
	uint16_t uclamp_max;  /* and 1024 here */
	uint16_t flags;	      /* VCPU_*, as last reported */
	uint16_t freq_scale;  /* as last reported, 1..1024 */
	bool sleeps;	      /* by the last record nothing is runnable there */
	bool news;	      /* a record came since whoever reads this took it back */
	bool left;	      /* a task has left since the record before: see demand_report(); */
	bool came;	      /* or one that was awake has come */
	uint16_t ref_avg;     /* util_avg of the last record that wasn't an explicit zero, */
	uint64_t ref_usec;    /* and when it was sampled, by the guest's clock; 0: there was none */
	uint64_t behind_usec; /* how much load-tracking time its kernel may have to make good at
				 idle */
	bool held;	      /* it isn't there: it asks for nothing, whatever is reported */
	uint64_t run_delay_usec, steal_usec; /* totals since the guest connected */
	uint32_t last_steal_usec;	     /* of the last report */
};

/* The demands of one guest. A lease is the guest's, not a vCPU's: each REPORT, whatever records it
 * carries, renews what the earlier ones said. */
struct guest_demand {
	uint64_t lease_until_usec; /* 0: there is none, since no demand is above zero */
	bool lapsed; /* it ran out: what the guest wants is not known until it reports */
	unsigned n_vcpus;
	struct demand *vcpus;		      /* the caller's array, by vCPU index */
	const struct vcpu_identity *identity; /* the caller's; NULL: a CPU's number is the index */
};

void demand_init(struct guest_demand *guest, struct demand *vcpus, unsigned n_vcpus);

/* Takes a report that arrived at now_usec. The lease is what the report says, at most
 * lease_max_usec, from its arrival on; with all demands at zero there is nothing to lease. After a
 * lapse it brings back what was last reported of the vCPUs that it doesn't name: a guest that was
 * paused doesn't know of it and goes on with renewals. Records of CPUs that are no vCPU of the
 * domain are ignored: their number is returned.
 *
 * When a task sleeps, its part of a CPU's util_avg decays as PELT has it, and no faster; when it
 * leaves for another CPU its part goes at once (detach_entity_load_avg() in kernel/sched/fair.c).
 * So a util_avg that has fallen faster than PELT decays says that a task has left, and one that has
 * risen faster than it can grow that one has come. An explicit zero says nothing of that, for a
 * guest may send one for every CPU that goes idle. Two things make it decay faster than by the time
 * between two reports: a record is as old as the kernel's last update, at most a tick; and where
 * the kernel scales by frequency its clock goes slowly while the CPU is busy and slow, and makes
 * that good when it idles (update_rq_clock_pelt()). */
unsigned demand_report(struct guest_demand *guest, const struct message_report *report,
		       uint64_t lease_max_usec, uint64_t now_usec);

/* Ends the lease if its time is over: whether it did. No vCPU asks for anything then, and lapsed is
 * set. */
bool demand_expire(struct guest_demand *guest, uint64_t now_usec);

/* Whether a vCPU isn't there. What is reported of it meanwhile is kept, and counts from the first
 * report on that comes once it is there: a guest may be heard of a vCPU before libvirt is. */
void demand_hold(struct guest_demand *guest, unsigned vcpu, bool held);

/* Forgets everything at once: the connection is gone. */
void demand_forget(struct guest_demand *guest);

/* Whether any vCPU asks for something. */
bool demand_any(const struct guest_demand *guest);
