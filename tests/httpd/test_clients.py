# SPDX-License-Identifier: Apache-2.0
"""Clients that go away, read slowly or come twice: fault-matrix.md 1.6."""
import os
import threading
import time

import pytest

from answers import TEA, TEA_TEXT, assert_answer, last, piece
from env import canary, raw
from env.environment import ask_body
from env.polling import until


def closed(env, number=0):
    return env.bailian.request(number, state="closed")


def waiting_stream(env, base="/cancel", **options):
    env.bailian.scenario([piece(*TEA[:2]), {"stall": True}])
    stream = env.ask_open(base=base, **options)
    stream.read(stop_after=2)
    return stream


# --- C01, C02: disconnect ---------------------------------------------------
@pytest.mark.parametrize("how", ["close", "reset"])
def test_c02_upstream_is_closed_when_the_client_goes(env, how):
    stream = waiting_stream(env)
    getattr(stream, how)()
    record = closed(env)
    assert record["ended_by"] in ("peer-fin", "peer-reset")
    assert env.ended(stream, base="/cancel")["outcome"] == "cancelled"


def test_c01_client_goes_before_the_first_content(env):
    env.bailian.scenario([{"barrier": "never"}])
    stream = env.ask_open(base="/cancel")
    stream.next()
    env.bailian.reached("never")
    stream.close()
    assert closed(env)
    assert env.ended(stream, base="/cancel")["outcome"] == "cancelled"


def test_c01_client_goes_before_the_head_of_the_response(env):
    env.bailian.scenario([{"barrier": "never"}])
    conn = env.connect()
    conn.send(raw.request("POST", "/cancel/stream", ask_body()))
    env.bailian.reached("never")
    conn.close()
    closed(env)


def test_c01_client_goes_in_a_retry_pause(env):
    env.bailian.scenario("u30-down")
    stream = env.ask_open(base="/cancel", app=env.fresh_app())
    env.bailian.request(state="closed")
    stream.close()
    assert env.ended(stream, base="/cancel")["outcome"] == "cancelled"
    assert len(env.bailian.requests()) == 1


def test_c01_client_that_goes_at_once_is_noticed(env):
    """Its reader comes and goes within one turn of the reactor."""
    env.bailian.scenario([{"barrier": "never"}])
    for number in range(25):
        stream = env.ask_open(base="/cancel", user="early%d" % number)
        stream.close()
        state = env.ended(stream, base="/cancel", user="early%d" % number,
                          seconds=2)
        assert state["outcome"] == "cancelled"


@pytest.mark.parametrize("count", [0, 1, 20, 120])
def test_c01_client_goes_inside_its_request(env, count):
    whole = raw.request("POST", "/cancel/stream", ask_body())
    conn = env.connect()
    conn.send(whole[:count])
    conn.close()
    conn = env.connect()
    conn.send(whole[:-5])
    conn.reset()
    assert env.get("/bailian/livez").status == 200
    assert not env.bailian.requests()


def test_c01_many_disconnects_leave_nothing_behind(env):
    env.bailian.scenario([piece(*TEA[:2]), {"stall": True}])
    stream = env.ask_open(base="/cancel")
    stream.read(stop_after=2)
    stream.close()
    closed(env)
    until(lambda: not live_upstreams(env), 5, "the base line")
    before = env.server.base_line()
    threads = env.server.threads()
    for _ in range(40):
        stream = env.ask_open(base="/cancel")
        stream.read(stop_after=1)
        stream.close()
    until(lambda: not live_upstreams(env), 10, "closed upstreams")
    # The database may have been opened for a few more readers.
    until(lambda: env.server.descriptors() <= before + 12, 10,
          "the descriptors of the base line (I7)")
    assert env.server.threads() <= threads


@pytest.mark.server(global_extra="BailianMaxStreams 20")
def test_r10_starts_and_immediate_disconnects_give_every_place_back(env):
    """Many more than there are places; afterwards there are as many as ever,
    and not one more."""
    env.bailian.scenario([{"barrier": "never"}])
    whole = raw.request("POST", "/cancel/stream", ask_body())
    for _ in range(5000 if os.environ.get("BL_SOAK") else 150):
        conn = env.connect()
        conn.send(whole)
        conn.close()
    until(lambda: not live_upstreams(env), 30, "closed upstreams")
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": "go"},
                          last(*TEA[2:])])
    streams = []

    def has_all():
        stream = env.ask_open(user="r10-%d" % len(streams), seconds=60)
        if stream.status == 200:
            streams.append(stream)
        return len(streams) == 20
    until(has_all, 30, "all places")
    assert env.ask_open(user="one-more").status == 503
    env.bailian.release("go")
    for stream in streams:
        assert_answer(stream.read())


def live_upstreams(env):
    return [r for r in env.bailian.requests() if r["state"] == "open"]


def test_c03_half_closed_client_still_gets_its_answer(env):
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": "go"},
                          last(*TEA[2:])])
    conn = env.connect()
    stream = env.ask_open(base="/cancel", conn=conn)
    stream.read(stop_after=2)
    conn.half_close()
    until(lambda: live_upstreams(env), 1)
    stream.read_for(0.3)
    env.bailian.release("go")
    assert_answer(stream.read())


# --- C05: slow readers; those that stop are in test_slow_readers.py ---------
def test_c05_slow_reader_gets_the_whole_answer(env):
    env.bailian.scenario("u28-firehose")
    stream = env.ask_open(app=env.fresh_app(), rcvbuf=4096, seconds=60)
    for _ in range(50):
        stream.next_content()
    stream.read()
    assert stream.is_completed


@pytest.mark.server(global_extra="SendBufferSize 65536")
def test_heartbeat_never_stands_inside_an_event(env):
    """The end event is megabytes long here and leaves in parts; the reader
    stops in the middle of it for as long as several heartbeats take."""
    env.bailian.scenario("u28-firehose")
    stream = env.ask_open(base="/beat", app=env.fresh_app(), rcvbuf=65536,
                          seconds=60)
    while stream.next_content().content != "完":
        pass
    for _ in range(8):
        for _ in range(20):
            stream.conn.fill()
        time.sleep(0.15)  # a heartbeat would be due
    stream.read()
    assert stream.is_completed


# --- C15 - C18 --------------------------------------------------------------
def test_c15_readers_that_drop_and_come_back_lose_nothing(env):
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": "go"},
                          last(*TEA[2:])])
    streams = [env.ask_open(user="storm%d" % n) for n in range(30)]
    for stream in streams:
        stream.read(stop_after=2)
        stream.close()
    again = [env.sse_open(
        "/bailian/streams/%s/events?userId=storm%d&after=%d"
        % (s.stream_id, n, s.events[-1].seq)) for n, s in enumerate(streams)]
    env.bailian.release("go")
    for first, second in zip(streams, again):
        second.read()
        assert first.text + second.text == TEA_TEXT
    assert len(env.bailian.requests()) == 30


def test_c17_stop_twice_has_one_outcome(env):
    stream = waiting_stream(env)
    path = "/cancel/streams/%s?userId=u1" % stream.stream_id
    statuses = [env.delete(path).status for _ in range(3)]
    assert all(s in (200, 202, 204) for s in statuses), statuses
    assert stream.read().code == "cancelled"
    assert env.ended(stream, base="/cancel")["outcome"] == "cancelled"


def test_c17_stop_of_an_ended_stream_says_how_it_ended(env):
    env.bailian.say(*TEA)
    stream = env.ask()
    env.ended(stream)
    reply = env.delete("/bailian/streams/%s?userId=u1" % stream.stream_id)
    assert reply.status == 200
    assert reply.json()["outcome"] == "completed"


def test_c17_stop_against_the_natural_end_has_one_outcome(env):
    for number in range(25):
        barrier = "race%d" % number
        env.bailian.scenario([piece(*TEA[:2]), {"barrier": barrier},
                              last(*TEA[2:])])
        stream = env.ask_open()
        stream.read(stop_after=2)
        path = "/bailian/streams/%s?userId=u1" % stream.stream_id
        stop = threading.Thread(target=env.delete, args=(path,))
        stop.start()
        env.bailian.release(barrier)
        stop.join()
        stream.read()
        outcome = env.ended(stream)["outcome"]
        end = stream.end
        if end.field("error"):
            assert (outcome, end.field("code")) == ("cancelled", "cancelled")
        else:
            assert outcome == "completed" and stream.is_completed


@pytest.mark.server(extra="BailianMaxStreamsPerPrincipal 3")
def test_r04_ceiling_of_one_principal(env):
    env.bailian.scenario([piece(TEA[0]), {"stall": True}])
    streams = [env.ask_open() for _ in range(3)]
    for stream in streams:
        stream.read(stop_after=1)
    refused = env.ask()
    assert (refused.status, refused.code) == (429, "rate_limited")
    assert int(refused.header("retry-after")) >= 1
    other = env.ask_open(user="somebody-else")
    assert other.status == 200
    env.delete("/bailian/streams/%s?userId=u1" % streams[0].stream_id)
    streams[0].read()
    env.bailian.say(*TEA)
    assert_answer(env.ask())


@pytest.mark.server(global_extra="BailianMaxStreamsPerChild 4\n"
                    "BailianMaxStreams 4")
def test_r04_ceiling_of_a_child(env):
    env.allow_log("BL13", "BL18")
    env.bailian.scenario([piece(TEA[0]), {"stall": True}])
    streams = [env.ask_open(user="u%d" % n) for n in range(4)]
    for stream in streams:
        stream.read(stop_after=1)
    refused = env.ask(user="one-more")
    assert (refused.status, refused.code) == (503, "overloaded")
    assert int(refused.header("retry-after")) >= 1
    for number, stream in enumerate(streams):
        env.delete("/bailian/streams/%s?userId=u%d"
                   % (stream.stream_id, number))
        stream.read()
    env.bailian.say(*TEA)
    assert_answer(env.ask())


def test_client_speaks_before_the_stream_has_ended(env):
    """A pipelined request waits for its turn and is answered."""
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": "go"},
                          last(*TEA[2:])])
    conn = env.connect()
    stream = env.ask_open(conn=conn, close=False)
    stream.read(stop_after=2)
    conn.send(raw.request("GET", "/bailian/livez"))
    env.bailian.release("go")
    assert_answer(stream.read())
    assert conn.reply().status == 200


def test_prompt_of_one_is_in_no_answer_of_another(env):
    mark = "只有我知道的暗号七三九"
    env.ask(app="neighbour", message=mark, user="alice",
            body={"conversionId": "shared-name"})
    other = env.ask(app="neighbour", message=canary.PROMPT, user="bob",
                    body={"conversionId": "shared-name"})
    assert other.status in (200, 404)
    if other.status == 200:
        assert mark not in bytes(other.raw).decode()
