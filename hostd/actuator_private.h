/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The actuator's insides, for its own files alone. */
#pragma once

#include "hostd/actuator.h"
#include "hostd/cgroup.h"
#include "hostd/cpuset.h"
#include "hostd/freqfloor.h"
#include "hostd/ladder.h"
#include "hostd/minfreq.h"
#include "hostd/uclamp.h"

enum { KIND_UCLAMP, KIND_UCLAMP_MAX, KIND_FILE, KIND_AFFINITY, KIND_CPUFREQ, KIND_N };

/* A thread's floor or ceiling, as a setting of one kind. */
struct clamp_setting {
	int kind;
	int (*name)(const struct vcpu_thread *thread, char *buffer, size_t size);
	uint16_t none1024; /* what it holds if nobody has set it */
};

/* One means of setting both. */
struct clamp_means {
	const char *name;
	struct clamp_setting floor, ceiling;
	int (*format)(unsigned util1024, char *buffer, size_t size);
	int (*parse)(const char *text, unsigned *ret_util1024);
	bool by_cgroup; /* which all above have to allow a floor, and other threads may be in */
};
extern const struct clamp_means clamps_by_thread, clamps_by_cgroup;

/* One means of choosing a thread's CPUs. */
struct cpus_means {
	const char *name;
	int (*setting)(const struct vcpu_thread *thread, char *buffer, size_t size);
};

struct actuator {
	int root_fd;
	bool dry_run;
	struct ledger *ledger;
	struct uclamp_door uclamp;
	struct cgroup_door cgroup;
	struct cpuset_door cpuset;
	struct minfreq_door cpufreq;
	struct setting_ops ops[KIND_N];
	enum actuator_choice choice;
	enum rung rung;
	const struct clamp_means *clamps; /* NULL: off, or by freqfloor */
	struct freqfloor *freqfloor;	  /* NULL: off, or by clamps */
	const struct cpus_means *cpus;	  /* NULL: off, or chosen for each thread */
	bool cpus_by_thread;		  /* the cgroup where it can be put back, else affinity */
	const char *floor_reason, *cpus_reason;
};

/* Puts one setting back. It is forgotten unless that failed in a way that may pass: -EAGAIN. */
int actuator_put_back(struct actuator *actuator, struct ledger_entry **entry);

/* Asks the kernel; releases the entry if it is somebody else's by now. */
bool actuator_has_lost(struct actuator *actuator, struct ledger_entry **entry);
