/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.vmfreq.Host1 on the system bus. A door. */
#pragma once

#include <json.h>
#include <systemd/sd-event.h>

#define BUS_NAME      "org.vmfreq.Host1"
#define BUS_PATH      "/org/vmfreq/Host1"
#define BUS_INTERFACE "org.vmfreq.Host1"

/* Makes the status document, which the caller puts: NULL if there is no memory. */
typedef struct json_object *(*bus_status_t)(void *userdata);

struct bus;

/* Connects to the system bus, claims the name and answers on the event loop. -errno if there is no
 * bus, or the name is taken or not allowed. */
int bus_start(sd_event *event, bus_status_t status, void *userdata, struct bus **ret);

struct bus *bus_stop(struct bus *bus);
