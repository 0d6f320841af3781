/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ACPI's table of interrupt controllers (MADT), which has the MPIDR of each arm64 CPU. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* MPIDR's affinity fields: Aff3 in bits 39..32, Aff2 to Aff0 in 23..0. What else is in the register
 * (U, MT, a bit that is always 1) names no CPU. */
#define MPIDR_AFFINITY UINT64_C(0xff00ffffff)

/* The affinity of the CPU with this ACPI processor UID, from its GICC structure
 * (ACPI 6.5, 5.2.12.14, of at least the 76 bytes that it has since 5.1). -ENOENT if the table has
 * none, -EBADMSG if a structure before it is broken. */
int madt_mpidr(const uint8_t *table, size_t size, uint32_t uid, uint64_t *ret);
