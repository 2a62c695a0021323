# SPDX-License-Identifier: Apache-2.0
"""VMs that move, without QEMU: what they are to switches and to each other.

    eth0 (bridge) --+-- A -- vm1 of hypervisor A (down)
                    +-- B -- vm1 of hypervisor B (up: that is where it is)
                    +-- keep (always up, leads nowhere)

A VM is a namespace.  A bridge as its interface lets it change its place
without a moment in which the kernel sees no link and forgets neighbours, as it
is with a VM."""

import contextlib
import fcntl
import socket
import struct
import threading
import time

import netns
import process
import topology
import wire

# When QEMU announces a guest, in seconds after it was resumed.
ANNOUNCEMENTS = (0, 0.05, 0.2, 0.45, 0.8)

ETH_P_RARP = 0x8035
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


class Mobile:
    """A VM that is at 'place', a Hypervisor of 'lab', with addresses of all
    families of that unless 'static' is false.  Not thread-safe."""

    def __init__(self, lab, number, place, static=True):
        self.lab = lab
        self.number = number
        self.name = "vm%d" % number
        self.mac = "52:54:00:64:00:%02x" % number
        self.addresses = [str(topology.HOMES[family][number])
                          for family in lab.families]
        self.family = lab.families[0]   # That 'address' is of.
        self.place = place
        self.moves = 0
        self.ns = ns = lab.add_namespace(self.name)
        ns.add_bridge("eth0", self.mac)
        ns.ip("link add keep type veth peer name kept")
        ns.ip("link set kept up")
        ns.ip("link set keep master eth0 up")
        for hv in lab.hypervisors.values():
            netns.add_veth(ns, hv.name, hv.ns, self.name)
            ns.ip("link set %s down" % hv.name)
            ns.ip("link set %s master eth0" % hv.name)
        for family, address in (zip(lab.families, self.addresses) if static
                                else ()):
            ns.add_address("eth0", address, topology.HOMES[family].prefixlen)
            ns.ip("route add default via " + topology.HOME_GATEWAYS[family])
        self._rarp = (b"\xff" * 6 + self._mac_bytes()
                      + struct.pack("!HHHBBH", ETH_P_RARP, 1, 0x0800, 6, 4, 3)
                      + (self._mac_bytes() + b"\0" * 4) * 2).ljust(60, b"\0")
        with wire.inside(ns):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.bind(("eth0", 0))
        lab.on_close(self._socket.close)
        self.plug(place)
        ns.ip("link set %s up" % place.name)

    @property
    def address(self):
        return str(topology.HOMES[self.family][self.number])

    def plug(self, hv, timeout=30, announce=True):
        """Adds the VM's port to the switch of 'hv', as what starts a VM does,
        not waiting for the switch.  Tries again while the switch's database
        is not there.  'announce' says whether the switch is told whose it
        is."""
        self._insist(timeout, lambda: hv.switch.add_vm_port(
            self.name, self.mac if announce else None, "iface-" + self.name,
            wait=False))

    def unplug(self, hv, timeout=30):
        self._insist(timeout, lambda: hv.switch.del_port(self.name,
                                                         wait=False))

    def move(self, target, before_unplug=None, plug=True, pause=0,
             unplug_first=False):
        """Moves to 'target', where the port is already unless 'plug' says
        so, and is nowhere for 'pause' seconds.  Its old port goes when it
        runs there, or before the pause.  Returns when it runs there, in
        time.time(), as the rest goes on: a thread announces it."""
        source = self.place
        if plug:
            self.plug(target)
        self._set_up(source.name, False)
        if unplug_first:
            self.unplug(source)
        if pause:
            time.sleep(pause)
        self._set_up(target.name, True)
        resumed = time.time()
        self.place = target
        self.moves += 1
        threading.Thread(target=self._announce, daemon=True).start()
        if before_unplug:
            before_unplug()
        if not unplug_first:
            self.unplug(source)
        return resumed

    @contextlib.contextmanager
    def silent(self):
        """Nothing that the VM sends gets anywhere within this context."""
        self._set_up(self.place.name, False)
        try:
            yield
        finally:
            self._set_up(self.place.name, True)

    def _set_up(self, device, up):
        """Does what "ip link set" does, without a new process."""
        name = device.encode()
        flags, = struct.unpack_from("H", fcntl.ioctl(
            self._socket, SIOCGIFFLAGS, struct.pack("16s16x", name)), 16)
        flags = flags | IFF_UP if up else flags & ~IFF_UP
        fcntl.ioctl(self._socket, SIOCSIFFLAGS,
                    struct.pack("16sH14x", name, flags))

    def _announce(self):
        start = time.monotonic()
        for at in ANNOUNCEMENTS:
            time.sleep(max(0, start + at - time.monotonic()))
            try:
                self._socket.send(self._rarp)
            except OSError:
                return

    def _mac_bytes(self):
        return bytes(int(byte, 16) for byte in self.mac.split(":"))

    @staticmethod
    def _insist(timeout, function):
        deadline = time.monotonic() + timeout
        while True:
            try:
                return function()
            except process.LabError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.05)
