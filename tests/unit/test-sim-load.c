/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the programs offer and when it is done, on CPUs that are always at their highest frequency;
 * and that it is the same in all arms. */
#include "test_scenario.h"

#include <math.h>

#include "tests/sim/load.h"

/* Nothing but the loads takes time there. */
#define HOST "name n\nabout a\nwarm-up 0\nlength 2s\nhost separate performance\n"

/* A CPU takes a while to leave idle, and slices are as they are: that is little beside bursts of
 * ms. */
static void near(double is, double should, double share)
{
	EXPECT(fabs(is - should) <= share * should, "%.12g isn't %.12g", is, should);
}

static struct group_figures alone(const char *text)
{
	return test_sim_run(text, ARM_NATIVE, 1).groups[0];
}

static void test_periodic(_unused_ void **state)
{
	struct group_figures f =
		alone(HOST "load x on host:0 periodic work 25% period 10ms deadline 2600us");

	/* 2 s less the tail of 100 ms; the first one comes within 10 ms. */
	assert_in_range(f.bursts, 189, 190);
	assert_int_equal(f.finished, f.bursts);
	near(f.mean_nsec, 2.5e6, 0.02);
	near(f.stretch, 1, 0.02);
	assert_int_equal(f.missed, 0);
	near(f.offered_nsec, 200 * 2.5e6, 0.011);
	f = alone(HOST "load x on host:0 periodic work 25% period 10ms deadline 2400us");
	assert_int_equal(f.missed, f.due);
	/* Two on one CPU that need more than there is. */
	f = alone(HOST "load x on host:0 periodic tasks 2 work 80% period 10ms");
	near(f.done_nsec, 2e9, 0.01);
	near(f.offered_nsec, 3.2e9, 0.01);
	assert_true(f.mean_nsec > 100e6);
	f = alone(HOST "load x on host:0 periodic work 1ms period 20ms from 1s until 1500ms");
	assert_in_range(f.bursts, 24, 26);
}

/* One under way, one that waits: two of three are dropped, and are late all the same. */
static void test_drop(_unused_ void **state)
{
	struct group_figures f = alone(HOST "load x on host:0 periodic work 30ms period 10ms drop");

	near(f.done_nsec, 2e9, 0.01);
	near(f.offered_nsec, 2e9, 0.05);
	near(f.bursts, 63, 0.05);
	near(f.due, 190, 0.05);
	assert_int_equal(f.missed, f.due);
	assert_true(f.mean_nsec <= 61e6 && f.mean_nsec >= 45e6);
	f = alone(HOST "load x on host:0 periodic work 9ms period 10ms drop");
	assert_in_range(f.bursts, 189, 190);
	assert_int_equal(f.missed, 0);
}

static void test_vary(_unused_ void **state)
{
	struct group_figures f =
		alone(HOST "load x on host:0 periodic work 4ms period 10ms vary 50%");

	near(f.mean_nsec, 4e6, 0.1);
	assert_in_range(f.p95_nsec, 5.5e6, 6.01e6);
}

static void test_wave(_unused_ void **state)
{
	/* 500 ms of 1 ms each 10, 500 ms of 5 ms, and again. */
	struct group_figures f =
		alone(HOST "load x on host:0 wave work 1ms high 5ms period 10ms every 500ms");

	near(f.offered_nsec, 100 * 1e6 + 100 * 5e6, 0.03);
	near(f.p95_nsec, 5e6, 0.02);
	near(f.settle_nsec, 0, 0);
	/* Evenly from 1 to 5 ms and back: 3 ms in the mean. */
	f = alone(HOST "load x on host:0 wave work 1ms high 5ms period 10ms every 500ms ramp");
	near(f.offered_nsec, 200 * 3e6, 0.03);
}

static void test_ui(_unused_ void **state)
{
	/* On CPUs of their own: work, share (of all the same), join. */
	struct group_figures f =
		alone(HOST "load x on host ui workers 3 work 2ms share 3ms join 1ms "
			   "period 20ms placed");

	near(f.mean_nsec, 6e6, 0.02);
	near(f.offered_nsec, 100 * (2 + 3 * 3 + 1) * 1e6, 0.011);
	/* On one CPU one after the other. */
	f = alone(HOST "load x on host:0 ui workers 3 work 2ms share 3ms join 1ms period 20ms");
	near(f.mean_nsec, 12e6, 0.01);
	/* Frames that take longer than their period queue up, and none overtakes. */
	f = alone(HOST "load x on host:0 ui workers 3 work 4ms share 6ms join 2ms period 20ms");
	near(f.done_nsec, 2e9, 0.01);
	assert_true(f.finished < f.bursts);
}

static void test_storage(_unused_ void **state)
{
	/* One to ask, and for each of 4 requests the wait, one to take the answer, the work. */
	struct group_figures f =
		alone(HOST "load x on host:0-1 storage requests 4 wait 3ms ask 500us "
			   "work 2ms period 100ms deadline 23ms placed");

	near(f.mean_nsec, 0.5e6 + 4 * (3e6 + 0.5e6 + 2e6), 0.01);
	assert_int_equal(f.missed, 0);
	near(f.offered_nsec, 20 * (5 * 0.5 + 4 * 2) * 1e6, 0.06);
	/* Rounds that are released before the last one is over wait for it. */
	f = alone(HOST
		  "load x on host:0-1 storage requests 4 wait 30ms ask 500us work 2ms period 50ms");
	assert_true(f.finished < f.bursts && f.mean_nsec > 300e6);
}

static void test_inference(_unused_ void **state)
{
	struct group_figures f =
		alone(HOST "load x on host inference tasks 4 layers 5 work 3ms period "
			   "100ms placed");

	near(f.mean_nsec, 15e6, 0.02);
	near(f.offered_nsec, 20 * 60e6, 0.06);
	f = alone(HOST "load x on host:0 inference tasks 4 layers 5 work 3ms period 100ms");
	near(f.mean_nsec, 60e6, 0.01);
}

static void test_hog_compile_noise(_unused_ void **state)
{
	struct group_figures f = alone(HOST "load x on host:0 hog");

	near(f.done_nsec, 2e9, 0.02);
	near(f.stretch, 1, 0.02);
	/* 4 ms of work, 6 ms of waiting. */
	f = alone(HOST "load x on host:0 compile work 4ms wait 6ms");
	near(f.done_nsec, 0.8e9, 0.01);
	near(f.mean_nsec, 4e6, 0.01);
	f = alone(HOST "load x on host:0-3 noise work 100us every 10ms");
	assert_true(f.background);
	near(f.bursts, 4 * 190, 0.2);
}

static void test_server(_unused_ void **state)
{
	/* Hardly any wait for another at 2 % of what there is. */
	struct group_figures f =
		alone(HOST "load x on host:0 server work 1ms every 50ms deadline 1100us");

	near(f.median_nsec, 1e6, 0.02);
	near(f.bursts, 38, 0.6);
	/* At 95 % of one CPU the queue is long: M/D/1 has 1 + 0.95 / (2 x 0.05) = 10.5 ms in the
	 * mean. */
	f = test_sim_run("name n\nabout a\nwarm-up 0\nlength 400s\nhost separate performance\n"
			 "load x on host:0 server work 1ms every 1053us",
			 ARM_NATIVE, 1)
		    .groups[0];
	near(f.mean_nsec, 10.5e6, 0.25);
}

/* plan.py's format: b waits for a, 3 ms; then a hops. */
static void test_timetable(_unused_ void **state)
{
	static const char plan[] =
		"cpus 2\nlength 1000000\ntask 0 a1\ntask 1 b1\nplace 0 0 0\nplace 0 1 0\n"
		"place 500000 0 1\nburst 0 100000 0 4000 4500\n"
		"chain 1 0 3000 1 2000 1900\nburst 2 600000 0 5000 0\n";
	char *dir = test_make_dir();
	struct run_figures f;

	test_write(dir, "plan", plan);
	setenv("VMFREQ_SIM_TIMETABLES", dir, 1);
	f = test_sim_run(HOST "load x on host:0-1 timetable file plan", ARM_NATIVE, 1);
	assert_int_equal(f.n_groups, 2);
	assert_string_equal(f.groups[0].name, "x.a");
	assert_string_equal(f.groups[1].name, "x.b");
	assert_int_equal(f.groups[0].finished, 2);
	assert_int_equal(f.groups[0].due, 1);
	assert_int_equal(f.groups[0].missed, 0);
	near(f.groups[0].mean_nsec, 4.5e6, 0.02);
	assert_int_equal(f.groups[1].finished, 1);
	assert_int_equal(f.groups[1].missed, 1);
	near(f.groups[1].mean_nsec, 2e6, 0.02);
	unsetenv("VMFREQ_SIM_TIMETABLES");
	test_remove_dir(dir);
}

/* A pause is in none of the bursts, and what was to come comes later. */
static void test_pause(_unused_ void **state)
{
	static const char text[] = HOST "vm a pins 0\nload x on a periodic work 30% period 10ms\n"
					"at 500ms pause a\nat 1s resume a\n";

	for (enum arm_kind arm = ARM_NATIVE; arm <= ARM_WITHOUT; arm++) {
		struct group_figures f = test_sim_run(text, arm, 1).groups[0];

		near(f.offered_nsec, 150 * 3e6, 0.02);
		near(f.done_nsec, 150 * 3e6, 0.02);
		near(f.mean_nsec, 3e6, 0.02);
		near(f.p95_nsec, 3e6, 0.02);
	}
}

static void test_stop_and_start(_unused_ void **state)
{
	static const char text[] = HOST
		"vm a pins 0 runs 500ms..1s\nload x on a periodic work 30% period 10ms\n"
		"vm b vcpus 2 pins 1/2\nload y on b periodic tasks 2 work 30% period 10ms placed\n"
		"at 1s vcpu b 1 off\nat 1s cpu 3 off\nat 1500ms pin b 0/1\n";

	for (enum arm_kind arm = ARM_NATIVE; arm <= ARM_WITHOUT; arm++) {
		struct run_figures f = test_sim_run(text, arm, 1);

		near(f.groups[0].done_nsec, 50 * 3e6, 0.04);
		near(f.groups[1].done_nsec, 2 * 200 * 3e6, 0.02);
	}
}

/* -- the same work in all arms -- */

struct offered {
	size_t n;
	double work;
	uint64_t released;
};

static struct offered offered(const char *text, enum arm_kind arm, uint64_t seed, unsigned group)
{
	struct scenario *scenario;
	struct world *world = test_sim_world(text, arm, seed, &scenario);
	const struct metrics_group *g = world_group(world, group);
	struct offered ret = {};
	struct run_figures figures;

	world_run(world, &figures);
	ret.n = g->n;
	for (size_t i = 0; i < g->n; i++) {
		ret.work += g->bursts[i].work_nsec;
		ret.released += g->bursts[i].released_nsec;
	}
	world_free(world);
	scenario_free(scenario);
	return ret;
}

static void test_same_work(_unused_ void **state)
{
	static const char text[] =
		"name n\nabout a\nlength 2s\nhost separate\nvm a vcpus 4 pins 0/1/2/3\n"
		"load x on a periodic tasks 9 work 2%..9% period 16ms..64ms vary 25% mix "
		"20ms..80ms\n"
		"load y on a server tasks 2 work 1ms..2ms every 20ms\n"
		"load z on a noise work 50us..150us every 40ms\n"
		"load h on host:1 periodic work 1ms..2ms period 20ms jitter 5ms\n"
		"load c on a compile work 1ms..9ms wait 1ms..3ms\n";
	struct offered first[4], other;

	for (unsigned group = 0; group < 4; group++) {
		first[group] = offered(text, ARM_NATIVE, 7, group);
		assert_true(first[group].n > 50 && first[group].work > 0);
		for (unsigned arm = ARM_WITHOUT; arm <= ARM_PATCHES; arm++) {
			other = offered(text, (enum arm_kind)arm, 7, group);
			assert_int_equal(other.n, first[group].n);
			assert_true(other.work == first[group].work);
			assert_int_equal(other.released, first[group].released);
		}
		other = offered(text, ARM_NATIVE, 8, group);
		assert_true(other.work != first[group].work);
	}
}

/* The same arm and seed give the same run. */
static void test_same_run(_unused_ void **state)
{
	static const char text[] = "name n\nabout a\nlength 2s\nhost phone8\nvm a vcpus 4\n"
				   "load x on a ui work 2ms share 1ms..2ms join 1ms period 16ms\n"
				   "load c on host compile tasks 3 work 1ms..9ms wait 1ms..3ms\n";

	for (unsigned arm = ARM_NATIVE; arm <= ARM_PATCHES; arm++) {
		struct run_figures one = test_sim_run(text, (enum arm_kind)arm, 3);
		struct run_figures two = test_sim_run(text, (enum arm_kind)arm, 3);

		one.wall_usec = two.wall_usec = one.memory_kb = two.memory_kb = 0;
		assert_memory_equal(&one, &two, sizeof(one));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_periodic),  cmocka_unit_test(test_drop),
		cmocka_unit_test(test_vary),	  cmocka_unit_test(test_wave),
		cmocka_unit_test(test_ui),	  cmocka_unit_test(test_storage),
		cmocka_unit_test(test_inference), cmocka_unit_test(test_hog_compile_noise),
		cmocka_unit_test(test_server),	  cmocka_unit_test(test_timetable),
		cmocka_unit_test(test_pause),	  cmocka_unit_test(test_stop_and_start),
		cmocka_unit_test(test_same_work), cmocka_unit_test(test_same_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
