/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd's domains: as libvirt's inventories name them, on the host's classes of cores. */
#include "hostd/host_private.h"

#include <inttypes.h>
#include <string.h>

#include "common/macro.h"

/* Declared classes may all be of one capacity as far as the kernel knows (most x86 hosts): then
 * they are spread evenly, for an operator who declares them says that they differ. */
void host_set_classes(struct host *host)
{
	const struct topology *topology = host->topology;
	struct placement_config *placement = &host->env.placement;
	bool ascending = true;

	placement->n_classes = MIN(topology->n_classes, PLACEMENT_CLASSES_MAX);
	for (unsigned i = 0; i < placement->n_classes; i++) {
		placement->classes[i].cpus = topology->class[i].cpus;
		placement->classes[i].capacity1024 = (uint16_t)topology->class[i].capacity1024;
		if (i > 0 &&
		    placement->classes[i].capacity1024 <= placement->classes[i - 1].capacity1024)
			ascending = false;
	}
	for (unsigned i = 0; !ascending && i < placement->n_classes; i++)
		placement->classes[i].capacity1024 =
			(uint16_t)(CAPACITY_SCALE * (i + 1) / placement->n_classes);
}

/* CPUs may be others, and EAS may have begun or ended. */
static void follow_topology(struct host *host)
{
	if (topology_refresh(host->env.root_fd, host->topology) < 0)
		return;
	host_set_classes(host);
	host_set_policies(host);
}

static void end_domain(struct host *host, struct domain *domain)
{
	host_hang_up_domain(host, domain, "the domain has stopped");
	log_event(LOG_INFO, EVENT_DOMAIN_GONE, LOG_DOMAIN(domain), "%s (id %d) has gone",
		  domain->info.name, domain->info.id);
	host_unnumber_domain(host, domain);
	domain_free(domain);
}

static struct domain *take_known(struct host *host, const struct inventory_domain *info)
{
	for (size_t i = 0; i < host->n_domains; i++)
		if (host->domains[i] && inventory_same_start(&host->domains[i]->info, info))
			return TAKE_PTR(host->domains[i]);
	return NULL;
}

/* -- limits
 * ---------------------------------------------------------------------------------------*/

void host_load_limits(struct host *host)
{
	const char *path = host->options.limits_path;
	int r = path ? limits_load(path, &host->limits) : 0;

	if (r < 0)
		log_event(LOG_ERR, EVENT_LIMITS_DAMAGED, LOG_FIELDS(.reason = strerror(-r)),
			  "%s can't be read, so no domain is limited or released: %s", path,
			  strerror(-r));
	else if (r > 0)
		log_event(LOG_WARNING, EVENT_LIMITS_DAMAGED,
			  LOG_FIELDS(.reason = "some lines are damaged"),
			  "%s: %d damaged lines are skipped: see vmfreqctl status for the limits "
			  "that hold",
			  path, r);
}

static struct domain *find_uuid(const struct host *host, const uint8_t *uuid)
{
	for (size_t i = 0; i < host->n_domains; i++)
		if (memcmp(host->domains[i]->info.uuid, uuid, DOMAIN_UUID) == 0)
			return host->domains[i];
	return NULL;
}

const struct domain *host_find_domain(const struct host *host, const uint8_t *uuid)
{
	return find_uuid(host, uuid);
}

static void log_limit(const struct domain *domain, const struct domain_limit *before)
{
	const struct domain_limit *now = &domain->limit;
	const char *name = domain->info.name;

	if (now->released && !before->released)
		log_event(LOG_NOTICE, EVENT_DOMAIN_RELEASED, LOG_DOMAIN(domain),
			  "%s is released: all of it is put back, and it is left alone until "
			  "vmfreqctl resume, or a reboot",
			  name);
	else if (before->released && !now->released)
		log_event(LOG_NOTICE, EVENT_DOMAIN_RESUMED, LOG_DOMAIN(domain),
			  "%s is taken up again", name);
	if (now->percent == before->percent)
		return;
	if (now->percent == LIMIT_NONE)
		log_event(LOG_NOTICE, EVENT_DOMAIN_LIMITED, LOG_DOMAIN(domain),
			  "%s has no limit any more", name);
	else
		log_event(LOG_NOTICE, EVENT_DOMAIN_LIMITED, LOG_DOMAIN(domain),
			  "%s gets floors of at most %u%% of the largest CPU, until a reboot", name,
			  now->percent);
}

int host_limit_domain(struct host *host, const uint8_t *uuid, const struct domain_limit *limit)
{
	struct domain *domain = find_uuid(host, uuid);
	struct domain_limit before;
	int r;

	if (!domain)
		return -ENOENT;
	before = domain->limit;
	r = limits_set(&host->limits, uuid, limit);
	if (r >= 0 && host->options.limits_path && !host->options.dry_run) {
		r = limits_save(host->options.limits_path, &host->limits);
		if (r < 0)
			limits_set(&host->limits, uuid, &before);
	}
	if (r < 0)
		return r;
	domain_set_limit(domain, limit);
	log_limit(domain, &before);
	return 0;
}

/* -- entitlements
 * ---------------------------------------------------------------------------------*/

static void log_entitlement(const struct domain *domain)
{
	const struct entitlement *entitlement = &domain->entitlement;

	log_info("%s: by the configuration its goal is %s now, its floors are at most %u%% of the "
		 "largest CPU, its weight is %u, placement %s, feedback %s",
		 domain->info.name, goal_names[entitlement->goal],
		 (entitlement->floor_max1024 * 100U + CAPACITY_SCALE / 2) / CAPACITY_SCALE,
		 entitlement->weight, entitlement->placement ? "on" : "off",
		 entitlement->feedback ? "on" : "off");
}

void host_entitle(struct host *host)
{
	for (size_t i = 0; i < host->n_domains; i++)
		if (host->domains[i] && domain_entitle(host->domains[i]))
			log_entitlement(host->domains[i]);
}

/* -- domains
 * --------------------------------------------------------------------------------------*/

static struct domain *begin_domain(struct host *host, const struct inventory_domain *info)
{
	struct domain_limit limit = limits_get(&host->limits, info->uuid);
	struct domain *domain = NULL;

	if (domain_new(&host->env, info, &domain) < 0 || host_number_domain(host, domain) < 0) {
		log_error("%s: no memory to look after it", info->name);
		return domain ? domain_free(domain) : NULL;
	}
	if (info->cid < CID_FIRST_GUEST)
		log_event(LOG_INFO, EVENT_DOMAIN_WITHOUT_VSOCK, LOG_DOMAIN(domain),
			  "%s (id %d) has appeared; it has no vsock device: add "
			  "<vsock model='virtio'><cid auto='yes'/></vsock>",
			  info->name, info->id);
	else
		log_event(LOG_INFO, EVENT_DOMAIN_APPEARED, LOG_DOMAIN(domain),
			  "%s (id %d, CID %" PRIu32 ", %u vCPUs, threads by %s) has appeared",
			  info->name, info->id, info->cid, info->n_vcpus,
			  thread_source_text(domain->thread_source));
	domain_set_limit(domain, &limit);
	return domain;
}

void host_take_inventory(struct host *host, struct inventory *inventory)
{
	struct domain **domains = calloc(MAX(inventory->n_domains, 1), sizeof(struct domain *));
	size_t n = 0;

	if (!domains) { /* the next rescan brings it again */
		inventory_free(inventory);
		return;
	}
	follow_topology(host);
	for (size_t i = 0; i < inventory->n_domains; i++) {
		domains[n] = take_known(host, &inventory->domains[i]);
		if (domains[n])
			domain_update(domains[n], &inventory->domains[i]);
		else
			domains[n] = begin_domain(host, &inventory->domains[i]);
		n += domains[n] != NULL;
	}
	for (size_t i = 0; i < host->n_domains; i++)
		if (host->domains[i])
			end_domain(host, TAKE_PTR(host->domains[i]));
	free(host->domains);
	host->domains = domains;
	host->n_domains = n;
	inventory_free(host->inventory);
	host->inventory = inventory;
	if (host->listen_source)
		sd_event_source_set_enabled(host->listen_source, SD_EVENT_ON);
#ifdef ENABLE_TESTING
	host_testing_enable(host);
#endif
	host_notify_status(host);
}

int host_on_virt(_unused_ sd_event_source *source, _unused_ int fd, _unused_ uint32_t revents,
		 void *userdata)
{
	struct host *host = userdata;
	bool was_connected = host->libvirt_connected;
	char before[sizeof(host->libvirt_error)];
	struct inventory *inventory;

	memcpy(before, host->libvirt_error, sizeof(before));
	inventory = virt_take(host->virt, &host->libvirt_connected, host->libvirt_error,
			      sizeof(host->libvirt_error));
	if (inventory)
		host_take_inventory(host, inventory);
	if (host->libvirt_connected && !was_connected)
		log_event(LOG_INFO, EVENT_LIBVIRT_REACHED, LOG_FIELDS(), "libvirt at %s is reached",
			  host->config.uri);
	else if (!host->libvirt_connected && strcmp(before, host->libvirt_error) != 0)
		log_event(LOG_WARNING, EVENT_LIBVIRT_LOST,
			  LOG_FIELDS(.reason = host->libvirt_error),
			  "libvirt at %s can't be reached, trying again: %s", host->config.uri,
			  host->libvirt_error);
	host_notify_status(host);
	return 0;
}

void host_verify(struct host *host)
{
	uint64_t now_usec = 0;

	sd_event_now(host->event, CLOCK_MONOTONIC, &now_usec);
	follow_topology(host);
	host_follow_governors(host);
	for (size_t i = 0; i < host->n_domains; i++)
		domain_verify(host->domains[i]);
	actuator_verify(host->actuator, now_usec);
	host_look(host);
	bus_changed(host->bus);
}

int host_on_verify(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct host *host = userdata;
	uint64_t now_usec = usec;

	host_verify(host);
	sd_event_now(host->event, CLOCK_MONOTONIC, &now_usec);
	watchdog_feed(&host->watchdog, now_usec);
	sd_event_source_set_time(source, now_usec + VERIFY_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}
