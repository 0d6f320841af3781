/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ACPI table that gives a guest's CPUs P-states, so that its acpi-cpufreq binds. Pure. */
#pragma once

#include "ctl/aml.h"
#include "ctl/frequencies.h"

#define SSDT_CPUS_MAX 4096U /* QEMU names them \_SB.CPUS.C000 to CFFF */

/* Writes the table for CPUs 0 to n_cpus - 1, a frequency domain each. The frequencies are whole
 * MHz: what is below is cut off. -EINVAL for 0 CPUs or more than SSDT_CPUS_MAX; -EFBIG if the table
 * would be larger than AML_SIZE_MAX. */
int ssdt_pstates(struct aml *ret, unsigned n_cpus, const struct frequencies *frequencies);
