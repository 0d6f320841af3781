/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What host.c and its two parts share. Nobody else includes this. */
#pragma once

#include "common/log.h"
#include "common/notify.h"
#include "hostd/bus.h"
#include "hostd/concern.h"
#include "hostd/host.h"
#include "hostd/limits_file.h"
#include "hostd/virt.h"

struct host {
	sd_event *event;
	struct host_options options;
	struct host_config config;
	struct config_outcome reload; /* what came of the last one */
	struct peer_config peer_config;
	struct domain_env env;
	struct topology *topology;
	struct actuator *actuator;
	struct inventory *inventory;
	struct domain **domains; /* as in the inventory; NULL while one moves to the next */
	size_t n_domains;
	struct arbiter_config arbiter_config; /* host_arbiter.c, as the next three */
	struct domain **numbered; /* by the arbiter's number */
	uint32_t n_numbered;
	sd_event_source *drain_source;
	struct residency *residency; /* host_residency.c */
	struct limits limits;
	struct caller *callers; /* host_guests.c: the connections */
	size_t n_callers;
	uint64_t concerns; /* of the host itself: host_concerns.c */
	struct concern_facts concern_facts;
	struct host_counts counts;
	struct ratelimit refusal_log; /* of callers that are of no domain */
	struct watchdog watchdog;

	int listen_fd;
	struct virt *virt;
	bool libvirt_connected;
	char libvirt_error[256];
	struct bus *bus;
	sd_event_source *listen_source, *virt_source, *verify_source, *sighup_source;
	sd_event_source *floors_source, *post_source; /* host_floors.c */
	uint64_t floors_next_usec;
#ifdef ENABLE_TESTING
	struct testing *testing; /* host_testing.c */
#endif
};

/* Tells systemd in a line how it goes. */
void host_notify_status(const struct host *host);

/* From the config, the host's CPUs and the actuator to what the pure files go by. */
void host_set_policies(struct host *host);

/* -- host_arbiter.c -- */
/* Makes the arbiter, and what brings its news to domains. -ENOMEM, or the errno of sd-event. */
int host_add_arbiter(struct host *host);
void host_end_arbiter(struct host *host);

/* What it goes by may be otherwise. -ENOMEM only if there was no arbiter yet. */
int host_set_arbiter(struct host *host);

/* Whom the arbiter means by a number. -ENOMEM. */
int host_number_domain(struct host *host, struct domain *domain);
void host_unnumber_domain(struct host *host, const struct domain *domain);

/* Runs the domains that others' news concern: some of them, the rest in the next event, at once. */
void host_drain_arbiter(struct host *host);

/* -- host_residency.c -- */
int host_add_residency(struct host *host);
void host_end_residency(struct host *host);

/* Something is demanded: looks begin, if they don't go on yet. */
void host_begin_looks(struct host *host);

/* Logs how floors are set, and why so. */
void host_log_floors(const struct host *host);

/* -- host_guests.c -- */
/* Hangs up on everybody, or on a domain's guests. */
void host_hang_up_all(struct host *host);
void host_hang_up_domain(struct host *host, const struct domain *domain, const char *reason);

/* Takes whoever calls on the listening socket, which stays the caller's: 0 or -errno. Wakes at most
 * 100 times a second: with no descriptors left a caller in the queue can't be taken, nor told. */
int host_listen_on(struct host *host, int fd);

/* -- host_domains.c -- */
/* What topology_read() said, for placement. */
void host_set_classes(struct host *host);

/* The configuration is another: takes what it says of each domain. That of before is still in
 * memory. */
void host_entitle(struct host *host);

/* Reads what the operator said before this start. */
void host_load_limits(struct host *host);

/* libvirt's thread has news. An sd_event_io_handler_t. */
int host_on_virt(sd_event_source *source, int fd, uint32_t revents, void *userdata);

/* host_verify() by the clock. An sd_event_time_handler_t. */
int host_on_verify(sd_event_source *source, uint64_t usec, void *userdata);

/* -- host_floors.c -- */
/* Adds the event sources that bring floors to the host. */
int host_add_floors(struct host *host);

/* Chooses other means of setting floors if the CPUs' governors ask for it by now. */
void host_follow_governors(struct host *host);

#ifdef ENABLE_TESTING
/* -- host_testing.c -- */
/* Says what build this is, and begins to listen at options.testing_path, if that is given. What
 * went wrong has been logged. */
int host_testing_start(struct host *host);

/* There is an inventory now: takes who has called and who calls. */
void host_testing_enable(struct host *host);

void host_testing_stop(struct host *host);
#endif

/* -- host_concerns.c -- */
/* Finds out what takes the use out of floors, of the host and of each domain, and logs what is new.
 */
void host_look(struct host *host);

#define VERIFY_USEC (5 * USEC_PER_SEC)
