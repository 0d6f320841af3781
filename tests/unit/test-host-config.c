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
	assert_int_equal(config.feedback_step1024, 128);
	assert_int_equal(config.goal, GOAL_BALANCED);
	assert_int_equal(config.budget1024, 0);
	assert_int_equal(config.claim_check_usec, 1000000);
	assert_int_equal(config.ceiling_slack1024, 51);
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
		{"feedback_step", "1%", true},
		{"feedback_step", "0.9%", false},
		{"feedback_step", "50%", true},
		{"feedback_step", "51%", false},
		{"feedback_step", "off", false}, /* feedback = no is another thing */
		{"goal", "speed", true},
		{"goal", "Energy", true},
		{"goal", "off", true},
		{"goal", "no", false},
		{"budget", "off", true},
		{"budget", "0%", false},
		{"budget", "1%", true},
		{"budget", "400%", true},
		{"budget", "102400%", true},
		{"budget", "102401%", false},
		{"budget", "4", false},
		{"claim_check", "off", true},
		{"claim_check", "0", true},
		{"claim_check", "99ms", false},
		{"claim_check", "100ms", true},
		{"claim_check", "60s", true},
		{"claim_check", "61s", false},
		{"ceiling_slack", "0%", true},
		{"ceiling_slack", "100%", true},
		{"ceiling_slack", "101%", false},
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

/* The keys of the group as a table of their own. */
static const struct config_table domain_table = {
	.keys = host_domain_keys, .n_keys = DOMAIN_N_KEYS, .size = sizeof(struct domain_config)};

static void test_domain_values(_unused_ void **state)
{
	static const struct value_row rows[] = {
		{"floor_max", "0%", true},	{"floor_max", "100%", true},
		{"floor_max", "101%", false},	{"weight", "0", false},
		{"weight", "1", true},		{"weight", "10000", true},
		{"weight", "10001", false},	{"weight", "50%", false},
		{"goal", "balanced", true},	{"goal", "speed", true},
		{"goal", "energy", true},	{"goal", "off", true},
		{"goal", "none", false},	{"placement", "yes", true},
		{"placement", "no", true},	{"placement", "auto", false},
		{"placement", "cgroup", false}, {"feedback", "no", true},
		{"feedback", "some", false},
	};

	expect_values(&domain_table, rows, ARRAY_SIZE(rows));
}

static void test_keys(_unused_ void **state)
{
	expect_keys(&host_config_table, "host");
	expect_keys(&domain_table, "domain");
	assert_string_equal(host_config_table.group->section, "domain");
	assert_ptr_equal(host_config_table.group->keys, host_domain_keys);
	assert_true(DOMAIN_N_KEYS <= CONFIG_GROUP_KEYS_MAX);
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

/* With everything off feedback to one domain is a use. */
static void test_feedback_of_one(_unused_ void **state)
{
	struct domain_config values = {.feedback = true};
	struct config_section section = {.pattern = (char *)"web", .values = &values};
	struct host_config *config = default_config(&host_config_table);

	config->actuator = ACTUATOR_OFF;
	config->placement = PLACE_OFF;
	config->feedback = false;
	config->domains = (struct config_sections){&section, 1};
	assert_string_equal(broken_rule(&host_config_table, config), "actuator");
	section.turn[DOMAIN_FEEDBACK] = 1;
	assert_null(broken_rule(&host_config_table, config));
	values.feedback = false;
	assert_string_equal(broken_rule(&host_config_table, config), "actuator");
	free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),	cmocka_unit_test(test_values),
		cmocka_unit_test(test_domain_values),	cmocka_unit_test(test_keys),
		cmocka_unit_test(test_feedback_of_one), cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
