/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.vmfreq.Guest1 on the system bus. A door. */
#include "guestd/bus.h"

#include <string.h>
#include <systemd/sd-bus.h>

#include "common/macro.h"
#include "common/polkit.h"
#include "config.h"
#include "guestd/concern.h"
#include "guestd/guest_private.h"
#include "guestd/status.h"

#define RETRY_USEC USEC_PER_SEC /* after the bus has gone */

struct guest_bus {
	struct guest *guest;
	sd_event *event;
	const char *address;
	sd_bus *connection; /* NULL: between two tries */
	struct polkit *polkit;
	sd_event_source *retry_source, *news_source;
	unsigned news;
	bool absence_logged;
};

DEFINE_CLEANUP(struct json_object *, json_object_put)

/* -- properties
 * ----------------------------------------------------------------------------------*/

static int get_connected(_unused_ sd_bus *connection, _unused_ const char *path,
			 _unused_ const char *interface, _unused_ const char *property,
			 sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
	const struct guest_bus *bus = userdata;

	return sd_bus_message_append(reply, "b", guest_link_is_streaming(bus->guest));
}

static int get_counter(_unused_ sd_bus *connection, _unused_ const char *path,
		       _unused_ const char *interface, const char *property, sd_bus_message *reply,
		       void *userdata, _unused_ sd_bus_error *error)
{
	const struct guest *guest = ((const struct guest_bus *)userdata)->guest;

	return sd_bus_message_append(
		reply, "t", strcmp(property, "Reports") == 0 ? guest->reports : guest->feedbacks);
}

static int get_text(_unused_ sd_bus *connection, _unused_ const char *path,
		    _unused_ const char *interface, const char *property, sd_bus_message *reply,
		    void *userdata, _unused_ sd_bus_error *error)
{
	const struct guest *guest = ((const struct guest_bus *)userdata)->guest;
	char reason[160];

	guest_status_cpufreq(guest, reason, sizeof(reason));
	const struct {
		const char *property, *value;
	} rows[] = {
		{"Version", PACKAGE_VERSION},
		{"Connection", guest->link_text},
		{"HostAgent", guest_link_is_streaming(guest) ? guest->dialog->agent : ""},
		{"Signal", hello_signal_name(SIGNAL_PROC)},
		{"Cpufreq", hello_cpufreq_name(guest_cpufreq_state(guest))},
		{"CpufreqReason", reason},
		{"ConfigError", guest_config_error(guest)},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcmp(rows[i].property, property) == 0)
			return sd_bus_message_append(reply, "s", rows[i].value);
	return -ENXIO;
}

static int get_concerns(_unused_ sd_bus *connection, _unused_ const char *path,
			_unused_ const char *interface, _unused_ const char *property,
			sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
	const struct guest *guest = ((const struct guest_bus *)userdata)->guest;
	int r = sd_bus_message_open_container(reply, 'a', "(sss)");

	for (unsigned i = 0; r >= 0 && NOTICE_KNOWN >> i; i++)
		if (guest->notice.concerns & UINT32_C(1) << i)
			r = sd_bus_message_append(
				reply, "(sss)", notice_concern_name(i),
				i == NOTICE_SCHED_EXT ? guest->notice.scheduler : "",
				concern_explain(i, counters_proc_lacks(guest->proc)));
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* -- methods
 * -------------------------------------------------------------------------------------*/

static int on_get_status(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	const struct guest_bus *bus = userdata;
	_cleanup_(json_object_putp) struct json_object *status = guest_status_json(bus->guest);
	const char *text = status ? json_object_to_json_string(status) : NULL;

	if (!text)
		return sd_bus_error_set_errno(error, -ENOMEM);
	return sd_bus_reply_method_return(call, "s", text);
}

static int on_reload(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct guest_bus *bus = userdata;
	int r = polkit_check(bus->polkit, call, GUEST_BUS_RELOAD, NULL, error);

	if (r <= 0)
		return r < 0 ? r : 1;
	r = guest_reload(bus->guest);
	if (r < 0)
		return sd_bus_error_setf(error, GUEST_BUS_BAD_CONFIG, "%s",
					 guest_config_error(bus->guest));
	return sd_bus_reply_method_return(call, "");
}

#define CONST  SD_BUS_VTABLE_PROPERTY_CONST
#define CHANGE SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("Version", "s", get_text, 0, CONST),
	SD_BUS_PROPERTY("Connected", "b", get_connected, 0, CHANGE),
	SD_BUS_PROPERTY("Connection", "s", get_text, 0, CHANGE),
	SD_BUS_PROPERTY("HostAgent", "s", get_text, 0, CHANGE),
	SD_BUS_PROPERTY("Signal", "s", get_text, 0, CONST),
	SD_BUS_PROPERTY("Cpufreq", "s", get_text, 0, CHANGE),
	SD_BUS_PROPERTY("CpufreqReason", "s", get_text, 0, CHANGE),
	SD_BUS_PROPERTY("Concerns", "a(sss)", get_concerns, 0, CHANGE),
	SD_BUS_PROPERTY("ConfigError", "s", get_text, 0, CHANGE),
	SD_BUS_PROPERTY("Reports", "t", get_counter, 0, 0),
	SD_BUS_PROPERTY("Feedbacks", "t", get_counter, 0, 0),
	SD_BUS_METHOD_WITH_ARGS("GetStatus", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", json),
				on_get_status, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, on_reload,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

/* -- news
 * ----------------------------------------------------------------------------------------*/

static int on_news(_unused_ sd_event_source *source, void *userdata)
{
	static const struct {
		enum guest_news news;
		const char *properties[3];
	} rows[] = {
		{GUEST_NEWS_CONNECTION, {"Connected", "Connection", "HostAgent"}},
		{GUEST_NEWS_CPUFREQ, {"Cpufreq", "CpufreqReason"}},
		{GUEST_NEWS_CONCERNS, {"Concerns"}},
		{GUEST_NEWS_CONFIG, {"ConfigError"}},
	};
	struct guest_bus *bus = userdata;
	char *names[ARRAY_SIZE(rows) * ARRAY_SIZE(rows[0].properties) + 1];
	unsigned n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		for (unsigned k = 0; k < ARRAY_SIZE(rows[i].properties); k++)
			if (bus->news & rows[i].news && rows[i].properties[k])
				names[n++] = (char *)rows[i].properties[k];
	names[n] = NULL;
	bus->news = 0;
	/* Whoever comes to the bus later asks for all of them anyway. */
	if (bus->connection && sd_bus_is_ready(bus->connection) > 0)
		sd_bus_emit_properties_changed_strv(bus->connection, GUEST_BUS_PATH,
						    GUEST_BUS_INTERFACE, names);
	return 0;
}

void guest_bus_news(struct guest_bus *bus, unsigned news)
{
	if (!bus)
		return;
	bus->news |= news;
	sd_event_source_set_enabled(bus->news_source, SD_EVENT_ONESHOT);
}

/* -- the connection
 * ------------------------------------------------------------------------------*/

/* Once, for whoever misses the name on the bus. */
static void log_absence(struct guest_bus *bus, const char *reason)
{
	if (!bus->absence_logged)
		log_event(LOG_NOTICE, EVENT_NO_BUS, LOG_FIELDS(.reason = reason),
			  "no " GUEST_BUS_NAME " on the system bus: %s", reason);
	bus->absence_logged = true;
}

static void disconnect(struct guest_bus *bus)
{
	bus->polkit = polkit_free(bus->polkit);
	bus->connection = sd_bus_close_unref(bus->connection);
}

static int on_disconnected(_unused_ sd_bus_message *signal, void *userdata,
			   _unused_ sd_bus_error *error)
{
	struct guest_bus *bus = userdata;

	log_absence(bus, "the bus has closed the connection");
	/* Not from in here: the connection is at work. */
	sd_event_source_set_time_relative(bus->retry_source, RETRY_USEC);
	sd_event_source_set_enabled(bus->retry_source, SD_EVENT_ONESHOT);
	return 0;
}

static int on_name(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
	struct guest_bus *bus = userdata;
	const sd_bus_error *failure = sd_bus_message_get_error(reply);
	uint32_t answer = 0;

	if (failure)
		log_absence(bus, failure->message ? failure->message : failure->name);
	else if (sd_bus_message_read(reply, "u", &answer) < 0 || answer != 1)
		log_absence(bus, "another process has the name");
	else
		bus->absence_logged = false;
	return 0;
}

/* All of it only queues: what is said goes out when the bus is there. */
static int set_up(struct guest_bus *bus, sd_bus *connection)
{
	int r = sd_bus_set_address(connection, bus->address);

	if (r >= 0)
		r = sd_bus_set_bus_client(connection, true);
	if (r >= 0)
		r = sd_bus_set_watch_bind(connection, true);
	if (r >= 0)
		r = sd_bus_add_object_vtable(connection, NULL, GUEST_BUS_PATH, GUEST_BUS_INTERFACE,
					     vtable, bus);
	if (r >= 0)
		r = sd_bus_start(connection);
	if (r >= 0)
		r = sd_bus_match_signal_async(connection, NULL, "org.freedesktop.DBus.Local", NULL,
					      "org.freedesktop.DBus.Local", "Disconnected",
					      on_disconnected, NULL, bus);
	if (r >= 0)
		r = sd_bus_request_name_async(connection, NULL, GUEST_BUS_NAME, 0, on_name, bus);
	if (r >= 0)
		r = sd_bus_attach_event(connection, bus->event, SD_EVENT_PRIORITY_IDLE);
	return r;
}

static int connect_bus(struct guest_bus *bus)
{
	int r = polkit_new(&bus->polkit);

	if (r >= 0)
		r = sd_bus_new(&bus->connection);
	if (r >= 0)
		r = set_up(bus, bus->connection);
	if (r < 0)
		disconnect(bus);
	return r;
}

static int on_retry(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
	struct guest_bus *bus = userdata;
	int r;

	disconnect(bus);
	r = connect_bus(bus);
	if (r < 0) {
		log_absence(bus, strerror(-r));
		sd_event_source_set_time_relative(bus->retry_source, RETRY_USEC);
		sd_event_source_set_enabled(bus->retry_source, SD_EVENT_ONESHOT);
	}
	return 0;
}

DEFINE_CLEANUP(struct guest_bus *, guest_bus_free)

int guest_bus_new(struct guest *guest, sd_event *event, const char *address, struct guest_bus **ret)
{
	_cleanup_(guest_bus_freep) struct guest_bus *bus = calloc(1, sizeof(*bus));
	int r;

	if (!bus)
		return -ENOMEM;
	bus->guest = guest;
	bus->event = event;
	bus->address = address;
	r = sd_event_add_time(event, &bus->retry_source, CLOCK_MONOTONIC, 0, USEC_PER_SEC, on_retry,
			      bus);
	if (r >= 0)
		r = sd_event_source_set_enabled(bus->retry_source, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_defer(event, &bus->news_source, on_news, bus);
	if (r >= 0)
		r = sd_event_source_set_enabled(bus->news_source, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_source_set_priority(bus->news_source, SD_EVENT_PRIORITY_IDLE);
	if (r >= 0)
		r = connect_bus(bus);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(bus);
	return 0;
}

struct guest_bus *guest_bus_free(struct guest_bus *bus)
{
	if (bus) {
		disconnect(bus); /* unflushed: a bus that hangs doesn't hold up our end */
		sd_event_source_disable_unref(bus->retry_source);
		sd_event_source_disable_unref(bus->news_source);
		free(bus);
	}
	return NULL;
}
