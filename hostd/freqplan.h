/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the floors of threads to the lowest frequency of each cpufreq policy (scaling_min_freq), for
 * hosts where uclamp does nothing. Pure.
 *
 * A policy has one frequency, so it gets the largest of the floors of the threads that run on its
 * CPUs: what the kernel does with uclamp.min on a run queue. Threads move, and a floor has to
 * follow its thread: it rises at once where the thread is now, and falls where it was only after a
 * hold, so that a thread that hops back and forth does not make two policies bounce. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* More than any driver's table has; from a longer one the first so many are taken. */
#define FREQPLAN_STEPS_MAX 128U

/* How long a policy stands where it was once nothing there asks for so much any more: a few looks
 * at where threads run. What demand itself does, level.h has smoothed before. */
#define FREQPLAN_HOLD_USEC (50 * USEC_PER_MSEC)

/* The kernel takes a new minimum over in a work item (cpufreq_notifier_min() in
 * drivers/cpufreq/cpufreq.c schedules it), so the value before may still be read for a moment: some
 * 10 us as a rule, longer on a busy CPU. */
#define FREQPLAN_LAG_USEC (250 * USEC_PER_MSEC)

struct freqplan_policy {
	/* What it is. max_khz is the frequency at which its CPUs give capacity1024. */
	uint32_t max_khz;
	uint16_t capacity1024; /* 1 … 1024 */
	uint32_t limit_khz;    /* scaling_max_freq now; 0: unknown, and no limit */
	uint32_t prior_khz;    /* what stands there without us; 0: unknown, and no limit */
	unsigned n_steps;      /* 0: the driver has no table, each kHz can be asked for */
	uint32_t steps[FREQPLAN_STEPS_MAX]; /* ascending */
	/* What was made of it. */
	uint32_t have_khz;     /* 0: as without us */
	uint64_t fall_usec;    /* when it may fall; 0: it is asked for as it is, or for more */
	uint64_t written_usec; /* 0: never */
};

/* The frequency at which a CPU of this policy does floor1024 of what the largest CPU does at its
 * highest: floor1024 x max_khz / capacity1024, as map_util_freq() in include/linux/sched/cpufreq.h
 * has it. No headroom is added: the kernel adds its 25 % (map_util_perf(), or since 6.8
 * sugov_effective_cpu_perf()) to utilization and never to policy->min, so the floor has to bring
 * it: FREQPLAN_HEADROOM1024 in arbiter.h's headroom1024. Rounded up to the driver's table, as
 * cpufreq_set_policy() would round it, and never above max_khz or limit_khz. */
uint32_t freqplan_khz(const struct freqplan_policy *policy, uint16_t floor1024);
#define FREQPLAN_HEADROOM1024 1280U

/* The other way: what a frequency gives, in 1/1024 of the largest CPU. At most 1024. */
uint16_t freqplan_floor1024(const struct freqplan_policy *policy, uint32_t khz);

/* The scaling_min_freq that the policy should have now, when the largest floor of the threads on
 * its CPUs is floor1024: 0 is "as without us", also where that alone is enough. The same as
 * have_khz if there is nothing to write: because it fits, is held, or was written less than
 * interval_usec ago. *ret_next_usec is when to ask again although nothing has happened;
 * USEC_INFINITY: never. */
uint32_t freqplan_decide(struct freqplan_policy *policy, uint16_t floor1024, uint64_t interval_usec,
			 uint64_t now_usec, uint64_t *ret_next_usec);

/* Notes that it was written. */
void freqplan_done(struct freqplan_policy *policy, uint32_t khz, uint64_t now_usec);

/* Whether a value from before our last write may still be read, by the kernel's delay. */
bool freqplan_lags(const struct freqplan_policy *policy, uint64_t now_usec);

/* How long to wait between two looks at where n threads run. One look is one read of /proc, about 3
 * us: this keeps all looks below 1 % of a CPU. A thread that has moved is without its floor for at
 * most this time: 10 ms for up to 33 threads, 30 ms for 100. */
uint64_t freqplan_look_usec(unsigned n);

/* Sorts a table of n frequencies, which may be in any order and hold doubles: how many are left. */
unsigned freqplan_sort(uint32_t *steps, unsigned n);
