# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads /sys/kernel/tracing/trace, as text with trace_clock mono, and has pelt.py make the truth of it.

Markers that the guest's half writes to trace_marker:
  vmfreq-load begin NAME CPU[,CPU...]    a load begins, and the CPUs that it is about
  vmfreq-load end NAME
  vmfreq-sync NUMBER                     the guest's side of an exchange with the host (sources.py)
"""
import re

import pelt

LINE = re.compile(r"^.+?-\d+\s+(?:\(\s*[-\d]+\)\s+)?\[(\d+)\]\s+(?:\S+\s+)?(\d+)\.(\d{6}):\s+(\w+):\s?(.*)$")
SWITCH = re.compile(r"prev_pid=(\d+) prev_prio=(-?\d+) prev_state=(\S+) ==> "
                    r"next_comm=.* next_pid=(\d+) next_prio=(-?\d+)")
# Names of tasks are free text: what counts is at the end of the line.
WAKEUP = re.compile(r"pid=(\d+) prio=(-?\d+)(?: success=1)? target_cpu=(\d+)$")
MIGRATE = re.compile(r"pid=(\d+) prio=(-?\d+) orig_cpu=(\d+) dest_cpu=(\d+)$")
FORK = re.compile(r" child_pid=(\d+)$")
COMM = re.compile(r"prev_comm=(.*) prev_pid=(\d+) .* ==> next_comm=(.*) next_pid=(\d+)")
PIDS = re.compile(r"\b((?:prev_|next_)?pid)=(\d+)\b")
LOST = re.compile(r"LOST \d+ EVENTS|^# entries-in-buffer/entries-written: (\d+)/(\d+)")


class TraceError(Exception):
    pass


class Load:
    """A load's time (us, the guest's clock) and the CPUs that it is about."""

    def __init__(self, name, cpus, begin):
        self.name, self.cpus, self.begin, self.end = name, cpus, begin, None


class Truth:
    """Per CPU, lists of samples 1 ms apart from `begin` (us) on: "cfs" is util_avg of the root CFS run
    queue, "all" that with RT and deadline on top, "est" its util_est, "demand" the larger of util_avg and util_est
    with RT and deadline on top: what schedutil would go by."""

    def __init__(self, samples, begin, loads, syncs):
        self.samples, self.begin, self.loads, self.syncs = samples, begin, loads, syncs

    def window(self, cpu, kind, begin, end):
        """The samples from begin to end (us)."""
        first = max((begin - self.begin) // 1000, 0)
        return self.samples[cpu][kind][first:max((end - self.begin) // 1000, 0)]


def events(lines):
    """(us, cpu, name, text) of each line that is an event."""
    for line in lines:
        found = LINE.match(line)
        if found:
            cpu, seconds, usec, name, text = found.groups()
            yield int(seconds) * 1000000 + int(usec), int(cpu), name, text.rstrip("\n")
            continue
        lost = LOST.search(line)
        if lost and lost.group(1) != lost.group(2) or lost and not lost.group(1):
            raise TraceError("events are missing (a larger buffer_size_kb): %s" % line.strip())


def first_switches(trace):
    """What ran on each CPU when the trace began: cpu -> (pid, prio)."""
    found = {}
    for _usec, cpu, name, text in trace:
        switch = SWITCH.search(text) if name == "sched_switch" and cpu not in found else None
        if switch:
            found[cpu] = (int(switch.group(1)), int(switch.group(2)))
    return found


def take(model, cpu, name, text):
    """One scheduler event into the model."""
    if name == "sched_switch":
        found = SWITCH.search(text)
        if not found:
            raise TraceError("a sched_switch that isn't understood: %s" % text)
        prev, prev_prio, state, next_, next_prio = found.groups()
        model.switch(cpu, (int(prev), int(prev_prio), state), (int(next_), int(next_prio)))
    elif name in ("sched_wakeup", "sched_wakeup_new"):
        pid, prio, to = map(int, WAKEUP.search(text).groups())
        model.wakeup(pid, prio, to, name == "sched_wakeup_new")
    elif name == "sched_migrate_task":
        pid, prio, _from, to = map(int, MIGRATE.search(text).groups())
        model.migrate(pid, prio, to)
    elif name == "sched_process_fork":
        model.fork(int(FORK.search(text).group(1)))


def take_marker(loads, syncs, usec, text):
    words = text.split()
    if words[:2] == ["vmfreq-load", "begin"]:
        loads.append(Load(words[2], [int(cpu) for cpu in words[3].split(",")], usec))
    elif words[:2] == ["vmfreq-load", "end"]:
        for load in loads:
            if load.name == words[2] and load.end is None:
                load.end = usec
    elif words[:1] == ["vmfreq-sync"]:
        syncs[int(words[1])] = usec


def leave_out(trace, names):
    """The trace as if tasks of these names were the idle task: what watches is no demand."""
    pids = set()
    for _usec, _cpu, name, text in trace:
        found = COMM.search(text) if name == "sched_switch" else None
        if found:
            pids.update(pid for comm, pid in (found.group(1, 2), found.group(3, 4)) if comm in names)

    def without(match):
        return "%s=0" % match.group(1) if match.group(2) in pids else match.group(0)
    for usec, cpu, name, text in trace:
        if name == "sched_switch":
            yield usec, cpu, name, PIDS.sub(without, text)
        elif not any(number in pids for _key, number in PIDS.findall(text)):
            yield usec, cpu, name, text


def truth(lines, kernel=(6, 12), without=()):
    """The whole of a trace, without the tasks of some names. TraceError: it isn't one, or not all of it is there."""
    trace = list(events(lines))
    if without:
        trace = list(leave_out(trace, set(without)))
    # Buffers are per CPU: what the kernel merges is in order but for stamps of equal microseconds.
    trace.sort(key=lambda event: event[0])
    running = first_switches(trace)
    if not running:
        raise TraceError("no sched_switch in the trace")
    begin = trace[0][0]
    model = pelt.Model(sorted(set(running) | {cpu for _usec, cpu, _name, _text in trace}),
                       begin * 1000, kernel)
    for cpu, (pid, prio) in running.items():
        model.runs(cpu, pid, prio)
    loads, syncs = [], {}
    for usec, cpu, name, text in trace:
        model.advance(usec * 1000)
        if name in ("tracing_mark_write", "print"):
            take_marker(loads, syncs, usec, text)
        elif name.startswith("sched_"):
            take(model, cpu, name, text)
    for load in loads:
        if load.end is None:
            raise TraceError("load %s has no end in the trace" % load.name)
    return Truth(model.samples, begin, loads, syncs)
