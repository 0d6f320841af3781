/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a domain may get, by the configuration. Pure. */
#include "hostd/entitlement.h"

#include <string.h>

#include "common/glob.h"
#include "common/macro.h"

/* How closely a pattern means a domain. */
enum closeness { CLOSE_NOT, CLOSE_GLOB, CLOSE_NAME, CLOSE_UUID };

static enum closeness closeness_of(const char *pattern, const char *name, const uint8_t *uuid)
{
	uint8_t meant[DOMAIN_UUID];

	if (uuid_parse(pattern, meant) >= 0)
		return memcmp(meant, uuid, sizeof(meant)) == 0 ? CLOSE_UUID : CLOSE_NOT;
	if (glob_is(pattern))
		return glob_match(pattern, name) ? CLOSE_GLOB : CLOSE_NOT;
	return strcmp(pattern, name) == 0 ? CLOSE_NAME : CLOSE_NOT;
}

/* What was found for a key so far. */
struct finding {
	enum closeness closeness;
	const struct config_section *section;
};

static bool is_better(const struct finding *finding, enum closeness closeness, unsigned turn,
		      enum domain_key key)
{
	return closeness > finding->closeness ||
	       (closeness == finding->closeness && turn > finding->section->turn[key]);
}

static void find_all(const struct config_sections *sections, const char *name, const uint8_t *uuid,
		     struct finding findings[DOMAIN_N_KEYS])
{
	for (size_t i = 0; i < sections->n; i++) {
		const struct config_section *section = &sections->list[i];
		enum closeness closeness = closeness_of(section->pattern, name, uuid);

		if (closeness == CLOSE_NOT)
			continue;
		for (unsigned key = 0; key < DOMAIN_N_KEYS; key++)
			if (section->turn[key] > 0 &&
			    is_better(&findings[key], closeness, section->turn[key], key))
				findings[key] = (struct finding){closeness, section};
	}
}

static void take(struct entitlement *entitlement, enum domain_key key,
		 const struct domain_config *values)
{
	switch (key) {
	case DOMAIN_FLOOR_MAX:
		entitlement->floor_max1024 = (uint16_t)values->floor_max;
		break;
	case DOMAIN_WEIGHT:
		entitlement->weight = (uint16_t)values->weight;
		break;
	case DOMAIN_GOAL:
		entitlement->goal = (enum goal)values->goal;
		break;
	case DOMAIN_PLACEMENT:
		entitlement->placement = values->placement;
		break;
	case DOMAIN_FEEDBACK:
		entitlement->feedback = values->feedback;
		break;
	case DOMAIN_N_KEYS:
		break;
	}
}

void entitlement_resolve(const struct host_config *config, const char *name,
			 const uint8_t uuid[DOMAIN_UUID], struct entitlement *ret)
{
	struct finding findings[DOMAIN_N_KEYS] = {};

	*ret = (struct entitlement){.floor_max1024 = (uint16_t)config->floor_max,
				    .weight = ENTITLEMENT_WEIGHT,
				    .goal = (enum goal)config->goal,
				    .placement = true,
				    .feedback = config->feedback};
	find_all(&config->domains, name, uuid, findings);
	for (unsigned key = 0; key < DOMAIN_N_KEYS; key++) {
		if (!findings[key].section)
			continue;
		take(ret, key, findings[key].section->values);
		ret->from[key] = findings[key].section->pattern;
	}
}

bool entitlement_equal(const struct entitlement *a, const struct entitlement *b)
{
	for (unsigned key = 0; key < DOMAIN_N_KEYS; key++)
		if (!a->from[key] != !b->from[key] ||
		    (a->from[key] && strcmp(a->from[key], b->from[key]) != 0))
			return false;
	return a->floor_max1024 == b->floor_max1024 && a->weight == b->weight &&
	       a->goal == b->goal && a->placement == b->placement && a->feedback == b->feedback;
}

const char *entitlement_pattern_problem(const char *pattern)
{
	char first = pattern[0], last = first ? pattern[strlen(pattern) - 1] : '\0';

	if (first == '\0')
		return "the name is missing: write [domain NAME]";
	if ((first == '"' || first == '\'') && pattern[1] && first == last)
		return "a name stands without quotes: take them away, or write the domain's UUID";
	if (!glob_is_text(pattern))
		return "libvirt's names are UTF-8, and this is not: save the file as UTF-8";
	return glob_problem(pattern);
}
