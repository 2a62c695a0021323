# SPDX-License-Identifier: Apache-2.0
"""Runs handover-probe on a system."""

import json
import os

import process


def measure(ctx, system, moves, batch=1, interval=200,
            interval_cn=1000, pause=20000, hurry=False, taps=()):
    """Moves 'batch' VMNs of 'system' at once, 'moves' times, and returns a
    list of dictionaries, one for each VMN and move: see handover-probe.c,
    which also says what 'taps' (as in its options) are.  'interval' (between
    probes to a VMN), 'interval_cn' (between those from it) and 'pause' (between moves) are in us."""
    argv = [ctx.program("handover-probe"), "--cn", system.cn, "--a", system.a,
            "--b", system.b, "--moves", moves, "--batch", batch,
            "--interval", interval, "--interval-cn", interval_cn,
            "--pause", pause, *system.probe_options()]
    if hurry:
        argv.append("--hurry")
    for tap in taps:
        argv += ["--tap", tap]
    output = os.path.join(ctx.directory, "handover-probe.out")
    process.run(["sh", "-c", 'exec "$@" > "$0"', output, *argv],
                timeout=120 + moves * 7)
    with open(output) as lines:
        return [json.loads(line) for line in lines]
