/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lab/dvfs/lane.h"

#include "tests/lab/dvfs/meter.h"

#define NSEC_PER_SECOND 1000000000
#define FIRST_ROUNDS	300	/* before its speed is known */
#define LEAST_NSEC	20000	/* of a step */
#define MOST_NSEC	500000	/* how late it may hear of a kick, or of another frequency */
#define LEAST_SPEED	1000000 /* rounds in a second */
#define MOST_SPEED	4000000000

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

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* How long it may work before it looks: half of what is left of the burst, so that it ends when its
 * work does, and not beyond what is due. Looks are few, for each costs: where the clock is a
 * device's, as an emulated vCPU's is, a thread may sleep over it, and sleep isn't work. */
static int64_t step_nsec(const struct dispatch_turn *turn, int64_t left, int64_t ran_nsec,
			 uint32_t rate20, uint64_t now_usec)
{
	int64_t nsec = rate20 > 0 ? left / rate20 / 2 : MOST_NSEC;

	if (turn->until_usec < now_usec + MOST_NSEC / 1000)
		nsec = smaller(nsec, (int64_t)(turn->until_usec - now_usec) * 1000);
	if (turn->shared)
		nsec = smaller(nsec, turn->slice_nsec - ran_nsec);
	nsec = smaller(nsec, MOST_NSEC);
	return nsec < LEAST_NSEC ? LEAST_NSEC : nsec;
}

static uint32_t rounds_of(const struct lane *lane, int64_t nsec)
{
	return lane->rounds_per_second > 0
		       ? (uint32_t)((uint64_t)nsec * lane->rounds_per_second / NSEC_PER_SECOND)
		       : FIRST_ROUNDS;
}

/* From a step's rounds and time. One that was longer than it ran, or shorter, as when what was
 * stolen became known, moves it by a quarter. */
static void learn_speed(struct lane *lane, uint32_t rounds, int64_t nsec)
{
	uint64_t speed;

	if (nsec <= 0)
		return;
	speed = (uint64_t)rounds * NSEC_PER_SECOND / (uint64_t)nsec;
	if (lane->rounds_per_second > 0)
		speed = (3 * lane->rounds_per_second + speed) / 4;
	speed = speed < LEAST_SPEED ? LEAST_SPEED : speed;
	lane->rounds_per_second = speed < MOST_SPEED ? speed : MOST_SPEED;
}

/* Until the work is done, or there is something to look at. What is left of the work, and how long
 * it has run. A step's work is counted at the frequency at its end. */
static int64_t spin_on(struct lane *lane, const struct dispatch_turn *turn, int64_t *ret_ran_nsec)
{
	const struct lane_doors *doors = lane->doors;
	int64_t begin = doors->ran_nsec(lane->userdata), last = begin, left = turn->left;
	uint64_t now_usec = doors->now_usec(lane->userdata);
	uint32_t rate = doors->rate20(lane->userdata);

	while (left > 0) {
		uint32_t rounds =
			rounds_of(lane, step_nsec(turn, left, last - begin, rate, now_usec));
		int64_t ran;

		doors->spin(lane->userdata, rounds);
		ran = doors->ran_nsec(lane->userdata);
		rate = doors->rate20(lane->userdata);
		left = meter_left(left, ran - last, rate);
		learn_speed(lane, rounds, ran - last);
		lane->steps++;
		lane->step_nsec += (uint64_t)(ran - last);
		last = ran;
		now_usec = doors->now_usec(lane->userdata);
		if (is_kicked(lane) || now_usec >= turn->until_usec ||
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
