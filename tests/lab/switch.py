# SPDX-License-Identifier: Apache-2.0
"""Open vSwitch in a namespace: its daemons and, if asked for, vmmob's."""

import contextlib
import json
import os
import signal
import subprocess
import time

import process

BRIDGE = "br0"
UPLINK = "uplink"
VMMOB_PORT = 6650

# Types of datapaths.
USERSPACE, KERNEL = "netdev", "system"

# The daemons of a hypervisor, in order of start.
CONF, VSWITCHD = "ovsdb-server", "ovs-vswitchd"
VMMOB_DB, VMMOBD = "vmmob-ovsdb-server", "ovs-vmmobd"

# What is in Open vSwitch's directory of scripts.
SCRIPTS = ("ovs-lib", "ovs-ctl", "ovs-save", "vmmob-ctl")


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
        if name == "ovs-save":          # Just as it is in the source.
            return os.path.join(self.source, "utilities", name)
        folder = ("vswitchd" if name == "ovs-vswitchd"
                  else "ovsdb" if name.startswith("ovsdb-")
                  else "utilities")
        return os.path.join(self.directory, folder, name)

    def schema(self, name):
        folder = "vswitchd" if name == "vswitch.ovsschema" else "utilities"
        return os.path.join(self.source, folder, name)

    def link_scripts(self, directory):
        """Makes 'directory' what Open vSwitch's pkgdatadir is for ovs-ctl,
        but without kernel modules."""
        scripts = os.path.join(directory, "scripts")
        os.makedirs(scripts)
        for name in SCRIPTS:
            os.symlink(self.program(name), os.path.join(scripts, name))
        for name in "vswitch.ovsschema", "vmmob.ovsschema":
            os.symlink(self.schema(name), os.path.join(directory, name))
        kmod_ctl = os.path.join(scripts, "ovs-kmod-ctl")
        with open(kmod_ctl, "w") as f:
            f.write("#!/bin/sh\n")
        os.chmod(kmod_ctl, 0o755)

    def version(self):
        return process.run([self.program("ovs-vswitchd"),
                            "--version"]).splitlines()[0]


class Switch:
    """One hypervisor's Open vSwitch: bridge br0 on a datapath of type
    'datapath', with port "uplink" to the network outside.

    'name' is the system id, 'directory' holds databases, sockets and logs."""

    def __init__(self, build, ns, name, directory, datapath=USERSPACE):
        self.build = build
        self.datapath = datapath
        self.ns = ns
        self.name = name
        self.directory = directory
        self.run_dir = os.path.join(directory, "run")
        self.log_dir = os.path.join(directory, "log")
        self.db = "unix:" + self._run_file("db.sock")
        self.vmmob_db = "unix:" + self._run_file("vmmob_db.sock")
        self.env = {"OVS_RUNDIR": self.run_dir, "OVS_LOGDIR": self.log_dir,
                    "OVS_DBDIR": directory, "OVS_SYSCONFDIR": directory}
        self.daemons = {}       # Daemon by name, in order of start.

    def start(self, uplink_mac, other_config):
        """Starts the switch, on whose bridge port "uplink" is the device of
        that name.  The bridge has the MAC of the uplink, as it would have
        with a real one.  'other_config' is Open_vSwitch's."""
        os.makedirs(self.run_dir)
        os.makedirs(self.log_dir)
        if self.datapath == KERNEL:
            # Until then, 3.1.0 takes the machine for one without CPUs, and
            # does not hear of packets.
            process.wait_until("10 s after boot",
                               lambda: time.monotonic() > 10.1, 15)
        self._start_ovsdb(CONF, "conf.db", "vswitch.ovsschema",
                          self.db,
                          "db:Open_vSwitch,Open_vSwitch,manager_options")
        # Its socket is there a moment before it listens.
        self.vsctl("--retry", "--no-wait", "init", "--",
                   "set", "open_vswitch", ".",
                   "external_ids:system-id=" + self.name,
                   *("other_config:%s=%s" % item
                     for item in other_config.items()))
        self._start(VSWITCHD, self._vswitchd_options() + [self.db])
        self.vsctl("add-br", BRIDGE, "--", "set", "bridge", BRIDGE,
                   "datapath_type=" + self.datapath,
                   "other_config:hwaddr=\"%s\"" % uplink_mac)
        self.vsctl("add-port", BRIDGE, UPLINK)

    def start_vmmob(self, bridge, open_vswitch):
        """Starts VM_Mobility's database and the agent, and sets 'bridge'
        (other_config) and 'open_vswitch' (external_ids), without the prefix
        "vmmob-" in their keys.  If the latter has a "db", then no database is
        started here."""
        if "db" not in open_vswitch:
            self._start_ovsdb(VMMOB_DB, "vmmob.db", "vmmob.ovsschema",
                              self.vmmob_db,
                              "db:VM_Mobility,VM_Mobility,connections")
        settings = dict({"db": self.vmmob_db}, **open_vswitch)
        self.vsctl("set", "open_vswitch", ".",
                   *(_setting("external_ids", *item)
                     for item in settings.items()))
        self._start(VMMOBD, [self.db])
        self.vsctl("set", "bridge", BRIDGE,
                   *(_setting("other_config", *item)
                     for item in bridge.items()))

    def stop(self):
        for daemon in reversed(list(self.daemons.values())):
            daemon.stop()
        self.daemons.clear()

    def check(self):
        """Raises LabError if a daemon has ended."""
        for name, daemon in self.daemons.items():
            if not daemon.is_running():
                raise process.LabError("%s of %s ended%s:\n%s"
                                       % (name, self.name,
                                          daemon.exit_status(),
                                          self.log(name)))

    def restart_by_scripts(self):
        """Restarts all daemons with ovs-ctl and vmmob-ctl, which leave them
        detached and with monitor processes."""
        data = os.path.join(self.directory, "pkgdata")
        if not os.path.exists(data):
            self.build.link_scripts(data)
        env = dict(self.env, OVS_PKGDATADIR=data,
                   OVS_BINDIR=os.path.join(self.build.directory, "utilities"),
                   OVS_SBINDIR=os.path.join(self.build.directory, "vswitchd"),
                   PATH="%s/ovsdb:%s/utilities:%s/vswitchd:%s"
                   % ((self.build.directory,) * 3 + (os.environ["PATH"],)))
        common = ["--daemon-cwd=" + self.directory, "--no-self-confinement",
                  "--ovsdb-server-priority="]
        for argv in (["ovs-ctl", "--system-id=" + self.name,
                      "--no-mlockall", "--no-force-corefiles",
                      "--no-record-hostname", "--ovs-vswitchd-priority=",
                      "--ovs-vswitchd-options="
                      + " ".join(self._vswitchd_options())],
                     ["vmmob-ctl", "--ovs-vmmobd-priority="]):
            with open(os.path.join(self.log_dir, argv[0] + ".out"),
                      "a") as out:
                # Not through a pipe, which the daemons would keep open.
                script = subprocess.Popen(
                    self.ns.argv([os.path.join(data, "scripts", argv[0])]
                                 + argv[1:] + common + ["restart"]),
                    env=process.environment(env), stdin=subprocess.DEVNULL,
                    stdout=out, stderr=out, start_new_session=True)
            process.wait_until("end of %s restart" % argv[0],
                               lambda: self._has_ended(script), 120)
            if script.returncode:
                raise process.LabError("%s: %s restart: exit status %d\n%s"
                                       % (self.name, argv[0],
                                          script.returncode,
                                          process.tail(out.name, 20)))
        for daemon in self.daemons.values():
            daemon.detached()

    def add_vm_port(self, port, mac, iface_id, wait=True):
        """Adds 'port' to the bridge with what libvirt says about it, and
        waits until the switch has it.  Without 'mac' (None) nobody says which
        VM it is for."""
        self.vsctl(*([] if wait else ["--no-wait"]), "--may-exist",
                   "add-port", BRIDGE, port, "--", "set", "interface", port,
                   *([] if mac is None
                     else ["external_ids:attached-mac=\"%s\"" % mac]),
                   "external_ids:iface-id=" + iface_id,
                   "external_ids:iface-status=active")

    def del_port(self, port, wait=True):
        self.vsctl(*([] if wait else ["--no-wait"]), "--if-exists",
                   "del-port", BRIDGE, port)

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
        return process.tail(os.path.join(self.log_dir, daemon + ".log"), n)

    def _vswitchd_options(self):
        return ["--disable-system"] if self.datapath == USERSPACE else []

    def _start_ovsdb(self, name, db, schema, socket, remote):
        db = os.path.join(self.directory, db)
        process.run([self.build.program("ovsdb-tool"), "create", db,
                     self.build.schema(schema)])
        self._start(name, ["--remote=p" + socket, "--remote=" + remote,
                           "--unixctl=" + self._run_file(name + ".ctl"), db],
                    program="ovsdb-server")
        process.wait_until("socket of " + name,
                           lambda: os.path.exists(socket.split(":", 1)[1]),
                           15)

    def _start(self, name, args, program=None):
        self.daemons[name] = Daemon(
            self.ns, name, [self.build.program(program or name)] + args,
            self.run_dir, self.log_dir, self.env)
        self.daemons[name].start()

    def _has_ended(self, script):
        """The script takes our children for running until we have waited for
        them."""
        for daemon in self.daemons.values():
            if daemon.process:
                daemon.process.poll()
        return script.poll() is not None

    def _run_file(self, name):
        return os.path.join(self.run_dir, name)


class Daemon:
    """One of Open vSwitch's daemons: a child of this process, or of a monitor
    process that is one, or detached."""

    def __init__(self, ns, name, argv, run_dir, log_dir, env):
        self.name = name
        self.process = None     # Popen, if not detached.
        self.monitored = False
        self._ns = ns
        self._env = env
        self._pidfile = os.path.join(run_dir, name + ".pid")
        self._log = os.path.join(log_dir, name + ".log")
        self._argv = argv + ["--pidfile=" + self._pidfile,
                             "-vconsole:emer", "-vsyslog:off", "-vfile:info",
                             "--log-file=" + self._log]

    def start(self, monitor=False):
        """Starts it, for the first time or again.  'monitor' says whether with
        a process that restarts it when it crashes."""
        output = os.path.splitext(self._log)[0] + ".err"
        self.process = self._ns.spawn(self._argv + ["--monitor"] * monitor,
                                      output, env=self._env)
        self.monitored = monitor
        try:
            process.wait_until("start of " + self.name, self.is_running, 15,
                               processes=[self.process])
        except process.LabError as e:
            raise process.LabError("%s\n%s" % (e, self.log()))

    def log(self, n=20):
        """Returns the last 'n' lines of its log."""
        return process.tail(self._log, n)

    def pid(self):
        """Returns the daemon's own pid, not its monitor's; None if it is not
        running."""
        try:
            with open(self._pidfile) as f:
                pid = int(f.read())
            with open("/proc/%d/stat" % pid) as f:
                state = f.read().rsplit(")", 1)[1].split()[0]
        except (OSError, ValueError):
            return None
        return None if state in "ZX" else pid

    def is_running(self):
        return ((self.process is None or self.process.poll() is None)
                and self.pid() is not None)

    def exit_status(self):
        status = self.process and self.process.poll()
        return "" if status is None else " with status %d" % status

    def detached(self):
        """Says that somebody else has restarted it, in the background."""
        process.stop(self.process)
        self.process = None
        self.monitored = True

    def kill(self, signo=signal.SIGKILL):
        """Ends it without warning.  Returns once it is gone."""
        pid = self.pid()
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signo)
            process.wait_until("end of process %d" % pid,
                               lambda: self.pid() != pid, 10, 0.002)
        if signo == signal.SIGKILL and self.process:
            # A monitor process ends as well.
            self.process.wait(10)

    def wait_restarted(self, pid, timeout):
        """Waits until its monitor has made it another process than 'pid'."""
        process.wait_until("restart of %s by its monitor" % self.name,
                           lambda: self.pid() not in (None, pid)
                           and self.is_running(), timeout)

    def stop(self):
        """Ends it properly, if it is running."""
        deadline = time.monotonic() + 5
        signo = signal.SIGTERM
        while (pid := self.pid()) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signo)
            while self.pid() == pid and time.monotonic() < deadline:
                time.sleep(0.02)
            signo = signal.SIGKILL
        process.stop(self.process)


def _setting(column, key, value):
    """One "column:key=value" of ovs-vsctl, quoted as its syntax needs."""
    return "%s:vmmob-%s=%s" % (column, key, json.dumps(value))
