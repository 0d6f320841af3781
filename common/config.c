/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The values of a configuration: from text, into text. Pure. (config_load.c reads the files.) */
#include "common/config.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "common/macro.h"
#include "common/parse.h"

#define SHOWN "%.80s" /* of a value in a message: the remedy must fit in behind it */

static void *field(const struct config_key *key, void *config)
{
	return (char *)config + key->offset;
}

static const void *const_field(const struct config_key *key, const void *config)
{
	return (const char *)config + key->offset;
}

/* Writes "a, b or c". */
static void join_names(const char *const *names, char *buffer, size_t size)
{
	size_t used = 0;

	buffer[0] = '\0';
	for (size_t i = 0; names[i] && used < size; i++)
		used += (size_t)snprintf(buffer + used, size - used, "%s%s",
					 i == 0		? ""
					 : names[i + 1] ? ", "
							: " or ",
					 names[i]);
}

static int parse_number(enum config_type type, const char *value, uint64_t *ret)
{
	switch (type) {
	case CONFIG_USEC:
		return parse_usec(value, ret);
	case CONFIG_PERCENT:
		return parse_percent1024(value, ret);
	case CONFIG_KHZ:
		return parse_khz(value, ret);
	default:
		return parse_u64(value, ret);
	}
}

/* What was meant by a number that lacks its unit, has a space in it or a decimal comma. */
static bool mend_number(enum config_type type, const char *value, char *mended, size_t size)
{
	static const char *const unit[] = {[CONFIG_UINT] = "",
					   [CONFIG_USEC] = "ms",
					   [CONFIG_PERCENT] = "%",
					   [CONFIG_KHZ] = "MHz"};
	uint64_t number;
	size_t n = 0;

	/* 0.5 for 50%, or for 0.5%? */
	if (type == CONFIG_PERCENT && !strchr(value, '%') && strchr(value, '.'))
		return false;
	for (; *value; value++) {
		if (n + 4 >= size)
			return false;
		if (*value != ' ' && *value != '\t')
			mended[n++] = *value == ',' ? '.' : *value;
	}
	mended[n] = '\0';
	if (parse_number(type, mended, &number) == 0)
		return true;
	strcpy(mended + n, unit[type]);
	return parse_number(type, mended, &number) == 0;
}

static int complain_of_number(enum config_type type, const char *value, char *message, size_t size)
{
	static const char *const form[] = {
		[CONFIG_UINT] = "a whole number",
		[CONFIG_USEC] = "a time with its unit (us, ms, s, min)",
		[CONFIG_PERCENT] = "a percentage",
		[CONFIG_KHZ] = "a frequency with its unit (kHz, MHz, GHz)",
	};
	static const char *const example[] = {
		[CONFIG_UINT] = "digits alone",
		[CONFIG_USEC] = "something like 20ms or 1.5s",
		[CONFIG_PERCENT] = "something like 50%",
		[CONFIG_KHZ] = "something like 600MHz or 1.8GHz",
	};
	char mended[32];

	snprintf(message, size, "'" SHOWN "' is not %s: write %s", value, form[type],
		 mend_number(type, value, mended, sizeof(mended)) ? mended : example[type]);
	return -EINVAL;
}

static int set_number(const struct config_key *key, void *config, const char *value, char *message,
		      size_t size)
{
	bool is_off = key->may_be_off && strcasecmp(value, "off") == 0;
	uint64_t number = 0;
	int r = is_off ? 0 : parse_number(key->type, value, &number);

	if (r == -EINVAL)
		return complain_of_number(key->type, value, message, size);
	/* No part at all, "0%", is something else than no bound. */
	is_off |= r >= 0 && key->may_be_off && number == 0 && key->type == CONFIG_USEC;
	if (r < 0 || (!is_off && (number < key->min || number > key->max))) {
		struct config_key bound = {.type = key->type};
		char low[32], high[32];

		config_format(&bound, &key->min, low, sizeof(low));
		config_format(&bound, &key->max, high, sizeof(high));
		snprintf(message, size, SHOWN " is out of range: use %s to %s%s", value, low, high,
			 key->may_be_off ? ", or off" : "");
		return -EINVAL;
	}
	*(uint64_t *)field(key, config) = number;
	return 0;
}

static int set_enum(const struct config_key *key, void *config, const char *value, char *message,
		    size_t size)
{
	char names[256];

	for (uint64_t i = 0; key->names[i]; i++)
		if (strcasecmp(key->names[i], value) == 0) {
			*(uint64_t *)field(key, config) = i;
			return 0;
		}
	join_names(key->names, names, sizeof(names));
	snprintf(message, size, "'" SHOWN "' is unknown: use %s", value, names);
	return -EINVAL;
}

static int set_string(const struct config_key *key, void *config, const char *value, char *message,
		      size_t size)
{
	const char *wanted = key->check ? key->check(value) : NULL;

	if (wanted) {
		snprintf(message, size, "'" SHOWN "' is not %s", value, wanted);
		return -EINVAL;
	}
	if (strlen(value) >= CONFIG_STRING_MAX) {
		snprintf(message, size, "the value is longer than %u bytes: make it shorter",
			 CONFIG_STRING_MAX - 1);
		return -EINVAL;
	}
	/* With zeros to its end, so that equal configurations are equal bytes. */
	memset(field(key, config), 0, CONFIG_STRING_MAX);
	strcpy(field(key, config), value);
	return 0;
}

int config_set(const struct config_key *key, void *config, const char *value, char *message,
	       size_t size)
{
	if (*value == '\0' && key->type != CONFIG_STRING) {
		snprintf(message, size,
			 "the value is missing: write %s = %s (the default), or "
			 "take the line away",
			 key->key, key->fallback);
		return -EINVAL;
	}
	switch (key->type) {
	case CONFIG_BOOL:
		if (parse_bool(value, field(key, config)) < 0) {
			snprintf(message, size,
				 "'" SHOWN "' is neither yes nor no: use one of them", value);
			return -EINVAL;
		}
		return 0;
	case CONFIG_ENUM:
		return set_enum(key, config, value, message, size);
	case CONFIG_STRING:
		return set_string(key, config, value, message, size);
	default:
		return set_number(key, config, value, message, size);
	}
}

static int format_usec(uint64_t usec, char *buffer, size_t size)
{
	if (usec % USEC_PER_SEC == 0 && usec > 0)
		return snprintf(buffer, size, "%llus", (unsigned long long)(usec / USEC_PER_SEC));
	if (usec % USEC_PER_MSEC == 0)
		return snprintf(buffer, size, "%llums", (unsigned long long)(usec / USEC_PER_MSEC));
	return snprintf(buffer, size, "%lluus", (unsigned long long)usec);
}

/* In GHz from 1 GHz on, where three decimals do. */
static int format_khz(uint64_t khz, char *buffer, size_t size)
{
	unsigned long long mhz = khz / 1000;
	int n;

	if (khz % 1000 != 0)
		return snprintf(buffer, size, "%llukHz", (unsigned long long)khz);
	if (mhz < 1000)
		return snprintf(buffer, size, "%lluMHz", mhz);
	if (mhz % 1000 == 0)
		return snprintf(buffer, size, "%lluGHz", mhz / 1000);
	n = mhz % 100 == 0 ? 1 : mhz % 10 == 0 ? 2 : 3;
	return snprintf(buffer, size, "%llu.%0*lluGHz", mhz / 1000, n,
			mhz % 1000 /
				(n == 1	  ? 100
				 : n == 2 ? 10
					  : 1));
}

/* The percentage with the fewest decimals that reads back as the same 1/1024. */
static int format_percent(uint64_t value1024, char *buffer, size_t size)
{
	for (int decimals = 0; decimals < 3; decimals++) {
		uint64_t back;
		int n = snprintf(buffer, size, "%.*f%%", decimals, (double)value1024 * 100 / 1024);

		if (n < 0 || (size_t)n >= size)
			return n;
		if (parse_percent1024(buffer, &back) == 0 && back == value1024)
			break;
	}
	return (int)strlen(buffer);
}

static int format_number(const struct config_key *key, uint64_t number, char *buffer, size_t size)
{
	if (key->may_be_off && number == 0)
		return snprintf(buffer, size, "off");
	switch (key->type) {
	case CONFIG_ENUM:
		return snprintf(buffer, size, "%s", key->names[number]);
	case CONFIG_USEC:
		return format_usec(number, buffer, size);
	case CONFIG_PERCENT:
		return format_percent(number, buffer, size);
	case CONFIG_KHZ:
		return format_khz(number, buffer, size);
	default:
		return snprintf(buffer, size, "%llu", (unsigned long long)number);
	}
}

int config_format(const struct config_key *key, const void *config, char *buffer, size_t size)
{
	const void *value = const_field(key, config);
	int n;

	if (key->type == CONFIG_BOOL)
		n = snprintf(buffer, size, "%s", *(const bool *)value ? "yes" : "no");
	else if (key->type == CONFIG_STRING)
		n = snprintf(buffer, size, "%s", (const char *)value);
	else
		n = format_number(key, *(const uint64_t *)value, buffer, size);
	return n < 0 || (size_t)n >= size ? -ENOBUFS : n;
}

void config_defaults(const struct config_key *keys, size_t n_keys, void *config)
{
	for (size_t i = 0; i < n_keys; i++) {
		char message[256];
		_unused_ int r =
			config_set(&keys[i], config, keys[i].fallback, message, sizeof(message));

		assert(r == 0);
	}
}

void config_outcome_add(struct config_outcome *outcome, bool is_error, const char *file,
			unsigned line, const char *message)
{
	char where[16] = "";

	if (!is_error) {
		outcome->warnings++;
		return;
	}
	if (outcome->errors++ > 0)
		return;
	if (line > 0)
		snprintf(where, sizeof(where), ":%u", line);
	snprintf(outcome->error, sizeof(outcome->error), "%s%s: %s", file, where, message);
}

static size_t size_of(const struct config_key *key)
{
	switch (key->type) {
	case CONFIG_BOOL:
		return sizeof(bool);
	case CONFIG_STRING:
		return CONFIG_STRING_MAX;
	default:
		return sizeof(uint64_t);
	}
}

static bool same_value(const struct config_key *key, const void *a, const void *b)
{
	if (key->type == CONFIG_STRING)
		return strcmp(const_field(key, a), const_field(key, b)) == 0;
	return memcmp(const_field(key, a), const_field(key, b), size_of(key)) == 0;
}

unsigned config_keep_at_start(const struct config_table *table, const void *running, void *config,
			      char *names, size_t size)
{
	unsigned n = 0;
	size_t used = 0;

	names[0] = '\0';
	for (size_t i = 0; i < table->n_keys; i++) {
		const struct config_key *key = &table->keys[i];

		if (!key->at_start || same_value(key, running, config))
			continue;
		memcpy(field(key, config), const_field(key, running), size_of(key));
		if (used < size)
			used += (size_t)snprintf(names + used, size - used, "%s%s", n ? ", " : "",
						 key->key);
		n++;
	}
	return n;
}
