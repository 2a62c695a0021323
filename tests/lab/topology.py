# SPDX-License-Identifier: Apache-2.0
"""Hypervisors, and the network between them.

    endpoint -- br0 of C -- uplink --+                 system "ip": a router
    guest tap - br0 of A -- uplink --+-- the network   with one IP network
    guest tap - br0 of B -- uplink --+                 for each site

Each hypervisor is a namespace with an Open vSwitch of its own.  The network
is one more namespace, which knows nothing of home addresses:

- "ip": a plain Linux router.  Every site has its own IP network, on which are
  the hypervisor's uplink and, by another wire, its management address, so
  the agents' OVSDB connections cross the same router.  vmmob is on.
- "l2": one Linux bridge, one network, nothing on but MAC learning: the
  baseline.

With a delay between sites, the network is one Linux bridge in either, with a
delay line at each site's port.  Then each site of an "ip" lab has a router of
its own in front of that, as a site's gateway is near and the others are not:

    br0 of A -- uplink ---+-- router of A -- delay line --+
         management wire -+                               +-- the network
    br0 of B -- uplink ---+-- router of B -- delay line --+
         management wire -+

With netem, which not every kernel has, the core devices of the routers and
the ports that they lead to delay and lose packets, as set_line() says.

Each lab has IPv4, IPv6 or both; management addresses are always IPv4.
"""

import collections
import contextlib
import ipaddress
import itertools
import os

import netns
import process
import switch
import tools

# By family, which is 4 or 6.
HOMES = {4: ipaddress.ip_network("10.100.0.0/24"),
         6: ipaddress.ip_network("fd00:64::/64")}
HOME_GATEWAYS = {family: str(home[1]) for family, home in HOMES.items()}
# Between the sites' routers, where there are several.
CORES = {4: ipaddress.ip_network("198.18.0.0/24"),
         6: ipaddress.ip_network("2001:db8:ffff::/64")}

HOME, HOME_GATEWAY = HOMES[4], HOME_GATEWAYS[4]
MANAGEMENT = "mgmt"


class Site(collections.namedtuple("Site", "name network network6",
                                  defaults=[None])):
    """A hypervisor's place: a letter and its IP networks."""

    def network_of(self, family):
        return {4: self.network, 6: self.network6}[family]

    def router_of(self, family):
        return str(self.network_of(family)[1])

    def pool_of(self, family):
        """The upper half of the network."""
        return list(self.network_of(family).subnets(1))[1]

    def core_of(self, family):
        """Its router's address to the other routers."""
        return str(CORES[family][ord(self.name)])

    @property
    def router(self):
        return self.router_of(4)

    @property
    def management(self):
        return str(self.network[2])

    @property
    def pool(self):
        return self.pool_of(4)

    @property
    def core(self):
        return self.core_of(4)

    @property
    def router_mac(self):
        return "02:00:00:00:%02x:fe" % ord(self.name)

    @property
    def uplink_mac(self):
        return "02:00:00:00:%02x:01" % ord(self.name)


SITES = tuple(Site(name, *map(ipaddress.ip_network, networks))
              for name, *networks in (
                  ("A", "192.0.2.0/24", "2001:db8:a::/64"),
                  ("B", "198.51.100.0/24", "2001:db8:b::/64"),
                  ("C", "203.0.113.0/24", "2001:db8:c::/64")))


def family_of(address):
    """4 or 6, for text with or without a prefix length."""
    return 6 if ":" in address else 4


def link_local(mac):
    """Returns the address that a host with 'mac' makes itself (RFC 4291)."""
    mac = bytes.fromhex(mac.replace(":", ""))
    return ipaddress.ip_address(
        b"\xfe\x80" + bytes(6) + bytes([mac[0] ^ 2]) + mac[1:3]
        + b"\xff\xfe" + mac[3:])


class Hypervisor:
    """One site's namespace and switch."""

    def __init__(self, lab, site):
        self.lab = lab
        self.site = site
        self.name = site.name
        self.directory = os.path.join(lab.directory, site.name)
        self.ns = lab.add_namespace(site.name)
        self.switch = switch.Switch(lab.build, self.ns, "hv" + site.name,
                                    self.directory, lab.datapath)
        os.mkdir(self.directory)

    def vmns(self):
        """Returns vmmob's VMN table as text."""
        return self.switch.appctl("vmmob/vmns", check=False)


class Endpoint:
    """Home addresses, one or one of each family, in a namespace of its own
    behind a switch port: what a VM is to the switch, without a VM."""

    def __init__(self, hypervisor, name, mac, *addresses):
        self.hypervisor = hypervisor
        self.name = name
        self.mac = mac
        self.address = addresses[0]
        self.addresses = addresses
        self.ns = hypervisor.lab.add_namespace(name)
        port = name + "-port"
        netns.add_veth(self.ns, "eth0", hypervisor.ns, port, mac0=mac)
        for address in addresses:
            family = family_of(address)
            self.ns.add_address("eth0", address, HOMES[family].prefixlen)
            self.ns.ip("route add default via " + HOME_GATEWAYS[family])
        hypervisor.switch.add_vm_port(port, mac, "iface-" + name)


class DelayLine:
    """Holds frames for 'delay_ms' on their way between two devices of 'ns',
    in either direction.  At the end 'dropped' is how many did not fit."""

    def __init__(self, ns, device0, device1, delay_ms, directory):
        self.dropped = None
        name = os.path.join(directory, "delay-" + device0)
        self._counters = name + ".out"
        self._process = ns.spawn(
            [tools.build("delay", directory), device0, device1,
             str(round(delay_ms * 1000)), self._counters], name + ".log")

    def check(self):
        if self._process.poll() is not None:
            raise process.LabError(process.tail(self._process.output, 5))

    def stop(self):
        process.stop(self._process)
        if self.dropped is None and os.path.exists(self._counters):
            with open(self._counters) as counters:
                self.dropped = sum(int(line.split()[1]) for line in counters)


class Lab:
    """The whole network, as a context manager that removes all it made.

    'build' is a switch.Build, 'directory' an empty directory of its own,
    'system' "ip" or "l2", 'other_config' settings for each Open vSwitch,
    'delay_ms' how long packets take from one site to another.  'adjust' is
    called for each Hypervisor with its settings, two dictionaries as in
    Switch.start_vmmob(), and may change them.  'datapath' is the type of the
    bridges' datapath, 'netem' whether to use that.  The sites named in
    'on_bridge' have their management address on br0 itself.  'families' are
    those of the network and of home addresses."""

    _serial = itertools.count(1)

    def __init__(self, build, directory, system="ip", sites=SITES,
                 other_config=None, adjust=None, delay_ms=0,
                 datapath=switch.USERSPACE, netem=False, on_bridge=(),
                 families=(4,)):
        self.build = build
        self.directory = directory
        self.system = system
        self.sites = sites
        self.other_config = other_config or {}
        self.adjust = adjust or (lambda *args: None)
        self.delay_ms = delay_ms
        self.datapath = datapath
        self.netem = netem
        self.on_bridge = on_bridge
        self.families = families
        self.delay_lines = []
        self._lines = []        # Namespaces and devices, if 'netem'.
        self.network = None     # Namespace of the router or bridge.
        self.routers = {}       # Namespace of the router by site, if "ip".
        self.hypervisors = {}
        self._prefix = "vmmob-%d-%d-" % (os.getpid(), next(self._serial))
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc_info):
        self.close()

    def close(self):
        self._stack.close()

    def on_close(self, function):
        """Calls 'function' at the end, before what is older goes."""
        self._stack.callback(function)

    def add_namespace(self, name):
        ns = netns.Namespace(self._prefix + name)
        self.on_close(ns.delete)
        ns.create()
        return ns

    def check(self):
        """Raises LabError if a daemon has ended or, in system "ip", the
        hypervisors do not reach each other over the router."""
        for hv in self.hypervisors.values():
            hv.switch.check()
        for line in self.delay_lines:
            line.check()
        if self.system != "ip":
            return
        for hv in self.hypervisors.values():
            for peer in self.sites:
                if not hv.ns.can_ping(peer.management):
                    raise process.LabError("%s does not reach %s's %s"
                                           % (hv.name, peer.name,
                                              peer.management))

    def forget(self):
        for hv in self.hypervisors.values():
            hv.switch.forget()

    def diagnosis(self):
        """Returns, as text, what a person would look at first."""
        text = []
        for hv in self.hypervisors.values():
            for target, command in (("ovs-vswitchd", "vmmob/show"),
                                    ("ovs-vswitchd", "vmmob/vmns"),
                                    ("ovs-vmmobd", "vmmob/show"),
                                    ("ovs-vmmobd", "vmmob/peers")):
                if target in hv.switch.daemons:
                    text += ["--- %s: %s %s" % (hv.name, target, command)]
                    try:
                        text += [hv.switch.appctl(command, target=target)]
                    except process.LabError as e:
                        text += [str(e)]
            for daemon in hv.switch.daemons:
                text += ["--- %s: end of the log of %s" % (hv.name, daemon),
                         hv.switch.log(daemon, 12)]
        return "\n".join(text)

    def _start(self):
        self.network = network = self.add_namespace("net")
        one_router = (self.system == "ip" and not self.delay_ms
                      and not self.netem)
        network.forward(one_router)
        if not one_router:
            network.add_bridge("segment", "02:00:00:00:00:fe")
        for site in self.sites:
            hv = Hypervisor(self, site)
            self.hypervisors[site.name] = hv
            self.on_close(hv.switch.stop)
            if self.system == "ip":
                router = network if one_router else self._add_router(site)
                self.routers[site.name] = router
                segment = "site" + site.name
                router.add_bridge(segment, site.router_mac)
                # IPv4 for the management addresses.
                for family in sorted({4, *self.families}):
                    router.add_address(segment, site.router_of(family),
                                       site.network_of(family).prefixlen)
                self._wire(router, segment, hv, switch.UPLINK,
                           site.uplink_mac)
            else:
                self._wire_site(site, hv.ns, switch.UPLINK, site.uplink_mac)
            hv.switch.start(site.uplink_mac, self.other_config)
            if self.system == "ip":
                if site.name in self.on_bridge:
                    management = switch.BRIDGE
                    hv.ns.ip("link set %s up" % management)
                else:
                    management = MANAGEMENT
                    self._wire(router, segment, hv, management)
                hv.ns.ip("addr add %s/%d dev %s"
                         % (site.management, site.network.prefixlen,
                            management))
                hv.ns.ip("route add default via " + site.router)
        if self.system == "ip":
            self.check()
            self.start_vmmob()

    def _add_router(self, site):
        """Returns the namespace of a site's own router, far from the others'
        routers."""
        router = self.add_namespace("router" + site.name)
        router.forward()
        self._wire_site(site, router, "core")
        for family in sorted({4, *self.families}):
            router.add_address("core", site.core_of(family),
                               CORES[family].prefixlen)
            for peer in self.sites:
                if peer != site:
                    router.ip("route add %s via %s"
                              % (peer.network_of(family),
                                 peer.core_of(family)))
        return router

    def start_vmmob(self):
        for hv in self.hypervisors.values():
            site = hv.site
            of_each = {
                "home": HOMES.get,
                "home-gateway": HOME_GATEWAYS.get,
                "pool": site.pool_of,
                "gateway": lambda family: "%s/%d" % (
                    site.router_of(family),
                    site.network_of(family).prefixlen)}
            bridge = {
                "uplink": switch.UPLINK,
                **{key: ",".join(str(value(family))
                                 for family in self.families)
                   for key, value in of_each.items()},
                # The lab moves its guests more often than people do.
                "max-moves": "0"}
            open_vswitch = {
                "site": site.name,
                "listen": "ptcp:%d:%s" % (switch.VMMOB_PORT, site.management),
                # Nobody else is on the lab's networks.
                "allow-plain-tcp": "true",
                "peers": " ".join("tcp:%s:%d" % (peer.management,
                                                 switch.VMMOB_PORT)
                                  for peer in self.sites if peer != site)}
            self.adjust(hv, bridge, open_vswitch)
            hv.switch.start_vmmob(bridge, open_vswitch)

    @staticmethod
    def _wire(network, segment, hv, device, mac=None):
        port = "%s-%s" % (hv.name, device)
        netns.add_veth(network, port, hv.ns, device, mac1=mac)
        network.ip("link set %s master %s" % (port, segment))

    def _wire_site(self, site, ns, device, mac=None):
        """A wire from the network's bridge to 'device' in 'ns', with half the
        delay between two sites, if there is one."""
        network = self.network
        port = "%s-%s" % (site.name, device)
        netns.add_veth(network, port, ns, device, mac1=mac)
        if self.delay_ms:
            near, far = port, site.name + "-far"
            port = site.name + "-end"
            netns.add_veth(network, far, network, port)
            line = DelayLine(network, near, far, self.delay_ms / 2,
                             self.directory)
            self.on_close(line.stop)
            self.delay_lines.append(line)
        network.ip("link set %s master segment" % port)
        if self.netem:
            self._lines += [(network, port), (ns, device)]

    def set_line(self, delay_ms, loss=0):
        """Makes packets from one site to another take 'delay_ms', and loses
        'loss' in 100 of them."""
        for ns, device in self._lines:
            ns.run(["tc", "qdisc", "replace", "dev", device, "root", "netem",
                    "delay", "%gms" % (delay_ms / 2), "loss",
                    "%g%%" % (100 * (1 - (1 - loss / 100) ** 0.5)),
                    "limit", "10000"])
