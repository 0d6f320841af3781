/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The part of the daemon that sets the guest's cpufreq to what the host delivers. */
#include <inttypes.h>
#include <string.h>

#include "common/fault.h"
#include "common/macro.h"
#include "guestd/guest_private.h"

#define REFRESH_USEC USEC_PER_SEC /* the policies' limits are read again this often at most */
#define RETRY_USEC   USEC_PER_SEC /* after a write that may work later */
#define TAKE_USEC    (10 * USEC_PER_SEC) /* after a policy that couldn't be taken yet */

static bool is_wanted(const struct guest *guest)
{
	return guest->config.cpufreq && !guest->options.dry_run;
}

enum hello_cpufreq guest_cpufreq_state(const struct guest *guest)
{
	if (!is_wanted(guest))
		return CPUFREQ_OFF;
	if (!guest->cpufreq || cpufreq_count(guest->cpufreq) == 0)
		return CPUFREQ_NONE;
	return cpufreq_count_held(guest->cpufreq, CPUFREQ_HOLD_OURS) > 0 ? CPUFREQ_OURS
									 : CPUFREQ_FOREIGN;
}

/* The scale that the guest kernel applies to the load of a policy's CPUs, where it applies one. */
static void set_scale(struct guest *guest, const struct cpufreq_policy *policy)
{
	uint64_t scale = CAPACITY_SCALE;

	if (guest->options.follows_cpufreq && policy->hold == CPUFREQ_HOLD_OURS &&
	    policy->state.written_khz && policy->can.top_khz)
		scale = (uint64_t)policy->state.written_khz * CAPACITY_SCALE / policy->can.top_khz;
	CPUMASK_FOREACH(cpu, &policy->can.cpus)
		guest->scale1024[cpu] = (uint16_t)CLAMP(scale, 1U, CAPACITY_SCALE);
}

static void log_taken(const struct guest *guest, int error)
{
	unsigned ours = cpufreq_count_held(guest->cpufreq, CPUFREQ_HOLD_OURS);
	unsigned n = cpufreq_count(guest->cpufreq);

	if (n == 0)
		return; /* a concern of its own */
	if (ours == n)
		log_info("cpufreq: the userspace governor is set in all %u policies", n);
	else
		log_notice(
			"cpufreq: the userspace governor is set in %u of %u policies, the others "
			"are left as they are (%s)",
			ours, n, error < 0 ? strerror(-error) : "not ours");
}

/* The policies that can be taken: take them. Says so if that changed anything. */
static void take(struct guest *guest, bool say)
{
	unsigned ours = cpufreq_count_held(guest->cpufreq, CPUFREQ_HOLD_OURS);
	int error = 0, r;

	if (is_wanted(guest) && !guest->cpufreq_off) {
		r = cpufreq_take(guest->cpufreq, &error);
		if (r < 0)
			log_warning(
				"cpufreq is left alone, for its state can't be written to /%s: %s",
				CPUFREQ_STATE, strerror(-r));
		else if (say || ours != cpufreq_count_held(guest->cpufreq, CPUFREQ_HOLD_OURS))
			log_taken(guest, error);
	}
	for (unsigned i = 0; i < cpufreq_count(guest->cpufreq); i++)
		set_scale(guest, cpufreq_policy(guest->cpufreq, i));
}

/* What an earlier run has left. */
static void recover(struct guest *guest)
{
	unsigned left = 0;
	int r = cpufreq_recover(guest->options.root_fd, &left);

	if (r < 0) {
		/* Taking the governor now would write down our own settings as what was before. */
		log_warning("cpufreq is left alone, for what an earlier run wrote to /%s can't be "
			    "given back: %s",
			    CPUFREQ_STATE, strerror(-r));
		guest->cpufreq_off = true;
	} else if (r > 0 || left > 0) {
		log_notice("cpufreq: gave back %d policies of an earlier run, left %u that others "
			   "have changed",
			   r, left);
	}
}

int guest_cpufreq_init(struct guest *guest)
{
	int r;

	if (!guest->options.dry_run)
		recover(guest);
	r = cpufreq_open(guest->options.root_fd, &guest->cpufreq);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < CPUMASK_CPUS; i++)
		guest->scale1024[i] = CAPACITY_SCALE;
	guest->cpufreq_limit = (struct ratelimit){.interval_usec = 60 * USEC_PER_SEC, .burst = 5};
	guest->taken_usec = guest_now_usec();
	take(guest, true);
	guest_cpufreq_govern(guest, guest_now_usec());
	return 0;
}

void guest_cpufreq_done(struct guest *guest)
{
	int r;

	if (!guest->cpufreq)
		return;
	r = guest->options.dry_run ? 0 : cpufreq_restore(guest->cpufreq);
	if (r < 0)
		log_error("cpufreq: not everything could be given back: %s; /%s says what it was",
			  strerror(-r), CPUFREQ_STATE);
	cpufreq_close(guest->cpufreq);
	guest->cpufreq = NULL;
}

void guest_cpufreq_rescan(struct guest *guest)
{
	int r = cpufreq_scan(guest->cpufreq);

	if (r < 0)
		log_warning("cpufreq: %s", strerror(-r));
	if (!guest->config.cpufreq && !guest->options.dry_run &&
	    cpufreq_restore(guest->cpufreq) < 0)
		log_warning("cpufreq: not everything could be given back");
	take(guest, false);
}

static void log_failure(struct guest *guest, const struct cpufreq_policy *policy, int error,
			uint64_t now_usec)
{
	unsigned dropped;

	if (error == -ECANCELED)
		return; /* a concern of its own: the governor is somebody else's */
	if (ratelimit_pass(&guest->cpufreq_limit, now_usec, &dropped))
		log_warning("cpufreq: the speed of policy%u can't be set: %s", policy->id,
			    strerror(-error));
}

static void govern_policy(struct guest *guest, unsigned i, uint64_t now_usec)
{
	struct cpufreq_policy *policy = cpufreq_policy(guest->cpufreq, i);
	uint32_t khz;
	int r;

	if (policy->hold != CPUFREQ_HOLD_OURS || !policy->seen || now_usec < policy->retry_usec ||
	    !governor_decide(&guest->governor, &policy->can, &policy->state,
			     guest->config.cpufreq_interval_usec, now_usec, &khz))
		return;
	r = cpufreq_set(guest->cpufreq, i, khz);
	if (r < 0) {
		policy->retry_usec = now_usec + RETRY_USEC;
		log_failure(guest, policy, r, now_usec);
	} else {
		governor_wrote(&policy->state, khz, now_usec);
		log_debug("cpufreq: policy%u set to %" PRIu32 " kHz", policy->id, khz);
	}
	set_scale(guest, policy);
}

void guest_cpufreq_govern(struct guest *guest, uint64_t now_usec)
{
	governor_check(&guest->governor, now_usec);
	if (now_usec - guest->taken_usec >= TAKE_USEC) {
		guest->taken_usec = now_usec;
		if (cpufreq_count_held(guest->cpufreq, CPUFREQ_HOLD_FREE) > 0)
			take(guest, false);
	}
	for (unsigned i = 0; i < cpufreq_count(guest->cpufreq); i++)
		govern_policy(guest, i, now_usec);
}

void guest_cpufreq_feed(struct guest *guest, const struct message_feedback *feedback,
			uint64_t now_usec)
{
	governor_feed(&guest->governor, feedback, now_usec);
	if (now_usec - guest->refreshed_usec >= REFRESH_USEC) {
		guest->refreshed_usec = now_usec;
		for (unsigned i = 0; i < cpufreq_count(guest->cpufreq); i++)
			cpufreq_refresh(guest->cpufreq, i);
	}
	guest_cpufreq_govern(guest, now_usec);
}
