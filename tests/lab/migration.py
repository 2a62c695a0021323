# SPDX-License-Identifier: Apache-2.0
"""A guest that migrates between hypervisors A and B, and its correspondent
behind hypervisor C."""

import ipaddress
import re

import guest
import process
import topology

SYSTEMS = {"l2": "L2 baseline", "ip": "across IP networks"}

GUEST_MAC, GUEST_HOA = "52:54:00:64:00:14", "10.100.0.20"
CN_MAC, CN_HOA = "52:54:00:64:00:1e", "10.100.0.30"


class Scene:
    """The guest in 'lab', booted at A, and the correspondent, an Endpoint;
    they reach each other."""

    def __init__(self, lab, guest_image, accel="tcg", way="shared",
                 downtime_limit=1):
        self.lab = lab
        self.observer = lab.hypervisors["C"]
        self.cn = topology.Endpoint(self.observer, "CN", CN_MAC, CN_HOA)
        self.vm = guest.Guest(lab, guest_image, "guest", GUEST_MAC,
                              "%s/%d" % (GUEST_HOA, topology.HOME.prefixlen),
                              topology.HOME_GATEWAY, accel, way,
                              downtime_limit)
        self.vm.boot(lab.hypervisors["A"])
        process.wait_until("an answer of the guest to the correspondent",
                           lambda: self.cn.ns.can_ping(GUEST_HOA), 20)
        if lab.system == "ip":
            self.wait_for_binding(self.vm.hypervisor,
                                  "the guest's first binding", 15)

    def wait_for_binding(self, place, what, timeout=5):
        """Waits until C's VMN table has the guest at hypervisor 'place'.
        Raises LabError if it does not."""
        process.wait_until(what,
                           lambda: is_bound(self.observer.vmns(), GUEST_MAC,
                                            place.site.pool), timeout, 0.05)


def is_bound(vmns, mac, pool):
    """Returns true if the text of a VMN table has 'mac' with a mobile address
    in 'pool', and not just prepared.  A record goes from its MAC to the next
    MAC."""
    parts = re.split(r"((?:[0-9a-f]{2}:){5}[0-9a-f]{2})", vmns)
    for this, record in zip(parts[1::2], parts[2::2]):
        if this == mac and "prepared" not in record:
            for address in re.findall(r"\d+\.\d+\.\d+\.\d+", record):
                if ipaddress.ip_address(address) in pool:
                    return True
    return False
