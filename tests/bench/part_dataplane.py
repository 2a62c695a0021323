# SPDX-License-Identifier: Apache-2.0
"""What rewriting costs a packet: rates through vmmob, beside plain forwarding
and VXLAN on the same Open vSwitch.

A sender at site A, a receiver at site C, and between them, for all three, the
same devices: a port and the uplink of the bridge of A, a router, and the
uplink and a port of the bridge of C.  What differs is what the bridges do:

- plain: nothing but forward (NORMAL, with MAC learning).  The sender and the
  receiver have addresses of their site's network.
- vmmob: both are VMNs, and their addresses are rewritten.
- VXLAN: both are in one IP network, that of a second bridge with a VXLAN
  port.

All of them by IPv4 and by IPv6 in turn; VXLAN's own packets are of IPv4."""

import collections
import contextlib
import itertools
import os
import statistics

import netns
import process
import switch
import topology
import wire

PART = "data plane"

SITES = tuple(site for site in topology.SITES if site.name in "AC")

# VXLAN takes 50 bytes of the MTU.
MTU, VXLAN_MTU = 1500, 1450

# What is sent: name, protocol, bytes of payload, how many datagrams may be on
# their way, and in what unit its rate is.  Small ones fill the smallest frame
# (of IPv4); bulk ones are the largest that go through all three.  What is on
# its way fits into a socket's buffer.
SMALL, BULK, TCP = "small UDP", "bulk UDP", "TCP"
KINDS = ((SMALL, "udp", 18, 128, "kpps"),
         (BULK, "udp", VXLAN_MTU - 48, 64, "Mbit/s"),
         (TCP, "tcp", 65536, 1, "Mbit/s"))

FAMILIES = (4, 6)
PACKET_RATES = {4: 0.95, 6: 0.97}       # The goal, by family.


class Path(topology.Lab):
    """The two sites, and at their ends namespaces with addresses of both
    families."""

    name = "vmmob"
    mtu = MTU

    def __enter__(self):
        super().__enter__()
        try:
            for hv in self.hypervisors.values():
                self._hide_uplink(hv)
            self.ends = [self._end(hv) for hv in self.hypervisors.values()]
            # Both speak, so that vmmob comes to know both.
            for family in FAMILIES:
                process.wait_until(
                    "%s: packets of IPv%d to arrive" % (self.name, family),
                    lambda: all([self.ends[1].can_ping(self.end(0, family)),
                                 self.ends[0].can_ping(self.end(1, family))]),
                    20)
        except BaseException:
            self.close()
            raise
        return self

    def end(self, i, family):
        """The address of an end."""
        return self.address(SITES[i], family)[0]

    def bridge(self):
        """Where the ends are."""
        return switch.BRIDGE

    def address(self, site, family):
        """The address of the end at 'site', its prefix length and its
        gateway, if any."""
        home = topology.HOMES[family]
        return (str(home[ord(site.name)]), home.prefixlen,
                topology.HOME_GATEWAYS[family])

    @staticmethod
    def _hide_uplink(hv):
        """A device of the userspace datapath is the kernel's as well, which
        takes each frame to the device's own MAC through its IP stack, only to
        drop it there.  Open vSwitch's documentation says how to prevent that.
        With another MAC than the bridge's it drops all frames alike."""
        hv.ns.ip("link set %s address fe%s" % (switch.UPLINK,
                                               hv.site.uplink_mac[2:]))

    def _end(self, hv):
        ns = self.add_namespace("end-" + hv.name)
        netns.add_veth(ns, "eth0", hv.ns, "end",
                       mac0="52:54:00:64:01:%02x" % ord(hv.name))
        ns.ip("link set eth0 mtu %d" % self.mtu)
        for family in FAMILIES:
            address, plen, gateway = self.address(hv.site, family)
            ns.add_address("eth0", address, plen)
            if gateway:
                ns.ip("route add default via " + gateway)
        hv.switch.vsctl("add-port", self.bridge(), "end")
        return ns

    def load(self, ctx, family, kind, size, window, seconds):
        """Runs dataplane-load and returns packets per second, bytes per
        second, packets lost and the CPU time that the switches took in it,
        in ns per packet."""
        cpu = self._cpu_ns()
        packets, size, ns, lost = (
            int(word) for word in process.run(
                [ctx.program("dataplane-load"), kind, self.ends[0].name,
                 self.ends[1].name, self.end(1, family), size, window,
                 seconds]).split())
        self.check()
        cpu = self._cpu_ns() - cpu
        return (packets * 1e9 / ns, size * 1e9 / ns, lost,
                # Of which one in eleven is not counted in 'packets'.
                10 / 11 * cpu / packets if packets else None)

    def _cpu_ns(self):
        total = 0
        for hv in self.hypervisors.values():
            tasks = "/proc/%d/task" % hv.switch.daemons[switch.VSWITCHD].pid()
            for task in os.listdir(tasks):
                # A thread may end meanwhile.
                with contextlib.suppress(FileNotFoundError,
                                         ProcessLookupError), \
                        open(os.path.join(tasks, task, "schedstat")) as f:
                    total += int(f.read().split()[0])
        return total

    def frame_size(self, ctx, family, size):
        """Returns how long a frame with a datagram of 'size' bytes is between
        site A and the router."""
        capture = wire.Capture(self.network, "A-" + switch.UPLINK)
        try:
            self.load(ctx, family, "udp", size, 1, 0.1)
            frames, _ = capture.take()
        finally:
            capture.close()
        return collections.Counter(
            len(frame.data) for frame in frames
            if len(frame.data) >= size + 42).most_common(1)[0][0]


class Plain(Path):
    name = "plain"

    def start_vmmob(self):
        pass

    def address(self, site, family):
        network = site.network_of(family)
        return str(network[10]), network.prefixlen, site.router_of(family)


class Vxlan(Path):
    name = "VXLAN"
    mtu = VXLAN_MTU

    def start_vmmob(self):
        """The bridge with the uplink has an address, from which the tunnel
        goes."""
        for hv in self.hypervisors.values():
            peer, = (site for site in SITES if site != hv.site)
            hv.ns.ip("link del " + topology.MANAGEMENT)
            hv.ns.ip("addr add %s/%d dev %s"
                     % (hv.site.management, hv.site.network.prefixlen,
                        switch.BRIDGE))
            hv.ns.ip("link set %s up" % switch.BRIDGE)
            # Not before it has noticed the address.
            process.wait_until("route of the tunnel", lambda: "OK" in
                               hv.switch.appctl(
                                   "ovs/route/add", peer.management + "/32",
                                   switch.BRIDGE, hv.site.router,
                                   check=False), 20)
            hv.switch.vsctl(
                "add-br", self.bridge(), "--", "set", "bridge", self.bridge(),
                "datapath_type=netdev", "--", "add-port", self.bridge(),
                "vxlan0", "--", "set", "interface", "vxlan0", "type=vxlan",
                "options:remote_ip=" + peer.management, "options:key=1")

    def check(self):
        for hv in self.hypervisors.values():
            hv.switch.check()

    def bridge(self):
        return "overlay"

    def address(self, site, family):
        return super().address(site, family)[:2] + (None,)


def run(ctx):
    rounds, seconds = (2, 0.3) if ctx.quick else (36, 0.4)
    with contextlib.ExitStack() as stack:
        paths = []
        for cls in Plain, Path, Vxlan:
            directory = os.path.join(ctx.directory, "dataplane-" + cls.name)
            os.mkdir(directory)
            paths.append(stack.enter_context(
                cls(ctx.build, directory, sites=SITES, families=FAMILIES)))
        for path in paths:
            for (name, kind, size, _, _), family in itertools.product(
                    KINDS, FAMILIES):
                if kind == "udp":
                    ctx.record(PART, _case(name, family, path) + ": frame",
                               [path.frame_size(ctx, family, size)], "bytes")
        rates = collections.defaultdict(list)
        for i in range(rounds):
            ctx.say("data plane: round %d of %d" % (i + 1, rounds))
            for each in KINDS:
                # Nobody is always first.
                for path in paths[i % 3:] + paths[:i % 3]:
                    for family in FAMILIES[::(-1) ** i]:
                        rates[each[0], family, path.name].append(_measure(
                            ctx, path, family, *each, seconds))
    for family in FAMILIES:
        _goals(ctx, family, rates)


def _case(name, family, path):
    return "%s, IPv%d, %s" % (name, family, path.name)


def _measure(ctx, path, family, name, kind, size, window, unit, seconds):
    """Records one measurement and returns the rate."""
    packets, bytes_, lost, cpu = path.load(ctx, family, kind, size, window,
                                           seconds)
    case = _case(name, family, path)
    rate = packets / 1e3 if unit == "kpps" else bytes_ * 8 / 1e6
    ctx.record(PART, case, [rate], unit)
    if kind == "udp":
        ctx.record(PART, case + ": CPU time of both switches", [cpu],
                   "ns/packet")
        if lost:
            ctx.say("%s: %d datagrams lost" % (case, lost))
    return rate


def _goals(ctx, family, rates):
    def ratio(kind, other):
        """Of rates of the same round, as machines get slower and quicker."""
        return statistics.median(
            ours / theirs for ours, theirs in zip(
                rates[kind, family, Path.name],
                rates[kind, family, other.name]))

    for other, goal, met in (
            (Plain, "at least %g of plain forwarding's packet rate"
             % PACKET_RATES[family],
             ratio(SMALL, Plain) >= PACKET_RATES[family]),
            (Vxlan, "a packet rate above VXLAN's", ratio(SMALL, Vxlan) > 1)):
        ctx.goal("data plane, IPv%d: %s" % (family, goal),
                 "%.3f" % ratio(SMALL, other), met,
                 "median of %d rounds' ratios; bulk UDP %.3f, TCP %.3f"
                 % (len(rates[SMALL, family, Path.name]), ratio(BULK, other),
                    ratio(TCP, other)))
