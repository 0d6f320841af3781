/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The part of the daemon that looks for what makes its signal mislead, and says so. */
#include <string.h>

#include "common/macro.h"
#include "guestd/concern.h"
#include "guestd/guest_private.h"
#include "guestd/sched_ext.h"

#define LOOK_USEC (10 * USEC_PER_SEC) /* a scheduler may be loaded at any time */

/* Whether the scheduler is another than the last look found. */
static bool look(struct guest *guest, uint64_t now_usec)
{
	struct message_notice *notice = &guest->notice;
	char old[sizeof(notice->scheduler)];
	bool had = guest->sched_ext;

	guest->looked_usec = now_usec;
	memcpy(old, notice->scheduler, sizeof(old));
	guest->sched_ext = sched_ext_read(guest->options.root_fd, notice->scheduler);
	if (guest->sched_ext != had)
		guest_signal_choose(guest);
	return strcmp(old, notice->scheduler) != 0;
}

static void log_concern(struct guest *guest, enum notice_concern concern, uint64_t now_usec)
{
	const char *text = concern_explain(concern, counters_proc_lacks(guest->proc));
	bool is_there = guest->notice.concerns & UINT32_C(1) << concern;

	log_event_limited(&guest->concern_limit, now_usec, is_there ? LOG_NOTICE : LOG_INFO,
			  is_there ? EVENT_CONCERN : EVENT_CONCERN_GONE, LOG_FIELDS(.reason = text),
			  "%s: %s%s", notice_concern_name(concern),
			  is_there ? "" : "this is over: ", text);
}

static uint32_t decide(const struct guest *guest)
{
	const struct concern_facts facts = {
		.sched_ext = guest->sched_ext,
		.wants_cpufreq = guest_cpufreq_state(guest) != CPUFREQ_OFF,
		.policies = cpufreq_count(guest->cpufreq),
		.virt = cpufreq_count_held(guest->cpufreq, CPUFREQ_HOLD_VIRT),
		.theirs = cpufreq_count_held(guest->cpufreq, CPUFREQ_HOLD_THEIRS),
		.never = cpufreq_count_held(guest->cpufreq, CPUFREQ_HOLD_NEVER),
		.lacks = counters_proc_lacks(guest->proc),
		.bpf_lack = guest_signal_lack(guest),
	};

	return concern_decide(&facts);
}

void guest_concern_init(struct guest *guest)
{
	guest->concern_limit = (struct ratelimit){.interval_usec = 60 * USEC_PER_SEC, .burst = 10};
	look(guest, guest_now_usec());
	guest_concern_check(guest, guest_now_usec());
}

void guest_concern_check(struct guest *guest, uint64_t now_usec)
{
	bool renamed = now_usec - guest->looked_usec >= LOOK_USEC && look(guest, now_usec);
	uint32_t old = guest->notice.concerns;

	guest->notice.concerns = decide(guest);
	if (guest->notice.concerns == old && !renamed)
		return;
	guest->notice_due = true;
	guest_bus_news(guest->bus, GUEST_NEWS_CONCERNS);
	for (unsigned i = 0; NOTICE_KNOWN >> i; i++)
		if ((old ^ guest->notice.concerns) & UINT32_C(1) << i)
			log_concern(guest, i, now_usec);
}
