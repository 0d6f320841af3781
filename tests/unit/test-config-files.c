/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --check-config and --dump-config of the real daemons, which are run here: on each of the wrong
 * configurations of tests/data/config/bad, and on good ones. */
#include "tests/unit/bad-config.h"

#include <sys/wait.h>

#define SAID_MAX 65536U

static char *dir;

static int setup(_unused_ void **state)
{
	dir = test_make_dir();
	return 0;
}

static int teardown(_unused_ void **state)
{
	test_remove_dir(dir);
	return 0;
}

/* Runs "./vmfreq-PROGRAMd ARGUMENTS": its exit code, and what it said. */
static int run(const char *program, const char *arguments, const char *file, char said[SAID_MAX])
{
	_cleanup_free_ char *command = NULL;
	FILE *pipe;
	int status;

	assert_true(asprintf(&command, "./vmfreq-%sd %s -c '%s' 2>&1", program, arguments, file) >
		    0);
	pipe = popen(command, "re");
	assert_non_null(pipe);
	said[fread(said, 1, SAID_MAX - 1, pipe)] = '\0';
	status = pclose(pipe);
	EXPECT(WIFEXITED(status), "%s: %s", command, said);
	return WEXITSTATUS(status);
}

/* Whom it concerns refuses it; the other, whose section is good, doesn't. */
static void test_bad_files(_unused_ void **state)
{
	static const char *const programs[] = {"host", "guest"};
	_cleanup_free_ struct bad_config *bad = NULL;
	size_t n = bad_config_read(&bad);
	static char said[SAID_MAX];

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < ARRAY_SIZE(programs); k++) {
			int code = run(programs[k], "--check-config", bad[i].path, said);

			if (!bad_config_is_for(&bad[i], programs[k])) {
				EXPECT(code == 0, "%s: %d, %s", bad[i].name, code, said);
				continue;
			}
			EXPECT(code == 78, "%s: %d, %s", bad[i].name, code, said);
			EXPECT(bad_config_is_said(&bad[i], said), "%s: not '%s%s' but %s",
			       bad[i].name, bad[i].where, bad[i].complaint, said);
			assert_null(strstr(said, ": good"));
		}
}

/* Nor does a daemon start with one, or dump anything of it. */
static void test_bad_files_elsewhere(_unused_ void **state)
{
	_cleanup_free_ struct bad_config *bad = NULL;
	static char said[SAID_MAX];

	assert_true(bad_config_read(&bad) > 0);
	assert_string_equal(bad[0].program, "host");
	assert_int_equal(run("host", "--dry-run", bad[0].path, said), 78);
	assert_non_null(strstr(said, bad[0].complaint));
	assert_int_equal(run("host", "--dump-config", bad[0].path, said), 78);
	assert_true(bad_config_is_said(&bad[0], said));
	assert_null(strstr(said, "[host]"));
}

static void test_good_files(_unused_ void **state)
{
	_cleanup_free_ char *path = NULL;
	static char said[SAID_MAX], expected[1024];

	assert_int_equal(run("host", "--check-config", SRCDIR "/conf/vmfreq.conf", said), 0);
	assert_string_equal(said, SRCDIR "/conf/vmfreq.conf: good\n");
	assert_int_equal(run("guest", "--check-config", SRCDIR "/conf/vmfreq.conf", said), 0);
	assert_string_equal(said, SRCDIR "/conf/vmfreq.conf: good\n");

	assert_true(asprintf(&path, "%s/vmfreq.conf", dir) > 0);
	assert_int_equal(run("host", "--check-config", path, said), 0);
	assert_non_null(strstr(said, "is not there, so all is as by default: good\n"));

	test_write(dir, "vmfreq.conf",
		   "[host]\nfloor_hodl = 5ms\n[hots]\n[domain web]\nweights = 5\n");
	test_write(dir, "vmfreq.conf.d/1.conf", "[host]\nfloor_hold = 6ms\n");
	snprintf(expected, sizeof(expected),
		 "%s:2: warning: floor_hodl: there is no such key in [host], and the line is "
		 "ignored: did you mean 'floor_hold'?\n"
		 "%s:3: warning: [hots] is no section of ours, and what is in it is ignored: did "
		 "you mean [host]?\n"
		 "%s:5: warning: weights: there is no such key in [domain web], and the line is "
		 "ignored: did you mean 'weight'?\n"
		 "%s, %s.d/1.conf: good, but for 3 warnings\n",
		 path, path, path, path, path);
	assert_int_equal(run("host", "--check-config", path, said), 0);
	assert_string_equal(said, expected);
}

static void without_comments(char *text)
{
	char *to = text;

	for (char *from = text; *from;) {
		size_t n = strcspn(from, "\n");

		n += from[n] == '\n';
		if (*from != '#') {
			memmove(to, from, n);
			to += n;
		}
		from += n;
	}
	*to = '\0';
}

/* What is dumped says the same when it is read, without complaint. */
static void test_dump(_unused_ void **state)
{
	static const struct {
		const char *program, *main, *drop_in, *line, *source;
	} rows[] = {
		{"host", "[host]\nfloor_hold = 0.007s\nuri = \"test:///a b#c\"\n",
		 "[host]\n\nport = 7\n", "port = 7\n", ".conf.d/1.conf:3\n"},
		{"host", "[domain web-[0-9]]\nweight = 7\n[domain *]\nweight = 8\ngoal = OFF\n",
		 "[host]\nbudget = 400.0%\nclaim_check = 0\n[domain web-[0-9]]\nfloor_max = "
		 "12.5%\n",
		 "floor_max = 12.5%\n", ".conf.d/1.conf:5\n"},
		{"guest", "[guest]\nwindow = 30ms\n[domain web:[0-9]]\nx = 1\n",
		 "[guest]\nwindow = 40000us\n", "window = 40ms\n", ".conf.d/1.conf:2\n"},
	};
	static char said[SAID_MAX], again[SAID_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *path = NULL, *dump = NULL;
		const char *line, *of_domain;

		assert_true(asprintf(&path, "%s/vmfreq.conf", dir) > 0);
		assert_true(asprintf(&dump, "%s/dump", dir) > 0);
		test_write(dir, "vmfreq.conf", rows[i].main);
		test_write(dir, "vmfreq.conf.d/1.conf", rows[i].drop_in);
		assert_int_equal(run(rows[i].program, "--dump-config", path, said), 0);
		line = strstr(said, rows[i].line);
		EXPECT(line, "%s", said);
		EXPECT(strncmp(line - strlen(rows[i].source), rows[i].source,
			       strlen(rows[i].source)) == 0,
		       "%s", said);
		assert_non_null(strstr(said, "# default\n"));
		of_domain = strstr(said, "[domain");
		EXPECT(!of_domain || strncmp(of_domain, "[domain web-[0-9]]\n#", 20) == 0, "%s",
		       said);
		EXPECT(!of_domain == !strstr(rows[i].main, "[domain *]"), "%s", said);

		test_write(dir, "dump", said);
		assert_int_equal(run(rows[i].program, "--check-config", dump, again), 0);
		EXPECT(strstr(again, "/dump: good\n") && !strstr(again, "warning"), "%s", again);
		assert_int_equal(run(rows[i].program, "--dump-config", dump, again), 0);
		without_comments(said);
		without_comments(again);
		assert_string_equal(again, said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_bad_files_elsewhere),
		cmocka_unit_test_setup_teardown(test_good_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dump, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
