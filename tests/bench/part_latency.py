# SPDX-License-Identifier: Apache-2.0
"""Part latency: what a handover takes, without a guest."""

import os

import systems


def run(ctx):
    with systems.Vmmob(ctx, os.path.join(ctx.directory, "vmmob")):
        ctx.say("up")
