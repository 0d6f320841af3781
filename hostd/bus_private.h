/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What bus.c and bus_domain.c share. Nobody else includes this. */
#pragma once

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "common/bus_name.h"
#include "hostd/bus.h"
#include "hostd/host.h"

/* A property that has a change signal, and where its last announced value stands in a struct that
 * was zeroed before it was filled. */
struct watched {
	const char *property;
	size_t offset, size;
};
#define WATCHED(type, property_, field)                                                            \
	{                                                                                          \
		property_, offsetof(type, field), sizeof(((type *)NULL)->field)                    \
	}

/* The host's own, and the CPUs that each is about. */
struct seen_concerns {
	uint64_t set;
	struct cpumask cpus[CONCERN_N - CONCERN_FIRST_OF_HOST];
};

/* What was announced of the manager and of each domain. */
struct seen_host {
	char floor[32], floor_reason[256], placement[32], placement_reason[256];
	struct seen_concerns concerns;
	bool libvirt_connected;
	char libvirt_error[256], config_error[512];
	uint32_t n_domains, n_guests;
};

struct seen_domain {
	uint8_t uuid[DOMAIN_UUID];
	char name[DOMAIN_NAME_MAX];
	int32_t id;
	uint32_t cid;
	bool connected;
	char agent[PROTO_TEXT_MAX + 1];
	uint8_t signal, cpufreq;
	char reason[128];
	uint64_t concerns;
	uint8_t limit;
	bool released;
	uint8_t goal;
	uint16_t weight, floor_max;
	bool placement, feedback;
	uint64_t sections_hash; /* of the patterns */
};

struct bus {
	struct host *host;
	struct bus_name *name;
	bool was_away; /* and the log says so */
	sd_event_source *changed_source;
	struct seen_host seen;
	struct seen_domain *domains;
	size_t n_domains;
};

/* Emits PropertiesChanged for those properties whose values differ. */
int bus_announce(sd_bus *connection, const char *path, const char *interface,
		 const struct watched *watched, size_t n_watched, const void *before,
		 const void *now);

/* -- bus_domain.c -- */
/* Puts the domains' objects on a connection. */
int bus_domains_add(struct bus *bus, sd_bus *connection);

/* Tells who has come, gone and changed since the last time; or, with NULL, only notes it. */
int bus_domains_announce(struct bus *bus, sd_bus *connection);

/* Where a domain's object is: the caller frees it. */
int bus_domain_path(const uint8_t *uuid, char **ret);
