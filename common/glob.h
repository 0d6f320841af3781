/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Patterns of names, as the shell has them: '*' stands for any text, '?' for one character,
 * [a-c0-9] for one of these, [!a-c] or [^a-c] for one that is none of them. A ']' that stands first
 * in brackets is one of them, as is a '-' that stands first or last; a backslash is a backslash. A
 * character is one of UTF-8; a byte that is none counts as one. Pure.
 *
 * fnmatch(3) would take a locale, and with many stars time without bound. */
#pragma once

#include <stdbool.h>

/* Whether it has a '*', '?' or '[' in it; else it matches itself alone. */
bool glob_is(const char *pattern);

/* Whether all of it is UTF-8, without the characters that are none: what D-Bus and XML take. */
bool glob_is_text(const char *pattern);

/* NULL if it is a pattern, else what is wrong with it, and the remedy. */
const char *glob_problem(const char *pattern);

/* Whether all of the text is as the pattern says. A '[' that nothing closes stands for itself. In
 * time of at most the product of both lengths. */
bool glob_match(const char *pattern, const char *text);
