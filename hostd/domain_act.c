/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's writes: from what a vCPU should have to its thread, and what comes of that. */
#include "hostd/domain_private.h"

#include <string.h>
#include <time.h>

#include "common/fault.h"
#include "common/macro.h"
#include "hostd/nudge.h"

#define RETRY_USEC	(100 * USEC_PER_MSEC) /* after a failure that may pass */
#define RETRY_LONG_USEC (60 * USEC_PER_SEC)   /* after one that won't */

static int do_op(struct domain *domain, struct vcpu *vcpu, enum plan_op op,
		 const struct plan_want *want)
{
	struct actuator *actuator = domain->env->actuator;

	switch (op) {
	case PLAN_SET_CLAMPS:
	case PLAN_CLEAR_CLAMPS:
		return actuator_set_clamps(actuator, &vcpu->actuated, &vcpu->thread,
					   plan_clamps(want).floor1024,
					   plan_clamps(want).ceiling1024,
					   vcpu->have.placed ? &vcpu->have.cpus : &vcpu->allowed);
	case PLAN_SET_CPUS:
		return actuator_set_cpus(actuator, &vcpu->actuated, &vcpu->thread, &want->cpus);
	default:
		return actuator_clear_cpus(actuator, &vcpu->actuated);
	}
}

static bool is_clamps(enum plan_op op)
{
	return op == PLAN_SET_CLAMPS || op == PLAN_CLEAR_CLAMPS;
}

/* What to do about a write that failed: forget the thread, wait, or give up for long. */
static void take_failure(struct domain *domain, unsigned i, enum plan_op op, int error,
			 uint64_t now_usec)
{
	struct vcpu *vcpu = &domain->vcpus[i];

	switch (fault_of(error)) {
	case FAULT_GONE:
		domain_forget_thread(domain, i);
		domain->resolve_usec = MAX(domain->resolve_usec, now_usec + USEC_PER_MSEC);
		return;
	case FAULT_AGAIN:
		vcpu->retry_usec = now_usec + RETRY_USEC;
		break;
	default:
		vcpu->retry_usec = now_usec + RETRY_LONG_USEC;
		break;
	}
	/* A rise would have to wait for that as well. */
	actuator_lift_ceiling(domain->env->actuator, &vcpu->actuated);
	vcpu->have.ceiling1024 = 0;
	if (vcpu->error != error || vcpu->error_is_clamps != is_clamps(op))
		vcpu->error_logged |= log_event_limited(
			&domain->write_log, now_usec, LOG_WARNING, EVENT_WRITE_FAILED,
			LOG_DOMAIN(domain, .vcpu = &i, .reason = strerror(-error)),
			"%s: vCPU %u (thread %d) can't be set: %s", domain->info.name, i,
			(int)vcpu->thread.tid, strerror(-error));
	vcpu->error = error;
	vcpu->error_is_clamps = is_clamps(op);
}

/* That the CPUs could be set says nothing of floor and ceiling. */
static void take_success(struct domain *domain, unsigned i, enum plan_op op)
{
	struct vcpu *vcpu = &domain->vcpus[i];

	if (vcpu->error && vcpu->error_is_clamps != is_clamps(op))
		return;
	vcpu->retry_usec = 0;
	vcpu->error = 0;
	if (vcpu->error_logged)
		log_event(LOG_INFO, EVENT_WRITE_RECOVERED, LOG_DOMAIN(domain, .vcpu = &i),
			  "%s: vCPU %u can be set again", domain->info.name, i);
	vcpu->error_logged = false;
}

void domain_tell_floor(struct domain *domain, unsigned i)
{
	arbiter_wrote(domain->env->arbiter, domain->number, i, domain->vcpus[i].have.floor1024);
}

/* When a write was really done: the event's own time may be a while ago, and the next write keeps its
 * distance from this one. */
static uint64_t written_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}

/* What was raised is to be heard of at once. Where a nudge can't go the kernel's next look has to do.
 */
static void nudge(const struct domain *domain, unsigned i, struct clamps from)
{
	const struct domain_env *env = domain->env;
	unsigned cpu = arbiter_cpu_of(env->arbiter, domain->number, i);

	if (env->nudge && cpu != ARBITER_CPU_UNKNOWN && !domain->demands[i].sleeps &&
	    plan_nudges(from, plan_stands(&domain->vcpus[i].have)))
		(void)nudge_cpu(env->nudge, cpu);
}

uint64_t domain_act(struct domain *domain, unsigned i, const struct plan_want *want, bool hurry,
		    uint64_t now_usec)
{
	static const enum plan_op order[] = {PLAN_SET_CPUS, PLAN_SET_CLAMPS, PLAN_CLEAR_CLAMPS,
					     PLAN_CLEAR_CPUS};
	const struct plan_pace pace = {domain->env->config->write_interval_usec,
				       hurry ? 0 : domain->env->config->lower_interval_usec};
	struct vcpu *vcpu = &domain->vcpus[i];
	struct clamps stood = plan_stands(&vcpu->have);
	uint64_t next_usec;
	unsigned ops;

	if (now_usec < vcpu->retry_usec)
		return vcpu->retry_usec;
	ops = plan_vcpu(&vcpu->have, want, &pace, now_usec, &next_usec);
	for (unsigned k = 0; k < ARRAY_SIZE(order); k++) {
		int r;

		if (!(ops & order[k]))
			continue;
		r = do_op(domain, vcpu, order[k], want);
		if (r < 0) {
			take_failure(domain, i, order[k], r, now_usec);
			return vcpu->retry_usec ? vcpu->retry_usec : domain->resolve_usec;
		}
		domain->writes++;
		plan_done(&vcpu->have, want, order[k], MAX(written_now(), now_usec));
		if (is_clamps(order[k])) {
			nudge(domain, i, stood);
			vcpu->owed = true;
			domain_tell_floor(domain, i);
		}
		take_success(domain, i, order[k]);
	}
	return next_usec;
}
