/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/ledger.c and ledger_file.c without memory: no setting is left behind, and on the tick path
 * nothing is allocated. */
#include "tests/unit/test_ledger.h"
#include "tests/unit/test_malloc.h"

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

/* Each allocation fails in turn: an error, or none, but never a setting left behind. */
static void test_no_memory(void **state _unused_)
{
	for (malloc_fails_at = 1;; malloc_fails_at++) {
		int r;

		malloc_calls = 0;
		r = whole_life();
		assert_int_equal(changed_setting(&host), -1);
		if (malloc_calls < malloc_fails_at)
			break;
		EXPECT(r == -ENOMEM, "allocation %lu gave %d", malloc_fails_at, r);
		assert_int_not_equal(malloc_fails_at, 1000);
	}
	malloc_fails_at = 0;
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
	for (malloc_fails_at = 1; r < 0; malloc_fails_at++) {
		malloc_calls = 0;
		r = ledger_open(path, BOOT_ID, fake_ops, ARRAY_SIZE(fake_ops), &ledger);
		EXPECT(r == 0 || r == -ENOMEM, "allocation %lu gave %d", malloc_fails_at, r);
		EXPECT(file_size() > 0, "the file is gone");
	}
	malloc_fails_at = 0;
	assert_int_equal(ledger_count(ledger), SETTINGS);
	ledger_close(ledger);
}

/* On the tick path nothing is allocated, compaction included. */
static void test_no_allocation(void **state _unused_)
{
	struct ledger *ledger = open_ledger();
	struct ledger_entry *entry = entry_of(ledger, "fake:s1");
	unsigned n = 0;

	assert_int_equal(ledger_set(ledger, entry, "1000"), 1);
	assert_int_equal(ledger_set(ledger, entry, "1001"), 1);
	malloc_fails_at = malloc_calls + 1;
	malloc_fails_on = true;
	for (; n < 8000; n++) {
		char value[16];

		snprintf(value, sizeof(value), "%u", n % 1025);
		if (ledger_set(ledger, entry, value) != 1 || ledger_verify(ledger, entry) != 1)
			break;
	}
	malloc_fails_on = false;
	assert_int_equal(malloc_calls, malloc_fails_at - 1);
	malloc_fails_at = 0;
	assert_int_equal(n, 8000);
	ledger_close(ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LEDGER_TEST(test_no_memory),
		LEDGER_TEST(test_no_memory_loading),
		LEDGER_TEST(test_no_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
