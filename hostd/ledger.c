/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every setting of the host that we change goes through here, so that all of them can be put back.
 *
 * Each entry has at most three values in the file: what was there before us, and the last two that
 * were noted as ours. The rule that makes a crash harmless: the note comes before the write, and
 * the last two notes are always what stands there and what comes next. */
#include <string.h>

#include "common/fault.h"
#include "common/macro.h"
#include "hostd/ledger_private.h"

enum ledger_verdict ledger_judge(const char *current, const char *prior, const char *ours,
				 const char *ours_before)
{
	if (ours && strcmp(current, ours) == 0)
		return LEDGER_RESTORE;
	if (ours_before && strcmp(current, ours_before) == 0)
		return LEDGER_RESTORE;
	if (prior && strcmp(current, prior) == 0)
		return LEDGER_SAME;
	return LEDGER_THEIRS;
}

/* -- entries ---------------------------------------------------------------------------------- */

static struct ledger_entry *entry_free(struct ledger_entry *entry)
{
	if (!entry)
		return NULL;
	free(entry->prior.text);
	free(entry->ours.text);
	free(entry->before.text);
	free(entry->name);
	free(entry);
	return NULL;
}
DEFINE_CLEANUP(struct ledger_entry *, entry_free)

/* The index of a name, or where it would be. */
static bool find(const struct ledger *ledger, const char *name, size_t *ret_index)
{
	size_t low = 0, high = ledger->n_entries;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(ledger->entries[middle]->name, name);

		if (order == 0) {
			*ret_index = middle;
			return true;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_index = low;
	return false;
}

static const struct setting_ops *find_ops(const struct ledger *ledger, const char *name)
{
	for (size_t i = 0; i < ledger->n_ops; i++) {
		size_t length = strlen(ledger->ops[i].kind);

		if (strncmp(name, ledger->ops[i].kind, length) == 0 && name[length] == ':')
			return &ledger->ops[i];
	}
	return NULL;
}

static int reserve_entry(struct ledger *ledger)
{
	size_t size = ledger->entries_size ? 2 * ledger->entries_size : 64;
	struct ledger_entry **entries;

	if (ledger->n_entries < ledger->entries_size)
		return 0;
	entries = reallocarray(ledger->entries, size, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	ledger->entries = entries;
	ledger->entries_size = size;
	return 0;
}

int ledger_entry(struct ledger *ledger, const char *name, struct ledger_entry **ret)
{
	_cleanup_(entry_freep) struct ledger_entry *entry = NULL;
	const struct setting_ops *ops = find_ops(ledger, name);
	size_t index, length = strlen(name);

	if (length >= SETTING_NAME_MAX)
		return -ENAMETOOLONG;
	if (!ops || strchr(name, '\n'))
		return -EINVAL;
	if (find(ledger, name, &index)) {
		*ret = ledger->entries[index];
		return 0;
	}
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	entry->ops = ops;
	entry->name = malloc(length + 1);
	if (!entry->name || reserve_entry(ledger) < 0)
		return -ENOMEM;
	memcpy(entry->name, name, length + 1);
	memmove(ledger->entries + index + 1, ledger->entries + index,
		(ledger->n_entries - index) * sizeof(*ledger->entries));
	ledger->n_entries++;
	*ret = ledger->entries[index] = TAKE_PTR(entry);
	return 0;
}

static void remove_entry(struct ledger *ledger, struct ledger_entry *entry)
{
	size_t index;

	if (!find(ledger, entry->name, &index))
		return;
	ledger->n_entries--;
	memmove(ledger->entries + index, ledger->entries + index + 1,
		(ledger->n_entries - index) * sizeof(*ledger->entries));
	entry_free(entry);
}

/* -- changing --------------------------------------------------------------------------------- */

/* The value that comes after ours: *entry is as if it had been written last. The buffer that it
 * goes to has been reserved. */
static void push_ours(struct ledger_entry *entry, const char *value)
{
	if (value != entry->before.text)
		(void)slot_set(&entry->before, value);
	slot_swap(&entry->before, &entry->ours);
}

/* Notes what we are about to write, and the prior values of those that are changed for the first
 * time. On failure nothing has changed. */
static int note(struct ledger *ledger, const struct ledger_note *notes, size_t n_notes)
{
	int r = 0;

	for (size_t i = 0; i < n_notes && r >= 0; i++)
		r = slot_reserve(&notes[i].entry->before, strlen(notes[i].value));
	if (r >= 0)
		r = ledger->backend->note(ledger, notes, n_notes);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n_notes; i++)
		push_ours(notes[i].entry, notes[i].value);
	return 0;
}

/* Whether a setting that reads `current` may be one where we wrote the slot's value. */
static bool seen_as(struct ledger *ledger, const struct ledger_entry *entry,
		    const struct slot *slot, const char *current)
{
	const struct setting_ops *ops = entry->ops;

	if (!slot->set)
		return false;
	if (slot_is(slot, current))
		return true;
	return ops->expect &&
	       ops->expect(ops->userdata, ledger_short_name(entry), slot->text, ledger->seen,
			   sizeof(ledger->seen)) >= 0 &&
	       strcmp(ledger->seen, current) == 0;
}

/* The judgement over what is read now. A value of ours that is the prior one needs no restoring;
 * one that only looks the same at the moment, since CPUs have left, does. */
static enum ledger_verdict verdict_of(struct ledger *ledger, const struct ledger_entry *entry,
				      const char *current)
{
	const struct slot *slots[] = {&entry->ours, &entry->before};
	const char *mine[] = {NULL, NULL};

	for (size_t i = 0; i < ARRAY_SIZE(slots); i++)
		if (slots[i]->set && !slot_is(slots[i], entry->prior.text) &&
		    seen_as(ledger, entry, slots[i], current))
			mine[i] = current;
	return ledger_judge(current,
			    seen_as(ledger, entry, &entry->prior, current) ? current
									   : entry->prior.text,
			    mine[0], mine[1]);
}

/* Finds out which of the values stands there, and notes it as the last one, so that the last two
 * notes are always what stands there and what comes next. */
static int settle(struct ledger *ledger, struct ledger_entry *entry)
{
	int r = ledger->backend->read(entry, ledger->value, sizeof(ledger->value));

	if (r < 0)
		return r;
	if (!seen_as(ledger, entry, &entry->ours, ledger->value)) {
		const char *stands = entry->prior.text;

		if (verdict_of(ledger, entry, ledger->value) == LEDGER_THEIRS)
			return -ESTALE;
		if (seen_as(ledger, entry, &entry->before, ledger->value))
			stands = entry->before.text;
		r = note(ledger, &(struct ledger_note){entry, stands, false}, 1);
		if (r < 0)
			return r;
	}
	entry->uncertain = false;
	return 0;
}

/* Reads what is there before our first change: 1 if it is `value` already, and 0 with the entry's
 * prior set if not. */
static int read_prior(struct ledger *ledger, struct ledger_entry *entry, const char *value)
{
	int r = ledger->backend->read(entry, ledger->value, sizeof(ledger->value));

	if (r < 0)
		return r;
	if (strcmp(ledger->value, value) == 0)
		return 1;
	return slot_set(&entry->prior, ledger->value);
}

/* Makes ready to write: 1, or 0 if there is nothing to do. Until it is noted, unprepare() undoes
 * it. */
static int prepare(struct ledger *ledger, struct ledger_note *change)
{
	struct ledger_entry *entry = change->entry;
	int r;

	if (strlen(change->value) >= SETTING_VALUE_MAX)
		return -ENAMETOOLONG;
	if (!entry->prior.set) {
		r = read_prior(ledger, entry, change->value);
		if (r != 0)
			return r < 0 ? r : 0;
		change->first = true;
	} else if (entry->uncertain) {
		r = settle(ledger, entry);
		if (r < 0)
			return r;
	}
	return !slot_is(&entry->ours, change->value);
}

static void unprepare(struct ledger_note *change)
{
	if (change->first)
		change->entry->prior.set = false;
	change->first = false;
}

static int write_one(struct ledger *ledger, const struct ledger_note *change)
{
	int r = ledger->backend->write(change->entry, change->value);

	change->entry->uncertain = r < 0;
	return r;
}

static int write_both(struct ledger *ledger, const struct ledger_note changes[2])
{
	int r;

	if (!changes[0].entry->ops->write_both) {
		changes[1].entry->uncertain = true; /* until its turn has come */
		r = write_one(ledger, &changes[0]);
		return r < 0 ? r : write_one(ledger, &changes[1]);
	}
	r = ledger->backend->write_both(changes[0].entry, changes[0].value, changes[1].value);
	changes[0].entry->uncertain = changes[1].entry->uncertain = r < 0;
	return r;
}

/* Notes and writes what has been prepared. */
static int carry_out(struct ledger *ledger, struct ledger_note *changes, size_t n_changes)
{
	int r = note(ledger, changes, n_changes);

	if (r < 0) {
		for (size_t i = 0; i < n_changes; i++)
			unprepare(&changes[i]);
		return r;
	}
	r = n_changes == 2 ? write_both(ledger, changes) : write_one(ledger, &changes[0]);
	return r < 0 ? r : 1;
}

int ledger_set(struct ledger *ledger, struct ledger_entry *entry, const char *value)
{
	struct ledger_note change = {entry, value, false};
	int r = prepare(ledger, &change);

	return r <= 0 ? r : carry_out(ledger, &change, 1);
}

int ledger_set_both(struct ledger *ledger, const struct ledger_change wanted[2])
{
	struct ledger_note changes[2];
	size_t n = 0;

	for (size_t i = 0; i < 2; i++) {
		int r;

		changes[n] = (struct ledger_note){wanted[i].entry, wanted[i].value, false};
		r = prepare(ledger, &changes[n]);
		if (r < 0) {
			if (n > 0)
				unprepare(&changes[0]);
			return r;
		}
		n += r > 0;
	}
	return n > 0 ? carry_out(ledger, changes, n) : 0;
}

int ledger_look(struct ledger *ledger, struct ledger_entry *entry, enum ledger_value *ret)
{
	int r;

	*ret = LEDGER_OURS;
	if (!entry->ours.set)
		return 0;
	r = ledger->backend->read(entry, ledger->value, sizeof(ledger->value));
	if (r < 0)
		return r;
	if (seen_as(ledger, entry, &entry->ours, ledger->value))
		return 0;
	*ret = verdict_of(ledger, entry, ledger->value) == LEDGER_THEIRS ? LEDGER_OTHER
									 : LEDGER_FORMER;
	return 0;
}

int ledger_verify(struct ledger *ledger, struct ledger_entry *entry)
{
	enum ledger_value value;
	int r = ledger_look(ledger, entry, &value);

	if (r < 0)
		return r;
	return value == LEDGER_OURS || (value == LEDGER_FORMER && entry->uncertain);
}

/* -- putting back ----------------------------------------------------------------------------- */

void ledger_release(struct ledger *ledger, struct ledger_entry *entry)
{
	bool changed = entry->prior.set;

	/* Not in the entry any more when the file is written anew. */
	entry->prior.set = false;
	if (changed)
		ledger->backend->forget(ledger, entry);
	remove_entry(ledger, entry);
}

/* Puts one back, and says which number of the tally it adds to; NULL if there was nothing to do. */
static unsigned *put_back(struct ledger *ledger, struct ledger_entry *entry,
			  struct ledger_tally *tally)
{
	int r;

	if (!entry->prior.set)
		return NULL;
	r = ledger->backend->read(entry, ledger->value, sizeof(ledger->value));
	if (r < 0)
		return fault_of(r) == FAULT_GONE ? &tally->gone : &tally->failed;
	switch (verdict_of(ledger, entry, ledger->value)) {
	case LEDGER_SAME:
		if (!entry->ops->lags || slot_is(&entry->ours, entry->prior.text))
			return &tally->same;
		break;
	case LEDGER_THEIRS:
		return &tally->theirs;
	case LEDGER_RESTORE:
		break;
	}
	r = ledger->backend->restore(entry, entry->prior.text);
	if (r > 0)
		return &tally->nearly;
	if (r == 0)
		return &tally->restored;
	entry->uncertain = true;
	return fault_of(r) == FAULT_GONE ? &tally->gone : &tally->failed;
}

void ledger_restore(struct ledger *ledger, struct ledger_entry *entry, struct ledger_tally *tally)
{
	unsigned *count = put_back(ledger, entry, tally);

	if (count)
		(*count)++;
	if (count != &tally->failed)
		ledger_release(ledger, entry);
}

void ledger_restore_all(struct ledger *ledger, struct ledger_tally *tally)
{
	unsigned failed_before = tally->failed;

	for (int pass = 0; pass < 2; pass++) {
		tally->failed = failed_before;
		for (size_t i = ledger->n_entries; i-- > 0;)
			ledger_restore(ledger, ledger->entries[i], tally);
		if (tally->failed == failed_before)
			break;
	}
}

/* -- the file's view -------------------------------------------------------------------------- */

static int load_prior(struct ledger *ledger, const char *name, const char *value)
{
	struct ledger_entry *entry;
	int r = ledger_entry(ledger, name, &entry);

	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	entry->ours.set = entry->before.set = false;
	entry->uncertain = true;
	return slot_set(&entry->prior, value);
}

static int load_ours(struct ledger *ledger, const char *name, const char *value)
{
	struct ledger_entry *entry;
	size_t index;
	int r;

	if (!find(ledger, name, &index))
		return -EBADMSG;
	entry = ledger->entries[index];
	r = slot_reserve(&entry->before, strlen(value));
	if (r < 0)
		return r;
	push_ours(entry, value);
	return 0;
}

static int load_record(void *userdata, const char *verb, const char *name, const char *value)
{
	struct ledger *ledger = userdata;
	size_t index;

	if (strcmp(verb, "prior") == 0 && value)
		return load_prior(ledger, name, value);
	if (strcmp(verb, "ours") == 0 && value)
		return load_ours(ledger, name, value);
	if (strcmp(verb, "done") != 0 || value)
		return -EBADMSG;
	if (find(ledger, name, &index))
		remove_entry(ledger, ledger->entries[index]);
	return 0;
}

static void dump_records(void *userdata, struct ledger_file *file)
{
	const struct ledger *ledger = userdata;

	for (size_t i = 0; i < ledger->n_entries; i++) {
		const struct ledger_entry *entry = ledger->entries[i];

		if (!entry->prior.set)
			continue;
		ledger_file_add(file, "prior", entry->name, entry->prior.text);
		if (entry->before.set)
			ledger_file_add(file, "ours", entry->name, entry->before.text);
		if (entry->ours.set)
			ledger_file_add(file, "ours", entry->name, entry->ours.text);
	}
}

/* -- opening and closing ---------------------------------------------------------------------- */

/* Whether the next run has to know anything. */
static bool has_changed(const struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->n_entries; i++)
		if (ledger->entries[i]->prior.set)
			return true;
	return false;
}

struct ledger *ledger_close(struct ledger *ledger)
{
	if (!ledger)
		return NULL;
	if (ledger->file && !has_changed(ledger))
		ledger_file_remove(ledger->file);
	ledger_file_close(ledger->file);
	for (size_t i = 0; i < ledger->n_entries; i++)
		entry_free(ledger->entries[i]);
	free(ledger->entries);
	free(ledger);
	return NULL;
}

static struct ledger *ledger_new(const struct setting_ops *ops, size_t n_ops,
				 const struct ledger_backend *backend)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));

	if (!ledger)
		return NULL;
	ledger->ops = ops;
	ledger->n_ops = n_ops;
	ledger->backend = backend;
	return ledger;
}

int ledger_open(const char *path, const char *boot_id, const struct setting_ops *ops, size_t n_ops,
		struct ledger **ret)
{
	struct ledger *ledger = ledger_new(ops, n_ops, &ledger_backend_host);
	struct ledger_file_user user = {load_record, dump_records, ledger};
	int r;

	if (!ledger)
		return -ENOMEM;
	r = ledger_file_open(path, boot_id, &user, &ledger->file);
	if (r < 0) {
		ledger_close(ledger);
		return r;
	}
	*ret = ledger;
	return 0;
}

int ledger_open_dry(const struct setting_ops *ops, size_t n_ops, struct ledger **ret)
{
	struct ledger *ledger = ledger_new(ops, n_ops, &ledger_backend_dry);

	if (!ledger)
		return -ENOMEM;
	*ret = ledger;
	return 0;
}

const char *ledger_prior(const struct ledger_entry *entry)
{
	return slot_get(&entry->prior);
}

const char *ledger_ours(const struct ledger_entry *entry)
{
	return slot_get(&entry->ours);
}

const char *ledger_name(const struct ledger_entry *entry)
{
	return entry->name;
}

size_t ledger_count(const struct ledger *ledger)
{
	return ledger->n_entries;
}

struct ledger_entry *ledger_at(const struct ledger *ledger, size_t index)
{
	return index < ledger->n_entries ? ledger->entries[index] : NULL;
}

size_t ledger_damaged(const struct ledger *ledger)
{
	return ledger->file ? ledger_file_damaged(ledger->file) : 0;
}
