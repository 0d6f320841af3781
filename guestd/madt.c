/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ACPI's table of interrupt controllers (MADT). Pure. */
#include "guestd/madt.h"

#include <errno.h>

#define HEADER	   44U /* ACPI's own 36, local interrupt controller address, flags */
#define GICC	   11U
#define GICC_SIZE  76U
#define GICC_UID   8U
#define GICC_MPIDR 68U

static uint64_t get_le(const uint8_t *bytes, unsigned n)
{
	uint64_t value = 0;

	while (n-- > 0)
		value = value << 8 | bytes[n];
	return value;
}

int madt_mpidr(const uint8_t *table, size_t size, uint32_t uid, uint64_t *ret)
{
	size_t length;

	for (size_t at = HEADER; at + 2 <= size; at += length) {
		const uint8_t *entry = table + at;

		length = entry[1];
		if (length < 2 || length > size - at)
			return -EBADMSG;
		if (entry[0] != GICC || length < GICC_SIZE || get_le(entry + GICC_UID, 4) != uid)
			continue;
		*ret = get_le(entry + GICC_MPIDR, 8) & MPIDR_AFFINITY;
		return 0;
	}
	return -ENOENT;
}
