/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counters -> utilization of each CPU, in the unit of the kernel's PELT. Pure.
 *
 * blend.c says how long a CPU was busy, pelt.c what that makes of its average; here are the stolen
 * time, our own time, and the window.
 *
 * Stolen time is neither busy nor idle: it is cut out of time, as the kernel's PELT clock does
 * (update_rq_clock_task()), so a task that always wants the CPU reads 1024 however much is stolen.
 *
 * Time is CLOCK_MONOTONIC. In suspend it stands still, and so do the counters, for the kernel takes
 * them from that clock and from ticks: the samples before and after are neighbours, tasks go on as
 * they were, and CLOCK_BOOTTIME would only make a gap of it. A guest that is paused, saved or
 * restored finds the same, or its clock has gone on (a TSC that nobody stopped): then the gap says
 * that the two samples are strangers. What is booked later of the time before it doesn't count. */
#include "guestd/estimate.h"

#include <stdlib.h>
#include <string.h>

#include "common/macro.h"
#include "guestd/blend.h"
#include "common/pelt.h"

#define SEGMENTS 32U
#define GAP_MAX	 (3600 * USEC_PER_SEC * NSEC_PER_USEC)
/* By how much more than the sample was long the idle time may go ahead: it is booked by ticks and
 * read in another instant, but never so late. */
#define LEAP_NSEC   (10 * USEC_PER_SEC * NSEC_PER_USEC)
#define ACTIVE_PART 32
/* 31/32: a sample's time is not read in the same instant as its counters. */
#define SATURATED_1024 992U

/* A piece of the recent past, for the window. */
struct segment {
	uint32_t nsec;
	uint32_t busy_nsec;
};

struct cpu_state {
	bool present;
	bool is_active; /* in the last sample */
	struct cpu_counters last;
	struct blend blend;
	struct pelt pelt;
	uint64_t open_nsec;   /* before the sample: what isn't booked yet ran in it */
	uint64_t stolen_nsec; /* reported by the kernel and not yet taken off */
	uint64_t run_delay_nsec, steal_nsec; /* of the last sample */
	unsigned n_segments, newest;
	struct segment segment[SEGMENTS];
};

struct estimator {
	uint64_t window_nsec, gap_nsec;
	uint64_t stamp_nsec, self_run_nsec;
	uint32_t self_cpu;
	bool primed;	/* stamp_nsec is set */
	bool has_sched; /* the last sample had schedstat */
	bool active;
	unsigned n_cpus; /* those from here on were never there */
	struct cpu_state cpu[CPUMASK_CPUS];
};

/* One CPU's sample, from two sets of counters. */
struct sample {
	struct blend_sample blend;
	uint64_t steal_nsec, delay_nsec;
	uint64_t own_nsec; /* what the reader itself ran there */
	uint16_t scale1024;
};

struct estimator *estimator_new(uint64_t window_nsec, uint64_t gap_nsec)
{
	struct estimator *estimator = calloc(1, sizeof(*estimator));

	if (estimator)
		estimator_configure(estimator, window_nsec, gap_nsec);
	return estimator;
}

void estimator_free(struct estimator *estimator)
{
	free(estimator);
}

void estimator_configure(struct estimator *estimator, uint64_t window_nsec, uint64_t gap_nsec)
{
	estimator->window_nsec =
		CLAMP(window_nsec, USEC_PER_MSEC * NSEC_PER_USEC, USEC_PER_SEC * NSEC_PER_USEC);
	estimator->gap_nsec = MIN(gap_nsec, GAP_MAX);
}

/* Remembers a piece for the window, the last part of it if it is longer than that. */
static void remember(struct cpu_state *cpu, uint64_t window_nsec, uint64_t nsec, uint64_t busy_nsec)
{
	struct segment *last = &cpu->segment[cpu->newest];

	if (nsec == 0)
		return;
	if (nsec > window_nsec) {
		busy_nsec = busy_nsec * PELT_ONE / nsec * window_nsec / PELT_ONE;
		nsec = window_nsec;
	}
	/* Join small ones, so that SEGMENTS of them always fill the window. */
	if (cpu->n_segments > 0 && last->nsec + nsec <= window_nsec / (SEGMENTS / 2)) {
		last->nsec += (uint32_t)nsec;
		last->busy_nsec += (uint32_t)busy_nsec;
		return;
	}
	cpu->newest = (cpu->newest + 1) % SEGMENTS;
	cpu->n_segments = MIN(cpu->n_segments + 1, SEGMENTS);
	cpu->segment[cpu->newest] = (struct segment){(uint32_t)nsec, (uint32_t)busy_nsec};
}

/* The busy share of the window that ends now, 0..1024. */
static uint32_t window_share(const struct cpu_state *cpu, uint64_t window_nsec)
{
	uint64_t left = window_nsec, busy = 0;

	for (unsigned i = 0; i < cpu->n_segments && left > 0; i++) {
		const struct segment *s = &cpu->segment[(cpu->newest + SEGMENTS - i) % SEGMENTS];
		uint64_t part = MIN(left, s->nsec);

		busy += (uint64_t)s->busy_nsec * part / s->nsec;
		left -= part;
	}
	return (uint32_t)(busy * CAPACITY_SCALE / window_nsec);
}

/* Takes the stolen time out of a sample of which `occupied` was not idle. The kernel books it by
 * ticks, up to one unit late: what doesn't fit in is kept for the next sample, but not for long. */
static uint64_t take_stolen(struct cpu_state *cpu, const struct sample *sample, uint64_t occupied)
{
	uint64_t stolen;

	cpu->stolen_nsec += sample->steal_nsec;
	stolen = MIN(cpu->stolen_nsec, occupied);
	cpu->stolen_nsec = MIN(cpu->stolen_nsec - stolen, COUNTERS_TICK_NSEC);
	return stolen;
}

/* Time passes for the estimates. */
static void advance(const struct estimator *estimator, struct cpu_state *cpu, uint16_t scale1024,
		    uint64_t nsec, uint64_t busy_nsec)
{
	pelt_advance(&cpu->pelt, scale1024, &nsec, &busy_nsec);
	remember(cpu, estimator->window_nsec, nsec, busy_nsec);
}

/* What ran before the last booking was booked then, or when the CPU idled; so what is booked now
 * has run since. A counter that has more has leapt (the guest was stopped meanwhile). */
static int64_t believable(struct cpu_state *cpu, const struct blend_sample *sample,
			  const struct blended *blended)
{
	uint64_t open = cpu->open_nsec + sample->nsec, age = blended->age_nsec;
	int64_t most = (int64_t)MIN(open - MIN(open, age), INT64_MAX);

	cpu->open_nsec = open;
	if (sample->run_nsec > 0 || sample->idle_nsec > 0)
		cpu->open_nsec = MIN(open, sample->nsec + COUNTERS_TICK_NSEC);
	return MIN(blended->past_nsec, most);
}

static void estimate_cpu(const struct estimator *estimator, struct cpu_state *cpu,
			 const struct sample *sample)
{
	uint64_t stolen, nsec = sample->blend.nsec, busy, recent;
	struct blended blended;
	bool idled;

	blend_update(&cpu->blend, &sample->blend, cpu->pelt.util >> PELT_SHIFT, &blended);
	idled = blended.busy_nsec < nsec;
	stolen = take_stolen(cpu, sample, blended.busy_nsec);
	nsec -= stolen;
	busy = blended.busy_nsec - stolen;
	/* What watching costs is no demand, where nobody had to wait for it: on a slow machine it
	 * would keep the guest from ever being idle. */
	if (idled)
		busy -= MIN(busy, sample->own_nsec);
	recent = MIN(blended.recent_nsec, busy);
	advance(estimator, cpu, sample->scale1024, nsec - recent, busy - recent);
	advance(estimator, cpu, sample->scale1024, recent, recent);
	pelt_correct(&cpu->pelt, believable(cpu, &sample->blend, &blended), blended.age_nsec);
	/* Not by the sample alone: an idle guest's timers fill a part of a short one, ten times a
	 * second, and would have it looked at for ever. */
	cpu->is_active = cpu->blend.tenant == BLEND_TASK ||
			 (busy > nsec / ACTIVE_PART && cpu->pelt.util > PELT_ONE / ACTIVE_PART);
	cpu->run_delay_nsec = sample->delay_nsec;
	cpu->steal_nsec = sample->steal_nsec;
}

/* -ESTALE if the two sets can't belong together: the CPU left and came back in between, or the
 * guest was stopped and its idle time wasn't. */
static int compare(const struct cpu_counters *old, const struct cpu_counters *new, bool has_sched,
		   struct sample *sample)
{
	uint64_t iowait = new->iowait_ticks - MIN(new->iowait_ticks, old->iowait_ticks);

	if (new->idle_ticks < old->idle_ticks || new->steal_ticks < old->steal_ticks)
		return -ESTALE;
	if (has_sched && (new->run_nsec < old->run_nsec || new->slices < old->slices))
		return -ESTALE;
	sample->blend.iowait_moved = new->iowait_ticks != old->iowait_ticks;
	sample->blend.idle_nsec = (new->idle_ticks - old->idle_ticks + iowait) * COUNTERS_TICK_NSEC;
	if (sample->blend.idle_nsec > sample->blend.nsec + LEAP_NSEC)
		return -ESTALE;
	sample->steal_nsec = (new->steal_ticks - old->steal_ticks) * COUNTERS_TICK_NSEC;
	sample->blend.has_sched = has_sched;
	if (has_sched) {
		sample->blend.run_nsec = new->run_nsec - old->run_nsec;
		sample->blend.slices = new->slices - old->slices;
		sample->delay_nsec = new->delay_nsec - MIN(new->delay_nsec, old->delay_nsec);
	}
	return 0;
}

/* Forgets what is known of the moment; the utilization stays, for nothing says that it changed. */
static void rebase(struct cpu_state *cpu)
{
	cpu->blend = (struct blend){};
	cpu->pelt.behind_nsec = cpu->stolen_nsec = cpu->open_nsec = 0;
	cpu->run_delay_nsec = cpu->steal_nsec = 0;
	cpu->n_segments = 0;
	cpu->is_active = false;
}

static void update_cpu(struct estimator *estimator, unsigned i, const struct counters *counters,
		       uint64_t nsec, const uint16_t *scale1024)
{
	bool has_sched = counters->has_schedstat && estimator->has_sched;
	struct cpu_state *cpu = &estimator->cpu[i];
	struct sample sample = {
		.blend.stamp_nsec = counters->stamp_nsec,
		.blend.nsec = nsec,
		.blend.is_self = counters->self_cpu == i,
		/* Most of the work is done after the sample, where that was taken. */
		.own_nsec = estimator->self_cpu == i &&
					    counters->self_run_nsec > estimator->self_run_nsec
				    ? counters->self_run_nsec - estimator->self_run_nsec
				    : 0,
		.scale1024 = scale1024 ? CLAMP(scale1024[i], 1, CAPACITY_SCALE) : CAPACITY_SCALE,
	};

	if (!cpumask_has(&counters->present, i)) {
		memset(cpu, 0, sizeof(*cpu));
		return;
	}
	if (!cpu->present || nsec > estimator->gap_nsec ||
	    compare(&cpu->last, &counters->cpu[i], has_sched, &sample) < 0)
		rebase(cpu);
	else
		estimate_cpu(estimator, cpu, &sample);
	/* What has run since before we came is as good as what we saw. */
	if (!cpu->present)
		cpu->open_nsec = UINT64_MAX / 2;
	cpu->present = true;
	cpu->last = counters->cpu[i];
	if (cpu->is_active)
		estimator->active = true;
}

void estimator_update(struct estimator *estimator, const struct counters *counters,
		      const uint16_t *scale1024)
{
	uint64_t nsec = estimator->gap_nsec + 1; /* the first sample is like one after a gap */

	if (estimator->primed && counters->stamp_nsec >= estimator->stamp_nsec)
		nsec = counters->stamp_nsec - estimator->stamp_nsec;
	if (nsec == 0)
		return; /* the counters' difference is kept for the next */
	CPUMASK_FOREACH(i, &counters->present)
		estimator->n_cpus = MAX(estimator->n_cpus, i + 1);
	estimator->active = false;
	for (unsigned i = 0; i < estimator->n_cpus; i++)
		update_cpu(estimator, i, counters, nsec, scale1024);
	estimator->stamp_nsec = counters->stamp_nsec;
	estimator->self_cpu = counters->self_cpu;
	estimator->self_run_nsec = counters->self_run_nsec;
	estimator->has_sched = counters->has_schedstat;
	estimator->primed = true;
}

static uint32_t nsec_to_usec32(uint64_t nsec)
{
	return (uint32_t)MIN(nsec / NSEC_PER_USEC, UINT32_MAX);
}

void estimator_get(const struct estimator *estimator, unsigned cpu, struct estimate *ret)
{
	const struct cpu_state *state;
	uint32_t share;

	*ret = ESTIMATE_UNKNOWN;
	if (cpu >= estimator->n_cpus || !estimator->cpu[cpu].present)
		return;
	state = &estimator->cpu[cpu];
	share = window_share(state, estimator->window_nsec);
	ret->util_avg = (uint16_t)((state->pelt.util + (1U << (PELT_SHIFT - 1))) >> PELT_SHIFT);
	ret->util_est = (uint16_t)MAX(MAX(state->pelt.peak >> PELT_SHIFT, share), ret->util_avg);
	ret->saturated = share >= SATURATED_1024;
	ret->run_delay_usec = nsec_to_usec32(state->run_delay_nsec);
	ret->steal_usec = nsec_to_usec32(state->steal_nsec);
}

bool estimator_is_active(const struct estimator *estimator)
{
	return estimator->active;
}
