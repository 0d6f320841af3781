/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a floor has to be so that the CPU runs as fast as it would natively for a demand. Pure. */
#include "hostd/headroom.h"

#include "common/macro.h"

void headroom_init(struct headroom *headroom, unsigned kernel_major, unsigned kernel_minor)
{
	bool added = kernel_major < 6 || (kernel_major == 6 && kernel_minor < 8);

	*headroom = (struct headroom){.headroom1024 = added ? HEADROOM_WITH : HEADROOM_WITHOUT};
}

/* Whether khz is what is asked for, rounded up to the table. */
static bool is_step_for(uint64_t asked_khz, uint32_t khz, uint32_t step_khz)
{
	return asked_khz <= khz && asked_khz > step_khz;
}

static bool decide(struct headroom *headroom)
{
	uint32_t before = headroom->headroom1024;

	/* A few plain looks prove that nothing is added; that something is takes many. */
	headroom->proved = headroom->plain >= HEADROOM_LOOKS / 4;
	if (headroom->proved)
		headroom->headroom1024 = HEADROOM_WITHOUT;
	else if (headroom->plain == 0 && headroom->raised >= HEADROOM_LOOKS)
		headroom->headroom1024 = HEADROOM_WITH;
	else
		return false;
	headroom->plain = headroom->raised = 0;
	return headroom->headroom1024 != before;
}

bool headroom_look(struct headroom *headroom, uint16_t floor1024, uint16_t util1024,
		   uint16_t capacity1024, uint32_t khz, uint32_t step_khz, uint32_t max_khz)
{
	uint64_t plain_khz = (uint64_t)floor1024 * max_khz / MAX(capacity1024, 1);
	uint64_t raised_khz = plain_khz + plain_khz / 4;
	bool is_plain, is_raised;

	if (headroom->proved || raised_khz >= max_khz || step_khz == 0)
		return false;
	is_plain = is_step_for(plain_khz, khz, step_khz);
	is_raised = is_step_for(raised_khz, khz, step_khz);
	if (is_plain == is_raised)
		return false;
	/* schedutil gives it 1.25 x that, whatever the floor. */
	if (is_raised && 5U * util1024 >= 4U * floor1024)
		return false;
	if (is_plain)
		headroom->plain += headroom->plain < UINT8_MAX;
	else
		headroom->raised += headroom->raised < UINT8_MAX;
	return decide(headroom);
}
