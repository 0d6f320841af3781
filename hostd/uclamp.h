/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The floor and the ceiling of one thread by sched_setattr(2). A door. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "hostd/ledger.h"
#include "hostd/threads.h"

/* struct sched_attr of the kernel's uapi (include/uapi/linux/sched/types.h), version 1: glibc has
 * it in some releases and not in others. */
struct uclamp_attr {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

/* The two system calls, so that tests can bring their own. 0 or -errno. */
struct uclamp_calls {
	int (*get)(void *userdata, pid_t tid, struct uclamp_attr *ret);
	int (*set)(void *userdata, pid_t tid, const struct uclamp_attr *attr);
	void *userdata;
};
extern const struct uclamp_calls uclamp_calls_kernel;

struct uclamp_door {
	int root_fd;
	const struct uclamp_calls *calls;
};

/* Whether this kernel can: 0, or -EOPNOTSUPP if it is built without CONFIG_UCLAMP_TASK (Debian's
 * own 6.1 and 6.12 are), or another errno. Asks for what must be refused, so nothing is changed. */
int uclamp_probe(const struct uclamp_door *door);

/* Settings of two kinds: "uclamp:TID:START:CGROUP", value: uclamp.min in decimal, 0 … 1024, and
 * "uclamp_max:TID:START:CGROUP", which is uclamp.max. Only that field is ever touched, or both by
 * one call (the first kind's write_both). The thread is checked before and after each write, and
 * the value is read back. A value that is the scheduler's default for the thread (0 and 1024; for a
 * real-time thread's minimum the sysctl sched_util_clamp_min_rt_default) is written as a reset, so
 * that a thread that never had a clamp of its own has none again. Errors: -ESRCH thread gone, or in
 * another cgroup; -EPERM no CAP_SYS_NICE; -EOPNOTSUPP; -ERANGE above 1024; -EINVAL a minimum above
 * the maximum (uclamp_validate() in kernel/sched); -EBUSY somebody else wrote at the same time. */
void uclamp_setting_ops(struct uclamp_door *door, struct setting_ops *ret_min,
			struct setting_ops *ret_max);

/* The settings' names for a thread: their length or -ENOBUFS. Pure. */
int uclamp_min_name(const struct vcpu_thread *thread, char *buffer, size_t size);
int uclamp_max_name(const struct vcpu_thread *thread, char *buffer, size_t size);
