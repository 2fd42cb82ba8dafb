# SPDX-License-Identifier: Apache-2.0
"""The clocks of the chat dialect as they are when no directive says anything:
dialects.md 1. What time is, the library of env/faults.py says: nobody waits.

A clock is shown to have stood still where the machine was quick enough to
tell; that it rings is waited for.
"""
import time

import pytest

from answers import (ENDED_BADLY, TEA, TEA_BEGIN, assert_answer,
                     assert_failure, last, piece)
from env.admin import LOCATION, Admin
from env.polling import until

LOCATIONS = LOCATION + """
<Location "/backing-off">
    SetHandler bailian-sse
    BailianAnonymous on
    BailianRetry exponential
</Location>
<Location "/quickly-backing-off">
    SetHandler bailian-sse
    BailianAnonymous on
    BailianRetry exponential 3 40ms
</Location>
"""
pytestmark = pytest.mark.server(faults=True, children=1, locations=LOCATIONS)
TICK_S = 0.05


class Clock:
    """The one of all streams; none may be late at what it cannot help."""

    def __init__(self, env):
        self.env = env
        self.faults = env.server.faults
        self.began = time.monotonic()

    def is_true(self, seconds=3):
        """Has less than that passed by itself since the test began?"""
        return time.monotonic() - self.began < seconds

    def forward(self, seconds):
        """So much passes at once, and the reactor has a reason to look."""
        self.faults.set("boot_ms",
                        self.faults.get("boot_ms") + int(seconds * 1000))
        until(lambda: self.env.ask(user="other", app="neighbour",
                                   seconds=60).is_completed, 20,
              "a reactor that turns")


@pytest.fixture
def clock(env):
    # It was never that late; and upstreams that stall end badly.
    env.allow_log("BL1501", ENDED_BADLY)
    yield Clock(env)
    env.server.faults.clear()


def stop(env, stream):
    env.delete("/bailian/streams/%s?userId=u1" % stream.stream_id)
    stream.read()


def timeline(env, stream, what):
    """Lines of that kind, of a stream that lives or has ended."""
    found = Admin(env).get("streams/" + stream.stream_id).json()["timeline"]
    return [line for line in found if line["what"] == what]


# --- heartbeats -------------------------------------------------------------
def test_heartbeat_before_the_first_content_comes_every_3_s(env, clock):
    env.bailian.scenario([{"barrier": "go"}, last(*TEA)])
    stream = env.ask_open()
    stream.next()
    for _ in range(3):
        seen = len(stream.heartbeats)
        clock.forward(3)
        while len(stream.heartbeats) == seen:
            stream.next()
    env.bailian.release("go")
    assert_answer(stream.read())


def test_heartbeat_after_it_is_a_comment_after_15_s(env, clock):
    env.bailian.scenario([piece(TEA[0]), {"barrier": "go"}, last(*TEA[1:])])
    stream = env.ask_open()
    stream.next_content()
    clock.forward(11)
    is_early = clock.is_true()
    clock.forward(5)
    stream.read_comments(1)
    env.bailian.release("go")
    assert_answer(stream.read())
    assert len(stream.comments) == 1 or not is_early


# --- U10, U12, U29: what an upstream may take --------------------------------
def test_u10_first_content_may_take_30_s(env, clock):
    env.bailian.scenario("u10-no-content")
    stream = env.ask_open(app=env.fresh_app())
    env.bailian.request()
    stream.next()
    clock.forward(25)
    if clock.is_true():
        assert env.bailian.request()["state"] == "open"
    clock.forward(6)
    failed = until(lambda: timeline(env, stream, "failed"), 20, "its end")
    assert failed[0]["class"] == "upstream_first_timeout"
    stop(env, stream)


def test_u12_silence_in_mid_answer_may_take_60_s(env, clock):
    env.bailian.scenario([piece(*TEA[:2]), {"stall": True}])
    stream = env.ask_open(app=env.fresh_app())
    stream.read(stop_after=2)
    clock.forward(55)
    if clock.is_true():
        assert env.bailian.request()["state"] == "open"
    clock.forward(6)
    assert_failure(stream.read(), "upstream_stalled", TEA_BEGIN, "timeout")


def test_u29_whole_answer_may_take_15_min(env, clock):
    tick = {"repeat": {"times": -1, "interval": TICK_S,
                       "steps": [piece(TEA[0])]}}
    env.bailian.scenario([tick])
    stream = env.ask_open(app=env.fresh_app(), seconds=60)
    for _ in range(17):  # 850 s
        seen = env.state(stream).json()["events"]
        until(lambda: env.state(stream).json()["events"] > seen, 20, "more")
        clock.forward(50)
    if clock.is_true(30):
        assert env.state(stream).json().get("outcome") in (None, "live", "")
    clock.forward(50)
    stream.read()
    assert stream.code == "timeout" and set(stream.text) == set(TEA[0])
    assert stream.end.field("finishReason") == "timeout"


# --- retry ------------------------------------------------------------------
def pauses(env, stream):
    return [line["n"] for line in timeline(env, stream, "retry")]


def test_retry_is_tried_again_3_times_2_s_apart(env, clock):
    env.bailian.scenario("u08-500")
    stream = env.ask_open(app=env.fresh_app())
    for number in (1, 2, 3):
        until(lambda: len(pauses(env, stream)) >= number, 20, "the failure")
        clock.forward(2)
    assert_failure(stream.read(), "upstream_unavailable")
    assert pauses(env, stream) == [2000, 2000, 2000]
    assert env.ended(stream)["attempts"] == 4


def test_retry_that_backs_off_begins_with_1_s(env, clock):
    env.bailian.scenario("u08-500")
    stream = env.ask_open(base="/backing-off", app=env.fresh_app())
    found = until(lambda: pauses(env, stream), 20, "the failure")
    assert 500 <= found[0] <= 1000
    stop(env, stream)


def test_retry_that_backs_off_doubles_with_jitter(env, clock):
    env.bailian.scenario("u08-500")
    seen = []
    for _ in range(2):
        stream = env.ask(base="/quickly-backing-off", app=env.fresh_app(),
                         seconds=60)
        assert_failure(stream, "upstream_unavailable")
        found = pauses(env, stream)
        assert len(found) == 3
        for number, pause in enumerate(found):
            whole = 40 * 2 ** number
            assert whole // 2 <= pause <= whole
        seen.append(found)
    assert seen[0] != seen[1]
