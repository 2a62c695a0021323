# SPDX-License-Identifier: Apache-2.0
"""Runs handover-probe on a system."""

import json
import os

import process


def measure(ctx, system, moves, batch=1, interval=200, interval_cn=1000,
            pause=20000, hurry=False, taps=()):
    """Moves 'batch' VMNs of 'system' at once, 'moves' times, and returns a
    list of dictionaries, one for each VMN and move: see handover-probe.c,
    which also says what 'taps' (as in its options) are.  'interval' (between
    probes to a VMN), 'interval_cn' (between those from it) and 'pause'
    (between moves) are in us; with 'hurry', VMNs that are not reached yet
    get more of the probes."""
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


def last(moved, which):
    """Returns, for each move in 'moved', a result of measure(), when the last
    VMN had its "t1" or "t2", as 'which' says, in ms after the first RARP; None
    if one did not have it."""
    moves = {}
    for each in moved:
        moves.setdefault(each["move"], []).append(
            None if each[which] is None
            else (each["start"] + each[which]) / 1000)
    return [None if None in times else max(times)
            for times in moves.values()]
