# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a trace of the host says: which thread ran where and when, and each CPU's frequency. Times are us of the
trace's clock. Events: sched_switch, cpu_frequency, sched_migrate_task (ftrace.py reads the text)."""
import bisect
import re

import ftrace

FREQUENCY = re.compile(r"state=(\d+) cpu_id=(\d+)")


class Slice:
    """A thread ran on a CPU."""

    __slots__ = ("begin", "end", "cpu", "pid")

    def __init__(self, begin, end, cpu, pid):
        self.begin, self.end, self.cpu, self.pid = begin, end, cpu, pid


class Steps:
    """A value that holds until its next. None before the first."""

    def __init__(self):
        self.times, self.values = [], []

    def add(self, usec, value):
        self.times.append(usec)
        self.values.append(value)

    def pieces(self, begin, end):
        """[(from, to, value)] that make up that time."""
        out, at = [], bisect.bisect_right(self.times, begin) - 1
        while begin < end:
            until = min(self.times[at + 1], end) if at + 1 < len(self.times) else end
            if until > begin:
                out.append((begin, until, self.values[at] if at >= 0 else None))
            begin, at = max(until, begin), at + 1
        return out


class Tracks:
    """slices: those of all threads but the idle ones, in order of their begin. names: pid -> what it was called last.
    khz: cpu -> Steps. moves: pid -> [(usec, from, to)]. cpus: those that did anything."""

    def __init__(self):
        self.slices, self.names, self.khz, self.moves, self.cpus = [], {0: "idle"}, {}, {}, set()
        self.begin = self.end = None

    def of(self, pid):
        return [piece for piece in self.slices if piece.pid == pid]

    def frequency(self, cpu):
        return self.khz.setdefault(cpu, Steps())


def used(lines):
    """Those that matter: most of a trace may be others, and to take a line apart takes time."""
    for line in lines:
        if any(word in line for word in (" sched_switch: ", " cpu_frequency: ", " sched_migrate_task: ", "#", "LOST")):
            yield line


def read(lines, khz=()):
    """khz: each CPU's frequency when the trace began, as far as that is known. TraceError: it isn't a trace, or not
    all of it is there."""
    tracks, on = Tracks(), {}       # on: cpu -> (pid, since)
    for cpu, value in enumerate(khz):
        tracks.frequency(cpu).add(0, value)
    # Buffers are per CPU: what the kernel merges is in order but for stamps of equal microseconds.
    for usec, cpu, name, text in sorted(ftrace.events(used(lines)), key=lambda event: event[0]):
        if tracks.begin is None:
            tracks.begin = usec
        tracks.end = usec
        if name == "sched_switch":
            switch(tracks, on, usec, cpu, text)
        elif name == "cpu_frequency":
            state, of = map(int, FREQUENCY.search(text).groups())
            tracks.frequency(of).add(usec, state)
        elif name == "sched_migrate_task":
            pid, _prio, old, new = map(int, ftrace.MIGRATE.search(text).groups())
            tracks.moves.setdefault(pid, []).append((usec, old, new))
    if not tracks.cpus:
        raise ftrace.TraceError("no sched_switch in the trace")
    for cpu, (pid, since) in on.items():
        if pid and tracks.end > since:
            tracks.slices.append(Slice(since, tracks.end, cpu, pid))
    tracks.slices.sort(key=lambda piece: piece.begin)
    return tracks


def switch(tracks, on, usec, cpu, text):
    found = ftrace.COMM.search(text)
    if not found:
        raise ftrace.TraceError("a sched_switch that isn't understood: %s" % text)
    prev_comm, prev, next_comm, next_ = found.group(1), int(found.group(2)), found.group(3), int(found.group(4))
    # What ran when the trace began has done so since.
    since = on[cpu][1] if cpu in on else tracks.begin
    if prev and usec > since:
        tracks.slices.append(Slice(since, usec, cpu, prev))
    on[cpu] = (next_, usec)
    tracks.cpus.add(cpu)
    for pid, comm in ((prev, prev_comm), (next_, next_comm)):
        if pid:
            tracks.names[pid] = comm


# -- the kernel's energy model

class EnergyModel:
    """domains: [cpus]; power: cpu -> {khz: uW}, of that CPU while it is busy."""

    def __init__(self, lines):
        self.domains, self.power = [], {}
        for line in lines:
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            if words[0] == "cpus":
                self.domains.append(cpu_list(words[1]))
                states = {}
                self.power.update({cpu: states for cpu in self.domains[-1]})
            else:
                states[int(words[0])] = int(words[1])

    def domain(self, cpu):
        for number, cpus in enumerate(self.domains):
            if cpu in cpus:
                return number
        return None

    def top(self, cpu):
        """kHz"""
        return max(self.power[cpu])

    def power_at(self, cpu, khz):
        """uW; of a frequency that isn't in it, that of the next higher one, as em_pd_get_efficient_state()."""
        states = self.power[cpu]
        return states[min((state for state in states if state >= khz), default=max(states))]


def cpu_list(text):
    cpus = []
    for part in text.split(","):
        first, _dash, last = part.partition("-")
        cpus += range(int(first), int(last or first) + 1)
    return cpus
