/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lines of an ini file as iniparser will read them: which section and key each one names, and
 * what is wrong with it.
 *
 * iniparser keeps no line numbers, and much of what is wrong in a file it drops or bends without a
 * word: keys above any section, the rest of a line behind a NUL or a closed quote, a quote that
 * isn't closed, "[]", and a line behind one that ends in a backslash, be that a comment. So each
 * file goes through here first, and iniparser sees only those in which nothing is wrong. Pure. */
#pragma once

#include <stddef.h>

#define CONFIG_LINE_MAX	   1022U /* bytes without the newline: what iniparser has room for */
#define CONFIG_NAME_MAX	   64U	 /* of a section or a key, with its NUL */
#define CONFIG_PATTERN_MAX 256U	 /* of a section's pattern, with its NUL */

enum config_line {
	CONFIG_LINE_END,     /* of the file */
	CONFIG_LINE_SECTION, /* `section` begins, which may have a `pattern` */
	CONFIG_LINE_KEY,     /* `key` of `section` */
	CONFIG_LINE_BAD,     /* `problem` says what is wrong, and the remedy */
};

struct config_scan {
	const char *text; /* what is left */
	size_t size;
	unsigned n_lines;	       /* taken */
	unsigned line;		       /* of the last result: 1 is the first */
	char section[CONFIG_NAME_MAX]; /* as written; "" above the first, "[" after a bad one */
	/* What stands behind a section's first word, as in [domain web-[0-9]]: as written, without
	 * the blanks on either side. "" if nothing does. iniparser can't keep one: it lower-cases
	 * it, and knows neither ':' nor ']' in it. */
	char pattern[CONFIG_PATTERN_MAX];
	char key[CONFIG_NAME_MAX];
	char problem[192];
};

void config_scan_init(struct config_scan *scan, const char *text, size_t size);

/* The next line that isn't empty or a comment. */
enum config_line config_scan_next(struct config_scan *scan);
