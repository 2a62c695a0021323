# SPDX-License-Identifier: Apache-2.0

"""Checks that each kind of problem has an alert and a page that helps.

Usage: vmmob-alerts.py [promtool]

Each kind in lib/vmmob-problems.h is to be selected by just one alert of
utilities/vmmob-alerts.yml, and to have a section of its own name in
Documentation/problems.rst and an entry in a man page; each alert's runbook_url
is to be a section there.  With "promtool", also prints a test for "promtool
test rules": that when each problem is there, just one alert fires for it, and
none as long as there is none.
"""

import pathlib
import re
import sys

SELECTOR = re.compile(r'vmmob_problems\{kind(=~|!~|=)"([^"]*)"\}')


def read_kinds(srcdir):
    """Returns [(daemon, kind)]."""
    text = (srcdir / "lib/vmmob-problems.h").read_text()
    kinds = []
    for which, daemon in ("SWITCH", "ovs-vswitchd"), ("AGENT", "ovs-vmmobd"):
        block = re.search(r"#define VMMOB_%s_PROBLEMS((?:.*\\\n)*.*\n)" % which,
                          text).group(1)
        kinds += [(daemon, kind) for kind in
                  re.findall(r'VMMOB_PROBLEM\(\w+, "([a-z-]+)"\)', block)]
    return kinds


def read_sections(srcdir):
    """Returns the titles of sections of the lowest level."""
    text = (srcdir / "Documentation/problems.rst").read_text()
    return re.findall(r"^([a-z-]+)\n-+$", text, re.M)


def selects(how, pattern, kind):
    return bool(re.fullmatch(pattern, kind)) != (how == "!~")


def check(srcdir, kinds):
    """Returns what is wrong, in words."""
    alerts = (srcdir / "utilities/vmmob-alerts.yml").read_text()
    man = "".join((srcdir / name).read_text().replace("\\-", "-") for name in (
        "utilities/ovs-vmmobd.8.in", "ofproto-vmmob/vmmob-unixctl.man"))
    selectors = SELECTOR.findall(alerts)
    sections = read_sections(srcdir)
    wrong = []
    for _, kind in kinds:
        n = sum(selects(how, pattern, kind) for how, pattern in selectors)
        if n != 1:
            wrong.append(f"{kind}: {n} alerts")
        if sections.count(kind) != 1:
            wrong.append(f"{kind}: no section in problems.rst")
        if f'.IP "\\fB{kind}\\fR"' not in man:
            wrong.append(f"{kind}: in no man page")
    names = {kind for _, kind in kinds}
    for how, pattern in selectors:
        wrong += [f"{kind}: selected, and not a kind"
                  for kind in pattern.split("|") if kind not in names]
    urls = re.findall(r'runbook_url: "[^"#]*#([^"]*)"', alerts)
    if len(urls) != alerts.count("- alert:"):
        wrong.append("an alert without runbook_url")
    used = {url for url in urls if not url.startswith("{{")}
    wrong += [f"{url}: no section in problems.rst"
              for url in sorted(used - set(sections))]
    wrong += [f"{section}: a section about nothing"
              for section in sorted(set(sections) - names - used)]
    return wrong


def promtool_test(srcdir, kinds):
    rules = (srcdir / "utilities/vmmob-alerts.yml").resolve()
    lines = ["rule_files:", f"  - {rules}", "evaluation_interval: 1m",
             "tests:", "  - interval: 1m", "    input_series:"]
    for daemon, kind in kinds:
        lines += [f"      - series: 'vmmob_problems{{daemon=\"{daemon}\","
                  f"kind=\"{kind}\"}}'", "        values: '0x9 1x80'"]
    lines += ["    promql_expr_test:", "      - expr: count(ALERTS)",
              "        eval_time: 9m",
              "      - expr: sort(count by (kind)"
              " (ALERTS{alertstate=\"firing\"}))",
              "        eval_time: 80m", "        exp_samples:"]
    for _, kind in kinds:
        lines += [f"          - labels: '{{kind=\"{kind}\"}}'",
                  "            value: 1"]
    return "\n".join(lines)


def main():
    # Open vSwitch's tree has a link to this file.
    srcdir = pathlib.Path(__file__).resolve().parent.parent
    kinds = read_kinds(srcdir)
    wrong = check(srcdir, kinds)
    if wrong or not kinds:
        sys.exit("\n".join(wrong))
    if "promtool" in sys.argv:
        print(promtool_test(srcdir, kinds))


if __name__ == "__main__":
    main()
