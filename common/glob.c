/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Patterns of names, as the shell has them. Pure. */
#include "common/glob.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RAW_BYTE 0x110000U /* behind all of Unicode: a byte that is no UTF-8 is this much more */

/* How many bytes follow a first byte of UTF-8; -1 if it is none. */
static int n_following(unsigned char c)
{
	if (c < 0x80)
		return 0;
	if (c >= 0xc2 && c < 0xe0)
		return 1;
	if (c >= 0xe0 && c < 0xf0)
		return 2;
	return c >= 0xf0 && c < 0xf5 ? 3 : -1;
}

/* Whether n bytes behind the first may say this character: not one that fewer bytes can say, none
 * of the halves that UTF-16 uses, none behind the last. */
static bool is_character(uint32_t c, int n)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};

	return c >= least[n] && c < RAW_BYTE && (c < 0xd800 || c > 0xdfff);
}

/* Takes the next character, which must not be the end. */
static uint32_t take_character(const char **cursor)
{
	static const unsigned char bits[] = {0x7f, 0x1f, 0x0f, 0x07};
	const unsigned char *p = (const unsigned char *)*cursor;
	int n = n_following(*p);
	uint32_t c = n >= 0 ? *p & bits[n] : 0;

	for (int i = 1; i <= n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			n = -1;
		else
			c = c << 6 | (p[i] & 0x3f);
	}
	if (n < 0 || !is_character(c, n)) {
		++*cursor;
		return RAW_BYTE + *p;
	}
	*cursor += n + 1;
	return c;
}

bool glob_is_text(const char *pattern)
{
	while (*pattern) {
		uint32_t c = take_character(&pattern);

		if (c >= RAW_BYTE || (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef))
			return false;
	}
	return true;
}

/* What stands in brackets: the first character behind "[" or "[!", and the ']' that closes. NULL if
 * nothing does. */
static const char *find_end(const char *open, const char **ret_first)
{
	const char *first = open + 1;

	first += *first == '!' || *first == '^';
	*ret_first = first;
	return *first == '\0' ? NULL : strchr(first + 1, ']');
}

/* Whether a character is one of those that stand from first to end. */
static bool is_in(const char *first, const char *end, uint32_t c)
{
	bool found = false;

	for (const char *p = first; p < end;) {
		uint32_t low = take_character(&p), high = low;

		if (*p == '-' && p + 1 < end) {
			p++;
			high = take_character(&p);
		}
		found |= c >= low && c <= high;
	}
	return found;
}

/* Whether the next character is as the next element of the pattern says, which is no '*'; both are
 * then behind it. */
static bool match_one(const char **pattern, const char **text)
{
	const char *first, *end;
	uint32_t c = take_character(text);

	if (**pattern == '?') {
		(*pattern)++;
		return true;
	}
	if (**pattern == '[' && (end = find_end(*pattern, &first))) {
		bool negated = first > *pattern + 1;

		*pattern = end + 1;
		return is_in(first, end, c) != negated;
	}
	return **pattern != '\0' && take_character(pattern) == c;
}

bool glob_match(const char *pattern, const char *text)
{
	const char *star = NULL,
		   *retry = NULL; /* the last '*', and up to where it stands for text */

	while (*text) {
		if (*pattern == '*') {
			star = ++pattern;
			retry = text;
			continue;
		}
		if (match_one(&pattern, &text))
			continue;
		if (!star)
			return false;
		/* The last '*' takes one character more. An earlier one needs no other try: what
		 * stands between the two was found as early as it can be. */
		take_character(&retry);
		pattern = star;
		text = retry;
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

bool glob_is(const char *pattern)
{
	return strchr(pattern, '*') || strchr(pattern, '?') || strchr(pattern, '[');
}

/* What is wrong in the brackets that begin at open; or where they end. */
static const char *problem_in_brackets(const char *open, const char **ret_end)
{
	const char *p, *end = find_end(open, &p);

	if (!end)
		return "a '[' isn't closed: close it with ']', or write [[] for the character "
		       "itself";
	while (p < end) {
		bool is_bracket = *p == '[';
		uint32_t low = take_character(&p);

		if (is_bracket && (*p == ':' || *p == '.' || *p == '='))
			return "[:digit:] and the like aren't known in it: write 0-9, a-z or what "
			       "else is meant";
		if (*p != '-' || p + 1 >= end)
			continue;
		p++;
		if (take_character(&p) < low)
			return "a range in it ends before it begins: write a-z, not z-a";
	}
	*ret_end = end;
	return NULL;
}

const char *glob_problem(const char *pattern)
{
	for (const char *p = pattern; *p; p++) {
		const char *problem = *p == '[' ? problem_in_brackets(p, &p) : NULL;

		if (problem)
			return problem;
	}
	return NULL;
}
