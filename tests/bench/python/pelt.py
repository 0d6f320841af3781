# SPDX-License-Identifier: LGPL-2.1-or-later
"""A reference implementation of the kernel's per-entity load tracking (PELT), fed with the scheduler's
trace events: what util_avg and util_est of each CPU's root CFS run queue were. It is written from the
kernel's formulas, in integers as there, and shares nothing with guestd, whose signal is judged by it.

Where each formula comes from (names as in Linux 6.12; 6.1 where it differs is said below):
  Average.update         kernel/sched/pelt.c    decay_load, __accumulate_pelt_segments, accumulate_sum,
                                                ___update_load_sum; get_pelt_divider in pelt.h
  DECAY, LOAD_AVG_MAX    Documentation/scheduler/sched-pelt.c, of which sched-pelt.h is made
  Cpu.update             kernel/sched/pelt.c    __update_load_avg_cfs_rq, update_rt_rq_load_avg,
                                                update_dl_rq_load_avg
  Model._attach/_detach  kernel/sched/fair.c    attach_entity_load_avg, detach_entity_load_avg
  Model._new_task        kernel/sched/fair.c    init_entity_runnable_average, post_init_entity_util_avg
  Model._estimate        kernel/sched/fair.c    util_est_update; on 6.1 without the look at runnable_avg
                                                (6.8 has it), and its pair of values taken for one
  util_est of a CPU      kernel/sched/fair.c    util_est_enqueue, util_est_dequeue: the sum over what is
                                                enqueued there

What it says is the signal at any moment, not when the kernel last looked: the kernel brings its numbers
up to date at switches, wake-ups and ticks. So up to a tick of a source's lag is the kernel's own.

What it leaves out, each on purpose:
  - Frequency and CPU invariance: x86 guests have neither, so PELT's clock is the task clock.
  - Steal and interrupt time, which the task clock leaves out where the kernel is built so: a trace
    doesn't have them. Look at the guest's /proc/stat before believing a run with steal.
  - Groups (cgroups, autogroup): a task's utilization counts in the root as it does in its group, up
    to the rounding of the propagation between them.
  - The laziness of the kernel when a task that sleeps wakes up elsewhere: there its utilization leaves
    the old CPU when that one is looked at next (removed.util_avg), here at once.
  - Tasks that never ran during the trace, and what was before it: a trace has to begin a second
    before what is measured, after which 2^-30 of the past is left.
"""

PERIOD = 1024              # a period in units of 1024 ns
HALF_LIFE = 32             # in periods: y^32 = 1/2
SCALE = 1024               # SCHED_CAPACITY_SCALE
UTIL_EST_MARGIN = SCALE // 100
UTIL_EST_SHIFT = 2         # UTIL_EST_WEIGHT_SHIFT: a quarter of each decrease
GRID_NSEC = 1_000_000      # how far apart the truth's samples are

# y^n as fractions of 2^32; the longest sum there can be.
DECAY = [int(0xFFFFFFFF * 0.5 ** (n / HALF_LIFE)) for n in range(HALF_LIFE)]


def decay(value, periods):
    """value * y^periods."""
    if periods > HALF_LIFE * 63:
        return 0
    return ((value >> (periods // HALF_LIFE)) * DECAY[periods % HALF_LIFE]) >> 32


def longest_sum():
    """Where 1024 * (1 + y + y^2 + ...) ends, in the kernel's rounding."""
    now, before = PERIOD, 0
    while now != before:
        now, before = ((now * DECAY[1]) >> 32) + PERIOD, now
    return now


LOAD_AVG_MAX = longest_sum()
MIN_DIVIDER = LOAD_AVG_MAX - PERIOD


class Average:
    """A struct sched_avg: sums that fade by half in 32 periods of 1.048576 ms."""

    __slots__ = ("at", "contrib", "load_sum", "runnable_sum", "util_sum")

    def __init__(self, now):
        self.at = now
        self.contrib = 0            # units of the current period that have passed
        self.load_sum = self.runnable_sum = self.util_sum = 0

    def divider(self):
        return MIN_DIVIDER + self.contrib

    def util(self):
        return self.util_sum // self.divider()

    def runnable(self):
        return self.runnable_sum // self.divider()

    def update(self, now, load, runnable, running):
        """From when it was last updated to now (ns) it was so; whether a period has ended."""
        units = (now - self.at) >> 10
        if units <= 0:
            return False
        self.at += units << 10
        share = units
        periods, rest = divmod(self.contrib + units, PERIOD)
        if periods:
            self.load_sum = decay(self.load_sum, periods)
            self.runnable_sum = decay(self.runnable_sum, periods)
            self.util_sum = decay(self.util_sum, periods)
            share = (decay(PERIOD - self.contrib, periods) + LOAD_AVG_MAX
                     - decay(LOAD_AVG_MAX, periods) - PERIOD + rest)
        self.contrib = rest
        if load:
            self.load_sum += load * share
            self.runnable_sum += runnable * share * SCALE
            self.util_sum += running * share * SCALE
        return periods > 0


FAIR, RT, DEADLINE, IDLE = "fair", "rt", "deadline", "idle"


def class_of(pid, prio):
    """By the priority that trace events show: negative, 0..99, 100..139."""
    if pid == 0:
        return IDLE
    if prio < 0:
        return DEADLINE
    return RT if prio < 100 else FAIR


def weight_of(prio):
    """sched_prio_to_weight: a quarter more with each step of nice."""
    return max(round(1024 * 1.25 ** (120 - min(max(prio, 100), 139))), 3)


class Task:
    __slots__ = ("pid", "prio", "kind", "cpu", "avg", "queued", "running", "attached", "estimate",
                 "unchanged")

    def __init__(self, pid, prio, cpu, now):
        self.pid, self.prio, self.kind, self.cpu = pid, prio, class_of(pid, prio), cpu
        self.avg = Average(now)
        self.queued = self.running = self.attached = False
        self.estimate = 0           # util_est
        self.unchanged = False      # UTIL_AVG_UNCHANGED: no period has ended since it was made

    def update(self, now):
        on = int(self.queued and self.kind == FAIR)   # of others only what they were fades
        if self.avg.update(now, on, on, int(on and self.running)):
            self.unchanged = False

    def load_avg(self):
        return weight_of(self.prio) * self.avg.load_sum // self.avg.divider()


class Cpu:
    def __init__(self, now):
        self.fair, self.rt, self.deadline = Average(now), Average(now), Average(now)
        self.running = IDLE         # the class of what runs
        self.weight = self.tasks = self.estimate = 0   # of what is enqueued of the fair class

    def update(self, now):
        self.fair.update(now, self.weight, self.tasks, int(self.running == FAIR))
        for average, kind in ((self.rt, RT), (self.deadline, DEADLINE)):
            on = int(self.running == kind)
            average.update(now, on, on, on)


class Model:
    """Takes events in the order of time, and samples all CPUs each millisecond on the way."""

    def __init__(self, cpus, begin, kernel=(6, 12)):
        self.now = self.next_sample = begin
        self.begin = begin
        self.kernel = kernel
        self.cpus = {cpu: Cpu(begin) for cpu in cpus}
        self.tasks = {}
        self.samples = {cpu: {"cfs": [], "all": [], "est": [], "demand": []} for cpu in cpus}

    # -- what the events of the trace say. Times in ns.

    def advance(self, now):
        """Samples what lies before now."""
        while self.next_sample < now:
            for number, cpu in self.cpus.items():
                cpu.update(self.next_sample)
                self._sample(self.samples[number], cpu)
            self.next_sample += GRID_NSEC
        self.now = now

    def runs(self, cpu, pid, prio):
        """It ran on this CPU when the trace began."""
        if pid == 0:
            return
        task = self._task(pid, prio, cpu)
        self._enqueue(task)
        task.running = True
        self.cpus[cpu].running = task.kind

    def wakeup(self, pid, prio, cpu, new=False):
        task = self._task(pid, prio, cpu, new)
        self._enqueue(task)

    def migrate(self, pid, prio, cpu):
        self._task(pid, prio, cpu)

    def switch(self, cpu, prev, next_):
        """prev is (pid, prio, state), next_ (pid, prio)."""
        here = self.cpus[cpu]
        here.update(self.now)
        if prev[0] != 0:
            # Its class first: a priority that was lent shows for the first time when it runs.
            task = self._task(prev[0], prev[1], cpu)
            task.update(self.now)
            task.running = False
            if not prev[2].startswith("R"):
                self._dequeue(task, sleeps=True)
            if prev[2][0] in "XZ":
                self._forget(task)
        here.running = IDLE
        if next_[0] != 0:
            task = self._task(next_[0], next_[1], cpu)
            self._enqueue(task)
            task.update(self.now)
            task.running = True
            here.running = task.kind

    def fork(self, child):
        """A number that is used again is another task."""
        if child in self.tasks and not self.tasks[child].running:
            self._forget(self.tasks[child])

    # -- below

    def _sample(self, into, cpu):
        util = min(cpu.fair.util(), SCALE)
        into["cfs"].append(util)
        others = cpu.rt.util() + cpu.deadline.util()
        into["all"].append(min(util + others, SCALE))
        into["est"].append(min(cpu.estimate, SCALE))
        into["demand"].append(min(max(util, cpu.estimate) + others, SCALE))

    def _task(self, pid, prio, cpu, new=False):
        task = self.tasks.get(pid)
        if task is None:
            task = self.tasks[pid] = Task(pid, prio, cpu, self.now)
            if task.kind == FAIR:
                if new:
                    self._new_task(task)
                self._attach(task)
            return task
        if task.cpu != cpu:
            self._move(task, cpu)
        if task.prio != prio:
            self._set_prio(task, prio)
        return task

    def _new_task(self, task):
        """A task begins with half of what its CPU has to spare, or with its share of what that does."""
        fair = self.cpus[task.cpu].fair
        self.cpus[task.cpu].update(self.now)
        weight = weight_of(task.prio)
        util = fair.util()
        spare = max((SCALE - util) // 2, 0)
        if util:
            spare = min(spare, util * weight // (fair.load_sum // fair.divider() + 1))
        task.avg.contrib = fair.contrib
        task.avg.util_sum = task.avg.runnable_sum = spare * task.avg.divider()
        task.avg.load_sum = task.avg.divider()

    def _attach(self, task):
        here, avg = self.cpus[task.cpu], task.avg
        here.update(self.now)
        task.update(self.now)
        util, runnable, load = avg.util(), avg.runnable(), avg.load_sum / avg.divider()
        avg.at, avg.contrib = here.fair.at, here.fair.contrib
        avg.util_sum, avg.runnable_sum = util * avg.divider(), runnable * avg.divider()
        avg.load_sum = int(load * avg.divider())
        here.fair.util_sum += avg.util_sum
        here.fair.runnable_sum += avg.runnable_sum
        here.fair.load_sum += weight_of(task.prio) * avg.load_sum
        task.attached = True

    def _detach(self, task):
        fair = self.cpus[task.cpu].fair
        self.cpus[task.cpu].update(self.now)
        task.update(self.now)
        left = max(fair.util() - task.avg.util(), 0)
        fair.util_sum = max(fair.util_sum - task.avg.util_sum, left * MIN_DIVIDER)
        fair.runnable_sum = max(fair.runnable_sum - task.avg.runnable_sum, 0)
        fair.load_sum = max(fair.load_sum - weight_of(task.prio) * task.avg.load_sum, 0)
        task.attached = False

    def _enqueue(self, task):
        if task.queued:
            return
        here = self.cpus[task.cpu]
        here.update(self.now)
        task.update(self.now)
        task.queued = True
        if task.kind == FAIR:
            here.weight += weight_of(task.prio)
            here.tasks += 1
            here.estimate += task.estimate

    def _dequeue(self, task, sleeps):
        if not task.queued:
            return
        here = self.cpus[task.cpu]
        here.update(self.now)
        task.update(self.now)
        task.queued = False
        if task.kind == FAIR:
            here.weight -= weight_of(task.prio)
            here.tasks -= 1
            here.estimate -= task.estimate
            if sleeps:
                self._estimate(task)

    def _estimate(self, task):
        """util_est: up at once, down by a quarter of the difference each time that it goes to sleep."""
        util = task.avg.util()
        if task.unchanged:
            return
        if task.estimate <= util:
            task.estimate = util
        elif task.estimate - util >= UTIL_EST_MARGIN and (
                self.kernel < (6, 8) or util + UTIL_EST_MARGIN >= task.avg.runnable()):
            less = task.estimate - util
            task.estimate = ((task.estimate << UTIL_EST_SHIFT) - less) >> UTIL_EST_SHIFT
        task.unchanged = True

    def _unplugged(self, task, change):
        """Off its queue, changed, and on again."""
        queued = task.queued
        self._dequeue(task, sleeps=False)
        if task.attached:
            self._detach(task)
        change(task)
        if task.kind == FAIR:
            self._attach(task)
        if queued:
            self._enqueue(task)

    def _move(self, task, cpu):
        def change(task):
            task.cpu = cpu
        task.running = False
        self._unplugged(task, change)

    def _set_prio(self, task, prio):
        def change(task):
            task.prio, task.kind = prio, class_of(task.pid, prio)
        here = self.cpus[task.cpu]
        self._unplugged(task, change)
        if task.running:
            here.running = task.kind

    def _forget(self, task):
        self._dequeue(task, sleeps=False)
        if task.attached:
            self._detach(task)
        del self.tasks[task.pid]
