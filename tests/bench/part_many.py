# SPDX-License-Identifier: Apache-2.0
"""Part many: a hypervisor is evacuated, all its VMNs move at once."""

import os

import handover
import systems

PART = "many"
PORTS = 10              # Of each hypervisor, over which VMNs are spread.

# How many VMNs, and the time between probes to one and from one, in us: as
# many in all as these switches and the prober can handle on two CPUs.
CASES = ((10, 10000, 50000), (100, 10000, 100000), (1000, 100000, 200000))
MANY = 1000             # From here on preparation takes long.
LIMIT = 250             # For the last of 1,000, in ms.


def run(ctx):
    with systems.Vmmob(ctx, os.path.join(ctx.directory, "many"),
                       ports=PORTS) as vmmob:
        with systems.L2(ctx, os.path.join(ctx.directory, "many-l2"),
                        ports=PORTS) as l2:
            # The limits are for each port, and meant for few VMNs.
            vmmob.limit(False)
            for case in CASES[:2] if ctx.quick else CASES:
                _measure(ctx, (vmmob, l2), *case)
    if not ctx.quick:
        for how in "vmmob", "vmmob, prepared", "vmmob, prepared, no copies":
            for which in "t1", "t2":
                case = ctx.cases[PART, "%s, 1,000 VMNs: last %s"
                                 % (how, which)]
                lost = None in case.samples
                ctx.goal_below("1,000 VMNs at once: %s: last %s within %d ms "
                               "(median)" % (how, which, LIMIT),
                               None if lost else case.p(50), LIMIT, "ms")


def _measure(ctx, compared, n, interval, interval_cn):
    rounds = 1 if ctx.quick else 4
    note = "%d ports, without limits of packets to look at" % PORTS
    for i in range(rounds):
        for system in compared:
            what = "%s, {:,} VMNs: %%s".format(n) % system.name
            # Alternately with more probes to those not reached yet, for when
            # the last was reached, and with even ones, for what is lost.
            for hurry in True, False:
                system.reset()
                # Each round begins at A: move there and back in two.
                moved = handover.measure(
                    ctx, system, 1 if system.name != "vmmob" else 2, n,
                    interval, interval_cn, pause=500000, hurry=hurry)
                if hurry:
                    _record_times(ctx, what, moved, n, note)
                else:
                    ctx.record(PART, what % "pings lost per VMN",
                               [each["lost"] for each in moved], unit="pings",
                               note="one every %g ms" % (interval / 1000))
        # All VMNs are prepared before each move, which takes longer.
        if n < MANY or i < 2:
            _measure_prepared(ctx, compared[0], n, interval, interval_cn, note)
        ctx.say("{:,} VMNs: round %d of %d".format(n) % (i + 1, rounds))


def _measure_prepared(ctx, vmmob, n, interval, interval_cn, note):
    """A round of moves of VMNs that are expected where they go."""
    for copies in True, False:
        what = "vmmob, prepared%s, {:,} VMNs: %%s".format(n) % (
            "" if copies else ", no copies")
        vmmob.reset()
        vmmob.copy(copies)
        moved = vmmob.measure_prepared(2, n, interval=interval,
                                       interval_cn=interval_cn, pause=500000,
                                       hurry=True)
        _record_times(ctx, what, moved, n, note)
        if copies:
            moved = vmmob.measure_prepared(2, n, interval=interval,
                                           interval_cn=interval_cn,
                                           pause=500000)
            ctx.record(PART, what % "pings lost per VMN",
                       [each["lost"] for each in moved], unit="pings",
                       note="one every %g ms" % (interval / 1000))
    vmmob.copy(True)


def _record_times(ctx, what, moved, n, note):
    for which in "t1", "t2":
        ctx.record(PART, what % ("each " + which),
                   [None if each[which] is None else each[which] / 1000
                    for each in moved], note=note)
        last = handover.last(moved, which)
        ctx.record(PART, what % ("last " + which), last, note=note)
        ctx.record(PART, what % ("handovers per second, by " + which),
                   [time and n / time * 1000 for time in last],
                   unit="1/s", note=note)
