/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tests/lab/dvfs/lane.c and meter.h: work is own running time at a frequency, and nothing else. */
#include "tests/unit/test_dvfs.h"

#include "tests/lab/dvfs/freqpage.h"
#include "tests/lab/dvfs/lane.h"

#define HEAD	  "cpus 1\nlength 100000\ntask 0 a\nplace 0 0 0\n"
#define SPIN_USEC 10

/* A CPU whose clock goes by what the lane does. */
static struct world {
	uint64_t now_usec, stolen_usec;
	/* From then on the frequency is another; from then to then somebody else runs. */
	uint64_t change_usec, preempt_usec, preempted_usec;
	uint64_t known_late_usec; /* the lane hears of it so long after */
	struct freqpage page;
	unsigned spins, waits;
	uint64_t rounds_per_usec; /* 0: each spin takes SPIN_USEC */
	uint64_t longest_usec;	  /* spin */
} world;

static uint64_t now_usec(_unused_ void *userdata)
{
	return world.now_usec;
}

static int64_t ran_nsec(_unused_ void *userdata)
{
	bool known =
		world.now_usec >= world.preempt_usec + world.preempted_usec + world.known_late_usec;

	return (int64_t)(world.now_usec - (known ? world.stolen_usec : 0)) * 1000;
}

static uint32_t rate20(_unused_ void *userdata)
{
	if (world.change_usec > 0 && world.now_usec > world.change_usec)
		world.page.cpu[0].khz = 3000000;
	return freqpage_rate20(&world.page, 0);
}

static uint32_t cpu(_unused_ void *userdata)
{
	return 0;
}

static void spin(_unused_ void *userdata, uint32_t rounds)
{
	uint64_t usec = world.rounds_per_usec > 0 ? 1 + rounds / world.rounds_per_usec : SPIN_USEC;

	world.spins++;
	world.now_usec += usec;
	world.longest_usec = MAX(world.longest_usec, usec);
	if (world.preempted_usec > world.stolen_usec && world.now_usec > world.preempt_usec) {
		world.now_usec += world.preempted_usec;
		world.stolen_usec = world.preempted_usec;
	}
}

static void wait_for(_unused_ void *userdata, uint64_t until_usec, _unused_ const uint32_t *kicked)
{
	assert_true(until_usec > world.now_usec);
	world.waits++;
	world.now_usec = until_usec;
}

static void kick(_unused_ void *userdata, _unused_ uint32_t lane)
{
	fail_msg("there is nobody to wake");
}

static void nothing(_unused_ void *userdata)
{
}

static void run(const char *text, uint32_t capacity, uint32_t khz)
{
	static const struct lane_doors doors = {now_usec, ran_nsec, rate20,  cpu,    spin,
						wait_for, kick,	    nothing, nothing};
	struct lane lane = {.dispatch = &dispatch, .timetable = &table, .doors = &doors};

	begin(text, false);
	world.page.cpu[0] =
		(struct freqpage_cpu){.khz = khz, .max_khz = 3000000, .capacity = capacity};
	lane_run(&lane);
	assert_int_equal(lane.steps, world.spins);
}

static int setup(_unused_ void **state)
{
	world = (struct world){.preempt_usec = UINT32_MAX};
	return 0;
}

/* The same work at a half of the frequency, on a CPU of a quarter, takes as much longer. */
static void test_frequency(_unused_ void **state)
{
	static const struct {
		uint32_t capacity, khz;
		uint64_t usec;
	} rows[] = {{1024, 3000000, 2000},
		    {1024, 1500000, 4000},
		    {256, 3000000, 8000},
		    {256, 1500000, 16000},
		    {1024, 750000, 8000}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		setup(NULL);
		run(HEAD "burst 1 500 0 2000 0\n", rows[i].capacity, rows[i].khz);
		assert_burst(1, 0, 500, 500, 500 + rows[i].usec);
		assert_int_equal(world.spins, rows[i].usec / SPIN_USEC);
		assert_int_equal(world.waits, 2); /* idle is asleep: before it, and after */
	}
}

/* 2 ms of work: 1 ms of it at half speed, the rest at full. */
static void test_change(_unused_ void **state)
{
	world.change_usec = 2000;
	run(HEAD "burst 1 0 0 2000 0\n", 1024, 1500000);
	assert_burst(1, 0, 0, 0, 3000);
}

/* What somebody else ran isn't work, whenever it becomes known. */
static void test_preempted(_unused_ void **state)
{
	for (uint64_t late_usec = 0; late_usec <= 900; late_usec += 300) {
		setup(NULL);
		world.preempt_usec = 1000;
		world.preempted_usec = 5000;
		world.known_late_usec = late_usec;
		run(HEAD "burst 1 0 0 20000 0\n", 1024, 3000000);
		assert_burst(1, 0, 0, 0, 25000);
	}
}

/* Looks are few, and all the same a burst ends when its work is done, and what is due is seen in
 * time, on fast machines and slow ones. */
static void test_steps(_unused_ void **state)
{
	static const uint64_t speeds[] = {2, 30, 1000};

	for (size_t i = 0; i < ARRAY_SIZE(speeds); i++) {
		setup(NULL);
		world.rounds_per_usec = speeds[i];
		run(HEAD "burst 1 0 0 11200 0\nburst 2 20000 0 100 0\n", 1024, 3000000);
		EXPECT(world.spins > 20 && world.spins < 60, "%u looks", world.spins);
		EXPECT(world.longest_usec <= 510, "%u us", (unsigned)world.longest_usec);
		EXPECT(dispatch.burst[0].ended_usec - 11200 <= 22, "ended at %u",
		       (unsigned)dispatch.burst[0].ended_usec);
		EXPECT(dispatch.burst[1].ended_usec - 20100 <= 22, "ended at %u",
		       (unsigned)dispatch.burst[1].ended_usec);
	}
}

/* At frequency 0, which no page should say, nothing is done; and it ends all the same. */
static void test_no_frequency(_unused_ void **state)
{
	run(HEAD "burst 1 0 0 2000 0\n", 1024, 0);
	assert_int_equal(dispatch.n_ended, 0);
}

/* The largest burst that a timetable can have, and the longest step, don't overflow. */
static void test_meter(_unused_ void **state)
{
	assert_true(meter_of_usec(UINT32_MAX) > 0);
	assert_int_equal(meter_left(meter_of_usec(1000), 1000000, 1 << 20), 0);
	assert_int_equal(meter_left(meter_of_usec(1000), 1000000, 1 << 19), meter_of_usec(500));
	assert_int_equal(meter_left(0, -1000, 1 << 20), meter_of_usec(1));
	assert_true(meter_left(0, INT64_C(3600000000000), 1 << 20) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_frequency, setup),
		cmocka_unit_test_setup(test_change, setup),
		cmocka_unit_test_setup(test_preempted, setup),
		cmocka_unit_test_setup(test_steps, setup),
		cmocka_unit_test_setup(test_no_frequency, setup),
		cmocka_unit_test_setup(test_meter, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
