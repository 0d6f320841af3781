/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a floor, a ceiling and a set of CPUs reach a vCPU's thread: the ladder of means, each a row in a table,
 * all through the ledger. A dry run is the same table over a ledger that writes nothing. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/cpumask.h"
#include "hostd/clamps.h"
#include "hostd/host_config.h"
#include "hostd/ledger.h"
#include "hostd/threads.h"
#include "hostd/topology.h"

struct actuator;

/* What we have set of one vCPU's thread. Zero-initialised. */
struct actuated {
	struct ledger_entry *floor, *ceiling, *cpus;
	pid_t floored; /* the thread in freqfloor's table; 0: none */
	bool floor_by_ancestors; /* the cgroups above have been opened for it */
	bool ceiling_is_theirs;  /* somebody else has set it since: hands off */
	/* The maximum that stands there without us, while a floor stands there and no ceiling of
	 * ours; 0: to be read. A read takes half as long as a write. */
	uint16_t max_before1024;
};

/* Opens the ledger, puts back what an earlier run left in it (counted in *ret_tally) and chooses
 * the means. -EBUSY if another hostd has the ledger; other errors as ledger_open(). */
int actuator_new(int root_fd, const struct host_config *config, const struct topology *topology,
		 bool dry_run, const char *ledger_path, struct actuator **ret,
		 struct ledger_tally *ret_tally);

/* Puts everything back and closes the ledger. Returns NULL. */
struct actuator *actuator_free(struct actuator *actuator, struct ledger_tally *ret_tally);

/* Puts back what an earlier run left in the ledger, and nothing else: `--restore`. 0 with nothing to
 * do where there is no ledger; -EBUSY while hostd runs. */
int actuator_restore(int root_fd, const char *ledger_path, struct ledger_tally *ret_tally);

/* Gives the thread a floor and a ceiling, or puts back what stood there: struct clamps. The ceiling
 * isn't below the floor. Never a floor below the minimum or above the maximum that stood there
 * before us, nor a ceiling below that minimum or above that maximum: clamps_within(). cpus is where
 * it may run.
 *
 * By thread both are one sched_setattr(2). By cgroup they are two files, written in the order that
 * never has the floor above the ceiling; a ceiling needs nothing of the cgroups above, for the
 * lowest maximum counts (cpu_util_update_eff() in kernel/sched/core.c), and only goes to a vCPU's
 * own cgroup. By cpufreq there are no ceilings: scaling_max_freq belongs to CPUs that others run on,
 * too, and would slow them down; there the floor is only noted, for actuator_tick().
 *
 * Where writing fails, a ceiling that was to rise has been put back all the same, if that can be:
 * none stands in the way of a demand.
 *
 * A ceiling that somebody else has changed since is theirs, and is left alone from then on: it is
 * looked at before each change of it. 0 or -errno; -EOPNOTSUPP if these means don't reach this
 * thread, -ESTALE if somebody else has changed it. */
int actuator_set_clamps(struct actuator *actuator, struct actuated *actuated,
			const struct vcpu_thread *thread, uint16_t floor1024,
			uint16_t ceiling1024, const struct cpumask *cpus);

/* Puts both back. A ceiling that was somebody else's may be set again: other means come. */
int actuator_clear_clamps(struct actuator *actuator, struct actuated *actuated);

/* Puts the ceiling back by itself: nothing can be written for a while. */
void actuator_lift_ceiling(struct actuator *actuator, struct actuated *actuated);

/* For means that serve all threads together: brings the host to what was set and cleared, and
 * follows threads that move. After each event; cheap if there is nothing to do. *ret_next_usec is
 * when to come again without one (USEC_INFINITY: never). */
void actuator_tick(struct actuator *actuator, uint64_t interval_usec, uint64_t now_usec,
		   uint64_t *ret_next_usec);

/* The same for the CPUs that it may run on. */
int actuator_set_cpus(struct actuator *actuator, struct actuated *actuated,
		      const struct vcpu_thread *thread, const struct cpumask *cpus);
int actuator_clear_cpus(struct actuator *actuator, struct actuated *actuated);

/* Whether somebody else has changed what we set, by asking the kernel: slow, for now and then. The
 * setting is theirs from then on. */
bool actuator_lost_floor(struct actuator *actuator, struct actuated *actuated);
bool actuator_lost_ceiling(struct actuator *actuator, struct actuated *actuated);
bool actuator_lost_cpus(struct actuator *actuator, struct actuated *actuated);

/* The same for what no thread has for itself. A tick has to follow. */
void actuator_verify(struct actuator *actuator, uint64_t now_usec);

/* Whether other means of setting floors fit the host by now: a governor has changed, say. */
bool actuator_is_outdated(const struct actuator *actuator, const struct topology *topology);

/* Chooses them anew, as at the start. No thread has a floor at that moment. -ENOMEM: floors are off.
 */
int actuator_choose(struct actuator *actuator, const struct topology *topology);

/* Leaves the CPUs as they are from now on: somebody else's. */
void actuator_release_cpus(struct actuator *actuator, struct actuated *actuated);

/* Puts back all files of a cgroup (a domain's own, as "/machine.slice/….scope") and below it. */
void actuator_close_cgroup(struct actuator *actuator, const char *cgroup);

/* Ends with this thread: puts all back if it still lives (in another cgroup, say), and forgets them. */
void actuator_forget(struct actuator *actuator, struct actuated *actuated);

/* What a demand has to be multiplied by to be a floor, in 1/1024, where that follows from these
 * means; 0: it is the kernel's matter (hostd/headroom.h). */
uint32_t actuator_headroom1024(const struct actuator *actuator);

/* Why a thread that runs on this CPU has no floor there; NULL if nothing is in its way. */
const char *actuator_floor_problem(const struct actuator *actuator, unsigned cpu);

/* The CPUs where that is so: because somebody else has set the policy, or since writing failed. */
void actuator_floor_problems(const struct actuator *actuator, const struct topology *topology,
			     struct cpumask *ret_theirs, struct cpumask *ret_failed);

/* What the kernel makes of a thread's floor and ceiling; -ENODATA where it doesn't tell. */
int actuator_effective(const struct actuator *actuator, const struct vcpu_thread *thread,
		       unsigned cpu, struct clamps *ret);

/* For people: what is in use ("thread", "cgroup", "cpufreq", "affinity", "off"), and why. */
const char *actuator_floor_name(const struct actuator *actuator);
const char *actuator_floor_reason(const struct actuator *actuator);
const char *actuator_cpus_name(const struct actuator *actuator);
const char *actuator_cpus_reason(const struct actuator *actuator);
bool actuator_has_floors(const struct actuator *actuator);
bool actuator_has_ceilings(const struct actuator *actuator);
bool actuator_has_cpus(const struct actuator *actuator);
bool actuator_is_dry(const struct actuator *actuator);

/* How many settings of the host stand changed by us. */
size_t actuator_changed(const struct actuator *actuator);
