/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of a table of keys share, whosever it is: its values, its rules, and that it says
 * of each key what it must. */
#pragma once

#include "tests/unit/test.h"

#include "common/config.h"

static inline const struct config_key *key_named(const struct config_table *table, const char *name)
{
	for (size_t i = 0; i < table->n_keys; i++)
		if (strcmp(table->keys[i].key, name) == 0)
			return &table->keys[i];
	fail_msg("no key %s", name);
	return NULL;
}

/* The defaults, to be freed. */
static inline void *default_config(const struct config_table *table)
{
	void *config = calloc(1, table->size);

	assert_non_null(config);
	config_defaults(table->keys, table->n_keys, config);
	return config;
}

struct value_row {
	const char *key, *value;
	bool good;
};

/* Each value is taken, or refused with a remedy and with nothing changed. */
static inline void expect_values(const struct config_table *table, const struct value_row *rows,
				 size_t n)
{
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ void *config = default_config(table);
		_cleanup_free_ void *before = default_config(table);
		char message[512] = "";
		int r = config_set(key_named(table, rows[i].key), config, rows[i].value, message,
				   sizeof(message));

		EXPECT(r == (rows[i].good ? 0 : -EINVAL), "%s = %s gave %d: %s", rows[i].key,
		       rows[i].value, r, message);
		EXPECT(r == 0 || memcmp(config, before, table->size) == 0, "%s = %s", rows[i].key,
		       rows[i].value);
		EXPECT((r < 0) == (message[0] != '\0'), "%s = %s", rows[i].key, rows[i].value);
	}
}

struct rules_row {
	const char *set[3], *broken; /* "key=value"; the first key of the first rule, or NULL */
};

static inline const char *broken_rule(const struct config_table *table, const void *config)
{
	for (size_t k = 0; k < table->n_rules; k++)
		if (!table->rules[k].holds(config))
			return table->rules[k].key;
	return NULL;
}

/* Which of the rules each configuration breaks. */
static inline void expect_broken(const struct config_table *table, const struct rules_row *rows,
				 size_t n)
{
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ void *config = default_config(table);
		const char *broken;

		for (size_t k = 0; k < ARRAY_SIZE(rows[i].set) && rows[i].set[k]; k++) {
			const char *equals = strchr(rows[i].set[k], '=');
			_cleanup_free_ char *name =
				strndup(rows[i].set[k], (size_t)(equals - rows[i].set[k]));
			char message[256];

			assert_int_equal(config_set(key_named(table, name), config, equals + 1,
						    message, sizeof(message)),
					 0);
		}
		broken = broken_rule(table, config);
		EXPECT(broken == rows[i].broken ||
			       (broken && rows[i].broken && strcmp(broken, rows[i].broken) == 0),
		       "row %zu broke %s", i, broken ? broken : "nothing");
	}
}

/* Each rule is of two keys that there are, and its remedy names one of them. */
static inline void expect_rules(const struct config_table *table)
{
	for (size_t k = 0; k < table->n_rules; k++) {
		const struct config_rule *rule = &table->rules[k];

		key_named(table, rule->key);
		key_named(table, rule->other);
		assert_true(strstr(rule->remedy, rule->key) || strstr(rule->remedy, rule->other) ||
			    rule->is_warning);
	}
}

/* Every key is of that section, has help, a place of its own, and a default that is written as one
 * would write it. */
static inline void expect_keys(const struct config_table *table, const char *section)
{
	_cleanup_free_ void *config = default_config(table);

	for (size_t i = 0; i < table->n_keys; i++) {
		const struct config_key *key = &table->keys[i];
		char text[CONFIG_STRING_MAX];

		assert_string_equal(key->section, section);
		EXPECT(key->help && *key->help, "%s", key->key);
		EXPECT(config_format(key, config, text, sizeof(text)) >= 0, "%s", key->key);
		EXPECT(strcmp(text, key->fallback) == 0, "%s: %s", key->key, text);
		for (size_t j = 0; j < i; j++) {
			EXPECT(strcmp(table->keys[j].key, key->key) != 0, "%s twice", key->key);
			EXPECT(table->keys[j].offset != key->offset, "%s shares its place",
			       key->key);
		}
	}
}
