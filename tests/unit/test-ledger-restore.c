/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/ledger.c: what was there before comes back, and what somebody else has set stays. */
#include "tests/unit/test_ledger.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		LEDGER_TEST(test_restore),	 LEDGER_TEST(test_restore_late),
		LEDGER_TEST(test_restore_fails), LEDGER_TEST(test_restore_nearly),
		LEDGER_TEST(test_restore_twice), LEDGER_TEST(test_restore_looks_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
