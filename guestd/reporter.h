/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When to send what: steps, leases, the explicit zero and the rare PING. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guestd/estimate.h"
#include "proto/message.h"

#define REPORTER_PING_USEC UINT64_C(10000000)

/* A CPU that wants less than this wants nothing: a tenth, which the lowest step of any cpufreq
 * table gives, and which one short run of a kernel thread on an idle CPU doesn't reach. Or a step,
 * if that is more. Once it wants something, it does down to half of that. */
#define REPORTER_LEAST_1024 102U

struct reporter;

enum reporter_due { REPORTER_NOTHING, REPORTER_REPORT, REPORTER_PING };

/* NULL if there is no memory. */
struct reporter *reporter_new(void);
void reporter_free(struct reporter *reporter);

/* lease_usec: how long a report holds, 1 ms to PROTO_LEASE_MAX_MSEC (more is cut to that).
 * step1024: by how much a CPU's demand (util_est within uclamp_min and uclamp_max) must differ from
 * what was sent to be sent, 1..1024. */
void reporter_configure(struct reporter *reporter, uint64_t lease_usec, uint32_t step1024);

/* From now on a rise has to be at least 1 / 2^rise_shift of what was sent, too; 0: it hasn't, as at
 * first. As in struct pelt_step (pelt_step.h). */
void reporter_coarsen(struct reporter *reporter, unsigned rise_shift);

/* The host has no use for reports from now on, as long as that: none is due, but the PING is. When
 * it has, the next report has every CPU. */
void reporter_mute(struct reporter *reporter, bool muted);

/* A new connection, made at now_usec: the host knows nothing, the next report has every
 * CPU, and nothing is muted. */
void reporter_restart(struct reporter *reporter, uint64_t now_usec);

/* One CPU's newest estimate. freq_scale as in struct report_vcpu. */
void reporter_put(struct reporter *reporter, unsigned cpu, const struct estimate *estimate,
		  uint16_t freq_scale);

/* The CPU is no longer there: its demand ends with one zero, and then it is not reported. */
void reporter_remove(struct reporter *reporter, unsigned cpu);

/* What a demand must be to count, 0..1024, by the step. */
uint16_t reporter_least(uint32_t step1024);

/* Whether some CPU's demand, as put last, is above zero. */
bool reporter_is_busy(const struct reporter *reporter);

/* The demand that the host was last told of, 0..1024. */
uint16_t reporter_sent(const struct reporter *reporter, unsigned cpu);

/* When something is due although nothing changes: the lease's renewal, or a PING. */
uint64_t reporter_next_usec(const struct reporter *reporter);

/* What should be sent at now_usec:
 * - REPORT if a CPU rose by a step (see reporter_coarsen(), too) or to 1024, fell by two or to
 * zero, became saturated, or was never reported; or if a third of the lease is over while a demand
 * that was sent is above zero;
 * - PING if nothing was sent for REPORTER_PING_USEC. */
enum reporter_due reporter_decide(const struct reporter *reporter, uint64_t now_usec);

/* Puts the report together and takes it as sent at now_usec: call it only if it will be. It has
 * every CPU that differs by a quarter step or more, for a record costs little once there is a
 * frame. vcpus has room for PROTO_CPUS_MAX. ret->psi_* and stamp_usec are left to the caller. */
void reporter_build(struct reporter *reporter, uint64_t now_usec, struct message_report *ret,
		    struct report_vcpu *vcpus);

/* A PING was sent. */
void reporter_pinged(struct reporter *reporter, uint64_t now_usec);
