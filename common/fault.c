/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an error of the kernel means for what we do next. Pure. */
#include "common/fault.h"

#include <errno.h>

enum fault fault_of(int result)
{
	if (result >= 0)
		return FAULT_NONE;
	switch (-result) {
	case ESRCH:
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return FAULT_GONE;
	case EINTR:
	case EAGAIN:
	case EBUSY:
	case ENOMEM:
	case ENOBUFS:
	case ENOSPC:
	case EIO:
		return FAULT_AGAIN;
	default:
		return FAULT_NEVER;
	}
}
