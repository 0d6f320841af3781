# SPDX-License-Identifier: LGPL-2.1-or-later
"""A timetable: what tasks there are, on which (v)CPU each is when, and what work it gets. Times are us, work
is us at the highest frequency of a CPU of capacity 1024. As text:

  cpus N                                (v)CPUs 0 to N-1
  pin CPU HOST-CPU                      the host has this vCPU on that CPU of its own; without: on that of its number
  length USEC
  task T NAME                           tasks 0, 1, ...
  place USEC T CPU                      from then on task T is there; the first one is at 0
  burst ID USEC T WORK DEADLINE         released at USEC; DEADLINE after its release, 0: none
  chain ID AFTER DELAY T WORK DEADLINE  released DELAY after burst AFTER has ended

Lines that begin with # are comments. place and burst come in the order of time; a chain is after what it
waits for. A task's bursts queue up, first come, first served.
"""

CPUS_MAX = 64


class PlanError(Exception):
    pass


class Burst:
    """usec is None of a chain, after and delay are None of others."""

    __slots__ = ("id", "usec", "after", "delay", "task", "work", "deadline")

    def __init__(self, id_, task, work, deadline, usec=None, after=None, delay=None):
        self.id, self.task, self.work, self.deadline = id_, task, work, deadline
        self.usec, self.after, self.delay = usec, after, delay

    def text(self):
        if self.after is None:
            return "burst %d %d %d %d %d" % (self.id, self.usec, self.task, self.work, self.deadline)
        return "chain %d %d %d %d %d %d" % (self.id, self.after, self.delay, self.task, self.work, self.deadline)


class Plan:
    def __init__(self, cpus, length):
        self.cpus, self.length = cpus, length
        self.pins = {}              # vCPU -> the host's CPU, of those that aren't on that of their number
        self.names = []             # of tasks
        self.places = []            # (usec, task, cpu)
        self.bursts = {}            # id -> Burst, in the order in which they were added
        self.comments = []

    def task(self, name, cpu):
        """A new one, and where it begins; its number."""
        self.names.append(name)
        self.place(0, len(self.names) - 1, cpu)
        return len(self.names) - 1

    def place(self, usec, task, cpu):
        self.places.append((usec, task, cpu))

    def burst(self, usec, task, work, deadline=0):
        self.bursts[len(self.bursts)] = Burst(len(self.bursts), task, work, deadline, usec=usec)
        return len(self.bursts) - 1

    def chain(self, after, delay, task, work, deadline=0):
        self.bursts[len(self.bursts)] = Burst(len(self.bursts), task, work, deadline, after=after, delay=delay)
        return len(self.bursts) - 1

    def group(self, task):
        """The name without its number: tasks of one kind are counted together."""
        return self.names[task].rstrip("0123456789-")

    def groups(self):
        return list(dict.fromkeys(self.group(task) for task in range(len(self.names))))

    def root(self, burst):
        """The burst that all of its chain waits for."""
        while burst.after is not None:
            burst = self.bursts[burst.after]
        return burst

    def lines(self):
        out = ["# %s" % comment for comment in self.comments]
        out += ["cpus %d" % self.cpus] + ["pin %d %d" % pin for pin in sorted(self.pins.items())]
        out += ["length %d" % self.length]
        out += ["task %d %s" % pair for pair in enumerate(self.names)]
        timed = [(usec, 0, at, "place %d %d %d" % (usec, task, cpu))
                 for at, (usec, task, cpu) in enumerate(self.places)]
        timed += [(burst.usec, 1, at, burst.text()) for at, burst in enumerate(self.bursts.values())
                  if burst.usec is not None]
        out += [text for _usec, _kind, _at, text in sorted(timed)]
        return out + [burst.text() for burst in self.bursts.values() if burst.usec is None]


class Where:
    """Where tasks are by the timetable."""

    def __init__(self, plan):
        self.steps = {task: [] for task in range(len(plan.names))}
        for usec, task, cpu in sorted(plan.places, key=lambda place: place[0]):
            self.steps[task].append((usec, cpu))

    def at(self, task, usec):
        cpu = self.steps[task][0][1]
        for since, there in self.steps[task]:
            if since > usec:
                break
            cpu = there
        return cpu

    def spans(self, task, begin, end):
        """[(from, to, cpu)] that make up that time."""
        out, steps = [], self.steps[task]
        for at, (since, cpu) in enumerate(steps):
            until = steps[at + 1][0] if at + 1 < len(steps) else end
            first = begin if at == 0 else max(since, begin)
            if first < min(until, end):
                out.append((first, min(until, end), cpu))
        return out


# -- reading

WORDS = {"cpus": 1, "pin": 2, "length": 1, "task": 2, "place": 3, "burst": 5, "chain": 6}


def take(plan, verb, numbers):
    if verb == "place":
        plan.places.append(tuple(numbers))
    elif verb == "pin":
        plan.pins[numbers[0]] = numbers[1]
    elif verb == "burst":
        id_, usec, task, work, deadline = numbers
        add(plan, Burst(id_, task, work, deadline, usec=usec))
    elif verb == "chain":
        id_, after, delay, task, work, deadline = numbers
        add(plan, Burst(id_, task, work, deadline, after=after, delay=delay))
    else:
        setattr(plan, verb, numbers[0])


def add(plan, burst):
    if burst.id in plan.bursts:
        raise PlanError("there are two bursts %d" % burst.id)
    plan.bursts[burst.id] = burst


def read(lines):
    """PlanError: it is no timetable."""
    plan = Plan(0, 0)
    for number, line in enumerate(lines, 1):
        words = line.split()
        if line.startswith("#"):
            plan.comments.append(line[1:].strip())
        if not words or line.startswith("#"):
            continue
        if WORDS.get(words[0]) != len(words) - 1:
            raise PlanError("line %d isn't understood: %s" % (number, line.strip()))
        try:
            if words[0] == "task":
                if int(words[1]) != len(plan.names):
                    raise PlanError("line %d: task %d is next" % (number, len(plan.names)))
                plan.names.append(words[2])
            else:
                take(plan, words[0], [int(word) for word in words[1:]])
        except ValueError:
            raise PlanError("line %d: not a number: %s" % (number, line.strip())) from None
    check(plan)
    return plan


def load(path):
    with open(path) as file:
        return read(file)


def check(plan):
    """PlanError: what it says can't be."""
    def must(truth, *words):
        if not truth:
            raise PlanError(words[0] % words[1:])
    must(0 < plan.cpus <= CPUS_MAX and plan.length > 0 and plan.names, "cpus, length or tasks are missing")
    for cpu, host_cpu in plan.pins.items():
        must(0 <= cpu < plan.cpus and 0 <= host_cpu < CPUS_MAX, "pin %d %d: there is none", cpu, host_cpu)
    placed, last = set(), 0
    for usec, task, cpu in plan.places:
        must(0 <= task < len(plan.names) and 0 <= cpu < plan.cpus, "place %d %d %d: there is none", usec, task, cpu)
        must(usec >= last, "place %d %d %d: not in the order of time", usec, task, cpu)
        must(task in placed or usec == 0, "task %d isn't anywhere at 0", task)
        placed.add(task)
        last = usec
    must(len(placed) == len(plan.names), "a task is nowhere")
    known, last = set(), 0
    for burst in plan.bursts.values():
        must(0 <= burst.task < len(plan.names) and burst.work > 0 and burst.deadline >= 0,
             "burst %d: no such task, no work or a deadline below 0", burst.id)
        if burst.after is None:
            must(burst.usec >= last, "burst %d: not in the order of time", burst.id)
            last = burst.usec
        else:
            must(burst.after in known and burst.delay >= 0, "chain %d: nothing to wait for", burst.id)
        known.add(burst.id)
