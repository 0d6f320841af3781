/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What domain.c and its parts share. Nobody else includes this. */
#pragma once

#include "hostd/domain.h"

/* Whatever we knew of a vCPU's thread doesn't hold for another. */
void domain_forget_thread(struct domain *domain, unsigned vcpu);

/* Says to its guest whether it may be quiet, if it was told otherwise. */
void domain_tell_quiet(struct domain *domain);

/* -- domain_act.c -- */
/* Writes what differs. In a hurry what is lowered doesn't wait for its longer interval. Returns when
 * there is more to do. */
uint64_t domain_act(struct domain *domain, unsigned vcpu, const struct plan_want *want, bool hurry,
		    uint64_t now_usec);

/* The arbiter hears which floor stands on a vCPU's thread by our hand now. */
void domain_tell_floor(struct domain *domain, unsigned vcpu);

/* -- domain_arbiter.c -- */
/* Makes it known to the arbiter: 0 or -ENOMEM. */
int domain_begin_arbiter(struct domain *domain);

/* What the operator or the configuration grants it is otherwise. */
void domain_tell_grant(struct domain *domain);

/* All vCPUs, from their demands to their writes: those that rise first, for a write takes its time.
 * Returns when to look again without a report. */
uint64_t domain_run_vcpus(struct domain *domain, uint64_t now_usec);

/* Whether a claim of any of its vCPUs isn't believed now, as a concern. */
uint64_t domain_claims_concern(const struct domain *domain);
