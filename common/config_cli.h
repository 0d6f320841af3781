/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --check-config and --dump-config, which both daemons have. These print; nothing else is touched.
 */
#pragma once

#include "common/config.h"

/* Complains on stderr, a line each, as "FILE:LINE: KEY: what is wrong and the remedy", warnings as
 * "FILE:LINE: warning: ..."; says on stdout that the configuration is good if it is. The exit code:
 * 0, or 78. */
int config_cli_check(const char *path, const struct config_table *table);

/* Writes to stdout what the program would run with, as a file that says the same. Complains as
 * config_cli_check(). The exit code: 0, 78, or 1 if it can't be written. */
int config_cli_dump(const char *path, const struct config_table *table);
