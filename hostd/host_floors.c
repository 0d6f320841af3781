/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd's floors as a whole: the tick that serves all threads together, and other means when the
 * host's governors change. */
#include "hostd/host_private.h"

/* After each event: what it changes for other domains, and then all floors that were set or cleared
 * in one go. */
static int on_post(_unused_ sd_event_source *source, void *userdata)
{
	struct host *host = userdata;
	uint64_t now_usec = 0, next_usec;

	sd_event_now(host->event, CLOCK_MONOTONIC, &now_usec);
	host_drain_arbiter(host);
	actuator_tick(host->actuator, host->config.write_interval_usec, now_usec, &next_usec);
	if (next_usec == host->floors_next_usec)
		return 0;
	host->floors_next_usec = next_usec;
	sd_event_source_set_time(host->floors_source, next_usec);
	return sd_event_source_set_enabled(
		host->floors_source, next_usec == USEC_INFINITY ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

/* An event like any other: on_post() follows. */
static int on_time(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
	struct host *host = userdata;

	host->floors_next_usec = USEC_INFINITY;
	return 0;
}

int host_add_floors(struct host *host)
{
	int r = sd_event_add_time(host->event, &host->floors_source, CLOCK_MONOTONIC, 0,
				  USEC_PER_MSEC, on_time, host);

	host->floors_next_usec = USEC_INFINITY;
	if (r >= 0)
		r = sd_event_source_set_enabled(host->floors_source, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_post(host->event, &host->post_source, on_post, host);
	return r;
}

/* Somebody has chosen another governor, or a driver another mode: floors that did something may do
 * nothing now, or the other way round. */
void host_follow_governors(struct host *host)
{
	if (!actuator_is_outdated(host->actuator, host->topology))
		return;
	for (size_t i = 0; i < host->n_domains; i++)
		domain_drop_floors(host->domains[i]);
	if (actuator_choose(host->actuator, host->topology) < 0)
		log_error("no memory for floors");
	host_log_floors(host);
	host_set_policies(host);
	for (size_t i = 0; i < host->n_domains; i++)
		domain_run(host->domains[i]);
}
