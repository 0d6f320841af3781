/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Everything that hostd knows and does, as one JSON document. */
#include "hostd/status.h"

#include <string.h>

#include "common/json.h"
#include "common/macro.h"
#include "hostd/concern.h"
#include "hostd/cpuset.h"
#include "hostd/testing.h"

static void add_actuator(struct json_object *to, const char *key, const char *name,
			 const char *reason)
{
	struct json_object *object = json_object_new_object();

	json_add_text(object, "actuator", name);
	json_add_text(object, "reason", reason);
	json_object_object_add(to, key, object);
}

static void add_counts(struct json_object *to, const struct host_counts *counts)
{
	struct json_object *refused = json_object_new_object();
	struct json_object *closed = json_object_new_object();

	json_add_number(refused, "cid", counts->refused_cid);
	json_add_number(refused, "port", counts->refused_port);
	json_add_number(refused, "full", counts->refused_full);
	json_object_object_add(to, "refused", refused);
	for (unsigned i = 1; i < ARRAY_SIZE(counts->closed_by_code); i++)
		json_add_number(closed, bye_code_name(i), counts->closed_by_code[i]);
	json_object_object_add(to, "closed", closed);
	json_add_number(to, "accepted", counts->accepted);
}

/* Why a vCPU isn't acted on; NULL if it is. */
static const char *vcpu_reason(const struct domain *domain, unsigned i)
{
	const struct vcpu *vcpu = &domain->vcpus[i];

	struct thread_stat stat;

	if (vcpu->thread.tid == 0)
		return "no thread: the vCPU is offline, or was not found";
	if (vcpu->error)
		return strerror(-vcpu->error);
	if (vcpu->floor_is_theirs)
		return "its floor was set by somebody else";
	if (vcpu->ceiling_is_theirs)
		return "its ceiling was set by somebody else";
	if (vcpu->cpus_are_theirs)
		return "its CPUs were pinned by somebody else";
	if (vcpu->have.floor1024 > 0 &&
	    thread_stat(domain->env->root_fd, vcpu->thread.tid, &stat) >= 0)
		return actuator_floor_problem(domain->env->actuator, stat.cpu);
	return NULL;
}

static void add_ceiling(struct json_object *to, const char *key, struct clamps clamps)
{
	if (clamps.ceiling1024 < CAPACITY_SCALE)
		json_add_number(to, key, clamps.ceiling1024);
}

static void add_effective(struct json_object *to, struct clamps effective)
{
	json_add_number(to, "floor_effective", effective.floor1024);
	add_ceiling(to, "ceiling_effective", effective);
}

static void add_thread(struct json_object *to, const struct domain *domain, unsigned i)
{
	const struct vcpu *vcpu = &domain->vcpus[i];
	int root_fd = domain->env->root_fd;
	struct clamps effective;
	struct thread_stat stat;
	struct feedback_vcpu delivered;
	struct cpumask cpus;
	char text[CPUMASK_TEXT_MAX];

	if (vcpu->thread.tid == 0)
		return;
	json_add_number(to, "thread", (uint64_t)vcpu->thread.tid);
	if (cpuset_allowed(root_fd, vcpu->thread.tid, &cpus) >= 0 &&
	    cpumask_format(&cpus, text, sizeof(text)) >= 0)
		json_add_text(to, "cpus", text);
	if (thread_stat(root_fd, vcpu->thread.tid, &stat) >= 0) {
		json_add_number(to, "host_cpu", stat.cpu);
		if (actuator_effective(domain->env->actuator, &vcpu->thread, stat.cpu,
				       &effective) >= 0)
			add_effective(to, effective);
	}
	domain_delivered(domain, i, &delivered);
	json_add_number(to, "capacity", delivered.capacity);
	json_add_number(to, "khz", delivered.freq_khz);
	json_add_number(to, "max_khz", delivered.freq_max_khz);
}

static struct json_object *vcpu_json(const struct domain *domain, unsigned i)
{
	struct json_object *object = json_object_new_object();
	const struct demand *demand = &domain->demands[i];
	const struct vcpu *vcpu = &domain->vcpus[i];
	char text[CPUMASK_TEXT_MAX];
	const char *reason = vcpu_reason(domain, i);

	json_add_number(object, "index", i);
	if (domain->hello && !demand->held && domain->identity.cpu_of_vcpu[i] != VCPU_IDENTITY_NONE)
		json_add_number(object, "guest_cpu", domain->identity.cpu_of_vcpu[i]);
	json_add_number(object, "util", demand->util1024);
	json_add_number(object, "util_avg", demand->util_avg);
	json_add_number(object, "util_est", demand->util_est);
	json_add_number(object, "uclamp_min", demand->uclamp_min);
	json_add_number(object, "uclamp_max", demand->uclamp_max);
	json_add_flag(object, "saturated", demand->flags & VCPU_SATURATED);
	json_add_number(object, "run_delay_usec", demand->run_delay_usec);
	json_add_number(object, "steal_usec", demand->steal_usec);
	json_add_number(object, "level", vcpu->want.level1024);
	json_add_flag(object, "held_down",
		      arbiter_is_held_down(domain->env->arbiter, domain->number, i));
	json_add_number(object, "floor", vcpu->have.floor1024);
	add_ceiling(object, "ceiling", plan_stands(&vcpu->have));
	if (vcpu->have.placed && cpumask_format(&vcpu->have.cpus, text, sizeof(text)) >= 0)
		json_add_text(object, "placed", text);
	add_thread(object, domain, i);
	if (reason)
		json_add_text(object, "reason", reason);
	return object;
}

const char *status_reason(const struct domain *domain)
{
	if (domain->limit.released)
		return "it was released by hand (vmfreqctl resume takes it up again)";
	if (domain->entitlement.goal == GOAL_OFF)
		return "its goal is off (vmfreq.conf)";
	if (domain->info.cid < CID_FIRST_GUEST)
		return "it has no vsock device";
	if (!domain->hello)
		return "no vmfreq-guestd is connected";
	if (domain->thread_source == THREAD_SOURCE_NONE)
		return "its vCPU threads were not found";
	if (domain->demand.lapsed)
		return "its guest has fallen silent (paused, or hung)";
	return NULL;
}

/* What may mislead or be in vain: names for programs, texts for people. */
static void add_concerns(struct json_object *to, const struct domain *domain)
{
	unsigned signal = domain->hello ? domain->hello->signal : 0;
	struct json_object *list = json_object_new_array();

	for (unsigned i = 0; i < CONCERN_N; i++)
		if (domain->concerns & CONCERN_BIT(i))
			json_append_concern(list, concern_name(i), concern_text(i, signal),
					    domain_concern_detail(domain, i));
	json_object_object_add(to, "concerns", list);
}

/* Those of the host itself, with the CPUs that they are about. */
static void add_host_concerns(struct json_object *to, const struct host *host)
{
	struct json_object *list = json_object_new_array();

	for (unsigned i = 0; i < CONCERN_N; i++) {
		char detail[CONCERN_DETAIL_MAX];

		if (!(host_concerns(host) & CONCERN_BIT(i)))
			continue;
		concern_detail(host_concern_facts(host), i, detail, sizeof(detail));
		json_append_concern(list, concern_name(i), concern_text(i, 0), detail);
	}
	json_object_object_add(to, "concerns", list);
}

/* What the configuration says of it; and of what a section said, its pattern. */
static void add_entitlement(struct json_object *to, const struct domain *domain)
{
	const struct entitlement *entitlement = &domain->entitlement;
	struct json_object *object = json_object_new_object();
	struct json_object *sections = json_object_new_object();

	json_add_text(object, "goal", goal_names[entitlement->goal]);
	json_add_number(object, "weight", entitlement->weight);
	json_add_number(object, "floor_max", entitlement->floor_max1024);
	json_add_flag(object, "placement", entitlement->placement);
	json_add_flag(object, "feedback", entitlement->feedback);
	for (unsigned i = 0; i < DOMAIN_N_KEYS; i++)
		if (entitlement->from[i])
			json_add_text(sections, host_domain_keys[i].key, entitlement->from[i]);
	json_object_object_add(object, "sections", sections);
	json_object_object_add(to, "entitlement", object);
}

static struct json_object *domain_json(const struct domain *domain)
{
	struct json_object *object = json_object_new_object();
	struct json_object *vcpus = json_object_new_array();
	const char *reason = status_reason(domain);
	char uuid[UUID_TEXT];

	uuid_format(domain->info.uuid, uuid);
	json_add_text(object, "name", domain->info.name);
	json_add_text(object, "uuid", uuid);
	json_add_number(object, "id", (uint64_t)domain->info.id);
	if (domain->info.cid >= CID_FIRST_GUEST)
		json_add_number(object, "cid", domain->info.cid);
	json_add_flag(object, "connected", domain->hello);
	json_add_number(object, "limit", domain->limit.percent);
	json_add_flag(object, "released", domain->limit.released);
	add_entitlement(object, domain);
	json_add_number(object, "reports", domain->reports);
	json_add_text(object, "threads", thread_source_text(domain->thread_source));
	if (domain->hello) {
		const struct peer *peer = session_peer(domain->session);

		json_add_text(object, "agent", domain->hello->agent);
		json_add_text(object, "signal", hello_signal_name(domain->hello->signal));
		json_add_text(object, "cpufreq", hello_cpufreq_name(domain->hello->cpufreq));
		json_add_flag(object, "invariant", domain->hello->invariant);
		json_add_number(object, "reports_lost", peer->lost);
	}
	if (reason)
		json_add_text(object, "reason", reason);
	add_concerns(object, domain);
	for (unsigned i = 0; i < domain->info.n_vcpus; i++)
		json_object_array_add(vcpus, vcpu_json(domain, i));
	json_object_object_add(object, "vcpus", vcpus);
	return object;
}

/* All domains' floors together: what they ask for, what they are given, and the most that may be.
 */
static void add_budget(struct json_object *to, const struct host *host)
{
	struct json_object *object = json_object_new_object();
	uint64_t wants, gets;

	arbiter_budget(host_arbiter(host), &wants, &gets);
	json_add_number(object, "limit", host_running_config(host)->budget1024);
	json_add_number(object, "wants", wants);
	json_add_number(object, "gets", gets);
	json_object_object_add(to, "budget", object);
}

struct json_object *status_json(const struct host *host)
{
	struct json_object *status = json_object_new_object();
	struct json_object *libvirt = json_object_new_object();
	struct json_object *domains = json_object_new_array();
	const struct actuator *actuator = host_actuator(host);
	const char *error;
	char kernel[32];

	json_add_text(status, "version", HOSTD_VERSION);
	snprintf(kernel, sizeof(kernel), "%u.%u", host_topology(host)->kernel_major,
		 host_topology(host)->kernel_minor);
	json_add_text(status, "kernel", kernel);
	json_add_flag(status, "invariant", host_topology(host)->invariant);
	json_add_number(status, "headroom", arbiter_headroom1024(host_arbiter(host)));
	json_add_flag(status, "dry_run", actuator_is_dry(actuator));
	add_actuator(status, "floor", actuator_floor_name(actuator),
		     actuator_floor_reason(actuator));
	add_actuator(status, "placement", actuator_cpus_name(actuator),
		     actuator_cpus_reason(actuator));
	add_budget(status, host);
	add_host_concerns(status, host);
	json_add_flag(libvirt, "connected", host_libvirt_connected(host, &error));
	json_add_text(libvirt, "error", error);
	json_object_object_add(status, "libvirt", libvirt);
	add_counts(status, host_counts(host));
	json_add_number(status, "settings_changed",
			actuator_is_dry(actuator) ? 0 : actuator_changed(actuator));
	for (size_t i = 0; i < host_n_domains(host); i++)
		json_object_array_add(domains, domain_json(host_domain(host, i)));
	json_object_object_add(status, "domains", domains);
	return status;
}
