# SPDX-License-Identifier: Apache-2.0
"""What the lab needs from the machine: programs, and its own C programs."""

import os
import shutil

import process

HERE = os.path.dirname(os.path.abspath(__file__))

NEEDED = {"ip": "iproute2", "ethtool": "ethtool", "ping": "iputils-ping",
          "gcc": "gcc", "cpio": "cpio", "dpkg-deb": "dpkg",
          "busybox": "busybox-static", "qemu-system-x86_64":
          "qemu-system-x86"}

# What vmmob-libvirt needs besides.
LIBVIRT = {"libvirtd": "libvirt-daemon", "virsh": "libvirt-clients"}

# What vmmob-stacks needs besides.
STACKS = {"rdisc6": "ndisc6", "ndisc6": "ndisc6"}


def check():
    """Raises LabError unless the lab can run on this machine."""
    if os.geteuid():
        raise process.LabError("the lab makes network namespaces: run it as "
                               "root")
    check_programs(NEEDED)


def check_programs(names):
    """Raises LabError unless all programs 'names', which are in NEEDED,
    LIBVIRT or STACKS, are installed."""
    packages = {**NEEDED, **LIBVIRT, **STACKS}
    missing = ["%s (package %s)" % (name, packages[name]) for name in names
               if not shutil.which(name)]
    if missing:
        raise process.LabError("missing: " + ", ".join(missing))


def build(name, directory, flags=(), source=HERE):
    """Compiles NAME.c of directory 'source' (default: tests/lab) into
    'directory', returns the program.  On a machine without a compiler it is
    in $VMMOB_LAB_PROGRAMS already."""
    directory = os.environ.get("VMMOB_LAB_PROGRAMS", directory)
    source = os.path.join(source, name + ".c")
    program = os.path.join(directory, name)
    if not os.path.exists(program):
        process.run(["gcc", "-O2", "-Wall", "-D_GNU_SOURCE", "-pthread",
                     "-I" + HERE, source, *flags, "-o", program])
    return program
