/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small files of /sys as settings. A door. */
#include "hostd/cgroup.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/cpumask.h"
#include "common/macro.h"
#include "common/parse.h"
#include "common/rootfs.h"

#define CGROUP_ROOT "/sys/fs/cgroup"

/* -- file settings ---------------------------------------------------------------------------- */

/* The path below the root, of a setting that may be one of ours. */
static int safe_path(const char *name, const char **ret)
{
	if (strncmp(name, "/sys/", 5) != 0)
		return -EPERM;
	for (const char *p = name + 1; *p;) {
		size_t length = strcspn(p, "/");

		if (length == 0 || (length == 1 && p[0] == '.') ||
		    (length == 2 && p[0] == '.' && p[1] == '.'))
			return -EPERM;
		p += length;
		if (*p == '/' && *++p == '\0')
			return -EPERM;
	}
	*ret = name + 1;
	return 0;
}

static int read_setting(void *userdata, const char *name, char *value, size_t size)
{
	const struct cgroup_door *door = userdata;
	const char *path;
	int r = safe_path(name, &path);

	if (r >= 0)
		r = rootfs_read_line(door->root_fd, path, value, size);
	return MIN(r, 0);
}

/* Writes with a newline, so that an empty value is written too: a write of no bytes never reaches
 * the kernel's handler. */
static int write_setting(void *userdata, const char *name, const char *value)
{
	const struct cgroup_door *door = userdata;
	char text[SETTING_VALUE_MAX + 1];
	const char *path;
	int r = safe_path(name, &path);

	if (r < 0)
		return r;
	if (strchr(value, '\n') || strlen(value) >= SETTING_VALUE_MAX)
		return -EINVAL;
	snprintf(text, sizeof(text), "%s\n", value);
	return rootfs_write(door->root_fd, path, text);
}

static bool is_cpuset_cpus(const char *name)
{
	const char *base = strrchr(name, '/');

	return strncmp(name, CGROUP_ROOT "/", strlen(CGROUP_ROOT "/")) == 0 && base &&
	       strcmp(base, "/cpuset.cpus") == 0;
}

/* Writes the CPUs that the cgroup would have without a list of its own: its parent's. */
static int write_inherited(void *userdata, const char *name)
{
	char parent[SETTING_NAME_MAX + 32], value[SETTING_VALUE_MAX];
	const char *slash = strrchr(name, '/');
	size_t length;
	int r;

	/* .../PARENT/CHILD/cpuset.cpus */
	length = (size_t)(slash - name);
	slash = memrchr(name, '/', length);
	if (!slash || length >= SETTING_NAME_MAX)
		return -EINVAL;
	length = (size_t)(slash - name);
	memcpy(parent, name, length);
	strcpy(parent + length, "/cpuset.cpus.effective");
	r = read_setting(userdata, parent, value, sizeof(value));
	if (r < 0)
		return r;
	return write_setting(userdata, name, value);
}

static int restore_setting(void *userdata, const char *name, const char *value)
{
	int r = write_setting(userdata, name, value);

	if ((r != -ENOSPC && r != -EINVAL) || value[0] != '\0' || !is_cpuset_cpus(name))
		return r;
	r = write_inherited(userdata, name);
	return r < 0 ? r : 1;
}

void cgroup_setting_ops(struct cgroup_door *door, struct setting_ops *ret)
{
	*ret = (struct setting_ops){
		.kind = "file",
		.read = read_setting,
		.write = write_setting,
		.restore = restore_setting,
		.userdata = door,
	};
}

int cgroup_setting_name(const char *cgroup, const char *file, char *buffer, size_t size)
{
	int n = snprintf(buffer, size, "file:" CGROUP_ROOT "%s/%s", cgroup, file);

	return n < 0 || (size_t)n >= size ? -ENOBUFS : n;
}

/* -- cpu.uclamp.min --------------------------------------------------------------------------- */

int uclamp_percent_text(unsigned util1024, char *buffer, size_t size)
{
	unsigned hundredths = (util1024 * 10000 + CAPACITY_SCALE / 2) / CAPACITY_SCALE;
	int n;

	if (util1024 > CAPACITY_SCALE)
		return -ERANGE;
	if (util1024 == CAPACITY_SCALE)
		n = snprintf(buffer, size, "max");
	else
		n = snprintf(buffer, size, "%u.%02u", hundredths / 100, hundredths % 100);
	return n < 0 || (size_t)n >= size ? -ENOBUFS : n;
}

/* "12.5" in hundredths. Up to two decimals, as the kernel takes them (cgroup_parse_float()). */
static int parse_hundredths(const char *text, unsigned *ret)
{
	char whole[8] = "", part[8] = "";
	size_t length = strcspn(text, ".");
	uint64_t a, b = 0;
	size_t decimals;

	if (length >= sizeof(whole))
		return -ERANGE;
	memcpy(whole, text, length);
	if (parse_u64_max(whole, 100, &a) < 0)
		return strspn(whole, "0123456789") == length && length > 0 ? -ERANGE : -EINVAL;
	if (text[length] == '.') {
		decimals = strlen(text + length + 1);
		if (decimals == 0 || decimals > 2)
			return -EINVAL;
		strcpy(part, text + length + 1);
		if (decimals == 1)
			strcat(part, "0");
		if (parse_u64(part, &b) < 0)
			return -EINVAL;
	}
	*ret = (unsigned)(a * 100 + b);
	return *ret > 10000 ? -ERANGE : 0;
}

int uclamp_percent_parse(const char *text, unsigned *ret_util1024)
{
	unsigned hundredths;
	int r;

	if (strcmp(text, "max") == 0) {
		*ret_util1024 = CAPACITY_SCALE;
		return 0;
	}
	r = parse_hundredths(text, &hundredths);
	if (r < 0)
		return r;
	*ret_util1024 = (hundredths * CAPACITY_SCALE + 5000) / 10000;
	return 0;
}

/* -- cgroups ---------------------------------------------------------------------------------- */

int cgroup_ancestor(const char *cgroup, unsigned index, char *buffer, size_t size)
{
	size_t length = strlen(cgroup);

	for (unsigned i = 0; i <= index; i++) {
		const char *slash = memrchr(cgroup, '/', length);

		if (!slash || slash == cgroup)
			return -ENOENT;
		length = (size_t)(slash - cgroup);
	}
	if (length >= size)
		return -ENOBUFS;
	memcpy(buffer, cgroup, length);
	buffer[length] = '\0';
	return (int)length;
}

/* "max 100000", or how many µs of the period (cpu_max_show() in kernel/sched/core.c). */
bool cgroup_has_quota(int root_fd, const char *cgroup)
{
	char path[THREAD_CGROUP_MAX + 64], text[64];

	snprintf(path, sizeof(path), "%s%s/cpu.max", &CGROUP_ROOT[1], cgroup);
	return rootfs_read_line(root_fd, path, text, sizeof(text)) >= 0 &&
	       strncmp(text, "max", 3) != 0;
}

static bool is_vcpu_group(const char *cgroup, unsigned vcpu)
{
	const char *base = strrchr(cgroup, '/');
	char expect[16];

	snprintf(expect, sizeof(expect), "/vcpu%u", vcpu);
	return base && strcmp(base, expect) == 0;
}

void cgroup_probe(int root_fd, const struct vcpu_thread *thread, unsigned vcpu,
		  struct cgroup_means *ret)
{
	char path[THREAD_CGROUP_MAX + 64], cpus[CPUMASK_TEXT_MAX];

	*ret = (struct cgroup_means){.own = is_vcpu_group(thread->cgroup, vcpu)};
	snprintf(path, sizeof(path), "%s%s/cpu.uclamp.min", &CGROUP_ROOT[1], thread->cgroup);
	ret->uclamp = faccessat(root_fd, path, F_OK, 0) == 0;
	snprintf(path, sizeof(path), "%s%s/cpuset.cpus", &CGROUP_ROOT[1], thread->cgroup);
	ret->cpuset = rootfs_read_line(root_fd, path, cpus, sizeof(cpus)) >= 0;
	ret->cpuset_restorable = ret->cpuset && cpus[0] != '\0';
}
