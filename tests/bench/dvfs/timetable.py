#!/usr/bin/python3 -B
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes the timetable of a load: timetable.py LOAD SEED [--seconds N] [--host] >FILE

The same load, seed, length and version of this file give the same timetable, on any machine. Formats: plan.py.
At the speed of the fastest CPU every load keeps all its deadlines, with room (check.py): what is missed is the
frequency's doing. Work is at most what the CPUs that it uses can do, on each of them. With --host it is what the host
does by itself beside the VM, for a load that has such a part: both begin at the same moment, and the host's goes on for
half a second longer. Needs nothing but python3-minimal.
"""
import argparse
import random
import sys

import plan

MSEC = 1000
SECONDS = 20
HOST_LONGER_USEC = 500 * MSEC
# A join waits for one burst only (plan.py), the one of most work: where all run equally fast it is the last.
# The others of that turn still hold back their own tasks' next ones.


class Dice:
    """random() alone is the same in all versions of Python."""

    def __init__(self, *words):
        self.random = random.Random(" ".join(map(str, words))).random

    def between(self, low, high):
        """An integer, both ends included."""
        return low + int(self.random() * (high - low + 1))

    def shuffled(self, values):
        out = list(values)
        for at in range(len(out) - 1, 0, -1):
            other = self.between(0, at)
            out[at], out[other] = out[other], out[at]
        return out


def exchange(table, dice, tasks, cpus, low, high):
    """Two of the tasks, which are on these CPUs, exchange them again and again: a guest's balancer."""
    usec, on = 0, dict(zip(tasks, cpus))
    while True:
        usec += dice.between(low, high)
        if usec >= table.length:
            return
        one, two = dice.shuffled(tasks)[:2]
        on[one], on[two] = on[two], on[one]
        table.place(usec, one, on[one])
        table.place(usec, two, on[two])


def swap(table, dice):
    """FACTS.md, "What the gap is worth". The host's thread remembers the other task: it is slow where the big
    one has come, and fast for nothing where the small one has."""
    table.cpus = 2
    tasks = [table.task("A", 0), table.task("B", 1)]
    for usec in range(0, table.length, 16 * MSEC):
        table.burst(usec, tasks[0], 16 * MSEC * 70 // 100, 16 * MSEC)
        table.burst(usec, tasks[1], 16 * MSEC * 10 // 100, 16 * MSEC)
    exchange(table, dice, tasks, range(2), 60 * MSEC, 240 * MSEC)


def pauses(table, dice):
    """200 ms of nothing, 30 ms of work, on one of four vCPUs in turn."""
    table.cpus = 4
    task, on = table.task("burst", 0), 0
    for usec in range(200 * MSEC, table.length - 30 * MSEC, 230 * MSEC):
        on = dice.shuffled(sorted(set(range(4)) - {on}))[0]
        table.place(usec, task, on)
        table.burst(usec, task, 30 * MSEC, 50 * MSEC)


def housekeeping(table, dice):
    """0.1 ms on each vCPU 25 times a second."""
    for cpu in range(table.cpus):
        house, usec = table.task("house%d" % cpu, cpu), dice.between(20 * MSEC, 60 * MSEC)
        while usec < table.length:
            table.burst(usec, house, 100)
            usec += dice.between(20 * MSEC, 60 * MSEC)


def burst(table, dice):
    """A task wakes after a pause on a vCPU that did nothing to speak of: the host begins with a cold thread. In
    the guest the task's own util_est is still there. What lets the thread's fade is what an idle vCPU does:
    short runs of kernel threads and timers, each of which takes a quarter off it (UTIL_EST_WEIGHT_SHIFT). So each
    vCPU has some, a quarter of a percent; without them (burst-quiet) the thread's util_est remembers the last
    burst."""
    pauses(table, dice)
    housekeeping(table, dice)


def small(table, dice):
    """Many small tasks, which the guest's balancer moves now and then: none of them needs a frequency, all of a
    vCPU together do. uclamp takes the maximum of threads where utilization adds up; here each vCPU is one
    thread, and native has 24."""
    table.cpus = 4
    tasks = [table.task("small%d" % number, number % 4) for number in range(24)]
    for task in tasks:
        period = dice.between(32, 64) * MSEC
        work = dice.between(period // 25, period // 10)
        for usec in range(dice.between(0, period), table.length, period):
            table.burst(usec, task, dice.between(work * 3 // 4, work * 5 // 4), period)
    exchange(table, dice, tasks, [task % 4 for task in tasks], 20 * MSEC, 80 * MSEC)


def ui(table, dice):
    """Frames of 60 Hz: the UI thread works, has three workers do their parts on other vCPUs, waits for them and
    puts the frame together. Each vCPU is idle for most of a frame, so its frequency is low, and the parts add up:
    Roblox and PCMark of the KVM-CPUFreq patches. Now and then two of the threads change places."""
    table.cpus = 4
    tasks = [table.task("ui", 0)] + [table.task("worker%d" % number, number) for number in (1, 2, 3)]
    for number in range(table.length * 60 // 1000000):
        usec = number * 1000000 // 60
        heavy = dice.between(60, 130)       # percent
        start = table.burst(usec, tasks[0], 25 * heavy)
        shares = [dice.between(20, 40) * heavy for _task in tasks[1:]]
        parts = [table.chain(start, 0, task, share) for task, share in zip(tasks[1:], shares)]
        table.chain(parts[shares.index(max(shares))], 0, tasks[0], 20 * heavy)
    exchange(table, dice, tasks, range(4), 100 * MSEC, 400 * MSEC)


def storage(table, dice):
    """A thread asks the disk for something and sleeps for 2 to 5 ms, a second thread on another vCPU works on the
    answer for 1.5 to 3 ms and asks for the next: 16 in turn, then a pause. Each vCPU is busy for a third of the
    time at most while the whole waits for it (PCMark's storage; the host doesn't see that the guest waits for
    I/O, nor does native here: a carrier's thread sleeps, and gets no iowait boost)."""
    table.cpus = 4
    reader, worker = table.task("reader", 0), table.task("worker", 1)
    for usec in range(0, table.length - 200 * MSEC, 250 * MSEC):
        one, two = dice.shuffled(range(4))[:2]
        table.place(usec, reader, one)
        table.place(usec, worker, two)
        last = table.burst(usec, reader, 200)
        for number in range(16):
            last = table.chain(last, dice.between(2 * MSEC, 5 * MSEC), worker, dice.between(1500, 3000))
            if number < 15:
                last = table.chain(last, 0, reader, 200)


def inference(table, dice):
    """A model on all vCPUs: 8 layers, in each of which every thread has its share of 3 to 4 ms, and all wait for
    each other before the next. Then nothing for a while, as between two words or two pictures: it ends before the
    utilization has risen, and the slowest vCPU sets the pace of all."""
    table.cpus = 4
    tasks = [table.task("layer%d" % number, number) for number in range(4)]
    for usec in range(50 * MSEC, table.length - 150 * MSEC, 200 * MSEC):
        after = table.burst(usec, tasks[0], 200)
        for _layer in range(8):
            shares = [dice.between(3 * MSEC, 4 * MSEC) for _task in tasks]
            parts = [table.chain(after, 50, task, share) for task, share in zip(tasks, shares)]
            after = parts[shares.index(max(shares))]


# -- the sum of what shares a CPU: 8 ms of every 16, twice. At full speed there is nothing to spare, so a period counts as missed
# when it is half a period late.
HALF_PERIOD, HALF_WORK, HALF_DEADLINE = 16 * MSEC, 8 * MSEC, 24 * MSEC
ACTIVE, QUIET = 16, 19          # periods: 256 ms, and 304


def half(table, task, begin, periods):
    for number in range(periods):
        table.burst(begin + number * HALF_PERIOD, task, HALF_WORK, HALF_DEADLINE)


def stretches(table):
    """When a task that comes and goes comes."""
    return range(QUIET * HALF_PERIOD, table.length - ACTIVE * HALF_PERIOD, (ACTIVE + QUIET) * HALF_PERIOD)


def apart(dice):
    """Both tasks can run for most of the time that one does: clamps of threads that share a CPU count while they can."""
    return dice.between(800, 1400)


def pair(table, dice):
    """512 + 512 on one CPU, as two vCPUs: the frequency that 1024 needs. Each thread is half busy, and so says what it asks for;
    uclamp takes the larger one, where utilization adds up. They come together after a pause of 0.3 s in which the threads'
    own util_est fades, as in burst."""
    table.cpus = 2
    table.pins = {0: 0, 1: 0}
    tasks = [table.task("pair%d" % number, number) for number in range(2)]
    for begin in stretches(table):
        one, two = dice.shuffled(tasks)
        half(table, one, begin, ACTIVE)
        half(table, two, begin + apart(dice), ACTIVE)
    housekeeping(table, dice)


def beside(table, dice):
    """The same, of which one half is the host's own and always there, and the other a VM's that comes and goes."""
    table.cpus = 1
    task = table.task("guest", 0)
    for begin in stretches(table):
        half(table, task, begin + apart(dice), ACTIVE)
    housekeeping(table, dice)


def beside_host(table):
    table.cpus = 1
    half(table, table.task("host", 0), 0, table.length // HALF_PERIOD)


def steady(table, dice):
    """Nothing ever changes: a periodic task on each vCPU, all of them different. Each says its utilization, which goes up and
    down within a period; what is written after that is known is written for nothing."""
    table.cpus = 4
    for cpu, (name, percent, period) in enumerate((("thirty", 30, 16), ("fortyfive", 45, 20), ("sixty", 60, 32),
                                                   ("twenty", 20, 50))):
        task = table.task(name, cpu)
        for usec in range(dice.between(0, period * MSEC), table.length, period * MSEC):
            table.burst(usec, task, period * percent * MSEC // 100, period * MSEC)


class Load:
    """make, and within what time (us, 0: none) a whole chain is to be done: from the release of the burst that it
    begins with to the end of its last. Those are deadlines, too; carriers needn't know them. host: makes what the host does beside
    it. steady: from when on nothing is new (us, 0: there always is something)."""

    def __init__(self, make, whole=0, host=None, steady=0):
        self.make, self.whole, self.host, self.steady = make, whole, host, steady


LOADS = {
    "swap": Load(swap), "burst": Load(burst), "burst-quiet": Load(pauses), "small": Load(small),
    "ui": Load(ui, 16700), "storage": Load(storage, 150 * MSEC), "inference": Load(inference, 50 * MSEC),
    "pair": Load(pair), "beside": Load(beside, host=beside_host), "steady": Load(steady, steady=2000 * MSEC),
}


def make(load, seed, seconds=SECONDS):
    table = plan.Plan(1, int(seconds * 1000000))
    table.comments = ["load %s, seed %d: tests/bench/dvfs/timetable.py" % (load, seed)]
    LOADS[load].make(table, Dice(load, seed))
    return plan.read(table.lines())


def make_host(load, seconds=SECONDS):
    """What the host does beside a load; the same for all seeds."""
    table = plan.Plan(1, int(seconds * 1000000) + HOST_LONGER_USEC)
    table.comments = ["load %s, the host's own part: tests/bench/dvfs/timetable.py" % load]
    LOADS[load].host(table)
    return plan.read(table.lines())


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("load", choices=sorted(LOADS))
    parser.add_argument("seed", type=int)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--host", action="store_true", help="the host's own part, of " + ", ".join(
        name for name, load in LOADS.items() if load.host))
    args = parser.parse_args(argv)
    if args.host and not LOADS[args.load].host:
        parser.error("%s has no part of the host's own" % args.load)
    table = make_host(args.load, args.seconds) if args.host else make(args.load, args.seed, args.seconds)
    print("\n".join(table.lines()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
