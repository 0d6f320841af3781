# SPDX-License-Identifier: LGPL-2.1-or-later
"""A plot as SVG: one panel for each CPU, lines of steps, a legend. Nothing but text."""

WIDTH, PANEL, LEFT, RIGHT, TOP, GAP, LEGEND = 960, 200, 56, 16, 40, 36, 22
COLOURS = ["#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b", "#17becf", "#e377c2"]
TRUTH = "#000000"
UTIL_MAX = 1024


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def label(x, y, text, anchor="start", size=12):
    return '<text x="%.1f" y="%.1f" font-size="%d" text-anchor="%s">%s</text>' % (
        x, y, size, anchor, escape(text))


def line(x1, y1, x2, y2, colour="#dddddd"):
    return '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>' % (x1, y1, x2, y2, colour)


def path(points, colour, width):
    text = " ".join("%s%.1f %.1f" % ("L" if at else "M", x, y) for at, (x, y) in enumerate(points))
    return '<path d="%s" fill="none" stroke="%s" stroke-width="%.1f"/>' % (text, colour, width)


def tick_of(seconds):
    """A round step that makes five to a dozen of them."""
    for step in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60):
        if seconds / step <= 12:
            return step
    return 120


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
    out = [label(LEFT, top - 6, title)]
    for util in range(0, UTIL_MAX + 1, 256):
        y = top + PANEL * (1 - util / UTIL_MAX)
        out += [line(LEFT, y, WIDTH - RIGHT, y), label(LEFT - 6, y + 4, str(util), "end", 11)]
    step = tick_of(msec / 1000)
    for number in range(int(msec / 1000 / step + 1e-9) + 1):
        x = LEFT + inner * number * step * 1000 / msec
        out += [line(x, top, x, top + PANEL), label(x, top + PANEL + 14, "%g s" % (number * step),
                                                    "middle", 11)]
    for samples, colour, width in lines:
        points = [(LEFT + inner * min(place / msec, 1), top + PANEL * (1 - min(value, UTIL_MAX) / UTIL_MAX))
                  for place, value in turns(samples)]
        if points:
            out.append(path(points, colour, width))
    return out


def svg(title, cpus, names, series):
    """series: (name, cpu) -> samples 1 ms apart; the first name is the truth, and black."""
    msec = max(max(len(samples) for samples in series.values()), 1)
    rows = (len(names) + 2) // 3
    height = TOP + len(cpus) * (PANEL + GAP) + rows * LEGEND + 8
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" '
           'font-family="sans-serif">' % (WIDTH, height, WIDTH, height),
           '<rect width="%d" height="%d" fill="#ffffff"/>' % (WIDTH, height), label(LEFT, 18, title, size=14)]
    colours = {name: COLOURS[(at - 1) % len(COLOURS)] if at else TRUTH for at, name in enumerate(names)}
    for row, cpu in enumerate(cpus):
        lines = [(series[name, cpu], colours[name], 1.0 if at else 2.0) for at, name in enumerate(names)
                 if (name, cpu) in series]
        out += panel(TOP + row * (PANEL + GAP), "CPU %d" % cpu, msec, lines)
    for at, name in enumerate(names):
        x = LEFT + (at % 3) * (WIDTH - LEFT) / 3
        y = TOP + len(cpus) * (PANEL + GAP) + (at // 3) * LEGEND + 4
        out += ['<rect x="%.1f" y="%.1f" width="18" height="4" fill="%s"/>' % (x, y, colours[name]),
                label(x + 24, y + 6, name)]
    return "\n".join(out + ["</svg>", ""])
