/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tests/lab/dvfs/dispatch.c: who runs what, with literal clocks; and a host of lanes that are late.
 */
#include "tests/unit/test_dvfs.h"

#define MSEC	 INT64_C(1000000) /* in ns */
#define WORK(us) meter_of_usec(us)
#define FOREVER	 (100000 + DISPATCH_GRACE_USEC)
#define HEAD_1	 "cpus 1\nlength 100000\ntask 0 a\ntask 1 b\nplace 0 0 0\nplace 0 1 0\n"
#define HEAD_2	 "cpus 2\nlength 100000\ntask 0 a\ntask 1 b\nplace 0 0 0\nplace 0 1 1\n"

static uint64_t assert_wait(uint32_t lane, uint64_t now_usec, uint64_t until_usec)
{
	struct dispatch_turn turn = dispatch_next(&dispatch, &table, lane, now_usec);

	EXPECT(turn.what == DISPATCH_WAIT && turn.until_usec == until_usec,
	       "lane %u at %u: %d until %u", lane, (unsigned)now_usec, turn.what,
	       (unsigned)turn.until_usec);
	return turn.kick;
}

static struct dispatch_turn assert_run(uint32_t lane, uint64_t now_usec, uint32_t task)
{
	struct dispatch_turn turn = dispatch_next(&dispatch, &table, lane, now_usec);

	EXPECT(turn.what == DISPATCH_RUN && turn.task == task, "lane %u at %u: %d task %u", lane,
	       (unsigned)now_usec, turn.what, turn.task);
	return turn;
}

static uint64_t put(uint32_t lane, uint32_t task, int64_t left, int64_t ran_nsec, uint64_t now_usec)
{
	return dispatch_put(&dispatch, &table, lane, task, left, ran_nsec, lane, now_usec);
}

/* A task's bursts queue up behind each other, and keep the times of their release. */
static void test_queue(_unused_ void **state)
{
	struct dispatch_turn turn;

	begin(HEAD_1 "burst 1 500 0 2000 0\nburst 2 600 0 100 0\nburst 3 9000 0 100 0\n", false);
	assert_wait(0, 0, 500);
	turn = assert_run(0, 510, 0);
	assert_true(turn.left == WORK(2000) && !turn.shared);
	assert_int_equal(put(0, 0, 0, 2 * MSEC, 2510), 0);
	turn = assert_run(0, 2520, 0);
	assert_true(turn.left == WORK(100));
	put(0, 0, -5, MSEC / 10, 2620); /* a little more than all of it */
	assert_wait(0, 2620, 9000);
	assert_run(0, 9000, 0);
	put(0, 0, 0, MSEC / 10, 9100);
	assert_burst(1, 0, 500, 510, 2510);
	assert_burst(2, 0, 600, 2520, 2620);
	assert_burst(3, 0, 9000, 9000, 9100);
	assert_wait(0, 9200, 100000); /* nothing more, but the timetable has its length */
	assert_int_equal(dispatch_next(&dispatch, &table, 0, 100000).what, DISPATCH_END);
}

/* What has a deadline and hasn't begun when the next one is due is left out, all of it but the
 * last; what has none, what has begun, and what others wait for isn't. */
static void test_stale(_unused_ void **state)
{
	begin(HEAD_1 "burst 1 0 0 5000 900\nburst 2 1000 0 100 900\nburst 3 2000 0 100 900\n"
		     "burst 4 4000 0 100 900\nburst 5 9000 1 100 900\nburst 6 9500 1 100 900\n"
		     "chain 7 5 0 1 50 0\n",
	      false);
	assert_run(0, 0, 0);
	put(0, 0, WORK(1000), MSEC, 4100); /* it has begun, so it goes on */
	assert_run(0, 4100, 0);
	put(0, 0, 0, MSEC, 5100);
	assert_run(0, 5100, 0);
	put(0, 0, 0, MSEC, 5200);
	assert_burst(1, 0, 0, 0, 5100);
	assert_burst(4, 0, 4000, 5100, 5200);
	assert_int_equal(dispatch.n_left_out, 2);
	assert_int_equal(dispatch.burst[1].begun_usec, DISPATCH_NEVER);
	assert_run(0, 9600, 1); /* burst 7 comes after it */
	put(0, 1, 0, MSEC, 9700);
	assert_run(0, 9700, 1);
	put(0, 1, 0, MSEC, 9800);
	assert_run(0, 9800, 1);
	put(0, 1, 0, MSEC, 9900);
	assert_burst(5, 0, 9000, 9600, 9700);
	assert_int_equal(dispatch.n_left_out, 2);
	assert_int_equal(dispatch_next(&dispatch, &table, 0, 100000).what, DISPATCH_END);
}

/* Two tasks share a lane 3 ms each, of its own running time. */
static void test_round_robin(_unused_ void **state)
{
	struct dispatch_turn turn;

	begin(HEAD_1 "burst 1 0 0 5000 0\nburst 2 1000 1 4000 0\n", false);
	turn = assert_run(0, 0, 0);
	assert_true(!turn.shared && turn.until_usec == 1000);
	put(0, 0, WORK(4000), MSEC, 1000); /* the second one comes */
	turn = assert_run(0, 1000, 0);	   /* but the first one's slice isn't over */
	assert_true(turn.shared && turn.slice_nsec == 2 * MSEC);
	put(0, 0, WORK(2000), 2 * MSEC, 5000); /* for 2 ms it was preempted */
	turn = assert_run(0, 5000, 1);
	assert_true(turn.shared && turn.slice_nsec == 3 * MSEC);
	put(0, 1, WORK(1000), 3 * MSEC, 8000);
	assert_run(0, 8000, 0);
	put(0, 0, 0, 2 * MSEC, 10000);
	turn = assert_run(0, 10000, 1);
	assert_true(!turn.shared && turn.left == WORK(1000));
	put(0, 1, 0, MSEC, 11000);
	assert_burst(1, 0, 0, 0, 10000);
	assert_burst(2, 0, 1000, 5000, 11000);
}

/* Who has been alone for longer than a slice gives way at once. */
static void test_alone_then_shared(_unused_ void **state)
{
	begin(HEAD_1 "burst 1 0 0 50000 0\nburst 2 9000 1 100 0\n", false);
	assert_run(0, 0, 0);
	put(0, 0, WORK(41000), 9 * MSEC, 9000);
	assert_run(0, 9000, 1);
}

/* A delay ends on the lane that asked, which wakes the other; without one the other wakes at once.
 */
static void test_chains(_unused_ void **state)
{
	begin(HEAD_2 "burst 1 0 0 100 0\nchain 2 1 700 1 200 0\nchain 3 2 0 0 300 0\n"
		     "chain 4 2 50 1 10 0\n",
	      false);
	assert_wait(1, 0, FOREVER);
	assert_run(0, 0, 0);
	assert_int_equal(put(0, 0, 0, MSEC / 10, 100), 0);
	assert_wait(0, 100, 800);
	assert_int_equal(assert_wait(0, 805, FOREVER), 1 << 1);
	assert_int_equal(dispatch.lane[1].kicked, 1);
	assert_run(1, 830, 1);
	assert_int_equal(dispatch.lane[1].kicked, 0);
	assert_int_equal(put(1, 1, 0, MSEC / 5, 1030), 1 << 0);
	assert_wait(1, 1030, 1080);
	assert_run(0, 1040, 0);
	assert_run(1, 1080, 1);
	assert_int_equal(put(1, 1, 0, MSEC / 100, 1090), 0); /* the other one is awake */
	assert_burst(2, 1, 800, 830, 1030);
	assert_burst(4, 1, 1080, 1080, 1090);
	assert_int_equal(burst_of(3)->released_usec, 1030);
	/* The last one's end is what all wait for. */
	assert_wait(1, 1100, FOREVER);
	assert_int_equal(put(0, 0, 0, MSEC, 2000), 1 << 1);
	assert_wait(1, 2010, 100000);
}

/* A running task is moved by its own lane, when that looks: here 40 us late. */
static void test_move_running(_unused_ void **state)
{
	begin(HEAD_2 "place 5000 0 1\nburst 1 0 0 9000 0\n", false);
	assert_wait(1, 0, FOREVER);
	assert_int_equal(assert_run(0, 0, 0).until_usec, 5000);
	assert_int_equal(put(0, 0, WORK(4000), 5 * MSEC, 5040), 1 << 1);
	assert_wait(0, 5040, FOREVER);
	assert_run(1, 5065, 0);
	assert_int_equal(dispatch.n_moves, 1);
	assert_int_equal(dispatch.move_usec, 65);
	put(1, 0, 0, 4 * MSEC, 9065);
	assert_burst(1, 1, 0, 0, 9065);
}

/* One that only waits for its turn is moved by the lane that it waits for. */
static void test_move_ready(_unused_ void **state)
{
	begin("cpus 2\nlength 100000\ntask 0 a\ntask 1 b\nplace 0 0 0\nplace 0 1 0\nplace 700 1 1\n"
	      "burst 1 0 0 9000 0\nburst 2 0 1 100 0\n",
	      false);
	assert_wait(1, 0, FOREVER);
	assert_int_equal(assert_run(0, 0, 0).until_usec, 700);
	assert_int_equal(put(0, 0, WORK(8300), MSEC * 7 / 10, 700), 1 << 1);
	assert_run(1, 710, 1);
	assert_false(assert_run(0, 710, 0).shared);
}

/* One that sleeps moves without waking anybody, until its timer ends on the lane where it fell
 * asleep. */
static void test_move_sleeping(_unused_ void **state)
{
	begin(HEAD_2 "place 300 0 1\nplace 400 0 0\nplace 500 0 1\nburst 1 800 0 100 0\n"
		     "burst 2 2000 0 100 0\n",
	      false);
	assert_int_equal(assert_wait(0, 0, 800), 0);
	assert_wait(1, 0, FOREVER);
	assert_int_equal(assert_wait(0, 810, FOREVER), 1 << 1);
	assert_run(1, 830, 0);
	assert_int_equal(dispatch.n_moves, 0);
	put(1, 0, 0, MSEC / 10, 930);
	assert_wait(1, 930, 2000);
}

/* Each task has a lane: its thread. A delay for another task is the timers' lane's. */
static void test_by_task(_unused_ void **state)
{
	begin(HEAD_1 "place 50 0 0\nburst 1 0 0 100 0\nchain 2 1 70 1 100 0\n"
		     "chain 3 1 20 0 100 0\n",
	      true);
	assert_int_equal(dispatch.n_lanes, 3);
	assert_int_equal(dispatch_timer_lane(&table), 2);
	assert_wait(1, 0, FOREVER);
	assert_wait(2, 0, FOREVER);
	assert_false(assert_run(0, 0, 0).shared);
	assert_int_equal(dispatch_put(&dispatch, &table, 0, 0, 0, MSEC / 10, 3, 100), 1 << 2);
	assert_wait(0, 100, 120);
	assert_wait(2, 101, 170);
	assert_run(0, 120, 0);
	assert_int_equal(assert_wait(2, 171, FOREVER), 1 << 1);
	assert_run(1, 180, 1);
	assert_burst(1, 3, 0, 0, 100); /* the CPU is what its thread was on */
}

/* What doesn't end in its time isn't waited for for ever. */
static void test_grace(_unused_ void **state)
{
	begin(HEAD_1 "burst 1 99999 0 5000000 0\n", false);
	assert_int_equal(assert_run(0, 99999, 0).until_usec, 100000 + DISPATCH_GRACE_USEC);
	put(0, 0, WORK(1), MSEC, 100000 + DISPATCH_GRACE_USEC);
	assert_int_equal(dispatch_next(&dispatch, &table, 0, 100000 + DISPATCH_GRACE_USEC).what,
			 DISPATCH_END);
	assert_int_equal(dispatch.n_ended, 0);
	assert_int_equal(burst_of(1)->ended_usec, DISPATCH_NEVER);
}

/* ---- many lanes, and the host lets them run when it likes */

enum { STEP_USEC = 37, LATE_USEC = 400 };

struct sim_lane {
	struct dispatch_turn turn;
	bool over;
	uint64_t looks_usec; /* when it next runs */
};

static char *made_up(uint64_t *seed, bool *ret_by_task)
{
	static char text[65536];
	unsigned n_cpus = 1 + test_random(seed) % 4, n_tasks = 1 + test_random(seed) % 9;
	char *at = text + sprintf(text, "cpus %u\nlength 200000\n", n_cpus);
	unsigned usec = 0;

	for (unsigned i = 0; i < n_tasks; i++)
		at += sprintf(at, "task %u t%u\n", i, i);
	for (unsigned i = 0; i < n_tasks; i++)
		at += sprintf(at, "place 0 %u %u\n", i, test_random(seed) % n_cpus);
	for (unsigned i = 0; i < 60; i++)
		at += sprintf(at, "place %u %u %u\n", usec += test_random(seed) % 5000,
			      test_random(seed) % n_tasks, test_random(seed) % n_cpus);
	usec = 0;
	for (unsigned i = 0; i < 120; i++) {
		at += sprintf(at, "burst %u %u %u %u 0\n", i, usec += test_random(seed) % 1500,
			      test_random(seed) % n_tasks, 1 + test_random(seed) % 3000);
		if (test_random(seed) % 3 == 0)
			at += sprintf(at, "chain %u %u %u %u %u 0\n", 1000 + i, i,
				      test_random(seed) % 2 * (test_random(seed) % 2000),
				      test_random(seed) % n_tasks, 1 + test_random(seed) % 900);
	}
	*ret_by_task = test_random(seed) % 3 == 0;
	return text;
}

/* A waiting lane must be told of what it could run. */
static void assert_not_forgotten(const struct sim_lane *lanes, uint64_t now_usec)
{
	for (uint32_t i = 0; i < dispatch.n_lanes; i++)
		EXPECT(lanes[i].over || lanes[i].turn.what != DISPATCH_WAIT ||
			       dispatch.lane[i].head == TIMETABLE_NONE || dispatch.lane[i].kicked ||
			       lanes[i].turn.until_usec <= now_usec,
		       "lane %u sleeps at %u over something to do", i, (unsigned)now_usec);
}

static void sim_look(struct sim_lane *lane, uint32_t index, uint64_t now_usec, uint64_t *seed)
{
	if (lane->turn.what == DISPATCH_RUN) {
		lane->turn.left -= meter_of_usec(STEP_USEC);
		if (lane->turn.left > 0 && !dispatch.lane[index].kicked &&
		    now_usec < lane->turn.until_usec && !lane->turn.shared)
			return;
		dispatch_put(&dispatch, &table, index, lane->turn.task, lane->turn.left,
			     STEP_USEC * 1000, index, now_usec);
	} else if (!dispatch.lane[index].kicked && now_usec < lane->turn.until_usec) {
		return;
	}
	lane->turn = dispatch_next(&dispatch, &table, index, now_usec);
	lane->over = lane->turn.what == DISPATCH_END;
	if (test_random(seed) % 16 == 0) /* preempted */
		lane->looks_usec = now_usec + test_random(seed) % LATE_USEC;
}

static void assert_in_order(void)
{
	for (uint32_t i = 0; i < table.n_bursts; i++) {
		const struct dispatch_burst *b = &dispatch.burst[i];

		assert_true(b->ended_usec != DISPATCH_NEVER);
		assert_true(b->released_usec <= b->begun_usec && b->begun_usec <= b->ended_usec);
		for (uint32_t j = 0; j < table.n_bursts; j++) {
			const struct dispatch_burst *other = &dispatch.burst[j];

			if (i == j || table.burst[i].task != table.burst[j].task)
				continue;
			EXPECT(other->begun_usec >= b->ended_usec ||
				       b->begun_usec >= other->ended_usec,
			       "bursts %u and %u of a task at once", i, j);
			/* A chain's release may be found late by the lane that waits for it. */
			EXPECT(table.burst[i].after != TIMETABLE_NONE ||
				       b->released_usec >= other->released_usec ||
				       b->ended_usec <= other->begun_usec,
			       "bursts %u and %u out of order", i, j);
		}
	}
}

static void test_late_lanes(_unused_ void **state)
{
	for (uint64_t row = 0; row < 60; row++) {
		struct sim_lane lanes[DISPATCH_LANES] = {};
		uint64_t seed = row, now_usec;
		bool by_task;
		uint32_t over = 0;

		begin(made_up(&seed, &by_task), false);
		dispatch_init(&dispatch, &table, by_task);
		for (now_usec = 0; over < dispatch.n_lanes; now_usec += STEP_USEC) {
			EXPECT(now_usec < 30000000, "row %u doesn't end", (unsigned)row);
			for (uint32_t i = 0; i < dispatch.n_lanes; i++) {
				if (lanes[i].over || lanes[i].looks_usec > now_usec)
					continue;
				sim_look(&lanes[i], i, now_usec, &seed);
				over += lanes[i].over;
				assert_not_forgotten(lanes, now_usec);
			}
		}
		assert_int_equal(dispatch.n_ended, table.n_bursts);
		assert_in_order();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queue),	    cmocka_unit_test(test_stale),
		cmocka_unit_test(test_round_robin), cmocka_unit_test(test_alone_then_shared),
		cmocka_unit_test(test_chains),	    cmocka_unit_test(test_move_running),
		cmocka_unit_test(test_move_ready),  cmocka_unit_test(test_move_sleeping),
		cmocka_unit_test(test_by_task),	    cmocka_unit_test(test_grace),
		cmocka_unit_test(test_late_lanes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
