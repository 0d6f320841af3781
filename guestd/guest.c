/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon: wires counters, estimator, reporter, governor and the uplink to sd-event. The
 * connection is in guest_link.c, cpufreq in guest_cpufreq.c, what misleads in guest_concern.c; here
 * is the tick, and life and death.
 */
#include "guestd/guest.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#include "common/macro.h"
#include "config.h"
#include "guestd/guest_private.h"

/* Samples are at least this many times as far apart as what one costs us: an emulated guest spends
 * milliseconds on one, and must not spend its day on them. */
#define COST_FACTOR   4U
#define QUIET_SAMPLES 10U /* so many samples without activity, and they become rare */

uint64_t guest_now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}

/* Samples further apart than this say nothing: the guest was stopped. */
static uint64_t gap_nsec(const struct guest_config *config)
{
	return MAX(3 * config->idle_interval_usec, 2 * USEC_PER_SEC) * NSEC_PER_USEC;
}

/* What was asked for, or less if the host allows less. */
static uint64_t lease_usec(const struct guest *guest)
{
	if (!guest->dialog) /* still starting */
		return guest->config.lease_usec;
	return MIN(guest->config.lease_usec, guest->dialog->lease_max_msec * USEC_PER_MSEC);
}

static void configure(struct guest *guest)
{
	estimator_configure(guest->estimator, guest->config.window_usec * NSEC_PER_USEC,
			    gap_nsec(&guest->config));
	reporter_configure(guest->reporter, lease_usec(guest), (uint32_t)guest->config.step1024);
	guest_signal_configure(guest);
}

void guest_hotplug(struct guest *guest, const struct cpumask *cpus)
{
	struct cpumask old = guest->cpus;

	guest->cpus = *cpus;
	CPUMASK_FOREACH(cpu, &old)
		if (!cpumask_has(&guest->cpus, cpu))
			reporter_remove(guest->reporter, cpu);
	cpumask_and(&guest->hello_cpus, &guest->hello_cpus, &guest->cpus);
	guest_cpufreq_rescan(guest);
	if (guest->hello_sent && !cpumask_is_subset(&guest->cpus, &guest->hello_cpus))
		guest_link_renew(guest, "there are new CPUs");
}

/* Says how sampling goes when that is news. error: 0 or -errno. */
static void log_sample(struct guest *guest, int error)
{
	if (error == guest->sample_error)
		return;
	if (error < 0)
		log_event(LOG_WARNING, EVENT_SAMPLE_FAILED, LOG_FIELDS(.reason = strerror(-error)),
			  "the counters can't be read: %s", strerror(-error));
	else
		log_event(LOG_INFO, EVENT_SAMPLE_RECOVERED, LOG_FIELDS(),
			  "the counters can be read again");
	guest->sample_error = error;
}

static void measure_cost(struct guest *guest)
{
	uint64_t cost = guest->counters->self_run_nsec - guest->self_run_nsec;

	/* The first has all that came before it. */
	if (guest->self_run_nsec > 0)
		guest->cost_nsec = (guest->cost_nsec * 7 + cost) / 8;
	guest->self_run_nsec = guest->counters->self_run_nsec;
}

/* By /proc. 0, or -errno if there is no new sample: the leases then run out, which is right. */
static int sample(struct guest *guest)
{
	int r = counters_proc_read(guest->proc, guest->counters);

	if (r == -ENOBUFS) {
		r = counters_proc_grow(guest->proc);
		if (r >= 0)
			r = counters_proc_read(guest->proc, guest->counters);
	}
	log_sample(guest, MIN(r, 0));
	if (r < 0)
		return r;
	measure_cost(guest);
	if (!cpumask_equal(&guest->counters->present, &guest->cpus))
		guest_hotplug(guest, &guest->counters->present);
	estimator_update(guest->estimator, guest->counters, guest->scale1024);
	CPUMASK_FOREACH(cpu, &guest->cpus) {
		estimator_get(guest->estimator, cpu, &guest->estimate[cpu]);
		reporter_put(guest->reporter, cpu, &guest->estimate[cpu], guest->scale1024[cpu]);
	}
	return 0;
}

/* The time to the next sample: short while some CPU is active and for a while after, four times
 * that while old demand only fades, long in an idle guest, or where there is no host to hear of it.
 */
static uint64_t next_sample_usec(const struct guest *guest)
{
	uint64_t usec = guest->config.interval_usec;

	if (!guest_link_is_streaming(guest))
		return guest->config.idle_interval_usec;
	if (guest->dialog->quiet)
		return REPORTER_PING_USEC / 2;
	if (guest->quiet_samples >= QUIET_SAMPLES) {
		if (!reporter_is_busy(guest->reporter))
			return guest->config.idle_interval_usec;
		usec *= 4;
	}
	usec = MAX(usec, guest->cost_nsec * COST_FACTOR / NSEC_PER_USEC);
	return MIN(usec, lease_usec(guest) / 4); /* it must be renewed in time */
}

static uint64_t next_usec(struct guest *guest, uint64_t now_usec)
{
	if (guest->bpf)
		return guest_signal_settle(guest, now_usec);
	if (estimator_is_active(guest->estimator))
		guest->quiet_samples = 0;
	else if (guest->quiet_samples < QUIET_SAMPLES)
		guest->quiet_samples++;
	return next_sample_usec(guest);
}

static void schedule(struct guest *guest, uint64_t now_usec)
{
	uint64_t usec = next_usec(guest, now_usec);

	sd_event_source_set_time_relative(guest->tick_source, usec);
	/* An idle guest's timers may wait for one another: it is late then, never early. */
	sd_event_source_set_time_accuracy(guest->tick_source,
					  usec >= guest->config.idle_interval_usec ? usec / 5
										   : usec / 20 + 1);
	sd_event_source_set_enabled(guest->tick_source, SD_EVENT_ONESHOT);
}

/* A new estimate of each CPU, put to the reporter. Returns when it was taken, or -errno. */
static int take_estimates(struct guest *guest, uint64_t *ret_stamp_usec)
{
	int r = 0;

	if (guest->bpf) {
		*ret_stamp_usec = guest_now_usec();
		guest_signal_look(guest, *ret_stamp_usec);
	} else {
		r = sample(guest);
		*ret_stamp_usec = guest->counters->stamp_nsec / NSEC_PER_USEC;
	}
	return r;
}

void guest_tick(struct guest *guest)
{
	uint64_t stamp_usec;
	int r = take_estimates(guest, &stamp_usec);
	uint64_t now_usec = guest_now_usec();

	guest_link_check(guest, now_usec);
	guest_cpufreq_govern(guest, now_usec);
	guest_concern_check(guest, now_usec);
	if (r >= 0)
		guest_link_report(guest, stamp_usec, now_usec);
	schedule(guest, now_usec);
	if (r >= 0 && guest_link_is_tended(guest))
		watchdog_feed(&guest->watchdog, now_usec);
}

static int on_tick(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
	guest_tick(userdata);
	return 0;
}

static void on_complaint(void *userdata, bool is_error, const char *file, unsigned line,
			 const char *message)
{
	struct guest *guest = userdata;

	log_complaint(NULL, is_error, file, line, message);
	config_outcome_add(&guest->reload, is_error, file, line, message);
}

static int reload(struct guest *guest)
{
	struct guest_config old = guest->config;
	int r;

	guest->reload = (struct config_outcome){};
	r = config_load(guest->options.config_path, &guest_config_table, &guest->config, NULL,
			on_complaint, guest);
	guest_bus_news(guest->bus, GUEST_NEWS_CONFIG);
	if (r < 0) {
		log_event(LOG_ERR, EVENT_CONFIG_REJECTED,
			  LOG_FIELDS(.config_file = guest->options.config_path),
			  "the configuration stays as it was");
		return r;
	}
	log_event(LOG_INFO, EVENT_CONFIG_RELOADED,
		  LOG_FIELDS(.config_file = guest->options.config_path), "%s is loaded",
		  guest->options.config_path);
	configure(guest);
	if (old.cpufreq != guest->config.cpufreq)
		guest_cpufreq_rescan(guest);
	if (old.signal != guest->config.signal) {
		guest_signal_done(guest);
		guest_signal_init(guest); /* or it goes on with /proc, and has said why */
		guest_bus_news(guest->bus, GUEST_NEWS_SIGNAL);
	}
	/* The lease, the signal and cpufreq's state were said to the host: say them anew. */
	if (old.signal != guest->config.signal || old.cid != guest->config.cid ||
	    old.port != guest->config.port || old.cpufreq != guest->config.cpufreq ||
	    old.lease_usec != guest->config.lease_usec)
		guest_link_renew(guest, "other settings");
	return 0;
}

int guest_reload(struct guest *guest)
{
	int r;

	notify_reloading();
	r = reload(guest);
	notify_ready();
	return r;
}

static int on_hangup(_unused_ sd_event_source *source, _unused_ const struct signalfd_siginfo *info,
		     void *userdata)
{
	guest_reload(userdata);
	return 0;
}

static int on_terminate(_unused_ sd_event_source *source,
			_unused_ const struct signalfd_siginfo *info, void *userdata)
{
	struct guest *guest = userdata;

	notify_stopping();
	return sd_event_exit(guest->event, 0);
}

static int add_signals(struct guest *guest)
{
	static const struct {
		int number;
		sd_event_signal_handler_t handler;
	} signals[] = {{SIGTERM, on_terminate}, {SIGINT, on_terminate}, {SIGHUP, on_hangup}};
	sigset_t set;

	sigemptyset(&set);
	for (unsigned i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&set, signals[i].number);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	for (unsigned i = 0; i < ARRAY_SIZE(signals); i++) {
		int r = sd_event_add_signal(guest->event, &guest->signal_source[i],
					    signals[i].number, signals[i].handler, guest);

		if (r < 0)
			return r;
	}
	return 0;
}

static int allocate(struct guest *guest)
{
	guest->estimator =
		estimator_new(guest->config.window_usec * NSEC_PER_USEC, gap_nsec(&guest->config));
	guest->reporter = reporter_new();
	guest->counters = calloc(1, sizeof(*guest->counters));
	guest->records = calloc(PROTO_CPUS_MAX, sizeof(*guest->records));
	if (!guest->estimator || !guest->reporter || !guest->counters || !guest->records)
		return -ENOMEM;
	watchdog_init(&guest->watchdog);
	configure(guest);
	return 0;
}

/* It is for people: the daemon does its work without one. */
static void start_bus(struct guest *guest)
{
	int r = 0;

	if (guest->options.bus_address)
		r = guest_bus_new(guest, guest->event, guest->options.bus_address, &guest->bus);
	if (r < 0)
		log_event(LOG_NOTICE, EVENT_NO_BUS, LOG_FIELDS(.reason = strerror(-r)),
			  "no " GUEST_BUS_NAME " on the system bus: %s", strerror(-r));
}

static int start(struct guest *guest)
{
	int r = allocate(guest);

	if (r >= 0)
		r = sd_event_new(&guest->event);
	if (r >= 0)
		r = add_signals(guest);
	if (r >= 0)
		r = guest_link_init(guest);
	if (r >= 0)
		r = sd_event_add_time_relative(guest->event, &guest->tick_source, CLOCK_MONOTONIC,
					       guest->config.interval_usec, 0, on_tick, guest);
	if (r < 0)
		return r;
	r = counters_proc_open(guest->options.root_fd, &guest->proc);
	if (r >= 0)
		r = counters_proc_read(guest->proc, guest->counters);
	if (r == -ENOBUFS)
		r = 0; /* the first tick grows it */
	if (r < 0) {
		log_error("/proc/stat can't be read: %s", strerror(-r));
		return r;
	}
	guest->cpus = guest->counters->present;
	r = guest_cpufreq_init(guest);
	if (r < 0)
		return r;
	r = guest_signal_init(guest);
	if (r < 0)
		return r;
	guest_concern_init(guest);
	start_bus(guest);
	return 0;
}

DEFINE_CLEANUP(struct guest *, guest_free)

int guest_new(const struct guest_options *options, const struct guest_config *config,
	      struct guest **ret)
{
	_cleanup_(guest_freep) struct guest *guest = calloc(1, sizeof(*guest));
	int r;

	if (!guest)
		return -ENOMEM;
	guest->options = *options;
	guest->config = *config;
	r = start(guest);
	if (r < 0) {
		log_event(LOG_ERR, EVENT_START_FAILED, LOG_FIELDS(.reason = strerror(-r)),
			  "can't start: %s", strerror(-r));
		return r;
	}
	log_event(LOG_INFO, EVENT_STARTED, LOG_FIELDS(), "vmfreq-guestd " PACKAGE_VERSION " runs%s",
		  options->dry_run ? "; it changes nothing (dry run)" : "");
	*ret = TAKE_PTR(guest);
	return 0;
}

void guest_free(struct guest *guest)
{
	if (!guest)
		return;
	guest->bus = guest_bus_free(guest->bus);
	guest_link_done(guest);
	guest_cpufreq_done(guest);
	for (unsigned i = 0; i < ARRAY_SIZE(guest->signal_source); i++)
		sd_event_source_unref(guest->signal_source[i]);
	sd_event_source_unref(guest->tick_source);
	guest_signal_done(guest);
	counters_proc_close(guest->proc);
	estimator_free(guest->estimator);
	reporter_free(guest->reporter);
	free(guest->counters);
	free(guest->records);
	sd_event_unref(guest->event);
	free(guest);
}

const struct guest_config *guest_running_config(const struct guest *guest)
{
	return &guest->config;
}

const char *guest_config_error(const struct guest *guest)
{
	return guest->reload.error;
}

sd_event *guest_event(struct guest *guest)
{
	return guest->event;
}
