# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks the timetables and the reports made of them: part of check.py."""
import contextlib
import io
import pathlib
import re
import subprocess

import guestd
import plan
import reports
import schedule
import timetable
from checks import near, raises

MSEC = 1000
SOURCES = pathlib.Path(__file__).resolve().parents[3]
HALF_LIFE_MSEC = 32 * 1.048576


def text_of(table):
    return "\n".join(table.lines())


# -- timetables

def test_seeds():
    for load in timetable.LOADS:
        once, again = timetable.make(load, 1, 3), timetable.make(load, 1, 3)
        assert text_of(once) == text_of(again), load
        # Nothing of burst-quiet is the dice's but which CPU is next.
        assert text_of(once) != text_of(timetable.make(load, 2, 3)), load
        assert plan.read(once.lines()).lines() == once.lines()
        assert once.length == 3_000_000


def test_the_same_on_any_machine():
    """A change here makes other timetables than those that figures were measured with: say so there."""
    def digest(table):
        value = 0
        for line in table.lines()[1:]:
            for byte in line.encode():
                value = (value * 31 + byte) % 1000003
        return value
    found = {load: digest(timetable.make(load, 7, 2)) for load in timetable.LOADS}
    assert found == {"swap": 635483, "burst": 454533, "burst-quiet": 882125, "small": 168704, "ui": 565112,
                     "storage": 982509, "inference": 221890, "pair": 230272, "beside": 187664, "steady": 121569}, found
    found = {load: digest(timetable.make_host(load, 2)) for load, kind in timetable.LOADS.items() if kind.host}
    assert found == {"beside": 103929}, found


def on_host(load, seed, seconds):
    """All that the host has to do, and where it has it: vCPUs that share a CPU, and its own beside them."""
    table = timetable.make(load, seed, seconds)
    table.places = [(usec, task, table.pins.get(cpu, cpu)) for usec, task, cpu in table.places]
    if timetable.LOADS[load].host:
        own, first = timetable.make_host(load, seconds), len(table.names)
        table.names += own.names
        table.places += [(usec, task + first, cpu) for usec, task, cpu in own.places]
        for burst in own.bursts.values():
            table.burst(burst.usec, burst.task + first, burst.work, burst.deadline)
        table.length = own.length
    return table


def whole_times(table, done):
    """Of each chain, from its first release to its last end."""
    ends = {}
    for burst in table.bursts.values():
        root = table.root(burst).id
        ends[root] = max(ends.get(root, 0), done[burst.id][1] - done[root][0])
    return ends


def test_all_can_be_done():
    """At full speed nothing is late, and no CPU has more than it can do."""
    for load, kind in timetable.LOADS.items():
        for seed in (1, 2):
            table = on_host(load, seed, 4)
            done, busy = schedule.finish(table)
            assert len(done) == len(table.bursts)
            assert sum(busy) == sum(burst.work for burst in table.bursts.values())
            assert max(busy) < 0.75 * table.length, (load, busy)
            for burst in table.bursts.values():
                released, ended = done[burst.id]
                assert ended - released >= burst.work
                assert not burst.deadline or ended - released <= burst.deadline * 0.75, (load, burst.text())
            assert not kind.whole or max(whole_times(table, done).values()) < 0.75 * kind.whole, load
            assert max(ended for _released, ended in done.values()) < table.length + 50 * MSEC


def test_swap():
    table = timetable.make("swap", 3)
    works = {name: sum(burst.work for burst in table.bursts.values() if table.names[burst.task] == name)
             for name in table.names}
    # 1250 periods of 16 ms: 70 % and 10 % of them
    assert works == {"A": 1250 * 11200, "B": 1250 * 1600} and table.cpus == 2, works
    moves = [usec for usec, task, _cpu in table.places if task == 0]
    gaps = [b - a for a, b in zip(moves, moves[1:])]
    assert len(gaps) > 100 and min(gaps) >= 60 * MSEC and max(gaps) <= 240 * MSEC
    near(sum(gaps) / len(gaps), 150 * MSEC, 15 * MSEC, "the mean")
    where = plan.Where(table)
    assert all(where.at(0, usec) != where.at(1, usec) for usec in range(0, table.length, 7777))


def test_other_loads():
    table = timetable.make("burst", 1, 10)
    bursts = [burst for burst in table.bursts.values() if table.names[burst.task] == "burst"]
    where = plan.Where(table)
    cpus = [where.at(burst.task, burst.usec) for burst in bursts]
    assert len(set(cpus)) == 4 and all(a != b for a, b in zip(cpus, cpus[1:])), "in turn"
    assert all(burst.work == 30 * MSEC for burst in bursts)
    house = sum(burst.work for burst in table.bursts.values() if table.group(burst.task) == "house")
    near(house / table.length / 4, 0.0025, 0.0005, "idle but for a quarter of a percent")
    table = timetable.make("small", 1, 10)
    assert len(table.names) == 24 and table.groups() == ["small"] and table.cpus == 4
    where = plan.Where(table)
    counts = [[where.at(task, usec) for task in range(24)].count(0) for usec in range(0, table.length, 99999)]
    assert set(counts) == {6}, "six on each"
    table = timetable.make("ui", 1, 10)
    frames = [burst for burst in table.bursts.values() if burst.after is None]
    assert len(frames) == 600 and table.groups() == ["ui", "worker"] and len(table.bursts) == 3000
    for load in ("storage", "inference"):
        table = timetable.make(load, 1, 10)
        assert {table.root(burst).after for burst in table.bursts.values()} == {None}
        assert sum(burst.after is not None for burst in table.bursts.values()) > 0.9 * len(table.bursts)


def of_task(table, name):
    return [burst for burst in table.bursts.values() if table.names[burst.task] == name]


def stretches_of(bursts):
    """[[usec]] of a task that comes and goes."""
    out = []
    for burst in bursts:
        if not out or burst.usec - out[-1][-1] > 16 * MSEC:
            out.append([])
        out[-1].append(burst.usec)
    return out


def test_halves():
    """8 ms of every 16, 16 times, twice, about a millisecond apart, and 0.3 s of nothing."""
    table = timetable.make("pair", 1, 10)
    assert table.pins == {0: 0, 1: 0} and table.groups() == ["pair", "house"] and table.cpus == 2
    halves = [stretches_of(of_task(table, name)) for name in ("pair0", "pair1")]
    firsts = set()
    for one, two in zip(*halves):
        assert len(one) == len(two) == 16 and 800 <= abs(one[0] - two[0]) <= 1400
        assert {b - a for a, b in zip(one + two[:1], one[1:])} == {b - a for a, b in zip(two, two[1:])} == {16 * MSEC}
        firsts.add(one[0] < two[0])
    assert len(halves[0]) == len(halves[1]) >= 16 and firsts == {True, False}
    assert all(b[0] - a[-1] - 16 * MSEC >= 300 * MSEC for a, b in zip(halves[0], halves[0][1:]))
    done = schedule.finish(on_host("pair", 1, 10))[0]
    ends = [done[burst.id][1] - burst.usec for burst in of_task(table, "pair0") + of_task(table, "pair1")]
    assert min(ends) > 12 * MSEC, "each waits for the other: nothing is to spare"
    table, own = timetable.make("beside", 1, 10), timetable.make_host("beside", 10)
    assert not table.pins and table.cpus == own.cpus == 1 and own.length == table.length + 500 * MSEC
    assert [burst.usec for burst in own.bursts.values()] == list(range(0, own.length - 15 * MSEC, 16 * MSEC))
    assert {burst.usec % (16 * MSEC) // 100 for burst in of_task(table, "guest")} <= set(range(8, 15))
    assert [len(one) for one in stretches_of(of_task(table, "guest"))] == [16] * len(halves[0])
    works = {burst.work for burst in own.bursts.values()} | {burst.work for burst in of_task(table, "guest")}
    assert works == {8 * MSEC}


def test_steady():
    table = timetable.make("steady", 1, 10)
    shares = {table.names[task]: sum(burst.work for burst in table.bursts.values() if burst.task == task) / table.length
              for task in range(4)}
    for name, share in (("thirty", 0.3), ("fortyfive", 0.45), ("sixty", 0.6), ("twenty", 0.2)):
        near(shares[name], share, 0.002, name)
        assert len({b.usec - a.usec for a, b in zip(of_task(table, name), of_task(table, name)[1:])}) == 1
    assert [place[1:] for place in table.places] == [(0, 0), (1, 1), (2, 2), (3, 3)]


def test_bad_timetables():
    good = ["# x", "cpus 2", "length 1000", "task 0 a", "place 0 0 0", "burst 5 10 0 100 0", "chain 6 5 0 0 1 0"]
    assert plan.read(good).comments == ["x"] and plan.read(good).pins == {}
    pinned = plan.read(good[:2] + ["pin 1 0"] + good[2:])
    assert pinned.pins == {1: 0} and plan.read(pinned.lines()).pins == {1: 0}
    for number, line in ((1, "cpus 0"), (2, "length x"), (3, "task 1 a"), (4, "place 5 0 0"), (4, "place 0 0 2"),
                         (4, "place 0 1 0"), (5, "burst 5 10 1 100 0"), (5, "burst 5 10 0 0 0"), (5, "burst 5 10 0 100"),
                         (6, "chain 6 7 0 0 1 0"), (6, "burst 5 10 0 100 0"), (6, "burst 7 9 0 1 0"), (3, "task 0"),
                         (0, "what"), (4, ""), (0, "pin 2 0"), (0, "pin 0 64"), (0, "pin 0")):
        raises(plan.PlanError, plan.read, good[:number] + [line] + good[number + 1:])


def test_where():
    table = plan.read(["cpus 3", "length 100", "task 0 a", "place 0 0 0", "place 10 0 2", "place 30 0 1"])
    where = plan.Where(table)
    assert [where.at(0, usec) for usec in (-5, 0, 9, 10, 29, 30, 99)] == [0, 0, 0, 2, 2, 1, 1]
    assert where.spans(0, 5, 50) == [(5, 10, 0), (10, 30, 2), (30, 50, 1)]
    assert where.spans(0, 12, 20) == [(12, 20, 2)] and where.spans(0, -5, 3) == [(-5, 3, 0)]


# -- what a guest's scheduler does with them

class Log(schedule.Listener):
    def __init__(self):
        self.seen = []

    def moves(self, usec, task, cpu):
        self.seen.append((usec, "moves", task, cpu))

    def switches(self, usec, cpu, prev, sleeps, next_):
        self.seen.append((usec, cpu, prev, "sleeps" if sleeps else "", next_))


def run_of(*lines):
    log = Log()
    run = schedule.Run(plan.read(["cpus 2", "length 100000", "task 0 a", "task 1 b", "place 0 0 0", "place 0 1 0",
                                  *lines]), log)
    while run.next_usec() is not None:
        run.step()
    return run, log.seen


def test_turns():
    """Two that share a CPU take turns of 3 ms; a third burst queues behind the first task's own."""
    run, seen = run_of("burst 0 0 0 5000 0", "burst 1 1000 1 4000 0", "burst 2 2000 0 1000 0")
    # a 0-3, b 3-6, a 6-9 (its second burst is what is left), b 9-10
    assert run.done == {0: (0, 8000), 2: (2000, 9000), 1: (1000, 10000)}, run.done
    assert seen == [(0, 0, None, "", 0), (3000, 0, 0, "", 1), (6000, 0, 1, "", 0), (9000, 0, 0, "sleeps", 1),
                    (10000, 0, 1, "sleeps", None)], seen
    assert run.busy_usec(0, 10000) == 10000 and run.busy_usec(1, 10000) == 0


def test_chains_and_places():
    run, seen = run_of("burst 0 0 0 4000 0", "place 1000 0 1", "place 2000 1 1", "chain 1 0 500 1 100 0")
    assert run.done == {0: (0, 4000), 1: (4500, 4600)}
    # the one that runs goes at once, the one that sleeps when it wakes
    assert [event for event in seen if "moves" in event] == [(1000, "moves", 0, 1), (4500, "moves", 1, 1)], seen
    assert [cpu.busy for cpu in run.cpus] == [1000, 3100]
    # from one burst to the next without a pause, and to another CPU
    run, seen = run_of("burst 0 0 0 1000 0", "burst 1 1000 0 500 0")
    assert seen == [(0, 0, None, "", 0), (1500, 0, 0, "sleeps", None)], seen
    run, seen = run_of("burst 0 0 0 1000 0", "place 1000 0 1", "burst 1 1000 0 500 0")
    assert [cpu.busy for cpu in run.cpus] == [1000, 500] and (1000, "moves", 0, 1) in seen, seen


# -- the kernel's numbers of it

class Watch(reports.Kernel):
    """Notes them at some moments."""

    def __init__(self, cpus, moments):
        super().__init__(cpus, (6, 12), [guestd.Record() for _cpu in range(cpus)])
        self.left, self.seen = sorted(moments), {}

    def settled(self, usec, cpus):
        super().settled(usec, cpus)
        while self.left and self.left[0] <= usec:
            moment = self.left.pop(0)
            assert moment == usec, "ask for moments at which something happens"
            self.seen[moment] = [self.values(usec, cpu) for cpu in range(len(self.running))]


def kernel_at(table, moments):
    watch = Watch(table.cpus, moments)
    run = schedule.Run(table, watch)
    while run.next_usec() is not None:
        run.step()
    return watch.seen


def duty(work, period, count, more=()):
    lines = ["cpus 2", "length 9000000", "task 0 a", "task 1 b", "place 0 0 0", "place 0 1 1"]
    timed = [(at * period, "burst %d %d 0 %d 0" % (at, at * period, work)) for at in range(count)]
    timed += [(int(line.split()[1 if line.startswith("place") else 2]), line) for line in more]
    return plan.read(lines + [line for _usec, line in sorted(timed, key=lambda pair: pair[0])])


def test_utilization():
    """A task's utilization is its work by time; around it the ripple of a 32 ms half-life."""
    fade = [0.5 ** (msec / HALF_LIFE_MSEC) for msec in (11.2, 4.8)]
    high = 1024 * (1 - fade[0]) / (1 - fade[0] * fade[1])
    seen = kernel_at(duty(11200, 16000, 100), (99 * 16000, 99 * 16000 + 11200))
    (low_avg, low_est), (high_avg, high_est) = seen[99 * 16000][0], seen[99 * 16000 + 11200][0]
    near(high_avg, high, 6, "at a burst's end")
    near(low_avg, high * fade[1], 6, "at its begin")
    near(low_est, high, 6, "util_est: what it was when it slept")
    assert high_est == 0, "and counts while it is enqueued"


def test_migration_takes_it_along():
    move = 99 * 16000 + 6000
    seen = kernel_at(duty(11200, 16000, 101, ["place %d 0 1" % move]), (98 * 16000 + 11200, move, 100 * 16000))
    fade = 0.5 ** (4.8 / HALF_LIFE_MSEC)
    rise = 0.5 ** (6 / HALF_LIFE_MSEC)
    before = seen[98 * 16000 + 11200][0][0]
    near(seen[move][1][0], before * fade * rise + 1024 * (1 - rise), 6, "all of it is on the new CPU")
    assert seen[move][0][0] <= 4, "and none on the old"
    near(seen[100 * 16000][1][1], before, 8, "its util_est, too")
    assert seen[100 * 16000][0] == (seen[100 * 16000][0][0], 0)


def test_sleeper_moves_when_it_wakes():
    wake = 60 * 16000
    seen = kernel_at(duty(11200, 16000, 61, ["place %d 0 1" % (wake - 2000), "burst 900 %d 1 10 0" % (wake - 1000)]),
                     (wake - 1000, wake))
    assert seen[wake - 1000][0][0] > 600 and seen[wake - 1000][1][0] < 10, seen
    assert seen[wake][0][0] < 10 and seen[wake][1][0] > 600, seen


# -- guestd

def test_constants():
    """They are guestd's."""
    def number(file, pattern):
        found = re.search(pattern, (SOURCES / "guestd" / file).read_text())
        assert found, pattern
        return int(found.group(1))
    assert guestd.LEAST == number("reporter.h", r"REPORTER_LEAST_1024 (\d+)U")
    assert guestd.RISE_USEC == 1000 * number("pelt_estimate.c", r"RISE_USEC\s+\((\d+) \* USEC_PER_MSEC")
    assert guestd.FALL_USEC == 1000 * number("pelt_estimate.c", r"FALL_USEC\s+\((\d+) \* USEC_PER_MSEC")
    assert guestd.SATURATED == number("pelt_step.h", r"PELT_STEP_SATURATED1024 (\d+)U")
    assert guestd.SATURATED == number("estimate.c", r"SATURATED_1024 (\d+)U")
    assert guestd.QUIET_SAMPLES == number("guest.c", r"QUIET_SAMPLES (\d+)U")
    assert guestd.ACTIVE_PART == number("estimate.c", r"ACTIVE_PART (\d+)")
    for value, key, unit in ((guestd.LEASE_USEC, "lease", "ms"), (guestd.INTERVAL_USEC, "interval", "ms"),
                             (guestd.IDLE_INTERVAL_USEC, "idle_interval", "ms"), (guestd.WINDOW_USEC, "window", "ms")):
        assert value == 1000 * number("guest_config.c", r'KEY\("%s", [^"]*"(\d+)%s"' % (key, unit)), key
    assert guestd.STEP == (1024 * number("guest_config.c", r'KEY\("step", [^"]*"(\d+)%"') + 50) // 100


def put(reporter, *demands):
    for cpu, demand in enumerate(demands):
        reporter.put(cpu, guestd.Estimate(demand, demand, 1))


def test_reporter():
    """tests/unit/test-reporter.c has guestd's own; the same rules, by hand."""
    reporter = guestd.Reporter(2)
    put(reporter, 0, 0)
    assert reporter.report(0) == [(0, 0, 0, 1), (1, 0, 0, 1)] and reporter.report(1) is None
    put(reporter, 101, 0)
    assert reporter.report(2) is None, "less than a tenth is nothing"
    put(reporter, 102, 6)
    assert reporter.report(3) == [(0, 102, 102, 1)]
    put(reporter, 132, 0)
    assert reporter.report(4) is None, "30 up"
    put(reporter, 133, 200)
    assert [record[:2] for record in reporter.report(5)] == [(0, 133), (1, 200)]
    put(reporter, 133 - 61, 200 - 7)
    assert reporter.report(6) is None, "61 down"
    put(reporter, 133 - 62, 200 - 7)
    assert [record[:2] for record in reporter.report(7)] == [(0, 71), (1, 193)], "a quarter step goes along"
    put(reporter, 51, 193)
    assert reporter.report(8) is None, "half of a tenth: still something"
    put(reporter, 50, 193)
    assert reporter.report(9) == [(0, 0, 0, 1)], "the explicit zero"
    put(reporter, 50, 193)
    assert reporter.report(9 + 199_999) is None
    assert reporter.report(9 + 200_000) == [], "the lease is renewed"
    put(reporter, 0, 1020)
    assert [record[:2] for record in reporter.report(300_000)] == [(1, 1020)]
    put(reporter, 0, 1024)
    assert reporter.report(300_001)[0][2] == 1024, "the last step up may be a small one"


def test_ringing():
    record = guestd.Record()
    record.idle, record.sent, record.avg = None, 200, 230
    assert not record.rings(1000), "30 up"
    record.avg = 231
    assert record.rings(1000) and not record.rings(9000), "once, until guestd has looked"
    record.waiting, record.sent, record.avg = False, 231, 262
    assert not record.rings(4990) and record.rings(5000), "4 ms later"
    record.waiting, record.avg = False, 231 - 62
    assert not record.rings(24_990) and record.rings(25_000), "a fall can wait for 20 ms"
    record.waiting, record.sent = False, 0
    record.avg = 101
    assert not record.rings(99_000)
    record.sent, record.avg = 400, 400
    assert record.falls_in(0) == 50_000, "half it is sooner"
    record.avg = 800
    near(record.falls_in(0), 2 * HALF_LIFE_MSEC * 1000, 1100, "when it would have fallen to half, were it idle")
    record.idle = record.stamp = 0
    near(record.falls_in(0), 2 * HALF_LIFE_MSEC * 1000, 1100, "when it has fallen to half")
    assert record.settled(33554).avg == 400


def peak_at(msec):
    """Of who runs from nothing on."""
    return 1024 * (1 - 0.5 ** (msec / HALF_LIFE_MSEC))


def test_ebpf_reports():
    found = reports.simulate(duty(30000, 1000000, 2))
    assert found[0] == (0, [(0, 0, 0, 0), (1, 0, 0, 0)])
    first = [(usec, records[0]) for usec, records in found if usec < 500_000 and records[0][1] > 0]
    # ticks of 4 ms: the first at which 102 is passed; a rise of at most 22 per ms
    usec, (cpu, avg, demand, runnable) = first[0]
    assert usec == 8000 and cpu == 0 and 102 <= avg == demand <= 176 and runnable == 1, first
    # The last tick is at 28 ms; what comes after is less than a step.
    near(max(record[1] for _usec, record in first if _usec <= 28_000), peak_at(28), 12, "the most")
    # Its going idle wakes nobody: it is looked at 50 ms after the look before.
    falls = [(usec, records[0][2]) for usec, records in found if 28_000 < usec < 500_000]
    near(falls[0][0], 28_000 + 50_000, 10, "the first look after it has gone idle")
    near(falls[0][1], peak_at(30) * 0.5 ** (48 / HALF_LIFE_MSEC), 12, "what is left by then")
    assert len(falls) in (2, 3) and falls[-1][1] == 0, falls
    zeros = [usec for usec, records in found if usec > 1000 and records[0][2] == 0]
    assert len(zeros) == 2, found
    again = [(usec, records[0]) for usec, records in found if usec >= 1_000_000]
    near(again[0][1][2], peak_at(30), 6, "util_est, as soon as it wakes")
    assert again[0][0] == 1_000_000
    # 30 ms after that it sleeps, and fades
    for usec, record in again[1:-1]:
        near(record[2], peak_at(30) * 0.5 ** ((usec / 1000 - 1030) / HALF_LIFE_MSEC), 6, "it fades")
    assert [usec for usec, _record in again[1:3]] == [1_050_000, 1_100_000], "each 50 ms"
    # half of 102 is reached from 473 after 33.55 ms x log2(473 / 50); it is seen by the look after
    near(zeros[1], 1_030_000 + HALF_LIFE_MSEC * 1000 * 3.24 + 25_000, 26_000, "the explicit zero")


def test_move_is_reported_at_once():
    move = 60 * 16000 + 4300            # in the same period as the last tick
    found = dict(reports.simulate(duty(11200, 16000, 62, ["place %d 0 1" % move])))
    records = {record[0]: record for record in found[move]}
    assert records[1][1] > 650 and records[0][2] == 0, records


def test_renewals():
    """A demand that doesn't change: a report each 200 ms."""
    found = reports.simulate(duty(3_000_000, 4_000_000, 1))
    steady = [(usec, records) for usec, records in found if 400_000 < usec < 2_900_000]
    assert all(len(records) == 1 and records[0][1] > 1000 for _usec, records in steady)
    gaps = {b - a for (a, _x), (b, _y) in zip(steady, steady[1:])}
    assert gaps == {200_000}, gaps


def test_proc_averages():
    """A half-life of work, and one of rest: the peak falls at half the speed."""
    sampled, half = guestd.Sampled(), guestd.HALF_LIFE_USEC
    sampled.advance(half, half)
    near(sampled.util, 512, 0.01, "half of all")
    sampled.advance(half, 0)
    near(sampled.util, 256, 0.01, "half of that")
    near(sampled.peak, 512 * 0.5 ** 0.5, 0.01, "the peak")
    sampled.advance(10_000, 5_000)
    near(sampled.share(), 256, 1, "of 20 ms")


def test_proc_reports():
    found = reports.simulate(duty(30000, 1000000, 2), "proc")
    rises = [(usec, records[0]) for usec, records in found if usec < 200_000 and records[0][2] > 0]
    assert rises[0][0] % 10_000 == 0 and rises[0][0] <= 20_000 and rises[0][1][3] == 65535, rises
    # 10 of the window's 20 ms, and then all of them
    assert rises[0][1][2] == 512 and max(record[2] for _usec, record in rises) == 1024, rises
    sampler = guestd.Sampler(1)
    usecs = []
    for _turn in range(60):
        usecs.append(sampler.next_usec)
        sampler.sample(sampler.next_usec, [(0, 0)])
    assert usecs[:3] == [0, 10_000, 20_000] and usecs[-1] - usecs[-2] == 250_000, usecs


class Recorded(reports.Kernel):
    """Writes down what replay.c wants to know."""

    lines = []

    def look(self, usec, cpu):
        before, moved = self.periods[cpu], cpu in self.moved
        super().look(usec, cpu)
        if moved or self.periods[cpu] != before:
            record = self.records[cpu]
            self.lines.append("seen %d %d %d %d %d" % (usec, cpu, record.avg, record.est, record.runnable))

    def settled(self, usec, cpus):
        were = [record.idle is None for record in self.records]
        super().settled(usec, cpus)
        for cpu, (was, record) in enumerate(zip(were, self.records)):
            if was != (record.idle is None):
                self.lines.append("%s %d %d" % ("idle" if was else "busy", usec, cpu))
        if usec % 4000:                 # else the tick comes yet
            self.lines.append("moment %d" % usec)

    def tick(self, usec):
        super().tick(usec)
        self.lines.append("moment %d" % usec)


def replayed(program, table):
    """What guestd's own files make of a timetable, and what guestd.py does: two lists of lines. Renewals without a
    record are left out of both."""
    Recorded.lines.clear()
    kernel, reports.Kernel = reports.Kernel, Recorded
    try:
        mine = reports.simulate(table)
    finally:
        reports.Kernel = kernel
    text = "\n".join([*Recorded.lines, "moment %d" % (mine[-1][0] + 1), ""])
    theirs = subprocess.run([program, str(table.cpus)], input=text, stdout=subprocess.PIPE, check=True,
                            text=True).stdout.splitlines()
    empty = {int(line.split()[0]) for line in theirs if line.endswith("-")}
    return ([line for line in theirs if not line.endswith("-")],
            ["%d %d %d %d %d" % (usec, *record) for usec, records in mine if usec not in empty for record in records])


def test_guestd_itself():
    """replay is made of guestd's own files: to the last record the same reports."""
    program = pathlib.Path("tests/bench/dvfs/replay").resolve()
    if not pathlib.Path("config.status").exists():      # not in a build directory
        return
    for load in timetable.LOADS:
        theirs, mine = replayed(program, timetable.make(load, 3, 10))
        assert len(mine) > 100 and theirs == mine, (load, [pair for pair in zip(theirs, mine) if pair[0] != pair[1]][:3])
    theirs, mine = replayed(program, duty(3_000_000, 4_000_000, 1))
    assert theirs == mine and len(mine) < 40


def test_programs(directory):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert timetable.main(["swap", "5", "--seconds", "2"]) == 0
    path = directory / "plan.timetable"
    path.write_text(out.getvalue())
    texts = []
    for delay in ("0", "2.5"):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            assert reports.main([str(path), "--delay", delay]) == 0
        texts.append([line.split() for line in out.getvalue().splitlines() if not line.startswith("#")])
    assert len(texts[0]) > 20 and [int(words[0]) for words in texts[0]] == [int(words[0]) - 2500 for words in texts[1]]
    for words in texts[0]:
        _usec, cpu, avg, demand, runnable = map(int, words)
        assert cpu in (0, 1) and 0 <= avg <= demand <= 1024 and runnable <= 2
    path.write_text("cpus 0\n")
    raises(plan.PlanError, reports.main, [str(path)])
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert timetable.main(["beside", "5", "--seconds", "2", "--host"]) == 0
    assert plan.read(out.getvalue().splitlines()).names == ["host"]
    with contextlib.redirect_stderr(io.StringIO()):
        raises(SystemExit, timetable.main, ["swap", "5", "--host"])
