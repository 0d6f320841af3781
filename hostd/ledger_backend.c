/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The two kinds of ledger: one that changes the host, and one that only pretends. */
#include <string.h>

#include "common/macro.h"
#include "hostd/ledger_private.h"

const char *ledger_short_name(const struct ledger_entry *entry)
{
	return strchr(entry->name, ':') + 1;
}

static int host_read(const struct ledger_entry *entry, char *value, size_t size)
{
	return entry->ops->read(entry->ops->userdata, ledger_short_name(entry), value, size);
}

static int host_write(const struct ledger_entry *entry, const char *value)
{
	return entry->ops->write(entry->ops->userdata, ledger_short_name(entry), value);
}

static int host_write_both(const struct ledger_entry *first, const char *value, const char *other)
{
	return first->ops->write_both(first->ops->userdata, ledger_short_name(first), value, other);
}

static int host_restore(const struct ledger_entry *entry, const char *value)
{
	if (!entry->ops->restore)
		return host_write(entry, value);
	return entry->ops->restore(entry->ops->userdata, ledger_short_name(entry), value);
}

static int file_note(struct ledger *ledger, const struct ledger_note *notes, size_t n_notes)
{
	int r = ledger_file_begin(ledger->file);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n_notes; i++) {
		const struct ledger_entry *entry = notes[i].entry;

		if (notes[i].first)
			ledger_file_add(ledger->file, "prior", entry->name, entry->prior.text);
		ledger_file_add(ledger->file, "ours", entry->name, notes[i].value);
	}
	return ledger_file_commit(ledger->file);
}

static void file_forget(struct ledger *ledger, const struct ledger_entry *entry)
{
	if (ledger_file_begin(ledger->file) >= 0) {
		ledger_file_add(ledger->file, "done", entry->name, NULL);
		if (ledger_file_commit(ledger->file) >= 0)
			return;
	}
	ledger_file_spoil(ledger->file);
}

const struct ledger_backend ledger_backend_host = {
	.read = host_read,
	.write = host_write,
	.write_both = host_write_both,
	.restore = host_restore,
	.note = file_note,
	.forget = file_forget,
};

/* Reads what is there, and from our first change on what would be there. */
static int dry_read(const struct ledger_entry *entry, char *value, size_t size)
{
	int r = host_read(entry, value, size);

	if (r < 0 || !entry->ours.set)
		return r;
	if (strlen(entry->ours.text) >= size)
		return -ENOBUFS;
	strcpy(value, entry->ours.text);
	return 0;
}

static int dry_write(const struct ledger_entry *entry _unused_, const char *value _unused_)
{
	return 0;
}

static int dry_write_both(const struct ledger_entry *first _unused_, const char *value _unused_,
			  const char *other _unused_)
{
	return 0;
}

static int dry_note(struct ledger *ledger _unused_, const struct ledger_note *notes _unused_,
		    size_t n_notes _unused_)
{
	return 0;
}

static void dry_forget(struct ledger *ledger _unused_, const struct ledger_entry *entry _unused_)
{
}

const struct ledger_backend ledger_backend_dry = {
	.read = dry_read,
	.write = dry_write,
	.write_both = dry_write_both,
	.restore = dry_write,
	.note = dry_note,
	.forget = dry_forget,
};
