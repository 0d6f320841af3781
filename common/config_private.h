/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What config_load.c, config_names.c and config_dump.c share. Nobody else includes this. */
#pragma once

#include "common/config.h"
#include "common/macro.h"

struct loading {
	const struct config_table *table;
	void *config;
	struct config_sources *sources;
	config_complain_t complain;
	void *userdata;
	const char *file; /* now being read: one of sources->files */
	int section;	  /* of the group, that the line is in; -1: in none of them */
	unsigned turn;	  /* keys of the group that were read */
	unsigned errors;
	int result; /* of the first error */
};

/* Counts an error, and tells of either. */
void config_complain_at(struct loading *loading, bool is_error, const char *file, unsigned line,
			const char *format, ...) _printf_(5, 6);

#define config_complain(loading, is_error, line, ...)                                              \
	config_complain_at(loading, is_error, (loading)->file, line, __VA_ARGS__)

/* Bytes that would garble a log, or hide in it, as \xNN. */
void config_escape(const char *text, char *buffer, size_t size);

/* "FILE:LINE", or "default". */
void config_format_origin(const struct config_origin *origin, char *buffer, size_t size);

/* -- config_names.c -- */
/* Goes through the lines of a file: notes where each key stands, and makes of the text what
 * iniparser can read. What is wrong becomes empty lines, and what has a pattern a section named as
 * below. 0; -EINVAL if there is too much wrong, -ENOMEM. */
int config_scan_names(struct loading *loading, char *text, size_t size);

/* What iniparser knows a group's section by: no file's section can be called so, since its name
 * begins with a '['. */
#define CONFIG_ALIAS	 "[%zu"
#define CONFIG_ALIAS_MAX 24U

/* Where a key of the group's section was set. */
struct config_origin *config_group_origin(const struct loading *loading, size_t section,
					  size_t key);
