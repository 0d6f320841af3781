/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd/guest_config.c: the defaults, the bounds, and that conf/vmfreq.conf says the same. */
#include "tests/unit/test.h"

#include "guestd/guest_config.h"

static const struct config_key *key_named(const char *name)
{
	for (size_t i = 0; i < guest_config_keys_n; i++)
		if (strcmp(guest_config_keys[i].key, name) == 0)
			return &guest_config_keys[i];
	fail_msg("no key %s", name);
	return NULL;
}

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

static void test_bounds(_unused_ void **state)
{
	static const struct {
		const char *key, *value;
		bool good;
	} rows[] = {
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
		{"signal", "ebpf", false},
		{"cpufreq_interval", "0", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct config_key *key = NULL;
		struct guest_config config;
		char message[256] = "";

		for (size_t k = 0; k < guest_config_keys_n; k++)
			if (strcmp(guest_config_keys[k].key, rows[i].key) == 0)
				key = &guest_config_keys[k];
		assert_non_null(key);
		EXPECT((config_set(key, &config, rows[i].value, message, sizeof(message)) == 0) ==
			       rows[i].good,
		       "%s = %s: %s", rows[i].key, rows[i].value, message);
	}
}

static void complain(_unused_ void *userdata, _unused_ bool is_error, const char *file,
		     unsigned line, const char *message)
{
	fail_msg("%s:%u: %s", file, line, message);
}

/* Each line "#key = value" below [guest] in the installed file is a key with its default. */
static void test_installed(_unused_ void **state)
{
#ifdef SRCDIR
	_cleanup_fclose_ FILE *file = fopen(SRCDIR "/conf/vmfreq.conf", "re");
	char line[512], section[64] = "", key[64], value[256];
	size_t found = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "[%63[^]]]", section) == 1 || strcmp(section, "guest") != 0 ||
		    sscanf(line, "#%63[a-z_] = %255[^\n]", key, value) != 2)
			continue;
		for (size_t i = 0; i < guest_config_keys_n; i++)
			if (strcmp(guest_config_keys[i].key, key) == 0) {
				assert_string_equal(guest_config_keys[i].fallback, value);
				found++;
			}
	}
	assert_int_equal(found, guest_config_keys_n);
	struct guest_config config;

	assert_int_equal(config_load(SRCDIR "/conf/vmfreq.conf", &guest_config_table, &config, NULL,
				     complain, NULL),
			 0);
#else
	(void)complain;
	TEST_SKIP("built without the folder of the sources");
#endif
}

/* Which of the rules a configuration breaks: the first key of its first. */
static void test_rules(_unused_ void **state)
{
	static const struct {
		const char *set[3], *broken;
	} rows[] = {
		{{NULL}, NULL},
		{{"interval=51ms", "idle_interval=50ms", "window=51ms"}, "interval"},
		{{"interval=50ms", "idle_interval=50ms", "window=50ms"}, NULL},
		{{"interval=21ms"}, "window"},
		{{"interval=25ms", "lease=100ms", "window=25ms"}, NULL},
		{{"interval=26ms", "lease=100ms", "window=26ms"}, "lease"},
	};
	const struct config_table *table = &guest_config_table;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *broken = NULL;
		struct guest_config config;

		config_defaults(guest_config_keys, guest_config_keys_n, &config);
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
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_installed),
		cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
