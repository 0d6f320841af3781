/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/ledger.c: settings are changed through it, and it knows what was there before and what
 * somebody else has set. */
#include "tests/unit/test_ledger.h"

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

/* Two by one call; what needn't be changed is left out, and then the other goes by itself. */
static void test_set_both(void **state _unused_)
{
	struct ledger *ledger = open_ledger();

	assert_int_equal(set_both(ledger, "pair:s1", "5", "half:s1", "17"), 1);
	assert_int_equal(host.both, 0);
	assert_int_equal(set_both(ledger, "pair:s1", "5", "half:s1", "7"), 1);
	assert_int_equal(host.both, 0);
	assert_int_equal(set_both(ledger, "pair:s1", "6", "half:s1", "8"), 1);
	assert_int_equal(host.both, 1);
	assert_int_equal(host.writes, 3);
	assert_int_equal(set_both(ledger, "pair:s1", "6", "half:s1", "8"), 0);
	assert_int_equal(host.writes, 3);
	assert_string_equal(host.setting[1].value, "6");
	assert_string_equal(host.setting[1 + HALF].value, "8");
	assert_string_equal(ledger_prior(entry_of(ledger, "pair:s1")), "1");
	assert_string_equal(ledger_prior(entry_of(ledger, "half:s1")), "17");
	/* Without a way to write both, in the order given. */
	assert_int_equal(set_both(ledger, "fake:s3", "6", "list:s2", "8"), 1);
	assert_int_equal(host.writes, 5);
	assert_string_equal(host.setting[3].value, "6");
	assert_string_equal(host.setting[2].value, "8");
	ledger_close(ledger);
}

static void fail_second(struct host *h, unsigned index, const char *value _unused_)
{
	h->write_error = index == 2 ? -EIO : 0;
}

static void test_set_both_fails(void **state _unused_)
{
	struct ledger *ledger = open_ledger();

	/* What can't be noted isn't written, neither of them, and its prior value is read anew. */
	assert_int_equal(set_both(ledger, "fake:s1", "5", "list:s2",
				  memset((char[SETTING_VALUE_MAX + 1]){}, 'x', SETTING_VALUE_MAX)),
			 -ENAMETOOLONG);
	assert_int_equal(host.writes, 0);
	assert_null(ledger_prior(entry_of(ledger, "fake:s1")));
	host.setting[2].gone = true;
	assert_int_equal(set_both(ledger, "fake:s1", "5", "list:s2", "6"), -ESRCH);
	assert_int_equal(host.writes, 0);
	assert_null(ledger_prior(entry_of(ledger, "fake:s1")));
	host.setting[2].gone = false;

	/* The first is written, the second isn't: the next call goes on. */
	host.before_write = fail_second;
	assert_int_equal(set_both(ledger, "fake:s1", "5", "list:s2", "6"), -EIO);
	assert_string_equal(host.setting[1].value, "5");
	assert_string_equal(host.setting[2].value, "2");
	assert_int_equal(ledger_verify(ledger, entry_of(ledger, "fake:s1")), 1);
	host.before_write = NULL;
	host.write_error = 0;
	host.writes = 0;
	assert_int_equal(set_both(ledger, "fake:s1", "5", "list:s2", "6"), 1);
	assert_int_equal(host.writes, 1);
	assert_string_equal(host.setting[2].value, "6");

	/* The first fails: the second isn't tried, and is known not to have been. */
	host.write_error = -EIO;
	assert_int_equal(set_both(ledger, "list:s2", "8", "fake:s1", "7"), -EIO);
	host.write_error = 0;
	assert_string_equal(host.setting[1].value, "5");
	assert_int_equal(ledger_verify(ledger, entry_of(ledger, "fake:s1")), 1);
	strcpy(host.setting[1].value, "99");
	assert_int_equal(set_both(ledger, "list:s2", "8", "fake:s1", "7"), -ESTALE);
	assert_string_equal(host.setting[1].value, "99");
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
	} rows[] = {{"second", LEDGER_OURS},
		    {"first", LEDGER_FORMER},
		    {"1", LEDGER_FORMER},
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
		LEDGER_TEST(test_dry),
		LEDGER_TEST(test_set_both),
		LEDGER_TEST(test_set_both_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
