# SPDX-License-Identifier: LGPL-2.1-or-later
"""Drawings as SVG: nothing but text. They bring their own background, and all colours have two values, for a
reader whose screen is light and one whose screen is dark; a program that doesn't know of this takes the light.

A colour is a name: "text", "grid", or "k0" to "k7" for what is to be told apart."""

# (light, dark): the eight are apart for colour-blind eyes, too, as far as eight can be.
COLOURS = {
    "text": ("#24292f", "#d7dde3"), "grid": ("#dddddd", "#343b43"), "ground": ("#ffffff", "#0d1117"),
    "k0": ("#0072b2", "#58a6ff"), "k1": ("#d55e00", "#ff8b4a"), "k2": ("#00835f", "#35c99a"),
    "k3": ("#b0508a", "#e596c4"), "k4": ("#a87500", "#e5b93c"), "k5": ("#2f9fc9", "#8bd3f0"),
    "k6": ("#7a5a43", "#c7a58c"), "k7": ("#6e7681", "#9aa4af"),
}
KEYS = 8


def key(number):
    """The colour of the number-th thing."""
    return "k%d" % (number % KEYS)


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def label(x, y, text, anchor="start", size=12, colour="text"):
    return '<text class="%s" fill="currentColor" x="%.1f" y="%.1f" font-size="%d" text-anchor="%s">%s</text>' % (
        colour, x, y, size, anchor, escape(text))


def line(x1, y1, x2, y2, colour="grid"):
    return '<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="currentColor"/>' % (
        colour, x1, y1, x2, y2)


def path(points, colour, width, dashes=""):
    text = " ".join("%s%.1f %.1f" % ("L" if at else "M", x, y) for at, (x, y) in enumerate(points))
    return '<path class="%s" d="%s" fill="none" stroke="currentColor" stroke-width="%.1f"%s/>' % (
        colour, text, width, ' stroke-dasharray="%s"' % dashes if dashes else "")


def box(x, y, width, height, colour, opacity=1.0):
    return '<rect class="%s" fill="currentColor" x="%.1f" y="%.1f" width="%.2f" height="%.1f"%s/>' % (
        colour, x, y, width, height, ' fill-opacity="%g"' % opacity if opacity < 1 else "")


def dot(x, y, colour="text", radius=2.5):
    """Ringed with the background, so that those that overlap can be counted."""
    return '<circle class="%s ring" fill="currentColor" cx="%.1f" cy="%.1f" r="%.1f"/>' % (colour, x, y, radius)


def style():
    def rules(place):
        return " ".join(".%s { color: %s }" % (name, pair[place]) for name, pair in COLOURS.items()) + (
            " .ring { stroke: %s; stroke-width: 0.8 }" % COLOURS["ground"][place])
    return "<style>%s @media (prefers-color-scheme: dark) { %s }</style>" % (rules(0), rules(1))


def document(width, height, parts):
    return "\n".join([
        '<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" '
        'font-family="sans-serif">' % (width, height, width, height), style(),
        box(0, 0, width, height, "ground"), *parts, "</svg>", ""])


def tick_of(span, most=12):
    """A round step that makes at most so many of it, 0.001 or more."""
    step, factors = 0.001, (2, 2.5, 2)
    for at in range(60):
        if span / step <= most:
            return step
        step *= factors[at % 3]
    return span


def legend(x, y, entries, width, columns=3):
    """entries: [(colour, name)], in rows of that many columns; (parts, height)."""
    parts = []
    for at, (colour, name) in enumerate(entries):
        left, top = x + (at % columns) * width / columns, y + (at // columns) * 22
        parts += [box(left, top, 18, 5, colour), label(left + 24, top + 7, name)]
    return parts, ((len(entries) + columns - 1) // columns) * 22
