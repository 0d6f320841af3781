/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmfreq-hostd itself: wires libvirt's news, the guests' connections and the domains to sd-event.
 */
#pragma once

#include <json.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "hostd/concern.h"
#include "hostd/domain.h"
#include "hostd/host_config.h"
#include "hostd/testing.h"

struct host;

struct host_options {
	const char *root; /* stands for "/" below which the host is read and written */
	const char *ledger_path;
	const char *limits_path; /* NULL: limits are kept in memory alone */
	const char *config_path; /* read again on SIGHUP */
	bool dry_run;
#ifdef ENABLE_TESTING
	const char *testing_path; /* of the testing listener; NULL: there is none */
#endif
};

struct host_counts {
	uint64_t accepted;
	uint64_t refused_cid, refused_port, refused_full;
	uint64_t closed_by_code[8]; /* by enum bye_code; 0: by the peer or without a fault */
};

/* Reads the host, puts back what an earlier run left, and is ready for domains. What went wrong has
 * been logged. */
int host_new(sd_event *event, const struct host_options *options, const struct host_config *config,
	     struct host **ret);

/* Ends all sessions, puts everything back. 0, or -EIO if something could not be put back: logged.
 */
int host_free(struct host *host);

/* Says what was put back of what an earlier run left, if anything was. */
void host_log_restored(const struct ledger_tally *tally);

/* Begins to listen on vsock, to follow libvirt and to answer on the bus. */
int host_start(struct host *host);

/* The last of these alone. -ENOMEM, or the errno of sd-event; that there is no bus is no error. */
int host_start_bus(struct host *host);

/* Takes the configuration as its files say it now: as a whole, or not at all. 0, or -errno with all
 * that is wrong in the log and the first of it in host_config_error(). */
int host_reload(struct host *host);

/* What it goes by. Keys that take effect at the next start are as they were at this one. */
const struct host_config *host_running_config(const struct host *host);

/* What was wrong at the last host_reload(), as "FILE:LINE: KEY: what and the remedy"; "" if it went
 * well. */
const char *host_config_error(const struct host *host);

/* Lays a limit on a running domain, or releases it, and keeps that until the next reboot. -ENOENT
 * if there is none with that UUID; if it can't be kept, the errno of limits_save(): nothing has
 * changed then. */
int host_limit_domain(struct host *host, const uint8_t *uuid, const struct domain_limit *limit);

/* Takes over an inventory, which is the host's from then on. */
void host_take_inventory(struct host *host, struct inventory *inventory);

/* Takes a connection from a peer whom the kernel names so; fd is the host's from then on. */
void host_take_connection(struct host *host, int fd, uint32_t cid, uint32_t port);

/* Asks the kernel whether what we set still stands, and whether the host is still what it was. For
 * now and then: a few µs for each vCPU and each cpufreq policy. */
void host_verify(struct host *host);

/* What status.c shows. */
const struct host_counts *host_counts(const struct host *host);
uint64_t host_concerns(const struct host *host); /* of the host itself: hostd/concern.h */
const struct concern_facts *host_concern_facts(const struct host *host);
const struct actuator *host_actuator(const struct host *host);
const struct topology *host_topology(const struct host *host);
const struct arbiter *host_arbiter(const struct host *host);
bool host_libvirt_connected(const struct host *host, const char **ret_error);
size_t host_n_domains(const struct host *host);
const struct domain *host_domain(const struct host *host, size_t i);
const struct domain *host_find_domain(const struct host *host, const uint8_t *uuid); /* or NULL */
int host_root_fd(const struct host *host);
