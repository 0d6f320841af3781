# SPDX-License-Identifier: LGPL-2.1-or-later
"""Would the tests notice? Plants faults of one line in the files that decide, one by one, in a copy of the sources,
and runs the tests that link them. `make mutants` runs it; alone: python3 -B tests/mutants/mutants.py --help"""
import argparse
import os
import pathlib
import signal
import sys
import time

import choose
import tree

HERE = pathlib.Path(__file__).resolve().parent
# The pure files of Makefile.am's hostd_pure are policy, but for what only words what was decided elsewhere; and so is the
# arithmetic that they share with guestd.
POLICY_VARIABLE, NO_POLICY = "hostd_pure", {"hostd/concern.c"}
SHARED_POLICY = ["common/pelt.c", "common/pelt_decay.c"]
TEST_VARIABLES = ("common_tests", "hostd_tests", "replay_programs")


def arguments():
    parser = argparse.ArgumentParser(description="Plants faults in the policy and says which tests find them.")
    parser.add_argument("--seed", default="1", help="which faults (%(default)s)")
    parser.add_argument("--count", type=int, default=30, help="how many (%(default)s)")
    parser.add_argument("--at-least", type=int, default=90, metavar="PERCENT",
                        help="fail if fewer are found (%(default)s)")
    parser.add_argument("--all", action="store_true", help="the whole `make check` for what no test of hostd's finds")
    parser.add_argument("--list", action="store_true", help="print all faults that could be planted, and end")
    parser.add_argument("--jobs", type=int, default=2, help="for make (%(default)s)")
    parser.add_argument("--source", default=HERE.parents[1], type=pathlib.Path, help="the source tree")
    parser.add_argument("file", nargs="*", help="instead of all that Makefile.am's %s names" % POLICY_VARIABLE)
    return parser.parse_args()


def policy(makefile):
    """All files that decide."""
    return [path for path in choose.variable(makefile, POLICY_VARIABLE)
            if path.endswith(".c") and path not in NO_POLICY] + SHARED_POLICY


def show(where, mutant, outcome):
    print("%s%s:%d: %s: %s\n    - %s\n    + %s" % (where, mutant.path, mutant.line, mutant.kind, outcome,
                                                  mutant.before, mutant.after), flush=True)


class Hunt:
    def __init__(self, options, texts, equivalent, copy):
        self.options, self.texts, self.equivalent, self.copy = options, texts, equivalent, copy
        self.replaced, self.tests = 0, {}

    def prepare(self, tests):
        self.copy.prepare(tests)
        for path in self.texts:
            self.copy.look(path)
        passing = self.copy.try_without_fault(tests)
        self.tests = {path: self.copy.tests_of(path, passing) for path in self.texts}
        if self.options.all and self.copy.check() != []:
            raise tree.Failed("make check fails without a fault")

    def accept(self, mutant):
        """Not one that doesn't compile, or that changes nothing. What is taken is left planted."""
        if not self.equivalent.has(mutant):
            self.copy.write(mutant.path, mutant.text)
            if self.copy.differs(mutant.path):
                return True
            self.restore(mutant)
        self.replaced += 1
        return False

    def restore(self, mutant):
        self.copy.write(mutant.path, self.texts[mutant.path])

    def outcome(self, mutant):
        """By what it is found; None."""
        for test in self.tests[mutant.path]:
            how = self.copy.finds(test)
            if how:
                return "%s (%s)" % (pathlib.Path(test).name, how)
        if self.options.all:
            failed = self.copy.check()
            if failed is None:
                return "make check (hangs)"
            if failed:
                return "%s (make check)" % failed[0]
        return None

    def run(self):
        """How many were planted, and how many of them found."""
        planted = found = 0
        for mutant in choose.evenly(self.options.seed, self.texts, self.options.count, self.accept):
            outcome = self.outcome(mutant)
            self.restore(mutant)
            planted += 1
            found += outcome is not None
            show("%2d " % planted, mutant, "found by " + outcome if outcome else "NOT FOUND")
        return planted, found


def main():
    options = arguments()
    makefile = (options.source / "Makefile.am").read_text()
    paths = options.file or policy(makefile)
    texts = {path: (options.source / path).read_text() for path in paths}
    if options.list:
        for path in paths:
            for mutant in choose.mutants_of(path, texts[path]):
                show("", mutant, "")
        return 0
    equivalent = choose.Equivalent(HERE / "equivalent")
    for where, before, after in equivalent.stale(texts):
        print("tests/mutants/equivalent: no fault any more: %s\n    - %s\n    + %s" % (" ".join(where), before, after))
    tests = [test for name in TEST_VARIABLES for test in choose.variable(makefile, name)]
    begin = time.monotonic()
    copy = tree.Tree(options.source, options.jobs)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        hunt = Hunt(options, texts, equivalent, copy)
        hunt.prepare(tests)
        planted, found = hunt.run()
    except tree.Failed as error:
        print("mutants: %s" % error, file=sys.stderr)
        return 1
    finally:
        copy.remove()
    percent = found * 100 // max(planted, 1)
    print("%d of %d found (%d %%); seed %s, %d files, %d replaced, %d s" % (
        found, planted, percent, options.seed, len(texts), hunt.replaced, time.monotonic() - begin))
    return 0 if planted == options.count and percent >= options.at_least else 1


if __name__ == "__main__":
    os.environ.pop("MAKEFLAGS", None)       # the make of the sources is not the copy's
    os.environ.pop("MAKELEVEL", None)
    sys.exit(main())
