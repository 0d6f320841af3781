/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmfreq-hostd itself: wires libvirt's news, the guests' connections and the domains to sd-event.
 */
#include "hostd/host_private.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "common/macro.h"
#include "common/rootfs.h"
#include "hostd/listener.h"
#include "hostd/nudge.h"
#include "hostd/testing.h"

/* -- setting up
 * -----------------------------------------------------------------------------------*/

void host_set_policies(struct host *host)
{
	const struct host_config *config = &host->config;

	host->peer_config = (struct peer_config){
		.any_port = config->any_port,
		.hello_usec = 2 * USEC_PER_SEC,
		.frame_usec = 2 * USEC_PER_SEC,
		.idle_usec = 30 * USEC_PER_SEC,
		.rate = (uint32_t)config->report_rate,
		.burst = (uint32_t)config->report_rate * 2,
	};
	host->env.placement.dwell_usec = config->placement_dwell_usec;
	host_set_arbiter(host);
}

static int read_topology(struct host *host)
{
	char message[256];
	int r = topology_read(host->env.root_fd, &host->topology);

	if (r < 0) {
		log_event(LOG_ERR, EVENT_START_FAILED,
			  LOG_FIELDS(.reason = "the host's CPUs can't be read"),
			  "the host's CPUs can't be read: %s", strerror(-r));
		return r;
	}
	if (host->config.core_classes[0] != '\0' &&
	    topology_declare(host->topology, host->config.core_classes, message, sizeof(message)) <
		    0) {
		log_event(LOG_ERR, EVENT_START_FAILED, LOG_FIELDS(.reason = message),
			  "core_classes: %s", message);
		return -EINVAL;
	}
	host->env.topology = host->topology;
	host_set_classes(host);
	return freq_reader_new(host->env.root_fd, &host->env.freq);
}

static const char *put_tally(char *text, size_t size, const struct ledger_tally *tally)
{
	snprintf(text, size,
		 "%u settings put back, %u as near as the kernel allows, %u left to whoever "
		 "changed them since, %u already gone, %u can't be put back",
		 tally->restored, tally->nearly, tally->theirs, tally->gone, tally->failed);
	return text;
}

void host_log_restored(const struct ledger_tally *tally)
{
	char text[192];

	if (tally->damaged > 0) {
		snprintf(text, sizeof(text), "%u lines", tally->damaged);
		log_event(LOG_ERR, EVENT_LEDGER_DAMAGED, LOG_FIELDS(.reason = text),
			  "the ledger is damaged: %s of it can't be used", text);
	}
	put_tally(text, sizeof(text), tally);
	if (tally->failed > 0)
		log_event(LOG_ERR, EVENT_RESTORE_FAILED, LOG_FIELDS(.reason = text),
			  "left by an earlier run: %s", text);
	else if (tally->restored + tally->nearly + tally->theirs > 0)
		log_event(LOG_NOTICE, EVENT_RESTORED, LOG_FIELDS(.reason = text),
			  "left by an earlier run: %s", text);
}

static void log_stopped(const struct ledger_tally *tally)
{
	char text[192];

	put_tally(text, sizeof(text), tally);
	if (tally->failed > 0)
		log_event(LOG_ERR, EVENT_RESTORE_FAILED, LOG_FIELDS(.reason = text), "stopping: %s",
			  text);
	else
		log_event(LOG_INFO, EVENT_STOPPED, LOG_FIELDS(.reason = text), "stopped: %s",
			  tally->theirs > 0 ? text : "everything is as it was before");
}

/* What the actuator uses for floors, or for CPUs. */
static void log_means(const char *what, bool has, const char *name, const char *why)
{
	char reason[256];

	snprintf(reason, sizeof(reason), "%s: %s -- %s", what, name, why);
	log_event(has ? LOG_INFO : LOG_NOTICE, has ? EVENT_MEANS : EVENT_NO_MEANS,
		  LOG_FIELDS(.reason = reason), "%s", reason);
}

void host_log_floors(const struct host *host)
{
	log_means("floors", actuator_has_floors(host->actuator),
		  actuator_floor_name(host->actuator), actuator_floor_reason(host->actuator));
}

static void log_no_actuator(const struct host *host, int error)
{
	const char *reason = error == -EBUSY ? "another vmfreq-hostd runs" : strerror(-error);

	log_event(LOG_ERR, EVENT_START_FAILED, LOG_FIELDS(.reason = reason),
		  "the ledger %s can't be opened: %s", host->options.ledger_path, reason);
}

static int make_actuator(struct host *host)
{
	struct ledger_tally tally = {};
	struct actuator *actuator;
	int r = actuator_new(host->env.root_fd, &host->config, host->topology,
			     host->options.dry_run, host->options.ledger_path, &host->actuator,
			     &tally);

	if (r < 0) {
		log_no_actuator(host, r);
		return r;
	}
	host_log_restored(&tally);
	actuator = host->env.actuator = host->actuator;
	host_log_floors(host);
	log_means("placement", actuator_has_cpus(actuator), actuator_cpus_name(actuator),
		  actuator_cpus_reason(actuator));
	return 0;
}

/* Without one what is raised takes effect at the kernel's next tick or two: no reason not to start. */
static void make_nudge(struct host *host)
{
	int r;

	if (!host->config.nudge || !host->topology->invariant ||
	    actuator_is_dry(host->actuator) || !actuator_has_ceilings(host->actuator))
		return;
	r = nudge_new(&host->env.nudge);
	if (r < 0)
		log_debug("no thread for nudges: %s", strerror(-r));
}

static void on_domain_changed(void *userdata)
{
	const struct host *host = userdata;

	bus_changed(host->bus);
}

static void on_demanded(void *userdata)
{
	host_begin_looks(userdata);
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
	host->listen_fd = -EBADF;
	host->refusal_log = (struct ratelimit){.interval_usec = 30 * USEC_PER_SEC, .burst = 10};
	watchdog_init(&host->watchdog);
	host->env.event = event;
	host->env.config = &host->config;
	host->env.changed = on_domain_changed;
	host->env.demanded = on_demanded;
	host->env.userdata = host;
	snprintf(host->libvirt_error, sizeof(host->libvirt_error), "not connected yet");
	r = config_copy(&host_config_table, config, &host->config);
	host->env.root_fd = r < 0 ? -EBADF : rootfs_open(options->root);
	if (r >= 0)
		r = host->env.root_fd;
	if (r >= 0)
		r = read_topology(host);
	if (r >= 0)
		r = make_actuator(host);
	if (r >= 0)
		make_nudge(host);
	if (r >= 0)
		r = host_add_floors(host);
	if (r >= 0)
		r = host_add_arbiter(host);
	if (r >= 0)
		r = host_add_residency(host);
	if (r < 0) {
		host_free(host);
		return r;
	}
	host_set_policies(host);
	host_load_limits(host);
	host_look(host);
	*ret = host;
	return 0;
}

/* -- the daemon
 * -----------------------------------------------------------------------------------*/

void host_notify_status(const struct host *host)
{
	size_t connected = 0;

	for (size_t i = 0; i < host->n_domains; i++)
		connected += host->domains[i] && host->domains[i]->hello;
	sd_notifyf(0, "STATUS=" HOSTD_STATUS "%zu domains, %zu guests report; floors by %s%s%s",
		   host->n_domains, connected, actuator_floor_name(host->actuator),
		   host->options.dry_run ? " (dry run)" : "",
		   host->libvirt_connected ? "" : "; libvirt can't be reached");
	bus_changed(host->bus);
}

static void on_complaint(void *userdata, bool is_error, const char *file, unsigned line,
			 const char *message)
{
	struct host *host = userdata;

	log_complaint(NULL, is_error, file, line, message);
	config_outcome_add(&host->reload, is_error, file, line, message);
}

/* What the files alone can't tell: whether the next start would find these classes' CPUs. */
static int check_classes(struct host *host, const struct host_config *config)
{
	_cleanup_free_ struct topology *copy = malloc(sizeof(*copy));
	char text[256], message[300];

	if (!copy)
		return -ENOMEM;
	*copy = *host->topology;
	if (config->core_classes[0] == '\0' ||
	    topology_declare(copy, config->core_classes, text, sizeof(text)) >= 0)
		return 0;
	snprintf(message, sizeof(message), "core_classes: %s", text);
	on_complaint(host, true, host->options.config_path, 0, message);
	return -EINVAL;
}

/* Goes by another configuration, which is the host's from then on. */
static void take_config(struct host *host, const struct host_config *config)
{
	struct host_config before = host->config;

	host->config = *config;
	host_set_policies(host);
	host_entitle(host);
	config_done(&host_config_table, &before);
}

static int reload(struct host *host)
{
	struct host_config config = {};
	char later[128];
	int r;

	host->reload = (struct config_outcome){};
	r = config_load(host->options.config_path, &host_config_table, &config, NULL, on_complaint,
			host);
	if (r >= 0)
		r = check_classes(host, &config);
	if (r < 0) {
		log_event(LOG_ERR, EVENT_CONFIG_REJECTED,
			  LOG_FIELDS(.config_file = host->options.config_path),
			  "the configuration stays as it was");
		config_done(&host_config_table, &config);
		return r;
	}
	if (config_keep_at_start(&host_config_table, &host->config, &config, later, sizeof(later)) >
	    0)
		log_notice("%s: changed, to take effect at the next start", later);
	take_config(host, &config);
	log_event(LOG_INFO, EVENT_CONFIG_RELOADED,
		  LOG_FIELDS(.config_file = host->options.config_path), "%s is loaded",
		  host->options.config_path);
	return 0;
}

int host_reload(struct host *host)
{
	int r;

	notify_reloading();
	r = reload(host);
	notify_ready();
	return r;
}

static int on_sighup(_unused_ sd_event_source *source, _unused_ const struct signalfd_siginfo *info,
		     void *userdata)
{
	host_reload(userdata);
	return 0;
}

/* The socket of vmfreq-hostd.socket, whose queue outlives us, or one of our own. */
static int open_listener(struct host *host)
{
	uint32_t port = (uint32_t)host->config.port;
	int fd = listener_take(&port);

	if (fd == -ENOENT) {
		fd = listener_open(port);
		if (fd < 0)
			log_event(LOG_ERR, EVENT_START_FAILED,
				  LOG_FIELDS(.reason = "it can't listen on vsock"),
				  "can't listen on vsock port %" PRIu32 ": %s", port,
				  strerror(-fd));
	} else if (fd < 0)
		log_event(LOG_ERR, EVENT_START_FAILED,
			  LOG_FIELDS(.reason = "systemd's socket is a wrong one"),
			  "systemd's socket is not one vsock socket that listens: look at "
			  "vmfreq-hostd.socket");
	else if (port != host->config.port)
		log_warning("listening on vsock port %" PRIu32
			    ", as vmfreq-hostd.socket says, not on port = %" PRIu64
			    " of the configuration: change both, or mask the socket",
			    port, host->config.port);
	return fd;
}

static int start_listening(struct host *host)
{
	int r;

	host->listen_fd = open_listener(host);
	if (host->listen_fd < 0)
		return host->listen_fd;
	r = host_listen_on(host, host->listen_fd);
	/* Who calls before the first inventory waits in the queue: nobody is refused for our haste.
	 */
	return r < 0 ? r : sd_event_source_set_enabled(host->listen_source, SD_EVENT_OFF);
}

static int start_virt(struct host *host)
{
	int r = virt_start(host->config.uri, &host->virt);

	if (r < 0) {
		log_event(LOG_ERR, EVENT_START_FAILED,
			  LOG_FIELDS(.reason = "libvirt's thread can't be started"),
			  "libvirt's thread can't be started: %s", strerror(-r));
		return r;
	}
	return sd_event_add_io(host->event, &host->virt_source, virt_fd(host->virt), EPOLLIN,
			       host_on_virt, host);
}

int host_start_bus(struct host *host)
{
	return bus_start(host->event, host, &host->bus);
}

int host_start(struct host *host)
{
	/* Signals are blocked before libvirt's thread inherits the mask. */
	int r = sd_event_add_signal(host->event, &host->sighup_source,
				    SIGHUP | SD_EVENT_SIGNAL_PROCMASK, on_sighup, host);

	if (r >= 0)
		r = start_listening(host);
#ifdef ENABLE_TESTING
	if (r >= 0)
		r = host_testing_start(host);
#endif
	if (r >= 0)
		r = start_virt(host);
	if (r >= 0)
		r = sd_event_add_time_relative(host->event, &host->verify_source, CLOCK_MONOTONIC,
					       VERIFY_USEC, USEC_PER_SEC, host_on_verify, host);
	if (r < 0)
		return r;
	r = host_start_bus(host);
	if (r < 0)
		return r;
	host_notify_status(host);
	log_event(LOG_INFO, EVENT_STARTED, LOG_FIELDS(), "vmfreq-hostd " HOSTD_VERSION " runs%s",
		  host->options.dry_run ? "; it changes nothing (dry run)" : "");
	return 0;
}

int host_free(struct host *host)
{
	struct ledger_tally tally = {};

	host->bus = bus_stop(host->bus);
	sd_event_source_disable_unref(host->virt_source);
	host->virt = virt_stop(host->virt);
#ifdef ENABLE_TESTING
	host_testing_stop(host);
#endif
	host_hang_up_all(host);
	for (size_t i = 0; i < host->n_domains; i++)
		domain_free(host->domains[i]);
	free(host->domains);
	host_end_residency(host);
	host_end_arbiter(host);
	inventory_free(host->inventory);
	limits_clear(&host->limits);
	config_done(&host_config_table, &host->config);
	if (host->actuator) {
		host->actuator = actuator_free(host->actuator, &tally);
		log_stopped(&tally);
	}
	sd_event_source_disable_unref(host->listen_source);
	sd_event_source_disable_unref(host->verify_source);
	sd_event_source_disable_unref(host->floors_source);
	sd_event_source_disable_unref(host->post_source);
	sd_event_source_disable_unref(host->sighup_source);
	nudge_free(host->env.nudge);
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

/* -- for status
 * -----------------------------------------------------------------------------------*/

const struct host_counts *host_counts(const struct host *host)
{
	return &host->counts;
}

const struct host_config *host_running_config(const struct host *host)
{
	return &host->config;
}

const char *host_config_error(const struct host *host)
{
	return host->reload.error;
}

uint64_t host_concerns(const struct host *host)
{
	return host->concerns;
}

const struct concern_facts *host_concern_facts(const struct host *host)
{
	return &host->concern_facts;
}

const struct actuator *host_actuator(const struct host *host)
{
	return host->actuator;
}

const struct topology *host_topology(const struct host *host)
{
	return host->topology;
}

const struct arbiter *host_arbiter(const struct host *host)
{
	return host->env.arbiter;
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
