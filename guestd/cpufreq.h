/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A door: the guest's cpufreq policies in sysfs, taken over and given back.
 *
 * What stood in a policy before is written to CPUFREQ_STATE before it is changed, so that the next
 * start, or `vmfreq-guestd --restore`, gives back the right thing after a SIGKILL. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guestd/governor.h"

#define CPUFREQ_STATE	     "run/vmfreq-guestd/cpufreq"
#define CPUFREQ_POLICIES_MAX PROTO_CPUS_MAX
#define CPUFREQ_NAME_MAX     31U

enum cpufreq_hold {
	CPUFREQ_HOLD_FREE, /* not taken yet */
	CPUFREQ_HOLD_OURS,
	CPUFREQ_HOLD_THEIRS, /* somebody else changed the governor while it was ours */
	CPUFREQ_HOLD_NEVER,  /* it doesn't have the userspace governor, or refuses it */
	CPUFREQ_HOLD_VIRT, /* what is set in it the VMM takes for what the guest wants: hands off */
	CPUFREQ_HOLDS
};

struct cpufreq_policy {
	unsigned id; /* N of policyN */
	enum cpufreq_hold hold;
	bool offline; /* its folder is there, and can't be read */
	bool seen;    /* by the last scan; else its CPUs are offline, and it is kept for when they
			 return */
	char prior_governor[CPUFREQ_NAME_MAX + 1];
	uint32_t prior_khz; /* where that governor is userspace, else 0 */
	uint32_t cur_khz;   /* what cpufreq_look() saw last; 0: not known */
	struct governor_policy can;
	struct governor_state state;
	uint64_t retry_usec; /* the caller's: not before */
	int error;	     /* the caller's: of the last write, as the log has it */
};

struct cpufreq;

/* Finds the policies below root_fd, which must stay open. No cpufreq at all: no policies, and no
 * error. -ENOMEM. */
int cpufreq_open(int root_fd, struct cpufreq **ret);
void cpufreq_close(struct cpufreq *cpufreq);

/* Finds the policies again, after CPUs came or went: new ones are FREE, what is gone is
 * forgotten. One that is OURS and only offline is kept: the kernel gives it our governor again when
 * it comes back, and then what was there before must still be known. 0 or -ENOMEM. */
int cpufreq_scan(struct cpufreq *cpufreq);

unsigned cpufreq_count(const struct cpufreq *cpufreq);
unsigned cpufreq_count_held(const struct cpufreq *cpufreq, enum cpufreq_hold hold);
struct cpufreq_policy *cpufreq_policy(struct cpufreq *cpufreq, unsigned i);

/* Takes the userspace governor in every FREE policy, having written down what was there. -errno if
 * that couldn't be written: then nothing is changed. *ret_error is -errno of the last policy that
 * refused (it is NEVER, or still FREE if it may work later), or 0. */
int cpufreq_take(struct cpufreq *cpufreq, int *ret_error);

/* Reads scaling_min_freq and scaling_max_freq again, and whose the governor of a policy that is
 * OURS is: -ECANCELED as cpufreq_set(), else 0. */
int cpufreq_refresh(struct cpufreq *cpufreq, unsigned i);

/* Reads scaling_cur_freq to cur_khz: whoever sets the speed, and whatever the kernel made of it. */
void cpufreq_look(struct cpufreq *cpufreq, unsigned i);

/* Sets the speed of a policy that is OURS. -ECANCELED: its governor is no longer ours, the policy
 * is THEIRS from now on. Otherwise the errno of the write; after one that never works (fault_of())
 * the policy is given back and NEVER, after one that says that it is gone it
 * is not `seen` until a scan finds it again. */
int cpufreq_set(struct cpufreq *cpufreq, unsigned i, uint32_t khz);

/* Gives back every policy that is OURS and still has our governor; then there is nothing written
 * down any more. The errno of the last that couldn't be given back (it stays written down), or 0.
 */
int cpufreq_restore(struct cpufreq *cpufreq);

/* Gives back what an earlier run wrote down and didn't give back itself: how many policies, or
 * -errno. *ret_left is how many were left as they are, for somebody else changed them since. */
int cpufreq_recover(int root_fd, unsigned *ret_left);
