/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The part of the daemon that goes by the eBPF programs, where the kernel takes them: no sample has
 * to be taken, for they ring when a CPU has crossed a step. */
#include <string.h>
#include <time.h>

#include "common/macro.h"
#include "common/rootfs.h"
#include "guestd/guest_private.h"

#define WAIT_USEC   USEC_PER_SEC /* for an answer of the host's, which may never come */
#define ONLINE_USEC USEC_PER_SEC /* CPUs come and go: look once in this, if we look at all */

/* How far apart wake-ups for falls are. */
static uint64_t fall_usec_of(const struct guest *guest)
{
	return pelt_estimate_fall_usec(guest->cost_nsec) * pelt_stolen_fall_factor(&guest->stolen);
}

static struct pelt_step step_of(const struct guest *guest)
{
	return (struct pelt_step){
		.rise1024 = (uint16_t)guest->config.step1024,
		.fall1024 = (uint16_t)MIN(2 * guest->config.step1024, PELT_STEP_FULL1024),
		.least1024 = reporter_least((uint32_t)guest->config.step1024),
		.rise_shift = (uint16_t)pelt_stolen_rise_shift(&guest->stolen),
		.rise_nsec = (uint32_t)(pelt_estimate_rise_usec(guest->cost_nsec) * NSEC_PER_USEC),
		.fall_nsec = (uint32_t)(fall_usec_of(guest) * NSEC_PER_USEC),
	};
}

/* Our own CPU time from look to look, smoothed: with it goes how often a CPU may ring. */
static void measure_cost(struct guest *guest)
{
	struct timespec used;
	uint64_t nsec;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	nsec = (uint64_t)used.tv_sec * USEC_PER_SEC * NSEC_PER_USEC + (uint64_t)used.tv_nsec;
	/* The first has all that came before it. */
	if (guest->self_run_nsec > 0)
		guest->cost_nsec = (guest->cost_nsec * 7 + nsec - guest->self_run_nsec) / 8;
	guest->self_run_nsec = nsec;
}

/* The averages that eBPF reads are the fair class's: under a sched_ext scheduler they stay near
 * zero. */
static bool is_hidden(const struct guest *guest)
{
	return guest->sched_ext && guest->config.signal == GUEST_SIGNAL_AUTO;
}

static bool wants_bpf(const struct guest *guest)
{
	return guest->options.may_bpf && guest->config.signal != GUEST_SIGNAL_PROC &&
	       !is_hidden(guest);
}

enum hello_signal guest_signal(const struct guest *guest)
{
	return guest->bpf ? SIGNAL_EBPF : SIGNAL_PROC;
}

void guest_signal_reason(const struct guest *guest, char *ret, size_t size)
{
	if (guest->bpf)
		snprintf(ret, size, "the kernel's own util_avg and util_est, by eBPF");
	else if (guest->config.signal == GUEST_SIGNAL_PROC)
		snprintf(ret, size, "the settings say signal = proc");
	else if (is_hidden(guest))
		snprintf(ret, size,
			 "a sched_ext scheduler runs the tasks, which eBPF wouldn't see");
	else
		snprintf(ret, size, "no eBPF: %s", counters_bpf_lack_text(guest->bpf_lack));
}

enum counters_bpf_lack guest_signal_lack(const struct guest *guest)
{
	return guest->bpf || guest->config.signal == GUEST_SIGNAL_PROC || is_hidden(guest)
		       ? COUNTERS_BPF_FINE
		       : guest->bpf_lack;
}

static int on_ring(_unused_ sd_event_source *source, _unused_ int fd, _unused_ uint32_t events,
		   void *userdata)
{
	struct guest *guest = userdata;
	struct cpumask rang;

	counters_bpf_drain(guest->bpf, &rang);
	guest_tick(guest);
	return 0;
}

static void log_signal(const struct guest *guest, int level)
{
	char reason[160];

	guest_signal_reason(guest, reason, sizeof(reason));
	log_event(level, EVENT_SIGNAL, LOG_FIELDS(.reason = reason), "signal %s: %s",
		  hello_signal_name(guest_signal(guest)), reason);
}

int guest_signal_init(struct guest *guest)
{
	const struct counters_bpf_options options = {.step = step_of(guest)};
	int r;

	if (!wants_bpf(guest))
		return 0;
	r = counters_bpf_open(&options, &guest->bpf, &guest->bpf_lack);
	log_signal(guest, r < 0 ? LOG_NOTICE : LOG_INFO);
	if (r < 0)
		return guest->config.signal == GUEST_SIGNAL_EBPF ? r : 0;
	return sd_event_add_io(guest->event, &guest->bpf_source, counters_bpf_fd(guest->bpf),
			       EPOLLIN, on_ring, guest);
}

void guest_signal_done(struct guest *guest)
{
	guest->bpf_source = sd_event_source_disable_unref(guest->bpf_source);
	counters_bpf_close(guest->bpf);
	guest->bpf = NULL;
	guest->stolen = (struct pelt_stolen){};
	if (guest->reporter) /* else it never came to start */
		reporter_coarsen(guest->reporter, 0);
}

void guest_signal_choose(struct guest *guest)
{
	bool had = guest->bpf;

	if (had && !wants_bpf(guest)) {
		guest_signal_done(guest);
		log_signal(guest, LOG_NOTICE);
	} else if (!had) {
		guest_signal_init(guest);
	}
	if (had == (guest->bpf != NULL))
		return;
	guest_bus_news(guest->bus, GUEST_NEWS_SIGNAL);
	guest_link_renew(guest, "another source of the signal");
}

void guest_signal_configure(struct guest *guest)
{
	const struct pelt_step step = step_of(guest);

	guest->bpf_step = step;
	reporter_coarsen(guest->reporter, step.rise_shift);
	if (guest->bpf)
		counters_bpf_configure(guest->bpf, &step);
}

/* The CPUs that are online, if it is time to look. */
static void look_for_cpus(struct guest *guest, uint64_t now_usec)
{
	struct cpumask cpus;
	char text[1024];

	if (now_usec - guest->online_usec < ONLINE_USEC)
		return;
	guest->online_usec = now_usec;
	if (rootfs_read_line(guest->options.root_fd, "sys/devices/system/cpu/online", text,
			     sizeof(text)) > 0 &&
	    cpumask_parse(text, &cpus) >= 0 && !cpumask_equal(&cpus, &guest->cpus))
		guest_hotplug(guest, &cpus);
}

void guest_signal_look(struct guest *guest, uint64_t now_usec)
{
	uint64_t stolen_usec = 0;

	look_for_cpus(guest, now_usec);
	CPUMASK_FOREACH(cpu, &guest->cpus) {
		struct pelt_record *record = &guest->record[cpu];
		int r = counters_bpf_read(guest->bpf, cpu, now_usec * NSEC_PER_USEC, record);

		if (r == -EAGAIN)
			continue; /* what it was */
		if (r < 0)
			*record = (struct pelt_record){.uclamp_max1024 = PELT_STEP_FULL1024};
		pelt_estimate(record, &guest->account[cpu], &guest->estimate[cpu]);
		stolen_usec += guest->estimate[cpu].steal_usec;
		reporter_put(guest->reporter, cpu, &guest->estimate[cpu], guest->scale1024[cpu]);
	}
	pelt_stolen_put(&guest->stolen, stolen_usec, now_usec);
}

/* How eager the programs are goes by what we cost, and by what is stolen. */
static void adapt(struct guest *guest)
{
	measure_cost(guest);
	if (fall_usec_of(guest) * NSEC_PER_USEC != guest->bpf_step.fall_nsec ||
	    pelt_stolen_rise_shift(&guest->stolen) != guest->bpf_step.rise_shift)
		guest_signal_configure(guest);
}

uint64_t guest_signal_settle(struct guest *guest, uint64_t now_usec)
{
	uint64_t next_usec = reporter_next_usec(guest->reporter), usec;
	uint64_t rise_usec, fall_usec;
	bool moved = false;

	adapt(guest);
	rise_usec = pelt_estimate_rise_usec(guest->cost_nsec);
	fall_usec = fall_usec_of(guest);
	if (!guest_link_is_streaming(guest))
		return uplink_state(guest->uplink) == UPLINK_DOWN ? REPORTER_PING_USEC : WAIT_USEC;
	usec = next_usec > now_usec ? next_usec - now_usec : rise_usec;
	/* The CPUs aren't told that we have looked: each rings once more at most. */
	if (guest->dialog->quiet)
		return usec;
	CPUMASK_FOREACH(cpu, &guest->cpus) {
		uint16_t sent = reporter_sent(guest->reporter, cpu);
		uint64_t fall_nsec =
			pelt_estimate_fall_nsec(&guest->record[cpu], &guest->bpf_step, sent);

		if (fall_nsec != UINT64_MAX)
			usec = MIN(usec, MAX(fall_nsec / NSEC_PER_USEC, fall_usec));
		moved |= counters_bpf_sent(guest->bpf, cpu, sent, now_usec * NSEC_PER_USEC);
	}
	return moved ? MIN(usec, rise_usec) : usec;
}
