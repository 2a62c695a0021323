# SPDX-License-Identifier: Apache-2.0
"""Network namespaces and the Linux devices in them.

All traffic of the lab stays in namespaces made here; deleting them deletes
every device."""

import process


class Namespace:
    """A network namespace, made by create() and gone after delete()."""

    def __init__(self, name):
        self.name = name

    def create(self):
        process.run(["ip", "netns", "add", self.name])
        # An address is answered for by its own device only: a bridge port
        # would otherwise speak for the others.
        self.sysctl("net/ipv6/conf/all/disable_ipv6", 1,
                    "net/ipv6/conf/default/disable_ipv6", 1,
                    "net/ipv4/conf/all/arp_ignore", 1,
                    "net/ipv4/conf/all/rp_filter", 0,
                    "net/ipv4/conf/default/rp_filter", 0)
        self.ip("link set lo up")

    def delete(self):
        process.run(["ip", "netns", "del", self.name], check=False)

    def argv(self, argv):
        """Returns the command that runs 'argv' inside."""
        return ["ip", "netns", "exec", self.name] + list(argv)

    def run(self, argv, **kwargs):
        return process.run(self.argv(argv), **kwargs)

    def spawn(self, argv, output, **kwargs):
        return process.spawn(self.argv(argv), output, **kwargs)

    def ip(self, command):
        return process.run(["ip", "-n", self.name] + command.split())

    def sysctl(self, *args):
        """Sets what is named by an argument to the next one, and so on."""
        self.run(["sh", "-c", "; ".join(
            "echo %s > /proc/sys/%s" % pair[::-1]
            for pair in zip(args[::2], args[1::2]))])

    def forward(self, on=True):
        """Makes it a router, or not, whatever the machine is."""
        self.sysctl("net/ipv4/ip_forward", int(on),
                    "net/ipv6/conf/all/forwarding", int(on))

    def add_address(self, device, address, plen):
        """Gives 'device' an address of whichever family."""
        if ":" in address:
            # Nothing but what is said here is to be there, and at once.
            self.sysctl("net/ipv6/conf/%s/accept_ra" % device, 0,
                        "net/ipv6/conf/%s/accept_dad" % device, 0,
                        "net/ipv6/conf/%s/disable_ipv6" % device, 0)
        self.ip("addr add %s/%d dev %s" % (address, plen, device))

    def add_bridge(self, bridge, mac):
        """A Linux bridge, as the plain switch of a network, and with an
        address as the router's port to it.  Without 'mac' of its own it would
        change its MAC as ports come."""
        self.ip("link add %s address %s type bridge forward_delay 0 "
                "stp_state 0 mcast_snooping 0" % (bridge, mac))
        self.ip("link set %s up" % bridge)

    def add_tap(self, tap, mac):
        """A persistent tap for a VM with 'mac', as libvirt makes it: its own
        address is the VM's with the first byte fe, so that no bridge takes
        it for its own."""
        self.ip("tuntap add dev %s mode tap" % tap)
        self.ip("link set %s address fe%s" % (tap, mac[2:]))
        self.ip("link set %s up" % tap)

    def del_device(self, device):
        self.ip("link del %s" % device)

    def can_ping(self, address, timeout=1):
        """Returns true if 'address' answers one ping."""
        return "1 received" in self.run(["ping", "-n", "-c1", "-W%d" % timeout,
                                         address], check=False)


def add_veth(ns0, device0, ns1, device1, mac0=None, mac1=None):
    """A virtual wire from 'device0' in 'ns0' to 'device1' in 'ns1', up.

    Checksums are made by the sender: one that is left to the device would
    never be made, and a capture could not tell whether it is right."""
    ns0.ip("link add %s %s type veth peer name %s %s netns %s"
           % (device0, "address " + mac0 if mac0 else "",
              device1, "address " + mac1 if mac1 else "", ns1.name))
    for ns, device in (ns0, device0), (ns1, device1):
        ns.run(["ethtool", "-K", device, "tx", "off"])
        ns.ip("link set %s up" % device)
