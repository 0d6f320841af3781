/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every setting of the host that we change goes through here, so that all of them can be put back.
 *
 * A setting has a name ("uclamp:1234:5678:/machine.slice/…", "file:/sys/fs/cgroup/…") and a value,
 * both text. Before its first change the value that stands there ("prior") is written to a file in
 * /run, and before each change the value that we are about to write ("ours"). If the file can't be
 * written, nothing is changed. So after a crash at any point the next start, or
 * `vmfreq-hostd --restore`, knows what was there and what may be ours. A setting that holds neither
 * has been changed by somebody else: it is theirs and is left alone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define SETTING_NAME_MAX  1024U
#define SETTING_VALUE_MAX 4096U

/* How one kind of setting is read and written: the part of its name before the first colon. */
struct setting_ops {
	const char *kind;
	/* The present value of a setting, without newline. 0 or -errno: ESRCH or ENOENT if what it
	 * belongs to (this very thread, this file) is gone. `name` is what follows the colon. */
	int (*read)(void *userdata, const char *name, char *value, size_t size);
	int (*write)(void *userdata, const char *name, const char *value);
	void *userdata;
};

struct ledger;         /* the file and its entries */
struct ledger_entry;   /* one setting; valid until it is forgotten */

struct ledger_tally {
	unsigned restored; /* put back */
	unsigned same;     /* held the prior value already */
	unsigned theirs;   /* somebody else's value: left alone */
	unsigned gone;     /* the thread or file has left */
	unsigned failed;   /* couldn't be put back: kept in the ledger */
};

/* Opens or makes the file `path`. ops is a table of n_ops kinds that outlives the ledger.
 * Entries that an earlier run left are loaded, not yet restored. -EBADMSG if the file is damaged
 * in another place than its last line (a torn last line is normal after a crash and is dropped). */
int ledger_open(const char *path, const struct setting_ops *ops, size_t n_ops, struct ledger **ret);

/* Closes it. The file stays if entries are left, and is removed if none are. */
struct ledger *ledger_close(struct ledger *ledger);

/* The entry of a setting, made if there is none yet; nothing is read or written. -EINVAL if no
 * kind of the table fits or the name has a line break, -ENAMETOOLONG, -ENOMEM. */
int ledger_entry(struct ledger *ledger, const char *name, struct ledger_entry **ret);

/* Changes a setting. First time: reads and notes what is there. 1 if it was written, 0 if it stands
 * at `value` already by our hand; -EOWNERDEAD if somebody else has changed it since our last write
 * and `mine` is set (the entry is theirs from then on: see ledger_release()); the door's or the
 * file's -errno otherwise, with the setting as it was. */
int ledger_set(struct ledger *ledger, struct ledger_entry *entry, const char *value);

/* Puts one setting back and forgets the entry. On a failure other than "gone", it is kept. */
int ledger_restore(struct ledger *ledger, struct ledger_entry *entry, struct ledger_tally *tally);

/* Puts everything back. */
void ledger_restore_all(struct ledger *ledger, struct ledger_tally *tally);

/* Forgets an entry and leaves the setting as it is: what it belonged to is gone, or somebody else
 * has made it theirs. */
void ledger_release(struct ledger *ledger, struct ledger_entry *entry);

/* What stood there before us, and what we wrote last: NULL if nothing yet. */
const char *ledger_prior(const struct ledger_entry *entry);
const char *ledger_ours(const struct ledger_entry *entry);
const char *ledger_name(const struct ledger_entry *entry);

size_t ledger_count(const struct ledger *ledger);
