/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's CPUs: which there are, how big, in which cpufreq policy, and what the kernel can do.
 * A door: /sys/devices/system/cpu and /proc/sys below a root. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cpumask.h"

#define TOPOLOGY_CLASSES_MAX 8U
#define TOPOLOGY_NONE	     UINT16_MAX

/* Cores of one kind. */
struct core_class {
	struct cpumask cpus;
	unsigned capacity1024; /* the largest of its CPUs */
};

/* The CPUs that change frequency together (/sys/devices/system/cpu/cpufreq/policyN). */
struct cpufreq_policy {
	struct cpumask related;	   /* offline ones too */
	uint32_t min_khz, max_khz; /* of the hardware: cpuinfo_min_freq and cpuinfo_max_freq */
	uint16_t number;
	char driver[32];
	char governor[32];
};

struct topology_cpu {
	uint16_t capacity1024; /* 1 … 1024; 1024 where the kernel doesn't say */
	uint16_t class;	  /* index in class[], TOPOLOGY_NONE if declared classes leave it out */
	uint16_t policy;  /* index in policy[], TOPOLOGY_NONE without cpufreq */
	uint16_t sibling; /* the lowest CPU of the same core; itself if the kernel doesn't say */
	uint16_t package; /* physical_package_id, TOPOLOGY_NONE if unknown */
};

struct topology {
	struct cpumask possible, online;
	unsigned n_classes, n_policies;
	bool declared;			     /* the classes are those of topology_declare() */
	unsigned kernel_major, kernel_minor; /* 0 0 if unknown */
	bool uclamp_files; /* the kernel is built with uclamp (uclamp_probe() asks for certain) */
	bool schedutil;	   /* every policy has the schedutil governor, and there is one */
	bool energy_aware; /* EAS steers placement: sched_energy_aware is 1 */
	bool sched_ext;	   /* a sched_ext scheduler is in charge: floors may mean nothing */
	/* Its load tracking counts work and not time: frequency-invariant. x86 knows the speed of a
	 * CPU by APERF and MPERF (arch/x86/kernel/cpu/aperfmperf.c); elsewhere cpufreq tells it. */
	bool invariant;
	struct core_class class[TOPOLOGY_CLASSES_MAX]; /* smallest first */
	struct topology_cpu cpu[CPUMASK_CPUS];
	struct cpufreq_policy policy[CPUMASK_CPUS];
};

/* Reads all of it into a new struct (about 200 KiB; free() it). Classes are those of cpu_capacity,
 * smallest first: capacities that are less than 5 % above the smallest of a class belong to it.
 * Offline CPUs are in none. -ENODATA if the kernel names no CPU, -ENOMEM, or another errno. */
int topology_read(int root_fd, struct topology **ret);

/* Reads again what changes while running: online CPUs, governors, EAS, sched_ext; and if other CPUs
 * are online than before, what these are, the policies, and (unless they were declared) classes.
 * Indices of policies and classes may be others afterwards. No allocation of ours. -ENODATA or
 * another errno. */
int topology_refresh(int root_fd, struct topology *topology);

/* Parses "0-1 < 2-3 < 4": smallest class first, each CPU at most once, no class empty, at most
 * TOPOLOGY_CLASSES_MAX. capacity1024 is 0 in the result. -EINVAL with what is wrong, and where, in
 * message. Pure. */
int topology_parse_classes(const char *text, struct core_class ret[TOPOLOGY_CLASSES_MAX],
			   unsigned *ret_n, char *message, size_t size);

/* The same as a check of a config key: NULL if it is good or empty, else what it must be. Pure. */
const char *topology_classes_problem(const char *text);

/* Puts declared classes in the place of those that were found. A class's capacity is that of its
 * largest CPU. -EINVAL as topology_parse_classes(), or if one of the CPUs isn't possible here.
 * Pure. */
int topology_declare(struct topology *topology, const char *text, char *message, size_t size);

/* Sorts the online CPUs into classes by their capacity. Pure. */
void topology_classify(struct topology *topology);

/* Whether a uclamp floor means anything on this CPU: only schedutil reads clamps (intel_pstate and
 * amd-pstate in active mode don't). Pure. */
bool topology_obeys_clamp(const struct topology *topology, unsigned cpu);

/* The highest frequency of the largest CPU, which stands for 1024; 0 if it has no cpufreq. Pure. */
uint32_t topology_top_khz(const struct topology *topology);

#define BOOT_ID_MAX 64U
/* This boot's id: tells whether what an earlier run wrote is of this boot. */
int topology_boot_id(int root_fd, char ret[BOOT_ID_MAX]);

/* Current frequencies, with a descriptor kept open for each policy that was asked for. */
struct freq_reader;
int freq_reader_new(int root_fd, struct freq_reader **ret);
struct freq_reader *freq_reader_free(struct freq_reader *reader);

/* scaling_cur_freq of a CPU's policy. -ENODATA if it has none, -ENODEV while it is offline. A few
 * µs, less where the driver remembers what it set. No allocation. */
int freq_reader_khz(struct freq_reader *reader, const struct topology *topology, unsigned cpu,
		    uint32_t *ret_khz);
