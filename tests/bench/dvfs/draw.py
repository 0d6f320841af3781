# SPDX-License-Identifier: LGPL-2.1-or-later
"""Drawings: bars of the figures with each repeat as a dot, and a stretch of a run."""
import measured
import stats
import svg
import tables

WIDTH, LEFT, RIGHT, TOP = 960, 52, 16, 40
COLUMNS, PANEL, GAP = 3, 150, 46


# -- bars

def wanted(group):
    """[(title, key)] of what is drawn."""
    found = []
    for task in group.tasks():
        name = "the whole chain" if task == "whole" else task
        found += [("%s: %s" % (name, head), tables.key_of(task, figure)) for head, figure in (
            ("burst, ms", "burst"), ("missed, %", "missed"), ("MHz", "mhz"))]
    found.append(("energy for a second of work, mJ", "energy.work"))
    return [(title, key) for title, key in found if any(group.values(row, key) for row in group.rows)]


def scale(most):
    """(the end of the axis, its step): round, and not below what is drawn."""
    step = svg.tick_of(max(most, 0.01), 5)
    return step * max(-int(-max(most, 0.01) / step // 1), 1), step


def bars(left, top, width, title, rows):
    """rows: [(colour, values)]"""
    end, step = scale(max((max(values) for _colour, values in rows if values), default=0))
    out = [svg.label(left, top - 8, title)]
    for number in range(round(end / step) + 1):
        y = top + PANEL * (1 - number * step / end)
        out += [svg.line(left, y, left + width, y), svg.label(left - 6, y + 4, "%g" % (number * step), "end", 11)]
    slot = width / max(len(rows), 1)
    for at, (colour, values) in enumerate(rows):
        if not values:
            continue
        middle, height = left + slot * (at + 0.5), PANEL * stats.median(values) / end
        out.append(svg.box(middle - slot * 0.35, top + PANEL - height, slot * 0.7, height, colour, 0.75))
        for place, one in enumerate(values):
            x = middle + slot * 0.56 * ((place + 0.5) / len(values) - 0.5)
            out.append(svg.dot(x, top + PANEL * (1 - one / end)))
    return out


def figures(group):
    """The whole drawing."""
    shown = wanted(group)
    colours = {row: svg.key(at) for at, row in enumerate(group.rows)}
    width = (WIDTH - LEFT - RIGHT) / COLUMNS
    out = [svg.label(LEFT, 18, "%s: %s, %s (%s). Bars: medians; dots: the repeats." % (
        group.load, group.kernel, group.shape, group.label()), size=14)]
    for at, (title, key) in enumerate(shown):
        out += bars(LEFT + at % COLUMNS * width, TOP + 20 + at // COLUMNS * (PANEL + GAP), width - LEFT, title,
                    [(colours[row], list(group.values(row, key).values())) for row in group.rows])
    bottom = TOP + 20 + (len(shown) + COLUMNS - 1) // COLUMNS * (PANEL + GAP) - 14
    entries, height = svg.legend(LEFT, bottom, [(colours[row], group.name(row)) for row in group.rows],
                                 WIDTH - LEFT, 4)
    return svg.document(WIDTH, bottom + height + 8, out + entries)


# -- a stretch of a run

STRIP, ROW, BELOW = 12, 110, 62


class Stretch:
    """Where things are drawn."""

    def __init__(self, run, begin, end):
        self.run, self.begin, self.end = run, begin, end
        many = len(run.plan.names) > svg.KEYS
        self.names = run.plan.groups() if many else run.plan.names
        self.colours = [self.names.index(run.plan.group(task)) if many else task
                        for task in range(len(run.plan.names))]

    def x(self, usec):
        return LEFT + (WIDTH - LEFT - RIGHT) * (usec - self.begin) / (self.end - self.begin)


def tasks_strip(stretch, cpu, top):
    out = []
    for begin, end, where, tasks in measured.worked(stretch.run):
        begin, end = max(begin, stretch.begin), min(end, stretch.end)
        if where != cpu or begin >= end:
            continue
        for at, task in enumerate(tasks):
            out.append(svg.box(stretch.x(begin), top + at * STRIP / len(tasks), stretch.x(end) - stretch.x(begin),
                               STRIP / len(tasks), svg.key(stretch.colours[task])))
    return out


def steps(stretch, found, y):
    """A line of steps from (begin, end, value), broken where there is no value: [points]"""
    lines, points = [], []
    for begin, end, value in found + [(0, 0, None)]:
        if value is None:
            if points:
                lines.append(points)
            points = []
            continue
        points += [(stretch.x(begin), y(value)), (stretch.x(end), y(value))]
    return lines


def held(writes, kind, begin, end):
    """[(begin, end, value)] of one thread's clamps; None while there is none."""
    out, since, now = [], begin, None
    for usec, _vcpu, what, value in writes:
        if what != kind or usec >= end:
            continue
        if usec > since:
            out.append((since, usec, now))
            since = usec
        now = value if value >= 0 else None
    return out + [(since, end, now)]


def home(stretch, pid):
    """The CPU on which a thread ran most in that time."""
    sums, start = {}, stretch.run.log.start
    for piece in stretch.run.tracks.slices:
        length = min(piece.end - start, stretch.end) - max(piece.begin - start, stretch.begin)
        if piece.pid == pid and length > 0:
            sums[piece.cpu] = sums.get(piece.cpu, 0) + length
    return max(sums, key=sums.get) if sums else None


def meaning(run, cpu, kind, value):
    """A clamp as a frequency; None if it is none."""
    if value is None or kind == "max" and value >= 1024:
        return None
    return min(value / run.capacity[cpu], 1) * run.model.top(cpu)


def clamps(stretch, cpu, y):
    """The floors and ceilings of the vCPUs whose threads are on that CPU, as the frequency that they mean there."""
    out, run = [], stretch.run
    for vcpu in sorted({write[1] for write in run.writes}):
        if home(stretch, run.lanes.get(vcpu)) != cpu:
            continue
        writes = [write for write in run.writes if write[1] == vcpu]
        for kind, dashes in (("min", "5 3"), ("max", "1.5 2.5")):
            found = [(begin, end, meaning(run, cpu, kind, value))
                     for begin, end, value in held(writes, kind, stretch.begin, stretch.end)]
            out += [svg.path(points, "text", 1.2, dashes) for points in steps(stretch, found, y)]
    return out


def cpu_row(stretch, cpu, top):
    run, most = stretch.run, stretch.run.model.top(cpu)

    def y(khz):
        return top + ROW * (1 - khz / most)
    out = [svg.label(LEFT, top - 6, "CPU %d, MHz (capacity %d)" % (cpu, run.capacity[cpu]))]
    for part in range(0, 5):
        out += [svg.line(LEFT, y(most * part / 4), WIDTH - RIGHT, y(most * part / 4)),
                svg.label(LEFT - 6, y(most * part / 4) + 4, "%.0f" % (most * part / 4000), "end", 11)]
    start = run.log.start
    found = [(begin - start, end - start, khz) for begin, end, khz in run.tracks.frequency(cpu).pieces(
        stretch.begin + start, stretch.end + start)]
    out += [svg.path(points, "k7", 1.6) for points in steps(stretch, found, y)]
    out += clamps(stretch, cpu, y) + tasks_strip(stretch, cpu, top + ROW + 4)
    step = svg.tick_of((stretch.end - stretch.begin) / 1e6)
    for number in range(int((stretch.end - stretch.begin) / 1e6 / step + 1e-9) + 1):
        usec = stretch.begin + number * step * 1e6
        out.append(svg.label(stretch.x(usec), top + ROW + STRIP + 18, "%g s" % (usec / 1e6), "middle", 11))
    return out


def stretch_of(run, begin, end, label):
    """Of a run that has been read with load_all(): frequencies, what is at work, floors and ceilings."""
    stretch = Stretch(run, begin, end)
    cpus = sorted(run.tracks.cpus)
    out = [svg.label(LEFT, 18, "%s, %s (%s), repeat %d: %s, %s (%s)" % (
        run.meta["load"], run.meta["setting"], run.meta["carrier"], run.repeat, run.meta["kernel"],
        run.meta["shape"], label), size=14)]
    for at, cpu in enumerate(cpus):
        out += cpu_row(stretch, cpu, TOP + 10 + at * (ROW + BELOW))
    bottom = TOP + 10 + len(cpus) * (ROW + BELOW) - 16
    entries = [("k7", "frequency")] + [(svg.key(at), name) for at, name in enumerate(stretch.names)]
    parts, height = svg.legend(LEFT, bottom, entries, WIDTH - LEFT, 5)
    if run.writes:
        parts.append(svg.label(LEFT, bottom + height + 10, "dashes: the floor, dots: the ceiling, as the frequency "
                               "that each means there", size=11))
        height += 14
    return svg.document(WIDTH, bottom + height + 8, out + parts)
