/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A set of CPUs, and the kernel's list format for it ("0-3,8"). Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CPUMASK_CPUS      1024U /* the most that we handle: the kernel's CPU_SETSIZE */
#define CPUMASK_TEXT_MAX  4096U /* room for any list of CPUMASK_CPUS, with its NUL */

struct cpumask {
	uint64_t word[CPUMASK_CPUS / 64];
};

void cpumask_clear(struct cpumask *mask);
/* A CPU of CPUMASK_CPUS or more is ignored by _set and never in a mask. */
void cpumask_set(struct cpumask *mask, unsigned cpu);
void cpumask_unset(struct cpumask *mask, unsigned cpu);
bool cpumask_has(const struct cpumask *mask, unsigned cpu);
bool cpumask_is_empty(const struct cpumask *mask);
bool cpumask_equal(const struct cpumask *a, const struct cpumask *b);
bool cpumask_is_subset(const struct cpumask *inner, const struct cpumask *outer);
unsigned cpumask_count(const struct cpumask *mask);
void cpumask_and(struct cpumask *ret, const struct cpumask *a, const struct cpumask *b);
void cpumask_or(struct cpumask *ret, const struct cpumask *a, const struct cpumask *b);

/* The first CPU of the mask at or after cpu; CPUMASK_CPUS if there is none. */
unsigned cpumask_next(const struct cpumask *mask, unsigned cpu);
#define CPUMASK_FOREACH(cpu, mask)                                                                 \
	for (unsigned cpu = cpumask_next((mask), 0); cpu < CPUMASK_CPUS;                           \
	     cpu = cpumask_next((mask), cpu + 1))

/* Parses "0-3,8", with an optional newline at the end; an empty list is an empty mask. -EINVAL for
 * another form or a range that runs backwards, -ERANGE for a CPU of CPUMASK_CPUS or more. */
int cpumask_parse(const char *text, struct cpumask *ret);

/* Writes the list to buffer, of size bytes: its length, or -ENOBUFS. CPUMASK_TEXT_MAX always fits. */
int cpumask_format(const struct cpumask *mask, char *buffer, size_t size);
