/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A list of frequencies on the command line. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define FREQUENCIES_MIN	    2U	       /* one is no choice, and acpi-cpufreq takes it for none */
#define FREQUENCIES_MAX	    16U	       /* the most performance states: ACPI 6.5, 2.6 */
#define FREQUENCIES_MIN_KHZ 1000U      /* 1 MHz */
#define FREQUENCIES_MAX_KHZ 100000000U /* 100 GHz */

struct frequencies {
	unsigned n;
	uint64_t khz[FREQUENCIES_MAX]; /* the highest first */
};

/* Parses "600MHz,1.2GHz": FREQUENCIES_MIN to FREQUENCIES_MAX of them, in any order, each once and
 * from FREQUENCIES_MIN_KHZ to FREQUENCIES_MAX_KHZ. -EINVAL, with the reason in why, of size bytes;
 * *ret is written only on success. */
int frequencies_parse(const char *text, struct frequencies *ret, char *why, size_t size);
