# SPDX-License-Identifier: Apache-2.0
"""Plots as SVG, by nothing but Python: one line for each case, on a common
logarithmic axis, with every sample as a tick."""

import math
from xml.sax.saxutils import escape

WIDTH = 900
LEFT = 300
RIGHT = 30
ROW = 34
TOP = 46
TICKS = 600             # A case's samples beyond that are thinned out.
COLORS = ("#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad", "#b9770e", "#34495e")


def strips(title, unit, cases):
    """Returns the SVG.  'cases' is a list of (name, samples, floor or None).
    Per case: a tick for each sample, a box from the 25th to the 75th
    percentile, a bold mark at the median, a circle at the 99th percentile,
    a triangle at the floor.  Samples of 0 or less are drawn at the left edge.
    Returns None if there is nothing to draw."""
    positive = [value for _, samples, floor in cases
                for value in list(samples) + [floor]
                if value is not None and value > 0]
    if not positive:
        return None
    low = math.floor(math.log10(min(positive)))
    high = max(low + 1, math.ceil(math.log10(max(positive))))
    scale = (WIDTH - LEFT - RIGHT) / (high - low)
    height = TOP + ROW * len(cases) + 40

    def x(value):
        if value <= 0:
            return LEFT
        return LEFT + (math.log10(value) - low) * scale

    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
           'font-family="sans-serif" font-size="12">' % (WIDTH, height),
           '<rect width="100%" height="100%" fill="white"/>',
           _text(10, 20, "%s (%s)" % (title, unit), "font-size='15'")]
    bottom = TOP + ROW * len(cases)
    for decade in range(low, high + 1):
        at = x(10.0 ** decade)
        out += [_line(at, TOP - 6, at, bottom, "#bbb"),
                _text(at, bottom + 16, "%g %s" % (10.0 ** decade, unit),
                      "text-anchor='middle'")]
        if decade < high:
            for digit in range(2, 10):
                at = x(digit * 10.0 ** decade)
                out.append(_line(at, TOP - 6, at, bottom, "#eee"))
    for i, (name, samples, floor) in enumerate(cases):
        out += _strip(x, TOP + ROW * i, name, sorted(samples), floor,
                      COLORS[i % len(COLORS)])
    out += [_text(10, height - 6, "tick: sample, box: 25% to 75%, bar: "
                  "median, circle: 99%, triangle: floor", "fill='#666'"),
            "</svg>", ""]
    return "\n".join(out)


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
