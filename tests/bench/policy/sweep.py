#!/usr/bin/python3 -B
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What vmfreq-hostd's defaults are worth: one key at a time, the energy-delay product over the simulator's scenarios.

Writes policy.md and a drawing policy-KEY.svg for each key. Needs nothing but python3-minimal and the simulator; `make edp`
builds that first. edp.py defines the figures.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve()
sys.path.insert(1, str(HERE.parents[1] / "python"))
import edp
import plot

ROOT = HERE.parents[3]
# The default is put among them wherever it is. Each value but that takes 15 to 20 s of one CPU with all seeds, the default 30 to 40.
KEYS = {
    "floor_hold": ("0ms", "50ms", "100ms", "200ms", "400ms"),
    "floor_half_life": ("12ms", "50ms", "200ms"),
    "floor_step": ("2.5%", "5%", "10%", "20%"),
    "ceiling_slack": ("0%", "2.5%", "5%", "10%", "20%", "40%"),
    "write_interval": ("1ms", "4ms", "8ms", "16ms"),
    "lower_interval": ("4ms", "20ms", "40ms", "80ms"),
    "placement_dwell": ("100ms", "500ms", "2s"),
    "feedback_interval": ("20ms", "50ms", "200ms"),
    "feedback_step": ("5%", "12.5%", "25%"),
}
SEEDS, QUICK_SEEDS = "1-13", "1-3"      # never more than 13: SCENARIOS.md
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "%": 0.01, "": 1}


class SweepError(Exception):
    pass


# -- values

def amount(word):
    """What it is as a number, to put values in order."""
    match = re.fullmatch(r"([0-9.]+)([a-z%]*)", word)
    if not match or match[2] not in UNITS:
        raise SweepError("'%s' is no number with a unit" % word)
    return float(match[1]) * UNITS[match[2]]


def with_default(words, default):
    """(the values in order, the default's place among them)"""
    if all(amount(word) != amount(default) for word in words):
        words = [*words, default]
    words = sorted(words, key=amount)
    return words, [amount(word) for word in words].index(amount(default))


def defaults_of(text, keys):
    """{key: default} of what --settings prints."""
    known = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    for key in keys:
        if key not in known:
            raise SweepError("vmfreq-sim has no key '%s' that could be set (it has %s): was it renamed or removed? Then "
                             "change KEYS in %s" % (key, ", ".join(known), HERE.name))
    return {key: known[key] for key in keys}


# -- the simulator

class Simulator:
    def __init__(self, path, seeds, scenarios):
        self.path, self.seeds, self.scenarios = pathlib.Path(path).resolve(), seeds, scenarios
        self.file = self.path.parent / ("sweep-%d.csv" % os.getpid())

    def call(self, *args):
        """What it prints. Bounds that don't hold are none of our business here."""
        if not self.path.exists():
            raise SweepError("%s isn't there: make tests/sim/vmfreq-sim" % self.path)
        done = subprocess.run([str(self.path), *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode not in (0, 1):
            raise SweepError("vmfreq-sim %s: %s" % (" ".join(args), done.stderr.strip() or
                                                   "it ended with %d" % done.returncode))
        return done.stdout

    def run(self, arms, settings=()):
        """(what it prints, the runs as edp.read() has them)"""
        words = [word for setting in settings for word in ("--set", setting)]
        try:
            text = self.call("--seeds", self.seeds, "--arm", arms, *words, "--csv", str(self.file), *self.scenarios)
            runs = edp.read(self.file.read_text())
        finally:
            self.file.unlink(missing_ok=True)
        ended = re.search("^- .*: the run ended with: .*", text, re.M)
        if ended:
            raise SweepError(ended[0][2:])
        return text, runs


def check_parity(text, summary):
    """Our median is the simulator's, or one of the two has changed."""
    match = re.search(r"^with: the median of (\d+) parities is (-?[\d.]+)", text, re.M)
    theirs = (int(match[1]), match[2]) if match else (0, None)
    ours = (len(summary.parities), "%.3f" % summary.median_parity if summary.parities else None)
    if ours != theirs and not (ours[1] and theirs[1] and ours[0] == theirs[0] and abs(float(ours[1]) - float(theirs[1])) < 0.0015):
        raise SweepError("the median of parities is %s of %d here and %s of %d by vmfreq-sim: edp.py isn't as "
                         "tests/sim/metrics.c any more" % (ours[1], ours[0], theirs[1], theirs[0]))


def sweep(simulator, keys, say):
    """[(key, values, place of the default, summaries)]"""
    defaults = defaults_of(simulator.call("--settings"), keys)
    plans = [(key, *with_default(keys[key], defaults[key])) for key in keys]
    for key, words, _place in plans:    # a value that is wrong is told at once
        for word in words:
            simulator.call("--set", "%s=%s" % (key, word), "--settings")
    text, base = simulator.run("native,without,patches,with")
    usual = edp.Summary(base, base)
    check_parity(text, usual)
    say("the defaults: EDP %.4f" % usual.edp)
    found = []
    for key, words, place in plans:
        summaries = []
        for at, word in enumerate(words):
            one = usual if at == place else edp.Summary(simulator.run("with", ["%s=%s" % (key, word)])[1], base)
            say("%s = %s: EDP %.4f" % (key, word, one.edp))
            summaries.append(one)
        found.append((key, words, place, summaries))
    return found


# -- what is written

HEAD = """# What the defaults of the policy are worth (modelled)

Made by `make edp` (`tests/bench/policy/sweep.py`) of seeds {seeds} and {scenarios} scenarios that have bursts somebody waits for; don't
edit it. One key at a time has another value than its default (**bold**). Energy, delay and their product (EDP) are against
the KVM-CPUFreq patches, which are 1; geometric means over seeds and scenarios. `tests/bench/policy/edp.py` defines them. Lower is better. Then, as in
`make sim`'s table: the median of the parities and how many are below {parity}; the median of energy per work against the patches, and in how many
scenarios it is above {energy:.1f} %. Writes of clamps and masks are against the default's.
"""
COLUMNS = ("EDP", "energy", "delay", "parity", "below", "median energy", "above", "writes")


def same(summaries):
    """Nothing in them depends on the value."""
    return all(one.each == summaries[0].each and one.writes == summaries[0].writes for one in summaries)


def table(key, words, place, summaries):
    lines = ["## %s" % key, "", "![%s](policy-%s.svg)" % (key, key), "",
             "| %s | %s |" % (key, " | ".join(COLUMNS)), "|---" * (len(COLUMNS) + 1) + "|"]
    for at, (word, one) in enumerate(zip(words, summaries)):
        lines.append("| %s | %.4f | %.4f | %.4f | %s | %d | %.4f | %d | %.2f |" % (
            "**%s**" % word if at == place else word, one.edp, one.energy, one.delay,
            "-" if one.median_parity is None else "%.3f" % one.median_parity, one.lacking, one.median_energy, one.hungry,
            one.writes / max(summaries[place].writes, 1)))
    best = min(range(len(words)), key=lambda at: summaries[at].edp)
    lines.append("")
    if same(summaries):
        lines.append("Every run is the same at all values: nothing in these scenarios depends on this key, or the simulator doesn't go by it.")
    else:
        gain = summaries[place].edp / summaries[best].edp - 1
        lines.append("The least EDP is at %s%s." % (words[best], ", the default" if best == place else
                                                    ": the default's is %.2f %% above it" % (100 * gain)))
        moved = edp.movers(summaries)
        if moved:
            lines[-1] += " It moves most in %s." % ", ".join("`%s` (%.3f to %.3f)" % one for one in moved)
    return "\n".join(lines) + "\n"


def write(directory, found, seeds):
    scenarios = len(found[0][3][0].each)
    about = "modelled, seeds %s; the KVM-CPUFreq patches are 1" % seeds
    scale = plot.axis([one for _key, _words, _place, summaries in found for one in summaries])
    for key, words, place, summaries in found:
        (directory / ("policy-%s.svg" % key)).write_text(plot.draw(key, words, place, summaries, scale, about))
    text = HEAD.format(seeds=seeds.replace("-", " to "), scenarios=scenarios, parity=edp.PARITY, energy=100 * edp.ENERGY)
    (directory / "policy.md").write_text("\n".join([text] + [table(*one) for one in found]))


def stale(directory, keys):
    """Drawings of keys that aren't swept."""
    return sorted(path.name for path in directory.glob("policy-*.svg") if path.stem[len("policy-"):] not in keys)


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO.sim", help="all if none is named")
    parser.add_argument("--sim", default="tests/sim/vmfreq-sim", metavar="PROGRAM", help="the simulator")
    parser.add_argument("--out", default=str(ROOT / "docs/benchmarks"), metavar="DIRECTORY", help="where to write")
    parser.add_argument("--key", action="append", choices=list(KEYS), help="this one alone; may stand more than once")
    parser.add_argument("--quick", action="store_true", help="seeds %s instead of %s" % (QUICK_SEEDS, SEEDS))
    return parser.parse_args(argv)


def main(argv):
    args = parse(argv)
    keys = {key: KEYS[key] for key in args.key or KEYS}
    seeds = QUICK_SEEDS if args.quick else SEEDS
    directory, begun = pathlib.Path(args.out), time.monotonic()
    found = sweep(Simulator(args.sim, seeds, args.scenarios), keys, lambda text: print(text, file=sys.stderr, flush=True))
    write(directory, found, seeds)
    print("%s: %d keys in %.0f s" % (directory / "policy.md", len(found), time.monotonic() - begun))
    for name in stale(directory, KEYS):
        print("%s is of a key that isn't swept any more: remove it" % name)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (SweepError, edp.FiguresError, OSError) as error:
        sys.exit("sweep.py: %s" % error)
