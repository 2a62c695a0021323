# SPDX-License-Identifier: Apache-2.0
"""A guest that migrates between hypervisors A and B, and its correspondent
behind hypervisor C."""

import ipaddress

import guest
import process
import topology

SYSTEMS = {"l2": "L2 baseline", "ip": "across IP networks"}

# By family.  The guest's IPv6 address is the one that it makes of its MAC.
GUEST_MAC = "52:54:00:64:00:14"
GUEST_HOAS = {4: "10.100.0.20", 6: "fd00:64::5054:ff:fe64:14"}
CN_MAC = "52:54:00:64:00:1e"
CN_HOAS = {4: "10.100.0.30", 6: "fd00:64::30"}

GUEST_HOA, CN_HOA = GUEST_HOAS[4], CN_HOAS[4]


class Scene:
    """The guest in 'lab', booted at A, and the correspondent, an Endpoint;
    they reach each other by the lab's families."""

    def __init__(self, lab, guest_image, accel="tcg", way="shared",
                 downtime_limit=1):
        self.lab = lab
        self.observer = lab.hypervisors["C"]
        self.cn = topology.Endpoint(self.observer, "CN", CN_MAC, *(
            CN_HOAS[family] for family in lab.families))
        # vmmob is a router, from whose advertisements it has its address.
        static = [family for family in lab.families
                  if family == 4 or lab.system != "ip"]
        self.vm = guest.Guest(
            lab, guest_image, "guest", GUEST_MAC,
            ["%s/%d" % (GUEST_HOAS[family], topology.HOMES[family].prefixlen)
             for family in static],
            [topology.HOME_GATEWAYS[family] for family in static],
            accel, way, downtime_limit)
        self.vm.boot(lab.hypervisors["A"])
        for family in lab.families:
            process.wait_until(
                "an answer of the guest to the correspondent",
                lambda: self.cn.ns.can_ping(GUEST_HOAS[family]), 20)
        if lab.system == "ip":
            self.wait_for_binding(self.vm.hypervisor,
                                  "the guest's first binding", 15)

    def wait_for_binding(self, place, what, timeout=5):
        """Waits until C's VMN table has the guest at hypervisor 'place'.
        Raises LabError if it does not."""
        pools = {GUEST_HOAS[family]: place.site.pool_of(family)
                 for family in self.lab.families}
        process.wait_until(what,
                           lambda: is_bound(self.observer.vmns(), GUEST_MAC,
                                            pools), timeout, 0.05)


def is_bound(vmns, mac, pools):
    """Returns true if in the text of a VMN table 'mac' has each home address
    that is a key of 'pools', with a mobile address in the pool that is the
    value, and not just prepared."""
    bound = set()
    for words in map(str.split, vmns.splitlines()):
        if (words[:1] == [mac] and words[1] in pools
                and "prepared" not in words and words[2] != "-"
                and ipaddress.ip_address(words[2]) in pools[words[1]]):
            bound.add(words[1])
    return bound == set(pools)
