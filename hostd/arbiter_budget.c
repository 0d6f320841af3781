/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The arbiter's budget: the sum of all vCPUs' own floors stays within it. Pure.
 *
 * What a domain gives back is free at once, and who wants more takes of what is free at once; only
 * a new division, in which others come down, is made at most once in SHARE_USEC. So the sum is
 * never above the budget, not even between two divisions. */
#include "hostd/arbiter_private.h"

#include "common/macro.h"

#define SHARE_USEC (4 * USEC_PER_MSEC)

static void set_gets(struct arbiter *arbiter, struct arbiter_domain *domain, uint32_t gets)
{
	arbiter->gets += gets;
	arbiter->gets -= domain->gets;
	domain->gets = gets;
}

/* By what is held, not by what is asked for: who is asked for less than was held gives back what
 * others lack, and if that ended the shortage he would take it again. */
bool arbiter_budget_is_short(struct arbiter *arbiter, struct arbiter_vcpu *vcpu, uint16_t held1024)
{
	uint32_t budget = arbiter->config.budget1024;
	bool is_short;

	arbiter->held += held1024;
	arbiter->held -= vcpu->held1024;
	vcpu->held1024 = held1024;
	is_short = budget > 0 && arbiter->held > budget;
	if (is_short != arbiter->is_short)
		arbiter_queue_all(arbiter);
	arbiter->is_short = is_short;
	return is_short;
}

void arbiter_budget_put(struct arbiter *arbiter, struct arbiter_vcpu *vcpu, uint16_t own1024)
{
	struct arbiter_domain *domain = &arbiter->domains[vcpu->domain];
	uint32_t budget = arbiter->config.budget1024;
	bool was_cut = domain->gets < domain->wants;

	if (own1024 == vcpu->own1024)
		return;
	domain->wants += own1024;
	domain->wants -= vcpu->own1024;
	arbiter->wants += own1024;
	arbiter->wants -= vcpu->own1024;
	vcpu->own1024 = own1024;
	if (budget == 0 || domain->wants <= domain->gets) {
		set_gets(arbiter, domain, domain->wants);
	} else if (arbiter->gets < budget) {
		uint64_t gets = domain->gets + (budget - arbiter->gets);

		set_gets(arbiter, domain, (uint32_t)MIN(domain->wants, gets));
	}
	arbiter->unshared = arbiter->gets < arbiter->wants;
	if (was_cut || domain->gets < domain->wants)
		arbiter_queue(arbiter, vcpu->domain); /* its other vCPUs go by the sum as well */
}

void arbiter_budget_share(struct arbiter *arbiter, uint64_t now_usec, uint64_t *ret_next_usec)
{
	struct share_claim *claims = arbiter->claims;
	uint32_t n = arbiter->n_domains;

	*ret_next_usec = USEC_INFINITY;
	if (!arbiter->unshared)
		return;
	if (now_usec < arbiter->share_usec) {
		*ret_next_usec = arbiter->share_usec;
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		claims[i] = (struct share_claim){.wants = arbiter->domains[i].wants,
						 .weight = arbiter->domains[i].grant.weight};
	share_out(claims, n, arbiter->config.budget1024);
	for (uint32_t i = 0; i < n; i++) {
		struct arbiter_domain *domain = &arbiter->domains[i];

		if (domain->gets == claims[i].gets)
			continue;
		set_gets(arbiter, domain, claims[i].gets);
		arbiter_queue(arbiter, i);
	}
	arbiter->unshared = false;
	arbiter->share_usec = now_usec + SHARE_USEC;
}

uint16_t arbiter_budget_cut(const struct arbiter *arbiter, uint32_t domain, uint16_t value1024)
{
	const struct arbiter_domain *of = &arbiter->domains[domain];

	return of->gets >= of->wants ? value1024
				     : (uint16_t)((uint64_t)value1024 * of->gets / of->wants);
}

void arbiter_budget(const struct arbiter *arbiter, uint64_t *ret_wants, uint64_t *ret_gets)
{
	*ret_wants = arbiter->wants;
	*ret_gets = arbiter->gets;
}

uint16_t arbiter_budget_room(const struct arbiter *arbiter, const struct arbiter_vcpu *vcpu,
			     uint16_t floor1024, uint64_t now_usec, uint64_t *ret_next_usec)
{
	uint64_t budget = arbiter->config.budget1024, others, room;

	*ret_next_usec = USEC_INFINITY;
	if (budget == 0 || floor1024 <= vcpu->standing1024)
		return floor1024;
	others = arbiter->standing - vcpu->standing1024;
	room = budget - MIN(others, budget);
	if (floor1024 <= room)
		return floor1024;
	*ret_next_usec = now_usec + SHARE_USEC;
	return (uint16_t)room;
}

void arbiter_wrote(struct arbiter *arbiter, uint32_t domain, unsigned i, uint16_t floor1024)
{
	struct arbiter_vcpu *vcpu = &arbiter->domains[domain].vcpus[i];

	/* What is there for others on the same CPU is theirs. */
	floor1024 = MIN(floor1024, vcpu->alone1024);
	arbiter->standing += floor1024;
	arbiter->standing -= vcpu->standing1024;
	vcpu->standing1024 = floor1024;
}
