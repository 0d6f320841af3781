/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which domains run on this host, as libvirt said at one moment. Pure. */
#include "hostd/inventory.h"

#include <string.h>

#include "common/macro.h"

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

/* The hyphens stand before these bytes. */
static bool hyphen_before(size_t i)
{
	return i == 4 || i == 6 || i == 8 || i == 10;
}

void uuid_format(const uint8_t uuid[DOMAIN_UUID], char ret[UUID_TEXT])
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < DOMAIN_UUID; i++) {
		if (hyphen_before(i))
			*ret++ = '-';
		*ret++ = hex[uuid[i] >> 4];
		*ret++ = hex[uuid[i] & 15];
	}
	*ret = '\0';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int uuid_parse(const char *text, uint8_t ret[DOMAIN_UUID])
{
	uint8_t uuid[DOMAIN_UUID];

	for (size_t i = 0; i < DOMAIN_UUID; i++) {
		int high, low;

		if (hyphen_before(i) && *text++ != '-')
			return -EINVAL;
		high = hex_value(text[0]);
		low = high < 0 ? -1 : hex_value(text[1]);
		if (low < 0)
			return -EINVAL;
		uuid[i] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	if (*text != '\0')
		return -EINVAL;
	memcpy(ret, uuid, sizeof(uuid));
	return 0;
}
