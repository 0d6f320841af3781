/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sections of a group, "[domain web-*]": a list in the config struct. Pure. */
#include "common/config.h"

#include <string.h>

#include "common/macro.h"

static struct config_sections *sections_of(const struct config_table *table, void *config)
{
	return table->group ? (struct config_sections *)((char *)config + table->group->offset)
			    : NULL;
}

const struct config_sections *config_sections_of(const struct config_table *table,
						 const void *config)
{
	return table->group ? (const struct config_sections *)((const char *)config +
							       table->group->offset)
			    : NULL;
}

static void clear(struct config_sections *sections)
{
	for (size_t i = 0; i < sections->n; i++) {
		free(sections->list[i].pattern);
		free(sections->list[i].values);
	}
	free(sections->list);
	*sections = (struct config_sections){};
}

/* A copy of n bytes with room for size, and zeros in the rest; NULL if there is no memory. */
static void *copy_bytes(const void *bytes, size_t n, size_t size)
{
	void *copy = calloc(1, MAX(size, 1U));

	if (copy && n > 0)
		memcpy(copy, bytes, n);
	return copy;
}

/* Puts one at the end, for which there is room: takes its own copies. -ENOMEM. */
static int append(struct config_sections *sections, const struct config_group *group,
		  const struct config_section *section)
{
	struct config_section copy = *section;

	copy.pattern = copy_bytes(section->pattern, strlen(section->pattern),
				  strlen(section->pattern) + 1);
	copy.values = copy_bytes(section->values, section->values ? group->size : 0, group->size);
	if (!copy.pattern || !copy.values) {
		free(copy.pattern);
		free(copy.values);
		return -ENOMEM;
	}
	sections->list[sections->n++] = copy;
	return 0;
}

int config_sections_add(struct config_sections *sections, const struct config_group *group,
			const char *pattern)
{
	const struct config_section section = {.pattern = (char *)pattern};
	struct config_section *list;
	int r;

	for (size_t i = 0; i < sections->n; i++)
		if (strcmp(sections->list[i].pattern, pattern) == 0)
			return (int)i;
	if (sections->n == CONFIG_SECTIONS_MAX)
		return -E2BIG;
	list = copy_bytes(sections->list, sections->n * sizeof(*list),
			  (sections->n + 1) * sizeof(*list));
	if (!list)
		return -ENOMEM;
	free(sections->list);
	sections->list = list;
	r = append(sections, group, &section);
	return r < 0 ? r : (int)sections->n - 1;
}

int config_copy(const struct config_table *table, const void *config, void *ret)
{
	const struct config_sections *from = config_sections_of(table, config);
	struct config_sections copies = {};

	if (from) {
		copies.list = calloc(MAX(from->n, 1U), sizeof(*copies.list));
		for (size_t i = 0; i < from->n; i++)
			if (!copies.list || append(&copies, table->group, &from->list[i]) < 0) {
				clear(&copies);
				return -ENOMEM;
			}
	}
	memcpy(ret, config, table->size);
	if (from)
		*sections_of(table, ret) = copies;
	return 0;
}

void config_done(const struct config_table *table, void *config)
{
	if (table->group)
		clear(sections_of(table, config));
}
