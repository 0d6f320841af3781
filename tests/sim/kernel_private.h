/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parts of the kernel's model share. Each of their functions is to be called between
 * kernel_enter() and kernel_leave(), which do what is pending: switches, and the world's callbacks.
 */
#pragma once

#include "common/macro.h"
#include "tests/sim/dice.h"
#include "tests/sim/kernel.h"

#define CAPACITY	1024.
#define BLOCKED_NSEC	(32 * SIM_MSEC) /* LOAD_AVG_PERIOD: how often idle CPUs' averages are aged */
#define UTIL_EST_MARGIN 10.		/* SCHED_CAPACITY_SCALE / 100 */
#define WORK_DONE_NSEC	0.5

enum { CLAMP_MIN, CLAMP_MAX };

/* struct uclamp_rq: each bucket has the highest value that came into it since it was empty. */
struct clamp_rq {
	double value;
	struct {
		unsigned tasks;
		double value;
	} bucket[SIM_BUCKETS_MAX];
};

struct rq {
	struct kernel *kernel;
	unsigned cpu;
	bool online, stolen;
	double capacity, speed, scale;
	double pelt_rate; /* of its PELT clock while it is busy */
	uint64_t clock_nsec;
	double clock_task, clock_pelt, lost_idle;
	struct pelt_model pelt;
	struct load_avg avg; /* as the kernel knows it: of the last update */
	uint64_t updated_nsec;
	bool period_ended, removed; /* an update has something to do */

	struct task *curr, *waiting;
	unsigned n_queued; /* with curr */
	double vtime;	   /* where the next one is placed if there is none */
	bool idle, need_resched;
	struct task *reported; /* whose runs() was told true */
	struct clamp_rq clamp[2];
	bool clamp_idle;

	struct task *arriving; /* wake-ups that wait for the CPU, in order */
	double overhead;       /* work before curr goes on */
	struct event tick, complete;
	struct event leave_idle; /* it is on its way out of its idle state */
	bool awake;		 /* and there */
	uint64_t tick_due_nsec;
	uint64_t idle_since_nsec, idle_calls;
	uint64_t run_nsec, delay_nsec, idle_nsec, steal_nsec, slices, booked_nsec;
	unsigned n_failed; /* balancing */
	uint64_t balance_at_nsec;
};

struct kernel {
	struct queue *queue;
	struct kernel_config config;
	struct kernel_ops ops;
	void *userdata;
	struct rq *rq;
	unsigned n;
	uint64_t online;
	unsigned depth;
	int context; /* the CPU that is doing something now, -1: none in particular */
	struct dice jitter;
	bool asymmetric, overutilized;
	double most_capacity;
	uint64_t blocked_at_nsec, overutilized_at_nsec;
	uint64_t resched, updated, iowait, idle_changed; /* pending, by CPU */
};

#define RQ_FOREACH(rq_, kernel_)                                                                   \
	for (struct rq *rq_ = (kernel_)->rq; rq_ < (kernel_)->rq + (kernel_)->n; rq_++)

void kernel_enter(struct kernel *kernel);
void kernel_leave(struct kernel *kernel);
static inline uint64_t bit_of(unsigned cpu)
{
	return UINT64_C(1) << cpu;
}
static inline struct rq *rq_of(const struct task *task)
{
	return &task->kernel->rq[task->cpu];
}
/* CPUs that it may use and that are there; if there is none, all (select_fallback_rq()). */
static inline uint64_t allowed_online(const struct task *task)
{
	uint64_t both = task->allowed & task->kernel->online;

	return both ? both : task->kernel->online;
}

/* -- load_model.c: clocks and averages -- */
void rq_account(struct rq *rq);	  /* time has passed */
void rq_integrate(struct rq *rq); /* the sums, silently */
void rq_publish(struct rq *rq);	  /* update_cfs_rq_load_avg(): the averages, and cpufreq is told */
void rq_touch(struct rq *rq, bool iowait); /* cpufreq_update_util() */
void rq_go_idle(struct rq *rq);		   /* update_idle_rq_clock_pelt() */
double rq_pelt_clock(const struct rq *rq);
void load_update(struct task *task);	  /* update_load_avg() of an entity, wherever it is */
void load_age_blocked(struct task *task); /* sync_entity_load_avg() */
void load_attach(struct rq *rq, struct task *task);
void load_detach(struct rq *rq, struct task *task, bool at_once);
void load_age_idle(struct kernel *kernel); /* nohz_idle_balance()'s blocked load */
double task_est(const struct task *task);  /* _task_util_est() */
void est_enqueue(struct rq *rq, struct task *task);
void est_dequeue(struct rq *rq, struct task *task);
void est_update(struct rq *rq, struct task *task);

/* -- clamp_model.c -- */
void clamp_init(struct rq *rq);
void clamp_enqueue(struct rq *rq, struct task *task);
void clamp_dequeue(struct rq *rq, struct task *task);
double clamp_of(const struct rq *rq, unsigned which);

/* -- eevdf.c -- */
void eevdf_place(struct rq *rq, struct task *task); /* place_entity() */
void eevdf_leave(struct rq *rq, struct task *task); /* update_entity_lag() */
struct task *eevdf_pick(const struct rq *rq);	    /* pick_eevdf() */
bool eevdf_tick(struct rq *rq);			    /* update_deadline(): its slice is over */

/* -- runqueue.c -- */
void rq_enqueue(struct rq *rq, struct task *task);
void rq_dequeue(struct rq *rq, struct task *task, bool sleeps);
void rq_move(struct task *task, unsigned cpu); /* a queued one */
bool rq_interrupt(struct rq *rq);
void rq_schedule(struct rq *rq);
void rq_program(struct rq *rq);
void rq_tick(struct event *event);
void rq_complete(struct event *event);
void rq_leave_idle(struct event *event);
void rq_resched(struct rq *rq);

/* -- placement_model.c, eas_model.c -- */
unsigned place_wakeup(struct task *task, unsigned waker);
double place_util(const struct rq *rq, const struct task *task, int dst,
		  bool boost);						  /* cpu_util() */
int place_fits(double util, double min, double max, const struct rq *rq); /* util_fits_cpu() */
bool place_task_fits(const struct task *task, const struct rq *rq);	  /* task_fits_cpu() */
int eas_place(struct task *task, unsigned prev);			  /* -1: it can't say */
void eas_update_overutilized(struct rq *rq);
void eas_reset_overutilized(struct kernel *kernel);

/* -- balance.c -- */
void balance_newidle(struct rq *rq);
void balance_tick(struct rq *rq);
