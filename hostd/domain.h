/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One running domain: its guest's demands on one side, its vCPU threads on the other, and between
 * them the pure files, in the order of the data's way: demand, arbiter, placement, plan, actuator. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/log.h"
#include "hostd/actuator.h"
#include "hostd/arbiter.h"
#include "hostd/demand.h"
#include "hostd/entitlement.h"
#include "hostd/host_config.h"
#include "hostd/inventory.h"
#include "hostd/limits.h"
#include "hostd/placement.h"
#include "hostd/plan.h"
#include "hostd/session.h"
#include "hostd/threads.h"
#include "hostd/topology.h"
#include "hostd/vcpu_identity.h"

/* What all domains share: the host's. */
struct domain_env {
	sd_event *event;
	int root_fd;
	const struct host_config *config;
	struct arbiter *arbiter;
	struct placement_config placement;
	const struct topology *topology;
	struct actuator *actuator;
	struct freq_reader *freq;
	struct nudge *nudge; /* NULL: none is needed */
	/* Something of a domain is otherwise now that its status shows and no report changes. */
	void (*changed)(void *userdata);
	/* Something is demanded, so that threads are to be looked at: domain_see(). */
	void (*demanded)(void *userdata);
	void *userdata;
};

/* What a look at a thread tells. */
struct thread_look {
	unsigned cpu; /* where it runs, or ran last */
	bool runs;    /* now */
	struct feedback_vcpu delivers; /* that CPU: but for .cpu, as FEEDBACK has it */
	uint64_t run_nsec; /* counted up since the thread was made */
};

/* Of the last look that domain_see() had at it. */
struct vcpu_seen {
	uint64_t run_nsec;
	uint64_t check_usec; /* its claims are checked no sooner */
	uint32_t round;	     /* 0: there was none */
};

struct vcpu {
	struct vcpu_thread thread; /* tid 0: none */
	struct cpumask mask;       /* libvirt's word on where it may run; empty: anywhere */
	struct cpumask allowed;    /* what of that can be used now; never empty */
	struct arbiter_want want; /* the arbiter's last word, */
	struct plan_want plan;	  /* and what follows of it for the thread */
	uint16_t told1024;	  /* the demand that it knows */
	struct vcpu_seen seen;
	struct placement_state placement;
	struct plan_have have;
	struct actuated actuated;
	struct feedback_vcpu told; /* the last FEEDBACK, by the guest's CPU number */
	bool owed; /* its clamps were written since it was last seen to run for a FEEDBACK */
	bool cpus_are_theirs;      /* pinned by the operator while we ran: hands off */
	bool floor_is_theirs;      /* likewise changed by somebody else */
	bool ceiling_is_theirs;
	unsigned pin_generation;
	bool offline;              /* libvirt's word; a thread that is there knows better */
	uint64_t retry_usec;       /* no writes before; 0: free to write */
	int error;                 /* -errno of the last write that failed, 0 if none did */
	bool error_is_clamps;      /* of floor or ceiling, not of the CPUs */
	bool error_logged;         /* so its end is, too */
};

struct domain {
	const struct domain_env *env;
	struct inventory_domain info; /* vcpus is NULL: struct vcpu has what is needed */
	enum thread_source thread_source;
	uint32_t number;	      /* the arbiter's, or ARBITER_NONE */
	struct domain_limit limit;    /* the operator's word */
	struct entitlement entitlement; /* the configuration's */
	struct session *session;      /* NULL: no guest daemon is connected */
	struct vcpu_identity identity; /* of the present session's CPUs */
	struct guest_demand demand;
	struct demand *demands;
	struct vcpu *vcpus;           /* info.n_vcpus of them */
	sd_event_source *timer;       /* the next change without a report */
	sd_event_source *feedback_timer;
	uint64_t resolve_usec;        /* threads are looked for no sooner */
	uint32_t feedback_sequence;
	uint64_t reports;             /* in all sessions */
	uint64_t writes;
	struct message_hello *hello;  /* of the present session */
	uint64_t concerns;            /* hostd/concern.h */
	char scheduler[PROTO_TEXT_MAX + 1]; /* the guest's, with NOTICE_SCHED_EXT */
	bool told_quiet;              /* its guest, by the last word of it */
	bool silence_logged;
	/* What the guest can cause to be logged, each kind by itself. */
	struct ratelimit link_log, silence_log, write_log, concern_log, report_log;
};

/* The fields of an event that is about a domain, and more of them. */
#define LOG_DOMAIN(domain_, ...)                                                                   \
	LOG_FIELDS(.domain = (domain_)->info.name, .uuid = (domain_)->info.uuid,                   \
		   .cid = (domain_)->info.cid, __VA_ARGS__)

/* Begins to look after a domain that has appeared. */
int domain_new(const struct domain_env *env, const struct inventory_domain *info,
	       struct domain **ret);

/* Ends, and puts back what is still there. Returns NULL. */
struct domain *domain_free(struct domain *domain);

/* Takes over what a newer inventory says: masks, and vCPUs that the operator has pinned since. */
void domain_update(struct domain *domain, const struct inventory_domain *info);

/* What the operator lays on it. To release it puts everything of it back at once; its guest stays
 * connected and is still told what it gets. */
void domain_set_limit(struct domain *domain, const struct domain_limit *limit);

/* Takes what the configuration says of it now; what it said before is still in memory. Whether that is
 * something else. */
bool domain_entitle(struct domain *domain);

/* Whether nothing is to be set for it: it was released, or its goal is off. */
bool domain_is_off(const struct domain *domain);

/* Whether nothing comes of its guest's reports: it is off, and its guest has nothing to set by
 * FEEDBACK, or isn't told any. */
bool domain_is_quiet(const struct domain *domain);

/* Puts everything of it back. What somebody else has taken meanwhile stays theirs, later too. */
void domain_put_back(struct domain *domain);

/* The guest's session begins, reports, ends. */
int domain_greet(struct domain *domain, struct session *session,
		 const struct message_hello *hello);
void domain_report(struct domain *domain, const struct message_report *report, uint64_t now_usec);
void domain_silent(struct domain *domain);

/* The guest says what makes its signal mislead. */
void domain_notice(struct domain *domain, const struct message_notice *notice);

/* What its HELLO made of its CPUs' ids, as a concern; and the detail that belongs to a concern, "" if
 * there is none. */
uint64_t domain_identity_concerns(const struct domain *domain);
const char *domain_concern_detail(const struct domain *domain, unsigned concern);

/* Those of its concerns that are in mask are now these; logs, within a limit, which came and went. */
void domain_set_concerns(struct domain *domain, uint64_t mask, uint64_t concerns);

/* Takes all floors and ceilings away, also from whoever made one theirs: other means come.
 * domain_run() sets those that are wanted anew. */
void domain_drop_floors(struct domain *domain);
void domain_run(struct domain *domain);

/* Asks the kernel whether what we set still stands. Slow: for now and then. */
void domain_verify(struct domain *domain);

/* Finds out what of the domain makes its signal mislead or floors useless: 3 µs for each vCPU's
 * thread, and as much for each cgroup. */
void domain_look(struct domain *domain);

/* Reads what a vCPU's host CPU delivers now, as FEEDBACK says it: ret->cpu is the guest's number. Whether
 * its thread runs, or waits to. */
bool domain_delivered(const struct domain *domain, unsigned vcpu, struct feedback_vcpu *ret);

/* Whether looks at any of its threads are of use now: domain_see(). */
bool domain_needs_looks(const struct domain *domain);

/* Looks where a vCPU's thread is and what it gets there, for the arbiter, and checks what it claims
 * when that is due. round counts up, 1 at the least: one more with each time that all threads have
 * had their turn. *ret_ran_nsec: for how long it has run since the look of the round before, 0 if
 * there was none. -ESRCH if it has no thread or that is gone, -EAGAIN if there is no use in a look.
 * Three small files; nothing that blocks. domain_run() has to follow. */
int domain_see(struct domain *domain, unsigned vcpu, uint32_t round, uint64_t now_usec,
	       struct thread_look *ret, uint64_t *ret_ran_nsec);

/* What a host CPU delivers now; ret->cpu stays. */
void domain_cpu_delivers(const struct domain_env *env, unsigned cpu, struct feedback_vcpu *ret);
