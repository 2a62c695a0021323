# SPDX-License-Identifier: Apache-2.0
"""Runs handover-probe on a system."""

import concurrent.futures
import json
import os
import socket

import process

# Seconds until handover-probe has its prompter's first answer.
START_TIMEOUT = 60


def measure(ctx, system, moves, batch=1, interval=200, interval_cn=1000,
            pause=20000, hurry=False, taps=(), before=None, ipv6=False):
    """Moves 'batch' VMNs of 'system' at once, 'moves' times, and returns a
    list of dictionaries, one for each VMN and move: see handover-probe.c,
    which also says what 'taps' (as in its options) are.  'interval' (between
    probes to a VMN), 'interval_cn' (between those from it) and 'pause'
    (between moves) are in us; with 'hurry', VMNs that are not reached yet
    get more of the probes.  'before' is called before each move, with "a" or
    "b" for the place where the VMNs are about to go.  'ipv6' says by which
    family they talk."""
    argv = [ctx.program("handover-probe"), "--cn", system.cn, "--a", system.a,
            "--b", system.b, "--moves", moves, "--batch", batch,
            "--interval", interval, "--interval-cn", interval_cn,
            "--pause", pause, *system.probe_options()]
    if hurry:
        argv.append("--hurry")
    if ipv6:
        argv.append("--ipv6")
    for tap in taps:
        argv += ["--tap", tap]
    output = os.path.join(ctx.directory, "handover-probe.out")
    if before:
        argv += ["--prompt", output + ".prompt"]

    def run():
        process.run(["sh", "-c", 'exec "$@" > "$0"', output, *argv],
                    timeout=120 + moves * 7)

    if before:
        _run_prompted(output + ".prompt", run, before)
    else:
        run()
    with open(output) as lines:
        return [json.loads(line) for line in lines]


def _run_prompted(path, run, before):
    """Calls 'run', which runs handover-probe, and meanwhile 'before' whenever
    that asks for it at the unix socket 'path'."""
    with socket.socket(socket.AF_UNIX) as listener, \
            concurrent.futures.ThreadPoolExecutor(1) as pool:
        listener.bind(path)
        listener.listen()
        listener.settimeout(START_TIMEOUT)
        try:
            running = pool.submit(run)
            with listener.accept()[0] as prompts:
                prompts.settimeout(None)
                for place in iter(lambda: prompts.recv(1), b""):
                    before(place.decode())
                    prompts.sendall(b"\n")
        except OSError as e:
            raise process.LabError("handover-probe: %s" % e)
        finally:
            os.unlink(path)
        running.result()


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
