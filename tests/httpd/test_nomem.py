# SPDX-License-Identifier: Apache-2.0
"""R02, inside httpd: each allocation that the module or one of its libraries
asks for fails in turn, over what clients and admins do (acts.py). What was
asked for is whole or refused, the next is whole, the child is the same, and
nothing stays behind; S-02: nobody is let in."""
import os
import subprocess

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
POINTS = 4  # of an act's allocations, when there is little time
MARGIN = 4  # what threads of the background may ask for besides
# What is logged of a shortage.
SAID = ("BL1001", "BL1302", "BL1304", "BL1407")


def perform(env, name, failure=None):
    """One run; what was refused."""
    world = World(env, failure is None)
    steps = ACTS[name](world)
    next(steps)
    if failure is None:
        finish(steps)
    else:
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
        except AssertionError as error:
            wrong.append("%s, allocation %d: %s\n%s" % (
                name, number, str(error)[:600], where(mem)))
            if env.server.children() != child:
                break
    assert not wrong, "\n".join(wrong)
    assert_nothing_stays(env, before)
