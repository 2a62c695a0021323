# SPDX-License-Identifier: Apache-2.0
"""Part latency: what a handover takes, without a guest.

t1 is from the RARP at the new place until the first packet of the
correspondent arrives there, t2 until the first packet of the VMN arrives at
the correspondent."""

import functools
import os

import handover
import load
import results
import system_controller
import system_evpn
import systems

PART = "latency"
VMNS = (1, 1000, 10000, 100000)
MEGAFLOWS = (0, 10000, 100000)
CORNERS = ((1000, 0), (100000, 100000))
CHUNK = 50                      # Moves, for which megaflows stay.
BATCH = 100
BATCH_INTERVAL = 10000          # Between probes to one of many, in us.

# The same for one that is prepared: there are no copies of more than
# vmmob-copy-rate.
INTERVAL_PREPARED = 1000
PREPARED_SCALE = ((1, 0), (1000, 0), (1000, 100000), (100000, 0),
                  (100000, 100000))


FAMILIES_RATIO = 1.1            # The goal.


class Prepared(systems.Vmmob):
    """vmmob, with ports that are said to be for the VMNs before these move, as
    libvirt does.  Copies of the latest probes wait there."""

    name = "vmmob, prepared"

    def measure(self, moves, batch=1, **options):
        return self.measure_prepared(
            moves, batch, **dict({"interval": INTERVAL_PREPARED}, **options))


def run(ctx):
    names = {"vmmob": systems.Vmmob, "prepared": Prepared, "controller":
             system_controller.Controller, "evpn": system_evpn.Evpn}
    started = {name: cls(ctx, os.path.join(ctx.directory, name))
               for name, cls in names.items()}
    with started["vmmob"] as vmmob:
        with started["prepared"], started["controller"], started["evpn"]:
            ctx.say("all systems are up")
            _compare(ctx, started.values())
            _compare_batch(ctx, (vmmob, started["prepared"],
                                 started["controller"]))
        _breakdown(ctx, vmmob)
        _compare_families(ctx)
        _scale(ctx, vmmob)


def _compare(ctx, compared):
    """One VMN, all systems in turn."""
    rounds = 2 if ctx.quick else 10
    p50 = {}
    for i in range(rounds):
        for system in compared:
            # EVPN takes so much longer, and so much more evenly.
            moves = (10 if ctx.quick
                     else 30 if system.name in ("EVPN", Prepared.name)
                     else 100)
            system.reset()
            _record(ctx, system.name + ", 1 VMN", system.measure(moves))
        ctx.say("side by side: round %d of %d" % (i + 1, rounds))
    for which, what in (("t1", "first packet to arrive at the VMN"),
                        ("t2", "first packet of the VMN to arrive")):
        ctx.curves("latency-systems-" + which, "one VMN moves: " + what, PART,
                   ["%s, 1 VMN, %s" % (system.name, which)
                    for system in compared])
    for system in compared:
        p50[system.name] = _case(ctx, system.name + ", 1 VMN", "t1").p(50)
    for ours in systems.Vmmob.name, Prepared.name:
        _goal_ratio(ctx, "controller design: %s at least 4 times quicker "
                    "(median)" % ours, p50["controller"], p50[ours], 4)
        _goal_ratio(ctx, "EVPN: %s at least 50 times quicker (median)" % ours,
                    p50["EVPN"], p50[ours], 50)


def _compare_batch(ctx, compared):
    """Many VMNs at once."""
    rounds, moves = (1, 2) if ctx.quick else (5, 4)
    p50 = {}
    ours = [system for system in compared if isinstance(system, systems.Vmmob)]
    for system in ours:
        system.limit(False)
    for _ in range(rounds):
        for system in compared:
            system.reset()
            case = "%s, %d VMNs at once" % (system.name, BATCH)
            moved = system.measure(moves, BATCH, interval=BATCH_INTERVAL,
                                   interval_cn=BATCH_INTERVAL * 5,
                                   pause=200000, hurry=True)
            _record(ctx, case, moved)
            last = ctx.record(PART, case + ", t1 of the last",
                              handover.last(moved, "t1"))
            p50[system.name] = last.p(50)
    for system in ours:
        system.limit(True)
        _goal_ratio(ctx, "controller design, %d moves at once: %s at least 10 "
                    "times quicker (until the last is reached)"
                    % (BATCH, system.name), p50["controller"],
                    p50[system.name], 10)


def _compare_families(ctx):
    """One VMN, which has addresses of both families, so that it does not
    matter to its moves by which it talks: in turn by each."""
    rounds = 2 if ctx.quick else 20
    with systems.Vmmob(ctx, os.path.join(ctx.directory, "families"),
                       families=(4, 6)) as system:
        measures = {
            "": functools.partial(system.measure, 6 if ctx.quick else 50),
            # Each takes longer.
            ", prepared": functools.partial(
                system.measure_prepared, 6 if ctx.quick else 20,
                interval=INTERVAL_PREPARED)}
        for family in 4, 6:
            system.measure(2, ipv6=family == 6)
        for i in range(rounds):
            for how, measure in measures.items():
                # Nobody is always first.
                for family in ((4, 6), (6, 4))[i % 2]:
                    _record(ctx, _families_name(family, how),
                            measure(ipv6=family == 6))
            system.reset()
            ctx.say("IPv4 and IPv6: round %d of %d" % (i + 1, rounds))
    for how in measures:
        for which in "t1", "t2":
            p50 = {family: _case(ctx, _families_name(family, how),
                                 which).p(50) for family in (4, 6)}
            ratio = p50[6] / p50[4] if p50[6] and p50[4] else None
            ctx.goal("IPv6: vmmob%s: %s at most %g times IPv4's (median)"
                     % (how, which, FAMILIES_RATIO),
                     "%.3f times" % ratio if ratio else "not measured",
                     ratio is not None and ratio <= FAMILIES_RATIO)


def _families_name(family, how):
    return "vmmob%s, both families, by IPv%d" % (how, family)


def _breakdown(ctx, vmmob):
    """Where the time goes, by frames on the way."""
    taps = []
    for place in "ab":
        site = vmmob.lab.hypervisors[place.upper()].site
        uplink = "%s:%s-uplink" % (vmmob.lab.network.name, site.name)
        taps += ["garp-%s=%s:garp" % (place, uplink),
                 "out-%s=%s:to-cn" % (place, uplink),
                 "news-%s=%s:mgmt:tcp=%s"
                 % (place, vmmob.lab.hypervisors["C"].ns.name,
                    site.management)]
    taps.append("rewritten=%s:C-uplink:to-vmn" % vmmob.lab.network.name)
    vmmob.reset()
    moved = handover.measure(ctx, vmmob, 10 if ctx.quick else 200, taps=taps)
    case = "vmmob, step by step: "
    for key, text in (
            ("garp", "gratuitous ARP on the uplink"),
            ("out", "first packet of the VMN on the uplink"),
            ("news", "the database's news reaches the correspondent's site"),
            ("rewritten", "first packet to the new MoA on its uplink"),
            ("t1", "that packet arrives at the VMN")):
        ctx.record(PART, case + text,
                   [_ms(each[key + "-" + each["to"]
                             if key in ("garp", "out", "news") else key])
                    for each in moved])


def _scale(ctx, vmmob):
    """More and more known VMNs and megaflows."""
    hvs = vmmob.lab.hypervisors
    known = load.Known(hvs["A"])
    megaflows = [load.Megaflows(hv) for hv in hvs.values()]
    for vmns in VMNS:
        if vmns > 1:
            known.add(vmns)
        for n in MEGAFLOWS:
            if ctx.quick and (vmns, n) not in ((1, 10000), (1000, 0)):
                continue
            for each in megaflows:
                each.make(n)
            vmmob.reset()
            case = _scale_name(vmns, n)
            moves = (10 if ctx.quick else 1000 if (vmns, n) in CORNERS
                     else 200)
            moved = []
            for _ in range(0, moves, CHUNK):
                for each in megaflows:
                    each.keep()
                moved += handover.measure(ctx, vmmob, min(moves, CHUNK))
            have = min(each.count() for each in megaflows)
            note = ""
            if n:
                note = "%d or more megaflows at the end" % have
            _record(ctx, case, moved, note)
            ctx.say(case)
            if have < n * 0.95:
                ctx.say("note: only %d megaflows are left" % have)
            if (vmns, n) in PREPARED_SCALE:
                _prepared_scale(ctx, vmmob, megaflows, vmns, n)
    _goals_scale(ctx)
    if not ctx.quick:
        ctx.curves("latency-scale", "a VMN moves: first packet to arrive "
                   "there", PART,
                   [_scale_name(vmns, n) + ", t1" for vmns, n in
                    ((1, 0), (1000, 0), (100000, 0), (1, 100000),
                     (100000, 100000))])


def _prepared_scale(ctx, vmmob, megaflows, vmns, n):
    """The same, prepared."""
    # With megaflows each takes seconds.
    moves = 10 if ctx.quick else 100 if n else 200
    moved = []
    for _ in range(0, moves, CHUNK):
        for each in megaflows:
            each.keep()
        moved += vmmob.measure_prepared(min(moves, CHUNK),
                                        wait=n > 0,
                                        interval=INTERVAL_PREPARED)
    case = _scale_name(vmns, n, True)
    have = min(each.count() for each in megaflows)
    _record(ctx, case, moved,
            "%d or more megaflows at the end" % have if n else "")
    ctx.record(PART, case + ", t1 without copies",
               [_ms(each["t1_direct"]) for each in moved],
               note="probes 1 ms apart")
    ctx.say(case)


def _scale_name(vmns, n, prepared=False):
    return ("vmmob{}, {:,} VMNs known, {:,} megaflows"
            .format(", prepared" if prepared else "", vmns, n))


def _goals_scale(ctx):
    for (vmns, n), limits, prepared in (
            (CORNERS[0], (1, 3), False), (CORNERS[0], (1, 3), True),
            (CORNERS[1], (None, 10), False), (CORNERS[1], (None, 10), True)):
        name = _scale_name(vmns, n, prepared)
        if (PART, name + ", t1") not in ctx.cases:
            continue
        for which in "t1", "t2":
            case = _case(ctx, name, which)
            for p, limit in zip((50, 99), limits):
                if limit:
                    ctx.goal_below("%s: %s, p%d below %d ms"
                                   % (name, which, p, limit), case.p(p),
                                   limit, "ms")


def _record(ctx, case, moved, note=""):
    for which in "t1", "t2":
        ctx.record(PART, "%s, %s" % (case, which),
                   [_ms(each[which]) for each in moved], note=note)


def _case(ctx, name, which):
    return ctx.cases[PART, "%s, %s" % (name, which)]


def _goal_ratio(ctx, text, other, ours, factor):
    ratio = other / ours if other and ours else None
    ctx.goal(text, "%.1f times" % ratio if ratio else "not measured",
             ratio is not None and ratio >= factor)


def _ms(us):
    return None if us is None else us / 1000
