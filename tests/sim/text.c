/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/sim/text.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "common/macro.h"
#include "common/parse.h"
#include "tests/sim/queue.h"

int text_split(const char *text, struct text_line *line)
{
	char *save = NULL;

	line->n_words = 0;
	line->buffer = strdup(text);
	if (!line->buffer)
		return -ENOMEM;
	for (char *word = strtok_r(line->buffer, " \t\r\n", &save); word && *word != '#';
	     word = strtok_r(NULL, " \t\r\n", &save)) {
		if (line->n_words == TEXT_WORDS_MAX) {
			free(TAKE_PTR(line->buffer));
			return -E2BIG;
		}
		line->word[line->n_words++] = word;
	}
	line->word[line->n_words] = NULL;
	return 0;
}

int text_wrong(const struct text_line *line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "%s:%u: ", line->file, line->number);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return -EINVAL;
}

/* -- single values -- */

int text_nsec(const char *word, uint64_t *ret)
{
	uint64_t usec;

	if (parse_usec(word, &usec) < 0 || usec > UINT64_MAX / NSEC_PER_USEC)
		return -EINVAL;
	*ret = usec * NSEC_PER_USEC;
	return 0;
}

int text_share(const char *word, double *ret)
{
	char *end;
	double percent;

	if (*word < '0' || *word > '9')
		return -EINVAL;
	percent = strtod(word, &end);
	if (strcmp(end, "%") != 0 || !isfinite(percent) || strpbrk(word, "xXeE"))
		return -EINVAL;
	*ret = percent / 100;
	return 0;
}

/* Copies what is before and behind the two dots; both are the whole if there are none. */
static int split_range(const char *word, char low[static 32], char high[static 32])
{
	const char *dots = strstr(word, "..");
	const char *second = dots ? dots + 2 : word;
	size_t length = dots ? (size_t)(dots - word) : strlen(word);

	if (length >= 32 || strlen(second) >= 32)
		return -EINVAL;
	memcpy(low, word, length);
	low[length] = '\0';
	strcpy(high, second);
	return 0;
}

int text_range(const char *word, struct text_range *ret)
{
	char low[32], high[32];
	struct text_range range;

	if (split_range(word, low, high) < 0 || text_nsec(low, &range.low) < 0 ||
	    text_nsec(high, &range.high) < 0 || range.low > range.high)
		return -EINVAL;
	*ret = range;
	return 0;
}

int text_amount(const char *word, struct text_amount *ret)
{
	struct text_range range;
	char low[32], high[32];
	double shares[2];

	if (text_range(word, &range) == 0) {
		*ret = (struct text_amount){false, (double)range.low, (double)range.high};
		return 0;
	}
	if (split_range(word, low, high) < 0 || text_share(low, &shares[0]) < 0 ||
	    text_share(high, &shares[1]) < 0 || shares[0] > shares[1])
		return -EINVAL;
	*ret = (struct text_amount){true, shares[0], shares[1]};
	return 0;
}

/* One number from 0 to 63 at *text, which then stands behind it. */
static int cpu_number(const char **text, unsigned *ret)
{
	unsigned value = 0;

	if (**text < '0' || **text > '9')
		return -EINVAL;
	for (; **text >= '0' && **text <= '9'; (*text)++)
		if ((value = value * 10 + (unsigned)(**text - '0')) >= 64)
			return -EINVAL;
	*ret = value;
	return 0;
}

int text_cpus(const char *word, uint64_t *ret)
{
	uint64_t mask = 0;

	do {
		unsigned first, last;

		if (cpu_number(&word, &first) < 0)
			return -EINVAL;
		last = first;
		if (*word == '-') {
			word++;
			if (cpu_number(&word, &last) < 0 || last < first)
				return -EINVAL;
		}
		for (unsigned cpu = first; cpu <= last; cpu++)
			mask |= UINT64_C(1) << cpu;
	} while (*word++ == ',');
	if (word[-1] != '\0')
		return -EINVAL;
	*ret = mask;
	return 0;
}

static int read_mw(const char *word, double *ret)
{
	char *end;
	double value = strtod(word, &end);

	if (*word < '0' || *word > '9' || !isfinite(value))
		return -EINVAL;
	if (strcmp(end, "W") == 0)
		value *= 1000;
	else if (strcmp(end, "mW") != 0)
		return -EINVAL;
	*ret = value;
	return 0;
}

static int read_version(const char *word, unsigned version[static 2])
{
	char rest;

	return sscanf(word, "%u.%u%c", &version[0], &version[1], &rest) == 2 ? 0 : -EINVAL;
}

/* -- keys -- */

static const char *what_it_takes(enum text_kind kind)
{
	static const char *const texts[] = {
		[TEXT_FLAG] = "nothing",
		[TEXT_NUMBER] = "a number in its range",
		[TEXT_NSEC] = "a time with its unit, such as 2.5ms",
		[TEXT_NSEC_NONE] = "a time with its unit, such as 2.5ms, or none",
		[TEXT_RANGE] = "a time or two, such as 2ms or 2ms..5ms",
		[TEXT_AMOUNT] = "a time or a share, or two, such as 2ms, 2ms..5ms or 4%..10%",
		[TEXT_SHARE] = "a share, such as 12.5%",
		[TEXT_SHARES] = "a share or two, such as 60%..130%",
		[TEXT_PART1024] = "a share up to 100%, such as 50%",
		[TEXT_CPUS] = "CPUs from 0 to 63, such as 0-3,6",
		[TEXT_MW] = "a power with its unit, such as 4000mW or 4W",
		[TEXT_VERSION] = "a kernel's version, such as 6.12",
		[TEXT_OWN] = "another value",
	};

	return texts[kind];
}

static bool in_range(const struct text_key *key, uint64_t value)
{
	return value >= key->min && (key->max == 0 || value <= key->max);
}

static int read_number(const struct text_key *key, const char *word, void *field)
{
	uint64_t value;

	if (parse_u64_max(word, UINT32_MAX, &value) < 0 || !in_range(key, value))
		return -EINVAL;
	*(unsigned *)field = (unsigned)value;
	return 0;
}

static int read_time(const struct text_key *key, const char *word, void *field)
{
	uint64_t value;

	if (key->kind == TEXT_NSEC_NONE && strcmp(word, "none") == 0) {
		*(uint64_t *)field = SIM_NEVER;
		return 0;
	}
	if (text_nsec(word, &value) < 0 || !in_range(key, value))
		return -EINVAL;
	*(uint64_t *)field = value;
	return 0;
}

static int read_range(const struct text_key *key, const char *word, void *field)
{
	struct text_range range;

	if (text_range(word, &range) < 0 || !in_range(key, range.low))
		return -EINVAL;
	*(struct text_range *)field = range;
	return 0;
}

static int read_amount(const struct text_key *key, const char *word, void *field)
{
	struct text_amount amount;

	if (text_amount(word, &amount) < 0 || (key->kind == TEXT_SHARES && !amount.is_share) ||
	    amount.low <= 0)
		return -EINVAL;
	*(struct text_amount *)field = amount;
	return 0;
}

static int read_part1024(const char *word, void *field)
{
	uint64_t value;

	if (parse_percent1024(word, &value) < 0 || value > CAPACITY_SCALE)
		return -EINVAL;
	*(uint16_t *)field = (uint16_t)value;
	return 0;
}

static int read_value(const struct text_key *key, const char *word, void *field)
{
	switch (key->kind) {
	case TEXT_NUMBER:
		return read_number(key, word, field);
	case TEXT_NSEC:
	case TEXT_NSEC_NONE:
		return read_time(key, word, field);
	case TEXT_RANGE:
		return read_range(key, word, field);
	case TEXT_AMOUNT:
	case TEXT_SHARES:
		return read_amount(key, word, field);
	case TEXT_SHARE:
		return text_share(word, field);
	case TEXT_PART1024:
		return read_part1024(word, field);
	case TEXT_CPUS:
		return text_cpus(word, field);
	case TEXT_MW:
		return read_mw(word, field);
	case TEXT_VERSION:
		return read_version(word, field);
	case TEXT_FLAG:
	case TEXT_OWN:
		break;
	}
	return -EINVAL;
}

static const struct text_key *find_key(const struct text_key *keys, size_t n_keys, const char *name)
{
	for (size_t i = 0; i < n_keys; i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

static int no_such_key(const struct text_line *line, unsigned at, const struct text_key *keys,
		       size_t n_keys, const char *what)
{
	char names[1024] = "";
	size_t length = 0;

	for (size_t i = 0; i < n_keys && length < sizeof(names); i++)
		length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s",
					   i > 0 ? ", " : "", keys[i].name);
	return text_wrong(line, "'%s' means nothing to %s, which takes: %s", line->word[at], what,
			  names);
}

/* How many words it took. */
static int read_key(const struct text_line *line, unsigned at, const struct text_key *key,
		    void *object)
{
	char *field = (char *)object + key->offset;

	if (key->kind == TEXT_FLAG) {
		*(bool *)(void *)field = true;
		return 1;
	}
	if (at + 1 >= line->n_words)
		return text_wrong(line, "%s stands without a value; it takes %s", key->name,
				  what_it_takes(key->kind));
	if (key->kind == TEXT_OWN) {
		int r = key->read(line, at + 1, object);

		return r < 0 ? r : r + 1;
	}
	if (read_value(key, line->word[at + 1], field) < 0) {
		if (key->kind == TEXT_NUMBER && key->max > 0)
			return text_wrong(line,
					  "%s can't be '%s'; it takes a number from %ju to %ju",
					  key->name, line->word[at + 1], (uintmax_t)key->min,
					  (uintmax_t)key->max);
		return text_wrong(line, "%s can't be '%s'; it takes %s", key->name,
				  line->word[at + 1], what_it_takes(key->kind));
	}
	return 2;
}

int text_keys(const struct text_line *line, unsigned at, const struct text_key *keys, size_t n_keys,
	      void *object, const char *what)
{
	uint64_t seen = 0;

	while (at < line->n_words) {
		const struct text_key *key = find_key(keys, n_keys, line->word[at]);
		int r;

		if (!key)
			return no_such_key(line, at, keys, n_keys, what);
		if (seen & UINT64_C(1) << (key - keys))
			return text_wrong(line, "%s stands twice; leave one out", key->name);
		seen |= UINT64_C(1) << (key - keys);
		r = read_key(line, at, key, object);
		if (r < 0)
			return r;
		at += (unsigned)r;
	}
	return 0;
}
