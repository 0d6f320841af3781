/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/ledger.c and ledger_file.c: whatever happens, what was there before comes back, and what
 * somebody else has set stays. The host is a table of settings in memory. */
#include "tests/unit/test.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>

#include "hostd/ledger.h"

#define BOOT_ID "01234567-89ab-cdef-0123-456789abcdef"

/* -- malloc that can fail (linked with --wrap) ------------------------------------------------ */

static long malloc_countdown = -1; /* the call that fails; -1: none */
static bool malloc_fails_on;	   /* and all those after it */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);

static bool malloc_fails(void)
{
	if (malloc_countdown < 0)
		return false;
	if (malloc_countdown > 0) {
		malloc_countdown--;
		return false;
	}
	if (!malloc_fails_on)
		malloc_countdown = -1;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return malloc_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return malloc_fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return malloc_fails() ? NULL : __real_realloc(p, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return malloc_fails() ? NULL : __real_reallocarray(p, n, size);
}

/* -- the host --------------------------------------------------------------------------------- */

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
	void (*before_write)(struct host *host, unsigned index, const char *value);
};

static char *dir, *path;
static struct host host;

static struct setting *setting_of(struct host *h, const char *name, unsigned *ret_index)
{
	unsigned index = 0;

	assert_int_equal(sscanf(name, "s%u", &index), 1);
	assert_in_range(index, 0, SETTINGS - 1);
	if (ret_index)
		*ret_index = index;
	return &h->setting[index];
}

static int fake_read(void *userdata, const char *name, char *value, size_t size)
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

static int fake_write(void *userdata, const char *name, const char *value)
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

static int fake_restore(void *userdata, const char *name, const char *value)
{
	struct host *h = userdata;

	if (!h->refuse_restore)
		return fake_write(userdata, name, value);
	strcpy(setting_of(h, name, NULL)->value, "near");
	return 1;
}

static int fake_expect(void *userdata, const char *name _unused_, const char *value, char *seen,
		       size_t size)
{
	const struct host *h = userdata;

	snprintf(seen, size, "%s", h->cut && strcmp(h->cut, value) == 0 ? "cut" : value);
	return 0;
}

static const struct setting_ops fake_ops[] = {
	{"fake", fake_read, fake_write, NULL, NULL, .userdata = &host},
	{"list", fake_read, fake_write, fake_restore, fake_expect, .userdata = &host},
	{"late", fake_read, fake_write, NULL, NULL, true, &host},
};

static void open_at(const char *at, struct ledger **ret)
{
	assert_int_equal(ledger_open(at, BOOT_ID, fake_ops, ARRAY_SIZE(fake_ops), ret), 0);
}

static struct ledger *open_ledger(void)
{
	struct ledger *ledger = NULL;

	open_at(path, &ledger);
	return ledger;
}

static struct ledger_entry *entry_of(struct ledger *ledger, const char *name)
{
	struct ledger_entry *entry = NULL;

	assert_int_equal(ledger_entry(ledger, name, &entry), 0);
	return entry;
}

static int set(struct ledger *ledger, const char *name, const char *value)
{
	return ledger_set(ledger, entry_of(ledger, name), value);
}

/* The bytes of the file, and their number. */
static size_t slurp(const char *from, char **ret)
{
	FILE *file = fopen(from, "re");
	size_t size;

	assert_non_null(file);
	*ret = calloc(1, 1 << 20);
	size = fread(*ret, 1, 1 << 20, file);
	fclose(file);
	return size;
}

/* As if we had been killed now: the file is as it is, and the lock is gone. */
static struct ledger *crash(struct ledger *ledger)
{
	_cleanup_free_ char *text = NULL;
	size_t size = slurp(path, &text);

	ledger_close(ledger);
	unlink(path);
	test_write_bytes(dir, "ledger", text, size);
	return open_ledger();
}

static int setup(void **state _unused_)
{
	dir = test_make_dir();
	assert_true(asprintf(&path, "%s/ledger", dir) > 0);
	host = (struct host){};
	for (unsigned i = 0; i < SETTINGS; i++)
		snprintf(host.setting[i].value, sizeof(host.setting[i].value), "%u", i);
	return 0;
}

static int teardown(void **state _unused_)
{
	test_remove_dir(dir);
	free(path);
	return 0;
}

/* -- decisions -------------------------------------------------------------------------------- */

static void test_judge(void **state _unused_)
{
	static const struct {
		const char *current, *prior, *ours, *before;
		enum ledger_verdict verdict;
	} rows[] = {
		{"0", "0", "512", NULL, LEDGER_SAME},
		{"512", "0", "512", NULL, LEDGER_RESTORE},
		{"300", "0", "512", "300", LEDGER_RESTORE},
		{"100", "0", "512", "300", LEDGER_THEIRS},
		{"0", "0", NULL, NULL, LEDGER_SAME},
		{"1", "0", NULL, NULL, LEDGER_THEIRS},
		{"", "", "0-3", NULL, LEDGER_SAME},
		{"", "0-3", "4", NULL, LEDGER_THEIRS},
		{"1", NULL, NULL, NULL, LEDGER_THEIRS},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		EXPECT(ledger_judge(rows[i].current, rows[i].prior, rows[i].ours, rows[i].before) ==
			       rows[i].verdict,
		       "row %zu", i);
}

/* -- setting ---------------------------------------------------------------------------------- */

static void test_set(void **state _unused_)
{
	struct ledger *ledger = open_ledger();
	struct ledger_entry *entry = entry_of(ledger, "fake:s1");

	assert_null(ledger_prior(entry));
	assert_null(ledger_ours(entry));
	assert_string_equal(ledger_name(entry), "fake:s1");
	/* It is there already: nothing is ours. */
	assert_int_equal(ledger_set(ledger, entry, "1"), 0);
	assert_null(ledger_prior(entry));
	assert_int_equal(host.writes, 0);

	assert_int_equal(ledger_set(ledger, entry, "512"), 1);
	assert_string_equal(host.setting[1].value, "512");
	assert_string_equal(ledger_prior(entry), "1");
	assert_string_equal(ledger_ours(entry), "512");
	host.reads = 0;
	assert_int_equal(ledger_set(ledger, entry, "512"), 0);
	assert_int_equal(ledger_set(ledger, entry, "a much longer value than before"), 1);
	assert_int_equal(ledger_set(ledger, entry, "1"), 1);
	assert_int_equal(host.reads, 0);
	assert_int_equal(host.writes, 3);
	assert_string_equal(ledger_prior(entry), "1");
	assert_ptr_equal(entry_of(ledger, "fake:s1"), entry);
	assert_int_equal(ledger_count(ledger), 1);
	ledger_close(ledger);
}

static void test_names(void **state _unused_)
{
	struct ledger *ledger = open_ledger();
	struct ledger_entry *entry;
	char longest[SETTING_NAME_MAX + 1];

	assert_int_equal(ledger_entry(ledger, "none:s1", &entry), -EINVAL);
	assert_int_equal(ledger_entry(ledger, "fake", &entry), -EINVAL);
	assert_int_equal(ledger_entry(ledger, "", &entry), -EINVAL);
	assert_int_equal(ledger_entry(ledger, "fake:s1\n", &entry), -EINVAL);
	memset(longest, 'x', sizeof(longest));
	memcpy(longest, "fake:s3 ", 8);
	longest[SETTING_NAME_MAX] = '\0';
	assert_int_equal(ledger_entry(ledger, longest, &entry), -ENAMETOOLONG);
	longest[SETTING_NAME_MAX - 1] = '\0';
	assert_int_equal(set(ledger, longest, "9"), 1);
	assert_int_equal(set(ledger, "fake:s2 %41\\x2d\t\xc3\xa9", "a\nb % c\x7f"), 1);
	memset(longest, 'y', sizeof(longest));
	assert_int_equal(set(ledger, "list:s4", ""), 1);
	assert_int_equal(set(ledger, "list:s4", "x"), 1);

	/* The order is that of the names. */
	assert_string_equal(ledger_name(ledger_at(ledger, 0)), "fake:s2 %41\\x2d\t\xc3\xa9");
	assert_string_equal(ledger_name(ledger_at(ledger, 2)), "list:s4");
	assert_null(ledger_at(ledger, 3));
	ledger = crash(ledger);
	assert_int_equal(ledger_damaged(ledger), 0);
	assert_int_equal(ledger_count(ledger), 3);
	entry = entry_of(ledger, "fake:s2 %41\\x2d\t\xc3\xa9");
	assert_string_equal(ledger_ours(entry), "a\nb % c\x7f");
	assert_string_equal(ledger_prior(entry), "2");
	ledger_close(ledger);
}

static void test_long_values(void **state _unused_)
{
	struct ledger *ledger = open_ledger();
	_cleanup_free_ char *value = calloc(1, SETTING_VALUE_MAX + 1);
	struct ledger_tally tally = {};

	memset(value, '\x01', SETTING_VALUE_MAX);
	assert_int_equal(set(ledger, "fake:s1", value), -ENAMETOOLONG);
	value[SETTING_VALUE_MAX - 1] = '\0';
	assert_int_equal(set(ledger, "fake:s1", value), 1);
	value[SETTING_VALUE_MAX - 2] = '\0';
	assert_int_equal(set(ledger, "fake:s1", value), 1);
	ledger = crash(ledger);
	assert_int_equal(ledger_damaged(ledger), 0);
	ledger_restore_all(ledger, &tally);
	assert_int_equal(tally.restored, 1);
	assert_string_equal(host.setting[1].value, "1");
	ledger_close(ledger);
}

/* After each failure the setting and the ledger are as they were, and the next try works. */
static void test_set_fails(void **state _unused_)
{
	static const int errors[] = {-EINTR,  -EAGAIN, -ESRCH, -EPERM, -EBUSY,
				     -ENODEV, -EINVAL, -EIO,   -ENOSPC};

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		struct ledger *ledger = open_ledger();
		struct ledger_entry *entry = entry_of(ledger, "fake:s1");
		struct ledger_tally tally = {};

		host.read_error = errors[i];
		assert_int_equal(ledger_set(ledger, entry, "5"), errors[i]);
		assert_null(ledger_prior(entry));
		host.read_error = 0;
		host.write_error = errors[i];
		assert_int_equal(ledger_set(ledger, entry, "5"), errors[i]);
		assert_int_equal(ledger_set(ledger, entry, "6"), errors[i]);
		host.write_error = 0;
		assert_int_equal(ledger_set(ledger, entry, "7"), 1);
		host.write_error = errors[i];
		assert_int_equal(ledger_set(ledger, entry, "8"), errors[i]);
		assert_int_equal(ledger_set(ledger, entry, "9"), errors[i]);
		assert_string_equal(host.setting[1].value, "7");
		/* What stands there isn't known for certain now, so it is asked. */
		host.read_error = -EIO;
		assert_int_equal(ledger_set(ledger, entry, "7"), -EIO);
		host.read_error = host.write_error = 0;
		assert_int_equal(ledger_set(ledger, entry, "7"), 0);
		ledger_restore_all(ledger, &tally);
		assert_int_equal(tally.restored, 1);
		assert_string_equal(host.setting[1].value, "1");
		ledger_close(ledger);
	}
}

/* A write that fails half-way may have been made. */
static void test_set_uncertain(void **state _unused_)
{
	struct ledger *ledger = open_ledger();
	struct ledger_entry *entry = entry_of(ledger, "fake:s1");

	host.write_error = -EIO;
	host.write_anyway = true;
	assert_int_equal(ledger_set(ledger, entry, "5"), -EIO);
	assert_string_equal(host.setting[1].value, "5");
	assert_int_equal(ledger_verify(ledger, entry), 1);
	host.write_error = 0;
	assert_int_equal(ledger_set(ledger, entry, "5"), 0);
	host.write_error = -EIO;
	assert_int_equal(ledger_set(ledger, entry, "6"), -EIO);
	/* Somebody else in between. */
	strcpy(host.setting[1].value, "99");
	assert_int_equal(ledger_verify(ledger, entry), 0);
	host.write_error = 0;
	assert_int_equal(ledger_set(ledger, entry, "7"), -ESTALE);
	assert_string_equal(host.setting[1].value, "99");
	ledger_release(ledger, entry);
	assert_int_equal(ledger_count(ledger), 0);
	/* From now on theirs is the prior one. */
	assert_int_equal(set(ledger, "fake:s1", "7"), 1);
	assert_string_equal(ledger_prior(entry_of(ledger, "fake:s1")), "99");
	ledger_close(ledger);
}

static void test_verify(void **state _unused_)
{
	struct ledger *ledger = open_ledger();
	struct ledger_entry *entry = entry_of(ledger, "list:s1");

	assert_int_equal(ledger_verify(ledger, entry), 1);
	assert_int_equal(ledger_set(ledger, entry, "2-3"), 1);
	assert_int_equal(ledger_verify(ledger, entry), 1);
	host.read_error = -EIO;
	assert_int_equal(ledger_verify(ledger, entry), -EIO);
	host.read_error = 0;
	strcpy(host.setting[1].value, "cut");
	assert_int_equal(ledger_verify(ledger, entry), 0);
	host.cut = "2-3"; /* CPU 3 has left */
	assert_int_equal(ledger_verify(ledger, entry), 1);
	ledger_close(ledger);
}

static void test_look(void **state _unused_)
{
	static const struct {
		const char *stands;
		enum ledger_value value;
	} rows[] = {{"second", LEDGER_OURS}, {"first", LEDGER_FORMER}, {"1", LEDGER_FORMER},
		    {"theirs", LEDGER_OTHER}};
	struct ledger *ledger = open_ledger();
	struct ledger_entry *entry = entry_of(ledger, "fake:s1");
	enum ledger_value value;

	assert_int_equal(ledger_look(ledger, entry, &value), 0);
	assert_int_equal(value, LEDGER_OURS); /* nothing of ours: nothing to lose */
	assert_int_equal(ledger_set(ledger, entry, "first"), 1);
	assert_int_equal(ledger_set(ledger, entry, "second"), 1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		strcpy(host.setting[1].value, rows[i].stands);
		assert_int_equal(ledger_look(ledger, entry, &value), 0);
		EXPECT(value == rows[i].value, "row %zu", i);
	}
	host.setting[1].gone = true;
	assert_true(ledger_look(ledger, entry, &value) < 0);
	ledger_close(ledger);
}

/* -- putting back ----------------------------------------------------------------------------- */

static void test_restore(void **state _unused_)
{
	struct ledger *ledger = open_ledger();
	struct ledger_tally tally = {};

	for (unsigned i = 1; i <= 6; i++) {
		char name[16];

		snprintf(name, sizeof(name), "list:s%u", i);
		assert_int_equal(set(ledger, name, "ours"), 1);
	}
	entry_of(ledger, "list:s7"); /* never changed */
	strcpy(host.setting[2].value, "theirs");
	strcpy(host.setting[3].value, "3"); /* somebody put it back */
	host.setting[4].gone = true;
	host.cut = "ours";
	strcpy(host.setting[5].value, "cut");		  /* ours, as the kernel shows it */
	assert_int_equal(set(ledger, "list:s6", "6"), 1); /* we went back by ourselves */
	host.writes = 0;
	ledger_restore_all(ledger, &tally);
	assert_int_equal(tally.restored, 2);
	assert_int_equal(tally.theirs, 1);
	assert_int_equal(tally.same, 2);
	assert_int_equal(tally.gone, 1);
	assert_int_equal(tally.failed, 0);
	assert_int_equal(host.writes, 2);
	assert_string_equal(host.setting[1].value, "1");
	assert_string_equal(host.setting[2].value, "theirs");
	assert_string_equal(host.setting[5].value, "5");
	assert_int_equal(ledger_count(ledger), 0);

	/* Twice is harmless. */
	tally = (struct ledger_tally){};
	ledger_restore_all(ledger, &tally);
	assert_int_equal(tally.restored + tally.same + tally.theirs + tally.gone, 0);
	ledger_close(ledger);
	assert_int_equal(access(path, F_OK), -1);
}

/* Our last value may be on its way still when the prior one is read: write that once more. */
static void test_restore_late(void **state _unused_)
{
	struct ledger *ledger = open_ledger();
	struct ledger_tally tally = {};

	assert_int_equal(set(ledger, "late:s1", "ours"), 1);
	strcpy(host.setting[1].value, "1");
	assert_int_equal(set(ledger, "late:s2", "ours"), 1);
	assert_int_equal(set(ledger, "late:s2", "2"), 1); /* nothing of ours is on its way */
	assert_int_equal(set(ledger, "late:s3", "ours"), 1);
	strcpy(host.setting[3].value, "theirs");
	host.writes = 0;
	ledger_restore_all(ledger, &tally);
	assert_int_equal(tally.restored, 1);
	assert_int_equal(tally.same, 1);
	assert_int_equal(tally.theirs, 1);
	assert_int_equal(host.writes, 1);
	ledger_close(ledger);
}

static void test_restore_fails(void **state _unused_)
{
	struct ledger *ledger = open_ledger();
	struct ledger_tally tally = {};

	assert_int_equal(set(ledger, "fake:s1", "5"), 1);
	assert_int_equal(set(ledger, "fake:s2", "5"), 1);
	host.write_error = -EPERM;
	ledger_restore_all(ledger, &tally);
	assert_int_equal(tally.failed, 2);
	assert_int_equal(ledger_count(ledger), 2);
	ledger_close(ledger);
	assert_int_equal(access(path, F_OK), 0);

	host.write_error = 0;
	ledger = open_ledger();
	tally = (struct ledger_tally){};
	host.read_error = -EIO;
	ledger_restore(ledger, entry_of(ledger, "fake:s1"), &tally);
	assert_int_equal(tally.failed, 1);
	host.read_error = 0;
	tally = (struct ledger_tally){};
	ledger_restore_all(ledger, &tally);
	assert_int_equal(tally.restored, 2);
	assert_int_equal(tally.failed, 0);
	ledger_close(ledger);
}

static void test_restore_nearly(void **state _unused_)
{
	struct ledger *ledger = open_ledger();
	struct ledger_tally tally = {};

	assert_int_equal(set(ledger, "list:s1", "5"), 1);
	host.refuse_restore = true;
	ledger_restore_all(ledger, &tally);
	assert_int_equal(tally.nearly, 1);
	assert_int_equal(ledger_count(ledger), 0);
	ledger_close(ledger);
}

/* A setting that fails first and works once the others are back. */
static void block_first(struct host *h, unsigned index, const char *value _unused_)
{
	h->write_error = index == 2 && strcmp(h->setting[1].value, "1") != 0 ? -EBUSY : 0;
}

static void test_restore_twice(void **state _unused_)
{
	struct ledger *ledger = open_ledger();
	struct ledger_tally tally = {};

	assert_int_equal(set(ledger, "fake:s1", "5"), 1);
	assert_int_equal(set(ledger, "fake:s2", "5"), 1);
	host.before_write = block_first;
	ledger_restore_all(ledger, &tally);
	assert_int_equal(tally.restored, 2);
	assert_int_equal(tally.failed, 0);
	ledger_close(ledger);
}

/* A list that only looks like the prior one, since CPUs have left, is still ours. */
static void test_restore_looks_same(void **state _unused_)
{
	struct ledger *ledger = open_ledger();
	struct ledger_tally tally = {};

	strcpy(host.setting[1].value, "cut");
	assert_int_equal(set(ledger, "list:s1", "2-3"), 1);
	host.cut = "2-3";
	strcpy(host.setting[1].value, "cut");
	host.writes = 0;
	ledger_restore_all(ledger, &tally);
	assert_int_equal(tally.restored, 1);
	assert_int_equal(host.writes, 1);

	/* And the prior list, cut, is the prior one. */
	host.cut = NULL;
	strcpy(host.setting[2].value, "0-3");
	assert_int_equal(set(ledger, "list:s2", "2"), 1);
	host.cut = "0-3";
	strcpy(host.setting[2].value, "cut");
	tally = (struct ledger_tally){};
	ledger_restore_all(ledger, &tally);
	assert_int_equal(tally.same, 1);
	ledger_close(ledger);
}

static void test_dry(void **state _unused_)
{
	struct ledger *ledger = NULL;
	struct ledger_tally tally = {};
	struct ledger_entry *entry;

	assert_int_equal(ledger_open_dry(fake_ops, ARRAY_SIZE(fake_ops), &ledger), 0);
	entry = entry_of(ledger, "fake:s1");
	assert_int_equal(ledger_set(ledger, entry, "512"), 1);
	assert_int_equal(ledger_set(ledger, entry, "512"), 0);
	assert_string_equal(ledger_prior(entry), "1");
	assert_string_equal(ledger_ours(entry), "512");
	assert_int_equal(ledger_verify(ledger, entry), 1);
	host.setting[2].gone = true;
	assert_int_equal(set(ledger, "fake:s2", "512"), -ESRCH);
	ledger_restore_all(ledger, &tally);
	assert_int_equal(tally.restored, 1);
	assert_int_equal(ledger_damaged(ledger), 0);
	ledger_close(ledger);
	assert_int_equal(host.writes, 0);
	assert_string_equal(host.setting[1].value, "1");
	assert_int_equal(access(path, F_OK), -1);
}

/* -- crashes ---------------------------------------------------------------------------------- */

/* All that was written to the host, and how long the file was then. */
static struct event {
	unsigned index;
	char value[32];
	size_t bytes;
} events[256];
static size_t n_events;

static void record_event(struct host *h _unused_, unsigned index, const char *value)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_true(n_events < ARRAY_SIZE(events));
	events[n_events].index = index;
	snprintf(events[n_events].value, sizeof(events[n_events].value), "%s", value);
	events[n_events++].bytes = (size_t)st.st_size;
}

static void play_scenario(struct ledger *ledger)
{
	struct ledger_tally tally = {};

	assert_int_equal(set(ledger, "fake:s1", "100"), 1);
	assert_int_equal(set(ledger, "fake:s1", "200"), 1);
	assert_int_equal(set(ledger, "list:s2", "0-3"), 1);
	assert_int_equal(set(ledger, "fake:s1", "1"), 1);
	host.write_error = -EAGAIN;
	assert_int_equal(set(ledger, "fake:s1", "300"), -EAGAIN);
	assert_int_equal(set(ledger, "fake:s3", "300"), -EAGAIN);
	host.write_error = 0;
	n_events -= 2;
	assert_int_equal(set(ledger, "fake:s3", "300"), 1);
	assert_int_equal(set(ledger, "fake:s1", "400"), 1);
	ledger_restore(ledger, entry_of(ledger, "list:s2"), &tally);
	assert_int_equal(set(ledger, "list:s2", "2-3"), 1);
	assert_int_equal(set(ledger, "fake:s1", "500"), 1);
	ledger_restore(ledger, entry_of(ledger, "fake:s1"), &tally);
	assert_int_equal(set(ledger, "fake:s4", ""), 1);
	assert_int_equal(tally.restored, 2);
}

/* Restarts with the first `bytes` of the file after n of the events: all has to come back. */
static void check_crash(const char *text, size_t bytes, size_t n)
{
	struct ledger *ledger;
	struct ledger_tally tally = {};

	for (unsigned i = 0; i < SETTINGS; i++)
		snprintf(host.setting[i].value, sizeof(host.setting[i].value), "%u", i);
	for (size_t i = 0; i < n; i++)
		strcpy(host.setting[events[i].index].value, events[i].value);
	test_write_bytes(dir, "ledger", text, bytes);
	ledger = open_ledger();
	assert_int_equal(ledger_damaged(ledger), 0);
	ledger_restore_all(ledger, &tally);
	EXPECT(tally.theirs == 0 && tally.failed == 0, "%zu bytes, %zu events", bytes, n);
	for (unsigned i = 0; i < SETTINGS; i++) {
		char expect[8];

		snprintf(expect, sizeof(expect), "%u", i);
		EXPECT(strcmp(host.setting[i].value, expect) == 0,
		       "%zu bytes, %zu events: setting %u is %s", bytes, n, i,
		       host.setting[i].value);
	}
	ledger_close(ledger);
}

/* The file is cut after each of its bytes. Writes to the host come after what the file held then,
 * so with n bytes all of those before have been made, and those at n may have been. */
static void test_crash_at_each_byte(void **state _unused_)
{
	_cleanup_free_ char *text = NULL;
	struct ledger *ledger = open_ledger();
	size_t size;

	n_events = 0;
	host.before_write = record_event;
	play_scenario(ledger);
	host.before_write = NULL;
	size = slurp(path, &text);
	ledger_close(ledger);
	unlink(path);
	for (size_t bytes = 0; bytes <= size; bytes++) {
		size_t n = 0;

		while (n < n_events && events[n].bytes < bytes)
			n++;
		check_crash(text, bytes, n);
		while (n < n_events && events[n].bytes == bytes)
			check_crash(text, bytes, ++n);
	}
}

/* What a restart would make of a copy of the file and of the host, at this very moment. */
static void check_now(struct host *h)
{
	static bool busy;
	struct host saved = *h;
	char copy[4096];
	struct ledger *ledger;
	struct ledger_tally tally = {};
	_cleanup_free_ char *text = NULL;
	size_t size;

	if (busy)
		return;
	busy = true;
	size = slurp(path, &text);
	test_write_bytes(dir, "copy", text, size);
	snprintf(copy, sizeof(copy), "%s/copy", dir);
	h->before_write = NULL;
	h->write_error = h->read_error = 0;
	open_at(copy, &ledger);
	assert_int_equal(ledger_damaged(ledger), 0);
	ledger_restore_all(ledger, &tally);
	ledger_close(ledger);
	for (unsigned i = 0; i < SETTINGS; i++) {
		char expect[8];

		snprintf(expect, sizeof(expect), "%u", i);
		EXPECT(strcmp(h->setting[i].value, expect) == 0, "setting %u is %s", i,
		       h->setting[i].value);
	}
	*h = saved;
	busy = false;
}

static void check_before_write(struct host *h, unsigned index _unused_, const char *value _unused_)
{
	if (h->writes % 16 == 0)
		check_now(h);
}

static void random_step(struct ledger *ledger, uint64_t *seed)
{
	char name[16], value[32];
	struct ledger_tally tally = {};
	uint32_t dice = test_random(seed) % 100;

	snprintf(name, sizeof(name), "%s:s%u", dice & 1 ? "fake" : "list",
		 test_random(seed) % (SETTINGS / 2) * 2 + (dice & 1));
	snprintf(value, sizeof(value), "%u", test_random(seed) % 8 + 100);
	host.write_error = dice < 10 ? -EIO : 0;
	host.write_anyway = dice < 5;
	if (dice >= 90)
		ledger_restore(ledger, entry_of(ledger, name), &tally);
	else
		(void)set(ledger, name, value);
	host.write_error = 0;
}

/* Random changes, failures with and without effect, and restarts, over many compactions of the
 * file. At each 16th write, before and after it, a crash has to be harmless. */
static void test_random_crashes(void **state _unused_)
{
	uint64_t seed = 20261122;
	struct ledger *ledger = open_ledger();

	host.before_write = check_before_write;
	for (unsigned i = 0; i < 20000; i++) {
		random_step(ledger, &seed);
		if (i % 97 == 0)
			check_now(&host);
		if (i % 1009 == 0)
			ledger = crash(ledger);
	}
	host.before_write = NULL;
	ledger_close(ledger);
}

/* -- the file --------------------------------------------------------------------------------- */

static off_t file_size(void)
{
	struct stat st;

	return stat(path, &st) < 0 ? -1 : st.st_size;
}

static void test_compaction(void **state _unused_)
{
	struct ledger *ledger = open_ledger();
	struct ledger_tally tally = {};
	off_t most = 0;

	for (unsigned i = 0; i < 20000; i++) {
		char value[16];

		snprintf(value, sizeof(value), "%u", i + 100);
		assert_int_equal(set(ledger, i & 1 ? "fake:s1" : "fake:s2", value), 1);
		most = MAX(most, file_size());
	}
	assert_in_range(most, 65536, 65536 + 200);
	ledger = crash(ledger);
	assert_string_equal(ledger_ours(entry_of(ledger, "fake:s1")), "20099");
	ledger_restore_all(ledger, &tally);
	assert_int_equal(tally.restored, 2);
	ledger_close(ledger);
	assert_int_equal(file_size(), -1);
}

static void test_locked(void **state _unused_)
{
	struct ledger *ledger = open_ledger(), *other;

	for (unsigned i = 0; i < 4000; i++) {
		assert_int_equal(set(ledger, "fake:s1", i & 1 ? "a" : "b"), 1);
		if (i % 100 == 0)
			assert_int_equal(ledger_open(path, BOOT_ID, fake_ops, 1, &other), -EBUSY);
	}
	ledger_close(ledger);
	ledger_close(open_ledger());
}

/* Files that are something else are left as they are. */
static void test_not_ours(void **state _unused_)
{
	static const char *const texts[] = {"[Unit]\n",
					    "vmfreq-ledger 2 x #00000000\n",
					    "x",
					    "vmfreq-ledger 1 y #00000000\n",
					    "vmfreq-ledger 1\n",
					    "\n"};
	_cleanup_free_ char *link = NULL;
	struct ledger *ledger;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		int r;

		test_write(dir, "ledger", texts[i]);
		r = ledger_open(path, BOOT_ID, fake_ops, 1, &ledger);
		EXPECT(r == -EBADMSG, "row %zu gave %d", i, r);
		test_assert_file(dir, "ledger", texts[i]);
	}
	assert_true(asprintf(&link, "%s/link", dir) > 0);
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(ledger_open(link, BOOT_ID, fake_ops, 1, &ledger), -ELOOP);
	assert_int_equal(ledger_open(dir, BOOT_ID, fake_ops, 1, &ledger), -EISDIR);
	assert_int_equal(truncate(path, 257L << 20), 0);
	assert_int_equal(ledger_open(path, BOOT_ID, fake_ops, 1, &ledger), -EFBIG);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(ledger_open(path, BOOT_ID, fake_ops, 1, &ledger), -EBADMSG);
	unlink(path);
	assert_int_equal(ledger_open(path,
				     "a boot id of more than the sixty-three characters that we "
				     "have room for",
				     fake_ops, 1, &ledger),
			 -EINVAL);
	assert_int_equal(ledger_open("/nowhere/at/all", BOOT_ID, fake_ops, 1, &ledger), -ENOENT);
}

/* What another boot has left says nothing of this one. */
static void test_other_boot(void **state _unused_)
{
	struct ledger *ledger = NULL;

	assert_int_equal(ledger_open(path, "another", fake_ops, 1, &ledger), 0);
	assert_int_equal(set(ledger, "fake:s1", "5"), 1);
	ledger_close(ledger);
	ledger = open_ledger();
	assert_int_equal(ledger_count(ledger), 0);
	assert_int_equal(set(ledger, "fake:s1", "6"), 1);
	ledger = crash(ledger);
	assert_string_equal(ledger_prior(entry_of(ledger, "fake:s1")), "5");
	ledger_close(ledger);
}

/* A bit flips. What stood on that line (or on two, if it was the newline between them) is lost and
 * counted; nothing but a prior value is ever written. */
static void test_damage(void **state _unused_)
{
	_cleanup_free_ char *text = NULL;
	struct ledger *ledger = open_ledger();
	size_t size, header, lost = 0;

	assert_int_equal(set(ledger, "fake:s1", "5"), 1);
	assert_int_equal(set(ledger, "fake:s2", "5"), 1);
	assert_int_equal(set(ledger, "fake:s3", "5"), 1);
	size = slurp(path, &text);
	ledger_close(ledger);
	header = (size_t)(strchr(text, '\n') - text) + 1;
	for (size_t i = header; i < size; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			struct ledger_tally tally = {};

			text[i] ^= (char)(1 << bit);
			test_write_bytes(dir, "ledger", text, size);
			text[i] ^= (char)(1 << bit);
			for (unsigned k = 1; k <= 3; k++)
				strcpy(host.setting[k].value, "5");
			ledger = open_ledger();
			lost += ledger_damaged(ledger) > 0;
			ledger_restore_all(ledger, &tally);
			ledger_close(ledger);
			EXPECT(tally.restored >= 1, "byte %zu bit %u", i, bit);
			for (unsigned k = 1; k <= 3; k++)
				EXPECT(strcmp(host.setting[k].value, "5") == 0 ||
					       atoi(host.setting[k].value) == (int)k,
				       "byte %zu bit %u", i, bit);
		}
	assert_true(lost > (size - header) * 8 / 2);
}

/* A kind that this version doesn't have, a note without a prior value, an unknown word. */
static void test_strange_records(void **state _unused_)
{
	static const struct setting_ops old_ops[] = {
		{"fake", fake_read, fake_write, NULL, NULL, .userdata = &host},
		{"old", fake_read, fake_write, NULL, NULL, .userdata = &host},
	};
	struct ledger *ledger = NULL;

	assert_int_equal(ledger_open(path, BOOT_ID, old_ops, 2, &ledger), 0);
	assert_int_equal(set(ledger, "old:s1", "5"), 1);
	assert_int_equal(set(ledger, "fake:s2", "5"), 1);
	ledger_close(ledger);
	ledger = open_ledger();
	assert_int_equal(ledger_damaged(ledger), 2);
	assert_int_equal(ledger_count(ledger), 1);
	ledger_close(ledger);
}

/* -- no room ---------------------------------------------------------------------------------- */

static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* However many bytes still fit: nothing is changed, and the file stays as it was. */
static void test_disk_full(void **state _unused_)
{
	struct ledger *ledger;
	struct ledger_tally tally = {};
	off_t size;

	signal(SIGXFSZ, SIG_IGN);
	limit_files(10);
	ledger = open_ledger();
	assert_true(set(ledger, "fake:s1", "5") < 0);
	assert_int_equal(host.writes, 0);
	limit_files(RLIM_INFINITY);
	assert_int_equal(set(ledger, "fake:s1", "5"), 1);
	size = file_size();
	for (rlim_t room = 0; room < 60; room++) {
		bool fits;

		limit_files((rlim_t)size + room);
		fits = set(ledger, "fake:s2", "5") == 1;
		limit_files(RLIM_INFINITY);
		if (fits)
			break;
		EXPECT(file_size() == size, "with room for %lu", (unsigned long)room);
		assert_string_equal(host.setting[2].value, "2");
		assert_null(ledger_prior(entry_of(ledger, "fake:s2")));
		assert_int_not_equal(room, 59);
	}
	/* The "done" doesn't fit: the entry is gone for us, and from the file as soon as it can. */
	limit_files((rlim_t)file_size());
	ledger_restore(ledger, entry_of(ledger, "fake:s2"), &tally);
	limit_files(RLIM_INFINITY);
	assert_int_equal(tally.restored, 1);
	assert_int_equal(set(ledger, "fake:s1", "6"), 1);
	ledger = crash(ledger);
	assert_int_equal(ledger_count(ledger), 1);
	ledger_restore(ledger, entry_of(ledger, "fake:s1"), &tally);
	assert_int_equal(tally.restored, 2);
	ledger_close(ledger);
}

/* The file can't be written anew: it goes on growing, and nothing else happens. */
static void test_no_compaction(void **state _unused_)
{
	_cleanup_free_ char *obstacle = NULL;
	struct ledger *ledger = open_ledger();

	assert_true(asprintf(&obstacle, "%s.new", path) > 0);
	assert_int_equal(mkdir(obstacle, 0700), 0);
	for (unsigned i = 0; i < 8000; i++)
		assert_int_equal(set(ledger, "fake:s1", i & 1 ? "a" : "b"), 1);
	assert_true(file_size() > 150000);
	rmdir(obstacle);
	for (unsigned i = 0; i < 4000; i++)
		assert_int_equal(set(ledger, "fake:s1", i & 1 ? "a" : "b"), 1);
	assert_true(file_size() < 100000);
	ledger_close(ledger);
}

static int whole_life(void)
{
	struct ledger *ledger = NULL;
	struct ledger_entry *entry;
	struct ledger_tally tally = {};
	int r;

	r = ledger_open(path, BOOT_ID, fake_ops, ARRAY_SIZE(fake_ops), &ledger);
	if (r < 0)
		return r;
	for (unsigned i = 1; i < 4 && r >= 0; i++) {
		char name[16];

		snprintf(name, sizeof(name), "fake:s%u", i);
		r = ledger_entry(ledger, name, &entry);
		for (unsigned length = 1; length < 100 && r >= 0; length += 40) {
			char value[128];

			memset(value, 'v', length);
			value[length] = '\0';
			r = ledger_set(ledger, entry, value);
		}
	}
	ledger_restore_all(ledger, &tally);
	assert_int_equal(tally.failed, 0);
	ledger_close(ledger);
	return MIN(r, 0);
}

static void expect_untouched(void)
{
	for (unsigned i = 0; i < SETTINGS; i++) {
		char expect[8];

		snprintf(expect, sizeof(expect), "%u", i);
		assert_string_equal(host.setting[i].value, expect);
	}
}

/* Each allocation fails in turn: an error, or none, but never a setting left behind. */
static void test_no_memory(void **state _unused_)
{
	for (long i = 0;; i++) {
		int r;

		malloc_countdown = i;
		r = whole_life();
		if (malloc_countdown >= 0)
			break;
		EXPECT(r == -ENOMEM, "allocation %ld gave %d", i, r);
		expect_untouched();
		assert_int_not_equal(i, 1000);
	}
	malloc_countdown = -1;
	expect_untouched();
}

/* Loading, too. */
static void test_no_memory_loading(void **state _unused_)
{
	struct ledger *ledger = open_ledger();
	int r = -ENOMEM;

	for (unsigned i = 0; i < SETTINGS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "fake:s%u", i);
		assert_int_equal(set(ledger, name, "value"), 1);
	}
	ledger_close(ledger);
	for (long i = 0; r < 0; i++) {
		malloc_countdown = i;
		r = ledger_open(path, BOOT_ID, fake_ops, ARRAY_SIZE(fake_ops), &ledger);
		EXPECT(r == 0 || r == -ENOMEM, "allocation %ld gave %d", i, r);
		EXPECT(file_size() > 0, "the file is gone");
	}
	malloc_countdown = -1;
	assert_int_equal(ledger_count(ledger), SETTINGS);
	ledger_close(ledger);
}

/* On the tick path nothing is allocated, compaction included. */
static void test_no_allocation(void **state _unused_)
{
	struct ledger *ledger = open_ledger();
	struct ledger_entry *entry = entry_of(ledger, "fake:s1");

	assert_int_equal(ledger_set(ledger, entry, "1000"), 1);
	assert_int_equal(ledger_set(ledger, entry, "1001"), 1);
	malloc_countdown = 0;
	malloc_fails_on = true;
	for (unsigned i = 0; i < 8000; i++) {
		char value[16];

		snprintf(value, sizeof(value), "%u", i % 1025);
		if (ledger_set(ledger, entry, value) != 1 || ledger_verify(ledger, entry) != 1)
			break;
		if (i == 7999)
			malloc_countdown = -1;
	}
	malloc_fails_on = false;
	assert_int_equal(malloc_countdown, -1);
	ledger_close(ledger);
}

#define LEDGER_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judge),
		LEDGER_TEST(test_set),
		LEDGER_TEST(test_names),
		LEDGER_TEST(test_long_values),
		LEDGER_TEST(test_set_fails),
		LEDGER_TEST(test_set_uncertain),
		LEDGER_TEST(test_verify),
		LEDGER_TEST(test_look),
		LEDGER_TEST(test_restore),
		LEDGER_TEST(test_restore_late),
		LEDGER_TEST(test_restore_fails),
		LEDGER_TEST(test_restore_nearly),
		LEDGER_TEST(test_restore_twice),
		LEDGER_TEST(test_restore_looks_same),
		LEDGER_TEST(test_dry),
		LEDGER_TEST(test_crash_at_each_byte),
		LEDGER_TEST(test_random_crashes),
		LEDGER_TEST(test_compaction),
		LEDGER_TEST(test_locked),
		LEDGER_TEST(test_not_ours),
		LEDGER_TEST(test_other_boot),
		LEDGER_TEST(test_damage),
		LEDGER_TEST(test_strange_records),
		LEDGER_TEST(test_disk_full),
		LEDGER_TEST(test_no_compaction),
		LEDGER_TEST(test_no_memory),
		LEDGER_TEST(test_no_memory_loading),
		LEDGER_TEST(test_no_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
