/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which means of setting floors this host gets, and why: the ladder of actuators. Pure. */
#pragma once

#include <stdbool.h>

#include "hostd/host_config.h"
#include "hostd/topology.h"

enum rung {
	RUNG_OFF,
	RUNG_THREAD,  /* uclamp.min by sched_setattr(2) */
	RUNG_CGROUP,  /* uclamp.min by cgroup */
	RUNG_CPUFREQ, /* scaling_min_freq of the CPUs that vCPUs run on */
};

/* What decides how the CPUs' frequencies are chosen: the CPUs of each kind. Online ones alone. */
struct governors {
	struct cpumask schedutil;   /* reads uclamp.min */
	struct cpumask performance; /* always the highest */
	struct cpumask active; /* intel_pstate or amd-pstate, active mode: the hardware chooses */
	struct cpumask other;
	struct cpumask none; /* CPUs without cpufreq */
};

/* A driver in active mode has the same names of governors as the kernel's own, but isn't driven by
 * them: intel_pstate is called so in active mode alone ("intel_cpufreq" in passive mode), and
 * amd-pstate is "amd-pstate-epp" in it; what their status files say is the same. With their
 * performance governor they hold the highest frequency like any other. */
void ladder_governors(const struct topology *topology, struct governors *ret);

struct ladder_facts {
	enum actuator_choice choice;
	int uclamp;	   /* uclamp_probe(): 0 or -errno */
	bool uclamp_files; /* cgroups have cpu.uclamp.min */
	int min_freq;	   /* minfreq_probe(): 0 or -errno */
	bool classes;	   /* not all cores are of one capacity: uclamp.min steers placement too */
	struct governors governors;
};

/* The rung, and in *ret_reason why, for people: a text that stays. */
enum rung ladder_choose(const struct ladder_facts *facts, const char **ret_reason);
