/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The section [guest] of /etc/vmfreq.conf. */
#include "guestd/guest_config.h"

#include "common/macro.h"

#define MSEC USEC_PER_MSEC
#define SEC  USEC_PER_SEC

static const char *const signals[] = {[GUEST_SIGNAL_AUTO] = "auto",
				      [GUEST_SIGNAL_PROC] = "proc",
				      [GUEST_SIGNAL_EBPF] = "ebpf",
				      NULL};

#define KEY(name, kind, field, value, low, high, text)                                             \
	{                                                                                          \
		.section = "guest", .key = name, .type = kind,                                     \
		.offset = offsetof(struct guest_config, field), .fallback = value, .min = low,     \
		.max = high, .help = text                                                          \
	}

const struct config_key guest_config_keys[] = {
	{.section = "guest",
	 .key = "signal",
	 .type = CONFIG_ENUM,
	 .offset = offsetof(struct guest_config, signal),
	 .fallback = "auto",
	 .names = signals,
	 .help = "where utilization comes from: auto takes the best there is"},
	KEY("interval", CONFIG_USEC, interval_usec, "10ms", MSEC, SEC,
	    "time between samples while a CPU is busy"),
	KEY("idle_interval", CONFIG_USEC, idle_interval_usec, "250ms", 10 * MSEC, 10 * SEC,
	    "time between samples while all CPUs are idle"),
	KEY("window", CONFIG_USEC, window_usec, "20ms", MSEC, SEC,
	    "how far back the prompt part of the estimate looks"),
	KEY("step", CONFIG_PERCENT, step1024, "3%", 1, 512,
	    "by how much a CPU's utilization must change to be reported"),
	KEY("lease", CONFIG_USEC, lease_usec, "600ms", 100 * MSEC, 60 * SEC,
	    "how long a report holds; it is renewed after a third of it"),
	KEY("cid", CONFIG_UINT, cid, "2", 1, UINT32_MAX - 1,
	    "the CID to connect to: 2 is the host"),
	KEY("port", CONFIG_UINT, port, "9213", 1, UINT32_MAX - 1, "the port to connect to"),
	KEY("cpufreq", CONFIG_BOOL, cpufreq, "yes", 0, 0,
	    "set the guest's cpufreq to what the host delivers"),
	KEY("cpufreq_interval", CONFIG_USEC, cpufreq_interval_usec, "20ms", MSEC, 10 * SEC,
	    "time between two changes of one policy's speed"),
};

const size_t guest_config_keys_n = ARRAY_SIZE(guest_config_keys);

/* -- keys that must go together */

static bool interval_fits_idle(const void *userdata)
{
	const struct guest_config *config = userdata;

	return config->interval_usec <= config->idle_interval_usec;
}

static bool window_fits(const void *userdata)
{
	const struct guest_config *config = userdata;

	return config->window_usec >= config->interval_usec;
}

/* guest.c samples four times in a lease at least, whatever the interval: to renew it in time. */
static bool lease_fits(const void *userdata)
{
	const struct guest_config *config = userdata;

	return config->lease_usec >= 4 * config->interval_usec;
}

static const struct config_rule rules[] = {
	{"interval", "idle_interval", interval_fits_idle,
	 "interval must be at most idle_interval: a busy guest is looked at more often", false},
	{"window", "interval", window_fits,
	 "window must be at least interval: there is nothing to see in less than a sample", false},
	{"lease", "interval", lease_fits,
	 "lease must be at least four times interval, to be renewed in time", false},
};

const struct config_table guest_config_table = {
	.keys = guest_config_keys,
	.n_keys = ARRAY_SIZE(guest_config_keys),
	.rules = rules,
	.n_rules = ARRAY_SIZE(rules),
	.size = sizeof(struct guest_config),
};
