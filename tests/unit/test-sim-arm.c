/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The simulator's guestd and hostd, over a path, between a guest and a host whose numbers are made
 * up. */
#include "hostd/headroom.h"
#include "hostd/level.h"
#include "tests/sim/daemon_clock.h"
#include "tests/sim/signal_model.h"
#include "tests/unit/test_sim_arm.h"

/* The floor for that demand, of a 6.12 host. */
static uint16_t floor_for(uint16_t demand1024)
{
	const struct level_config config = {.headroom1024 = HEADROOM_WITHOUT, .grain = LEVEL_GRAIN};

	return level_floor(&config, demand1024, 0, 1024);
}

static void test_a_jump_is_a_floor_in_time(_unused_ void **state)
{
	const uint64_t start = SIM_SEC, delay = (5 + 40 + 50 + 10 + 20) * SIM_USEC;
	struct sim_test test;

	sim_test_init(&test);
	sim_test_start(&test);
	SIM_TEST_AT(test.queue, start);
	assert_true(guestd_model_is_streaming(test.guestd));
	assert_true(hostd_model_has_guest(test.hostd, &test.vm));
	assert_int_equal(test.figures.writes, 0);
	sim_test_use(&test, 1, 700);
	SIM_TEST_AT(test.queue, start + delay - 1);
	assert_int_equal(sim_test_floor(&test, 1), 0);
	SIM_TEST_AT(test.queue, start + delay);
	assert_int_equal(sim_test_floor(&test, 1), floor_for(700));
	assert_int_equal(sim_test_floor(&test, 0), 0);
	assert_int_equal(guestd_model_sent(test.guestd, 1), 700);
	assert_int_equal(test.figures.writes, 1);
	sim_test_end(&test);
}

/* A CPU that stays as busy is told again and again, and written no more. */
static void test_a_lease_is_renewed(_unused_ void **state)
{
	struct sim_test test;

	sim_test_init(&test);
	test.hostd_config.budget1024_percent = 200; /* else the sum isn't taken */
	test.hostd_config.settled_from_nsec = SIM_SEC / 2;
	test.hostd_config.settled_until_nsec = 20 * SIM_SEC;
	sim_test_start(&test);
	SIM_TEST_AT(test.queue, SIM_SEC);
	sim_test_use(&test, 0, 500);
	SIM_TEST_AT(test.queue, 11 * SIM_SEC);
	assert_int_equal(sim_test_floor(&test, 0), floor_for(500));
	assert_in_range(test.figures.reports, 45, 60);
	/* The floor at once, the ceiling when it has been calm. */
	assert_int_equal(test.figures.writes, 2);
	assert_int_equal(test.figures.writes_settled, 2);
	assert_int_equal(test.figures.most_in_4ms, 1);
	assert_true(test.figures.floors_sum_most == floor_for(500));
	sim_test_end(&test);
}

/* A CPU that goes idle falls by guestd's own timers, and ends in a zero. */
static void test_an_idle_cpu_falls_to_nothing(_unused_ void **state)
{
	struct sim_test test;

	sim_test_init(&test);
	sim_test_start(&test);
	SIM_TEST_AT(test.queue, SIM_SEC);
	sim_test_use(&test, 0, 800);
	SIM_TEST_AT(test.queue, 2 * SIM_SEC);
	guestd_model_idle(test.guestd, 0, true);
	SIM_TEST_AT(test.queue, 2 * SIM_SEC + 100 * SIM_MSEC);
	assert_in_range(guestd_model_sent(test.guestd, 0), 100, 600);
	SIM_TEST_AT(test.queue, 3 * SIM_SEC);
	assert_int_equal(guestd_model_sent(test.guestd, 0), 0);
	assert_int_equal(sim_test_floor(&test, 0), 0);
	sim_test_end(&test);
}

static void test_a_hung_agent_loses_its_lease(_unused_ void **state)
{
	struct sim_test test;

	sim_test_init(&test);
	test.agent.silent_from_nsec = 2 * SIM_SEC;
	test.agent.silent_until_nsec = 6 * SIM_SEC;
	sim_test_start(&test);
	SIM_TEST_AT(test.queue, SIM_SEC);
	sim_test_use(&test, 0, 600);
	SIM_TEST_AT(test.queue, 2 * SIM_SEC + 350 * SIM_MSEC);
	assert_int_equal(sim_test_floor(&test, 0), floor_for(600));
	SIM_TEST_AT(test.queue, 2 * SIM_SEC + 1300 * SIM_MSEC);
	assert_int_equal(sim_test_floor(&test, 0), 0);
	assert_true(hostd_model_has_guest(test.hostd, &test.vm));
	/* It goes on, and so does what it says. */
	SIM_TEST_AT(test.queue, 6 * SIM_SEC + SIM_MSEC);
	assert_int_equal(sim_test_floor(&test, 0), floor_for(600));
	sim_test_end(&test);
}

static void test_a_cut_forgets_demands(_unused_ void **state)
{
	struct sim_test test;
	uint64_t at;

	sim_test_init(&test);
	test.path_config.cut_every_nsec = 20 * SIM_SEC;
	sim_test_start(&test);
	SIM_TEST_AT(test.queue, SIM_SEC);
	sim_test_use(&test, 0, 600);
	for (at = SIM_SEC + SIM_MSEC; hostd_model_has_guest(test.hostd, &test.vm); at += SIM_MSEC)
		SIM_TEST_AT(test.queue, at);
	assert_false(guestd_model_is_streaming(test.guestd));
	/* guestd tries again after 7.5 to 12.5 ms and its timer's accuracy: the hold isn't over by
	 * then. */
	assert_int_equal(sim_test_floor(&test, 0), floor_for(600));
	SIM_TEST_AT(test.queue, at + 5 * SIM_MSEC);
	assert_false(hostd_model_has_guest(test.hostd, &test.vm));
	SIM_TEST_AT(test.queue, at + 30 * SIM_MSEC);
	assert_true(hostd_model_has_guest(test.hostd, &test.vm));
	assert_int_equal(sim_test_floor(&test, 0), floor_for(600));
	sim_test_end(&test);
}

/* Its connection ends with it, and floors without a lease's running out. */
static void test_a_killed_agent_is_forgotten(_unused_ void **state)
{
	struct sim_test test;

	sim_test_init(&test);
	test.agent.silent_from_nsec = 2 * SIM_SEC;
	test.agent.silent_until_nsec = SIM_NEVER;
	sim_test_start(&test);
	SIM_TEST_AT(test.queue, SIM_SEC);
	sim_test_use(&test, 0, 600);
	SIM_TEST_AT(test.queue, 2 * SIM_SEC + 90 * SIM_MSEC);
	assert_false(hostd_model_has_guest(test.hostd, &test.vm));
	assert_int_equal(sim_test_floor(&test, 0), floor_for(600));
	SIM_TEST_AT(test.queue, 2 * SIM_SEC + 600 * SIM_MSEC);
	assert_int_equal(sim_test_floor(&test, 0), 0);
	sim_test_end(&test);
}

/* Who is hung doesn't call again either, before it is back. */
static void test_a_hung_agent_does_nothing(_unused_ void **state)
{
	struct sim_test test;

	sim_test_init(&test);
	test.agent.silent_until_nsec = 2 * SIM_SEC;
	sim_test_start(&test);
	SIM_TEST_AT(test.queue, 2 * SIM_SEC - 1);
	assert_int_equal(test.figures.bytes, 0);
	assert_false(path_is_up(test.path, PATH_GUEST));
	SIM_TEST_AT(test.queue, 2 * SIM_SEC + 100 * SIM_MSEC);
	assert_true(hostd_model_has_guest(test.hostd, &test.vm));
	sim_test_end(&test);
}

static void test_a_liar_gets_what_it_claims(_unused_ void **state)
{
	struct sim_test test;

	sim_test_init(&test);
	test.agent.kind = AGENT_LIAR;
	test.agent.lie_util1024 = 1024;
	test.agent.floor_max1024 = 512;
	sim_test_start(&test);
	SIM_TEST_AT(test.queue, 5 * SIM_SEC);
	assert_int_equal(sim_test_floor(&test, 0), 512);
	assert_int_equal(sim_test_floor(&test, 1), 512);
	sim_test_end(&test);
}

static void test_a_liar_can_swing(_unused_ void **state)
{
	struct sim_test test;

	sim_test_init(&test);
	test.agent.kind = AGENT_LIAR;
	test.agent.lie_util1024 = 1024;
	test.agent.lie_period_nsec = 2 * SIM_SEC;
	sim_test_start(&test);
	SIM_TEST_AT(test.queue, 2 * SIM_SEC + 900 * SIM_MSEC);
	assert_int_equal(sim_test_floor(&test, 0), 1024);
	SIM_TEST_AT(test.queue, 3 * SIM_SEC + 900 * SIM_MSEC);
	assert_int_equal(sim_test_floor(&test, 0), 0);
	SIM_TEST_AT(test.queue, 4 * SIM_SEC + 400 * SIM_MSEC);
	assert_int_equal(sim_test_floor(&test, 0), 1024);
	sim_test_end(&test);
}

/* One task that never sleeps: it is booked at no switch, and the idle time stands. */
static void test_proc_sees_a_hog(_unused_ void **state)
{
	struct sim_test test;
	struct cpu_view *view;

	sim_test_init(&test);
	test.agent.kind = AGENT_PROC;
	sim_test_start(&test);
	for (uint64_t at = 0; at <= 2 * SIM_SEC; at += SIM_MSEC) {
		for (unsigned i = 0; i < 2; i++) {
			view = &test.vm.kernel.view[i];
			view->idle_nsec = i == 1 ? MIN(at, SIM_SEC) : at;
			view->slices = i == 1 && at > SIM_SEC;
			view->n_running = i == 1 && at > SIM_SEC;
		}
		SIM_TEST_AT(test.queue, at);
		if (at == SIM_SEC)
			assert_int_equal(sim_test_floor(&test, 1), 0);
	}
	assert_int_equal(sim_test_floor(&test, 1), 1024);
	assert_int_equal(sim_test_floor(&test, 0), 0);
	sim_test_end(&test);
}

/* The guest's load tracking follows what the host delivers, as soon as the guest is busy. */
static void test_feedback_sets_the_scale(_unused_ void **state)
{
	struct sim_test test;

	sim_test_init(&test);
	test.vm.config.invariant = true;
	test.guestd_config.policy =
		(struct governor_policy){.top_khz = 3000000,
					 .min_khz = 1000000,
					 .max_khz = 3000000,
					 .n_steps = 3,
					 .step_khz = {1000000, 1500000, 3000000}};
	sim_test_start(&test);
	SIM_TEST_AT(test.queue, SIM_SEC);
	assert_true(test.vm.scale[1] == 1.0);
	test.machine.khz[1] = 1500000;
	sim_test_use(&test, 1, 700);
	SIM_TEST_AT(test.queue, SIM_SEC + 60 * SIM_MSEC);
	EXPECT(test.vm.scale[1] == 0.5, "%f", test.vm.scale[1]);
	assert_true(test.vm.scale[0] == 1.0);
	assert_true(test.figures.feedback_bits > 0);
	sim_test_end(&test);
}

/* Two classes and no EAS: a large demand goes to the large CPUs; a pin of the operator's stands. */
static void test_places_until_somebody_pins(_unused_ void **state)
{
	struct sim_test test;
	unsigned sets;

	sim_test_init(&test);
	test.machine.config.kernel.capacity[0] = test.machine.config.kernel.capacity[1] = 300;
	sim_test_start(&test);
	SIM_TEST_AT(test.queue, SIM_SEC);
	sim_test_use(&test, 0, 1000);
	SIM_TEST_AT(test.queue, SIM_SEC + SIM_MSEC);
	assert_int_equal(test.vm.thread[0].allowed, 12);
	assert_int_equal(test.vm.thread[1].allowed, 3);
	test.vm.thread[0].allowed = 1;
	hostd_model_changed(test.hostd, &test.vm);
	sim_test_use(&test, 0, 0);
	SIM_TEST_AT(test.queue, 3 * SIM_SEC);
	sets = test.vm.sets;
	sim_test_use(&test, 0, 800);
	SIM_TEST_AT(test.queue, 4 * SIM_SEC);
	assert_int_equal(test.vm.thread[0].allowed, 1);
	/* Full there, it is worth 300 of 1024. */
	assert_int_equal(sim_test_floor(&test, 0), floor_for(800 * 300 / 1024));
	assert_int_equal(test.vm.sets, sets + 2); /* the quarter more went again */
	sim_test_end(&test);
}

static void test_eas_places_itself(_unused_ void **state)
{
	struct sim_test test;

	sim_test_init(&test);
	test.machine.config.kernel.capacity[0] = test.machine.config.kernel.capacity[1] = 300;
	test.machine.config.kernel.energy_aware = true;
	sim_test_start(&test);
	SIM_TEST_AT(test.queue, SIM_SEC);
	sim_test_use(&test, 0, 800);
	SIM_TEST_AT(test.queue, 2 * SIM_SEC);
	assert_int_equal(test.vm.thread[0].allowed, 15);
	/* Full there, it is worth 300 of 1024. */
	assert_int_equal(sim_test_floor(&test, 0), floor_for(800 * 300 / 1024));
	sim_test_end(&test);
}

static void test_an_unplugged_vcpu_wants_nothing(_unused_ void **state)
{
	struct sim_test test;
	unsigned sets;

	sim_test_init(&test);
	sim_test_start(&test);
	SIM_TEST_AT(test.queue, SIM_SEC);
	sim_test_use(&test, 1, 800);
	SIM_TEST_AT(test.queue, 2 * SIM_SEC);
	test.vm.kernel.offline[1] = true;
	hostd_model_changed(test.hostd, &test.vm);
	sets = test.vm.sets;
	SIM_TEST_AT(test.queue, 4 * SIM_SEC);
	assert_int_equal(test.vm.sets, sets);
	assert_int_equal(hostd_model_floor(test.hostd, &test.vm, 1), 0);
	assert_int_equal(guestd_model_sent(test.guestd, 1), 0);
	/* It comes back: guestd says so in a new HELLO, at its next look, and hostd knows its
	 * thread. */
	test.vm.kernel.offline[1] = false;
	hostd_model_changed(test.hostd, &test.vm);
	sim_test_use(&test, 0, 300);
	SIM_TEST_AT(test.queue, 6 * SIM_SEC);
	assert_int_equal(sim_test_floor(&test, 1), floor_for(800));
	sim_test_end(&test);
}

/* -- the same numbers, the same run -- */

static void wander(struct sim_test *test, uint64_t until)
{
	uint64_t dice = 7;

	for (uint64_t at = SIM_SEC; at < until; at += SIM_MSEC) {
		SIM_TEST_AT(test->queue, at);
		if (test_random(&dice) % 20 == 0)
			sim_test_use(test, test_random(&dice) % 2, test_random(&dice) % 1100);
	}
}

static uint64_t hash_of(uint64_t seed)
{
	struct sim_test test;
	uint64_t hash;

	sim_test_init(&test);
	test.seed = seed;
	test.path_config.jitter_nsec = 30 * SIM_USEC;
	test.path_config.stall_share = 0.01;
	test.path_config.stall_nsec = 3 * SIM_MSEC;
	test.path_config.cut_every_nsec = 2 * SIM_SEC;
	sim_test_start(&test);
	wander(&test, 10 * SIM_SEC);
	hash = test.vm.set_hash + test.figures.bytes + test.figures.reports;
	assert_true(test.figures.writes > 100);
	assert_int_equal(test.figures.most_in_4ms, 1);
	sim_test_end(&test);
	return hash;
}

static void test_goes_by_its_seed(_unused_ void **state)
{
	assert_int_equal(hash_of(1), hash_of(1));
	assert_int_not_equal(hash_of(1), hash_of(2));
}

/* -- the reports are guestd's own -- */

/* guestd's rules over the same numbers, at their own moments: as tests/bench/dvfs/replay.c, whose
 * looks are as late as sd-event's timers are. */
struct rules {
	struct signal_model *signal;
	struct reporter *reporter;
	struct cpumask cpus;
	uint16_t scale1024[2];
	uint64_t next_usec;
	uint8_t *bytes;
	size_t size;
};

static void rules_look(struct rules *rules, uint64_t usec)
{
	struct report_vcpu vcpus[2];
	struct message_report report;
	uint64_t wait;

	signal_model_look(rules->signal, &rules->cpus, rules->scale1024, rules->reporter,
			  usec * NSEC_PER_USEC);
	if (reporter_decide(rules->reporter, usec) == REPORTER_REPORT) {
		reporter_build(rules->reporter, usec, &report, vcpus);
		report.stamp_usec = usec;
		rules->size +=
			(size_t)report_put(rules->bytes + rules->size, 1U << 20, &report, vcpus);
	}
	wait = signal_model_settle(rules->signal, &rules->cpus, rules->reporter, 0, usec);
	rules->next_usec = usec + wait + (wait >= 250000 ? wait / 5 : wait / 20 + 1);
}

static void rules_until(struct rules *rules, uint64_t usec)
{
	while (rules->next_usec <= usec)
		rules_look(rules, rules->next_usec);
}

static void rules_use(struct rules *rules, unsigned cpu, uint16_t util, uint64_t usec)
{
	struct pelt_record *record = signal_model_record(rules->signal, cpu);
	bool rings;

	rules_until(rules, usec - 1);
	record->idle_nsec = 0;
	record->util_avg1024 = record->util_est1024 = (uint16_t)pelt_step_cut(util);
	record->runnable = util > 0;
	record->uclamp_max1024 = 1024;
	rings = signal_model_note(rules->signal, cpu, usec * NSEC_PER_USEC);
	if (util == 0)
		signal_model_idle(rules->signal, cpu, true, usec * NSEC_PER_USEC);
	if (rings)
		rules_look(rules, usec);
}

static void rules_begin(struct rules *rules, uint64_t usec)
{
	rules->signal = signal_model_new(2, 31);
	rules->reporter = reporter_new();
	rules->bytes = calloc(1, 1U << 21);
	for (unsigned i = 0; i < 2; i++) {
		cpumask_set(&rules->cpus, i);
		rules->scale1024[i] = 1024;
		signal_model_idle(rules->signal, i, true, usec * NSEC_PER_USEC);
	}
	reporter_configure(rules->reporter, 600 * USEC_PER_MSEC, 31);
	reporter_restart(rules->reporter, usec);
	rules_look(rules, usec);
}

/* A host that only listens. */
struct listener {
	struct path *path;
	bool greeted;
	uint64_t usec;
	struct queue *queue;
	size_t size;
	uint8_t bytes[1U << 21];
};

static void listener_up(_unused_ void *userdata)
{
}

static void listener_bytes(void *userdata, const uint8_t *bytes, size_t size)
{
	struct listener *listener = userdata;
	const struct message_hello hello = {.major = PROTO_MAJOR,
					    .minor = PROTO_MINOR,
					    .fields = 1U << HELLO_AGENT | 1U << HELLO_LEASE_MAX,
					    .lease_max_msec = 1000,
					    .agent = "test"};
	uint8_t frame[FRAME_HEADER + 512];

	if (!listener->greeted) {
		listener->greeted = true;
		listener->usec = daemon_usec(listener->queue);
		path_send(listener->path, PATH_HOST, frame,
			  (size_t)hello_put(frame, sizeof(frame), &hello));
		return;
	}
	memcpy(listener->bytes + listener->size, bytes, size);
	listener->size += size;
}

static const struct path_ops listener_ops = {listener_up, listener_bytes, listener_up};

static void test_reports_are_guestds_own(_unused_ void **state)
{
	static struct listener listener;
	struct rules rules = {};
	struct sim_test test;
	uint64_t dice = 11;

	sim_test_init(&test);
	test.path_config.delay_nsec = 0;
	test.guestd_config.wake_nsec = test.guestd_config.tick_nsec = 0;
	test.guestd_config.frame_nsec = test.guestd_config.start_nsec = 0;
	sim_test_start(&test);
	listener = (struct listener){.path = test.path, .queue = test.queue};
	path_attach(test.path, PATH_HOST, &listener_ops, &listener);
	SIM_TEST_AT(test.queue, 0);
	assert_true(listener.greeted);
	rules_begin(&rules, listener.usec);
	/* After 15 s guestd would hang up on a host that is as silent. */
	for (uint64_t at = SIM_SEC; at < 14 * SIM_SEC; at += SIM_MSEC) {
		unsigned cpu = test_random(&dice) % 2;
		uint16_t util = (uint16_t)(test_random(&dice) % 1100);

		SIM_TEST_AT(test.queue, at);
		rules_until(&rules, daemon_usec(test.queue));
		if (test_random(&dice) % 10 > 0)
			continue;
		util = test_random(&dice) % 4 > 0 ? util : 0;
		sim_test_use(&test, cpu, util);
		SIM_TEST_AT(test.queue, at);
		rules_use(&rules, cpu, util, daemon_usec(test.queue));
	}
	assert_true(listener.size > 50000);
	assert_int_equal(listener.size, rules.size);
	assert_memory_equal(listener.bytes, rules.bytes, rules.size);
	free(rules.bytes);
	signal_model_free(rules.signal);
	reporter_free(rules.reporter);
	sim_test_end(&test);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_jump_is_a_floor_in_time),
		cmocka_unit_test(test_a_lease_is_renewed),
		cmocka_unit_test(test_an_idle_cpu_falls_to_nothing),
		cmocka_unit_test(test_a_hung_agent_loses_its_lease),
		cmocka_unit_test(test_a_cut_forgets_demands),
		cmocka_unit_test(test_a_killed_agent_is_forgotten),
		cmocka_unit_test(test_a_hung_agent_does_nothing),
		cmocka_unit_test(test_a_liar_gets_what_it_claims),
		cmocka_unit_test(test_a_liar_can_swing),
		cmocka_unit_test(test_proc_sees_a_hog),
		cmocka_unit_test(test_feedback_sets_the_scale),
		cmocka_unit_test(test_places_until_somebody_pins),
		cmocka_unit_test(test_eas_places_itself),
		cmocka_unit_test(test_an_unplugged_vcpu_wants_nothing),
		cmocka_unit_test(test_goes_by_its_seed),
		cmocka_unit_test(test_reports_are_guestds_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
