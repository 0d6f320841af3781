/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A CPU whose every burst is known, seen through counters that behave as the kernel's do: idle time
 * printed in units of 10 ms, run time booked when a burst ends. And the truth: PELT of it, in
 * floating point. */
#pragma once

#include "tests/unit/test.h"

#include "guestd/estimate.h"

#define MSEC   UINT64_C(1000000)
#define STEP   UINT64_C(100000)	  /* the simulated CPU's resolution, ns */
#define STEP_Y 0.9979363925978532 /* 2^(-STEP / 2^25): PELT's decay in it */
#define WINDOW (20 * MSEC)
#define GAP    (2000 * MSEC)
#define TICK   (4 * MSEC)
#define CPU    1U
#define OTHER  0U /* where the reader itself runs */

/* A CPU that does as a function says, and its counters. */
struct sim {
	uint64_t now, idle, stolen, run, booked, slices;
	bool was_busy;
	double util; /* the truth: PELT of it */
	bool no_sched;
	bool by_ticks; /* idle time as newer kernels count it in short naps: a whole tick or none */
	struct counters *counters;
	struct estimator *estimator;
};

typedef bool (*load_t)(uint64_t now);

static inline void sim_init(struct sim *sim)
{
	*sim = (struct sim){.now = 1234567 * STEP, .idle = 3700000};
	sim->counters = calloc(1, sizeof(*sim->counters));
	sim->estimator = estimator_new(WINDOW, GAP);
	assert_non_null(sim->counters);
	assert_non_null(sim->estimator);
}

static inline void sim_done(struct sim *sim)
{
	free(sim->counters);
	estimator_free(sim->estimator);
}

static inline void sim_step(struct sim *sim, bool busy)
{
	if (busy && !sim->was_busy)
		sim->slices++;
	if (!busy && sim->was_busy) {
		sim->booked += sim->run;
		sim->run = 0;
	}
	if (busy)
		sim->run += STEP;
	else if (!sim->by_ticks)
		sim->idle += STEP;
	else if (sim->now % TICK == 0)
		sim->idle += TICK;
	sim->was_busy = busy;
	sim->util = sim->util * STEP_Y + (busy ? 1024 * (1 - STEP_Y) : 0);
	sim->now += STEP;
}

/* The host doesn't let it run: time passes and nothing gets done. A task that has the CPU keeps it,
 * and the kernel's PELT clock stands still (update_rq_clock_task()). */
static inline void sim_step_stolen(struct sim *sim)
{
	sim->stolen += STEP;
	sim->run += STEP;
	sim->now += STEP;
}

static inline void sim_sample_on(struct sim *sim, const uint16_t *scale, uint32_t self_cpu)
{
	struct counters *c = sim->counters;

	cpumask_clear(&c->present);
	cpumask_set(&c->present, CPU);
	c->stamp_nsec = sim->now;
	c->has_schedstat = !sim->no_sched;
	c->self_cpu = self_cpu;
	c->cpu[CPU].idle_ticks = 1000 + sim->idle / COUNTERS_TICK_NSEC;
	c->cpu[CPU].steal_ticks = sim->stolen / COUNTERS_TICK_NSEC;
	c->cpu[CPU].run_nsec = 777 + sim->booked;
	c->cpu[CPU].slices = sim->slices;
	estimator_update(sim->estimator, c, scale);
}

static inline void sim_sample(struct sim *sim, const uint16_t *scale)
{
	sim_sample_on(sim, scale, OTHER);
}

static inline struct estimate sim_run(struct sim *sim, load_t load, uint64_t nsec)
{
	struct estimate estimate;

	for (uint64_t end = sim->now + nsec; sim->now < end;)
		sim_step(sim, load(sim->now));
	sim_sample(sim, NULL);
	estimator_get(sim->estimator, CPU, &estimate);
	return estimate;
}

static uint64_t period_nsec, busy_nsec;

static inline bool load_duty(uint64_t now)
{
	return now % period_nsec < busy_nsec;
}

static inline bool load_full(_unused_ uint64_t now)
{
	return true;
}

static inline bool load_none(_unused_ uint64_t now)
{
	return false;
}
