# SPDX-License-Identifier: Apache-2.0
"""What the parts of the benchmark share, and what becomes of their samples:
tables, goals, JSON, plots."""

import os
import sys
import time

import plot
import process
import report
import tools

HERE = os.path.dirname(os.path.abspath(__file__))


def percentile(values, p):
    """The nearest-rank percentile 'p' (0 to 100) of 'values', which must not
    be empty."""
    values = sorted(values)
    return values[max(0, -(-len(values) * p // 100) - 1)]


class Case:
    """The samples of one line of a table.  None as a sample is one that was
    lost: the thing measured did not happen."""

    def __init__(self, part, name, unit):
        self.part = part
        self.name = name
        self.unit = unit
        self.samples = []
        self.floor = None       # What no system can be better than, or None.
        self.note = ""

    @property
    def values(self):
        return [sample for sample in self.samples if sample is not None]

    def p(self, p):
        """Percentile 'p', or None without samples."""
        return percentile(self.values, p) if self.values else None

    def row(self):
        return {"case": self.name, "unit": self.unit, "n": len(self.values),
                "lost": len(self.samples) - len(self.values),
                "min": _short(self.p(0)), "p50": _short(self.p(50)),
                "p99": _short(self.p(99)), "max": _short(self.p(100)),
                "floor": _short(self.floor), "note": self.note}


class Context:
    """What a part's run() gets.

    'build' is a switch.Build, 'directory' an empty directory for scratch
    files, 'quick' asks for few samples: just that all still works."""

    def __init__(self, build, directory, quick=False):
        self.build = build
        self.directory = directory
        self.quick = quick
        self.environment = {}   # Of the measurement; a part may add to it.
        self.cases = {}         # Case by (part, name), in order.
        self.goals = []         # Dictionaries, as goal() makes them.
        self._curves = []       # (name, title, list of Case), as curves().
        self._start = time.monotonic()

    def record(self, part, case, samples, unit="ms", floor=None, note=""):
        """Adds 'samples' (numbers, or None for a lost one) to the line 'case'
        of the table of 'part'.  Returns the Case."""
        it = self.cases.setdefault((part, case), Case(part, case, unit))
        if it.unit != unit:
            raise ValueError("%s: %s is in %s, not in %s"
                             % (part, case, it.unit, unit))
        it.samples += samples
        it.floor = it.floor if floor is None else floor
        it.note = note or it.note
        return it

    def goal(self, text, measured, met, note=""):
        """Says that goal 'text' was 'met' or not; 'measured' is text or a
        number, 'note' says for instance by how much it was missed."""
        self.goals.append({"goal": text, "measured": measured,
                           "met": bool(met), "note": note})

    def curves(self, name, title, part, names):
        """Makes a plot NAME.svg of the distributions of the cases 'names' of
        'part', which have one unit."""
        self._curves.append((name, title, [self.cases[part, each]
                                           for each in names]))

    def goal_below(self, text, measured, limit, unit):
        """Says that goal 'text' was met if 'measured', a number or None, is
        below 'limit'."""
        met = measured is not None and measured < limit
        self.goal(text, "nothing" if measured is None
                  else "%.2f %s" % (measured, unit), met,
                  "" if met or measured is None
                  else "missed by %.2f %s" % (measured - limit, unit))

    def program(self, name):
        """Returns the program made of tests/bench/NAME.c."""
        return tools.build(name, self.directory, source=HERE)

    def say(self, text):
        """Tells the person who waits what goes on."""
        print("%8.1f s  %s" % (time.monotonic() - self._start, text),
              file=sys.stderr, flush=True)

    def tables(self):
        """Returns all results as text."""
        text = []
        for part in dict.fromkeys(part for part, _ in self.cases):
            rows = [case.row() for case in self.cases.values()
                    if case.part == part]
            columns = [("case", "case"), ("n", "n"), ("lost", "lost"),
                       ("%9s" % "min", "min"), ("%9s" % "p50", "p50"),
                       ("%9s" % "p99", "p99"), ("%9s" % "max", "max"),
                       ("%9s" % "floor", "floor"), ("unit", "unit"),
                       ("", "note")]
            text += [part, report.table(
                [(heading, key) for heading, key in columns
                 if key not in ("floor", "note")
                 or any(row[key].strip(" -") for row in rows)], rows),
                ""]
        if self.goals:
            text += ["goals", report.table(
                [("goal", "goal"), ("measured", "measured"), ("met", "met"),
                 ("", "note")], self.goals), ""]
        return "\n".join(text)

    def write(self, directory):
        """Writes samples.json and the plots into 'directory'.  Returns the
        names of the files."""
        os.makedirs(directory, exist_ok=True)
        parts = {}
        for case in self.cases.values():
            parts.setdefault(case.part, {})[case.name] = {
                "unit": case.unit, "samples": case.samples,
                "floor": case.floor, "note": case.note}
        names = [os.path.join(directory, "samples.json")]
        report.write_json(names[0], {
            "environment": dict(report.machine(self.build),
                                quick=self.quick, **self.environment),
            "parts": parts, "goals": self.goals})
        for name, svg in self._plots():
            names.append(os.path.join(directory, name + ".svg"))
            with open(names[-1], "w") as output:
                output.write(svg)
        return names

    def _plots(self):
        """Yields (name, SVG)."""
        for part, unit in dict.fromkeys((case.part, case.unit)
                                        for case in self.cases.values()):
            svg = plot.strips(part, unit, [
                (case.name, case.values, case.floor)
                for case in self.cases.values()
                if (case.part, case.unit) == (part, unit) and case.values])
            if svg:
                yield _file_name("%s-%s" % (part, unit)), svg
        for name, title, cases in self._curves:
            svg = plot.curves(title, cases[0].unit,
                              [(case.name, case.values) for case in cases
                               if case.values])
            if svg:
                yield name, svg


def _short(value):
    """'value' for a table, to the right."""
    if value is None:
        return "%9s" % "-"
    return "%9.3f" % value if isinstance(value, float) else "%9d" % value


def _file_name(text):
    return "".join(c if c.isalnum() else "-" for c in text.lower())


def check_tools():
    """Raises LabError unless the benchmark can run on this machine."""
    if os.geteuid():
        raise process.LabError("the benchmark makes network namespaces: run "
                               "it as root")
    tools.check_programs(("ip", "ethtool", "ping", "gcc"))
