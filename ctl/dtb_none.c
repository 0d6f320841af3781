/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Instead of dtb.c where there is no libfdt. */
#include <stdio.h>

#include "common/macro.h"
#include "ctl/dtb.h"

int dtb_add_frequencies(_unused_ const void *dtb, _unused_ size_t size,
			_unused_ const struct frequencies *frequencies,
			_unused_ const struct clusters *clusters, _unused_ void **ret,
			_unused_ size_t *ret_size, _unused_ unsigned *ret_cpus, char *why,
			size_t why_size)
{
	snprintf(why, why_size,
		 "this vmfreqctl was built without libfdt: build it where libfdt-dev is installed");
	return -ENOTSUP;
}
