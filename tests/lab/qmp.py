# SPDX-License-Identifier: Apache-2.0
"""A client of QEMU's machine protocol (QMP) over a unix socket."""

import json
import select
import socket
import time

from process import LabError


class Qmp:
    """A connection to one QEMU.  'events' holds what came, oldest first."""

    def __init__(self, path, timeout=10):
        self.events = []
        self._buffer = b""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        self._socket.connect(path)
        self._read()            # The greeting.
        self.command("qmp_capabilities")

    def close(self):
        self._socket.close()

    def command(self, name, **arguments):
        """Returns what QEMU returns, or raises LabError."""
        message = {"execute": name}
        if arguments:
            message["arguments"] = arguments
        self._socket.sendall(json.dumps(message).encode() + b"\n")
        while True:
            reply = self._read()
            if "return" in reply:
                return reply["return"]
            if "error" in reply:
                raise LabError("QEMU: %s: %s" % (name,
                                                 reply["error"]["desc"]))
            self.events.append(reply)

    def event_time(self, name):
        """Returns when QEMU sent the last event 'name' (time.time()), or
        None if it did not."""
        self._poll()
        for event in reversed(self.events):
            if event.get("event") == name:
                stamp = event["timestamp"]
                return stamp["seconds"] + stamp["microseconds"] / 1e6
        return None

    def _poll(self):
        while (b"\n" in self._buffer
               or select.select([self._socket], [], [], 0)[0]):
            self.events.append(self._read())

    def _read(self):
        while b"\n" not in self._buffer:
            try:
                data = self._socket.recv(65536)
            except OSError as e:
                raise LabError("QEMU does not answer: %s" % e)
            if not data:
                raise LabError("QEMU closed its control socket")
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        return json.loads(line)


def connect(path, timeout=10):
    """Connects to a QEMU that may still be starting."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return Qmp(path)
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() > deadline:
                raise LabError("%s: QEMU is not there" % path)
            time.sleep(0.01)
