/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The CPUs that one thread may run on, by sched_setaffinity(2). A door. */
#include "hostd/cpuset.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/macro.h"
#include "common/rootfs.h"

#define KIND "affinity" /* of its settings in the ledger */

#define CGROUP_ROOT "sys/fs/cgroup"

_Static_assert(CPU_SETSIZE == CPUMASK_CPUS, "one set of CPUs for the kernel and for us");

static int kernel_get(void *userdata _unused_, pid_t tid, struct cpumask *ret)
{
	struct cpumask mask = {};
	cpu_set_t set;

	if (sched_getaffinity(tid, sizeof(set), &set) < 0)
		return -errno;
	for (unsigned cpu = 0; cpu < CPUMASK_CPUS; cpu++)
		if (CPU_ISSET(cpu, &set))
			cpumask_set(&mask, cpu);
	*ret = mask;
	return 0;
}

static int kernel_set(void *userdata _unused_, pid_t tid, const struct cpumask *mask)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPUMASK_FOREACH(cpu, mask)
		CPU_SET(cpu, &set);
	return sched_setaffinity(tid, sizeof(set), &set) < 0 ? -errno : 0;
}

const struct cpuset_calls cpuset_calls_kernel = {.get = kernel_get, .set = kernel_set};

/* -- what is allowed -------------------------------------------------------------------------- */

int cpuset_allowed(int root_fd, pid_t tid, struct cpumask *ret)
{
	static const char key[] = "\nCpus_allowed_list:";
	char path[96], text[16384], *line, *end;
	int r;

	snprintf(path, sizeof(path), "proc/%d/task/%d/status", (int)tid, (int)tid);
	r = rootfs_read(root_fd, path, text, sizeof(text));
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	/* The thread's name comes first, with its newlines escaped (proc_task_name()). */
	line = strstr(text, key);
	if (!line)
		return -EBADMSG;
	line += strlen(key);
	line += strspn(line, " \t");
	end = strchr(line, '\n');
	if (end)
		*end = '\0';
	return cpumask_parse(line, ret) < 0 ? -EBADMSG : 0;
}

static int read_cpus(int root_fd, const char *path, struct cpumask *ret)
{
	char text[CPUMASK_TEXT_MAX];
	int r = rootfs_read_line(root_fd, path, text, sizeof(text));

	if (r < 0)
		return r;
	return cpumask_parse(text, ret) < 0 ? -EBADMSG : 0;
}

/* The same, and whether it was that of the root cgroup. */
static int find_effective(int root_fd, const char *cgroup, struct cpumask *ret, bool *ret_is_root)
{
	size_t length = strlen(cgroup);

	if (length >= THREAD_CGROUP_MAX)
		return -ENAMETOOLONG;
	for (;;) { /* "/a/b", "/a", "" */
		char path[THREAD_CGROUP_MAX + 64];
		const char *slash;
		int r;

		if (length > 0 && cgroup[length - 1] == '/')
			length--;
		snprintf(path, sizeof(path), CGROUP_ROOT "%.*s/cpuset.cpus.effective", (int)length,
			 cgroup);
		r = read_cpus(root_fd, path, ret);
		if (r != -ENOENT || length == 0) {
			*ret_is_root = length == 0;
			return r;
		}
		slash = memrchr(cgroup, '/', length);
		length = slash ? (size_t)(slash - cgroup) : 0;
	}
}

int cpuset_effective(int root_fd, const char *cgroup, struct cpumask *ret)
{
	bool is_root;

	return find_effective(root_fd, cgroup, ret, &is_root);
}

/* The CPUs that a thread has if nobody has pinned it: in the root cpuset all that there may ever
 * be, in another those of it that are online (cpuset_cpus_allowed() in kernel/cgroup/cpuset.c). */
static int read_unpinned(int root_fd, const char *cgroup, struct cpumask *ret)
{
	bool is_root;
	int r = find_effective(root_fd, cgroup, ret, &is_root);

	if (r >= 0 && !is_root)
		return 0;
	if (r < 0 && r != -ENOENT)
		return r;
	return read_cpus(root_fd, "sys/devices/system/cpu/possible", ret);
}

/* -- affinity settings ------------------------------------------------------------------------ */

static int read_setting(void *userdata, const char *name, char *value, size_t size)
{
	const struct cpuset_door *door = userdata;
	struct vcpu_thread thread;
	struct cpumask allowed;
	int r;

	r = thread_parse(name, &thread);
	if (r < 0)
		return r;
	r = cpuset_allowed(door->root_fd, thread.tid, &allowed);
	if (r < 0)
		return r;
	r = thread_check_alive(door->root_fd, &thread);
	if (r < 0)
		return r;
	return MIN(cpumask_format(&allowed, value, size), 0);
}

static void set_all(struct cpumask *mask)
{
	memset(mask, 0xff, sizeof(*mask));
}

/* Our thread has ended, and if its number was used again before our write, that went to somebody
 * else's new thread: let that one go where its cpuset lets it, which is what a new thread mostly
 * may, unless it has been given other CPUs in the meantime. */
static void undo(const struct cpuset_door *door, pid_t tid, const struct cpumask *mask)
{
	struct cpumask now, all;

	if (door->calls->get(door->calls->userdata, tid, &now) < 0 ||
	    !cpumask_is_subset(&now, mask))
		return;
	set_all(&all);
	(void)door->calls->set(door->calls->userdata, tid, &all);
}

/* Writes to the thread that is held, checks that it was that one, and reads back. */
static int change(const struct cpuset_door *door, int hold_fd, const struct vcpu_thread *thread,
		  const struct cpumask *mask)
{
	struct cpumask unpinned, wanted = *mask, now;
	int r;

	if (read_unpinned(door->root_fd, thread->cgroup, &unpinned) >= 0 &&
	    cpumask_is_subset(&unpinned, mask))
		set_all(&wanted);
	r = door->calls->set(door->calls->userdata, thread->tid, &wanted);
	if (r < 0)
		return r;
	r = thread_held(hold_fd);
	if (r < 0) {
		undo(door, thread->tid, mask);
		return r;
	}
	r = door->calls->get(door->calls->userdata, thread->tid, &now);
	if (r < 0)
		return r;
	return cpumask_is_subset(&now, mask) ? 0 : -EBUSY;
}

static int parse_setting(const char *name, const char *value, struct vcpu_thread *ret_thread,
			 struct cpumask *ret_mask)
{
	int r = thread_parse(name, ret_thread);

	if (r < 0)
		return r;
	r = cpumask_parse(value, ret_mask);
	if (r < 0)
		return r;
	return cpumask_is_empty(ret_mask) ? -EINVAL : 0;
}

static int write_setting(void *userdata, const char *name, const char *value)
{
	const struct cpuset_door *door = userdata;
	_cleanup_close_ int fd = -EBADF;
	struct vcpu_thread thread;
	struct cpumask mask;
	int r = parse_setting(name, value, &thread, &mask);

	if (r < 0)
		return r;
	fd = thread_hold(door->root_fd, &thread);
	return fd < 0 ? fd : change(door, fd, &thread, &mask);
}

/* A thread that libvirt has moved to another cgroup since is still the one that we changed. */
static int restore_setting(void *userdata, const char *name, const char *value)
{
	const struct cpuset_door *door = userdata;
	_cleanup_close_ int fd = -EBADF;
	struct vcpu_thread thread, now;
	struct cpumask mask;
	int r = parse_setting(name, value, &thread, &mask);

	if (r < 0)
		return r;
	fd = thread_hold_alive(door->root_fd, &thread);
	if (fd < 0)
		return fd;
	r = thread_identify(door->root_fd, thread.tid, &now);
	return r < 0 ? r : change(door, fd, &now, &mask);
}

/* The kernel shows what was asked for as far as the cpuset has it, and all of the cpuset if it has
 * none of that. */
static int expect_setting(void *userdata, const char *name, const char *value, char *seen,
			  size_t size)
{
	const struct cpuset_door *door = userdata;
	struct vcpu_thread thread, now;
	struct cpumask mask, unpinned;
	int r = parse_setting(name, value, &thread, &mask);

	if (r >= 0)
		r = thread_identify(door->root_fd, thread.tid, &now);
	if (r >= 0)
		r = read_unpinned(door->root_fd, now.cgroup, &unpinned);
	if (r < 0)
		return r;
	cpumask_and(&mask, &mask, &unpinned);
	return MIN(cpumask_format(cpumask_is_empty(&mask) ? &unpinned : &mask, seen, size), 0);
}

void cpuset_setting_ops(struct cpuset_door *door, struct setting_ops *ret)
{
	*ret = (struct setting_ops){
		.kind = KIND,
		.read = read_setting,
		.write = write_setting,
		.restore = restore_setting,
		.expect = expect_setting,
		.userdata = door,
	};
}

int cpuset_setting_name(const struct vcpu_thread *thread, char *buffer, size_t size)
{
	return thread_setting_name(KIND, thread, buffer, size);
}
