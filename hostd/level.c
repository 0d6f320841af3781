/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From what a vCPU asks for to the floor and the ceiling of its thread. Pure. */
#include "hostd/level.h"

#include "common/macro.h"

/* One half-life's fall to the demand, at least one step. */
static uint16_t halve(const struct level_config *config, uint16_t level1024, uint16_t demand1024)
{
	uint16_t half = (uint16_t)(level1024 - demand1024) / 2;

	return half >= MAX(config->step, 1) ? (uint16_t)(demand1024 + half) : demand1024;
}

static void settle_zero(struct level *level, uint64_t now_usec)
{
	if (level->level1024 > 0)
		level->zero_usec = 0;
	else if (level->zero_usec == 0 && level->rose_usec > 0)
		level->zero_usec = now_usec;
}

static void rise(struct level *level, const struct level_config *config, uint16_t demand1024,
		 uint64_t now_usec)
{
	if (demand1024 >= level->level1024 + MAX(config->step, 1))
		level->rose_usec = now_usec;
	level->level1024 = demand1024;
	level->fall_usec = 0;
}

static void fall(struct level *level, const struct level_config *config, uint16_t demand1024,
		 uint64_t now_usec)
{
	/* The demand of the call before held until now, however long ago that call was. */
	if (level->fall_usec == 0)
		level->fall_usec = now_usec + config->hold_usec;
	while (level->level1024 > demand1024 && now_usec >= level->fall_usec) {
		level->level1024 = halve(config, level->level1024, demand1024);
		level->fall_usec += MAX(config->half_life_usec, 1);
	}
	if (level->level1024 == demand1024)
		level->fall_usec = 0;
}

uint16_t level_move(struct level *level, const struct level_config *config, uint16_t demand1024,
		    bool left, uint64_t now_usec, uint64_t *ret_next_usec)
{
	if (demand1024 >= level->level1024) {
		rise(level, config, demand1024, now_usec);
	} else if (left) {
		level->level1024 = demand1024;
		level->fall_usec = 0;
	} else {
		fall(level, config, demand1024, now_usec);
	}
	settle_zero(level, now_usec);
	*ret_next_usec = level->fall_usec > 0 ? level->fall_usec : USEC_INFINITY;
	return level->level1024;
}

/* schedutil rounds up to the next operating point, so what is a little too high costs a whole one
 * more than native would have: a fiftieth is taken off, about the error of a report. */
static uint32_t with_headroom(const struct level_config *config, uint16_t level1024)
{
	return (uint32_t)level1024 * config->headroom1024 / CAPACITY_SCALE * 49 / 50;
}

/* Up to the next grain, but what is there stays if it is hardly more. */
static uint32_t in_grains(const struct level_config *config, uint32_t need, uint16_t have1024)
{
	uint32_t grain = MAX(config->grain, 1);

	if (need > 0 && need <= have1024 && need + MAX(config->step, 1) > have1024)
		return have1024;
	return (need + grain - 1) / grain * grain;
}

uint16_t level_floor(const struct level_config *config, uint16_t level1024, uint16_t have1024,
		     uint16_t max1024)
{
	uint32_t need = with_headroom(config, level1024);

	return (uint16_t)MIN(in_grains(config, need, have1024), max1024);
}

uint16_t level_ceiling(const struct level *level, const struct level_config *config,
		       uint16_t have1024, uint16_t min1024, uint64_t now_usec,
		       uint64_t *ret_next_usec)
{
	uint64_t calm_usec = level->rose_usec + config->calm_usec;
	uint64_t forgotten_usec = level->zero_usec + config->forget_usec;
	uint32_t need;

	*ret_next_usec = USEC_INFINITY;
	if (level->rose_usec == 0)
		return LEVEL_NO_CEILING;
	if (level->zero_usec > 0 && now_usec >= forgotten_usec)
		return LEVEL_NO_CEILING;
	if (now_usec < calm_usec) {
		*ret_next_usec = calm_usec;
		return LEVEL_NO_CEILING;
	}
	if (level->zero_usec > 0)
		*ret_next_usec = forgotten_usec;
	need = MAX(with_headroom(config, level->level1024) + config->slack1024, min1024);
	return (uint16_t)MIN(in_grains(config, need, have1024), LEVEL_NO_CEILING);
}
