#!/usr/bin/python3 -B
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What runs of timetables came to: tables of each load and setting, and drawings. analyse.py RUN...

A RUN is a directory; measured.py has its files and defines the figures. Tables go to standard output. A run whose
trace has been left out has its figures in the file "figures", which --reduce writes. RUN may also be a file with
many runs' figures, made by --pack. Needs nothing but python3-minimal.
"""
import argparse
import pathlib
import sys

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import draw
import ftrace
import measured
import plan
import tables

LABELS = ("modelled", "emulated", "hardware")


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--label", choices=LABELS, default="emulated", help="of runs whose meta has none")
    parser.add_argument("--reduce", action="store_true", help="write each run's file figures, and nothing else")
    parser.add_argument("--pack", action="store_true", help="print the runs' meta and figures, as a RUN may also be given")
    parser.add_argument("--bars", metavar="DIRECTORY", help="drawings of the figures: LOAD-KERNEL-SHAPE.svg")
    parser.add_argument("--stretch", action="append", default=[], metavar="RUN=FILE.svg",
                        help="a second of a run; RUN may be one that isn't in the tables")
    parser.add_argument("--at", type=float, default=5, metavar="SECONDS", help="where the stretch begins")
    parser.add_argument("--seconds", type=float, default=1, help="how long it is")
    return parser.parse_args(argv)


def file_name(*words):
    return "-".join("".join(letter if letter.isalnum() or letter in "._" else "-" for letter in word)
                    for word in words) + ".svg"


def draw_all(args, groups):
    for group in groups if args.bars else []:
        path = pathlib.Path(args.bars) / file_name(group.load, group.kernel, group.shape)
        path.write_text(draw.figures(group))
    for word in args.stretch:
        directory, file = word.rsplit("=", 1)
        run = measured.Run(directory).load_all()
        begin = round(args.at * 1e6)
        pathlib.Path(file).write_text(draw.stretch_of(run, begin, begin + round(args.seconds * 1e6),
                                                      run.meta.get("label", args.label)))


def main(argv):
    args = parse(argv)
    runs = [run for path in args.runs for run in measured.runs_of(path)]
    if args.pack:
        print(measured.pack(runs), end="")
        return 0
    if args.reduce:
        for run in runs:
            measured.save(run)
        return 0
    groups = tables.collect([(run, run.figures()) for run in runs], args.label)
    print(tables.text(groups), end="")
    draw_all(args, groups)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (ftrace.TraceError, measured.RunError, plan.PlanError, OSError) as error:
        sys.exit("analyse.py: %s" % error)
