/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines for the journal, with fields, or for stderr; none of them waits. */
#include "common/log.h"

#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-id128.h>

#include "common/journal.h"

#define LINE_MAX_SIZE 1024U

static int log_level = LOG_INFO;
static int journal_fd = -EBADF;
static char journal_path[108]; /* as long as sun_path */
static unsigned lost;	       /* lines that nobody took */

void log_set_level(int level)
{
	log_level = level;
}

bool log_takes(int level)
{
	return level <= log_level;
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

int log_choose_level(const char *name)
{
	int level = log_parse_level(name);

	if (level < 0) {
		fprintf(stderr,
			"%s: '%s' is no log level: use error, warning, notice, info or debug\n",
			program_invocation_short_name, name);
		return level;
	}
	log_set_level(level);
	return 0;
}

void log_open(const char *journal_socket)
{
	if (journal_fd >= 0)
		close(journal_fd);
	journal_fd = -EBADF;
	if (!journal_socket || strlen(journal_socket) >= sizeof(journal_path))
		return;
	strcpy(journal_path, journal_socket);
	if (journal_is_stream(STDERR_FILENO, getenv("JOURNAL_STREAM")))
		journal_fd = journal_open();
}

static const char *put_number(char *text, size_t size, const uint32_t *number)
{
	if (!number)
		return NULL;
	snprintf(text, size, "%" PRIu32, *number);
	return text;
}

static const char *put_uuid(char *text, const uint8_t *uuid)
{
	sd_id128_t id;

	if (!uuid)
		return NULL;
	memcpy(id.bytes, uuid, sizeof(id.bytes));
	return sd_id128_to_uuid_string(id, text);
}

/* The line to stderr, if it takes it without our waiting: journald's stream, a pipe or a terminal
 * can be full, and O_NONBLOCK would be everybody's who shares it. */
static bool put_stderr(int level, const char *message)
{
	struct pollfd can_write = {.fd = STDERR_FILENO, .events = POLLOUT};
	char line[LINE_MAX_SIZE + 8];
	int size = isatty(STDERR_FILENO) ? snprintf(line, sizeof(line), "%s\n", message)
					 : snprintf(line, sizeof(line), "<%d>%s\n", level, message);
	ssize_t n;

	for (int i = 0; i < size - 1; i++)
		if (line[i] == '\n')
			line[i] = ' '; /* one line, whoever's words are in it */
	n = send(STDERR_FILENO, line, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno == ENOTSOCK && poll(&can_write, 1, 0) == 1 &&
	    can_write.revents & POLLOUT)
		n = write(STDERR_FILENO, line,
			  (size_t)size); /* a pipe has room for PIPE_BUF then */
	return n == size;
}

static bool put_journal(int level, const char *event, const struct log_fields *fields,
			const char *message)
{
	const char digit[] = {(char)('0' + level), '\0'};
	char uuid[SD_ID128_UUID_STRING_MAX], cid[16], vcpu[16], line[16];
	const struct journal_field entry[] = {
		{"MESSAGE", message},
		{"PRIORITY", digit},
		{"MESSAGE_ID", event},
		{"SYSLOG_IDENTIFIER", program_invocation_short_name},
		{"VMFREQ_DOMAIN", fields->domain},
		{"VMFREQ_DOMAIN_UUID", put_uuid(uuid, fields->uuid)},
		{"VMFREQ_CID", put_number(cid, sizeof(cid), fields->cid ? &fields->cid : NULL)},
		{"VMFREQ_VCPU", put_number(vcpu, sizeof(vcpu), fields->vcpu)},
		{"CONFIG_FILE", fields->config_file},
		{"CONFIG_LINE",
		 put_number(line, sizeof(line), fields->config_line ? &fields->config_line : NULL)},
		{"VMFREQ_REASON", fields->reason},
	};

	return journal_send(journal_fd, journal_path, entry, ARRAY_SIZE(entry)) >= 0;
}

static bool put(int level, const char *event, const struct log_fields *fields, const char *message)
{
	return (journal_fd >= 0 && put_journal(level, event, fields, message)) ||
	       put_stderr(level, message);
}

/* One line, and before it, how many were lost since nobody took them. */
static void put_or_count(int level, const char *event, const struct log_fields *fields,
			 const char *message)
{
	char text[64];

	if (lost > 0) {
		snprintf(text, sizeof(text), "lines lost, for the log took none: %u", lost);
		if (put(LOG_WARNING, NULL, LOG_FIELDS(), text))
			lost = 0;
	}
	if (lost > 0 || !put(level, event, fields, message))
		lost++;
}

void log_event(int level, const char *event, const struct log_fields *fields, const char *format,
	       ...)
{
	char line[LINE_MAX_SIZE];
	va_list args;

	if (level > log_level)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	put_or_count(level, event, fields, line);
}

void log_complaint(_unused_ void *userdata, bool is_error, const char *file, unsigned line,
		   const char *message)
{
	char place[16] = "";

	if (line > 0)
		snprintf(place, sizeof(place), ":%u", line);
	log_event(is_error ? LOG_ERR : LOG_WARNING, EVENT_CONFIG_WRONG,
		  LOG_FIELDS(.config_file = file, .config_line = line, .reason = message),
		  "%s%s: %s", file, place, message);
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

bool log_event_limited(struct ratelimit *limit, uint64_t now_usec, int level, const char *event,
		       const struct log_fields *fields, const char *format, ...)
{
	char line[LINE_MAX_SIZE];
	unsigned dropped;
	va_list args;
	int n;

	if (level > log_level || !ratelimit_pass(limit, now_usec, &dropped))
		return false;
	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (dropped > 0 && n >= 0 && (size_t)n < sizeof(line))
		snprintf(line + n, sizeof(line) - (size_t)n, " (%u lines before this were dropped)",
			 dropped);
	put_or_count(level, event, fields, line);
	return true;
}
