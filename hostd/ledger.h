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

#define SETTING_NAME_MAX  1024U /* with its NUL */
#define SETTING_VALUE_MAX 4096U /* with its NUL */

/* How one kind of setting is read and written: the part of its name before the first colon. */
struct setting_ops {
	const char *kind;
	/* The present value of a setting, without newline. 0 or -errno: ESRCH or ENOENT if what it
	 * belongs to (this very thread, this file) is gone. `name` is what follows the colon. */
	int (*read)(void *userdata, const char *name, char *value, size_t size);
	/* Changes it. 0, or -errno with the setting as it was, as far as the door can know. */
	int (*write)(void *userdata, const char *name, const char *value);
	/* Puts a former value back: 0, or 1 if the kernel refuses the very value and the nearest
	 * that has the same effect stands there now. NULL: as write. */
	int (*restore)(void *userdata, const char *name, const char *value);
	/* What read() gives now if it was `value` that was written last: CPU lists are cut by the
	 * CPUs that have left since. NULL: the value itself. */
	int (*expect)(void *userdata, const char *name, const char *value, char *seen, size_t size);
	/* The kernel takes a write over some time later, so that read() may give a former value for
	 * a moment: the prior value is written back also where it is read already. */
	bool lags;
	void *userdata;
	/* Changes it and `other`, the setting of the same name and another kind that
	 * ledger_set_both() is given with it, by one call: both, or none and -errno. NULL: one
	 * after the other. */
	int (*write_both)(void *userdata, const char *name, const char *value, const char *other);
};

struct ledger;	     /* the file and its entries */
struct ledger_entry; /* one setting; valid until it is restored or released */

struct ledger_tally {
	unsigned restored; /* put back */
	unsigned nearly;   /* put back as near as the kernel lets us: see setting_ops.restore */
	unsigned same;	   /* held the prior value already */
	unsigned theirs;   /* somebody else's value: left alone */
	unsigned gone;	   /* the thread or file has left */
	unsigned failed;   /* couldn't be put back: kept in the ledger */
	unsigned damaged;  /* lines that couldn't be used: the actuator's, from ledger_damaged() */
};

/* What is to be done with a setting that reads `current`. ours is what we wrote last and
 * ours_before what we wrote before that: a crash between the note and the write leaves the
 * latter. Both may be NULL. Pure. */
enum ledger_verdict {
	LEDGER_SAME,	/* it holds the prior value */
	LEDGER_RESTORE, /* it holds one of ours */
	LEDGER_THEIRS,	/* somebody else has changed it */
};
enum ledger_verdict ledger_judge(const char *current, const char *prior, const char *ours,
				 const char *ours_before);

/* Opens or makes the file `path`, whose directory exists. boot_id (topology_boot_id()) tells a file
 * of an earlier boot: that one is void. ops is a table of n_ops kinds that outlives the ledger.
 * Entries that an earlier run left are loaded, not yet restored. A torn last line is normal after a
 * crash and is dropped; lines damaged elsewhere are skipped and counted (ledger_damaged()).
 * -EBUSY if another process has it, -EBADMSG if it is no ledger of this version (it is left as it
 * is), -EFBIG beyond 256 MiB, -ENOMEM, or the errno of a call. */
int ledger_open(const char *path, const char *boot_id, const struct setting_ops *ops, size_t n_ops,
		struct ledger **ret);

/* The same face for a dry run: priors are read from the host, values are kept in memory, and
 * nothing is written to the host or to a file. */
int ledger_open_dry(const struct setting_ops *ops, size_t n_ops, struct ledger **ret);

/* Closes it. The file stays if entries are left that we changed, and is removed if none are.
 * Settings stay as they are. Returns NULL. */
struct ledger *ledger_close(struct ledger *ledger);

/* The entry of a setting, made if there is none yet; nothing is read or written. -EINVAL if no
 * kind of the table fits or the name has a line break, -ENAMETOOLONG, -ENOMEM. Settings of one
 * thread or file have one name: when a thread has moved to another cgroup its name is another, so
 * restore the entry of the old name first. */
int ledger_entry(struct ledger *ledger, const char *name, struct ledger_entry **ret);

/* Changes a setting. The first time: reads and notes what is there. 1 if it was written, 0 if
 * there was nothing to do (it stands at `value` by our hand, or stood there before we ever changed
 * it). -errno with the setting as it was:
 * -ENOSPC, -EFBIG, … the ledger's file can't be written; -ENOMEM; -ENAMETOOLONG for a value of
 * SETTING_VALUE_MAX or more; -ESTALE if an earlier call failed half-way and what stands there now
 * is somebody else's (then ledger_release() it); the door's own otherwise (fault_of() sorts it).
 * The kernel isn't asked whether it still holds our last value: ledger_verify() does that.
 * Allocates only if the value is longer than any before. */
int ledger_set(struct ledger *ledger, struct ledger_entry *entry, const char *value);

/* Changes two settings with one note, and by one call of the door where the first one's kind can do
 * that (setting_ops.write_both: then the second must be the other one that it means); else one
 * after the other. What need not be changed is left out. 1, 0 or -errno as ledger_set(); where they
 * are written one after the other the first may have been, and the same call goes on from there. A
 * crash at any point leaves each of them as it would be had it been set alone. */
struct ledger_change {
	struct ledger_entry *entry;
	const char *value;
};
int ledger_set_both(struct ledger *ledger, const struct ledger_change wanted[2]);

/* Reads the setting back: 1 if it holds what we wrote last (or we never changed it), 0 if somebody
 * else has changed it (the entry is kept: ledger_release() makes it theirs), or the door's -errno.
 */
int ledger_verify(struct ledger *ledger, struct ledger_entry *entry);

/* The same question with the answer in full. */
enum ledger_value {
	LEDGER_OURS,   /* what we wrote last */
	LEDGER_FORMER, /* what we wrote before that, or the prior value */
	LEDGER_OTHER,  /* somebody else's */
};
int ledger_look(struct ledger *ledger, struct ledger_entry *entry, enum ledger_value *ret);

/* Puts one setting back and forgets the entry. On a failure other than "gone", it is kept. */
void ledger_restore(struct ledger *ledger, struct ledger_entry *entry, struct ledger_tally *tally);

/* Puts everything back. What fails is tried once more after the others, since one setting can
 * stand in the way of another. Adds to *tally. */
void ledger_restore_all(struct ledger *ledger, struct ledger_tally *tally);

/* Forgets an entry and leaves the setting as it is: what it belonged to is gone, or somebody else
 * has made it theirs. */
void ledger_release(struct ledger *ledger, struct ledger_entry *entry);

/* What stood there before us, and what we wrote last: NULL if nothing yet. */
const char *ledger_prior(const struct ledger_entry *entry);
const char *ledger_ours(const struct ledger_entry *entry);
const char *ledger_name(const struct ledger_entry *entry);

size_t ledger_count(const struct ledger *ledger);

/* Entry number `index` of ledger_count(), in the order of the names; each restore or release moves
 * those behind it. */
struct ledger_entry *ledger_at(const struct ledger *ledger, size_t index);

/* Lines of the file that couldn't be used when it was opened, a torn last one not among them. */
size_t ledger_damaged(const struct ledger *ledger);
