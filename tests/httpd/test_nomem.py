# SPDX-License-Identifier: Apache-2.0
"""R02, inside httpd: each allocation that the module or one of its libraries
asks for fails in turn, over what clients and admins do (acts.py). What was
asked for is whole or refused, the next is whole, the child is the same, and
nothing stays behind; S-02: nobody is let in."""
import os
import random
import subprocess
import time

import pytest

from acts import ACTS, LOCATIONS, World
from env import build
from env.admin import LOCATION, metric
from env.polling import until

SOAK = bool(os.environ.get("BL_SOAK"))
IS_ASAN = "asan" in (build.sanitizer() or "")
pytestmark = [
    pytest.mark.server(locations=LOCATION + LOCATIONS, nomem=True,
                       children=1, threads=16),
    # What fails stands before what a sanitizer has in front of the C library.
    pytest.mark.skipif(build.is_crawling(), reason="an allocator of its own")]
POINTS = 3  # of an act's allocations, when there is little time
MANY = 20   # failures are enough to look at
MARGIN = 4  # what threads of the background may ask for besides
# What is logged of a shortage.
SAID = ("BL1001", "BL1302", "BL1304", "BL1407")


def perform(env, name, failure=None):
    """One run; what was refused."""
    world = World(env, failure is None)
    steps = ACTS[name](world)
    next(steps)
    if failure is not None:
        with failure:
            next(steps, None)
    finish(steps)
    return world.refused


def finish(steps):
    for _ in steps:
        pass


def where(mem):
    """The callers of the allocation that failed, as source lines."""
    lines = []
    for line in mem.callers().splitlines():
        place, _, symbol = line.partition(" ")
        name, _, offset = place.partition("+")
        if name == os.path.basename(build.MODULE):
            place = subprocess.run(
                ["addr2line", "-fse", build.MODULE, offset],
                capture_output=True, text=True, check=False).stdout.replace(
                    "\n", " ")
        lines.append("    %s %s" % (place, symbol))
    return "\n".join(lines)


def allocations(env, name):
    perform(env, name)  # the first time something is loaded
    mem = env.server.nomem
    perform(env, name, mem.counts())
    return mem.seen


def points(count):
    if SOAK:
        return range(1, count + MARGIN)
    return sorted({1 + count * n // POINTS for n in range(POINTS)})


# --- what stays behind ---------------------------------------------------------
SLACK = 12  # descriptors: connections to upstreams and the database are kept


def assert_nothing_stays(env, before):
    """I2, I7: every stream has its one outcome, no place is taken."""
    until(lambda: metric(env, "streams_live") == 0, 60, "the last stream")
    assert metric(env, "streams_started_total") == \
        metric(env, "streams_ended_total")
    until(lambda: env.server.descriptors() <= before + SLACK, 60,
          "the descriptors of the base line")
    if IS_ASAN:
        assert not env.server.nomem.look_for_leaks(
            lambda: metric(env, "children")), "leaks: see the report"


class Runs:
    """Runs without memory, each with one behind it that has all it needs. All
    that was wrong is told at the end."""

    def __init__(self, env):
        env.allow_log(*SAID)
        self.env = env
        self.child = env.server.children()
        self.before = env.server.base_line()
        self.wrong = []

    def run(self, name, failure, what):
        try:
            perform(self.env, name, failure)
            perform(self.env, name)
            assert self.env.server.children() == self.child
        except (AssertionError, OSError, ValueError, EOFError) as error:
            self.wrong.append("%s, %s: %r\n%s" % (
                name, what, error, where(self.env.server.nomem)))

    @property
    def is_pointless(self):
        """To go on."""
        return len(self.wrong) > MANY or (
            self.wrong and self.env.server.children() != self.child)

    def end(self):
        assert not self.wrong, "\n".join(self.wrong)
        assert_nothing_stays(self.env, self.before)


@pytest.mark.parametrize("name", ACTS)
def test_r02_without_memory_it_is_whole_or_refused(env, name):
    count = allocations(env, name)
    runs = Runs(env)
    for number in points(count):
        runs.run(name, env.server.nomem.fails(number),
                 "allocation %d" % number)
        if runs.is_pointless:
            break
    runs.end()


# --- by chance -------------------------------------------------------------------
SEED = int(os.environ.get("BL_NOMEM_SEED", 1))
SECONDS = float(os.environ.get("BL_NOMEM_SECONDS", 600)) if SOAK else 0
LEAST_RUNS = 40


def test_r02_one_allocation_in_a_hundred_fails(env):
    """Several of one act, or none: what follows a failure fails, too."""
    for name in ACTS:
        perform(env, name)
    runs, rng = Runs(env), random.Random(SEED)
    count, ends_at = 0, time.monotonic() + SECONDS
    while not runs.is_pointless and (
            count < LEAST_RUNS or time.monotonic() < ends_at):
        name, seed = rng.choice(list(ACTS)), rng.getrandbits(31)
        count += 1
        runs.run(name, env.server.nomem.at_random(seed),
                 "run %d, seed %d" % (count, seed))
    runs.end()
