# SPDX-License-Identifier: Apache-2.0
"""libvirt on a hypervisor of the lab, without systemd.

Each libvirtd has its own /etc/libvirt, /var/lib/libvirt, /var/cache/libvirt,
/var/log/libvirt and /run/libvirt, by bind mounts in a mount namespace of its
own, and a host name of its own.  The ovs-vsctl and the ovs-appctl that it and
its hooks find are scripts, which write down what they were called with and
then call the real ones for this hypervisor's Open vSwitch: libvirt does not
hand its environment on to hooks."""

import contextlib
import os
import shlex
import shutil
import signal
import uuid

import process
import switch
import topology

FOLDERS = ("etc/libvirt", "var/lib/libvirt", "var/cache/libvirt",
           "var/log/libvirt", "run/libvirt")

# What is added to the machine's files: the hypervisors' names, for which it
# would ask DNS and wait, and the user that libvirtd insists on, which the
# package libvirt-daemon-system makes.
ADDITIONS = {
    "etc/hosts": "".join("%s hv%s\n" % (site.management, site.name)
                         for site in topology.SITES),
    "etc/passwd": "libvirt-qemu:x:64055:64055::/nonexistent:/bin/false\n",
    "etc/group": "libvirt-qemu:x:64055:\nkvm:x:64056:\n"}

LIBVIRTD_CONF = """
listen_tls = 0
listen_tcp = 1
auth_tcp = "none"
auth_unix_rw = "none"
listen_addr = "%(address)s"
host_uuid = "%(uuid)s"
log_outputs = "3:file:%(directory)s/libvirtd.log"
"""

# No other user, no confinement: the lab's QEMU already runs as root.
QEMU_CONF = """
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
migration_host = "%(address)s"
"""

# One line for each call: when, and the arguments.
WRAPPER = """#!/bin/sh
echo "$(date +%%s.%%N) $*" >> %(log)s
%(env)s exec %(program)s "$@"
"""

DOMAIN = """
<domain type='qemu'>
  <name>%(name)s</name>
  <uuid>%(uuid)s</uuid>
  <memory unit='MiB'>128</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>%(kernel)s</kernel>
    <initrd>%(initrd)s</initrd>
    <cmdline>%(command_line)s</cmdline>
  </os>
  <features><acpi/></features>
  <on_crash>preserve</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    <serial type='file'>
      <source path='%(serial)s' append='on'/>
    </serial>
    <interface type='bridge'>
      <mac address='%(mac)s'/>
      <source bridge='%(bridge)s'/>
      <virtualport type='openvswitch'/>
      <model type='virtio'/>
      <rom enabled='no'/>
    </interface>
  </devices>
</domain>
"""


class Libvirtd:
    """The libvirtd of a topology.Hypervisor.  'hook' is a program to be its
    /etc/libvirt/hooks/qemu, or None."""

    def __init__(self, hypervisor, hook=None):
        self.hypervisor = hypervisor
        self.directory = os.path.join(hypervisor.directory, "libvirt")
        self.process = None
        values = {"directory": self.directory,
                  "address": hypervisor.site.management,
                  "uuid": uuid.uuid4()}
        for folder in FOLDERS:
            os.makedirs(os.path.join(self.directory, folder))
        self._write("etc/libvirt/libvirtd.conf", LIBVIRTD_CONF % values)
        self._write("etc/libvirt/qemu.conf", QEMU_CONF % values)
        ours = hypervisor.switch
        for name in "ovs-vsctl", "ovs-appctl":
            self._write("bin/" + name, WRAPPER % {
                "log": shlex.quote(self._path(name + ".calls")),
                "env": " ".join("%s=%s" % (key, shlex.quote(value))
                                for key, value in ours.env.items()),
                "program": shlex.quote(ours.build.program(name))}, 0o755)
        for name, addition in ADDITIONS.items():
            with open("/" + name) as f:
                self._write(name, f.read() + addition)
        if hook:
            hooks = self._path("etc/libvirt/hooks/qemu.d")
            os.makedirs(hooks)
            shutil.copy(hook, os.path.join(hooks, "vmmob"))
        hypervisor.lab.on_close(self.stop)

    @property
    def uri(self):
        """For virsh on this machine."""
        return ("qemu+unix:///system?socket="
                + self._path("run/libvirt/libvirt-sock"))

    @property
    def peer_uri(self):
        """For the other libvirtd."""
        return "qemu+tcp://%s/system" % self.hypervisor.site.management

    def start(self):
        mounts = "".join("mkdir -p /%s && mount --bind %s /%s && "
                         % (folder, shlex.quote(self._path(folder)), folder)
                         for folder in FOLDERS)
        mounts += "".join("mount --bind %s /%s && "
                          % (shlex.quote(self._path(name)), name)
                          for name in ADDITIONS)
        env = {"PATH": "%s:%s" % (self._path("bin"), os.environ["PATH"])}
        self.process = self.hypervisor.ns.spawn(
            ["unshare", "--mount", "--uts", "--propagation=private",
             "sh", "-c", "hostname hv%s && %s exec libvirtd --listen "
             "--pid-file=/run/libvirt/libvirtd.pid"
             % (self.hypervisor.name, mounts)],
            os.path.join(self.directory, "libvirtd.out"), env=env)

    def wait(self):
        """Waits until it has started and knows what QEMU can do."""
        process.wait_until("start of libvirtd", self._answers, 60, 0.1,
                           [self.process])

    def stop(self):
        """Ends libvirtd and the guests, which would outlive it."""
        process.stop(self.process)
        self.process = None
        self.kill_guests()

    def kill(self):
        """Ends libvirtd without warning."""
        process.stop(self.process, signo=signal.SIGKILL)

    def kill_guests(self):
        """Ends the QEMUs on this hypervisor without warning."""
        for pid in process.run(["ip", "netns", "pids",
                                self.hypervisor.ns.name]).split():
            with contextlib.suppress(OSError):
                with open("/proc/%s/comm" % pid) as f:
                    if f.read().startswith("qemu-system"):
                        os.kill(int(pid), signal.SIGKILL)

    def virsh(self, *args, **kwargs):
        return process.run(["virsh", "-q", "-c", self.uri, *args], **kwargs)

    def calls(self, program="ovs-vsctl"):
        """Returns the arguments of each call of 'program' so far."""
        try:
            with open(self._path(program + ".calls")) as f:
                return [line.rstrip("\n").split(" ", 1)[1] for line in f]
        except FileNotFoundError:
            return []

    def define(self, image, name, mac, address, gateway):
        """Returns a file with the XML of a domain that boots 'image'."""
        path = self._path(name + ".xml")
        self._write(path, DOMAIN % {
            "name": name, "uuid": uuid.uuid4(), "kernel": image.kernel,
            "initrd": image.initrd,
            "command_line": "console=ttyS0 quiet panic=0 lab.address=%s "
            "lab.gateway=%s" % (address, gateway),
            "serial": self.serial(name), "mac": mac, "bridge": switch.BRIDGE})
        return path

    def serial(self, name):
        """Returns the file that has what domain 'name' says."""
        return os.path.join(self.hypervisor.lab.directory, name + ".serial")

    def _answers(self):
        return "QEMU" in process.run(["virsh", "-q", "-c", self.uri,
                                      "version"], check=False)

    def _path(self, name):
        return os.path.join(self.directory, name)

    def _write(self, name, text, mode=0o644):
        path = self._path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
