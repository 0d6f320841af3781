/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a floor has to be so that the CPU runs as fast as it would natively for a demand. Pure.
 *
 * Natively schedutil gives 1.25 x utilization. Since Linux 6.8 (kernel/sched/cpufreq_schedutil.c,
 * sugov_effective_cpu_perf()) it adds that quarter to the measured utilization and not to
 * uclamp.min; before, the clamped value got it. But a distribution's kernel may not be what its
 * number says. So what the host gave is held against what was asked: the frequency that is needed
 * for a floor F is F x max / capacity, rounded up to a step; a CPU that is never seen below 1.25 of
 * that, though its floor was low enough for it to be, adds headroom to floors; one that is seen at
 * F does not. Utilization can only drive the frequency up, so the lowest of many looks counts, and
 * what a thread's own utilization may have driven up says nothing. What has been seen not to be
 * added isn't added later. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define HEADROOM_WITHOUT 1280U /* floors must bring the quarter themselves */
#define HEADROOM_WITH	 1024U /* the kernel adds it */
#define HEADROOM_LOOKS	 16U

struct headroom {
	uint32_t headroom1024; /* what to multiply a demand by */
	uint8_t plain;	       /* looks at which the frequency was that of the floor itself */
	uint8_t raised;	       /* at which it was that with a quarter more, and not less */
	bool proved;	       /* plain looks said that nothing is added: it stays so */
};

/* By the kernel's version; 0 0 if that isn't known. */
void headroom_init(struct headroom *headroom, unsigned kernel_major, unsigned kernel_minor);

/* A look at a CPU whose one thread with a floor runs: floor1024 of a largest CPU's 1024, util1024
 * what the thread itself comes to at most, as the host's load tracking has it, on a CPU that gives
 * capacity1024 at max_khz and is at khz; step_khz is the step of its table below khz (0 if none is,
 * or there is no table), for khz is rounded up. Whether headroom1024 has changed. Looks that can't
 * tell are ignored: at the ends of the table, or when khz fits neither. */
bool headroom_look(struct headroom *headroom, uint16_t floor1024, uint16_t util1024,
		   uint16_t capacity1024, uint32_t khz, uint32_t step_khz, uint32_t max_khz);
