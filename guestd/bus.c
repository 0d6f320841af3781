/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.vmfreq.Guest1 on the system bus. A door. */
#include "guestd/bus.h"

#include <string.h>
#include <systemd/sd-bus.h>

#include "common/bus_name.h"
#include "common/macro.h"
#include "config.h"
#include "guestd/concern.h"
#include "guestd/guest_private.h"
#include "guestd/status.h"

struct guest_bus {
	struct guest *guest;
	struct bus_name *name;
	sd_event_source *news_source;
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
	char reason[160], signal_reason[160];

	guest_status_cpufreq(guest, reason, sizeof(reason));
	guest_signal_reason(guest, signal_reason, sizeof(signal_reason));
	const struct {
		const char *property, *value;
	} rows[] = {
		{"Version", PACKAGE_VERSION},
		{"Connection", guest->link_text},
		{"HostAgent", guest_link_is_streaming(guest) ? guest->dialog->agent : ""},
		{"Signal", hello_signal_name(guest_signal(guest))},
		{"SignalReason", signal_reason},
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
	int r = polkit_check(bus_name_polkit(bus->name), call, GUEST_BUS_RELOAD, NULL, error);

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
	SD_BUS_PROPERTY("Signal", "s", get_text, 0, CHANGE),
	SD_BUS_PROPERTY("SignalReason", "s", get_text, 0, CHANGE),
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
		{GUEST_NEWS_SIGNAL, {"Signal", "SignalReason"}},
	};
	struct guest_bus *bus = userdata;
	sd_bus *connection = bus_name_connection(bus->name);
	char *names[ARRAY_SIZE(rows) * ARRAY_SIZE(rows[0].properties) + 1];
	unsigned n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		for (unsigned k = 0; k < ARRAY_SIZE(rows[i].properties); k++)
			if (bus->news & rows[i].news && rows[i].properties[k])
				names[n++] = (char *)rows[i].properties[k];
	names[n] = NULL;
	bus->news = 0;
	/* Whoever comes to the bus later asks for all of them anyway. */
	if (connection)
		sd_bus_emit_properties_changed_strv(connection, GUEST_BUS_PATH, GUEST_BUS_INTERFACE,
						    names);
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

static int set_up(void *userdata, sd_bus *connection)
{
	return sd_bus_add_object_vtable(connection, NULL, GUEST_BUS_PATH, GUEST_BUS_INTERFACE,
					vtable, userdata);
}

/* Once, for whoever misses the name on the bus. */
static void on_name(void *userdata, const char *problem)
{
	struct guest_bus *bus = userdata;

	if (problem && !bus->absence_logged)
		log_event(LOG_NOTICE, EVENT_NO_BUS, LOG_FIELDS(.reason = problem),
			  "no " GUEST_BUS_NAME " on the system bus: %s", problem);
	bus->absence_logged = problem;
}

DEFINE_CLEANUP(struct guest_bus *, guest_bus_free)

int guest_bus_new(struct guest *guest, sd_event *event, const char *address, struct guest_bus **ret)
{
	_cleanup_(guest_bus_freep) struct guest_bus *bus = calloc(1, sizeof(*bus));
	const struct bus_name_options options = {.name = GUEST_BUS_NAME,
						 .address = address,
						 .pause_usec = USEC_PER_SEC,
						 .watch = true,
						 .set_up = set_up,
						 .tell = on_name,
						 .userdata = bus};
	int r;

	if (!bus)
		return -ENOMEM;
	bus->guest = guest;
	r = sd_event_add_defer(event, &bus->news_source, on_news, bus);
	if (r >= 0)
		r = sd_event_source_set_enabled(bus->news_source, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_source_set_priority(bus->news_source, SD_EVENT_PRIORITY_IDLE);
	if (r >= 0)
		r = bus_name_new(event, &options, &bus->name);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(bus);
	return 0;
}

struct guest_bus *guest_bus_free(struct guest_bus *bus)
{
	if (bus) {
		bus_name_free(bus->name);
		sd_event_source_disable_unref(bus->news_source);
		free(bus);
	}
	return NULL;
}
