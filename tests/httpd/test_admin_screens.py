# SPDX-License-Identifier: Apache-2.0
"""A07: many screens show the live page at once."""
import datetime
import os
import resource
import threading
import time

import pytest

from answers import TEA, assert_answer, piece
from env.admin import LI, LOCATION
from env.polling import until

SOAK = bool(os.environ.get("BL_SOAK"))
# Screens, streams, events of each screen: `build/test --soak` has all.
SCREENS, STREAMS, UPDATES = (20, 4000, 25) if SOAK else (6, 24, 4)
ROWS = 100
ROW_BYTES = 1024
LEAST_GAP_MS = 490      # between two events: 500 ms, to the millisecond twice
SIZE = {"children": 2, "threads": 32, "factor": 100} if SOAK else {
    "children": 2}
pytestmark = [pytest.mark.own_server,
              pytest.mark.server(locations=LOCATION, **SIZE)]
if SOAK:
    HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (HARD, HARD))


class Screen(threading.Thread):
    """Reads the feed until it has had so many events; judged afterwards."""

    def __init__(self, env):
        super().__init__(daemon=True)
        self.stream = env.sse_open(
            "/bailian-admin/api/live/events?limit=%d" % ROWS, headers=LI,
            seconds=120)
        self.events, self.times = [], []

    def run(self):
        while len(self.events) < UPDATES:
            event = self.stream.next(60)
            if event is None:
                return
            self.events.append(event)
            self.times.append(time.monotonic())
        self.stream.close()

    def told_at_ms(self):
        return [datetime.datetime.fromisoformat(
            e.json["at"].replace("Z", "+00:00")).timestamp() * 1e3
            for e in self.events]

    def judge(self):
        assert len(self.events) == UPDATES, self.stream.ended
        assert [e.event for e in self.events] == ["snapshot"] + ["change"] * (
            UPDATES - 1)
        at = self.told_at_ms()
        assert min(b - a for a, b in zip(at, at[1:])) >= LEAST_GAP_MS, at
        for event in self.events:
            assert len(event.json.get("items", [])) <= ROWS
            assert len(event.data) <= (ROWS + 10) * ROW_BYTES
        assert self.events[-1].json["total"] >= STREAMS

    def silences_ms(self):
        return [(b - a) * 1e3 for a, b in zip(self.times, self.times[1:])]


def start_streams(env):
    """Streams that go on while somebody looks."""
    env.bailian.scenario([piece(TEA[0]), {"repeat": {
        "times": -1, "interval": 2, "steps": [piece(TEA[1])]}}])
    streams = [env.ask_open(user="screen-%d" % n, seconds=120)
               for n in range(STREAMS)]
    assert {s.status for s in streams} == {200}
    return streams


def longest_turn_ms(env):
    found = env.get("/bailian-admin/api/overview", LI).json()
    return max(c["turnLongestMs"] for c in found["children"])


def test_a07_screens_are_told_at_their_pace_and_streams_go_on(env, capsys):
    streams = start_streams(env)
    env.allow_log("BL1501")  # thousands that leave at once
    before = longest_turn_ms(env)
    screens = [Screen(env) for _ in range(SCREENS)]
    assert {s.stream.status for s in screens} == {200}
    for screen in screens:
        screen.start()
    env.bailian.say(*TEA)
    assert_answer(env.ask(user="beside", seconds=60))
    for screen in screens:
        screen.join(300)
        assert not screen.is_alive()
    for screen in screens:
        screen.judge()
    silences = sorted(x for s in screens for x in s.silences_ms())
    with capsys.disabled():
        print("\nA07: %d screens, %d streams: silence p50 %d ms, longest %d "
              "ms; largest event %d bytes; longest turn %d ms, before %d ms" % (
                  SCREENS, STREAMS, silences[len(silences) // 2],
                  silences[-1], max(len(e.data) for s in screens
                                    for e in s.events),
                  longest_turn_ms(env), before))
    assert_answer(env.ask(user="beside", seconds=60))
    for stream in streams:
        stream.close()


def test_a07_screens_that_close_leave_nothing_behind(env):
    assert Screen(env).stream.next(60).event == "snapshot"
    before = env.server.base_line()
    for _ in range(3):
        screens = [Screen(env) for _ in range(20)]
        assert {s.stream.status for s in screens} == {200}
        for screen in screens:
            screen.stream.close()
    until(lambda: env.server.descriptors() <= before + 12, 60, "closed feeds")
    assert Screen(env).stream.next(60).event == "snapshot"
