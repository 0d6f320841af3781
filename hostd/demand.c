/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What each vCPU of a guest asks for, for as long as the lease of its reports holds. Pure. */
#include "hostd/demand.h"

#include "common/macro.h"
#include "common/pelt_decay.h"

#define MOVE_LEAST1024 32U /* by how much more it has to have fallen */
#define CAME_LEAST1024 96U /* likewise to have risen: what grows is seen a little late, too */
#define TICK_USEC      (5 * USEC_PER_MSEC) /* a record's age, with HZ=250 */
/* Had it grown for longer, there would have been a report of it: guestd's shortest interval, twice.
 */
#define ZERO_AVG1024	51U /* half of what is worth reporting */
#define RISE_USEC	(8 * USEC_PER_MSEC)
#define BEHIND_MAX_USEC (200 * USEC_PER_MSEC) /* by then all is forgotten */

void demand_init(struct guest_demand *guest, struct demand *vcpus, unsigned n_vcpus)
{
	*guest = (struct guest_demand){.n_vcpus = n_vcpus, .vcpus = vcpus};
	for (unsigned i = 0; i < n_vcpus; i++)
		vcpus[i] = (struct demand){};
}

/* What is left of util_avg if nothing has moved. guestd looks after a CPU that idles within 50 ms,
 * or when its demand has fallen to half, so it can't have fallen to less than a third unheard,
 * however long ago the last report was; unless a slow clock makes good what it is behind. */
static uint64_t fallen_to(const struct demand *demand, uint64_t usec, uint64_t behind_usec)
{
	uint64_t fallen =
		pelt_decay(demand->ref_avg, (usec + TICK_USEC + behind_usec) * NSEC_PER_USEC);

	return behind_usec > TICK_USEC ? fallen : MAX(fallen, demand->ref_avg * 5U / 16);
}

static uint64_t grown_to(const struct demand *demand, uint64_t usec)
{
	uint64_t left1024 = CAPACITY_SCALE - MIN(demand->ref_avg, CAPACITY_SCALE);

	return CAPACITY_SCALE -
	       pelt_decay(left1024, (MIN(usec, RISE_USEC) + TICK_USEC) * NSEC_PER_USEC);
}

/* Whether util_avg has fallen faster than it decays, or risen faster than it grows; moves on what
 * that takes to know. An explicit zero stands for anything below ZERO_AVG1024. */
static void watch_tasks(struct demand *demand, const struct report_vcpu *vcpu, uint64_t stamp_usec)
{
	bool is_known = demand->ref_usec > 0 && stamp_usec >= demand->ref_usec;
	uint64_t usec = is_known ? MIN(stamp_usec - demand->ref_usec, USEC_PER_SEC) : 0;
	uint64_t lost1024 = CAPACITY_SCALE - MIN(vcpu->freq_scale, CAPACITY_SCALE);
	uint64_t behind_usec = demand->behind_usec + usec * lost1024 / CAPACITY_SCALE;
	bool is_zero = vcpu->util_avg == 0 && vcpu->util_est == 0;
	uint16_t avg1024 = is_zero ? MIN(ZERO_AVG1024, demand->ref_avg) : vcpu->util_avg;

	demand->left = is_known && avg1024 + MOVE_LEAST1024 < fallen_to(demand, usec, behind_usec);
	demand->came = is_known && avg1024 > grown_to(demand, usec) + CAME_LEAST1024;
	demand->behind_usec = vcpu->runnable == 0 ? 0 : MIN(behind_usec, BEHIND_MAX_USEC);
	demand->ref_avg = avg1024;
	demand->ref_usec = stamp_usec;
}

static void take_record(struct demand *demand, const struct report_vcpu *vcpu, uint64_t stamp_usec)
{
	demand->news = true;
	demand->sleeps = vcpu->runnable == 0;
	watch_tasks(demand, vcpu, stamp_usec);
	demand->util_avg = vcpu->util_avg;
	demand->util_est = vcpu->util_est;
	demand->uclamp_min = vcpu->uclamp_min;
	demand->uclamp_max = vcpu->uclamp_max;
	demand->flags = vcpu->flags;
	demand->freq_scale = vcpu->freq_scale;
	demand->run_delay_usec += vcpu->run_delay_usec;
	demand->steal_usec += vcpu->steal_usec;
	demand->last_steal_usec = vcpu->steal_usec;
}

/* As the kernel's own sugov_get_util(): the larger of the average and the estimate; within what the
 * tasks ask for, of which the minimum wins, as in uclamp_rq_util_with(). 0..1024. */
static uint16_t wanted1024(const struct demand *demand)
{
	uint16_t util1024 = MAX(demand->util_avg, demand->util_est);

	return MAX(MIN(util1024, demand->uclamp_max), demand->uclamp_min);
}

/* NULL: it is no vCPU. */
static struct demand *demand_of(const struct guest_demand *guest, uint16_t cpu)
{
	unsigned vcpu = guest->identity ? guest->identity->vcpu_of_cpu[cpu] : cpu;

	return vcpu < guest->n_vcpus ? &guest->vcpus[vcpu] : NULL;
}

unsigned demand_report(struct guest_demand *guest, const struct message_report *report,
		       uint64_t lease_max_usec, uint64_t now_usec)
{
	uint64_t lease_usec = report->lease_msec * USEC_PER_MSEC;
	unsigned ignored = 0;

	for (unsigned i = 0; i < report->n_vcpus; i++) {
		struct report_vcpu vcpu;
		struct demand *demand;

		report_vcpu(report, i, &vcpu);
		demand = demand_of(guest, vcpu.cpu);
		if (demand)
			take_record(demand, &vcpu, report->stamp_usec);
		else
			ignored++;
	}
	guest->lapsed = false;
	for (unsigned i = 0; i < guest->n_vcpus; i++) {
		struct demand *demand = &guest->vcpus[i];

		demand->util1024 = demand->held ? 0 : wanted1024(demand);
	}
	guest->lease_until_usec =
		demand_any(guest) ? now_usec + MIN(lease_usec, lease_max_usec) : 0;
	return ignored;
}

bool demand_expire(struct guest_demand *guest, uint64_t now_usec)
{
	if (guest->lease_until_usec == 0 || now_usec < guest->lease_until_usec)
		return false;
	for (unsigned i = 0; i < guest->n_vcpus; i++)
		guest->vcpus[i].util1024 = 0;
	guest->lease_until_usec = 0;
	guest->lapsed = true;
	return true;
}

void demand_hold(struct guest_demand *guest, unsigned vcpu, bool held)
{
	guest->vcpus[vcpu].held = held;
	if (held)
		guest->vcpus[vcpu].util1024 = 0;
}

void demand_forget(struct guest_demand *guest)
{
	guest->lease_until_usec = 0;
	guest->lapsed = false;
	for (unsigned i = 0; i < guest->n_vcpus; i++) {
		guest->vcpus[i].util1024 = 0;
		guest->vcpus[i].util_avg = guest->vcpus[i].util_est = 0;
		guest->vcpus[i].uclamp_min = guest->vcpus[i].uclamp_max = 0;
		guest->vcpus[i].flags = 0;
		guest->vcpus[i].freq_scale = CAPACITY_SCALE;
		guest->vcpus[i].ref_usec = guest->vcpus[i].behind_usec = 0;
		guest->vcpus[i].left = guest->vcpus[i].came = false;
	}
}

bool demand_any(const struct guest_demand *guest)
{
	for (unsigned i = 0; i < guest->n_vcpus; i++)
		if (guest->vcpus[i].util1024 > 0)
			return true;
	return false;
}
