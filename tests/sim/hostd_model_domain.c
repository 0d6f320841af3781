/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One domain of the simulated hostd: from its guest's demands to its vCPU threads, and back what
 * they get. As hostd/domain.c. */
#include "common/macro.h"
#include "hostd/feedback.h"
#include "tests/sim/hostd_model_private.h"

/* As there. */
#define RESOLVE_USEC	 (500 * USEC_PER_MSEC)
#define KEEPALIVE_USEC	 (5 * USEC_PER_SEC)
#define AFTER_WRITE_USEC (4 * USEC_PER_MSEC)

/* -- threads -- */

/* As hold_offline(). */
static void hold_offline(struct hostd_domain *domain)
{
	for (unsigned i = 0; i < domain->n_vcpus; i++)
		demand_hold(&domain->demand, i,
			    domain->vcpus[i].offline && !domain->vcpus[i].thread);
}

/* As set_allowed(), of a mask that fits into a word: where the thread may run by another's word,
 * within what is online. */
static void set_allowed(struct hostd_domain *domain, struct hostd_vcpu *vcpu)
{
	const struct kernel *kernel = machine_kernel(domain->host->machine);
	uint64_t online = 0, mask;

	for (unsigned i = 0; i < domain->host->n_cpus; i++)
		online |= (uint64_t)kernel_is_online(kernel, i) << i;
	mask = vcpu->found_allowed & online;
	cpumask_clear(&vcpu->allowed);
	vcpu->allowed.word[0] = mask ? mask : vcpu->found_allowed;
	hostd_policy_thread(domain, (unsigned)(vcpu - domain->vcpus));
}

/* As resolve_threads(): a vCPU that isn't plugged in has none. */
void hostd_domain_find_threads(struct hostd_domain *domain)
{
	domain->resolve_usec = hostd_now_usec(domain->host) + RESOLVE_USEC;
	for (unsigned i = 0; i < domain->n_vcpus; i++) {
		struct hostd_vcpu *vcpu = &domain->vcpus[i];
		bool there = kernel_is_online(vm_kernel(domain->vm), i);

		if (there == (vcpu->thread != NULL))
			continue;
		hostd_forget_thread(domain, i);
		if (!there)
			continue;
		vcpu->thread = vm_thread(domain->vm, i);
		vcpu->set_allowed = vcpu->found_allowed = vcpu->thread->allowed;
		set_allowed(domain, vcpu);
	}
	hold_offline(domain);
}

static bool has_all_threads(const struct hostd_domain *domain)
{
	for (unsigned i = 0; i < domain->n_vcpus; i++)
		if (!domain->vcpus[i].thread)
			return false;
	return true;
}

/* -- acting -- */

/* As hasten_feedback(). */
static void hasten_feedback(struct hostd_domain *domain, uint64_t soon_usec)
{
	if (domain->feedback_timer.at_nsec > soon_usec * NSEC_PER_USEC - DAEMON_BASE_NSEC)
		daemon_set_timer(domain->host->queue, &domain->feedback_timer, soon_usec,
				 HOSTD_ACCURACY_USEC);
}

/* As run(). */
static void run(struct hostd_domain *domain, uint64_t now_usec)
{
	uint64_t next_usec, writes;

	if (domain->has_hello && now_usec >= domain->resolve_usec && !has_all_threads(domain))
		hostd_domain_find_threads(domain);
	demand_expire(&domain->demand, now_usec);
	if (demand_any(&domain->demand))
		hostd_look_begin(domain->host);
	writes = domain->host->figures->writes;
	next_usec = hostd_policy_run(domain, now_usec);
	if (domain->host->figures->writes != writes)
		hasten_feedback(domain, now_usec + AFTER_WRITE_USEC);
	if (domain->demand.lease_until_usec)
		next_usec = MIN(next_usec, domain->demand.lease_until_usec);
	daemon_set_timer(domain->host->queue, &domain->timer, next_usec, HOSTD_ACCURACY_USEC);
}

void hostd_domain_run(struct hostd_domain *domain)
{
	run(domain, hostd_now_usec(domain->host));
}

/* As domain_update() with yield_cpus(): a mask that isn't ours is the operator's word. */
void hostd_domain_update(struct hostd_domain *domain)
{
	for (unsigned i = 0; i < domain->n_vcpus; i++) {
		struct hostd_vcpu *vcpu = &domain->vcpus[i];

		vcpu->offline = !kernel_is_online(vm_kernel(domain->vm), i);
		if (vcpu->offline && vcpu->thread)
			hostd_forget_thread(domain, i);
		if (!vcpu->thread || vcpu->thread->allowed == vcpu->set_allowed)
			continue;
		vcpu->set_allowed = vcpu->found_allowed = vcpu->thread->allowed;
		vcpu->cpus_are_theirs = true;
		vcpu->have.placed = false;
		set_allowed(domain, vcpu);
	}
	hold_offline(domain);
	hostd_domain_run(domain);
}

/* -- feedback -- */

/* No more than this can a record tell: which of the host's operating points it is, or which step,
 * in whole bits. */
static unsigned bits_of(const struct hostd_model *host)
{
	const struct machine_config *config = machine_config(host->machine);
	unsigned steps = CAPACITY_SCALE / host->config.host.feedback_step1024, values = 0, bits = 0;

	for (unsigned i = 0; i < config->n_domains; i++)
		values += config->domain[i].n_opps;
	while (1U << bits < MIN(values, steps))
		bits++;
	return bits;
}

/* As topology_top_khz(). */
static uint32_t top_khz(const struct hostd_model *host)
{
	const struct kernel_config *config = &machine_config(host->machine)->kernel;
	double most = 0;
	uint32_t khz = 0;

	for (unsigned i = 0; i < host->n_cpus; i++) {
		if (config->capacity[i] < most)
			continue;
		khz = machine_max_khz(host->machine, i);
		most = config->capacity[i];
	}
	return khz;
}

/* As say_delivered(). */
static void say_delivered(const struct hostd_domain *domain, unsigned i, struct feedback_vcpu *ret)
{
	struct feedback_vcpu real;

	hostd_delivered(domain, i, &real);
	feedback_say(&real, &domain->vcpus[i].told,
		     (uint16_t)domain->host->config.host.feedback_step1024, top_khz(domain->host),
		     ret);
}

/* As send_feedback(). */
static void send_feedback(struct hostd_domain *domain, uint64_t now_usec)
{
	static uint8_t frame[FEEDBACK_FRAME_MAX];
	static struct feedback_vcpu changed[PROTO_CPUS_MAX];
	struct hostd_model *host = domain->host;
	unsigned n = 0;
	int size;

	for (unsigned i = 0; i < domain->n_vcpus; i++) {
		const struct feedback_vcpu *told = &domain->vcpus[i].told;

		if (domain->identity.cpu_of_vcpu[i] == VCPU_IDENTITY_NONE)
			continue;
		/* While it sleeps the frequency of its CPU is somebody else's. */
		if (!domain->vcpus[i].thread || !domain->vcpus[i].thread->queued)
			continue;
		domain->vcpus[i].owed = false;
		say_delivered(domain, i, &changed[n]);
		n += changed[n].freq_khz != told->freq_khz ||
		     changed[n].capacity != told->capacity ||
		     changed[n].freq_max_khz != told->freq_max_khz;
	}
	if (n > 0)
		size = feedback_put(frame, sizeof(frame), domain->feedback_sequence + 1, changed,
				    n);
	else if (now_usec - domain->session.sent_usec >= KEEPALIVE_USEC)
		size = ping_put(frame, sizeof(frame), now_usec);
	else
		return;
	if (size < 0 || hostd_session_send(domain, frame, (size_t)size) < 0)
		return;
	domain->feedback_sequence += n > 0;
	host->figures->feedback_bits +=
		(double)(n * bits_of(host) * SIM_SEC) / (double)host->config.figures_nsec;
	for (unsigned i = 0; i < n; i++)
		domain->vcpus[domain->identity.vcpu_of_cpu[changed[i].cpu]].told = changed[i];
}

/* [domain …]'s word, too. */
static bool wants_feedback(const struct hostd_domain *domain)
{
	return domain->host->config.host.feedback && domain->agent->feedback;
}

/* As domain_is_quiet(): of a guest that has greeted. */
static bool is_quiet(const struct hostd_domain *domain)
{
	return domain->agent->goal == GOAL_OFF && !(domain->follows && wants_feedback(domain));
}

/* As send_quiet(). A scenario's goals don't change. */
static void send_quiet(struct hostd_domain *domain, uint64_t now_usec)
{
	uint8_t frame[FRAME_HEADER + 12];
	int size = ping_put_flags(frame, sizeof(frame), now_usec, PING_NO_REPORTS);

	if (size > 0)
		hostd_session_send(domain, frame, (size_t)size);
}

/* As owes_feedback(). */
static bool owes_feedback(const struct hostd_domain *domain)
{
	bool owes = false;

	for (unsigned i = 0; i < domain->n_vcpus && !owes; i++)
		owes = domain->vcpus[i].owed && domain->demands[i].util1024 > 0;
	return owes && domain->follows;
}

/* As feedback_pause(). */
static uint64_t feedback_pause(const struct hostd_domain *domain)
{
	uint64_t interval_usec = domain->host->config.host.feedback_interval_usec;

	if (!wants_feedback(domain) || !demand_any(&domain->demand) || is_quiet(domain))
		return KEEPALIVE_USEC;
	return owes_feedback(domain) ? MIN(AFTER_WRITE_USEC, interval_usec) : interval_usec;
}

static void set_feedback(struct hostd_domain *domain, uint64_t at_usec)
{
	daemon_set_timer(domain->host->queue, &domain->feedback_timer, at_usec,
			 HOSTD_ACCURACY_USEC);
}

/* As on_feedback(). */
void hostd_domain_on_feedback(struct hostd_domain *domain)
{
	uint64_t now_usec = hostd_now_usec(domain->host);
	uint8_t frame[FRAME_HEADER + 8];

	if (!domain->has_hello)
		return;
	if (is_quiet(domain))
		send_quiet(domain, now_usec);
	else if (wants_feedback(domain))
		send_feedback(domain, now_usec);
	else if (ping_put(frame, sizeof(frame), now_usec) > 0)
		hostd_session_send(domain, frame, sizeof(frame));
	set_feedback(domain, now_usec + feedback_pause(domain));
}

/* -- the guest -- */

/* As domain_greet(). */
void hostd_domain_greet(struct hostd_domain *domain, const struct message_hello *hello)
{
	const struct inventory_machine machine = {.kind = MACHINE_UNKNOWN};
	uint64_t now_usec = hostd_now_usec(domain->host);

	vcpu_identity_map(&domain->identity, &machine, domain->n_vcpus, hello);
	domain->has_hello = true;
	domain->invariant = hello->invariant;
	domain->follows = hello->cpufreq == CPUFREQ_OURS;
	domain->signal = hello->signal;
	demand_init(&domain->demand, domain->demands, domain->n_vcpus);
	domain->demand.identity = &domain->identity;
	hold_offline(domain);
	for (unsigned i = 0; i < domain->n_vcpus; i++) {
		domain->vcpus[i].told = (struct feedback_vcpu){};
		domain->vcpus[i].owed = false;
	}
	hostd_domain_find_threads(domain);
	run(domain, now_usec);
	set_feedback(domain, now_usec);
}

/* As domain_report(). */
void hostd_domain_report(struct hostd_domain *domain, const struct message_report *report,
			 uint64_t now_usec)
{
	bool was_busy = demand_any(&domain->demand);

	demand_report(&domain->demand, report, domain->host->config.host.lease_max_usec, now_usec);
	run(domain, now_usec);
	if (!was_busy)
		hasten_feedback(domain, now_usec + feedback_pause(domain));
}

/* As domain_silent(). */
void hostd_domain_silent(struct hostd_domain *domain)
{
	domain->has_hello = false;
	demand_forget(&domain->demand);
	set_feedback(domain, USEC_INFINITY);
	run(domain, hostd_now_usec(domain->host));
}
