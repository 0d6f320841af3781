/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/host_config.c: the table of [host]: its defaults and its limits. (The files
 * that describe it are test-conf.c's.) */
#include "tests/unit/test.h"

#include "hostd/host_config.h"

static const struct config_key *key_named(const char *name)
{
	for (size_t i = 0; i < host_config_n_keys; i++)
		if (strcmp(host_config_keys[i].key, name) == 0)
			return &host_config_keys[i];
	fail_msg("no key %s", name);
	return NULL;
}

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
	static const struct {
		const char *key, *value;
		bool good;
	} rows[] = {
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

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct host_config config, before;
		char message[512] = "";
		int r;

		memset(&config, 0, sizeof(config));
		config_defaults(host_config_keys, host_config_n_keys, &config);
		memcpy(&before, &config, sizeof(config));
		r = config_set(key_named(rows[i].key), &config, rows[i].value, message,
			       sizeof(message));
		EXPECT(r == (rows[i].good ? 0 : -EINVAL), "%s = %s gave %d: %s", rows[i].key,
		       rows[i].value, r, message);
		EXPECT(r == 0 || memcmp(&config, &before, sizeof(config)) == 0, "%s = %s",
		       rows[i].key, rows[i].value);
		EXPECT((r < 0) == (message[0] != '\0'), "%s = %s", rows[i].key, rows[i].value);
	}
}

/* Every key is of [host], has help, and its default is written as one would write it. */
static void test_table(_unused_ void **state)
{
	struct host_config config;

	config_defaults(host_config_keys, host_config_n_keys, &config);
	for (size_t i = 0; i < host_config_n_keys; i++) {
		const struct config_key *key = &host_config_keys[i];
		char text[CONFIG_STRING_MAX];

		assert_string_equal(key->section, "host");
		EXPECT(key->help && *key->help, "%s", key->key);
		EXPECT(config_format(key, &config, text, sizeof(text)) >= 0, "%s", key->key);
		EXPECT(strcmp(text, key->fallback) == 0, "%s: %s", key->key, text);
		for (size_t j = 0; j < i; j++) {
			EXPECT(strcmp(host_config_keys[j].key, key->key) != 0, "%s twice",
			       key->key);
			EXPECT(host_config_keys[j].offset != key->offset, "%s shares its place",
			       key->key);
		}
	}
}

/* Which of the rules a configuration breaks: the first key of its first. */
static void test_rules(_unused_ void **state)
{
	static const struct {
		const char *set[3], *broken;
	} rows[] = {
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
	const struct config_table *table = &host_config_table;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *broken = NULL;
		struct host_config config;

		config_defaults(host_config_keys, host_config_n_keys, &config);
		for (size_t k = 0; k < ARRAY_SIZE(rows[i].set) && rows[i].set[k]; k++) {
			const char *equals = strchr(rows[i].set[k], '=');
			_cleanup_free_ char *name =
				strndup(rows[i].set[k], (size_t)(equals - rows[i].set[k]));
			char message[256];

			assert_int_equal(config_set(key_named(name), &config, equals + 1, message,
						    sizeof(message)),
					 0);
		}
		for (size_t k = 0; k < table->n_rules && !broken; k++)
			if (!table->rules[k].holds(&config))
				broken = table->rules[k].key;
		EXPECT(broken == rows[i].broken ||
			       (broken && rows[i].broken && strcmp(broken, rows[i].broken) == 0),
		       "row %zu broke %s", i, broken ? broken : "nothing");
	}
	for (size_t k = 0; k < table->n_rules; k++) {
		key_named(table->rules[k].key);
		key_named(table->rules[k].other);
		assert_true(strstr(table->rules[k].remedy, table->rules[k].key) ||
			    strstr(table->rules[k].remedy, table->rules[k].other) ||
			    table->rules[k].is_warning);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
