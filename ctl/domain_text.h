/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What goes into a domain's XML for a table or a device tree that was written. */
#pragma once

#include <stdio.h>

/* path is absolute. */
void domain_text_acpi(FILE *to, const char *path, unsigned n_cpus);
void domain_text_dtb(FILE *to, const char *path, unsigned n_cpus);
