/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd/guest_config.c: the table of [guest]: its defaults, its limits and its rules. (The files
 * that describe it are test-conf.c's.) */
#include "tests/unit/test_config_table.h"

#include "guestd/guest_config.h"

static void test_defaults(_unused_ void **state)
{
	struct guest_config config;

	config_defaults(guest_config_keys, guest_config_keys_n, &config);
	assert_int_equal(config.signal, GUEST_SIGNAL_AUTO);
	assert_int_equal(config.interval_usec, 10 * USEC_PER_MSEC);
	assert_int_equal(config.idle_interval_usec, 250 * USEC_PER_MSEC);
	assert_int_equal(config.window_usec, 20 * USEC_PER_MSEC);
	assert_int_equal(config.step1024, 31);
	assert_int_equal(config.lease_usec, 600 * USEC_PER_MSEC);
	assert_int_equal(config.cid, 2);
	assert_int_equal(config.port, 9213);
	assert_true(config.cpufreq);
	assert_int_equal(config.cpufreq_interval_usec, 20 * USEC_PER_MSEC);
}

static void test_values(_unused_ void **state)
{
	static const struct value_row rows[] = {
		{"interval", "1ms", true},
		{"interval", "999us", false},
		{"interval", "1s", true},
		{"interval", "1001ms", false},
		{"interval", "10", false},
		{"interval", "-1ms", false},
		{"idle_interval", "10ms", true},
		{"idle_interval", "9ms", false},
		{"idle_interval", "11s", false},
		{"lease", "99ms", false},
		{"lease", "100ms", true},
		{"lease", "61s", false},
		{"step", "0%", false},
		{"step", "50%", true},
		{"step", "51%", false},
		{"cid", "0", false},
		{"cid", "4294967295", false},
		{"cid", "4294967294", true},
		{"port", "0", false},
		{"cpufreq", "perhaps", false},
		{"cpufreq", "no", true},
		{"signal", "proc", true},
		{"signal", "ebpf", true},
		{"signal", "perf", false},
		{"cpufreq_interval", "0", false},
	};

	expect_values(&guest_config_table, rows, ARRAY_SIZE(rows));
}

static void test_keys(_unused_ void **state)
{
	expect_keys(&guest_config_table, "guest");
}

static void test_rules(_unused_ void **state)
{
	static const struct rules_row rows[] = {
		{{NULL}, NULL},
		{{"interval=51ms", "idle_interval=50ms", "window=51ms"}, "interval"},
		{{"interval=50ms", "idle_interval=50ms", "window=50ms"}, NULL},
		{{"interval=21ms"}, "window"},
		{{"interval=25ms", "lease=100ms", "window=25ms"}, NULL},
		{{"interval=26ms", "lease=100ms", "window=26ms"}, "lease"},
	};

	expect_broken(&guest_config_table, rows, ARRAY_SIZE(rows));
	expect_rules(&guest_config_table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
