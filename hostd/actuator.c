/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a floor, a ceiling and a set of CPUs reach a vCPU's thread. */
#include <string.h>

#include "common/macro.h"
#include "common/parse.h"
#include "common/rootfs.h"
#include "hostd/actuator_private.h"
#include "hostd/freqplan.h"

/* -- means ----------------------------------------------------------------------------------------*/

static int cgroup_cpuset_name(const struct vcpu_thread *thread, char *buffer, size_t size)
{
	return cgroup_setting_name(thread->cgroup, "cpuset.cpus", buffer, size);
}

static const struct cpus_means cpus_by_affinity = {"affinity", cpuset_setting_name};
static const struct cpus_means cpus_by_cgroup = {"cgroup", cgroup_cpuset_name};

/* -- choosing -------------------------------------------------------------------------------------*/

static enum rung find_rung(const struct actuator *actuator, const struct topology *topology,
			   const char **ret_reason)
{
	struct ladder_facts facts = {
		.choice = actuator->choice,
		.uclamp = uclamp_probe(&actuator->uclamp),
		.uclamp_files = topology->uclamp_files,
		.min_freq = minfreq_probe(actuator->root_fd, topology),
		.classes = topology->n_classes > 1 && !topology->declared,
	};

	ladder_governors(topology, &facts.governors);
	return ladder_choose(&facts, ret_reason);
}

bool actuator_is_outdated(const struct actuator *actuator, const struct topology *topology)
{
	const char *reason;

	return find_rung(actuator, topology, &reason) != actuator->rung ||
	       reason != actuator->floor_reason;
}

int actuator_choose(struct actuator *actuator, const struct topology *topology)
{
	int r = 0;

	actuator->rung = find_rung(actuator, topology, &actuator->floor_reason);
	if (actuator->freqfloor)
		freqfloor_put_back(actuator->freqfloor);
	actuator->freqfloor = freqfloor_free(actuator->freqfloor);
	actuator->clamps = actuator->rung == RUNG_THREAD   ? &clamps_by_thread
			   : actuator->rung == RUNG_CGROUP ? &clamps_by_cgroup
							   : NULL;
	if (actuator->rung == RUNG_CPUFREQ)
		r = freqfloor_new(actuator->root_fd, actuator->ledger, topology,
				  &actuator->freqfloor);
	return r;
}

static void choose_cpus(struct actuator *actuator, const struct host_config *config,
			const struct topology *topology)
{
	if (config->placement == PLACE_OFF)
		actuator->cpus_reason = "placement = off";
	else if (topology->n_classes < 2)
		actuator->cpus_reason = "all cores are of one class";
	else if (config->placement == PLACE_AUTO && topology->energy_aware)
		actuator->cpus_reason =
			"the kernel places by energy (EAS), and floors steer it: not needed";
	else if (config->placement == PLACE_AFFINITY)
		actuator->cpus = &cpus_by_affinity;
	else if (config->placement == PLACE_CGROUP)
		actuator->cpus = &cpus_by_cgroup;
	else
		actuator->cpus_by_thread = true;
	if (actuator_has_cpus(actuator))
		actuator->cpus_reason = "by classes of cores";
}

static void make_ops(struct actuator *actuator, int root_fd)
{
	actuator->root_fd = root_fd;
	actuator->uclamp = (struct uclamp_door){root_fd, &uclamp_calls_kernel};
	actuator->cgroup = (struct cgroup_door){root_fd};
	actuator->cpuset = (struct cpuset_door){root_fd, &cpuset_calls_kernel};
	actuator->cpufreq = (struct minfreq_door){root_fd};
	uclamp_setting_ops(&actuator->uclamp, &actuator->ops[KIND_UCLAMP],
			   &actuator->ops[KIND_UCLAMP_MAX]);
	cgroup_setting_ops(&actuator->cgroup, &actuator->ops[KIND_FILE]);
	cpuset_setting_ops(&actuator->cpuset, &actuator->ops[KIND_AFFINITY]);
	minfreq_setting_ops(&actuator->cpufreq, &actuator->ops[KIND_CPUFREQ]);
}

static int open_ledger(struct actuator *actuator, const char *path)
{
	char boot_id[BOOT_ID_MAX];
	int r = topology_boot_id(actuator->root_fd, boot_id);

	if (r < 0)
		return r;
	return ledger_open(path, boot_id, actuator->ops, KIND_N, &actuator->ledger);
}

int actuator_new(int root_fd, const struct host_config *config, const struct topology *topology,
		 bool dry_run, const char *ledger_path, struct actuator **ret,
		 struct ledger_tally *ret_tally)
{
	_cleanup_free_ struct actuator *actuator = calloc(1, sizeof(*actuator));
	struct ledger_tally tally = {};
	int r;

	if (!actuator)
		return -ENOMEM;
	make_ops(actuator, root_fd);
	actuator->dry_run = dry_run;
	actuator->choice = (enum actuator_choice)config->actuator;
	if (dry_run)
		r = ledger_open_dry(actuator->ops, KIND_N, &actuator->ledger);
	else
		r = open_ledger(actuator, ledger_path);
	if (r < 0)
		return r;
	tally.damaged = (unsigned)ledger_damaged(actuator->ledger);
	ledger_restore_all(actuator->ledger, &tally);
	r = actuator_choose(actuator, topology);
	if (r < 0) {
		ledger_close(actuator->ledger);
		return r;
	}
	choose_cpus(actuator, config, topology);
	*ret_tally = tally;
	*ret = TAKE_PTR(actuator);
	return 0;
}

struct actuator *actuator_free(struct actuator *actuator, struct ledger_tally *ret_tally)
{
	if (actuator) {
		*ret_tally = (struct ledger_tally){};
		freqfloor_free(actuator->freqfloor);
		ledger_restore_all(actuator->ledger, ret_tally);
		ledger_close(actuator->ledger);
		free(actuator);
	}
	return NULL;
}

int actuator_restore(int root_fd, const char *ledger_path, struct ledger_tally *ret_tally)
{
	struct actuator actuator = {};
	int r;

	*ret_tally = (struct ledger_tally){};
	if (access(ledger_path, F_OK) < 0)
		return errno == ENOENT ? 0 : -errno;
	make_ops(&actuator, root_fd);
	r = open_ledger(&actuator, ledger_path);
	if (r < 0)
		return r;
	ret_tally->damaged = (unsigned)ledger_damaged(actuator.ledger);
	ledger_restore_all(actuator.ledger, ret_tally);
	ledger_close(actuator.ledger);
	return 0;
}

/* -- acting ---------------------------------------------------------------------------------------*/

int actuator_put_back(struct actuator *actuator, struct ledger_entry **entry)
{
	struct ledger_tally tally = {};

	if (!*entry)
		return 0;
	ledger_restore(actuator->ledger, *entry, &tally);
	if (tally.failed)
		return -EAGAIN;
	*entry = NULL;
	return 0;
}

void actuator_tick(struct actuator *actuator, uint64_t interval_usec, uint64_t now_usec,
		   uint64_t *ret_next_usec)
{
	*ret_next_usec = USEC_INFINITY;
	if (actuator->freqfloor)
		freqfloor_tick(actuator->freqfloor, interval_usec, now_usec, ret_next_usec);
}

void actuator_verify(struct actuator *actuator, uint64_t now_usec)
{
	if (actuator->freqfloor)
		freqfloor_verify(actuator->freqfloor, now_usec);
}

/* The means for this thread. */
static const struct cpus_means *cpus_means(const struct actuator *actuator,
					   const struct vcpu_thread *thread)
{
	struct cgroup_means means = {};
	const char *leaf;
	unsigned vcpu;

	if (!actuator->cpus_by_thread)
		return actuator->cpus;
	leaf = strrchr(thread->cgroup, '/');
	if (leaf && sscanf(leaf, "/vcpu%u", &vcpu) == 1)
		cgroup_probe(actuator->root_fd, thread, vcpu, &means);
	return means.own && means.cpuset && means.cpuset_restorable ? &cpus_by_cgroup
								    : &cpus_by_affinity;
}

/* A floor by cpufreq has to know where its thread may be. */
static void tell_cpus(struct actuator *actuator, const struct actuated *actuated,
		      const struct cpumask *cpus)
{
	if (actuator->freqfloor && actuated->floored)
		freqfloor_set_cpus(actuator->freqfloor, actuated->floored, cpus);
}

int actuator_set_cpus(struct actuator *actuator, struct actuated *actuated,
		      const struct vcpu_thread *thread, const struct cpumask *cpus)
{
	char name[SETTING_NAME_MAX], value[SETTING_VALUE_MAX];
	int r;

	if (!actuator_has_cpus(actuator))
		return -EOPNOTSUPP;
	if (!actuated->cpus) {
		r = cpus_means(actuator, thread)->setting(thread, name, sizeof(name));
		if (r >= 0)
			r = ledger_entry(actuator->ledger, name, &actuated->cpus);
		if (r < 0)
			return r;
	}
	r = cpumask_format(cpus, value, sizeof(value));
	if (r >= 0)
		r = ledger_set(actuator->ledger, actuated->cpus, value);
	if (r >= 0)
		tell_cpus(actuator, actuated, cpus);
	return r;
}

int actuator_clear_cpus(struct actuator *actuator, struct actuated *actuated)
{
	tell_cpus(actuator, actuated, NULL);
	return actuator_put_back(actuator, &actuated->cpus);
}

bool actuator_has_lost(struct actuator *actuator, struct ledger_entry **entry)
{
	if (!*entry || ledger_verify(actuator->ledger, *entry) != 0)
		return false;
	ledger_release(actuator->ledger, *entry);
	*entry = NULL;
	return true;
}

bool actuator_lost_cpus(struct actuator *actuator, struct actuated *actuated)
{
	return actuator_has_lost(actuator, &actuated->cpus);
}

void actuator_release_cpus(struct actuator *actuator, struct actuated *actuated)
{
	tell_cpus(actuator, actuated, NULL);
	if (actuated->cpus)
		ledger_release(actuator->ledger, actuated->cpus);
	actuated->cpus = NULL;
}

void actuator_close_cgroup(struct actuator *actuator, const char *cgroup)
{
	struct ledger_tally tally = {};
	char prefix[SETTING_NAME_MAX];
	int n = cgroup_setting_name(cgroup, "", prefix, sizeof(prefix));

	for (size_t i = 0; n > 0 && i < ledger_count(actuator->ledger);) {
		struct ledger_entry *entry = ledger_at(actuator->ledger, i);
		size_t count = ledger_count(actuator->ledger);

		if (strncmp(ledger_name(entry), prefix, (size_t)n) == 0)
			ledger_restore(actuator->ledger, entry, &tally);
		i += ledger_count(actuator->ledger) == count;
	}
}

void actuator_forget(struct actuator *actuator, struct actuated *actuated)
{
	/* What fails to go back stays in the ledger, for the end. */
	actuator_clear_clamps(actuator, actuated);
	actuator_put_back(actuator, &actuated->cpus);
	*actuated = (struct actuated){};
}

uint32_t actuator_headroom1024(const struct actuator *actuator)
{
	return actuator->freqfloor ? FREQPLAN_HEADROOM1024 : 0;
}

/* -- for people -----------------------------------------------------------------------------------*/

const char *actuator_floor_name(const struct actuator *actuator)
{
	if (actuator->freqfloor)
		return "cpufreq";
	return actuator->clamps ? actuator->clamps->name : "off";
}

const char *actuator_floor_reason(const struct actuator *actuator)
{
	return actuator->floor_reason;
}

const char *actuator_floor_problem(const struct actuator *actuator, unsigned cpu)
{
	int error;

	if (!actuator->freqfloor)
		return NULL;
	if (freqfloor_is_theirs(actuator->freqfloor, cpu))
		return "scaling_min_freq of its host CPU was set by somebody else";
	error = freqfloor_error(actuator->freqfloor, cpu);
	return error ? strerror(-error) : NULL;
}

void actuator_floor_problems(const struct actuator *actuator, const struct topology *topology,
			     struct cpumask *ret_theirs, struct cpumask *ret_failed)
{
	cpumask_clear(ret_theirs);
	cpumask_clear(ret_failed);
	if (!actuator->freqfloor)
		return;
	CPUMASK_FOREACH(cpu, &topology->online) {
		if (freqfloor_is_theirs(actuator->freqfloor, cpu))
			cpumask_set(ret_theirs, cpu);
		else if (freqfloor_error(actuator->freqfloor, cpu) < 0)
			cpumask_set(ret_failed, cpu);
	}
}

int actuator_effective(const struct actuator *actuator, const struct vcpu_thread *thread,
		       unsigned cpu, struct clamps *ret)
{
	struct clamps clamps = {0, CAPACITY_SCALE};
	unsigned low, high;
	int r;

	if (actuator->freqfloor) {
		r = freqfloor_effective(actuator->freqfloor, cpu, &clamps.floor1024);
	} else {
		r = thread_effective_uclamp(actuator->root_fd, thread->tid, &low, &high);
		if (r >= 0)
			clamps = (struct clamps){(uint16_t)MIN(low, CAPACITY_SCALE),
						 (uint16_t)MIN(high, CAPACITY_SCALE)};
	}
	if (r < 0)
		return r;
	*ret = clamps;
	return 0;
}

const char *actuator_cpus_name(const struct actuator *actuator)
{
	if (actuator->cpus_by_thread)
		return "cgroup or affinity";
	return actuator->cpus ? actuator->cpus->name : "off";
}

const char *actuator_cpus_reason(const struct actuator *actuator)
{
	return actuator->cpus_reason;
}

bool actuator_has_floors(const struct actuator *actuator)
{
	return actuator->clamps || actuator->freqfloor;
}

bool actuator_has_ceilings(const struct actuator *actuator)
{
	return actuator->clamps;
}

bool actuator_has_cpus(const struct actuator *actuator)
{
	return actuator->cpus || actuator->cpus_by_thread;
}

bool actuator_is_dry(const struct actuator *actuator)
{
	return actuator->dry_run;
}

size_t actuator_changed(const struct actuator *actuator)
{
	size_t changed = 0;

	for (size_t i = 0; i < ledger_count(actuator->ledger); i++) {
		const struct ledger_entry *entry = ledger_at(actuator->ledger, i);
		const char *ours = ledger_ours(entry);

		changed += ours && strcmp(ours, ledger_prior(entry)) != 0;
	}
	return changed;
}
