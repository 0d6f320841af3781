/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A floor and a ceiling of a thread, and how they go together. Pure. */
#include "hostd/clamps.h"

#include "common/macro.h"

struct clamps clamps_tidy(struct clamps clamps)
{
	uint16_t floor1024 = (uint16_t)MIN(clamps.floor1024, CAPACITY_SCALE);
	uint16_t ceiling1024 = (uint16_t)MIN(clamps.ceiling1024, CAPACITY_SCALE);

	if (ceiling1024 == 0)
		ceiling1024 = CAPACITY_SCALE;
	return (struct clamps){floor1024, MAX(ceiling1024, floor1024)};
}

bool clamps_are_none(struct clamps clamps)
{
	struct clamps tidy = clamps_tidy(clamps);

	return tidy.floor1024 == 0 && tidy.ceiling1024 == CAPACITY_SCALE;
}

struct clamps clamps_within(struct clamps want, struct clamps before)
{
	struct clamps tidy = clamps_tidy(want);
	uint16_t floor1024 = MIN(tidy.floor1024, before.ceiling1024);
	uint16_t ceiling1024 = MAX(tidy.ceiling1024, before.floor1024);

	return (struct clamps){
		.floor1024 = floor1024 > before.floor1024 ? floor1024 : 0,
		.ceiling1024 = ceiling1024 < before.ceiling1024 ? ceiling1024 : CAPACITY_SCALE,
	};
}
