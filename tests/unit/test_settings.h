/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A made-up configuration with a key of each type, a rule that is an error and one that is a
 * warning. */
#pragma once

#include "tests/unit/test_config_table.h"

struct settings {
	bool flag;
	uint64_t count, span, share, speed, color;
	char name[CONFIG_STRING_MAX];
	char mark[8]; /* no key writes here */
};

static const char *const colors[] = {"red", "green", "blue", NULL};

static const char *check_name(const char *value)
{
	return *value == '/' ? "a relative path" : NULL;
}

#define KEY(key_, type_, field_, ...)                                                              \
	{                                                                                          \
		.section = "one", .key = key_, .type = type_,                                      \
		.offset = offsetof(struct settings, field_), __VA_ARGS__                           \
	}

static const struct config_key keys[] = {
	KEY("flag", CONFIG_BOOL, flag, .fallback = "yes"),
	KEY("count", CONFIG_UINT, count, .fallback = "5", .min = 1, .max = 10),
	KEY("span", CONFIG_USEC, span, .fallback = "20ms", .min = 1000, .max = 60000000),
	KEY("share", CONFIG_PERCENT, share, .fallback = "50%", .min = 0, .max = 1024),
	KEY("speed", CONFIG_KHZ, speed, .fallback = "1.8GHz", .min = 1000, .max = 5000000),
	KEY("color", CONFIG_ENUM, color, .fallback = "green", .names = colors),
	KEY("name", CONFIG_STRING, name, .fallback = "x", .check = check_name, .at_start = true),
};

static bool span_fits(const void *userdata)
{
	const struct settings *settings = userdata;

	return settings->span >= settings->count * USEC_PER_MSEC;
}

static bool is_not_red(const void *userdata)
{
	const struct settings *settings = userdata;

	return settings->color != 0 || settings->flag;
}

static const struct config_rule rules[] = {
	{"span", "count", span_fits, "a span is at least 1ms for each", false},
	{"color", "flag", is_not_red, "red needs a flag", true},
};

static const struct config_table table = {.keys = keys,
					  .n_keys = ARRAY_SIZE(keys),
					  .rules = rules,
					  .n_rules = ARRAY_SIZE(rules),
					  .size = sizeof(struct settings)};

static inline struct settings untouched(void)
{
	struct settings settings;

	memset(&settings, 0xa5, sizeof(settings));
	return settings;
}
