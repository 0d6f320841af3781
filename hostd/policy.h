/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From what a vCPU asks for to the floor (uclamp.min) of its thread. Pure.
 *
 * A floor rises at once, for lateness is what we are here to mend; it is held a while, for a task
 * that has hopped away or sleeps between two bursts comes back; then it falls by halves. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct policy_config {
	uint32_t headroom1024; /* floor = demand x this / 1024 */
	uint16_t floor_max;    /* 0..1024 */
	uint16_t step;         /* floors are multiples of it (or floor_max): fewer writes */
	uint64_t hold_usec;    /* after the last demand that reached the floor */
	uint64_t half_life_usec; /* then the distance to the demand halves in this time */
};

struct floor_state {
	uint16_t floor1024;
	uint64_t fall_usec; /* when it falls next, unless demand comes back first; 0: demand holds it */
};

/* schedutil picks 1.25 x util x f_max / capacity. Since Linux 6.8 (kernel/sched/cpufreq_schedutil.c,
 * sugov_effective_cpu_perf()) the headroom is added to the measured utilization and not to
 * uclamp.min, so the floor has to bring its own; before, the clamped value got it. */
uint32_t policy_headroom(unsigned kernel_major, unsigned kernel_minor);

/* The floor that a demand of 0..1024 asks for, by itself: in steps, at most floor_max. */
uint16_t policy_target(const struct policy_config *config, uint16_t demand1024);

/* Moves the floor to now_usec and returns it. *ret_next_usec is when it would change without a new
 * report, USEC_INFINITY if never. */
uint16_t policy_floor(struct floor_state *state, const struct policy_config *config,
		      uint16_t demand1024, uint64_t now_usec, uint64_t *ret_next_usec);
