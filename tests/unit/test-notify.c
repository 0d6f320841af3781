/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* common/notify.c: what systemd is told, heard on a socket that stands for systemd's. */
#include "tests/unit/test.h"

#include "common/notify.h"
#include "tests/unit/test_systemd.h"

static int setup(void **state)
{
	*state = systemd_new(20 * USEC_PER_SEC);
	return 0;
}

static int teardown(void **state)
{
	systemd_free(*state);
	return 0;
}

static void test_says_what_systemd_knows(void **state)
{
	char text[256];

	notify_reloading();
	assert_true(systemd_hear(*state, text, sizeof(text)));
	assert_non_null(strstr(text, "RELOADING=1\nMONOTONIC_USEC="));
	notify_ready();
	assert_true(systemd_hear(*state, text, sizeof(text)));
	assert_string_equal(text, "READY=1");
	notify_stopping();
	assert_true(systemd_hear(*state, text, sizeof(text)));
	assert_string_equal(text, "STOPPING=1");
}

/* Ready first: systemd calls it a failure to end before that. */
static void test_unavailable_is_no_failure(void **state)
{
	char text[256];

	notify_unavailable("nothing to do");
	assert_true(systemd_hear(*state, text, sizeof(text)));
	assert_string_equal(text, "READY=1\nSTATUS=nothing to do");
}

static void test_feeds_four_times_in_an_interval(void **state)
{
	struct watchdog watchdog;
	unsigned fed = 0;

	watchdog_init(&watchdog);
	assert_int_equal(watchdog.interval_usec, 20 * USEC_PER_SEC);
	for (uint64_t msec = 0; msec < 20000; msec += 10) {
		watchdog_feed(&watchdog, 77 * USEC_PER_SEC + msec * USEC_PER_MSEC);
		fed += systemd_count(*state, "WATCHDOG=1");
	}
	assert_int_equal(fed, 4);
}

static void test_feeds_nobody_who_does_not_watch(void **state)
{
	struct watchdog watchdog;

	unsetenv("WATCHDOG_USEC");
	watchdog_init(&watchdog);
	watchdog_feed(&watchdog, 77 * USEC_PER_SEC);
	assert_int_equal(systemd_count(*state, "WATCHDOG=1"), 0);
}

/* The variables are for the process that systemd started, not for one that inherits them. */
static void test_feeds_not_for_another_process(void **state)
{
	struct watchdog watchdog;

	setenv("WATCHDOG_PID", "1", true);
	watchdog_init(&watchdog);
	watchdog_feed(&watchdog, 77 * USEC_PER_SEC);
	assert_int_equal(systemd_count(*state, "WATCHDOG=1"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_says_what_systemd_knows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unavailable_is_no_failure, setup, teardown),
		cmocka_unit_test_setup_teardown(test_feeds_four_times_in_an_interval, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_feeds_nobody_who_does_not_watch, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_feeds_not_for_another_process, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
