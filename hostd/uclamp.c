/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The floor of one thread by sched_setattr(2). A door. */
#include "hostd/uclamp.h"

#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "common/macro.h"
#include "common/parse.h"
#include "common/rootfs.h"

#define KIND "uclamp" /* of its settings in the ledger */

/* include/uapi/linux/sched.h */
#define FLAG_KEEP_ALL	    UINT64_C(0x18) /* policy and parameters */
#define FLAG_UTIL_CLAMP_MIN UINT64_C(0x20)
#define UTIL_RESET	    UINT32_MAX /* -1: the system's default */

#define SYSCTL_MIN	  "proc/sys/kernel/sched_util_clamp_min"
#define SYSCTL_RT_DEFAULT "proc/sys/kernel/sched_util_clamp_min_rt_default"

_Static_assert(sizeof(struct uclamp_attr) == 56, "SCHED_ATTR_SIZE_VER1");

static int kernel_get(void *userdata _unused_, pid_t tid, struct uclamp_attr *ret)
{
	struct uclamp_attr attr = {};

	if (syscall(SYS_sched_getattr, tid, &attr, sizeof(attr), 0) < 0)
		return -errno;
	*ret = attr;
	return 0;
}

static int kernel_set(void *userdata _unused_, pid_t tid, const struct uclamp_attr *attr)
{
	return syscall(SYS_sched_setattr, tid, attr, 0) < 0 ? -errno : 0;
}

const struct uclamp_calls uclamp_calls_kernel = {.get = kernel_get, .set = kernel_set};

static int get(const struct uclamp_door *door, pid_t tid, struct uclamp_attr *ret)
{
	return door->calls->get(door->calls->userdata, tid, ret);
}

static int set(const struct uclamp_door *door, pid_t tid, uint32_t util_min)
{
	struct uclamp_attr attr = {
		.size = sizeof(attr),
		.flags = FLAG_KEEP_ALL | FLAG_UTIL_CLAMP_MIN,
		.util_min = util_min,
	};

	return door->calls->set(door->calls->userdata, tid, &attr);
}

/* uclamp_validate() in kernel/sched refuses a value beyond 1024 with EINVAL before it does
 * anything, and without CONFIG_UCLAMP_TASK any value with EOPNOTSUPP. Kernels before 5.3 answer
 * EINVAL to the flag itself: those have no sysctl. */
int uclamp_probe(const struct uclamp_door *door)
{
	char text[32];
	int r = set(door, 0, 2 * CAPACITY_SCALE);

	if (r != -EINVAL)
		return r < 0 ? r : -EOPNOTSUPP;
	r = rootfs_read_line(door->root_fd, SYSCTL_MIN, text, sizeof(text));
	return r == -ENOENT ? -EOPNOTSUPP : r < 0 ? r : 0;
}

/* What a thread has that never asked for anything. */
static uint32_t default_min(const struct uclamp_door *door, uint32_t policy)
{
	uint64_t value;

	if (policy != SCHED_FIFO && policy != SCHED_RR)
		return 0;
	if (rootfs_read_u64(door->root_fd, SYSCTL_RT_DEFAULT, &value) < 0)
		return CAPACITY_SCALE;
	return (uint32_t)MIN(value, (uint64_t)CAPACITY_SCALE);
}

static int read_setting(void *userdata, const char *name, char *value, size_t size)
{
	const struct uclamp_door *door = userdata;
	struct vcpu_thread thread;
	struct uclamp_attr attr;
	int n, r;

	r = thread_parse(name, &thread);
	if (r < 0)
		return r;
	r = get(door, thread.tid, &attr);
	if (r < 0)
		return r;
	r = thread_check_alive(door->root_fd, &thread);
	if (r < 0)
		return r;
	n = snprintf(value, size, "%u", attr.util_min);
	return n < 0 || (size_t)n >= size ? -ENOBUFS : 0;
}

/* Our thread has ended, and if its number was used again before our write, that went to somebody
 * else's new thread: give that one the default, which a new thread has, unless it has got another
 * value in the meantime. */
static void undo(const struct uclamp_door *door, pid_t tid, uint32_t util_min)
{
	struct uclamp_attr attr;

	if (get(door, tid, &attr) >= 0 && attr.util_min == util_min)
		(void)set(door, tid, UTIL_RESET);
}

/* Kernels before 5.11 know no reset: there the value itself has to do. */
static int set_or_reset(const struct uclamp_door *door, pid_t tid, uint32_t util_min,
			uint32_t policy)
{
	if (util_min == default_min(door, policy)) {
		int r = set(door, tid, UTIL_RESET);

		if (r != -EINVAL)
			return r;
	}
	return set(door, tid, util_min);
}

/* Writes to the thread that is held, checks that it was that one, and reads back. */
static int change(const struct uclamp_door *door, int hold_fd, pid_t tid, uint32_t util_min)
{
	struct uclamp_attr attr;
	int r;

	r = get(door, tid, &attr);
	if (r < 0)
		return r;
	r = set_or_reset(door, tid, util_min, attr.policy);
	if (r < 0)
		return r;
	r = thread_held(hold_fd);
	if (r < 0) {
		undo(door, tid, util_min);
		return r;
	}
	r = get(door, tid, &attr);
	if (r < 0)
		return r;
	return attr.util_min == util_min ? 0 : -EBUSY;
}

static int parse_setting(const char *name, const char *value, struct vcpu_thread *ret_thread,
			 uint32_t *ret_util_min)
{
	uint64_t util_min;
	int r = thread_parse(name, ret_thread);

	if (r < 0)
		return r;
	r = parse_u64_max(value, CAPACITY_SCALE, &util_min);
	if (r < 0)
		return r;
	*ret_util_min = (uint32_t)util_min;
	return 0;
}

static int hold_and_change(const struct uclamp_door *door, const char *name, const char *value,
			   int (*hold)(int root_fd, const struct vcpu_thread *thread))
{
	_cleanup_close_ int fd = -EBADF;
	struct vcpu_thread thread;
	uint32_t util_min;
	int r = parse_setting(name, value, &thread, &util_min);

	if (r < 0)
		return r;
	fd = hold(door->root_fd, &thread);
	return fd < 0 ? fd : change(door, fd, thread.tid, util_min);
}

static int write_setting(void *userdata, const char *name, const char *value)
{
	return hold_and_change(userdata, name, value, thread_hold);
}

/* A thread that libvirt has moved to another cgroup since is still the one that we changed. */
static int restore_setting(void *userdata, const char *name, const char *value)
{
	return hold_and_change(userdata, name, value, thread_hold_alive);
}

void uclamp_setting_ops(struct uclamp_door *door, struct setting_ops *ret)
{
	*ret = (struct setting_ops){
		.kind = KIND,
		.read = read_setting,
		.write = write_setting,
		.restore = restore_setting,
		.userdata = door,
	};
}

int uclamp_setting_name(const struct vcpu_thread *thread, char *buffer, size_t size)
{
	return thread_setting_name(KIND, thread, buffer, size);
}
