# SPDX-License-Identifier: Apache-2.0
"""The systems that the benchmark compares.  Each has three sites, A, B and C,
each with an IP network of its own and a router between them; VMNs move between
A and B, and their correspondent is at C."""

import contextlib
import ipaddress
import itertools
import os
import socket
import time

import handover
import netns
import process
import switch
import topology
import wire

# Simulated VMNs have their home addresses in there, by family.
HOMES = {4: "10.100.0.0/14", 6: str(topology.HOMES[6])}
HOME = HOMES[4]
STAYING_HOA = 10        # After that, those of VMNs that stay where they are.

# Until all sites know what was prepared: a little for each VMN, in seconds.
PREPARED_SETTLE = 0.05
PREPARED_SETTLE_EACH = 0.001

# Revalidators that did nothing for so long have done their work, in seconds.
REVALIDATORS_REST = 0.1

# With pools for thousands of VMNs.
SITES = tuple(topology.Site(site.name, ipaddress.ip_network(network),
                            site.network6)
              for site, network in zip(topology.SITES,
                                       ("172.16.0.0/18", "172.16.64.0/18",
                                        "172.16.128.0/18")))


def mac(i):
    """The MAC address of handover-probe's VMN 'i'."""
    return "0a:00:%02x:%02x:%02x:%02x" % tuple((i + 1).to_bytes(4, "big"))


def route_pools(lab):
    """Keeps the router of 'lab' from having a neighbor for each MoA: Linux has
    room for 1,024 on the whole machine."""
    for site, family in itertools.product(lab.sites, lab.families):
        pool, device = site.pool_of(family), "site" + site.name
        router = lab.routers[site.name]
        router.ip("route add %s via %s dev %s onlink"
                  % (pool, pool[0], device))
        router.ip("neigh add %s lladdr %s dev %s nud permanent"
                  % (pool[0], site.uplink_mac, device))


class System:
    """One system, as a context manager that starts it and takes it away.

    'directory' is a name for an empty directory of its own, which it makes.
    What handover-probe needs are the places "NS:IF" where it stands for the
    VMNs ('a', 'b') and for their correspondent ('cn')."""

    name = None                 # For the tables.

    def __init__(self, ctx, directory):
        self.ctx = ctx
        self.directory = directory
        self.cn = self.a = self.b = None
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        os.mkdir(self.directory)
        try:
            self.start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *exc_info):
        self._stack.close()

    def start(self):
        """Starts all; what is to be undone at the end goes to on_close()."""
        raise NotImplementedError

    def on_close(self, function):
        """Calls 'function' at the end, before what is older goes."""
        self._stack.callback(function)

    def probe_options(self):
        """Returns more options for handover-probe."""
        return []

    def measure(self, *args, **options):
        """See handover.measure()."""
        return handover.measure(self.ctx, self, *args, **options)

    def reset(self):
        """Makes the system forget earlier traffic, and waits until it is idle.
        Called before each round of moves."""


class Vmmob(System):
    """vmmob: tests/lab's three hypervisors, with 'ports' ports for
    handover-probe on A and B, over which it spreads the VMNs.  Packets take
    'delay_ms' from one site to another.  'families' are those of IP."""

    name = "vmmob"
    kind = "ip"                 # Of topology.Lab.

    def __init__(self, ctx, directory, delay_ms=0, ports=1, families=(4,)):
        super().__init__(ctx, directory)
        self.delay_ms = delay_ms
        self.ports = ports
        self.families = families
        self._n_expecting = 0

    def start(self):
        def adjust(hv, bridge, open_vswitch):
            bridge["home"] = ",".join(HOMES[family]
                                      for family in self.families)
            # Many VMNs are behind one port here.
            bridge["max-vmns"] = "0"

        directory = os.path.join(self.directory, "lab")
        os.mkdir(directory)
        self.lab = self._stack.enter_context(
            topology.Lab(self.ctx.build, directory, self.kind, SITES,
                         adjust=adjust, delay_ms=self.delay_ms,
                         families=self.families))
        probe = self.lab.add_namespace("probe")
        self.a, self.b, self.cn = (
            ",".join("%s:%s" % (probe.name,
                                self._add_port(probe, site, number))
                     for number in range(self.ports if site != "C" else 1))
            for site in "ABC")
        self._settle()

    def _add_port(self, probe, site, number):
        """Returns the name of its end in namespace 'probe'."""
        hv = self.lab.hypervisors[site]
        name = "%s%d" % (site, number)
        netns.add_veth(probe, name, hv.ns, "vms%d" % number)
        hv.switch.vsctl("add-port", "br0", "vms%d" % number)
        return name

    def _settle(self):
        """Waits until all is ready, and adds a VMN that stays to each place:
        the first VMN of a bridge makes Open vSwitch look at all datapath
        flows, and hypervisors have more than one."""
        route_pools(self.lab)
        for hv in self.lab.hypervisors.values():
            show = self._show(hv)
            process.wait_until("gateway of %s" % hv.name,
                               lambda: "(learned)" in show(), 15)
            process.wait_until("agent of %s" % hv.name,
                               lambda: "agent: connected" in show(), 15)
        for hv, port in zip(self._places(), (self.a, self.b)):
            ns, device = port.split(",")[0].split(":")
            self._announce(ns, device, hv)
            process.wait_until("a VMN that stays at %s" % hv.name,
                               lambda: ": 1 attached" in self._show(hv)(), 15)

    @staticmethod
    def _announce(ns, device, hv):
        """Sends a gratuitous ARP from 'device' in 'ns'."""
        mac_ = b"\x0a\xfe\0\0\0" + hv.name.encode()
        hoa = (ipaddress.ip_network(HOME)[STAYING_HOA + ord(hv.name)]).packed
        with wire.inside(netns.Namespace(ns)), \
                socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
            sock.bind((device, 0))
            sock.send(b"\xff" * 6 + mac_ + b"\x08\x06\0\x01\x08\0\x06\x04"
                      b"\0\x01" + mac_ + hoa + b"\0" * 6 + hoa + b"\0" * 18)

    def limit(self, on):
        """Turns the limits of what the switch looks at from a port on or off:
        many VMNs behind one port look like a flood."""
        for hv in self.lab.hypervisors.values():
            for key in "vmmob-punt-rate", "vmmob-flood-rate":
                hv.switch.vsctl(*(
                    ["remove", "bridge", "br0", "other_config", key] if on
                    else ["set", "bridge", "br0", "other_config:%s=0" % key]))

    def copy(self, on):
        """Turns copies of what is for a VMN that is expected elsewhere on or
        off."""
        for hv in self.lab.hypervisors.values():
            hv.switch.vsctl(*(
                ["remove", "bridge", "br0", "other_config",
                 "vmmob-copy-time"] if on
                else ["set", "bridge", "br0",
                      "other_config:vmmob-copy-time=0"]))

    def measure_prepared(self, moves, batch=1, wait=False, **options):
        """As measure(), but before each move, ports of the place where the
        VMNs go are said to be for them, as libvirt does, and the other
        place's ports not any more.  With 'wait', revalidators come to an end
        first, which look at all datapath flows after a change of ports."""
        self._add_expecting(batch)
        self._set_redirect_time("100")
        try:
            # So that they are known, and forgotten where they are not before
            # they are expected there.
            handover.measure(self.ctx, self, 2, batch,
                             **dict(options, hurry=False))
            return handover.measure(
                self.ctx, self, moves, batch, before=lambda place:
                self._expect(self.lab.hypervisors[place.upper()], batch, wait),
                **options)
        finally:
            for hv in self._places():
                self._say(hv, batch, False)
            self._set_redirect_time(None)

    def _places(self):
        return [self.lab.hypervisors[name] for name in "AB"]

    def _add_expecting(self, n):
        """Where there are more VMNs than ports, adds ports that are said to be
        for one each, as libvirt says just one of a port.  No thread looks
        after them, and nothing is flooded there, as they are in another
        VLAN."""
        if n <= max(self.ports, self._n_expecting):
            return
        for hv in self._places():
            args = []
            for i in range(self._n_expecting, n):
                port = "expecting%d" % i
                args += ["--", "add-port", "br0", port, "tag=4000", "--",
                         "set", "interface", port, "type=patch",
                         "options:peer=none%d" % i]
            hv.switch.vsctl(*args)
        self._n_expecting = n

    def _say(self, hv, n, expected):
        """Says at 'hv' that the first 'n' VMNs are expected there, or not any
        more."""
        args = []
        for i in range(n):
            args += ["--", *(["set"] if expected else ["remove"]),
                     "interface",
                     ("vms%d" if n <= self.ports else "expecting%d") % i]
            args += (["external_ids:attached-mac=\"%s\"" % mac(i)] if expected
                     else ["external_ids", "attached-mac"])
        hv.switch.vsctl(*args)

    def _expect(self, hv, n, wait):
        for other in self._places():
            if other != hv:
                self._say(other, n, False)
        self._say(hv, n, True)
        show = self._show(hv)
        process.wait_until("%d VMNs prepared at %s" % (n, hv.name),
                           lambda: " %d prepared" % n in show(), 30)
        # The news is everywhere, and copies of what was sent then are here.
        time.sleep(PREPARED_SETTLE + n * PREPARED_SETTLE_EACH
                   + 4 * self.delay_ms / 1000)
        for each in self._places() if wait else ():
            self._wait_for_revalidators(each)

    @staticmethod
    def _wait_for_revalidators(hv):
        """Waits until the revalidators at 'hv' do nothing."""
        tasks = "/proc/%d/task" % hv.switch.daemons[switch.VSWITCHD].pid()

        def busy():
            """For how long they have run so far, in ns."""
            total = 0
            for task in os.listdir(tasks):
                # A thread may end meanwhile.
                with contextlib.suppress(FileNotFoundError,
                                         ProcessLookupError), \
                        open(os.path.join(tasks, task, "comm")) as comm, \
                        open(os.path.join(tasks, task, "schedstat")) as stat:
                    if comm.read().startswith("revalidator"):
                        total += int(stat.read().split()[0])
            return total

        def rests():
            before = busy()
            time.sleep(REVALIDATORS_REST)
            return busy() - before < REVALIDATORS_REST * 1e9 / 20

        process.wait_until("revalidators of %s" % hv.name, rests, 60)

    def _set_redirect_time(self, ms):
        for hv in self._places():
            hv.switch.vsctl(*(
                ["set", "bridge", "br0",
                 "other_config:vmmob-redirect-time=" + ms] if ms
                else ["remove", "bridge", "br0", "other_config",
                      "vmmob-redirect-time"]))

    @staticmethod
    def _show(hv):
        return lambda: hv.switch.appctl("vmmob/show")


class L2(Vmmob):
    """The floor: the same switches in one L2 network, with MAC learning
    only."""

    name = "one L2 network"
    kind = "l2"

    def _settle(self):
        """Nothing has to be learnt."""

    def reset(self):
        """Cached megaflows would hide a VMN that moves back from MAC
        learning."""
        self.lab.forget()
