/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host threads behind a domain's vCPUs. A door. */
#include "hostd/threads.h"

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

/* "proc/4194304/task/4194304/comm" with much room. */
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
	char path[PROC_PATH_MAX], comm[64];
	int r;

	snprintf(path, sizeof(path), "proc/%d/task/%d/comm", (int)tid, (int)tid);
	r = rootfs_read_line(root_fd, path, comm, sizeof(comm));
	if (r < 0)
		return r;
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
	struct vcpu_thread process;
	char *cgroup = process.cgroup;
	const char *base;
	int r = thread_identify(search->root_fd, search->pid, &process), id;

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
