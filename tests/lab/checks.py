# SPDX-License-Identifier: Apache-2.0
"""What a case of a test must find."""

BOUND = 30              # Seconds for what takes one, as TCG is slow.


class Failure(Exception):
    """Something is not as it must be."""


def must(condition, text):
    if not condition:
        raise Failure(text)
