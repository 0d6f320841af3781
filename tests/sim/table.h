/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What many runs say, for people: a Markdown table of scenarios, what failed and how to see it
 * again. */
#pragma once

#include "tests/sim/runner.h"

/* One table of all scenarios, on stdout. How many bounds have failed, and runs. */
unsigned table_print(const struct runner *runner);
/* A table of its load's figures for each scenario. */
void table_print_details(const struct runner *runner);
/* A row for each run and load. -errno. */
int table_write_csv(const struct runner *runner, const char *path);
