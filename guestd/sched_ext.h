/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A door: whether a sched_ext scheduler runs the guest's tasks, from /sys/kernel/sched_ext. */
#pragma once

#include <stdbool.h>

#include "proto/message.h"

/* Whether one is enabled, and its name in printable ASCII, or "" if it has none. A kernel without
 * sched_ext has none enabled. Two small files at most; no memory. */
bool sched_ext_read(int root_fd, char ret_name[PROTO_TEXT_MAX + 1]);
