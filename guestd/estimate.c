/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counters -> utilization of each CPU, in the unit of the kernel's PELT. Pure.
 *
 * Two sources, each good at what the other is bad at:
 *
 * /proc/schedstat adds up to the nanosecond how long tasks ran, but books a task's time when it
 * leaves the CPU. What a lone hog uses shows up late and in one lump. It counts arrivals at once.
 *
 * /proc/stat's idle time is exact at any moment, but printed in units of 10 ms: over a sample of
 * 10 ms it is 0, 1 or 2, and says nothing alone.
 *
 * The blend follows one quantity, how long the CPU idled, between the bounds that both set:
 * - guess: from schedstat, what was booked was not idle; from its arrivals, a CPU that a task got
 *   and that none has left since did not idle at all (struct cpu_state's `tenant`);
 * - correct: the sum of the guesses may leave the printed number neither behind nor ahead by more
 *   than its unit (`phase`). So an error of the guesses can't add up, and a hog shows within 10 ms
 *   even without schedstat;
 * - what was credited as busy before it was booked is remembered (`lead`) and taken off when the
 *   booking comes. Any switch books all that ran before it, so a lead that is left then was no
 *   task's time (interrupts on an idle CPU), and is forgotten.
 *
 * Stolen time is neither busy nor idle: it is cut out of time, as the kernel's PELT clock does
 * (update_rq_clock_task()), so a task that always wants the CPU reads 1024 however much is stolen.
 */
#include "guestd/estimate.h"

#include <stdlib.h>
#include <string.h>

#include "common/macro.h"

#define UTIL_SHIFT    10 /* inside, utilization has this many more bits */
#define UTIL_ONE      (CAPACITY_SCALE << UTIL_SHIFT)
#define PERIOD_SHIFT  20 /* PELT's period is 1024 x 1024 ns */
#define HALF_LIFE     32 /* periods */
#define IOWAIT_MEMORY (250 * USEC_PER_MSEC * NSEC_PER_USEC)
#define STIR_NSEC     (32 * USEC_PER_MSEC * NSEC_PER_USEC)
#define GAP_MAX	      (3600 * USEC_PER_SEC * NSEC_PER_USEC)
#define BEHIND_MAX    (USEC_PER_SEC * NSEC_PER_USEC)
#define FULL_1024     1002U /* (LOAD_AVG_MAX - 1024) / LOAD_AVG_MAX: the kernel takes it for full */
#define SEGMENTS      32U
#define SATURATED_1024                                                                             \
	992U /* 31/32: a sample's time is not read in the same instant as its counters */

/* A piece of the recent past, for the window. */
struct segment {
	uint32_t nsec;
	uint32_t busy_nsec;
};

/* Whether a task holds the CPU. */
enum tenant { TENANT_UNKNOWN, TENANT_NONE, TENANT_TASK };

struct cpu_state {
	bool present;
	enum tenant tenant;
	struct cpu_counters last;
	uint64_t phase_nsec;   /* idle time passed since /proc/stat's number last moved */
	uint64_t lead_nsec;    /* credited as busy, and not yet booked by schedstat */
	uint64_t entry_nsec;   /* of that, in the sample in which the tenant came */
	uint64_t stolen_nsec;  /* reported by the kernel and not yet taken off */
	uint64_t behind_nsec;  /* by how much the scaled clock is behind */
	uint64_t iowait_until; /* the iowait number moved not long ago */
	uint32_t util;	       /* PELT's average, UTIL_SHIFT */
	uint32_t peak;	       /* the highest of it, falling at half its speed */
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
	bool stirring;
	unsigned n_cpus; /* those from here on were never there */
	struct cpu_state cpu[CPUMASK_CPUS];
};

/* One CPU's sample, from two sets of counters. */
struct sample {
	uint64_t stamp_nsec, nsec;
	uint64_t idle_nsec, steal_nsec; /* in units of COUNTERS_TICK_NSEC */
	bool iowait_moved;
	uint64_t run_nsec, delay_nsec, slices;
	bool has_sched, is_self;
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

uint64_t estimate_decay(uint64_t value, uint64_t nsec)
{
	/* 2^32 x y^n, where y^32 = 1/2; one more entry to interpolate. */
	static const uint32_t powers[HALF_LIFE + 1] = {
		0xffffffff, 0xfa83b2da, 0xf5257d14, 0xefe4b99a, 0xeac0c6e6, 0xe5b906e6, 0xe0ccdeeb,
		0xdbfbb796, 0xd744fcc9, 0xd2a81d91, 0xce248c14, 0xc9b9bd85, 0xc5672a10, 0xc12c4cc9,
		0xbd08a39e, 0xb8fbaf46, 0xb504f333, 0xb123f581, 0xad583ee9, 0xa9a15ab4, 0xa5fed6a9,
		0xa2704302, 0x9ef5325f, 0x9b8d39b9, 0x9837f050, 0x94f4efa8, 0x91c3d373, 0x8ea4398a,
		0x8b95c1e3, 0x88980e80, 0x85aac367, 0x82cd8698, 0x80000000};
	uint64_t periods = nsec >> PERIOD_SHIFT, part = nsec & ((1U << PERIOD_SHIFT) - 1);
	uint64_t halvings = periods / HALF_LIFE, n = periods % HALF_LIFE, power;

	if (halvings >= 63)
		return 0;
	power = powers[n] - (((uint64_t)powers[n] - powers[n + 1]) * part >> PERIOD_SHIFT);
	value >>= halvings;
	return (uint64_t)(((unsigned __int128)value * power + (UINT64_C(1) << 31)) >> 32);
}

/* PELT: util = util * y^dt + share * (1 - y^dt) for dt = nsec, of which busy_nsec were busy, spread
 * evenly. The peak falls with half the speed: the memory of a task that pauses or sleeps, as the
 * kernel's util_est is, but by time, for we don't see tasks come and go. */
static void average(struct cpu_state *cpu, uint64_t nsec, uint64_t busy_nsec)
{
	uint64_t share, kept = estimate_decay(UTIL_ONE, nsec);

	if (nsec == 0)
		return;
	share = busy_nsec * UTIL_ONE / nsec; /* GAP_MAX keeps this in 64 bits */
	cpu->util = (uint32_t)((cpu->util * kept + share * (UTIL_ONE - kept)) / UTIL_ONE);
	cpu->peak = (uint32_t)MAX(estimate_decay(cpu->peak, nsec / 2), cpu->util);
}

/* Remembers a piece for the window, the last part of it if it is longer than that. */
static void remember(struct cpu_state *cpu, uint64_t window_nsec, uint64_t nsec, uint64_t busy_nsec)
{
	struct segment *last = &cpu->segment[cpu->newest];

	if (nsec == 0)
		return;
	if (nsec > window_nsec) {
		busy_nsec = busy_nsec * UTIL_ONE / nsec * window_nsec / UTIL_ONE;
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

/* What schedstat booked in a sample, and where it belongs. */
struct booking {
	uint64_t here;	   /* ran in this sample */
	uint64_t age_nsec; /* how long ago the next one ended */
	/* Ran before, when we took it for idle; below zero: was idle, and taken for busy. */
	int64_t past;
};

/* A task leaves that we had seen come and stay. The samples in between were all its own; what is
 * left of its time is shared by the first sample and this one, in equal parts for all we know. */
static struct booking book_departure(struct cpu_state *cpu, const struct sample *sample)
{
	uint64_t entry = MIN(cpu->entry_nsec, cpu->lead_nsec), between = cpu->lead_nsec - entry;
	uint64_t ends = sample->run_nsec - MIN(sample->run_nsec, between);
	uint64_t here = MIN(ends / 2, sample->nsec);

	cpu->lead_nsec = 0;
	return (struct booking){.here = here,
				.past = (int64_t)(ends - here) - (int64_t)entry,
				.age_nsec = between + sample->nsec};
}

/* Takes what had been credited before off what was booked. */
static struct booking book(struct cpu_state *cpu, const struct sample *sample)
{
	bool switched = sample->run_nsec > 0 || sample->slices > 0 || sample->idle_nsec > 0;
	uint64_t paid, fresh, here;

	if (cpu->tenant == TENANT_TASK && sample->run_nsec > 0 && sample->slices == 0)
		return book_departure(cpu, sample);
	paid = MIN(cpu->lead_nsec, sample->run_nsec);
	fresh = sample->run_nsec - paid;
	here = MIN(fresh, sample->nsec);
	cpu->lead_nsec = switched ? 0 : cpu->lead_nsec - paid;
	return (struct booking){.here = here,
				.past = (int64_t)MIN(fresh - here, INT64_MAX),
				.age_nsec = sample->nsec};
}

/* The guess of the idle time in a sample, before /proc/stat's number corrects it. */
static uint64_t guess_idle(const struct cpu_state *cpu, const struct sample *sample,
			   uint64_t booked)
{
	uint64_t idle = sample->nsec - booked;
	uint64_t room;

	/* Nothing but /proc/stat: more of the same, until the correction says that it isn't. */
	if (!sample->has_sched)
		return sample->nsec * (UTIL_ONE - cpu->util) / UTIL_ONE;
	/* We ran there ourselves, and that booked whatever ran before us. */
	if (sample->is_self || sample->run_nsec > 0)
		return idle;
	if (sample->slices == 0)
		return cpu->tenant == TENANT_TASK ? 0 : idle;
	/* A task got the CPU somewhere in the sample and has it still. When, we don't know: take
	 * half of what /proc/stat leaves open. Not over a long sample, in a guest that was idle:
	 * most arrivals there are over at once, and the next sample comes soon
	 * (estimator_is_stirring()). */
	if (sample->nsec > STIR_NSEC)
		return idle;
	room = cpu->phase_nsec + sample->nsec;
	room -= MIN(room, sample->idle_nsec);
	return idle - MIN(idle, MIN(room, sample->nsec) / 2);
}

/* Keeps the sum of the guesses within one unit of what /proc/stat says, and returns the idle time
 * of this sample. Idle and iowait are rounded each by itself: while iowait moves, there are two. */
static uint64_t correct_idle(struct cpu_state *cpu, const struct sample *sample, uint64_t guess,
			     int64_t past)
{
	uint64_t bound = COUNTERS_TICK_NSEC, idle, phase;

	if (sample->iowait_moved)
		cpu->iowait_until = sample->stamp_nsec + IOWAIT_MEMORY;
	if (sample->stamp_nsec < cpu->iowait_until)
		bound *= 2;
	phase = MIN(cpu->phase_nsec, bound);
	if (past >= 0)
		phase -= MIN(phase, (uint64_t)past);
	else
		phase = MIN(phase + (uint64_t)-past, bound);
	idle = guess;
	phase += guess;
	if (phase < sample->idle_nsec) {
		idle += sample->idle_nsec - phase;
		phase = sample->idle_nsec;
	}
	phase -= sample->idle_nsec;
	if (phase > bound) {
		idle -= MIN(idle, phase - bound);
		phase = bound;
	}
	cpu->phase_nsec = phase;
	return MIN(idle, sample->nsec);
}

/* Who holds the CPU at the end of a sample. A departure always books time, so no booking and an
 * arrival mean that it is there still; a booking and no arrival, that it is gone. */
static enum tenant next_tenant(const struct cpu_state *cpu, const struct sample *sample,
			       uint64_t busy)
{
	if (!sample->has_sched || sample->is_self)
		return TENANT_UNKNOWN;
	if (sample->slices > 0)
		return sample->run_nsec > 0 ? TENANT_UNKNOWN : TENANT_TASK;
	if (sample->run_nsec > 0 || sample->idle_nsec > 0)
		return TENANT_NONE;
	if (cpu->tenant == TENANT_UNKNOWN && busy == sample->nsec)
		return TENANT_TASK;
	return cpu->tenant;
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

/* The guest kernel's own load tracking counts cycles, not time, where it knows the frequency: its
 * clock is slow while the CPU is slow and busy, and catches up when the CPU idles, unless by then
 * it hadn't idled for so long that the difference says nothing (update_rq_clock_pelt() and
 * update_idle_rq_clock_pelt()). Changes a piece of time to that clock. */
static void apply_scale(struct cpu_state *cpu, uint16_t scale1024, uint64_t *nsec,
			uint64_t *busy_nsec)
{
	uint64_t idle = *nsec - *busy_nsec, scaled = *busy_nsec * scale1024 / CAPACITY_SCALE;

	cpu->behind_nsec = MIN(cpu->behind_nsec + *busy_nsec - scaled, BEHIND_MAX);
	*busy_nsec = scaled;
	*nsec = scaled + idle;
	if (idle == 0)
		return;
	if (cpu->util < UTIL_ONE / CAPACITY_SCALE * FULL_1024)
		*nsec += cpu->behind_nsec;
	cpu->behind_nsec = 0;
}

/* Some of what the average took for idle was busy, or the other way round. */
static void correct_average(struct cpu_state *cpu, const struct booking *booked)
{
	uint64_t nsec = (uint64_t)(booked->past < 0 ? -booked->past : booked->past);
	uint64_t part = estimate_decay(UTIL_ONE - estimate_decay(UTIL_ONE, nsec), booked->age_nsec);

	if (booked->past < 0)
		cpu->util -= (uint32_t)MIN(cpu->util, part);
	else
		cpu->util = (uint32_t)MIN(cpu->util + part, UTIL_ONE);
}

/* Time passes for the estimates. */
static void advance(const struct estimator *estimator, struct cpu_state *cpu, uint16_t scale1024,
		    uint64_t nsec, uint64_t busy_nsec)
{
	apply_scale(cpu, scale1024, &nsec, &busy_nsec);
	average(cpu, nsec, busy_nsec);
	remember(cpu, estimator->window_nsec, nsec, busy_nsec);
}

/* The blend of one CPU's sample; the comment at the top of the file says how and why. */
static void estimate_cpu(const struct estimator *estimator, struct cpu_state *cpu,
			 const struct sample *sample)
{
	struct booking booked = book(cpu, sample);
	uint64_t guess = guess_idle(cpu, sample, booked.here);
	uint64_t idle = correct_idle(cpu, sample, guess, booked.past);
	uint64_t occupied = sample->nsec - idle;
	uint64_t ahead = occupied - MIN(occupied, booked.here); /* busy, and not booked */
	uint64_t stolen, nsec, busy, recent;
	enum tenant tenant = next_tenant(cpu, sample, occupied);

	if (tenant != cpu->tenant || sample->slices > 0)
		cpu->entry_nsec = ahead;
	cpu->tenant = tenant;
	cpu->lead_nsec += ahead;
	stolen = take_stolen(cpu, sample, occupied);
	nsec = sample->nsec - stolen;
	busy = occupied - stolen;
	/* What watching costs is no demand, where nobody had to wait for it: on a slow machine it
	 * would keep the guest from ever being idle. */
	if (idle > 0)
		busy -= MIN(busy, sample->own_nsec);
	/* What a task has run that holds the CPU still is the end of the sample; of anything else
	 * we don't know where in it it was. */
	recent = cpu->tenant == TENANT_TASK ? MIN(ahead, busy) : 0;
	nsec -= recent;
	busy -= recent;
	advance(estimator, cpu, sample->scale1024, nsec, busy);
	advance(estimator, cpu, sample->scale1024, recent, recent);
	correct_average(cpu, &booked);
	cpu->run_delay_nsec = sample->delay_nsec;
	cpu->steal_nsec = sample->steal_nsec;
}

/* -ESTALE if the two sets can't belong together: the CPU left and came back in between. */
static int compare(const struct cpu_counters *old, const struct cpu_counters *new, bool has_sched,
		   struct sample *sample)
{
	uint64_t iowait = new->iowait_ticks - MIN(new->iowait_ticks, old->iowait_ticks);

	if (new->idle_ticks < old->idle_ticks || new->steal_ticks < old->steal_ticks)
		return -ESTALE;
	if (has_sched && (new->run_nsec < old->run_nsec || new->slices < old->slices))
		return -ESTALE;
	sample->iowait_moved = new->iowait_ticks != old->iowait_ticks;
	sample->idle_nsec = (new->idle_ticks - old->idle_ticks + iowait) * COUNTERS_TICK_NSEC;
	sample->steal_nsec = (new->steal_ticks - old->steal_ticks) * COUNTERS_TICK_NSEC;
	sample->has_sched = has_sched;
	if (has_sched) {
		sample->run_nsec = new->run_nsec - old->run_nsec;
		sample->slices = new->slices - old->slices;
		sample->delay_nsec = new->delay_nsec - MIN(new->delay_nsec, old->delay_nsec);
	}
	return 0;
}

/* Forgets what is known of the moment; the utilization stays, for nothing says that it changed. */
static void rebase(struct cpu_state *cpu)
{
	cpu->tenant = TENANT_UNKNOWN;
	cpu->phase_nsec = cpu->lead_nsec = cpu->entry_nsec = 0;
	cpu->stolen_nsec = cpu->behind_nsec = 0;
	cpu->iowait_until = 0;
	cpu->run_delay_nsec = cpu->steal_nsec = 0;
	cpu->n_segments = 0;
}

static void update_cpu(struct estimator *estimator, unsigned i, const struct counters *counters,
		       uint64_t nsec, const uint16_t *scale1024)
{
	bool has_sched = counters->has_schedstat && estimator->has_sched;
	struct cpu_state *cpu = &estimator->cpu[i];
	struct sample sample = {
		.stamp_nsec = counters->stamp_nsec,
		.nsec = nsec,
		.is_self = counters->self_cpu == i,
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
	cpu->present = true;
	cpu->last = counters->cpu[i];
	if (cpu->tenant == TENANT_TASK)
		estimator->stirring = true;
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
	estimator->stirring = false;
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

	*ret = (struct estimate){};
	if (cpu >= estimator->n_cpus || !estimator->cpu[cpu].present)
		return;
	state = &estimator->cpu[cpu];
	share = window_share(state, estimator->window_nsec);
	ret->util_avg = (uint16_t)((state->util + (1U << (UTIL_SHIFT - 1))) >> UTIL_SHIFT);
	ret->util_est = (uint16_t)MAX(MAX(state->peak >> UTIL_SHIFT, share), ret->util_avg);
	ret->saturated = share >= SATURATED_1024;
	ret->run_delay_usec = nsec_to_usec32(state->run_delay_nsec);
	ret->steal_usec = nsec_to_usec32(state->steal_nsec);
}

bool estimator_is_stirring(const struct estimator *estimator)
{
	return estimator->stirring;
}
