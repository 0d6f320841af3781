/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* common/glob.c: rows, and fnmatch(3) on made-up patterns. */
#include "tests/unit/test.h"

#include <fnmatch.h>
#include <time.h>

#include "common/glob.h"

static void test_match(_unused_ void **state)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} rows[] = {
		{"", "", true},
		{"", "a", false},
		{"web", "web", true},
		{"web", "Web", false},
		{"web", "web1", false},
		{"*", "", true},
		{"*", "web", true},
		{"**", "web", true},
		{"web-*", "web-", true},
		{"web-*", "web-a b.c:d", true},
		{"web-*", "a-web-1", false},
		{"*-1", "web-1-1", true},
		{"*-1", "web-12", false},
		{"a*b*c", "aXbYbZc", true},
		{"a*b*c", "aXcYb", false},
		{"web?", "web1", true},
		{"web?", "web", false},
		{"web?", "web12", false},
		{"web[0-9]", "web7", true},
		{"web[0-9]", "webx", false},
		{"web[!0-9]", "webx", true},
		{"web[^0-9]", "web7", false},
		{"web[!0-9]", "web", false},
		{"[]]", "]", true},
		{"[!]]", "]", false},
		{"[]-a]", "^", true}, /* from ']' to 'a' */
		{"[a-]", "-", true},
		{"[-a]", "-", true},
		{"[a-]", "b", false},
		{"vm[[]1]", "vm[1]", true},
		{"a[*]b", "a*b", true},
		{"a[*]b", "axb", false},
		{"a\\*", "a\\b", true},
		{"caf?", "caf\xc3\xa9", true}, /* one character of two bytes */
		{"caf??", "caf\xc3\xa9", false},
		{"[\xc3\xa0-\xc3\xbf]x", "\xc3\xa9x", true},
		{"[\xc3\xa0-\xc3\xbf]x", "\xc3\x9fx", false},
		{"?", "\xf0\x9f\x90\xa7", true},
		{"*\xa9", "\xc3\xa9", false}, /* half a character is none */
		{"?", "\xff", true},	      /* none of UTF-8: a byte */
		{"??", "\xc3(", true},
		{"?", "\xc3", true},
		{"\xff", "\xff", true},
		{"a[b", "a[b", true}, /* refused by glob_problem(), but safe */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		EXPECT(glob_match(rows[i].pattern, rows[i].text) == rows[i].matches,
		       "'%s' and '%s'", rows[i].pattern, rows[i].text);
}

static void test_is(_unused_ void **state)
{
	static const char *const plain[] = {"", "web", "a]b", "a-b", "a!b", "a\\b"};
	static const char *const globs[] = {"*", "a?", "[a]", "a[b"};

	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		EXPECT(!glob_is(plain[i]), "%s", plain[i]);
	for (size_t i = 0; i < ARRAY_SIZE(globs); i++)
		EXPECT(glob_is(globs[i]), "%s", globs[i]);
}

static void test_text(_unused_ void **state)
{
	static const char *const good[] = {"",
					   "web-*",
					   "\xc2\x80",
					   "\xdf\xbf",
					   "\xe0\xa0\x80",
					   "\xed\x9f\xbf",
					   "\xee\x80\x80",
					   "\xef\xbf\xbd",
					   "\xf0\x90\x80\x80",
					   "\xf4\x8f\xbf\xbd"};
	static const char *const bad[] = {"\x80",
					  "\xff",
					  "b\xfcro",
					  "\xc3",
					  "\xc3(",
					  "\xc1\xbf",
					  "\xe0\x9f\xbf",
					  "\xed\xa0\x80",
					  "\xe2\x82",
					  "\xef\xbf\xbe",
					  "\xef\xb7\x90",
					  "\xf0\x8f\xbf\xbf",
					  "\xf0\x9f\x90",
					  "\xf4\x90\x80\x80",
					  "\xf4\x8f\xbf\xbf",
					  "\xf5\x80\x80\x80"};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		EXPECT(glob_is_text(good[i]), "row %zu", i);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT(!glob_is_text(bad[i]), "row %zu", i);
}

static void test_problem(_unused_ void **state)
{
	static const struct {
		const char *pattern, *problem; /* a part of it */
	} rows[] = {
		{"web", NULL},
		{"*?", NULL},
		{"[a-c0-9]x[!_]", NULL},
		{"[]]", NULL},
		{"[[]", NULL},
		{"[a-]", NULL},
		{"[a-a]", NULL},
		{"[", "isn't closed"},
		{"[!", "isn't closed"},
		{"[]", "isn't closed"},
		{"[!]", "isn't closed"},
		{"a[b]c[d", "isn't closed"},
		{"[z-a]", "ends before it begins"},
		{"[\xc3\xbf-\xc3\xa0]", "ends before it begins"},
		{"[[:digit:]]", "0-9"},
		{"[[=a=]]", "0-9"},
		{"[[.a.]]", "0-9"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *problem = glob_problem(rows[i].pattern);

		EXPECT(rows[i].problem ? problem && strstr(problem, rows[i].problem) : !problem,
		       "'%s': %s", rows[i].pattern, problem ?: "nothing");
	}
}

/* What is a pattern matches what the C library says it does. */
static void test_against_fnmatch(_unused_ void **state)
{
	static const char letters[] = "aab-*?[]!b";
	unsigned seed = (unsigned)time(NULL), compared = 0, matched = 0;

	for (unsigned k = 0; k < 300000; k++) {
		char pattern[8] = "", text[6] = "";
		unsigned n = (unsigned)rand_r(&seed) % (sizeof(pattern) - 1);
		unsigned m = (unsigned)rand_r(&seed) % (sizeof(text) - 1);
		bool matches;

		for (unsigned i = 0; i < n; i++)
			pattern[i] = letters[(unsigned)rand_r(&seed) % strlen(letters)];
		for (unsigned i = 0; i < m; i++)
			text[i] = "ab-]"[(unsigned)rand_r(&seed) % 4];
		if (glob_problem(pattern))
			continue;
		matches = fnmatch(pattern, text, FNM_NOESCAPE) == 0;
		EXPECT(glob_match(pattern, text) == matches, "'%s' and '%s': the library says %d",
		       pattern, text, matches);
		compared++;
		matched += matches;
	}
	assert_true(compared > 100000 && matched > 5000);
}

/* What takes a matcher by recursion longer than a life: it ends, and says no. */
static void test_many_stars(_unused_ void **state)
{
	char pattern[256] = "", text[256] = "";

	for (unsigned i = 0; i < 120; i++)
		strcat(pattern, "a*");
	strcat(pattern, "b");
	memset(text, 'a', sizeof(text) - 1);
	assert_false(glob_match(pattern, text));
	text[sizeof(text) - 2] = 'b';
	text[sizeof(text) - 1] = '\0';
	assert_true(glob_match(pattern, text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_is),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_problem),
		cmocka_unit_test(test_against_fnmatch),
		cmocka_unit_test(test_many_stars),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
