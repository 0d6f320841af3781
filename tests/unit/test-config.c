/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* common/config.c: one key set and written, and what a reload keeps. */
#include "tests/unit/test_settings.h"

static void test_keep_at_start(_unused_ void **state)
{
	struct settings running, fresh;
	char names[32];

	memset(&running, 0, sizeof(running));
	config_defaults(keys, ARRAY_SIZE(keys), &running);
	fresh = running;
	assert_int_equal(config_keep_at_start(&table, &running, &fresh, names, sizeof(names)), 0);
	assert_string_equal(names, "");
	fresh.count = 9;
	strcpy(fresh.name, "longer than before");
	assert_int_equal(config_keep_at_start(&table, &running, &fresh, names, sizeof(names)), 1);
	assert_string_equal(names, "name");
	assert_int_equal(fresh.count, 9);
	assert_memory_equal(fresh.name, running.name, sizeof(fresh.name));
}

static void test_outcome(_unused_ void **state)
{
	struct config_outcome outcome = {};

	config_outcome_add(&outcome, false, "/a", 1, "w");
	assert_string_equal(outcome.error, "");
	config_outcome_add(&outcome, true, "/b", 0, "first");
	config_outcome_add(&outcome, true, "/c", 2, "second");
	assert_string_equal(outcome.error, "/b: first");
	assert_int_equal(outcome.errors, 2);
	assert_int_equal(outcome.warnings, 1);
	outcome = (struct config_outcome){};
	config_outcome_add(&outcome, true, "/c", 2, "second");
	assert_string_equal(outcome.error, "/c:2: second");
}

static void test_long_values(_unused_ void **state)
{
	struct settings settings = untouched();
	char value[CONFIG_STRING_MAX + 1], message[CONFIG_STRING_MAX];

	memset(value, 'v', sizeof(value));
	value[CONFIG_STRING_MAX - 1] = '\0';
	assert_int_equal(
		config_set(key_named(&table, "name"), &settings, value, message, sizeof(message)),
		0);
	assert_string_equal(settings.name, value);
	value[CONFIG_STRING_MAX - 1] = 'v';
	value[CONFIG_STRING_MAX] = '\0';
	assert_int_equal(
		config_set(key_named(&table, "name"), &settings, value, message, sizeof(message)),
		-EINVAL);
	assert_string_equal(message, "the value is longer than 511 bytes: make it shorter");
	assert_int_equal(strlen(settings.name), CONFIG_STRING_MAX - 1);
	assert_int_equal((unsigned char)settings.mark[0], 0xa5);
	/* A remedy that is longer than its room is cut. */
	assert_int_equal(config_set(key_named(&table, "color"), &settings, value, message, 10),
			 -EINVAL);
	assert_string_equal(message, "'vvvvvvvv");
}

static void test_format(_unused_ void **state)
{
	static const struct {
		const char *key, *in, *out;
	} rows[] = {
		{"flag", "1", "yes"},
		{"flag", "OFF", "no"},
		{"count", "7", "7"},
		{"span", "1ms", "1ms"},
		{"span", "1000ms", "1s"},
		{"span", "1500us", "1500us"},
		{"span", "1min", "60s"},
		{"span", "1.5s", "1500ms"},
		{"share", "0%", "0%"},
		{"share", "100%", "100%"},
		{"share", "5%", "5%"},
		{"share", "12.5%", "12.5%"},
		{"speed", "600MHz", "600MHz"},
		{"speed", "1800000kHz", "1.8GHz"},
		{"speed", "1000MHz", "1GHz"},
		{"speed", "2.05ghz", "2.05GHz"},
		{"speed", "1234MHz", "1.234GHz"},
		{"speed", "1234567kHz", "1234567kHz"},
		{"share", "0.1%", "0.1%"},
		{"color", "RED", "red"},
		{"name", "a b", "a b"},
		{"name", "", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct config_key *key = key_named(&table, rows[i].key);
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

/* "off" is 0, and 0 is written "off", whatever the smallest number is. */
static void test_off(_unused_ void **state)
{
	static const struct {
		enum config_type type;
		const char *in, *out; /* NULL: refused */
		uint64_t value;
	} rows[] = {
		{CONFIG_PERCENT, "off", "off", 0},
		{CONFIG_PERCENT, "OFF", "off", 0},
		{CONFIG_PERCENT, "400%", "400%", 4096},
		{CONFIG_PERCENT, "102400%", "102400%", 1048576},
		{CONFIG_PERCENT, "102401%", NULL, 0},
		{CONFIG_PERCENT, "0%", NULL, 0}, /* no part of it, or no bound? */
		{CONFIG_PERCENT, "0.01%", NULL, 0},
		{CONFIG_USEC, "off", "off", 0},
		{CONFIG_USEC, "0", "off", 0},
		{CONFIG_USEC, "0ms", "off", 0},
		{CONFIG_USEC, "9us", NULL, 0},
		{CONFIG_USEC, "10us", "10us", 10},
		{CONFIG_USEC, "no", NULL, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct config_key key = {
			.type = rows[i].type, .min = 10, .max = 1048576, .may_be_off = true};
		uint64_t value = 77;
		char message[256], text[32];
		int r = config_set(&key, &value, rows[i].in, message, sizeof(message));

		EXPECT(r == (rows[i].out ? 0 : -EINVAL), "%s", rows[i].in);
		if (r < 0) {
			EXPECT(strstr(message, ", or off") || strstr(message, "is not"), "%s",
			       message);
			assert_int_equal(value, 77);
			continue;
		}
		EXPECT(value == rows[i].value, "%s", rows[i].in);
		assert_true(config_format(&key, &value, text, sizeof(text)) > 0);
		assert_string_equal(text, rows[i].out);
	}
}

/* What is written of a percentage reads back as the same. */
static void test_percentages_round_trip(_unused_ void **state)
{
	for (uint64_t share = 0; share <= 1024; share++) {
		struct settings settings = {.share = share}, back = {};
		char text[32], message[256];

		assert_true(config_format(key_named(&table, "share"), &settings, text,
					  sizeof(text)) > 0);
		EXPECT(config_set(key_named(&table, "share"), &back, text, message,
				  sizeof(message)) == 0 &&
			       back.share == share,
		       "%llu is written %s", (unsigned long long)share, text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keep_at_start), cmocka_unit_test(test_outcome),
		cmocka_unit_test(test_long_values),   cmocka_unit_test(test_format),
		cmocka_unit_test(test_off),	      cmocka_unit_test(test_percentages_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
