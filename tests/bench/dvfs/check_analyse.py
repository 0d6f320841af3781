# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks what is made of runs, by made-up ones whose figures are known: part of check.py."""
import contextlib
import io

import analyse
import draw
import ftrace
import measured
import plan
import schedule
import stats
import svg
import tables
import timetable
import tracks
from checks import Trace, near, raises

MSEC, SEC = 1000, 1_000_000
START = 10 * SEC                   # the timetable's begin, by the trace's clock
GHZ = 1_000_000                    # kHz
A, B, OTHER = 100, 101, 50         # threads
MODEL = "cpus 0-1\n2000000 400000\n1000000 100000\n"


# -- numbers

def test_stats():
    assert stats.median([3, 1, 2]) == 2 and stats.median([4, 1, 2, 3]) == 2.5 and stats.median([]) is None
    assert stats.quantile(range(1, 101), 0.95) == 95 and stats.quantile([7], 0.95) == 7
    # ten of ten: 2 / 2^10; eight of ten: 2 (1 + 10 + 45) / 1024
    assert stats.sign_test([(1, 2)] * 10) == (10, 0, 2 / 1024)
    assert stats.sign_test([(1, 2)] * 8 + [(2, 1)] * 2) == (8, 2, 112 / 1024)
    assert stats.sign_test([(1, 2)] * 3 + [(2, 1)] * 3 + [(1, 1)] * 5) == (3, 3, 1.0)
    assert stats.sign_test([(5, 5)] * 4) == (0, 0, 1.0)


def test_steps():
    steps = tracks.Steps()
    steps.add(10, "a")
    steps.add(20, "b")
    assert steps.pieces(5, 25) == [(5, 10, None), (10, 20, "a"), (20, 25, "b")]
    assert steps.pieces(20, 22) == [(20, 22, "b")] and steps.pieces(12, 20) == [(12, 20, "a")]
    assert steps.pieces(3, 3) == [] and tracks.Steps().pieces(1, 2) == [(1, 2, None)]


def test_energy_model():
    model = tracks.EnergyModel(["cpus 0-1,5", "1000 7", "2000 9", "", "# x", "cpus 2", "500 1"])
    assert model.domains == [[0, 1, 5], [2]] and [model.domain(cpu) for cpu in (5, 2, 9)] == [0, 1, None]
    assert model.top(1) == 2000 and model.top(2) == 500
    assert [model.power_at(0, khz) for khz in (400, 1000, 1001, 2000, 3000)] == [7, 7, 9, 9, 9]


def test_tracks():
    """What ran when the trace began and what runs when it ends counts, too."""
    trace = Trace(2, 1000)
    trace.lines = trace.lines[:3]                   # of CPU 1 nothing is known
    trace.on[1] = (7, 120)
    trace.runs(5000, 1, 8)
    trace.migrates(6000, 1, 0, pid=9)
    trace.names[8] = "CPU 0/KVM"
    trace.runs(7000, 1, 8, left="R")
    trace.frequency(9000, 0, 5)
    found = tracks.read(trace.text(), [5, 6])
    assert [(piece.begin, piece.end, piece.cpu, piece.pid) for piece in found.slices] == [
        (1000, 5000, 1, 7), (5000, 7000, 1, 8), (7000, 9000, 1, 8)]
    assert found.names[8] == "CPU 0/KVM" and found.moves == {9: [(6000, 1, 0)]} and found.cpus == {0, 1}
    assert found.frequency(1).pieces(1, 2) == [(1, 2, 6)]
    raises(ftrace.TraceError, tracks.read, ["# nothing"])


# -- a native run, by hand

TABLE = ["cpus 2", "length 3000000", "task 0 A", "task 1 B", "place 0 0 0", "place 0 1 1",
         "burst 2 500000 0 100 16000", "burst 0 1000000 0 6000 16000", "burst 4 1000000 1 1000 0",
         "burst 1 1016000 0 12000 16000", "burst 3 2000000 0 100 16000", "burst 5 2990000 0 100 16000"]
BURSTS = ["# native: by hand", "start %d" % START, "thread 0 %d" % A, "thread 1 %d" % B,
          "burst 2 0 0 500000 500000 900000 100", "burst 0 0 1 1000000 1000500 1010500 6000",
          "burst 4 1 1 1000000 1000000 1000500 1000", "burst 1 0 1 1016000 1016000 1040000 12000"]


def native_trace():
    """A: 3 ms at 1 GHz and 3 at 2 on CPU 0, 1 ms of somebody else, 3 ms at 1 GHz on CPU 1, and then 24 more there.
    B: half a ms at 1 GHz on CPU 1."""
    trace, zero = Trace(begin=START - SEC), START + SEC
    trace.frequency(START - 1, 0, GHZ)
    trace.busy(START + 500 * MSEC, START + 900 * MSEC, 0, A)      # before the window
    trace.busy(zero, zero + 500, 1, B)
    trace.runs(zero + 500, 0, A)
    trace.frequency(zero + 3500, 0, 2 * GHZ)
    trace.runs(zero + 6500, 0, OTHER, left="R")
    trace.idles(zero + 7500, 0)
    trace.migrates(zero + 7500, 0, 1, A)
    trace.runs(zero + 7500, 1, A)
    trace.idles(zero + 10500, 1)
    trace.busy(zero + 12000, zero + 13000, 0, A)                  # at work on nothing
    trace.busy(zero + 16000, zero + 40000, 1, A)
    return trace.text(START + 3 * SEC)


def write_run(directory, name, trace, setting="native", repeat=1, table=tuple(TABLE), bursts=tuple(BURSTS), **more):
    run = directory / name
    run.mkdir()
    meta = {"load": "by-hand", "seed": 1, "carrier": "native" if setting == "native" else "threads",
            "setting": setting, "repeat": repeat, "kernel": "7.3", "shape": "four", "khz": "%d %d" % (GHZ, GHZ)}
    meta.update(more)
    (run / "meta").write_text("".join("%s %s\n" % item for item in meta.items()))
    (run / "plan.timetable").write_text("\n".join(table) + "\n")
    (run / "x.bursts").write_text("\n".join(bursts) + "\n")
    (run / "x.trace").write_text("\n".join(trace) + "\n")
    (run / "energy_model").write_text(MODEL)
    return run


def holds(figures, **wanted):
    for key, value in wanted.items():
        key = key.replace("_", ".")
        near(figures[key], value, abs(value) * 1e-4, key)


def test_native(directory):
    found = measured.Run(write_run(directory, "a", native_trace())).figures()
    # the burst at 0.5 s is before the window; one is late, two never ended, of which one had until after it
    holds(found, A_burst=(10.5 + 24) / 2, A_burst95=24, A_begun=(10 + 24) / 2, A_missed=2, A_due=3, A_over=1, A_timed=2, B_burst=0.5,
          lost=2)
    assert "B.due" not in found and "whole" not in found
    # 3 + 3 + 24 ms at 1 GHz and 3 at 2; in work 1.5 + 1.5 + 12 and 3
    holds(found, A_mhz=(30 + 6) / 33 * 1000, A_mhz_work=(15 + 6) / 18 * 1000, A_speed=18 / 33 * 1024, B_mhz=1000)
    # 100 mW at 1 GHz, 400 at 2: A 30.5 ms and 3 ms while at work, 1 ms more at 2 GHz; somebody else's is apart
    own = 0.1 * 30 + 0.4 * 3 + 0.1 * 0.5 + 0.4 * 1
    near(found["energy"], own, 1e-6, "energy")
    near(found["energy.all"], own + 0.4, 1e-6, "of all")
    near(found["busy"], 100 * 34.5 / 2000 / 2, 1e-6, "busy")
    assert found["A.moves"] == 1 and found["B.moves"] == 0 and found["A.on.0"] == 100 and found["unknown"] == 0


def test_capacities_and_domains(directory):
    run = write_run(directory, "a", native_trace(), capacities="1024 512")
    (run / "energy_model").write_text("cpus 0\n1000000 100000\n2000000 400000\ncpus 1\n1000000 50000\n")
    found = measured.Run(run).figures()
    # CPU 1 tops at 1 GHz with half of the other's capacity: 27 ms at 512, 3 at 512 and 3 at 1024
    holds(found, A_speed=(30 * 512 + 3 * 1024) / 33, A_on_0=600 / 33, A_on_1=2700 / 33)
    near(found["energy"], 0.1 * 3 + 0.4 * 4 + 0.05 * 27.5, 1e-6, "energy")


def test_unknown_frequency(directory):
    found = measured.Run(write_run(directory, "a", native_trace(), khz=str(GHZ))).figures()
    near(found["unknown"], 27.5, 1e-6, "CPU 1's")
    holds(found, A_mhz=1500)
    assert "B.mhz" not in found


# -- vCPU threads

VM_TABLE = ["cpus 2", "length 2000000", "task 0 A", "task 1 B", "place 0 0 0", "place 0 1 0", "place 1008000 0 1",
            "burst 0 1000000 0 5000 16000", "burst 1 1000000 1 3000 16000"]
VM_BURSTS = ["start %d" % START, "burst 0 0 1 1000000 1000000 1010000 5000",
             "burst 1 1 0 1000000 1000000 1006000 3000"]


def vm_trace(names=("CPU 0/KVM", "CPU 1/KVM")):
    trace, zero = Trace(begin=START - SEC), START + SEC
    trace.names = {200: names[0], 201: names[1]}
    trace.busy(zero, zero + 8000, 0, 200)
    trace.frequency(zero + 2000, 0, 2 * GHZ)
    trace.busy(zero + 8000, zero + 10000, 1, 201)
    return trace.text(START + 2 * SEC)


def test_vcpus_share(directory):
    """Two tasks of one vCPU have half of its time each; one goes to the other vCPU in the middle of its burst."""
    found = measured.Run(write_run(directory, "a", vm_trace(), "with", table=VM_TABLE, bursts=VM_BURSTS)).figures()
    # A: half of 2 ms at 1 GHz, half of 4 and all of 2 at 2, and 2 at 1 on CPU 1; B: 1 and 2 ms
    holds(found, A_mhz=(3 + 8) / 7 * 1000, B_mhz=5 / 3 * 1000, A_burst=10, B_burst=6)
    assert found["vcpus.moves"] == 0 and found["floors"] == 0
    near(found["energy"], 0.1 * 2 + 0.4 * 6 + 0.1 * 2, 1e-6, "energy")


def test_lanes(directory):
    """Threads are known by the log or by QEMU's names."""
    text = vm_trace(("carrier", "carrier"))
    run = write_run(directory, "a", text, "with", table=VM_TABLE, bursts=VM_BURSTS)
    assert "which thread is vCPU 0?" in raises(measured.RunError, measured.Run(run).figures)
    run = write_run(directory, "b", text, "with", table=VM_TABLE, bursts=VM_BURSTS + ["thread 0 200", "thread 1 201"])
    holds(measured.Run(run).figures(), B_mhz=5 / 3 * 1000)
    run = write_run(directory, "c", vm_trace(("CPU 0/TCG", "CPU 0/TCG")), "with", table=VM_TABLE, bursts=VM_BURSTS)
    assert "two threads" in raises(measured.RunError, measured.Run(run).figures)


# -- what hostd wrote

def test_writes(directory):
    """A floor and a ceiling of one moment are one write; two vCPUs are apart; exactly 4 ms are allowed."""
    def most(*lines, load="by-hand"):
        (run / "writes").write_text("".join("%d %d %s 100\n" % (START + usec, vcpu, kind) for usec, vcpu, kind in lines))
        (run / "meta").write_text((run / "meta").read_text().replace("load by-hand", "load " + load))
        return measured.Run(run).figures()
    run = write_run(directory, "a", vm_trace(), "with", table=VM_TABLE, bursts=VM_BURSTS)
    assert measured.Run(run).figures()["writes.most"] == most()["writes.most"] == 0
    assert most((5, 0, "min"), (5, 0, "max"))["writes.most"] == 1
    assert most((5, 0, "min"), (5, 0, "min"), (5, 0, "max"))["writes.most"] == 2
    assert most((5, 0, "min"), (4004, 0, "max"))["writes.most"] == 2
    assert most((5, 0, "min"), (4005, 0, "max"))["writes.most"] == 1
    assert most((5, 0, "min"), (6, 1, "min"), (7, 2, "min"))["writes.most"] == 1
    # 0, 3, 5 and 6.9 ms: three of them within 4
    found = most((0, 1, "min"), (3000, 1, "min"), (5000, 1, "max"), (5000, 1, "min"), (6900, 1, "min"), (6900, 0, "min"))
    assert found["writes.most"] == 3 and found["floors"] == 0 and "writes.steady" not in found
    # of steady they count from 2 s to the end: here the end is at 2 s
    found = most((1_999_999, 0, "min"), (2_000_000, 1, "max"), load="steady")
    assert found["floors"] == 1 and found["writes.steady"] == 0
    (run / "plan.timetable").write_text("\n".join(VM_TABLE).replace("length 2", "length 3"))
    found = most((1_999_999, 0, "min"), (2_000_000, 1, "max"), (2_000_000, 1, "min"), (2_500_000, 1, "min"),
                 (2_600_000, 0, "min"), (3_000_000, 0, "min"))
    assert found["writes.steady"] == 3 / 2 and found["writes.most"] == 1, found


def test_the_hosts_own(directory):
    """What the host does by itself on the VM's CPU is measured beside it. It may have begun at another moment."""
    run = write_run(directory, "a", beside_trace(), "with", table=VM_TABLE, bursts=VM_BURSTS)
    alone = measured.Run(run).figures()
    (run / "host.timetable").write_text("cpus 1\nlength 9000000\ntask 0 host\nplace 0 0 0\nburst 0 1400000 0 1000 9000\n"
                                        "burst 1 1512000 0 3000 5000\nburst 2 2400000 0 5 5000\nburst 3 8000000 0 5 5000\n")
    (run / "host.bursts").write_text("start %d\nthread 0 %d\nburst 0 0 0 1400000 1400000 1400500 1000\n"
                                     "burst 1 0 0 1512000 1512500 1518000 3000\nburst 3 0 0 8000000 8000000 8000005 5\n" % (
                                         START - 500 * MSEC, OTHER))
    both = measured.Run(run).figures()
    # its first burst was before the window and its last after it; one was late, and one never ended
    holds(both, host_burst=6, host_begun=5.5, host_missed=2, host_due=2, host_mhz=2000, host_speed=1024)
    assert both["host.moves"] == 0
    # 5.5 ms at 2 GHz, and 3 ms of work in it
    near(both["energy"] - alone["energy"], 0.4 * 5.5, 1e-6, "energy")
    near(both["energy.all"], alone["energy.all"], 1e-9, "of all")
    work = alone["energy"] / alone["energy.work"] * 1e6
    near(both["energy"] / both["energy.work"] * 1e6, work + 3000, 1e-3, "counted")
    can = work / alone["counted"]
    near(both["counted"], (work + 3000) / (can + 5500), 1e-9, "by what can have been done")
    for key in alone:
        assert key in ("energy", "energy.work", "counted", "busy") or both[key] == alone[key], key
    (run / "host.timetable").write_text((run / "host.timetable").read_text().replace("task 0 host", "task 0 B"))
    assert "both called B" in raises(measured.RunError, measured.Run(run).figures)


def beside_trace():
    trace, zero = Trace(begin=START - SEC), START + SEC
    trace.names = {200: "CPU 0/TCG", 201: "CPU 1/TCG"}
    trace.busy(zero, zero + 8000, 0, 200)
    trace.frequency(zero + 2000, 0, 2 * GHZ)
    trace.busy(zero + 8000, zero + 10000, 1, 201)
    trace.busy(zero + 12500, zero + 18000, 0, OTHER)
    return trace.text(START + 2 * SEC)


def test_bad_runs(directory):
    run = write_run(directory, "a", native_trace(), setting="whatever")
    assert "setting" in raises(measured.RunError, measured.Run, run)
    (run / "meta").write_text("load x\n")
    assert "carrier" in raises(measured.RunError, measured.Run, run)
    run = write_run(directory, "b", native_trace(), bursts=BURSTS[2:])
    assert "start" in raises(measured.RunError, measured.Run(run).figures)
    run = write_run(directory, "c", native_trace())
    (run / "y.bursts").write_text("start 1\n")
    assert "2 files" in raises(measured.RunError, measured.Run(run).figures)
    run = write_run(directory, "d", native_trace())
    (run / "energy_model").write_text("cpus 0\n1000 1\n")
    assert "no CPU 1" in raises(measured.RunError, measured.Run(run).figures)
    run = write_run(directory, "e", native_trace() + ["CPU:0 [LOST 5 EVENTS]"])
    raises(ftrace.TraceError, measured.Run(run).figures)
    twice = measured.Run(write_run(directory, "f", native_trace()))
    assert "already" in raises(measured.RunError, tables.collect, [(twice, {}), (twice, {})], "emulated")


# -- chains

def test_chains(directory):
    """A chain's time is from its first release to its last end; one that isn't done by its limit is late."""
    table = ["cpus 2", "length 3000000", "task 0 A", "place 0 0 0", "burst 0 1000000 0 1000 0",
             "burst 3 1100000 0 1000 0", "burst 6 2980000 0 1000 0", "chain 1 0 500 0 1000 2000", "chain 2 0 0 0 1000 0",
             "chain 4 3 500 0 1000 2000", "chain 7 6 500 0 1000 2000"]
    bursts = ["start %d" % START, "thread 0 %d" % A, "burst 0 0 0 1000000 1000000 1001000 1000",
              "burst 2 0 0 1001000 1001000 1017000 1000", "burst 1 0 0 1001500 1017000 1018000 1000",
              "burst 3 0 0 1100000 1100000 1101000 1000", "burst 4 0 0 1101500 1101500 1103000 1000",
              "burst 6 0 0 2980000 2980000 2981000 1000"]
    trace = Trace(begin=START - SEC)
    trace.busy(START + SEC, START + SEC + 18000, 0, A)
    run = write_run(directory, "a", trace.text(START + 2 * SEC), table=table, bursts=bursts, load="ui")
    (run / "energy_model").write_text(MODEL)
    found = measured.Run(run).figures()
    # 18 and 3 ms, of which ui allows 16.7; the third never ended. Deadlines of 2 ms: 16.5 is late, 1.5 isn't
    holds(found, whole=10.5, whole95=18, whole_missed=2, whole_due=3, A_missed=2, A_due=3, lost=1)
    found = measured.Run(write_run(directory, "b", trace.text(START + 2 * SEC), table=table, bursts=bursts,
                                   load="other")).figures()
    assert "whole.due" not in found and found["whole"] == 10.5


# -- a whole run at full speed: what schedule.py says is what comes out

class Tracer(schedule.Listener):
    """Writes the trace and the log that a perfect carrier would leave."""

    def __init__(self, table, native, khz):
        self.trace, self.native = Trace(table.cpus, START - SEC), native
        for cpu in range(table.cpus):
            self.trace.frequency(START - 1, cpu, khz)
            if not native:
                self.trace.names[300 + cpu] = "CPU %d/TCG" % cpu

    def switches(self, usec, cpu, prev, sleeps, next_):
        pid = 0 if next_ is None else 100 + next_ if self.native else 300 + cpu
        self.trace.runs(START + usec, cpu, pid, left="S" if sleeps else "R")


def perfect(directory, name, load, native, khz=2 * GHZ, seconds=3, **more):
    table = timetable.make(load, 1, seconds)
    tracer = Tracer(table, native, khz)
    run = schedule.Run(table, tracer)
    while run.next_usec() is not None:
        run.step()
    bursts = ["start %d" % START] + ["burst %d %d 0 %d %d %d %d" % (
        id_, table.bursts[id_].task, released, released, ended, table.bursts[id_].work)
        for id_, (released, ended) in run.done.items()]
    if native:
        bursts += ["thread %d %d" % (task, 100 + task) for task in range(len(table.names))]
    path = write_run(directory, name, tracer.trace.text(START + (seconds + 1) * SEC), "native" if native else "without",
                     table=table.lines(), bursts=bursts, load=load, **more)
    (path / "energy_model").write_text(MODEL.replace("0-1", "0-3"))
    return path, table, run


def test_perfect_runs(directory):
    for load in timetable.LOADS:
        for native in (True, False):
            path, table, run = perfect(directory, "%s-%d" % (load, native), load, native)
            found = measured.Run(path).figures()
            assert found["lost"] == found["unknown"] == 0
            late = [value for key, value in found.items() if key.endswith(".missed")]
            assert not any(late), (load, late)
            for group in table.groups():
                holds(found, **{group + "_mhz": 2000, group + "_speed": 1024})
            # All of the work, but for that of the first second, at 400 mW
            before = sum(min(max(measured.SKIP_USEC - begin, 0), end - begin) for begin, end in busy_times(path))
            work = sum(burst.work for burst in table.bursts.values()) - before
            near(found["energy"], 0.4 * work / 1000, 1e-3, load)
            near(found["energy.all"], found["energy"], 1e-9, load)


def busy_times(path):
    with open(path / "x.trace") as file:
        return [(piece.begin - START, piece.end - START) for piece in tracks.read(file).slices]


# -- tables

def numbers_run(directory, name, setting, repeat, figures, **more):
    run = directory / name
    run.mkdir()
    meta = dict({"load": "swap", "carrier": "native" if setting == "native" else "threads", "setting": setting,
                 "repeat": repeat, "kernel": "7.3", "shape": "four"}, **more)
    (run / "meta").write_text("".join("%s %s\n" % item for item in meta.items()))
    (run / "figures").write_text("".join("%s %s\n" % item for item in figures.items()))
    return str(run)


def swap_figures(burst, missed, a_mhz, b_mhz, energy):
    return {"A.burst": burst, "A.burst95": burst + 1, "A.begun": burst, "A.missed": missed, "A.due": 200,
            "A.over": missed, "A.timed": 200, "A.mhz": a_mhz, "A.mhz.work": a_mhz,
            "B.burst": 4, "B.mhz": b_mhz, "energy": energy, "energy.work": energy / 2, "counted": 0.9,
            "energy.all": energy + 9, "busy": 40, "floors": 0, "ceilings": 0, "lost": 0, "unknown": 0}


def swap_runs(directory):
    runs = []
    for repeat in (1, 2, 3):
        runs.append(numbers_run(directory, "n%d" % repeat, "native", repeat,
                                swap_figures(11 + repeat / 10, 2, 2900, 700, 100)))
        runs.append(numbers_run(directory, "w%d" % repeat, "without", repeat,
                                dict(swap_figures(22 + repeat / 5, 40 + 2 * repeat, 2300, 2100, 200 + repeat),
                                     **{"writes.most": repeat - 1})))
    return runs


def tables_of_runs(arguments):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert analyse.main(arguments) == 0
    return out.getvalue().splitlines()


def tables_of(directory, *more):
    return tables_of_runs([*swap_runs(directory), *more])


def test_tables(directory):
    (directory / "bars").mkdir()
    lines = tables_of(directory, "--bars", str(directory / "bars"))
    assert lines[0] == "### swap: 7.3, four (emulated)" and "Medians of 3 repeats" in lines[2]
    assert "| task (emulated) | setting | burst, ms | 95 % within, ms | from its begin, ms | missed, % | MHz " \
           "| MHz by work |" in lines, lines
    assert "| A | native | 11.20 (11.10 .. 11.30) | 12.20 (12.10 .. 12.30) | 11.20 (11.10 .. 11.30) | 1.0 | 2900 " \
           "| 2900 |" in lines, lines
    assert "| without | 3 | 202.0 (201.0 .. 203.0) | 101.0 (100.5 .. 101.5) | 211.0 (210.0 .. 212.0) | 40.0 | 0.90 " \
           "| - | - | 0 | 0 | 1 (0 .. 2) | - | 0 | 0.0 | 0 |" in lines, lines
    # 22.2 / 11.1, 22.4 / 11.2, 22.6 / 11.3, each of the same repeat
    assert "| A | burst | without | 2.000; 3 of 3 more, p 0.25 | - |" in lines, lines
    assert "| A | missed | without | 21.0 (20.0 .. 22.0) points; 3 of 3 more, p 0.25 | - |" in lines, lines
    assert "| B | burst | without | 1.000; all equal | - |" in lines
    # FACTS.md: 2987 MHz, 11.6 ms, 1 %, 772 MHz; 2343, 15.5, 31, 2086
    rows = {tuple(line.split(" | ")[:2]): line for line in lines if "within |" in line or "outside" in line}
    assert rows["| native", "A: MHz"] == "| native | A: MHz | 2987 | 2900 | -2.9 % | within |", rows
    assert rows["| without", "A: burst, ms"] == "| without | A: burst, ms | 15.5 | 22.4 | +44.5 % | **outside** |", rows
    assert rows["| without", "A: bursts over their period, %"].endswith("| 31 | 22.0 | -9.0 points | **outside** |")
    assert len(rows) == 8
    drawing = (directory / "bars/swap-7.3-four.svg").read_text()
    # A's and B's burst and MHz, A's misses, energy: two bars and six dots each
    assert drawing.count("<circle") == 6 * 6 and drawing.count("<rect") == 1 + 6 * 2 + 2, drawing
    well_formed(drawing)


def test_pack(directory):
    """A pack of runs has the same tables as the runs."""
    runs = swap_runs(directory)
    packed = directory / "packed"
    packed.write_text("\n".join(tables_of_runs(["--pack", *runs])) + "\n")
    assert tables_of_runs([str(packed)]) == tables_of_runs(runs)
    packed.write_text("run a\nmeta repeat 1\nnonsense x y\n")
    assert "what is 'nonsense x y'?" in raises(measured.RunError, measured.unpack, packed)


def test_doubts(directory):
    """A run whose carrier counted more than its threads can have done is named."""
    lines = tables_of(directory)
    assert not any("Not to be used" in line for line in lines)
    figures = directory / "w3" / "figures"
    figures.write_text(figures.read_text().replace("counted 0.9", "counted 1.06"))
    lines = tables_of_runs([str(path) for path in sorted(directory.iterdir())])
    assert "**Not to be used: more work was counted than can have been done** (without 3: 1.06)" in lines, lines


def test_verdicts():
    assert tables.beside(113, 100, False)[2] == "within" and tables.beside(84, 100, False)[2] == "**outside**"
    assert tables.beside(4, 1, True)[2] == "within" and tables.beside(4.1, 1, True)[2] == "**outside**"


def test_pairing(directory):
    """Repeats are compared with those of their number; one that has no other isn't compared."""
    runs = []
    for repeat, (one, other) in enumerate(((10, 5), (20, 40), (30, 20), (7, None))):
        for setting, value in (("without", one), ("with", other), ("native", 100)):
            if value is not None:
                runs.append(numbers_run(directory, "%s%d" % (setting, repeat), setting, repeat,
                                        {"A.burst": value, "energy": 1}))
    group = tables.collect([(run, run.figures()) for run in map(measured.Run, runs)], "modelled")[0]
    row = ("with", "threads")
    assert tables.pairs(group, row, ("without", "threads"), "A.burst") == [(5, 10), (40, 20), (20, 30)]
    found = tables.compared(tables.pairs(group, row, ("without", "threads"), "A.burst"), False)
    assert found == "0.667 (0.500 .. 2.000); 2 of 3 less, p 1", found
    assert "(modelled)" in tables.text([group]) and list(group.rows)[0][0] == "native"


def test_two_carriers_and_labels(directory):
    runs = [numbers_run(directory, "a", "with", 1, {"A.burst": 1}, carrier="threads", label="hardware"),
            numbers_run(directory, "b", "with", 1, {"A.burst": 2}, carrier="payload"),
            numbers_run(directory, "c", "with", 1, {"A.burst": 2}, shape="big.LITTLE")]
    groups = tables.collect([(run, run.figures()) for run in map(measured.Run, runs)], "emulated")
    assert [group.label() for group in groups] == ["emulated, hardware", "emulated"]
    assert [groups[0].name(row) for row in groups[0].rows] == ["with, payload", "with, threads"]
    assert [groups[1].name(row) for row in groups[1].rows] == ["with"]


def test_where(directory):
    run = measured.Run(numbers_run(directory, "a", "with", 1, {"A.burst": 1, "A.on.0": 25, "A.on.1": 75}))
    group = tables.collect([(run, run.figures())], "emulated")[0]
    assert "| A | with | 25.0 | 75.0 |" in tables.where_table(group)


def test_reduce(directory):
    path = write_run(directory, "a", native_trace())
    before = measured.Run(path).figures()
    assert analyse.main([str(path), "--reduce"]) == 0
    (path / "x.trace").unlink()
    after = measured.Run(path).figures()
    assert set(after) == set(before)
    for key, value in before.items():
        near(after[key], value, abs(value) * 1e-5, key)


# -- drawings

def well_formed(text):
    for tag in ("text", "svg", "style"):
        assert text.count("<%s " % tag) + text.count("<%s>" % tag) == text.count("</%s>" % tag), tag
    assert "prefers-color-scheme: dark" in text and "nan" not in text


def test_scale():
    assert draw.scale(0) == (0.01, 0.002) and draw.scale(15.5) == (20, 5) and draw.scale(3000)[0] == 3000
    assert svg.tick_of(1) == 0.1 and svg.tick_of(1, 5) == 0.2


def test_bars():
    """A bar is as high as the median, by the scale; dots are where the repeats are."""
    text = "\n".join(draw.bars(0, 0, 100, "x", [("k0", [1, 2, 6]), ("k1", [])]))
    assert draw.scale(6) == (6, 2) and text.count("<rect") == 1
    assert 'y="%.1f" width="35.00" height="%.1f"' % (draw.PANEL * 2 / 3, draw.PANEL / 3) in text, text
    assert [('cy="%.1f"' % (draw.PANEL * (1 - one / 6))) in text for one in (1, 2, 6)] == [True] * 3, text


def test_held():
    writes = [(-5, 0, "min", 100), (10, 0, "min", 200), (20, 0, "max", 300), (30, 0, "min", -1), (90, 0, "min", 5)]
    assert draw.held(writes, "min", 0, 50) == [(0, 10, 100), (10, 30, 200), (30, 50, None)]
    assert draw.held(writes, "max", 0, 50) == [(0, 20, None), (20, 50, 300)]


def test_stretch(directory):
    path, table, _run = perfect(directory, "a", "swap", False)
    (path / "writes").write_text("%d 0 min 512\n%d 0 min -1\n%d 1 max 256\n" % (
        START + 1200 * MSEC, START + 1500 * MSEC, START + 1300 * MSEC))
    out = directory / "stretch.svg"
    with contextlib.redirect_stdout(io.StringIO()):
        analyse.main([str(path), "--stretch", "%s=%s" % (path, out), "--at", "1"])
    text = out.read_text()
    well_formed(text)
    # two CPUs' frequencies, a floor, a ceiling
    assert text.count("<path") == 4 and text.count("stroke-dasharray") == 2, text.count("<path")
    bursts = sum(1_000_000 <= burst.usec < 2_000_000 for burst in table.bursts.values())
    assert bursts - 4 <= text.count("<rect") - 4 <= bursts + 25, (bursts, text.count("<rect"))
    figures = measured.Run(path).figures()
    assert figures["floors"] == 2 and figures["ceilings"] == 1
    assert plan.load(path / "plan.timetable").lines() == table.lines()
