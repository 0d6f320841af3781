/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sections of a group, "[box PATTERN]": a made-up one, against good and bad files. Which sections
 * are for a domain is test-entitlement.c's. */
#include "tests/unit/test_config_file.h"

struct box {
	uint64_t size, share;
	bool open;
};

struct store {
	uint64_t count;
	struct config_sections boxes;
};

static const char *check_pattern(const char *pattern)
{
	return *pattern == '!' ? "no box begins so: take the '!' away" : NULL;
}

#define BOX(key_, type_, field_, ...)                                                              \
	{                                                                                          \
		.section = "box", .key = key_, .type = type_,                                      \
		.offset = offsetof(struct box, field_), __VA_ARGS__                                \
	}

static const struct config_key box_keys[] = {
	BOX("size", CONFIG_UINT, size, .fallback = "5", .min = 1, .max = 1000),
	BOX("share", CONFIG_PERCENT, share, .fallback = "50%", .max = 1024),
	BOX("open", CONFIG_BOOL, open, .fallback = "no"),
};

static const struct config_group group = {
	.section = "box",
	.keys = box_keys,
	.n_keys = ARRAY_SIZE(box_keys),
	.size = sizeof(struct box),
	.offset = offsetof(struct store, boxes),
	.remedy = "which box? write [box NAME]",
	.check = check_pattern,
};

static const struct config_key keys[] = {
	{.section = "store",
	 .key = "count",
	 .type = CONFIG_UINT,
	 .offset = offsetof(struct store, count),
	 .fallback = "3",
	 .min = 1,
	 .max = 10},
};

static const struct config_table table = {
	.keys = keys, .n_keys = ARRAY_SIZE(keys), .size = sizeof(struct store), .group = &group};

static struct complaints complaints;

static int load_sources(const char *text, struct store *store, struct config_sources *sources)
{
	complaints = (struct complaints){};
	test_write(dir, "vmfreq.conf", text);
	return config_load(path, &table, store, sources, on_complaint, &complaints);
}

static int load(const char *text, struct store *store)
{
	return load_sources(text, store, NULL);
}

/* All that is set, by section: "PATTERN: size 5@1 open yes@2; ", with the turn behind the '@'. */
static const char *shown(const struct store *store)
{
	static char text[4096];
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < store->boxes.n; i++) {
		const struct config_section *section = &store->boxes.list[i];

		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s:", section->pattern);
		for (size_t k = 0; k < ARRAY_SIZE(box_keys); k++) {
			char value[64];

			if (section->turn[k] == 0)
				continue;
			config_format(&box_keys[k], section->values, value, sizeof(value));
			used += (size_t)snprintf(text + used, sizeof(text) - used, " %s %s@%u",
						 box_keys[k].key, value, section->turn[k]);
		}
		used += (size_t)snprintf(text + used, sizeof(text) - used, "; ");
	}
	return text;
}

struct group_row {
	const char *text, *shown, *complaints;
};

static void expect_good(const struct group_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct store store;

		EXPECT(load(rows[i].text, &store) == 0, "row %zu: %s", i, complaints.text);
		EXPECT(strcmp(complaints.text, rows[i].complaints) == 0, "row %zu: %s", i,
		       complaints.text);
		EXPECT(strcmp(shown(&store), rows[i].shown) == 0, "row %zu: %s", i, shown(&store));
		config_done(&table, &store);
		assert_int_equal(store.boxes.n, 0);
	}
}

/* What is written in the brackets is what there is, letter for letter. */
static void test_patterns(_unused_ void **state)
{
	static const struct group_row rows[] = {
		{"", "", ""},
		{"[box a]\n", "a:; ", ""},
		{"[box a]\nsize = 7\n", "a: size 7@1; ", ""},
		{"[BOX a]\nSIZE = 7\n", "a: size 7@1; ", ""},
		{"[box A]\nsize = 7\n[box a]\nsize = 8\n", "A: size 7@1; a: size 8@2; ", ""},
		{"[ \tbox \t a b  c ]\nsize = 7\n", "a b  c: size 7@1; ", ""},
		{"[box a.b]\nsize = 7\n", "a.b: size 7@1; ", ""},
		{"[box a:b]\nsize = 7\n", "a:b: size 7@1; ", ""},
		{"[box a:size]\n[box a]\nsize = 7\n", "a:size:; a: size 7@1; ", ""},
		{"[box a]b]\nsize = 7\n", "a]b: size 7@1; ", ""},
		{"[box ]]\nsize = 7\n", "]: size 7@1; ", ""},
		{"[box web-[0-9]*]\nsize = 7\n", "web-[0-9]*: size 7@1; ", ""},
		{"[box [0]\nsize = 7\n", "[0: size 7@1; ", ""},
		{"[box a#b;c]\nsize = 7\n", "a#b;c: size 7@1; ", ""},
		{"[box #1]\nsize = 7\n", "#1: size 7@1; ", ""},
		{"[box a=b]\nsize = 7\n", "a=b: size 7@1; ", ""},
		{"[box a\\b]\r\nsize = 7\r\n", "a\\b: size 7@1; ", ""},
		{"[box '\"]\nsize = 7\n", "'\": size 7@1; ", ""},
		{"[box \xc3\x84\xf0\x9f\x90\xa7]\nsize = 7\n",
		 "\xc3\x84\xf0\x9f\x90\xa7: size 7@1; ", ""},
		{"[box a]\nsize = 7", "a: size 7@1; ", ""},
		{"[store]\ncount = 4\n[box a]\nsize = 7\n[store]\n", "a: size 7@1; ", ""},
	};

	expect_good(rows, ARRAY_SIZE(rows));
}

/* One pattern is one section, however often it stands. */
static void test_merges(_unused_ void **state)
{
	static const struct group_row rows[] = {
		{"[box a]\nsize = 7\n[box b]\nsize = 8\n[box a]\nopen = yes\n",
		 "a: size 7@1 open yes@3; b: size 8@2; ", ""},
		{"[box a]\nsize = 7\n[box b]\nsize = 8\n[box a]\nsize = 9\n",
		 "a: size 9@3; b: size 8@2; ",
		 "6 W size: it stands in line 2 too, and only this line counts: take one of them "
		 "away\n"},
		{"[box a]\nxize = 7\nsize = 7\n[box elephants]\nelephants = 1\n",
		 "a: size 7@1; elephants:; ",
		 "2 W xize: there is no such key in [box a], and the line is ignored: did you mean "
		 "'size'?\n"
		 "5 W elephants: there is no such key in [box elephants], and the line is ignored: "
		 "vmfreq.conf(5) lists them\n"},
		{"[box a]\ncount = 7\n[store]\nsize = 7\n", "a:; ",
		 "2 W count: there is no such key in [box a], and the line is ignored: "
		 "vmfreq.conf(5) lists them\n"
		 "4 W size: there is no such key in [store], and the line is ignored: "
		 "vmfreq.conf(5) lists them\n"},
		{"[box a]\nsize = 7\n[cart a]\nsize = 8\n[guest]\nsize = 9\n", "a: size 7@1; ",
		 "3 W [cart a] is no section of ours, and what is in it is ignored: there are "
		 "[host], [guest] and [domain NAME]\n"},
	};

	expect_good(rows, ARRAY_SIZE(rows));
}

static void test_bad(_unused_ void **state)
{
	static const struct {
		const char *text, *complaints;
	} rows[] = {
		{"[box]\nsize = 7\n", "1 E [box]: which box? write [box NAME]\n"},
		{"[box ]\n", "1 E [box]: which box? write [box NAME]\n"},
		{"[box !a]\nsize = 0\n", "1 E [box !a]: no box begins so: take the '!' away\n"
					 "2 E size: 0 is out of range: use 1 to 1000\n"},
		{"[box a]\n\nshare = 7\n", "3 E share: '7' is not a percentage: write 7%\n"},
		{"[box a]\nsize =\n", "2 E size: the value is missing: write size = 5 (the "
				      "default), or take the line away\n"},
		{"[box a\nsize = 7\n", "1 E the ']' is missing: write [box a]\n"},
		{"[box a] # b\n", "1 E nothing may stand behind the ']': begin a new line, for a "
				  "comment too\n"},
		{"[box a] # [b]\n", "1 E nothing may stand behind the ']': begin a new line, for a "
				    "comment too\n"},
		{"[box a]\t;]\n", "1 E nothing may stand behind the ']': begin a new line, for a "
				  "comment too\n"},
		{"[box:a b]\n", "1 E a section's name has no ':' or '[' in it: write [host], "
				"[guest] or [domain NAME]\n"},
		{"[box a\\\n]\n", "1 E it ends in a backslash: a value stands in one line, and a "
				  "comment must not end so\n2 E there is no '=' in it: write "
				  "[section], key = value or # comment\n"},
		{"size = 7\n[box a]\n", "1 E size: it stands above the first section: put it below "
					"[host] or [guest]\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct store store = {.count = 77};

		EXPECT(load(rows[i].text, &store) == -EINVAL, "row %zu", i);
		EXPECT(strcmp(complaints.text, rows[i].complaints) == 0, "row %zu: %s", i,
		       complaints.text);
		assert_int_equal(store.count, 77);
		assert_null(store.boxes.list);
	}
}

/* No file reaches into a group's section by the name that iniparser knows it by. */
static void test_alias(_unused_ void **state)
{
	struct store store;

	assert_int_equal(load("[box a]\nsize = 7\n[[0]\nsize = 8\n", &store), -EINVAL);
	assert_non_null(strstr(complaints.text, "3 E a section's name has no ':' or '['"));
	assert_int_equal(load("[box a]\nsize = 7\n[0 a]\nsize = 8\n[cart [0]\nsize = 9\n", &store),
			 0);
	assert_string_equal(shown(&store), "a: size 7@1; ");
	config_done(&table, &store);
}

static void test_long_patterns(_unused_ void **state)
{
	char text[400];
	struct store store;

	for (int n = 250; n < 260; n++) {
		int used = sprintf(text, "[box ");

		memset(text + used, 'x', (size_t)n);
		strcpy(text + used + n, "]\nsize = 7\n");
		EXPECT(load(text, &store) == (n < 256 ? 0 : -EINVAL), "%d: %s", n, complaints.text);
		if (n < 256) {
			assert_int_equal(strlen(store.boxes.list[0].pattern), n);
			config_done(&table, &store);
		} else
			assert_non_null(
				strstr(complaints.text, "1 E no name is longer than 255 bytes"));
	}
}

/* Drop-ins go on where the file ends: to the same sections, with later turns. */
static void test_drop_ins(_unused_ void **state)
{
	_cleanup_(config_sources_done) struct config_sources sources = {};
	const struct config_origin *origin;
	struct store store;

	test_write(dir, "vmfreq.conf.d/1.conf", "[box b]\nopen = yes\n\n[box a]\nsize = 9\n");
	test_write(dir, "vmfreq.conf.d/2.conf", "[box c]\nsize = 2\n");
	assert_int_equal(load_sources("[box a]\nsize = 7\nopen = yes\n", &store, &sources), 0);
	assert_string_equal(complaints.text, "");
	assert_string_equal(shown(&store), "a: size 9@4 open yes@2; b: open yes@3; c: size 2@5; ");
	origin = &sources.of_group[0 * ARRAY_SIZE(box_keys) + 0];
	assert_ptr_equal(origin->file, sources.files[1]);
	assert_int_equal(origin->line, 5);
	origin = &sources.of_group[0 * ARRAY_SIZE(box_keys) + 2];
	assert_ptr_equal(origin->file, sources.files[0]);
	assert_int_equal(origin->line, 3);
	assert_null(sources.of_group[0 * ARRAY_SIZE(box_keys) + 1].file);
	config_done(&table, &store);

	/* The value of another file's section is looked at, too. */
	test_write(dir, "vmfreq.conf.d/1.conf", "[box a]\nsize = 0\n");
	assert_int_equal(load("[box a]\nsize = 7\n", &store), -EINVAL);
	assert_string_equal(complaints.text, "1.conf:2 E size: 0 is out of range: use 1 to 1000\n");
}

/* As many as there may be, and one more. */
static void test_many(_unused_ void **state)
{
	_cleanup_free_ char *text = NULL;
	struct store store;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	for (unsigned i = 0; i < CONFIG_SECTIONS_MAX; i++)
		fprintf(file, "[box b%u]\nsize = %u\nopen = yes\n", i, i % 1000 + 1);
	fflush(file);
	assert_int_equal(load(text, &store), 0);
	assert_int_equal(store.boxes.n, CONFIG_SECTIONS_MAX);
	for (unsigned i = 0; i < CONFIG_SECTIONS_MAX; i++) {
		const struct box *box = store.boxes.list[i].values;

		assert_int_equal(box->size, i % 1000 + 1);
		assert_true(box->open);
	}
	config_done(&table, &store);
	fputs("[box b7]\nshare = 1%\n[box more]\nsize = 7\n", file);
	fclose(file);
	assert_int_equal(load(text, &store), -EINVAL);
	assert_string_equal(complaints.text,
			    "3075 E [box more]: there are 1024 such sections already: "
			    "put some together as one pattern\n");
}

/* What is dumped says the same, in an order that has the same outcome. */
static void test_dump(_unused_ void **state)
{
	_cleanup_(config_sources_done) struct config_sources sources = {};
	_cleanup_free_ char *text = NULL, *first = NULL, *where = NULL;
	struct store store;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_int_equal(load_sources("[box a*]\nsize = 7\n[box ?[!:] B]\nsize = 8\nopen = yes\n"
				      "[box empty]\n[box a*]\nopen = no\n",
				      &store, &sources),
			 0);
	assert_int_equal(config_dump(&table, &store, &sources, file), 0);
	fclose(file);
	first = strdup(shown(&store));
	assert_string_equal(first,
			    "a*: size 7@1 open no@4; ?[!:] B: size 8@2 open yes@3; empty:; ");
	config_done(&table, &store);
	assert_true(asprintf(&where,
			     "[store]\n# default\ncount = 3\n"
			     "[box a*]\n# %s:2\nsize = 7\n"
			     "[box ?[!:] B]\n# %s:4\nsize = 8\n# %s:5\nopen = yes\n"
			     "[box a*]\n# %s:8\nopen = no\n",
			     path, path, path, path) > 0);
	assert_string_equal(text, where);
	assert_int_equal(load(text, &store), 0);
	assert_string_equal(complaints.text, "");
	assert_string_equal(shown(&store),
			    "a*: size 7@1 open no@4; ?[!:] B: size 8@2 open yes@3; ");
	config_done(&table, &store);
}

static void test_copy(_unused_ void **state)
{
	struct store store, copy;

	assert_int_equal(load("[store]\ncount = 4\n[box a]\nsize = 7\n[box b]\n", &store), 0);
	assert_int_equal(config_copy(&table, &store, &copy), 0);
	assert_int_equal(copy.count, 4);
	assert_ptr_not_equal(copy.boxes.list[0].pattern, store.boxes.list[0].pattern);
	config_done(&table, &store);
	assert_string_equal(shown(&copy), "a: size 7@1; b:; ");
	config_done(&table, &copy);
	assert_int_equal(config_copy(&table, &copy, &store), 0);
	assert_int_equal(store.boxes.n, 0);
	config_done(&table, &store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONFIG_FILE_TEST(test_patterns),      CONFIG_FILE_TEST(test_merges),
		CONFIG_FILE_TEST(test_bad),	      CONFIG_FILE_TEST(test_alias),
		CONFIG_FILE_TEST(test_long_patterns), CONFIG_FILE_TEST(test_drop_ins),
		CONFIG_FILE_TEST(test_many),	      CONFIG_FILE_TEST(test_dump),
		CONFIG_FILE_TEST(test_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
