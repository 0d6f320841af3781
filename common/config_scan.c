/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lines of an ini file as iniparser will read them. Pure. */
#include "common/config_scan.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "common/macro.h"

#define SECTIONS       "[host], [guest] or [domain NAME]"
#define BEHIND_BRACKET "nothing may stand behind the ']': begin a new line, for a comment too"

void config_scan_init(struct config_scan *scan, const char *text, size_t size)
{
	*scan = (struct config_scan){.text = text, .size = size};
}

static enum config_line bad(struct config_scan *scan, const char *format, ...) _printf_(2, 3);

static enum config_line bad(struct config_scan *scan, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(scan->problem, sizeof(scan->problem), format, args);
	va_end(args);
	return CONFIG_LINE_BAD;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Takes the blanks off both ends of text[0..*n). */
static const char *strip(const char *text, size_t *n)
{
	while (*n > 0 && is_blank(text[*n - 1]))
		--*n;
	while (*n > 0 && is_blank(*text)) {
		text++;
		--*n;
	}
	return text;
}

/* Copies a name of n bytes, where there is room for size with its NUL. False if it is too long. */
static bool take_name(char *name, size_t size, const char *text, size_t n)
{
	if (n >= size)
		return false;
	memcpy(name, text, n);
	name[n] = '\0';
	return true;
}

/* What no line may hold. NULL if this one doesn't, else what and the remedy. */
static const char *problem_of_bytes(const char *line, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)line[i];

		if (c == 0)
			return "there is a NUL byte in it: save the file as plain text (UTF-8)";
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return "there is a control character in it: take it away";
	}
	return n > CONFIG_LINE_MAX ? "the line is longer than 1022 bytes: make it shorter" : NULL;
}

static enum config_line take_plain_section(struct config_scan *scan, const char *name, size_t n)
{
	if (n == 0)
		return bad(scan, "the section has no name: write " SECTIONS);
	/* To iniparser, [a:b] is the key b of [a]. */
	if (memchr(name, ':', n) || memchr(name, '[', n))
		return bad(scan, "a section's name has no ':' or '[' in it: write " SECTIONS);
	if (!take_name(scan->section, sizeof(scan->section), name, n))
		return bad(scan, "no section has so long a name: write " SECTIONS);
	return CONFIG_LINE_SECTION;
}

/* Whether a comment stands behind a ']': "web] # see [x" of "[domain web] # see [x]". */
static bool has_comment(const char *text, size_t n)
{
	for (const char *p = text; (p = memchr(p, ']', n - (size_t)(p - text))); p++) {
		const char *after = p + 1;

		while (after < text + n && is_blank(*after))
			after++;
		if (after > p + 1 && after < text + n && (*after == '#' || *after == ';'))
			return true;
	}
	return false;
}

/* "[WORD PATTERN]": in the pattern everything may stand, so its end is the line's. */
static enum config_line take_section_with_pattern(struct config_scan *scan, const char *line,
						  size_t n, const char *word, size_t word_n)
{
	const char *pattern = word + word_n;
	size_t pattern_n = n - 1 - (size_t)(pattern - line);
	enum config_line what;

	if (line[n - 1] != ']')
		return memchr(pattern, ']', n - (size_t)(pattern - line))
			       ? bad(scan, BEHIND_BRACKET)
			       : bad(scan, "the ']' is missing: write %.*s]", (int)MIN(n, 100U),
				     line);
	pattern = strip(pattern, &pattern_n);
	if (has_comment(pattern, pattern_n))
		return bad(scan, BEHIND_BRACKET);
	what = take_plain_section(scan, word, word_n);
	if (what != CONFIG_LINE_SECTION)
		return what;
	if (take_name(scan->pattern, sizeof(scan->pattern), pattern, pattern_n))
		return what;
	strcpy(scan->section, "[");
	return bad(scan,
		   "no name is longer than 255 bytes: make it shorter, or a pattern such as web-*");
}

static enum config_line take_section(struct config_scan *scan, const char *line, size_t n)
{
	const char *end = memchr(line, ']', n), *word = line + 1, *rest;
	size_t word_n = 0;

	strcpy(scan->section, "["); /* until it is known to be another */
	scan->pattern[0] = '\0';
	while (word < line + n && is_blank(*word))
		word++;
	for (rest = word; rest < line + n && *rest != ']' && !is_blank(*rest); rest++)
		word_n++;
	while (rest < line + n && is_blank(*rest))
		rest++;
	/* A pattern may begin with a ']', but not be all blank. */
	if (rest < line + n && (*rest != ']' || (rest > word + word_n && rest < line + n - 1)))
		return take_section_with_pattern(scan, line, n, word, word_n);
	if (!end)
		return bad(scan, "the ']' is missing: write " SECTIONS);
	if (end != line + n - 1)
		return bad(scan, BEHIND_BRACKET);
	return take_plain_section(scan, word, word_n);
}

/* NULL if the value is one, else what is wrong. */
static const char *problem_of_quoted(const char *value, size_t n)
{
	const char *end = memchr(value + 1, *value, n - 1);
	size_t rest;

	if (!end)
		return "the closing quote is missing: put it behind the value";
	rest = n - (size_t)(end + 1 - value);
	end = strip(end + 1, &rest);
	if (rest > 0 && *end != '#' && *end != ';')
		return "text stands behind the closing quote: put all of the value into the quotes";
	return NULL;
}

static const char *problem_of_value(const char *value, size_t n)
{
	if (n > 0 && (*value == '"' || *value == '\''))
		return problem_of_quoted(value, n);
	for (size_t i = 1; i < n; i++) {
		if (value[i] != '#' && value[i] != ';')
			continue;
		return is_blank(value[i - 1]) ? NULL
					      : "'#' and ';' begin a comment: put a space before "
						"it, or the value into \"quotes\"";
	}
	return NULL;
}

static enum config_line take_key(struct config_scan *scan, const char *line, size_t n)
{
	const char *equals = memchr(line, '=', n), *key = line, *value, *problem;
	size_t key_n, value_n;

	if (!equals)
		return bad(scan,
			   "there is no '=' in it: write [section], key = value or # comment");
	key_n = (size_t)(equals - line);
	key = strip(key, &key_n);
	if (key_n == 0)
		return bad(scan, "the key is missing before the '=': write key = value");
	if (!take_name(scan->key, sizeof(scan->key), key, key_n))
		return bad(scan, "no key has so long a name: write key = value");
	value = equals + 1;
	value_n = n - (size_t)(value - line);
	value = strip(value, &value_n);
	problem = problem_of_value(value, value_n);
	return problem ? bad(scan, "%s: %s", scan->key, problem) : CONFIG_LINE_KEY;
}

/* Takes the next line without its end: LF, CRLF, or that of the file. */
static const char *take_line(struct config_scan *scan, size_t *ret_n)
{
	const char *line = scan->text, *end = memchr(line, '\n', scan->size);
	size_t n = end ? (size_t)(end - line) : scan->size, taken = end ? n + 1 : n;

	scan->text += taken;
	scan->size -= taken;
	scan->line = ++scan->n_lines;
	if (n > 0 && line[n - 1] == '\r')
		n--;
	*ret_n = n;
	return line;
}

/* Editors of other systems begin a file with a mark. True if there was one. */
static bool take_mark(struct config_scan *scan)
{
	static const char *const marks[] = {"\xff\xfe", "\xfe\xff", "\xef\xbb\xbf"};

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		size_t n = strlen(marks[i]);
		bool is_utf8 = n == 3;

		if (scan->size < n || memcmp(scan->text, marks[i], n) != 0)
			continue;
		bad(scan, is_utf8 ? "there is a byte order mark: save the file as UTF-8 without one"
				  : "this is UTF-16: save the file as UTF-8");
		n = is_utf8 ? n : scan->size; /* UTF-16 is no text to us */
		scan->text += n;
		scan->size -= n;
		scan->line = 1;
		return true;
	}
	return false;
}

enum config_line config_scan_next(struct config_scan *scan)
{
	if (scan->line == 0 && take_mark(scan))
		return CONFIG_LINE_BAD;
	while (scan->size > 0) {
		size_t n;
		const char *line = take_line(scan, &n);
		const char *problem = problem_of_bytes(line, n);

		if (problem)
			return bad(scan, "%s", problem);
		line = strip(line, &n);
		/* iniparser joins it with the next line, even in a comment. */
		if (n > 0 && line[n - 1] == '\\')
			return bad(scan,
				   "it ends in a backslash: a value stands in one line, and a "
				   "comment must not end so");
		if (n == 0 || *line == '#' || *line == ';')
			continue;
		return *line == '[' ? take_section(scan, line, n) : take_key(scan, line, n);
	}
	return CONFIG_LINE_END;
}
