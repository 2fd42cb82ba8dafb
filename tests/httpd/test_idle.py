# SPDX-License-Identifier: Apache-2.0
"""Streams that wait for their upstream: fault-matrix.md 1.8, R09. The long
form has the matrix's interval and as many streams as one client can open."""
import contextlib
import os
import resource
import selectors
import sqlite3
import time

import pytest

from answers import TEA, assert_answer, last, piece
from env.polling import until

SOAK = bool(os.environ.get("BL_SOAK"))
STREAMS, BEAT_S, BEATS = (8000, 15, 4) if SOAK else (120, 1, 4)
SIZE = {"children": 2, "threads": 64, "factor": 100} if SOAK else {
    "children": 2}
WINDOWS = 10  # the store tidies up now and then, not in each of them
IDLE = """
<Location "/idle">
    SetHandler bailian-sse
    BailianAnonymous on
    BailianStreamTimeout 2h
    BailianGapTimeout 2h
    BailianHeartbeat %ds
</Location>
""" % BEAT_S
if SOAK:
    HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (HARD, HARD))


@contextlib.contextmanager
def witness(env):
    """Counts what anybody else commits to the database."""
    path = "file:%s?mode=ro" % env.server.path("data", "bailian.db")
    with contextlib.closing(sqlite3.connect(path, uri=True)) as base:
        yield lambda: base.execute("PRAGMA data_version").fetchone()[0]


def read_beats(streams):
    """So many of each, each read as it comes: when those had been read that
    had come before."""
    begun = time.monotonic()
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            selector.register(stream.conn.sock, selectors.EVENT_READ,
                              (stream, len(stream.comments) + BEATS))
        while selector.get_map():
            ready = selector.select(120)
            assert ready, "no heartbeats any more"
            for key, _ in ready:
                stream, enough = key.data
                stream.read_comments(len(stream.comments) + 1)
                while stream.conn.inbox:  # they came together
                    stream.read_comments(len(stream.comments) + 1)
                if len(stream.comments) >= enough:
                    selector.unregister(key.fileobj)
    return begun + BEAT_S / 2


def off_ms(streams, since):
    """How far from the interval two heartbeats were, sorted."""
    found = []
    for stream in streams:
        at = [when for when, _ in stream.comments if when > since]
        found += [abs(b - a - BEAT_S) * 1e3 for a, b in zip(at, at[1:])]
    return sorted(found)


@pytest.mark.server(locations=IDLE, **SIZE)
def test_r09_heartbeats_of_idle_streams_write_nothing(env, capsys):
    env.allow_log("BL1501")
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": "go"},
                          last(*TEA[2:])])
    streams = [env.ask_open(base="/idle", user="r09-%d" % n, seconds=300)
               for n in range(STREAMS)]
    for stream in streams:
        stream.read(stop_after=2)
    for stream in streams:
        until(lambda: env.stored_seq(stream) >= 2, 60, "the stored events")
    with witness(env) as commits:
        for _ in range(WINDOWS):
            before = commits()
            since = read_beats(streams)
            if commits() == before:
                break
        else:
            raise AssertionError("each beat comes with something written")
    late = off_ms(streams, since)
    with capsys.disabled():
        print("\nR09: %d streams, a heartbeat each %d s: %d ms off at p99, "
              "%d ms at most" % (STREAMS, BEAT_S, late[len(late) * 99 // 100],
                                 late[-1]))
    assert not SOAK or late[-1] <= 1000
    env.bailian.release("go")
    for stream in streams:
        assert_answer(stream.read(seconds=120))
