/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lowest frequency of a cpufreq policy: scaling_min_freq. A door. */
#include "hostd/minfreq.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "common/macro.h"
#include "common/parse.h"
#include "common/rootfs.h"

#define CPUFREQ "sys/devices/system/cpu/cpufreq"

static void policy_path(char *path, size_t size, unsigned number, const char *file)
{
	snprintf(path, size, CPUFREQ "/policy%u/%s", number, file);
}

static int read_khz(int root_fd, unsigned number, const char *file, uint32_t *ret_khz)
{
	char path[96];
	uint64_t khz;
	int r;

	policy_path(path, sizeof(path), number, file);
	r = rootfs_read_u64(root_fd, path, &khz);
	if (r < 0)
		return r;
	if (khz > UINT32_MAX)
		return -ERANGE;
	*ret_khz = (uint32_t)khz;
	return 0;
}

static int parse_name(const char *name, unsigned *ret_number)
{
	uint64_t number;
	int r = parse_u64_max(name, CPUMASK_CPUS - 1, &number);

	if (r >= 0)
		*ret_number = (unsigned)number;
	return r;
}

static int put_khz(char *buffer, size_t size, uint32_t khz)
{
	int n = snprintf(buffer, size, "%u", khz);

	return n < 0 || (size_t)n >= size ? -ENOBUFS : 0;
}

static int read_setting(void *userdata, const char *name, char *value, size_t size)
{
	const struct minfreq_door *door = userdata;
	unsigned number;
	uint32_t khz;
	int r = parse_name(name, &number);

	if (r >= 0)
		r = read_khz(door->root_fd, number, "scaling_min_freq", &khz);
	return r < 0 ? r : put_khz(value, size, khz);
}

static int write_setting(void *userdata, const char *name, const char *value)
{
	const struct minfreq_door *door = userdata;
	char path[96], text[32];
	unsigned number;
	uint64_t khz;
	int r = parse_name(name, &number);

	if (r >= 0)
		r = parse_u64_max(value, UINT32_MAX, &khz);
	if (r < 0)
		return r;
	policy_path(path, sizeof(path), number, "scaling_min_freq");
	snprintf(text, sizeof(text), "%u\n", (uint32_t)khz);
	return rootfs_write(door->root_fd, path, text);
}

/* A maximum below our minimum (of an operator, or for the heat) is what is read for as long. */
static int expect_setting(void *userdata, const char *name, const char *value, char *seen,
			  size_t size)
{
	const struct minfreq_door *door = userdata;
	unsigned number;
	uint32_t limit_khz;
	uint64_t khz;
	int r = parse_name(name, &number);

	if (r >= 0)
		r = parse_u64_max(value, UINT32_MAX, &khz);
	if (r >= 0)
		r = read_khz(door->root_fd, number, "scaling_max_freq", &limit_khz);
	return r < 0 ? r : put_khz(seen, size, (uint32_t)MIN(khz, limit_khz));
}

void minfreq_setting_ops(struct minfreq_door *door, struct setting_ops *ret)
{
	*ret = (struct setting_ops){
		.kind = "cpufreq",
		.read = read_setting,
		.write = write_setting,
		.expect = expect_setting,
		.lags = true,
		.userdata = door,
	};
}

int minfreq_probe(int root_fd, const struct topology *topology)
{
	int r = -ENOENT;

	for (unsigned i = 0; i < topology->n_policies; i++) {
		char path[96];

		policy_path(path, sizeof(path), topology->policy[i].number, "scaling_min_freq");
		if (faccessat(root_fd, path, W_OK, 0) >= 0)
			return 0;
		r = -errno;
	}
	return r;
}

int minfreq_read(int root_fd, unsigned number, uint32_t *ret_min_khz, uint32_t *ret_max_khz)
{
	uint32_t min_khz, max_khz;
	int r = read_khz(root_fd, number, "scaling_min_freq", &min_khz);

	if (r >= 0)
		r = read_khz(root_fd, number, "scaling_max_freq", &max_khz);
	if (r < 0)
		return r;
	*ret_min_khz = min_khz;
	*ret_max_khz = max_khz;
	return 0;
}

unsigned minfreq_steps(int root_fd, unsigned number, uint32_t ret[FREQPLAN_STEPS_MAX])
{
	static const char *const files[] = {"scaling_available_frequencies",
					    "scaling_boost_frequencies"};
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char path[96], text[4096];
		const char *p = text;
		uint64_t khz;

		policy_path(path, sizeof(path), number, files[i]);
		if (rootfs_read(root_fd, path, text, sizeof(text)) < 0)
			continue;
		while (n < FREQPLAN_STEPS_MAX && parse_column_u64(&p, &khz) >= 0)
			if (khz > 0 && khz <= UINT32_MAX)
				ret[n++] = (uint32_t)khz;
	}
	return n;
}
