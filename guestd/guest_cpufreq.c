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

bool guest_cpufreq_is_followed(const struct guest *guest)
{
	return guest->options.follows_cpufreq && guest->cpufreq &&
	       cpufreq_count(guest->cpufreq) > 0;
}

/* The scale that the guest kernel applies to the load of a policy's CPUs, where it applies one:
 * that of the speed that it runs at, whoever has set it. The kernel may have made another of ours.
 */
static void set_scale(struct guest *guest, unsigned i)
{
	const struct cpufreq_policy *policy = cpufreq_policy(guest->cpufreq, i);
	uint32_t khz = 0;

	if (guest->options.follows_cpufreq) {
		cpufreq_look(guest->cpufreq, i);
		khz = policy->cur_khz;
		if (khz == 0 && policy->hold == CPUFREQ_HOLD_OURS)
			khz = policy->state.written_khz;
	}
	CPUMASK_FOREACH(cpu, &policy->can.cpus)
		guest->scale1024[cpu] = governor_scale1024(&policy->can, khz);
}

/* A CPU that no policy has any more isn't scaled. */
static void set_scales(struct guest *guest)
{
	for (unsigned i = 0; i < CPUMASK_CPUS; i++)
		guest->scale1024[i] = CAPACITY_SCALE;
	for (unsigned i = 0; i < cpufreq_count(guest->cpufreq); i++)
		set_scale(guest, i);
}

static void log_taken(const struct guest *guest, int error)
{
	unsigned ours = cpufreq_count_held(guest->cpufreq, CPUFREQ_HOLD_OURS);
	unsigned n = cpufreq_count(guest->cpufreq);
	char text[192];

	if (n == 0)
		return; /* a concern of its own */
	if (ours == n)
		snprintf(text, sizeof(text), "the userspace governor is set in all %u policies", n);
	else
		snprintf(text, sizeof(text),
			 "the userspace governor is set in %u of %u policies, the others are left "
			 "as they are (%s)",
			 ours, n, error < 0 ? strerror(-error) : "not ours");
	log_event(ours == n ? LOG_INFO : LOG_NOTICE, EVENT_CPUFREQ, LOG_FIELDS(.reason = text),
		  "cpufreq: %s", text);
}

/* Taking them failed, for their state can't be noted: that is tried again and again, and said once.
 */
static void log_not_taken(struct guest *guest, int error)
{
	char text[128];

	if (error == guest->take_error)
		return;
	guest->take_error = error;
	snprintf(text, sizeof(text), "it is left alone, for its state can't be written to /%s: %s",
		 CPUFREQ_STATE, strerror(-error));
	log_event(LOG_WARNING, EVENT_CPUFREQ, LOG_FIELDS(.reason = text), "cpufreq: %s", text);
}

/* The policies that can be taken: take them. Says so if that changed anything. */
static void take(struct guest *guest, bool say)
{
	unsigned ours = cpufreq_count_held(guest->cpufreq, CPUFREQ_HOLD_OURS);
	int error = 0, r;

	if (is_wanted(guest) && !guest->cpufreq_off) {
		r = cpufreq_take(guest->cpufreq, &error);
		if (r < 0)
			log_not_taken(guest, r);
		else if (say || guest->take_error < 0 ||
			 ours != cpufreq_count_held(guest->cpufreq, CPUFREQ_HOLD_OURS))
			log_taken(guest, error);
		guest->take_error = MIN(r, 0);
	}
	set_scales(guest);
}

void guest_log_restored(unsigned restored, unsigned left)
{
	char text[96];

	snprintf(text, sizeof(text), "%u policies put back, %u left to whoever changed them since",
		 restored, left);
	log_event(LOG_NOTICE, EVENT_RESTORED, LOG_FIELDS(.reason = text),
		  "cpufreq, left by an earlier run: %s", text);
}

/* What an earlier run has left. */
static void recover(struct guest *guest)
{
	unsigned left = 0;
	int r = cpufreq_recover(guest->options.root_fd, &left);

	if (r < 0) {
		/* Taking the governor now would write down our own settings as what was before. */
		log_event(LOG_WARNING, EVENT_RESTORE_FAILED, LOG_FIELDS(.reason = strerror(-r)),
			  "cpufreq is left alone, for what an earlier run wrote to /%s can't be "
			  "given back: %s",
			  CPUFREQ_STATE, strerror(-r));
		guest->cpufreq_off = true;
	} else if (r > 0 || left > 0) {
		guest_log_restored((unsigned)r, left);
	}
}

static int on_speed(sd_event_source *source, uint64_t usec, void *userdata);

int guest_cpufreq_init(struct guest *guest)
{
	int r;

	if (!guest->options.dry_run)
		recover(guest);
	r = cpufreq_open(guest->options.root_fd, &guest->cpufreq);
	if (r >= 0)
		r = sd_event_add_time_relative(guest->event, &guest->speed_source, CLOCK_MONOTONIC,
					       0, 0, on_speed, guest);
	if (r >= 0)
		r = sd_event_source_set_enabled(guest->speed_source, SD_EVENT_OFF);
	if (r < 0)
		return r;
	guest->taken_usec = guest->refreshed_usec = guest_now_usec();
	take(guest, true);
	guest_cpufreq_govern(guest, guest_now_usec());
	return 0;
}

void guest_cpufreq_done(struct guest *guest)
{
	int r;

	guest->speed_source = sd_event_source_unref(guest->speed_source);
	if (!guest->cpufreq)
		return;
	r = guest->options.dry_run ? 0 : cpufreq_restore(guest->cpufreq);
	if (r < 0)
		log_event(LOG_ERR, EVENT_RESTORE_FAILED, LOG_FIELDS(.reason = strerror(-r)),
			  "cpufreq: not everything could be given back: %s; /%s says what it was",
			  strerror(-r), CPUFREQ_STATE);
	else
		log_event(LOG_INFO, EVENT_STOPPED,
			  LOG_FIELDS(.reason = "cpufreq is as it was before"),
			  "stopped: cpufreq is as it was before");
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
		log_event(LOG_WARNING, EVENT_RESTORE_FAILED,
			  LOG_FIELDS(.reason = "a cpufreq policy refused"),
			  "cpufreq: not everything could be given back");
	take(guest, false);
}

/* Says how setting a policy goes when that is news. error: 0 or -errno. */
static void log_set(struct cpufreq_policy *policy, int error)
{
	bool is_write = error < 0 && error != -ECANCELED;
	char text[96];

	if (error == policy->error)
		return;
	policy->error = error;
	snprintf(text, sizeof(text), "policy%u%s%s", policy->id, is_write ? ": " : "",
		 is_write ? strerror(-error) : "");
	if (error == -ECANCELED) {
		policy->error = 0; /* not a failure to recover from, but the end of it */
		log_event(LOG_INFO, EVENT_GOVERNOR_TAKEN, LOG_FIELDS(.reason = text),
			  "cpufreq: somebody changed the governor of %s: it is theirs", text);
	} else if (error < 0) {
		log_event(LOG_WARNING, EVENT_SPEED_FAILED, LOG_FIELDS(.reason = text),
			  "cpufreq: the speed can't be set: %s", text);
	} else {
		log_event(LOG_INFO, EVENT_SPEED_RECOVERED, LOG_FIELDS(.reason = text),
			  "cpufreq: the speed can be set again: %s", text);
	}
}

static bool is_governed(const struct cpufreq_policy *policy, uint64_t now_usec)
{
	return policy->hold == CPUFREQ_HOLD_OURS && policy->seen && now_usec >= policy->retry_usec;
}

static uint64_t interval_usec(const struct guest *guest)
{
	return governor_interval_usec(guest->config.cpufreq_interval_usec,
				      guest->options.follows_cpufreq);
}

static void govern_policy(struct guest *guest, unsigned i, uint64_t now_usec)
{
	struct cpufreq_policy *policy = cpufreq_policy(guest->cpufreq, i);
	uint32_t khz;
	int r;

	if (!is_governed(policy, now_usec) ||
	    !governor_decide(&guest->governor, &policy->can, &policy->state, interval_usec(guest),
			     now_usec, &khz)) {
		/* Others may change theirs at any time. */
		if (policy->hold != CPUFREQ_HOLD_OURS && guest->options.follows_cpufreq)
			set_scale(guest, i);
		return;
	}
	r = cpufreq_set(guest->cpufreq, i, khz);
	log_set(policy, MIN(r, 0));
	if (r < 0) {
		policy->retry_usec = now_usec + RETRY_USEC;
	} else {
		governor_wrote(&policy->state, khz, now_usec);
		log_debug("cpufreq: policy%u set to %" PRIu32 " kHz", policy->id, khz);
	}
	set_scale(guest, i);
}

/* A speed that came too soon after the last is written when its time has come: the next tick may be
 * seconds away. */
static void await_speed(struct guest *guest, uint64_t now_usec)
{
	uint64_t usec = UINT64_MAX;

	for (unsigned i = 0; i < cpufreq_count(guest->cpufreq); i++) {
		const struct cpufreq_policy *policy = cpufreq_policy(guest->cpufreq, i);

		if (is_governed(policy, now_usec))
			usec = MIN(usec, governor_wait_usec(&guest->governor, &policy->can,
							    &policy->state, interval_usec(guest),
							    now_usec));
	}
	if (usec != UINT64_MAX) {
		sd_event_source_set_time_relative(guest->speed_source, usec);
		sd_event_source_set_time_accuracy(guest->speed_source, usec / 5 + 1);
	}
	sd_event_source_set_enabled(guest->speed_source,
				    usec == UINT64_MAX ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static int on_speed(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
	guest_cpufreq_govern(userdata, guest_now_usec());
	return 0;
}

/* The limits may change at any time, and whose the governor is. */
static void refresh(struct guest *guest, uint64_t now_usec)
{
	if (now_usec - guest->refreshed_usec < REFRESH_USEC)
		return;
	guest->refreshed_usec = now_usec;
	for (unsigned i = 0; i < cpufreq_count(guest->cpufreq); i++) {
		struct cpufreq_policy *policy = cpufreq_policy(guest->cpufreq, i);

		if (policy->hold != CPUFREQ_HOLD_OURS || !policy->seen)
			continue;
		if (cpufreq_refresh(guest->cpufreq, i) == -ECANCELED)
			log_set(policy, -ECANCELED);
		set_scale(guest, i);
	}
}

/* Whose the policies are: to the bus, when that is news. */
static void tell_holds(struct guest *guest)
{
	enum hello_cpufreq state = guest_cpufreq_state(guest);
	unsigned held[CPUFREQ_HOLDS] = {};

	for (unsigned i = 0; i < cpufreq_count(guest->cpufreq); i++)
		held[cpufreq_policy(guest->cpufreq, i)->hold]++;
	if (state == guest->state && memcmp(held, guest->held, sizeof(held)) == 0)
		return;
	guest->state = state;
	memcpy(guest->held, held, sizeof(held));
	guest_bus_news(guest->bus, GUEST_NEWS_CPUFREQ);
}

void guest_cpufreq_govern(struct guest *guest, uint64_t now_usec)
{
	governor_check(&guest->governor, now_usec);
	if (now_usec - guest->taken_usec >= TAKE_USEC) {
		guest->taken_usec = now_usec;
		if (cpufreq_count_held(guest->cpufreq, CPUFREQ_HOLD_FREE) > 0)
			take(guest, false);
	}
	refresh(guest, now_usec);
	for (unsigned i = 0; i < cpufreq_count(guest->cpufreq); i++)
		govern_policy(guest, i, now_usec);
	await_speed(guest, now_usec);
	tell_holds(guest);
}

void guest_cpufreq_feed(struct guest *guest, const struct message_feedback *feedback,
			uint64_t now_usec)
{
	governor_feed(&guest->governor, feedback, now_usec);
	guest_cpufreq_govern(guest, now_usec);
}
