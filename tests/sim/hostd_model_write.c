/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The simulated hostd's writes: as run_plan() of hostd/domain.c, with task_set_uclamp() and
 * task_set_allowed() in the place of the actuator. They never fail. */
#include "common/macro.h"
#include "tests/sim/hostd_model_private.h"

#define NUDGE_NSEC  3000		/* of work: to wake, to read, to sleep */
#define WINDOW_USEC (4 * USEC_PER_MSEC) /* by hostd's own clock */

/* Counts a write, and how many of this vCPU the last 4 ms have seen. */
static void count(struct hostd_domain *domain, unsigned i)
{
	struct hostd_model *host = domain->host;
	uint64_t *written = &domain->written_usec[i * HOSTD_WRITES_KEPT];
	uint64_t at = queue_now(host->queue), now = hostd_now_usec(host);
	unsigned n = 1;

	host->figures->writes++;
	host->figures->writes_settled +=
		at >= host->config.settled_from_nsec && at < host->config.settled_until_nsec;
	for (unsigned k = HOSTD_WRITES_KEPT - 1; k > 0; k--)
		written[k] = written[k - 1];
	written[0] = now;
	while (n < HOSTD_WRITES_KEPT && written[n] > 0 && now - written[n] < WINDOW_USEC)
		n++;
	host->figures->most_in_4ms = MAX(host->figures->most_in_4ms, n);
}

/* What all CPUs are held up to: of the threads on each the highest floor. Only with a budget, for
 * each thread is looked at. */
static void note_floors(struct hostd_model *host)
{
	uint16_t floor[SIM_CPUS_MAX] = {};
	double sum = 0;

	if (host->config.budget1024_percent == 0)
		return;
	for (struct hostd_domain *domain = host->domains; domain; domain = domain->next)
		for (unsigned i = 0; i < domain->n_vcpus; i++) {
			const struct hostd_vcpu *vcpu = &domain->vcpus[i];

			if (vcpu->thread)
				floor[vcpu->thread->cpu] =
					MAX(floor[vcpu->thread->cpu], vcpu->have.floor1024);
		}
	for (unsigned i = 0; i < SIM_CPUS_MAX; i++)
		sum += floor[i];
	host->figures->floors_sum_most = MAX(host->figures->floors_sum_most, sum);
}

/* -- nudges: as hostd/nudge.c -- */

static void on_nudged(_unused_ struct task *task)
{
}

static const struct task_ops nudge_ops = {.done = on_nudged};

void hostd_nudge_init(struct hostd_model *host)
{
	task_init(&host->nudge, machine_kernel(host->machine), "vmfreq-hostd", UINT64_MAX,
		  &nudge_ops, NULL);
}

void hostd_nudge_done(struct hostd_model *host)
{
	task_remove(&host->nudge);
}

static unsigned elsewhere(const struct hostd_model *host, unsigned cpu)
{
	const struct kernel *kernel = machine_kernel(host->machine);
	unsigned other = 0;

	while (other < host->n_cpus && (other == cpu || !kernel_is_online(kernel, other)))
		other++;
	return other;
}

/* The way round by another CPU is taken without its time, which hostd's own CPU has. */
static void nudge_cpu(struct hostd_model *host, unsigned cpu)
{
	if (!kernel_is_online(machine_kernel(host->machine), cpu))
		return;
	if (host->nudge.cpu == cpu)
		task_move(&host->nudge, elsewhere(host, cpu));
	task_set_allowed(&host->nudge, UINT64_C(1) << cpu);
	task_wake(&host->nudge, NUDGE_NSEC, false);
	host->figures->nudges++;
}

/* As nudge() of hostd/domain_act.c. */
static void nudge(struct hostd_domain *domain, unsigned i, struct clamps from)
{
	struct hostd_model *host = domain->host;
	unsigned cpu = arbiter_cpu_of(host->arbiter, domain->number, i);

	if (host->config.host.nudge && machine_config(host->machine)->kernel.invariant &&
	    cpu != ARBITER_CPU_UNKNOWN && !domain->demands[i].sleeps &&
	    plan_nudges(from, plan_stands(&domain->vcpus[i].have)))
		nudge_cpu(host, cpu);
}

static void do_op(struct hostd_domain *domain, unsigned i, enum plan_op op,
		  const struct plan_want *want)
{
	struct hostd_vcpu *vcpu = &domain->vcpus[i];

	if (op == PLAN_SET_CLAMPS || op == PLAN_CLEAR_CLAMPS) {
		task_set_uclamp(vcpu->thread, plan_clamps(want).floor1024,
				plan_clamps(want).ceiling1024);
		arbiter_wrote(domain->host->arbiter, domain->number, i, want->floor1024);
		vcpu->owed = true;
	} else {
		vcpu->set_allowed = want->placed ? want->cpus.word[0] : vcpu->found_allowed;
		task_set_allowed(vcpu->thread, vcpu->set_allowed);
	}
	count(domain, i);
}

uint64_t hostd_write(struct hostd_domain *domain, unsigned i, const struct plan_want *want,
		     bool hurry, uint64_t now_usec)
{
	static const enum plan_op order[] = {PLAN_SET_CPUS, PLAN_SET_CLAMPS, PLAN_CLEAR_CLAMPS,
					     PLAN_CLEAR_CPUS};
	struct hostd_vcpu *vcpu = &domain->vcpus[i];
	struct clamps stood = plan_stands(&vcpu->have);
	uint64_t next_usec;
	const struct host_config *config = &domain->host->config.host;
	const struct plan_pace pace = {config->write_interval_usec,
				       hurry ? 0 : config->lower_interval_usec};
	unsigned ops = plan_vcpu(&vcpu->have, want, &pace, now_usec, &next_usec);

	for (unsigned k = 0; k < ARRAY_SIZE(order); k++)
		if (ops & order[k]) {
			do_op(domain, i, order[k], want);
			plan_done(&vcpu->have, want, order[k], now_usec);
			nudge(domain, i, stood);
		}
	if (ops != PLAN_NOTHING)
		note_floors(domain->host);
	return next_usec;
}

void hostd_forget_thread(struct hostd_domain *domain, unsigned i)
{
	struct hostd_vcpu *vcpu = &domain->vcpus[i];

	arbiter_wrote(domain->host->arbiter, domain->number, i, 0);
	vcpu->thread = NULL;
	vcpu->have = (struct plan_have){};
	vcpu->placement = (struct placement_state){};
	vcpu->cpus_are_theirs = false;
}
