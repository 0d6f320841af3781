/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.vmfreq.Host1 on the system bus. A door. */
#include "hostd/bus.h"

#include <systemd/sd-bus.h>

#include "common/macro.h"

struct bus {
	sd_bus *connection;
	bus_status_t status;
	void *userdata;
};

static int on_get_status(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	struct bus *bus = userdata;
	struct json_object *status = bus->status(bus->userdata);
	int r;

	if (!status)
		return sd_bus_error_set_errno(error, -ENOMEM);
	r = sd_bus_reply_method_return(message, "s", json_object_to_json_string(status));
	json_object_put(status);
	return r;
}

static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD_WITH_ARGS("GetStatus", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", json),
				on_get_status, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

struct bus *bus_stop(struct bus *bus)
{
	if (bus) {
		sd_bus_flush_close_unref(bus->connection);
		free(bus);
	}
	return NULL;
}

int bus_start(sd_event *event, bus_status_t status, void *userdata, struct bus **ret)
{
	struct bus *bus = calloc(1, sizeof(*bus));
	int r;

	if (!bus)
		return -ENOMEM;
	bus->status = status;
	bus->userdata = userdata;
	r = sd_bus_open_system(&bus->connection);
	if (r >= 0)
		r = sd_bus_add_object_vtable(bus->connection, NULL, BUS_PATH, BUS_INTERFACE,
					     vtable, bus);
	if (r >= 0)
		r = sd_bus_request_name(bus->connection, BUS_NAME, 0);
	if (r >= 0)
		r = sd_bus_attach_event(bus->connection, event, SD_EVENT_PRIORITY_IDLE);
	if (r < 0) {
		bus_stop(bus);
		return r;
	}
	*ret = bus;
	return 0;
}
