/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Floors of threads by the lowest frequency of the CPUs that they run on. */
#include "hostd/freqfloor.h"

#include <stdio.h>
#include <string.h>

#include "common/fault.h"
#include "common/macro.h"
#include "common/parse.h"
#include "hostd/freqplan.h"
#include "hostd/minfreq.h"

#define RETRY_USEC	(100 * USEC_PER_MSEC) /* after a failure that may pass */
#define RETRY_LONG_USEC (60 * USEC_PER_SEC)   /* after one that won't */

/* A thread that has a floor. */
struct floored {
	pid_t tid;
	uint64_t start_time;
	uint16_t floor1024;
	uint16_t cpu; /* where it ran when it was looked at, or one of those where it may */
	bool stays;   /* all CPUs where it may run are of one policy */
};

struct policy {
	struct freqplan_policy plan;
	char driver[32];	    /* that the plan is made for; "": none yet */
	struct ledger_entry *entry; /* NULL while there is nothing of ours */
	uint16_t floor1024;	    /* the largest of the threads there */
	bool is_theirs;
	int error;
	uint64_t retry_usec; /* no writes before */
};

struct freqfloor {
	int root_fd;
	struct ledger *ledger;
	const struct topology *topology;
	struct floored *threads;
	unsigned n_threads, threads_size;
	bool is_dirty;			    /* something has changed since the last tick */
	uint64_t look_usec;		    /* when to look where threads run; 0: none moves */
	uint64_t next_usec;		    /* what the last tick said */
	struct policy policy[CPUMASK_CPUS]; /* by number, which a CPU that leaves doesn't change */
};

/* -- threads
 * --------------------------------------------------------------------------------------*/

int freqfloor_new(int root_fd, struct ledger *ledger, const struct topology *topology,
		  struct freqfloor **ret)
{
	struct freqfloor *freqfloor = calloc(1, sizeof(*freqfloor));

	if (!freqfloor)
		return -ENOMEM;
	freqfloor->root_fd = root_fd;
	freqfloor->ledger = ledger;
	freqfloor->topology = topology;
	freqfloor->next_usec = USEC_INFINITY;
	*ret = freqfloor;
	return 0;
}

struct freqfloor *freqfloor_free(struct freqfloor *freqfloor)
{
	if (freqfloor)
		free(freqfloor->threads);
	free(freqfloor);
	return NULL;
}

void freqfloor_put_back(struct freqfloor *freqfloor)
{
	struct ledger_tally tally = {};

	for (unsigned i = 0; i < CPUMASK_CPUS; i++) {
		struct policy *policy = &freqfloor->policy[i];

		if (policy->entry)
			ledger_restore(freqfloor->ledger, policy->entry, &tally);
		policy->entry = NULL;
		policy->plan.have_khz = 0;
	}
}

static struct floored *find_thread(struct freqfloor *freqfloor, pid_t tid)
{
	for (unsigned i = 0; i < freqfloor->n_threads; i++)
		if (freqfloor->threads[i].tid == tid)
			return &freqfloor->threads[i];
	return NULL;
}

static struct floored *add_thread(struct freqfloor *freqfloor)
{
	if (freqfloor->n_threads == freqfloor->threads_size) {
		unsigned size = freqfloor->threads_size ? 2 * freqfloor->threads_size : 16;
		struct floored *threads = reallocarray(freqfloor->threads, size, sizeof(*threads));

		if (!threads)
			return NULL;
		freqfloor->threads = threads;
		freqfloor->threads_size = size;
	}
	return &freqfloor->threads[freqfloor->n_threads++];
}

/* The policy of a CPU: NULL if it has none. */
static const struct cpufreq_policy *policy_of(const struct freqfloor *freqfloor, unsigned cpu)
{
	const struct topology *topology = freqfloor->topology;

	if (cpu >= CPUMASK_CPUS || topology->cpu[cpu].policy >= topology->n_policies)
		return NULL;
	return &topology->policy[topology->cpu[cpu].policy];
}

/* A thread that can't leave its policy need not be looked at. */
static void take_cpus(const struct freqfloor *freqfloor, struct floored *thread,
		      const struct cpumask *cpus)
{
	unsigned first = cpus ? cpumask_next(cpus, 0) : CPUMASK_CPUS;
	const struct cpufreq_policy *policy = policy_of(freqfloor, first);

	thread->stays = policy && cpumask_is_subset(cpus, &policy->related);
	if (thread->stays)
		thread->cpu = (uint16_t)first;
}

/* Where the thread is now. */
static int look_at(const struct freqfloor *freqfloor, struct floored *thread)
{
	struct thread_stat stat;
	int r = thread_stat(freqfloor->root_fd, thread->tid, &stat);

	if (r < 0)
		return r;
	if (stat.start_time != thread->start_time)
		return -ESRCH;
	if (!thread->stays)
		thread->cpu = (uint16_t)MIN(stat.cpu, CPUMASK_CPUS);
	return 0;
}

int freqfloor_set(struct freqfloor *freqfloor, const struct vcpu_thread *thread, uint16_t floor1024,
		  const struct cpumask *cpus)
{
	struct floored now = {
		.tid = thread->tid, .start_time = thread->start_time, .floor1024 = floor1024};
	struct floored *entry = find_thread(freqfloor, thread->tid);
	int r;

	take_cpus(freqfloor, &now, cpus);
	r = look_at(freqfloor, &now);
	if (r < 0)
		return r;
	if (!entry)
		entry = add_thread(freqfloor);
	if (!entry)
		return -ENOMEM;
	*entry = now;
	freqfloor->is_dirty = true;
	return 0;
}

void freqfloor_clear(struct freqfloor *freqfloor, pid_t tid)
{
	struct floored *entry = find_thread(freqfloor, tid);

	if (!entry)
		return;
	*entry = freqfloor->threads[--freqfloor->n_threads];
	freqfloor->is_dirty = true;
}

void freqfloor_set_cpus(struct freqfloor *freqfloor, pid_t tid, const struct cpumask *cpus)
{
	struct floored *entry = find_thread(freqfloor, tid);

	if (!entry)
		return;
	take_cpus(freqfloor, entry, cpus);
	freqfloor->is_dirty = true;
}

/* Threads that stay, or have nowhere to go, are not looked at. */
static bool moves(const struct freqfloor *freqfloor, const struct floored *thread)
{
	return !thread->stays && freqfloor->topology->n_policies > 1;
}

/* Looks at all threads that move, if it is time; those that have ended lose their floor. */
static void look_at_threads(struct freqfloor *freqfloor, uint64_t now_usec)
{
	unsigned n = 0;
	bool is_time = freqfloor->look_usec > 0 && now_usec >= freqfloor->look_usec;

	for (unsigned i = 0; i < freqfloor->n_threads;) {
		struct floored *thread = &freqfloor->threads[i];

		if (moves(freqfloor, thread) && is_time && look_at(freqfloor, thread) == -ESRCH) {
			*thread = freqfloor->threads[--freqfloor->n_threads];
			continue;
		}
		n += moves(freqfloor, thread);
		i++;
	}
	if (n == 0)
		freqfloor->look_usec = 0;
	else if (is_time || freqfloor->look_usec == 0)
		freqfloor->look_usec = now_usec + freqplan_look_usec(n);
}

/* -- policies
 * -------------------------------------------------------------------------------------*/

static void release(struct freqfloor *freqfloor, struct policy *policy)
{
	if (policy->entry)
		ledger_release(freqfloor->ledger, policy->entry);
	policy->entry = NULL;
	policy->plan.have_khz = policy->plan.prior_khz = 0;
	policy->plan.fall_usec = 0;
}

/* Begins with a policy: a new one, or one that has another driver than before. Drivers make their
 * policies anew, and what was in the files of the old ones is over. */
static void begin_policy(struct freqfloor *freqfloor, struct policy *policy,
			 const struct cpufreq_policy *info)
{
	struct freqplan_policy *plan = &policy->plan;
	unsigned cpu = cpumask_next(&info->related, 0);

	if (policy->driver[0] != '\0')
		release(freqfloor, policy);
	*policy = (struct policy){};
	snprintf(policy->driver, sizeof(policy->driver), "%s", info->driver);
	plan->max_khz = info->max_khz;
	plan->capacity1024 =
		cpu < CPUMASK_CPUS ? freqfloor->topology->cpu[cpu].capacity1024 : CAPACITY_SCALE;
	plan->n_steps = minfreq_steps(freqfloor->root_fd, info->number, plan->steps);
	plan->n_steps = freqplan_sort(plan->steps, plan->n_steps);
}

/* What an earlier run couldn't put back has its prior value in the ledger still. */
static int read_limits(struct freqfloor *freqfloor, struct policy *policy, unsigned number)
{
	const char *prior = policy->entry ? ledger_prior(policy->entry) : NULL;
	uint32_t min_khz, limit_khz;
	uint64_t prior_khz;
	int r = minfreq_read(freqfloor->root_fd, number, &min_khz, &limit_khz);

	if (r < 0)
		return r;
	if (prior && parse_u64_max(prior, UINT32_MAX, &prior_khz) >= 0)
		min_khz = (uint32_t)prior_khz;
	policy->plan.limit_khz = limit_khz;
	policy->plan.prior_khz = MAX(min_khz, 1);
	return 0;
}

static int get_entry(struct freqfloor *freqfloor, struct policy *policy, unsigned number)
{
	char name[32];

	if (policy->entry)
		return 0;
	snprintf(name, sizeof(name), "cpufreq:%u", number);
	return ledger_entry(freqfloor->ledger, name, &policy->entry);
}

/* Leaves the policy to whoever has changed it since our last write. While we want nothing of it,
 * what they chose is what we go back to the next time; else it is theirs from now on. */
static int yield_policy(struct freqfloor *freqfloor, struct policy *policy, uint64_t now_usec)
{
	enum ledger_value value;
	int r;

	if (!policy->entry || !ledger_ours(policy->entry))
		return 0;
	r = ledger_look(freqfloor->ledger, policy->entry, &value);
	if (r < 0 || value == LEDGER_OURS)
		return r;
	if (value == LEDGER_FORMER && freqplan_lags(&policy->plan, now_usec))
		return 0;
	policy->is_theirs = policy->plan.have_khz > 0;
	release(freqfloor, policy);
	return 0;
}

static int write_khz(struct freqfloor *freqfloor, struct policy *policy, uint32_t khz)
{
	char value[32];

	if (khz == 0)
		snprintf(value, sizeof(value), "%s", ledger_prior(policy->entry));
	else
		snprintf(value, sizeof(value), "%u", khz);
	return ledger_set(freqfloor->ledger, policy->entry, value);
}

/* A policy of which nothing is known but that it couldn't be set: forget it, wait, or give up for
 * long. A CPU that is only offline keeps its files, which answer EBUSY. */
static uint64_t take_failure(struct freqfloor *freqfloor, struct policy *policy, int error,
			     uint64_t now_usec)
{
	enum fault fault = fault_of(error);

	if (error == -ESTALE)
		policy->is_theirs = true;
	if (error == -ESTALE || fault == FAULT_GONE)
		release(freqfloor, policy);
	policy->error = error;
	policy->retry_usec = now_usec + (fault == FAULT_NEVER ? RETRY_LONG_USEC : RETRY_USEC);
	return policy->retry_usec;
}

/* Writes what the policy should have, if nobody else has been there. */
static int change_policy(struct freqfloor *freqfloor, struct policy *policy, unsigned number,
			 uint64_t interval_usec, uint64_t now_usec, uint64_t *ret_next_usec)
{
	uint32_t khz;
	int r = yield_policy(freqfloor, policy, now_usec);

	if (r < 0 || policy->is_theirs)
		return r;
	r = get_entry(freqfloor, policy, number);
	if (r >= 0)
		r = read_limits(freqfloor, policy, number);
	if (r < 0)
		return r;
	khz = freqplan_decide(&policy->plan, policy->floor1024, interval_usec, now_usec,
			      ret_next_usec);
	if (khz == policy->plan.have_khz)
		return 0;
	r = write_khz(freqfloor, policy, khz);
	if (r >= 0)
		freqplan_done(&policy->plan, khz, now_usec);
	return MIN(r, 0);
}

/* Returns when to come again. */
static uint64_t run_policy(struct freqfloor *freqfloor, const struct cpufreq_policy *info,
			   uint64_t interval_usec, uint64_t now_usec)
{
	struct policy *policy = &freqfloor->policy[info->number];
	uint64_t next_usec = USEC_INFINITY;
	int r;

	if (policy->floor1024 == 0 && policy->plan.have_khz == 0)
		return USEC_INFINITY;
	if (policy->driver[0] == '\0' || strcmp(policy->driver, info->driver) != 0) {
		uint16_t floor1024 = policy->floor1024;

		begin_policy(freqfloor, policy, info);
		policy->floor1024 = floor1024;
	}
	if (policy->is_theirs)
		return USEC_INFINITY;
	if (now_usec < policy->retry_usec)
		return policy->retry_usec;
	if (freqplan_decide(&policy->plan, policy->floor1024, interval_usec, now_usec,
			    &next_usec) == policy->plan.have_khz)
		return next_usec;
	r = change_policy(freqfloor, policy, info->number, interval_usec, now_usec, &next_usec);
	if (r < 0)
		return take_failure(freqfloor, policy, r, now_usec);
	policy->error = 0;
	policy->retry_usec = 0;
	return next_usec;
}

/* Each policy's largest floor. */
static void gather(struct freqfloor *freqfloor)
{
	const struct topology *topology = freqfloor->topology;

	for (unsigned i = 0; i < topology->n_policies; i++)
		freqfloor->policy[topology->policy[i].number].floor1024 = 0;
	for (unsigned i = 0; i < freqfloor->n_threads; i++) {
		const struct floored *thread = &freqfloor->threads[i];
		const struct cpufreq_policy *info = policy_of(freqfloor, thread->cpu);
		uint16_t *floor1024;

		if (!info)
			continue;
		floor1024 = &freqfloor->policy[info->number].floor1024;
		*floor1024 = MAX(*floor1024, thread->floor1024);
	}
}

void freqfloor_tick(struct freqfloor *freqfloor, uint64_t interval_usec, uint64_t now_usec,
		    uint64_t *ret_next_usec)
{
	const struct topology *topology = freqfloor->topology;
	uint64_t next_usec = USEC_INFINITY;

	if (!freqfloor->is_dirty && now_usec < freqfloor->next_usec) {
		*ret_next_usec = freqfloor->next_usec;
		return;
	}
	freqfloor->is_dirty = false;
	look_at_threads(freqfloor, now_usec);
	gather(freqfloor);
	for (unsigned i = 0; i < topology->n_policies; i++) {
		uint64_t policy_next =
			run_policy(freqfloor, &topology->policy[i], interval_usec, now_usec);

		next_usec = MIN(next_usec, policy_next);
	}
	if (freqfloor->look_usec > 0)
		next_usec = MIN(next_usec, freqfloor->look_usec);
	*ret_next_usec = freqfloor->next_usec = next_usec;
}

/* -- now and then
 * ---------------------------------------------------------------------------------*/

/* Once a policy stands as it did without us, and the kernel has had its time, it is no matter of
 * ours any more: what stands there then is what we go back to the next time. */
static void rest_policy(struct freqfloor *freqfloor, struct policy *policy, uint64_t now_usec)
{
	struct ledger_tally tally = {};

	if (freqplan_lags(&policy->plan, now_usec))
		return;
	policy->plan.prior_khz = 0;
	if (!policy->entry)
		return;
	ledger_restore(freqfloor->ledger, policy->entry, &tally);
	if (tally.failed == 0)
		policy->entry = NULL;
}

void freqfloor_verify(struct freqfloor *freqfloor, uint64_t now_usec)
{
	for (unsigned i = 0; i < freqfloor->topology->n_policies; i++) {
		struct policy *policy = &freqfloor->policy[freqfloor->topology->policy[i].number];

		if (policy->driver[0] == '\0' || policy->is_theirs)
			continue;
		if (policy->plan.have_khz == 0)
			rest_policy(freqfloor, policy, now_usec);
		else if (yield_policy(freqfloor, policy, now_usec) >= 0 && !policy->is_theirs)
			(void)read_limits(freqfloor, policy, freqfloor->topology->policy[i].number);
	}
	freqfloor->is_dirty = true;
}

/* -- for people
 * -----------------------------------------------------------------------------------*/

int freqfloor_effective(const struct freqfloor *freqfloor, unsigned cpu, uint16_t *ret_floor1024)
{
	const struct cpufreq_policy *info = policy_of(freqfloor, cpu);
	struct freqplan_policy plan = {};
	uint32_t khz, limit_khz;
	int r;

	if (!info || info->max_khz == 0)
		return -ENODATA;
	r = minfreq_read(freqfloor->root_fd, info->number, &khz, &limit_khz);
	if (r < 0)
		return r;
	plan.max_khz = info->max_khz;
	plan.capacity1024 = freqfloor->topology->cpu[cpu].capacity1024;
	*ret_floor1024 = freqplan_floor1024(&plan, khz);
	return 0;
}

bool freqfloor_is_theirs(const struct freqfloor *freqfloor, unsigned cpu)
{
	const struct cpufreq_policy *info = policy_of(freqfloor, cpu);

	return info && freqfloor->policy[info->number].is_theirs;
}

int freqfloor_error(const struct freqfloor *freqfloor, unsigned cpu)
{
	const struct cpufreq_policy *info = policy_of(freqfloor, cpu);

	return info ? freqfloor->policy[info->number].error : 0;
}
