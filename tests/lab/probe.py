# SPDX-License-Identifier: Apache-2.0
"""What a correspondent sees of a guest: pings on an even schedule, and one
TCP connection with a checked byte stream.

The measuring is done by C programs (prober.c, stream.c); this starts them
and works out what a move did, which needs only their records: lists in order
of time, in ns as of time.time_ns()."""

import bisect
import collections
import os
import statistics

import image
import process
import tools

Probe = collections.namedtuple("Probe", "sent answered duplicates")
Receipt = collections.namedtuple("Receipt", "at bytes")


class Prober:
    """Pings 'address' from namespace 'ns' every 'interval' ms until
    finish(), which returns the list of Probe.  With 'udp' it sends datagrams
    to the echo server instead.  Several in one 'directory' need a 'name'
    each."""

    def __init__(self, ns, address, directory, programs, interval=10,
                 udp=False, name="prober"):
        self._output = os.path.join(directory, name + ".out")
        self._process = ns.spawn(
            [tools.build("prober", programs), address,
             str(int(interval * 1000)), self._output]
            + [str(image.ECHO_PORT)] * udp,
            os.path.join(directory, name + ".log"))
        self.id = self._process.pid & 0xffff    # In its ICMP headers.
        self.icmp_errors = None

    def stop_sending(self):
        """Makes finish() wait less, as answers are waited for meanwhile."""
        self._process.terminate()

    def finish(self):
        process.stop(self._process, 10)
        probes = []
        with open(self._output) as output:
            for line in output:
                words = line.split()
                if words[0] == "#":
                    self.icmp_errors = int(words[2])
                else:
                    probes.append(Probe(*(int(word) for word in words[1:])))
        return probes

    def stop(self):
        process.stop(self._process, 10)


class Stream:
    """Holds a TCP connection from 'ns' to the echo server at 'address', with
    'chunk' bytes every 'interval' ms, until finish(), which returns the list
    of Receipt and sets 'verdict'.  Several in one 'directory' need a 'name'
    each."""

    def __init__(self, ns, address, directory, programs, interval=10,
                 chunk=500, port=image.ECHO_PORT, name="stream"):
        self._output = os.path.join(directory, name + ".out")
        self._log = os.path.join(directory, name + ".log")
        self._process = ns.spawn(
            [tools.build("stream", programs), address, str(port),
             str(int(interval * 1000)), str(chunk), self._output], self._log)
        self.verdict = None     # Text: "ok", or what went wrong.
        process.wait_until("a TCP connection to the guest",
                           lambda: "connected" in self._read_log(), 15,
                           processes=[self._process])

    def finish(self):
        process.stop(self._process, 10)
        receipts = []
        with open(self._output) as output:
            for line in output:
                words = line.split()
                if words[0] == "#":
                    self.verdict = _stream_verdict(words)
                else:
                    receipts.append(Receipt(int(words[0]), int(words[1])))
        return receipts

    def stop(self):
        process.stop(self._process, 10)

    def _read_log(self):
        with open(self._log) as log:
            return log.read()


def _stream_verdict(words):
    sent, received, mismatch, error = (int(words[i]) for i in (2, 4, 6, 8))
    if mismatch >= 0:
        return "byte %d is wrong" % mismatch
    if error:
        return "%s after %d of %d bytes" % (os.strerror(error), received,
                                            sent)
    return "ok"


def ping_effects(probes, start, end, interval):
    """What the pings sent from 'start' to 'end' tell; 'interval' in ms.

    downtime_ms is the paper's: consecutively lost pings x interval.  A ping
    is late if its answer took more than an interval."""
    probes = [p for p in probes if start <= p.sent < end]
    longest = run = 0
    for p in probes:
        run = 0 if p.answered else run + 1
        longest = max(longest, run)
    rtts = [p.answered - p.sent for p in probes if p.answered]
    return {"sent": len(probes),
            "lost": sum(not p.answered for p in probes),
            "downtime_ms": longest * interval,
            "silence_ms": longest_gap((p.answered for p in probes
                                       if p.answered), start, end),
            "late": sum(rtt > interval * 1e6 for rtt in rtts),
            "latest_ms": max(rtts, default=0) / 1e6,
            "duplicates": sum(p.duplicates for p in probes),
            "prober_gap_ms": longest_gap((p.sent for p in probes),
                                         start, end)}


def rtt_ms(probes, start, end):
    """The median round trip of pings sent from 'start' to 'end', or None."""
    rtts = [p.answered - p.sent for p in probes
            if start <= p.sent < end and p.answered]
    return statistics.median(rtts) / 1e6 if rtts else None


def stall_ms(receipts, start, end):
    """The longest time in which the stream brought nothing."""
    times = [r.at for r in receipts]
    return longest_gap(times[bisect.bisect_left(times, start):
                             bisect.bisect_right(times, end)], start, end)


def longest_gap(times, start, end):
    """The longest time, in ms, between two of 'times' (ns), where 'start'
    and 'end' count as such: with no times at all it is the whole."""
    times = sorted([start, end, *times])
    return max(b - a for a, b in zip(times, times[1:])) / 1e6
