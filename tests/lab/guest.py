# SPDX-License-Identifier: Apache-2.0
"""A real guest under QEMU, and its live migration between hypervisors."""

import os
import time

import image
import process
import qmp

MEMORY_MB = 128
TAP = "vnet0"

# The ways to migrate.  Pre-copy under TCG corrupts guest memory now and then
# (a fault of QEMU's): use it with KVM only.
#
# shared:   RAM is a file that both QEMUs map; only device state moves.
# postcopy: the guest resumes first, its RAM follows.
# precopy:  RAM first, in rounds, then the guest stops and the rest moves.
WAYS = ("shared", "postcopy", "precopy")


class Migration:
    """What QEMU says about one migration; times as of time.time()."""

    def __init__(self, started, stopped, resumed, downtime_ms):
        self.started = started          # The order to migrate.
        self.stopped = stopped          # The source's STOP event.
        self.resumed = resumed          # The destination's RESUME event.
        self.downtime_ms = downtime_ms  # query-migrate's "downtime".

    @property
    def stop_to_resume_ms(self):
        return (self.resumed - self.stopped) * 1000


class Guest:
    """A VM.  boot() starts it on one hypervisor, migrate() moves it.

    'image' is an image.Image, 'addresses' (with prefix length) and 'gateways'
    are its static ones, 'accel' "kvm" or "tcg", 'way' one of WAYS,
    'downtime_limit' in ms is what QEMU is told to aim at."""

    def __init__(self, lab, image, name, mac, addresses, gateways,
                 accel="tcg", way="shared", downtime_limit=1):
        self.lab = lab
        self.image = image
        self.name = name
        self.mac = mac
        self.addresses = addresses
        self.gateways = gateways
        self.accel = accel
        self.way = way
        self.downtime_limit = downtime_limit
        self.hypervisor = None          # Where it is.
        self._qemu = None
        self._next = None               # The QEMU that waits for it.
        self._n_qemus = 0
        self._ram = _ram_file(lab, name)
        lab.on_close(self.stop)

    def boot(self, hypervisor):
        self._qemu = self._start(hypervisor)
        self.hypervisor = hypervisor
        qemu = self._qemu
        process.wait_until("boot of the guest (%s)" % qemu.serial,
                           lambda: image.READY in qemu.console(), 60,
                           processes=[qemu.process])

    def prepare(self, target, announce=True):
        """Makes hypervisor 'target' wait for the guest: its port is there,
        and, as libvirt does it, with the guest's MAC in its external_ids,
        unless 'announce' is false."""
        self._next = self._start(target, incoming=True, announce=announce)

    def migrate(self, target, settle=0.5, announce=True):
        """Moves the guest to hypervisor 'target', 'settle' seconds after
        prepare() if that was not called before, and returns a Migration.  The
        port at the source goes as soon as the guest has left."""
        if not self._next:
            self.prepare(target, announce)
            time.sleep(settle)
        source, home = self._qemu, self.hypervisor
        destination, self._next = self._next, None

        started = time.time()
        source.qmp.command("migrate", uri=destination.migration)
        if self.way == "postcopy":
            process.wait_until(
                "start of migration",
                lambda: source.migration_status() == "active", 5, 0.001)
            source.qmp.command("migrate-start-postcopy")
        process.wait_until("end of migration", source.has_migrated, 60,
                           0.005, [source.process, destination.process])
        resumed = process.wait_until(
            "the guest's resume",
            lambda: destination.qmp.event_time("RESUME"), 10, 0.005,
            [destination.process])
        stopped = source.qmp.event_time("STOP")
        self._qemu, self.hypervisor = destination, target

        # The first answer can be 0.
        time.sleep(0.2)
        downtime = source.qmp.command("query-migrate").get("downtime", 0)
        source.stop()
        home.switch.del_port(TAP)
        home.ns.del_device(TAP)
        return Migration(started, stopped, resumed, downtime)

    def check(self):
        """Raises LabError unless the guest runs and its kernel is well."""
        status = self._qemu.qmp.command("query-status")["status"]
        console = self._qemu.console()
        if status != "running" or "Kernel panic" in console:
            raise process.LabError("the guest is not well (%s): %s"
                                   % (status, console[-2000:]))

    def stop(self):
        if self._qemu:
            self._qemu.stop()
        if os.path.exists(self._ram):
            os.unlink(self._ram)

    def _start(self, hypervisor, incoming=False, announce=True):
        hypervisor.ns.add_tap(TAP, self.mac)
        hypervisor.switch.add_vm_port(TAP, self.mac if announce else None,
                                      "iface-" + self.name)
        self._n_qemus += 1
        qemu = Qemu(self, hypervisor, "%s-%d" % (self.name, self._n_qemus),
                    self._ram, incoming)
        self.lab.on_close(qemu.stop)
        return qemu


class Qemu:
    """One QEMU process, in the namespace of its hypervisor."""

    def __init__(self, guest, hypervisor, name, ram, incoming):
        base = os.path.join(hypervisor.directory, name)
        self.serial = base + ".serial"
        self.migration = "unix:" + base + ".migrate"
        self._monitor = base + ".qmp"
        memory = "memory-backend-ram,id=ram,size=%dM" % MEMORY_MB
        if guest.way == "shared":
            memory = ("memory-backend-file,id=ram,size=%dM,share=on,"
                      "mem-path=%s" % (MEMORY_MB, ram))
        argv = [
            "qemu-system-x86_64", "-name", guest.name,
            "-nodefaults", "-no-user-config", "-display", "none",
            "-accel", guest.accel, "-machine", "pc,memory-backend=ram",
            "-m", "%dM" % MEMORY_MB, "-object", memory,
            "-kernel", guest.image.kernel, "-initrd", guest.image.initrd,
            "-append", _command_line(guest.addresses, guest.gateways),
            "-serial", "file:" + self.serial,
            "-qmp", "unix:%s,server=on,wait=off" % self._monitor,
            # Open vSwitch's userspace datapath rewrites addresses: the
            # guest must make its checksums itself.
            "-netdev", "tap,id=net,ifname=%s,script=no,downscript=no,"
            "vnet_hdr=off" % TAP,
            "-device", "virtio-net-pci,netdev=net,romfile=,mac=" + guest.mac]
        if guest.accel == "kvm":
            argv += ["-cpu", "host"]
        if incoming:
            argv += ["-incoming", "defer"]
        self.process = hypervisor.ns.spawn(argv, base + ".log")
        self.qmp = None
        try:
            self.qmp = qmp.connect(self._monitor)
            self._prepare_migration(guest, incoming)
        except BaseException as e:
            self.stop()
            if isinstance(e, process.LabError):
                with open(base + ".log", errors="replace") as log:
                    raise process.LabError("%s\n%s" % (e, log.read()))
            raise

    def stop(self):
        if self.qmp:
            self.qmp.close()
            self.qmp = None
        process.stop(self.process)

    def console(self):
        try:
            with open(self.serial, errors="replace") as console:
                return console.read()
        except FileNotFoundError:
            return ""

    def migration_status(self):
        return self.qmp.command("query-migrate").get("status")

    def has_migrated(self):
        status = self.migration_status()
        if status in ("failed", "cancelled"):
            raise process.LabError("migration " + status)
        return status == "completed"

    def _prepare_migration(self, guest, incoming):
        capability = {"shared": "x-ignore-shared",
                      "postcopy": "postcopy-ram"}.get(guest.way)
        if capability:
            self.qmp.command("migrate-set-capabilities", capabilities=[
                {"capability": capability, "state": True}])
        self.qmp.command("migrate-set-parameters", **{
            "downtime-limit": guest.downtime_limit,
            "max-bandwidth": 1 << 33})
        if incoming:
            self.qmp.command("migrate-incoming", uri=self.migration)


def usable_accel(directory, guest_image, memory_mb=MEMORY_MB,
                 ready=image.READY):
    """Returns "kvm" if a guest boots with it here, that is, writes 'ready' on
    its console, else "tcg"."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    serial = os.path.join(directory, "kvm-trial.serial")
    trial = process.spawn(
        ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display",
         "none", "-accel", "kvm", "-cpu", "host", "-m", "%dM" % memory_mb,
         "-kernel", guest_image.kernel, "-initrd", guest_image.initrd,
         "-append", _command_line(), "-serial", "file:" + serial],
        os.path.join(directory, "kvm-trial.log"))

    def is_up():
        try:
            with open(serial, errors="replace") as console:
                return ready in console.read()
        except FileNotFoundError:
            return False

    try:
        process.wait_until("boot under KVM", is_up, 8, processes=[trial])
        return "kvm"
    except process.LabError:
        return "tcg"
    finally:
        process.stop(trial)


def _command_line(addresses=(), gateways=()):
    """The guest's kernel's."""
    # A guest that crashes must not boot again and look healed.
    return " ".join(["console=ttyS0 quiet panic=0"]
                    + ["lab.address=" + each for each in addresses]
                    + ["lab.gateway=" + each for each in gateways])


def _ram_file(lab, name):
    """The guest's RAM, in memory if the machine has a place for that."""
    name = "%s-%s.ram" % (os.path.basename(lab.directory), name)
    shm = "/dev/shm"
    if os.path.isdir(shm) and os.access(shm, os.W_OK):
        return os.path.join(shm, "vmmob-%d-%s" % (os.getpid(), name))
    return os.path.join(lab.directory, name)
