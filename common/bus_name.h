/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A daemon's name on the system bus: connects, puts its objects there, claims the name, and begins
 * again when the bus has gone. A door.
 *
 * Nothing here waits for the bus, and nothing logs: whoever owns the name is told how it stands. */
#pragma once

#include <stdbool.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "common/macro.h"
#include "common/polkit.h"

#define BUS_NAME_PAUSE_MAX_USEC (60 * USEC_PER_SEC)

struct bus_name_options {
	const char *name;    /* "org.vmfreq.Host1"; this and the address are kept by the caller */
	const char *address; /* NULL: the system bus's */
	/* Before another try; before each further one twice as long, up to the maximum, until the
	 * name is ours. */
	uint64_t pause_usec;
	/* Nothing is polled: a socket that isn't there is waited for, which is no problem to tell
	 * of; and a name that is refused isn't asked for again on that connection. */
	bool watch;
	/* Puts the objects on a new connection. -errno ends this try. */
	int (*set_up)(void *userdata, sd_bus *connection);
	/* NULL: the name is ours from now on. Else why it isn't, once for each reason in turn. */
	void (*tell)(void *userdata, const char *problem);
	void *userdata;
};

struct bus_name;

/* Begins, on the event loop, after everything else in it. -ENOMEM, or the errno of sd-event; what
 * goes wrong with the bus is told, and tried again. */
int bus_name_new(sd_event *event, const struct bus_name_options *options, struct bus_name **ret);

/* The connection while the name is ours, for signals; NULL while nobody listens. */
sd_bus *bus_name_connection(const struct bus_name *bus);

/* Where methods ask who may call them, while one of them is being handled. */
struct polkit *bus_name_polkit(const struct bus_name *bus);

/* The system bus's address, as sd_bus_open_system(3) finds it. */
const char *bus_name_system_address(void);

/* Without a flush: a bus that hangs doesn't hold up our end. NULL is fine. Returns NULL. */
struct bus_name *bus_name_free(struct bus_name *bus);
