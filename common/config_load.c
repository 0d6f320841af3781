/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files of a configuration: config_scan.c finds where each key stands and what is wrong with a
 * line, iniparser reads the values out of what is left, config.c checks them. */
#include "common/config.h"

#include <dirent.h>
#include <fcntl.h>
#include <iniparser/iniparser.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/config_scan.h"
#include "common/macro.h"
#include "common/nearest.h"

#define FILE_SIZE_MAX	(1U << 20)
#define FILE_ERRORS_MAX 20U /* in one file: it is something else than a configuration */

/* Every section that some program of ours reads. */
static const char *const sections[] = {"host", "guest"};

DEFINE_CLEANUP(dictionary *, iniparser_freedict)
#define _cleanup_dictionary_ _cleanup_(iniparser_freedictp)

struct loading {
	const struct config_table *table;
	void *config;
	struct config_sources *sources;
	config_complain_t complain;
	void *userdata;
	const char *file; /* now being read: one of sources->files */
	unsigned errors;
	int result; /* of the first error */
};

/* -- complaints
 * -----------------------------------------------------------------------------------*/

/* Bytes that would garble a log, or hide in it, as \xNN. */
static void escape(const char *text, char *buffer, size_t size)
{
	size_t used = 0;

	for (; *text && used + 5 <= size; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < ' ' || c >= 0x7f)
			used += (size_t)snprintf(buffer + used, size - used, "\\x%02x", c);
		else
			buffer[used++] = *text;
	}
	buffer[used] = '\0';
}

static void complain_at(struct loading *loading, bool is_error, const char *file, unsigned line,
			const char *format, ...) _printf_(5, 6);

static void complain_at(struct loading *loading, bool is_error, const char *file, unsigned line,
			const char *format, ...)
{
	char text[1024], message[1280];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (is_error) {
		loading->errors++;
		loading->result = loading->result ? loading->result : -EINVAL;
	}
	if (!loading->complain)
		return;
	escape(text, message, sizeof(message));
	loading->complain(loading->userdata, is_error, file, line, message);
}

#define complain(loading, is_error, line, ...)                                                     \
	complain_at(loading, is_error, (loading)->file, line, __VA_ARGS__)

/* -- what stands where
 * ----------------------------------------------------------------------------*/

static bool section_is_ours(const struct loading *loading, const char *section)
{
	for (size_t i = 0; i < loading->table->n_keys; i++)
		if (strcasecmp(loading->table->keys[i].section, section) == 0)
			return true;
	return false;
}

static void on_section(struct loading *loading, const struct config_scan *scan)
{
	struct nearest nearest = {.word = scan->section};

	if (section_is_ours(loading, scan->section))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		if (strcasecmp(sections[i], scan->section) == 0)
			return;
		nearest_offer(&nearest, sections[i]);
	}
	if (nearest.name)
		complain(loading, false, scan->line,
			 "[%s] is no section of ours, and what is in it is ignored: did you mean "
			 "[%s]?",
			 scan->section, nearest.name);
	else
		complain(loading, false, scan->line,
			 "[%s] is no section of ours, and what is in it is ignored: there are "
			 "[host] and [guest]",
			 scan->section);
}

static void on_unknown_key(struct loading *loading, const struct config_scan *scan)
{
	struct nearest nearest = {.word = scan->key};

	for (size_t i = 0; i < loading->table->n_keys; i++)
		if (strcasecmp(loading->table->keys[i].section, scan->section) == 0)
			nearest_offer(&nearest, loading->table->keys[i].key);
	if (nearest.name)
		complain(loading, false, scan->line,
			 "%s: there is no such key in [%s], and the line is ignored: did you mean "
			 "'%s'?",
			 scan->key, scan->section, nearest.name);
	else
		complain(loading, false, scan->line,
			 "%s: there is no such key in [%s], and the line is ignored: "
			 "vmfreq.conf(5) lists them",
			 scan->key, scan->section);
}

static void on_key(struct loading *loading, const struct config_scan *scan)
{
	const struct config_table *table = loading->table;

	if (scan->section[0] == '\0') {
		complain(loading, true, scan->line,
			 "%s: it stands above the first section: put it below [host] or [guest]",
			 scan->key);
		return;
	}
	if (!section_is_ours(loading, scan->section))
		return;
	for (size_t i = 0; i < table->n_keys; i++) {
		struct config_origin *origin = &loading->sources->origins[i];

		if (strcasecmp(table->keys[i].section, scan->section) != 0 ||
		    strcasecmp(table->keys[i].key, scan->key) != 0)
			continue;
		if (origin->file == loading->file)
			complain(loading, false, scan->line,
				 "%s: it stands in line %u too, and only this line counts: take "
				 "one of them away",
				 scan->key, origin->line);
		*origin = (struct config_origin){loading->file, scan->line};
		return;
	}
	on_unknown_key(loading, scan);
}

/* Notes where each key stands, and makes empty lines of what iniparser must not see. False if there
 * is too much of it. */
static bool scan_text(struct loading *loading, char *text, size_t size)
{
	unsigned errors = loading->errors;
	struct config_scan scan;

	config_scan_init(&scan, text, size);
	for (;;) {
		char *begin = text + size - scan.size;

		switch (config_scan_next(&scan)) {
		case CONFIG_LINE_END:
			return true;
		case CONFIG_LINE_SECTION:
			on_section(loading, &scan);
			break;
		case CONFIG_LINE_KEY:
			on_key(loading, &scan);
			break;
		case CONFIG_LINE_BAD:
			complain(loading, true, scan.line, "%s", scan.problem);
			memset(begin, '\n', (size_t)(scan.text - begin));
			break;
		}
		if (loading->errors - errors >= FILE_ERRORS_MAX) {
			complain(loading, true, scan.line,
				 "this is enough: is it a configuration at all?");
			return false;
		}
	}
}

/* -- the values
 * -----------------------------------------------------------------------------------*/

/* iniparser's error callback has no context argument; it is set only while a file is loaded, and
 * only the main thread loads files. */
static struct loading *current;

static int on_iniparser_error(_unused_ const char *format, ...) _printf_(1, 2);

static int on_iniparser_error(_unused_ const char *format, ...)
{
	complain(current, true, 0, "iniparser fails: is there memory left?");
	return 0;
}

/* iniparser takes names of files only. */
static dictionary *parse_text(struct loading *loading, const char *text, size_t size)
{
	_cleanup_close_ int fd = memfd_create("vmfreq.conf", MFD_CLOEXEC);
	dictionary *values = NULL;
	char path[64];

	current = loading;
	iniparser_set_error_callback(on_iniparser_error);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd >= 0 && write(fd, text, size) == (ssize_t)size)
		values = iniparser_load(path);
	else
		complain(loading, true, 0, "it can't be parsed: %s", strerror(errno));
	iniparser_set_error_callback(NULL);
	current = NULL;
	return values;
}

static void apply_values(struct loading *loading, const dictionary *values)
{
	for (size_t i = 0; i < loading->table->n_keys; i++) {
		const struct config_key *key = &loading->table->keys[i];
		const struct config_origin *origin = &loading->sources->origins[i];
		const char *value;
		char name[128], message[512];

		if (origin->file != loading->file)
			continue;
		snprintf(name, sizeof(name), "%s:%s", key->section, key->key);
		value = iniparser_getstring(values, name, "");
		if (config_set(key, loading->config, value, message, sizeof(message)) < 0)
			complain(loading, true, origin->line, "%s: %s", key->key, message);
	}
}

/* -- files
 * ----------------------------------------------------------------------------------------*/

static int read_all(int fd, char *buffer, size_t size)
{
	size_t used = 0;

	while (used < size) {
		ssize_t n = read(fd, buffer + used, size - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	return (int)used;
}

/* Reads a regular file of at most FILE_SIZE_MAX bytes: its length. */
static int read_text(const char *path, char **ret)
{
	/* Nothing in its place may hold us up. */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	_cleanup_free_ char *text = NULL;
	struct stat status;
	int n;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (S_ISDIR(status.st_mode))
		return -EISDIR;
	if (!S_ISREG(status.st_mode))
		return -EMEDIUMTYPE;
	text = malloc(FILE_SIZE_MAX + 1);
	if (!text)
		return -ENOMEM;
	n = read_all(fd, text, FILE_SIZE_MAX + 1);
	if (n < 0)
		return n;
	if ((size_t)n > FILE_SIZE_MAX)
		return -EFBIG;
	*ret = TAKE_PTR(text);
	return n;
}

static void complain_of_reading(struct loading *loading, const char *path, int error)
{
	const char *remedy = "";

	switch (error) {
	case -EISDIR:
		remedy = ": put a file in its place";
		break;
	case -ENOTDIR:
		remedy = ": a folder belongs there";
		break;
	case -EACCES:
		remedy = ": let the daemon's user read it";
		break;
	case -EFBIG:
		remedy = ": a configuration has at most 1 MiB";
		break;
	case -ELOOP:
		remedy = ": a link leads in a circle";
		break;
	}
	complain_at(loading, true, path, 0, "it can't be read: %s%s",
		    error == -EMEDIUMTYPE ? "it is no regular file" : strerror(-error), remedy);
	if (loading->errors == 1)
		loading->result = error == -EMEDIUMTYPE ? -EINVAL : error;
}

/* Puts a path among the sources, whose it is from then on. -ENOMEM. */
static int add_source(struct config_sources *sources, char *path)
{
	char **files = reallocarray(sources->files, sources->n_files + 1, sizeof(*files));

	if (!files) {
		free(path);
		return -ENOMEM;
	}
	sources->files = files;
	files[sources->n_files++] = path;
	return 0;
}

/* Only -ENOMEM is returned, the rest complained of. */
static int load_file(struct loading *loading, const char *path, bool may_be_missing)
{
	_cleanup_dictionary_ dictionary *values = NULL;
	_cleanup_free_ char *text = NULL, *copy = NULL;
	int n = read_text(path, &text);

	if (n == -ENOMEM || (n == -ENOENT && may_be_missing))
		return n == -ENOMEM ? n : 0;
	if (n < 0) {
		complain_of_reading(loading, path, n);
		return 0;
	}
	copy = strdup(path);
	if (!copy || add_source(loading->sources, TAKE_PTR(copy)) < 0)
		return -ENOMEM;
	loading->file = loading->sources->files[loading->sources->n_files - 1];
	if (!scan_text(loading, text, (size_t)n))
		return 0;
	values = parse_text(loading, text, (size_t)n);
	if (values)
		apply_values(loading, values);
	return 0;
}

/* Hidden files are of editors at work. */
static int is_drop_in(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return entry->d_name[0] != '.' && n > strlen(".conf") &&
	       strcmp(entry->d_name + n - strlen(".conf"), ".conf") == 0;
}

/* As bytes, whatever the locale. */
static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int load_folder(struct loading *loading, const char *folder)
{
	struct dirent **entries;
	int r = 0, n = scandir(folder, &entries, is_drop_in, compare_names);

	if (n < 0 && errno == ENOMEM)
		return -ENOMEM;
	if (n < 0) {
		if (errno != ENOENT)
			complain_of_reading(loading, folder, -errno);
		return 0;
	}
	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *path = NULL;

		if (r >= 0)
			r = asprintf(&path, "%s/%s", folder, entries[i]->d_name);
		if (r >= 0)
			r = load_file(loading, path, false);
		free(entries[i]);
	}
	free(entries);
	return r < 0 ? -ENOMEM : 0;
}

/* -- what goes with what
 * ---------------------------------------------------------------------------*/

static size_t index_of(const struct config_table *table, const char *key)
{
	for (size_t i = 0; i < table->n_keys; i++)
		if (strcmp(table->keys[i].key, key) == 0)
			return i;
	return 0; /* not so: a test looks that rules name keys */
}

static void format_origin(const struct config_origin *origin, char *buffer, size_t size)
{
	if (origin->file)
		snprintf(buffer, size, "%s:%u", origin->file, origin->line);
	else
		snprintf(buffer, size, "default");
}

/* Complains where one of the two was set. */
static void break_rule(struct loading *loading, const struct config_rule *rule)
{
	const struct config_origin *origins = loading->sources->origins;
	size_t here = index_of(loading->table, rule->key);
	size_t there = index_of(loading->table, rule->other);
	char value[CONFIG_STRING_MAX], other[CONFIG_STRING_MAX], where[256];

	if (!origins[here].file) {
		size_t swapped = here;

		here = there;
		there = swapped;
	}
	config_format(&loading->table->keys[here], loading->config, value, sizeof(value));
	config_format(&loading->table->keys[there], loading->config, other, sizeof(other));
	format_origin(&origins[there], where, sizeof(where));
	complain_at(loading, !rule->is_warning, origins[here].file, origins[here].line,
		    "%s: %.80s doesn't go with %s = %.80s (%s): %s", loading->table->keys[here].key,
		    value, loading->table->keys[there].key, other, where, rule->remedy);
}

static void check_rules(struct loading *loading)
{
	for (size_t i = 0; i < loading->table->n_rules; i++)
		if (!loading->table->rules[i].holds(loading->config))
			break_rule(loading, &loading->table->rules[i]);
}

/* -- all of it
 * ------------------------------------------------------------------------------------*/

static int load_all(struct loading *loading, const char *path)
{
	_cleanup_free_ char *folder = NULL;
	int r;

	if (asprintf(&folder, "%s.d", path) < 0)
		return -ENOMEM;
	config_defaults(loading->table->keys, loading->table->n_keys, loading->config);
	r = load_file(loading, path, true);
	if (r >= 0)
		r = load_folder(loading, folder);
	if (r < 0)
		return r;
	if (loading->errors == 0)
		check_rules(loading);
	return loading->result;
}

int config_load(const char *path, const struct config_table *table, void *config,
		struct config_sources *sources, config_complain_t complain_cb, void *userdata)
{
	_cleanup_(config_sources_done) struct config_sources found = {};
	_cleanup_free_ void *fresh = calloc(1, table->size);
	struct loading loading = {.table = table,
				  .config = fresh,
				  .sources = &found,
				  .complain = complain_cb,
				  .userdata = userdata};
	int r;

	found.origins = calloc(table->n_keys, sizeof(*found.origins));
	if (!fresh || !found.origins)
		return -ENOMEM;
	r = load_all(&loading, path);
	if (r == -ENOMEM)
		complain_at(&loading, true, path, 0, "there is no memory to read it");
	if (sources) {
		*sources = found;
		found = (struct config_sources){};
	}
	if (r < 0)
		return r;
	memcpy(config, fresh, table->size);
	return 0;
}

void config_sources_done(struct config_sources *sources)
{
	for (size_t i = 0; i < sources->n_files; i++)
		free(sources->files[i]);
	free(sources->files);
	free(sources->origins);
	*sources = (struct config_sources){};
}

/* Writes a string so that iniparser reads it back: in quotes where it would be cut otherwise. A
 * value has never both kinds of quotes and a need of them, since it came out of a file itself. */
static void dump_value(const char *value, FILE *file)
{
	size_t n = strlen(value);
	bool plain = n == 0 || (strcspn(value, "#;") == n && !strchr(" \t'\"", value[0]) &&
				!strchr(" \t\\", value[n - 1]));
	char quote = strchr(value, '"') ? '\'' : '"';

	if (n == 0)
		fputs(" =\n", file);
	else if (plain)
		fprintf(file, " = %s\n", value);
	else
		fprintf(file, " = %c%s%c\n", quote, value, quote);
}

int config_dump(const struct config_table *table, const void *config,
		const struct config_sources *sources, FILE *file)
{
	for (size_t i = 0; i < table->n_keys; i++) {
		const struct config_key *key = &table->keys[i];
		char value[CONFIG_STRING_MAX], where[512], escaped[512];

		if (i == 0 || strcmp(key->section, table->keys[i - 1].section) != 0)
			fprintf(file, "[%s]\n", key->section);
		format_origin(&sources->origins[i], where, sizeof(where));
		escape(where, escaped, sizeof(escaped));
		config_format(key, config, value, sizeof(value));
		fprintf(file, "# %s\n%s", escaped, key->key);
		dump_value(value, file);
	}
	return fflush(file) == 0 && !ferror(file) ? 0 : -EIO;
}
