/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* common/log.c: the lines that journald reads, and the limit on how many. */
#include "tests/unit/test.h"

#include "common/log.h"

/* What the function writes to stderr, which is no terminal then. */
static void capture(void (*function)(void), char *text, size_t size)
{
	int saved = dup(STDERR_FILENO), pair[2];
	ssize_t n;

	assert_true(saved >= 0);
	assert_int_equal(pipe(pair), 0);
	assert_true(dup2(pair[1], STDERR_FILENO) >= 0);
	function();
	fflush(stderr);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	close(pair[1]);
	n = read(pair[0], text, size - 1);
	close(pair[0]);
	assert_true(n >= 0);
	text[n] = '\0';
}

static void write_lines(void)
{
	log_error("a %d", 1);
	log_warning("b");
	log_notice("c");
	log_info("d");
	log_debug("e");
}

static void test_levels(_unused_ void **state)
{
	char text[256];

	capture(write_lines, text, sizeof(text));
	assert_string_equal(text, "<3>a 1\n<4>b\n<5>c\n<6>d\n");
	log_set_level(LOG_DEBUG);
	capture(write_lines, text, sizeof(text));
	assert_string_equal(text, "<3>a 1\n<4>b\n<5>c\n<6>d\n<7>e\n");
	log_set_level(LOG_ERR);
	capture(write_lines, text, sizeof(text));
	assert_string_equal(text, "<3>a 1\n");
	log_set_level(LOG_INFO);
}

static void test_level_names(_unused_ void **state)
{
	static const struct {
		const char *name;
		int level;
	} rows[] = {
		{"error", LOG_ERR},   {"warning", LOG_WARNING}, {"notice", LOG_NOTICE},
		{"info", LOG_INFO},   {"debug", LOG_DEBUG},     {"", -EINVAL},
		{"errors", -EINVAL},  {"err", -EINVAL},         {"7", -EINVAL},
		{"debug ", -EINVAL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		EXPECT(log_parse_level(rows[i].name) == rows[i].level, "'%s'", rows[i].name);
}

/* A person at a terminal needs no number for journald. */
static void test_terminal(_unused_ void **state)
{
	int saved = dup(STDERR_FILENO), master = posix_openpt(O_RDWR | O_NOCTTY), slave;
	char text[64];
	ssize_t n;

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		TEST_SKIP("there are no pseudo-terminals");
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(slave >= 0);
	assert_true(dup2(slave, STDERR_FILENO) >= 0);
	log_error("plain");
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	n = read(master, text, sizeof(text) - 1);
	close(saved);
	close(slave);
	close(master);
	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text, "plain\r\n");
}

static void write_long_line(void)
{
	char text[3000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_error("%s", text);
}

static void test_long_line_is_cut(_unused_ void **state)
{
	char text[4096];

	capture(write_long_line, text, sizeof(text));
	assert_int_equal(strlen(text), 3 + 1023 + 1);
	assert_string_equal(text + 3 + 1020, "xxx\n");
}

static void test_ratelimit(_unused_ void **state)
{
	struct ratelimit limit = {.interval_usec = 1000, .burst = 2};
	unsigned dropped = 99;

	assert_true(ratelimit_pass(&limit, 5000, &dropped));
	assert_int_equal(dropped, 0);
	assert_true(ratelimit_pass(&limit, 5001, &dropped));
	dropped = 99;
	for (unsigned i = 0; i < 3; i++)
		assert_false(ratelimit_pass(&limit, 5999, &dropped));
	assert_int_equal(dropped, 99);
	/* The next interval says how many it missed, once. */
	assert_true(ratelimit_pass(&limit, 6000, &dropped));
	assert_int_equal(dropped, 3);
	assert_true(ratelimit_pass(&limit, 6000, &dropped));
	assert_int_equal(dropped, 0);
	assert_false(ratelimit_pass(&limit, 6999, &dropped));
}

static void test_ratelimit_of_nothing(_unused_ void **state)
{
	struct ratelimit limit = {.interval_usec = 1000, .burst = 0};
	unsigned dropped = 99;

	for (uint64_t now = 0; now < 10000; now += 500)
		assert_false(ratelimit_pass(&limit, now, &dropped));
	assert_int_equal(limit.dropped, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_level_names),
		cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_long_line_is_cut),
		cmocka_unit_test(test_ratelimit),
		cmocka_unit_test(test_ratelimit_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
