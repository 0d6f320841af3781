/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.vmfreq.Host1 on the system bus: the connection, and the object of the daemon itself. */
#include "hostd/bus.h"

#include <string.h>

#include "common/log.h"
#include "common/macro.h"
#include "hostd/bus_private.h"
#include "hostd/concern.h"
#include "hostd/status.h"
#include "hostd/testing.h"

#define PAUSE_USEC  (500 * USEC_PER_MSEC) /* before the bus is tried again */
#define GATHER_USEC (100 * USEC_PER_MSEC) /* changes that come together are told together */

/* -- methods
 * --------------------------------------------------------------------------------------*/

static int on_get_status(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct bus *bus = userdata;
	struct json_object *status = status_json(bus->host);
	int r;

	if (!status)
		return sd_bus_error_set_errno(error, -ENOMEM);
	r = sd_bus_reply_method_return(call, "s", json_object_to_json_string(status));
	json_object_put(status);
	return r;
}

static int on_reload(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct bus *bus = userdata;
	int r = polkit_check(bus_name_polkit(bus->name), call, "org.vmfreq.host1.reload", NULL,
			     error);

	if (r <= 0)
		return r < 0 ? r : 1;
	r = host_reload(bus->host);
	bus_changed(bus);
	if (r < 0)
		return sd_bus_error_setf(error, BUS_ERROR_BAD_CONFIG,
					 "the configuration stays as it was: %s",
					 host_config_error(bus->host));
	return sd_bus_reply_method_return(call, "");
}

static int reply_path(sd_bus_message *call, const struct domain *domain, const char *key,
		      sd_bus_error *error)
{
	_cleanup_free_ char *path = NULL;
	int r;

	if (!domain)
		return sd_bus_error_setf(error, BUS_ERROR_NO_SUCH_DOMAIN,
					 "no running domain is called '%s'", key);
	r = bus_domain_path(domain->info.uuid, &path);
	return r < 0 ? r : sd_bus_reply_method_return(call, "o", path);
}

static int on_get_domain_by_name(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct bus *bus = userdata;
	const struct domain *found = NULL;
	const char *name;
	int r = sd_bus_message_read(call, "s", &name);

	if (r < 0)
		return r;
	for (size_t i = 0; i < host_n_domains(bus->host) && !found; i++)
		if (strcmp(host_domain(bus->host, i)->info.name, name) == 0)
			found = host_domain(bus->host, i);
	return reply_path(call, found, name, error);
}

static int on_get_domain_by_uuid(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct bus *bus = userdata;
	uint8_t uuid[DOMAIN_UUID];
	const char *text;
	int r = sd_bus_message_read(call, "s", &text);

	if (r < 0)
		return r;
	if (uuid_parse(text, uuid) < 0)
		return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "'%s' is no UUID", text);
	return reply_path(call, host_find_domain(bus->host, uuid), text, error);
}

/* -- properties
 * -----------------------------------------------------------------------------------*/

#define DEFINE_GETTER(name, signature, expression)                                                 \
	static int name(_unused_ sd_bus *connection, _unused_ const char *path,                    \
			_unused_ const char *interface, _unused_ const char *property,             \
			sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)       \
	{                                                                                          \
		const struct host *host = ((struct bus *)userdata)->host;                          \
                                                                                                   \
		(void)host;                                                                        \
		return sd_bus_message_append(reply, signature, expression);                        \
	}

static bool libvirt_connected(const struct host *host)
{
	const char *error;

	return host_libvirt_connected(host, &error);
}

static const char *libvirt_error(const struct host *host)
{
	const char *error;

	return host_libvirt_connected(host, &error) ? "" : error;
}

static uint32_t n_guests(const struct host *host)
{
	uint32_t n = 0;

	for (size_t i = 0; i < host_n_domains(host); i++)
		n += host_domain(host, i)->hello != NULL;
	return n;
}

DEFINE_GETTER(get_version, "s", HOSTD_VERSION)
DEFINE_GETTER(get_dry_run, "b", actuator_is_dry(host_actuator(host)))
DEFINE_GETTER(get_floor, "s", actuator_floor_name(host_actuator(host)))
DEFINE_GETTER(get_floor_reason, "s", actuator_floor_reason(host_actuator(host)))
DEFINE_GETTER(get_placement, "s", actuator_cpus_name(host_actuator(host)))
DEFINE_GETTER(get_placement_reason, "s", actuator_cpus_reason(host_actuator(host)))
DEFINE_GETTER(get_libvirt_connected, "b", libvirt_connected(host))
DEFINE_GETTER(get_libvirt_error, "s", libvirt_error(host))
DEFINE_GETTER(get_config_error, "s", host_config_error(host))
DEFINE_GETTER(get_n_domains, "u", (uint32_t)host_n_domains(host))
DEFINE_GETTER(get_n_guests, "u", n_guests(host))
DEFINE_GETTER(get_changed, "t", (uint64_t)actuator_changed(host_actuator(host)))
DEFINE_GETTER(get_accepted, "t", host_counts(host)->accepted)
DEFINE_GETTER(get_refused_cid, "t", host_counts(host)->refused_cid)
DEFINE_GETTER(get_refused_port, "t", host_counts(host)->refused_port)
DEFINE_GETTER(get_refused_full, "t", host_counts(host)->refused_full)

static int get_kernel(_unused_ sd_bus *connection, _unused_ const char *path,
		      _unused_ const char *interface, _unused_ const char *property,
		      sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
	const struct topology *topology = host_topology(((struct bus *)userdata)->host);
	char kernel[32];

	snprintf(kernel, sizeof(kernel), "%u.%u", topology->kernel_major, topology->kernel_minor);
	return sd_bus_message_append(reply, "s", kernel);
}

static int append_concern(sd_bus_message *reply, const struct host *host, unsigned concern)
{
	char detail[CONCERN_DETAIL_MAX];

	concern_detail(host_concern_facts(host), concern, detail, sizeof(detail));
	return sd_bus_message_append(reply, "(sss)", concern_name(concern), detail,
				     concern_text(concern, 0));
}

static int get_concerns(_unused_ sd_bus *connection, _unused_ const char *path,
			_unused_ const char *interface, _unused_ const char *property,
			sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
	const struct host *host = ((struct bus *)userdata)->host;
	int r = sd_bus_message_open_container(reply, 'a', "(sss)");

	for (unsigned i = 0; r >= 0 && i < CONCERN_N; i++)
		if (host_concerns(host) & CONCERN_BIT(i))
			r = append_concern(reply, host, i);
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* What changes with a guest's reports or more often has no signal. */
static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD_WITH_ARGS("GetStatus", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", json),
				on_get_status, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("GetDomainByName", SD_BUS_ARGS("s", name),
				SD_BUS_RESULT("o", domain), on_get_domain_by_name,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("GetDomainByUUID", SD_BUS_ARGS("s", uuid),
				SD_BUS_RESULT("o", domain), on_get_domain_by_uuid,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, on_reload,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("Kernel", "s", get_kernel, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("DryRun", "b", get_dry_run, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("FloorActuator", "s", get_floor, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("FloorReason", "s", get_floor_reason, 0,
			SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("PlacementActuator", "s", get_placement, 0,
			SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("PlacementReason", "s", get_placement_reason, 0,
			SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Concerns", "a(sss)", get_concerns, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("LibvirtConnected", "b", get_libvirt_connected, 0,
			SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("LibvirtError", "s", get_libvirt_error, 0,
			SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("ConfigError", "s", get_config_error, 0,
			SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Domains", "u", get_n_domains, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Guests", "u", get_n_guests, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("SettingsChanged", "t", get_changed, 0, 0),
	SD_BUS_PROPERTY("ConnectionsAccepted", "t", get_accepted, 0, 0),
	SD_BUS_PROPERTY("RefusedByCID", "t", get_refused_cid, 0, 0),
	SD_BUS_PROPERTY("RefusedByPort", "t", get_refused_port, 0, 0),
	SD_BUS_PROPERTY("RefusedForRoom", "t", get_refused_full, 0, 0),
	SD_BUS_VTABLE_END,
};

/* -- change signals
 * -------------------------------------------------------------------------------*/

static const struct watched watched[] = {
	WATCHED(struct seen_host, "FloorActuator", floor),
	WATCHED(struct seen_host, "FloorReason", floor_reason),
	WATCHED(struct seen_host, "PlacementActuator", placement),
	WATCHED(struct seen_host, "PlacementReason", placement_reason),
	WATCHED(struct seen_host, "Concerns", concerns),
	WATCHED(struct seen_host, "LibvirtConnected", libvirt_connected),
	WATCHED(struct seen_host, "LibvirtError", libvirt_error),
	WATCHED(struct seen_host, "ConfigError", config_error),
	WATCHED(struct seen_host, "Domains", n_domains),
	WATCHED(struct seen_host, "Guests", n_guests),
};

/* Not all facts: others change, and the property doesn't. */
static void see_concerns(const struct host *host, struct seen_concerns *ret)
{
	ret->set = host_concerns(host);
	for (unsigned i = CONCERN_FIRST_OF_HOST; i < CONCERN_N; i++) {
		const struct cpumask *cpus = concern_cpus(host_concern_facts(host), i);

		if (cpus)
			ret->cpus[i - CONCERN_FIRST_OF_HOST] = *cpus;
	}
}

static void see_host(const struct host *host, struct seen_host *ret)
{
	const struct actuator *actuator = host_actuator(host);

	memset(ret, 0, sizeof(*ret));
	snprintf(ret->floor, sizeof(ret->floor), "%s", actuator_floor_name(actuator));
	snprintf(ret->floor_reason, sizeof(ret->floor_reason), "%s",
		 actuator_floor_reason(actuator));
	snprintf(ret->placement, sizeof(ret->placement), "%s", actuator_cpus_name(actuator));
	snprintf(ret->placement_reason, sizeof(ret->placement_reason), "%s",
		 actuator_cpus_reason(actuator));
	see_concerns(host, &ret->concerns);
	ret->libvirt_connected = libvirt_connected(host);
	snprintf(ret->libvirt_error, sizeof(ret->libvirt_error), "%s", libvirt_error(host));
	snprintf(ret->config_error, sizeof(ret->config_error), "%s", host_config_error(host));
	ret->n_domains = (uint32_t)host_n_domains(host);
	ret->n_guests = n_guests(host);
}

int bus_announce(sd_bus *connection, const char *path, const char *interface,
		 const struct watched *list, size_t n_list, const void *before, const void *now)
{
	char *names[32];
	size_t n = 0;

	for (size_t i = 0; i < n_list && n + 1 < ARRAY_SIZE(names); i++)
		if (memcmp((const char *)before + list[i].offset,
			   (const char *)now + list[i].offset, list[i].size) != 0)
			names[n++] = (char *)list[i].property;
	names[n] = NULL;
	return n == 0 ? 0 : sd_bus_emit_properties_changed_strv(connection, path, interface, names);
}

/* A signal that can't be sent is lost: whoever asks gets the value all the same. */
static void announce(struct bus *bus, sd_bus *connection)
{
	struct seen_host now;

	see_host(bus->host, &now);
	if (connection)
		bus_announce(connection, BUS_PATH, BUS_INTERFACE, watched, ARRAY_SIZE(watched),
			     &bus->seen, &now);
	bus->seen = now;
	bus_domains_announce(bus, connection);
}

static int on_changed(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
	struct bus *bus = userdata;

	announce(bus, bus_name_connection(bus->name));
	return 0;
}

void bus_changed(struct bus *bus)
{
	int enabled;

	if (!bus || sd_event_source_get_enabled(bus->changed_source, &enabled) < 0 ||
	    enabled != SD_EVENT_OFF)
		return;
	sd_event_source_set_time_relative(bus->changed_source, GATHER_USEC);
	sd_event_source_set_enabled(bus->changed_source, SD_EVENT_ONESHOT);
}

/* -- the connection
 * -------------------------------------------------------------------------------*/

static int set_up(void *userdata, sd_bus *connection)
{
	int r = sd_bus_add_object_manager(connection, NULL, BUS_PATH);

	if (r >= 0)
		r = sd_bus_add_object_vtable(connection, NULL, BUS_PATH, BUS_INTERFACE, vtable,
					     userdata);
	return r >= 0 ? bus_domains_add(userdata, connection) : r;
}

static void on_name(void *userdata, const char *problem)
{
	struct bus *bus = userdata;

	if (problem)
		log_event(LOG_WARNING, EVENT_NO_BUS, LOG_FIELDS(.reason = problem),
			  "not on the system bus, so vmfreqctl can't ask; trying again: %s",
			  problem);
	else
		announce(bus, NULL); /* whoever asks from now on knows all this */
	if (!problem && bus->was_away)
		log_info("on the system bus again");
	bus->was_away = problem;
}

struct bus *bus_stop(struct bus *bus)
{
	if (!bus)
		return NULL;
	bus_name_free(bus->name);
	sd_event_source_disable_unref(bus->changed_source);
	free(bus->domains);
	free(bus);
	return NULL;
}

int bus_start(sd_event *event, struct host *host, struct bus **ret)
{
	struct bus *bus = calloc(1, sizeof(*bus));
	const struct bus_name_options options = {.name = BUS_NAME,
						 .pause_usec = PAUSE_USEC,
						 .set_up = set_up,
						 .tell = on_name,
						 .userdata = bus};
	int r;

	if (!bus)
		return -ENOMEM;
	bus->host = host;
	r = sd_event_add_time(event, &bus->changed_source, CLOCK_MONOTONIC, 0, 0, on_changed, bus);
	if (r >= 0)
		r = sd_event_source_set_enabled(bus->changed_source, SD_EVENT_OFF);
	if (r >= 0)
		r = bus_name_new(event, &options, &bus->name);
	if (r < 0) {
		bus_stop(bus);
		return r;
	}
	*ret = bus;
	return 0;
}
