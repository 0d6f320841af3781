/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel says of one thread, and which thread it is. A door. */
#include "hostd/threads.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "common/macro.h"
#include "common/parse.h"
#include "common/rootfs.h"

/* "proc/4194304/task/4194304/schedstat" with much room. */
#define PROC_PATH_MAX 96U

/* -- one thread in /proc ---------------------------------------------------------------------- */

/* The directory of a thread: in /proc/TID/task/TID all times are the thread's own. */
static int open_thread(int root_fd, pid_t tid)
{
	char path[PROC_PATH_MAX];
	int fd;

	if (tid <= 0)
		return -ESRCH;
	snprintf(path, sizeof(path), "proc/%d/task/%d", (int)tid, (int)tid);
	fd = openat(root_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	return fd;
}

/* Reads a file; one that isn't there means that the thread isn't. */
static int read_in(int dir_fd, const char *path, char *buffer, size_t size)
{
	int r = rootfs_read(dir_fd, path, buffer, size);

	return r == -ENOENT ? -ESRCH : r;
}

/* Reads one file of a thread. */
static int read_proc(int root_fd, pid_t tid, const char *file, char *buffer, size_t size)
{
	char path[PROC_PATH_MAX];

	if (tid <= 0)
		return -ESRCH;
	snprintf(path, sizeof(path), "proc/%d/task/%d/%s", (int)tid, (int)tid, file);
	return read_in(root_fd, path, buffer, size);
}

/* Moves *cursor behind n columns. */
static int skip_columns(const char **cursor, unsigned n)
{
	const char *p = *cursor;

	while (n-- > 0) {
		size_t length;

		p += strspn(p, " ");
		length = strcspn(p, " \n");
		if (length == 0)
			return -EBADMSG;
		p += length;
	}
	*cursor = p;
	return 0;
}

/* Skips n columns and reads the next. */
static int column_after(const char **cursor, unsigned n, uint64_t *ret)
{
	int r = skip_columns(cursor, n);

	if (r < 0)
		return r;
	return parse_column_u64(cursor, ret) < 0 ? -EBADMSG : 0;
}

/* The name in the second column may hold spaces and parentheses, so columns are counted behind the
 * last ')'. Their numbers are those of proc_pid_stat(5). */
static int parse_stat(const char *text, struct thread_stat *ret)
{
	const char *p = strrchr(text, ')');
	uint64_t utime, stime, start, cpu, priority, policy;
	char state;

	if (!p || p[1] != ' ' || !isalpha((unsigned char)p[2]) || p[3] != ' ')
		return -EBADMSG;
	state = p[2];
	p += 3;
	if (column_after(&p, 10, &utime) < 0 ||	  /* 14 */
	    column_after(&p, 0, &stime) < 0 ||	  /* 15 */
	    column_after(&p, 6, &start) < 0 ||	  /* 22 */
	    column_after(&p, 16, &cpu) < 0 ||	  /* 39 */
	    column_after(&p, 0, &priority) < 0 || /* 40 */
	    column_after(&p, 0, &policy) < 0)	  /* 41 */
		return -EBADMSG;
	if (cpu > UINT_MAX || priority > 99 || policy > UINT_MAX)
		return -EBADMSG;
	*ret = (struct thread_stat){
		.start_time = start,
		.cpu_ticks = utime + stime,
		.cpu = (unsigned)cpu,
		.rt_priority = (unsigned)priority,
		.policy = (unsigned)policy,
		.state = state,
	};
	return 0;
}

static int read_stat(int thread_fd, struct thread_stat *ret)
{
	char text[1024];
	int r = read_in(thread_fd, "stat", text, sizeof(text));

	return r < 0 ? r : parse_stat(text, ret);
}

int thread_stat(int root_fd, pid_t tid, struct thread_stat *ret)
{
	char text[1024];
	int r = read_proc(root_fd, tid, "stat", text, sizeof(text));

	return r < 0 ? r : parse_stat(text, ret);
}

int thread_schedstat(int root_fd, pid_t tid, uint64_t *ret_run_ns, uint64_t *ret_delay_ns)
{
	char text[128];
	const char *p = text;
	uint64_t run, delay, slices;
	int r = read_proc(root_fd, tid, "schedstat", text, sizeof(text));

	if (r < 0)
		return r;
	if (parse_column_u64(&p, &run) < 0 || parse_column_u64(&p, &delay) < 0 ||
	    parse_column_u64(&p, &slices) < 0)
		return -EBADMSG;
	/* A thread that we can name has run: zeros are what a kernel without the numbers prints. */
	if (run == 0 && delay == 0 && slices == 0)
		return -ENODATA;
	*ret_run_ns = run;
	*ret_delay_ns = delay;
	return 0;
}

/* The number behind "key   :" in /proc/TID/sched. The first line there begins with the thread's
 * name, unescaped; with its 15 characters it can't forge a line of a key of 15 or more. */
static int sched_value(const char *text, const char *key, unsigned *ret)
{
	size_t length = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		uint64_t value;
		const char *p;

		if (*line == '\n')
			line++;
		if (strncmp(line, key, length) != 0)
			continue;
		p = line + length + strspn(line + length, " \t");
		if (*p != ':')
			continue;
		p++;
		if (parse_column_u64(&p, &value) < 0 || value > UINT_MAX)
			return -EBADMSG;
		*ret = (unsigned)value;
		return 0;
	}
	return -ENODATA;
}

static int read_sched(int root_fd, pid_t tid, char *buffer, size_t size)
{
	struct thread_stat stat;
	int r = read_proc(root_fd, tid, "sched", buffer, size);

	/* No such file beside a living thread: a kernel without CONFIG_SCHED_DEBUG. */
	if (r == -ESRCH && thread_stat(root_fd, tid, &stat) >= 0)
		return -ENODATA;
	return r;
}

int thread_effective_uclamp(int root_fd, pid_t tid, unsigned *ret_min, unsigned *ret_max)
{
	char text[8192];
	unsigned min, max;
	int r;

	r = read_sched(root_fd, tid, text, sizeof(text));
	if (r < 0)
		return r;
	r = sched_value(text, "effective uclamp.min", &min);
	if (r < 0)
		return r;
	r = sched_value(text, "effective uclamp.max", &max);
	if (r < 0)
		return r;
	*ret_min = min;
	*ret_max = max;
	return 0;
}

int thread_util_avg(int root_fd, pid_t tid, unsigned *ret_util1024)
{
	char text[8192];
	int r = read_sched(root_fd, tid, text, sizeof(text));

	return r < 0 ? r : sched_value(text, "se.avg.util_avg", ret_util1024);
}

/* -- which thread ----------------------------------------------------------------------------- */

/* The cgroup v2 path of a thread; "" if the host has none. */
static int read_cgroup(int thread_fd, char ret[THREAD_CGROUP_MAX])
{
	char text[8192], *line = text, *end;
	int r = read_in(thread_fd, "cgroup", text, sizeof(text));

	if (r == -ESRCH || r == 0) { /* a kernel without cgroups; the caller has seen the thread */
		ret[0] = '\0';
		return 0;
	}
	if (r < 0)
		return r;
	while (line && strncmp(line, "0::", 3) != 0) {
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	if (!line) {
		ret[0] = '\0';
		return 0;
	}
	line += 3;
	end = strchr(line, '\n');
	if (end)
		*end = '\0';
	if (strlen(line) >= THREAD_CGROUP_MAX)
		return -ENAMETOOLONG;
	strcpy(ret, line);
	return 0;
}

int thread_identify(int root_fd, pid_t tid, struct vcpu_thread *ret)
{
	_cleanup_close_ int fd = open_thread(root_fd, tid);
	struct vcpu_thread thread = {.tid = tid};
	struct thread_stat stat;
	int r;

	if (fd < 0)
		return fd;
	r = read_stat(fd, &stat);
	if (r < 0)
		return r;
	thread.start_time = stat.start_time;
	r = read_cgroup(fd, thread.cgroup);
	if (r < 0)
		return r;
	*ret = thread;
	return 0;
}

int thread_hold_alive(int root_fd, const struct vcpu_thread *thread)
{
	_cleanup_close_ int fd = open_thread(root_fd, thread->tid);
	struct thread_stat stat;
	int r;

	if (fd < 0)
		return fd;
	r = read_stat(fd, &stat);
	if (r < 0)
		return r;
	if (stat.start_time != thread->start_time || stat.state == 'X' || stat.state == 'Z')
		return -ESRCH;
	return TAKE_FD(fd);
}

int thread_hold(int root_fd, const struct vcpu_thread *thread)
{
	_cleanup_close_ int fd = thread_hold_alive(root_fd, thread);
	char cgroup[THREAD_CGROUP_MAX];
	int r;

	if (fd < 0)
		return fd;
	r = read_cgroup(fd, cgroup);
	if (r < 0)
		return r;
	return strcmp(cgroup, thread->cgroup) == 0 ? TAKE_FD(fd) : -ESRCH;
}

/* Once the thread has ended, its directory has no files any more (pid_revalidate() in
 * fs/proc/base.c), whoever has the number now. */
int thread_held(int fd)
{
	if (faccessat(fd, "stat", F_OK, 0) >= 0)
		return 0;
	return errno == ENOENT ? -ESRCH : -errno;
}

int thread_check_alive(int root_fd, const struct vcpu_thread *thread)
{
	_cleanup_close_ int fd = thread_hold_alive(root_fd, thread);

	return MIN(fd, 0);
}

int thread_check(int root_fd, const struct vcpu_thread *thread)
{
	_cleanup_close_ int fd = thread_hold(root_fd, thread);

	return MIN(fd, 0);
}

int thread_setting_name(const char *kind, const struct vcpu_thread *thread, char *buffer,
			size_t size)
{
	int n = snprintf(buffer, size, "%s:%d:%llu:%s", kind, (int)thread->tid,
			 (unsigned long long)thread->start_time, thread->cgroup);

	return n < 0 || (size_t)n >= size ? -ENOBUFS : n;
}

/* Reads the digits up to a colon at *text, which then stands behind the colon. */
static int take_number(const char **text, uint64_t max, uint64_t *ret)
{
	char digits[24];
	size_t length = strcspn(*text, ":");
	int r;

	if ((*text)[length] != ':' || length >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, *text, length);
	digits[length] = '\0';
	r = parse_u64_max(digits, max, ret);
	if (r < 0)
		return r;
	*text += length + 1;
	return 0;
}

int thread_parse(const char *text, struct vcpu_thread *ret)
{
	uint64_t tid, start;
	int r;

	r = take_number(&text, INT_MAX, &tid);
	if (r < 0)
		return r;
	r = take_number(&text, UINT64_MAX, &start);
	if (r < 0)
		return r;
	if (tid == 0)
		return -EINVAL;
	if (strlen(text) >= THREAD_CGROUP_MAX)
		return -ENAMETOOLONG;
	ret->tid = (pid_t)tid;
	ret->start_time = start;
	strcpy(ret->cgroup, text);
	return 0;
}
