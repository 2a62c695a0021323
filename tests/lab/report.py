# SPDX-License-Identifier: Apache-2.0
"""Tables for people, JSON for programs."""

import json
import os
import platform
import shutil
import statistics

import process


def summary(values):
    """Returns min, median, max and mean of 'values', or None if empty."""
    values = [value for value in values if value is not None]
    if not values:
        return None
    return {"min": min(values), "median": statistics.median(values),
            "max": max(values), "mean": statistics.mean(values)}


def table(columns, rows):
    """Formats 'rows' (dicts) as text, with one line for each.  'columns' is
    a list of (heading, key), where a heading may have several lines; numbers
    go to the right."""
    headings = [heading.split("\n") for heading, _ in columns]
    height = max(map(len, headings))
    cells = list(zip(*([""] * (height - len(heading)) + heading
                       for heading in headings)))
    cells += [[_cell(row.get(key)) for _, key in columns] for row in rows]
    numeric = [all(not isinstance(row.get(key), str) for row in rows)
               for _, key in columns]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    lines = ["  ".join(text.rjust(width) if right else text.ljust(width)
                       for text, width, right in zip(row, widths, numeric))
             for row in cells]
    lines.insert(height, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)


def _cell(value):
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, float):
        return "%.1f" % value if abs(value) >= 1 else "%.2f" % value
    return str(value)


def machine(build):
    """What someone needs to know of 'build' and this machine to compare
    figures with others."""
    return {"ovs": build.version(),
            "host_kernel": platform.release(),
            "cores": len(os.sched_getaffinity(0)),
            "load_average": os.getloadavg()[0],
            "cpu": _cpu_model()}


def environment(build, guest_kernel, accel, way, **others):
    """Likewise, with what was migrated and how."""
    return dict(machine(build), **guest(guest_kernel, accel, way), **others)


def guest(guest_kernel, accel, way):
    """Likewise, of the guest."""
    return {"guest_kernel": guest_kernel,
            "qemu": process.run(["qemu-system-x86_64",
                                 "--version"]).splitlines()[0],
            "accel": accel,
            "migration": way}


def write_json(name, document):
    """Writes 'document' at once or not at all."""
    temporary = name + ".tmp"
    with open(temporary, "w") as output:
        json.dump(document, output, indent=2, sort_keys=True)
        output.write("\n")
    shutil.move(temporary, name)


def _cpu_model():
    with open("/proc/cpuinfo") as cpuinfo:
        for line in cpuinfo:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return "unknown"
