# SPDX-License-Identifier: Apache-2.0
"""Part guests: what a real guest's live migration costs, across IP networks
against within one L2 network, without and with a delay between sites.

Both labs are up at the same time, with a guest each that was booted once and
goes back and forth; in each round every case has one move.  Where the time
went, and where lost pings were last seen, is worked out from captures at the
guest's two taps, three uplinks and the correspondent."""

import collections
import os
import statistics
import struct
import time

import guest
import handover
import image
import migration
import probe
import process
import report
import switch
import systems
import tools
import topology
import wire

# Seconds: before a move, for all to settle, and from the guest's resume until
# a move is over.
SETTLE = 0.4
AFTER = 1.2

FINE, COARSE = 1, 10            # Intervals of probes, ms.
DELAYS = (0, 5, 12, 50)         # One way between sites, ms.
PAUSE = 20                      # Between moves without a guest, ms.

REDIRECT_TIME = "1000"          # ms, also for news from far away.

# What nobody explains is above this, ms.
EXPLAINED = 5

# A case is a way to move: is the guest's port said to be for it before it
# comes (as libvirt does it), and which settings have the bridges.  The first
# is the one that the goals are about.
Case = collections.namedtuple("Case", "name system announce settings")
BASELINE = Case("L2 baseline", "l2", True, {})
CASES = [
    Case("vmmob", "ip", True, {}),
    Case("vmmob, no copies", "ip", True, {"copy-time": "0"}),
    Case("vmmob, not prepared", "ip", False, {})]
# To try others: settings without "vmmob-", such as "copy-time=50".
CASES += [Case("vmmob, " + word, "ip", True, dict([word.split("=", 1)]))
          for word in os.environ.get("VMMOB_BENCH_SETTINGS", "").split()]


def run(ctx):
    tools.check()
    first_packets(ctx)
    ctx.say("preparing a guest")
    img = image.prepare(ctx.directory, image.CACHE)
    accel = guest.usable_accel(ctx.directory, img)
    ctx.environment.update(report.guest(img.version, accel, "shared"))
    rows = ctx.environment.setdefault("migrations", [])
    for delay_ms in DELAYS[:1] if ctx.quick else DELAYS:
        rounds = 1 if ctx.quick else 20 if not delay_ms else 16 // len(CASES)
        rows += Comparison(ctx, img, accel, delay_ms).run(rounds)
    report_goals(ctx, rows)


def first_packets(ctx):
    """Without a guest: how long after its activation the first packet of a
    VMN is at its correspondent, and the correspondent's at the VMN; and how
    long any packet takes on the same way, delay lines and all."""
    goals = {False: [], True: []}
    for delay_ms in DELAYS[1:2] if ctx.quick else DELAYS[1:]:
        ctx.say("guests: handovers with a delay of %g ms" % delay_ms)
        directory = os.path.join(ctx.directory, "delay-%g" % delay_ms)
        n = 6 if ctx.quick else 40
        with systems.Vmmob(ctx, directory, delay_ms) as system:
            for prepared in False, True:
                measure = (system.measure_prepared if prepared
                           else system.measure)
                # What was on its way is redirected before the VMN moves on.
                goals[prepared].append(_record_first_packets(
                    ctx, delay_ms, prepared,
                    measure(n, interval=FINE * 1000,
                            pause=int((PAUSE + 4 * delay_ms) * 1000))))
            system.reset()
        check_delay_lines(system.lab)
    for prepared, measured in goals.items():
        ctx.goal("first packet after activation%s, with a delay d between "
                 "sites: d + 1 ms at most" % (", prepared" * prepared),
                 "; ".join(text for text, _ in measured),
                 all(met for _, met in measured),
                 "VMN to correspondent; the other way has news to wait for")


def _record_first_packets(ctx, delay_ms, prepared, moves):
    """Records 'moves' with 'delay_ms' between the sites.  Returns text for the
    goal, and whether it is met."""
    part = "handover with a delay between sites"
    name = "%g ms%s: " % (delay_ms, ", prepared" * prepared)
    case = None
    for key, what, floor in (
            ("t1", "correspondent to VMN", 2 * delay_ms),
            ("t1_direct", "the same, neither copied nor redirected",
             2 * delay_ms),
            ("way_t2", "any packet, VMN to correspondent", delay_ms),
            ("t2", "VMN to correspondent", delay_ms)):
        case = ctx.record(part, name + what,
                          [move[key] and move[key] / 1000 for move in moves],
                          floor=None if prepared and key == "t1" else floor)
    # Of one move, as both are of the same moment.
    extra = ctx.record(part, name + "the same less that of any packet",
                       [move["t2"] and (move["t2"] - move["way_t2"]) / 1000
                        for move in moves])
    ctx.record(part, name + "probes lost", [move["lost"] for move in moves],
               "probes")
    if not case.values:
        return "d = %g: nothing" % delay_ms, False
    way = ctx.cases[part, name + "any packet, VMN to correspondent"]
    return ("d = %g: p50 d + %.2f, max d + %.2f (any packet d + %.2f, ours "
            "%.2f)" % (delay_ms, case.p(50) - delay_ms,
                       case.p(100) - delay_ms, way.p(50) - delay_ms,
                       extra.p(50)),
            None not in case.samples and case.p(100) <= delay_ms + 1)


def adjust(hv, bridge, open_vswitch):
    # The guest comes back in three seconds; a hypervisor that it has left
    # prepares for it only when it does not redirect any more.
    bridge["redirect-time"] = REDIRECT_TIME


def check_delay_lines(lab):
    for line in lab.delay_lines:
        if line.dropped:
            raise process.LabError("a delay line dropped %d frames"
                                   % line.dropped)


class Comparison:
    """All cases with one delay."""

    def __init__(self, ctx, img, accel, delay_ms):
        self.ctx = ctx
        self.image = img
        self.accel = accel
        self.delay_ms = delay_ms

    def run(self, rounds):
        """Returns a row for each move, and records all samples."""
        ctx = self.ctx
        ctx.say("guests: delay %g ms: starting" % self.delay_ms)
        subjects = {}
        rows = []
        labs = []
        try:
            for system in migration.SYSTEMS:
                directory = os.path.join(
                    ctx.directory, "guests-%s-%g" % (system, self.delay_ms))
                os.mkdir(directory)
                lab = topology.Lab(ctx.build, directory, system,
                                   adjust=adjust, delay_ms=self.delay_ms)
                lab.__enter__()
                labs.append(lab)
                subjects[system] = Subject(ctx, lab, self.image, self.accel)
            for n in range(rounds):
                load = os.getloadavg()[0]
                moves = []
                for case in [BASELINE] + CASES:
                    row = subjects[case.system].move(case)
                    row.update(round=n, case=case.name, load_average=load,
                               delay_ms=self.delay_ms)
                    moves.append(row)
                rows += moves
                ctx.say("guests: delay %g ms, round %d of %d: lost of 1 ms "
                        "probes %s" % (self.delay_ms, n + 1, rounds,
                                       ", ".join("%d" % row["lost"]
                                                 for row in moves)))
            for subject in subjects.values():
                subject.finish()
        except process.LabError:
            for lab in labs:
                if lab.system == "ip":
                    ctx.say(lab.diagnosis())
            raise
        finally:
            for lab in reversed(labs):
                lab.close()
            # Whole rounds are worth having even if one failed.
            self.record(rows)
        for lab in labs:
            check_delay_lines(lab)
        return rows

    def record(self, rows):
        part = ("guests" if not self.delay_ms
                else "guests, %g ms between sites" % self.delay_ms)
        add_overheads(rows)
        for case in [BASELINE] + CASES:
            some = [row for row in rows if row["case"] == case.name]
            floor = self.delay_ms or None

            def record(what, key, unit="ms", floor=None, note=""):
                self.ctx.record(part, "%s: %s" % (case.name, what),
                                [row.get(key) for row in some], unit, floor,
                                note)

            record("pings lost, 1 ms", "lost", "pings")
            record("of these at the old place after the RARP", "lost_stale",
                   "pings")
            record("pings lost, 10 ms", "lost_10", "pings")
            record("datagrams lost, 10 ms", "udp_lost", "datagrams")
            record("pings answered twice, 1 ms", "duplicates", "pings")
            record("silence", "silence_ms")
            record("TCP stall", "tcp_stall_ms")
            if case is not BASELINE:
                record("overhead, 1 ms", "overhead_ms")
                record("overhead, 10 ms", "overhead_10_ms")
            record("RARP to first probe at new tap", "network", floor=floor,
                   note="network share")
            record("first probe to first answer", "guest",
                   note="guest's share")


class Subject:
    """A guest in one lab, whose moves are measured."""

    def __init__(self, ctx, lab, img, accel):
        self.ctx = ctx
        self.lab = lab
        self.scene = migration.Scene(lab, img, accel)
        self.stream = probe.Stream(self.scene.cn.ns, migration.GUEST_HOA,
                                   lab.directory, ctx.directory)
        lab.on_close(self.stream.stop)
        self._settings = {}
        self._rows = []
        self._n_moves = 0

    def move(self, case):
        """Moves the guest to where it is not, and returns what that did."""
        scene, lab = self.scene, self.lab
        vm, home = scene.vm, scene.vm.hypervisor
        target = next(hv for hv in (lab.hypervisors[name] for name in "AB")
                      if hv is not home)
        self._set(case.settings)
        self._n_moves += 1
        lab.forget()
        probers = [self._prober(FINE), self._prober(COARSE),
                   self._prober(COARSE, udp=True)]
        vm.prepare(target, case.announce)
        time.sleep(SETTLE)
        trace = Trace(scene, home, target)
        try:
            result = vm.migrate(target)
            time.sleep(max(0, result.resumed + AFTER - time.time()))
            end = time.time_ns()
            for prober in probers:
                prober.stop_sending()
            probes, coarse, udp = (prober.finish() for prober in probers)
            trace.take()
        finally:
            trace.close()
        vm.check()
        lab.check()
        if lab.system == "ip":
            scene.wait_for_binding(target, "the move in C's VMN table")

        # Probes that were far away then are part of it.
        start = int(result.started * 1e9) - 2 * 10**8
        row = {"direction": "%s to %s" % (home.name, target.name),
               "start": start, "end": end,
               "stop_to_resume_ms": result.stop_to_resume_ms}
        row.update(probe.ping_effects(probes, start, end, FINE))
        row.update((key + "_10", value) for key, value in
                   probe.ping_effects(coarse, start, end, COARSE).items())
        # Also of those that were there before the move, and were copied.
        row["duplicates"] = sum(p.duplicates for p in probes
                                if start - 10**9 <= p.sent < end)
        row["udp_lost"] = probe.ping_effects(udp, start, end,
                                             COARSE)["lost"]
        row.update(trace.shares(result, probers[0].id))
        row["lost_at"] = trace.where_lost(
            [n for n, p in enumerate(probes)
             if start <= p.sent < end and not p.answered], probers[0].id)
        row["lost_paused"] = row["lost_at"]["paused"]
        row["lost_stale"] = row["lost_at"]["stale"]
        self._rows.append(row)
        return row

    def finish(self):
        """Adds what the TCP connection tells to the rows of all moves."""
        receipts = self.stream.finish()
        broken = self.stream.verdict != "ok"
        if broken:
            self.ctx.say("guests: TCP did not survive %s: %s"
                         % (migration.SYSTEMS[self.lab.system],
                            self.stream.verdict))
        for row in self._rows:
            stall = probe.stall_ms(receipts, row["start"], row["end"])
            row["tcp_stall_ms"] = None if broken else stall

    def _prober(self, interval, udp=False):
        prober = probe.Prober(
            self.scene.cn.ns, migration.GUEST_HOA, self.lab.directory,
            self.ctx.directory, interval, udp,
            "prober-%d-%g%s" % (self._n_moves, interval, "-udp" * udp))
        self.lab.on_close(prober.stop)
        return prober

    def _set(self, settings):
        """Makes 'settings', without "vmmob-", the bridges' other_config."""
        if settings == self._settings:
            return
        for hv in self.lab.hypervisors.values():
            for key in self._settings:
                hv.switch.vsctl("remove", "bridge", switch.BRIDGE,
                                "other_config", "vmmob-" + key)
            if settings:
                hv.switch.vsctl("set", "bridge", switch.BRIDGE,
                                *("other_config:vmmob-%s=%s" % item
                                  for item in settings.items()))
        self._settings = settings


class Trace:
    """What passes at the guest's taps and its correspondent while it moves
    from 'source' to 'target'."""

    # Where a probe passes, and then its answer, in this order: the place's
    # name, and which capture sees it, leaving by the device or not.
    PLACES = (("sent", "cn", True, "request"),
              ("correspondent's uplink", "cn-uplink", True, "request"),
              ("source's uplink", "source-uplink", False, "request"),
              ("source", "source", True, "request"),
              ("redirected", "source-uplink", True, "request"),
              ("target's uplink", "target-uplink", False, "request"),
              ("target", "target", True, "request"),
              ("source answers", "source", False, "answer"),
              ("target answers", "target", False, "answer"),
              ("target's uplink, answer", "target-uplink", True, "answer"),
              ("correspondent's uplink, answer", "cn-uplink", False,
               "answer"),
              ("answered", "cn", False, "answer"))

    def __init__(self, scene, source, target):
        self._captures = {
            name: wire.Capture(ns, device, outgoing=True)
            for name, ns, device in (("cn", scene.cn.ns, "eth0"),
                                     ("source", source.ns, guest.TAP),
                                     ("target", target.ns, guest.TAP),
                                     ("cn-uplink", scene.observer.ns,
                                      switch.UPLINK),
                                     ("source-uplink", source.ns,
                                      switch.UPLINK),
                                     ("target-uplink", target.ns,
                                      switch.UPLINK))}
        self._frames = {}
        self._rarp = None       # When the first entered the new tap.

    def take(self):
        for name, capture in self._captures.items():
            frames, drops = capture.take()
            if drops:
                raise process.LabError("a capture left out %d frames" % drops)
            self._frames[name] = [(frame.at, frame.outgoing, *_kind(frame))
                                  for frame in frames]
        self._rarp = min((at for at, out, kind, *_ in self._frames["target"]
                          if kind == "rarp" and not out), default=None)

    def close(self):
        for capture in self._captures.values():
            capture.close()

    def _seen(self, ident):
        """Returns a dictionary by place, of times by number of a probe."""
        seen = {}
        for place, capture, outgoing, kind in self.PLACES:
            times = seen[place] = {}
            for at, out, *what in self._frames[capture]:
                if out == outgoing and what[:2] == [kind, ident]:
                    times.setdefault(what[2], at)
        return seen

    def shares(self, result, ident):
        """Returns when what happened, in ms from the guest's stop at the
        source, and whose the time between was: QEMU's, until the RARP enters
        the new tap; the network's, until a probe leaves there; the guest's,
        until it answers; the way back."""
        seen = self._seen(ident)
        stop = int(result.stopped * 1e9)
        rarp = self._rarp
        if rarp is None:
            raise process.LabError("QEMU did not announce the guest")
        probe_in = min((at for at in seen["target"].values() if at >= rarp),
                       default=None)
        answer, answered = min(
            ((at, seen["answered"].get(number)) for number, at
             in seen["target answers"].items()), default=(None, None))
        heard = min((at for at, out, kind, *_ in self._frames["target"]
                     if not out and kind != "rarp"), default=None)
        times = {"stop": stop, "rarp": rarp,
                 "resume": int(result.resumed * 1e9), "heard": heard,
                 "probe": probe_in, "answer": answer, "answered": answered}
        row = {"at": {name: at and (at - stop) / 1e6
                      for name, at in times.items()},
               "early": sum(at < rarp for at in seen["target"].values())}
        for name, first, last in (("qemu", stop, rarp),
                                  ("network", rarp, probe_in),
                                  ("guest", probe_in, answer),
                                  ("back", answer, answered)):
            row[name] = (last - first) / 1e6 if first and last else None
        return row

    def where_lost(self, numbers, ident):
        """Returns how many of the probes 'numbers' were last seen where.  For
        the guest's old tap that is "paused" until the RARP entered the new
        one, which is nobody's fault, and then "stale"."""
        seen = self._seen(ident)
        places = collections.Counter()
        for number in numbers:
            last = [place for place, *_ in self.PLACES
                    if number in seen[place]] or ["nowhere"]
            if last[-1] == "source":
                last.append("stale" if self._rarp is not None
                            and seen["source"][number] >= self._rarp
                            else "paused")
            places[last[-1]] += 1
        return places


def _kind(frame):
    """Returns (kind, id, number of probe), of which the latter are only
    probes'."""
    data = frame.data
    ethertype, = struct.unpack_from("!H", data, 12)
    if ethertype == 0x8035:
        return "rarp", None, None
    if ethertype == wire.ETH_P_IP and data[23] == 1 and len(data) >= 50:
        kind = {8: "request", 0: "answer"}.get(data[34])
        if kind:
            ident, = struct.unpack_from("!H", data, 38)
            number, = struct.unpack_from("=Q", data, 42)
            return kind, ident, number
    return "other", None, None


def add_overheads(rows):
    """Adds to each row what it has beyond the baseline's in the same round.
    Overhead is the paper's: the downtime less the baseline's."""
    baseline = {row["round"]: row for row in rows
                if row["case"] == BASELINE.name}
    for row in rows:
        before = baseline[row["round"]]
        if row is not before:
            for key in "", "_10":
                row["overhead%s_ms" % key] = (row["downtime_ms" + key]
                                              - before["downtime_ms" + key])
            row["lost_beyond"] = row["lost"] - before["lost"]
            row["explanation"] = explain(row, before)


def explain(row, before):
    """Returns why the overhead of a move is above EXPLAINED although the
    network is not to blame; "" if it is not above, None if it is to blame.

    The network is to blame for probes that come to the old place after the
    RARP.  It is not for those that come there before it (QEMU has stopped the
    guest), nor for those that got further: they were in a queue that was full
    because a guest or a switch had no CPU."""
    if row["overhead_ms"] <= EXPLAINED:
        return ""
    if (row["lost_stale"] - before["lost_stale"]) * FINE > EXPLAINED:
        return None
    others = {place: n for place, n in row["lost_at"].items()
              if place not in ("paused", "stale")}
    reasons = []
    if row["qemu"] > before["qemu"]:
        reasons.append("QEMU's stop took %.0f ms longer"
                       % (row["qemu"] - before["qemu"]))
    if others:
        reasons.append("full queues: " + ", ".join(
            "%d lost after \"%s\"" % (n, place)
            for place, n in others.items()))
    return "; ".join(reasons) or None


def report_goals(ctx, rows):
    main = [row for row in rows if row["case"] == CASES[0].name]
    local = [row for row in main if not row["delay_ms"]]
    median = statistics.median(row["overhead_ms"] for row in local)
    above = [row for row in local if row["overhead_ms"] > EXPLAINED]
    unexplained = [row for row in above if not row["explanation"]]
    ctx.goal("overhead of a real migration over its L2 baseline, local, 1 ms "
             "probes: median <= 0 ms, and no pair above 5 ms that is not "
             "explained",
             "median %g ms; %d of %d pairs above 5 ms, %d of them not "
             "explained" % (median, len(above), len(local),
                            len(unexplained)),
             median <= 0 and not unexplained,
             " | ".join("round %d, %+g ms: %s"
                        % (row["round"] + 1, row["overhead_ms"],
                           row["explanation"] or "not explained")
                        for row in above))

    measured, notes, met = [], [], True
    for delay_ms in dict.fromkeys(row["delay_ms"] for row in main):
        some = [row for row in main if row["delay_ms"] == delay_ms]
        beyond = statistics.median(row["lost_beyond"] for row in some)
        before = [row for row in rows if row["case"] == BASELINE.name
                  and row["delay_ms"] == delay_ms]
        met = met and beyond <= 0
        measured.append("d = %g: %+g" % (delay_ms, beyond))
        notes.append("d = %g: %.1f against %.1f, of which after the RARP "
                     "%.1f against %.1f"
                     % (delay_ms,
                        *(statistics.mean(row[key] for row in which)
                          for key in ("lost", "lost_stale")
                          for which in (some, before))))
    ctx.goal("pings lost beyond the L2 baseline, any delay between sites: 0",
             "median of pairs, " + "; ".join(measured), met,
             "means, 1 ms probes: " + "; ".join(notes))
