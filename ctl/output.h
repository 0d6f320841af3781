/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file that is whole or isn't there. A door. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Writes the file, or replaces it, at once; everybody may read it: QEMU runs as a user of its own.
 * -errno: -EEXIST if there is something else than a file, which stays. */
int output_write(const char *path, const void *data, size_t size);

/* Whether the two are the same file, by whatever names. */
bool output_is_same(const char *a, const char *b);
