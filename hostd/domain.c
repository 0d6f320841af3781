/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One running domain: from its guest's demands to its vCPU threads. */
#include "hostd/domain_private.h"

#include <string.h>

#include "common/macro.h"
#include "hostd/cgroup.h"
#include "hostd/concern.h"
#include "hostd/cpuset.h"
#include "hostd/feedback.h"

#define RESOLVE_USEC   (500 * USEC_PER_MSEC) /* between two looks for threads */
#define KEEPALIVE_USEC (5 * USEC_PER_SEC)    /* PROTOCOL.md: the host is never silent for longer */
#define AFTER_WRITE_USEC (4 * USEC_PER_MSEC) /* by then the host's frequency has changed */

static uint64_t now_of(const struct domain *domain)
{
	uint64_t now_usec = 0;

	sd_event_now(domain->env->event, CLOCK_MONOTONIC, &now_usec);
	return now_usec;
}

static void tell_changed(const struct domain *domain)
{
	if (domain->env->changed)
		domain->env->changed(domain->env->userdata);
}

/* -- threads --------------------------------------------------------------------------------------*/

/* What the domain may use: libvirt's mask, within the cpuset of its cgroup, within what is online.
 * If nothing is left of that (a mask of CPUs that are all offline), libvirt's word alone. */
static void set_allowed(struct domain *domain, unsigned i)
{
	struct vcpu *vcpu = &domain->vcpus[i];
	const struct cpumask *online = &domain->env->topology->online;
	char parent[THREAD_CGROUP_MAX];
	struct cpumask cpuset, allowed = cpumask_is_empty(&vcpu->mask) ? *online : vcpu->mask;

	vcpu->allowed = allowed;
	if (cgroup_ancestor(vcpu->thread.cgroup, 0, parent, sizeof(parent)) >= 0 &&
	    cpuset_effective(domain->env->root_fd, parent, &cpuset) >= 0)
		cpumask_and(&allowed, &allowed, &cpuset);
	cpumask_and(&allowed, &allowed, online);
	if (!cpumask_is_empty(&allowed))
		vcpu->allowed = allowed;
	arbiter_set_allowed(domain->env->arbiter, domain->number, i, &vcpu->allowed,
			    now_of(domain));
}

void domain_forget_thread(struct domain *domain, unsigned i)
{
	struct vcpu *vcpu = &domain->vcpus[i];

	arbiter_restart(domain->env->arbiter, domain->number, i, now_of(domain));
	vcpu->seen = (struct vcpu_seen){};
	actuator_forget(domain->env->actuator, &vcpu->actuated);
	vcpu->thread = (struct vcpu_thread){};
	vcpu->have = (struct plan_have){};
	domain_tell_floor(domain, i);
	vcpu->placement = (struct placement_state){};
	vcpu->retry_usec = 0;
	vcpu->error = 0;
	vcpu->error_logged = false;
	vcpu->floor_is_theirs = vcpu->ceiling_is_theirs = vcpu->cpus_are_theirs = false;
}

static bool same_thread(const struct vcpu_thread *a, const struct vcpu_thread *b)
{
	return a->tid == b->tid && a->start_time == b->start_time &&
	       strcmp(a->cgroup, b->cgroup) == 0;
}

/* A vCPU that has been plugged in has a thread at once, and in libvirt's XML when that is next read. */
static void hold_offline(struct domain *domain)
{
	for (unsigned i = 0; i < domain->info.n_vcpus; i++)
		demand_hold(&domain->demand, i,
			    domain->vcpus[i].offline && domain->vcpus[i].thread.tid == 0);
}

/* Looks for the threads: new ones, and those that have gone. */
static void resolve_threads(struct domain *domain, uint64_t now_usec)
{
	unsigned n = domain->info.n_vcpus;
	_cleanup_free_ struct vcpu_thread *found = calloc(n, sizeof(*found));

	domain->resolve_usec = now_usec + RESOLVE_USEC;
	if (!found || threads_resolve(domain->env->root_fd, domain->info.id, domain->info.name, n,
				      found, &domain->thread_source) < 0)
		return;
	for (unsigned i = 0; i < n; i++) {
		if (same_thread(&domain->vcpus[i].thread, &found[i]))
			continue;
		domain_forget_thread(domain, i);
		domain->vcpus[i].thread = found[i];
		set_allowed(domain, i);
	}
	hold_offline(domain);
}

static bool has_all_threads(const struct domain *domain)
{
	for (unsigned i = 0; i < domain->info.n_vcpus; i++)
		if (domain->vcpus[i].thread.tid == 0)
			return false;
	return true;
}

/* -- acting ---------------------------------------------------------------------------------------*/

/* The guest has not renewed its lease, or has again. The one is said only if the other was. */
static void note_silence(struct domain *domain, bool silent, uint64_t now_usec)
{
	if (silent)
		domain->silence_logged = log_event_limited(
			&domain->silence_log, now_usec, LOG_INFO, EVENT_GUEST_SILENT,
			LOG_DOMAIN(domain),
			"%s: its guest is silent: paused, hung, or without CPU time",
			domain->info.name);
	else if (domain->silence_logged)
		log_event(LOG_INFO, EVENT_GUEST_BACK, LOG_DOMAIN(domain),
			  "%s: its guest reports again", domain->info.name);
	domain->silence_logged &= silent;
	tell_changed(domain);
}

/* The next look at what to tell is then, if it isn't sooner. */
static void hasten_feedback(struct domain *domain, uint64_t soon_usec)
{
	uint64_t next_usec = 0;

	if (sd_event_source_get_time(domain->feedback_timer, &next_usec) >= 0 &&
	    next_usec > soon_usec)
		sd_event_source_set_time(domain->feedback_timer, soon_usec);
}

/* Brings the whole domain to now and sets its timer. What has been written changes what the guest
 * gets, and its load tracking shouldn't count by the old speed for long. */
static void run(struct domain *domain, uint64_t now_usec)
{
	uint64_t next_usec, writes;

	if (domain->session && now_usec >= domain->resolve_usec && !has_all_threads(domain))
		resolve_threads(domain, now_usec);
	if (demand_expire(&domain->demand, now_usec)) {
		if (domain_is_quiet(domain))
			demand_forget(&domain->demand); /* it was told to be */
		else
			note_silence(domain, true, now_usec);
	}
	writes = domain->writes;
	next_usec = domain_run_vcpus(domain, now_usec);
	if (domain->writes != writes)
		hasten_feedback(domain, now_usec + AFTER_WRITE_USEC);
	if (domain->demand.lease_until_usec)
		next_usec = MIN(next_usec, domain->demand.lease_until_usec);
	if (domain_needs_looks(domain) && domain->env->demanded)
		domain->env->demanded(domain->env->userdata);
	sd_event_source_set_time(domain->timer, next_usec);
	sd_event_source_set_enabled(domain->timer,
				    next_usec == USEC_INFINITY ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static int on_timer(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
	struct domain *domain = userdata;

	run(domain, now_of(domain));
	return 0;
}

/* -- feedback -------------------------------------------------------------------------------------*/

void domain_cpu_delivers(const struct domain_env *env, unsigned cpu, struct feedback_vcpu *ret)
{
	uint32_t khz = 0;

	ret->capacity = env->topology->cpu[cpu].capacity1024;
	if (freq_reader_khz(env->freq, env->topology, cpu, &khz) < 0)
		return;
	ret->freq_max_khz = env->topology->policy[env->topology->cpu[cpu].policy].max_khz;
	/* Boost beyond what cpufreq calls the maximum is still the maximum. */
	ret->freq_khz = MIN(khz, ret->freq_max_khz);
}

bool domain_delivered(const struct domain *domain, unsigned i, struct feedback_vcpu *ret)
{
	const struct domain_env *env = domain->env;
	const struct vcpu *vcpu = &domain->vcpus[i];
	struct thread_stat stat;

	*ret = (struct feedback_vcpu){.cpu = domain->identity.cpu_of_vcpu[i],
				      .capacity = CAPACITY_SCALE};
	if (vcpu->thread.tid == 0 || thread_stat(env->root_fd, vcpu->thread.tid, &stat) < 0 ||
	    stat.cpu >= CPUMASK_CPUS)
		return false;
	domain_cpu_delivers(env, stat.cpu, ret);
	return stat.state == 'R';
}

/* The same as the guest is told it: PROTOCOL.md. Where no frequency is known, what it gets is the
 * size of its CPU. While its thread sleeps the frequency is somebody else's, or of an idle CPU; what
 * it had when it ran is nearer to what it will have. */
static void say_delivered(struct domain *domain, unsigned i, struct feedback_vcpu *ret)
{
	const struct domain_env *env = domain->env;
	uint32_t top_khz = topology_top_khz(env->topology);
	const struct feedback_vcpu *told = &domain->vcpus[i].told;
	struct feedback_vcpu real;
	bool runs = domain_delivered(domain, i, &real);

	domain->vcpus[i].owed &= !runs;
	if (!runs && told->capacity > 0) {
		*ret = *told;
		return;
	}
	*ret = real;
	if (top_khz > 0)
		feedback_say(&real, told, (uint16_t)env->config->feedback_step1024, top_khz, ret);
}

/* Sends what has changed since the last FEEDBACK, or, now and then, a PING. */
static void send_feedback(struct domain *domain, uint64_t now_usec)
{
	static uint8_t frame[FEEDBACK_FRAME_MAX];
	static struct feedback_vcpu changed[PROTO_CPUS_MAX];
	unsigned n = 0;
	int size;

	for (unsigned cpu = 0; cpu < PROTO_CPUS_MAX; cpu++) {
		unsigned i = domain->identity.vcpu_of_cpu[cpu];
		const struct feedback_vcpu *told;

		if (i == VCPU_IDENTITY_NONE)
			continue;
		told = &domain->vcpus[i].told;
		say_delivered(domain, i, &changed[n]);
		if (changed[n].freq_khz != told->freq_khz || changed[n].capacity != told->capacity ||
		    changed[n].freq_max_khz != told->freq_max_khz)
			n++;
	}
	if (n > 0)
		size = feedback_put(frame, sizeof(frame), domain->feedback_sequence + 1, changed, n);
	else if (now_usec - session_sent_usec(domain->session) >= KEEPALIVE_USEC)
		size = ping_put(frame, sizeof(frame), now_usec);
	else
		return;
	if (size < 0 || session_send(domain->session, frame, (size_t)size) < 0)
		return;
	domain->feedback_sequence += n > 0;
	for (unsigned i = 0; i < n; i++)
		domain->vcpus[domain->identity.vcpu_of_cpu[changed[i].cpu]].told = changed[i];
}

/* The word of it comes with each PING while it holds, and with one when it has ended. */
static void send_quiet(struct domain *domain, uint64_t now_usec)
{
	bool quiet = domain_is_quiet(domain);
	uint8_t frame[FRAME_HEADER + 12];
	int size =
		ping_put_flags(frame, sizeof(frame), now_usec, quiet ? PING_NO_REPORTS : 0);

	if (size > 0 && session_send(domain->session, frame, (size_t)size) >= 0)
		domain->told_quiet = quiet;
}

void domain_tell_quiet(struct domain *domain)
{
	if (domain->session && domain->hello && domain_is_quiet(domain) != domain->told_quiet)
		send_quiet(domain, now_of(domain));
}

/* Whether a vCPU that wants something has new clamps and was asleep at each look since: what it was
 * told is of before, and by that its guest's load tracking goes. */
static bool owes_feedback(const struct domain *domain)
{
	bool owes = false;

	for (unsigned i = 0; i < domain->info.n_vcpus && !owes; i++)
		owes = domain->vcpus[i].owed && domain->demands[i].util1024 > 0;
	return owes && domain->hello->invariant && domain->hello->cpufreq == CPUFREQ_OURS;
}

/* While the guest is busy its CPUs are looked at often; while it is idle, only kept company. */
static uint64_t feedback_pause(const struct domain *domain)
{
	uint64_t interval_usec = domain->env->config->feedback_interval_usec;

	if (!domain->entitlement.feedback || !demand_any(&domain->demand) ||
	    domain_is_quiet(domain))
		return KEEPALIVE_USEC;
	return owes_feedback(domain) ? MIN(AFTER_WRITE_USEC, interval_usec) : interval_usec;
}

static int on_feedback(sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
	struct domain *domain = userdata;
	uint8_t frame[FRAME_HEADER + 8];
	uint64_t now_usec = now_of(domain);

	if (!domain->session || !domain->hello)
		return 0;
	if (domain_is_quiet(domain) || domain->told_quiet)
		send_quiet(domain, now_usec);
	else if (domain->entitlement.feedback)
		send_feedback(domain, now_usec);
	else if (ping_put(frame, sizeof(frame), now_usec) > 0)
		session_send(domain->session, frame, sizeof(frame));
	sd_event_source_set_time(source, now_usec + feedback_pause(domain));
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

/* -- the guest ------------------------------------------------------------------------------------*/

int domain_greet(struct domain *domain, struct session *session, const struct message_hello *hello)
{
	uint64_t now_usec = now_of(domain);

	/* Before anything can fail: reports come all the same, and no older word may sort them. */
	vcpu_identity_map(&domain->identity, &domain->info.machine, domain->info.n_vcpus, hello);
	if (!domain->hello)
		domain->hello = malloc(sizeof(*hello));
	if (!domain->hello)
		return -ENOMEM;
	*domain->hello = *hello;
	domain->session = session;
	domain->told_quiet = false;
	domain->concerns &= ~CONCERN_OF_GUEST;
	demand_init(&domain->demand, domain->demands, domain->info.n_vcpus);
	domain->demand.identity = &domain->identity;
	hold_offline(domain);
	domain_set_concerns(domain, CONCERN_OF_IDENTITY, domain_identity_concerns(domain));
	for (unsigned i = 0; i < domain->info.n_vcpus; i++) {
		domain->vcpus[i].told = (struct feedback_vcpu){};
		domain->vcpus[i].owed = false;
		arbiter_restart(domain->env->arbiter, domain->number, i, now_usec);
	}
	resolve_threads(domain, now_usec);
	if (domain->thread_source == THREAD_SOURCE_NONE)
		log_event_limited(&domain->link_log, now_usec, LOG_WARNING, EVENT_THREADS_MISSING,
				  LOG_DOMAIN(domain), "%s: its vCPU threads were not found",
				  domain->info.name);
	run(domain, now_usec);
	tell_changed(domain);
	sd_event_source_set_time(domain->feedback_timer, now_usec);
	return sd_event_source_set_enabled(domain->feedback_timer, SD_EVENT_ONESHOT);
}

void domain_report(struct domain *domain, const struct message_report *report, uint64_t now_usec)
{
	bool was_busy = demand_any(&domain->demand), was_silent = domain->demand.lapsed;

	demand_report(&domain->demand, report, domain->env->config->lease_max_usec, now_usec);
	domain->reports++;
	if (was_silent && !domain->demand.lapsed)
		note_silence(domain, false, now_usec);
	run(domain, now_usec);
	if (!was_busy)
		hasten_feedback(domain, now_usec + feedback_pause(domain));
}

void domain_silent(struct domain *domain)
{
	domain->concerns &= ~(CONCERN_OF_GUEST | CONCERN_OF_IDENTITY);
	free(domain->hello);
	domain->hello = NULL;
	domain->session = NULL;
	domain->silence_logged = false;
	demand_forget(&domain->demand);
	sd_event_source_set_enabled(domain->feedback_timer, SD_EVENT_OFF);
	run(domain, now_of(domain));
	tell_changed(domain);
}

/* -- the domain -----------------------------------------------------------------------------------*/

void domain_run(struct domain *domain)
{
	run(domain, now_of(domain));
}

/* The operator has pinned this vCPU since: the pin stands, also where a write of ours crossed it. */
static void yield_cpus(struct domain *domain, unsigned i)
{
	struct vcpu *vcpu = &domain->vcpus[i];

	if (vcpu->actuated.cpus)
		actuator_set_cpus(domain->env->actuator, &vcpu->actuated, &vcpu->thread,
				  &vcpu->allowed);
	actuator_release_cpus(domain->env->actuator, &vcpu->actuated);
	vcpu->have.placed = false;
	if (!vcpu->cpus_are_theirs)
		log_event(LOG_NOTICE, EVENT_CPUS_TAKEN,
			  LOG_DOMAIN(domain, .vcpu = &i, .reason = "it was pinned in libvirt"),
			  "%s: vCPU %u was pinned by the operator: left alone from now on",
			  domain->info.name, i);
	vcpu->cpus_are_theirs = true;
}

void domain_update(struct domain *domain, const struct inventory_domain *info)
{
	unsigned n = MIN(domain->info.n_vcpus, info->n_vcpus);

	domain->info.cid = info->cid;
	if (strcmp(domain->info.name, info->name) != 0) {
		memcpy(domain->info.name, info->name, sizeof(domain->info.name));
		domain_entitle(domain);
	}
	for (unsigned i = 0; i < n; i++) {
		domain->vcpus[i].mask = info->vcpus[i].allowed;
		domain->vcpus[i].offline = info->vcpus[i].offline;
		set_allowed(domain, i);
		if (domain->vcpus[i].pin_generation != info->vcpus[i].pin_generation) {
			domain->vcpus[i].pin_generation = info->vcpus[i].pin_generation;
			yield_cpus(domain, i);
		}
	}
	hold_offline(domain);
	run(domain, now_of(domain));
}

static int add_timers(struct domain *domain)
{
	int r = sd_event_add_time(domain->env->event, &domain->timer, CLOCK_MONOTONIC, 0,
				  USEC_PER_MSEC, on_timer, domain);

	if (r >= 0)
		r = sd_event_source_set_enabled(domain->timer, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(domain->env->event, &domain->feedback_timer, CLOCK_MONOTONIC,
				      0, USEC_PER_MSEC, on_feedback, domain);
	if (r >= 0)
		r = sd_event_source_set_enabled(domain->feedback_timer, SD_EVENT_OFF);
	return r;
}

int domain_new(const struct domain_env *env, const struct inventory_domain *info,
	       struct domain **ret)
{
	struct domain *domain = calloc(1, sizeof(*domain));
	int r = -ENOMEM;

	if (!domain)
		return -ENOMEM;
	domain->env = env;
	domain->link_log = (struct ratelimit){.interval_usec = 30 * USEC_PER_SEC, .burst = 10};
	domain->silence_log = domain->write_log =
		(struct ratelimit){.interval_usec = 60 * USEC_PER_SEC, .burst = 3};
	domain->report_log = (struct ratelimit){.interval_usec = USEC_PER_SEC, .burst = 2000};
	domain->info = *info;
	domain->info.vcpus = NULL;
	domain->limit.percent = LIMIT_NONE;
	entitlement_resolve(env->config, info->name, info->uuid, &domain->entitlement);
	domain->concern_log = (struct ratelimit){.interval_usec = 60 * USEC_PER_SEC, .burst = 10};
	domain->vcpus = calloc(info->n_vcpus, sizeof(*domain->vcpus));
	domain->demands = calloc(info->n_vcpus, sizeof(*domain->demands));
	domain->number = ARBITER_NONE;
	if (domain->vcpus && domain->demands)
		r = domain_begin_arbiter(domain);
	if (r >= 0)
		r = add_timers(domain);
	if (r < 0) {
		domain_free(domain);
		return r;
	}
	demand_init(&domain->demand, domain->demands, info->n_vcpus);
	vcpu_identity_by_number(&domain->identity, info->n_vcpus, IDENTITY_NO_IDS);
	for (unsigned i = 0; i < info->n_vcpus; i++) {
		domain->vcpus[i].mask = info->vcpus[i].allowed;
		domain->vcpus[i].offline = info->vcpus[i].offline;
		domain->vcpus[i].pin_generation = info->vcpus[i].pin_generation;
		set_allowed(domain, i);
	}
	resolve_threads(domain, now_of(domain));
	*ret = domain;
	return 0;
}

struct domain *domain_free(struct domain *domain)
{
	if (domain->vcpus)
		domain_put_back(domain);
	if (domain->number != ARBITER_NONE)
		arbiter_remove(domain->env->arbiter, domain->number, now_of(domain));
	sd_event_source_disable_unref(domain->timer);
	sd_event_source_disable_unref(domain->feedback_timer);
	free(domain->hello);
	free(domain->demands);
	free(domain->vcpus);
	free(domain);
	return NULL;
}
