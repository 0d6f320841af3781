/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tests/lab/dvfs/feed.c and freqpage.h: from ftrace's lines to the page, and what is read of it. */
#include "tests/unit/test.h"

#include "tests/lab/dvfs/feed.h"

#define FREQUENCY "  kworker/2:1-77      [002] d..3.   812.000250: cpu_frequency: "
#define SWITCH	  "  CPU 0/KVM-900   [001] d..2.   812.000400: sched_switch: "

static void test_frequency(_unused_ void **state)
{
	struct feed_event event;

	assert_true(feed_parse(FREQUENCY "state=1400000 cpu_id=3\n", &event));
	assert_int_equal(event.kind, FEED_FREQUENCY);
	assert_int_equal(event.at_usec, 812000250);
	assert_int_equal(event.cpu, 3); /* whose it is, not where it was set */
	assert_int_equal(event.khz, 1400000);
}

static void test_switch(_unused_ void **state)
{
	static const struct {
		const char *line;
		bool ready;
	} rows[] = {
		{SWITCH "prev_comm=CPU 0/KVM prev_pid=900 prev_prio=120 prev_state=R ==> "
			"next_comm=ls next_pid=12 next_prio=120",
		 true},
		{SWITCH "prev_comm=CPU 0/KVM prev_pid=900 prev_prio=120 prev_state=R+ ==> "
			"next_comm=ls next_pid=12 next_prio=120",
		 true},
		{SWITCH "prev_comm=CPU 0/KVM prev_pid=900 prev_prio=120 prev_state=S ==> "
			"next_comm=[x] next_pid=12 next_prio=120",
		 false},
		/* names that look like something else */
		{SWITCH "prev_comm= ==> prev_pid= prev_pid=900 prev_prio=120 prev_state=D ==> "
			"next_comm= next_pid=7 next_pid=12 next_prio=120",
		 false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct feed_event event;

		EXPECT(feed_parse(rows[i].line, &event), "row %zu", i);
		EXPECT(event.kind == FEED_SWITCH && event.at_usec == 812000400 && event.cpu == 1 &&
			       event.from_tid == 900 && event.to_tid == 12 &&
			       event.from_ready == rows[i].ready,
		       "row %zu", i);
	}
}

static void test_other_lines(_unused_ void **state)
{
	static const char *const lines[] = {
		"",
		"# tracer: nop",
		FREQUENCY "state=1400000",
		FREQUENCY "cpu_id=3",
		FREQUENCY "state=99999999999 cpu_id=3",
		FREQUENCY "state=x cpu_id=3",
		" a-1 [000] d... 812.25: cpu_frequency: state=1 cpu_id=0",
		": cpu_frequency: state=1 cpu_id=0",
		SWITCH "prev_comm=a prev_pid=1 prev_prio=120 prev_state=R",
		SWITCH "prev_pid=1 ==> next_pid=2",
		"CPU:1 [LOST EVENTS]",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct feed_event event = {.n = 5};

		EXPECT(!feed_parse(lines[i], &event) && event.n == 5, "%s", lines[i]);
	}
}

static void test_lost(_unused_ void **state)
{
	struct freqpage page = {};
	struct feed_event event;

	assert_true(feed_parse("CPU:1 [LOST 12 EVENTS]\n", &event));
	assert_false(feed_apply(&page, &event));
	assert_false(feed_apply(&page, &event));
	assert_int_equal(page.lost, 24);
}

static void test_apply_frequency(_unused_ void **state)
{
	struct freqpage page = {.n_cpus = 2,
				.cpu[1] = {.khz = 600000, .max_khz = 3000000, .capacity = 300}};
	struct feed_event event = {.kind = FEED_FREQUENCY, .cpu = 1, .khz = 1500000};

	assert_int_equal(freqpage_rate20(&page, 1), 300 * 1024 / 5);
	assert_true(feed_apply(&page, &event));
	assert_int_equal(freqpage_rate20(&page, 1), 300 * 1024 / 2);
	assert_int_equal(freqpage_rate20(&page, 0), 0);
	assert_int_equal(freqpage_rate20(&page, 99), 0);
	event.cpu = 2; /* one that the page doesn't have */
	assert_false(feed_apply(&page, &event));
}

static void change(struct freqpage *page, uint64_t at_usec, uint32_t cpu, uint32_t from,
		   bool from_ready, uint32_t to)
{
	struct feed_event event = {.kind = FEED_SWITCH,
				   .at_usec = at_usec,
				   .cpu = cpu,
				   .from_tid = from,
				   .from_ready = from_ready,
				   .to_tid = to};

	assert_false(feed_apply(page, &event));
}

static void assert_preempted(const struct freqpage *page, uint64_t usec, uint64_t since_usec)
{
	uint64_t preempted_nsec, since_nsec;

	assert_true(freqpage_get_preempted(&page->vcpu[1], &preempted_nsec, &since_nsec));
	assert_int_equal(preempted_nsec, usec * 1000);
	assert_int_equal(since_nsec, since_usec * 1000);
}

/* Standing ready is preempted, sleeping isn't. */
static void test_apply_switch(_unused_ void **state)
{
	struct freqpage page = {.n_cpus = 4, .vcpu[1] = {.tid = 900, .cpu = 3}};

	change(&page, 1000, 3, 900, true, 12);
	assert_preempted(&page, 0, 1000);
	change(&page, 1500, 2, 12, true, 900); /* goes on elsewhere */
	assert_preempted(&page, 500, 0);
	assert_int_equal(page.vcpu[1].cpu, 2);
	change(&page, 2000, 2, 900, false, 12);
	change(&page, 9000, 2, 12, false, 900);
	assert_preempted(&page, 500, 0);
	change(&page, 9500, 2, 900, true, 13);
	change(&page, 9600, 2, 13, false, 14); /* others among themselves */
	assert_preempted(&page, 500, 9500);
	change(&page, 9700, 2, 14, false, 900);
	assert_preempted(&page, 700, 0);
	change(&page, 9800, 0, 15, true, 0); /* the idle task, which isn't an unused vCPU */
	assert_int_equal(page.vcpu[0].since_nsec, 0);
}

/* Who reads while it is written gets nothing rather than halves. */
static void test_sequence(_unused_ void **state)
{
	struct freqpage_vcpu vcpu = {.sequence = 7, .preempted_nsec = 1, .since_nsec = 2};
	uint64_t preempted_nsec = 10, since_nsec = 20;

	assert_false(freqpage_get_preempted(&vcpu, &preempted_nsec, &since_nsec));
	assert_int_equal(preempted_nsec, 10);
	assert_int_equal(since_nsec, 20);
	vcpu.sequence = UINT32_MAX - 1; /* it may wrap */
	freqpage_set_preempted(&vcpu, 3, 4);
	assert_int_equal(vcpu.sequence, 0);
	assert_true(freqpage_get_preempted(&vcpu, &preempted_nsec, &since_nsec));
	assert_int_equal(preempted_nsec, 3);
	assert_int_equal(since_nsec, 4);
}

static void test_late(_unused_ void **state)
{
	struct freqpage page = {};
	static const uint64_t none[FREQPAGE_BUCKETS];
	uint64_t before[FREQPAGE_BUCKETS];

	assert_int_equal(freqpage_late_usec(none, page.late, 500), 0);
	for (unsigned i = 0; i < 98; i++)
		feed_count_late(&page, 1000, 1005);
	feed_count_late(&page, 1000, 999); /* timestamps are cut off to us */
	feed_count_late(&page, 1000, 4000);
	assert_int_equal(page.events, 100);
	assert_int_equal(page.late_usec, 98 * 5 + 3000);
	assert_int_equal(page.late_max_usec, 3000);
	assert_int_equal(freqpage_late_usec(none, page.late, 500), 8);
	assert_int_equal(freqpage_late_usec(none, page.late, 990), 8);
	assert_int_equal(freqpage_late_usec(none, page.late, 1000), 4096);
	memcpy(before, page.late, sizeof(before));
	feed_count_late(&page, 0, UINT64_C(1) << 40);
	assert_int_equal(freqpage_late_usec(before, page.late, 500), 1 << (FREQPAGE_BUCKETS - 1));
}

static void test_version(_unused_ void **state)
{
	struct freqpage page = {};

	assert_false(freqpage_is_valid(&page));
	freqpage_publish(&page);
	assert_true(freqpage_is_valid(&page));
	page.version++;
	assert_false(freqpage_is_valid(&page));
}

static void test_stat(_unused_ void **state)
{
	static const char behind[] =
		"S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 "
		"24 25 26 27 28 29 30 31 32 33 34 35 2 0 0\n";
	char text[512];
	uint32_t cpu = 99;

	snprintf(text, sizeof(text), "900 (a) b) %s", behind);
	assert_int_equal(feed_parse_stat(text, &cpu), 0);
	assert_int_equal(cpu, 2);
	assert_int_equal(feed_parse_stat("900 (a) S 1 2", &cpu), -EINVAL);
	assert_int_equal(feed_parse_stat("", &cpu), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frequency),	cmocka_unit_test(test_switch),
		cmocka_unit_test(test_other_lines),	cmocka_unit_test(test_lost),
		cmocka_unit_test(test_apply_frequency), cmocka_unit_test(test_apply_switch),
		cmocka_unit_test(test_sequence),	cmocka_unit_test(test_late),
		cmocka_unit_test(test_version),		cmocka_unit_test(test_stat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
