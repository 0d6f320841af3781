#!/usr/bin/python3 -B
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How good a guest's signal is where hostd receives it: a table of each load and source, and a plot.

A RUN is a directory with what was collected at one time (README.md beside this says how):
  trace       the guest's /sys/kernel/tracing/trace (../python/ftrace.py): the truth is computed from it (pelt.py)
  sync        exchanges between the clocks of host and guest (sources.py)
  label       what to call hostd's source, "eBPF" say; the directory's name if it isn't there
  hostd.log, poll-NAME, series-NAME     what was said at the time; any of them may be missing (sources.py)
  stat-before, stat-after   the guest's /proc/stat, for the part of the time that was stolen; both may be missing

The figures are defined in figures.py. util_avg is compared with what the CPU's tasks of all classes used
(--truth all: CFS, RT and deadline), or with the root CFS run queue's alone (--truth cfs); demand with the larger
of util_avg and util_est. Needs nothing but python3-minimal.
"""
import argparse
import pathlib
import sys

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import figures
import ftrace
import plot
import sources


def steal(before, after):
    """cpu -> the part of the time between two texts of /proc/stat that the host took, in percent."""
    def times(text):
        lines = [line.split() for line in text.splitlines() if line.startswith("cpu") and not line.startswith("cpu ")]
        return {int(words[0][3:]): [int(word) for word in words[1:9]] for words in lines}
    first, last = times(before), times(after)
    return {cpu: 100 * (last[cpu][7] - first[cpu][7]) / max(sum(last[cpu]) - sum(first[cpu]), 1)
            for cpu in last if cpu in first}


class Run:
    def __init__(self, directory, args):
        self.directory = pathlib.Path(directory)
        label = self.directory / "label"
        self.label = label.read_text().strip() if label.exists() else self.directory.resolve().name
        with open(self.directory / "trace", errors="replace") as file:
            self.truth = ftrace.truth(file, args.kernel, args.without)
        with open(self.directory / "sync") as file:
            self.clocks = sources.Clocks(sources.read_sync(file), self.truth.syncs)
        self.sources = self._read(args)

    def steal_text(self):
        files = [self.directory / name for name in ("stat-before", "stat-after")]
        if not all(file.exists() for file in files):
            return ""
        stolen = steal(*[file.read_text() for file in files])
        return ", stolen from " + ", ".join("CPU %d: %.1f %%" % row for row in sorted(stolen.items()))

    def _read(self, args):
        found = []
        log = self.directory / "hostd.log"
        if log.exists():
            with open(log, errors="replace") as file:
                found += sources.read_log(file, self.label, self.clocks, args.truth, args.cid)
        for path in sorted(self.directory.glob("poll-*")):
            with open(path) as file:
                found += sources.read_polls(file, path.name[5:], self.clocks, args.truth)
        for path in sorted(self.directory.glob("series-*")):
            with open(path) as file:
                found += sources.read_series(file, path.name[7:], self.clocks, args.truth)
        return found

    def figures(self, load, source, level, margin):
        """None: the source has nothing of these CPUs."""
        found = figures.Figures()
        for cpu in load.cpus:
            truth = self.truth.window(cpu, source.kind, load.begin, load.end)
            samples = source.samples(cpu, load.begin, load.end)
            length = min(len(truth), len(samples))
            if length and source.steps.get(cpu):
                found.add(truth[:length], samples[:length], source.records(cpu, load.begin, load.end),
                          load.begin, level, margin)
        return found if found.said else None


def markdown(headings, lines):
    """lines: (load, source, cells)."""
    head = ["load", "source", *headings]
    rows = [head] + [[load.name, source.name, *cells] for load, source, cells in lines]
    text = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([text[0], "|" + "---|" * len(head), *text[1:]]) + "\n"


def table(runs, args):
    lines, names = [], []
    for run in runs:
        names += [load.name for load in run.truth.loads if load.name not in names]
    for name in names:
        for run in runs:
            for load in run.truth.loads:
                if load.name == name:
                    lines += rows(run, load, args)
    return markdown(figures.HEADINGS, lines)


def rows(run, load, args):
    out = []
    for source in run.sources:
        found = run.figures(load, source, args.level, args.margin)
        out.append((load, source, found.row() if found else ["0"] + ["-"] * (len(figures.HEADINGS) - 1)))
    return out


def moves_of(run, load):
    """What each source with known times of sampling said first of a task that came."""
    out = []
    truths = {cpu: run.truth.window(cpu, "all", load.begin, load.end) for cpu in load.cpus}
    for source in run.sources:
        found = figures.Moves()
        for cpu in load.cpus:
            if cpu in source.looked:
                found.add(truths[cpu], [truth for other, truth in truths.items() if other != cpu], source.looked[cpu],
                          source.steps[cpu], load.begin)
        if found.row():
            out.append((load, source, found.row()))
    return out


def move_table(runs):
    lines = [line for run in runs for load in run.truth.loads for line in moves_of(run, load)]
    return "\n" + markdown(figures.MOVE_HEADINGS, lines) if lines else ""


def draw(runs, what, truth_kind):
    """what: LOAD, or LOAD@FROM-TO, in seconds from its beginning: by default from half a second before it to its end.
    Runs lie on each other by their beginnings, and the truth is the first one's."""
    name, _at, stretch = what.partition("@")
    first, last = [int(float(word) * 1_000_000) for word in (stretch or "-0.5-3600").rsplit("-", 1)]
    names, series, cpus = ["truth (util_avg)"], {}, None
    for run in runs:
        shown = [source for source in run.sources if source.is_plotted(len(runs) == 1)]
        for load in run.truth.loads:
            if load.name != name:
                continue
            begin, end = max(load.begin + first, run.truth.begin), min(load.begin + last, load.end)
            cpus = cpus or load.cpus
            for cpu in load.cpus:
                series.setdefault((names[0], cpu), run.truth.window(cpu, truth_kind, begin, end))
                for source in shown:
                    series[source.name, cpu] = source.samples(cpu, begin, end)
            names += [source.name for source in shown if source.name not in names]
    if cpus is None:
        raise sources.SourceError("no load called %s" % name)
    return plot.draw("Load \"%s\": what each source said, and the truth" % name, cpus, names, series)


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--truth", choices=("all", "cfs"), default="all")
    parser.add_argument("--kernel", default="6.12", metavar="X.Y", help="the guest's (for util_est)",
                        type=lambda text: tuple(int(word) for word in text.split(".")[:2]))
    parser.add_argument("--cid", type=int, help="the guest whose reports count, if hostd.log has several")
    parser.add_argument("--without", action="append", default=[], metavar="NAME",
                        help="tasks that the truth doesn't count: vmfreq-guestd leaves itself out")
    parser.add_argument("--level", type=int, default=figures.LEVEL, help="where edges are measured")
    parser.add_argument("--margin", type=int, default=figures.MARGIN)
    parser.add_argument("--plot", action="append", default=[], metavar="LOAD[@FROM-TO]=FILE.svg")
    return parser.parse_args(argv)


def main(argv):
    args = parse(argv)
    runs = [Run(directory, args) for directory in args.runs]
    for run in runs:
        print("%s: %d loads, %d sync markers, clocks within %.1f ms%s\n" % (
            run.label, len(run.truth.loads), len(run.truth.syncs), run.clocks.error / 1000, run.steal_text()))
    print(table(runs, args), end="")
    print(move_table(runs), end="")
    for word in args.plot:
        name, file = word.split("=", 1)
        pathlib.Path(file).write_text(draw(runs, name, args.truth))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (ftrace.TraceError, sources.SourceError, OSError) as error:
        sys.exit("compare.py: %s" % error)
