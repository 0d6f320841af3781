/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmfreq-hostd itself: wires libvirt's news, the guests' connections and the domains to sd-event. */
#include "hostd/host.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "common/log.h"
#include "common/macro.h"
#include "common/rootfs.h"
#include "config.h"
#include "hostd/bus.h"
#include "hostd/listener.h"
#include "hostd/status.h"
#include "hostd/virt.h"

#define VERIFY_USEC     (5 * USEC_PER_SEC)
#define SESSIONS_MAX    4096U
#define ACCEPTS_PER_WAKEUP 32U

/* A connection, and whose it is. */
struct caller {
	struct host *host;
	struct session *session;
	struct domain *domain;
	uint32_t cid, port;
	struct caller *next;
};

struct host {
	sd_event *event;
	struct host_options options;
	struct host_config config;
	struct peer_config peer_config;
	struct domain_env env;
	struct topology *topology;
	struct actuator *actuator;
	struct inventory *inventory;
	struct domain **domains; /* as in the inventory; NULL while one moves to the next */
	size_t n_domains;
	struct caller *callers;
	size_t n_callers;
	struct host_counts counts;
	struct ratelimit refusal_log, close_log;

	int listen_fd;
	struct virt *virt;
	bool libvirt_connected;
	char libvirt_error[256];
	struct bus *bus;
	sd_event_source *listen_source, *virt_source, *verify_source, *sighup_source;
};

/* -- setting up -----------------------------------------------------------------------------------*/

static void set_policies(struct host *host)
{
	const struct host_config *config = &host->config;
	const struct topology *topology = host->topology;

	host->peer_config = (struct peer_config){
		.any_port = config->any_port,
		.hello_usec = 2 * USEC_PER_SEC,
		.frame_usec = 2 * USEC_PER_SEC,
		.idle_usec = 30 * USEC_PER_SEC,
		.rate = (uint32_t)config->report_rate,
		.burst = (uint32_t)config->report_rate * 2,
	};
	host->env.policy = (struct policy_config){
		.headroom1024 = policy_headroom(topology->kernel_major, topology->kernel_minor),
		.floor_max = (uint16_t)config->floor_max,
		.step = (uint16_t)config->floor_step,
		.hold_usec = config->floor_hold_usec,
		.half_life_usec = config->floor_half_life_usec,
	};
	host->env.placement.dwell_usec = config->placement_dwell_usec;
}

/* Declared classes may all be of one capacity as far as the kernel knows (most x86 hosts): then they
 * are spread evenly, for an operator who declares them says that they differ. */
static void set_classes(struct host *host)
{
	const struct topology *topology = host->topology;
	struct placement_config *placement = &host->env.placement;
	bool ascending = true;

	placement->n_classes = MIN(topology->n_classes, PLACEMENT_CLASSES_MAX);
	for (unsigned i = 0; i < placement->n_classes; i++) {
		placement->classes[i].cpus = topology->class[i].cpus;
		placement->classes[i].capacity1024 = (uint16_t)topology->class[i].capacity1024;
		if (i > 0 && placement->classes[i].capacity1024 <=
				     placement->classes[i - 1].capacity1024)
			ascending = false;
	}
	for (unsigned i = 0; !ascending && i < placement->n_classes; i++)
		placement->classes[i].capacity1024 =
			(uint16_t)(CAPACITY_SCALE * (i + 1) / placement->n_classes);
}

static int read_topology(struct host *host)
{
	char message[256];
	int r = topology_read(host->env.root_fd, &host->topology);

	if (r < 0) {
		log_error("the host's CPUs can't be read: %s", strerror(-r));
		return r;
	}
	if (host->config.core_classes[0] != '\0' &&
	    topology_declare(host->topology, host->config.core_classes, message, sizeof(message)) <
		    0) {
		log_error("core_classes: %s", message);
		return -EINVAL;
	}
	host->env.topology = host->topology;
	set_classes(host);
	return freq_reader_new(host->env.root_fd, &host->env.freq);
}

static void log_tally(const struct ledger_tally *tally, const char *when)
{
	if (tally->restored + tally->nearly + tally->theirs + tally->failed == 0)
		return;
	log_line(tally->failed ? LOG_ERR : LOG_INFO,
		 "%s: %u settings put back, %u as near as the kernel allows, %u left to whoever "
		 "changed them since, %u can't be put back",
		 when, tally->restored, tally->nearly, tally->theirs, tally->failed);
}

static int make_actuator(struct host *host)
{
	struct ledger_tally tally = {};
	int r = actuator_new(host->env.root_fd, &host->config, host->topology,
			     host->options.dry_run, host->options.ledger_path, &host->actuator,
			     &tally);

	if (r == -EBUSY)
		log_error("%s is in use: another vmfreq-hostd runs (systemctl status vmfreq-hostd)",
			  host->options.ledger_path);
	else if (r < 0)
		log_error("the ledger %s can't be opened: %s", host->options.ledger_path,
			  strerror(-r));
	if (r < 0)
		return r;
	log_tally(&tally, "left by an earlier run");
	host->env.actuator = host->actuator;
	log_info("floors: %s -- %s", actuator_floor_name(host->actuator),
		 actuator_floor_reason(host->actuator));
	log_info("placement: %s -- %s", actuator_cpus_name(host->actuator),
		 actuator_cpus_reason(host->actuator));
	return 0;
}

int host_new(sd_event *event, const struct host_options *options, const struct host_config *config,
	     struct host **ret)
{
	struct host *host = calloc(1, sizeof(*host));
	int r;

	if (!host)
		return -ENOMEM;
	host->event = sd_event_ref(event);
	host->options = *options;
	host->config = *config;
	host->listen_fd = -EBADF;
	host->refusal_log = host->close_log =
		(struct ratelimit){.interval_usec = 30 * USEC_PER_SEC, .burst = 10};
	host->env.event = event;
	host->env.config = &host->config;
	snprintf(host->libvirt_error, sizeof(host->libvirt_error), "not connected yet");
	r = host->env.root_fd = rootfs_open(options->root);
	if (r >= 0)
		r = read_topology(host);
	if (r >= 0)
		r = make_actuator(host);
	if (r < 0) {
		host_free(host);
		return r;
	}
	set_policies(host);
	*ret = host;
	return 0;
}

/* -- guests ---------------------------------------------------------------------------------------*/

static void notify_status(const struct host *host)
{
	size_t connected = 0;

	for (size_t i = 0; i < host->n_domains; i++)
		connected += host->domains[i] && host->domains[i]->hello;
	sd_notifyf(0, "STATUS=%zu domains, %zu guests report; floors by %s%s%s", host->n_domains,
		   connected, actuator_floor_name(host->actuator),
		   host->options.dry_run ? " (dry run)" : "",
		   host->libvirt_connected ? "" : "; libvirt can't be reached");
}

/* Takes a caller off the list and frees it; its session is ended or over already. */
static void drop_caller(struct caller *caller)
{
	struct host *host = caller->host;

	for (struct caller **p = &host->callers; *p; p = &(*p)->next)
		if (*p == caller) {
			*p = caller->next;
			host->n_callers--;
			break;
		}
	if (caller->domain && caller->domain->session == caller->session)
		domain_silent(caller->domain);
	free(caller);
	notify_status(host);
}

static void hang_up(struct caller *caller, enum bye_code code, const char *reason)
{
	struct session *session = caller->session;

	drop_caller(caller);
	session_end(session, code, reason);
}

/* A guest has one connection that counts. A newer one that has greeted is proof that the older is
 * dead; one that hasn't yet proves nothing, and replaces only another such. */
static void replace_older(struct host *host, const struct domain *domain,
			  const struct caller *newer, bool greeted)
{
	for (struct caller *caller = host->callers, *next; caller; caller = next) {
		next = caller->next;
		if (caller == newer || caller->domain != domain ||
		    (session_peer(caller->session)->greeted && !greeted))
			continue;
		host->counts.closed_by_code[BYE_REPLACED]++;
		hang_up(caller, BYE_REPLACED, "a newer connection of the same guest");
	}
}

static void on_hello(void *userdata, struct session *session, const struct message_hello *hello)
{
	static uint8_t frame[FRAME_HEADER + 512];
	struct caller *caller = userdata;
	struct host *host = caller->host;
	struct message_hello reply = {
		.major = PROTO_MAJOR,
		.minor = PROTO_MINOR,
		.fields = 1U << HELLO_AGENT | 1U << HELLO_LEASE_MAX,
		.lease_max_msec = (uint32_t)(host->config.lease_max_usec / USEC_PER_MSEC),
		.agent = "vmfreq-hostd " PACKAGE_VERSION,
	};
	int size = hello_put(frame, sizeof(frame), &reply);

	replace_older(host, caller->domain, caller, true);
	if (size > 0)
		session_send(session, frame, (size_t)size);
	if (domain_greet(caller->domain, session, hello) < 0)
		log_error("%s: no memory for its guest", caller->domain->info.name);
	log_info("%s: %s reports over CID %" PRIu32 " (signal %s, cpufreq %s, %u CPUs)",
		 caller->domain->info.name, hello->agent, caller->cid,
		 hello_signal_name(hello->signal), hello_cpufreq_name(hello->cpufreq),
		 hello->n_cpus);
	if (hello->n_cpus > caller->domain->info.n_vcpus)
		log_warning("%s: its guest names %u CPUs, but the domain has %u: the others are "
			    "ignored",
			    caller->domain->info.name, hello->n_cpus,
			    caller->domain->info.n_vcpus);
	notify_status(host);
}

static void on_report(void *userdata, _unused_ struct session *session,
		      const struct message_report *report, uint64_t now_usec)
{
	struct caller *caller = userdata;

	domain_report(caller->domain, report, now_usec);
}

static void on_closed(void *userdata, struct session *session, enum bye_code code,
		      const char *reason)
{
	struct caller *caller = userdata;
	struct host *host = caller->host;
	unsigned dropped;
	uint64_t now_usec = 0;

	sd_event_now(host->event, CLOCK_MONOTONIC, &now_usec);
	host->counts.closed_by_code[code < ARRAY_SIZE(host->counts.closed_by_code) ? code : 0]++;
	if (ratelimit_pass(&host->close_log, now_usec, &dropped))
		log_line(code ? LOG_WARNING : LOG_INFO,
			 "%s: the connection of CID %" PRIu32 " is closed: %s",
			 caller->domain->info.name, caller->cid, reason);
	drop_caller(caller);
	session_end(session, code, reason);
}

static const struct session_events session_events = {on_hello, on_report, on_closed};

/* The domain that a CID is of. */
static struct domain *domain_of_cid(struct host *host, uint32_t cid)
{
	const struct inventory_domain *info =
		host->inventory ? inventory_by_cid(host->inventory, cid) : NULL;

	for (size_t i = 0; info && i < host->n_domains; i++)
		if (inventory_same_start(&host->domains[i]->info, info))
			return host->domains[i];
	return NULL;
}

/* Says no to a peer, in its log and in ours, without keeping anything of it. */
static void refuse(struct host *host, int fd, uint32_t cid, uint32_t port, const char *reason)
{
	uint8_t frame[FRAME_HEADER + 4 + PROTO_TEXT_MAX];
	int size = bye_put(frame, sizeof(frame), BYE_REFUSED, reason);
	unsigned dropped;
	uint64_t now_usec = 0;

	sd_event_now(host->event, CLOCK_MONOTONIC, &now_usec);
	if (size > 0 && send(fd, frame, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		size = 0;
	close(fd);
	if (ratelimit_pass(&host->refusal_log, now_usec, &dropped))
		log_warning("refused: CID %" PRIu32 " port %" PRIu32 ": %s (%u more were not "
			    "logged)",
			    cid, port, reason, dropped);
}

void host_take_connection(struct host *host, int fd, uint32_t cid, uint32_t port)
{
	struct domain *domain = domain_of_cid(host, cid);
	const char *reason = peer_refusal(&host->peer_config, cid, port, domain != NULL);
	struct caller *caller;

	host->counts.accepted++;
	if (reason) {
		if (domain)
			host->counts.refused_port++;
		else
			host->counts.refused_cid++;
		refuse(host, fd, cid, port, reason);
		return;
	}
	replace_older(host, domain, NULL, false);
	caller = host->n_callers < SESSIONS_MAX ? calloc(1, sizeof(*caller)) : NULL;
	if (!caller || session_new(host->event, fd, &host->peer_config, &session_events, caller,
				   &caller->session) < 0) {
		free(caller);
		host->counts.refused_full++;
		refuse(host, fd, cid, port, "no room for another connection");
		return;
	}
	caller->host = host;
	caller->domain = domain;
	caller->cid = cid;
	caller->port = port;
	caller->next = host->callers;
	host->callers = caller;
	host->n_callers++;
}

static int on_listen(_unused_ sd_event_source *source, int fd, _unused_ uint32_t revents,
		     void *userdata)
{
	for (unsigned i = 0; i < ACCEPTS_PER_WAKEUP; i++) {
		uint32_t cid, port;
		int peer = listener_accept(fd, &cid, &port);

		if (peer < 0)
			break;
		host_take_connection(userdata, peer, cid, port);
	}
	return 0;
}

/* -- domains --------------------------------------------------------------------------------------*/

static void end_domain(struct host *host, struct domain *domain)
{
	for (struct caller *caller = host->callers, *next; caller; caller = next) {
		next = caller->next;
		if (caller->domain == domain)
			hang_up(caller, BYE_SHUTDOWN, "the domain has stopped");
	}
	log_info("%s (id %d) has gone", domain->info.name, domain->info.id);
	domain_free(domain);
}

static struct domain *take_known(struct host *host, const struct inventory_domain *info)
{
	for (size_t i = 0; i < host->n_domains; i++)
		if (host->domains[i] && inventory_same_start(&host->domains[i]->info, info))
			return TAKE_PTR(host->domains[i]);
	return NULL;
}

static struct domain *begin_domain(struct host *host, const struct inventory_domain *info)
{
	struct domain *domain = NULL;

	if (domain_new(&host->env, info, &domain) < 0) {
		log_error("%s: no memory to look after it", info->name);
		return NULL;
	}
	if (info->cid < CID_FIRST_GUEST)
		log_info("%s (id %d) has appeared; it has no vsock device: add "
			 "<vsock model='virtio'><cid auto='yes'/></vsock>",
			 info->name, info->id);
	else
		log_info("%s (id %d, CID %" PRIu32 ", %u vCPUs, threads by %s) has appeared",
			 info->name, info->id, info->cid, info->n_vcpus,
			 thread_source_text(domain->thread_source));
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
	if (topology_refresh(host->env.root_fd, host->topology) >= 0)
		set_classes(host);
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
	notify_status(host);
}

static int on_virt(_unused_ sd_event_source *source, _unused_ int fd, _unused_ uint32_t revents,
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
		log_info("libvirt at %s is reached", host->config.uri);
	else if (!host->libvirt_connected && strcmp(before, host->libvirt_error) != 0)
		log_warning("libvirt at %s can't be reached, trying again: %s", host->config.uri,
			    host->libvirt_error);
	notify_status(host);
	return 0;
}

static int on_verify(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct host *host = userdata;

	for (size_t i = 0; i < host->n_domains; i++)
		domain_verify(host->domains[i]);
	sd_event_source_set_time(source, usec + VERIFY_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* -- the daemon -----------------------------------------------------------------------------------*/

static struct json_object *on_status(void *userdata)
{
	return status_json(userdata);
}

/* The new config as a whole, or the old one. */
static int on_sighup(_unused_ sd_event_source *source,
		     _unused_ const struct signalfd_siginfo *info, void *userdata)
{
	struct host *host = userdata;
	struct host_config config;

	if (config_load(host->options.config_path, host_config_keys, host_config_n_keys, &config,
			sizeof(config), log_complaint, NULL) < 0) {
		log_error("the configuration stays as it was");
		return 0;
	}
	host->config = config;
	set_policies(host);
	log_info("%s is loaded; uri, port, actuator, placement and core_classes take effect at the "
		 "next start",
		 host->options.config_path);
	return 0;
}

static int start_listening(struct host *host)
{
	int r;

	host->listen_fd = listener_open((uint32_t)host->config.port);
	if (host->listen_fd < 0) {
		log_error("can't listen on vsock port %" PRIu64 ": %s%s", host->config.port,
			  strerror(-host->listen_fd),
			  host->listen_fd == -EADDRINUSE ? ""
							 : " (try: modprobe vhost_vsock)");
		return host->listen_fd;
	}
	r = sd_event_add_io(host->event, &host->listen_source, host->listen_fd, EPOLLIN, on_listen,
			    host);
	/* Who calls before the first inventory waits in the queue: nobody is refused for our haste. */
	return r < 0 ? r : sd_event_source_set_enabled(host->listen_source, SD_EVENT_OFF);
}

static int start_virt(struct host *host)
{
	int r = virt_start(host->config.uri, &host->virt);

	if (r < 0) {
		log_error("libvirt's thread can't be started: %s", strerror(-r));
		return r;
	}
	return sd_event_add_io(host->event, &host->virt_source, virt_fd(host->virt), EPOLLIN,
			       on_virt, host);
}

int host_start(struct host *host)
{
	/* Signals are blocked before libvirt's thread inherits the mask. */
	int r = sd_event_add_signal(host->event, &host->sighup_source,
				    SIGHUP | SD_EVENT_SIGNAL_PROCMASK, on_sighup, host);

	if (r >= 0)
		r = start_listening(host);
	if (r >= 0)
		r = start_virt(host);
	if (r >= 0)
		r = sd_event_add_time_relative(host->event, &host->verify_source, CLOCK_MONOTONIC,
					       VERIFY_USEC, USEC_PER_SEC, on_verify, host);
	if (r < 0)
		return r;
	r = bus_start(host->event, on_status, host, &host->bus);
	if (r < 0)
		log_warning("not on the system bus, so vmfreqctl can't ask: %s", strerror(-r));
	notify_status(host);
	return 0;
}

int host_free(struct host *host)
{
	struct ledger_tally tally = {};

	host->bus = bus_stop(host->bus);
	sd_event_source_disable_unref(host->virt_source);
	host->virt = virt_stop(host->virt);
	while (host->callers)
		hang_up(host->callers, BYE_SHUTDOWN, "vmfreq-hostd stops");
	for (size_t i = 0; i < host->n_domains; i++)
		domain_free(host->domains[i]);
	free(host->domains);
	inventory_free(host->inventory);
	if (host->actuator) {
		host->actuator = actuator_free(host->actuator, &tally);
		if (tally.failed + tally.theirs > 0)
			log_tally(&tally, "stopping");
		else if (!host->options.dry_run)
			log_info("everything is as it was before");
	}
	sd_event_source_disable_unref(host->listen_source);
	sd_event_source_disable_unref(host->verify_source);
	sd_event_source_disable_unref(host->sighup_source);
	freq_reader_free(host->env.freq);
	free(host->topology);
	if (host->listen_fd >= 0)
		close(host->listen_fd);
	if (host->env.root_fd >= 0)
		close(host->env.root_fd);
	sd_event_unref(host->event);
	free(host);
	return tally.failed ? -EIO : 0;
}

/* -- for status -----------------------------------------------------------------------------------*/

const struct host_counts *host_counts(const struct host *host)
{
	return &host->counts;
}

const struct actuator *host_actuator(const struct host *host)
{
	return host->actuator;
}

const struct topology *host_topology(const struct host *host)
{
	return host->topology;
}

bool host_libvirt_connected(const struct host *host, const char **ret_error)
{
	*ret_error = host->libvirt_error;
	return host->libvirt_connected;
}

size_t host_n_domains(const struct host *host)
{
	return host->n_domains;
}

const struct domain *host_domain(const struct host *host, size_t i)
{
	return host->domains[i];
}

int host_root_fd(const struct host *host)
{
	return host->env.root_fd;
}
