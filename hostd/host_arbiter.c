/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd's arbiter: what it goes by, and whom it has news for. */
#include "hostd/host_private.h"

#include <string.h>

#include "common/macro.h"

/* So many domains are brought to what others' news make of them before anything else gets its
 * turn. */
#define DRAIN_MAX 32U

/* -- what it goes by -- */

/* All of it is set, also between the members: it is compared with the one before. */
static void fill_config(const struct host *host, struct arbiter_config *ret)
{
	const struct host_config *config = &host->config;
	const struct topology *topology = host->topology;

	memset(ret, 0, sizeof(*ret));
	ret->level.step = (uint16_t)config->floor_step;
	ret->level.hold_usec = config->floor_hold_usec;
	ret->level.half_life_usec = config->floor_half_life_usec;
	ret->level.slack1024 = (uint16_t)config->ceiling_slack1024;
	ret->level.calm_usec = LEVEL_CALM_USEC;
	ret->level.forget_usec = LEVEL_FORGET_USEC;
	ret->headroom1024 = actuator_headroom1024(host->actuator);
	ret->budget1024 = (uint32_t)config->budget1024;
	ret->ceiling_min1024 = ARBITER_CEILING_MIN;
	ret->ceilings = actuator_has_ceilings(host->actuator);
	ret->energy_aware = topology->energy_aware;
	ret->invariant = topology->invariant;
	ret->classes.n_classes = host->env.placement.n_classes;
	for (unsigned i = 0; i < ret->classes.n_classes; i++)
		ret->classes.classes[i] = host->env.placement.classes[i];
	ret->kernel_major = topology->kernel_major;
	ret->kernel_minor = topology->kernel_minor;
}

int host_set_arbiter(struct host *host)
{
	struct arbiter_config config;

	fill_config(host, &config);
	if (!host->env.arbiter)
		host->env.arbiter = arbiter_new(&config);
	else if (memcmp(&config, &host->arbiter_config, sizeof(config)) != 0)
		arbiter_configure(host->env.arbiter, &config);
	if (!host->env.arbiter)
		return -ENOMEM;
	memcpy(&host->arbiter_config, &config, sizeof(config));
	CPUMASK_FOREACH(cpu, &host->topology->online) {
		const struct topology_cpu *at = &host->topology->cpu[cpu];

		arbiter_set_capacity(host->env.arbiter, cpu, at->capacity1024);
		arbiter_set_policy(host->env.arbiter, cpu,
				   at->policy == TOPOLOGY_NONE ? (uint16_t)(CPUMASK_CPUS + cpu)
							       : at->policy);
	}
	return 0;
}

/* -- whose number is which -- */

int host_number_domain(struct host *host, struct domain *domain)
{
	uint32_t number = domain->number, more = number + MAX(number / 2, 16U);
	struct domain **numbered;

	if (number >= host->n_numbered) {
		numbered = reallocarray(host->numbered, more, sizeof(struct domain *));
		if (!numbered)
			return -ENOMEM;
		for (uint32_t i = host->n_numbered; i < more; i++)
			numbered[i] = NULL;
		host->numbered = numbered;
		host->n_numbered = more;
	}
	host->numbered[number] = domain;
	return 0;
}

void host_unnumber_domain(struct host *host, const struct domain *domain)
{
	if (domain->number < host->n_numbered && host->numbered[domain->number] == domain)
		host->numbered[domain->number] = NULL;
}

/* -- whom it has news for -- */

void host_drain_arbiter(struct host *host)
{
	for (unsigned i = 0; i < DRAIN_MAX; i++) {
		uint32_t number = arbiter_next(host->env.arbiter);

		if (number == ARBITER_NONE)
			return;
		if (number < host->n_numbered && host->numbered[number])
			domain_run(host->numbered[number]);
	}
	sd_event_source_set_enabled(host->drain_source, SD_EVENT_ONESHOT);
}

/* An event like any other: the post source follows, and goes on. */
static int on_drain(_unused_ sd_event_source *source, _unused_ void *userdata)
{
	return 0;
}

int host_add_arbiter(struct host *host)
{
	int r = host_set_arbiter(host);

	if (r >= 0)
		r = sd_event_add_defer(host->event, &host->drain_source, on_drain, host);
	/* Behind all that has happened. */
	if (r >= 0)
		r = sd_event_source_set_priority(host->drain_source, SD_EVENT_PRIORITY_IDLE);
	return r < 0 ? r : sd_event_source_set_enabled(host->drain_source, SD_EVENT_OFF);
}

void host_end_arbiter(struct host *host)
{
	sd_event_source_disable_unref(host->drain_source);
	free(host->numbered);
	host->env.arbiter = arbiter_free(host->env.arbiter);
}
