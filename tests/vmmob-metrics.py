# SPDX-License-Identifier: Apache-2.0

"""Checks metrics on stdin by an independent parser, and prints some of them.

Usage: vmmob-metrics.py [--classic] FAMILY...

The text is OpenMetrics, or with --classic in Prometheus' older format.  Each argument is the name of a family, whose samples are printed with values
that are times as "T"; or "families", for the names of all.  The parser is that
of Prometheus' client for Python: it is strict about OpenMetrics.  What it does
not check is checked here: that families have help, that units are right, that
all counters and gauges are numbers that can be, and that each sample is of a
family with a type, as the parser for the older format, which is that of
node_exporter, makes one up for others.
"""

import math
import sys

from prometheus_client import parser as old_parser
from prometheus_client.openmetrics import parser


def check(text, classic):
    parse = (old_parser if classic else parser).text_string_to_metric_families
    families = list(parse(text))
    names = [f.name for f in families]
    assert len(set(names)) == len(names), "a family comes twice"
    seen = set()
    for f in families:
        assert f.name.startswith("vmmob_"), f.name
        assert f.documentation, "%s has no help" % f.name
        assert f.type in ("counter", "gauge", "histogram"), f.type
        assert (f.unit == "seconds" or classic) == (
            f.name.endswith("_seconds") or classic), f.name
        for s in f.samples:
            key = s.name, tuple(sorted(s.labels.items()))
            assert key not in seen, "%s comes twice" % (key,)
            seen.add(key)
            assert math.isfinite(s.value) and s.value >= 0, s
            assert s.timestamp is None, s
    assert classic != text.endswith("# EOF\n")
    return families


def main():
    text = sys.stdin.read()
    args = sys.argv[1:]
    classic = "--classic" in args
    families = check(text, classic)
    for wanted in args:
        if wanted == "families":
            print("\n".join(sorted(f.name for f in families)))
        for f in families:
            if f.name == wanted:
                for s in f.samples:
                    labels = ",".join("%s=%s" % item
                                      for item in sorted(s.labels.items()))
                    value = ("T" if f.name.endswith("_seconds") and not s.name.endswith("_count")
                             else "%g" % s.value)
                    print("%s{%s} %s" % (s.name, labels, value))


if __name__ == "__main__":
    main()
