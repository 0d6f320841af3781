/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The [host] section of /etc/vmfreq.conf. */
#pragma once

#include "common/config.h"

enum actuator_choice {
	ACTUATOR_AUTO,
	ACTUATOR_THREAD,
	ACTUATOR_CGROUP,
	ACTUATOR_CPUFREQ,
	ACTUATOR_OFF,
};
enum placement_choice { PLACE_AUTO, PLACE_CGROUP, PLACE_AFFINITY, PLACE_OFF };

struct host_config {
	char uri[CONFIG_STRING_MAX];
	uint64_t port;
	bool any_port;
	uint64_t actuator;  /* enum actuator_choice */
	uint64_t placement; /* enum placement_choice */
	char core_classes[CONFIG_STRING_MAX];
	uint64_t placement_dwell_usec;
	uint64_t floor_max;
	uint64_t floor_step;
	uint64_t floor_hold_usec;
	uint64_t floor_half_life_usec;
	uint64_t write_interval_usec;
	uint64_t lower_interval_usec;
	uint64_t lease_max_usec;
	uint64_t report_rate;
	bool feedback;
	uint64_t feedback_interval_usec;
};

extern const struct config_key host_config_keys[];
extern const size_t host_config_n_keys;
extern const struct config_table host_config_table;
