/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines for the journal (or a terminal). Only main.c, guest.c, host.c and the doors they wire log;
 * library code returns errors. What is logged are transitions, not samples; what a guest can cause
 * goes through a limit. Logging never waits: a line that can't be taken at once is dropped and
 * counted. For one thread only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <syslog.h>

#include "common/events.h"
#include "common/macro.h"

/* Lines above this level are dropped: LOG_INFO unless told. */
void log_set_level(int level);

/* Whether lines of this level are written: for who would have work to make one. */
bool log_takes(int level);

/* "error", "warning", "notice", "info" or "debug": its LOG_ number, or -EINVAL. */
int log_parse_level(const char *name);

/* --log-level=NAME: log_set_level() by name. -EINVAL if there is no such level; stderr says so. */
int log_choose_level(const char *name);

/* If stderr is the journal's, as $JOURNAL_STREAM says, lines go to its socket at this path with
 * their fields from now on: JOURNAL_SOCKET, or a test's. Else, and until this is called, to stderr
 * alone. NULL: back to stderr. */
void log_open(const char *journal_socket);

/* One line that is no event: to the journal, or to stderr, with the "<N>" prefix that journald reads
 * unless it is a terminal. */
#define log_line(level, ...) log_event(level, NULL, LOG_FIELDS(), __VA_ARGS__)

#define log_error(...)	 log_line(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)	 log_line(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)	 log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)	 log_line(LOG_DEBUG, __VA_ARGS__)

/* -- events --------------------------------------------------------------------------------------
 */

/* What an event is about, as fields of its journal entry. What is NULL or 0 isn't sent. */
struct log_fields {
	const char *domain;	 /* VMFREQ_DOMAIN: libvirt's name of it */
	const uint8_t *uuid;	 /* VMFREQ_DOMAIN_UUID: 16 bytes */
	uint32_t cid;		 /* VMFREQ_CID */
	const unsigned *vcpu;	 /* VMFREQ_VCPU */
	const char *reason;	 /* VMFREQ_REASON: why, in words */
	const char *config_file; /* CONFIG_FILE, as systemd has it */
	unsigned config_line;	 /* CONFIG_LINE */
};

#define LOG_FIELDS(...) (&(const struct log_fields){__VA_ARGS__})

/* A line with a message id (common/events.h), by which the catalog explains it, and with fields.
 * On stderr it is a line like any other. */
void log_event(int level, const char *event, const struct log_fields *fields, const char *format,
	       ...) _printf_(4, 5);

/* A complaint of config_load() as a line of the log: its config_complain_t. */
void log_complaint(void *userdata, bool is_error, const char *file, unsigned line,
		   const char *message);

/* -- limits --------------------------------------------------------------------------------------
 */

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

/* log_event() if the limit lets it pass, and whether it did; the line then says how many before it
 * were dropped. */
bool log_event_limited(struct ratelimit *limit, uint64_t now_usec, int level, const char *event,
		       const struct log_fields *fields, const char *format, ...) _printf_(6, 7);
