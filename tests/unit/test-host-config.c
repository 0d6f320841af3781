/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/host_config.c: the table of [host]: its defaults, its limits and its rules. (The files that
 * describe it are test-conf.c's.) */
#include "tests/unit/test_config_table.h"

#include "hostd/host_config.h"

static void test_defaults(_unused_ void **state)
{
	struct host_config config;

	memset(&config, 0xa5, sizeof(config));
	config_defaults(host_config_keys, host_config_n_keys, &config);
	assert_string_equal(config.uri, "qemu:///system");
	assert_int_equal(config.port, 9213);
	assert_false(config.any_port);
	assert_int_equal(config.actuator, ACTUATOR_AUTO);
	assert_int_equal(config.placement, PLACE_AUTO);
	assert_string_equal(config.core_classes, "");
	assert_int_equal(config.placement_dwell_usec, 500000);
	assert_int_equal(config.floor_max, 1024);
	assert_int_equal(config.floor_step, 51);
	assert_int_equal(config.floor_hold_usec, 100000);
	assert_int_equal(config.floor_half_life_usec, 50000);
	assert_int_equal(config.write_interval_usec, 4000);
	assert_int_equal(config.lease_max_usec, 1000000);
	assert_int_equal(config.report_rate, 1000);
	assert_true(config.feedback);
	assert_int_equal(config.feedback_interval_usec, 50000);
}

static void test_values(_unused_ void **state)
{
	static const struct value_row rows[] = {
		{"uri", "qemu:///session", true},
		{"uri", "qemu+unix:///system?socket=/run/x", true},
		{"uri", "test:///default", true},
		{"uri", "qemu+ssh://elsewhere/system", false}, /* threads of this host only */
		{"uri", "qemu", false},
		{"uri", "", false},
		{"port", "1", true},
		{"port", "4294967294", true},
		{"port", "4294967295", false}, /* VMADDR_PORT_ANY */
		{"port", "0", false},
		{"actuator", "cgroup", true},
		{"actuator", "affinity", false},
		{"placement", "affinity", true},
		{"placement", "thread", false},
		{"floor_max", "0%", true},
		{"floor_max", "100%", true},
		{"floor_max", "101%", false},
		{"floor_step", "0%", false},
		{"floor_step", "50%", true},
		{"floor_step", "51%", false},
		{"floor_hold", "0", true},
		{"floor_hold", "61s", false},
		{"floor_half_life", "999us", false},
		{"floor_half_life", "1ms", true},
		{"lease_max", "9ms", false},
		{"lease_max", "10ms", true},
		{"lease_max", "60s", true},
		{"lease_max", "60001ms", false},
		{"report_rate", "9", false},
		{"report_rate", "100000", true},
		{"feedback_interval", "5ms", true},
		{"feedback_interval", "4ms", false},
		{"core_classes", "", true},
		{"core_classes", "0-3 < 4-7", true},
		{"core_classes", "0-3<4-7<8", true},
		{"core_classes", "0-3 < 3-7", false},
		{"core_classes", "0-3 <", false},
		{"core_classes", "0-3 < 4-7 x", false},
		{"core_classes", "big < little", false},
	};

	expect_values(&host_config_table, rows, ARRAY_SIZE(rows));
}

static void test_keys(_unused_ void **state)
{
	expect_keys(&host_config_table, "host");
}

static void test_rules(_unused_ void **state)
{
	static const struct rules_row rows[] = {
		{{NULL}, NULL},
		{{"floor_step=20%", "floor_max=19%"}, "floor_step"},
		{{"floor_step=20%", "floor_max=20%"}, NULL},
		{{"floor_max=0%"}, NULL},
		{{"write_interval=11ms", "lease_max=10ms", "report_rate=300"}, "write_interval"},
		{{"write_interval=10ms", "lease_max=10ms", "report_rate=300"}, NULL},
		{{"report_rate=299", "lease_max=10ms"}, "report_rate"},
		{{"report_rate=100000", "lease_max=60s"}, NULL},
		{{"actuator=off", "placement=off"}, NULL},
		{{"actuator=off", "placement=off", "feedback=no"}, "actuator"},
	};

	expect_broken(&host_config_table, rows, ARRAY_SIZE(rows));
	expect_rules(&host_config_table);
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
