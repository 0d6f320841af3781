# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which faults are planted: a seed says so. And those that are known to change nothing that can be seen."""
import collections
import pathlib
import random
import re

import ctext
import faults

Mutant = collections.namedtuple("Mutant", "path line function before after kind text")


def variable(makefile, name):
    """The words of a variable of Makefile.am, as it is first given."""
    found = re.search(r"^%s = ((?:.*\\\n)*.*)$" % name, makefile, re.M)
    if not found:
        raise ValueError("Makefile.am has no %s" % name)
    return found[1].replace("\\\n", " ").split()


def mutants_of(path, text):
    code = ctext.CText(text)
    for fault in faults.faults_of(text):
        line, before, after = faults.lines_of(text, fault)
        yield Mutant(path, line, code.function(fault.start), before.strip(), after.strip(), fault.kind,
                     faults.plant(text, fault))


def in_order(seed, path, text):
    """All of a file: by chance, but one of each line before another of the same."""
    mutants = list(mutants_of(path, text))
    random.Random("%s %s" % (seed, path)).shuffle(mutants)
    seen = collections.Counter()
    ranked = []
    for mutant in mutants:
        ranked.append((seen[mutant.line], len(ranked), mutant))
        seen[mutant.line] += 1
    return [mutant for _rank, _n, mutant in sorted(ranked, key=lambda row: row[:2])]


def evenly(seed, texts, count, accept):
    """`count` mutants of a dictionary of texts by path, that accept() takes; as many of each file, as far as it has
    them."""
    left = {path: iter(in_order(seed, path, text)) for path, text in sorted(texts.items())}
    paths = list(left)
    random.Random(str(seed)).shuffle(paths)
    while count > 0 and paths:
        for path in list(paths):
            mutant = next((mutant for mutant in left[path] if accept(mutant)), None)
            if not mutant:
                paths.remove(path)
                continue
            yield mutant
            count -= 1
            if count == 0:
                break


class Equivalent:
    """tests/mutants/equivalent: a path and a function, the line after -, what it becomes after +, and the reason,
    indented."""

    def __init__(self, path):
        self.reasons, where, before, after = {}, None, None, None
        for n, line in enumerate(pathlib.Path(path).read_text().splitlines(), 1):
            if line.startswith("#") or not line.strip():
                continue
            if line.startswith("- "):
                before = line[2:].strip()
            elif line.startswith("+ "):
                after = line[2:].strip()
            elif line[0].isspace():
                if not (where and before and after):
                    raise ValueError("%s:%d: a reason for nothing" % (path, n))
                self.reasons.setdefault((where, before, after), []).append(line.strip())
            else:
                where, before, after = tuple(line.split()), None, None

    @staticmethod
    def key(mutant):
        return (mutant.path, mutant.function), mutant.before, mutant.after

    def has(self, mutant):
        return self.key(mutant) in self.reasons

    def stale(self, texts):
        """Those that no fault of the texts is any more."""
        there = {self.key(mutant) for path, text in texts.items() for mutant in mutants_of(path, text)}
        return [key for key in self.reasons if key[0][0] in texts and key not in there]
