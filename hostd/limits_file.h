/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The limits in a file of /run: they outlive hostd and the domains, and go with a reboot. A door.
 */
#pragma once

#include "hostd/limits.h"

#define LIMITS_FILE_MAX (4U << 20) /* bytes: tens of thousands of domains */

/* Reads what the file says into empty limits. The number of lines that can't be used and were
 * skipped; 0 with nothing if there is no file. -EFBIG, -ENOMEM or the errno of a call. */
int limits_load(const char *path, struct limits *ret);

/* Writes the file anew, as a whole or not at all, and removes it if there is nothing to say. 0, or
 * the errno of a call, with the file as it was: -ENOSPC, -EROFS, … */
int limits_save(const char *path, const struct limits *limits);
