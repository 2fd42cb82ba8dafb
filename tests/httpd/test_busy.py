# SPDX-License-Identifier: Apache-2.0
"""A machine that has something else to do: fault-matrix.md 1.7, P17. The long
form has the matrix's quarter of an hour, and measures the heartbeats."""
import concurrent.futures
import contextlib
import os
import re
import subprocess
import sys
import threading
import time

import pytest

from answers import TEA, assert_answer, last, piece
from env import build
from env.admin import LI, LOCATION
from env.polling import until
from test_modes import modes

SOAK = bool(os.environ.get("BL_SOAK"))
SECONDS, BEAT_MS = (900, 1000) if SOAK else (3, 200)
SPIN = "while True: pass"
WAITING = 8
LATE = "BL1501"  # the reactor is late, and says so
LONG = LOCATION + """
<Location "/long">
    SetHandler bailian-sse
    BailianAnonymous on
    BailianStreamTimeout 2h
    BailianGapTimeout 2h
    BailianHeartbeat %dms
    BailianMaxStreamsPerPrincipal 1
</Location>
""" % BEAT_MS


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


class Listeners:
    """A thread for each stream notes when its heartbeats come."""

    def __init__(self, streams):
        self.streams = streams
        self.is_over = threading.Event()
        self.pool = concurrent.futures.ThreadPoolExecutor(len(streams))
        self.running = [self.pool.submit(self._listen, stream)
                        for stream in streams]

    def _listen(self, stream):
        while not self.is_over.is_set():
            stream.read_comments(len(stream.comments) + 1)

    def stop(self):
        """Each after the next one. What failed is said here."""
        self.is_over.set()
        for future in self.running:
            future.result()
        self.pool.shutdown()

    def late_ms(self):
        """How long after the interval each heartbeat came, sorted."""
        found = []
        for stream in self.streams:
            at = [when for when, _ in stream.comments]
            found += [(b - a) * 1e3 - BEAT_MS for a, b in zip(at, at[1:])]
        return sorted(found)


def say(env, asked, late):
    """What the reactor said of itself: each line counts those before it."""
    times = [re.search(r"took (\d+) ms \((\d+) such", line).groups()
             for line in env.log.lines(LATE)]
    print("\nP17: %d s, %d asked; a heartbeat each %d ms, late by %.0f ms at "
          "p99, %.0f at most; %d late turns or more, %d ms at most" % (
              SECONDS, asked, BEAT_MS, late[len(late) * 99 // 100], late[-1],
              sum(int(count) for _, count in times),
              max((int(ms) for ms, _ in times), default=0)))


def live(env):
    text = env.get("/bailian-admin/metrics", LI).body.decode()
    return sum(int(line.split()[1]) for line in text.splitlines()
               if line.startswith("bailian_streams_live{"))


def assert_at_limit(env, number):
    refused = env.ask(base="/long", user="p17-%d" % number, seconds=120)
    assert (refused.status, refused.code) == (429, "rate_limited")


def is_answered(env, number):
    stream = env.ask(base="/long", user="p17-%d" % number, seconds=120)
    if stream.status == 429:
        return False
    assert_answer(stream)
    return True


@modes("event", "event-sync")
@pytest.mark.server(locations=LONG)
def test_p17_busy_core_stops_nothing(env, capsys):
    """Streams that wait have their heartbeats, those that are asked for get
    their answers, limits hold, and who waited gets his to the end."""
    env.allow_log(LATE)
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": "go"},
                          last(*TEA[2:])])
    waiting = [env.ask_open(base="/long", user="p17-%d" % n, seconds=120)
               for n in range(WAITING)]
    for stream in waiting:
        stream.read(stop_after=2)
    env.bailian.say(*TEA)
    with one_busy_core(env):
        listeners = Listeners(waiting)
        ends, asked = time.monotonic() + SECONDS, 0
        while time.monotonic() < ends or not asked:
            assert_answer(env.ask(user="beside-%d" % (asked % 8),
                                  seconds=120))
            assert_at_limit(env, asked % WAITING)
            asked += 1
        # Ten at the least for each, however late: nobody was forgotten.
        until(lambda: min(len(s.comments) for s in waiting) >= 10, 120,
              "the heartbeats")
        listeners.stop()
    late = listeners.late_ms()
    with capsys.disabled():
        say(env, asked, late)
    assert not SOAK or late[-1] <= 2 * BEAT_MS
    env.bailian.release("go")
    for stream in waiting:
        assert_answer(stream.read(seconds=120))
    until(lambda: live(env) == 0, 60, "the end of all streams")
    for number in range(WAITING):
        until(lambda: is_answered(env, number), 60, "his place again")
