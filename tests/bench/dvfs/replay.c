/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd's own rules, over a list of what the guest kernel's numbers were: guestd.py has them a
 * second time, and check_plan.py holds the two against each other. What guest_signal.c does between
 * the pure files is done here in its place.
 *
 * replay CPUS: reads lines, in the order of time (us):
 *   seen USEC CPU UTIL_AVG UTIL_EST RUNNABLE   an eBPF program noted them
 *   busy USEC CPU, idle USEC CPU               the CPU left idle, or went idle
 *   moment USEC                                that was all at this time
 * and writes `USEC CPU UTIL_AVG UTIL_EST RUNNABLE` of each record, `USEC -` of a report that has
 * none. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/macro.h"
#include "guestd/pelt_estimate.h"
#include "guestd/reporter.h"

#define CPUS_MAX 64U
#define STEP1024 31U
/* Stamps of 0 mean "never"; a multiple of the unit in which wake-ups are counted. */
#define BASE_USEC UINT64_C(1048576)

struct replay {
	unsigned n_cpus;
	struct pelt_record record[CPUS_MAX];  /* as the programs leave it */
	struct pelt_record settled[CPUS_MAX]; /* as guestd saw it last */
	struct pelt_account account[CPUS_MAX];
	struct pelt_step step;
	struct reporter *reporter;
	uint64_t next_usec;
	bool rang;
};

static void print_report(const struct message_report *report, const struct report_vcpu *vcpus,
			 uint64_t usec)
{
	if (report->n_vcpus == 0)
		printf("%" PRIu64 " -\n", usec - BASE_USEC);
	for (unsigned i = 0; i < report->n_vcpus; i++)
		printf("%" PRIu64 " %u %u %u %u\n", usec - BASE_USEC, vcpus[i].cpu,
		       vcpus[i].util_avg, vcpus[i].util_est, vcpus[i].runnable);
}

/* As guest_signal_settle(). */
static void settle(struct replay *replay, uint64_t usec)
{
	uint64_t next_usec = reporter_next_usec(replay->reporter);
	uint64_t rise_usec = pelt_estimate_rise_usec(0), fall_usec = pelt_estimate_fall_usec(0);
	uint64_t wait = next_usec > usec ? next_usec - usec : rise_usec;
	bool moved = false;

	for (unsigned i = 0; i < replay->n_cpus; i++) {
		uint16_t sent = reporter_sent(replay->reporter, i);
		uint64_t nsec = pelt_estimate_fall_nsec(&replay->settled[i], &replay->step, sent,
							usec * NSEC_PER_USEC);
		struct pelt_record now;

		if (nsec != UINT64_MAX)
			wait = MIN(wait, MAX(nsec / NSEC_PER_USEC, fall_usec));
		pelt_record_sent(&replay->record[i], sent);
		now = replay->record[i];
		pelt_record_settle(&now, usec * NSEC_PER_USEC);
		moved |= pelt_step_is_off(&replay->step, &now, pelt_step_wanted(&now)) !=
			 PELT_EVENT_NONE;
	}
	replay->next_usec = usec + (moved ? MIN(wait, rise_usec) : wait);
}

static void look(struct replay *replay, uint64_t usec)
{
	static struct report_vcpu vcpus[PROTO_CPUS_MAX];
	struct message_report report;

	replay->rang = false;
	for (unsigned i = 0; i < replay->n_cpus; i++) {
		struct estimate estimate;

		replay->settled[i] = replay->record[i];
		pelt_record_settle(&replay->settled[i], usec * NSEC_PER_USEC);
		pelt_estimate(&replay->settled[i], &replay->account[i], &estimate);
		reporter_put(replay->reporter, i, &estimate, PELT_STEP_FULL1024);
	}
	if (reporter_decide(replay->reporter, usec) == REPORTER_REPORT) {
		reporter_build(replay->reporter, usec, &report, vcpus);
		print_report(&report, vcpus, usec);
	}
	settle(replay, usec);
}

static void ring_if(struct replay *replay, struct pelt_record *record,
		    enum pelt_event_reason reason, uint64_t nsec)
{
	if (reason == PELT_EVENT_NONE)
		return;
	record->rung = pelt_step_rung(nsec);
	replay->rang = true;
}

/* One line. -EINVAL if it isn't one. */
static int take(struct replay *replay, const char *line)
{
	unsigned cpu = 0, avg = 0, est = 0, runnable = 0;
	struct pelt_record *record;
	uint64_t usec, nsec;
	char verb[8];
	int n = sscanf(line, "%7s %" SCNu64 " %u %u %u %u", verb, &usec, &cpu, &avg, &est,
		       &runnable);

	if (n < 2 || cpu >= replay->n_cpus)
		return -EINVAL;
	usec += BASE_USEC;
	nsec = usec * NSEC_PER_USEC;
	record = &replay->record[cpu];
	while (replay->next_usec < usec)
		look(replay, replay->next_usec);
	if (strcmp(verb, "moment") == 0) {
		if (replay->rang || replay->next_usec <= usec)
			look(replay, usec);
	} else if (strcmp(verb, "seen") == 0 && n == 6) {
		record->util_avg1024 = (uint16_t)avg;
		record->util_est1024 = (uint16_t)est;
		record->runnable = (uint16_t)runnable;
		record->stamp_nsec = nsec;
		ring_if(replay, record,
			pelt_step_due(&replay->step, record, pelt_step_wanted(record), nsec), nsec);
	} else if (strcmp(verb, "busy") == 0) {
		record->idle_nsec = 0;
	} else if (strcmp(verb, "idle") == 0) {
		record->idle_nsec = nsec;
		ring_if(replay, record, pelt_step_idle_due(&replay->step, record, nsec), nsec);
	} else {
		return -EINVAL;
	}
	return 0;
}

static int start(struct replay *replay, const char *cpus)
{
	replay->n_cpus = (unsigned)atoi(cpus);
	replay->reporter = reporter_new();
	if (!replay->reporter || replay->n_cpus == 0 || replay->n_cpus > CPUS_MAX)
		return -EINVAL;
	reporter_configure(replay->reporter, 600 * USEC_PER_MSEC, STEP1024);
	reporter_restart(replay->reporter, BASE_USEC);
	replay->next_usec = BASE_USEC;
	replay->step = (struct pelt_step){
		.rise1024 = STEP1024,
		.fall1024 = 2 * STEP1024,
		.least1024 = reporter_least(STEP1024),
		.rise_nsec = (uint32_t)(pelt_estimate_rise_usec(0) * NSEC_PER_USEC),
		.fall_nsec = (uint32_t)(pelt_estimate_fall_usec(0) * NSEC_PER_USEC),
	};
	for (unsigned i = 0; i < replay->n_cpus; i++)
		replay->record[i] = (struct pelt_record){.uclamp_max1024 = PELT_STEP_FULL1024,
							 .idle_nsec = BASE_USEC * NSEC_PER_USEC};
	return 0;
}

int main(int argc, char **argv)
{
	static struct replay replay;
	char line[128];
	int r = argc == 2 ? start(&replay, argv[1]) : -EINVAL;

	while (r == 0 && fgets(line, sizeof(line), stdin))
		r = take(&replay, line);
	reporter_free(replay.reporter);
	if (r < 0)
		fprintf(stderr, "replay: usage, or a line that isn't understood\n");
	return r < 0;
}
