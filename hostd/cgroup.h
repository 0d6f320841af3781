/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small files of /sys as settings: cpu.uclamp.min, cpu.uclamp.max and cpuset.cpus of cgroups,
 * scaling_min_freq of cpufreq policies. A door. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "hostd/ledger.h"
#include "hostd/threads.h"

struct cgroup_door {
	int root_fd;
};

/* Settings of kind "file": "file:/sys/…", value: the text of the file without its newline. Only
 * below /sys, and without "." or ".." in the path: -EPERM. -ENOENT or -ENODEV when it is gone; the
 * kernel's own errno of a write.
 * Restoring an empty cpuset.cpus: the kernel refuses to empty that of a cgroup with threads in it
 * (ENOSPC, validate_change() in kernel/cgroup/cpuset.c). Then the parent's cpuset.cpus.effective is
 * written, which is what empty stands for now, and restore() returns 1. */
void cgroup_setting_ops(struct cgroup_door *door, struct setting_ops *ret);

/* "file:/sys/fs/cgroup" + cgroup + "/" + file: its length or -ENOBUFS. Pure. */
int cgroup_setting_name(const char *cgroup, const char *file, char *buffer, size_t size);

/* A utilization of 0 … 1024 as the kernel prints it in cpu.uclamp.min: "12.50", and "max" for 1024
 * (cpu_uclamp_print() in kernel/sched/core.c). Its length, -ERANGE or -ENOBUFS. Pure. */
int uclamp_percent_text(unsigned util1024, char *buffer, size_t size);

/* And back, with the kernel's rounding. -EINVAL or -ERANGE. Pure. */
int uclamp_percent_parse(const char *text, unsigned *ret_util1024);

/* The cgroups above a cgroup, nearest first, whose cpu.uclamp.min has to be "max" for its own to
 * count: each ancestor's caps it (cpu_util_update_eff() there). index 0 is the parent. The root
 * cgroup has no such file and isn't among them. The length, -ENOENT beyond the last, -ENOBUFS.
 * Pure. */
int cgroup_ancestor(const char *cgroup, unsigned index, char *buffer, size_t size);

/* Whether cpu.max limits this cgroup itself. False where it can't be read: without the controller,
 * and in the root. */
bool cgroup_has_quota(int root_fd, const char *cgroup);

/* What a vCPU's thread could be given by cgroup files. */
struct cgroup_means {
	bool own;		/* the cgroup is its own: it is called vcpuN */
	bool uclamp;		/* and has cpu.uclamp.min */
	bool cpuset;		/* and has cpuset.cpus */
	bool cpuset_restorable; /* and that isn't empty, so that it can be put back exactly */
};
void cgroup_probe(int root_fd, const struct vcpu_thread *thread, unsigned vcpu,
		  struct cgroup_means *ret);
