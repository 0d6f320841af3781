/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The wrong configurations of tests/data/config/bad, and what is to be said of each. */
#pragma once

#include "tests/unit/test.h"

#define BAD_CONFIG_DIR SRCDIR "/tests/data/config/bad"

struct bad_config {
	char name[64];
	char program[8];     /* "host", "guest" or "both": who refuses it */
	char complaint[192]; /* part of it */
	char path[512];	     /* the file that the daemon is told to read */
	char where[640];     /* how a complaint begins: "FILE:LINE: " */
};

static inline void bad_config_parse(const char *row, struct bad_config *ret)
{
	char file[64], line[16] = ":";

	EXPECT(sscanf(row, "%63[^\t]\t%7[^\t]\t%63[^\t]\t%14[0-9]\t%191[^\n]", ret->name,
		      ret->program, file, line + 1, ret->complaint) == 5,
	       "no row: %s", row);
	if (strcmp(line, ":0") == 0)
		line[0] = '\0';
	snprintf(ret->path, sizeof(ret->path), BAD_CONFIG_DIR "/%s.conf", ret->name);
	if (strcmp(file, "-") == 0)
		snprintf(ret->where, sizeof(ret->where), "%s%s: ", ret->path, line);
	else if (strcmp(file, ".") == 0)
		snprintf(ret->where, sizeof(ret->where), "%s.d%s: ", ret->path, line);
	else
		snprintf(ret->where, sizeof(ret->where), "%s.d/%s%s: ", ret->path, file, line);
}

/* All of them, to be freed: their number. */
static inline size_t bad_config_read(struct bad_config **ret)
{
	_cleanup_fclose_ FILE *file = fopen(BAD_CONFIG_DIR "/table", "re");
	struct bad_config *all = NULL;
	char row[1024];
	size_t n = 0;

	assert_non_null(file);
	while (fgets(row, sizeof(row), file)) {
		if (*row == '#')
			continue;
		all = reallocarray(all, n + 1, sizeof(*all));
		assert_non_null(all);
		bad_config_parse(row, &all[n++]);
	}
	assert_true(n >= 89);
	*ret = all;
	return n;
}

/* Whether the program ("host" or "guest") is to refuse it. */
static inline bool bad_config_is_for(const struct bad_config *bad, const char *program)
{
	return strcmp(bad->program, "both") == 0 || strcmp(bad->program, program) == 0;
}

/* Whether some line of the text begins where it should and says what it should. */
static inline bool bad_config_is_said(const struct bad_config *bad, const char *text)
{
	for (const char *end; *text; text = *end ? end + 1 : end) {
		const char *at;

		end = text + strcspn(text, "\n");
		if (strncmp(text, bad->where, strlen(bad->where)) != 0)
			continue;
		at = strstr(text, bad->complaint);
		if (at && at < end)
			return true;
	}
	return false;
}
