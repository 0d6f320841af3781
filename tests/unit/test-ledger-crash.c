/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/ledger.c and ledger_file.c: wherever hostd dies, the next run puts everything back. */
#include "tests/unit/test_ledger.h"

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

	/* Two at once, both anew; then one of them goes back and the other on; then one alone. */
	assert_int_equal(set_both(ledger, "pair:s5", "600", "half:s5", "700"), 1);
	assert_int_equal(set_both(ledger, "pair:s5", "601", "half:s5", "21"), 1);
	ledger_release(ledger, entry_of(ledger, "half:s5"));
	assert_int_equal(set_both(ledger, "pair:s5", "602", "half:s5", "703"), 1);
	assert_int_equal(set_both(ledger, "pair:s5", "602", "half:s5", "704"), 1);
	assert_int_equal(set_both(ledger, "list:s6", "6-7", "fake:s7", "777"), 1);
	assert_int_equal(host.both, 3);
}

/* Restarts with the first `bytes` of the file after n of the events: all has to come back. */
static void check_crash(const char *text, size_t bytes, size_t n)
{
	struct ledger *ledger;
	struct ledger_tally tally = {};
	int changed;

	reset_settings(&host);
	for (size_t i = 0; i < n; i++)
		strcpy(host.setting[events[i].index].value, events[i].value);
	test_write_bytes(dir, "ledger", text, bytes);
	ledger = open_ledger();
	assert_int_equal(ledger_damaged(ledger), 0);
	ledger_restore_all(ledger, &tally);
	EXPECT(tally.theirs == 0 && tally.failed == 0, "%zu bytes, %zu events", bytes, n);
	changed = changed_setting(&host);
	EXPECT(changed < 0, "%zu bytes, %zu events: setting %d is %s", bytes, n, changed,
	       host.setting[MAX(changed, 0)].value);
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
	int changed;

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
	changed = changed_setting(h);
	EXPECT(changed < 0, "setting %d is %s", changed, h->setting[MAX(changed, 0)].value);
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
	char name[16], other[16], value[32];
	struct ledger_tally tally = {};
	uint32_t dice = test_random(seed) % 100, index;
	const char *kind = dice & 1 ? "fake" : "list";

	index = test_random(seed) % (SETTINGS / 2) * 2 + (dice & 1);
	snprintf(name, sizeof(name), "%s:s%u", kind, index);
	snprintf(other, sizeof(other), "%s:s%u", kind, (index + 2) % SETTINGS);
	snprintf(value, sizeof(value), "%u", test_random(seed) % 8 + 100);
	host.write_error = dice < 10 ? -EIO : 0;
	host.write_anyway = dice < 5;
	if (dice >= 90)
		ledger_restore(ledger, entry_of(ledger, name), &tally);
	else if (dice % 4 == 3)
		(void)set_both(ledger, name, value, other, value);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		LEDGER_TEST(test_crash_at_each_byte),
		LEDGER_TEST(test_random_crashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
