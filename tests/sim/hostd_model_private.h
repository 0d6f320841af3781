/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What hostd_model.c and its parts share: as hostd/domain.h and hostd/host_private.h. Nobody else
 * includes this. */
#pragma once

#include "hostd/arbiter.h"
#include "hostd/demand.h"
#include "hostd/otherload.h"
#include "hostd/peer.h"
#include "hostd/placement.h"
#include "hostd/plan.h"
#include "hostd/topology.h"
#include "tests/sim/daemon_clock.h"
#include "tests/sim/hostd_model.h"

/* A timer of sd-event's may be this late, as in hostd/domain.c and hostd/session.c. */
#define HOSTD_ACCURACY_USEC USEC_PER_MSEC

#define HOSTD_WRITES_KEPT 8U /* of each vCPU, for the figures */

/* What a look at a thread tells: /proc/TID/stat and /proc/TID/schedstat. As old as the look. */
struct thread_seen {
	bool valid;	     /* it was looked at */
	unsigned cpu;	     /* where it ran last */
	uint64_t run_nsec;   /* counted up */
	uint64_t delay_nsec; /* it waited for a CPU: the guest's steal */
};

/* What a look at a CPU tells: /proc/schedstat, /proc/stat, scaling_cur_freq, cpu_capacity. */
struct cpu_seen {
	bool online;
	uint64_t busy_nsec;  /* of all tasks; booked when one leaves the CPU; counted up */
	uint64_t idle_ticks; /* of 10 ms */
	uint32_t khz, max_khz;
	uint16_t capacity1024;
};

struct hostd_vcpu {
	struct task *thread; /* NULL: none is known */
	struct cpumask allowed;
	struct plan_have have;
	struct feedback_vcpu told;
	bool owed; /* as struct vcpu's */
	struct thread_seen seen;
	bool offline;	      /* libvirt's word */
	bool cpus_are_theirs; /* pinned by the operator */
	uint64_t set_allowed; /* the mask that the thread has by our word, or had when it was found
			       */
	uint64_t found_allowed; /* and without it */
	/* hostd_model_policy.c's */
	struct placement_state placement;
	struct plan_want plan;
	bool hurry;
	uint16_t told1024; /* the demand that the arbiter knows */
	uint64_t run_nsec; /* at the look before */
};

enum hostd_due {
	DUE_IO = 1 << 0,
	DUE_RUN = 1 << 1,
	DUE_FEEDBACK = 1 << 2,
	DUE_SESSION = 1 << 3,
};

/* hostd/session.c's. */
struct hostd_session {
	bool connected;
	bool came_up, went_down; /* not yet taken */
	struct peer peer;
	struct frame_decoder decoder;
	uint64_t resume_usec; /* reading is paused until then; 0: it isn't */
	uint64_t sent_usec;
	uint8_t *waiting; /* in the socket */
	size_t n_waiting;
};

struct hostd_domain {
	struct hostd_model *host;
	struct hostd_domain *next;
	struct hostd_domain *next_ready;
	struct vm *vm;
	struct path *path;
	const struct agent_config *agent;
	unsigned n_vcpus, due; /* enum hostd_due, or-ed */
	struct event timer, feedback_timer, session_timer;
	struct hostd_session session;
	bool has_hello; /* domain->session and domain->hello */
	bool invariant;
	bool follows; /* its guest sets a cpufreq by FEEDBACK */
	unsigned signal;
	struct vcpu_identity identity;
	struct guest_demand demand;
	struct demand *demands;
	struct hostd_vcpu *vcpus;
	uint64_t *written_usec; /* of each vCPU the last HOSTD_WRITES_KEPT writes */
	uint64_t resolve_usec;
	uint32_t feedback_sequence;
	uint32_t number; /* the arbiter's */
};

struct hostd_model {
	struct queue *queue;
	struct machine *machine;
	struct hostd_config config;
	struct arm_figures *figures;
	struct peer_config peer_config;
	struct arbiter *arbiter;
	struct otherload other[SIM_CPUS_MAX];
	uint64_t other_usec, check_usec; /* when they are looked at next */
	struct placement_config placement;
	bool has_cpus; /* actuator_has_cpus() */
	struct task nudge;
	struct hostd_domain *domains;

	/* The process. */
	struct hostd_domain *ready, **last_ready;
	struct event work;
	bool woken;
	uint64_t free_nsec; /* it is busy until then */

	/* hostd_model_look.c */
	struct event look;
	unsigned n_cpus;
	bool looks;
	uint64_t seen_usec; /* 0: never */
	struct cpu_seen cpu[SIM_CPUS_MAX];
};

static inline uint64_t hostd_now_usec(const struct hostd_model *host)
{
	return daemon_usec(host->queue);
}

/* -- hostd_model.c -- */
/* The process is to do that for the domain. */
void hostd_wake(struct hostd_domain *domain, enum hostd_due due);

/* -- hostd_model_session.c -- */
void hostd_session_attach(struct hostd_domain *domain);
/* As on_io() and on_timer() of hostd/session.c. */
void hostd_session_serve(struct hostd_domain *domain, unsigned due);
/* As session_send(). */
int hostd_session_send(struct hostd_domain *domain, const uint8_t *frame, size_t size);

/* -- hostd_model_domain.c: as hostd/domain.c -- */
void hostd_domain_greet(struct hostd_domain *domain, const struct message_hello *hello);
void hostd_domain_report(struct hostd_domain *domain, const struct message_report *report,
			 uint64_t now_usec);
void hostd_domain_silent(struct hostd_domain *domain);
void hostd_domain_update(struct hostd_domain *domain);
void hostd_domain_run(struct hostd_domain *domain);
void hostd_domain_find_threads(struct hostd_domain *domain);
void hostd_domain_on_feedback(struct hostd_domain *domain);

/* -- hostd_model_write.c: the actuators -- */
void hostd_nudge_init(struct hostd_model *host);
void hostd_nudge_done(struct hostd_model *host);
/* As run_plan(): writes what differs. Returns when there is more to do. */
uint64_t hostd_write(struct hostd_domain *domain, unsigned vcpu, const struct plan_want *want,
		     bool hurry, uint64_t now_usec);
/* Whatever was set of the thread is gone with it. */
void hostd_forget_thread(struct hostd_domain *domain, unsigned vcpu);

/* -- hostd_model_policy.c: the arbiter -- */
/* As host_set_policies(). */
bool hostd_policy_init(struct hostd_model *host);
bool hostd_policy_add(struct hostd_domain *domain);
void hostd_policy_remove(struct hostd_domain *domain);
/* A vCPU's thread is another, or may run elsewhere. */
void hostd_policy_thread(struct hostd_domain *domain, unsigned vcpu);
/* Brings the domain to now: from demands to what hostd_write() is called with. Returns when to come
 * again without a report. */
uint64_t hostd_policy_run(struct hostd_domain *domain, uint64_t now_usec);
/* Wakes whoever is concerned by others' news: as on_post() of hostd/host_floors.c. */
void hostd_policy_post(struct hostd_model *host);
/* How often it wants the host to be looked at while something is demanded; 0: never. */
extern const uint64_t hostd_policy_look_nsec;
/* A look at the host is done: host->cpu and each vCPU's seen are new. */
void hostd_policy_looked(struct hostd_model *host, uint64_t now_usec);

/* -- hostd_model_look.c -- */
void hostd_look_init(struct hostd_model *host);
void hostd_look_done(struct hostd_model *host);
/* Something is demanded: looks begin, if they don't go on yet. */
void hostd_look_begin(struct hostd_model *host);
/* As domain_delivered(), a door of its own: the thread's CPU and its frequency at this moment. */
void hostd_delivered(const struct hostd_domain *domain, unsigned vcpu, struct feedback_vcpu *ret);
