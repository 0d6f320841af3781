/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers with units out of text that somebody else wrote. Pure. */
#include "common/parse.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "common/macro.h"

/* Reads digits at *text, which then stands behind them. */
static int take_digits(const char **text, uint64_t *ret)
{
	const char *p = *text;
	uint64_t value = 0;

	if (!isdigit((unsigned char)*p))
		return -EINVAL;
	for (; isdigit((unsigned char)*p); p++)
		if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			return -ERANGE;
	*text = p;
	*ret = value;
	return 0;
}

/* Reads "12.5" at *text in millionths. */
static int take_decimal(const char **text, uint64_t *ret_millionths)
{
	const char *p = *text;
	uint64_t value, place = 100000;
	int r;

	r = take_digits(&p, &value);
	if (r < 0)
		return r;
	if (__builtin_mul_overflow(value, UINT64_C(1000000), &value))
		return -ERANGE;
	if (*p == '.') {
		p++;
		if (!isdigit((unsigned char)*p))
			return -EINVAL;
		for (; isdigit((unsigned char)*p); p++, place /= 10) {
			if (place == 0)
				return -EINVAL;
			if (__builtin_add_overflow(value, (uint64_t)(*p - '0') * place, &value))
				return -ERANGE;
		}
	}
	*text = p;
	*ret_millionths = value;
	return 0;
}

struct unit {
	const char *name;
	uint64_t factor;
};

/* A decimal number and one of the units, as number x factor. The unit is required but for 0. */
static int parse_with_unit(const char *text, const struct unit *units, size_t n_units,
			   uint64_t *ret)
{
	uint64_t millionths;
	int r;

	r = take_decimal(&text, &millionths);
	if (r < 0)
		return r;
	if (*text == '\0' && millionths == 0) {
		*ret = 0;
		return 0;
	}
	for (size_t i = 0; i < n_units; i++)
		if (strcasecmp(text, units[i].name) == 0) {
			unsigned __int128 product =
				(unsigned __int128)millionths * units[i].factor / 1000000;
			if (product > UINT64_MAX)
				return -ERANGE;
			*ret = (uint64_t)product;
			return 0;
		}
	return -EINVAL;
}

int parse_u64(const char *text, uint64_t *ret)
{
	uint64_t value;
	int r;

	r = take_digits(&text, &value);
	if (r < 0)
		return r;
	if (*text != '\0')
		return -EINVAL;
	*ret = value;
	return 0;
}

int parse_u64_max(const char *text, uint64_t max, uint64_t *ret)
{
	uint64_t value;
	int r;

	r = parse_u64(text, &value);
	if (r < 0)
		return r;
	if (value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

int parse_bool(const char *text, bool *ret)
{
	static const char *const yes[] = {"yes", "true", "on", "1"};
	static const char *const no[] = {"no", "false", "off", "0"};

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (strcasecmp(text, yes[i]) == 0) {
			*ret = true;
			return 0;
		}
		if (strcasecmp(text, no[i]) == 0) {
			*ret = false;
			return 0;
		}
	}
	return -EINVAL;
}

int parse_usec(const char *text, uint64_t *ret_usec)
{
	static const struct unit units[] = {
		{"us", 1}, {"ms", USEC_PER_MSEC}, {"s", USEC_PER_SEC}, {"min", 60 * USEC_PER_SEC}};

	return parse_with_unit(text, units, ARRAY_SIZE(units), ret_usec);
}

int parse_khz(const char *text, uint64_t *ret_khz)
{
	static const struct unit units[] = {{"kHz", 1}, {"MHz", 1000}, {"GHz", 1000000}};

	return parse_with_unit(text, units, ARRAY_SIZE(units), ret_khz);
}

int parse_percent1024(const char *text, uint64_t *ret1024)
{
	uint64_t millionths;
	int r;

	r = take_decimal(&text, &millionths);
	if (r < 0)
		return r;
	if (strcmp(text, "%") != 0)
		return -EINVAL;
	if (millionths > (UINT64_MAX - 50000000) / CAPACITY_SCALE)
		return -ERANGE;
	*ret1024 = (millionths * CAPACITY_SCALE + 50000000) / 100000000;
	return 0;
}

int parse_column_u64(const char **cursor, uint64_t *ret)
{
	const char *p = *cursor;
	uint64_t value;
	int r;

	p += strspn(p, " \t");
	r = take_digits(&p, &value);
	if (r < 0)
		return r;
	if (*p != '\0' && !isspace((unsigned char)*p))
		return -EINVAL;
	*cursor = p;
	*ret = value;
	return 0;
}
