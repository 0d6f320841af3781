# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a timetable in thought, each CPU at the speed of the fastest: what a guest's scheduler does with it if
the host gives it all it wants. Several runnable tasks of a CPU take turns of SLICE_USEC. A task that sleeps
goes to where the timetable has put it when it wakes up; one that can run goes at once.

Who listens is told at each change, in us and in order, of
  wakes(usec, task, cpu)             it can run there
  moves(usec, task, cpu)             it is on that CPU from now on
  switches(usec, cpu, prev, sleeps, next)     tasks, None for idle; sleeps: prev has nothing left to do
and at the end of all that happens at one moment, settled(usec, cpus): of these CPUs something changed.
"""
import heapq

from plan import Burst

SLICE_USEC = 3000          # EEVDF's base slice is about that (sysctl_sched_base_slice, 0.70 ms x (1 + log2 CPUs))


class Task:
    __slots__ = ("queue", "left", "cpu", "goes")

    def __init__(self):
        self.queue = []            # of bursts; the first is worked on
        self.left = 0              # of the first
        self.cpu = self.goes = None


class Cpu:
    __slots__ = ("queue", "since", "turn_ends", "busy")

    def __init__(self):
        self.queue = []            # tasks that can run; the first does
        self.since = 0             # what it did is counted up to here
        self.turn_ends = 0
        self.busy = 0              # us, in sum


class Listener:
    """Does nothing."""

    def wakes(self, usec, task, cpu):
        pass

    def moves(self, usec, task, cpu):
        pass

    def switches(self, usec, cpu, prev, sleeps, next_):
        pass

    def settled(self, usec, cpus):
        pass


class Run:
    """next_usec() and step() until next_usec() is None."""

    def __init__(self, plan, listener=None):
        self.plan, self.listener = plan, listener or Listener()
        self.tasks = [Task() for _name in plan.names]
        self.cpus = [Cpu() for _number in range(plan.cpus)]
        self.done = {}              # id -> (released, ended)
        self.running = [None] * plan.cpus
        self.followers = {}
        self.coming = []            # a heap of (usec, order, what)
        self.pushed = 0
        for burst in plan.bursts.values():
            if burst.after is not None:
                self.followers.setdefault(burst.after, []).append(burst)
        for usec, task, cpu in plan.places:
            self._push(usec, (task, cpu))
        for burst in plan.bursts.values():
            if burst.usec is not None:
                self._push(burst.usec, burst)

    def _push(self, usec, what):
        # Places come before bursts of the same moment.
        self.pushed += 1
        heapq.heappush(self.coming, (usec, isinstance(what, Burst), self.pushed, what))

    def next_usec(self):
        times = [self.coming[0][0]] if self.coming else []
        for cpu in self.cpus:
            if cpu.queue:
                times.append(cpu.since + self.tasks[cpu.queue[0]].left)
                if len(cpu.queue) > 1:
                    times.append(max(cpu.turn_ends, cpu.since))
        return min(times, default=None)

    def busy_usec(self, cpu, usec):
        """How long it has been busy by then, which is not after the next step."""
        here = self.cpus[cpu]
        return here.busy + (usec - here.since if here.queue else 0)

    def step(self):
        """All that happens at the next moment."""
        usec, changed = self.next_usec(), set()
        for number, cpu in enumerate(self.cpus):
            self._work(usec, number, cpu, changed)
        while self.coming and self.coming[0][0] <= usec:
            what = heapq.heappop(self.coming)[-1]
            if isinstance(what, Burst):
                self._release(usec, what, changed)
            else:
                self._place(usec, *what, changed)
        for number in changed:
            self._choose(usec, number)
        self.listener.settled(usec, sorted(changed))

    # -- below

    def _work(self, usec, number, cpu, changed):
        if not cpu.queue:
            cpu.since = usec
            return
        first = cpu.queue[0]
        task = self.tasks[first]
        task.left -= usec - cpu.since
        cpu.busy += usec - cpu.since
        cpu.since = usec
        if task.left == 0:
            self._end(usec, first, changed)
        elif usec >= cpu.turn_ends and len(cpu.queue) > 1:
            cpu.queue.append(cpu.queue.pop(0))
            changed.add(number)

    def _end(self, usec, number, changed):
        task = self.tasks[number]
        burst, released = task.queue.pop(0)
        self.done[burst.id] = (released, usec)
        for follower in self.followers.get(burst.id, []):
            self._push(usec + follower.delay, follower)
        if task.queue:
            task.left = task.queue[0][0].work
            return
        self.cpus[task.cpu].queue.remove(number)
        changed.add(task.cpu)

    def _release(self, usec, burst, changed):
        task = self.tasks[burst.task]
        task.queue.append((burst, usec))
        if len(task.queue) > 1:
            return
        task.left = burst.work
        was_running = self.running[task.cpu] == burst.task      # it ended its last one at this moment
        if task.goes != task.cpu:
            if was_running:
                self._leave(usec, burst.task, task.cpu, sleeps=False)
            self._move(usec, burst.task, changed)
        elif not was_running:
            self.listener.wakes(usec, burst.task, task.cpu)
        self._queue(usec, burst.task, task.cpu, changed)

    def _place(self, usec, number, cpu, changed):
        task = self.tasks[number]
        if task.cpu is None:
            task.cpu = cpu
        task.goes = cpu
        if not task.queue or task.cpu == cpu:
            return
        old = task.cpu
        self.cpus[old].queue.remove(number)
        changed.add(old)
        if self.running[old] == number:
            self._leave(usec, number, old, sleeps=False)
        task.cpu = cpu
        self.listener.moves(usec, number, cpu)
        self._queue(usec, number, cpu, changed)

    def _move(self, usec, number, changed):
        """Of a task that is about to wake up."""
        task = self.tasks[number]
        task.cpu = task.goes
        self.listener.moves(usec, number, task.cpu)
        self.listener.wakes(usec, number, task.cpu)

    def _queue(self, usec, number, cpu, changed):
        here = self.cpus[cpu]
        here.queue.append(number)
        if len(here.queue) == 2:       # nobody waited before: the other's turn begins to count
            here.turn_ends = max(here.turn_ends, usec)
        changed.add(cpu)

    def _leave(self, usec, number, cpu, sleeps):
        self.listener.switches(usec, cpu, number, sleeps, None)
        self.running[cpu] = None

    def _choose(self, usec, number):
        """The first of the queue has the CPU."""
        cpu, was = self.cpus[number], self.running[number]
        first = cpu.queue[0] if cpu.queue else None
        if first == was:
            return
        sleeps = was is not None and was not in cpu.queue
        self.listener.switches(usec, number, was, sleeps, first)
        self.running[number] = first
        cpu.turn_ends = usec + SLICE_USEC


def finish(plan):
    """The whole of it; what was done: id -> (released, ended), and each CPU's busy time."""
    run = Run(plan)
    while run.next_usec() is not None:
        run.step()
    return run.done, [cpu.busy for cpu in run.cpus]
