# SPDX-License-Identifier: Apache-2.0
"""What the lab needs from the machine: programs, and its own C programs."""

import os
import shutil

import process

NEEDED = {"ip": "iproute2", "ethtool": "ethtool", "ping": "iputils-ping",
          "gcc": "gcc", "cpio": "cpio", "dpkg-deb": "dpkg",
          "busybox": "busybox-static", "qemu-system-x86_64":
          "qemu-system-x86"}


def check():
    """Raises LabError unless the lab can run on this machine."""
    if os.geteuid():
        raise process.LabError("the lab makes network namespaces: run it as "
                               "root")
    missing = ["%s (package %s)" % item for item in NEEDED.items()
               if not shutil.which(item[0])]
    if missing:
        raise process.LabError("missing: " + ", ".join(missing))


def build(name, directory, flags=()):
    """Compiles tests/lab/NAME.c into 'directory', returns the program."""
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          name + ".c")
    program = os.path.join(directory, name)
    if not os.path.exists(program):
        process.run(["gcc", "-O2", "-Wall", "-D_GNU_SOURCE", "-pthread",
                     *flags, source, "-o", program])
    return program
