/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lab/dvfs/tracer.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common/macro.h"
#include "common/rootfs.h"

#define INSTANCE    "sys/kernel/tracing/instances/vmfreq-dvfs"
#define BUFFER_SIZE 16384
#define FILTER_SIZE 2048 /* 16 threads */

struct tracer {
	int root_fd, pipe_fd;
	size_t at, end; /* what is read and not yet returned */
	char buffer[BUFFER_SIZE + 1];
};

static int write_filter(int root_fd, const uint32_t *tids, unsigned n)
{
	char filter[FILTER_SIZE];
	size_t length = 0;

	for (unsigned i = 0; i < n && length < sizeof(filter); i++)
		length += (size_t)snprintf(filter + length, sizeof(filter) - length,
					   "%sprev_pid==%u||next_pid==%u", i > 0 ? "||" : "",
					   tids[i], tids[i]);
	if (length >= sizeof(filter))
		return -E2BIG;
	return rootfs_write(root_fd, INSTANCE "/events/sched/sched_switch/filter", filter);
}

static int set_up(int root_fd, const uint32_t *tids, unsigned n, const char **ret_what)
{
	static const struct {
		const char *path, *value;
	} settings[] = {
		{INSTANCE "/tracing_on", "0"},
		{INSTANCE "/trace_clock", "mono"},
		{INSTANCE "/buffer_percent", "0"}, /* a reader wakes with the first event */
		{INSTANCE "/buffer_size_kb", "256"},
		{INSTANCE "/events/enable", "0"},
		{INSTANCE "/events/power/cpu_frequency/enable", "1"},
	};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(settings); i++) {
		*ret_what = settings[i].path;
		r = rootfs_write(root_fd, settings[i].path, settings[i].value);
	}
	if (r >= 0 && n > 0) {
		*ret_what = INSTANCE "/events/sched/sched_switch";
		r = write_filter(root_fd, tids, n);
		if (r >= 0)
			r = rootfs_write(root_fd, INSTANCE "/events/sched/sched_switch/enable",
					 "1");
	}
	if (r >= 0) {
		*ret_what = INSTANCE "/tracing_on";
		r = rootfs_write(root_fd, INSTANCE "/tracing_on", "1");
	}
	return r < 0 ? r : 0;
}

/* Of one that a feeder has left behind what it recorded goes with it: old frequencies. One that is
 * read from now is another feeder's, and stays. (A directory that isn't tracefs's, of a test, has
 * files in it and stays too.) */
static int make_instance(int root_fd)
{
	if (unlinkat(root_fd, INSTANCE, AT_REMOVEDIR) < 0 && errno == EBUSY)
		return -EBUSY;
	return mkdirat(root_fd, INSTANCE, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int tracer_open(int root_fd, const uint32_t *tids, unsigned n, struct tracer **ret,
		const char **ret_what)
{
	struct tracer *tracer = calloc(1, sizeof(*tracer));
	int r;

	*ret_what = INSTANCE;
	if (!tracer)
		return -ENOMEM;
	tracer->root_fd = root_fd;
	tracer->pipe_fd = -EBADF;
	r = make_instance(root_fd);
	if (r < 0) { /* it isn't ours to end */
		free(tracer);
		return r;
	}
	r = set_up(root_fd, tids, n, ret_what);
	if (r == 0) {
		*ret_what = INSTANCE "/trace_pipe";
		tracer->pipe_fd = openat(root_fd, INSTANCE "/trace_pipe", O_RDONLY | O_CLOEXEC);
		r = tracer->pipe_fd < 0 ? -errno : 0;
	}
	if (r < 0)
		tracer_close(tracer);
	else
		*ret = tracer;
	return r;
}

int tracer_read_line(struct tracer *tracer, const char **ret)
{
	for (;;) {
		char *begin = tracer->buffer + tracer->at;
		char *newline = memchr(begin, '\n', tracer->end - tracer->at);
		ssize_t n;

		if (newline) {
			*newline = '\0';
			tracer->at = (size_t)(newline + 1 - tracer->buffer);
			*ret = begin;
			return 0;
		}
		tracer->end -= tracer->at;
		memmove(tracer->buffer, begin, tracer->end);
		tracer->at = 0;
		if (tracer->end == BUFFER_SIZE) /* no line of ftrace's */
			tracer->end = 0;
		n = read(tracer->pipe_fd, tracer->buffer + tracer->end, BUFFER_SIZE - tracer->end);
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		tracer->end += (size_t)n;
	}
}

void tracer_close(struct tracer *tracer)
{
	closep(&tracer->pipe_fd); /* an instance that is read from can't be removed */
	rootfs_write(tracer->root_fd, INSTANCE "/tracing_on", "0");
	unlinkat(tracer->root_fd, INSTANCE, AT_REMOVEDIR);
	free(tracer);
}
