/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sections [host] and [domain PATTERN] of the configuration. */
#include "hostd/host_config.h"

#include <string.h>

#include "common/macro.h"
#include "hostd/entitlement.h"
#include "hostd/topology.h"
#include "proto/message.h"

static const char *const actuator_names[] = {
	[ACTUATOR_AUTO] = "auto",	[ACTUATOR_THREAD] = "thread", [ACTUATOR_CGROUP] = "cgroup",
	[ACTUATOR_CPUFREQ] = "cpufreq", [ACTUATOR_OFF] = "off",	      NULL};
static const char *const placement_names[] = {[PLACE_AUTO] = "auto",
					      [PLACE_CGROUP] = "cgroup",
					      [PLACE_AFFINITY] = "affinity",
					      [PLACE_OFF] = "off",
					      NULL};

const char *const goal_names[] = {[GOAL_BALANCED] = "balanced",
				  [GOAL_SPEED] = "speed",
				  [GOAL_ENERGY] = "energy",
				  [GOAL_OFF] = "off",
				  NULL};

static const char *check_uri(const char *value)
{
	return strstr(value, ":///") ? NULL : "a libvirt URI of this host, such as qemu:///system";
}

#define HOST(name, type_, field_, ...)                                                             \
	{                                                                                          \
		.section = "host", .key = name, .type = type_,                                     \
		.offset = offsetof(struct host_config, field_), __VA_ARGS__                        \
	}

const struct config_key host_config_keys[] = {
	HOST("uri", CONFIG_STRING, uri, .fallback = "qemu:///system", .check = check_uri,
	     .at_start = true, .help = "the libvirt to ask, read-only"),
	HOST("port", CONFIG_UINT, port, .fallback = "9213", .min = 1, .max = UINT32_MAX - 1,
	     .at_start = true, .help = "the vsock port to listen on"),
	HOST("allow_unprivileged_ports", CONFIG_BOOL, any_port, .fallback = "no",
	     .help = "hear guests whose source port is 1024 or more: anybody in the guest"),
	HOST("actuator", CONFIG_ENUM, actuator, .fallback = "auto", .names = actuator_names,
	     .at_start = true,
	     .help = "how floors are set: by thread, by cgroup, by cpufreq, or not"),
	HOST("floor_max", CONFIG_PERCENT, floor_max, .fallback = "100%", .min = 0, .max = 1024,
	     .help = "no floor is above this part of the largest CPU"),
	HOST("floor_step", CONFIG_PERCENT, floor_step, .fallback = "5%", .min = 1, .max = 512,
	     .help = "a floor that is too high by less stays: larger means fewer writes"),
	HOST("floor_hold", CONFIG_USEC, floor_hold_usec, .fallback = "100ms", .min = 0,
	     .max = 60 * USEC_PER_SEC, .help = "how long a floor stays when demand has fallen"),
	HOST("floor_half_life", CONFIG_USEC, floor_half_life_usec, .fallback = "50ms",
	     .min = USEC_PER_MSEC, .max = 60 * USEC_PER_SEC,
	     .help = "then it falls half the way in this time"),
	HOST("write_interval", CONFIG_USEC, write_interval_usec, .fallback = "4ms", .min = 0,
	     .max = USEC_PER_SEC,
	     .help = "a vCPU's floor and ceiling are written at most once in this time"),
	HOST("lower_interval", CONFIG_USEC, lower_interval_usec, .fallback = "20ms", .min = 0,
	     .max = USEC_PER_SEC,
	     .help = "and not before this time has passed if neither of them rises"),
	HOST("nudge", CONFIG_BOOL, nudge, .fallback = "yes", .at_start = true,
	     .help = "make the kernel look at a CPU's frequency when what was raised has to wait"),
	HOST("placement", CONFIG_ENUM, placement, .fallback = "auto", .names = placement_names,
	     .at_start = true,
	     .help = "how vCPUs are put on classes of cores: by cgroup, by affinity, or not"),
	HOST("core_classes", CONFIG_STRING, core_classes, .fallback = "",
	     .check = topology_classes_problem, .at_start = true,
	     .help = "the classes, the smallest first; empty: as the kernel's cpu_capacity says"),
	HOST("placement_dwell", CONFIG_USEC, placement_dwell_usec, .fallback = "500ms", .min = 0,
	     .max = 60 * USEC_PER_SEC, .help = "a smaller class must have sufficed for this long"),
	HOST("lease_max", CONFIG_USEC, lease_max_usec, .fallback = "1s", .min = 10 * USEC_PER_MSEC,
	     .max = PROTO_LEASE_MAX_MSEC * USEC_PER_MSEC,
	     .help = "no report holds for longer without another"),
	HOST("report_rate", CONFIG_UINT, report_rate, .fallback = "1000", .min = 10, .max = 100000,
	     .help = "frames a second that are read of one guest, on average"),
	HOST("feedback", CONFIG_BOOL, feedback, .fallback = "yes",
	     .help = "tell guests what frequency and capacity they get"),
	HOST("feedback_interval", CONFIG_USEC, feedback_interval_usec, .fallback = "50ms",
	     .min = 5 * USEC_PER_MSEC, .max = 5 * USEC_PER_SEC, /* the protocol's own limit */
	     .help = "how often that is looked at while a guest is busy"),
	HOST("feedback_step", CONFIG_PERCENT, feedback_step1024, .fallback = "12.5%", .min = 10,
	     .max = 512, .help = "feedback is told in steps of this part of the largest CPU"),
	HOST("goal", CONFIG_ENUM, goal, .fallback = "balanced", .names = goal_names,
	     .help = "what is wanted for domains: a balance, speed, energy, or nothing at all"),
	HOST("budget", CONFIG_PERCENT, budget1024, .fallback = "off", .min = 10,
	     .max = 1024 * CAPACITY_SCALE, .may_be_off = true,
	     .help = "all floors together are at most this part of one largest CPU"),
	HOST("claim_check", CONFIG_USEC, claim_check_usec, .fallback = "1s",
	     .min = 100 * USEC_PER_MSEC, .max = 60 * USEC_PER_SEC, .may_be_off = true,
	     .help = "how often what guests claim is held against what their threads ran"),
	HOST("ceiling_slack", CONFIG_PERCENT, ceiling_slack1024, .fallback = "5%", .min = 0,
	     .max = 1024, .help = "how far a ceiling stays above what native would run at"),
};

const size_t host_config_n_keys = ARRAY_SIZE(host_config_keys);

/* -- domains: a key that stands in no section that matches is as entitlement_resolve() says. What
 * is called the default here is that of a host whose [host] says nothing. */

#define DOMAIN(index, name, type_, field_, ...)                                                    \
	[index] = {.section = "domain",                                                            \
		   .key = name,                                                                    \
		   .type = type_,                                                                  \
		   .offset = offsetof(struct domain_config, field_),                               \
		   __VA_ARGS__}

const struct config_key host_domain_keys[DOMAIN_N_KEYS] = {
	DOMAIN(DOMAIN_FLOOR_MAX, "floor_max", CONFIG_PERCENT, floor_max, .fallback = "100%",
	       .min = 0, .max = 1024,
	       .help = "no floor of the domain is above this part of the largest CPU"),
	DOMAIN(DOMAIN_WEIGHT, "weight", CONFIG_UINT, weight, .fallback = "100", .min = 1,
	       .max = 10000, .help = "its share of the budget, when that doesn't suffice"),
	DOMAIN(DOMAIN_GOAL, "goal", CONFIG_ENUM, goal, .fallback = "balanced", .names = goal_names,
	       .help = "what is wanted for it: a balance, speed, energy, or nothing at all"),
	DOMAIN(DOMAIN_PLACEMENT, "placement", CONFIG_BOOL, placement, .fallback = "yes",
	       .help = "put its vCPUs on classes of cores"),
	DOMAIN(DOMAIN_FEEDBACK, "feedback", CONFIG_BOOL, feedback, .fallback = "yes",
	       .help = "tell its guest what frequency and capacity it gets"),
};

static const struct config_group domains = {
	.section = "domain",
	.keys = host_domain_keys,
	.n_keys = DOMAIN_N_KEYS,
	.size = sizeof(struct domain_config),
	.offset = offsetof(struct host_config, domains),
	.remedy = "which domain? write [domain NAME], or [domain *] for all",
	.check = entitlement_pattern_problem,
};

/* -- keys that must go together */

static bool step_fits(const void *userdata)
{
	const struct host_config *config = userdata;

	return config->floor_step <= config->floor_max || config->floor_max == 0;
}

static bool write_fits(const void *userdata)
{
	const struct host_config *config = userdata;

	return config->write_interval_usec <= config->lease_max_usec;
}

/* A guest renews its lease when a third of it has passed. */
static bool rate_fits(const void *userdata)
{
	const struct host_config *config = userdata;

	return config->report_rate * config->lease_max_usec >= 3 * USEC_PER_SEC;
}

static bool some_domain_has_feedback(const struct host_config *config)
{
	for (size_t i = 0; i < config->domains.n; i++) {
		const struct config_section *section = &config->domains.list[i];
		const struct domain_config *values = section->values;

		if (section->turn[DOMAIN_FEEDBACK] > 0 && values->feedback)
			return true;
	}
	return false;
}

static bool has_a_use(const void *userdata)
{
	const struct host_config *config = userdata;

	return config->actuator != ACTUATOR_OFF || config->placement != PLACE_OFF ||
	       config->feedback || some_domain_has_feedback(config);
}

static const struct config_rule rules[] = {
	{"floor_step", "floor_max", step_fits,
	 "floor_step must be at most floor_max, or there is but one floor", false},
	{"write_interval", "lease_max", write_fits,
	 "write_interval must be at most lease_max, or a demand ends before it is written", false},
	{"report_rate", "lease_max", rate_fits,
	 "a guest renews its lease three times in lease_max: allow more reports or longer leases",
	 false},
	{"actuator", "placement", has_a_use,
	 "with feedback = no too there is nothing to do: turn one of them on", true},
};

const struct config_table host_config_table = {
	.keys = host_config_keys,
	.n_keys = ARRAY_SIZE(host_config_keys),
	.rules = rules,
	.n_rules = ARRAY_SIZE(rules),
	.size = sizeof(struct host_config),
	.group = &domains,
};
