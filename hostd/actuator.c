/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a floor and a set of CPUs reach a vCPU's thread. */
#include "hostd/actuator.h"

#include <string.h>

#include "common/macro.h"
#include "common/parse.h"
#include "common/rootfs.h"
#include "hostd/cgroup.h"
#include "hostd/cpuset.h"
#include "hostd/uclamp.h"

enum { KIND_UCLAMP, KIND_FILE, KIND_AFFINITY, KIND_N };

/* One means of setting a floor: the name of the setting, and its value. */
struct floor_means {
	const char *name;
	int (*setting)(const struct vcpu_thread *thread, char *buffer, size_t size);
	int (*format)(unsigned util1024, char *buffer, size_t size);
	int (*parse)(const char *text, unsigned *ret_util1024);
	bool needs_ancestors;
};

/* One means of choosing a thread's CPUs. */
struct cpus_means {
	const char *name;
	int (*setting)(const struct vcpu_thread *thread, char *buffer, size_t size);
};

struct actuator {
	int root_fd;
	bool dry_run;
	struct ledger *ledger;
	struct uclamp_door uclamp;
	struct cgroup_door cgroup;
	struct cpuset_door cpuset;
	struct setting_ops ops[KIND_N];
	const struct floor_means *floor;    /* NULL: off */
	const struct cpus_means *cpus;      /* NULL: off, or chosen for each thread */
	bool cpus_by_thread;                /* the cgroup where it can be put back, else affinity */
	const char *floor_reason, *cpus_reason;
};

/* -- means ----------------------------------------------------------------------------------------*/

static int decimal_text(unsigned util1024, char *buffer, size_t size)
{
	int n = snprintf(buffer, size, "%u", util1024);

	return n < 0 || (size_t)n >= size ? -ENOBUFS : n;
}

static int decimal_parse(const char *text, unsigned *ret_util1024)
{
	uint64_t value;
	int r = parse_u64_max(text, CAPACITY_SCALE, &value);

	if (r >= 0)
		*ret_util1024 = (unsigned)value;
	return r;
}

static int cgroup_uclamp_name(const struct vcpu_thread *thread, char *buffer, size_t size)
{
	return cgroup_setting_name(thread->cgroup, "cpu.uclamp.min", buffer, size);
}

static int cgroup_cpuset_name(const struct vcpu_thread *thread, char *buffer, size_t size)
{
	return cgroup_setting_name(thread->cgroup, "cpuset.cpus", buffer, size);
}

static const struct floor_means floor_by_thread = {
	"thread", uclamp_setting_name, decimal_text, decimal_parse, false};
static const struct floor_means floor_by_cgroup = {
	"cgroup", cgroup_uclamp_name, uclamp_percent_text, uclamp_percent_parse, true};
static const struct cpus_means cpus_by_affinity = {"affinity", cpuset_setting_name};
static const struct cpus_means cpus_by_cgroup = {"cgroup", cgroup_cpuset_name};

/* -- choosing -------------------------------------------------------------------------------------*/

static void choose_floor(struct actuator *actuator, const struct host_config *config,
			 const struct topology *topology)
{
	const char *obeyed =
		topology->schedutil ? "uclamp.min"
				    : "uclamp.min, but not every CPU's governor is schedutil: those "
				      "frequencies won't follow";
	int r = 0;

	if (config->actuator == ACTUATOR_OFF) {
		actuator->floor_reason = "actuator = off";
		return;
	}
	if (config->actuator == ACTUATOR_CGROUP && topology->uclamp_files)
		actuator->floor = &floor_by_cgroup;
	else if (config->actuator != ACTUATOR_CGROUP)
		r = uclamp_probe(&actuator->uclamp);
	if (config->actuator != ACTUATOR_CGROUP && r >= 0)
		actuator->floor = &floor_by_thread;
	if (actuator->floor)
		actuator->floor_reason = obeyed;
	else if (r < 0 && r != -EOPNOTSUPP)
		actuator->floor_reason = "uclamp can't be used: sched_setattr fails";
	else
		actuator->floor_reason = "this kernel is built without uclamp (CONFIG_UCLAMP_TASK)";
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
	uclamp_setting_ops(&actuator->uclamp, &actuator->ops[KIND_UCLAMP]);
	cgroup_setting_ops(&actuator->cgroup, &actuator->ops[KIND_FILE]);
	cpuset_setting_ops(&actuator->cpuset, &actuator->ops[KIND_AFFINITY]);
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
	if (dry_run)
		r = ledger_open_dry(actuator->ops, KIND_N, &actuator->ledger);
	else
		r = open_ledger(actuator, ledger_path);
	if (r < 0)
		return r;
	tally.damaged = (unsigned)ledger_damaged(actuator->ledger);
	ledger_restore_all(actuator->ledger, &tally);
	choose_floor(actuator, config, topology);
	choose_cpus(actuator, config, topology);
	*ret_tally = tally;
	*ret = TAKE_PTR(actuator);
	return 0;
}

struct actuator *actuator_free(struct actuator *actuator, struct ledger_tally *ret_tally)
{
	if (actuator) {
		*ret_tally = (struct ledger_tally){};
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

/* Puts one setting back. It is forgotten unless that failed in a way that may pass. */
static int clear(struct actuator *actuator, struct ledger_entry **entry)
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

/* Opens the cgroups above for a floor below: each caps it. They go back when we stop; until then
 * nothing else below them is boosted, since their other children ask for 0. */
static int open_ancestors(struct actuator *actuator, const struct vcpu_thread *thread)
{
	char path[THREAD_CGROUP_MAX], name[SETTING_NAME_MAX];

	for (unsigned i = 0;; i++) {
		struct ledger_entry *entry;
		int r = cgroup_ancestor(thread->cgroup, i, path, sizeof(path));

		if (r == -ENOENT)
			return 0;
		if (r >= 0)
			r = cgroup_setting_name(path, "cpu.uclamp.min", name, sizeof(name));
		if (r >= 0)
			r = ledger_entry(actuator->ledger, name, &entry);
		if (r >= 0)
			r = ledger_set(actuator->ledger, entry, "max");
		if (r < 0)
			return r;
	}
}

/* The floor that stands there without us; 0 if it can't be read. */
static unsigned prior_floor(struct actuator *actuator, const struct ledger_entry *entry)
{
	const char *prior = ledger_prior(entry), *name = ledger_name(entry);
	char now[SETTING_VALUE_MAX];
	unsigned floor1024 = 0;

	if (!prior) {
		const struct setting_ops *ops =
			&actuator->ops[actuator->floor == &floor_by_thread ? KIND_UCLAMP
									   : KIND_FILE];

		if (ops->read(ops->userdata, strchr(name, ':') + 1, now, sizeof(now)) < 0)
			return 0;
		prior = now;
	}
	if (actuator->floor->parse(prior, &floor1024) < 0)
		return 0;
	return floor1024;
}

int actuator_set_floor(struct actuator *actuator, struct actuated *actuated,
		       const struct vcpu_thread *thread, uint16_t floor1024)
{
	const struct floor_means *means = actuator->floor;
	char name[SETTING_NAME_MAX], value[32];
	int r;

	if (!means || (means->needs_ancestors && thread->cgroup[0] == '\0'))
		return -EOPNOTSUPP;
	if (means->needs_ancestors && !actuated->floor_by_ancestors) {
		r = open_ancestors(actuator, thread);
		if (r < 0)
			return r;
		actuated->floor_by_ancestors = true;
	}
	if (!actuated->floor) {
		r = means->setting(thread, name, sizeof(name));
		if (r >= 0)
			r = ledger_entry(actuator->ledger, name, &actuated->floor);
		if (r < 0)
			return r;
	}
	if (prior_floor(actuator, actuated->floor) >= floor1024)
		return clear(actuator, &actuated->floor);
	r = means->format(floor1024, value, sizeof(value));
	return r < 0 ? r : ledger_set(actuator->ledger, actuated->floor, value);
}

int actuator_clear_floor(struct actuator *actuator, struct actuated *actuated)
{
	return clear(actuator, &actuated->floor);
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
	return r < 0 ? r : ledger_set(actuator->ledger, actuated->cpus, value);
}

int actuator_clear_cpus(struct actuator *actuator, struct actuated *actuated)
{
	return clear(actuator, &actuated->cpus);
}

/* Asks the kernel; releases the entry if it is somebody else's by now. */
static bool lost(struct actuator *actuator, struct ledger_entry **entry)
{
	if (!*entry || ledger_verify(actuator->ledger, *entry) != 0)
		return false;
	ledger_release(actuator->ledger, *entry);
	*entry = NULL;
	return true;
}

bool actuator_lost_floor(struct actuator *actuator, struct actuated *actuated)
{
	return lost(actuator, &actuated->floor);
}

bool actuator_lost_cpus(struct actuator *actuator, struct actuated *actuated)
{
	return lost(actuator, &actuated->cpus);
}

void actuator_release_cpus(struct actuator *actuator, struct actuated *actuated)
{
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
	clear(actuator, &actuated->floor);
	clear(actuator, &actuated->cpus);
	*actuated = (struct actuated){};
}

/* -- for people -----------------------------------------------------------------------------------*/

const char *actuator_floor_name(const struct actuator *actuator)
{
	return actuator->floor ? actuator->floor->name : "off";
}

const char *actuator_floor_reason(const struct actuator *actuator)
{
	return actuator->floor_reason;
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
	return actuator->floor;
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

	for (size_t i = 0; i < ledger_count(actuator->ledger); i++)
		changed += ledger_ours(ledger_at(actuator->ledger, i)) != NULL;
	return changed;
}
