/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PELT's decay in integers, at any time. Pure. */
#pragma once

#include <stdint.h>

/* value x y^(nsec / 2^20), where y^32 = 1/2 (kernel/sched/pelt.c, decay_load(); its period is 1024
 * x 1024 ns). Within 1/10000. */
uint64_t pelt_decay(uint64_t value, uint64_t nsec);
