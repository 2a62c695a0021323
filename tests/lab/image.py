# SPDX-License-Identifier: Apache-2.0
"""What the guest boots: a distribution's kernel as it is, and an initrd of
busybox and one echo server.

The kernel's package is downloaded and unpacked, never installed."""

import glob
import lzma
import os
import shutil
import tempfile

import process
import tools

META_PACKAGE = "linux-image-cloud-amd64"
ECHO_PORT = 7

# Where the kernel's package is kept.
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME")
                     or os.path.expanduser("~/.cache"), "vmmob-lab")

# In order of loading.
MODULES = ("virtio_ring", "virtio", "virtio_pci_modern_dev",
           "virtio_pci_legacy_dev", "virtio_pci", "failover", "net_failover",
           "virtio_net")

# The guest is configured by the kernel's command line: lab.address (with
# prefix length) and lab.gateway.  Its first packet is an ARP request for its
# gateway, as that of any guest with something to say.
INIT = """#!/bin/sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in %(modules)s; do
    insmod /modules/$module.ko
done
for word in $(cat /proc/cmdline); do
    case $word in
    lab.address=*) address=${word#*=} ;;
    lab.gateway=*) gateway=${word#*=} ;;
    esac
done
ip link set lo up
ip addr add $address dev eth0
ip link set eth0 up
ip route add default via $gateway
ping -c 1 -W 1 $gateway > /dev/null 2>&1 &
exec /bin/guest-echo %(port)d
"""
READY = "guest-echo: ready"     # What it prints.


class Image:
    """A kernel and an initrd, as files."""

    def __init__(self, kernel, initrd, version):
        self.kernel = kernel
        self.initrd = initrd
        self.version = version


def prepare(directory, cache, deb=None):
    """Returns an Image made in 'directory'.  The kernel's package comes from
    'deb', or else is kept in directory 'cache'."""
    deb = deb or download(cache)
    unpacked = os.path.join(directory, "kernel")
    os.mkdir(unpacked)
    process.run(["dpkg-deb", "-x", deb, unpacked])
    kernels = glob.glob(os.path.join(unpacked, "boot", "vmlinuz-*"))
    if len(kernels) != 1:
        raise process.LabError("%s: no kernel in it" % deb)
    kernel = os.path.join(directory, "vmlinuz")
    os.rename(kernels[0], kernel)
    version = os.path.basename(kernels[0])[len("vmlinuz-"):]

    initrd = os.path.join(directory, "initrd")
    make_initrd(directory, initrd, glob.glob(
        os.path.join(glob.escape(unpacked), "**", "lib", "modules", version),
        recursive=True)[0])
    shutil.rmtree(unpacked)
    return Image(kernel, initrd, version)


def download(cache):
    """Returns the path of the kernel's package, downloaded if 'cache' does
    not hold it yet."""
    os.makedirs(cache, exist_ok=True)
    pattern = os.path.join(glob.escape(cache), "linux-image-*.deb")
    if not glob.glob(pattern):
        depends = process.run(["apt-cache", "depends", META_PACKAGE],
                              check=False)
        names = [line.split()[1] for line in depends.splitlines()
                 if line.strip().startswith("Depends: linux-image-")]
        if not names:
            raise process.LabError("apt knows no %s: run \"apt-get update\", "
                                   "or give --kernel-deb" % META_PACKAGE)
        # Elsewhere first, so that no half of it is ever in the cache.
        with tempfile.TemporaryDirectory(dir=cache) as partial:
            process.run(["apt-get", "download", names[0]], cwd=partial,
                        timeout=300)
            for name in os.listdir(partial):
                os.rename(os.path.join(partial, name),
                          os.path.join(cache, name))
    debs = sorted(glob.glob(pattern), key=os.path.getmtime)
    if not debs:
        raise process.LabError("apt-get download left nothing in " + cache)
    return debs[-1]


def make_initrd(directory, initrd, modules):
    """Writes 'initrd', with kernel modules from directory 'modules'."""
    root = os.path.join(directory, "root")
    for folder in ("bin", "dev", "modules", "proc", "sys"):
        os.makedirs(os.path.join(root, folder))
    busybox = shutil.which("busybox")
    shutil.copy(busybox, os.path.join(root, "bin", "busybox"))
    os.symlink("busybox", os.path.join(root, "bin", "sh"))
    shutil.copy(tools.build("guest-echo", directory, ["-static"]),
                os.path.join(root, "bin"))
    for name in MODULES:
        found = glob.glob(os.path.join(glob.escape(modules), "**",
                                       name + ".ko*"), recursive=True)
        if not found:
            raise process.LabError("the kernel has no module " + name)
        opener = lzma.open if found[0].endswith(".xz") else open
        with opener(found[0], "rb") as source, \
                open(os.path.join(root, "modules", name + ".ko"),
                     "wb") as target:
            shutil.copyfileobj(source, target)
    init = os.path.join(root, "init")
    with open(init, "w") as f:
        f.write(INIT % {"modules": " ".join(MODULES), "port": ECHO_PORT})
    os.chmod(init, 0o755)

    names = "\n".join(os.path.relpath(os.path.join(folder, name), root)
                      for folder, folders, files in os.walk(root)
                      for name in folders + files)
    process.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0", "-F",
                 initrd], stdin=names + "\n", cwd=root)
    shutil.rmtree(root)
