# SPDX-License-Identifier: Apache-2.0
"""Open vSwitch in a namespace: its daemons and, if asked for, vmmob's."""

import json
import os

import process

BRIDGE = "br0"
UPLINK = "uplink"
VMMOB_PORT = 6650


class Build:
    """The programs: an Open vSwitch build tree and its source tree."""

    def __init__(self, directory, source):
        self.directory = directory
        self.source = source

    def check(self, vmmob):
        """Raises LabError if something is missing, of which 'vmmob' says
        whether the agent and its schema are needed."""
        needed = [self.program(name) for name in
                  ("ovs-vswitchd", "ovs-vsctl", "ovs-appctl", "ovs-ofctl",
                   "ovsdb-server", "ovsdb-tool")]
        needed += [self.schema("vswitch.ovsschema")]
        if vmmob:
            needed += [self.program("ovs-vmmobd"),
                       self.schema("vmmob.ovsschema")]
        for name in needed:
            if not os.path.exists(name):
                raise process.LabError("%s is missing: build first (or give "
                                       "--build and --source)" % name)

    def program(self, name):
        folder = ("vswitchd" if name == "ovs-vswitchd"
                  else "ovsdb" if name.startswith("ovsdb-")
                  else "utilities")
        return os.path.join(self.directory, folder, name)

    def schema(self, name):
        folder = "vswitchd" if name == "vswitch.ovsschema" else "utilities"
        return os.path.join(self.source, folder, name)

    def version(self):
        return process.run([self.program("ovs-vswitchd"),
                            "--version"]).splitlines()[0]


class Switch:
    """One hypervisor's Open vSwitch: bridge br0 on the userspace datapath,
    with port "uplink" to the network outside.

    'name' is the system id, 'directory' holds databases, sockets and logs."""

    def __init__(self, build, ns, name, directory):
        self.build = build
        self.ns = ns
        self.name = name
        self.directory = directory
        self.run_dir = os.path.join(directory, "run")
        self.log_dir = os.path.join(directory, "log")
        self.db = "unix:" + self._run_file("db.sock")
        self.vmmob_db = "unix:" + self._run_file("vmmob_db.sock")
        self.env = {"OVS_RUNDIR": self.run_dir, "OVS_LOGDIR": self.log_dir,
                    "OVS_DBDIR": directory, "OVS_SYSCONFDIR": directory}
        self.daemons = {}       # Popen by name, in order of start.

    def start(self, uplink_mac, other_config):
        """Starts the switch, on whose bridge port "uplink" is the device of
        that name.  The bridge has the MAC of the uplink, as it would have
        with a real one.  'other_config' is Open_vSwitch's."""
        os.makedirs(self.run_dir)
        os.makedirs(self.log_dir)
        self._start_ovsdb("ovsdb-server", "conf.db", "vswitch.ovsschema",
                          self.db,
                          "db:Open_vSwitch,Open_vSwitch,manager_options")
        self.vsctl("--no-wait", "init", "--", "set", "open_vswitch", ".",
                   "external_ids:system-id=" + self.name,
                   *("other_config:%s=%s" % item
                     for item in other_config.items()))
        self._start("ovs-vswitchd", ["--disable-system", self.db])
        self.vsctl("add-br", BRIDGE, "--", "set", "bridge", BRIDGE,
                   "datapath_type=netdev",
                   "other_config:hwaddr=\"%s\"" % uplink_mac)
        self.vsctl("add-port", BRIDGE, UPLINK)

    def start_vmmob(self, bridge, open_vswitch):
        """Starts VM_Mobility's database and the agent, and sets 'bridge'
        (other_config) and 'open_vswitch' (external_ids), without the prefix
        "vmmob-" in their keys."""
        self._start_ovsdb("vmmob-ovsdb-server", "vmmob.db",
                          "vmmob.ovsschema", self.vmmob_db,
                          "db:VM_Mobility,VM_Mobility,connections")
        settings = dict(open_vswitch, db=self.vmmob_db)
        self.vsctl("set", "open_vswitch", ".",
                   *(_setting("external_ids", *item)
                     for item in settings.items()))
        self._start("ovs-vmmobd", [self.db])
        self.vsctl("set", "bridge", BRIDGE,
                   *(_setting("other_config", *item)
                     for item in bridge.items()))

    def stop(self):
        for daemon in reversed(list(self.daemons.values())):
            process.stop(daemon)
        self.daemons.clear()

    def check(self):
        """Raises LabError if a daemon has ended."""
        for name, daemon in self.daemons.items():
            if daemon.poll() is not None:
                raise process.LabError(
                    "%s of %s ended with status %d:\n%s"
                    % (name, self.name, daemon.returncode, self.log(name)))

    def add_vm_port(self, port, mac, iface_id):
        """Adds 'port' to the bridge with what libvirt says about it."""
        self.vsctl("add-port", BRIDGE, port, "--", "set", "interface", port,
                   "external_ids:attached-mac=\"%s\"" % mac,
                   "external_ids:iface-id=" + iface_id,
                   "external_ids:iface-status=active")

    def del_port(self, port):
        self.vsctl("del-port", BRIDGE, port)

    def forget(self):
        """Empties the caches that belong to earlier traffic: megaflows, and
        MAC learning.  Without that a VM that goes back and forth within 10 s
        is seen late by MAC learning."""
        self.appctl("revalidator/purge")
        self.appctl("fdb/flush", BRIDGE)

    def vsctl(self, *args):
        return process.run([self.build.program("ovs-vsctl"), "--timeout=15",
                            "--db=" + self.db] + list(args), env=self.env)

    def appctl(self, *args, target="ovs-vswitchd", check=True):
        return process.run([self.build.program("ovs-appctl"), "-T10",
                            "-t", target] + list(args),
                           env=self.env, check=check)

    def log(self, daemon, n=20):
        """Returns the last 'n' lines of a daemon's log."""
        name = os.path.join(self.log_dir, daemon + ".log")
        try:
            with open(name, errors="replace") as log:
                return "".join(log.readlines()[-n:])
        except OSError as e:
            return "%s: %s\n" % (name, e.strerror)

    def _start_ovsdb(self, name, db, schema, socket, remote):
        db = os.path.join(self.directory, db)
        process.run([self.build.program("ovsdb-tool"), "create", db,
                     self.build.schema(schema)])
        self._start(name, ["--remote=p" + socket, "--remote=" + remote,
                           "--unixctl=" + self._run_file(name + ".ctl"), db],
                    program="ovsdb-server")

    def _start(self, name, args, program=None):
        pidfile = self._run_file(name + ".pid")
        daemon = self.ns.spawn(
            [self.build.program(program or name), "--pidfile=" + pidfile,
             "-vconsole:emer", "-vsyslog:off", "-vfile:info",
             "--log-file=" + os.path.join(self.log_dir, name + ".log")]
            + args, os.path.join(self.log_dir, name + ".err"), env=self.env)
        self.daemons[name] = daemon
        try:
            process.wait_until("start of " + name,
                               lambda: os.path.exists(pidfile), 15,
                               processes=[daemon])
        except process.LabError as e:
            raise process.LabError("%s\n%s" % (e, self.log(name)))

    def _run_file(self, name):
        return os.path.join(self.run_dir, name)


def _setting(column, key, value):
    """One "column:key=value" of ovs-vsctl, quoted as its syntax needs."""
    return "%s:vmmob-%s=%s" % (column, key, json.dumps(value))
