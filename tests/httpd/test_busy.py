# SPDX-License-Identifier: Apache-2.0
"""A machine that has something else to do: fault-matrix.md 1.7, P17."""
import contextlib
import os
import subprocess
import sys
import time

import pytest

from answers import TEA, assert_answer, last, piece
from env import build
from env.polling import until
from test_modes import modes

SOAK = bool(os.environ.get("BL_SOAK"))
SECONDS = 900 if SOAK else 3
SPIN = "while True: pass"


def pin(pid, core):
    """All threads of a process on one core; new ones come there too."""
    for name in os.listdir("/proc/%d/task" % pid):
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(name), {core})


@contextlib.contextmanager
def one_busy_core(env, loops=3):
    """The server has one core, and that has more to do than there is of it."""
    core = min(os.sched_getaffinity(0))
    cores = os.sched_getaffinity(0)
    pids = [env.server.process.pid] + env.server.children()
    spinning = []
    try:
        for pid in pids:
            pin(pid, core)
        for _ in range(loops):
            process = subprocess.Popen(
                build.DIES_WITH_US + [sys.executable, "-c", SPIN])
            spinning.append(process)
            os.sched_setaffinity(process.pid, {core})
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()
        for pid in pids:
            for name in os.listdir("/proc/%d/task" % pid):
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(int(name), cores)


@modes("event", "event-sync")
@pytest.mark.server(locations='<Location "/long">\nSetHandler bailian-sse\n'
                    "BailianAnonymous on\nBailianStreamTimeout 2h\n"
                    "BailianGapTimeout 2h\nBailianHeartbeat 200ms\n"
                    "</Location>")
def test_p17_busy_core_stops_nothing(env):
    """Streams that wait have their heartbeats, those that are asked for get
    their answers, and who waited gets his to the end."""
    env.allow_log("BL1501")  # the reactor is late, and says so
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": "go"},
                          last(*TEA[2:])])
    waiting = [env.ask_open(base="/long", user="p17-%d" % n, seconds=120)
               for n in range(8)]
    for stream in waiting:
        stream.read(stop_after=2)
    env.bailian.say(*TEA)
    with one_busy_core(env):
        ends, asked = time.monotonic() + SECONDS, 0
        while time.monotonic() < ends or not asked:
            assert_answer(env.ask(user="beside-%d" % (asked % 8),
                                  seconds=120))
            asked += 1
        # Ten at the least for each, however late: nobody was forgotten.
        for stream in waiting:
            until(lambda: beats_of(stream) >= 10, 120, "the heartbeats")
    env.bailian.release("go")
    for stream in waiting:
        assert_answer(stream.read(seconds=120))


def beats_of(stream):
    stream.read_for(0.05)
    return len(stream.comments)
