/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The floor and the ceiling of one thread by sched_setattr(2). A door. */
#include "hostd/uclamp.h"

#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "common/macro.h"
#include "common/parse.h"
#include "common/rootfs.h"

/* Of its settings in the ledger. The first is as old as the ledger: it means the minimum. */
#define KIND_MIN "uclamp"
#define KIND_MAX "uclamp_max"

/* include/uapi/linux/sched.h */
#define FLAG_KEEP_ALL	    UINT64_C(0x18) /* policy and parameters */
#define FLAG_UTIL_CLAMP_MIN UINT64_C(0x20)
#define FLAG_UTIL_CLAMP_MAX UINT64_C(0x40)
#define UTIL_RESET	    UINT32_MAX /* -1: the system's default */

#define SYSCTL_MIN	  "proc/sys/kernel/sched_util_clamp_min"
#define SYSCTL_RT_DEFAULT "proc/sys/kernel/sched_util_clamp_min_rt_default"

/* What one call writes: the flags say which of the two. */
struct clamp_write {
	uint64_t flags;
	uint32_t util_min, util_max;
};

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

static int set(const struct uclamp_door *door, pid_t tid, const struct clamp_write *clamps)
{
	struct uclamp_attr attr = {
		.size = sizeof(attr),
		.flags = FLAG_KEEP_ALL | clamps->flags,
		.util_min = clamps->flags & FLAG_UTIL_CLAMP_MIN ? clamps->util_min : 0,
		.util_max = clamps->flags & FLAG_UTIL_CLAMP_MAX ? clamps->util_max : 0,
	};

	return door->calls->set(door->calls->userdata, tid, &attr);
}

/* uclamp_validate() in kernel/sched refuses a value beyond 1024 with EINVAL before it does
 * anything, and without CONFIG_UCLAMP_TASK any value with EOPNOTSUPP. Kernels before 5.3 answer
 * EINVAL to the flag itself: those have no sysctl. */
int uclamp_probe(const struct uclamp_door *door)
{
	char text[32];
	int r = set(door, 0, &(struct clamp_write){FLAG_UTIL_CLAMP_MIN, 2 * CAPACITY_SCALE, 0});

	if (r != -EINVAL)
		return r < 0 ? r : -EOPNOTSUPP;
	r = rootfs_read_line(door->root_fd, SYSCTL_MIN, text, sizeof(text));
	return r == -ENOENT ? -EOPNOTSUPP : r < 0 ? r : 0;
}

/* The minimum of a thread that never asked for anything. Its maximum is CAPACITY_SCALE. */
static uint32_t default_min(const struct uclamp_door *door, uint32_t policy)
{
	uint64_t value;

	if (policy != SCHED_FIFO && policy != SCHED_RR)
		return 0;
	if (rootfs_read_u64(door->root_fd, SYSCTL_RT_DEFAULT, &value) < 0)
		return CAPACITY_SCALE;
	return (uint32_t)MIN(value, (uint64_t)CAPACITY_SCALE);
}

static int read_attr(const struct uclamp_door *door, const char *name, struct uclamp_attr *ret)
{
	struct vcpu_thread thread;
	int r = thread_parse(name, &thread);

	if (r >= 0)
		r = get(door, thread.tid, ret);
	return r < 0 ? r : thread_check_alive(door->root_fd, &thread);
}

static int put_value(uint32_t value, char *buffer, size_t size)
{
	int n = snprintf(buffer, size, "%u", value);

	return n < 0 || (size_t)n >= size ? -ENOBUFS : 0;
}

static int read_min(void *userdata, const char *name, char *value, size_t size)
{
	struct uclamp_attr attr;
	int r = read_attr(userdata, name, &attr);

	return r < 0 ? r : put_value(attr.util_min, value, size);
}

static int read_max(void *userdata, const char *name, char *value, size_t size)
{
	struct uclamp_attr attr;
	int r = read_attr(userdata, name, &attr);

	return r < 0 ? r : put_value(attr.util_max, value, size);
}

/* Those of the flags whose field holds what was written. */
static uint64_t held(const struct uclamp_attr *attr, const struct clamp_write *clamps)
{
	uint64_t flags = 0;

	if (attr->util_min == clamps->util_min)
		flags |= FLAG_UTIL_CLAMP_MIN;
	if (attr->util_max == clamps->util_max)
		flags |= FLAG_UTIL_CLAMP_MAX;
	return flags & clamps->flags;
}

/* Our thread has ended, and if its number was used again before our write, that went to somebody
 * else's new thread: give that one the default, which a new thread has, unless it has got another
 * value in the meantime. */
static void undo(const struct uclamp_door *door, pid_t tid, const struct clamp_write *clamps)
{
	struct clamp_write reset = {0, UTIL_RESET, UTIL_RESET};
	struct uclamp_attr attr;

	if (get(door, tid, &attr) < 0)
		return;
	reset.flags = held(&attr, clamps);
	if (reset.flags)
		(void)set(door, tid, &reset);
}

/* Kernels before 5.11 know no reset: there the value itself has to do. */
static int set_or_reset(const struct uclamp_door *door, pid_t tid, const struct clamp_write *clamps,
			uint32_t policy)
{
	struct clamp_write reset = *clamps;

	if (clamps->flags & FLAG_UTIL_CLAMP_MIN && clamps->util_min == default_min(door, policy))
		reset.util_min = UTIL_RESET;
	if (clamps->flags & FLAG_UTIL_CLAMP_MAX && clamps->util_max == CAPACITY_SCALE)
		reset.util_max = UTIL_RESET;
	if (reset.util_min == UTIL_RESET || reset.util_max == UTIL_RESET) {
		int r = set(door, tid, &reset);

		if (r != -EINVAL)
			return r;
	}
	return set(door, tid, clamps);
}

/* Writes to the thread that is held, checks that it was that one, and reads back. */
static int change(const struct uclamp_door *door, int hold_fd, pid_t tid,
		  const struct clamp_write *clamps)
{
	struct uclamp_attr attr;
	int r;

	r = get(door, tid, &attr);
	if (r < 0)
		return r;
	r = set_or_reset(door, tid, clamps, attr.policy);
	if (r < 0)
		return r;
	r = thread_held(hold_fd);
	if (r < 0) {
		undo(door, tid, clamps);
		return r;
	}
	r = get(door, tid, &attr);
	if (r < 0)
		return r;
	return held(&attr, clamps) == clamps->flags ? 0 : -EBUSY;
}

/* Adds a value, unless it is NULL, to what is to be written. */
static int take_value(const char *text, uint64_t flag, struct clamp_write *clamps)
{
	uint64_t value;
	int r;

	if (!text)
		return 0;
	r = parse_u64_max(text, CAPACITY_SCALE, &value);
	if (r < 0)
		return r;
	clamps->flags |= flag;
	*(flag == FLAG_UTIL_CLAMP_MIN ? &clamps->util_min : &clamps->util_max) = (uint32_t)value;
	return 0;
}

static int hold_and_change(const struct uclamp_door *door, const char *name, const char *min,
			   const char *max,
			   int (*hold)(int root_fd, const struct vcpu_thread *thread))
{
	_cleanup_close_ int fd = -EBADF;
	struct vcpu_thread thread;
	struct clamp_write clamps = {};
	int r = thread_parse(name, &thread);

	if (r >= 0)
		r = take_value(min, FLAG_UTIL_CLAMP_MIN, &clamps);
	if (r >= 0)
		r = take_value(max, FLAG_UTIL_CLAMP_MAX, &clamps);
	if (r < 0)
		return r;
	fd = hold(door->root_fd, &thread);
	return fd < 0 ? fd : change(door, fd, thread.tid, &clamps);
}

static int write_min(void *userdata, const char *name, const char *value)
{
	return hold_and_change(userdata, name, value, NULL, thread_hold);
}

static int write_max(void *userdata, const char *name, const char *value)
{
	return hold_and_change(userdata, name, NULL, value, thread_hold);
}

static int write_both(void *userdata, const char *name, const char *value, const char *other)
{
	return hold_and_change(userdata, name, value, other, thread_hold);
}

/* A thread that libvirt has moved to another cgroup since is still the one that we changed. */
static int restore_min(void *userdata, const char *name, const char *value)
{
	return hold_and_change(userdata, name, value, NULL, thread_hold_alive);
}

static int restore_max(void *userdata, const char *name, const char *value)
{
	return hold_and_change(userdata, name, NULL, value, thread_hold_alive);
}

void uclamp_setting_ops(struct uclamp_door *door, struct setting_ops *ret_min,
			struct setting_ops *ret_max)
{
	*ret_min = (struct setting_ops){
		.kind = KIND_MIN,
		.read = read_min,
		.write = write_min,
		.restore = restore_min,
		.userdata = door,
		.write_both = write_both,
	};
	*ret_max = (struct setting_ops){
		.kind = KIND_MAX,
		.read = read_max,
		.write = write_max,
		.restore = restore_max,
		.userdata = door,
	};
}

int uclamp_min_name(const struct vcpu_thread *thread, char *buffer, size_t size)
{
	return thread_setting_name(KIND_MIN, thread, buffer, size);
}

int uclamp_max_name(const struct vcpu_thread *thread, char *buffer, size_t size)
{
	return thread_setting_name(KIND_MAX, thread, buffer, size);
}
