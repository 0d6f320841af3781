/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A daemon's name on the system bus. */
#include "common/bus_name.h"

#include <string.h>

#include "common/macro.h"

#define LOCAL	   "org.freedesktop.DBus.Local" /* sd-bus's own news of a connection */
#define LOCAL_PATH "/org/freedesktop/DBus/Local"

/* DBUS_REQUEST_NAME_REPLY_ */
#define REPLY_PRIMARY_OWNER 1U
#define REPLY_EXISTS	    3U

struct bus_name {
	struct bus_name_options options;
	sd_event *event;
	sd_bus *connection; /* NULL: between two tries */
	struct polkit *polkit;
	bool is_ours;
	sd_event_source *retry_source;
	uint64_t pause_usec; /* before the next try */
	char problem[256];   /* the last one told; empty: all is well */
};

const char *bus_name_system_address(void)
{
	return secure_getenv("DBUS_SYSTEM_BUS_ADDRESS") ?: "unix:path=/run/dbus/system_bus_socket";
}

static void disconnect(struct bus_name *bus)
{
	bus->is_ours = false;
	bus->polkit = polkit_free(bus->polkit);
	bus->connection = sd_bus_close_unref(bus->connection);
}

static void tell(struct bus_name *bus, const char *problem)
{
	char text[sizeof(bus->problem)];

	bus->is_ours = false;
	snprintf(text, sizeof(text), "%s", problem);
	if (strcmp(bus->problem, text) == 0)
		return;
	memcpy(bus->problem, text, sizeof(text));
	bus->options.tell(bus->options.userdata, bus->problem);
}

/* The connection stays until then: this may be called from one of its callbacks. */
static void retry_later(struct bus_name *bus)
{
	sd_event_source_set_time_relative(bus->retry_source, bus->pause_usec);
	sd_event_source_set_enabled(bus->retry_source, SD_EVENT_ONESHOT);
	bus->pause_usec = MIN(bus->pause_usec * 2, BUS_NAME_PAUSE_MAX_USEC);
}

static int on_disconnected(_unused_ sd_bus_message *signal, void *userdata,
			   _unused_ sd_bus_error *error)
{
	tell(userdata, "the connection has ended");
	retry_later(userdata);
	return 0;
}

static int on_reply(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *ret_error)
{
	const sd_bus_error *error = sd_bus_message_get_error(reply);
	struct bus_name *bus = userdata;
	uint32_t answer = 0;

	if (!error && sd_bus_message_read(reply, "u", &answer) >= 0 &&
	    answer == REPLY_PRIMARY_OWNER) {
		bus->is_ours = true;
		bus->pause_usec = bus->options.pause_usec;
		bus->problem[0] = '\0';
		bus->options.tell(bus->options.userdata, NULL);
		return 1;
	}
	tell(bus, error			   ? error->message ?: error->name
		  : answer == REPLY_EXISTS ? "another process has the name"
					   : "the name isn't to be had");
	if (!bus->options.watch)
		retry_later(bus);
	return 1;
}

/* All of it only queues: what is said goes out when the bus is there. */
static int begin(struct bus_name *bus)
{
	const struct bus_name_options *options = &bus->options;
	sd_bus *connection = bus->connection;
	int r = sd_bus_set_address(connection, options->address ?: bus_name_system_address());

	if (r >= 0)
		r = sd_bus_set_bus_client(connection, true);
	if (r >= 0)
		r = sd_bus_set_watch_bind(connection, options->watch);
	if (r >= 0)
		r = options->set_up(options->userdata, connection);
	if (r >= 0)
		r = sd_bus_start(connection);
	if (r >= 0)
		r = sd_bus_match_signal_async(connection, NULL, LOCAL, LOCAL_PATH, LOCAL,
					      "Disconnected", on_disconnected, NULL, bus);
	if (r >= 0)
		r = sd_bus_request_name_async(connection, NULL, options->name, 0, on_reply, bus);
	if (r >= 0)
		r = sd_bus_attach_event(connection, bus->event, SD_EVENT_PRIORITY_IDLE);
	return r;
}

static int on_retry(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
	struct bus_name *bus = userdata;
	int r;

	disconnect(bus);
	r = polkit_new(&bus->polkit);
	if (r >= 0)
		r = sd_bus_new(&bus->connection);
	if (r >= 0)
		r = begin(bus);
	if (r >= 0)
		return 0;
	disconnect(bus);
	tell(bus, strerror(-r));
	retry_later(bus);
	return 0;
}

int bus_name_new(sd_event *event, const struct bus_name_options *options, struct bus_name **ret)
{
	struct bus_name *bus = calloc(1, sizeof(*bus));
	int r;

	if (!bus)
		return -ENOMEM;
	bus->options = *options;
	bus->event = sd_event_ref(event);
	bus->pause_usec = options->pause_usec;
	r = sd_event_add_time(event, &bus->retry_source, CLOCK_MONOTONIC, 0, 0, on_retry, bus);
	if (r >= 0)
		r = sd_event_source_set_enabled(bus->retry_source, SD_EVENT_OFF);
	if (r < 0) {
		bus_name_free(bus);
		return r;
	}
	on_retry(NULL, 0, bus);
	*ret = bus;
	return 0;
}

sd_bus *bus_name_connection(const struct bus_name *bus)
{
	return bus->is_ours ? bus->connection : NULL;
}

struct polkit *bus_name_polkit(const struct bus_name *bus)
{
	return bus->polkit;
}

struct bus_name *bus_name_free(struct bus_name *bus)
{
	if (!bus)
		return NULL;
	disconnect(bus);
	sd_event_source_disable_unref(bus->retry_source);
	sd_event_unref(bus->event);
	free(bus);
	return NULL;
}
