/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host threads behind a domain's vCPUs, and what the kernel says of a thread. A door. */
#include "hostd/threads.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/macro.h"
#include "common/parse.h"
#include "common/rootfs.h"

#define CGROUP_ROOT "sys/fs/cgroup"

/* "proc/4194304/task/4194304/schedstat" with much room. */
#define PROC_PATH_MAX 96U

static void closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

const char *thread_source_text(enum thread_source source)
{
	switch (source) {
	case THREAD_SOURCE_NONE:
		return "none";
	case THREAD_SOURCE_CGROUP:
		return "cgroup";
	case THREAD_SOURCE_NAMES:
		return "names";
	}
	return "?";
}

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

int thread_format(const struct vcpu_thread *thread, char *buffer, size_t size)
{
	int n = snprintf(buffer, size, "%d:%llu:%s", (int)thread->tid,
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

/* -- a domain's threads ----------------------------------------------------------------------- */

struct search {
	int root_fd;
	int domain_id;
	const char *name;
	unsigned n_vcpus;
	struct vcpu_thread *threads;
	pid_t pid; /* of the QEMU process; 0 if unknown */
};

/* The vCPU number in QEMU's "CPU 3/KVM" or "CPU 3/TCG". Not "ALL CPUs/TCG": one thread for all
 * can't be told what one vCPU needs. */
static int parse_thread_name(const char *comm, unsigned *ret_vcpu)
{
	char digits[8];
	const char *p = comm + 4;
	size_t length;
	uint64_t vcpu;

	if (strncmp(comm, "CPU ", 4) != 0)
		return -EINVAL;
	length = strspn(p, "0123456789");
	if (length == 0 || length >= sizeof(digits))
		return -EINVAL;
	if (strcmp(p + length, "/KVM") != 0 && strcmp(p + length, "/TCG") != 0)
		return -EINVAL;
	memcpy(digits, p, length);
	digits[length] = '\0';
	if (parse_u64_max(digits, THREADS_MAX - 1, &vcpu) < 0)
		return -EINVAL;
	*ret_vcpu = (unsigned)vcpu;
	return 0;
}

static int read_thread_name(int root_fd, pid_t tid, unsigned *ret_vcpu)
{
	char comm[64];
	int r = read_proc(root_fd, tid, "comm", comm, sizeof(comm));

	if (r < 0)
		return r;
	comm[strcspn(comm, "\n")] = '\0';
	return parse_thread_name(comm, ret_vcpu);
}

/* The thread in a vcpuN's cgroup.threads: the only one, or else the one that bears its name. 0 if
 * there is none. */
static pid_t pick_thread(int root_fd, const char *text, unsigned vcpu)
{
	pid_t only = 0, named = 0;
	unsigned n = 0;

	while (*text) {
		char digits[16];
		size_t length = strcspn(text, "\n");
		uint64_t tid;
		unsigned its_vcpu;

		if (length == 0 || length >= sizeof(digits))
			return 0;
		memcpy(digits, text, length);
		digits[length] = '\0';
		if (parse_u64_max(digits, INT_MAX, &tid) < 0)
			return 0;
		text += length + (text[length] == '\n');
		only = (pid_t)tid;
		n++;
		if (read_thread_name(root_fd, only, &its_vcpu) >= 0 && its_vcpu == vcpu && !named)
			named = only;
	}
	return n == 1 ? only : named;
}

/* The thread in SCOPE/libvirt/vcpuN, or in SCOPE/vcpuN as older libvirts had it. */
static pid_t vcpu_of_scope(int root_fd, const char *scope, unsigned vcpu)
{
	static const char *const levels[] = {"/libvirt", ""};

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		char path[THREAD_CGROUP_MAX + 64], text[4096];

		snprintf(path, sizeof(path), CGROUP_ROOT "%s%s/vcpu%u/cgroup.threads", scope,
			 levels[i], vcpu);
		if (rootfs_read(root_fd, path, text, sizeof(text)) >= 0)
			return pick_thread(root_fd, text, vcpu);
	}
	return 0;
}

/* Fills in the threads of a scope's vcpuN cgroups: how many there are. */
static unsigned fill_from_scope(const struct search *search, const char *scope)
{
	unsigned found = 0;

	for (unsigned i = 0; i < search->n_vcpus; i++) {
		pid_t tid = vcpu_of_scope(search->root_fd, scope, i);

		if (tid && thread_identify(search->root_fd, tid, &search->threads[i]) >= 0)
			found++;
	}
	return found;
}

/* The id in the name that libvirt gives to a domain's cgroup: "machine-qemu\x2d3\x2dNAME.scope"
 * (systemd escapes the name and libvirt shortens it, so only the id can be relied on), and without
 * machined "qemu-3-NAME.libvirt-qemu". -EINVAL for other names. */
static int parse_scope_name(const char *name, int *ret_id)
{
	static const struct {
		const char *prefix, *separator, *tail;
	} forms[] = {
		{"machine-qemu\\x2d", "\\x2d", ".scope"},
		{"qemu-", "-", ".libvirt-qemu"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		size_t prefix = strlen(forms[i].prefix);
		const char *digits = name + prefix;
		size_t length;
		char text[16];
		uint64_t id;

		if (strncmp(name, forms[i].prefix, prefix) != 0 || !strstr(name, forms[i].tail))
			continue;
		length = strspn(digits, "0123456789");
		if (length >= sizeof(text) ||
		    strncmp(digits + length, forms[i].separator, strlen(forms[i].separator)) != 0)
			continue;
		memcpy(text, digits, length);
		text[length] = '\0';
		if (parse_u64_max(text, INT_MAX, &id) < 0)
			continue;
		*ret_id = (int)id;
		return 0;
	}
	return -EINVAL;
}

/* The scope that the QEMU process is in: the part of its cgroup before "/libvirt/emulator". -EXDEV
 * if that is the scope of another run of a domain. */
static int scope_of_process(const struct search *search, char ret[THREAD_CGROUP_MAX])
{
	static const char *const tails[] = {"/libvirt/emulator", "/emulator", "/libvirt"};
	_cleanup_close_ int fd = open_thread(search->root_fd, search->pid);
	char cgroup[THREAD_CGROUP_MAX];
	const char *base;
	int r, id;

	if (fd < 0)
		return fd;
	r = read_cgroup(fd, cgroup);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(tails); i++) {
		size_t length = strlen(cgroup), tail = strlen(tails[i]);

		if (length >= tail && strcmp(cgroup + length - tail, tails[i]) == 0) {
			cgroup[length - tail] = '\0';
			break;
		}
	}
	base = strrchr(cgroup, '/');
	if (!base || parse_scope_name(base + 1, &id) < 0)
		return -ESRCH;
	if (id != search->domain_id)
		return -EXDEV;
	strcpy(ret, cgroup);
	return 0;
}

/* Looks for the scope below the cgroup `path`, down to `depth` levels. */
static int find_scope(const struct search *search, const char *path, unsigned depth,
		      char ret[THREAD_CGROUP_MAX])
{
	char full[THREAD_CGROUP_MAX + 32];
	_cleanup_(closedirp) DIR *dir = NULL;
	const struct dirent *entry;
	int fd;

	snprintf(full, sizeof(full), CGROUP_ROOT "%s", path);
	fd = openat(search->root_fd, full, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		int r = -errno;

		close(fd);
		return r;
	}
	while ((entry = readdir(dir))) {
		char child[THREAD_CGROUP_MAX];
		int n, id;

		if (entry->d_name[0] == '.' ||
		    (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
			continue;
		n = snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
		if (n < 0 || (size_t)n >= sizeof(child))
			continue;
		if (parse_scope_name(entry->d_name, &id) >= 0) {
			if (id != search->domain_id)
				continue;
			strcpy(ret, child);
			return 0;
		}
		if (depth > 1 && find_scope(search, child, depth - 1, ret) >= 0)
			return 0;
	}
	return -ENOENT;
}

static int scope_by_id(const struct search *search, char ret[THREAD_CGROUP_MAX])
{
	int r = find_scope(search, "/machine.slice", 3, ret);

	return r < 0 ? find_scope(search, "", 4, ret) : r;
}

static unsigned fill_from_names(const struct search *search)
{
	char path[PROC_PATH_MAX];
	_cleanup_(closedirp) DIR *dir = NULL;
	const struct dirent *entry;
	unsigned found = 0;
	int fd;

	if (search->pid == 0)
		return 0;
	snprintf(path, sizeof(path), "proc/%d/task", (int)search->pid);
	fd = openat(search->root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return 0;
	}
	while ((entry = readdir(dir))) {
		uint64_t tid;
		unsigned vcpu;

		if (parse_u64_max(entry->d_name, INT_MAX, &tid) < 0 ||
		    read_thread_name(search->root_fd, (pid_t)tid, &vcpu) < 0)
			continue;
		if (vcpu >= search->n_vcpus || search->threads[vcpu].tid != 0)
			continue;
		if (thread_identify(search->root_fd, (pid_t)tid, &search->threads[vcpu]) >= 0)
			found++;
	}
	return found;
}

/* The process of a domain, from libvirt's pidfile; 0 if there is none. */
static pid_t domain_pid(int root_fd, const char *name)
{
	char path[512];
	uint64_t pid;
	int n = snprintf(path, sizeof(path), "run/libvirt/qemu/%s.pid", name);

	if (n < 0 || (size_t)n >= sizeof(path) || rootfs_read_u64(root_fd, path, &pid) < 0 ||
	    pid > INT_MAX)
		return 0;
	return (pid_t)pid;
}

static unsigned fill(struct search *search, enum thread_source *ret_source)
{
	char scope[THREAD_CGROUP_MAX];
	unsigned found = 0;
	int r = scope_of_process(search, scope);

	*ret_source = THREAD_SOURCE_CGROUP;
	if (r >= 0)
		found = fill_from_scope(search, scope);
	else if (r == -EXDEV)
		search->pid = 0; /* the pidfile is of another run */
	if (found == 0 && scope_by_id(search, scope) >= 0)
		found = fill_from_scope(search, scope);
	if (found == 0) {
		*ret_source = THREAD_SOURCE_NAMES;
		found = fill_from_names(search);
	}
	return found;
}

int threads_resolve(int root_fd, int domain_id, const char *name, unsigned n_vcpus,
		    struct vcpu_thread *ret, enum thread_source *ret_source)
{
	_cleanup_free_ struct vcpu_thread *threads = NULL;
	struct search search = {
		.root_fd = root_fd, .domain_id = domain_id, .name = name, .n_vcpus = n_vcpus};
	enum thread_source source;
	unsigned found;

	if (n_vcpus == 0 || n_vcpus > THREADS_MAX || strchr(name, '/'))
		return -EINVAL;
	threads = calloc(n_vcpus, sizeof(*threads));
	if (!threads)
		return -ENOMEM;
	search.threads = threads;
	search.pid = domain_pid(root_fd, name);
	found = fill(&search, &source);
	if (found == 0)
		return -ESRCH;
	memcpy(ret, threads, n_vcpus * sizeof(*threads));
	*ret_source = source;
	return (int)found;
}
