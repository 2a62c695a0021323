# SPDX-License-Identifier: Apache-2.0

"""Checks metrics on stdin by an independent parser, and prints some of them.

Usage: vmmob-metrics.py FAMILY...

Each argument is the name of a family, whose samples are printed with values
that are times as "T"; or "families", for the names of all.  The parser is that
of Prometheus' client for Python: it is strict about OpenMetrics.  What it does
not check is checked here: that families have help, that units are right, that
all counters and gauges are numbers that can be, and that the parser for the
older format, which is that of node_exporter, takes the text as well.
"""

import math
import sys

from prometheus_client import parser as old_parser
from prometheus_client.openmetrics import parser


def check(text):
    families = list(parser.text_string_to_metric_families(text))
    names = [f.name for f in families]
    assert len(set(names)) == len(names), "a family comes twice"
    seen = set()
    for f in families:
        assert f.name.startswith("vmmob_"), f.name
        assert f.documentation, "%s has no help" % f.name
        assert f.type in ("counter", "gauge", "histogram"), f.type
        assert (f.unit == "seconds") == f.name.endswith("_seconds"), f.name
        for s in f.samples:
            key = s.name, tuple(sorted(s.labels.items()))
            assert key not in seen, "%s comes twice" % (key,)
            seen.add(key)
            assert math.isfinite(s.value) and s.value >= 0, s
            assert s.timestamp is None, s
    n_old = sum(len(f.samples)
                for f in old_parser.text_string_to_metric_families(text))
    assert n_old == len(seen), "%d samples in the old format" % n_old
    return families


def main():
    text = sys.stdin.read()
    families = check(text)
    for wanted in sys.argv[1:]:
        if wanted == "families":
            print("\n".join(sorted(f.name for f in families)))
        for f in families:
            if f.name == wanted:
                for s in f.samples:
                    labels = ",".join("%s=%s" % item
                                      for item in sorted(s.labels.items()))
                    value = ("T" if f.unit and not s.name.endswith("_count")
                             else "%g" % s.value)
                    print("%s{%s} %s" % (s.name, labels, value))


if __name__ == "__main__":
    main()
