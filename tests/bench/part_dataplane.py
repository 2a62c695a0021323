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
  port."""

import collections
import contextlib
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
# their way, and in what unit its rate is.  Small ones fill the smallest frame;
# bulk ones are the largest that go through all three.  What is on its way fits
# into a socket's buffer.
SMALL, BULK, TCP = "small UDP", "bulk UDP", "TCP"
KINDS = ((SMALL, "udp", 18, 128, "kpps"),
         (BULK, "udp", VXLAN_MTU - 28, 64, "Mbit/s"),
         (TCP, "tcp", 65536, 1, "Mbit/s"))

PACKET_RATE = 0.95              # The goal.


class Path(topology.Lab):
    """The two sites, and 'from_' and 'to' at their ends: namespaces."""

    name = "vmmob"
    mtu = MTU

    def __enter__(self):
        super().__enter__()
        try:
            for hv in self.hypervisors.values():
                self._hide_uplink(hv)
            self.ends = [self._end(hv, *self.address(site))
                         for site, hv in self.hypervisors.items()]
            # Both speak, so that vmmob comes to know both.
            process.wait_until(
                "%s: packets to arrive" % self.name,
                lambda: all([self.ends[1].can_ping(self.from_),
                             self.ends[0].can_ping(self.to)]), 20)
        except BaseException:
            self.close()
            raise
        return self

    @property
    def from_(self):
        return self.address(SITES[0].name)[0]

    @property
    def to(self):
        return self.address(SITES[1].name)[0]

    def bridge(self):
        """Where the ends are."""
        return switch.BRIDGE

    def address(self, site):
        """The address of the end at 'site', its prefix length and its
        gateway, if any."""
        return "10.100.0.%d" % ord(site), 24, topology.HOME_GATEWAY

    @staticmethod
    def _hide_uplink(hv):
        """A device of the userspace datapath is the kernel's as well, which
        takes each frame to the device's own MAC through its IP stack, only to
        drop it there.  Open vSwitch's documentation says how to prevent that.
        With another MAC than the bridge's it drops all frames alike."""
        hv.ns.ip("link set %s address fe%s" % (switch.UPLINK,
                                               hv.site.uplink_mac[2:]))

    def _end(self, hv, address, plen, gateway):
        ns = self.add_namespace("end-" + hv.name)
        netns.add_veth(ns, "eth0", hv.ns, "end",
                       mac0="52:54:00:64:01:%02x" % ord(hv.name))
        ns.ip("link set eth0 mtu %d" % self.mtu)
        ns.ip("addr add %s/%d dev eth0" % (address, plen))
        if gateway:
            ns.ip("route add default via " + gateway)
        hv.switch.vsctl("add-port", self.bridge(), "end")
        return ns

    def load(self, ctx, kind, size, window, seconds):
        """Runs dataplane-load and returns packets per second, bytes per
        second, packets lost and the CPU time that the switches took in it,
        in ns per packet."""
        cpu = self._cpu_ns()
        packets, size, ns, lost = (
            int(word) for word in process.run(
                [ctx.program("dataplane-load"), kind, self.ends[0].name,
                 self.ends[1].name, self.to, size, window,
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
                with open(os.path.join(tasks, task, "schedstat")) as f:
                    total += int(f.read().split()[0])
        return total

    def frame_size(self, ctx, size):
        """Returns how long a frame with a datagram of 'size' bytes is between
        site A and the router."""
        capture = wire.Capture(self.network, "A-" + switch.UPLINK)
        try:
            self.load(ctx, "udp", size, 1, 0.1)
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

    def address(self, site):
        network = self.hypervisors[site].site.network
        return str(network[10]), network.prefixlen, str(network[1])


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

    def address(self, site):
        return "10.100.0.%d" % ord(site), 24, None


def run(ctx):
    rounds, seconds = (2, 0.3) if ctx.quick else (36, 0.4)
    with contextlib.ExitStack() as stack:
        paths = []
        for cls in Plain, Path, Vxlan:
            directory = os.path.join(ctx.directory, "dataplane-" + cls.name)
            os.mkdir(directory)
            paths.append(stack.enter_context(
                cls(ctx.build, directory, sites=SITES)))
        for path in paths:
            for name, kind, size, _, _ in KINDS:
                if kind == "udp":
                    ctx.record(PART, "%s, %s: frame" % (name, path.name),
                               [path.frame_size(ctx, size)], "bytes")
        rates = collections.defaultdict(list)
        for i in range(rounds):
            ctx.say("data plane: round %d of %d" % (i + 1, rounds))
            for each in KINDS:
                # Nobody is always first.
                for path in paths[i % 3:] + paths[:i % 3]:
                    rates[each[0], path.name].append(_measure(
                        ctx, path, *each, seconds))
    _goals(ctx, rates)


def _measure(ctx, path, name, kind, size, window, unit, seconds):
    """Records one measurement and returns the rate."""
    packets, bytes_, lost, cpu = path.load(ctx, kind, size, window, seconds)
    case = "%s, %s" % (name, path.name)
    rate = packets / 1e3 if unit == "kpps" else bytes_ * 8 / 1e6
    ctx.record(PART, case, [rate], unit)
    if kind == "udp":
        ctx.record(PART, case + ": CPU time of both switches", [cpu],
                   "ns/packet")
        if lost:
            ctx.say("%s: %d datagrams lost" % (case, lost))
    return rate


def _goals(ctx, rates):
    def ratio(kind, other):
        """Of rates of the same round, as machines get slower and quicker."""
        return statistics.median(
            ours / theirs for ours, theirs in zip(rates[kind, Path.name],
                                                  rates[kind, other.name]))

    for other, goal, met in (
            (Plain, "at least %g of plain forwarding's packet rate"
             % PACKET_RATE, ratio(SMALL, Plain) >= PACKET_RATE),
            (Vxlan, "a packet rate above VXLAN's", ratio(SMALL, Vxlan) > 1)):
        ctx.goal("data plane: " + goal, "%.3f" % ratio(SMALL, other), met,
                 "median of %d rounds' ratios; bulk UDP %.3f, TCP %.3f"
                 % (len(rates[SMALL, Path.name]), ratio(BULK, other),
                    ratio(TCP, other)))
