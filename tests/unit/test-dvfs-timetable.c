/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tests/lab/dvfs/timetable.c: the lines, and what is wrong with wrong ones. */
#include "tests/unit/test.h"

#include "tests/lab/dvfs/timetable.h"

#define HEAD "cpus 2\nlength 1000\ntask 0 a\ntask 1 b\nplace 0 0 0\nplace 0 1 1\n"

static struct timetable table;

static void test_good(_unused_ void **state)
{
	static const char text[] = "# made by hand\n\n"
				   "cpus 2\npin 1 7\nlength 5000000\n"
				   "task 0 A\ntask 1\tworker-1\n"
				   "place 0 0 0\nplace 0 1 1\nplace 70000 0 1\n"
				   "burst 10 1000 0 11200 16000\n"
				   "chain 11 10 250 1 400 0\n"
				   "chain 7 10 0 1 500 9\n"
				   "  burst 12 17000 0 11200 16000 \n"
				   "chain 13 11 1 0 1 0"; /* the last line may end without one */
	const char *why;
	unsigned line;

	assert_int_equal(timetable_parse(text, &table, &line, &why), 0);
	assert_int_equal(table.n_cpus, 2);
	assert_int_equal(table.host_cpu[0], 0);
	assert_int_equal(table.host_cpu[1], 7);
	assert_int_equal(table.length_usec, 5000000);
	assert_int_equal(table.n_tasks, 2);
	assert_string_equal(table.task[1].name, "worker-1");
	assert_int_equal(table.n_places, 3);
	assert_int_equal(table.task[0].place, 0);
	assert_int_equal(table.place[0].next, 2);
	assert_int_equal(table.place[2].at_usec, 70000);
	assert_int_equal(table.place[2].cpu, 1);
	assert_int_equal(table.place[2].next, TIMETABLE_NONE);
	assert_int_equal(table.n_bursts, 5);
	assert_int_equal(table.task[0].burst, 0);
	assert_int_equal(table.burst[0].id, 10);
	assert_int_equal(table.burst[0].work_usec, 11200);
	assert_int_equal(table.burst[0].deadline_usec, 16000);
	assert_int_equal(table.burst[0].next, 3);
	assert_int_equal(table.burst[3].next, TIMETABLE_NONE);
	assert_int_equal(table.task[1].burst, TIMETABLE_NONE); /* chains only */
	assert_int_equal(table.burst[0].chain, 1);
	assert_int_equal(table.burst[1].chain_next, 2); /* in the order of the lines */
	assert_int_equal(table.burst[2].chain_next, TIMETABLE_NONE);
	assert_int_equal(table.burst[1].at_usec, 250);
	assert_int_equal(table.burst[1].after, 0);
	assert_int_equal(table.burst[4].after, 1);
}

static void test_wrong(_unused_ void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *why;
	} rows[] = {
		{"", 0, "no line cpus"},
		{"cpus 1\n", 0, "no line length"},
		{"cpus 1\nlength 10\n", 0, "no bursts"},
		{"cpus 1\nlength 10\ntask 0 a\n", 0, "a task without a place"},
		{"cpus 0\n", 1, "no CPUs"},
		{"cpus 9\n", 1, "a number is too large"},
		{"cpus -1\n", 1, "not a number"},
		{"cpus\n", 1, "a word is missing"},
		{"cpus 1 2\n", 1, "more words than it takes"},
		{"cpu 1\n", 1, "no such line"},
		{"pin 0 0\n", 1, "there is no such CPU"},
		{"cpus 2\npin 2 0\n", 2, "there is no such CPU"},
		{"cpus 2\npin 1 8\n", 2, "a number is too large"},
		{"cpus 2\npin 1\n", 2, "a word is missing"},
		{"length 99999999999999999999\n", 1, "a number is too large"},
		{"task 1 a\n", 1, "tasks are numbered 0, 1, ..."},
		{"task 0 abcdefghijklmnopqrstuvwxyz\n", 1, "the name is too long"},
		{"cpus 1\ntask 0 a\nplace 1 0 0\n", 3, "a task's first place is at 0"},
		{HEAD "place 5 2 0\n", 7, "there is no such task"},
		{HEAD "place 5 0 2\n", 7, "there is no such CPU"},
		{HEAD "place 5 0 1\nplace 4 1 0\n", 8, "places are sorted by time"},
		{HEAD "burst 1 1000 0 5 0\n", 0, "a burst at the end or after it"},
		{HEAD "burst 1 10 0 0 0\n", 7, "a burst without work"},
		{HEAD "burst 1 10 0 5\n", 7, "a word is missing"},
		{HEAD "burst 1 10 0 5 0\nburst 2 9 0 5 0\n", 8, "bursts are sorted by time"},
		{HEAD "burst 1 10 0 5 0\nburst 1 20 1 5 0\n", 8, "an id that is there already"},
		{HEAD "chain 1 2 0 0 5 0\n", 7, "what it waits for must stand before it"},
		{HEAD "burst 4294967295 1 0 5 0\n", 7, "a number is too large"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *why = "";
		unsigned line = 99;

		EXPECT(timetable_parse(rows[i].text, &table, &line, &why) == -EINVAL, "row %zu", i);
		EXPECT(line == rows[i].line && strcmp(why, rows[i].why) == 0, "row %zu: %u: %s", i,
		       line, why);
	}
}

/* As many bursts as there is room for, and one more. */
static void test_full(_unused_ void **state)
{
	_cleanup_free_ char *text = malloc(64 + (TIMETABLE_BURSTS + 1) * 32);
	char *at = text;
	const char *why;
	unsigned line;

	assert_non_null(text);
	at += sprintf(at, "cpus 1\nlength 999999\ntask 0 a\nplace 0 0 0\n");
	for (unsigned i = 0; i < TIMETABLE_BURSTS; i++)
		at += sprintf(at, "burst %u %u 0 1 0\n", i * 16u, i);
	assert_int_equal(timetable_parse(text, &table, &line, &why), 0);
	assert_int_equal(table.n_bursts, TIMETABLE_BURSTS);
	strcpy(at, "burst 77 999998 0 1 0\n");
	assert_int_equal(timetable_parse(text, &table, &line, &why), -E2BIG);
	assert_int_equal(line, 4 + TIMETABLE_BURSTS + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
