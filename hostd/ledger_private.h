/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ledger's insides, for its own files alone. */
#pragma once

#include "hostd/ledger.h"
#include "hostd/ledger_file.h"
#include "hostd/slot.h"

/* ours and before are the last two notes in the file. Unless `uncertain`, ours is what stands there
 * by our hand. */
struct ledger_entry {
	char *name;
	const struct setting_ops *ops;
	struct slot prior, ours, before;
	bool uncertain; /* which of the three stands there isn't known: a crash, or a failed call */
};

struct ledger {
	const struct setting_ops *ops;
	size_t n_ops;
	const struct ledger_backend *backend;
	struct ledger_file *file;      /* NULL in a dry run */
	struct ledger_entry **entries; /* in the order of their names */
	size_t n_entries, entries_size;
	char value[SETTING_VALUE_MAX];
	char seen[SETTING_VALUE_MAX];
};

/* A value on its way to a setting. */
struct ledger_note {
	struct ledger_entry *entry;
	const char *value;
	bool first; /* the prior value is to be noted, too */
};

/* A ledger that acts and one that only pretends differ in these. The first four are for the
 * setting, the others for the file. */
struct ledger_backend {
	int (*read)(const struct ledger_entry *entry, char *value, size_t size);
	int (*write)(const struct ledger_entry *entry, const char *value);
	/* The first setting's kind has a write_both. */
	int (*write_both)(const struct ledger_entry *first, const char *value, const char *other);
	int (*restore)(const struct ledger_entry *entry, const char *value);
	/* One or two notes: all of them, or none and -errno. */
	int (*note)(struct ledger *ledger, const struct ledger_note *notes, size_t n_notes);
	void (*forget)(struct ledger *ledger, const struct ledger_entry *entry);
};
extern const struct ledger_backend ledger_backend_host, ledger_backend_dry;

/* What follows the colon of its name. */
const char *ledger_short_name(const struct ledger_entry *entry);
