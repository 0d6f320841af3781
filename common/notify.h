/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What systemd is told of a daemon (sd_notify(3)). A door; without systemd nothing happens. */
#pragma once

#include <stdint.h>

void notify_ready(void);
void notify_stopping(void);

/* The configuration is read again; notify_ready() when it stands, or when the old one has stayed.
 */
void notify_reloading(void);

/* This machine has nothing to do for the daemon, which is about to end with EX_UNAVAILABLE: that is
 * no failure. `status` is the line in systemctl status. (A Type=notify service that ends before
 * READY=1 has failed, whatever its exit code.) */
void notify_unavailable(const char *status);

/* The watchdog is fed by the work, not by the event loop: a loop can turn for ever and do nothing.
 */
struct watchdog {
	uint64_t interval_usec; /* 0: nobody watches */
	uint64_t fed_usec;
};

/* Looks up whether systemd watches us, and how long it waits. */
void watchdog_init(struct watchdog *watchdog);

/* The work was done at now_usec. It may be said as often as the work is done: systemd is told four
 * times in an interval. */
void watchdog_feed(struct watchdog *watchdog, uint64_t now_usec);
