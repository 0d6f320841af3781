/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A kernel's fair scheduler: run queues, load tracking with util_est, wake-up placement, balancing,
 * uclamp. The host has one, and each guest has one of the same kind; what differs is what its CPUs are:
 * those of a machine, which are always there, or vCPUs, which run when their threads do.
 *
 * Time is nsec of the queue. Work is nsec at the speed of a CPU of capacity 1024 at its highest
 * frequency. A speed is 0..1 of that. Utilization is 0..1024, and not rounded. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/pelt_model.h"
#include "tests/sim/queue.h"

#define SIM_CPUS_MAX	64U /* of one kernel */
#define SIM_BUCKETS_MAX 20U /* CONFIG_UCLAMP_BUCKETS_COUNT's own limit */

struct kernel;
struct task;

/* As struct sched_avg (include/linux/sched.h), of a task or of a run queue. */
struct load_avg {
	double util_avg, runnable_avg; /* when the kernel last computed them */
	double util_est;      /* of a run queue: the sum over its enqueued tasks */
	uint64_t update_nsec; /* of the run queue's PELT clock */
};

/* How a kernel is built and what its CPUs are. The defaults, by kernel_config_init(), are those of a
 * 7.3 kernel on four equal CPUs. */
struct kernel_config {
	unsigned n_cpus;
	double capacity[SIM_CPUS_MAX]; /* 1..1024: of its highest frequency */
	unsigned domain[SIM_CPUS_MAX]; /* energy-aware scheduling's performance domains */
	bool energy_aware;	       /* EAS places (find_energy_efficient_cpu()) */
	uint64_t tick_nsec;
	uint64_t slice_nsec;	       /* 0: as the kernel makes it of the number of CPUs */
	uint64_t wake_nsec;	       /* from a wake-up on an idle CPU until the task runs there: the way out of the
					* idle state, the interrupt, the switch; 0: none */
	uint64_t wake_jitter_nsec;     /* exponentially distributed with that mean, on top of it */
	uint64_t seed;		       /* of that: the run's */
	double tick_work_nsec;	       /* what a tick costs: a guest's makes it exit */
	unsigned uclamp_buckets;       /* 5; 0: no uclamp; at most SIM_BUCKETS_MAX */
	bool invariant;		       /* load tracking counts at kernel_set_speed()'s scale */
	bool runnable_boost;	       /* schedutil looks at runnable_avg, since 6.5 */
	bool est_keeps;		       /* util_est doesn't fall of a task that had to wait, since 6.8 */
};
void kernel_config_init(struct kernel_config *config);

/* What the world around does when something happens in a kernel. Any may be NULL. They are called when the kernel
 * has settled, so they may call back into it; of several updates of a CPU at one moment there is one call. */
struct kernel_ops {
	/* A run queue's averages have been updated (the tracepoints pelt_cfs and sched_util_est_cfs).
	 * iowait: by a task that comes back from waiting for I/O. */
	void (*updated)(void *userdata, unsigned cpu, bool iowait);
	/* The same for cpufreq alone, in the middle of sched_setattr(), when the task's clamps and util_est are off the run
	 * queue. It may not call back. */
	void (*updated_without)(void *userdata, unsigned cpu);
	/* A CPU has nothing more to run; or it has something again. */
	void (*idle)(void *userdata, unsigned cpu, bool idle);
	/* A task got a CPU, or lost it. */
	void (*switched)(void *userdata, unsigned cpu, struct task *task, bool runs);
	/* Power of a domain for EAS: of its CPUs at these sums (em_cpu_energy()). */
	double (*energy)(void *userdata, unsigned domain, double max_util, double sum_util);
	/* May a CPU take an interrupt now? If not (a vCPU whose thread doesn't run), the world brings that about,
	 * and then calls kernel_arrived(). NULL: always. Called at once, so it may not call back. */
	bool (*interrupt)(void *userdata, unsigned cpu);
};

struct kernel *kernel_new(struct queue *queue, const struct kernel_config *config,
			  const struct kernel_ops *ops, void *userdata);
void kernel_free(struct kernel *kernel);

/* How fast a CPU works from now on: 0 is a vCPU whose thread waits for a CPU, whose time then is stolen. (One that
 * is halted keeps its speed: nothing runs on it before kernel_arrived().) And the frequency scale (0..1) that this
 * kernel's load tracking applies if it is invariant, which a guest may have wrong; it is of the CPU's capacity. */
void kernel_set_speed(struct kernel *kernel, unsigned cpu, double speed, double scale);
double kernel_speed(const struct kernel *kernel, unsigned cpu);
double kernel_scale(const struct kernel *kernel, unsigned cpu);

/* A CPU whose `interrupt` said no takes interrupts now: what waited for it wakes up. */
void kernel_arrived(struct kernel *kernel, unsigned cpu);
/* Work that the kernel itself, or what is below it, has to do on a CPU before its task goes on. */
void kernel_charge(struct kernel *kernel, unsigned cpu, double work_nsec);
bool kernel_has_work(const struct kernel *kernel, unsigned cpu); /* a task, or one that is about to wake there */
const struct kernel_config *kernel_config(const struct kernel *kernel);

/* A CPU comes or goes; its tasks move. At least one must stay. */
void kernel_set_online(struct kernel *kernel, unsigned cpu, bool online);
bool kernel_is_online(const struct kernel *kernel, unsigned cpu);

/* -- tasks -- */

struct task_ops {
	void (*done)(struct task *task); /* the work that was given is done; give more, or it sleeps */
	/* For a vCPU's thread, which has no work of its own but runs for as long as it is awake. */
	void (*runs)(struct task *task, bool runs);		 /* got a CPU, lost it */
	void (*speed)(struct task *task, double speed, double scale); /* its CPU's changed while it ran */
};

struct task {
	struct kernel *kernel;
	const struct task_ops *ops;
	void *userdata;
	const char *name;
	uint64_t allowed;    /* CPUs, by bit */
	unsigned cpu;	     /* where it is or was last */
	unsigned weight;     /* 1024 is nice 0 */
	bool queued, running;
	bool endless;	     /* no work of its own */
	double work_nsec;    /* left */
	uint16_t uclamp_min, uclamp_max;
	double util_guest;   /* the KVM-CPUFreq patches: what the guest says it is; 0: nothing */
	struct load_avg avg;
	/* Counted up, for metrics and for the doors' stand-ins. What it has run and done is of its CPU's last event:
	 * kernel_view() of that CPU brings it up to now. */
	uint64_t run_nsec, delay_nsec, switches, migrations;
	double done_nsec; /* work */
	/* The scheduler's own. */
	struct pelt_model pelt;
	bool period_ended;	/* since avg was computed */
	bool est_unchanged;	/* UTIL_AVG_UNCHANGED: nothing new to learn for util_est */
	bool attached;		/* its averages are part of its CPU's */
	bool waking, iowait;	/* it waits for its CPU to take the interrupt */
	double est_counted;	/* in the run queue's sum */
	uint16_t clamp_counted[2];
	double vruntime, deadline, vlag;
	uint64_t since_nsec;	/* it waits; or it runs */
	struct task *next;
};

/* A new task, asleep, with the name's owner outliving it. */
void task_init(struct task *task, struct kernel *kernel, const char *name, uint64_t allowed,
	       const struct task_ops *ops, void *userdata);
/* Gives it work and wakes it if it sleeps. iowait: it waited for I/O. */
void task_wake(struct task *task, double work_nsec, bool iowait);
/* It goes to sleep now, whatever it had to do (an endless one's way). */
void task_sleep(struct task *task);
/* sched_setattr(): takes effect at once, on the run queue too. */
void task_set_uclamp(struct task *task, uint16_t min, uint16_t max);
/* sched_setaffinity(): moves it if it has to. Never empty. */
void task_set_allowed(struct task *task, uint64_t allowed);
/* Moves it to a CPU, whatever the balancer would do: what a guest's balancer did by a timetable. */
void task_move(struct task *task, unsigned cpu);
void task_set_util_guest(struct task *task, double util);
void task_remove(struct task *task); /* for good */

/* -- looking; all brought up to now -- */

struct cpu_view {
	double util_avg, util_est, runnable_avg; /* of the root run queue */
	double uclamp_min, uclamp_max;		 /* of its runnable tasks, by buckets */
	unsigned n_running;
	bool idle;
	uint64_t idle_since_nsec;
	uint64_t update_nsec;			 /* of the averages, in queue time */
	uint64_t run_nsec, delay_nsec, idle_nsec; /* as /proc/schedstat and /proc/stat, counted up */
	uint64_t steal_nsec;			 /* wanted to run, and had no speed */
	uint64_t slices;			 /* /proc/schedstat's ninth: tasks that got it */
	uint64_t booked_nsec;			 /* and its seventh: run time, booked at switches */
};
void kernel_view(struct kernel *kernel, unsigned cpu, struct cpu_view *ret);

/* A run queue as its own kernel's cpufreq, and eBPF, see it: as it was at its last update. */
struct cpu_signal {
	double util_avg, util_est, runnable_avg;
	double uclamp_min, uclamp_max;
	uint64_t idle_calls;  /* how often it has gone idle: tick_nohz_get_idle_calls_cpu() */
	uint64_t update_nsec; /* of the queue's time */
	bool idle;
};
void kernel_signal(const struct kernel *kernel, unsigned cpu, struct cpu_signal *ret);
double task_util(struct task *task);	 /* task's util_avg, now */
