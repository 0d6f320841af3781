/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which domains run on this host, as libvirt said at one moment: immutable once made. Pure.
 *
 * A domain is known by its UUID and its id together: libvirt gives each start of a domain a new id,
 * so what was said of an earlier start can't be taken for the present one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cpumask.h"

#define DOMAIN_NAME_MAX 256U
#define DOMAIN_UUID	16U
#define UUID_TEXT	37U /* "123e4567-e89b-12d3-a456-426614174000" with its NUL */
#define CID_FIRST_GUEST 3U  /* 0 hypervisor, 1 loopback, 2 host: never a guest */

/* The machines whose CPUs' ids can be foretold (hostd/vcpu_identity.h). */
enum machine_kind { MACHINE_UNKNOWN, MACHINE_X86, MACHINE_ARM_VIRT };

/* What of a machine decides on its CPUs' ids. */
struct inventory_machine {
	enum machine_kind kind;
	bool gic2; /* its interrupt controller is a GICv2 */
	uint32_t sockets, dies, clusters, cores, threads; /* <topology>, 1.. each; 0: it has none */
};

struct inventory_vcpu {
	struct cpumask allowed;	 /* <vcpupin>, else <vcpu cpuset=>; empty: any CPU */
	bool offline;		 /* it can be plugged in, but wasn't */
	unsigned pin_generation; /* counts libvirt's events of somebody pinning this vCPU */
};

struct inventory_domain {
	uint8_t uuid[DOMAIN_UUID];
	int id;
	char name[DOMAIN_NAME_MAX];
	uint32_t cid; /* 0: it has no vsock device */
	struct inventory_machine machine;
	unsigned n_vcpus;
	struct inventory_vcpu *vcpus;
};

struct inventory {
	size_t n_domains;
	struct inventory_domain *domains;
};

/* Frees an inventory and what it holds; NULL is fine. Returns NULL. */
struct inventory *inventory_free(struct inventory *inventory);

/* Frees what a domain holds, not the domain itself. */
void inventory_domain_clear(struct inventory_domain *domain);

/* The same start of the same domain? */
bool inventory_same_start(const struct inventory_domain *a, const struct inventory_domain *b);

/* The domain of that start, or NULL. */
const struct inventory_domain *inventory_find(const struct inventory *inventory,
					      const struct inventory_domain *domain);

/* The domain whose live XML has this CID. NULL if none has it, if two say that they have it (then
 * nobody knows whose report it is), or if it is below CID_FIRST_GUEST. */
const struct inventory_domain *inventory_by_cid(const struct inventory *inventory, uint32_t cid);

/* A UUID as libvirt writes it: lower case, with hyphens. */
void uuid_format(const uint8_t uuid[DOMAIN_UUID], char ret[UUID_TEXT]);

/* The same backwards, in either case. -EINVAL if it is none. */
int uuid_parse(const char *text, uint8_t ret[DOMAIN_UUID]);
