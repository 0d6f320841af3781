/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the simulator's hostd knows of its host: what a look has told it, and nothing in between. */
#include "tests/sim/hostd_model_private.h"
#include "tests/unit/test_sim_arm.h"

static void start(struct sim_test *test)
{
	sim_test_init(test);
	test->hostd_config.look_nsec = 10 * SIM_MSEC;
	sim_test_start(test);
	SIM_TEST_AT(test->queue, SIM_SEC);
}

static void test_an_idle_host_isnt_looked_at(_unused_ void **state)
{
	struct sim_test test;

	start(&test);
	assert_int_equal(test.hostd->seen_usec, 0);
	sim_test_end(&test);
}

static void test_what_is_known_is_as_old_as_the_look(_unused_ void **state)
{
	const struct thread_seen *seen;
	struct sim_test test;

	start(&test);
	seen = &test.hostd->domains->vcpus[1].seen;
	test.vm.thread[1].cpu = 3;
	test.vm.thread[1].run_nsec = 7;
	test.vm.thread[1].delay_nsec = 8;
	test.machine.kernel.idles = NULL;
	test.machine.kernel.view[3].booked_nsec = 9;
	test.machine.kernel.view[3].idle_nsec = 25 * SIM_MSEC;
	sim_test_use(&test, 1, 700);
	SIM_TEST_AT(test.queue, SIM_SEC + SIM_MSEC);
	assert_true(seen->valid);
	assert_int_equal(seen->cpu, 3);
	assert_int_equal(seen->run_nsec, 7);
	assert_int_equal(seen->delay_nsec, 8);
	assert_int_equal(test.hostd->cpu[3].busy_nsec, 9);
	assert_int_equal(test.hostd->cpu[3].idle_ticks, 2);
	assert_int_equal(test.hostd->cpu[3].khz, 3000000);
	/* Nobody asks for the other vCPU. */
	assert_false(test.hostd->domains->vcpus[0].seen.valid);
	test.vm.thread[1].cpu = 2;
	test.machine.khz[3] = 1500000;
	SIM_TEST_AT(test.queue, SIM_SEC + 10 * SIM_MSEC);
	assert_int_equal(seen->cpu, 3);
	assert_int_equal(test.hostd->cpu[3].khz, 3000000);
	SIM_TEST_AT(test.queue, SIM_SEC + 11 * SIM_MSEC);
	assert_int_equal(seen->cpu, 2);
	assert_int_equal(test.hostd->cpu[3].khz, 1500000);
	sim_test_end(&test);
}

static void test_looks_end_with_the_demand(_unused_ void **state)
{
	struct sim_test test;
	uint64_t last_usec;

	start(&test);
	sim_test_use(&test, 0, 700);
	SIM_TEST_AT(test.queue, 2 * SIM_SEC);
	last_usec = test.hostd->seen_usec;
	assert_in_range(last_usec, DAEMON_BASE_USEC + 1990000, DAEMON_BASE_USEC + 2000000);
	sim_test_use(&test, 0, 0);
	SIM_TEST_AT(test.queue, 3 * SIM_SEC);
	last_usec = test.hostd->seen_usec;
	SIM_TEST_AT(test.queue, 5 * SIM_SEC);
	assert_int_equal(test.hostd->seen_usec, last_usec);
	sim_test_end(&test);
}

/* hostd does one thing after the other: what comes during a look waits for its end. */
static void test_a_look_takes_its_time(_unused_ void **state)
{
	const uint64_t delay = (5 + 40 + 50 + 10 + 20) * SIM_USEC, look = 1 * SIM_MSEC;
	struct sim_test test;
	uint64_t at;

	start(&test);
	test.hostd->config.look_each_nsec = look;
	sim_test_use(&test, 0, 700);
	SIM_TEST_AT(test.queue, SIM_SEC + 90 * SIM_MSEC);
	/* So that a report comes when a look of five has just begun. */
	at = test.hostd->seen_usec * NSEC_PER_USEC - DAEMON_BASE_NSEC + 10 * SIM_MSEC;
	SIM_TEST_AT(test.queue, at - 50 * SIM_USEC);
	sim_test_use(&test, 1, 700);
	SIM_TEST_AT(test.queue, at - 50 * SIM_USEC + delay + 4 * look);
	assert_int_equal(sim_test_floor(&test, 1), 0);
	SIM_TEST_AT(test.queue, at - 50 * SIM_USEC + delay + 5 * look);
	assert_int_not_equal(sim_test_floor(&test, 1), 0);
	sim_test_end(&test);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_idle_host_isnt_looked_at),
		cmocka_unit_test(test_what_is_known_is_as_old_as_the_look),
		cmocka_unit_test(test_looks_end_with_the_demand),
		cmocka_unit_test(test_a_look_takes_its_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
