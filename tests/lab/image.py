# SPDX-License-Identifier: Apache-2.0
"""What the guest boots: a distribution's kernel as it is, and an initrd of
busybox and one echo server.

The kernel's package is downloaded and unpacked, never installed."""

import glob
import lzma
import os
import re
import shutil
import tempfile

import process
import tools

META_PACKAGE = "linux-image-cloud-amd64"
ECHO_PORT = 7

# Where the kernel's package is kept.
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME")
                     or os.path.expanduser("~/.cache"), "vmmob-lab")

MODULES = ("virtio_pci", "virtio_net")

# The guest is configured by the kernel's command line: lab.address (with
# prefix length) and lab.gateway, of each family that it is to have static
# addresses of.  It asks for its gateway, as any guest with something to say
# does, and makes itself addresses of IPv6 where a router says so.
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
    lab.address=*) addresses="$addresses ${word#*=}" ;;
    lab.gateway=*) gateways="$gateways ${word#*=}" ;;
    esac
done
ip link set lo up
for address in $addresses; do
    ip addr add $address dev eth0
done
ip link set eth0 up
for gateway in $gateways; do
    case $gateway in
    *:*) ip -6 route add default via $gateway ;;
    *) ip route add default via $gateway ;;
    esac
    ping -c 1 -W 1 $gateway > /dev/null 2>&1 &
done
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
    kernel, modules = unpack(directory, cache, deb)
    initrd = os.path.join(directory, "initrd")
    make_initrd(directory, initrd, modules)
    return Image(kernel, initrd, os.path.basename(modules))


def unpack(directory, cache, deb=None):
    """Returns the kernel and the directory of its modules, named by its
    version, unpacked in 'directory'.  See prepare()."""
    deb = deb or download(cache)
    unpacked = os.path.join(directory, "kernel")
    os.mkdir(unpacked)
    process.run(["dpkg-deb", "-x", deb, unpacked])
    kernels = glob.glob(os.path.join(unpacked, "boot", "vmlinuz-*"))
    if len(kernels) != 1:
        raise process.LabError("%s: no kernel in it" % deb)
    version = os.path.basename(kernels[0])[len("vmlinuz-"):]
    return kernels[0], glob.glob(
        os.path.join(glob.escape(unpacked), "**", "lib", "modules", version),
        recursive=True)[0]


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
    make_root(root)
    shutil.copy(tools.build("guest-echo", directory, ["-static"]),
                os.path.join(root, "bin"))
    names = add_modules(root, modules, MODULES)
    write_init(root, INIT % {"modules": " ".join(names), "port": ECHO_PORT})
    pack(root, initrd)
    shutil.rmtree(root)


def make_root(root):
    """Makes 'root' a file system with busybox in it."""
    for folder in ("bin", "dev", "modules", "proc", "sys"):
        os.makedirs(os.path.join(root, folder), exist_ok=True)
    shutil.copy(shutil.which("busybox"), os.path.join(root, "bin", "busybox"))
    shell = os.path.join(root, "bin", "sh")
    if not os.path.lexists(shell):
        os.symlink("busybox", shell)


def add_modules(root, modules, names):
    """Puts kernel modules 'names' of directory 'modules', and what they
    depend on, into /modules.  Returns their names in order of loading."""
    order = []
    for name in names:
        _add_module(root, modules, name, order)
    return order


def _add_module(root, modules, name, order):
    if name in order:
        return
    # In files' names "-" and "_" are the same.
    found = glob.glob(os.path.join(glob.escape(modules), "**",
                                   re.sub("[-_]", "[-_]", name) + ".ko*"),
                      recursive=True)
    if not found:
        raise process.LabError("the kernel has no module " + name)
    opener = lzma.open if found[0].endswith(".xz") else open
    with opener(found[0], "rb") as source:
        data = source.read()
    depends = re.search(rb"\0depends=([^\0]*)\0", data)
    if depends and depends[1]:
        for other in depends[1].decode().split(","):
            _add_module(root, modules, other, order)
    with open(os.path.join(root, "modules", name + ".ko"), "wb") as target:
        target.write(data)
    order.append(name)


def write_init(root, script):
    init = os.path.join(root, "init")
    with open(init, "w") as f:
        f.write(script)
    os.chmod(init, 0o755)


def pack(root, initrd):
    """Writes 'initrd' from what is in 'root'."""
    names = "\n".join(os.path.relpath(os.path.join(folder, name), root)
                      for folder, folders, files in os.walk(root)
                      for name in folders + files)
    process.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0", "-F",
                 initrd], stdin=names + "\n", cwd=root)
