/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For how long each of the host's CPUs has idled. A door. */
#include "hostd/cpuload.h"

#include <fcntl.h>
#include <string.h>

#include "common/counters.h"
#include "common/cpustat.h"
#include "common/macro.h"

/* "cpu1023 " and ten columns of ten digits; what follows the CPUs (interrupts: it can be long)
 * isn't needed. */
#define TEXT_SIZE (CPUMASK_CPUS * 128U)

struct cpuload {
	int root_fd; /* not ours */
	int fd;
	struct counters counters;
	char text[TEXT_SIZE];
};

int cpuload_new(int root_fd, struct cpuload **ret)
{
	struct cpuload *load = calloc(1, sizeof(*load));

	if (!load)
		return -ENOMEM;
	load->root_fd = root_fd;
	load->fd = -EBADF;
	*ret = load;
	return 0;
}

struct cpuload *cpuload_free(struct cpuload *load)
{
	if (!load)
		return NULL;
	if (load->fd >= 0)
		close(load->fd);
	free(load);
	return NULL;
}

/* The begin of the file, up to the end of a line. */
static int read_lines(struct cpuload *load)
{
	size_t size = 0;
	char *end;

	while (size < TEXT_SIZE - 1) {
		ssize_t n = pread(load->fd, load->text + size, TEXT_SIZE - 1 - size, (off_t)size);

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		size += (size_t)n;
	}
	load->text[size] = '\0';
	end = strstr(load->text, "\nintr ");
	if (!end)
		end = strrchr(load->text, '\n');
	if (!end)
		return -EBADMSG;
	end[1] = '\0';
	return 0;
}

int cpuload_look(struct cpuload *load)
{
	int r;

	cpumask_clear(&load->counters.present);
	if (load->fd < 0)
		load->fd = openat(load->root_fd, "proc/stat", O_RDONLY | O_CLOEXEC);
	if (load->fd < 0)
		return -errno;
	r = read_lines(load);
	if (r >= 0)
		r = cpustat_parse(load->text, &load->counters);
	if (r < 0)
		cpumask_clear(&load->counters.present);
	return r;
}

bool cpuload_idle(const struct cpuload *load, unsigned cpu, uint64_t *ret_nsec)
{
	const struct cpu_counters *at;

	if (cpu >= CPUMASK_CPUS || !cpumask_has(&load->counters.present, cpu))
		return false;
	at = &load->counters.cpu[cpu];
	*ret_nsec = (at->idle_ticks + at->iowait_ticks) * COUNTERS_TICK_NSEC;
	return true;
}
