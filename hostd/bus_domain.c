/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.vmfreq.Host1.Domain: an object for each running domain, by its UUID. */
#include <string.h>

#include "common/macro.h"
#include "hostd/bus_private.h"
#include "hostd/concern.h"
#include "hostd/status.h"

int bus_domain_path(const uint8_t *uuid, char **ret)
{
	char text[UUID_TEXT];

	uuid_format(uuid, text);
	return sd_bus_path_encode(BUS_DOMAINS, text, ret);
}

/* The domain of a path; NULL if there is none, or none any more. */
static const struct domain *find(const struct bus *bus, const char *path)
{
	_cleanup_free_ char *text = NULL;
	uint8_t uuid[DOMAIN_UUID];

	if (sd_bus_path_decode(path, BUS_DOMAINS, &text) <= 0 || uuid_parse(text, uuid) < 0)
		return NULL;
	return host_find_domain(bus->host, uuid);
}

static int on_find(_unused_ sd_bus *connection, const char *path, _unused_ const char *interface,
		   void *userdata, void **ret_found, _unused_ sd_bus_error *error)
{
	if (!find(userdata, path))
		return 0;
	*ret_found = userdata;
	return 1;
}

static int on_enumerate(_unused_ sd_bus *connection, _unused_ const char *prefix, void *userdata,
			char ***ret_nodes, _unused_ sd_bus_error *error)
{
	const struct host *host = ((struct bus *)userdata)->host;
	char **nodes = calloc(host_n_domains(host) + 1, sizeof(*nodes));
	int r = nodes ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < host_n_domains(host); i++)
		r = bus_domain_path(host_domain(host, i)->info.uuid, &nodes[i]);
	if (r < 0) {
		for (size_t i = 0; nodes && nodes[i]; i++)
			free(nodes[i]);
		free(nodes);
		return r;
	}
	*ret_nodes = nodes;
	return 0;
}

/* -- methods
 * --------------------------------------------------------------------------------------*/

/* Asks polkit, which is told of which domain. As polkit_check(). */
static int may(struct bus *bus, sd_bus_message *call, const struct domain *domain,
	       const char *action, sd_bus_error *error)
{
	char uuid[UUID_TEXT];
	const char *const details[] = {"domain", domain->info.name, "uuid", uuid, NULL};

	uuid_format(domain->info.uuid, uuid);
	return polkit_check(bus_name_polkit(bus->name), call, action, details, error);
}

static int lay(struct bus *bus, sd_bus_message *call, const struct domain *domain,
	       const struct domain_limit *limit, sd_bus_error *error)
{
	int r = host_limit_domain(bus->host, domain->info.uuid, limit);

	if (r < 0)
		return sd_bus_error_set_errnof(error, r,
					       "it can't be kept until reboot, so it "
					       "isn't done: %s",
					       strerror(-r));
	return sd_bus_reply_method_return(call, "");
}

static int set_percent(struct bus *bus, sd_bus_message *call, uint32_t percent, sd_bus_error *error)
{
	const struct domain *domain = find(bus, sd_bus_message_get_path(call));
	struct domain_limit limit;
	int r;

	if (!domain)
		return -ENOENT;
	if (percent > LIMIT_NONE)
		return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
					 "a limit is 0 to 100 percent of the largest CPU, not %u",
					 percent);
	r = may(bus, call, domain, "org.vmfreq.host1.set-limit", error);
	if (r <= 0)
		return r < 0 ? r : 1;
	limit = domain->limit;
	limit.percent = (uint8_t)percent;
	return lay(bus, call, domain, &limit, error);
}

static int on_set_limit(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	uint32_t percent;
	int r = sd_bus_message_read(call, "u", &percent);

	return r < 0 ? r : set_percent(userdata, call, percent, error);
}

static int on_clear_limit(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	return set_percent(userdata, call, LIMIT_NONE, error);
}

static int set_released(struct bus *bus, sd_bus_message *call, bool released, sd_bus_error *error)
{
	const struct domain *domain = find(bus, sd_bus_message_get_path(call));
	struct domain_limit limit;
	int r;

	if (!domain)
		return -ENOENT;
	r = may(bus, call, domain, "org.vmfreq.host1.release-domain", error);
	if (r <= 0)
		return r < 0 ? r : 1;
	limit = domain->limit;
	limit.released = released;
	return lay(bus, call, domain, &limit, error);
}

static int on_release(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	return set_released(userdata, call, true, error);
}

static int on_resume(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	return set_released(userdata, call, false, error);
}

/* -- properties
 * -----------------------------------------------------------------------------------*/

#define DEFINE_GETTER(name, signature, expression)                                                 \
	static int name(_unused_ sd_bus *connection, const char *path,                             \
			_unused_ const char *interface, _unused_ const char *property,             \
			sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)       \
	{                                                                                          \
		const struct domain *domain = find(userdata, path);                                \
                                                                                                   \
		return domain ? sd_bus_message_append(reply, signature, expression) : -ENOENT;     \
	}

DEFINE_GETTER(get_name, "s", domain->info.name)
DEFINE_GETTER(get_id, "i", (int32_t)domain->info.id)
DEFINE_GETTER(get_cid, "u", domain->info.cid)
DEFINE_GETTER(get_connected, "b", domain->hello != NULL)
DEFINE_GETTER(get_agent, "s", domain->hello ? domain->hello->agent : "")
DEFINE_GETTER(get_signal, "s", domain->hello ? hello_signal_name(domain->hello->signal) : "")
DEFINE_GETTER(get_cpufreq, "s", domain->hello ? hello_cpufreq_name(domain->hello->cpufreq) : "")
DEFINE_GETTER(get_reason, "s", status_reason(domain) ?: "")
DEFINE_GETTER(get_limit, "u", (uint32_t)domain->limit.percent)
DEFINE_GETTER(get_released, "b", domain->limit.released)
DEFINE_GETTER(get_goal, "s", goal_names[domain->entitlement.goal])
DEFINE_GETTER(get_weight, "u", (uint32_t)domain->entitlement.weight)
DEFINE_GETTER(get_floor_max, "u", (uint32_t)domain->entitlement.floor_max1024)
DEFINE_GETTER(get_placement, "b", domain->entitlement.placement)
DEFINE_GETTER(get_feedback, "b", domain->entitlement.feedback)
DEFINE_GETTER(get_reports, "t", domain->reports)

static int get_uuid(_unused_ sd_bus *connection, const char *path, _unused_ const char *interface,
		    _unused_ const char *property, sd_bus_message *reply, void *userdata,
		    _unused_ sd_bus_error *error)
{
	const struct domain *domain = find(userdata, path);
	char uuid[UUID_TEXT];

	if (!domain)
		return -ENOENT;
	uuid_format(domain->info.uuid, uuid);
	return sd_bus_message_append(reply, "s", uuid);
}

static int get_concerns(_unused_ sd_bus *connection, const char *path,
			_unused_ const char *interface, _unused_ const char *property,
			sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
	const struct domain *domain = find(userdata, path);
	int r = domain ? sd_bus_message_open_container(reply, 'a', "(sss)") : -ENOENT;

	for (unsigned i = 0; r >= 0 && i < CONCERN_N; i++)
		if (domain->concerns & CONCERN_BIT(i))
			r = sd_bus_message_append(
				reply, "(sss)", concern_name(i),
				domain_concern_detail(domain, i),
				concern_text(i, domain->hello ? domain->hello->signal : 0));
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

static uint32_t floor_of(const struct vcpu *vcpu)
{
	return vcpu->have.floor1024;
}

static uint32_t ceiling_of(const struct vcpu *vcpu)
{
	return plan_stands(&vcpu->have).ceiling1024;
}

/* A number of each vCPU. */
static int append_vcpus(const struct domain *domain, sd_bus_message *reply,
			uint32_t (*number)(const struct vcpu *vcpu))
{
	int r = domain ? sd_bus_message_open_container(reply, 'a', "u") : -ENOENT;

	for (unsigned i = 0; r >= 0 && i < domain->info.n_vcpus; i++)
		r = sd_bus_message_append(reply, "u", number(&domain->vcpus[i]));
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_sections(_unused_ sd_bus *connection, const char *path,
			_unused_ const char *interface, _unused_ const char *property,
			sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
	const struct domain *domain = find(userdata, path);
	int r = domain ? sd_bus_message_open_container(reply, 'a', "(ss)") : -ENOENT;

	for (unsigned i = 0; r >= 0 && i < DOMAIN_N_KEYS; i++)
		if (domain->entitlement.from[i])
			r = sd_bus_message_append(reply, "(ss)", host_domain_keys[i].key,
						  domain->entitlement.from[i]);
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_floors(_unused_ sd_bus *connection, const char *path, _unused_ const char *interface,
		      _unused_ const char *property, sd_bus_message *reply, void *userdata,
		      _unused_ sd_bus_error *error)
{
	return append_vcpus(find(userdata, path), reply, floor_of);
}

static int get_ceilings(_unused_ sd_bus *connection, const char *path,
			_unused_ const char *interface, _unused_ const char *property,
			sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
	return append_vcpus(find(userdata, path), reply, ceiling_of);
}

/* What changes with a guest's reports has no signal. */
static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD_WITH_ARGS("SetLimit", SD_BUS_ARGS("u", percent), SD_BUS_NO_RESULT,
				on_set_limit, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("ClearLimit", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, on_clear_limit,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Release", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, on_release,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Resume", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, on_resume,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_PROPERTY("UUID", "s", get_uuid, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("Name", "s", get_name, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Id", "i", get_id, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("CID", "u", get_cid, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Connected", "b", get_connected, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Agent", "s", get_agent, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Signal", "s", get_signal, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Cpufreq", "s", get_cpufreq, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Reason", "s", get_reason, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Concerns", "a(sss)", get_concerns, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Limit", "u", get_limit, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Released", "b", get_released, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Goal", "s", get_goal, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Weight", "u", get_weight, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("FloorMax", "u", get_floor_max, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Placement", "b", get_placement, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Feedback", "b", get_feedback, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Sections", "a(ss)", get_sections, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Floors", "au", get_floors, 0, 0),
	SD_BUS_PROPERTY("Ceilings", "au", get_ceilings, 0, 0),
	SD_BUS_PROPERTY("Reports", "t", get_reports, 0, 0),
	SD_BUS_VTABLE_END,
};

int bus_domains_add(struct bus *bus, sd_bus *connection)
{
	int r = sd_bus_add_fallback_vtable(connection, NULL, BUS_DOMAINS, BUS_DOMAIN_INTERFACE,
					   vtable, on_find, bus);

	return r < 0 ? r
		     : sd_bus_add_node_enumerator(connection, NULL, BUS_DOMAINS, on_enumerate, bus);
}

/* -- change signals
 * -------------------------------------------------------------------------------*/

static const struct watched watched[] = {
	WATCHED(struct seen_domain, "Name", name),
	WATCHED(struct seen_domain, "Id", id),
	WATCHED(struct seen_domain, "CID", cid),
	WATCHED(struct seen_domain, "Connected", connected),
	WATCHED(struct seen_domain, "Agent", agent),
	WATCHED(struct seen_domain, "Signal", signal),
	WATCHED(struct seen_domain, "Cpufreq", cpufreq),
	WATCHED(struct seen_domain, "Reason", reason),
	WATCHED(struct seen_domain, "Concerns", concerns),
	WATCHED(struct seen_domain, "Limit", limit),
	WATCHED(struct seen_domain, "Released", released),
	WATCHED(struct seen_domain, "Goal", goal),
	WATCHED(struct seen_domain, "Weight", weight),
	WATCHED(struct seen_domain, "FloorMax", floor_max),
	WATCHED(struct seen_domain, "Placement", placement),
	WATCHED(struct seen_domain, "Feedback", feedback),
	WATCHED(struct seen_domain, "Sections", sections_hash),
};

/* Of the patterns, NULs and all: FNV-1a (Fowler, Noll, Vo) with 64 bits. They are too long to be
 * kept of each domain. */
static uint64_t hash_sections(const struct entitlement *entitlement)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (unsigned i = 0; i < DOMAIN_N_KEYS; i++) {
		const char *p = entitlement->from[i] ?: "";

		do
			hash = (hash ^ (unsigned char)*p) * 0x100000001b3;
		while (*p++);
	}
	return hash;
}

static void see_domain(const struct domain *domain, struct seen_domain *ret)
{
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->uuid, domain->info.uuid, sizeof(ret->uuid));
	snprintf(ret->name, sizeof(ret->name), "%s", domain->info.name);
	ret->id = domain->info.id;
	ret->cid = domain->info.cid;
	ret->connected = domain->hello != NULL;
	if (domain->hello) {
		snprintf(ret->agent, sizeof(ret->agent), "%s", domain->hello->agent);
		ret->signal = (uint8_t)(domain->hello->signal + 1); /* 0: there is no guest */
		ret->cpufreq = (uint8_t)(domain->hello->cpufreq + 1);
	}
	snprintf(ret->reason, sizeof(ret->reason), "%s", status_reason(domain) ?: "");
	ret->concerns = domain->concerns;
	ret->limit = domain->limit.percent;
	ret->released = domain->limit.released;
	ret->goal = (uint8_t)domain->entitlement.goal;
	ret->weight = domain->entitlement.weight;
	ret->floor_max = domain->entitlement.floor_max1024;
	ret->placement = domain->entitlement.placement;
	ret->feedback = domain->entitlement.feedback;
	ret->sections_hash = hash_sections(&domain->entitlement);
}

static const struct seen_domain *find_seen(const struct seen_domain *list, size_t n,
					   const struct seen_domain *which)
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(list[i].uuid, which->uuid, DOMAIN_UUID) == 0)
			return &list[i];
	return NULL;
}

/* before or now is NULL: it has come or gone. */
static int announce(sd_bus *connection, const struct seen_domain *before,
		    const struct seen_domain *now)
{
	_cleanup_free_ char *path = NULL;
	int r = bus_domain_path(now ? now->uuid : before->uuid, &path);

	if (r < 0)
		return r;
	if (!now)
		return sd_bus_emit_interfaces_removed(connection, path, BUS_DOMAIN_INTERFACE, NULL);
	if (!before)
		return sd_bus_emit_interfaces_added(connection, path, BUS_DOMAIN_INTERFACE, NULL);
	return bus_announce(connection, path, BUS_DOMAIN_INTERFACE, watched, ARRAY_SIZE(watched),
			    before, now);
}

int bus_domains_announce(struct bus *bus, sd_bus *connection)
{
	size_t n = host_n_domains(bus->host);
	struct seen_domain *now = calloc(MAX(n, 1), sizeof(*now));

	if (!now)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		see_domain(host_domain(bus->host, i), &now[i]);
	for (size_t i = 0; connection && i < bus->n_domains; i++)
		if (!find_seen(now, n, &bus->domains[i]))
			announce(connection, &bus->domains[i], NULL);
	for (size_t i = 0; connection && i < n; i++)
		announce(connection, find_seen(bus->domains, bus->n_domains, &now[i]), &now[i]);
	free(bus->domains);
	bus->domains = now;
	bus->n_domains = n;
	return 0;
}
