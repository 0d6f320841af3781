/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd's own rules, over a list of what the guest kernel's numbers were: guestd.py has them a
 * second time, and check_plan.py holds the two against each other. What guest_signal.c does between
 * the pure files is the simulator's signal_model.c.
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
#include "guestd/reporter.h"
#include "tests/sim/signal_model.h"

#define CPUS_MAX 64U
#define STEP1024 31U
/* Stamps of 0 mean "never"; a multiple of the unit in which wake-ups are counted. */
#define BASE_USEC UINT64_C(1048576)

struct replay {
	unsigned n_cpus;
	struct cpumask cpus;
	uint16_t scale1024[CPUS_MAX];
	struct signal_model *signal;
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

static void look(struct replay *replay, uint64_t usec)
{
	static struct report_vcpu vcpus[PROTO_CPUS_MAX];
	struct message_report report;

	replay->rang = false;
	signal_model_look(replay->signal, &replay->cpus, replay->scale1024, replay->reporter,
			  usec * NSEC_PER_USEC);
	if (reporter_decide(replay->reporter, usec) == REPORTER_REPORT) {
		reporter_build(replay->reporter, usec, &report, vcpus);
		print_report(&report, vcpus, usec);
	}
	replay->next_usec = usec + signal_model_settle(replay->signal, &replay->cpus,
						       replay->reporter, 0, usec);
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
	record = signal_model_record(replay->signal, cpu);
	while (replay->next_usec < usec)
		look(replay, replay->next_usec);
	if (strcmp(verb, "moment") == 0) {
		if (replay->rang || replay->next_usec <= usec)
			look(replay, usec);
	} else if (strcmp(verb, "seen") == 0 && n == 6) {
		record->util_avg1024 = (uint16_t)avg;
		record->util_est1024 = (uint16_t)est;
		record->runnable = (uint16_t)runnable;
		replay->rang |= signal_model_note(replay->signal, cpu, nsec);
	} else if (strcmp(verb, "busy") == 0 || strcmp(verb, "idle") == 0) {
		signal_model_idle(replay->signal, cpu, *verb == 'i', nsec);
	} else {
		return -EINVAL;
	}
	return 0;
}

static int start(struct replay *replay, const char *cpus)
{
	replay->n_cpus = (unsigned)atoi(cpus);
	if (replay->n_cpus == 0 || replay->n_cpus > CPUS_MAX)
		return -EINVAL;
	replay->signal = signal_model_new(replay->n_cpus, STEP1024);
	replay->reporter = reporter_new();
	if (!replay->signal || !replay->reporter)
		return -ENOMEM;
	reporter_configure(replay->reporter, 600 * USEC_PER_MSEC, STEP1024);
	reporter_restart(replay->reporter, BASE_USEC);
	replay->next_usec = BASE_USEC;
	for (unsigned i = 0; i < replay->n_cpus; i++) {
		cpumask_set(&replay->cpus, i);
		replay->scale1024[i] = PELT_STEP_FULL1024;
		signal_model_record(replay->signal, i)->uclamp_max1024 = PELT_STEP_FULL1024;
		signal_model_idle(replay->signal, i, true, BASE_USEC * NSEC_PER_USEC);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct replay replay;
	char line[128];
	int r = argc == 2 ? start(&replay, argv[1]) : -EINVAL;

	while (r == 0 && fgets(line, sizeof(line), stdin))
		r = take(&replay, line);
	signal_model_free(replay.signal);
	reporter_free(replay.reporter);
	if (r < 0)
		fprintf(stderr, "replay: usage, or a line that isn't understood\n");
	return r < 0;
}
