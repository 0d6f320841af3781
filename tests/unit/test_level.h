/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of levels and of the arbiter share: a time to begin at, and how long a level is held, as round
 * figures. */
#pragma once

#include "tests/unit/test.h"

#include "hostd/level.h"

#define T0   (100 * USEC_PER_SEC)
#define MSEC USEC_PER_MSEC

/* Of a struct level_config; its step is each test's own. */
#define LEVEL_FIGURES                                                                              \
	.hold_usec = 100 * MSEC, .half_life_usec = 40 * MSEC, .slack1024 = 100,                    \
	.calm_usec = 20 * MSEC, .forget_usec = 500 * MSEC
