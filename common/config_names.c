/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sections and keys of a file: which of them are ours, and where each stands. */
#include <assert.h>
#include <string.h>
#include <strings.h>

#include "common/config_private.h"
#include "common/config_scan.h"
#include "common/nearest.h"

#define FILE_ERRORS_MAX 20U /* in one file: it is something else than a configuration */

/* Every section that some program of ours reads, and what stands behind its name. */
static const struct known_section {
	const char *name, *shown;
	bool has_pattern;
} known_sections[] = {
	{"host", "[host]", false},
	{"guest", "[guest]", false},
	{"domain", "[domain NAME]", true},
};

/* As it is written: "host", "domain web-*". */
struct section_name {
	char text[CONFIG_NAME_MAX + CONFIG_PATTERN_MAX];
};

static struct section_name name_of(const struct config_scan *scan)
{
	struct section_name name;

	snprintf(name.text, sizeof(name.text), "%s%s%s", scan->section, *scan->pattern ? " " : "",
		 scan->pattern);
	return name;
}

struct config_origin *config_group_origin(const struct loading *loading, size_t section, size_t key)
{
	return &loading->sources->of_group[section * loading->table->group->n_keys + key];
}

/* -- sections
 * -------------------------------------------------------------------------------------*/

static bool section_is_ours(const struct loading *loading, const struct config_scan *scan)
{
	for (size_t i = 0; *scan->pattern == '\0' && i < loading->table->n_keys; i++)
		if (strcasecmp(loading->table->keys[i].section, scan->section) == 0)
			return true;
	return false;
}

static bool section_is_of_group(const struct loading *loading, const struct config_scan *scan)
{
	return loading->table->group &&
	       strcasecmp(loading->table->group->section, scan->section) == 0;
}

static void on_unknown_section(struct loading *loading, const struct config_scan *scan)
{
	struct nearest nearest = {.word = scan->section};
	const char *shown = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(known_sections); i++) {
		nearest_offer(&nearest, known_sections[i].name);
		if (nearest.name == known_sections[i].name)
			shown = known_sections[i].shown;
	}
	if (shown)
		config_complain(
			loading, false, scan->line,
			"[%s] is no section of ours, and what is in it is ignored: did you mean "
			"%s?",
			name_of(scan).text, shown);
	else
		config_complain(
			loading, false, scan->line,
			"[%s] is no section of ours, and what is in it is ignored: there are "
			"[host], [guest] and [domain NAME]",
			name_of(scan).text);
}

/* The section of a pattern, with room for its keys' origins. -ENOMEM, -E2BIG. */
static int add_section(struct loading *loading, const char *pattern)
{
	const struct config_group *group = loading->table->group;
	/* Ours: config_load() made it. */
	struct config_sections *sections =
		(struct config_sections *)config_sections_of(loading->table, loading->config);
	size_t n = sections->n;
	struct config_origin *origins;
	int section = config_sections_add(sections, group, pattern);

	if (section < 0 || sections->n == n)
		return section;
	origins = reallocarray(loading->sources->of_group, sections->n * group->n_keys,
			       sizeof(*origins));
	if (!origins)
		return -ENOMEM;
	memset(origins + n * group->n_keys, 0, group->n_keys * sizeof(*origins));
	loading->sources->of_group = origins;
	return section;
}

static int on_section_of_group(struct loading *loading, const struct config_scan *scan)
{
	const struct config_group *group = loading->table->group;
	const char *problem = *scan->pattern ? group->check(scan->pattern) : group->remedy;
	int r;

	if (problem)
		config_complain(loading, true, scan->line, "[%s]: %s", name_of(scan).text, problem);
	if (*scan->pattern == '\0')
		return 0;
	/* Also one that is wrong: so its keys are looked at, too. */
	r = add_section(loading, scan->pattern);
	if (r == -E2BIG)
		config_complain(
			loading, true, scan->line,
			"[%s]: there are %u such sections already: put some together as one "
			"pattern",
			name_of(scan).text, CONFIG_SECTIONS_MAX);
	loading->section = r < 0 ? -1 : r;
	return r == -ENOMEM ? r : 0;
}

static int on_section(struct loading *loading, const struct config_scan *scan)
{
	loading->section = -1;
	if (section_is_of_group(loading, scan))
		return on_section_of_group(loading, scan);
	for (size_t i = 0; i < ARRAY_SIZE(known_sections); i++)
		if (strcasecmp(known_sections[i].name, scan->section) == 0 &&
		    (known_sections[i].has_pattern || *scan->pattern == '\0'))
			return 0;
	if (!section_is_ours(loading, scan))
		on_unknown_section(loading, scan);
	return 0;
}

/* -- keys
 * -----------------------------------------------------------------------------------------*/

static void on_unknown_key(struct loading *loading, const struct config_scan *scan,
			   const struct config_key *keys, size_t n_keys)
{
	struct nearest nearest = {.word = scan->key};

	for (size_t i = 0; i < n_keys; i++)
		if (strcasecmp(keys[i].section, scan->section) == 0)
			nearest_offer(&nearest, keys[i].key);
	if (nearest.name)
		config_complain(
			loading, false, scan->line,
			"%s: there is no such key in [%s], and the line is ignored: did you mean "
			"'%s'?",
			scan->key, name_of(scan).text, nearest.name);
	else
		config_complain(loading, false, scan->line,
				"%s: there is no such key in [%s], and the line is ignored: "
				"vmfreq.conf(5) lists them",
				scan->key, name_of(scan).text);
}

/* The index of the key that the line names; n_keys if there is none: that is said. */
static size_t find_key(struct loading *loading, const struct config_scan *scan,
		       const struct config_key *keys, size_t n_keys)
{
	for (size_t i = 0; i < n_keys; i++)
		if (strcasecmp(keys[i].section, scan->section) == 0 &&
		    strcasecmp(keys[i].key, scan->key) == 0)
			return i;
	on_unknown_key(loading, scan, keys, n_keys);
	return n_keys;
}

static void note(struct loading *loading, const struct config_scan *scan,
		 struct config_origin *origin)
{
	if (origin->file == loading->file)
		config_complain(
			loading, false, scan->line,
			"%s: it stands in line %u too, and only this line counts: take one of them "
			"away",
			scan->key, origin->line);
	*origin = (struct config_origin){loading->file, scan->line};
}

static void on_key_of_group(struct loading *loading, const struct config_scan *scan)
{
	const struct config_group *group = loading->table->group;
	const struct config_sections *sections =
		config_sections_of(loading->table, loading->config);
	size_t section = (size_t)loading->section;
	size_t key = find_key(loading, scan, group->keys, group->n_keys);

	assert(group->n_keys <= CONFIG_GROUP_KEYS_MAX);
	if (key == group->n_keys)
		return;
	note(loading, scan, config_group_origin(loading, section, key));
	sections->list[section].turn[key] = ++loading->turn;
}

static void on_key(struct loading *loading, const struct config_scan *scan)
{
	const struct config_table *table = loading->table;
	size_t key;

	if (scan->section[0] == '\0') {
		config_complain(
			loading, true, scan->line,
			"%s: it stands above the first section: put it below [host] or [guest]",
			scan->key);
		return;
	}
	if (section_is_of_group(loading, scan) && loading->section >= 0)
		on_key_of_group(loading, scan);
	if (!section_is_ours(loading, scan))
		return;
	key = find_key(loading, scan, table->keys, table->n_keys);
	if (key < table->n_keys)
		note(loading, scan, &loading->sources->origins[key]);
}

/* -- lines
 * ----------------------------------------------------------------------------------------*/

/* What iniparser can't read of a section's name it reads as "[[7]", or as "[[]" if the section
 * isn't ours. Either is shorter than what stands there. */
static void put_alias(const struct loading *loading, char *begin, size_t size)
{
	char alias[CONFIG_ALIAS_MAX] = "[";

	if (loading->section >= 0)
		snprintf(alias, sizeof(alias), CONFIG_ALIAS, (size_t)loading->section);
	memset(begin, '\n', size);
	*begin++ = '[';
	memcpy(begin, alias, strlen(alias));
	begin[strlen(alias)] = ']';
}

int config_scan_names(struct loading *loading, char *text, size_t size)
{
	unsigned errors = loading->errors;
	struct config_scan scan;

	loading->section = -1;
	config_scan_init(&scan, text, size);
	for (;;) {
		char *begin = text + size - scan.size;

		switch (config_scan_next(&scan)) {
		case CONFIG_LINE_END:
			return 0;
		case CONFIG_LINE_SECTION:
			if (on_section(loading, &scan) < 0)
				return -ENOMEM;
			if (*scan.pattern)
				put_alias(loading, begin, (size_t)(scan.text - begin));
			break;
		case CONFIG_LINE_KEY:
			on_key(loading, &scan);
			break;
		case CONFIG_LINE_BAD:
			config_complain(loading, true, scan.line, "%s", scan.problem);
			memset(begin, '\n', (size_t)(scan.text - begin));
			break;
		}
		if (loading->errors - errors >= FILE_ERRORS_MAX) {
			config_complain(loading, true, scan.line,
					"this is enough: is it a configuration at all?");
			return -EINVAL;
		}
	}
}
