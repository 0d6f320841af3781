/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An instance of tracefs of the feeder's own. A door; root_fd: a directory that stands for "/". */
#pragma once

#include <stdint.h>

struct tracer;

/* Makes the instance anew, if no other feeder has it (-EBUSY), and lets it record
 * power:cpu_frequency, and sched:sched_switch of the n threads if there are any. 0 or -errno;
 * ret_what names the file then. */
int tracer_open(int root_fd, const uint32_t *tids, unsigned n, struct tracer **ret,
		const char **ret_what);

/* Waits for lines and returns the next one, without its newline, that stays until the next call. 0,
 * -EINTR if a signal came, another -errno, or -ENODATA at the end of the file (of a test). */
int tracer_read_line(struct tracer *tracer, const char **ret);

/* Ends the recording and removes the instance. */
void tracer_close(struct tracer *tracer);
