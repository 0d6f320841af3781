/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When to send what: steps, leases, the explicit zero and the rare PING. Pure. */
#include "guestd/reporter.h"

#include <stdlib.h>

#include "common/macro.h"

struct vcpu {
	bool present;
	bool reported;	/* the host has a record of it on this connection */
	uint16_t value; /* the demand, or 0 while it is idle */
	uint16_t sent;	/* the value of the last record */
	bool sent_saturated;
	uint16_t sent_avg, sent_scale;
	struct estimate now;
	uint16_t freq_scale;
	uint64_t run_delay_usec, steal_usec; /* since the last record */
};

struct reporter {
	uint64_t lease_usec;
	uint32_t step;
	unsigned rise_shift;
	bool muted;
	uint32_t sequence;
	uint64_t last_report_usec, last_frame_usec;
	unsigned n_cpus;
	struct vcpu vcpu[PROTO_CPUS_MAX];
};

struct reporter *reporter_new(void)
{
	struct reporter *reporter = calloc(1, sizeof(*reporter));

	if (reporter)
		reporter_configure(reporter, 600 * USEC_PER_MSEC, 31);
	return reporter;
}

void reporter_free(struct reporter *reporter)
{
	free(reporter);
}

void reporter_configure(struct reporter *reporter, uint64_t lease_usec, uint32_t step1024)
{
	reporter->lease_usec =
		CLAMP(lease_usec, USEC_PER_MSEC, PROTO_LEASE_MAX_MSEC * USEC_PER_MSEC);
	reporter->step = CLAMP(step1024, 1U, CAPACITY_SCALE);
}

void reporter_coarsen(struct reporter *reporter, unsigned rise_shift)
{
	reporter->rise_shift = rise_shift;
}

/* As if the host had never heard of a CPU. */
static void forget_sent(struct reporter *reporter)
{
	for (unsigned i = 0; i < reporter->n_cpus; i++) {
		struct vcpu *vcpu = &reporter->vcpu[i];

		vcpu->reported = false;
		vcpu->sent = vcpu->sent_avg = 0;
		vcpu->sent_saturated = false;
		vcpu->run_delay_usec = vcpu->steal_usec = 0;
	}
}

void reporter_mute(struct reporter *reporter, bool muted)
{
	reporter->muted = muted;
	forget_sent(reporter);
}

void reporter_restart(struct reporter *reporter, uint64_t now_usec)
{
	reporter->sequence = 0;
	reporter->last_report_usec = reporter->last_frame_usec = now_usec;
	reporter->muted = false;
	forget_sent(reporter);
}

/* What the tasks use, within what they ask for: the minimum wins, as in the kernel's
 * uclamp_rq_util_with(). 0..1024. */
static uint16_t demand_of(const struct estimate *estimate)
{
	return MAX(MIN(estimate->util_est, estimate->uclamp_max), estimate->uclamp_min);
}

uint16_t reporter_least(uint32_t step1024)
{
	return (uint16_t)MAX(step1024, REPORTER_LEAST_1024);
}

/* With hysteresis: else a demand near the least would come and go for ever, and each going is a
 * frame. */
static uint16_t value_of(const struct reporter *reporter, const struct vcpu *vcpu)
{
	uint16_t demand = demand_of(&vcpu->now), least = reporter_least(reporter->step);

	if (vcpu->value == 0)
		return demand >= least ? demand : 0;
	return demand * 2U >= least ? demand : 0;
}

void reporter_put(struct reporter *reporter, unsigned cpu, const struct estimate *estimate,
		  uint16_t freq_scale)
{
	struct vcpu *vcpu;

	if (cpu >= PROTO_CPUS_MAX)
		return;
	vcpu = &reporter->vcpu[cpu];
	reporter->n_cpus = MAX(reporter->n_cpus, cpu + 1);
	vcpu->present = true;
	vcpu->now = *estimate;
	vcpu->freq_scale = freq_scale;
	vcpu->value = value_of(reporter, vcpu);
	vcpu->run_delay_usec += estimate->run_delay_usec;
	vcpu->steal_usec += estimate->steal_usec;
}

void reporter_remove(struct reporter *reporter, unsigned cpu)
{
	struct vcpu *vcpu;

	if (cpu >= reporter->n_cpus)
		return;
	vcpu = &reporter->vcpu[cpu];
	vcpu->present = false;
	vcpu->value = 0;
	vcpu->now = ESTIMATE_UNKNOWN;
	if (vcpu->freq_scale == 0)
		vcpu->freq_scale = CAPACITY_SCALE;
}

bool reporter_is_busy(const struct reporter *reporter)
{
	for (unsigned i = 0; i < reporter->n_cpus; i++)
		if (reporter->vcpu[i].value > 0)
			return true;
	return false;
}

static unsigned rise_of(const struct reporter *reporter, const struct vcpu *vcpu)
{
	unsigned part = reporter->rise_shift > 0 ? (unsigned)vcpu->sent >> reporter->rise_shift : 0;

	return MAX(part, reporter->step);
}

static bool vcpu_is_due(const struct reporter *reporter, const struct vcpu *vcpu)
{
	if (!vcpu->reported)
		return vcpu->present;
	if (vcpu->value == 0)
		return vcpu->sent > 0;
	return vcpu->value >= vcpu->sent + rise_of(reporter, vcpu) ||
	       (vcpu->value == CAPACITY_SCALE && vcpu->sent < CAPACITY_SCALE) ||
	       vcpu->value + 2 * reporter->step <= vcpu->sent ||
	       (vcpu->now.saturated && !vcpu->sent_saturated);
}

/* Whether it has anything new for a report that goes out anyway. */
static bool vcpu_is_worth_it(const struct reporter *reporter, const struct vcpu *vcpu)
{
	int least = (int)MAX(reporter->step / 4, 1U);
	uint16_t avg = vcpu->value > 0 ? vcpu->now.util_avg : 0;

	if (vcpu_is_due(reporter, vcpu))
		return true;
	return vcpu->reported &&
	       (abs(vcpu->value - vcpu->sent) >= least || abs(avg - vcpu->sent_avg) >= least ||
		(vcpu->value > 0 && abs(vcpu->freq_scale - vcpu->sent_scale) >= least));
}

uint16_t reporter_sent(const struct reporter *reporter, unsigned cpu)
{
	return cpu < reporter->n_cpus ? reporter->vcpu[cpu].sent : 0;
}

uint64_t reporter_next_usec(const struct reporter *reporter)
{
	for (unsigned i = 0; i < reporter->n_cpus; i++)
		if (reporter->vcpu[i].sent > 0)
			return reporter->last_report_usec + reporter->lease_usec / 3;
	return reporter->last_frame_usec + REPORTER_PING_USEC;
}

enum reporter_due reporter_decide(const struct reporter *reporter, uint64_t now_usec)
{
	bool holds = false;

	for (unsigned i = 0; i < reporter->n_cpus && !reporter->muted; i++) {
		const struct vcpu *vcpu = &reporter->vcpu[i];

		if (vcpu_is_due(reporter, vcpu))
			return REPORTER_REPORT;
		holds = holds || vcpu->sent > 0;
	}
	if (holds && now_usec - reporter->last_report_usec >= reporter->lease_usec / 3)
		return REPORTER_REPORT;
	if (now_usec - reporter->last_frame_usec >= REPORTER_PING_USEC)
		return REPORTER_PING;
	return REPORTER_NOTHING;
}

static void take_record(struct vcpu *vcpu, unsigned cpu, struct report_vcpu *ret)
{
	bool idle = vcpu->value == 0;

	*ret = (struct report_vcpu){
		.cpu = (uint16_t)cpu,
		.flags = !idle && vcpu->now.saturated ? VCPU_SATURATED : 0,
		.util_avg = idle ? 0 : vcpu->now.util_avg,
		.util_est = idle ? 0 : vcpu->now.util_est,
		.freq_scale = vcpu->freq_scale,
		.runnable = vcpu->now.runnable,
		.uclamp_min = idle ? 0 : vcpu->now.uclamp_min,
		.uclamp_max = vcpu->now.uclamp_max,
		.run_delay_usec = (uint32_t)MIN(vcpu->run_delay_usec, UINT32_MAX),
		.steal_usec = (uint32_t)MIN(vcpu->steal_usec, UINT32_MAX),
	};
	vcpu->sent = vcpu->value;
	vcpu->sent_avg = ret->util_avg;
	vcpu->sent_scale = ret->freq_scale;
	vcpu->sent_saturated = ret->flags & VCPU_SATURATED;
	vcpu->run_delay_usec = vcpu->steal_usec = 0;
	vcpu->reported = vcpu->present;
}

void reporter_build(struct reporter *reporter, uint64_t now_usec, struct message_report *ret,
		    struct report_vcpu *vcpus)
{
	uint64_t lease_msec = reporter->lease_usec / USEC_PER_MSEC;

	*ret = (struct message_report){
		.sequence = ++reporter->sequence,
		.lease_msec = (uint16_t)MAX(lease_msec, 1U),
	};
	for (unsigned i = 0; i < reporter->n_cpus; i++)
		if (vcpu_is_worth_it(reporter, &reporter->vcpu[i]))
			take_record(&reporter->vcpu[i], i, &vcpus[ret->n_vcpus++]);
	reporter->last_report_usec = reporter->last_frame_usec = now_usec;
}

void reporter_pinged(struct reporter *reporter, uint64_t now_usec)
{
	reporter->last_frame_usec = now_usec;
}
