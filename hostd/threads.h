/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host threads behind a domain's vCPUs, and what the kernel says of a thread. A door: /proc,
 * /sys/fs/cgroup and /run/libvirt below a root. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define THREAD_CGROUP_MAX 512U /* with its NUL */

/* A thread, not only its number: numbers are used again. The kernel gives start times in clock
 * ticks, and a small pid_max can come round within one, hence the cgroup. */
struct vcpu_thread {
	pid_t tid;			/* 0: this vCPU has no thread (it is offline) */
	uint64_t start_time;		/* clock ticks since boot: /proc/TID/stat field 22 */
	char cgroup[THREAD_CGROUP_MAX]; /* below /sys/fs/cgroup, as "/machine.slice/…"; "" if the
					 * host has no cgroup v2 */
};

enum thread_source {
	THREAD_SOURCE_NONE,
	THREAD_SOURCE_CGROUP, /* libvirt's vcpuN cgroups */
	THREAD_SOURCE_NAMES,  /* thread names of the QEMU process */
};
const char *thread_source_text(enum thread_source source);

/* The most vCPUs of one domain that we look for. */
#define THREADS_MAX 1024U

/* Fills ret[0 … n_vcpus-1] with the threads of a domain of qemu:///system. The first of these that
 * finds any thread: the vcpuN cgroups beside the one that the process of /run/libvirt/qemu/NAME.pid
 * is in; those of the scope that bears the id (below machine.slice, then anywhere down to four
 * levels); threads of that process that are called "CPU N/KVM" or "CPU N/TCG".
 * The number of vCPUs that have a thread (at least 1). -ESRCH if none was found, -EINVAL for a name
 * with a slash or n_vcpus of 0 or above THREADS_MAX, or another errno of a call. Slow (many small
 * files): for lifecycle events, not for ticks. */
int threads_resolve(int root_fd, int domain_id, const char *name, unsigned n_vcpus,
		    struct vcpu_thread *ret, enum thread_source *ret_source);

/* Start time and cgroup of a thread now. -ESRCH if there is none. */
int thread_identify(int root_fd, pid_t tid, struct vcpu_thread *ret);

/* 0 if this very thread still lives and is in the same cgroup, else -ESRCH (or another errno). */
int thread_check(int root_fd, const struct vcpu_thread *thread);

/* The same, whichever cgroup it is in: for putting things back. */
int thread_check_alive(int root_fd, const struct vcpu_thread *thread);

/* Checks a thread and holds it: a descriptor of its directory in /proc, which never becomes that of
 * another thread, also when the number is used again. -errno as thread_check(). */
int thread_hold(int root_fd, const struct vcpu_thread *thread);
int thread_hold_alive(int root_fd, const struct vcpu_thread *thread);

/* 0 if the thread that is held still has its number, else -ESRCH. A microsecond. */
int thread_held(int fd);

/* The name of a thread's setting, "KIND:TID:START:CGROUP": its length or -ENOBUFS. Pure. */
int thread_setting_name(const char *kind, const struct vcpu_thread *thread, char *buffer,
			size_t size);

/* The thread back from "TID:START:CGROUP". -EINVAL, -ERANGE or -ENAMETOOLONG. Pure. */
int thread_parse(const char *text, struct vcpu_thread *ret);

struct thread_stat {
	uint64_t start_time;  /* clock ticks since boot */
	uint64_t cpu_ticks;   /* user and system time, in clock ticks */
	unsigned cpu;	      /* that it runs on or ran on last */
	unsigned rt_priority; /* 0 … 99 */
	unsigned policy;      /* SCHED_OTHER, SCHED_FIFO, … of <sched.h> */
	char state;	      /* 'R', 'S', … */
};

/* /proc/TID/task/TID/stat: /proc/TID/stat gives the times of the whole process. -ESRCH if the
 * thread is gone, -EBADMSG if the file isn't of the form (proc_pid_stat(5)). */
int thread_stat(int root_fd, pid_t tid, struct thread_stat *ret);

/* Time on a CPU and time waiting for one, in ns. -ESRCH, -EBADMSG; -ENODATA on a kernel without
 * CONFIG_SCHED_INFO. About 1 µs. */
int thread_schedstat(int root_fd, pid_t tid, uint64_t *ret_run_ns, uint64_t *ret_delay_ns);

/* What the scheduler makes of the thread's clamps with all its cgroups, 0 … 1024
 * (/proc/TID/sched, kernel/sched/debug.c). -ESRCH; -ENODATA if this kernel doesn't print it. */
int thread_effective_uclamp(int root_fd, pid_t tid, unsigned *ret_min, unsigned *ret_max);

/* Its utilization as the host's scheduler sees it, 0 … 1024. The same errors. */
int thread_util_avg(int root_fd, pid_t tid, unsigned *ret_util1024);
