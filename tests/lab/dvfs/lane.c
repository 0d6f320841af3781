/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lab/dvfs/lane.h"

#include "tests/lab/dvfs/meter.h"

static void kick_all(struct lane *lane, uint64_t lanes)
{
	for (uint32_t i = 0; lanes >> i != 0 && i < DISPATCH_LANES; i++)
		if (lanes >> i & 1)
			lane->doors->kick(lane->userdata, i);
}

static bool is_kicked(const struct lane *lane)
{
	return __atomic_load_n(&lane->dispatch->lane[lane->index].kicked, __ATOMIC_ACQUIRE) != 0;
}

/* Until the work is done, or there is something to look at. What is left of the work, and how long
 * it has run. A step's work is counted at the frequency at its end. */
static int64_t spin_on(struct lane *lane, const struct dispatch_turn *turn, int64_t *ret_ran_nsec)
{
	const struct lane_doors *doors = lane->doors;
	int64_t begin = doors->ran_nsec(lane->userdata), last = begin, left = turn->left;

	while (left > 0) {
		int64_t ran;

		doors->spin(lane->userdata);
		ran = doors->ran_nsec(lane->userdata);
		left = meter_left(left, ran - last, doors->rate20(lane->userdata));
		lane->steps++;
		lane->step_nsec += (uint64_t)(ran - last);
		last = ran;
		if (is_kicked(lane) || doors->now_usec(lane->userdata) >= turn->until_usec ||
		    (turn->shared && ran - begin >= turn->slice_nsec))
			break;
	}
	*ret_ran_nsec = last - begin;
	return left;
}

static void run(struct lane *lane, const struct dispatch_turn *turn)
{
	const struct lane_doors *doors = lane->doors;
	int64_t ran_nsec, left = spin_on(lane, turn, &ran_nsec);
	uint32_t cpu = doors->cpu(lane->userdata);
	uint64_t kicks, now_usec = doors->now_usec(lane->userdata);

	doors->lock(lane->userdata);
	kicks = dispatch_put(lane->dispatch, lane->timetable, lane->index, turn->task, left,
			     ran_nsec, cpu, now_usec);
	doors->unlock(lane->userdata);
	kick_all(lane, kicks);
}

void lane_run(struct lane *lane)
{
	const struct lane_doors *doors = lane->doors;
	struct dispatch_turn turn;

	do {
		doors->lock(lane->userdata);
		turn = dispatch_next(lane->dispatch, lane->timetable, lane->index,
				     doors->now_usec(lane->userdata));
		doors->unlock(lane->userdata);
		kick_all(lane, turn.kick);
		if (turn.what == DISPATCH_RUN)
			run(lane, &turn);
		else if (turn.what == DISPATCH_WAIT)
			doors->wait(lane->userdata, turn.until_usec,
				    &lane->dispatch->lane[lane->index].kicked);
	} while (turn.what != DISPATCH_END);
}
