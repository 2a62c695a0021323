# SPDX-License-Identifier: Apache-2.0
"""Shows what a subscriber that stops reading costs a VM_Mobility database.

Usage: vmmob-subscriber.py SOCKET PORT PID [CHANGES]

SOCKET is the Unix domain socket of ovsdb-server, PORT its TCP port, PID its
process.  Changes all rows again and again while a subscriber reads what
changes, first alone, then next to ones that subscribe by TCP and never read
anything.  Prints what became of it: by how much the server grew, how long a
change of all rows took at the median until the reader had it, and whether it
had them all in the end, and how busy the server is when nothing changes."""

import json
import os
import resource
import socket
import statistics
import sys
import time

N_ROWS = 500
N_PAIRS = 16
N_STOPPED = 3
TIMEOUT = 60


class Client:
    def __init__(self, address):
        is_inet = isinstance(address, tuple)
        self.socket = socket.socket(socket.AF_INET if is_inet
                                    else socket.AF_UNIX)
        self.socket.connect(address)
        self.socket.settimeout(TIMEOUT)
        self._decoder = json.JSONDecoder()
        self._buffer = ""

    def send(self, method, params):
        self.socket.sendall(json.dumps(
            {"method": method, "params": params, "id": method}).encode())

    def receive(self):
        """Returns the next message that is not a probe."""
        while True:
            try:
                msg, end = self._decoder.raw_decode(self._buffer)
            except ValueError:
                data = self.socket.recv(1 << 20).decode()
                if not data:
                    sys.exit("the server closed a connection")
                self._buffer += data
                continue
            self._buffer = self._buffer[end:]
            if msg.get("method") == "echo":
                self.socket.sendall(json.dumps(
                    {"result": [], "error": None, "id": "echo"}).encode())
            else:
                return msg

    def transact(self, *operations):
        self.send("transact", ["VM_Mobility"] + list(operations))
        reply = self.receive()
        for result in reply["result"]:
            if "error" in result:
                sys.exit("refused: %s" % result)

    def subscribe(self, columns):
        self.send("monitor_cond_since",
                  ["VM_Mobility", "m", {"VMN": [{"columns": columns}]},
                   "00000000-0000-0000-0000-000000000000"])


def addresses(i, k):
    return ["map", [["10.%d.%d.%d" % (i >> 8, i & 255, j),
                     "change.%d.%d.%d" % (k, i, j)] for j in range(N_PAIRS)]]


def change_all(writer, reader, first, n):
    """Changes all rows 'n' times.  Returns the times that took."""
    times = []
    for k in range(first, first + n):
        start = time.monotonic()
        writer.transact({"op": "update", "table": "VMN", "where": [],
                         "row": {"sequence": k, "addresses": addresses(0, k)}})
        rows = set()
        while len(rows) < N_ROWS:
            msg = reader.receive()
            if msg.get("method") == "update3":
                for uuid, row in msg["params"][2]["VMN"].items():
                    if row.get("modify", {}).get("sequence") == k:
                        rows.add(uuid)
        times.append(time.monotonic() - start)
    return times


def resident(pid):
    """Returns the resident memory of process 'pid', in bytes."""
    with open("/proc/%s/statm" % pid) as f:
        return int(f.read().split()[1]) * resource.getpagesize()


def cpu_time(pid):
    """Returns the time that process 'pid' has run, in seconds."""
    with open("/proc/%s/stat" % pid) as f:
        words = f.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def main():
    path, port, pid = sys.argv[1:4]
    changes = int(sys.argv[4]) if len(sys.argv) > 4 else 100000
    n = changes // N_ROWS
    writer, reader = Client(path), Client(path)
    writer.transact(*({"op": "insert", "table": "VMN", "row": {
        "tenant": 0, "mac": "0a:00:00:00:%02x:%02x" % (i >> 8, i & 255),
        "ofs": "%016x" % 1, "sequence": 1, "state": "active",
        "addresses": addresses(i, 0)}} for i in range(N_ROWS)))
    reader.subscribe(["sequence"])
    reader.receive()

    alone = change_all(writer, reader, 2, max(20, n // 10))
    stopped = [Client(("127.0.0.1", int(port))) for _ in range(N_STOPPED)]
    for client in stopped:
        client.subscribe(["sequence", "addresses", "mac", "ofs"])
    before = resident(pid)
    together = change_all(writer, reader, 2 + len(alone), n)
    growth = resident(pid) - before
    print("changes: %d" % (n * N_ROWS))
    print("growth: %d kB" % (growth // 1024))
    print("median: %.1f ms alone, %.1f ms with %d that do not read"
          % (1000 * statistics.median(alone),
             1000 * statistics.median(together), N_STOPPED))
    print("all arrived")

    before = cpu_time(pid)
    time.sleep(2)
    print("idle: %.1f %% of a CPU" % ((cpu_time(pid) - before) / 2 * 100))


if __name__ == "__main__":
    main()
