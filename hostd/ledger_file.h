/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file behind the ledger: records that are appended, read back after a crash, and written anew
 * when most of them are dead. It knows nothing of what they mean.
 *
 * Text, one record a line, each with a checksum of what stands before it:
 *
 *     vmfreq-ledger 1 BOOT_ID #SUM
 *     prior NAME =VALUE #SUM
 *     ours NAME =VALUE #SUM
 *     done NAME #SUM
 *
 * Spaces, '%' and what can't be printed are escaped as %XX. There is no fsync: the file is there
 * for a crash of ours, and after one of the host there is nothing left to put back. */
#pragma once

#include <stddef.h>

struct ledger_file;

/* Whose file it is. No function of the file may be called from `load`; from `dump` only
 * ledger_file_add(). */
struct ledger_file_user {
	/* A record was read. value is NULL if it has none. -EBADMSG if it can't be used (it is
	 * counted and skipped), another -errno to give up. */
	int (*load)(void *userdata, const char *verb, const char *name, const char *value);
	/* Adds all the records that are alive. */
	void (*dump)(void *userdata, struct ledger_file *file);
	void *userdata;
};

/* Opens, locks and reads the file. The errors are those of ledger_open(). */
int ledger_file_open(const char *path, const char *boot_id, const struct ledger_file_user *user,
		     struct ledger_file **ret);
struct ledger_file *ledger_file_close(struct ledger_file *file);

/* Removes the file, which is still to be closed. */
void ledger_file_remove(struct ledger_file *file);

/* Appends records: begin, then at most four adds, then commit, which writes them with one write(2).
 * begin and commit return 0 or -errno, with the file as it was. begin may write the file anew. No
 * allocation. */
int ledger_file_begin(struct ledger_file *file);
void ledger_file_add(struct ledger_file *file, const char *verb, const char *name,
		     const char *value);
int ledger_file_commit(struct ledger_file *file);

/* Says that the file holds something that should be gone: it is written anew as soon as that works.
 */
void ledger_file_spoil(struct ledger_file *file);

/* Lines that couldn't be used when it was opened, a torn last one not among them. */
size_t ledger_file_damaged(const struct ledger_file *file);
