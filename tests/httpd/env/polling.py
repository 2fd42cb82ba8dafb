# SPDX-License-Identifier: Apache-2.0
"""polling - waiting for a condition, never for a time."""
import time

from . import build

FACTOR = 5 if build.is_slow() else 1
LEAST_S = 20  # a deadline ends what hangs; a busy machine is no failure


def until(condition, seconds=10.0, what="the condition"):
    """The first true value of condition(); AssertionError at the deadline."""
    deadline = time.monotonic() + max(seconds, LEAST_S) * FACTOR
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, "%s never came" % what
        time.sleep(0.005)
