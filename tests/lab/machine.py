# SPDX-License-Identifier: Apache-2.0
"""A machine whose kernel is Debian's, with what the host's may not have: the
openvswitch module and netem.  It boots under QEMU with the lab, the programs
that were built and the host's Python in its initrd, has no network and no
disk, runs commands and is gone."""

import glob
import os
import re
import shutil
import subprocess
import sysconfig
import time

import guest
import image
import process
import switch
import tools

MEMORY_MB = 1536
CPUS = 2
MODULES = ("openvswitch", "nfnetlink", "veth", "bridge", "sch_netem", "tun", "virtio_pci",
           "virtio_blk")

# From the host, with the libraries that they need.
PROGRAMS = ("/usr/bin/python3", "dash", "ip", "tc", "ethtool", "ping",
            "rdisc6", "ndisc6")
# From Open vSwitch's build tree.
OVS_PROGRAMS = ("ovs-vswitchd", "ovs-vsctl", "ovs-appctl", "ovs-ofctl",
                "ovs-dpctl", "ovsdb-server", "ovsdb-tool", "ovsdb-client",
                "ovs-vmmobd")
LAB_PROGRAMS = ("guest-echo", "prober", "stream")
SCHEMAS = ("vswitch.ovsschema", "vmmob.ovsschema")
# Parts of Python's library that are large and of no use here.
NO_PYTHON = ("config-*", "dist-packages", "distutils", "ensurepip", "idlelib",
             "lib2to3", "pydoc_data", "sqlite3", "test", "tkinter", "turtle*",
             "unittest", "venv")

READY = "machine: up"           # On its console, once it has booted.
STATUS = "machine: status "     # The last line of its output.
LOGS_BYTES = 512 << 20

# Console: first serial line.  What commands write: the second.  Their logs: a
# disk, as a tar file.
INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /applets /dev /proc /sys /run /tmp /var
/bin/busybox ln -s /run /var/run
/bin/busybox --install -s /applets
export PATH=/usr/sbin:/usr/bin:/applets HOME=/tmp LC_ALL=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
ln -s /proc/self/fd /dev/fd
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
for module in %(modules)s; do
    insmod /modules/$module.ko || echo "insmod $module failed"
done
echo "%(ready)s"
ip link set lo up
hostname machine
cd /lab
export VMMOB_BUILD=/ovs VMMOB_OVS_SRC=/ovs-src
export VMMOB_LAB_PROGRAMS=/lab
stty -F /dev/ttyS1 raw
exec > /dev/ttyS1 2>&1 < /dev/null
sh /commands
status=$?
tar -C /tmp -cf /dev/vda . 2> /dev/null
echo "%(status)s$status"
# Until that has left the serial line.
stty -F /dev/ttyS1 -raw
sleep 0.2
poweroff -f
"""


def prepare(directory, build, cache, deb, commands):
    """Returns an image.Image, made in 'directory', of a machine with the
    programs of 'build', a switch.Build, that runs 'commands', text for a
    shell.  For 'cache' and 'deb' see image.prepare()."""
    kernel, modules = image.unpack(directory, cache, deb)
    root = os.path.join(directory, "machine")
    os.mkdir(root)
    for name in "bin", "sbin", "lib", "lib64":
        if os.path.islink("/" + name):
            os.makedirs(os.path.join(root, "usr", name))
            os.symlink("usr/" + name, os.path.join(root, name))
    os.makedirs(os.path.join(root, "bin"), exist_ok=True)
    # Busybox's prefers its own "ip" and the like.
    os.symlink("dash", os.path.join(root, "bin", "sh"))
    image.make_root(root)
    loaded = image.add_modules(root, modules, MODULES)

    lab = os.path.join(root, "lab")
    shutil.copytree(tools.HERE, lab,
                    ignore=shutil.ignore_patterns("__pycache__"))
    for name in LAB_PROGRAMS:
        tools.build(name, lab, ["-static"])
    for folder in "vswitchd", "ovsdb", "utilities":
        os.makedirs(os.path.join(root, "ovs", folder))
        os.makedirs(os.path.join(root, "ovs-src", folder))
    here = switch.Build(os.path.join(root, "ovs"),
                        os.path.join(root, "ovs-src"))
    elves = []
    for name in OVS_PROGRAMS:
        # Without what only a debugger reads, which is most.
        process.run(["strip", "-g", "-o", here.program(name),
                     build.program(name)])
        elves.append(build.program(name))
    for name in switch.SCRIPTS:
        shutil.copy(build.program(name), here.program(name))
    for name in SCHEMAS:
        shutil.copy(build.schema(name), here.schema(name))

    for name in PROGRAMS:
        path = shutil.which(name)
        if not path:
            raise process.LabError("missing: " + name)
        _add(root, path)
        elves.append(path)
    library = sysconfig.get_paths()["stdlib"]
    shutil.copytree(library, root + library,
                    ignore=shutil.ignore_patterns(*NO_PYTHON))
    elves += glob.glob(os.path.join(library, "lib-dynload", "*.so"))
    for path in _libraries(elves):
        _add(root, path)

    with open(os.path.join(root, "commands"), "w") as f:
        f.write(commands)
    image.write_init(root, INIT % {
        "modules": " ".join(loaded), "ready": READY, "status": STATUS})
    initrd = os.path.join(directory, "machine.initrd")
    image.pack(root, initrd)
    shutil.rmtree(root)
    return image.Image(kernel, initrd, os.path.basename(modules))


def run(directory, machine_image, accel, timeout, output):
    """Boots 'machine_image', and hands each line that its commands write to
    'output'.  Returns their exit status.  Then their temporary files are in
    "logs.tar", and what the kernel said in "console", of 'directory'."""
    names = {name: os.path.join(directory, name)
             for name in ("console", "output", "logs.tar", "qemu.log")}
    with open(names["logs.tar"], "wb") as f:
        f.truncate(LOGS_BYTES)
    qemu = process.spawn(
        ["qemu-system-x86_64", "-nodefaults", "-no-user-config",
         "-display", "none", "-no-reboot", "-machine", "pc",
         "-accel", accel, "-smp", str(CPUS), "-m", "%dM" % MEMORY_MB]
        + (["-cpu", "host"] if accel == "kvm" else ["-cpu", "qemu64"])
        + ["-kernel", machine_image.kernel, "-initrd", machine_image.initrd,
           "-append", "console=ttyS0 quiet panic=-1 oops=panic "
           "mitigations=off",
           "-serial", "file:" + names["console"],
           "-serial", "file:" + names["output"],
           "-drive", "file=%s,format=raw,if=virtio,cache=unsafe"
           % names["logs.tar"]],
        names["qemu.log"])
    deadline = time.monotonic() + timeout
    status = None
    try:
        with _open_when_there(names["output"], qemu) as lines:
            rest = ""
            while True:
                ended = qemu.poll() is not None
                rest += lines.read()
                *whole, rest = rest.split("\n")
                for line in whole:
                    line = line.rstrip("\r")
                    if line.startswith(STATUS):
                        status = int(line[len(STATUS):])
                    else:
                        output(line)
                if ended:
                    break
                if time.monotonic() > deadline:
                    raise process.LabError("no end after %d s" % timeout)
                time.sleep(0.05)
    finally:
        process.stop(qemu)
    if status is None:
        raise process.LabError(
            "the machine ended early: %s\n%s"
            % (process.tail(names["qemu.log"], 5),
               process.tail(names["console"], 60)))
    return status


def usable_accel(directory, machine_image):
    return guest.usable_accel(directory, machine_image, MEMORY_MB, READY)


def complaints(directory):
    """Returns what the kernel complained about on its console."""
    with open(os.path.join(directory, "console"), errors="replace") as f:
        return [line.strip() for line in f
                if line.strip() and not line.startswith(READY)
                and "reboot: Power down" not in line]


def _open_when_there(name, qemu):
    process.wait_until("QEMU's start", lambda: os.path.exists(name), 30,
                       processes=[qemu])
    return open(name, errors="replace", newline="")


def _add(root, path):
    """Copies the file 'path' into 'root', where it is on the host."""
    target = root + os.path.join(os.path.realpath(os.path.dirname(path)),
                                 os.path.basename(path))
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if not os.path.exists(target):
        shutil.copy(path, target)


def _libraries(elves):
    """Returns the libraries that 'elves' need, directly or not."""
    result = subprocess.run(["ldd"] + elves, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True)
    return sorted(set(re.findall(r"(?:=> |^\s)(/\S+) \(0x", result.stdout,
                                 re.M)))
