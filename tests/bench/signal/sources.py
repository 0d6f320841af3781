# SPDX-License-Identifier: LGPL-2.1-or-later
"""What others said of the guest's CPUs, as step functions of the guest's clock: each value holds until
the next. Times are microseconds of CLOCK_MONOTONIC.

  hostd.log    hostd's log at level debug (vmfreq-hostd(8)): lines with
                 report N of CID N came at USEC us, sampled at USEC us: CPU N util_avg N util_est N
               anywhere in them; everything else is skipped. What counts is when a report came.
  series-NAME  lines `USEC CPU UTIL_AVG UTIL_EST` of the host's clock; `-` for what isn't known.
  poll-NAME    lines `USEC-BEFORE USEC-AFTER JSON` of the host's clock, JSON the reply of qemu-ga to
               guest-get-cpustats: what the counters say of the time between two polls is known when
               the second one's reply is there, and holds until the third's.
  sync         lines `NUMBER USEC-BEFORE USEC-AFTER` of the host's clock: between the two the guest wrote
               the marker `vmfreq-sync NUMBER`.
"""
import ast
import re

REPORT = re.compile(r"report (\d+) of CID (\d+) came at (\d+) us, sampled at (\d+) us: "
                    r"CPU (\d+) util_avg (\d+) util_est (\d+)(.*)")
SYNC_PAUSE_USEC = 5_000_000    # exchanges further apart than this tell of the clocks' drift


class SourceError(Exception):
    pass


class Source:
    """name, and cpu -> [(usec, value)] in the order of time. kind: what of the truth it is held to."""

    def __init__(self, name, kind):
        self.name, self.kind, self.steps = name, kind, {}
        self.looked = {}            # cpu -> [usec], as long as its steps: when the values were sampled, where that is known

    def is_plotted(self, demand):
        """In a plot of several runs there is no room for what hostd takes for the demand."""
        return (demand or self.kind != "demand") and "sampled" not in self.name

    def add(self, usec, cpu, value):
        self.steps.setdefault(cpu, []).append((usec, value))

    def records(self, cpu, begin, end):
        return [step for step in self.steps.get(cpu, []) if begin <= step[0] < end]

    def samples(self, cpu, begin, end):
        """1 ms apart from begin on; None before the first."""
        steps, out, value, at = self.steps.get(cpu, []), [], None, 0
        for usec in range(begin, end - 999, 1000):
            while at < len(steps) and steps[at][0] <= usec:
                value = steps[at][1]
                at += 1
            out.append(value)
        return out


# -- clocks

def bounds(exchanges, markers):
    """[(host usec, least, most)] of host minus guest: a marker lies between question and answer."""
    return [((before + after) // 2, before - markers[number], after - markers[number])
            for number, before, after in exchanges if number in markers]


class Clocks:
    """Host minus guest, from groups of exchanges: all of a group hold, so they narrow each other down.
    Between two groups it is interpolated."""

    def __init__(self, exchanges, markers):
        found = sorted(bounds(exchanges, markers))
        if not found:
            raise SourceError("no sync marker of the trace is in the file sync")
        self.points = []            # (host usec, offset)
        self.error = 0              # us: half of what is left open, at worst
        group = [found[0]]
        for bound in found[1:] + [None]:
            if bound and bound[0] - group[-1][0] < SYNC_PAUSE_USEC:
                group.append(bound)
                continue
            self._add(group)
            group = [bound]

    def _add(self, group):
        least, most = max(b[1] for b in group), min(b[2] for b in group)
        if least > most:
            raise SourceError("the exchanges contradict each other by %d us" % (least - most))
        self.points.append((sum(b[0] for b in group) // len(group), (least + most) // 2))
        self.error = max(self.error, (most - least + 1) // 2)

    def guest(self, host_usec):
        """That moment by the guest's clock."""
        before = after = self.points[0]
        for point in self.points:
            before, after = after, point
            if point[0] >= host_usec:
                break
        if host_usec <= before[0] or after[0] == before[0]:
            return host_usec - before[1]
        if host_usec >= after[0]:
            return host_usec - after[1]
        part = (host_usec - before[0]) / (after[0] - before[0])
        return host_usec - round(before[1] + (after[1] - before[1]) * part)


def read_sync(lines):
    return [tuple(int(word) for word in line.split()) for line in lines if line.strip()]


# -- what hostd received

def read_log(lines, name, clocks, kind="all", cid=None):
    """Three sources: util_avg and the demand (a record's util_est is never below its util_avg) when the report came, and
    util_avg when guestd looked. Between the two is the path."""
    avg, demand, cids = Source(name + " util_avg", kind), Source(name + " demand", "demand"), set()
    looked = Source(name + " util_avg, as sampled", kind)
    for line in lines:
        found = REPORT.search(line)
        if not found:
            continue
        if "were dropped" in found.group(8):
            raise SourceError("hostd's log left lines out: %s" % line.strip())
        _number, of, came, sampled, cpu, util_avg, util_est = map(int, found.groups()[:7])
        if cid is not None and of != cid:
            continue
        cids.add(of)
        avg.add(clocks.guest(came), cpu, util_avg)
        demand.add(clocks.guest(came), cpu, util_est)
        demand.looked.setdefault(cpu, []).append(sampled)
        looked.add(sampled, cpu, util_avg)
    if len(cids) != 1:
        raise SourceError("reports of %d guests in hostd's log: say which (--cid)" % len(cids))
    return [avg, demand, looked]


def read_series(lines, name, clocks, kind="all"):
    sources = (Source(name + " util_avg", kind), Source(name + " demand", "demand"))
    for line in lines:
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        for source, word in zip(sources, words[2:4]):
            if word != "-":
                source.add(clocks.guest(int(words[0])), int(words[1]), int(word))
    return [source for source in sources if source.steps]


# -- polling an agent

def cpu_times(reply):
    """cpu -> (busy ms, all ms). As PELT's clock does, it leaves out what the host took (steal). `guest` is in
    `user` already."""
    times = {}
    for stats in ast.literal_eval(reply)["return"]:     # python3-minimal has no json; these are literals
        busy = sum(stats.get(key, 0) for key in ("user", "nice", "system", "irq", "softirq"))
        times[stats["cpu"]] = (busy, busy + stats.get("idle", 0) + stats.get("iowait", 0))
    return times


def read_polls(lines, name, clocks, kind="all"):
    source, before = Source(name, kind), {}
    for line in lines:
        if not line.strip():
            continue
        _asked, answered, reply = line.split(None, 2)
        times = cpu_times(reply.strip())
        for cpu, (busy, total) in times.items():
            if cpu in before and total > before[cpu][1]:
                part = (busy - before[cpu][0]) / (total - before[cpu][1])
                source.add(clocks.guest(int(answered)), cpu, round(1024 * min(max(part, 0), 1)))
        before = times
    return [source]
