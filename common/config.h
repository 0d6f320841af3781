/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /etc/vmfreq.conf: a table of keys says what may stand in it, and everything else follows. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_type {
	CONFIG_BOOL,	/* bool */
	CONFIG_UINT,	/* uint64_t: a bare number */
	CONFIG_USEC,	/* uint64_t: a time span with its unit */
	CONFIG_PERCENT, /* uint64_t: in 1/1024 */
	CONFIG_ENUM,	/* uint64_t: the index in `names` */
	CONFIG_STRING,	/* char[CONFIG_STRING_MAX]: checked by `check` if there is one */
};

#define CONFIG_STRING_MAX 512U

struct config_key {
	const char *section;
	const char *key;
	enum config_type type;
	size_t offset;		  /* of the value in the config struct */
	const char *fallback;	  /* the default, as one would write it */
	uint64_t min, max;	  /* numbers: both are allowed */
	const char *const *names; /* CONFIG_ENUM: the allowed words, NULL at the end */
	/* CONFIG_STRING: NULL if the value is good, else what it must be. Pure. */
	const char *(*check)(const char *value);
	const char *help; /* one line */
};

/* One thing wrong in a file. line is 0 where there is none to name. */
typedef void (*config_complain_t)(void *userdata, bool is_error, const char *file, unsigned line,
				  const char *message);

/* What came of a load: how much was complained of, and the first error as "FILE:LINE: what", for
 * who has room for one line. Zero-initialised. */
struct config_outcome {
	unsigned errors, warnings;
	char error[CONFIG_STRING_MAX + 256];
};

/* Adds a complaint to it: for a config_complain_t. Pure. */
void config_outcome_add(struct config_outcome *outcome, bool is_error, const char *file,
			unsigned line, const char *message);

/* Sets every key of the table in *config to its default. The defaults must be good: asserted. */
void config_defaults(const struct config_key *table, size_t n_keys, void *config);

/* Sets *config, of config_size bytes, to the defaults and what the file says.
 * A missing file is no error. A key of `table` that doesn't parse is one; an unknown key in a
 * section that some key of `table` names is a warning; sections of other programs are left alone.
 * On any error the result is -EINVAL (or the errno of open) and *config is as before. */
int config_load(const char *path, const struct config_key *table, size_t n_keys, void *config,
		size_t config_size, config_complain_t complain, void *userdata);

/* Sets one key from text, as a line of the file would. -EINVAL with the remedy in message. Pure. */
int config_set(const struct config_key *key, void *config, const char *value, char *message,
	       size_t size);

/* Writes a value as one would write it in the file: its length, or -ENOBUFS. Pure. */
int config_format(const struct config_key *key, const void *config, char *buffer, size_t size);
