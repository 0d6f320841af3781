/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What guest.c and its parts share. Nobody else includes this. */
#pragma once

#include "common/log.h"
#include "common/notify.h"
#include "guestd/backoff.h"
#include "guestd/bus.h"
#include "guestd/counters_bpf.h"
#include "guestd/counters_proc.h"
#include "guestd/cpufreq.h"
#include "guestd/dialog.h"
#include "guestd/estimate.h"
#include "guestd/guest.h"
#include "guestd/pelt_estimate.h"
#include "guestd/reporter.h"

enum link { LINK_UNKNOWN, LINK_GOOD, LINK_LOST, LINK_REFUSED };

struct guest {
	struct guest_options options;
	struct guest_config config;
	struct config_outcome reload; /* what came of the last one */
	sd_event *event;
	struct guest_bus *bus; /* NULL: nobody asked for one */

	/* guest.c: the tick */
	sd_event_source *tick_source, *signal_source[3];
	struct counters_proc *proc;
	struct estimator *estimator;
	struct reporter *reporter;
	struct cpumask cpus; /* of the last sample */
	struct watchdog watchdog;
	unsigned quiet_samples; /* since the last active one */
	uint64_t cost_nsec;	/* our own CPU time per sample, smoothed */
	uint64_t self_run_nsec; /* at the last sample */
	int sample_error;	/* of the last sample, as the log has it; 0: it went well */
	struct counters *counters;
	struct report_vcpu *records; /* PROTO_CPUS_MAX */

	struct estimate estimate[CPUMASK_CPUS]; /* the newest, of whichever source */

	/* guest_signal.c: the eBPF source; NULL: it is /proc */
	struct counters_bpf *bpf;
	enum counters_bpf_lack bpf_lack; /* why */
	sd_event_source *bpf_source;
	struct pelt_step bpf_step;
	struct pelt_record record[CPUMASK_CPUS]; /* as looked at last */
	struct pelt_account account[CPUMASK_CPUS];
	struct pelt_stolen stolen;
	uint64_t online_usec; /* the CPUs were looked for */

	/* guest_link.c: the connection */
	sd_event_source *io_source, *retry_source;
	struct uplink *uplink;
	struct dialog *dialog;
	struct message_hello *hello;
	struct cpumask hello_cpus; /* that the host was told of */
	struct backoff backoff;
	bool hello_sent;
	uint64_t streaming_usec;     /* since when */
	uint64_t psi_read_usec;	     /* PSI went out last */
	uint64_t reports, feedbacks; /* sent and received in all connections */
	enum link link;		     /* what the log says of it, and how */
	char link_text[512];
	struct ratelimit link_limit;

	/* guest_concern.c */
	bool sched_ext;
	uint64_t looked_usec;
	struct message_notice notice;
	bool notice_due; /* the host hasn't heard of it */
	struct ratelimit concern_limit;

	/* guest_cpufreq.c */
	struct cpufreq *cpufreq;
	bool cpufreq_off;	      /* an earlier run's settings couldn't be given back */
	unsigned held[CPUFREQ_HOLDS]; /* policies, as the bus was told */
	enum hello_cpufreq state;     /* likewise */
	struct governor governor;
	uint64_t refreshed_usec;       /* the policies' limits */
	sd_event_source *speed_source; /* a speed that has to wait */
	uint64_t taken_usec;	       /* the last try to take what is free */
	uint16_t scale1024[CPUMASK_CPUS];
	int take_error; /* as the log has it */
};

uint64_t guest_now_usec(void);

/* Samples, reports and sets the next time for it, now rather than at that time. */
void guest_tick(struct guest *guest);

/* Other CPUs are there from now on. The host learns of one that went by a zero, of one that came by
 * a new HELLO, also if it was there before: its number may be another vCPU's by now. */
void guest_hotplug(struct guest *guest, const struct cpumask *cpus);

/* -- guest_signal.c -- */
/* Opens the eBPF source if it is wanted and can be had; -errno only where the settings demand it.
 */
int guest_signal_init(struct guest *guest);
void guest_signal_done(struct guest *guest);

/* Other settings. */
void guest_signal_configure(struct guest *guest);

/* Which source it is, and why that one, for status and the log. */
enum hello_signal guest_signal(const struct guest *guest);
void guest_signal_reason(const struct guest *guest, char *ret, size_t size);

/* Why it is /proc although the settings allow eBPF; else COUNTERS_BPF_FINE. */
enum counters_bpf_lack guest_signal_lack(const struct guest *guest);
/* sched_ext has come or gone: the source that is right now. */
void guest_signal_choose(struct guest *guest);

/* Only with the eBPF source: reads the records and puts them to the reporter. */
void guest_signal_look(struct guest *guest, uint64_t now_usec);

/* The same, after all is sent: lets the CPUs ring again, and says in what time to look again though
 * none does. */
uint64_t guest_signal_settle(struct guest *guest, uint64_t now_usec);

/* -- guest_link.c -- */
int guest_link_init(struct guest *guest);
void guest_link_done(struct guest *guest);
bool guest_link_is_streaming(const struct guest *guest);

/* Whether something will happen to the connection: an event on it, or the next try. */
bool guest_link_is_tended(const struct guest *guest);

/* Looks at the deadlines. */
void guest_link_check(struct guest *guest, uint64_t now_usec);

/* Sends what is due. */
void guest_link_report(struct guest *guest, uint64_t stamp_usec, uint64_t now_usec);

/* Drops the connection, if any, and connects anew at once. */
void guest_link_renew(struct guest *guest, const char *reason);

/* -- guest_concern.c -- */
void guest_concern_init(struct guest *guest);

/* Cheap: looks at files once in 10 s, and else at what is known. */
void guest_concern_check(struct guest *guest, uint64_t now_usec);

/* -- guest_cpufreq.c -- */
int guest_cpufreq_init(struct guest *guest);
void guest_cpufreq_done(struct guest *guest);

/* Other CPUs, or other settings. */
void guest_cpufreq_rescan(struct guest *guest);

/* Writes the speeds that have changed. */
void guest_cpufreq_govern(struct guest *guest, uint64_t now_usec);

/* FEEDBACK came. */
void guest_cpufreq_feed(struct guest *guest, const struct message_feedback *feedback,
			uint64_t now_usec);

enum hello_cpufreq guest_cpufreq_state(const struct guest *guest);

/* Whether the kernel's load tracking follows a cpufreq that is there, whoever sets it. */
bool guest_cpufreq_is_followed(const struct guest *guest);
