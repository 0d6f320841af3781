/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.vmfreq.Host1 on the system bus: org.vmfreq.Host1(5) describes it. Reading is open to
 * everybody; what changes something asks polkit.
 *
 * Nothing here waits for the bus. If it is away, or goes and comes back, the daemon works on and
 * connects again. */
#pragma once

#include <systemd/sd-event.h>

#define BUS_NAME	     "org.vmfreq.Host1"
#define BUS_PATH	     "/org/vmfreq/Host1"
#define BUS_INTERFACE	     "org.vmfreq.Host1"
#define BUS_DOMAINS	     BUS_PATH "/domain"
#define BUS_DOMAIN_INTERFACE "org.vmfreq.Host1.Domain"

#define BUS_ERROR_NO_SUCH_DOMAIN "org.vmfreq.Host1.Error.NoSuchDomain"
#define BUS_ERROR_BAD_CONFIG	 "org.vmfreq.Host1.Error.BadConfiguration"

struct bus;
struct host;

/* Connects, claims the name and answers for the host on the event loop; what goes wrong with that
 * is logged, and tried again. -ENOMEM, or the errno of sd-event. */
int bus_start(sd_event *event, struct host *host, struct bus **ret);

/* Something may have changed that the change signals tell of: they go out within a tenth of a
 * second, all in one. Cheap, for any time. NULL is fine. */
void bus_changed(struct bus *bus);

/* Returns NULL. */
struct bus *bus_stop(struct bus *bus);
