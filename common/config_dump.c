/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A configuration as a file that says the same. */
#include <string.h>

#include "common/config_private.h"

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

/* The key, below where it is from. */
static void dump_key(const struct config_key *key, const void *config,
		     const struct config_origin *origin, FILE *file)
{
	char value[CONFIG_STRING_MAX], where[512], escaped[512];

	config_format_origin(origin, where, sizeof(where));
	config_escape(where, escaped, sizeof(escaped));
	config_format(key, config, value, sizeof(value));
	fprintf(file, "# %s\n%s", escaped, key->key);
	dump_value(value, file);
}

/* A key that is set in a section of the group. */
struct setting {
	size_t section, key;
	unsigned turn;
};

static int compare_turns(const void *a, const void *b)
{
	unsigned turn_a = ((const struct setting *)a)->turn;
	unsigned turn_b = ((const struct setting *)b)->turn;

	return (turn_a > turn_b) - (turn_a < turn_b);
}

/* All that is set, in the order in which it was read: their number, or -ENOMEM. */
static ssize_t list_settings(const struct config_sections *sections, size_t n_keys,
			     struct setting **ret)
{
	struct setting *settings = calloc(MAX(sections->n * n_keys, 1U), sizeof(*settings));
	size_t n = 0;

	if (!settings)
		return -ENOMEM;
	for (size_t i = 0; i < sections->n; i++)
		for (size_t k = 0; k < n_keys; k++)
			if (sections->list[i].turn[k] > 0)
				settings[n++] = (struct setting){i, k, sections->list[i].turn[k]};
	qsort(settings, n, sizeof(*settings), compare_turns);
	*ret = settings;
	return (ssize_t)n;
}

/* Of two sections that match a domain the later line counts: so a section begins anew where the
 * lines of two were mixed. */
static int dump_group(const struct config_group *group, const struct config_sections *sections,
		      const struct config_origin *origins, FILE *file)
{
	_cleanup_free_ struct setting *settings = NULL;
	ssize_t n = list_settings(sections, group->n_keys, &settings);

	for (ssize_t i = 0; i < n; i++) {
		const struct setting *setting = &settings[i];
		const struct config_section *section = &sections->list[setting->section];

		if (i == 0 || setting->section != settings[i - 1].section)
			fprintf(file, "[%s %s]\n", group->section, section->pattern);
		dump_key(&group->keys[setting->key], section->values,
			 &origins[setting->section * group->n_keys + setting->key], file);
	}
	return n < 0 ? -ENOMEM : 0;
}

int config_dump(const struct config_table *table, const void *config,
		const struct config_sources *sources, FILE *file)
{
	int r = 0;

	for (size_t i = 0; i < table->n_keys; i++) {
		const struct config_key *key = &table->keys[i];

		if (i == 0 || strcmp(key->section, table->keys[i - 1].section) != 0)
			fprintf(file, "[%s]\n", key->section);
		dump_key(key, config, &sources->origins[i], file);
	}
	if (table->group)
		r = dump_group(table->group, config_sections_of(table, config), sources->of_group,
			       file);
	if (r < 0)
		return r;
	return fflush(file) == 0 && !ferror(file) ? 0 : -EIO;
}
