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
from env.admin import LI, LOCATION
from env.polling import until

SOAK = bool(os.environ.get("BL_SOAK"))
IS_ASAN = "asan" in (build.sanitizer() or "")
pytestmark = [
    pytest.mark.server(locations=LOCATION + LOCATIONS, nomem=True,
                       children=1, threads=16),
    # What fails stands before what a sanitizer has in front of the C library.
    pytest.mark.skipif(build.is_crawling(), reason="an allocator of its own")]
POINTS = 3  # of an act's allocations, when there is little time
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
            starve(world, steps)
    finish(steps)
    return world.refused


def starve(world, steps):
    """A parked reader for whom there is not even a head loses its connection:
    his client asks again."""
    try:
        next(steps, None)
    except AssertionError as error:
        if str(error) not in ("no response: fin", "no response: fin, b''"):
            raise
        world.refused.append("internal")
        world.release()


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


def number_of(env, name):
    """The sum of a metric over its labels."""
    lines = env.get("/bailian-admin/metrics", LI).body.decode().splitlines()
    found = [line.rsplit(" ", 1) for line in lines]
    return sum(float(value) for series, value in found
               if series.split("{")[0] == "bailian_" + name)


def assert_nothing_stays(env, before):
    """I2, I7: every stream has its one outcome, no place is taken."""
    until(lambda: number_of(env, "streams_live") == 0, 60, "the last stream")
    assert number_of(env, "streams_started_total") == \
        number_of(env, "streams_ended_total")
    until(lambda: env.server.descriptors() <= before + SLACK, 60,
          "the descriptors of the base line")
    if IS_ASAN:
        assert not env.server.nomem.look_for_leaks(
            lambda: number_of(env, "children")), "leaks: see the report"


@pytest.mark.parametrize("name", ACTS)
def test_r02_without_memory_it_is_whole_or_refused(env, name):
    env.allow_log(*SAID)
    mem, child = env.server.nomem, env.server.children()
    count = allocations(env, name)
    before, wrong = env.server.base_line(), []
    for number in points(count):
        try:
            perform(env, name, mem.fails(number))
            perform(env, name)
            assert env.server.children() == child
        except (AssertionError, OSError, ValueError, EOFError) as error:
            wrong.append("%s, allocation %d: %r\n%s" % (
                name, number, error, where(mem)))
            if env.server.children() != child:
                break
    assert not wrong, "\n".join(wrong)
    assert_nothing_stays(env, before)


# --- by chance -------------------------------------------------------------------
SEED = int(os.environ.get("BL_NOMEM_SEED", 1))
SECONDS = float(os.environ.get("BL_NOMEM_SECONDS", 600)) if SOAK else 0
LEAST_RUNS = 40


def test_r02_one_allocation_in_a_hundred_fails(env):
    """Several of one act, or none: what follows a failure fails, too."""
    env.allow_log(*SAID)
    mem, child = env.server.nomem, env.server.children()
    for name in ACTS:
        perform(env, name)
    before, rng, wrong = env.server.base_line(), random.Random(SEED), []
    runs, ends_at = 0, time.monotonic() + SECONDS
    while runs < LEAST_RUNS or time.monotonic() < ends_at:
        name, seed = rng.choice(list(ACTS)), rng.getrandbits(31)
        runs += 1
        try:
            perform(env, name, mem.at_random(seed))
            perform(env, name)
            assert env.server.children() == child
        except (AssertionError, OSError, ValueError, EOFError) as error:
            wrong.append("%s, seed %d: %r\n%s" % (
                name, seed, error, where(mem)))
            if env.server.children() != child or len(wrong) > 20:
                break
    assert not wrong, "%d runs\n%s" % (runs, "\n".join(wrong))
    assert_nothing_stays(env, before)
