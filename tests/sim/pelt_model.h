/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Per-entity load tracking (kernel/sched/pelt.c) in doubles and in continuous time: between two
 * events an average goes to 0 or to its target, with a half-life of 32 periods of 1024 x 1024 nsec.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PELT_PERIOD_NSEC    1048576.  /* 1024 us of 1024 nsec each */
#define PELT_HALF_LIFE_NSEC 33554432. /* 32 periods */
/* A run queue whose sum is at least LOAD_AVG_MAX - 1024 periods' worth counts as never idle
 * (update_idle_rq_clock_pelt()): 1001 to 1023 by where in a period it is looked at; this is the
 * middle. */
#define PELT_SATURATED 1012.

/* 2^(-nsec / half-life), the same on every machine. */
double pelt_decay_factor(double nsec);

/* The sums, always exact; what the kernel shows of them (struct load_avg) it brings up to date when
 * a period has ended. */
struct pelt_model {
	double util, runnable; /* 0..1024, and runnable times the number of tasks */
	double last_nsec;      /* of the run queue's PELT clock */
};

/* Up to now_nsec, of which util was util_target (1024: it ran; 0: it didn't), and likewise
 * runnable. Whether a period ended meanwhile, so that the kernel would have computed new averages.
 */
bool pelt_model_advance(struct pelt_model *pelt, double now_nsec, double util_target,
			double runnable_target);
