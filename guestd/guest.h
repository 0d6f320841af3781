/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon: wires counters, estimator, reporter, governor and the uplink to sd-event. */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "guestd/guest_config.h"
#include "guestd/uplink.h"

struct guest;

struct guest_options {
	int root_fd;		 /* stands for "/": kept by the caller while the guest lives */
	const char *config_path; /* read again at SIGHUP */
	bool dry_run;		 /* whatever the config says, cpufreq is left alone */
	uplink_open_t open;	 /* uplink_open_vsock, or a test's */
	void *open_userdata;
	const char *bus_address; /* the system bus, or NULL: kept by the caller, too */
	bool may_bpf;		 /* the eBPF source may be tried: no test loads programs */
	bool follows_cpufreq;	 /* identity_follows_cpufreq(), or what a test says */
};

/* Makes the daemon: reads the counters once, takes cpufreq, and sets timers, so that the event loop
 * does the rest. SIGTERM, SIGINT and SIGHUP are blocked and become events. -errno, with a line in
 * the log; /proc/stat must be readable, anything else may be missing. */
int guest_new(const struct guest_options *options, const struct guest_config *config,
	      struct guest **ret);

/* Says BYE, gives cpufreq back and frees everything. */
void guest_free(struct guest *guest);

/* Takes the configuration as its files say it now: as a whole, or not at all. 0, or -errno with all
 * that is wrong in the log and the first of it in guest_config_error(). */
int guest_reload(struct guest *guest);

/* What it goes by. */
const struct guest_config *guest_running_config(const struct guest *guest);

/* What was wrong at the last guest_reload(), as "FILE:LINE: KEY: what and the remedy"; "" if it
 * went well. */
const char *guest_config_error(const struct guest *guest);

/* Says what was put back of what an earlier run left. */
void guest_log_restored(unsigned restored, unsigned left);

sd_event *guest_event(struct guest *guest);
