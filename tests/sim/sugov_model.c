/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/sim/sugov_model.h"

#include "common/macro.h"

#define BOOST_MIN  128U /* IOWAIT_BOOST_MIN */
#define BOOST_MOST 1024U
#define HEADROOM   1.25 /* map_util_perf() */

static bool reset(struct sugov_cpu *cpu, uint64_t now_nsec, uint64_t tick_nsec, bool iowait)
{
	if (now_nsec - cpu->update_nsec <= tick_nsec)
		return false;
	cpu->boost = iowait ? BOOST_MIN : 0;
	cpu->boost_pending = iowait;
	return true;
}

void sugov_iowait(struct sugov_cpu *cpu, uint64_t now_nsec, uint64_t tick_nsec, bool iowait)
{
	bool was_reset = cpu->boost > 0 && reset(cpu, now_nsec, tick_nsec, iowait);

	cpu->update_nsec = now_nsec;
	if (was_reset || !iowait || cpu->boost_pending)
		return;
	cpu->boost_pending = true;
	cpu->boost = cpu->boost > 0 ? MIN(cpu->boost * 2, BOOST_MOST) : BOOST_MIN;
}

double sugov_boost(struct sugov_cpu *cpu, uint64_t now_nsec, uint64_t tick_nsec, double capacity)
{
	if (cpu->boost == 0 || reset(cpu, now_nsec, tick_nsec, false))
		return 0;
	if (!cpu->boost_pending) {
		cpu->boost /= 2;
		if (cpu->boost < BOOST_MIN) {
			cpu->boost = 0;
			return 0;
		}
	}
	cpu->boost_pending = false;
	return cpu->boost * capacity / BOOST_MOST;
}

double sugov_util(const struct cpu_signal *signal, double capacity, bool runnable_boost)
{
	double util = MAX(signal->util_avg, signal->util_est);

	if (runnable_boost)
		util = MAX(util, signal->runnable_avg);
	return MIN(util, capacity);
}

bool sugov_hold(struct sugov_cpu *cpu, const struct cpu_signal *signal, double capacity)
{
	bool held;

	if (signal->uclamp_max < 1024 && sugov_util(signal, capacity, false) >= signal->uclamp_max)
		return false;
	held = signal->idle_calls == cpu->saved_idle_calls;
	cpu->saved_idle_calls = signal->idle_calls;
	return held;
}

double sugov_performance(const struct cpu_signal *signal, double util, double boost,
			 double capacity, bool late)
{
	double min = MIN(signal->uclamp_min, capacity), max = MIN(signal->uclamp_max, capacity);

	if (!late) {
		util = MAX(MIN(util, signal->uclamp_max), signal->uclamp_min);
		return HEADROOM * MAX(MIN(util, capacity), boost);
	}
	boost = MIN(boost, signal->uclamp_max);
	util = HEADROOM * MAX(util, boost);
	return MAX(min, MIN(util, max));
}
