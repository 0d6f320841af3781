/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes the host's kernel look at the frequency of a CPU now. A door. */
#include "hostd/nudge.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/macro.h"

struct nudge {
	int fd; /* to read what isn't there yet is how the thread sleeps */
	atomic_bool ends;
	pthread_t thread;
	cpu_set_t home;
	unsigned cpu; /* where it was sent last; CPU_SETSIZE: nowhere yet */
};

static void *be_there(void *userdata)
{
	struct nudge *nudge = userdata;
	eventfd_t value;

	while (!atomic_load(&nudge->ends) &&
	       (eventfd_read(nudge->fd, &value) == 0 || errno == EINTR))
		;
	return NULL;
}

/* Signals are for the daemon's event loop. */
static int begin(struct nudge *nudge)
{
	sigset_t all, before;
	pthread_attr_t attr;
	int r;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, (size_t)MAX(PTHREAD_STACK_MIN, 64 * 1024));
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&nudge->thread, &attr, be_there, nudge);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}

int nudge_new(struct nudge **ret)
{
	struct nudge *nudge = calloc(1, sizeof(*nudge));
	int r;

	if (!nudge)
		return -ENOMEM;
	nudge->cpu = CPU_SETSIZE;
	nudge->fd = eventfd(0, EFD_CLOEXEC);
	r = nudge->fd < 0 || sched_getaffinity(0, sizeof(nudge->home), &nudge->home) < 0 ? -errno
											 : 0;
	if (r >= 0)
		r = begin(nudge);
	if (r < 0) {
		if (nudge->fd >= 0)
			close(nudge->fd);
		free(nudge);
		return r;
	}
	*ret = nudge;
	return 0;
}

struct nudge *nudge_free(struct nudge *nudge)
{
	if (!nudge)
		return NULL;
	atomic_store(&nudge->ends, true);
	eventfd_write(nudge->fd, 1);
	pthread_join(nudge->thread, NULL);
	close(nudge->fd);
	free(nudge);
	return NULL;
}

static int send(struct nudge *nudge, unsigned cpu)
{
	cpu_set_t there;
	int r;

	CPU_ZERO(&there);
	CPU_SET(cpu, &there);
	r = pthread_setaffinity_np(nudge->thread, sizeof(there), &there);
	if (r != 0)
		return -r;
	nudge->cpu = cpu;
	return eventfd_write(nudge->fd, 1) < 0 ? -errno : 0;
}

static unsigned elsewhere(const struct nudge *nudge, unsigned cpu)
{
	int here = sched_getcpu();
	unsigned other = 0;

	if (here >= 0 && (unsigned)here != cpu)
		return (unsigned)here;
	while (other < CPU_SETSIZE && (other == cpu || !CPU_ISSET(other, &nudge->home)))
		other++;
	return other;
}

/* Where it was last it isn't one that comes, so it takes the way round by another CPU. */
int nudge_cpu(struct nudge *nudge, unsigned cpu)
{
	int r = 0;

	if (cpu >= CPU_SETSIZE)
		return -EINVAL;
	if (nudge->cpu == cpu) {
		unsigned other = elsewhere(nudge, cpu);

		r = other < CPU_SETSIZE ? send(nudge, other) : 0;
	}
	return r < 0 ? r : send(nudge, cpu);
}
