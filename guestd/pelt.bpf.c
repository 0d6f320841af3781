/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The eBPF programs of vmfreq-guestd: each CPU's run queue signals into a mapped array, and a
 * wake-up when one has crossed a step.
 *
 * What it costs decides how it is made. pelt_cfs_tp fires for a run queue when it enters a new PELT
 * period, so about once per ms and cgroup while a CPU is busy, and when a task comes from another
 * CPU; only the root's is of use, and the others return after two loads. That is also when a task
 * wakes on a CPU that had been idle: the kernel adds the task's util_est first and updates the
 * averages then. sched_util_est_cfs_tp fires at each sleep and each wake-up, hundreds of thousands
 * of times a second under some loads, for a rise at most one tick sooner: that program is loaded
 * only if asked for. RT and DL have nothing to say on most CPUs, and return early. cpu_idle runs
 * when there is nothing better to do.
 *
 * Stock kernels from 6.1 on have everything that isn't behind bpf_core_field_exists(); a field that
 * is may be missing. Each type named here is one of vmlinux: libbpf 1.1 looks for others in the
 * modules, which needs CAP_SYS_ADMIN. */
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "common/pelt_powers.h"
#include "guestd/pelt_step.h"

#define _core_ __attribute__((preserve_access_index))

/* -- what we use of the kernel's, newest shape first --------------------------------------------
 */

struct sched_avg {
	uint64_t last_update_time; /* ns of the CPU's PELT clock */
	unsigned long runnable_avg; /* from 5.7 on */
	unsigned long util_avg;
	unsigned int util_est; /* from 6.8 on */
} _core_;

struct task_group {
	struct task_group *parent;
} _core_;

struct rq;

struct cfs_rq {
	struct sched_avg avg;
	struct rq *rq; /* with the next, only where there are task groups: on all of Debian's */
	struct task_group *tg;
	unsigned int h_nr_queued; /* from 6.14 on, with those whose dequeue is delayed */
	unsigned int h_nr_runnable;
} _core_;

struct sched_info {
	unsigned long long run_delay;
	unsigned long long last_arrival;
} _core_;

struct sched_entity {
	unsigned char sched_delayed; /* from 6.12 on: it sleeps, and is still queued */
	struct sched_avg avg;
} _core_;

struct thread_info {
	uint32_t cpu; /* on x86 and arm64 */
} _core_;

struct task_struct {
	struct thread_info thread_info;
	unsigned int __state;
	int on_rq;
	int pid;
	struct sched_entity se;
	struct sched_info sched_info;
} _core_;

struct uclamp_rq {
	unsigned int value;
} _core_;

struct rq {
	unsigned int nr_running;
	int cpu;
	struct cfs_rq cfs;
	struct sched_avg avg_rt;
	struct sched_avg avg_dl;
	struct uclamp_rq uclamp[2];
	struct task_struct *curr;
	uint64_t clock;
	uint64_t prev_steal_time;
	uint64_t prev_steal_time_rq;
	struct sched_info rq_sched_info;
	unsigned long long rq_cpu_time;
} _core_;

/* util_est until 6.7 */
struct util_est___pair {
	unsigned int enqueued;
	unsigned int ewma; /* a task's */
} _core_;

struct sched_avg___pair {
	struct util_est___pair util_est;
} _core_;

struct cfs_rq___pair {
	struct sched_avg___pair avg;
} _core_;

struct sched_entity___pair {
	struct sched_avg___pair avg;
} _core_;

struct task_struct___pair {
	struct sched_entity___pair se;
} _core_;

/* 6.12 and 6.13: those whose dequeue is delayed */
struct cfs_rq___delayed {
	unsigned int h_nr_delayed;
} _core_;

/* -- what we share with guestd ------------------------------------------------------------------
 */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* guestd sets it to the CPUs that there can be */
	__type(key, uint32_t);
	__type(value, struct pelt_record);
} pelt_records SEC(".maps");

/* At most one waiting event for each CPU: it can't fill up. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} pelt_events SEC(".maps");

/* In .bss, which is mapped, too. */
struct pelt_step pelt_step;
struct pelt_self pelt_self;

/* -- the common path ----------------------------------------------------------------------------
 */

static __always_inline struct pelt_record *record_of(uint32_t cpu)
{
	return bpf_map_lookup_elem(&pelt_records, &cpu); /* inlined by the verifier */
}

/* Of all its tasks together: may be more than 1024. */
static __always_inline uint32_t util_est_of(struct cfs_rq *cfs_rq)
{
	struct cfs_rq___pair *pair = (struct cfs_rq___pair *)cfs_rq;

	if (bpf_core_field_exists(pair->avg.util_est.enqueued))
		return pair->avg.util_est.enqueued;
	if (bpf_core_field_exists(cfs_rq->avg.util_est))
		return cfs_rq->avg.util_est;
	return 0;
}

/* Tasks that sleep, but which the kernel keeps queued until their lag is gone, don't count. */
static __always_inline uint32_t runnable_of(struct rq *rq)
{
	struct cfs_rq___delayed *delayed = (struct cfs_rq___delayed *)&rq->cfs;
	uint32_t n = rq->nr_running;

	if (bpf_core_field_exists(rq->cfs.h_nr_runnable))
		n -= rq->cfs.h_nr_queued - rq->cfs.h_nr_runnable;
	else if (bpf_core_field_exists(delayed->h_nr_delayed))
		n -= delayed->h_nr_delayed;
	return n < UINT16_MAX ? n : UINT16_MAX;
}

/* rq_cpu_time is booked when a task leaves the CPU: the one that is on it comes on top. The idle
 * task has no PID, and is never in. */
static __always_inline uint64_t run_nsec_of(struct rq *rq)
{
	struct task_struct *curr;
	uint64_t run, since;

	if (!bpf_core_field_exists(rq->rq_cpu_time))
		return 0;
	run = rq->rq_cpu_time;
	curr = rq->curr;
	if (!curr || curr->pid == 0)
		return run;
	since = rq->clock - curr->sched_info.last_arrival;
	return (int64_t)since > 0 ? run + since : run;
}

static __always_inline uint64_t steal_nsec_of(struct rq *rq)
{
	if (bpf_core_field_exists(rq->prev_steal_time))
		return rq->prev_steal_time;
	if (bpf_core_field_exists(rq->prev_steal_time_rq))
		return rq->prev_steal_time_rq;
	return 0;
}

#define TASK_WAKING	   0x200U     /* <linux/sched.h> */
#define UTIL_AVG_UNCHANGED 0x80000000 /* a flag in a task's util_est */

/* As the kernel's _task_util_est(). */
static __always_inline uint32_t task_util_est_of(const struct task_struct *task)
{
	const struct task_struct___pair *pair = (const struct task_struct___pair *)task;
	uint32_t enqueued, ewma;

	if (bpf_core_field_exists(pair->se.avg.util_est.ewma)) {
		enqueued = BPF_CORE_READ(pair, se.avg.util_est.enqueued) & ~UTIL_AVG_UNCHANGED;
		ewma = BPF_CORE_READ(pair, se.avg.util_est.ewma);
		return pelt_step_cut(enqueued > ewma ? enqueued : ewma);
	}
	if (bpf_core_field_exists(task->se.avg.util_est))
		return pelt_step_cut(BPF_CORE_READ(task, se.avg.util_est) & ~UTIL_AVG_UNCHANGED);
	return 0;
}

/* Whether the run queue's util_est has the task in it. It is added before the task is queued, and
 * taken out before that of a sleeper is delayed. */
static __always_inline bool task_is_in_util_est(const struct task_struct *task)
{
	if (bpf_core_field_exists(task->se.sched_delayed) && BPF_CORE_READ(task, se.sched_delayed))
		return false;
	return BPF_CORE_READ(task, on_rq) || BPF_CORE_READ(task, __state) == TASK_WAKING;
}

/* A sleeping task's share of the CPU where it was is still in its average, and falls with it. The
 * task is read where it is, without its being held: while these programs run, guestd does. The sums
 * are not cut to 1024 yet: with a task that has just come they are more, and what is left counts.
 */
static __always_inline void leave_self_out(uint32_t *util_avg, uint32_t *util_est,
					   uint32_t *runnable_avg, struct rq *rq)
{
	const struct task_struct *self = (const struct task_struct *)pelt_self.task;
	struct task_struct *curr = rq->curr;
	uint64_t updated, now;
	uint32_t part;

	if (!bpf_core_field_exists(self->thread_info.cpu))
		return;
	if (!self) {
		if (pelt_self.pid == 0 || !curr || curr->pid != pelt_self.pid)
			return;
		pelt_self.task = (uint64_t)curr;
		self = (const struct task_struct *)pelt_self.task;
	}
	if (BPF_CORE_READ(self, thread_info.cpu) != (uint32_t)rq->cpu)
		return;
	updated = BPF_CORE_READ(self, se.avg.last_update_time);
	now = rq->cfs.avg.last_update_time;
	part = pelt_step_cut(BPF_CORE_READ(self, se.avg.util_avg));
	if (now > updated)
		part = pelt_powers_decay(part, (now - updated) >> 20);
	*util_avg = pelt_step_others(*util_avg, part);
	part = pelt_step_cut(BPF_CORE_READ(self, se.avg.runnable_avg));
	if (now > updated)
		part = pelt_powers_decay(part, (now - updated) >> 20);
	*runnable_avg = pelt_step_less(*runnable_avg, part);
	if (task_is_in_util_est(self))
		*util_est = pelt_step_less(*util_est, task_util_est_of(self));
}

/* Exchanges are full barriers on each architecture, which plain stores and the additions that don't
 * return anything are not. */
static __always_inline void fill(struct pelt_record *record, struct rq *rq, uint64_t now_nsec)
{
	uint32_t util_avg = (uint32_t)rq->cfs.avg.util_avg, util_est = util_est_of(&rq->cfs);
	uint32_t runnable_avg = (uint32_t)rq->cfs.avg.runnable_avg;
	uint32_t sequence = record->sequence;

	leave_self_out(&util_avg, &util_est, &runnable_avg, rq);
	/* Tasks that wait for each other need more than they use: schedutil goes by the larger of the two
	 * since 6.5 (cpu_util_cfs_boost() in kernel/sched/fair.c). */
	util_est = util_est > runnable_avg ? util_est : runnable_avg;
	__sync_lock_test_and_set(&record->sequence, sequence + 1);
	record->stamp_nsec = now_nsec;
	record->util_avg1024 = pelt_step_cut(util_avg);
	record->util_est1024 = pelt_step_cut(util_est);
	record->rt1024 = pelt_step_cut(rq->avg_rt.util_avg);
	record->dl1024 = pelt_step_cut(rq->avg_dl.util_avg);
	if (bpf_core_field_exists(rq->uclamp)) {
		record->uclamp_min1024 = pelt_step_cut(rq->uclamp[0].value);
		record->uclamp_max1024 = pelt_step_cut(rq->uclamp[1].value);
	} else {
		record->uclamp_min1024 = 0;
		record->uclamp_max1024 = PELT_STEP_FULL1024;
	}
	record->runnable = runnable_of(rq);
	record->run_nsec = run_nsec_of(rq);
	record->steal_nsec = steal_nsec_of(rq);
	if (bpf_core_field_exists(rq->rq_sched_info))
		record->delay_nsec = rq->rq_sched_info.run_delay;
	__sync_lock_test_and_set(&record->sequence, sequence + 2);
}

/* The kernel wakes guestd from an interrupt of its own, so it does no harm that we hold a run
 * queue's lock; and only if guestd has taken all that came before. */
static __always_inline void ring(struct pelt_record *record, uint32_t cpu, uint32_t reason,
				 uint64_t now_nsec)
{
	struct pelt_event *event = bpf_ringbuf_reserve(&pelt_events, sizeof(*event), 0);

	if (!event)
		return; /* and the next update tries again */
	event->cpu = cpu;
	event->reason = reason;
	record->rung = pelt_step_rung(now_nsec);
	bpf_ringbuf_submit(event, 0);
}

static __always_inline void note(struct pelt_record *record, struct rq *rq)
{
	uint64_t now_nsec = bpf_ktime_get_ns();
	enum pelt_event_reason reason;

	fill(record, rq, now_nsec);
	reason = pelt_step_due(&pelt_step, record, pelt_step_wanted(record), now_nsec);
	if (reason != PELT_EVENT_NONE)
		ring(record, rq->cpu, reason, now_nsec);
}

/* -- the programs -------------------------------------------------------------------------------
 */
/* All but the last are called with the run queue's lock held, though not always on its own CPU. */

SEC("tp_btf/pelt_cfs_tp")
int BPF_PROG(on_cfs, struct cfs_rq *cfs_rq)
{
	struct pelt_record *record;
	struct rq *rq;

	if (cfs_rq->tg->parent)
		return 0;
	rq = cfs_rq->rq;
	record = record_of(rq->cpu);
	if (record)
		note(record, rq);
	return 0;
}

/* Always the root's. Falls can wait for the next update of the averages. */
SEC("tp_btf/sched_util_est_cfs_tp")
int BPF_PROG(on_util_est, struct cfs_rq *cfs_rq)
{
	struct rq *rq = cfs_rq->rq;
	struct pelt_record *record = record_of(rq->cpu);

	if (!record || record->rung & PELT_RUNG_WAITING)
		return 0;
	if (util_est_of(cfs_rq) >= record->sent1024 + pelt_step_rise(&pelt_step, record->sent1024))
		note(record, rq);
	return 0;
}

SEC("tp_btf/pelt_rt_tp")
int BPF_PROG(on_rt, struct rq *rq)
{
	struct pelt_record *record = record_of(rq->cpu);

	if (record && (rq->avg_rt.util_avg != 0 || record->rt1024 != 0))
		note(record, rq);
	return 0;
}

SEC("tp_btf/pelt_dl_tp")
int BPF_PROG(on_dl, struct rq *rq)
{
	struct pelt_record *record = record_of(rq->cpu);

	if (record && (rq->avg_dl.util_avg != 0 || record->dl1024 != 0))
		note(record, rq);
	return 0;
}

#define PWR_EVENT_EXIT UINT32_MAX /* <trace/events/power.h> */

/* An idle CPU gets no more updates, or only now and then from others: a value that isn't updated
 * would pass for one that lasts. A CPU that the host doesn't run isn't updated either, and it does
 * last. So idle is told apart here, and guestd lets the value fall by PELT's half-life
 * (pelt_record.h). It doesn't ring: a CPU that works goes idle all the time. Called on the CPU
 * itself, interrupts off, without the lock: one store. */
SEC("tp_btf/cpu_idle")
int BPF_PROG(on_idle, unsigned int state, unsigned int cpu)
{
	struct pelt_record *record = record_of(cpu);

	if (record)
		record->idle_nsec = state == PWR_EVENT_EXIT ? 0 : bpf_ktime_get_ns();
	return 0;
}

/* Several of the helpers are for such programs only; the LGPL allows us to say so. */
char LICENSE[] SEC("license") = "GPL";
