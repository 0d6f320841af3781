/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which domains run on this host, as libvirt said at one moment. Pure. */
#include "hostd/inventory.h"

#include <stdlib.h>
#include <string.h>

void inventory_domain_clear(struct inventory_domain *domain)
{
	free(domain->vcpus);
	domain->vcpus = NULL;
	domain->n_vcpus = 0;
}

struct inventory *inventory_free(struct inventory *inventory)
{
	if (inventory) {
		for (size_t i = 0; i < inventory->n_domains; i++)
			inventory_domain_clear(&inventory->domains[i]);
		free(inventory->domains);
		free(inventory);
	}
	return NULL;
}

bool inventory_same_start(const struct inventory_domain *a, const struct inventory_domain *b)
{
	return a->id == b->id && memcmp(a->uuid, b->uuid, DOMAIN_UUID) == 0;
}

const struct inventory_domain *inventory_find(const struct inventory *inventory,
					      const struct inventory_domain *domain)
{
	for (size_t i = 0; i < inventory->n_domains; i++)
		if (inventory_same_start(&inventory->domains[i], domain))
			return &inventory->domains[i];
	return NULL;
}

const struct inventory_domain *inventory_by_cid(const struct inventory *inventory, uint32_t cid)
{
	const struct inventory_domain *found = NULL;

	if (cid < CID_FIRST_GUEST)
		return NULL;
	for (size_t i = 0; i < inventory->n_domains; i++) {
		if (inventory->domains[i].cid != cid)
			continue;
		if (found)
			return NULL;
		found = &inventory->domains[i];
	}
	return found;
}
