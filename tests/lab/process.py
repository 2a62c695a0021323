# SPDX-License-Identifier: Apache-2.0
"""Processes that the lab starts: one-shot commands and daemons.

A daemon is never detached: it stays a child, so that it is stopped by its own
pid, and dies with the lab even if the lab is killed."""

import concurrent.futures
import contextlib
import ctypes
import os
import signal
import subprocess
import time

PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None)

# The thread that starts daemons, which die with their parent *thread*.
_spawner = concurrent.futures.ThreadPoolExecutor(1)


class LabError(Exception):
    """The lab cannot go on; the text says why, for the person who ran it."""


def run(argv, timeout=60, check=True, env=None, cwd=None, stdin=None):
    """Runs 'argv', with text 'stdin' if any, and returns what it wrote to
    stdout, stripped."""
    argv = [str(arg) for arg in argv]
    try:
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, text=True,
                                   stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, cwd=cwd,
                                   env=environment(env),
                                   start_new_session=True)
    except OSError as e:
        raise LabError("%s: %s" % (argv[0], e.strerror))
    try:
        stdout, stderr = process.communicate(stdin, timeout)
    except BaseException as e:
        # Its children too, and not before they are gone: they may be
        # writing where the lab is about to clean up.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(e, subprocess.TimeoutExpired):
            raise LabError("%s: no end after %d s"
                           % (" ".join(argv), timeout))
        raise
    if check and process.returncode:
        raise LabError("%s: exit status %d: %s"
                       % (" ".join(argv), process.returncode,
                          (stderr or stdout).strip()))
    return stdout.strip()


def spawn(argv, output, env=None):
    """Starts 'argv', its stdout and stderr into file 'output', and returns
    the Popen, with 'output' as a member."""
    with open(output, "ab") as log:
        try:
            process = _spawner.submit(
                subprocess.Popen, [str(arg) for arg in argv], stdout=log,
                stderr=log, stdin=subprocess.DEVNULL, env=environment(env),
                start_new_session=True, preexec_fn=_die_with_parent).result()
        except OSError as e:
            raise LabError("%s: %s" % (argv[0], e.strerror))
    process.output = output
    return process


def stop(process, timeout=5, signo=signal.SIGTERM):
    """Ends 'process' (None is all right): asked first, then killed."""
    if process is None:
        return
    if process.poll() is None:
        process.send_signal(signo)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def wait_until(what, condition, timeout, interval=0.02, processes=()):
    """Calls 'condition' until it returns something true, and returns that.
    Raises LabError after 'timeout' seconds, or at once if one of 'processes'
    has ended."""
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        for process in processes:
            if process.poll() is not None:
                with open(process.output, errors="replace") as log:
                    raise LabError("%s: a process ended with status %d: %s\n"
                                   "%s" % (what, process.returncode,
                                           " ".join(process.args),
                                           log.read()[-2000:]))
        if time.monotonic() > deadline:
            raise LabError("%s: not after %g s" % (what, timeout))
        time.sleep(interval)


def tail(name, n):
    """Returns the last 'n' lines of file 'name', or why there are none."""
    try:
        with open(name, errors="replace") as f:
            return "".join(f.readlines()[-n:])
    except OSError as e:
        return "%s: %s\n" % (name, e.strerror)


def environment(extra):
    env = dict(os.environ, LC_ALL="C")
    env.update((name, str(value)) for name, value in (extra or {}).items())
    return env


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
