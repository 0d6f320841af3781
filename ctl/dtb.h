/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A device tree blob that gets operating points for its CPUs. A door: the only <libfdt.h>. */
#pragma once

#include <stddef.h>

#include "ctl/clusters.h"
#include "ctl/frequencies.h"

#define DTB_SIZE_MAX (2U << 20) /* Linux's boot protocol of arm64 takes no larger one */
#define DTB_MAX_KHZ  4294967U	/* a fixed-clock's frequency has 32 bits, in Hz */

/* Copies the device tree and adds, for each domain of frequency, an operating-points-v2 table and a
 * fixed-clock of the highest frequency, to which the domain's CPUs refer. CPUs are counted in the
 * tree's order, as Linux does. *ret, which is freed by the caller, has *ret_size bytes; *ret_cpus
 * is how many CPUs there are. -errno, with the reason in why, of why_size bytes: -EBADMSG if it is
 * no device tree, or a damaged one; -ENODEV if it has no CPUs, or not those of a cluster; -EEXIST
 * if a CPU has operating points or clocks; -ERANGE for a frequency above DTB_MAX_KHZ; -EFBIG if the
 * result is too large; -ENOTSUP if vmfreq was built without libfdt. */
int dtb_add_frequencies(const void *dtb, size_t size, const struct frequencies *frequencies,
			const struct clusters *clusters, void **ret, size_t *ret_size,
			unsigned *ret_cpus, char *why, size_t why_size);
