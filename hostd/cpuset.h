/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The CPUs that one thread may run on, by sched_setaffinity(2). A door. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "common/cpumask.h"
#include "hostd/ledger.h"
#include "hostd/threads.h"

/* The two system calls, so that tests can bring their own. 0 or -errno. */
struct cpuset_calls {
	int (*get)(void *userdata, pid_t tid, struct cpumask *ret);
	int (*set)(void *userdata, pid_t tid, const struct cpumask *mask);
	void *userdata;
};
extern const struct cpuset_calls cpuset_calls_kernel;

struct cpuset_door {
	int root_fd;
	const struct cpuset_calls *calls;
};

/* Settings of kind "affinity": "affinity:TID:START:CGROUP", value: a CPU list as cpumask_format()
 * writes it, never empty. The value read is Cpus_allowed_list of /proc/TID/status and not that of
 * sched_getaffinity(2), which leaves out what is offline at the moment. The thread is checked
 * before and after each write, and the CPUs are read back. A list that holds all the CPUs that the
 * thread's cpuset allows is written as "all there are", so that a thread that was never pinned
 * follows its cpuset again when that grows. Errors: -ESRCH thread gone, or in another cgroup;
 * -EPERM no CAP_SYS_NICE; -EINVAL an empty list, or none of its CPUs is online and in the cpuset;
 * -EBUSY somebody else wrote at the same time. */
void cpuset_setting_ops(struct cpuset_door *door, struct setting_ops *ret);

/* The setting's name for a thread: its length or -ENOBUFS. Pure. */
int cpuset_setting_name(const struct vcpu_thread *thread, char *buffer, size_t size);

/* The CPUs that the thread may use now: Cpus_allowed_list. -ESRCH, -EBADMSG. */
int cpuset_allowed(int root_fd, pid_t tid, struct cpumask *ret);

/* The CPUs that a cgroup has: cpuset.cpus.effective of it or of the nearest cgroup above that has
 * the file. -ENOENT if none has. */
int cpuset_effective(int root_fd, const char *cgroup, struct cpumask *ret);
