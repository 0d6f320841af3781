/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A made-up host with two cpufreq policies: CPUs 0-1 are small and have no table of frequencies,
 * CPUs 2-3 are big and have one. */
#pragma once

#include "tests/unit/test_root.h"

#include "hostd/topology.h"

#define CPUFREQ "sys/devices/system/cpu/cpufreq"

static struct topology *topology; /* to be freed */

static inline void write_policy(unsigned number, const char *file, const char *text)
{
	char line[128];

	snprintf(line, sizeof(line), "%s\n", text);
	write_file(line, CPUFREQ "/policy%u/%s", number, file);
}

static inline void write_policies(const char *driver)
{
	static const char *const files[][3] = {
		{"related_cpus", "0 1", "2 3"},
		{"scaling_governor", "schedutil", "schedutil"},
		{"cpuinfo_min_freq", "400000", "600000"},
		{"cpuinfo_max_freq", "2000000", "3000000"},
		{"scaling_min_freq", "400000", "600000"},
		{"scaling_max_freq", "2000000", "3000000"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		write_policy(0, files[i][0], files[i][1]);
		write_policy(2, files[i][0], files[i][2]);
	}
	write_policy(0, "scaling_driver", driver);
	write_policy(2, "scaling_driver", driver);
	write_policy(2, "scaling_available_frequencies", "2400000 1800000 1200000 600000 ");
	write_policy(2, "scaling_boost_frequencies", "3000000 ");
}

/* Writes all of it, and reads it as topology. */
static inline void read_cpus(void)
{
	test_write(dir, "sys/devices/system/cpu/online", "0-3\n");
	test_write(dir, "sys/devices/system/cpu/possible", "0-3\n");
	test_write(dir, "sys/devices/system/cpu/cpu0/cpu_capacity", "512\n");
	test_write(dir, "sys/devices/system/cpu/cpu1/cpu_capacity", "512\n");
	write_policies("cpufreq-dt");
	assert_int_equal(topology_read(root_fd, &topology), 0);
	assert_int_equal(topology->n_policies, 2);
}
