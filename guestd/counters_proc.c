/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A door: /proc/stat, /proc/schedstat and /proc/pressure, kept open and read again. */
#include "guestd/counters_proc.h"

#include <fcntl.h>
#include <sched.h>
#include <time.h>

#include "common/macro.h"
#include "common/rootfs.h"
#include "common/cpustat.h"
#include "guestd/psi.h"
#include "guestd/schedstat.h"

#define BUFFER_MIN (64U << 10)
#define BUFFER_MAX (16U << 20)

enum resource { RESOURCE_CPU, RESOURCE_MEMORY, RESOURCE_IO, RESOURCES };

struct counters_proc {
	int stat_fd, schedstat_fd, psi_fd[RESOURCES];
	unsigned lacks;
	size_t size;
	char *buffer;
};

static int open_file(int root_fd, const char *path)
{
	int fd = openat(root_fd, path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static void open_optional(struct counters_proc *proc, int root_fd)
{
	static const char *const paths[RESOURCES] = {"proc/pressure/cpu", "proc/pressure/memory",
						     "proc/pressure/io"};

	proc->schedstat_fd = open_file(root_fd, "proc/schedstat");
	if (proc->schedstat_fd == -ENOENT)
		proc->lacks |= COUNTERS_PROC_NO_SCHEDSTAT;
	else if (proc->schedstat_fd < 0)
		proc->lacks |= COUNTERS_PROC_SCHEDSTAT_BROKEN;
	for (unsigned i = 0; i < RESOURCES; i++) {
		proc->psi_fd[i] = open_file(root_fd, paths[i]);
		if (proc->psi_fd[i] < 0)
			proc->lacks |= COUNTERS_PROC_NO_PSI;
	}
}

DEFINE_CLEANUP(struct counters_proc *, counters_proc_close)

int counters_proc_open(int root_fd, struct counters_proc **ret)
{
	_cleanup_(counters_proc_closep) struct counters_proc *proc = malloc(sizeof(*proc));

	if (!proc)
		return -ENOMEM;
	*proc = (struct counters_proc){.stat_fd = -EBADF,
				       .schedstat_fd = -EBADF,
				       .psi_fd = {-EBADF, -EBADF, -EBADF},
				       .size = BUFFER_MIN};
	proc->buffer = malloc(proc->size);
	if (!proc->buffer)
		return -ENOMEM;
	proc->stat_fd = open_file(root_fd, "proc/stat");
	if (proc->stat_fd < 0)
		return proc->stat_fd;
	open_optional(proc, root_fd);
	*ret = TAKE_PTR(proc);
	return 0;
}

void counters_proc_close(struct counters_proc *proc)
{
	if (!proc)
		return;
	closep(&proc->stat_fd);
	closep(&proc->schedstat_fd);
	for (unsigned i = 0; i < RESOURCES; i++)
		closep(&proc->psi_fd[i]);
	free(proc->buffer);
	free(proc);
}

static uint64_t now_nsec(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC * NSEC_PER_USEC + (uint64_t)now.tv_nsec;
}

static int reread(struct counters_proc *proc, int fd)
{
	int n = rootfs_reread(fd, proc->buffer, proc->size);

	return n == -EFBIG ? -ENOBUFS : n;
}

/* A broken schedstat is left alone from then on: it would fail at every sample. */
static int read_schedstat(struct counters_proc *proc, struct counters *counters)
{
	struct cpumask present;
	int r = reread(proc, proc->schedstat_fd);

	if (r == -ENOBUFS)
		return r;
	if (r >= 0)
		r = schedstat_parse(proc->buffer, counters, &present);
	if (r < 0) {
		proc->lacks |= r == -EPROTONOSUPPORT ? COUNTERS_PROC_SCHEDSTAT_VERSION
						     : COUNTERS_PROC_SCHEDSTAT_BROKEN;
		close(proc->schedstat_fd);
		proc->schedstat_fd = -EBADF;
		return 0;
	}
	counters->has_schedstat = true;
	/* A CPU that came or went between the two reads is in one of them only. */
	cpumask_and(&counters->present, &counters->present, &present);
	return 0;
}

int counters_proc_read(struct counters_proc *proc, struct counters *ret)
{
	uint64_t before = now_nsec(CLOCK_MONOTONIC);
	int cpu, r = reread(proc, proc->stat_fd);

	if (r < 0)
		return r;
	ret->stamp_nsec = before + (now_nsec(CLOCK_MONOTONIC) - before) / 2;
	r = cpustat_parse(proc->buffer, ret);
	if (r < 0)
		return r;
	cpu = sched_getcpu();
	ret->self_cpu = cpu < 0 ? COUNTERS_NO_CPU : (uint32_t)cpu;
	ret->self_run_nsec = now_nsec(CLOCK_PROCESS_CPUTIME_ID);
	ret->has_schedstat = false;
	return proc->schedstat_fd < 0 ? 0 : read_schedstat(proc, ret);
}

int counters_proc_grow(struct counters_proc *proc)
{
	char *buffer;

	if (proc->size >= BUFFER_MAX)
		return -EFBIG;
	buffer = realloc(proc->buffer, proc->size * 2);
	if (!buffer)
		return -ENOMEM;
	proc->buffer = buffer;
	proc->size *= 2;
	return 0;
}

uint16_t counters_proc_read_psi(struct counters_proc *proc, uint64_t usec[PSI_N])
{
	static const struct {
		enum resource resource;
		enum report_psi some;
		int full;
	} places[] = {{RESOURCE_CPU, PSI_CPU_SOME, -1}, /* cpu's `full` is always zero */
		      {RESOURCE_MEMORY, PSI_MEMORY_SOME, PSI_MEMORY_FULL},
		      {RESOURCE_IO, PSI_IO_SOME, PSI_IO_FULL}};
	uint16_t fields = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		int fd = proc->psi_fd[places[i].resource];
		struct psi psi;

		if (fd < 0)
			continue;
		/* With psi=0 the files are there and each read fails. */
		if (reread(proc, fd) < 0 || psi_parse(proc->buffer, &psi) < 0) {
			proc->lacks |= COUNTERS_PROC_NO_PSI;
			close(fd);
			proc->psi_fd[places[i].resource] = -EBADF;
			continue;
		}
		fields |= (uint16_t)(1U << places[i].some);
		usec[places[i].some] = psi.some_usec;
		if (places[i].full >= 0 && psi.fields & PSI_FULL_TOTAL) {
			fields |= (uint16_t)(1U << places[i].full);
			usec[places[i].full] = psi.full_usec;
		}
	}
	return fields;
}

unsigned counters_proc_lacks(const struct counters_proc *proc)
{
	return proc->lacks;
}
