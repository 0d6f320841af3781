/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines for the journal (or a terminal). */
#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>

static int log_level = LOG_INFO;

void log_set_level(int level)
{
	log_level = level;
}

void log_line(int level, const char *format, ...)
{
	char line[1024];
	va_list args;

	if (level > log_level)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "%s\n", line);
	else
		fprintf(stderr, "<%d>%s\n", level, line);
}

bool ratelimit_pass(struct ratelimit *limit, uint64_t now_usec, unsigned *ret_dropped)
{
	if (limit->begin_usec == 0 || now_usec - limit->begin_usec >= limit->interval_usec) {
		limit->begin_usec = now_usec;
		limit->used = 0;
	}
	if (limit->used >= limit->burst) {
		limit->dropped++;
		return false;
	}
	limit->used++;
	*ret_dropped = limit->dropped;
	limit->dropped = 0;
	return true;
}
