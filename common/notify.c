/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What systemd is told of a daemon (sd_notify(3)). A door; without systemd nothing happens. */
#include "common/notify.h"

#include <inttypes.h>
#include <stdbool.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "common/macro.h"

void notify_ready(void)
{
	sd_notify(false, "READY=1");
}

void notify_stopping(void)
{
	sd_notify(false, "STOPPING=1");
}

void notify_reloading(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		   (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC);
}

void notify_unavailable(const char *status)
{
	sd_notifyf(false, "READY=1\nSTATUS=%s", status);
}

void watchdog_init(struct watchdog *watchdog)
{
	uint64_t usec = 0;

	*watchdog = (struct watchdog){};
	if (sd_watchdog_enabled(false, &usec) > 0)
		watchdog->interval_usec = usec;
}

void watchdog_feed(struct watchdog *watchdog, uint64_t now_usec)
{
	if (watchdog->interval_usec == 0 ||
	    (watchdog->fed_usec > 0 && now_usec - watchdog->fed_usec < watchdog->interval_usec / 4))
		return;
	watchdog->fed_usec = now_usec;
	sd_notify(false, "WATCHDOG=1");
}
