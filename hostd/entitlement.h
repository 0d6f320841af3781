/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a domain may get: what the sections [domain PATTERN] of the configuration say of it, and
 * [host] for the rest. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "hostd/host_config.h"
#include "hostd/inventory.h"

#define ENTITLEMENT_WEIGHT 100U /* where no section gives one */

struct entitlement {
	uint16_t floor_max1024; /* its floors are at most this much of the largest CPU */
	uint16_t weight;	/* 1..10000: its share of the budget, when that doesn't suffice */
	enum goal goal;
	bool placement; /* its vCPUs are put on classes of cores, where the host has a means */
	bool feedback;	/* its guest is told what it gets */
	/* Of each of these, by enum domain_key: the pattern of the section that says it, in the
	 * memory of the configuration; NULL: [host], or the default. */
	const char *from[DOMAIN_N_KEYS];
};

/* What holds for a domain. Key by key: of the sections whose pattern is its UUID, or else its name
 * letter for letter, or else a glob that its name is like, the one whose line with this key was
 * read last. A pattern that is written as a UUID is one, in either case, and no name. */
void entitlement_resolve(const struct host_config *config, const char *name,
			 const uint8_t uuid[DOMAIN_UUID], struct entitlement *ret);

/* The same in all, the sections' patterns too? */
bool entitlement_equal(const struct entitlement *a, const struct entitlement *b);

/* NULL if a section may have this pattern, else what is wrong with it, and the remedy. */
const char *entitlement_pattern_problem(const char *pattern);
