/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an operator has laid on domains until the next reboot. Pure. */
#include "hostd/limits.h"

#include <string.h>

#include "common/macro.h"
#include "common/parse.h"

#define LINE_SIZE (UUID_TEXT + sizeof(" limit=100 released\n"))

static const char head[] = "# What vmfreqctl laid on domains, until the next reboot.\n";

static struct limits_entry *find(const struct limits *limits, const uint8_t *uuid)
{
	for (size_t i = 0; i < limits->n; i++)
		if (memcmp(limits->entries[i].uuid, uuid, DOMAIN_UUID) == 0)
			return &limits->entries[i];
	return NULL;
}

struct domain_limit limits_get(const struct limits *limits, const uint8_t *uuid)
{
	const struct limits_entry *entry = find(limits, uuid);

	return entry ? entry->limit : (struct domain_limit){.percent = LIMIT_NONE};
}

static int add(struct limits *limits, const struct limits_entry *entry)
{
	struct limits_entry *entries = calloc(limits->n + 1, sizeof(*entries));

	if (!entries)
		return -ENOMEM;
	if (limits->n > 0)
		memcpy(entries, limits->entries, limits->n * sizeof(*entries));
	entries[limits->n++] = *entry;
	free(limits->entries);
	limits->entries = entries;
	return 0;
}

int limits_set(struct limits *limits, const uint8_t *uuid, const struct domain_limit *limit)
{
	struct limits_entry *entry = find(limits, uuid), new = {.limit = *limit};
	bool says_something = limit->percent < LIMIT_NONE || limit->released;

	if (entry && says_something)
		entry->limit = *limit;
	else if (entry)
		*entry = limits->entries[--limits->n];
	else if (says_something) {
		memcpy(new.uuid, uuid, DOMAIN_UUID);
		return add(limits, &new);
	}
	return 0;
}

void limits_clear(struct limits *limits)
{
	free(limits->entries);
	*limits = (struct limits){};
}

/* -- as text
 * --------------------------------------------------------------------------------------*/

static int parse_word(const char *word, struct domain_limit *limit)
{
	static const char key[] = "limit=";
	uint64_t percent;
	int r;

	if (strcmp(word, "released") == 0) {
		limit->released = true;
		return 0;
	}
	if (strncmp(word, key, strlen(key)) != 0)
		return -EINVAL;
	r = parse_u64_max(word + strlen(key), LIMIT_NONE, &percent);
	if (r >= 0)
		limit->percent = (uint8_t)percent;
	return r;
}

/* Cuts the next word off at a space; NULL at the end. */
static char *next_word(char **cursor)
{
	char *word = *cursor, *end;

	if (!word)
		return NULL;
	end = strchr(word, ' ');
	if (end)
		*end++ = '\0';
	*cursor = end;
	return word;
}

/* -EINVAL if it says something else. */
static int parse_line(struct limits *limits, char *line)
{
	struct domain_limit limit = {.percent = LIMIT_NONE};
	uint8_t uuid[DOMAIN_UUID];
	char *word = next_word(&line);
	int r = uuid_parse(word, uuid);

	if (r >= 0 && !line)
		r = -EINVAL;
	while (r >= 0 && (word = next_word(&line)))
		r = parse_word(word, &limit);
	return r >= 0 ? limits_set(limits, uuid, &limit) : r;
}

int limits_parse(struct limits *limits, char *text)
{
	int damaged = 0;

	while (*text) {
		char *line = text, *end = strchr(text, '\n');
		int r = 0;

		if (!end)
			return damaged + 1;
		*end = '\0';
		text = end + 1;
		if (*line != '#' && *line != '\0')
			r = parse_line(limits, line);
		if (r == -ENOMEM)
			return r;
		damaged += r < 0;
	}
	return damaged;
}

char *limits_format(const struct limits *limits)
{
	size_t size = sizeof(head) + limits->n * LINE_SIZE, used;
	char *text = calloc(1, size);

	if (!text)
		return NULL;
	used = (size_t)snprintf(text, size, "%s", head);
	for (size_t i = 0; i < limits->n; i++) {
		const struct limits_entry *entry = &limits->entries[i];
		char uuid[UUID_TEXT], limit[16] = "";

		uuid_format(entry->uuid, uuid);
		if (entry->limit.percent < LIMIT_NONE)
			snprintf(limit, sizeof(limit), " limit=%u", entry->limit.percent);
		used += (size_t)snprintf(text + used, size - used, "%s%s%s\n", uuid, limit,
					 entry->limit.released ? " released" : "");
	}
	return text;
}

uint16_t limit_floor_max(const struct domain_limit *limit, uint16_t floor_max)
{
	uint32_t most = limit->released ? 0 : limit->percent * CAPACITY_SCALE / LIMIT_NONE;

	return (uint16_t)MIN(floor_max, most);
}
