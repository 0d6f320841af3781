/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The frequencies that the host's CPUs run at. A door. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "common/macro.h"
#include "common/parse.h"
#include "common/rootfs.h"
#include "hostd/topology.h"

struct freq_reader {
	int root_fd;	      /* not ours */
	int fd[CPUMASK_CPUS]; /* by the policy's number; 0: not open */
};

int freq_reader_new(int root_fd, struct freq_reader **ret)
{
	struct freq_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return -ENOMEM;
	reader->root_fd = root_fd;
	*ret = reader;
	return 0;
}

struct freq_reader *freq_reader_free(struct freq_reader *reader)
{
	if (!reader)
		return NULL;
	for (unsigned i = 0; i < CPUMASK_CPUS; i++)
		if (reader->fd[i] > 0)
			close(reader->fd[i]);
	free(reader);
	return NULL;
}

static int open_policy(struct freq_reader *reader, unsigned number)
{
	char path[96];
	int fd;

	if (reader->fd[number] > 0)
		return reader->fd[number];
	snprintf(path, sizeof(path), "sys/devices/system/cpu/cpufreq/policy%u/scaling_cur_freq",
		 number);
	fd = openat(reader->root_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ENODEV : -errno;
	return reader->fd[number] = fd;
}

/* Once a policy has gone its file answers ENODEV for ever, even when the policy is back. */
int freq_reader_khz(struct freq_reader *reader, const struct topology *topology, unsigned cpu,
		    uint32_t *ret_khz)
{
	uint16_t policy = cpu < CPUMASK_CPUS ? topology->cpu[cpu].policy : TOPOLOGY_NONE;
	char text[32];
	uint64_t khz;
	unsigned number;
	int fd, r;

	if (policy >= topology->n_policies)
		return -ENODATA;
	number = topology->policy[policy].number;
	fd = open_policy(reader, number);
	if (fd < 0)
		return fd;
	r = rootfs_reread(fd, text, sizeof(text));
	if (r < 0) {
		close(fd);
		reader->fd[number] = 0;
		return r;
	}
	text[strcspn(text, "\n")] = '\0';
	/* "<unknown>" where the driver has nothing to say (show_scaling_cur_freq()). */
	if (parse_u64_max(text, UINT32_MAX, &khz) < 0)
		return -ENODATA;
	*ret_khz = (uint32_t)khz;
	return 0;
}
