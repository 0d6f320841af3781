/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* common/config_load.c: a table of keys against good, bad and hostile files, and what is dumped of
 * them. */
#include "tests/unit/test_config_file.h"
#include "tests/unit/test_settings.h"

static int load_bytes(const void *data, size_t size, struct settings *settings,
		      struct complaints *complaints)
{
	*complaints = (struct complaints){};
	*settings = untouched();
	test_write_bytes(dir, "vmfreq.conf", data, size);
	return config_load(path, &table, settings, NULL, on_complaint, complaints);
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

	assert_int_equal(config_load(path, &table, &settings, NULL, on_complaint, &complaints), 0);
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
		{"[one]\n[guest]\ncount = 700\n[one]\ncount = 7\n", 7, "x"},
		{"[one]\nname = a = b\n", 5, "a = b"},
		{"[one]\nname =\n", 5, ""},
		{"[guest]\ncount = lots\nname = /abs\nnonsense = 1\n", 5, "x"},
		{"[domain a:b [c]]\ncount = lots\nnonsense = 1\n", 5, "x"}, /* another program's */
		{"[one]\ncount = 7\n[domain one]\ncount = 8\n", 7, "x"},
		{"[one]\nname = ../y\r\n", 5, "../y"},
		{"[one]\r\n\r\ncount = 7\r\n# end", 7, "x"},
		{"[one]\nname = \"a # b; c\" # d\n", 5, "a # b; c"},
		{"[one]\nname = 'a \"b\" '\n", 5, "a \"b\" "},
		{"[one]\nname = \"\"\n", 5, ""},
		{"[one]\nname = # none\n", 5, ""},
		{"[one]\nname = a\"b\n", 5, "a\"b"},
		{"[one]\nname = \xc3\xa4\n", 5, "\xc3\xa4"},
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
			      &settings, &complaints),
			 0);
	assert_false(settings.flag);
	assert_int_equal(settings.count, 10);
	assert_int_equal(settings.span, 60000000);
	assert_int_equal(settings.share, 128);
	assert_int_equal(settings.color, 2);
	assert_string_equal(settings.name, "abc");
}

struct bad_row {
	const char *text, *complaint;
};

/* A bad file changes nothing and says which line is wrong, and what would be right. */
static void expect_bad(const struct bad_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct settings settings, before = untouched();
		struct complaints complaints;
		int r = load(rows[i].text, &settings, &complaints);

		EXPECT(r == -EINVAL, "row %zu gave %d", i, r);
		EXPECT(strcmp(complaints.text, rows[i].complaint) == 0, "row %zu: %s", i,
		       complaints.text);
		EXPECT(memcmp(&settings, &before, sizeof(settings)) == 0, "row %zu changed it", i);
	}
}

static void test_bad_values(_unused_ void **state)
{
	static const struct bad_row rows[] = {
		{"[one]\ncount = many\n",
		 "2 E count: 'many' is not a whole number: write digits alone\n"},
		{"[one]\ncount = 11\n", "2 E count: 11 is out of range: use 1 to 10\n"},
		{"[one]\ncount = 0\n", "2 E count: 0 is out of range: use 1 to 10\n"},
		{"[one]\ncount = 99999999999999999999\n",
		 "2 E count: 99999999999999999999 is out of range: use 1 to 10\n"},
		{"[one]\ncount = -1\n",
		 "2 E count: '-1' is not a whole number: write digits alone\n"},
		{"[one]\ncount =\n",
		 "2 E count: the value is missing: write count = 5 (the default), "
		 "or take the line away\n"},
		{"[one]\nspan = 20\n", "2 E span: '20' is not a time with its unit (us, ms, s, "
				       "min): write 20ms\n"},
		{"[one]\nspan = 20 ms\n", "2 E span: '20 ms' is not a time with its unit (us, ms, "
					  "s, min): write 20ms\n"},
		{"[one]\nspan = 1,5s\n", "2 E span: '1,5s' is not a time with its unit (us, ms, "
					 "s, min): write 1.5s\n"},
		{"[one]\nspan = soon\n", "2 E span: 'soon' is not a time with its unit (us, ms, s, "
					 "min): write something like 20ms or 1.5s\n"},
		{"[one]\nspan = 2min\n", "2 E span: 2min is out of range: use 1ms to 60s\n"},
		{"[one]\nspan = 999us\n", "2 E span: 999us is out of range: use 1ms to 60s\n"},
		{"[one]\nshare = 0.5\n",
		 "2 E share: '0.5' is not a percentage: write something like 50%\n"},
		{"[one]\nshare = half\n",
		 "2 E share: 'half' is not a percentage: write something like 50%\n"},
		{"[one]\nshare = 101%\n", "2 E share: 101% is out of range: use 0% to 100%\n"},
		{"[one]\nspeed = 1800\n", "2 E speed: '1800' is not a frequency with its unit "
					  "(kHz, MHz, GHz): write 1800MHz\n"},
		{"[one]\nspeed = fast\n",
		 "2 E speed: 'fast' is not a frequency with its unit (kHz, MHz, GHz): write "
		 "something like 600MHz or 1.8GHz\n"},
		{"[one]\nspeed = 6GHz\n", "2 E speed: 6GHz is out of range: use 1MHz to 5GHz\n"},
		{"[one]\nflag = maybe\n",
		 "2 E flag: 'maybe' is neither yes nor no: use one of them\n"},
		{"[one]\ncolor = pink\n", "2 E color: 'pink' is unknown: use red, green or blue\n"},
		{"[one]\nname = /abs\n", "2 E name: '/abs' is not a relative path\n"},
	};

	expect_bad(rows, ARRAY_SIZE(rows));
}

/* Of more than one line: which is named, and in which order. */
static void test_bad_keys(_unused_ void **state)
{
	static const struct bad_row rows[] = {
		{"# a\n\n[guest]\ncount = 3\n[ one ]\n# b\n\tcount\t= 0\n",
		 "7 E count: 0 is out of range: use 1 to 10\n"},
		{"[one]\ncount = 3\nCOUNT = 0\n",
		 "3 W COUNT: it stands in line 2 too, and only this line counts: take one of them "
		 "away\n3 E count: 0 is out of range: use 1 to 10\n"},
		{"[one]\ncount = 0\nflag = y\n",
		 "3 E flag: 'y' is neither yes nor no: use one of them\n"
		 "2 E count: 0 is out of range: use 1 to 10\n"},
		{"[one]\nspan = 4ms\n",
		 "2 E span: 4ms doesn't go with count = 5 (default): a span is at least 1ms for "
		 "each\n"},
	};

	expect_bad(rows, ARRAY_SIZE(rows));
}

/* What is no ini file, and what else is wrong with it. */
static void test_bad_lines(_unused_ void **state)
{
	static const struct bad_row rows[] = {
		{"[one]\ncount 3\nflag = y\n",
		 "2 E there is no '=' in it: write [section], key = value or # comment\n"
		 "3 E flag: 'y' is neither yes nor no: use one of them\n"},
		{"[one]\ncount = 3\n[one\ncount = 4\n",
		 "3 E the ']' is missing: write [host], [guest] or [domain NAME]\n"},
		{"[one] # first\n", "1 E nothing may stand behind the ']': begin a new line, for a "
				    "comment too\n"},
		{"[]\n", "1 E the section has no name: write [host], [guest] or [domain NAME]\n"},
		{"[one]\ncount = 3\n[one:count]\n", "3 E a section's name has no ':' or '[' in it: "
						    "write [host], [guest] or [domain NAME]\n"},
		{"count = 3\n[one]\n", "1 E count: it stands above the first section: put it below "
				       "[host] or [guest]\n"},
		{"[one]\n = 3\n", "2 E the key is missing before the '=': write key = value\n"},
		{"[one]\nname = \"a\n",
		 "2 E name: the closing quote is missing: put it behind the value\n"},
		{"[one]\nname = 'a' b\n", "2 E name: text stands behind the closing quote: put all "
					  "of the value into the quotes\n"},
		{"[one]\nname = a#b\n", "2 E name: '#' and ';' begin a comment: put a space before "
					"it, or the value into \"quotes\"\n"},
		{"[one]\nname = a;b\n", "2 E name: '#' and ';' begin a comment: put a space before "
					"it, or the value into \"quotes\"\n"},
		{"[one]\ncount = 1\\\n0\n",
		 "2 E it ends in a backslash: a value stands in one line, "
		 "and a comment must not end so\n"
		 "3 E there is no '=' in it: write [section], key = value "
		 "or # comment\n"},
		{"[one]\n# C:\\ \ncount = 3\n", "2 E it ends in a backslash: a value stands in one "
						"line, and a comment must not end so\n"},
	};

	expect_bad(rows, ARRAY_SIZE(rows));
}

/* What no editor should have written. */
static void test_bad_bytes(_unused_ void **state)
{
	static const struct bad_row rows[] = {
		{"\xef\xbb\xbf[one]\ncount = 0\n",
		 "1 E there is a byte order mark: save the file as UTF-8 without one\n"
		 "2 E count: 0 is out of range: use 1 to 10\n"},
		{"\xff\xfe[", "1 E this is UTF-16: save the file as UTF-8\n"},
		{"[one]\rcount = 0\r", "1 E there is a control character in it: take it away\n"},
		{"[one]\nspan\xc2\xa0= 20ms\nspan = 20\xc2\xa0ms\n",
		 "2 W span\\xc2\\xa0: there is no such key in [one], and the line is ignored: did "
		 "you mean 'span'?\n"
		 "3 E span: '20\\xc2\\xa0ms' is not a time with its unit (us, ms, s, min): write "
		 "something like 20ms or 1.5s\n"},
	};

	expect_bad(rows, ARRAY_SIZE(rows));
}

static void test_unknown_names(_unused_ void **state)
{
	static const struct {
		const char *text, *complaint;
	} rows[] = {
		{"[one]\ncount = 7\nCuont = 8\n", "3 W Cuont: there is no such key in [one], and "
						  "the line is ignored: did you mean 'count'?\n"},
		{"[one]\ncount = 7\nelephants = 8\n",
		 "3 W elephants: there is no such key in [one], and the line is ignored: "
		 "vmfreq.conf(5) lists them\n"},
		{"[one]\ncount = 7\n[hots]\ncount = 8\n",
		 "3 W [hots] is no section of ours, and what is in it is ignored: did you mean "
		 "[host]?\n"},
		{"[one]\ncount = 7\n[web x]\ncount = 8\n",
		 "3 W [web x] is no section of ours, and what is in it is ignored: there are "
		 "[host], [guest] and [domain NAME]\n"},
		{"[one]\ncount = 7\n[one two]\ncount = 8\n",
		 "3 W [one two] is no section of ours, and what is in it is ignored: there are "
		 "[host], [guest] and [domain NAME]\n"},
		{"[one]\ncount = 7\n[one ]x]\ncount = 8\n", /* to iniparser it would be [one] */
		 "3 W [one ]x] is no section of ours, and what is in it is ignored: there are "
		 "[host], [guest] and [domain NAME]\n"},
		{"[one]\ncount = 7\n[host x]\ncount = 8\n",
		 "3 W [host x] is no section of ours, and what is in it is ignored: did you mean "
		 "[host]?\n"},
		{"[one]\ncount = 7\n[domaim a:b[c]\ncount = 8\n",
		 "3 W [domaim a:b[c] is no section of ours, and what is in it is ignored: did you "
		 "mean [domain NAME]?\n"},
		{"[one]\ncolor = red\nflag = no\ncount = 7\n",
		 "2 W color: red doesn't go with flag = no (PATH:3): red needs a flag\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct settings settings;
		struct complaints complaints;
		char *where;

		EXPECT(load(rows[i].text, &settings, &complaints) == 0, "row %zu", i);
		where = strstr(complaints.text, path);
		if (where) {
			memmove(where + 4, where + strlen(path), strlen(where + strlen(path)) + 1);
			memcpy(where, "PATH", 4);
		}
		EXPECT(strcmp(complaints.text, rows[i].complaint) == 0, "row %zu: %s", i,
		       complaints.text);
		assert_int_equal(settings.count, 7);
	}
}

/* Later names win, each complaint names its file, and what is no drop-in is left alone. */
static void test_drop_ins(_unused_ void **state)
{
	_cleanup_(config_sources_done) struct config_sources sources = {};
	struct settings settings;
	struct complaints complaints = {};

	test_write(dir, "vmfreq.conf", "[one]\ncount = 1\nname = main\nspan = 30ms\n");
	test_write(dir, "vmfreq.conf.d/9.conf", "[one]\ncount = 9\n");
	test_write(dir, "vmfreq.conf.d/10.conf", "[one]\n\ncount = 8\nname = ten\n");
	test_write(dir, "vmfreq.conf.d/11.conf~", "nonsense\n");
	test_write(dir, "vmfreq.conf.d/.12.conf", "nonsense\n");
	test_write(dir, "vmfreq.conf.d/.conf", "nonsense\n");
	test_write(dir, "vmfreq.conf.d/README", "nonsense\n");
	assert_int_equal(config_load(path, &table, &settings, &sources, on_complaint, &complaints),
			 0);
	assert_string_equal(complaints.text, "");
	assert_int_equal(settings.count, 9);
	assert_int_equal(settings.span, 30000);
	assert_string_equal(settings.name, "ten");
	assert_int_equal(sources.n_files, 3);
	assert_string_equal(sources.files[0], path);
	assert_int_equal(sources.origins[1].line, 2);
	assert_ptr_equal(sources.origins[1].file, sources.files[2]);
	assert_null(sources.origins[0].file);

	/* A value that a later file takes back is wrong all the same: it may be the last tomorrow.
	 */
	test_write(dir, "vmfreq.conf.d/10.conf", "[one]\n\ncount = 80\n");
	assert_int_equal(config_load(path, &table, &settings, NULL, on_complaint, &complaints),
			 -EINVAL);
	assert_string_equal(complaints.text,
			    "10.conf:3 E count: 80 is out of range: use 1 to 10\n");
	assert_int_equal(settings.count, 9);

	/* Without the main file they count too. */
	assert_int_equal(unlink(path), 0);
	test_write(dir, "vmfreq.conf.d/10.conf", "[one]\nspan = 3ms\n");
	complaints = (struct complaints){};
	assert_int_equal(config_load(path, &table, &settings, NULL, on_complaint, &complaints),
			 -EINVAL);
	assert_non_null(
		strstr(complaints.text, "10.conf:2 E span: 3ms doesn't go with count = 9 ("));
	assert_non_null(strstr(complaints.text, "9.conf:2): a span is at least"));
}

static void test_bad_drop_ins(_unused_ void **state)
{
	struct settings settings = untouched(), before = settings;
	struct complaints complaints = {};
	_cleanup_free_ char *folder = NULL;

	test_write(dir, "vmfreq.conf.d", "");
	assert_int_equal(config_load(path, &table, &settings, NULL, on_complaint, &complaints),
			 -ENOTDIR);
	assert_string_equal(complaints.text,
			    "0 E it can't be read: Not a directory: a folder belongs there\n");

	complaints = (struct complaints){};
	assert_true(asprintf(&folder, "%s.d", path) > 0);
	assert_int_equal(unlink(folder), 0);
	test_write(dir, "vmfreq.conf.d/1.conf/x", "");
	test_write(dir, "vmfreq.conf.d/2.conf", "[one]\ncount = 0\n");
	assert_int_equal(config_load(path, &table, &settings, NULL, on_complaint, &complaints),
			 -EISDIR);
	assert_string_equal(complaints.text,
			    "1.conf:0 E it can't be read: Is a directory: put a file in its place\n"
			    "2.conf:2 E count: 0 is out of range: use 1 to 10\n");
	assert_memory_equal(&settings, &before, sizeof(settings));
}

/* Something else than a configuration isn't complained of without end. */
static void test_complaints_end(_unused_ void **state)
{
	char text[4000];
	struct settings settings;
	struct complaints complaints;

	for (size_t i = 0; i < sizeof(text); i += 4)
		memcpy(text + i, "abc\n", 4);
	assert_int_equal(load_bytes(text, sizeof(text), &settings, &complaints), -EINVAL);
	assert_int_equal(complaints.errors, 21);
	assert_non_null(strstr(complaints.text, "20 E this is enough"));
}

/* What is dumped is a file that says the same, whose comments say where each value was from. */
static void test_dump(_unused_ void **state)
{
	static const char *const names[] = {"plain", "",    "a # b", "a;b",	" a",
					    "a ",    "a\\", "it's",  "'a'",	"\"",
					    "#",     "=",   "a=b",   "\xc3\xa4"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(config_sources_done) struct config_sources sources = {};
		struct settings settings, back;
		struct complaints complaints = {};
		_cleanup_free_ char *text = NULL;
		char quote = strchr(names[i], '"') ? '\'' : '"', file[256], where[300];
		size_t size;
		FILE *stream = open_memstream(&text, &size);

		snprintf(file, sizeof(file), "[one]\ncount = 7\nspeed = 600MHz\nname = %c%s%c\n",
			 quote, names[i], quote);
		test_write(dir, "vmfreq.conf", file);
		assert_int_equal(
			config_load(path, &table, &settings, &sources, on_complaint, &complaints),
			0);
		assert_int_equal(config_dump(&table, &settings, &sources, stream), 0);
		fclose(stream);
		EXPECT(load(text, &back, &complaints) == 0, "row %zu: %s", i, complaints.text);
		assert_string_equal(complaints.text, "");
		EXPECT(memcmp(&settings, &back, sizeof(back)) == 0, "row %zu: %s", i, text);
		snprintf(where, sizeof(where), "# %s:2\ncount = 7\n", path);
		EXPECT(strstr(text, where), "%s", text);
		assert_non_null(strstr(text, "[one]\n# default\nflag = yes\n"));
		assert_non_null(strstr(text, "\nspeed = 600MHz\n"));
	}
}

static void test_no_callback(_unused_ void **state)
{
	struct settings settings = untouched();

	test_write(dir, "vmfreq.conf", "[one]\ncount = x\nwhat = 1\n");
	assert_int_equal(config_load(path, &table, &settings, NULL, NULL, NULL), -EINVAL);
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
			EXPECT(strlen(settings.name) == (size_t)length && length < 512, "%d",
			       length);
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
	assert_int_equal(config_load(below, &table, &settings, NULL, on_complaint, &complaints),
			 -ENOTDIR);
	assert_string_equal(complaints.text,
			    "0 E it can't be read: Not a directory: a folder belongs there\n"
			    "0 E it can't be read: Not a directory: a folder belongs there\n");
	free(below);

	/* A directory in its place is no empty file. */
	complaints = (struct complaints){};
	assert_int_equal(config_load(dir, &table, &settings, NULL, on_complaint, &complaints),
			 -EISDIR);
	assert_int_equal(complaints.errors, 1);
	assert_memory_equal(&settings, &before, sizeof(settings));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONFIG_FILE_TEST(test_no_file),	       CONFIG_FILE_TEST(test_good_files),
		CONFIG_FILE_TEST(test_every_type),     CONFIG_FILE_TEST(test_bad_values),
		CONFIG_FILE_TEST(test_bad_keys),       CONFIG_FILE_TEST(test_bad_lines),
		CONFIG_FILE_TEST(test_bad_bytes),      CONFIG_FILE_TEST(test_unknown_names),
		CONFIG_FILE_TEST(test_drop_ins),       CONFIG_FILE_TEST(test_bad_drop_ins),
		CONFIG_FILE_TEST(test_complaints_end), CONFIG_FILE_TEST(test_dump),
		CONFIG_FILE_TEST(test_no_callback),    CONFIG_FILE_TEST(test_hostile_files),
		CONFIG_FILE_TEST(test_unreadable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
