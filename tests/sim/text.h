/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines of words, and values with units in them: what scenarios are written in (SCENARIOS.md).
 * Whatever is wrong is said on stderr as "FILE:LINE: what is wrong; what to write instead". */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_WORDS_MAX 64U

struct text_line {
	const char *file;
	unsigned number;
	unsigned n_words;
	char *word[TEXT_WORDS_MAX + 1]; /* the last one is NULL */
	char *buffer;			/* the words stand in it; free() it */
};

/* Takes a line apart; what comes behind a word that begins with # is a comment. -E2BIG: more than
 * TEXT_WORDS_MAX words; -ENOMEM. */
int text_split(const char *text, struct text_line *line);

/* Says it, and is -EINVAL. */
int text_wrong(const struct text_line *line, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

struct text_range {
	uint64_t low, high; /* nsec */
};

/* Work: a time at the highest speed, or a share of something, which its owner says. */
struct text_amount {
	bool is_share;
	double low, high; /* nsec, or 0..1 */
};

enum text_kind {
	TEXT_FLAG,	/* bool: the key alone */
	TEXT_NUMBER,	/* unsigned, from min to max */
	TEXT_NSEC,	/* uint64_t: 2.5ms */
	TEXT_NSEC_NONE, /* the same, or none, which is SIM_NEVER */
	TEXT_RANGE,	/* struct text_range: 2ms, 2ms..5ms */
	TEXT_AMOUNT,	/* struct text_amount: as a range, or 4%, 4%..10% */
	TEXT_SHARE,	/* double: 12.5% is 0.125 */
	TEXT_SHARES,	/* struct text_amount: 60%..130% */
	TEXT_PART1024,	/* uint16_t: 50% is 512 */
	TEXT_CPUS,	/* uint64_t, by bit: 0-3,6 */
	TEXT_MW,	/* double: 4000mW, 4W */
	TEXT_VERSION,	/* unsigned[2]: 6.1 */
	TEXT_OWN,	/* a function reads it */
};

struct text_key {
	const char *name;
	enum text_kind kind;
	size_t offset;
	uint64_t min, max; /* of numbers and times (0: as large as one likes) */
	/* TEXT_OWN: reads the words from at on, and is how many it took, or -EINVAL having said
	 * why. */
	int (*read)(const struct text_line *line, unsigned at, void *object);
};

/* Reads the words from at on as keys, most of them with a value, into object. What takes them is
 * for the messages. */
int text_keys(const struct text_line *line, unsigned at, const struct text_key *keys, size_t n_keys,
	      void *object, const char *what);

/* Single values. 0, or -EINVAL, silently. */
int text_nsec(const char *word, uint64_t *ret);
int text_range(const char *word, struct text_range *ret);
int text_amount(const char *word, struct text_amount *ret);
int text_share(const char *word, double *ret);
int text_cpus(const char *word, uint64_t *ret);
