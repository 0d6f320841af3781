/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /etc/vmfreq.conf and /etc/vmfreq.conf.d/: a table of keys says what may stand in them, and
 * everything else follows. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum config_type {
	CONFIG_BOOL,	/* bool */
	CONFIG_UINT,	/* uint64_t: a bare number */
	CONFIG_USEC,	/* uint64_t: a time span with its unit */
	CONFIG_PERCENT, /* uint64_t: in 1/1024 */
	CONFIG_KHZ,	/* uint64_t: a frequency with its unit */
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
	bool at_start;	  /* a reload leaves it as it is: it takes effect at the next start */
	/* Numbers: "off" may stand there, which is 0, whatever min is; so may a bare 0 for a time.
	 */
	bool may_be_off;
};

/* Two keys that must go together. */
struct config_rule {
	const char *key, *other;
	bool (*holds)(const void *config); /* pure */
	const char *remedy;
	bool is_warning; /* the configuration is taken all the same */
};

/* Sections that may stand in any number, up to CONFIG_SECTIONS_MAX, each with a pattern: "[domain
 * web-*]". A key that does not stand in one has no value there. */
struct config_group {
	const char *section; /* the word before the pattern; that of the keys, too */
	const struct config_key *keys;
	size_t n_keys;	    /* at most CONFIG_GROUP_KEYS_MAX */
	size_t size;	    /* of the struct of one section's values */
	size_t offset;	    /* of a struct config_sections in the config struct */
	const char *remedy; /* for a section without a pattern */
	/* NULL if the pattern is good, else what is wrong with it, and the remedy. Pure. */
	const char *(*check)(const char *pattern);
};

#define CONFIG_SECTIONS_MAX   1024U /* patterns of a group: all are compared for each domain */
#define CONFIG_GROUP_KEYS_MAX 16U

/* One pattern's section. If it stands more than once its keys are put together. */
struct config_section {
	char *pattern; /* as written */
	void *values;
	/* Of each key: how many lines of keys had been read with it, in all files, when it was set
	 * last. 0: it isn't set. */
	unsigned turn[CONFIG_GROUP_KEYS_MAX];
};

/* As they were first met. Zero-initialised: none. */
struct config_sections {
	struct config_section *list;
	size_t n;
};

/* What a program goes by: its section, and the group that belongs to it. */
struct config_table {
	const struct config_key *keys;
	size_t n_keys;
	const struct config_rule *rules; /* looked at once every key has its value */
	size_t n_rules;
	size_t size;			  /* of the config struct */
	const struct config_group *group; /* NULL: there is none */
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

/* Where each value comes from. Zero-initialised; config_sources_done() frees what it holds. */
struct config_sources {
	struct config_origin {
		const char *file; /* NULL: it is the default */
		unsigned line;
	} * origins;			/* as the table's keys */
	struct config_origin *of_group; /* of each section in turn, as the group's keys */
	char **files;			/* those that were read, in this order */
	size_t n_files;
};
void config_sources_done(struct config_sources *sources);

/* The sections of a config struct. NULL if the table has no group. Pure. */
const struct config_sections *config_sections_of(const struct config_table *table,
						 const void *config);

/* The section with that pattern, or one that is added to them: its index, or -ENOMEM, or -E2BIG
 * with CONFIG_SECTIONS_MAX of them. Pure. */
int config_sections_add(struct config_sections *sections, const struct config_group *group,
			const char *pattern);

/* Copies a config struct with its sections into *ret, which is as before if there is no memory:
 * -ENOMEM. Pure. */
int config_copy(const struct config_table *table, const void *config, void *ret);

/* Frees the sections of a config struct; its other values stay. Pure. */
void config_done(const struct config_table *table, void *config);

/* Sets every key of the table in *config to its default. The defaults must be good: asserted. The
 * sections of a group aren't touched. */
void config_defaults(const struct config_key *keys, size_t n_keys, void *config);

/* Sets *config to the defaults and what the files say: first that at path, then those of the folder
 * path.d whose names end in ".conf", by name. What stands last counts. The file and the folder may
 * be missing. Errors: a file that can't be read, a line that is none of an ini file, a key above
 * any section, a value that is wrong, keys that don't go together. Warnings: a section that is of
 * no program, a key that is unknown in a section of ours, one that stands twice in a file. The
 * values in other programs' sections are left alone. An error, too: a section of a group whose
 * pattern is none. Everything is complained of, and then the
 * result is -EINVAL (or the errno of reading) and *config is as before. sources may be NULL; else
 * it is set whatever the result. What *config held before isn't freed; what it holds then is for
 * config_done(). Main thread only: iniparser's callback has no context. */
int config_load(const char *path, const struct config_table *table, void *config,
		struct config_sources *sources, config_complain_t complain, void *userdata);

/* Writes the configuration as a file that says the same, with the source of each value; of a
 * group's sections, which may stand more than once then, what is set in them, in that order. 0, or
 * -EIO. */
int config_dump(const struct config_table *table, const void *config,
		const struct config_sources *sources, FILE *file);

/* For a reload: keys that are at_start keep in *config what they are in *running. Writes the names
 * of those that differ as "a, b" into names: their number. Pure. */
unsigned config_keep_at_start(const struct config_table *table, const void *running, void *config,
			      char *names, size_t size);

/* Sets one key from text, as a line of the file would. -EINVAL with the remedy in message. Pure. */
int config_set(const struct config_key *key, void *config, const char *value, char *message,
	       size_t size);

/* Writes a value as one would write it in the file: its length, or -ENOBUFS. Pure. */
int config_format(const struct config_key *key, const void *config, char *buffer, size_t size);
