/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /etc/vmfreq.conf: a table of keys says what may stand in it, and everything else follows.
 *
 * iniparser reads the file. It keeps no line numbers and lower-cases names, so the line of a key is
 * looked up again when there is something to say of it, and every value is checked here. */
#include "common/config.h"

#include <assert.h>
#include <iniparser/iniparser.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "common/macro.h"
#include "common/parse.h"

DEFINE_CLEANUP(dictionary *, iniparser_freedict)
#define _cleanup_dictionary_ _cleanup_(iniparser_freedictp)

static void *field(const struct config_key *key, void *config)
{
	return (char *)config + key->offset;
}

static const void *const_field(const struct config_key *key, const void *config)
{
	return (const char *)config + key->offset;
}

/* Writes "a, b or c". */
static void join_names(const char *const *names, char *buffer, size_t size)
{
	size_t used = 0;

	buffer[0] = '\0';
	for (size_t i = 0; names[i] && used < size; i++)
		used += (size_t)snprintf(buffer + used, size - used, "%s%s",
					 i == 0		? ""
					 : names[i + 1] ? ", "
							: " or ",
					 names[i]);
}

static int set_number(const struct config_key *key, void *config, const char *value, char *message,
		      size_t size)
{
	static const char *const form[] = {
		[CONFIG_UINT] = "a whole number",
		[CONFIG_USEC] = "a time with its unit, such as 20ms or 1.5s",
		[CONFIG_PERCENT] = "a percentage, such as 50%",
	};
	uint64_t number = 0;
	int r;

	if (key->type == CONFIG_USEC)
		r = parse_usec(value, &number);
	else if (key->type == CONFIG_PERCENT)
		r = parse_percent1024(value, &number);
	else
		r = parse_u64(value, &number);
	if (r == -EINVAL) {
		snprintf(message, size, "'%s' is not %s", value, form[key->type]);
		return -EINVAL;
	}
	if (r < 0 || number < key->min || number > key->max) {
		struct config_key bound = {.type = key->type};
		char low[32], high[32];

		config_format(&bound, &key->min, low, sizeof(low));
		config_format(&bound, &key->max, high, sizeof(high));
		snprintf(message, size, "%s is out of range: use %s to %s", value, low, high);
		return -EINVAL;
	}
	*(uint64_t *)field(key, config) = number;
	return 0;
}

static int set_enum(const struct config_key *key, void *config, const char *value, char *message,
		    size_t size)
{
	char names[256];

	for (uint64_t i = 0; key->names[i]; i++)
		if (strcasecmp(key->names[i], value) == 0) {
			*(uint64_t *)field(key, config) = i;
			return 0;
		}
	join_names(key->names, names, sizeof(names));
	snprintf(message, size, "'%s' is unknown: use %s", value, names);
	return -EINVAL;
}

static int set_string(const struct config_key *key, void *config, const char *value, char *message,
		      size_t size)
{
	const char *wanted = key->check ? key->check(value) : NULL;

	if (wanted) {
		snprintf(message, size, "'%s' is not %s", value, wanted);
		return -EINVAL;
	}
	if (strlen(value) >= CONFIG_STRING_MAX) {
		snprintf(message, size, "the value is longer than %u bytes", CONFIG_STRING_MAX - 1);
		return -EINVAL;
	}
	strcpy(field(key, config), value);
	return 0;
}

int config_set(const struct config_key *key, void *config, const char *value, char *message,
	       size_t size)
{
	switch (key->type) {
	case CONFIG_BOOL:
		if (parse_bool(value, field(key, config)) < 0) {
			snprintf(message, size, "'%s' is neither yes nor no", value);
			return -EINVAL;
		}
		return 0;
	case CONFIG_ENUM:
		return set_enum(key, config, value, message, size);
	case CONFIG_STRING:
		return set_string(key, config, value, message, size);
	default:
		return set_number(key, config, value, message, size);
	}
}

static int format_usec(uint64_t usec, char *buffer, size_t size)
{
	if (usec % USEC_PER_SEC == 0 && usec > 0)
		return snprintf(buffer, size, "%llus", (unsigned long long)(usec / USEC_PER_SEC));
	if (usec % USEC_PER_MSEC == 0)
		return snprintf(buffer, size, "%llums", (unsigned long long)(usec / USEC_PER_MSEC));
	return snprintf(buffer, size, "%lluus", (unsigned long long)usec);
}

/* The percentage with the fewest decimals that reads back as the same 1/1024. */
static int format_percent(uint64_t value1024, char *buffer, size_t size)
{
	for (int decimals = 0; decimals < 3; decimals++) {
		uint64_t back;
		int n = snprintf(buffer, size, "%.*f%%", decimals, (double)value1024 * 100 / 1024);

		if (n < 0 || (size_t)n >= size)
			return n;
		if (parse_percent1024(buffer, &back) == 0 && back == value1024)
			break;
	}
	return (int)strlen(buffer);
}

int config_format(const struct config_key *key, const void *config, char *buffer, size_t size)
{
	const void *value = const_field(key, config);
	uint64_t number = 0;
	int n;

	if (key->type != CONFIG_BOOL && key->type != CONFIG_STRING)
		number = *(const uint64_t *)value;
	switch (key->type) {
	case CONFIG_BOOL:
		n = snprintf(buffer, size, "%s", *(const bool *)value ? "yes" : "no");
		break;
	case CONFIG_STRING:
		n = snprintf(buffer, size, "%s", (const char *)value);
		break;
	case CONFIG_ENUM:
		n = snprintf(buffer, size, "%s", key->names[number]);
		break;
	case CONFIG_USEC:
		n = format_usec(number, buffer, size);
		break;
	case CONFIG_PERCENT:
		n = format_percent(number, buffer, size);
		break;
	default:
		n = snprintf(buffer, size, "%llu", (unsigned long long)number);
	}
	return n < 0 || (size_t)n >= size ? -ENOBUFS : n;
}

void config_defaults(const struct config_key *table, size_t n_keys, void *config)
{
	for (size_t i = 0; i < n_keys; i++) {
		char message[256];
		_unused_ int r =
			config_set(&table[i], config, table[i].fallback, message, sizeof(message));

		assert(r == 0);
	}
}

void config_outcome_add(struct config_outcome *outcome, bool is_error, const char *file,
			unsigned line, const char *message)
{
	char where[16] = "";

	if (!is_error) {
		outcome->warnings++;
		return;
	}
	if (outcome->errors++ > 0)
		return;
	if (line > 0)
		snprintf(where, sizeof(where), ":%u", line);
	snprintf(outcome->error, sizeof(outcome->error), "%s%s: %s", file, where, message);
}

/* The line of a section's key in a file; 0 if not found. */
static unsigned find_line(const char *path, const char *section, const char *key)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	unsigned number = 0, found = 0;
	bool inside = false;
	size_t size = 0;

	while (file && getline(&line, &size, file) >= 0) {
		char *text = line + strspn(line, " \t");
		size_t n;

		number++;
		if (*text == '[') {
			text += 1 + strspn(text + 1, " \t");
			n = strcspn(text, "]");
			while (n > 0 && strchr(" \t", text[n - 1]))
				n--;
			inside = n == strlen(section) && strncasecmp(text, section, n) == 0;
			continue;
		}
		n = strcspn(text, "=");
		while (n > 0 && strchr(" \t", text[n - 1]))
			n--;
		if (inside && n == strlen(key) && strncasecmp(text, key, n) == 0)
			found = number; /* the last one counts, as in iniparser */
	}
	return found;
}

struct loading {
	const char *path;
	const struct config_key *table;
	size_t n_keys;
	config_complain_t complain;
	void *userdata;
	bool failed;
};

static void complain(struct loading *loading, bool is_error, unsigned line, const char *format, ...)
	_printf_(4, 5);

static void complain(struct loading *loading, bool is_error, unsigned line, const char *format, ...)
{
	char message[512];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	if (is_error)
		loading->failed = true;
	if (loading->complain)
		loading->complain(loading->userdata, is_error, loading->path, line, message);
}

/* iniparser's error callback has no context argument; it is set only while a file is loaded, and
 * only the main thread loads files. */
static struct loading *current;

static int on_iniparser_error(const char *format, ...) _printf_(1, 2);

static int on_iniparser_error(const char *format, ...)
{
	unsigned line = 0;
	char text[256];
	char *mark;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	text[strcspn(text, "\n")] = '\0';
	mark = strrchr(text, '('); /* "iniparser: syntax error in FILE (LINE):" */
	if (mark)
		line = (unsigned)strtoul(mark + 1, NULL, 10);
	complain(current, true, line,
		 "this is no line of an ini file: use [section], key = value or # comment");
	return 0;
}

static dictionary *load_file(struct loading *loading)
{
	dictionary *file;

	current = loading;
	iniparser_set_error_callback(on_iniparser_error);
	file = iniparser_load(loading->path);
	iniparser_set_error_callback(NULL);
	current = NULL;
	return file;
}

static bool section_is_ours(const struct loading *loading, const char *section)
{
	for (size_t i = 0; i < loading->n_keys; i++)
		if (strcasecmp(loading->table[i].section, section) == 0)
			return true;
	return false;
}

static bool key_is_known(const struct loading *loading, const char *section, const char *key)
{
	for (size_t i = 0; i < loading->n_keys; i++)
		if (strcasecmp(loading->table[i].section, section) == 0 &&
		    strcasecmp(loading->table[i].key, key) == 0)
			return true;
	return false;
}

static void warn_of_unknown(struct loading *loading, const dictionary *file)
{
	for (int s = 0; s < iniparser_getnsec(file); s++) {
		const char *section = iniparser_getsecname(file, s);
		int n = iniparser_getsecnkeys(file, section);
		_cleanup_free_ const char **keys = calloc((size_t)n + 1, sizeof(*keys));

		if (!keys || !section_is_ours(loading, section) ||
		    !iniparser_getseckeys(file, section, keys))
			continue;
		for (int i = 0; i < n; i++) {
			const char *key = strchr(keys[i], ':');

			if (key && !key_is_known(loading, section, key + 1))
				complain(loading, false, find_line(loading->path, section, key + 1),
					 "[%s] has no key '%s': the line is ignored", section,
					 key + 1);
		}
	}
}

static void apply_file(struct loading *loading, const dictionary *file, void *config)
{
	for (size_t i = 0; i < loading->n_keys; i++) {
		const struct config_key *key = &loading->table[i];
		const char *value;
		char name[128], message[CONFIG_STRING_MAX];

		snprintf(name, sizeof(name), "%s:%s", key->section, key->key);
		value = iniparser_getstring(file, name, NULL);
		if (value && config_set(key, config, value, message, sizeof(message)) < 0)
			complain(loading, true, find_line(loading->path, key->section, key->key),
				 "%s: %s", key->key, message);
	}
}

/* Whether the file can be read. iniparser reads a directory as an empty file. */
static int check_file(const char *path)
{
	struct stat status;

	if (access(path, R_OK) < 0 || stat(path, &status) < 0)
		return -errno;
	return S_ISDIR(status.st_mode) ? -EISDIR : 0;
}

int config_load(const char *path, const struct config_key *table, size_t n_keys, void *config,
		size_t config_size, config_complain_t complain_cb, void *userdata)
{
	struct loading loading = {path, table, n_keys, complain_cb, userdata, false};
	_cleanup_dictionary_ dictionary *file = NULL;
	_cleanup_free_ void *fresh = calloc(1, config_size);
	int r = check_file(path);

	if (!fresh)
		return -ENOMEM;
	config_defaults(table, n_keys, fresh);
	if (r < 0 && r != -ENOENT) {
		complain(&loading, true, 0, "can't be read: %s", strerror(-r));
		return r;
	}
	if (r == 0) {
		file = load_file(&loading);
		if (!file)
			return -EINVAL;
		warn_of_unknown(&loading, file);
		apply_file(&loading, file, fresh);
		if (loading.failed)
			return -EINVAL;
	}
	memcpy(config, fresh, config_size);
	return 0;
}
