/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* common/config.c: a table of keys against good, bad and hostile files. */
#include "tests/unit/test.h"

#include "common/config.h"

struct settings {
	bool flag;
	uint64_t count, span, share, color;
	char name[CONFIG_STRING_MAX];
	char mark[8]; /* no key writes here */
};

static const char *const colors[] = {"red", "green", "blue", NULL};

static const char *check_name(const char *value)
{
	return *value == '/' ? "a relative path" : NULL;
}

#define KEY(key_, type_, field_, ...)                                                              \
	{                                                                                          \
		.section = "one", .key = key_, .type = type_,                                      \
		.offset = offsetof(struct settings, field_), __VA_ARGS__                           \
	}

static const struct config_key table[] = {
	KEY("flag", CONFIG_BOOL, flag, .fallback = "yes"),
	KEY("count", CONFIG_UINT, count, .fallback = "5", .min = 1, .max = 10),
	KEY("span", CONFIG_USEC, span, .fallback = "20ms", .min = 1000, .max = 60000000),
	KEY("share", CONFIG_PERCENT, share, .fallback = "50%", .min = 0, .max = 1024),
	KEY("color", CONFIG_ENUM, color, .fallback = "green", .names = colors),
	KEY("name", CONFIG_STRING, name, .fallback = "x", .check = check_name),
};

static const struct config_key *key_named(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (strcmp(table[i].key, name) == 0)
			return &table[i];
	fail_msg("no key %s", name);
	return NULL;
}

/* All that a file was accused of: "line E|W message\n". */
struct complaints {
	unsigned errors, warnings;
	char text[4096];
};

static void on_complaint(void *userdata, bool is_error, _unused_ const char *file, unsigned line,
			 const char *message)
{
	struct complaints *complaints = userdata;
	size_t used = strlen(complaints->text);

	if (is_error)
		complaints->errors++;
	else
		complaints->warnings++;
	snprintf(complaints->text + used, sizeof(complaints->text) - used, "%u %c %s\n", line,
		 is_error ? 'E' : 'W', message);
}

static char *dir, *path;

static int setup(_unused_ void **state)
{
	dir = test_make_dir();
	return asprintf(&path, "%s/vmfreq.conf", dir) < 0;
}

static int teardown(_unused_ void **state)
{
	free(path);
	test_remove_dir(dir);
	return 0;
}

static struct settings untouched(void)
{
	struct settings settings;

	memset(&settings, 0xa5, sizeof(settings));
	return settings;
}

static int load_bytes(const void *data, size_t size, struct settings *settings,
		      struct complaints *complaints)
{
	*complaints = (struct complaints){};
	*settings = untouched();
	test_write_bytes(dir, "vmfreq.conf", data, size);
	return config_load(path, table, ARRAY_SIZE(table), settings, sizeof(*settings),
			   on_complaint, complaints);
}

static int load(const char *text, struct settings *settings, struct complaints *complaints)
{
	return load_bytes(text, strlen(text), settings, complaints);
}

static void assert_is_default(const struct settings *settings)
{
	assert_true(settings->flag);
	assert_int_equal(settings->count, 5);
	assert_int_equal(settings->span, 20000);
	assert_int_equal(settings->share, 512);
	assert_int_equal(settings->color, 1);
	assert_string_equal(settings->name, "x");
}

static void test_no_file(_unused_ void **state)
{
	struct settings settings = untouched();
	struct complaints complaints = {};

	assert_int_equal(config_load(path, table, ARRAY_SIZE(table), &settings, sizeof(settings),
				     on_complaint, &complaints), 0);
	assert_is_default(&settings);
	assert_string_equal(complaints.text, "");
}

static void test_good_files(_unused_ void **state)
{
	static const struct {
		const char *text;
		uint64_t count;
		const char *name;
	} rows[] = {
		{"", 5, "x"},
		{"\n\n# nothing\n; nothing\n", 5, "x"},
		{"[one]\n", 5, "x"},
		{"[one]\ncount = 7\n", 7, "x"},
		{"[one]\ncount=7", 7, "x"},
		{"[ONE]\nCount = 7\n", 7, "x"},
		{"[ one ]\n  count\t=  7  \n", 7, "x"},
		{"[one]\ncount = 7 # a week\n", 7, "x"},
		{"[one]\ncount = \"7\"\n", 7, "x"},
		{"[one]\ncount = 6\ncount = 7\n", 7, "x"},
		{"[one]\n[two]\ncount = 700\n[one]\ncount = 7\n", 7, "x"},
		{"[one]\nname = a = b\n", 5, "a = b"},
		{"[one]\nname =\n", 5, ""},
		{"[two]\ncount = lots\nname = /abs\n", 5, "x"},
		{"[one]\nname = ../y\r\n", 5, "../y"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct settings settings;
		struct complaints complaints;
		int r = load(rows[i].text, &settings, &complaints);

		EXPECT(r == 0, "row %zu: %s", i, complaints.text);
		EXPECT(complaints.text[0] == '\0', "row %zu: %s", i, complaints.text);
		EXPECT(settings.count == rows[i].count, "row %zu", i);
		EXPECT(strcmp(settings.name, rows[i].name) == 0, "row %zu: '%s'", i, settings.name);
	}
}

static void test_every_type(_unused_ void **state)
{
	struct settings settings;
	struct complaints complaints;

	assert_int_equal(load("[one]\nflag=off\ncount=10\nspan=1min\nshare=12.5%\ncolor=BLUE\n"
			      "name=abc\n",
			      &settings, &complaints), 0);
	assert_false(settings.flag);
	assert_int_equal(settings.count, 10);
	assert_int_equal(settings.span, 60000000);
	assert_int_equal(settings.share, 128);
	assert_int_equal(settings.color, 2);
	assert_string_equal(settings.name, "abc");
}

/* A bad file changes nothing and says which line is wrong, and what would be right. */
static void test_bad_files(_unused_ void **state)
{
	static const struct {
		const char *text, *complaint;
	} rows[] = {
		{"[one]\ncount = many\n", "2 E count: 'many' is not a whole number\n"},
		{"[one]\ncount = 11\n", "2 E count: 11 is out of range: use 1 to 10\n"},
		{"[one]\ncount = 0\n", "2 E count: 0 is out of range: use 1 to 10\n"},
		{"[one]\ncount = 99999999999999999999\n",
		 "2 E count: 99999999999999999999 is out of range: use 1 to 10\n"},
		{"[one]\ncount = -1\n", "2 E count: '-1' is not a whole number\n"},
		{"[one]\ncount =\n", "2 E count: '' is not a whole number\n"},
		{"[one]\nspan = 20\n",
		 "2 E span: '20' is not a time with its unit, such as 20ms or 1.5s\n"},
		{"[one]\nspan = 2min\n", "2 E span: 2min is out of range: use 1ms to 60s\n"},
		{"[one]\nspan = 999us\n", "2 E span: 999us is out of range: use 1ms to 60s\n"},
		{"[one]\nshare = 0.5\n",
		 "2 E share: '0.5' is not a percentage, such as 50%\n"},
		{"[one]\nshare = 101%\n", "2 E share: 101% is out of range: use 0% to 100%\n"},
		{"[one]\nflag = maybe\n", "2 E flag: 'maybe' is neither yes nor no\n"},
		{"[one]\ncolor = pink\n",
		 "2 E color: 'pink' is unknown: use red, green or blue\n"},
		{"[one]\nname = /abs\n", "2 E name: '/abs' is not a relative path\n"},
		{"# a\n\n[two]\ncount = 3\n[ one ]\n# b\n\tcount\t= x\n",
		 "7 E count: 'x' is not a whole number\n"},
		{"[one]\ncount = 3\nCOUNT = x\n", "3 E count: 'x' is not a whole number\n"},
		{"[one]\ncount = x\nflag = y\n",
		 "3 E flag: 'y' is neither yes nor no\n2 E count: 'x' is not a whole number\n"},
		{"[one]\ncount 3\n",
		 "2 E this is no line of an ini file: use [section], key = value or # comment\n"},
		{"[one]\ncount = 3\n[one\n",
		 "3 E this is no line of an ini file: use [section], key = value or # comment\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct settings settings, before = untouched();
		struct complaints complaints;
		int r = load(rows[i].text, &settings, &complaints);

		EXPECT(r == -EINVAL, "row %zu gave %d", i, r);
		EXPECT(strcmp(complaints.text, rows[i].complaint) == 0, "row %zu: %s", i,
		       complaints.text);
		EXPECT(memcmp(&settings, &before, sizeof(settings)) == 0, "row %zu changed it", i);
	}
}

static void test_unknown_keys(_unused_ void **state)
{
	struct settings settings;
	struct complaints complaints;

	assert_int_equal(load("[two]\nanything = 1\n[one]\ncount = 7\nCuont = 8\n", &settings,
			      &complaints), 0);
	assert_string_equal(complaints.text,
			    "5 W [one] has no key 'cuont': the line is ignored\n");
	assert_int_equal(settings.count, 7);
}

static void test_no_callback(_unused_ void **state)
{
	struct settings settings = untouched();

	test_write(dir, "vmfreq.conf", "[one]\ncount = x\nwhat = 1\n");
	assert_int_equal(config_load(path, table, ARRAY_SIZE(table), &settings, sizeof(settings),
				     NULL, NULL), -EINVAL);
}

/* Whatever stands in a file, the settings are good or untouched. */
static void test_hostile_files(_unused_ void **state)
{
	static const char nuls[] = "[one]\0\ncount\0 = 7\n\0\0\0\ncount = 8\0\n";
	static const char section_as_key[] = "[one:count]\n[one]\nname = y\n";
	struct settings settings;
	struct complaints complaints;
	char *text = malloc(20000);
	int n;

	load_bytes(nuls, sizeof(nuls), &settings, &complaints);
	load(section_as_key, &settings, &complaints);
	load("[]\n[\n]\n=\n==\n = \n", &settings, &complaints);
	load("[one]\ncount = 3 \\\n4\n", &settings, &complaints);
	load("\xff\xfe[\0o\0n\0e\0]\0", &settings, &complaints);

	/* One character more than fits into a string, in one line and in continued ones. */
	for (int length = 500; length < 1100; length++) {
		n = sprintf(text, "[one]\nname = ");
		memset(text + n, 'n', (size_t)length);
		text[n + length] = '\0';
		if (load(text, &settings, &complaints) == 0)
			EXPECT(strlen(settings.name) == (size_t)length && length < 512, "%d", length);
		else
			EXPECT(complaints.errors == 1, "%d: %s", length, complaints.text);
	}
	memset(text, 'a', 19999);
	text[0] = '[';
	text[19998] = ']';
	text[19999] = '\0';
	assert_int_equal(load(text, &settings, &complaints), -EINVAL);
	for (int i = 0; i < 19998; i += 2)
		memcpy(text + i, "\\\n", 2);
	load(text, &settings, &complaints);
	free(text);
}

static void test_unreadable(_unused_ void **state)
{
	struct settings settings = untouched(), before = settings;
	struct complaints complaints = {};
	char *below;

	test_write(dir, "vmfreq.conf", "[one]\n");
	assert_true(asprintf(&below, "%s/x", path) > 0);
	assert_int_equal(config_load(below, table, ARRAY_SIZE(table), &settings, sizeof(settings),
				     on_complaint, &complaints), -ENOTDIR);
	assert_string_equal(complaints.text, "0 E can't be read: Not a directory\n");
	free(below);

	/* A directory in its place is no empty file. */
	complaints = (struct complaints){};
	assert_int_equal(config_load(dir, table, ARRAY_SIZE(table), &settings, sizeof(settings),
				     on_complaint, &complaints), -EISDIR);
	assert_int_equal(complaints.errors, 1);
	assert_memory_equal(&settings, &before, sizeof(settings));
}

static void test_long_values(_unused_ void **state)
{
	struct settings settings = untouched();
	char value[CONFIG_STRING_MAX + 1], message[CONFIG_STRING_MAX];

	memset(value, 'v', sizeof(value));
	value[CONFIG_STRING_MAX - 1] = '\0';
	assert_int_equal(config_set(key_named("name"), &settings, value, message,
				    sizeof(message)), 0);
	assert_string_equal(settings.name, value);
	value[CONFIG_STRING_MAX - 1] = 'v';
	value[CONFIG_STRING_MAX] = '\0';
	assert_int_equal(config_set(key_named("name"), &settings, value, message,
				    sizeof(message)), -EINVAL);
	assert_string_equal(message, "the value is longer than 511 bytes");
	assert_int_equal(strlen(settings.name), CONFIG_STRING_MAX - 1);
	assert_int_equal((unsigned char)settings.mark[0], 0xa5);
	/* A remedy that is longer than its room is cut. */
	assert_int_equal(config_set(key_named("color"), &settings, value, message, 10), -EINVAL);
	assert_string_equal(message, "'vvvvvvvv");
}

static void test_format(_unused_ void **state)
{
	static const struct {
		const char *key, *in, *out;
	} rows[] = {
		{"flag", "1", "yes"},       {"flag", "OFF", "no"},     {"count", "7", "7"},
		{"span", "1ms", "1ms"},     {"span", "1000ms", "1s"},  {"span", "1500us", "1500us"},
		{"span", "1min", "60s"},    {"span", "1.5s", "1500ms"}, {"share", "0%", "0%"},
		{"share", "100%", "100%"},  {"share", "5%", "5%"},     {"share", "12.5%", "12.5%"},
		{"share", "0.1%", "0.1%"},  {"color", "RED", "red"},   {"name", "a b", "a b"},
		{"name", "", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct config_key *key = key_named(rows[i].key);
		size_t length = strlen(rows[i].out);
		struct settings settings = untouched();
		char message[256], text[64];

		assert_int_equal(config_set(key, &settings, rows[i].in, message, sizeof(message)),
				 0);
		assert_int_equal(config_format(key, &settings, text, sizeof(text)), length);
		EXPECT(strcmp(text, rows[i].out) == 0, "%s %s: %s", rows[i].key, rows[i].in, text);
		assert_int_equal(config_format(key, &settings, text, length + 1), length);
		for (size_t size = 0; size <= length; size++)
			assert_int_equal(config_format(key, &settings, text, size), -ENOBUFS);
	}
}

/* What is written of a percentage reads back as the same. */
static void test_percentages_round_trip(_unused_ void **state)
{
	for (uint64_t share = 0; share <= 1024; share++) {
		struct settings settings = {.share = share}, back = {};
		char text[32], message[256];

		assert_true(config_format(key_named("share"), &settings, text, sizeof(text)) > 0);
		EXPECT(config_set(key_named("share"), &back, text, message, sizeof(message)) == 0 &&
			       back.share == share,
		       "%llu is written %s", (unsigned long long)share, text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_good_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_type, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_callback, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unreadable, setup, teardown),
		cmocka_unit_test(test_long_values),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_percentages_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
