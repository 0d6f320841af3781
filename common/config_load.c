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

#include "common/config_private.h"

#define FILE_SIZE_MAX (1U << 20)

DEFINE_CLEANUP(dictionary *, iniparser_freedict)
#define _cleanup_dictionary_ _cleanup_(iniparser_freedictp)

/* -- complaints
 * -----------------------------------------------------------------------------------*/

void config_escape(const char *text, char *buffer, size_t size)
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

void config_complain_at(struct loading *loading, bool is_error, const char *file, unsigned line,
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
	config_escape(text, message, sizeof(message));
	loading->complain(loading->userdata, is_error, file, line, message);
}

/* -- the values
 * -----------------------------------------------------------------------------------*/

/* iniparser's error callback has no context argument; it is set only while a file is loaded, and
 * only the main thread loads files. */
static struct loading *current;

static int on_iniparser_error(_unused_ const char *format, ...) _printf_(1, 2);

static int on_iniparser_error(_unused_ const char *format, ...)
{
	config_complain(current, true, 0, "iniparser fails: is there memory left?");
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
		config_complain(loading, true, 0, "it can't be parsed: %s", strerror(errno));
	iniparser_set_error_callback(NULL);
	current = NULL;
	return values;
}

/* Sets a key as the file says it, if it is from this file. */
static void apply_value(struct loading *loading, const dictionary *values, const char *section,
			const struct config_key *key, const struct config_origin *origin,
			void *config)
{
	char name[128], message[512];
	const char *value;

	if (origin->file != loading->file)
		return;
	snprintf(name, sizeof(name), "%s:%s", section, key->key);
	value = iniparser_getstring(values, name, "");
	if (config_set(key, config, value, message, sizeof(message)) < 0)
		config_complain(loading, true, origin->line, "%s: %s", key->key, message);
}

static void apply_values(struct loading *loading, const dictionary *values)
{
	const struct config_table *table = loading->table;
	const struct config_sections *sections = config_sections_of(table, loading->config);
	char alias[CONFIG_ALIAS_MAX];

	for (size_t i = 0; i < table->n_keys; i++)
		apply_value(loading, values, table->keys[i].section, &table->keys[i],
			    &loading->sources->origins[i], loading->config);
	for (size_t i = 0; sections && i < sections->n; i++) {
		snprintf(alias, sizeof(alias), CONFIG_ALIAS, i);
		for (size_t k = 0; k < table->group->n_keys; k++)
			apply_value(loading, values, alias, &table->group->keys[k],
				    config_group_origin(loading, i, k), sections->list[i].values);
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
	config_complain_at(loading, true, path, 0, "it can't be read: %s%s",
			   error == -EMEDIUMTYPE ? "it is no regular file" : strerror(-error),
			   remedy);
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
	int r, n = read_text(path, &text);

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
	r = config_scan_names(loading, text, (size_t)n);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
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

void config_format_origin(const struct config_origin *origin, char *buffer, size_t size)
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
	config_format_origin(&origins[there], where, sizeof(where));
	config_complain_at(loading, !rule->is_warning, origins[here].file, origins[here].line,
			   "%s: %.80s doesn't go with %s = %.80s (%s): %s",
			   loading->table->keys[here].key, value, loading->table->keys[there].key,
			   other, where, rule->remedy);
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
		config_complain_at(&loading, true, path, 0, "there is no memory to read it");
	if (r < 0)
		config_done(table, fresh);
	else
		memcpy(config, fresh, table->size);
	if (sources) {
		*sources = found;
		found = (struct config_sources){};
	}
	return r < 0 ? r : 0;
}

void config_sources_done(struct config_sources *sources)
{
	for (size_t i = 0; i < sources->n_files; i++)
		free(sources->files[i]);
	free(sources->files);
	free(sources->origins);
	free(sources->of_group);
	*sources = (struct config_sources){};
}
