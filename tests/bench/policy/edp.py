# SPDX-License-Identifier: LGPL-2.1-or-later
"""Figures of the simulator's runs (vmfreq-sim --csv) -> the energy-delay product over scenarios.

For each scenario and seed, and one arm against another:

    energy  mJ for a second of the tasks' work, arm / other
    delay   time of a load's bursts / their work, arm / other; the geometric mean over the loads that somebody waits for
    EDP     energy x delay

Over seeds and then over scenarios they are geometric means, so that EDP = energy x delay holds for these, too, and each
scenario counts as much as any other, however long its bursts are. Scenarios that have no such bursts aren't among them.

Parity is as tests/sim/SCENARIOS.md has it; sweep.py holds it against what vmfreq-sim prints."""
import stats

GAP, GAP_POINTS = 0.10, 0.01            # tests/sim/metrics.h
PARITY = 0.8                            # SCENARIOS.md: below it a scenario is broken
ENERGY = 1.005                          # and above that


class FiguresError(Exception):
    pass


class Run:
    """One scenario, arm and seed. loads: name -> the csv's row."""

    def __init__(self, row):
        self.energy = float(row["energy_mj"]) / float(row["all_work_nsec"]) * 1e9 if float(row["all_work_nsec"]) else None
        self.writes = int(row["writes"])
        self.counts = {"stretch": row["parity_counts"] == "1", "misses": row["misses_count"] == "1"}
        self.loads = {}

    def helped(self):
        return [name for name, row in self.loads.items() if row["role"] == "helped"]

    def stretch(self, load):
        """None: it had no burst."""
        row = self.loads.get(load)
        return float(row["stretch"]) if row and int(row["bursts"]) and float(row["stretch"]) > 0 else None

    def misses(self, load):
        """None: nothing was due."""
        row = self.loads.get(load)
        return int(row["missed"]) / int(row["due"]) if row and int(row["bursts"]) and int(row["due"]) else None


def read(text):
    """{(arm, scenario): {seed: Run}} of a csv."""
    lines = text.splitlines()
    heads, found = lines[0].split(","), {}
    for line in lines[1:]:
        row = dict(zip(heads, line.split(",")))
        if len(row) != len(heads):
            raise FiguresError("this is no line of vmfreq-sim's csv: %s" % line)
        seeds = found.setdefault((row["arm"], row["scenario"]), {})
        seeds.setdefault(int(row["seed"]), Run(row)).loads[row["load"]] = row
    return found


def geometric(values):
    """Their geometric mean. None of none."""
    product = 1.0
    for value in values:
        product *= value ** (1 / len(values))
    return product if values else None


# -- energy and delay

def delay_of(run, other):
    """None: there are no bursts to tell it by."""
    pairs = [(run.stretch(load), other.stretch(load)) for load in run.helped()]
    return geometric([one / two for one, two in pairs if one and two])


def against(runs, other, arm, rival):
    """{scenario: (energy, delay)} of an arm of runs against one of other."""
    found = {}
    for (name, scenario), seeds in runs.items():
        if name != arm or (rival, scenario) not in other:
            continue
        pairs = [(run, other[rival, scenario][seed]) for seed, run in seeds.items()
                 if seed in other[rival, scenario]]
        delays = [delay_of(*pair) for pair in pairs]
        if delays and all(delays) and all(one.energy and two.energy for one, two in pairs):
            found[scenario] = geometric([one.energy / two.energy for one, two in pairs]), geometric(delays)
    return found


# -- parity: as tests/sim/metrics.c

def over(seeds, load, figure):
    return [value for value in (getattr(run, figure)(load) for run in seeds.values()) if value is not None]


def has_gap(native, without, load, figure):
    bare, alone = stats.median(over(native, load, figure)), stats.median(over(without, load, figure))
    if bare is None or alone is None:
        return False
    if figure == "stretch":
        return alone / bare - 1 >= GAP
    return alone - bare >= GAP_POINTS and alone - bare >= GAP * bare


def parity_of(native, without, helped, load, figure):
    """The median over the seeds. None: in no seed native was the better one."""
    found = []
    for seed in native:
        bare, alone, mine = (getattr(seeds[seed], figure)(load) if seed in seeds else None
                             for seeds in (native, without, helped))
        if None not in (bare, alone, mine) and alone > bare:
            found.append((alone - mine) / (alone - bare))
    return stats.median(found)


def parities(runs, base, arm="with"):
    """The lowest load's, of bursts and of misses, of each scenario with a gap that counts: [value]"""
    found = []
    for (name, scenario), helped in runs.items():
        native, without = base.get(("native", scenario)), base.get(("without", scenario))
        if name != arm or not native or not without:
            continue
        first = next(iter(native.values()))
        for figure in ("stretch", "misses"):
            values = [parity_of(native, without, helped, load, figure) for load in first.helped()
                      if has_gap(native, without, load, figure)]
            values = [value for value in values if value is not None]
            if values and first.counts[figure]:
                found.append(min(values))
    return found


# -- all of it

class Summary:
    """What one setting came to. base has the other arms' runs."""

    def __init__(self, runs, base):
        self.each = against(runs, base, "with", "patches")
        if not self.each:
            raise FiguresError("no scenario has bursts in both arms, with and patches")
        self.energy = geometric([energy for energy, _delay in self.each.values()])
        self.delay = geometric([delay for _energy, delay in self.each.values()])
        self.edp = self.energy * self.delay
        self.parities = parities(runs, base)
        self.median_parity = stats.median(self.parities)
        self.lacking = sum(value < PARITY for value in self.parities)
        medians = [stats.median([run.energy / base["patches", scenario][seed].energy for seed, run in seeds.items()
                                 if run.energy and base["patches", scenario][seed].energy])
                   for (arm, scenario), seeds in runs.items() if arm == "with" and ("patches", scenario) in base]
        medians = [value for value in medians if value is not None]
        self.median_energy = stats.median(medians)
        self.hungry = sum(value > ENERGY for value in medians)
        self.writes = sum(run.writes for (arm, _scenario), seeds in runs.items() if arm == "with"
                          for run in seeds.values())


def movers(summaries, most=3):
    """The scenarios whose EDP the settings move most: [(scenario, lowest, highest)]"""
    found = []
    for scenario in summaries[0].each:
        values = [energy * delay for energy, delay in (one.each[scenario] for one in summaries if scenario in one.each)]
        found.append((max(values) / min(values), scenario, min(values), max(values)))
    return [(scenario, low, high) for ratio, scenario, low, high in sorted(found, reverse=True)[:most] if ratio >= 1.005]
