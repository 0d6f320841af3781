# SPDX-License-Identifier: LGPL-2.1-or-later
"""A plot as SVG: one panel for each CPU, lines of steps, a legend."""
import svg

WIDTH, PANEL, LEFT, RIGHT, TOP, GAP = 960, 200, 56, 16, 40, 36
UTIL_MAX = 1024


def turns(samples):
    """(place, value) where a line of steps turns; None where it begins."""
    out, last = [], None
    for place, value in enumerate(samples):
        if value is None or value == last:
            continue
        if last is not None:
            out.append((place, last))
        out.append((place, value))
        last = value
    if last is not None:
        out.append((len(samples), last))
    return out


def panel(top, title, msec, lines):
    """lines: [(samples, colour, width)] 1 ms apart."""
    inner = WIDTH - LEFT - RIGHT
    out = [svg.label(LEFT, top - 6, title)]
    for util in range(0, UTIL_MAX + 1, 256):
        y = top + PANEL * (1 - util / UTIL_MAX)
        out += [svg.line(LEFT, y, WIDTH - RIGHT, y), svg.label(LEFT - 6, y + 4, str(util), "end", 11)]
    step = svg.tick_of(msec / 1000)
    for number in range(int(msec / 1000 / step + 1e-9) + 1):
        x = LEFT + inner * number * step * 1000 / msec
        out += [svg.line(x, top, x, top + PANEL), svg.label(x, top + PANEL + 14, "%g s" % (number * step),
                                                            "middle", 11)]
    for samples, colour, width in lines:
        points = [(LEFT + inner * min(place / msec, 1), top + PANEL * (1 - min(value, UTIL_MAX) / UTIL_MAX))
                  for place, value in turns(samples)]
        if points:
            out.append(svg.path(points, colour, width))
    return out


def draw(title, cpus, names, series):
    """series: (name, cpu) -> samples 1 ms apart; the first name is the truth, and of the text's colour."""
    msec = max(max(len(samples) for samples in series.values()), 1)
    out = [svg.label(LEFT, 18, title, size=14)]
    colours = {name: svg.key(at - 1) if at else "text" for at, name in enumerate(names)}
    for row, cpu in enumerate(cpus):
        lines = [(series[name, cpu], colours[name], 1.0 if at else 2.0) for at, name in enumerate(names)
                 if (name, cpu) in series]
        out += panel(TOP + row * (PANEL + GAP), "CPU %d" % cpu, msec, lines)
    top = TOP + len(cpus) * (PANEL + GAP)
    entries, height = svg.legend(LEFT, top + 4, [(colours[name], name) for name in names], WIDTH - LEFT)
    return svg.document(WIDTH, top + height + 8, out + entries)
