/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain before the arbiter: what its guest reports, where its threads are, and what they should
 * have then. */
#include "hostd/domain_private.h"

#include "common/counters.h"
#include "common/macro.h"
#include "hostd/concern.h"
#include "hostd/feedback.h"

/* -- what it may get -- */

/* Of a domain that is off nothing counts. */
static struct arbiter_grant grant_of(const struct domain *domain)
{
	return (struct arbiter_grant){
		.floor_max1024 = limit_floor_max(&domain->limit, domain->entitlement.floor_max1024),
		.weight = domain->entitlement.weight,
		.goal = domain_is_off(domain) ? GOAL_OFF : domain->entitlement.goal,
	};
}

int domain_begin_arbiter(struct domain *domain)
{
	const struct arbiter_grant grant = grant_of(domain);

	domain->number = arbiter_add(domain->env->arbiter, domain->info.n_vcpus, &grant);
	return domain->number == ARBITER_NONE ? -ENOMEM : 0;
}

void domain_tell_grant(struct domain *domain)
{
	const struct arbiter_grant grant = grant_of(domain);
	uint64_t now_usec = 0;

	sd_event_now(domain->env->event, CLOCK_MONOTONIC, &now_usec);
	arbiter_grant(domain->env->arbiter, domain->number, &grant, now_usec);
}

/* -- where its threads are -- */

/* A kernel without CONFIG_SCHED_INFO counts in ticks of 10 ms alone. */
static int look_at(const struct domain *domain, unsigned i, struct thread_look *ret)
{
	const struct domain_env *env = domain->env;
	pid_t tid = domain->vcpus[i].thread.tid;
	uint64_t run_nsec, delay_nsec;
	struct thread_stat stat;
	int r = tid > 0 ? thread_stat(env->root_fd, tid, &stat) : -ESRCH;

	if (r < 0)
		return r;
	if (stat.start_time != domain->vcpus[i].thread.start_time || stat.cpu >= CPUMASK_CPUS)
		return -ESRCH;
	if (thread_schedstat(env->root_fd, tid, &run_nsec, &delay_nsec) < 0)
		run_nsec = stat.cpu_ticks * COUNTERS_TICK_NSEC;
	*ret = (struct thread_look){
		.cpu = stat.cpu, .runs = stat.state == 'R', .run_nsec = run_nsec};
	domain_cpu_delivers(env, stat.cpu, &ret->delivers);
	return 0;
}

static void tell_look(struct domain *domain, unsigned i, const struct thread_look *look,
		      uint64_t now_usec)
{
	arbiter_look(domain->env->arbiter, domain->number, i, look->cpu,
		     &(struct scale_look){now_usec * NSEC_PER_USEC, look->run_nsec,
					  feedback_delivered1024(&look->delivers)});
}

bool domain_needs_looks(const struct domain *domain)
{
	for (unsigned i = 0; i < domain->info.n_vcpus; i++)
		if (arbiter_needs_look(domain->env->arbiter, domain->number, i))
			return true;
	return false;
}

/* -- what its guest claims -- */

uint64_t domain_claims_concern(const struct domain *domain)
{
	for (unsigned i = 0; i < domain->info.n_vcpus; i++)
		if (arbiter_is_held_down(domain->env->arbiter, domain->number, i))
			return CONCERN_BIT(CONCERN_CLAIMS);
	return 0;
}

static void check_claims(struct domain *domain, unsigned i, uint64_t run_nsec, uint64_t now_usec)
{
	struct vcpu_seen *seen = &domain->vcpus[i].seen;
	uint64_t interval_usec = domain->env->config->claim_check_usec;

	if (interval_usec == 0 || now_usec < seen->check_usec)
		return;
	seen->check_usec = now_usec + interval_usec;
	if (arbiter_check(domain->env->arbiter, domain->number, i, run_nsec, now_usec))
		domain_set_concerns(domain, CONCERN_BIT(CONCERN_CLAIMS),
				    domain_claims_concern(domain));
}

int domain_see(struct domain *domain, unsigned i, uint32_t round, uint64_t now_usec,
	       struct thread_look *ret, uint64_t *ret_ran_nsec)
{
	struct vcpu *vcpu = &domain->vcpus[i];
	struct vcpu_seen *seen = &vcpu->seen;
	int r;

	/* Whoever keeps a floor for a while doesn't become an other load. */
	if (!arbiter_needs_look(domain->env->arbiter, domain->number, i) &&
	    vcpu->have.floor1024 == 0)
		return -EAGAIN;
	r = look_at(domain, i, ret);
	if (r < 0)
		return r;
	*ret_ran_nsec =
		seen->round > 0 && seen->round + 1 == round && ret->run_nsec > seen->run_nsec
			? ret->run_nsec - seen->run_nsec
			: 0;
	seen->round = round;
	seen->run_nsec = ret->run_nsec;
	tell_look(domain, i, ret, now_usec);
	check_claims(domain, i, ret->run_nsec, now_usec);
	return 0;
}

/* -- what it should have -- */

/* Its kernel's load tracking follows frequency, and that isn't by cpufreq. */
static bool counts_work(const struct domain *domain)
{
	return domain->hello && domain->hello->invariant &&
	       domain->hello->cpufreq == CPUFREQ_NONE;
}

static struct arbiter_report report_of(const struct domain *domain, unsigned i)
{
	const struct demand *demand = &domain->demands[i];
	const struct message_hello *hello = domain->hello;
	bool counts = demand->util1024 > 0, is_ebpf = hello && hello->signal == SIGNAL_EBPF;

	return (struct arbiter_report){
		.util_avg = counts ? demand->util_avg : 0,
		.demand1024 = demand->util1024,
		.applied1024 = hello && hello->invariant ? demand->freq_scale : CAPACITY_SCALE,
		.invariant = hello && hello->invariant,
		.counts_work = counts_work(domain),
		.steal_usec = demand->news ? demand->last_steal_usec : 0,
		.saturated = counts && demand->flags & VCPU_SATURATED,
		.left = demand->news && demand->left && is_ebpf,
		.came = demand->news && demand->came,
		.trusted = is_ebpf && !domain->demand.lapsed && domain->session,
	};
}

/* How fast its thread is doesn't matter then, and where one is that can be on one CPU alone is known.
 */
static bool needs_look(const struct domain *domain, unsigned i)
{
	return !counts_work(domain) || cpumask_count(&domain->vcpus[i].allowed) > 1;
}

/* What is demanded now, if that is news. Where the thread is, and how fast, comes first: it is what
 * the report was made under. */
static void tell_arbiter(struct domain *domain, unsigned i, uint64_t now_usec)
{
	struct arbiter_report report = {.applied1024 = CAPACITY_SCALE, .left = true};
	struct demand *demand = &domain->demands[i];
	struct vcpu *vcpu = &domain->vcpus[i];
	bool is_off = domain_is_off(domain);
	uint16_t demand1024 = is_off ? 0 : demand->util1024;
	struct thread_look look;

	if ((is_off || !demand->news) && demand1024 == vcpu->told1024)
		return;
	if (!is_off && (demand1024 > 0 || demand->news))
		report = report_of(domain, i);
	else
		report.left = is_off;
	if (!is_off && needs_look(domain, i) && look_at(domain, i, &look) >= 0)
		tell_look(domain, i, &look, now_usec);
	demand->news = false;
	vcpu->told1024 = demand1024;
	arbiter_report(domain->env->arbiter, domain->number, i, &report, now_usec);
}

/* Floor and ceiling as the arbiter has it, but for what is somebody else's. */
static struct plan_want clamps_of(const struct domain *domain, const struct vcpu *vcpu)
{
	const struct actuator *actuator = domain->env->actuator;
	struct plan_want want = {.floor1024 = vcpu->want.floor1024,
				 .ceiling1024 = vcpu->want.ceiling1024};

	if (vcpu->floor_is_theirs || !actuator_has_floors(actuator))
		want.floor1024 = vcpu->have.floor1024;
	if (vcpu->ceiling_is_theirs || !actuator_has_ceilings(actuator))
		want.ceiling1024 = CAPACITY_SCALE;
	return want;
}

static void choose_cpus(struct domain *domain, struct vcpu *vcpu, uint64_t now_usec,
			struct plan_want *want, uint64_t *ret_next_usec)
{
	const struct domain_env *env = domain->env;
	bool knows = domain->session && domain->hello && !domain->demand.lapsed;

	*ret_next_usec = USEC_INFINITY;
	if (vcpu->cpus_are_theirs)
		want->placed = vcpu->have.placed, want->cpus = vcpu->have.cpus;
	else if (knows && domain->entitlement.placement && actuator_has_cpus(env->actuator))
		want->placed =
			placement_choose(&vcpu->placement, &env->placement, vcpu->want.level1024,
					 &vcpu->allowed, now_usec, &want->cpus, ret_next_usec);
	else
		vcpu->placement = (struct placement_state){};
}

/* Returns when that changes without news. */
static uint64_t decide(struct domain *domain, unsigned i, uint64_t now_usec)
{
	struct vcpu *vcpu = &domain->vcpus[i];
	uint64_t next_want, next_place;

	arbiter_want(domain->env->arbiter, domain->number, i, now_usec, &vcpu->want, &next_want);
	if (domain_is_off(domain))
		return next_want;
	vcpu->plan = clamps_of(domain, vcpu);
	choose_cpus(domain, vcpu, now_usec, &vcpu->plan, &next_place);
	return MIN(next_want, next_place);
}

/* Those with a rise alone, or all. */
static uint64_t act(struct domain *domain, bool rises, uint64_t now_usec)
{
	uint64_t next_usec = USEC_INFINITY;

	for (unsigned i = 0; i < domain->info.n_vcpus; i++) {
		struct vcpu *vcpu = &domain->vcpus[i];
		uint64_t vcpu_next;

		if (vcpu->thread.tid == 0 || (rises && !plan_raises(&vcpu->have, &vcpu->plan)))
			continue;
		vcpu_next = domain_act(domain, i, &vcpu->plan, vcpu->want.hurry, now_usec);
		next_usec = MIN(next_usec, vcpu_next);
	}
	return next_usec;
}

uint64_t domain_run_vcpus(struct domain *domain, uint64_t now_usec)
{
	uint64_t next_usec = USEC_INFINITY, next_act;

	for (unsigned i = 0; i < domain->info.n_vcpus; i++)
		tell_arbiter(domain, i, now_usec);
	for (unsigned i = 0; i < domain->info.n_vcpus; i++) {
		uint64_t vcpu_next = decide(domain, i, now_usec);

		next_usec = MIN(next_usec, vcpu_next);
	}
	if (domain_is_off(domain))
		return next_usec;
	act(domain, true, now_usec);
	next_act = act(domain, false, now_usec);
	return MIN(next_usec, next_act);
}
