# SPDX-License-Identifier: Apache-2.0
"""The paper's own design as a System: controller.py and stock Open vSwitch."""

import json
import os
import shutil

import netns
import process
import switch
import systems
import topology

HERE = os.path.dirname(os.path.abspath(__file__))

OPENFLOW_PORT = 6653


def stock_build(build):
    """Returns the build of Open vSwitch without vmmob that "make stock" puts
    beside 'build'."""
    top = os.path.join(os.path.dirname(build.directory), "stock")
    stock = switch.Build(os.path.join(top, "ovs"),
                         os.path.join(top, "ovs-src"))
    if not os.path.exists(stock.program("ovs-vswitchd")):
        raise process.LabError("there is no Open vSwitch without vmmob in "
                               "%s: run \"make stock\"" % top)
    stock.check(vmmob=False)
    return stock


class Lab(topology.Lab):
    """Three hypervisors, which get their flows from a controller.  It runs
    where the router is, so no packet of OpenFlow takes a detour."""

    def start_vmmob(self):
        rows = []
        for hv in self.hypervisors.values():
            site = hv.site
            ofport = hv.switch.vsctl("get", "interface", switch.UPLINK,
                                     "ofport")
            rows.append({
                "dpid": ord(site.name), "uplink": int(ofport),
                "mac": site.uplink_mac, "gateway_mac": site.router_mac,
                "pool": [str(site.pool[0]), site.pool.num_addresses]})
        config = os.path.join(self.directory, "controller.json")
        with open(config, "w") as output:
            json.dump(rows, output)
        controller = self.network.spawn(
            ["osken-manager", "--ofp-tcp-listen-port", OPENFLOW_PORT,
             "--default-log-level", "40", os.path.join(HERE,
                                                       "controller.py")],
            os.path.join(self.directory, "controller.log"),
            env={"VMMOB_CONTROLLER": config, "PYTHONDONTWRITEBYTECODE": 1})
        self.on_close(lambda: process.stop(controller))
        self.processes = [controller]
        process.wait_until(
            "start of the controller",
            lambda: self.network.run(["ss", "-Hltn", "sport", "=",
                                      ":%d" % OPENFLOW_PORT]), 30,
            processes=self.processes)
        for hv in self.hypervisors.values():
            # First, or the flow that is there without a controller stays.
            hv.switch.vsctl("set-fail-mode", switch.BRIDGE, "secure")
            hv.switch.vsctl(
                "set", "bridge", switch.BRIDGE,
                "protocols=OpenFlow13",
                "other_config:datapath-id=%016x" % ord(hv.name),
                "other_config:disable-in-band=true", "--",
                "set-controller", switch.BRIDGE,
                "tcp:%s:%d" % (hv.site.router, OPENFLOW_PORT), "--",
                "set", "controller", switch.BRIDGE, "inactivity_probe=0",
                "max_backoff=1000",
                # As large as can be, for many VMNs at once.
                "controller_queue_size=512")
        for hv in self.hypervisors.values():
            process.wait_until("flows from the controller",
                               lambda: "priority=60" in self.flows(hv), 20,
                               processes=self.processes)

    @staticmethod
    def flows(hv):
        return hv.switch.appctl("bridge/dump-flows", switch.BRIDGE)


class Controller(systems.System):
    """The paper's design: one controller, three switches."""

    name = "controller"

    def start(self):
        if not shutil.which("osken-manager"):
            raise process.LabError("missing: osken-manager (package "
                                   "python3-os-ken)")
        directory = os.path.join(self.directory, "lab")
        os.mkdir(directory)
        self.lab = self._stack.enter_context(
            Lab(stock_build(self.ctx.build), directory, sites=systems.SITES))
        systems.route_pools(self.lab)
        probe = self.lab.add_namespace("probe")
        for site, hv in self.lab.hypervisors.items():
            netns.add_veth(probe, site, hv.ns, "vms")
            hv.switch.vsctl("add-port", switch.BRIDGE, "vms")
        self.a, self.b, self.cn = ("%s:%s" % (probe.name, site)
                                   for site in "ABC")

    def reset(self):
        self.lab.check()
        for running in self.lab.processes:
            if running.poll() is not None:
                raise process.LabError(
                    "the controller ended:\n"
                    + process.tail(running.output, 20))
