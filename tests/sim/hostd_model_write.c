/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The simulated hostd's writes: as run_plan() of hostd/domain.c, with task_set_uclamp() and
 * task_set_allowed() in the place of the actuator. They never fail. */
#include "common/macro.h"
#include "tests/sim/hostd_model_private.h"

#define WINDOW_USEC (4 * USEC_PER_MSEC) /* by hostd's own clock */

/* Counts a write, and how many of this vCPU the last 4 ms have seen. */
static void count(struct hostd_domain *domain, unsigned i)
{
	struct hostd_model *host = domain->host;
	uint64_t *written = &domain->written_usec[i * HOSTD_WRITES_KEPT];
	uint64_t at = queue_now(host->queue), now = hostd_now_usec(host);
	unsigned n = 1;

	host->figures->writes++;
	host->figures->writes_settled +=
		at >= host->config.settled_from_nsec && at < host->config.settled_until_nsec;
	for (unsigned k = HOSTD_WRITES_KEPT - 1; k > 0; k--)
		written[k] = written[k - 1];
	written[0] = now;
	while (n < HOSTD_WRITES_KEPT && written[n] > 0 && now - written[n] < WINDOW_USEC)
		n++;
	host->figures->most_in_4ms = MAX(host->figures->most_in_4ms, n);
}

static void note_floor(struct hostd_model *host, int change)
{
	host->floors_sum += change;
	host->figures->floors_sum_most = MAX(host->figures->floors_sum_most, host->floors_sum);
}

static void do_op(struct hostd_domain *domain, unsigned i, enum plan_op op,
		  const struct plan_want *want)
{
	struct hostd_vcpu *vcpu = &domain->vcpus[i];

	if (op == PLAN_SET_FLOOR || op == PLAN_CLEAR_FLOOR) {
		note_floor(domain->host, (int)want->floor1024 - vcpu->have.floor1024);
		task_set_uclamp(vcpu->thread, want->floor1024, PROTO_UTIL_MAX);
	} else {
		vcpu->set_allowed = want->placed ? want->cpus.word[0] : vcpu->found_allowed;
		task_set_allowed(vcpu->thread, vcpu->set_allowed);
	}
	count(domain, i);
}

uint64_t hostd_write(struct hostd_domain *domain, unsigned i, const struct plan_want *want,
		     uint64_t now_usec)
{
	static const enum plan_op order[] = {PLAN_SET_CPUS, PLAN_SET_FLOOR, PLAN_CLEAR_FLOOR,
					     PLAN_CLEAR_CPUS};
	struct hostd_vcpu *vcpu = &domain->vcpus[i];
	uint64_t next_usec;
	unsigned ops = plan_vcpu(&vcpu->have, want, domain->host->config.host.write_interval_usec,
				 now_usec, &next_usec);

	for (unsigned k = 0; k < ARRAY_SIZE(order); k++)
		if (ops & order[k]) {
			do_op(domain, i, order[k], want);
			plan_done(&vcpu->have, want, order[k], now_usec);
		}
	return next_usec;
}

void hostd_forget_thread(struct hostd_domain *domain, unsigned i)
{
	struct hostd_vcpu *vcpu = &domain->vcpus[i];

	note_floor(domain->host, -(int)vcpu->have.floor1024);
	vcpu->thread = NULL;
	vcpu->have = (struct plan_have){};
	vcpu->placement = (struct placement_state){};
	vcpu->cpus_are_theirs = false;
}
