/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The simulated guestd sets its guest's cpufreq to what the host delivers. As
 * guestd/guest_cpufreq.c, with a policy of its own for each vCPU, whose governor nobody else wants.
 */
#include "common/macro.h"
#include "tests/sim/guestd_model_private.h"

static struct governor_policy policy_of(const struct guestd_model *model, unsigned vcpu)
{
	struct governor_policy policy = model->config.policy;

	cpumask_clear(&policy.cpus);
	cpumask_set(&policy.cpus, vcpu);
	return policy;
}

/* As interval_usec(), of a kernel that follows. */
static uint64_t interval_usec(const struct guestd_model *model)
{
	return governor_interval_usec(model->config.guest.cpufreq_interval_usec, true);
}

/* As cpufreq_set(), and set_scale(): the kernel scales by what it was set to. */
static void set_speed(struct guestd_model *model, unsigned vcpu,
		      const struct governor_policy *policy, uint32_t khz)
{
	vm_set_scale(model->world.vm, vcpu, (double)khz / policy->top_khz);
	model->scale1024[vcpu] = governor_scale1024(policy, khz);
}

/* As govern_policy(). Returns how long a speed has to wait: as in await_speed(). */
static uint64_t govern_vcpu(struct guestd_model *model, unsigned vcpu, uint64_t now_usec)
{
	struct governor_policy policy = policy_of(model, vcpu);
	struct governor_state *state = &model->speed_state[vcpu];
	uint64_t interval = interval_usec(model);
	uint32_t khz;

	if (governor_decide(&model->governor, &policy, state, interval, now_usec, &khz)) {
		governor_wrote(state, khz, now_usec);
		set_speed(model, vcpu, &policy, khz);
	}
	return governor_wait_usec(&model->governor, &policy, state, interval, now_usec);
}

void guestd_cpufreq_govern(struct guestd_model *model, uint64_t now_usec)
{
	uint64_t usec = UINT64_MAX;

	governor_check(&model->governor, now_usec);
	if (!model->speed_state)
		return;
	for (unsigned i = 0; i < model->n_cpus; i++) {
		uint64_t wait = govern_vcpu(model, i, now_usec);

		usec = MIN(usec, wait);
	}
	daemon_set_timer(model->world.queue, &model->speed,
			 usec == UINT64_MAX ? USEC_INFINITY : now_usec + usec, usec / 5 + 1);
}

bool guestd_cpufreq_init(struct guestd_model *model)
{
	const struct vm_config *vm = vm_config(model->world.vm);

	if (!vm->invariant || vm->counts || model->config.policy.top_khz == 0 ||
	    !model->config.guest.cpufreq)
		return true;
	model->speed_state = calloc(model->n_cpus, sizeof(*model->speed_state));
	return model->speed_state;
}

void guestd_cpufreq_done(struct guestd_model *model)
{
	free(model->speed_state);
}
