# SPDX-License-Identifier: LGPL-2.1-or-later
"""The figures: how well a source says what the truth was. Utilization is in 1/1024, time in ms.

All of them look at a load from its begin to its end (markers of the trace), on the CPUs that it is about,
on a grid of 1 ms. A source's value holds until its next; before its first there is none, and nothing is
compared. Times of a source are when its receiver had the value, by the guest's clock.

settled error   source minus truth at settled moments: those before which the truth has moved by at most
                SETTLED_RANGE for SETTLED_MSEC. Its mean (a bias), and what 95 % of the moments' absolute
                errors are at most. "-": the truth never settles in this load.
mean error      the source's mean minus the truth's, over all of the load: also of loads that never settle.
lag             at each edge: from when the truth crosses LEVEL to when the source does, in the same
                direction. An edge is a crossing between a moment at LEVEL - MARGIN or less and one at LEVEL
                + MARGIN or more; what turns back before is none. A source that crosses before the truth has
                a negative lag. One that hasn't crossed by the truth's next edge, or didn't see the one
                before, has missed it. Given as the median and the worst of those seen, and how many of all
                were missed.
false steps     how often a new value of the source is FALSE_STEP or more from its last, and FALSE_STEP or more
                outside of everything that the truth was in the FALSE_MSEC before and is in the
                AHEAD_MSEC after: it tells of a change that wasn't there. A step that is merely late, or of a
                source that rises faster than PELT, is none: lag has it.
moves           where the truth of a CPU rises by MOVE or more from one ms to the next, and that of another falls by
                half of it or more: a task went from there to here, that was busy. Of each: the first value that was
                sampled in that ms or later, minus the truth at its end (never more than 1024), and when it was
                received. Given as how many are at most MOVE_SHORT below, the median and the worst of the
                differences, and those of the times.
"""
from stats import mean, quantile

SETTLED_RANGE = 100        # a duty cycle's ripple of 10 ms periods is 104 at most
SETTLED_MSEC = 200         # six half-lives: what was before is 1.6 %
LEVEL, MARGIN = 512, 128
FALSE_STEP, FALSE_MSEC, AHEAD_MSEC = 64, 1000, 200
MOVE, MOVE_SHORT = 512, 31  # PELT by itself rises by 22 per ms at most; 31 is guestd's step


def sliding(values, width, better):
    """Of each value and up to `width` before it, the one that is `better` than all."""
    out, kept = [], []              # kept: places of candidates, each better than those after it
    start = 0
    for place, value in enumerate(values):
        while len(kept) > start and not better(values[kept[-1]], value):
            kept.pop()
        kept.append(place)
        if kept[start] < place - width:
            start += 1
        out.append(values[kept[start]])
    return out


def lowest(values, width):
    return sliding(values, width, lambda a, b: a < b)


def highest(values, width):
    return sliding(values, width, lambda a, b: a > b)


def settled_errors(truth, source):
    low, high = lowest(truth, SETTLED_MSEC), highest(truth, SETTLED_MSEC)
    return [said - true for at, (true, said) in enumerate(zip(truth, source))
            if said is not None and at >= SETTLED_MSEC and high[at] - low[at] <= SETTLED_RANGE]


def edges(truth, level=LEVEL, margin=MARGIN):
    """[(place, rises)] in turn."""
    found, high, crossed = [], None, 0
    for at, value in enumerate(truth):
        if at > 0 and (value >= level) != (truth[at - 1] >= level):
            crossed = at
        if value >= level + margin or value <= level - margin:
            now_high = value > level
            if high is not None and now_high != high:
                found.append((crossed, now_high))
            high = now_high
    return found


def lag_of(source, edge, after, before, level=LEVEL):
    """Of one edge, looked for from `after` to `before`: a place difference, or None if it was missed."""
    place, rises = edge

    def is_past(at):
        return source[at] is not None and (source[at] >= level) == rises
    if is_past(place):
        at = place
        while at > after and is_past(at - 1):
            at -= 1
        # Past it ever since the truth's edge before (or the begin): it hasn't been elsewhere.
        return at - place if at > after else None
    for at in range(place, min(before, len(source))):
        if is_past(at):
            return at - place
    return None


def lags(truth, source, level=LEVEL, margin=MARGIN):
    """(of rises, of falls): a lag in ms for each edge, None where it was missed."""
    found, out = edges(truth, level, margin), ([], [])
    for number, edge in enumerate(found):
        after = found[number - 1][0] if number > 0 else 0
        before = found[number + 1][0] if number + 1 < len(found) else len(truth)
        out[0 if edge[1] else 1].append(lag_of(source, edge, after, before, level))
    return out


def false_steps(truth, records, begin):
    """records: [(usec, value)] of the same time as the truth, which begins at `begin`."""
    low, high = lowest(truth, FALSE_MSEC + AHEAD_MSEC), highest(truth, FALSE_MSEC + AHEAD_MSEC)
    count, last = 0, None
    for usec, value in records:
        at = min((usec - begin) // 1000 + AHEAD_MSEC, len(truth) - 1)
        if last is not None and abs(value - last) >= FALSE_STEP:
            count += not low[at] - FALSE_STEP < value < high[at] + FALSE_STEP
        last = value
    return count


def moves(truth, others):
    """[(place, value)]: where the truth of a CPU has risen like that, and to what. others: that of the other CPUs."""
    found = []
    for at in range(1, len(truth)):
        rise = truth[at] - truth[at - 1]
        if rise >= MOVE and any(other[at - 1] - other[min(at + 1, len(other) - 1)] >= rise / 2 for other in others):
            found.append((at, truth[at]))
    return found


def first_after(usec, looked, records):
    """(usec when received, value) of the first that was sampled then or later."""
    for when, record in zip(looked, records):
        if when >= usec:
            return record
    return None


class Moves:
    """What a source said first, over all of a load's CPUs."""

    def __init__(self):
        self.off, self.msec, self.unseen = [], [], 0

    def add(self, truth, others, looked, records, begin):
        """One CPU: the truth from `begin` on, and the source's values with the times when they were sampled."""
        for place, value in moves(truth, others):
            usec = begin + (place - 1) * 1000
            first = first_after(usec, looked, records)
            if first is None:
                self.unseen += 1
                continue
            self.off.append(first[1] - value)
            self.msec.append((first[0] - usec) / 1000)

    def row(self):
        if not self.off:
            return None
        near = sum(off >= -MOVE_SHORT for off in self.off)
        return ["%d" % (len(self.off) + self.unseen), "%d" % near,
                "%+d / %+d" % (quantile(self.off, 0.5), min(self.off)),
                "%.0f / %.0f" % (quantile(self.msec, 0.5), max(self.msec))]


MOVE_HEADINGS = ["moves", "at the task's util at once", "off by: median / worst", "after, ms: median / worst"]


class Figures:
    """Of one source in one load, over all of the load's CPUs."""

    def __init__(self):
        self.records = self.false_steps = 0
        self.settled, self.rises, self.falls = [], [], []
        self.true, self.said = [], []

    def add(self, truth, samples, records, begin, level=LEVEL, margin=MARGIN):
        """One CPU: the truth and the source's samples on the same grid, and its records."""
        rises, falls = lags(truth, samples, level, margin)
        self.records += len(records)
        self.rises += rises
        self.falls += falls
        self.settled += settled_errors(truth, samples)
        self.false_steps += false_steps(truth, records, begin)
        pairs = [(true, said) for true, said in zip(truth, samples) if said is not None]
        self.true += [true for true, _said in pairs]
        self.said += [said for _true, said in pairs]

    def row(self):
        """What the table has, as text."""
        worst = quantile([abs(error) for error in self.settled], 0.95)
        return ["%d" % self.records,
                "-" if worst is None else "%+.0f" % mean(self.settled),
                "-" if worst is None else "%d" % worst,
                "-" if not self.said else "%+.0f" % (mean(self.said) - mean(self.true)),
                lag_text(self.rises), lag_text(self.falls), "%d" % self.false_steps]


HEADINGS = ["values", "settled: mean error", "settled: 95 % within", "mean error", "lag of rises, ms",
            "lag of falls, ms", "false steps"]


def lag_text(found):
    """"median / worst, missed of all"."""
    if not found:
        return "-"
    seen = [lag for lag in found if lag is not None]
    missed = len(found) - len(seen)
    text = "%d / %d" % (quantile(seen, 0.5), max(seen)) if seen else "none seen"
    return text + (", %d of %d missed" % (missed, len(found)) if missed else "")
