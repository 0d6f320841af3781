/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmfreq-guestd in a simulated guest: its pure objects, wired as guest.c and its parts wire them,
 * between a simulated kernel (kernel_view()), a path (path_model.h) and the guest's cpufreq
 * (vm_set_scale()). Nothing is decided here. Its work is done by vm_run_agent(), so it takes time
 * and CPU. */
#pragma once

#include "guestd/governor.h"
#include "guestd/guest_config.h"
#include "tests/sim/path_model.h"
#include "tests/sim/scenario.h"

struct guestd_config {
	struct guest_config guest; /* [guest] of vmfreq.conf */
	uint64_t wake_nsec;	   /* from a ring to guestd's being runnable */
	uint64_t tick_nsec;  /* work of a look, with its report, at the speed of a whole CPU */
	uint64_t frame_nsec; /* of taking frames */
	uint64_t start_nsec; /* it starts at a time up to this after its VM */
	struct governor_policy
		policy; /* of the guest's cpufreq, for each vCPU; top_khz 0: it has none */
};

/* As in conf/vmfreq.conf, and 40 us of work natively (docs/benchmarks.md). */
void guestd_config_init(struct guestd_config *config);

struct guestd_model;
struct arm_figures;

/* What it is part of; all of it outlives it. */
struct guestd_world {
	struct queue *queue;
	struct vm *vm;
	struct path *path;
	const struct agent_config *agent; /* its kind isn't AGENT_NONE */
	uint64_t seed;
	struct arm_figures *figures;
};

/* NULL if there is no memory. */
struct guestd_model *guestd_model_new(const struct guestd_world *world,
				      const struct guestd_config *config);
void guestd_model_free(struct guestd_model *model);

/* The vm's callbacks (struct vm_ops). */
void guestd_model_updated(struct guestd_model *model, unsigned vcpu);
void guestd_model_idle(struct guestd_model *model, unsigned vcpu, bool idle);

/* For tests. */
bool guestd_model_is_streaming(const struct guestd_model *model);
uint16_t guestd_model_sent(const struct guestd_model *model, unsigned vcpu);
