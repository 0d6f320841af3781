#!/usr/bin/python3 -B
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What guestd would report of a timetable: reports.py TIMETABLE [--source ebpf|proc] [--delay MSEC] >FILE

Lines `USEC CPU UTIL_AVG UTIL_EST RUNNABLE`, in the order of time: us after the timetable's begin, the (v)CPU, and
the fields of a record of the protocol in 1/1024 (UTIL_EST is guestd's: the larger of the kernel's util_est and
util_avg), RUNNABLE - where it isn't known (/proc). Lines of one USEC are one REPORT. A renewal of the lease, which
has no record where nothing has changed, has here that of a CPU as it was: a line can't have none, and it says
the same. --delay: how long after guestd's decision the report goes out.

The idea: every burst runs at the speed of the fastest CPU, and ../python/pelt.py (the kernel's PELT, in its
integers) follows. So the utilization of a task is its work, divided by time: what the numbers of a guest that is
frequency- and capacity-invariant converge to. What this idealises:
  - An open loop: the reports are made before the run. A burst that runs slower than planned keeps its vCPU busy for
    longer, so a real guest's util_avg stays up for longer, and higher where the guest isn't invariant; bursts pile up and
    chains begin late, so what is reported here comes too early. It is worst where the frequency is worst.
  - Work moves between vCPUs exactly when the timetable says.
  - Full speed of the guest's clock: PELT of a guest that is slow stretches time (rq_clock_pelt) and gives the same
    numbers later.
  - The guest has nothing but these tasks, all of CFS and of one weight; no guestd, no interrupts, no steal.
  - The kernel's ticks are at the same moments on all CPUs (--hz).
  - guestd takes no time, and the /proc source counts each CPU's busy time without an error.
Needs nothing but python3-minimal.
"""
import argparse
import pathlib
import sys

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import guestd
import pelt
import plan
import schedule

PRIO = 120
PERIOD_NSEC = 1024 * 1024


def pid_of(task):
    """In pelt.py 0 is the idle task."""
    return 0 if task is None else task + 1


class Kernel(schedule.Listener):
    """The guest kernel's numbers, and the eBPF programs that look at them (guestd/pelt.bpf.c)."""

    def __init__(self, cpus, kernel, records):
        self.model = pelt.Model(range(cpus), 0, kernel)
        self.running = [None] * cpus
        self.since = [0] * cpus         # since when it is busy or idle
        self.periods = [0] * cpus       # of the last look
        self.moved = set()
        self.records = records
        self.rang = False

    def wakes(self, usec, task, cpu):
        self.model.now = usec * 1000
        self.model.wakeup(pid_of(task), PRIO, cpu)

    def moves(self, usec, task, cpu):
        self.model.now = usec * 1000
        known = self.model.tasks.get(pid_of(task))
        # What a sleeper leaves behind goes when its old CPU is next looked at (removed.util_avg).
        self.moved |= {cpu, known.cpu} if known and known.queued else {cpu}
        self.model.migrate(pid_of(task), PRIO, cpu)

    def switches(self, usec, cpu, prev, sleeps, next_):
        self.model.now = usec * 1000
        self.model.switch(cpu, (pid_of(prev), PRIO, "S" if sleeps else "R"), (pid_of(next_), PRIO))
        if (self.running[cpu] is None) != (next_ is None):
            self.since[cpu] = usec
        self.running[cpu] = next_

    def settled(self, usec, cpus):
        for cpu in cpus:
            self.look(usec, cpu)
            self._idle(usec, cpu)
        self.moved.clear()

    def tick(self, usec):
        for cpu, task in enumerate(self.running):
            if task is not None:
                self.look(usec, cpu)

    def look(self, usec, cpu):
        """pelt_cfs_tp: fires when a period has ended since, or a task has come or gone."""
        here, period = self.model.cpus[cpu], usec * 1000 // PERIOD_NSEC
        if period == self.periods[cpu] and cpu not in self.moved:
            return
        self.periods[cpu] = period
        here.update(usec * 1000)
        record = self.records[cpu]
        record.avg, record.est = min(here.fair.util(), pelt.SCALE), min(here.estimate, pelt.SCALE)
        record.runnable, record.stamp = here.tasks, usec
        self.rang = record.rings(usec) or self.rang

    def is_busy(self):
        return any(task is not None for task in self.running)

    def values(self, usec, cpu):
        """util_avg and util_est at this moment, whether the kernel has looked or not."""
        here = self.model.cpus[cpu]
        here.update(usec * 1000)
        return min(here.fair.util(), pelt.SCALE), min(here.estimate, pelt.SCALE)

    def _idle(self, usec, cpu):
        """cpu_idle."""
        record = self.records[cpu]
        if self.running[cpu] is not None:
            record.idle = None
        elif record.idle is None:
            record.idle = usec


class Guest:
    """guestd at work. next_usec is when it wakes up by itself, None if it doesn't; at() is called then, and when
    its eBPF programs ring. reports: [(usec, [record])], each of a REPORT."""

    def __init__(self, plan_, kernel, run, source):
        self.run, self.kernel, self.is_ebpf = run, kernel, source == "ebpf"
        self.daemon = guestd.Looker(plan_.cpus) if self.is_ebpf else guestd.Sampler(plan_.cpus)
        if self.is_ebpf:
            kernel.records = self.daemon.records
        self.busy = [0] * plan_.cpus
        self.last, self.reports = {}, []

    @property
    def next_usec(self):
        return self.daemon.next_usec

    def is_over(self):
        return not self.daemon.reporter.holds()

    def at(self, usec):
        records = self.daemon.look(usec) if self.is_ebpf else self.daemon.sample(usec, self._busy(usec))
        if records is None:
            return
        if not records:
            held = [cpu for cpu, vcpu in enumerate(self.daemon.reporter.vcpus) if vcpu.sent]
            records = [self.last[held[0]]]
        for record in records:
            self.last[record[0]] = record
        self.reports.append((usec, records))

    def _busy(self, usec):
        """Of each CPU: us since the last call, and us without a break at their end."""
        out = []
        for cpu, task in enumerate(self.kernel.running):
            ran = self.run.busy_usec(cpu, usec)
            out.append((ran - self.busy[cpu], 0 if task is None else usec - self.kernel.since[cpu]))
            self.busy[cpu] = ran
        return out


def simulate(plan_, source="ebpf", hz=250, kernel=(6, 12)):
    """The reports of all of it, until the last demand has ended: [(usec, [(cpu, avg, est, runnable)])]."""
    inside = Kernel(plan_.cpus, kernel, [guestd.Record() for _cpu in range(plan_.cpus)])
    run = schedule.Run(plan_, inside)
    guest, tick_usec, now = Guest(plan_, inside, run, source), 1000000 // hz, 0
    while run.next_usec() is not None or not guest.is_over():
        events = [run.next_usec(), guest.next_usec]
        if inside.is_busy():
            events.append((now // tick_usec + 1) * tick_usec)
        now = min(usec for usec in events if usec is not None)
        if run.next_usec() == now:
            run.step()
        if now % tick_usec == 0:
            inside.tick(now)
        if inside.rang and guest.is_ebpf or guest.next_usec is not None and guest.next_usec <= now:
            inside.rang = False
            guest.at(now)
    return guest.reports


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("timetable")
    parser.add_argument("--source", choices=("ebpf", "proc"), default="ebpf")
    parser.add_argument("--delay", type=float, default=0, metavar="MSEC")
    parser.add_argument("--hz", type=int, default=250, help="the guest kernel's ticks a second")
    parser.add_argument("--kernel", default="6.12", metavar="X.Y", help="the guest's (for util_est)",
                        type=lambda text: tuple(int(word) for word in text.split(".")[:2]))
    return parser.parse_args(argv)


def main(argv):
    args = parse(argv)
    table = plan.load(args.timetable)
    print("# %s of %s, %g ms late, HZ %d" % (args.source, args.timetable, args.delay, args.hz))
    for usec, records in simulate(table, args.source, args.hz, args.kernel):
        for cpu, util_avg, util_est, runnable in records:
            print("%d %d %d %d %s" % (usec + args.delay * 1000, cpu, util_avg, util_est,
                                      "-" if runnable == guestd.UNKNOWN else runnable))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (plan.PlanError, OSError) as error:
        sys.exit("reports.py: %s" % error)
