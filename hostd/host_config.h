/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sections [host] and [domain PATTERN] of /etc/vmfreq.conf. */
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

/* What is wanted for a domain. */
enum goal { GOAL_BALANCED, GOAL_SPEED, GOAL_ENERGY, GOAL_OFF };
extern const char *const goal_names[]; /* by enum goal, NULL at the end */

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
	bool nudge;
	uint64_t lease_max_usec;
	uint64_t report_rate;
	bool feedback;
	uint64_t feedback_interval_usec;
	uint64_t feedback_step1024;
	uint64_t goal;		   /* enum goal */
	uint64_t budget1024;	   /* of one largest CPU, so more than 1024 with many; 0: none */
	uint64_t claim_check_usec; /* 0: not at all */
	uint64_t ceiling_slack1024;
	struct config_sections domains; /* of struct domain_config */
};

/* What a section [domain PATTERN] may say. hostd/entitlement.h says what holds for a domain. */
struct domain_config {
	uint64_t floor_max;
	uint64_t weight;
	uint64_t goal; /* enum goal */
	bool placement;
	bool feedback;
};

/* Which is which in host_domain_keys, and in each section's turns. */
enum domain_key {
	DOMAIN_FLOOR_MAX,
	DOMAIN_WEIGHT,
	DOMAIN_GOAL,
	DOMAIN_PLACEMENT,
	DOMAIN_FEEDBACK,
	DOMAIN_N_KEYS
};

extern const struct config_key host_config_keys[];
extern const size_t host_config_n_keys;
extern const struct config_key host_domain_keys[DOMAIN_N_KEYS];
extern const struct config_table host_config_table;
