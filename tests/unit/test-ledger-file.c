/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/ledger_file.c: a file that grows, is full, damaged, locked, or something else. */
#include "tests/unit/test_ledger.h"

#include <signal.h>
#include <sys/resource.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		LEDGER_TEST(test_compaction), LEDGER_TEST(test_locked),
		LEDGER_TEST(test_not_ours),   LEDGER_TEST(test_other_boot),
		LEDGER_TEST(test_damage),     LEDGER_TEST(test_strange_records),
		LEDGER_TEST(test_disk_full),  LEDGER_TEST(test_no_compaction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
