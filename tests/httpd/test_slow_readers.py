# SPDX-License-Identifier: Apache-2.0
"""Readers that take little or nothing: fault-matrix.md 1.6, C05 and C06, in
each way that httpd carries a stream. The long forms wait as long as the
directive's default says, and are a thousand."""
import os
import time

import pytest

from answers import TEA, assert_answer, piece
from env import build, canary, raw, ws
from env.environment import ask_body
from env.polling import until
from test_modes import modes

SOAK = bool(os.environ.get("BL_SOAK"))
SLOW = """
<Location "/slow">
    SetHandler bailian-sse
    BailianAnonymous on
    BailianSlowClientTimeout 1s
    BailianDisconnect %s
</Location>
"""


@pytest.fixture(autouse=True)
def late_reactor(env):
    """Megabytes come at once here: on a busy machine that takes a while."""
    env.allow_log("BL1501")


def assert_prefix(stream):
    """I3: what came is the beginning of what there is, event by event."""
    seqs = stream.seqs
    assert seqs == list(range(1, len(seqs) + 1))
    assert stream.end is None


# --- C05 --------------------------------------------------------------------
@modes("event", "event-sync", "worker", "prefork")
@pytest.mark.server(locations=SLOW % "cancel")
def test_c05_reader_that_stops_is_closed_in_every_mode(env):
    stuck = env.ask_open(base="/slow", app="u28-firehose", rcvbuf=4096)
    stuck.next_content()
    env.bailian.say(*TEA)
    assert_answer(env.ask(user="neighbour"))
    assert env.ended(stuck, base="/slow")["outcome"] == "cancelled"
    env.log.wait_for("BL1831", 20)
    stuck.read(seconds=20)
    assert stuck.ended in ("cut", "reset")
    assert_prefix(stuck)
    assert len(env.log.lines("BL1831")) == 1


@modes("event", "event-sync")
@pytest.mark.server(locations=SLOW % "cancel")
def test_c05_reader_that_stops_where_an_event_ends_is_closed(env):
    """Each event leaves whole, until one waits below for the socket: nothing
    of what was encoded is left, and the next ones are not taken."""
    env.bailian.scenario([{"repeat": {"times": -1, "interval": 0.02,
                                      "steps": [piece("x" * 20000)]}}])
    stuck = env.ask_open(base="/slow", rcvbuf=4096)
    stuck.next_content()
    assert env.ended(stuck, base="/slow", seconds=60)["outcome"] == "cancelled"
    env.log.wait_for("BL1831", 20)
    stuck.read(seconds=20)
    assert stuck.ended in ("cut", "reset")
    assert_prefix(stuck)


@modes("event", "event-sync")
@pytest.mark.server(locations=SLOW % "drain")
def test_c05_answer_is_whole_for_others_when_one_reader_stops(env):
    """Nobody else reads, but the answer is wanted: it goes on."""
    stuck = env.ask_open(base="/slow", app="u28-firehose", rcvbuf=4096)
    stuck.next_content()
    assert env.ended(stuck, base="/slow", seconds=30)["outcome"] == "completed"
    stuck.read(seconds=20)
    assert_prefix(stuck)
    last = max(stuck.seqs)
    again = env.resume(stuck, after=last, seconds=60)
    assert again.seqs[0] == last + 1
    assert stuck.text + again.text == again.end.content


@pytest.mark.skipif(not SOAK, reason="waits for the default of 60 s")
@modes("event", "event-sync")
@pytest.mark.server(timeout=300, locations='<Location "/sixty">\n'
                    "SetHandler bailian-sse\nBailianAnonymous on\n"
                    "BailianDisconnect cancel\n</Location>")
def test_c05_reader_may_stop_for_59_s_and_not_for_61(env):
    streams = [env.ask_open(base="/sixty", app="u28-firehose", rcvbuf=4096,
                            user="c05-%d" % n, seconds=120) for n in range(2)]
    for stream in streams:
        stream.next_content()
    patient, stuck = streams
    time.sleep(50)
    assert patient.read().is_completed
    assert env.ended(stuck, base="/sixty", user="c05-1",
                     seconds=60)["outcome"] == "cancelled"
    stuck.read()
    assert stuck.ended in ("cut", "reset")
    assert_prefix(stuck)


# --- C04 --------------------------------------------------------------------
TICKS = [piece(TEA[0]), {"repeat": {"times": -1, "interval": 0.1,
                                    "steps": [piece(TEA[1])]}}]


def assert_found(env, user):
    """The upstream of a client that vanished is closed."""
    until(lambda: not [r for r in env.bailian.requests()
                       if r["state"] == "open"], 60, "the closed upstream")
    env.bailian.say(*TEA)
    assert_answer(env.ask(user=user))


@modes("event", "event-sync")
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.server(locations=SLOW % "cancel")
def test_c04_client_that_vanishes_is_found(env, tls):
    """Packets are dropped: what was sent fits into the kernel's buffers for
    hours, and no FIN comes."""
    env.bailian.scenario(TICKS)
    lost = env.ask_open(base="/slow", tls=tls)
    lost.next_content()
    lost.conn.vanish()
    assert env.ended(lost, base="/slow", seconds=60)["outcome"] == "cancelled"
    assert_found(env, "neighbour")


@modes("event", "event-sync")
@pytest.mark.server(locations=SLOW % "cancel")
def test_c04_websocket_client_that_vanishes_is_found(env):
    env.bailian.scenario(TICKS)
    lost = ws.Socket(env.connect(), "/slow/ws/chat?userId=u1")
    lost.say(canary.PROMPT)
    assert lost.next() == TEA[0]
    lost.conn.vanish()
    assert_found(env, "neighbour")


# --- C06 --------------------------------------------------------------------
def stands_still(env, count):
    """No upstream of these is read any more."""
    seen = []

    def look():
        seen.append(sorted(r["sent"] for r in env.bailian.requests()))
        return len(seen[-1]) == count and len(seen) > 20 and \
            seen[-20] == seen[-1]
    until(look, 300 if SOAK else 30, "the pause of all upstreams")


@pytest.mark.server(threads=64, factor=40,
                    global_extra="SendBufferSize 65536")
def test_c06_readers_that_do_not_read_hold_a_bounded_queue(env):
    count = 1000 if SOAK else 20
    before = env.server.resident_kb()
    stuck = [env.ask_open(base="/cancel", app="u28-firehose", rcvbuf=4096,
                          user="stuck%d" % n, seconds=60)
             for n in range(count)]
    for stream in stuck:
        stream.next_content()
    stands_still(env, count)
    grown = env.server.resident_kb() - before
    if not build.is_slow():  # a sanitizer keeps what was freed
        # The queue, and what a connection with its upstream takes anyway.
        assert grown < count * (256 + 64) * 1.1 + 20 * 1024, grown
    env.bailian.say(*TEA)
    assert_answer(env.ask(user="other", seconds=60))
    for stream in stuck:
        stream.close()


# --- what left --------------------------------------------------------------
@pytest.mark.server(global_extra='CustomLog byte_log "%O %U"')
@pytest.mark.parametrize("rcvbuf", [None, 4096], ids=["at once", "in pieces"])
def test_access_log_counts_each_byte_that_left(env, rcvbuf):
    """Also of what the socket did not take, which core writes later."""
    env.bailian.say(*["茶" * 1000] * 100)
    conn = env.connect(rcvbuf=rcvbuf)
    conn.send(raw.request("POST", "/bailian/stream", ask_body(), {},
                          close=True))
    while conn.fill(60):
        pass
    line = "%d /bailian/stream\n" % len(conn.inbox)
    until(lambda: line in env.server.read("byte_log"), 20, line)
