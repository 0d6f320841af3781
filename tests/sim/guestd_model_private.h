/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What guestd_model.c and its parts share: as guestd/guest_private.h. Nobody else includes this. */
#pragma once

#include "guestd/backoff.h"
#include "common/counters.h"
#include "guestd/dialog.h"
#include "guestd/uplink.h"
#include "tests/sim/daemon_clock.h"
#include "tests/sim/guestd_model.h"
#include "tests/sim/signal_model.h"
#include "tests/sim/world.h"

/* Why guestd has to run. */
enum guestd_due {
	DUE_TICK = 1 << 0, /* a ring, or the tick's time */
	DUE_IO = 1 << 1,   /* something of the connection */
	DUE_SPEED = 1 << 2,
};

/* A CPU's averages, when they were last updated. */
struct guestd_seen {
	uint64_t update_nsec;
	double util_avg;
};

struct guestd_model {
	struct guestd_world world;
	struct guestd_config config;
	unsigned n_cpus;
	struct dice dice;

	/* guestd_model.c: when it runs */
	unsigned due; /* enum guestd_due, or-ed */
	bool working;
	struct event wake, work, tick, retry, speed, back;

	/* guest.c */
	struct reporter *reporter;
	struct report_vcpu *records;
	struct cpumask cpus; /* of the last look */
	unsigned quiet_samples;
	uint64_t cost_nsec, self_run_nsec;
	uint16_t *scale1024;

	/* guestd_model_signal.c: one of the two, or a lie */
	struct signal_model *signal;
	struct guestd_seen *seen;
	struct estimator *estimator;
	struct counters *counters;
	uint64_t online_usec;

	/* guestd_model_link.c */
	enum uplink_state state;
	uint64_t progress_usec; /* of connecting */
	struct dialog dialog;
	struct frame_decoder decoder;
	struct backoff backoff;
	bool hello_sent;
	bool came_up, went_down; /* not yet taken */
	struct cpumask hello_cpus;
	uint64_t streaming_usec;

	/* guestd_model_cpufreq.c: a policy for each vCPU, or none */
	struct governor governor;
	struct governor_state *speed_state; /* NULL: there is no cpufreq */
};

static inline uint64_t guestd_now_usec(const struct guestd_model *model)
{
	return daemon_usec(model->world.queue);
}

/* As guest_tick(), guest_hotplug() and lease_usec(). */
void guestd_tick(struct guestd_model *model);
void guestd_hotplug(struct guestd_model *model, const struct cpumask *cpus);
uint64_t guestd_lease_usec(const struct guestd_model *model);

/* It doesn't run now, whatever is due. */
bool guestd_is_silent(const struct guestd_model *model);

/* guestd is to run for that. */
void guestd_wake(struct guestd_model *model, enum guestd_due due);

/* -- guestd_model_signal.c -- */
bool guestd_signal_init(struct guestd_model *model);
void guestd_signal_done(struct guestd_model *model);
enum hello_signal guestd_signal(const struct guestd_model *model);
/* New estimates, put to the reporter: returns when they were taken. */
uint64_t guestd_signal_take(struct guestd_model *model);
/* In what time to look again. */
uint64_t guestd_signal_next_usec(struct guestd_model *model, uint64_t now_usec);

/* -- guestd_model_link.c -- */
void guestd_link_init(struct guestd_model *model);
/* As on_io(). */
void guestd_link_serve(struct guestd_model *model);
/* As guest_link_renew(), guest_link_check() and guest_link_report(). */
void guestd_link_renew(struct guestd_model *model);
void guestd_link_check(struct guestd_model *model, uint64_t now_usec);
void guestd_link_report(struct guestd_model *model, uint64_t stamp_usec, uint64_t now_usec);

/* -- guestd_model_cpufreq.c -- */
bool guestd_cpufreq_init(struct guestd_model *model);
void guestd_cpufreq_done(struct guestd_model *model);
/* As guest_cpufreq_govern(). */
void guestd_cpufreq_govern(struct guestd_model *model, uint64_t now_usec);
