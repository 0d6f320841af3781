# SPDX-License-Identifier: LGPL-2.1-or-later
"""One drawing for each key: energy, delay and their product over its values, which stand at equal distances. All keys have the
same axis, so that one that hardly matters looks so."""
import svg

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 480, 210, 56, 20, 52, 40
LINES = (("EDP", "edp", "k0", 2.4), ("energy", "energy", "k1", 1.4), ("delay", "delay", "k2", 1.4))
LEAST = 0.02                            # of the axis


def axis(summaries):
    """(low, high, step): around all that is drawn of them, round numbers."""
    values = [getattr(one, name) for one in summaries for _title, name, _colour, _width in LINES]
    low, high = min(values), max(values)
    if high - low < LEAST:
        low, high = (low + high - LEAST) / 2, (low + high + LEAST) / 2
    step = svg.tick_of(high - low, 6)
    return step * (low / step // 1), step * -(-high / step // 1), step


def frame(words, low, high, step, x, y):
    out = []
    for number in range(round((high - low) / step) + 1):
        value = low + number * step
        out += [svg.line(LEFT, y(value), WIDTH - RIGHT, y(value)),
                svg.label(LEFT - 6, y(value) + 4, "%.4g" % value, "end", 11)]
    for at, word in enumerate(words):
        out.append(svg.label(x(at), TOP + HEIGHT + 18, word, "middle", 11))
    return out


def draw(key, words, default, summaries, scale, about):
    """The drawing of summaries (edp.Summary), one for each of the words; default is the place of the default, scale what axis()
    says."""
    low, high, step = scale

    def x(at):
        return LEFT + (WIDTH - LEFT - RIGHT) * (at + 0.5) / len(words)

    def y(value):
        return TOP + HEIGHT * (high - value) / (high - low)
    out = [svg.label(LEFT, 18, key, size=14), svg.label(LEFT, 35, about, size=11)]
    out += frame(words, low, high, step, x, y)
    out += [svg.path([(x(default), TOP), (x(default), TOP + HEIGHT)], "text", 1, "4 3"),
            svg.label(x(default) + 5, TOP + 12, "default", size=11)]
    for _title, name, colour, width in LINES:
        points = [(x(at), y(getattr(one, name))) for at, one in enumerate(summaries)]
        out += [svg.path(points, colour, width)] + [svg.dot(*point, colour, 3) for point in points]
    entries, height = svg.legend(LEFT, TOP + HEIGHT + BOTTOM - 6, [(colour, title) for title, _name, colour, _width in LINES],
                                 WIDTH - LEFT)
    return svg.document(WIDTH, TOP + HEIGHT + BOTTOM + height, out + entries)
