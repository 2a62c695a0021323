# SPDX-License-Identifier: Apache-2.0
"""Cases of vmmob-datapath: what routers and hosts answer to VMs' packets, and
to the copies that are made of these."""

import contextlib
import contextlib
import os
import re
import signal
import socket
import time

import packet
import process
import switch
import topology
import wire
from checks import BOUND, must

REDIRECT = {4: 5, 6: 137}
UNREACHABLE = {4: 3, 6: 1}
# How long what becomes of copies is looked for, in ms.
LONG_COPIES, LONG_REDIRECT = 5000, 60000
UNSUMMED = wire.IPPROTO_UDPLITE, wire.IPPROTO_DCCP


class Cases:
    def case_quotes(self):
        """Routers on the way and the host at its end quote packets as the VM
        has sent them, to the last checksum: a traceroute finds its probes by
        these.  What tells a VM of another router is kept from it."""
        hops = self.hops()
        probes = []
        with Errors(self.cn) as errors:
            for ttl in range(1, hops + 2):
                # A host has other answers than errors to the other two.
                for proto in ((socket.IPPROTO_UDP,) if ttl > hops
                              else (socket.IPPROTO_UDP, socket.IPPROTO_TCP,
                                    packet.ping_proto(self.cn.address))):
                    probe = packet.make(self.cn.address, self.vm.address,
                                        proto, b"probe %d" % len(probes), ttl)
                    probes.append(packet.with_ttl(probe, 1))
                    packet.send(self.cn.ns, probe)
            process.wait_until("an answer to each of %d probes" % len(probes),
                               lambda: len(errors.take()) >= len(probes),
                               BOUND)
            quoted = sorted(quote for _, quote in errors.seen)
            for quote, probe in zip(quoted, sorted(probes)):
                must(quote == probe, "%s is quoted as %s"
                     % (probe.hex(), quote.hex()))
            must(len(quoted) == len(probes), "%d answers to %d probes"
                 % (len(quoted), len(probes)))

            # A route to a neighbour, of which the router tells the sender.
            router = self.lab.routers["C"]
            route = "%s via %s dev siteC" % (
                self.moas(self.c)[self.vm.mac],
                self.c.site.management if self.family == 4
                else topology.link_local(self.c.site.uplink_mac))
            capture = wire.Capture(router, "C-" + switch.UPLINK, outgoing=True)
            del errors.seen[:]
            router.ip("route add " + route)
            if self.family == 6:
                # Linux tells who was just told of an error after a second.
                time.sleep(1.1)
            last = packet.make(self.cn.address, self.vm.address,
                               socket.IPPROTO_UDP, b"behind the redirect")
            try:
                packet.send(self.cn.ns, last)
                process.wait_until(
                    "a redirect by the router",
                    lambda: any(frame.outgoing and (ip := wire.packet_of(frame))
                                and ip.icmp_type == REDIRECT[self.family]
                                for frame in capture.take()[0]), BOUND)
            finally:
                router.ip("route del " + route)
                capture.close()
            # Whatever is heard after it.
            packet.send(self.cn.ns, last)
            process.wait_until("an answer behind the redirect",
                               lambda: errors.take(), BOUND)
            must([kind for kind, _ in errors.seen]
                 == [UNREACHABLE[self.family]],
                 "the VM hears ICMP of type %s"
                 % [kind for kind, _ in errors.seen])
        return "%d probes of 3 protocols found by all that is quoted; no " \
            "redirect" % len(probes)

    def case_unsummed(self):
        """UDP-Lite and DCCP, whose checksums nobody updates, are right between
        VMs, and do not go to the outside, nor come from there."""
        outside, moa = self.a.site.router, self.moas(self.c)[self.cn.mac]
        protos = UNSUMMED + (socket.IPPROTO_UDP,)
        uplink = wire.Capture(self.lab.routers["C"], "C-" + switch.UPLINK)
        ends = {vm: wire.Capture(vm.ns, "eth0", True)
                for vm in (self.vm, self.cn)}
        try:
            sent = [packet.make(self.cn.address, self.vm.address, proto,
                                b"between VMs") for proto in protos]
            packet.send(self.cn.ns, *sent)
            self.wait_frames("UDP-Lite and DCCP to a VM", ends[self.vm],
                             b"between VMs", {packet.payload(each)
                                              for each in sent})
            # UDP is the last one and not kept back.
            packet.send(self.cn.ns, *(packet.make(self.cn.address, outside,
                                                proto, b"to the outside")
                                    for proto in protos))
            packet.send(self.lab.routers["A"],
                      *(packet.make(outside, moa, proto, b"from the outside")
                        for proto in protos))
            process.wait_until("UDP-Lite and DCCP to be counted",
                               lambda: self.n_unsummed() == 4, BOUND)
            self.wait_frames("UDP to the outside", uplink, b"to the outside",
                             {packet.payload(packet.make(
                                 moa, outside, socket.IPPROTO_UDP,
                                 b"to the outside"))})
            self.wait_frames("UDP from the outside", ends[self.cn],
                             b"from the outside", {packet.payload(packet.make(
                                 outside, self.cn.address, socket.IPPROTO_UDP,
                                 b"from the outside"))})
        finally:
            for capture in uplink, *ends.values():
                capture.close()
        return "right between VMs, none to or from the outside"

    def case_copies(self):
        """A VM that is expected elsewhere: what its correspondents send with
        too small a TTL is delivered once, whatever becomes of the copy, and
        what routers say of the copy is kept from who has sent the packet.
        Likewise what follows the VM after its move."""
        with self.redirecting_long():
            try:
                self.check_copies()
            finally:
                # Where other cases look for it.
                if self.vm.place is self.b:
                    self.vm.move(self.a)
                else:
                    self.vm.unplug(self.b)
            self.wait_place(self.a)
        return "each delivered once, 4 errors kept from the senders"

    @contextlib.contextmanager
    def redirecting_long(self):
        """Makes A redirect what follows a VM for as long as it may take a slow
        machine to send it, within this context."""
        def set_time(ms):
            self.a.switch.vsctl("set", "bridge", switch.BRIDGE,
                                "other_config:vmmob-redirect-time=" + ms)

        before = self.a.switch.vsctl(
            "get", "bridge", switch.BRIDGE,
            "other_config:vmmob-redirect-time").strip()
        set_time("600000")
        try:
            yield
        finally:
            set_time(before)

    def check_copies(self):
        hops = self.hops()
        router = self.lab.routers["B"]
        self.vm.plug(self.b)
        process.wait_until("copies to B", lambda: any(
            "copied_to" in row for row in self.rows(self.a)), BOUND)
        new = process.wait_until("its mobile address at B, at C",
                                 lambda: self.prepared_moa(self.c), BOUND)
        captures = (wire.Capture(self.lab.routers["A"], "A-" + switch.UPLINK),
                    wire.Capture(self.vm.ns, "eth0", True))
        seen = [], []

        def count(capture, name):
            seen[capture].extend(frame.data for frame
                                 in captures[capture].take()[0])
            return sum(name in data for data in seen[capture])

        def check(sent):
            for name, *expected in sent:
                # What is handled by ovs-vswitchd may take a while.
                with contextlib.suppress(process.LabError):
                    process.wait_until(
                        "all of it", lambda: count(0, name) >= expected[0]
                        and count(1, name) >= expected[1], BOUND)
                found = [count(0, name), count(1, name)]
                must(found == expected, "%s: %d copies, %d deliveries, not %d "
                     "and %d" % (name.decode(), *found, *expected))

        sink = self.socket(self.vm, socket.SOCK_DGRAM)
        agent = self.c.switch.daemons[switch.VMMOBD].pid()
        with sink, Errors(self.cn) as errors, \
                Errors(self.third) as local_errors:
            sink.bind((self.vm.address, packet.PORT))
            before = {hv: self.counter(hv, "vmmob_copy_error")
                      for hv in (self.a, self.c)}

            def send(one, name, ttl):
                packet.send(one.ns, packet.make(
                    one.address, self.vm.address, socket.IPPROTO_UDP, name,
                    ttl))

            def wait_errors(hv, n):
                process.wait_until(
                    "%d errors about copies at %s" % (n, hv.name),
                    lambda: self.counter(hv, "vmmob_copy_error")
                    - before[hv] >= n, BOUND)

            try:
                # First, as Linux tells who was told of something else just
                # before nothing of a forbidden route.
                router.ip("route add prohibit %s" % new)
                send(self.third, b"[is refused]", 64)
                wait_errors(self.a, 1)
                router.ip("route del prohibit %s" % new)
                send(self.cn, b"[ends at A]", hops + 1)
                send(self.cn, b"[ends behind A]", hops + 2)
                send(self.third, b"[local]", 1)
                wait_errors(self.c, 1)
                wait_errors(self.a, 2)
                check([(b"[ends at A]", 0, 1), (b"[ends behind A]", 1, 1),
                       (b"[is refused]", 1, 1), (b"[local]", 1, 1)])

                # C does not hear where it is then.
                os.kill(agent, signal.SIGSTOP)
                self.vm.move(self.b, plug=False)
                process.wait_until(
                    "that A knows it at B",
                    lambda: self.places(self.a).get(self.vm.mac) == "B", BOUND)
                send(self.cn, b"[ends at A, later]", hops + 1)
                send(self.cn, b"[ends behind A, later]", hops + 2)
                send(self.cn, b"[follows]", 64)
                wait_errors(self.c, 2)
                process.wait_until("what follows the VM",
                                   lambda: count(1, b"[follows]"), BOUND)
                time.sleep(0.2)
                check([(b"[ends at A]", 0, 1), (b"[ends behind A]", 1, 1),
                       (b"[is refused]", 1, 1), (b"[local]", 1, 1),
                       (b"[ends at A, later]", 0, 0),
                       (b"[ends behind A, later]", 1, 0),
                       (b"[follows]", 1, 1)])
            finally:
                os.kill(agent, signal.SIGCONT)
                for capture in captures:
                    capture.close()
            self.wait_place(self.b)
            for each in errors, local_errors:
                must(not each.take(), "%s hears of a copy: %s"
                     % (each.vm.name, each.seen))

    def case_guard(self):
        """A packet that comes back to the module each time it is sent on its
        way is dropped: there is no room for the rules that it needs."""
        bridge = self.a.switch
        n_base = sum("table_id=253" in line
                     and not re.search(r"priority=1([02]\d|3[68]|4\d),", line)
                     for line in bridge.appctl(
                         "bridge/dump-flows", switch.BRIDGE).splitlines())
        settings = bridge.vsctl("get", "bridge", switch.BRIDGE, "other_config")
        names = "vmmob_resume", "vmmob_resume_limited"

        def again(*args):
            """Turns VM mobility off, and on as 'args' say.  Without it, what
            VMs send would get to the network as it is."""
            with self.vm.silent(), self.third.silent():
                bridge.vsctl("remove", "bridge", switch.BRIDGE, "other_config",
                             *re.findall(r"vmmob-[a-z-]+", settings), *args)
                bridge.vsctl("set", "bridge", switch.BRIDGE,
                             "other_config=" + settings)
            for vm in self.vm, self.third:
                process.wait_until(
                    "that A knows %s" % vm.name,
                    lambda: all(map(vm.ns.can_ping,
                                    topology.HOME_GATEWAYS.values()))
                    and self.places(self.a).get(vm.mac) == "A", BOUND)

        capture = wire.Capture(self.vm.ns, "eth0", True)
        try:
            # The rules that are always there have room.
            again("--", "--id=@table", "create", "Flow_Table",
                  "flow_limit=%d" % n_base, "overflow_policy=refuse", "--",
                  "set", "bridge", switch.BRIDGE, "flow_tables:253=@table")
            before = [self.counter(self.a, name) for name in names]
            self.third.ns.ip("neigh replace %s lladdr %s dev eth0"
                             % (self.vm.address, self.vm.mac))
            packet.send(self.third.ns, packet.make(
                self.third.address, self.vm.address, socket.IPPROTO_UDP,
                b"again and again"))
            process.wait_until("the guard", lambda: self.counter(
                self.a, names[1]) > before[1], BOUND)
            n = self.counter(self.a, names[0]) - before[0]
            must(not any(b"again and again" in frame.data
                         for frame in capture.take()[0]), "it was delivered")
        finally:
            capture.close()
            again("--", "clear", "bridge", switch.BRIDGE, "flow_tables")
        self.settled(self.moas(self.a))
        return "dropped after it was sent on its way %d times" % n

    # What they share.

    def hops(self):
        """Returns how many routers are between two sites."""
        return 2 if self.lab.netem else 1

    @staticmethod
    def wait_frames(what, capture, marker, payloads):
        """Waits until all IP packets that have 'marker' have come that have
        one of 'payloads'.  There must be no others."""
        seen = []

        def have_come():
            seen.extend(packet.payload(frame.data[14:])
                        for frame in capture.take()[0]
                        if frame.data[12:14] == b"\x08\0"
                        and marker in frame.data)
            return len(seen) >= len(payloads)

        process.wait_until(what, have_come, BOUND)
        must(sorted(seen) == sorted(payloads), "%s: %s instead of %s"
             % (what, [each.hex() for each in seen],
                [each.hex() for each in payloads]))

    def prepared_moa(self, hv):
        for row in self.all_rows(hv):
            if row["mac"] == self.vm.mac and row["status"] == "prepared":
                return self.moa_of(row)
        return None

    def n_unsummed(self):
        """Returns how many of the flows that drop UDP-Lite and DCCP have
        done so at C."""
        return sum("nw_proto=%d" % proto in line
                   and "n_packets=0" not in line
                   for line in self.c.switch.appctl(
                       "bridge/dump-flows", switch.BRIDGE).splitlines()
                   for proto in UNSUMMED)


class Errors:
    """The ICMP errors that the network tells a VM, as pairs of their type and
    the packet that they quote."""

    def __init__(self, vm):
        self.vm = vm
        self.seen = []
        with wire.inside(vm.ns):
            self._socket = socket.socket(
                {4: socket.AF_INET, 6: socket.AF_INET6}[vm.family],
                socket.SOCK_RAW, packet.PING[vm.family][0])
        self._socket.setblocking(False)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self._socket.close()

    def take(self):
        """Returns all that there were, with those that have just come."""
        while True:
            try:
                data = self._socket.recv(1 << 16)
            except BlockingIOError:
                return self.seen
            # Of IPv6, it is without the header.
            icmp = packet.payload(data) if self.vm.family == 4 else data
            if icmp[0] in (*wire.ICMP_ERRORS[self.vm.family],
                           REDIRECT[self.vm.family]):
                self.seen.append((icmp[0], icmp[8:]))
