# SPDX-License-Identifier: LGPL-2.1-or-later
"""Figures of runs -> tables in Markdown. A cell is the median of the repeats, and the least and the most of them.
Two settings are compared repeat by repeat: repeats are interleaved, so those of one number ran one after the other."""
import measured
import stats

# FACTS.md, "What the gap is worth": what was measured before, of four CPUs of capacity 1024 with a domain each. It
# doesn't say whether a burst's time has the wait behind the last one in it; here it has not, for a task that does one burst after
# the other and then waits for its next period has none.
FACTS = {"native": (2987, 11.6, 1, 772), "without": (2343, 15.5, 31, 2086)}
FACTS_ROWS = (("A: MHz", "A.mhz", False), ("A: burst, ms", "A.begun", False),
              ("A: bursts over their period, %", "A.over", True), ("B: MHz", "B.mhz", False))
CLOSE, CLOSE_POINTS = 0.15, 3
COUNTED_MAX = 1.05  # a carrier that counts more work than that has counted what nobody did

TASK_COLUMNS = (("burst, ms", "burst", 2), ("95 % within, ms", "burst95", 2), ("from its begin, ms", "begun", 2),
                ("missed, %", "missed", 1), ("MHz", "mhz", 0), ("MHz by work", "mhz.work", 0), ("speed", "speed", 0))
RUN_COLUMNS = (("energy, mJ", "energy", 1), ("for a second of work, mJ", "energy.work", 1),
               ("of all threads, mJ", "energy.all", 1), ("CPUs busy, %", "busy", 1), ("counted / can have been done", "counted", 2),
               ("reports late, ms", "late", 1), ("at most", "late.max", 1),
               ("floors", "floors", 0), ("ceilings", "ceilings", 0), ("writes of a vCPU in 4 ms, at most", "writes.most", 0),
               ("writes of a vCPU while all is steady", "writes.steady", 2), ("never ended", "lost", 0),
               ("frequency unknown, ms", "unknown", 1))


OF = {"missed": "due", "over": "timed"}


def share(figures, key):
    """NAME.missed as a percentage of what was due, NAME.over of what ended and had a deadline."""
    name, word = key.rsplit(".", 1)
    due = figures.get("%s.%s" % (name, OF[word]))
    return 100 * figures[key] / due if due else None


def value(figures, key):
    """None: there is none."""
    if key.endswith((".missed", ".over")) and key in figures:
        return share(figures, key)
    return figures.get(key)


class Group:
    """All runs of a load on one kernel and shape. rows: (setting, carrier) -> {repeat: figures}, in the order of the
    tables."""

    def __init__(self, load, kernel, shape):
        self.load, self.kernel, self.shape, self.rows = load, kernel, shape, {}
        self.labels = set()

    def add(self, run, figures):
        repeats = self.rows.setdefault((run.meta["setting"], run.meta["carrier"]), {})
        if run.repeat in repeats:
            raise measured.RunError("%s: there is a repeat %d of it already" % (run.directory, run.repeat))
        repeats[run.repeat] = figures

    def sort(self):
        order = sorted(self.rows, key=lambda row: (measured.SETTINGS.index(row[0]), row[1]))
        self.rows = {row: self.rows[row] for row in order}

    def name(self, row):
        carriers = {carrier for setting, carrier in self.rows if setting != "native"}
        return row[0] if row[0] == "native" or len(carriers) < 2 else "%s, %s" % row

    def label(self):
        return ", ".join(sorted(self.labels))

    def values(self, row, key):
        """Of each repeat that has it."""
        found = {number: value(figures, key) for number, figures in sorted(self.rows[row].items())}
        return {number: one for number, one in found.items() if one is not None}

    def tasks(self):
        """The groups of tasks, and "whole" if there are chains."""
        seen = {}
        for repeats in self.rows.values():
            for figures in repeats.values():
                seen.update((key[:-len(".burst")], None) for key in figures if key.endswith(".burst"))
        whole = any("whole" in figures for repeats in self.rows.values() for figures in repeats.values())
        return list(seen) + (["whole"] if whole else [])


def key_of(task, figure):
    if task != "whole":
        return "%s.%s" % (task, figure)
    return {"burst": "whole", "burst95": "whole95"}.get(figure, "whole." + figure)


def collect(runs, label):
    """[Group] of (run, figures)."""
    groups = {}
    for run, figures in runs:
        key = run.meta["load"], run.meta["kernel"], run.meta["shape"]
        group = groups.setdefault(key, Group(*key))
        group.add(run, figures)
        group.labels.add(run.meta.get("label", label))
    for group in groups.values():
        group.sort()
    return list(groups.values())


def cell(values, digits):
    """"median (least .. most)" """
    if not values:
        return "-"
    form = "%%.%df" % digits
    low, middle, high = (form % one for one in (min(values), stats.median(values), max(values)))
    return middle if low == high else "%s (%s .. %s)" % (middle, low, high)


def table(head, rows):
    return ["| %s |" % " | ".join(head), "|" + "---|" * len(head)] + ["| %s |" % " | ".join(row) for row in rows] + [""]


def columns_of(group, columns, keys):
    """Those of which there is anything."""
    return [column for column in columns
            if any(group.values(row, key(column[1])) for row in group.rows for key in keys)]


def task_table(group):
    tasks = group.tasks()
    columns = columns_of(group, TASK_COLUMNS, [lambda figure, task=task: key_of(task, figure) for task in tasks])
    rows = [[task if task != "whole" else "*the whole chain*", group.name(row)]
            + [cell(group.values(row, key_of(task, figure)).values(), digits) for _head, figure, digits in columns]
            for task in tasks for row in group.rows]
    return table(["task (%s)" % group.label(), "setting"] + [column[0] for column in columns], rows)


def moves(group, row):
    """Of the carrier's threads to another CPU, in sum."""
    found = [sum(number for key, number in figures.items() if key.endswith(".moves"))
             for figures in group.rows[row].values()]
    return cell(found, 0)


def run_table(group):
    rows = [[group.name(row), str(len(group.rows[row]))]
            + [cell(group.values(row, figure).values(), digits) for _head, figure, digits in RUN_COLUMNS]
            + [moves(group, row)] for row in group.rows]
    return table(["setting (%s)" % group.label(), "repeats"] + [column[0] for column in RUN_COLUMNS]
                 + ["moves of threads"], rows)


def where_table(group):
    """On CPUs of which domain the tasks ran; nothing if there is one."""
    keys = sorted({key for repeats in group.rows.values() for figures in repeats.values() for key in figures
                   if ".on." in key})
    domains = sorted({key.rsplit(".", 1)[1] for key in keys}, key=int)
    if len(domains) < 2:
        return []
    rows = [[task, group.name(row)] + [cell(group.values(row, "%s.on.%s" % (task, domain)).values(), 1)
                                       for domain in domains]
            for task in group.tasks() if task != "whole" for row in group.rows]
    return table(["task (%s)" % group.label(), "setting"] + ["on domain %s, %%" % domain for domain in domains], rows)


# -- one setting and another

def pairs(group, row, other, key):
    """[(of row, of other)] of the repeats that both have."""
    ones, others = group.values(row, key), group.values(other, key)
    return [(ones[number], others[number]) for number in ones if number in others]


def compared(found, as_points):
    """"0.81 (0.79 .. 0.83); 10 of 10 less, p 0.002": the median of the ratios or, of percentages, of the
    differences, and a sign test."""
    if not found:
        return "-"
    if as_points:
        text = cell([one - other for one, other in found], 1) + " points"
    else:
        ratios = [one / other for one, other in found if other]
        text = cell(ratios, 3) if ratios else "-"
    less, more, chance = stats.sign_test(found)
    if not less and not more:
        return text + "; all equal"
    return "%s; %d of %d %s, p %.2g" % (text, max(less, more), len(found), "less" if less >= more else "more", chance)


def compare_table(group):
    references = [row for row in group.rows if row[0] in ("native", "without")]
    keys = [(task, name, key_of(task, figure)) for task in group.tasks()
            for name, figure in (("burst", "burst"), ("missed", "missed"), ("MHz", "mhz"))]
    keys = [entry for entry in keys + [("all", "energy for a second of work", "energy.work")]
            if any(group.values(row, entry[2]) for row in group.rows)]
    rows = []
    for task, name, key in keys:
        for row in group.rows:
            others = [other for other in references if other[0] == "native" or other[1] == row[1]]
            cells = {other[0]: compared(pairs(group, row, other, key), name == "missed") for other in others
                     if other != row}
            if cells and row[0] != "native":
                rows.append([task, name, group.name(row), cells.get("native", "-"), cells.get("without", "-")])
    return table(["task (%s)" % group.label(), "figure", "setting", "to native", "to without"], rows) if rows else []


# -- the swapping tasks, and what FACTS.md says of them

def facts_tables(group):
    rows = [[group.name(row)] + [cell(group.values(row, key).values(), 1 if key == "A.begun" or points else 0)
                                 for _head, key, points in FACTS_ROWS] for row in group.rows]
    lines = table(["(%s)" % group.label()] + [head for head, _key, _points in FACTS_ROWS], rows)
    rows = []
    for row in group.rows:
        for (head, key, points), fact in zip(FACTS_ROWS, FACTS.get(row[0], ())):
            found = list(group.values(row, key).values())
            if found:
                rows.append([group.name(row), head, "%g" % fact] + beside(stats.median(found), fact, points))
    return lines + table(["(%s)" % group.label(), "figure", "FACTS.md", "here", "off by", ""], rows)


def beside(found, fact, points):
    """[here, off by, the verdict]"""
    if points:
        off = found - fact
        return ["%.1f" % found, "%+.1f points" % off, "within" if abs(off) <= CLOSE_POINTS else "**outside**"]
    off = found / fact - 1
    return ["%.4g" % found, "%+.1f %%" % (100 * off), "within" if abs(off) <= CLOSE else "**outside**"]


def doubts(group):
    """What a reader must know before the tables."""
    found = ["%s %d: %.2f" % (group.name(row), number, counted) for row in group.rows
             for number, counted in group.values(row, "counted").items() if counted > COUNTED_MAX]
    return ["**Not to be used: more work was counted than can have been done** (%s)" % ", ".join(found), ""] if found else []


def text(groups):
    out = []
    for group in groups:
        numbers = sorted({len(repeats) for repeats in group.rows.values()})
        out += ["### %s: %s, %s (%s)" % (group.load, group.kernel, group.shape, group.label()), "",
                "Medians of %s repeats, and the least and the most of them." % " or ".join(map(str, numbers)),
                "Times are of bursts that ended; those that were left out, or never ended, count as missed.", ""]
        out += doubts(group)
        out += task_table(group) + run_table(group) + where_table(group) + compare_table(group)
        if group.load == "swap":
            out += ["Beside FACTS.md's figures: within %d %% on times and frequencies, and %d points on misses?" % (
                100 * CLOSE, CLOSE_POINTS), ""] + facts_tables(group)
    return "\n".join(out)
