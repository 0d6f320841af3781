/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is found of a domain now and then: whether our settings still stand, and what makes its
 * guest's signal mislead or floors useless for it. */
#include "hostd/domain_private.h"

#include <sched.h>
#include <string.h>

#include "common/log.h"
#include "common/macro.h"
#include "hostd/cgroup.h"
#include "hostd/concern.h"

/* -- settings ------------------------------------------------------------------------------------
 */

void domain_drop_floors(struct domain *domain)
{
	for (unsigned i = 0; i < domain->info.n_vcpus; i++) {
		struct vcpu *vcpu = &domain->vcpus[i];

		(void)actuator_clear_clamps(domain->env->actuator, &vcpu->actuated);
		vcpu->have.floor1024 = vcpu->have.ceiling1024 = 0;
		domain_tell_floor(domain, i);
		vcpu->have.written_usec = 0;
		vcpu->floor_is_theirs = vcpu->ceiling_is_theirs = false;
		vcpu->retry_usec = 0;
		vcpu->error = 0;
	}
}

/* What is somebody else's doesn't stand there by our hand any more. */
static void verify_clamps(struct domain *domain, unsigned i)
{
	struct vcpu *vcpu = &domain->vcpus[i];

	if (actuator_lost_floor(domain->env->actuator, &vcpu->actuated)) {
		vcpu->floor_is_theirs = true;
		vcpu->have.floor1024 = 0;
		domain_tell_floor(domain, i);
		log_event(LOG_NOTICE, EVENT_FLOOR_TAKEN, LOG_DOMAIN(domain, .vcpu = &i),
			  "%s: somebody else has set the floor of vCPU %u: left alone",
			  domain->info.name, i);
	}
	if (!vcpu->ceiling_is_theirs &&
	    actuator_lost_ceiling(domain->env->actuator, &vcpu->actuated)) {
		vcpu->ceiling_is_theirs = true;
		vcpu->have.ceiling1024 = 0;
		log_event(LOG_NOTICE, EVENT_CEILING_TAKEN, LOG_DOMAIN(domain, .vcpu = &i),
			  "%s: somebody else has set the ceiling of vCPU %u: left alone",
			  domain->info.name, i);
	}
}

void domain_verify(struct domain *domain)
{
	for (unsigned i = 0; i < domain->info.n_vcpus; i++) {
		struct vcpu *vcpu = &domain->vcpus[i];

		verify_clamps(domain, i);
		if (actuator_lost_cpus(domain->env->actuator, &vcpu->actuated)) {
			vcpu->cpus_are_theirs = true;
			log_event(LOG_NOTICE, EVENT_CPUS_TAKEN,
				  LOG_DOMAIN(domain, .vcpu = &i,
					     .reason = "they aren't what was set last"),
				  "%s: somebody else has set the CPUs of vCPU %u: left alone",
				  domain->info.name, i);
		}
	}
}

/* -- concerns ------------------------------------------------------------------------------------
 */

/* A guest may change its mind as often as it likes, but doesn't fill the log with it. */
static void log_concern(struct domain *domain, unsigned concern)
{
	const char *text = concern_text(concern, domain->hello ? domain->hello->signal : 0);
	bool is_there = domain->concerns & CONCERN_BIT(concern);
	uint64_t now_usec = 0;

	sd_event_now(domain->env->event, CLOCK_MONOTONIC, &now_usec);
	log_event_limited(&domain->concern_log, now_usec, is_there ? LOG_NOTICE : LOG_INFO,
			  is_there ? EVENT_CONCERN : EVENT_CONCERN_GONE,
			  LOG_DOMAIN(domain, .reason = text), "%s: %s: %s%s", domain->info.name,
			  concern_name(concern), is_there ? "" : "this is over: ", text);
}

void domain_set_concerns(struct domain *domain, uint64_t mask, uint64_t concerns)
{
	uint64_t old = domain->concerns;

	domain->concerns = (old & ~mask) | (concerns & mask);
	for (unsigned i = 0; i < CONCERN_N; i++)
		if ((old ^ domain->concerns) & CONCERN_BIT(i))
			log_concern(domain, i);
}

void domain_notice(struct domain *domain, const struct message_notice *notice)
{
	if (!domain->hello)
		return; /* there was no memory for it */
	memcpy(domain->scheduler, notice->scheduler, sizeof(domain->scheduler));
	domain_set_concerns(domain, CONCERN_OF_GUEST, notice->concerns);
}

/* Whether a quota is on the cgroup of any vCPU, or on one above. Those above are the same for all
 * vCPUs. */
static bool has_quota(const struct domain *domain)
{
	int root_fd = domain->env->root_fd;
	char path[THREAD_CGROUP_MAX];

	for (unsigned i = 0; i < domain->info.n_vcpus; i++)
		if (domain->vcpus[i].thread.tid > 0 &&
		    cgroup_has_quota(root_fd, domain->vcpus[i].thread.cgroup))
			return true;
	for (unsigned i = 0;
	     cgroup_ancestor(domain->vcpus[0].thread.cgroup, i, path, sizeof(path)) >= 0; i++)
		if (cgroup_has_quota(root_fd, path))
			return true;
	return false;
}

static bool is_realtime(const struct domain *domain)
{
	for (unsigned i = 0; i < domain->info.n_vcpus; i++) {
		pid_t tid = domain->vcpus[i].thread.tid;
		struct thread_stat stat;

		if (tid > 0 && thread_stat(domain->env->root_fd, tid, &stat) >= 0 &&
		    (stat.policy == SCHED_FIFO || stat.policy == SCHED_RR))
			return true;
	}
	return false;
}

/* Whether the guest speaks of a vCPU that isn't there. */
static bool names_offline(const struct domain *domain)
{
	for (unsigned i = 0; i < domain->hello->n_cpus; i++) {
		unsigned vcpu = domain->identity.vcpu_of_cpu[domain->hello->cpu[i].cpu];

		if (vcpu < domain->info.n_vcpus && domain->demands[vcpu].held)
			return true;
	}
	return false;
}

uint64_t domain_identity_concerns(const struct domain *domain)
{
	switch (domain->identity.basis) {
	case IDENTITY_BY_ID:
		return 0;
	case IDENTITY_FOREIGN_ID:
	case IDENTITY_DOUBLED_ID:
		return CONCERN_BIT(CONCERN_CPU_IDS_WRONG);
	default:
		return CONCERN_BIT(CONCERN_CPU_IDS_UNKNOWN);
	}
}

const char *domain_concern_detail(const struct domain *domain, unsigned concern)
{
	if (concern == NOTICE_SCHED_EXT)
		return domain->scheduler;
	if (CONCERN_BIT(concern) & CONCERN_OF_IDENTITY)
		return vcpu_identity_text(domain->identity.basis);
	return "";
}

void domain_look(struct domain *domain)
{
	uint64_t concerns = domain_claims_concern(domain);

	/* Where no guest asks for anything it doesn't matter. */
	if (domain->hello && is_realtime(domain))
		concerns |= CONCERN_BIT(CONCERN_REALTIME);
	if (domain->hello && has_quota(domain))
		concerns |= CONCERN_BIT(CONCERN_QUOTA);
	if (domain->hello && names_offline(domain))
		concerns |= CONCERN_BIT(CONCERN_VCPU_OFFLINE);
	if (domain->hello)
		concerns |= domain_identity_concerns(domain);
	domain_set_concerns(domain, ~CONCERN_OF_GUEST, concerns);
}
