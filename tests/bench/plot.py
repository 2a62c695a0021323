# SPDX-License-Identifier: Apache-2.0
"""Plots as SVG, by nothing but Python, with a logarithmic axis: strips() has
one line for each case, with every sample as a tick; curves() has cumulative
distributions on top of each other."""

import math
from xml.sax.saxutils import escape

WIDTH = 1000
LEFT = 420
RIGHT = 30
ROW = 34
TOP = 46
HEIGHT = 300            # Of curves.
TICKS = 600             # A case's samples beyond that are thinned out.
COLORS = ("#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad", "#b9770e", "#34495e")


def strips(title, unit, cases):
    """Returns the SVG.  'cases' is a list of (name, samples, floor or None).
    Per case: a tick for each sample, a box from the 25th to the 75th
    percentile, a bold mark at the median, a circle at the 99th percentile,
    a triangle at the floor.  Samples of 0 or less are drawn at the left edge.
    Returns None if there is nothing to draw."""
    bottom = TOP + ROW * len(cases)
    axis = Axis([value for _, samples, floor in cases
                 for value in list(samples) + [floor]], unit, TOP - 6, bottom)
    if not axis.values:
        return None
    out = _start(title, unit, bottom + 40) + axis.draw()
    for i, (name, samples, floor) in enumerate(cases):
        out += _strip(axis.x, TOP + ROW * i, name, sorted(samples), floor,
                      COLORS[i % len(COLORS)])
    out += [_text(10, bottom + 34, "tick: sample, box: 25% to 75%, bar: "
                  "median, circle: 99%, triangle: floor", "fill='#666'"),
            "</svg>", ""]
    return "\n".join(out)


def curves(title, unit, cases):
    """Returns the SVG.  'cases' is a list of (name, samples)."""
    bottom = TOP + HEIGHT
    axis = Axis([value for _, samples in cases for value in samples], unit,
                TOP, bottom)
    if not axis.values:
        return None
    out = _start(title, unit, bottom + 40) + axis.draw()
    for percent in range(0, 101, 25):
        y = bottom - HEIGHT * percent / 100
        out += [_line(LEFT, y, WIDTH - RIGHT, y, "#ddd"),
                _text(LEFT - 8, y + 4, "%d%%" % percent,
                      "text-anchor='end'")]
    for i, (name, samples) in enumerate(cases):
        color = COLORS[i % len(COLORS)]
        samples = sorted(samples)
        points = ["%.1f,%d" % (axis.x(samples[0]), bottom)] + [
            "%.1f,%.1f" % (axis.x(value),
                           bottom - HEIGHT * (n + 1) / len(samples))
            for n, value in enumerate(samples)]
        out += ["<polyline fill='none' stroke='%s' stroke-width='2' "
                "points='%s'/>" % (color, " ".join(points)),
                _text(10, TOP + 20 + 20 * i, name, "fill='%s'" % color)]
    return "\n".join(out + ["</svg>", ""])


class Axis:
    """A logarithmic axis for 'values', of which what is not positive is at
    its left end."""

    def __init__(self, values, unit, top, bottom):
        self.values = [value for value in values
                       if value is not None and value > 0]
        self.unit, self.top, self.bottom = unit, top, bottom
        if self.values:
            self.low = math.floor(math.log10(min(self.values)))
            self.high = max(self.low + 1,
                            math.ceil(math.log10(max(self.values))))

    def x(self, value):
        if value <= 0:
            return LEFT
        return LEFT + ((math.log10(value) - self.low)
                       * (WIDTH - LEFT - RIGHT) / (self.high - self.low))

    def draw(self):
        out = []
        for decade in range(self.low, self.high + 1):
            at = self.x(10.0 ** decade)
            out += [_line(at, self.top, at, self.bottom, "#bbb"),
                    _text(at, self.bottom + 16, "%g %s"
                          % (10.0 ** decade, self.unit),
                          "text-anchor='middle'")]
            if decade < self.high:
                for digit in range(2, 10):
                    at = self.x(digit * 10.0 ** decade)
                    out.append(_line(at, self.top, at, self.bottom, "#eee"))
        return out


def _start(title, unit, height):
    return ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
            'font-family="sans-serif" font-size="12">' % (WIDTH, height),
            '<rect width="100%" height="100%" fill="white"/>',
            _text(10, 20, "%s (%s)" % (title, unit), "font-size='15'")]


def _strip(x, y, name, samples, floor, color):
    middle = y + ROW / 2

    def at(p):
        return x(samples[min(len(samples) - 1, int(len(samples) * p))])

    out = [_text(10, middle + 4, name)]
    step = max(1, len(samples) // TICKS)
    # All of the largest, as those are what one looks for.
    shown = samples[:-TICKS // 10:step] + samples[-TICKS // 10:]
    out += [_line(x(v), middle - 6, x(v), middle + 6, color,
                  "stroke-opacity='0.25'") for v in shown]
    out += ["<rect x='%.1f' y='%.1f' width='%.1f' height='20' fill='%s' "
            "fill-opacity='0.2' stroke='%s'/>"
            % (at(0.25), middle - 10, max(1, at(0.75) - at(0.25)), color,
               color),
            _line(at(0.5), middle - 12, at(0.5), middle + 12, color,
                  "stroke-width='3'"),
            "<circle cx='%.1f' cy='%.1f' r='4' fill='none' stroke='%s' "
            "stroke-width='2'/>" % (at(0.99), middle, color)]
    if floor is not None:
        out.append("<path d='M %.1f %.1f l -5 9 l 10 0 z' fill='black'/>"
                   % (x(floor), middle + 4))
    return out


def _line(x1, y1, x2, y2, color, more=""):
    return ("<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='%s' %s/>"
            % (x1, y1, x2, y2, color, more))


def _text(x, y, text, more=""):
    return "<text x='%.1f' y='%.1f' %s>%s</text>" % (x, y, more, escape(text))
