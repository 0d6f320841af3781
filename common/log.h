/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines for the journal (or a terminal). Only main.c, guest.c, host.c and the doors they wire log;
 * library code returns errors. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <syslog.h>

#include "common/macro.h"

/* Lines above this level are dropped: LOG_INFO unless told. */
void log_set_level(int level);

/* "error", "warning", "notice", "info" or "debug": its LOG_ number, or -EINVAL. */
int log_parse_level(const char *name);

/* One line: to stderr with the "<N>" prefix that journald reads, or plain on a terminal. */
void log_line(int level, const char *format, ...) _printf_(2, 3);

/* A complaint of config_load() as a line of the log: its config_complain_t. */
void log_complaint(void *userdata, bool is_error, const char *file, unsigned line,
		   const char *message);

#define log_error(...)   log_line(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)  log_line(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)    log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_DEBUG, __VA_ARGS__)

/* At most `burst` events in each interval; what was dropped is counted. Zero-initialised but for
 * its two limits. */
struct ratelimit {
	uint64_t interval_usec;
	unsigned burst;
	uint64_t begin_usec;
	unsigned used;
	unsigned dropped;
};

/* Whether the event at now_usec may pass. *ret_dropped is what was dropped since the last that
 * passed. Pure. */
bool ratelimit_pass(struct ratelimit *limit, uint64_t now_usec, unsigned *ret_dropped);
