/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text of /proc/pressure/{cpu,memory,io}. Pure. */
#pragma once

#include <stdint.h>

#define PSI_SOME_AVG10 0x1U
#define PSI_SOME_TOTAL 0x2U
#define PSI_FULL_AVG10 0x4U
#define PSI_FULL_TOTAL 0x8U

struct psi {
	uint32_t fields;	   /* which of those below are set */
	uint32_t some_avg10_centi; /* share of the last 10 s, in 1/100 %: 0..10000 */
	uint32_t full_avg10_centi;
	uint64_t some_usec; /* stalled since boot */
	uint64_t full_usec;
};

/* Reads the file's text. A line that is there must have avg10 and total, once each; `some` must be
 * there, `full` may be missing (cpu before Linux 5.13). Keys that we don't know are skipped.
 * -EBADMSG for anything else: *ret is as before. Format: Documentation/accounting/psi.rst. */
int psi_parse(const char *text, struct psi *ret);
