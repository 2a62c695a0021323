# SPDX-License-Identifier: Apache-2.0
"""BGP EVPN as a System: one L2 network over three sites, by the kernel's
bridge and VXLAN, where FRR tells where a MAC address is."""

import os
import shutil

import netns
import process
import systems
import topology

DAEMONS = "/usr/lib/frr"
ACCOUNT = "frr"                 # The daemons' own, which they insist on.

BRIDGE, UPLINK, PORT, VXLAN, VNI = "overlay", "uplink", "vms", "vxlan0", 10

# What can wait does not: no hold time for routes or advertisements.  MACs may
# move more often than people move VMs.
ZEBRA_CONF = """\
hostname zebra
zebra work-queue 0
"""
BGPD_CONF = """\
hostname bgpd
router bgp 65000
 bgp router-id %(address)s
 no bgp default ipv4-unicast
 no bgp ebgp-requires-policy
 coalesce-time 0
%(neighbors)s
 address-family l2vpn evpn
%(activate)s
  advertise-all-vni
  no dup-addr-detection
 exit-address-family
"""
NEIGHBOR = """\
 neighbor %(peer)s remote-as 65000
 neighbor %(peer)s advertisement-interval 0
 neighbor %(peer)s timers connect 1"""
ACTIVATE = """\
  neighbor %(peer)s activate"""


class Lab(topology.Lab):
    """Three hypervisors with a VXLAN device each, and zebra and bgpd."""

    def _start(self):
        self.network = network = self.add_namespace("net")
        network.sysctl("net/ipv4/ip_forward", 1)
        self.processes = []
        for site in self.sites:
            hv = topology.Hypervisor(self, site)
            self.hypervisors[site.name] = hv
            segment = "site" + site.name
            network.add_bridge(segment, site.router_mac)
            network.ip("addr add %s/%d dev %s"
                       % (site.router, site.network.prefixlen, segment))
            self._wire(network, segment, hv, UPLINK, site.uplink_mac)
            hv.ns.ip("addr add %s/%d dev %s"
                     % (site.management, site.network.prefixlen, UPLINK))
            for peer in self.sites:
                if peer != site:
                    hv.ns.ip("route add %s via %s"
                             % (peer.network, site.router))
            hv.ns.add_bridge(BRIDGE, "02:00:00:01:%02x:01" % ord(site.name))
            hv.ns.ip("link add %s type vxlan id %d local %s dstport 4789 "
                     "nolearning" % (VXLAN, VNI, site.management))
            hv.ns.ip("link set %s master %s" % (VXLAN, BRIDGE))
            hv.ns.run(["bridge", "link", "set", "dev", VXLAN, "learning",
                       "off"])
            hv.ns.ip("link set %s up" % VXLAN)
        for hv in self.hypervisors.values():
            self._start_frr(hv)
        n_peers = len(self.sites) - 1
        for hv in self.hypervisors.values():
            # Where frames to everybody go.
            process.wait_until(
                "EVPN at %s" % hv.name,
                lambda: len([line for line in self.fdb(hv)
                             if line.startswith("00:00:00:00:00:00")
                             and " dst " in line]) == n_peers, 60,
                processes=self.processes)

    @staticmethod
    def fdb(hv):
        return hv.ns.run(["bridge", "fdb", "show", "dev",
                          VXLAN]).splitlines()

    def _start_frr(self, hv):
        directory = os.path.join(hv.directory, "frr")
        os.mkdir(directory)
        shutil.chown(directory, ACCOUNT, ACCOUNT)
        peers = [{"peer": site.management} for site in self.sites
                 if site != hv.site]
        bgpd = BGPD_CONF % {
            "address": hv.site.management,
            "neighbors": "\n".join(NEIGHBOR % peer for peer in peers),
            "activate": "\n".join(ACTIVATE % peer for peer in peers)}
        for name, config in ("zebra", ZEBRA_CONF), ("bgpd", bgpd):
            path = os.path.join(directory, name)
            with open(path + ".conf", "w") as output:
                output.write(config)
            daemon = hv.ns.spawn(
                [os.path.join(DAEMONS, name), "-f", path + ".conf",
                 "-i", path + ".pid", "-z", os.path.join(directory, "zserv"),
                 "--vty_socket", directory, "-P", "0",
                 "--log", "file:%s.log" % path, "--log-level", "warnings"],
                path + ".out")
            self.on_close(lambda daemon=daemon: process.stop(daemon))
            self.processes.append(daemon)
            process.wait_until("start of " + name,
                               lambda: os.path.exists(path + ".vty"), 15,
                               processes=[daemon])

    def check(self):
        for daemon in self.processes:
            if daemon.poll() is not None:
                raise process.LabError("%s ended:\n%s"
                                       % (" ".join(daemon.args),
                                          process.tail(daemon.output, 20)))


class Evpn(systems.System):
    """EVPN: VMNs move inside one L2 network."""

    name = "EVPN"

    def start(self):
        if not os.path.exists(os.path.join(DAEMONS, "bgpd")):
            raise process.LabError("missing: bgpd (package frr)")
        directory = os.path.join(self.directory, "lab")
        os.mkdir(directory)
        self.lab = self._stack.enter_context(
            Lab(self.ctx.build, directory, sites=systems.SITES))
        probe = self.lab.add_namespace("probe")
        for site, hv in self.lab.hypervisors.items():
            netns.add_veth(probe, site, hv.ns, PORT)
            hv.ns.ip("link set %s master %s" % (PORT, BRIDGE))
        self.a, self.b, self.cn = ("%s:%s" % (probe.name, site)
                                   for site in "ABC")

    def probe_options(self):
        """BGP holds routes for 50 ms before it looks at them.  When a VMN
        moves back before the one that moved it here was looked at at the
        other end, both share that time, and the second seems quicker than
        any move alone can be (30 ms instead of 51 ms)."""
        return ["--pause", "80000"]

    def reset(self):
        self.lab.check()
