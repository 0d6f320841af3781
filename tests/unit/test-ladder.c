/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/ladder.c: which means of setting floors a host gets, and why. */
#include "tests/unit/test.h"

#include "hostd/ladder.h"

/* A host's CPUs, one letter each: s schedutil, p performance, i intel_pstate in active mode, a
 * amd-pstate in active mode, P intel_pstate active with "performance", c intel_pstate in passive
 * mode with schedutil, o, q, d ondemand with one of several drivers, u userspace, - no cpufreq. */
static struct topology *make_topology(const char *cpus)
{
	struct topology *topology = calloc(1, sizeof(*topology));

	assert_non_null(topology);
	for (unsigned cpu = 0; cpus[cpu]; cpu++) {
		struct cpufreq_policy *policy = &topology->policy[topology->n_policies];
		static const struct {
			char letter;
			const char *driver, *governor;
		} kinds[] = {
			{'s', "acpi-cpufreq", "schedutil"},   {'p', "acpi-cpufreq", "performance"},
			{'i', "intel_pstate", "powersave"},   {'P', "intel_pstate", "performance"},
			{'a', "amd-pstate-epp", "powersave"}, {'c', "intel_cpufreq", "schedutil"},
			{'o', "cpufreq-dt", "ondemand"},      {'q', "qcom-cpufreq-hw", "ondemand"},
			{'d', "amd-pstate", "ondemand"},      {'u', "acpi-cpufreq", "userspace"}};

		cpumask_set(&topology->online, cpu);
		topology->cpu[cpu].policy = TOPOLOGY_NONE;
		for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
			if (kinds[i].letter != cpus[cpu])
				continue;
			strcpy(policy->driver, kinds[i].driver);
			strcpy(policy->governor, kinds[i].governor);
			topology->cpu[cpu].policy = (uint16_t)topology->n_policies++;
		}
	}
	return topology;
}

static void test_governors(_unused_ void **state)
{
	struct topology *topology = make_topology("spiPaco-");
	struct governors governors;

	cpumask_unset(&topology->online, 6);
	ladder_governors(topology, &governors);
	assert_int_equal(governors.schedutil.word[0], 1 << 0 | 1 << 5);
	assert_int_equal(governors.performance.word[0], 1 << 1 | 1 << 3);
	assert_int_equal(governors.active.word[0], 1 << 2 | 1 << 4);
	assert_int_equal(governors.other.word[0], 0); /* offline */
	assert_int_equal(governors.none.word[0], 1 << 7);
	free(topology);
}

/* Reasons are whole sentences: they begin as one of these. */
static bool begins_well(const char *reason)
{
	static const char *const beginnings[] = {"uclamp", "this ", "scaling_min_freq ",
						 "not needed", "actuator = off"};

	for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++)
		if (strncmp(reason, beginnings[i], strlen(beginnings[i])) == 0)
			return true;
	return false;
}

static void test_ladder(_unused_ void **state)
{
	static const struct {
		const char *cpus;
		enum actuator_choice choice;
		int uclamp, min_freq;
		bool classes;
		enum rung rung;
		const char *reason; /* a part of it */
	} rows[] = {
		/* The first rung, where it does something. */
		{"ssss", ACTUATOR_AUTO, 0, 0, false, RUNG_THREAD, "uclamp.min"},
		{"cccc", ACTUATOR_AUTO, 0, 0, false, RUNG_THREAD, "uclamp.min"},
		{"sss-", ACTUATOR_AUTO, 0, 0, false, RUNG_THREAD, "uclamp.min"},
		/* Debian 12's own kernel. */
		{"ssss", ACTUATOR_AUTO, -EOPNOTSUPP, 0, false, RUNG_CPUFREQ,
		 "built without uclamp (CONFIG_UCLAMP_TASK): scaling_min_freq of the CPUs"},
		{"ssss", ACTUATOR_AUTO, -EPERM, 0, false, RUNG_CPUFREQ, "sched_setattr fails: sc"},
		/* Hosts where uclamp is there and does nothing. */
		{"iiii", ACTUATOR_AUTO, 0, 0, false, RUNG_CPUFREQ, "active mode: scaling_min"},
		{"aaaa", ACTUATOR_AUTO, 0, 0, false, RUNG_CPUFREQ, "active mode: scaling_min"},
		{"oooo", ACTUATOR_AUTO, 0, 0, false, RUNG_CPUFREQ, "isn't schedutil: scaling_min"},
		{"qqqq", ACTUATOR_AUTO, 0, 0, false, RUNG_CPUFREQ, "isn't schedutil: scaling_min"},
		{"dddd", ACTUATOR_AUTO, 0, 0, false, RUNG_CPUFREQ, "isn't schedutil: scaling_min"},
		{"uuuu", ACTUATOR_AUTO, 0, 0, false, RUNG_CPUFREQ, "isn't schedutil: scaling_min"},
		{"ssso", ACTUATOR_AUTO, 0, 0, false, RUNG_CPUFREQ, "isn't schedutil"},
		{"sssp", ACTUATOR_AUTO, 0, 0, false, RUNG_CPUFREQ, "isn't schedutil"},
		{"iiii", ACTUATOR_AUTO, 0, -EROFS, false, RUNG_THREAD, "won't follow"},
		/* At the highest frequency anyhow. */
		{"pppp", ACTUATOR_AUTO, 0, 0, false, RUNG_OFF, "not needed"},
		{"PPPP", ACTUATOR_AUTO, -EOPNOTSUPP, 0, false, RUNG_OFF, "not needed"},
		{"pppp", ACTUATOR_AUTO, 0, 0, true, RUNG_THREAD, "for the choice of cores alone"},
		{"pppp", ACTUATOR_AUTO, -EOPNOTSUPP, 0, true, RUNG_OFF, "not needed"},
		/* Nothing to be had. */
		{"----", ACTUATOR_AUTO, 0, -ENOENT, false, RUNG_THREAD, "no cpufreq"},
		{"----", ACTUATOR_AUTO, -EOPNOTSUPP, -ENOENT, false, RUNG_OFF,
		 "CONFIG_UCLAMP_TASK), and this host has no cpufreq"},
		{"ssss", ACTUATOR_AUTO, -EOPNOTSUPP, -EROFS, false, RUNG_OFF, "can't be written"},
		{"----", ACTUATOR_AUTO, -EPERM, -ENOENT, false, RUNG_OFF, "sched_setattr fails"},
		{"ssss", ACTUATOR_AUTO, -EOPNOTSUPP, -EPERM, false, RUNG_OFF, "can't be written"},
		/* Errors that nobody has seen yet. */
		{"ssss", ACTUATOR_AUTO, -ECANCELED, 0, false, RUNG_CPUFREQ, "setattr fails: sc"},
		{"----", ACTUATOR_AUTO, -ECANCELED, -ENOENT, false, RUNG_OFF, "setattr fails"},
		{"ssss", ACTUATOR_THREAD, -ECANCELED, 0, false, RUNG_OFF, "setattr fails"},
		{"ssss", ACTUATOR_CPUFREQ, 0, -EPERM, false, RUNG_OFF, "can't be written"},
		{"ssss", ACTUATOR_THREAD, -EPERM, 0, false, RUNG_OFF, "setattr fails"},
		/* What was asked for by name is taken, or nothing is. */
		{"iiii", ACTUATOR_THREAD, 0, 0, false, RUNG_THREAD, "won't follow"},
		{"ssss", ACTUATOR_THREAD, -EOPNOTSUPP, 0, false, RUNG_OFF, "CONFIG_UCLAMP_TASK"},
		{"ssss", ACTUATOR_CGROUP, 0, 0, false, RUNG_CGROUP, "uclamp.min"},
		{"ssss", ACTUATOR_CGROUP, -EOPNOTSUPP, 0, false, RUNG_OFF, "CONFIG_UCLAMP_TASK"},
		{"ssss", ACTUATOR_CPUFREQ, 0, 0, false, RUNG_CPUFREQ, "scaling_min_freq of the"},
		{"pppp", ACTUATOR_CPUFREQ, 0, 0, false, RUNG_CPUFREQ, "scaling_min_freq of the"},
		{"----", ACTUATOR_CPUFREQ, 0, -ENOENT, false, RUNG_OFF, "no cpufreq"},
		{"ssss", ACTUATOR_CPUFREQ, 0, -EACCES, false, RUNG_OFF, "can't be written"},
		{"ssss", ACTUATOR_OFF, 0, 0, true, RUNG_OFF, "actuator = off"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct topology *topology = make_topology(rows[i].cpus);
		struct ladder_facts facts = {.choice = rows[i].choice,
					     .uclamp = rows[i].uclamp,
					     .uclamp_files = rows[i].uclamp == 0,
					     .min_freq = rows[i].min_freq,
					     .classes = rows[i].classes};
		const char *reason = "";

		ladder_governors(topology, &facts.governors);
		EXPECT(ladder_choose(&facts, &reason) == rows[i].rung, "row %zu: %s", i, reason);
		EXPECT(strstr(reason, rows[i].reason), "row %zu: %s", i, reason);
		EXPECT(begins_well(reason), "row %zu: %s", i, reason);
		free(topology);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_governors),
		cmocka_unit_test(test_ladder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
