/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd's looks: where vCPU threads are and what they get there, and what else runs on their CPUs.
 * Only while something is demanded. */
#include "hostd/host_private.h"

#include "common/macro.h"
#include "hostd/cpuload.h"
#include "hostd/feedback.h"
#include "hostd/minfreq.h"
#include "hostd/otherload.h"

/* A tick looks at so many threads at most; then it is the next ones' turn. A round is all of them:
 * 10 ms for up to 32, 100 ms for 320, as freqplan_look_usec() has it. */
#define TICK_USEC    (10 * USEC_PER_MSEC)
#define TICK_THREADS 32U

/* What was written in that time may not be what the frequency follows yet. */
#define SETTLED_USEC (50 * USEC_PER_MSEC)

/* Of a cpufreq policy. */
struct policy_seen {
	uint16_t number; /* whose table that is */
	unsigned n_steps;
	uint32_t steps[FREQPLAN_STEPS_MAX]; /* ascending */
	/* In this round: */
	uint32_t round;
	unsigned n_floored; /* threads with a floor */
	uint32_t domain;    /* of one that runs, */
	unsigned vcpu;
	unsigned cpu;
	uint16_t floor1024; /* 0: there is none, */
	uint32_t khz;	    /* and its frequency then */
};

struct residency {
	sd_event_source *source;
	bool looks;	/* the timer is on */
	uint32_t round; /* from 1 on */
	size_t domain;	/* whose turn it is, */
	unsigned vcpu;
	bool was_needed;     /* in this round */
	uint64_t other_usec; /* the next look at other load */
	struct cpuload *cpuload;
	struct otherload other[CPUMASK_CPUS];
	unsigned n_policies;
	struct policy_seen *policies; /* by index of the topology's */
};

/* -- headroom: headroom.h -- */

static void read_tables(struct host *host)
{
	struct residency *residency = host->residency;

	for (unsigned i = 0; i < residency->n_policies; i++) {
		struct policy_seen *policy = &residency->policies[i];

		policy->number = host->topology->policy[i].number;
		policy->n_steps = minfreq_steps(host->env.root_fd, policy->number, policy->steps);
		policy->n_steps = freqplan_sort(policy->steps, policy->n_steps);
	}
}

/* Of a CPU that has come since the start no table is known. */
static struct policy_seen *policy_of(const struct host *host, unsigned cpu)
{
	struct residency *residency = host->residency;
	unsigned i = host->topology->cpu[cpu].policy;

	if (i >= residency->n_policies || i >= host->topology->n_policies ||
	    residency->policies[i].number != host->topology->policy[i].number)
		return NULL;
	return &residency->policies[i];
}

static void note_floor(struct host *host, const struct domain *domain, unsigned i,
		       const struct thread_look *look, uint64_t now_usec)
{
	struct policy_seen *policy = policy_of(host, look->cpu);
	const struct vcpu *vcpu = &domain->vcpus[i];

	if (vcpu->have.floor1024 == 0 || !policy)
		return;
	if (policy->round != host->residency->round) {
		policy->round = host->residency->round;
		policy->n_floored = policy->floor1024 = 0;
	}
	policy->n_floored++;
	if (!look->runs || now_usec < vcpu->have.written_usec + SETTLED_USEC)
		return;
	policy->domain = domain->number;
	policy->vcpu = i;
	policy->cpu = look->cpu;
	policy->floor1024 = vcpu->have.floor1024;
	policy->khz = look->delivers.freq_khz;
}

/* The step of the table below it; 0 if there is none. */
static uint32_t step_below(const struct policy_seen *policy, uint32_t khz)
{
	uint32_t below = 0;

	for (unsigned i = 0; i < policy->n_steps && policy->steps[i] < khz; i++)
		below = policy->steps[i];
	return below;
}

/* Only where one floor alone asks for the frequency of a policy, and schedutil hears it. */
static void tell_floors(struct host *host)
{
	const struct topology *topology = host->topology;

	if (actuator_is_dry(host->actuator) || !topology->schedutil)
		return;
	for (unsigned i = 0; i < host->residency->n_policies; i++) {
		const struct policy_seen *policy = &host->residency->policies[i];

		if (policy->round == host->residency->round && policy->n_floored == 1 &&
		    policy->floor1024 > 0 && policy->khz > 0)
			arbiter_look_floor(host->env.arbiter, policy->domain, policy->vcpu,
					   policy->cpu, policy->floor1024, policy->khz,
					   step_below(policy, policy->khz),
					   topology->policy[i].max_khz);
	}
}

/* -- other load -- */

static void see_others(struct host *host, uint64_t now_usec)
{
	struct residency *residency = host->residency;

	if (now_usec < residency->other_usec || cpuload_look(residency->cpuload) < 0)
		return;
	residency->other_usec = now_usec + OTHERLOAD_LOOK_USEC;
	CPUMASK_FOREACH(cpu, &host->topology->online) {
		struct feedback_vcpu delivers = {};
		uint64_t idle_nsec;

		if (!arbiter_uses(host->env.arbiter, cpu) ||
		    !cpuload_idle(residency->cpuload, cpu, &idle_nsec))
			continue;
		domain_cpu_delivers(&host->env, cpu, &delivers);
		arbiter_other(host->env.arbiter, cpu,
			      otherload_look(&residency->other[cpu], idle_nsec,
					     feedback_delivered1024(&delivers),
					     now_usec * NSEC_PER_USEC),
			      now_usec);
	}
}

/* -- threads -- */

static bool see_thread(struct host *host, struct domain *domain, unsigned vcpu, uint64_t now_usec)
{
	struct residency *residency = host->residency;
	struct thread_look look;
	uint64_t ran_nsec;

	residency->was_needed |= arbiter_needs_look(host->env.arbiter, domain->number, vcpu);
	if (domain_see(domain, vcpu, residency->round, now_usec, &look, &ran_nsec) < 0)
		return false;
	otherload_vcpu(&residency->other[look.cpu], ran_nsec);
	note_floor(host, domain, vcpu, &look, now_usec);
	return true;
}

/* The threads of one domain that are still to be looked at, so many at most: how many were. */
static unsigned see_domain(struct host *host, struct domain *domain, unsigned n_most,
			   uint64_t now_usec)
{
	struct residency *residency = host->residency;
	unsigned n = 0;

	while (residency->vcpu < domain->info.n_vcpus && n < n_most)
		n += see_thread(host, domain, residency->vcpu++, now_usec);
	if (n > 0)
		domain_run(domain);
	if (residency->vcpu < domain->info.n_vcpus)
		return n;
	residency->vcpu = 0;
	residency->domain++;
	return n;
}

/* All have had their turn. */
static void end_round(struct host *host, uint64_t now_usec)
{
	struct residency *residency = host->residency;

	tell_floors(host);
	see_others(host, now_usec);
	residency->looks = residency->was_needed;
	residency->was_needed = false;
	residency->round++;
	residency->domain = 0;
	residency->vcpu = 0;
}

static int on_tick(sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
	struct host *host = userdata;
	struct residency *residency = host->residency;
	uint64_t now_usec = 0;
	unsigned n = 0;

	sd_event_now(host->event, CLOCK_MONOTONIC, &now_usec);
	while (residency->domain < host->n_domains && n < TICK_THREADS)
		n += see_domain(host, host->domains[residency->domain], TICK_THREADS - n, now_usec);
	if (residency->domain >= host->n_domains)
		end_round(host, now_usec);
	if (!residency->looks)
		return 0;
	sd_event_source_set_time(source, now_usec + TICK_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* Where a thread is was seen with its report: the next look is a tick from now. */
void host_begin_looks(struct host *host)
{
	struct residency *residency = host->residency;
	uint64_t now_usec = 0;

	if (residency->looks)
		return;
	residency->looks = true;
	sd_event_now(host->event, CLOCK_MONOTONIC, &now_usec);
	sd_event_source_set_time(residency->source, now_usec + TICK_USEC);
	sd_event_source_set_enabled(residency->source, SD_EVENT_ONESHOT);
}

int host_add_residency(struct host *host)
{
	struct residency *residency = calloc(1, sizeof(*residency));
	unsigned n = host->topology->n_policies;
	int r;

	if (!residency)
		return -ENOMEM;
	host->residency = residency;
	residency->round = 1;
	residency->policies = calloc(MAX(n, 1U), sizeof(*residency->policies));
	if (!residency->policies)
		return -ENOMEM;
	residency->n_policies = n;
	read_tables(host);
	r = cpuload_new(host->env.root_fd, &residency->cpuload);
	if (r >= 0)
		r = sd_event_add_time(host->event, &residency->source, CLOCK_MONOTONIC, 0,
				      USEC_PER_MSEC, on_tick, host);
	return r < 0 ? r : sd_event_source_set_enabled(residency->source, SD_EVENT_OFF);
}

void host_end_residency(struct host *host)
{
	struct residency *residency = host->residency;

	if (!residency)
		return;
	sd_event_source_disable_unref(residency->source);
	cpuload_free(residency->cpuload);
	free(residency->policies);
	free(residency);
	host->residency = NULL;
}
