/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines for the journal (or a terminal). */
#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int log_level = LOG_INFO;

void log_set_level(int level)
{
	log_level = level;
}

int log_parse_level(const char *name)
{
	static const struct {
		const char *name;
		int level;
	} levels[] = {{"error", LOG_ERR},
		      {"warning", LOG_WARNING},
		      {"notice", LOG_NOTICE},
		      {"info", LOG_INFO},
		      {"debug", LOG_DEBUG}};

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (strcmp(name, levels[i].name) == 0)
			return levels[i].level;
	return -EINVAL;
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

void log_complaint(_unused_ void *userdata, bool is_error, const char *file, unsigned line,
		   const char *message)
{
	int level = is_error ? LOG_ERR : LOG_WARNING;

	if (line > 0)
		log_line(level, "%s:%u: %s", file, line, message);
	else
		log_line(level, "%s: %s", file, message);
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
