/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/sim/setting.h"

#include "test_scenario.h"

static struct host_config defaults(void)
{
	struct host_config config = {};

	config_defaults(host_config_keys, host_config_n_keys, &config);
	return config;
}

static void test_a_key_is_set_as_the_daemon_reads_it(_unused_ void **state)
{
	struct host_config config = defaults();
	char message[256];

	assert_int_equal(setting_read("floor_hold=25ms", &config, message, sizeof(message)), 0);
	assert_int_equal(config.floor_hold_usec, 25 * USEC_PER_MSEC);
	assert_int_equal(setting_read("Floor_Step=50%", &config, message, sizeof(message)), 0);
	assert_int_equal(config.floor_step, 512);
	assert_int_equal(setting_check(&config, message, sizeof(message)), 0);
}

static void assert_wrong(const char *text, const char *says)
{
	struct host_config config = defaults(), before = config;
	char message[256] = "";

	assert_int_equal(setting_read(text, &config, message, sizeof(message)), -EINVAL);
	EXPECT(strstr(message, says), "%s: %s", text, message);
	assert_memory_equal(&config, &before, sizeof(config));
}

static void test_what_is_wrong_is_said(_unused_ void **state)
{
	assert_wrong("floor_hold=25", "floor_hold: ");
	assert_wrong("floor_hold=", "the value is missing");
	assert_wrong("floor_hold", "no KEY=VALUE");
	assert_wrong("floor_hol=25ms", "did you mean 'floor_hold'?");
	assert_wrong("floor_holding_time_of_all=25ms", "there is no such key");
	assert_wrong("=25ms", "there is no such key");
	assert_wrong("ceiling_slack=200%", "ceiling_slack: ");
	assert_wrong("goal=energy", "doesn't go by this key");
}

static void test_keys_must_go_together(_unused_ void **state)
{
	struct host_config config = defaults();
	char message[256] = "";

	assert_int_equal(setting_read("floor_max=1%", &config, message, sizeof(message)), 0);
	assert_int_equal(setting_check(&config, message, sizeof(message)), -EINVAL);
	EXPECT(strstr(message, "floor_step doesn't go with floor_max"), "%s", message);
}

/* Each line that is printed can be set; what can't be isn't there. */
static void test_what_is_printed_can_be_set(_unused_ void **state)
{
	struct host_config config = defaults(), again = {};
	char *text = NULL, *save = NULL, message[256];
	unsigned n = 0;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	setting_print(&config, file);
	fclose(file);
	assert_non_null(strstr(text, "floor_hold="));
	assert_null(strstr(text, "goal="));
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		EXPECT(setting_read(line, &again, message, sizeof(message)) == 0, "%s", message);
		n++;
	}
	assert_int_equal(again.floor_hold_usec, config.floor_hold_usec);
	assert_int_equal(n, host_config_n_keys - 7);
	free(text);
}

static const char light[] = "name light\nabout a load that sleeps for long\nlength 3s\n"
			    "host separate\nvm a vcpus 1 pins 0 goal speed\n"
			    "load x on a periodic work 10ms period 300ms\n";

static struct run_figures run_with(const struct host_config *hostd)
{
	struct scenario *scenario;
	struct run_figures figures;
	struct world *world;

	assert_int_equal(test_sim_read(light, &scenario, NULL), 0);
	scenario->hostd = hostd;
	world = world_new(scenario, ARM_WITH, 1);
	assert_non_null(world);
	world_run(world, &figures);
	world_free(world);
	scenario_free(scenario);
	assert_int_equal(figures.status, 0);
	return figures;
}

/* A floor that outlasts the pauses is written more rarely. */
static void test_the_simulated_hostd_goes_by_it(_unused_ void **state)
{
	struct host_config config = defaults();
	struct run_figures by_default, as_by_default, held;
	char message[256];

	by_default = run_with(NULL);
	as_by_default = run_with(&config);
	assert_int_equal(setting_read("floor_hold=1s", &config, message, sizeof(message)), 0);
	held = run_with(&config);
	assert_int_equal(by_default.arm.writes, as_by_default.arm.writes);
	assert_true(by_default.energy_mj == as_by_default.energy_mj);
	EXPECT(held.arm.writes < by_default.arm.writes / 2, "%u, %u", (unsigned)held.arm.writes,
	       (unsigned)by_default.arm.writes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_key_is_set_as_the_daemon_reads_it),
		cmocka_unit_test(test_what_is_wrong_is_said),
		cmocka_unit_test(test_keys_must_go_together),
		cmocka_unit_test(test_what_is_printed_can_be_set),
		cmocka_unit_test(test_the_simulated_hostd_goes_by_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
