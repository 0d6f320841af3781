# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks the sweep over vmfreq-hostd's keys. check.sh runs it in `make check`, in the build directory, where the simulator
is; alone: python3 -B check.py there"""
import contextlib
import io
import pathlib
import sys
import xml.dom.minidom

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import checks
import edp
import plot
import sweep

SIMULATOR = pathlib.Path("tests/sim/vmfreq-sim")
HEADS = "scenario,arm,seed,load,bursts,due,missed,stretch,energy_mj,all_work_nsec,writes,role,parity_counts,misses_count"


def csv(*rows):
    """rows: "scenario arm seed load stretch missed energy", of 10 bursts, all of them due, and 2 s of work."""
    lines = [HEADS]
    for row in rows:
        scenario, arm, seed, load, stretch, missed, energy, *more = row.split()
        lines.append(",".join([scenario, arm, seed, load, "10", "10", missed, stretch, energy, "2000000000", "7",
                               *(more or ["helped"]), "1", "1"]))
    return edp.read("\n".join(lines))


# -- edp.py

def test_energy_and_delay():
    base = csv("a patches 1 x 2.0 0 100", "a patches 1 y 4.0 0 100", "a patches 1 z 1.0 0 100 background",
               "b patches 1 x 1.0 0 50")
    runs = csv("a with 1 x 1.0 0 150", "a with 1 y 8.0 0 150", "a with 1 z 9.0 0 150 background", "b with 1 x 4.0 0 25")
    checks.near(runs["with", "a"][1].energy, 75, 1e-9, "mJ for a second of work")
    each = edp.against(runs, base, "with", "patches")
    checks.near(each["a"][0], 1.5, 1e-9, "energy: 75 and 50 mJ for a second of work")
    checks.near(each["a"][1], 1.0, 1e-9, "delay: half and twice; nobody waits for z")
    summary = edp.Summary(runs, base)
    checks.near(summary.energy, 0.75 ** 0.5, 1e-9, "energy of both")
    checks.near(summary.delay, 2.0, 1e-9, "delay of both")
    checks.near(summary.edp, 2 * 0.75 ** 0.5, 1e-9, "their product")
    checks.near(summary.median_energy, 1.0, 1e-9, "median energy")
    assert summary.hungry == 1 and summary.writes == 14 and summary.median_parity is None


def test_seeds_count_alike():
    base = csv("a patches 1 x 1.0 0 100", "a patches 2 x 1.0 0 100")
    runs = csv("a with 1 x 1.0 0 400", "a with 2 x 4.0 0 100")
    checks.near(edp.Summary(runs, base).energy, 2, 1e-9, "energy")
    checks.near(edp.Summary(runs, base).delay, 2, 1e-9, "delay")


def test_who_has_no_bursts():
    base = csv("a patches 1 x 1.0 0 100", "b patches 1 x 1.0 0 100 background")
    runs = csv("a with 1 x 2.0 0 100", "b with 1 x 2.0 0 300 background")
    assert list(edp.Summary(runs, base).each) == ["a"]
    says = checks.raises(edp.FiguresError, edp.Summary, csv("b with 1 x 2.0 0 1 background"), base)
    assert "no scenario has bursts" in says, says


def test_parity():
    """x has a gap in its time alone, y one in misses; z none."""
    base = csv("a native 1 x 1.0 0 1", "a native 2 x 1.0 0 1", "a without 1 x 2.0 0 1", "a without 2 x 3.0 0 1",
               "a native 1 y 1.0 1 1", "a native 2 y 1.0 1 1", "a without 1 y 1.05 5 1", "a without 2 y 1.05 5 1",
               "a native 1 z 1.0 0 1", "a native 2 z 1.0 0 1", "a without 1 z 1.09 0 1", "a without 2 z 1.09 0 1")
    runs = csv("a with 1 x 1.5 0 1", "a with 2 x 1.5 0 1", "a with 1 y 1.0 2 1", "a with 2 y 1.0 2 1",
               "a with 1 z 9.0 0 1", "a with 2 z 9.0 0 1")
    found = edp.parities(runs, base)
    assert len(found) == 2, found
    checks.near(found[0], (0.5 + 0.75) / 2, 1e-9, "of the time: the median of both seeds")
    checks.near(found[1], 0.75, 1e-9, "of misses")


def test_the_lowest_load_counts():
    base = csv(*("a %s 1 %s %s 0 1" % (arm, load, stretch) for load in "xyz"
                 for arm, stretch in (("native", "1.0"), ("without", "2.0"))))
    runs = csv("a with 1 x 1.0 0 1", "a with 1 y 1.75 0 1", "a with 1 z 1.5 0 1")
    assert edp.parities(runs, base) == [0.25], edp.parities(runs, base)


def test_what_moves():
    base = csv("a patches 1 x 1.0 0 1", "b patches 1 x 1.0 0 1")
    summaries = [edp.Summary(csv("a with 1 x %s 0 1" % stretch, "b with 1 x 1.001 0 1"), base) for stretch in ("1.0", "2.0")]
    assert edp.movers(summaries) == [("a", 1.0, 2.0)], edp.movers(summaries)


def test_a_line_that_is_none():
    assert "no line" in checks.raises(edp.FiguresError, edp.read, HEADS + "\na,with,1\n")


# -- sweep.py

def test_values_are_in_order():
    assert sweep.with_default(("5ms", "1s", "50us"), "20ms") == (["50us", "5ms", "20ms", "1s"], 2)
    assert sweep.with_default(("0ms", "1000ms", "2s"), "1s") == (["0ms", "1000ms", "2s"], 1)
    assert "no number" in checks.raises(sweep.SweepError, sweep.with_default, ("5 parsecs",), "1s")


def test_final_seeds_are_left_alone():
    for seeds in (sweep.SEEDS, sweep.QUICK_SEEDS):
        assert int(seeds.split("-")[1]) <= 13, seeds


def test_a_key_that_is_gone():
    says = checks.raises(sweep.SweepError, sweep.defaults_of, "floor_linger=1ms\nfloor_step=5%\n", ("floor_step", "floor_hold"))
    assert "no key 'floor_hold'" in says and "floor_linger" in says and "KEYS" in says, says


def fake(directory, script):
    path = directory / "vmfreq-sim"
    path.write_text("#!/bin/sh\n%s\n" % script)
    path.chmod(0o755)
    return sweep.Simulator(path, "1-3", [])


def test_a_simulator_that_cannot(directory):
    simulator = fake(directory, "echo 'vmfreq-sim: --set: floor_hold: no' >&2; exit 2")
    assert "floor_hold: no" in checks.raises(sweep.SweepError, simulator.run, "with", ["floor_hold=1"])
    simulator = fake(directory, "for last; do :; done; echo %s >\"$last\"; echo '- a: the run ended with: Timer expired'" % HEADS)
    assert "Timer expired" in checks.raises(sweep.SweepError, simulator.run, "with")
    assert list(directory.glob("*.csv")) == []
    (directory / "vmfreq-sim").unlink()
    assert "make tests/sim/vmfreq-sim" in checks.raises(sweep.SweepError, simulator.call)


def test_a_parity_that_is_not_theirs():
    base = csv("a native 1 x 1.0 0 1", "a without 1 x 2.0 0 1", "a patches 1 x 1.0 0 1", "a with 1 x 1.25 0 1")
    summary = edp.Summary(base, base)
    sweep.check_parity("with: the median of 1 parities is 0.750, the lowest 0.750\n", summary)
    for wrong in ("with: the median of 1 parities is 0.760, the lowest 0.7", "with: the median of 2 parities is 0.750, x",
                  "patches: the median of 1 parities is 0.750, the lowest 0.750"):
        assert "metrics.c" in checks.raises(sweep.SweepError, sweep.check_parity, wrong + "\n", summary)


def summaries_of(*stretches):
    base = csv("a patches 1 x 1.0 0 1")
    return [edp.Summary(csv("a with 1 x %s 0 1" % stretch), base) for stretch in stretches]


def test_what_is_said_of_a_key():
    text = sweep.table("k", ["1ms", "2ms"], 0, summaries_of("1.01", "1.0"))
    assert "| **1ms** | 1.0100 | 1.0000 | 1.0100 |" in text and "least EDP is at 2ms: the default's is 1.00 % above it" in text, text
    assert "`a` (1.000 to 1.010)" in text, text
    text = sweep.table("k", ["1ms", "2ms"], 0, summaries_of("1.0", "1.01"))
    assert "least EDP is at 1ms, the default" in text, text
    assert "Every run is the same" in sweep.table("k", ["1ms", "2ms"], 0, summaries_of("1.0", "1.0"))


def test_the_axis():
    low, high, step = plot.axis(summaries_of("0.97", "1.031"))
    assert low <= 0.97 and high >= 1.031 and (high - low) / step <= 8, (low, high, step)
    low, high, _step = plot.axis(summaries_of("1.0", "1.0001"))
    assert high - low >= plot.LEAST, (low, high)


# -- with the simulator itself

def test_the_keys_are_hostds():
    simulator = sweep.Simulator(SIMULATOR, "1", [])
    known = sweep.defaults_of(simulator.call("--settings"), sweep.KEYS)
    for key, words in sweep.KEYS.items():
        for word in sweep.with_default(words, known[key])[0]:
            assert "%s=" % key in simulator.call("--set", "%s=%s" % (key, word), "--settings")


SCENARIO = """name short
about a test
length 2s
host separate
vm a vcpus 2 pins 0/1
load x on a periodic work 50% period 16ms hop 60ms..240ms
"""


def test_a_short_sweep(directory):
    (directory / "short.sim").write_text(SCENARIO)
    (directory / "policy-gone.svg").write_text("")
    says = io.StringIO()
    with contextlib.redirect_stdout(says), contextlib.redirect_stderr(io.StringIO()):
        sweep.main(["--sim", str(SIMULATOR), "--out", str(directory), "--quick", "--key", "floor_hold",
                    str(directory / "short.sim")])
    assert "policy-gone.svg is of a key that isn't swept any more" in says.getvalue(), says.getvalue()
    text = (directory / "policy.md").read_text()
    assert "of seeds 1 to 3 and 1 scenarios" in text and "| **100ms** | " in text and "(modelled)" in text, text
    drawing = xml.dom.minidom.parse(str(directory / "policy-floor_hold.svg"))
    assert len(drawing.getElementsByTagName("circle")) == 3 * len(sweep.KEYS["floor_hold"])


def test_small_python():
    checks.small_python(pathlib.Path(__file__).resolve().parent)


if __name__ == "__main__":
    sys.exit(checks.run("tests/bench/policy", globals()))
