/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What happens in a scenario at a time. */
#pragma once

#include "tests/sim/kernel.h"

enum step_kind {
	STEP_PAUSE,
	STEP_RESUME,
	STEP_VCPU, /* hotplug of a guest's CPU */
	STEP_PIN,
	STEP_CPU, /* of the host */
};

struct scenario_step {
	uint64_t at_nsec;
	enum step_kind kind;
	unsigned first_vm, n_vms;
	unsigned cpu; /* or vCPU */
	bool on;
	uint64_t pin[SIM_CPUS_MAX];
};
