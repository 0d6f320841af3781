/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --set KEY=VALUE: a key of [host] for the simulated vmfreq-hostd, by the table and the parser of
 * the real one. Pure. */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "hostd/host_config.h"

/* Sets what text ("KEY=VALUE") says. -EINVAL with what is wrong, and the remedy, in message: as
 * hostd would say it; also for a key that the simulated hostd doesn't go by. */
int setting_read(const char *text, struct host_config *config, char *message, size_t size);

/* Do the keys go together, as hostd asks of them? -EINVAL as above. */
int setting_check(const struct host_config *config, char *message, size_t size);

/* A line "KEY=VALUE" for each key that can be set. */
void setting_print(const struct host_config *config, FILE *file);
