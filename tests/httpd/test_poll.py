# SPDX-License-Identifier: Apache-2.0
"""Readers that ask again and again: `?as=json`."""
import json
import time

import pytest

from answers import ENDED_BADLY, TEA, TEA_TEXT, last, piece
from env.polling import until
from env.raw import Body, request
from test_modes import modes

BRIEF = """
<Location "/brief">
    SetHandler bailian-sse
    BailianAnonymous on
    BailianDisconnect detach 6s
    BailianRetry off
</Location>
"""
TTL = 6
pytestmark = pytest.mark.server(locations=BRIEF)


def poll(env, stream_id, after=0, base="/brief", **headers):
    reply = env.get("%s/streams/%s/events?userId=u1&as=json&after=%d"
                    % (base, stream_id, after), headers=headers)
    assert reply.status == 200, reply.body
    return reply.json()


def poll_to_the_end(env, stream_id, base="/brief"):
    """All events, and the last reply."""
    events, after = [], 0
    while True:
        found = poll(env, stream_id, after, base)
        events += found["events"]
        after = found["next"]
        if found["complete"]:
            return events, found
        time.sleep(0.02)


def text_of(events):
    return "".join(e.get("text", "") for e in events if e["kind"] == "delta")


def held(env):
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": "go"}, last(*TEA[2:])])
    stream = env.ask_open(base="/brief", seconds=30)
    stream.read(stop_after=2)
    stream.close()
    return stream


def test_polled_stream_is_read_and_not_ended_as_nobodys(env):
    stream = held(env)
    began = time.monotonic()
    while time.monotonic() - began < TTL + 0.7:
        found = poll(env, stream.stream_id)
        assert not found["complete"], found
        time.sleep(0.05)
    env.bailian.release("go")
    events, found = poll_to_the_end(env, stream.stream_id)
    assert text_of(events) == TEA_TEXT
    assert "error" not in found


def test_stream_that_is_polled_no_more_ends_after_its_time(env):
    stream = held(env)
    poll(env, stream.stream_id)
    state = env.ended(stream.stream_id, base="/brief", user="u1", seconds=20)
    assert state["outcome"] == "cancelled"
    env.bailian.release("go")


@pytest.mark.server(children=3, threads=4, locations=BRIEF)
def test_poll_at_any_child_gets_what_there_is(env):
    stream = held(env)
    for _ in range(30):
        assert text_of(poll(env, stream.stream_id)["events"]) == \
            "".join(TEA[:2])
    env.bailian.release("go")
    events, _ = poll_to_the_end(env, stream.stream_id)
    assert text_of(events) == TEA_TEXT
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))


def test_answer_that_was_cut_is_complete_with_its_error(env):
    """fault-matrix.md 1.2: complete, with error; what came stays readable."""
    env.allow_log(ENDED_BADLY)
    env.bailian.scenario("u14-clean-close")
    stream = env.ask(base="/brief", seconds=20)
    for _ in range(2):  # once perhaps from memory, then from the store
        events, found = poll_to_the_end(env, stream.stream_id)
        assert text_of(events) == "".join(TEA[:2])
        assert found["code"] == "upstream_cut"
        assert found["error"].startswith("The connection to the model")
        env.ended(stream.stream_id, base="/brief", user="u1", seconds=20)
    chinese = poll(env, stream.stream_id, **{"Accept-Language": "zh-CN"})
    assert "中断" in chinese["error"]


def test_poll_behind_the_end_is_empty_and_complete_with_the_error(env):
    env.allow_log(ENDED_BADLY)
    env.bailian.scenario("u14-clean-close")
    stream = env.ask(base="/brief", seconds=20)
    env.ended(stream.stream_id, base="/brief", user="u1", seconds=20)
    found = until(lambda: poll(env, stream.stream_id, max(stream.seqs)))
    assert found["events"] == [] and found["complete"] is True
    assert found["code"] == "upstream_cut" and found["error"]


# --- long polls --------------------------------------------------------------
def waiting(env, stream_id, after, wait=60000):
    """Sends a long poll; a function that reads its answer."""
    conn = env.connect(seconds=80)
    conn.send(request("GET", "/brief/streams/%s/events?userId=u1&as=json"
                      "&after=%d&wait=%d" % (stream_id, after, wait), None, {}))

    def answer():
        body = Body(conn, conn.head())
        text = b"".join(iter(body.read, b""))
        assert body.ended == "clean", body.ended
        return json.loads(text)
    return answer


def place(env, stream):
    """Behind what has come of a held answer."""
    def look():
        found = poll(env, stream.stream_id)
        return found["next"] if text_of(found["events"]) == \
            "".join(TEA[:2]) else None
    return until(look, 20, "the beginning")


@modes("event", "event-sync", "prefork")
def test_long_poll_is_answered_by_what_comes(env):
    stream = held(env)
    after = place(env, stream)
    answer = waiting(env, stream.stream_id, after)
    env.bailian.release("go")
    found = answer()
    assert found["events"], found
    rest = list(found["events"])
    while not found["complete"]:
        found = waiting(env, stream.stream_id, found["next"])()
        rest += found["events"]
    assert "".join(TEA[:2]) + text_of(rest) == TEA_TEXT
    assert [e["seq"] for e in rest] == \
        list(range(after + 1, after + 1 + len(rest)))
    assert rest[-1]["kind"] == "end" and "error" not in found


@modes("event", "event-sync")
def test_long_poll_without_news_says_so_when_the_wait_is_over(env):
    stream = held(env)
    after = place(env, stream)
    assert waiting(env, stream.stream_id, after, 300)() == {
        "streamId": stream.stream_id, "events": [], "next": after,
        "complete": False}
    env.bailian.release("go")
    poll_to_the_end(env, stream.stream_id)


@pytest.mark.server(threads=4, factor=32, locations=BRIEF)
def test_c22_waiting_batches_hold_no_thread(env):
    stream = held(env)
    after = place(env, stream)
    answers = [waiting(env, stream.stream_id, after) for _ in range(24)]
    until(lambda: env.state(stream, base="/brief").json()["readers"] == 24, 30,
          "24 waiting polls")
    env.bailian.release("go")
    assert all(answer()["events"] for answer in answers)


@pytest.mark.server(children=3, threads=4, locations=BRIEF)
def test_long_poll_waits_in_any_child(env):
    stream = held(env)
    after = place(env, stream)
    answers = [waiting(env, stream.stream_id, after) for _ in range(9)]
    env.bailian.release("go")
    for answer in answers:
        found = answer()
        assert found["events"][0]["seq"] == after + 1


def test_long_poll_of_an_answer_that_breaks_tells_its_error(env):
    env.allow_log(ENDED_BADLY)
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": "go"}, {"close": "fin"}])
    stream = env.ask_open(base="/brief", seconds=30)
    stream.read(stop_after=2)
    answer = waiting(env, stream.stream_id, place(env, stream))
    env.bailian.release("go")
    found = answer()
    assert found["complete"] and found["code"] == "upstream_cut", found


def test_long_poll_waits_as_long_as_is_allowed(env):
    stream = held(env)
    refused = env.get("/brief/streams/%s/events?userId=u1&as=json&wait=60001"
                      % stream.stream_id)
    assert (refused.status, refused.json()["detail"]) == (400, "wait")
    env.bailian.release("go")
