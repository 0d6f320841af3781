/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of the ledger share: a host that is a table of settings in memory, and a ledger of
 * them in a file of its own. */
#pragma once

#include "tests/unit/test.h"

#include "hostd/ledger.h"

#define BOOT_ID "01234567-89ab-cdef-0123-456789abcdef"

#define SETTINGS 32

struct setting {
	char value[SETTING_VALUE_MAX];
	bool gone;
};

struct host {
	struct setting setting[SETTINGS];
	int read_error, write_error;
	bool write_anyway;   /* fail, but have written all the same */
	bool refuse_restore; /* put something near instead */
	const char *cut;     /* what expect() says instead of this value */
	unsigned reads, writes;
	unsigned both; /* of them, those of two at once */
	void (*before_write)(struct host *host, unsigned index, const char *value);
};

static char *dir, *path;
static struct host host;

static inline struct setting *setting_of(struct host *h, const char *name, unsigned *ret_index)
{
	unsigned index = 0;

	assert_int_equal(sscanf(name, "s%u", &index), 1);
	assert_in_range(index, 0, SETTINGS - 1);
	if (ret_index)
		*ret_index = index;
	return &h->setting[index];
}

static inline int fake_read(void *userdata, const char *name, char *value, size_t size)
{
	struct host *h = userdata;
	struct setting *setting = setting_of(h, name, NULL);

	h->reads++;
	if (h->read_error)
		return h->read_error;
	if (setting->gone)
		return -ESRCH;
	assert_true(strlen(setting->value) < size);
	strcpy(value, setting->value);
	return 0;
}

static inline int fake_write(void *userdata, const char *name, const char *value)
{
	struct host *h = userdata;
	unsigned index;
	struct setting *setting = setting_of(h, name, &index);

	if (h->before_write)
		h->before_write(h, index, value);
	h->writes++;
	if (setting->gone)
		return -ESRCH;
	if (!h->write_error || h->write_anyway)
		strcpy(setting->value, value);
	return h->write_error;
}

/* The other half of "pair:sN" is "half:sN": setting N and a half of all. */
#define HALF (SETTINGS / 2)

static inline void name_of_half(const char *name, char ret[16])
{
	unsigned index = 0;

	assert_int_equal(sscanf(name, "s%u", &index), 1);
	snprintf(ret, 16, "s%u", index + HALF);
}

static inline int fake_read_half(void *userdata, const char *name, char *value, size_t size)
{
	char half[16];

	name_of_half(name, half);
	return fake_read(userdata, half, value, size);
}

static inline int fake_write_half(void *userdata, const char *name, const char *value)
{
	char half[16];

	name_of_half(name, half);
	return fake_write(userdata, half, value);
}

static inline int fake_write_both(void *userdata, const char *name, const char *value,
				  const char *other)
{
	struct host *h = userdata;
	int r = fake_write(userdata, name, value);

	fake_write_half(userdata, name, other);
	h->writes--;
	h->both++;
	return r;
}

static inline int fake_restore(void *userdata, const char *name, const char *value)
{
	struct host *h = userdata;

	if (!h->refuse_restore)
		return fake_write(userdata, name, value);
	strcpy(setting_of(h, name, NULL)->value, "near");
	return 1;
}

static inline int fake_expect(void *userdata, const char *name _unused_, const char *value,
			      char *seen, size_t size)
{
	const struct host *h = userdata;

	snprintf(seen, size, "%s", h->cut && strcmp(h->cut, value) == 0 ? "cut" : value);
	return 0;
}

static const struct setting_ops fake_ops[] = {
	{"fake", fake_read, fake_write, NULL, NULL, .userdata = &host},
	{"list", fake_read, fake_write, fake_restore, fake_expect, .userdata = &host},
	{"late", fake_read, fake_write, .lags = true, .userdata = &host},
	{"pair", fake_read, fake_write, .userdata = &host, .write_both = fake_write_both},
	{"half", fake_read_half, fake_write_half, .userdata = &host},
};

/* Setting N holds N. */
static inline void reset_settings(struct host *h)
{
	for (unsigned i = 0; i < SETTINGS; i++)
		snprintf(h->setting[i].value, sizeof(h->setting[i].value), "%u", i);
}

/* The first that doesn't, or -1. */
static inline int changed_setting(const struct host *h)
{
	for (int i = 0; i < SETTINGS; i++) {
		char expect[8];

		snprintf(expect, sizeof(expect), "%d", i);
		if (strcmp(h->setting[i].value, expect) != 0)
			return i;
	}
	return -1;
}

static inline void open_at(const char *at, struct ledger **ret)
{
	assert_int_equal(ledger_open(at, BOOT_ID, fake_ops, ARRAY_SIZE(fake_ops), ret), 0);
}

static inline struct ledger *open_ledger(void)
{
	struct ledger *ledger = NULL;

	open_at(path, &ledger);
	return ledger;
}

static inline struct ledger_entry *entry_of(struct ledger *ledger, const char *name)
{
	struct ledger_entry *entry = NULL;

	assert_int_equal(ledger_entry(ledger, name, &entry), 0);
	return entry;
}

static inline int set(struct ledger *ledger, const char *name, const char *value)
{
	return ledger_set(ledger, entry_of(ledger, name), value);
}

static inline int set_both(struct ledger *ledger, const char *name, const char *value,
			   const char *other_name, const char *other)
{
	const struct ledger_change changes[] = {{entry_of(ledger, name), value},
						{entry_of(ledger, other_name), other}};

	return ledger_set_both(ledger, changes);
}

/* The bytes of the file, and their number. */
static inline size_t slurp(const char *from, char **ret)
{
	FILE *file = fopen(from, "re");
	size_t size;

	assert_non_null(file);
	*ret = calloc(1, 1 << 20);
	size = fread(*ret, 1, 1 << 20, file);
	fclose(file);
	return size;
}

static inline off_t file_size(void)
{
	struct stat st;

	return stat(path, &st) < 0 ? -1 : st.st_size;
}

/* As if we had been killed now: the file is as it is, and the lock is gone. */
static inline struct ledger *crash(struct ledger *ledger)
{
	_cleanup_free_ char *text = NULL;
	size_t size = slurp(path, &text);

	ledger_close(ledger);
	unlink(path);
	test_write_bytes(dir, "ledger", text, size);
	return open_ledger();
}

static inline int setup(void **state _unused_)
{
	dir = test_make_dir();
	assert_true(asprintf(&path, "%s/ledger", dir) > 0);
	host = (struct host){};
	reset_settings(&host);
	return 0;
}

static inline int teardown(void **state _unused_)
{
	test_remove_dir(dir);
	free(path);
	return 0;
}

#define LEDGER_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
