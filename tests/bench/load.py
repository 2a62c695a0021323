# SPDX-License-Identifier: Apache-2.0
"""What a big installation has besides the VMNs that move: known VMNs, and
unrelated megaflows."""

import ipaddress
import json
import re
import socket
import struct
import time

import netns
import process
import switch
import wire

# The OFS of all VMNs that are only known.  It exists in a database only.
OFS_ID = "0000020000009901"
OFS_NETWORK = ipaddress.ip_network("172.20.0.0/14")
FIRST_HOA = ipaddress.ip_address("10.101.0.0")

ROWS = 1000             # In one transaction.
BURST = 100             # Packets that make flows, sent at once.
FLOW_LIMIT = 400000
BRIDGE, PORT = "load", "load-port"


class Database:
    """A connection to the database VM_Mobility at a unix socket."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(60)
        self._socket.connect(path)
        self._decoder = json.JSONDecoder()
        self._text = ""

    def close(self):
        self._socket.close()

    def transact(self, operations):
        """Raises LabError unless all of them were done."""
        self._socket.sendall(json.dumps(
            {"method": "transact", "params": ["VM_Mobility"] + operations,
             "id": 1}).encode())
        while True:
            reply = self._receive()
            if reply.get("id") == 1:
                break
        failed = [each for each in reply["result"] or [reply]
                  if each is None or each.get("error")]
        if failed:
            raise process.LabError("database: %s" % failed[0])

    def _receive(self):
        while True:
            try:
                message, end = self._decoder.raw_decode(self._text)
                self._text = self._text[end:].lstrip()
                return message
            except ValueError:
                data = self._socket.recv(1 << 20)
                if not data:
                    raise process.LabError("the database disconnected")
                self._text += data.decode()


class Known:
    """VMNs of an OFS that does not exist, in the database of 'hv'."""

    def __init__(self, hv):
        self.hv = hv
        self.n = 0

    def add(self, n):
        """Makes them 'n', at least as many as there are already, and waits
        until all switches know them."""
        db = Database(self.hv.switch.vmmob_db.split(":", 1)[1])
        try:
            if not self.n:
                db.transact([{"op": "insert", "table": "OFS", "row": {
                    "datapath_id": OFS_ID, "system_id": "load",
                    "site": "load", "uplink_prefix": str(OFS_NETWORK),
                    "uplink_mac": "02:00:00:00:99:01",
                    "gateway": str(OFS_NETWORK[1]),
                    "gateway_mac": "02:00:00:00:99:fe",
                    "pools": ["set", [str(OFS_NETWORK)]]}}])
            for start in range(self.n, n, ROWS):
                db.transact([self._row(i)
                             for i in range(start, min(n, start + ROWS))])
        finally:
            db.close()
        self.n = n
        for hv in self.hv.lab.hypervisors.values():
            process.wait_until(
                "%d VMNs at %s" % (n, hv.name),
                lambda: self._count(hv) >= n, 120, interval=0.2)

    @staticmethod
    def _row(i):
        return {"op": "insert", "table": "VMN", "row": {
            "tenant": 0, "mac": "0e:00:00:%02x:%02x:%02x"
            % (i >> 16, i >> 8 & 255, i & 255),
            "ofs": OFS_ID, "system_id": "load", "sequence": 1,
            "state": "active", "addresses": [
                "map", [[str(FIRST_HOA + i), str(OFS_NETWORK[2 + i])]]]}}

    @staticmethod
    def _count(hv):
        """How many VMNs 'hv' knows."""
        found = re.search(r"known: (\d+) VMNs",
                          hv.switch.appctl("vmmob/show"))
        return int(found.group(1)) if found else 0


class Megaflows:
    """Datapath flows of a bridge of its own on the switch of 'hv', one for
    each address, which have nothing to do with VM mobility."""

    def __init__(self, hv):
        self.hv = hv
        self.ns = hv.lab.add_namespace("load" + hv.name)
        netns.add_veth(self.ns, "eth0", hv.ns, PORT)
        # They count as in use, though they are not: keeping them busy would
        # take more of the machine than the rest of the benchmark.  If they
        # take the revalidators more than half of max-revalidator, then those
        # that are not in use are deleted.
        hv.switch.vsctl(
            "set", "open_vswitch", ".", "other_config:max-idle=3600000",
            "other_config:flow-limit=%d" % FLOW_LIMIT,
            "other_config:max-revalidator=10000", "--",
            "add-br", BRIDGE, "--", "set", "bridge", BRIDGE,
            "datapath_type=netdev", "--", "add-port", BRIDGE, PORT)
        # An address that is copied is one that has to be matched exactly.
        process.run([hv.switch.build.program("ovs-ofctl"), "add-flow", BRIDGE,
                     "ip,actions=move:NXM_OF_IP_DST[]->NXM_NX_REG0[],"
                     "output:LOCAL"], env=hv.switch.env)
        with wire.inside(self.ns):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.bind(("eth0", 0))
        hv.lab.on_close(self._socket.close)

    def count(self):
        """How many datapath flows the switch has, of whatever kind."""
        found = re.search(r"\(current (\d+)\)",
                          self.hv.switch.appctl("upcall/show"))
        return int(found.group(1))

    def make(self, n):
        """Makes 'n' flows, all of them anew."""
        self.hv.switch.appctl("revalidator/purge")
        if not n:
            return
        deadline = time.monotonic() + 120
        # Some packets are lost, when the switch does not keep up.
        while self.count() < n:
            if time.monotonic() > deadline:
                raise process.LabError("%s: only %d of %d megaflows"
                                       % (self.hv.name, self.count(), n))
            self.keep()
            for start in range(0, n, BURST):
                for i in range(start, min(n, start + BURST)):
                    self._socket.send(self._frame(i))
                time.sleep(0.004)

    def keep(self):
        """Makes them stay for the next few rounds of the revalidators, which
        lower the limit when they take long, and raise it by 1,000 only."""
        self.hv.switch.appctl("upcall/set-flow-limit", str(FLOW_LIMIT))

    @staticmethod
    def _frame(i):
        head = struct.pack("!BBHHHBBH4sI", 0x45, 0, 46, 0, 0, 64, 17, 0,
                           socket.inet_aton("198.18.0.1"), 0xc6130000 + i)
        return (b"\x02\0\0\0\0\2\x02\0\0\0\0\1\x08\0" + head
                + struct.pack("!HHHH", 7, 7, 26, 0)).ljust(60, b"\0")
