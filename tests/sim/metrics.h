/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a run's bursts amount to, and what runs in several arms say together. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/sim/world.h"

#define METRICS_NAME_MAX   24U
#define METRICS_GROUPS_MAX 16U

/* One piece of work that somebody waits for: a period's, a frame, a request. Times are of the
 * load's own clock. */
struct metrics_burst {
	uint64_t released_nsec, ended_nsec; /* SIM_NEVER: not yet */
	uint64_t deadline_nsec;		    /* after the release; SIM_NEVER: none */
	double work_nsec;
	bool dropped; /* nobody began it: it has missed its deadline, and has no time */
};

/* All bursts of a load, in all the VMs that run it. */
struct metrics_group {
	char name[METRICS_NAME_MAX];
	bool neighbour, background;
	size_t n, room;
	struct metrics_burst *bursts;
	bool no_memory;
	double offered_nsec, offered_all_nsec; /* work, since the warm-up; since the beginning */
	double done_nsec;		       /* work of its tasks since the warm-up */
	double mhz_nsec;		       /* frequency x time while a task ran */
	double running_nsec;
	uint64_t step_every_nsec; /* its load steps so often; 0: it doesn't */
	uint64_t step_from_nsec;  /* the first step's time */
	/* Is told of each end, if it is there. */
	void (*ended)(const struct metrics_group *group, const struct metrics_burst *burst);
	void *userdata;
};

/* A new burst; its number, for metrics_end(). It's forgotten, and SIZE_MAX, if there is no memory.
 */
size_t metrics_begin(struct metrics_group *group, uint64_t released_nsec, uint64_t deadline_nsec,
		     double work_nsec);
/* There is more to it than was known. */
void metrics_more(struct metrics_group *group, size_t burst, double work_nsec);
/* It will never be begun, and its work isn't offered. */
void metrics_drop(struct metrics_group *group, size_t burst);
void metrics_end(struct metrics_group *group, size_t burst, uint64_t ended_nsec);

struct group_figures {
	char name[METRICS_NAME_MAX];
	bool neighbour, background;
	unsigned bursts, finished; /* of those that count */
	unsigned due, missed;	   /* of those with a deadline that is over */
	double mean_nsec, median_nsec, p95_nsec;
	double stretch; /* time of all bursts / their work: 1 at the highest speed */
	double offered_nsec, done_nsec;
	double mhz;	    /* mean while it ran */
	double settle_nsec; /* mean after a step of the load; below 0: nothing to tell it by */
};

/* Of the bursts that were released from begin on and before end. One that hasn't ended counts with
 * its age at `now`, and has missed a deadline that is over. */
void metrics_figures(const struct metrics_group *group, uint64_t begin_nsec, uint64_t end_nsec,
		     uint64_t now_nsec, struct group_figures *ret);

/* One run. */
struct run_figures {
	int status; /* -errno: it couldn't be made */
	double energy_mj;
	double work_nsec;     /* of all tasks in VMs (and native's), without the host's own load */
	double all_work_nsec; /* with it */
	double changes_per_sec;
	double mean_mhz;  /* of all CPUs at all times */
	double top_mhz;	  /* the most that the first CPU of largest capacity can do */
	double throttled; /* share of the time */
	double length_nsec;
	uint64_t events, wall_usec;
	uint64_t memory_kb; /* the process's largest */
	struct arm_figures arm;
	unsigned n_groups;
	struct group_figures groups[METRICS_GROUPS_MAX];
};

/* mJ per second of work; below 0 if there was none. */
double run_energy_per_work(const struct run_figures *run);
const struct group_figures *run_group(const struct run_figures *run, const char *name);

/* -- comparing arms: each is a list of runs, one for each seed, in the same order -- */

struct comparison {
	bool present;		      /* there is something to tell it by */
	double value;		      /* the median over the seeds */
	double worst;		      /* of the seeds */
	unsigned seed;		      /* the worst one's place in the list */
	char group[METRICS_NAME_MAX]; /* the worst group, whose value it is */
};

/* Runs of one scenario in all arms. runs[arm] is NULL if that arm wasn't run. */
struct runs {
	unsigned n_seeds;
	const struct run_figures *runs[ARM_N];
};

/* A group has a gap in burst time if without's stretch is at least 10 % above native's (medians
 * over the seeds); in missed deadlines if without misses at least 10 % more than native, and 1
 * point of 100 more. */
#define METRICS_GAP	   0.10
#define METRICS_GAP_POINTS 0.01

/* The largest gap of any group: without / native - 1 of the stretch; or points of missed deadlines.
 */
struct comparison metrics_gap(const struct runs *runs);
struct comparison metrics_gap_misses(const struct runs *runs);
/* (without - arm) / (without - native), of the group that has the lowest, over the groups with a
 * gap. */
struct comparison metrics_parity(const struct runs *runs, enum arm_kind arm);
struct comparison metrics_parity_misses(const struct runs *runs, enum arm_kind arm);
/* What the worst group loses against no help. Without deadlines: its stretch / without's - 1. With:
 * the same against the slower of without and native, since being as slow as on the host harms
 * nobody who keeps deadlines; and the missed deadlines' points above the larger of theirs,
 * whichever is more. */
struct comparison metrics_loss(const struct runs *runs, enum arm_kind arm);
/* Energy per work, arm / other. */
struct comparison metrics_energy(const struct runs *runs, enum arm_kind arm, enum arm_kind other);
/* Work that neighbours got done, arm / without: the worst group. */
struct comparison metrics_neighbours(const struct runs *runs, enum arm_kind arm);

/* The median of values, which it sorts. 0 of none. */
double metrics_median(double *values, size_t n);
