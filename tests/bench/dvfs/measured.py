# SPDX-License-Identifier: LGPL-2.1-or-later
"""A run, and the figures of it. A RUN is a directory with

  meta            lines KEY VALUE: load, seed, carrier, setting (native, without, dry-run, with), repeat, kernel,
                  shape; also, where they are known, label (modelled, emulated, hardware), capacities and khz (of CPU
                  0, 1, ...: cpu_capacity, and the frequency when the trace began)
  NAME.bursts     by the carrier: `start USEC`, `thread INDEX TID`, `burst ID T CPU RELEASED BEGUN ENDED WORK`
  NAME.trace      ftrace's text (tracks.py)
  energy_model    for each domain `cpus LIST` and its `KHZ POWER_UW`
  plan.timetable  what was to be done (plan.py)
  writes          if there is one: `USEC VCPU min|max VALUE`, what hostd set; both at the same moment are one write
  host.timetable, host.bursts   if the load has a part of the host's own, the same of that: it was carried beside the VM's, or
                  beside the native one
  figures         KEY VALUE: what the others came to (analyse.py --reduce); taken where there is no trace

The figures, for each group of tasks (a name without its number) and over a window: from SKIP_USEC after the begin,
when the kernel's averages have settled, until the last burst has ended.

  burst, burst95  ms from a burst's release to its end: the mean, and what 95 % are at most
  begun           the same from when it was begun: without the queue behind the task's own last one
  over            bursts that took longer than their deadline from when they were begun, of those that ended and have one
  missed, due     bursts that ended after their deadline or never, of those that have one and should be over
  mhz             the mean frequency of the CPU while the task ran, each moment weighted alike
  mhz.work        the same, each moment weighted by the work done in it: what the mean unit of work ran at
  speed           like mhz, of frequency / highest x capacity, in 1/1024: CPUs of several kinds compare in it
  on.N            percent of its running time that it was on CPUs of the energy model's domain N
  moves           how often its thread went to another CPU (whoever moved it)
and of the run:
  whole, whole95, whole.missed, whole.due   of chains: from the first release to the last end, by timetable.py's limit
  energy          mJ of the carrier's threads: for each moment in which one ran, the power that the kernel's energy
                  model has for that CPU at that frequency
  energy.all      the same of all threads: what watching and hostd cost on an emulated CPU is far too much
  busy            percent of the CPUs' time that the carrier's threads ran
  floors, ceilings    how many were written
  writes.most     the most writes of one vCPU in any 4 ms, of all that are in the file: two exactly 4 ms apart aren't within 4 ms
  writes.steady   writes for each vCPU from when on nothing was new (timetable.py) to the timetable's end; of loads that
                  have such a time
  lost            bursts that never ended: most are those that a carrier left out since they were stale
  counted         the work of all bursts that ended, counted in full as if each was even from its begin to its end, as a part of
                  what the carrier's threads can have done meanwhile by the trace: running time x speed. Below 1 is what a carrier
                  spends on other things. Much above 1 is work that nobody did: then no figure of the run is of use
  energy.work     mJ for a second of work at the highest frequency of a CPU of capacity 1024: energy / counted work. Settings
                  that leave different numbers of bursts out compare in it
  late, late.max  ms by which reports went out after they should have, by report-send: beside guestd's own delay
  unknown         ms of the carrier's running time at a frequency that isn't known: left out of mhz and energy

The host's own part, where there is one, is the carrier's, too: its groups, energy and work stand beside the VM's.

Idle CPUs count for nothing in the energy: the kernel's model has no idle power. Nor has it anything for what a whole
domain costs, memory or the change of a frequency. Several tasks that are at work on one vCPU at a moment share its
thread's time and work in equal parts.
"""
import pathlib
import re

import plan
import stats
import timetable
import tracks

SKIP_USEC = 1_000_000
WRITES_USEC = 4_000         # in which a vCPU may be written to once
HOST = "host"               # NAME of the host's own files
QEMU = re.compile(r"^CPU (\d+)/(?:KVM|TCG)$")
NEEDED = ("load", "carrier", "setting", "repeat", "kernel", "shape")
SETTINGS = ("native", "without", "dry-run", "with")


class RunError(Exception):
    pass


class Done:
    """A burst as it was done. Times are us since the begin."""

    __slots__ = ("id", "task", "released", "begun", "ended")

    def __init__(self, id_, task, released, begun, ended):
        self.id, self.task, self.released, self.begun, self.ended = id_, task, released, begun, ended


class BurstLog:
    def __init__(self, lines):
        self.start, self.threads, self.done = None, {}, {}
        for line in lines:
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            if words[0] == "start":
                self.start = int(words[1])
            elif words[0] == "thread":
                self.threads[int(words[1])] = int(words[2])
            elif words[0] == "burst":
                id_, task, _cpu, released, begun, ended, _work = map(int, words[1:])
                self.done[id_] = Done(id_, task, released, begun, ended)
        if self.start is None:
            raise RunError("the burst log has no start")


def read_pairs(path):
    with open(path) as file:
        return dict(line.rstrip("\n").split(" ", 1) for line in file if line.strip() and not line.startswith("#"))


def only(directory, pattern):
    found = sorted(path for path in directory.glob(pattern) if path.stem != HOST)
    if len(found) != 1:
        raise RunError("%s: %d files %s, not one" % (directory, len(found), pattern))
    return found[0]


class Run:
    """meta, and everything else when it is asked for."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.meta = read_pairs(self.directory / "meta")
        for key in NEEDED:
            if key not in self.meta:
                raise RunError("%s: meta has no %s" % (directory, key))
        if self.meta["setting"] not in SETTINGS:
            raise RunError("%s: setting %s is none" % (directory, self.meta["setting"]))
        self.repeat = int(self.meta["repeat"])
        self.has_trace = any(self.directory.glob("*.trace"))

    def load_all(self):
        """Reads what figures are made of."""
        self.plan = plan.load(self.directory / "plan.timetable")
        with open(only(self.directory, "*.bursts")) as file:
            self.log = BurstLog(file)
        with open(only(self.directory, "*.trace"), errors="replace") as file:
            self.tracks = tracks.read(file, [int(word) for word in self.meta.get("khz", "").split()])
        with open(self.directory / "energy_model") as file:
            self.model = tracks.EnergyModel(file)
        capacities = [int(word) for word in self.meta.get("capacities", "").split()]
        self.capacity = {cpu: capacities[cpu] if cpu < len(capacities) else 1024 for cpu in self.tracks.cpus}
        unknown = self.tracks.cpus - set(self.model.power)
        if unknown:
            raise RunError("%s: the energy model has no CPU %d" % (self.directory, min(unknown)))
        self.writes = self._writes()
        self.lanes = self._lanes()
        last = max((done.ended for done in self.log.done.values()), default=0)
        self.window = (SKIP_USEC, max(self.plan.length, last))
        self.parts = [self] + self._hosts_own()
        return self

    def is_native(self):
        return self.meta["setting"] == "native"

    def _hosts_own(self):
        """[] or one: a native run with the same trace, in the same window."""
        path = self.directory / (HOST + ".timetable")
        if not path.exists():
            return []
        own = Run(self.directory)
        own.meta["setting"] = "native"
        own.plan = plan.load(path)
        with open(self.directory / (HOST + ".bursts")) as file:
            own.log = BurstLog(file)
        own.tracks, own.model, own.capacity, own.writes = self.tracks, self.model, self.capacity, []
        own.lanes = own._lanes()
        both = set(own.plan.groups()) & set(self.plan.groups())
        if both:
            raise RunError("%s: the host's own and the VM's are both called %s" % (self.directory, min(both)))
        own.window = tuple(usec + self.log.start - own.log.start for usec in self.window)
        return [own]

    def _writes(self):
        path = self.directory / "writes"
        if not path.exists():
            return []
        with open(path) as file:
            words = [line.split() for line in file if line.strip() and not line.startswith("#")]
        return [(int(usec) - self.log.start, int(vcpu), kind, int(value)) for usec, vcpu, kind, value in words]

    def _lanes(self):
        """index (a task's or a vCPU's) -> the thread's number."""
        lanes = dict(self.log.threads)
        for pid, name in self.tracks.names.items():
            found = QEMU.match(name)
            if found and not self.log.threads:
                if int(found.group(1)) in lanes:
                    raise RunError("%s: two threads are called %s" % (self.directory, name))
                lanes[int(found.group(1))] = pid
        wanted = len(self.plan.names) if self.is_native() else self.plan.cpus
        missing = sorted(set(range(wanted)) - set(lanes))
        if missing:
            raise RunError("%s: which thread is %s %d? (thread INDEX TID)" % (
                self.directory, "task" if self.is_native() else "vCPU", missing[0]))
        return lanes

    def figures(self):
        if not self.has_trace:
            return {key: float(value) for key, value in read_pairs(self.directory / "figures").items()}
        return figures(self.load_all())


# -- who worked when

def openings(run):
    """lane -> [(from, to, tasks)]: what its thread was at work on, by the log and the timetable."""
    edges, where = {}, plan.Where(run.plan)
    for done in run.log.done.values():
        spans = [(done.begun, done.ended, None)] if run.is_native() else where.spans(done.task, done.begun, done.ended)
        for begin, end, cpu in spans:
            lane = edges.setdefault(done.task if run.is_native() else cpu, [])
            lane += [(begin, 1, done.task), (end, 0, done.task)]
    return {lane: between(sorted(found)) for lane, found in edges.items()}


def between(edges):
    out, counts, since = [], {}, None
    for usec, begins, task in edges:
        tasks = tuple(task for task, count in counts.items() if count > 0)
        if tasks and usec > since:
            out.append((since, usec, tasks))
        counts[task] = counts.get(task, 0) + (1 if begins else -1)
        since = usec
    return out


def worked(run):
    """(from, to, cpu, tasks) of all that the carrier's threads ran while they were at work. Us since the begin."""
    of = {pid: lane for lane, pid in run.lanes.items()}
    opened = openings(run)
    at = dict.fromkeys(opened, 0)
    for piece in run.tracks.slices:
        lane = of.get(piece.pid)
        if lane not in opened:
            continue
        begin, end = piece.begin - run.log.start, piece.end - run.log.start
        spans, number = opened[lane], at[lane]
        while number < len(spans) and spans[number][0] < end:
            since, until, tasks = spans[number]
            if until > begin:
                yield max(since, begin), min(until, end), piece.cpu, tasks
            if until > end:
                break
            number += 1
        at[lane] = number


class Ran:
    """Sums of one group."""

    def __init__(self):
        self.usec = self.khz = self.work = self.khz_work = self.unknown = 0
        self.on = {}


def ran(run):
    """group -> Ran, in the window."""
    out = {group: Ran() for group in run.plan.groups()}
    for begin, end, cpu, tasks in worked(run):
        begin, end = max(begin, run.window[0]), min(end, run.window[1])
        if begin >= end:
            continue
        domain = run.model.domain(cpu)
        for since, until, khz in run.tracks.frequency(cpu).pieces(begin + run.log.start, end + run.log.start):
            for task in tasks:
                usec, group = (until - since) / len(tasks), out[run.plan.group(task)]
                if khz is None:
                    group.unknown += usec
                    continue
                work = usec * khz / run.model.top(cpu) * run.capacity[cpu] / 1024
                group.usec += usec
                group.khz += khz * usec
                group.work += work
                group.khz_work += khz * work
                group.on[domain] = group.on.get(domain, 0) + usec
    return out


def counted_usec(run):
    """The work that the carrier says was done in the window, in us."""
    sums = 0
    for done in run.log.done.values():
        begin, end = max(done.begun, run.window[0]), min(done.ended, run.window[1])
        if begin < end:
            sums += run.plan.bursts[done.id].work * (end - begin) / (done.ended - done.begun)
    return sums


def late_figures(run, out):
    path = run.directory / "reports.log"
    found = re.search(r"late_max (\d+) late_mean (\d+)", path.read_text()) if path.exists() else None
    if found:
        out["late.max"], out["late"] = int(found.group(1)) / 1000, int(found.group(2)) / 1000


def energy(run):
    """(mJ of the carriers' threads, of all, us that the carriers' ran, us at an unknown frequency)"""
    own, sums = {pid for part in run.parts for pid in part.lanes.values()}, [0, 0, 0, 0]
    first, last = (usec + run.log.start for usec in run.window)
    for piece in run.tracks.slices:
        begin, end = max(piece.begin, first), min(piece.end, last)
        if begin >= end:
            continue
        for since, until, khz in run.tracks.frequency(piece.cpu).pieces(begin, end):
            mine = piece.pid in own
            sums[2] += (until - since) * mine
            if khz is None:
                sums[3] += (until - since) * mine
                continue
            picojoule = run.model.power_at(piece.cpu, khz) * (until - since)
            sums[0] += picojoule * mine
            sums[1] += picojoule
    return sums[0] / 1e9, sums[1] / 1e9, sums[2], sums[3]


# -- the figures

def due_usec(run, burst):
    """When a burst should be over, or None: it has no deadline, or isn't known to have been released."""
    if not burst.deadline:
        return None
    if burst.id in run.log.done:
        return run.log.done[burst.id].released + burst.deadline
    if burst.after is None:
        return burst.usec + burst.deadline
    before = run.log.done.get(burst.after)
    return before.ended + burst.delay + burst.deadline if before else None


def released_usec(run, burst):
    done = run.log.done.get(burst.id)
    return done.released if done else burst.usec


def burst_figures(run, group, out):
    bursts = [burst for burst in run.plan.bursts.values() if run.plan.group(burst.task) == group]
    done = [run.log.done[burst.id] for burst in bursts if burst.id in run.log.done
            and run.window[0] <= run.log.done[burst.id].released < run.window[1]]
    times = [(one.ended - one.released) / 1000 for one in done]
    put(out, group + ".burst", stats.mean(times))
    put(out, group + ".burst95", stats.quantile(times, 0.95))
    put(out, group + ".begun", stats.mean([(one.ended - one.begun) / 1000 for one in done]))
    timed = [one for one in done if run.plan.bursts[one.id].deadline]
    if timed:
        out[group + ".over"] = sum(one.ended - one.begun > run.plan.bursts[one.id].deadline for one in timed)
        out[group + ".timed"] = len(timed)
    missed = due = 0
    for burst in bursts:
        until = due_usec(run, burst)
        if until is None or until - burst.deadline < run.window[0] or until > run.window[1]:
            continue
        due += 1
        missed += burst.id not in run.log.done or run.log.done[burst.id].ended > until
    if due:
        out[group + ".missed"], out[group + ".due"] = missed, due


def whole_figures(run, out):
    """Of chains."""
    limit = timetable.LOADS[run.meta["load"]].whole if run.meta["load"] in timetable.LOADS else 0
    chains = {}
    for burst in run.plan.bursts.values():
        chains.setdefault(run.plan.root(burst).id, []).append(burst)
    times, missed, due = [], 0, 0
    for root, bursts in chains.items():
        begin = released_usec(run, run.plan.bursts[root])
        if len(bursts) < 2 or begin < run.window[0]:
            continue
        ended = [run.log.done[burst.id].ended for burst in bursts if burst.id in run.log.done]
        if len(ended) == len(bursts):
            times.append((max(ended) - begin) / 1000)
            missed += max(ended) - begin > limit
            due += 1
        elif begin + limit <= run.window[1]:
            missed += 1
            due += 1
    put(out, "whole", stats.mean(times))
    put(out, "whole95", stats.quantile(times, 0.95))
    if limit and due:
        out["whole.missed"], out["whole.due"] = missed, due


def ran_figures(run, out):
    """Returns the work that was counted and the work that can have been done, us."""
    groups = ran(run)
    for group, sums in groups.items():
        if not sums.usec:
            continue
        out[group + ".mhz"] = sums.khz / sums.usec / 1000
        out[group + ".mhz.work"] = sums.khz_work / sums.work / 1000
        out[group + ".speed"] = sums.work / sums.usec * 1024
        for domain in range(len(run.model.domains)):
            out["%s.on.%d" % (group, domain)] = 100 * sums.on.get(domain, 0) / sums.usec
    return counted_usec(run), sum(sums.work for sums in groups.values())


def moves_figures(run, out):
    if run.is_native():
        for group in run.plan.groups():
            tasks = [task for task in range(len(run.plan.names)) if run.plan.group(task) == group]
            out[group + ".moves"] = sum(moves_of(run, run.lanes[task]) for task in tasks)
    else:
        out["vcpus.moves"] = sum(moves_of(run, pid) for lane, pid in run.lanes.items() if lane < run.plan.cpus)


def moves_of(run, pid):
    first, last = (usec + run.log.start for usec in run.window)
    return sum(first <= usec < last for usec, _old, _new in run.tracks.moves.get(pid, []))


# -- what hostd wrote

def writes_of(run):
    """vCPU -> [us], of each write. A sched_setattr(2) that sets the floor and the ceiling has two lines of one moment; two of the
    same kind are two calls'."""
    kinds, out = {}, {}
    for usec, vcpu, kind, _value in run.writes:
        counts = kinds.setdefault((usec, vcpu), {})
        counts[kind] = counts.get(kind, 0) + 1
    for (usec, vcpu), counts in sorted(kinds.items()):
        out.setdefault(vcpu, []).extend([usec] * max(counts.values()))
    return out


def most_within(times, usec):
    """The most of these sorted times that are less than that apart."""
    most = first = 0
    for number, time in enumerate(times):
        while time - times[first] >= usec:
            first += 1
        most = max(most, number - first + 1)
    return most


def writes_figures(run, out):
    writes = writes_of(run)
    inside = [kind for usec, _vcpu, kind, _value in run.writes if run.window[0] <= usec < run.window[1]]
    out["floors"], out["ceilings"] = inside.count("min"), inside.count("max")
    out["writes.most"] = max((most_within(times, WRITES_USEC) for times in writes.values()), default=0)
    load = timetable.LOADS.get(run.meta["load"])
    if load and load.steady:
        late = sum(load.steady <= usec < run.plan.length for times in writes.values() for usec in times)
        out["writes.steady"] = late / run.plan.cpus


def put(out, key, value):
    if value is not None:
        out[key] = value


def figures(run):
    """key -> number."""
    out = {}
    for part in run.parts:
        for group in part.plan.groups():
            burst_figures(part, group, out)
    whole_figures(run, out)
    counted, work = map(sum, zip(*[ran_figures(part, out) for part in run.parts]))
    if work:
        out["counted"] = counted / work
    for part in run.parts:
        moves_figures(part, out)
    own, everything, busy, unknown = energy(run)
    out["energy"], out["energy.all"] = own, everything
    if counted:
        out["energy.work"] = own / counted * 1e6
    late_figures(run, out)
    out["busy"] = 100 * busy / (run.window[1] - run.window[0]) / len(run.tracks.cpus)
    out["unknown"] = unknown / 1000
    out["lost"] = len(run.plan.bursts) - len(run.log.done)
    writes_figures(run, out)
    return out


class Packed:
    """A run of which meta and figures are left, as text."""

    def __init__(self, name):
        self.directory, self.meta, self.found = pathlib.Path(name), {}, {}
        self.repeat = None

    def figures(self):
        return self.found


def pack(runs):
    """Text that unpack() reads: for each `run NAME`, then its `meta KEY VALUE` and `figure KEY VALUE`."""
    lines = []
    for run in runs:
        lines.append("run %s" % run.directory.name)
        lines += ["meta %s %s" % item for item in run.meta.items()]
        lines += ["figure %s %.6g" % item for item in run.figures().items()]
    return "\n".join(lines) + "\n"


def unpack(path):
    out = []
    for line in path.read_text().splitlines():
        word, key, *value = line.split(" ", 2)
        if word == "run":
            out.append(Packed(key))
        elif word not in ("meta", "figure") or not out or not value:
            raise RunError("%s: what is '%s'?" % (path, line))
        elif word == "meta":
            out[-1].meta[key] = value[0]
        else:
            out[-1].found[key] = float(value[0])
    for run in out:
        run.repeat = int(run.meta["repeat"])
    return out


def runs_of(path):
    """The runs that a directory, or a file of pack()'s, is."""
    path = pathlib.Path(path)
    return unpack(path) if path.is_file() else [Run(path)]


def save(run):
    """The file figures."""
    found = run.figures()
    (run.directory / "figures").write_text("".join("%s %.6g\n" % item for item in found.items()))
