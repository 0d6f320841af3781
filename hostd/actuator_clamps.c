/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a floor and a ceiling reach a vCPU's thread. */
#include <stdio.h>
#include <string.h>

#include "common/macro.h"
#include "common/parse.h"
#include "hostd/actuator_private.h"

/* -- means
 * ----------------------------------------------------------------------------------------*/

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

static int cgroup_min_name(const struct vcpu_thread *thread, char *buffer, size_t size)
{
	return cgroup_setting_name(thread->cgroup, "cpu.uclamp.min", buffer, size);
}

static int cgroup_max_name(const struct vcpu_thread *thread, char *buffer, size_t size)
{
	return cgroup_setting_name(thread->cgroup, "cpu.uclamp.max", buffer, size);
}

const struct clamp_means clamps_by_thread = {
	.name = "thread",
	.floor = {KIND_UCLAMP, uclamp_min_name, 0},
	.ceiling = {KIND_UCLAMP_MAX, uclamp_max_name, CAPACITY_SCALE},
	.format = decimal_text,
	.parse = decimal_parse,
};
const struct clamp_means clamps_by_cgroup = {
	.name = "cgroup",
	.floor = {KIND_FILE, cgroup_min_name, 0},
	.ceiling = {KIND_FILE, cgroup_max_name, CAPACITY_SCALE},
	.format = uclamp_percent_text,
	.parse = uclamp_percent_parse,
	.by_cgroup = true,
};

/* -- what is to be set
 * ----------------------------------------------------------------------------*/

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

/* What a setting holds without us. */
static uint16_t before_us(const struct actuator *actuator, const struct clamp_setting *setting,
			  const struct ledger_entry *entry, const struct vcpu_thread *thread)
{
	const struct setting_ops *ops = &actuator->ops[setting->kind];
	const char *prior = entry ? ledger_prior(entry) : NULL;
	char name[SETTING_NAME_MAX], now[SETTING_VALUE_MAX];
	unsigned util1024;

	if (!prior && setting->name(thread, name, sizeof(name)) >= 0 &&
	    ops->read(ops->userdata, strchr(name, ':') + 1, now, sizeof(now)) >= 0)
		prior = now;
	if (!prior || actuator->clamps->parse(prior, &util1024) < 0)
		return setting->none1024;
	return (uint16_t)util1024;
}

/* A ceiling is for one vCPU alone: in a cgroup that is none's own it would hold others back. */
static bool may_limit(const struct actuator *actuator, const struct actuated *actuated,
		      const struct vcpu_thread *thread)
{
	const char *leaf = strrchr(thread->cgroup, '/');
	unsigned vcpu;

	if (actuated->ceiling_is_theirs)
		return false;
	return !actuator->clamps->by_cgroup || (leaf && sscanf(leaf, "/vcpu%u", &vcpu) == 1);
}

/* For a floor alone the maximum isn't read each time: the verify pass forgets it, and the kernel
 * refuses what is above it. */
static uint16_t max_before(const struct actuator *actuator, const struct actuated *actuated,
			   const struct vcpu_thread *thread, struct clamps want)
{
	if (want.ceiling1024 == CAPACITY_SCALE && actuated->max_before1024 > 0)
		return actuated->max_before1024;
	return before_us(actuator, &actuator->clamps->ceiling, actuated->ceiling, thread);
}

static struct clamps find_target(const struct actuator *actuator, struct actuated *actuated,
				 const struct vcpu_thread *thread, struct clamps want)
{
	struct clamps before, target;

	if (!may_limit(actuator, actuated, thread))
		want.ceiling1024 = CAPACITY_SCALE;
	if (clamps_are_none(want)) {
		actuated->max_before1024 = 0;
		return clamps_tidy(want);
	}
	before.floor1024 = before_us(actuator, &actuator->clamps->floor, actuated->floor, thread);
	before.ceiling1024 = max_before(actuator, actuated, thread, want);
	target = clamps_within(want, before);
	actuated->max_before1024 =
		target.ceiling1024 == CAPACITY_SCALE && !actuated->ceiling ? before.ceiling1024 : 0;
	return target;
}

/* -- setting it
 * -----------------------------------------------------------------------------------*/

/* One of the two on its way to what it should be. */
struct step {
	struct ledger_entry **entry;
	enum { STEP_NONE, STEP_SET, STEP_BACK } what;
	char text[32];
	const char *value; /* text, or what stood there */
};

static int make_step(const struct actuator *actuator, const struct clamp_setting *setting,
		     const struct vcpu_thread *thread, uint16_t util1024,
		     struct ledger_entry **entry, struct step *ret)
{
	char name[SETTING_NAME_MAX];
	int r = 0;

	*ret = (struct step){.entry = entry};
	if (util1024 == setting->none1024) {
		ret->value = *entry ? ledger_prior(*entry) : NULL;
		ret->what = ret->value ? STEP_BACK : STEP_NONE;
		return 0;
	}
	if (!*entry) {
		r = setting->name(thread, name, sizeof(name));
		if (r >= 0)
			r = ledger_entry(actuator->ledger, name, entry);
	}
	if (r >= 0)
		r = actuator->clamps->format(util1024, ret->text, sizeof(ret->text));
	ret->value = ret->text;
	ret->what = STEP_SET;
	return MIN(r, 0);
}

/* Whether the step would overwrite what somebody else has set since: then the setting is theirs. */
static int yield(struct actuator *actuator, const struct step *step)
{
	const char *ours = *step->entry ? ledger_ours(*step->entry) : NULL;
	int r;

	if (step->what == STEP_NONE || !ours || strcmp(ours, step->value) == 0)
		return 0;
	r = ledger_verify(actuator->ledger, *step->entry);
	if (r != 0)
		return MIN(r, 0);
	ledger_release(actuator->ledger, *step->entry);
	*step->entry = NULL;
	return 1;
}

static int take_step(struct actuator *actuator, const struct step *step)
{
	int r = 0;

	if (step->what == STEP_BACK)
		r = actuator_put_back(actuator, step->entry);
	else if (step->what == STEP_SET)
		r = ledger_set(actuator->ledger, *step->entry, step->value);
	return MIN(r, 0);
}

/* Whether the ceiling is to be above what it is by our hand. */
static bool rises(const struct actuator *actuator, const struct step *ceiling)
{
	const char *ours = *ceiling->entry ? ledger_ours(*ceiling->entry) : NULL;
	unsigned from1024, to1024;

	return ours && actuator->clamps->parse(ours, &from1024) >= 0 &&
	       actuator->clamps->parse(ceiling->value, &to1024) >= 0 && to1024 > from1024;
}

/* Both: by one call, or else in the order that never has the floor above the ceiling, which the
 * kernel refuses of a thread and cuts of a cgroup. */
static int take_both(struct actuator *actuator, const struct step *floor,
		     const struct step *ceiling)
{
	bool ceiling_first = actuator->clamps->by_cgroup && rises(actuator, ceiling);
	const struct step *steps[] = {ceiling_first ? ceiling : floor,
				      ceiling_first ? floor : ceiling};
	struct ledger_change changes[2];
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		changes[i] = (struct ledger_change){*steps[i]->entry, steps[i]->value};
	r = ledger_set_both(actuator->ledger, changes);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		if (steps[i]->what == STEP_BACK) {
			ledger_release(actuator->ledger, *steps[i]->entry);
			*steps[i]->entry = NULL;
		}
	return 0;
}

static int take_steps(struct actuator *actuator, const struct step *floor,
		      const struct step *ceiling)
{
	int r;

	if (floor->what == STEP_NONE || ceiling->what == STEP_NONE) {
		r = take_step(actuator, floor);
		return r < 0 ? r : take_step(actuator, ceiling);
	}
	/* By itself it is looked at when it is put back. */
	r = floor->what == STEP_BACK ? yield(actuator, floor) : 0;
	if (r != 0)
		return r < 0 ? r : take_step(actuator, ceiling);
	return take_both(actuator, floor, ceiling);
}

static int bring_to(struct actuator *actuator, struct actuated *actuated,
		    const struct vcpu_thread *thread, struct clamps target, bool *ret_yielded)
{
	const struct clamp_means *means = actuator->clamps;
	struct step floor, ceiling;
	bool is_up;
	int r;

	r = make_step(actuator, &means->floor, thread, target.floor1024, &actuated->floor, &floor);
	if (r >= 0)
		r = make_step(actuator, &means->ceiling, thread, target.ceiling1024,
			      &actuated->ceiling, &ceiling);
	if (r >= 0)
		r = yield(actuator, &ceiling);
	*ret_yielded = r > 0;
	if (r != 0)
		return MIN(r, 0);
	/* A ceiling that can't be brought up as it should be goes, and what is to go doesn't wait
	 * for the other: to put back takes no note in the ledger, whose file system may be full. */
	is_up = ceiling.what == STEP_BACK ||
		(ceiling.what == STEP_SET && rises(actuator, &ceiling));
	r = take_steps(actuator, &floor, &ceiling);
	if (r < 0 && is_up)
		(void)actuator_put_back(actuator, &actuated->ceiling);
	if (r < 0 && floor.what == STEP_BACK)
		(void)actuator_put_back(actuator, &actuated->floor);
	return r;
}

static int try_setting(struct actuator *actuator, struct actuated *actuated,
		       const struct vcpu_thread *thread, struct clamps want, bool *ret_yielded)
{
	struct clamps target = find_target(actuator, actuated, thread, want);

	*ret_yielded = false;
	if (actuator->clamps->by_cgroup && target.floor1024 > 0 && !actuated->floor_by_ancestors) {
		int r = open_ancestors(actuator, thread);

		if (r < 0)
			return r;
		actuated->floor_by_ancestors = true;
	}
	return bring_to(actuator, actuated, thread, target, ret_yielded);
}

/* Again, if what it went by proves to be out of date: somebody else has set the ceiling, or a
 * maximum below our floor. */
static int set_by_setting(struct actuator *actuator, struct actuated *actuated,
			  const struct vcpu_thread *thread, struct clamps want)
{
	const struct clamp_means *means = actuator->clamps;
	bool yielded;
	int r;

	if (!means || (means->by_cgroup && thread->cgroup[0] == '\0'))
		return -EOPNOTSUPP;
	r = try_setting(actuator, actuated, thread, want, &yielded);
	if (yielded) {
		actuated->ceiling_is_theirs = true;
		r = try_setting(actuator, actuated, thread, want, &yielded);
	}
	if (r != -EINVAL || actuated->max_before1024 == 0)
		return r;
	actuated->max_before1024 = 0;
	return try_setting(actuator, actuated, thread, want, &yielded);
}

static int set_by_cpufreq(struct actuator *actuator, struct actuated *actuated,
			  const struct vcpu_thread *thread, uint16_t floor1024,
			  const struct cpumask *cpus)
{
	int r;

	if (floor1024 == 0)
		return actuator_clear_clamps(actuator, actuated);
	r = freqfloor_set(actuator->freqfloor, thread, floor1024, cpus);
	if (r >= 0)
		actuated->floored = thread->tid;
	return r;
}

int actuator_set_clamps(struct actuator *actuator, struct actuated *actuated,
			const struct vcpu_thread *thread, uint16_t floor1024, uint16_t ceiling1024,
			const struct cpumask *cpus)
{
	const struct clamps want = {floor1024, ceiling1024};

	if (actuator->freqfloor)
		return set_by_cpufreq(actuator, actuated, thread, floor1024, cpus);
	return set_by_setting(actuator, actuated, thread, clamps_tidy(want));
}

int actuator_clear_clamps(struct actuator *actuator, struct actuated *actuated)
{
	int r, r_floor;

	if (actuator->freqfloor && actuated->floored)
		freqfloor_clear(actuator->freqfloor, actuated->floored);
	actuated->floored = 0;
	actuated->ceiling_is_theirs = false;
	r = actuator_put_back(actuator, &actuated->ceiling);
	r_floor = actuator_put_back(actuator, &actuated->floor);
	return MIN(r, r_floor);
}

void actuator_lift_ceiling(struct actuator *actuator, struct actuated *actuated)
{
	(void)actuator_put_back(actuator, &actuated->ceiling);
}

bool actuator_lost_floor(struct actuator *actuator, struct actuated *actuated)
{
	return actuator_has_lost(actuator, &actuated->floor);
}

bool actuator_lost_ceiling(struct actuator *actuator, struct actuated *actuated)
{
	actuated->max_before1024 = 0;
	if (actuator_has_lost(actuator, &actuated->ceiling))
		actuated->ceiling_is_theirs = true;
	return actuated->ceiling_is_theirs;
}
