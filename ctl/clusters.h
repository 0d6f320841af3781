/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which CPUs of a guest share a frequency, from the command line. Pure. */
#pragma once

#include <stddef.h>

#include "common/cpumask.h"

#define CLUSTERS_CPUS CPUMASK_CPUS

struct clusters {
	unsigned n;
	/* 0: the CPU has a frequency of its own; 1 to n: that of its cluster */
	uint16_t of[CLUSTERS_CPUS];
};

/* Parses "0-3:4-7": lists of CPUs with ':' between. CPUs in none have a frequency of their own.
 * -EINVAL, with the reason in why, of size bytes; *ret is written only on success. */
int clusters_parse(const char *text, struct clusters *ret, char *why, size_t size);

/* The last CPU that is in a cluster, or -1. */
int clusters_last(const struct clusters *clusters);
