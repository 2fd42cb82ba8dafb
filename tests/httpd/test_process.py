# SPDX-License-Identifier: Apache-2.0
"""Restarts, stops and crashes: fault-matrix.md 1.7."""
import contextlib
import os
import signal

import pytest

from answers import TEA, TEA_TEXT, assert_answer, last, piece
from env.build import is_crawling
from env.polling import until
from env.raw import Silence

SHORT_DRAIN = "BailianDrainTimeout 1s"


def held(env, count=1, base="/bailian", barrier="go"):
    """Streams in mid-answer, their upstream at a barrier."""
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": barrier},
                          last(*TEA[2:])])
    streams = [env.ask_open(base=base, user="held%d" % n, seconds=30)
               for n in range(count)]
    for stream in streams:
        stream.read(stop_after=2)
    return streams


def rest(env, number, stream):
    """What a client does after a cut or a reconnect event."""
    return env.resume(stream, after=max(stream.seqs), user="held%d" % number)


# --- P01: kill -9 -----------------------------------------------------------
@pytest.mark.own_server
@pytest.mark.server(children=2, threads=16)
def test_p01_killed_child_leaves_partial_answers_and_no_live_row(env):
    env.allow_log("exit signal", "BL1412")
    streams = held(env, 8)
    for stream in streams:
        until(lambda: env.stored_seq(stream) >= max(stream.seqs), 5,
              "the stored events")
    for pid in env.server.children():
        os.kill(pid, signal.SIGKILL)
    for stream in streams:
        stream.read()
        assert stream.ended in ("cut", "reset") and stream.end is None
    env.log.wait_for("BL1412", 15)
    for number, stream in enumerate(streams):
        state = until_answered(env, number, stream)
        assert state["outcome"] == "interrupted"
        again = rest(env, number, stream)
        assert again.code == "interrupted"
        assert again.end.seq > max(stream.seqs)
    env.bailian.release("go")
    env.bailian.say(*TEA)
    assert_answer(env.ask())


def until_answered(env, number, stream):
    def look():
        try:
            reply = env.state(stream, user="held%d" % number)
        except (AssertionError, OSError):
            return None
        found = reply.json()
        return found if found.get("outcome") not in (None, "", "live") \
            else None
    return until(look, 20, "the outcome")


@pytest.mark.own_server
@pytest.mark.server(children=3, threads=4, global_extra="BailianAsync sync")
def test_p01_other_children_go_on(env):
    env.allow_log("exit signal", "BL1412")
    # A thread each: nine streams cannot be in fewer than three children.
    streams = held(env, 9)
    victim = env.server.children()[0]
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in env.server.children())
    env.bailian.release("go")
    whole = 0
    for stream in streams:
        stream.read()
        if stream.ended in ("cut", "reset"):
            assert stream.end is None, "cut, but it looks ended"
        else:
            assert_answer(stream)
            whole += 1
    assert whole >= 5


# --- P04: graceful restart --------------------------------------------------
def test_p04_graceful_restart_lets_streams_finish(env):
    streams = held(env, 10)
    env.server.graceful()
    env.bailian.release("go")
    for stream in streams:
        assert_answer(stream.read())
    env.bailian.say(*TEA)
    assert_answer(env.ask())


@pytest.mark.server(global_extra=SHORT_DRAIN)
def test_p04_stream_that_outlives_the_drain_is_told_to_come_back(env):
    env.allow_log("BL1304", "BL1307")
    streams = held(env, 5)
    env.server.graceful()
    for number, stream in enumerate(streams):
        stream.read()
        final = stream.events[-1]
        assert final.field("reconnect") is True or final.field("error")
        assert final.field("code") in ("draining", "interrupted")
        assert stream.ended in ("clean", "close", "cut")
        again = rest(env, number, stream)
        assert again.status in (200, 204)
        state = until_answered(env, number, stream)
        assert state["outcome"] in ("completed", "interrupted")
    env.bailian.release("go")


def test_p04_new_questions_are_served_while_the_old_generation_drains(env):
    streams = held(env, 3)
    env.server.graceful()
    env.bailian.scenario([last(*TEA)], name="current")
    assert_answer(env.ask())
    env.bailian.release("go")
    for stream in streams:
        assert_answer(stream.read())


def test_p04_reader_of_the_new_generation_gets_the_old_ones_stream(env):
    first, = held(env)
    env.server.graceful()
    again = env.sse_open(
        "/bailian/streams/%s/events?userId=held0&after=%d"
        % (first.stream_id, first.events[-1].seq), seconds=20)
    env.bailian.release("go")
    again.read()
    assert_answer(first.read())
    assert again.end.content == TEA_TEXT
    assert [e.content for e in again.deltas] == TEA[2:]


@pytest.mark.server(children=2, threads=16)
def test_p04_ten_restarts_in_a_row_lose_nothing(env):
    for number in range(10):
        barrier = "go%d" % number
        streams = held(env, 3, barrier=barrier)
        env.server.graceful()
        env.bailian.release(barrier)
        for stream in streams:
            assert_answer(stream.read())
        # The parent reaps once a second; ServerLimit has places for four
        # generations of two children.
        until(lambda: len(env.server.children()) <= 4, 20,
              "the end of older generations")
    assert not env.log.lines("scoreboard is full")


def test_p04_changed_directives_hold_after_the_restart(env):
    env.bailian.say(*TEA)
    env.server.configure(env.server.body.replace(
        "BailianRetry off", "BailianRetry off\n    BailianMaxBody 2000", 1))
    env.server.graceful()
    # Children of the old generation take connections until they are told.
    until(lambda: env.post("/once/stream", {"message": "长" * 2000,
                                            "userId": "u1"}).status == 413,
          20, "the new limit")
    env.server.configure(env.server.body.replace(
        "\n    BailianMaxBody 2000", "", 1))
    env.server.graceful()


# --- P05, P06: stop ---------------------------------------------------------
@pytest.mark.own_server
def test_p05_graceful_stop_lets_streams_finish(env):
    streams = held(env, 5)
    env.server.graceful_stop()
    env.log.wait_for("shutting down gracefully", 10)
    env.bailian.release("go")
    for stream in streams:
        assert_answer(stream.read())
    env.server.wait_stopped()


@pytest.mark.own_server
def test_p06_stop_ends_in_time_and_keeps_what_came(env):
    env.allow_log("BL1304", "BL1307")
    streams = held(env, 5)
    env.server.signal(signal.SIGTERM)
    env.server.wait_stopped()  # no child had to be killed: the log says so
    for stream in streams:
        stream.read()
        assert not stream.is_completed
    env.server.start()
    for number, stream in enumerate(streams):
        state = until_answered(env, number, stream)
        assert state["outcome"] == "interrupted"
        talk = env.get("/bailian/conversations/%s?userId=held%d" % (
            stream.events[0].field("conversionId"), number)).json()
        assert talk["messages"][-1]["content"] == "".join(TEA[:2])


@pytest.mark.own_server
def test_p07_server_that_is_stopped_at_once_starts_cleanly(env):
    for _ in range(3):
        env.server.stop()
        env.server.start()
    env.bailian.say(*TEA)
    assert_answer(env.ask())


# --- P08: a child that is recycled ------------------------------------------
@pytest.mark.server(children=1, threads=8, connections_per_child=15)
def test_p08_recycled_child_lets_its_streams_finish(env):
    streams = held(env, 4)
    old = env.server.children()
    for _ in range(15):
        env.get("/bailian/livez")
    until(lambda: set(env.server.children()) - set(old), 20,
          "the next child")
    env.bailian.release("go")
    for stream in streams:
        assert_answer(stream.read())


def test_p13_bad_directives_are_refused_with_what_would_be_right(servers):
    for line in ("BailianHeartbeat 0", "BailianHeartbeat soon",
                 "BailianRetry sometimes", "BailianDisconnect maybe",
                 "BailianAsync on", "BailianMaxStreams -1",
                 "BailianMaxStreamsPerChild x", "BailianQueueSize 0", "BailianStreamTimeout -5",
                 "BailianAllowNetwork 300.0.0.0/8", "BailianAnonymous maybe",
                 "BailianMaxBody 0"):
        name = line.split()[0]
        status, text = servers.configtest(global_extra=line)
        assert status != 0, line
        assert name in text, text


DURATIONS = ("BailianDrainTimeout", "BailianHeartbeatFirst",
             "BailianHeartbeat", "BailianConnectTimeout",
             "BailianFirstContentTimeout", "BailianGapTimeout",
             "BailianStreamTimeout", "BailianSlowClientTimeout",
             "BailianRetry fixed 3", "BailianDisconnect detach")


@pytest.mark.parametrize("directive", DURATIONS)
def test_p13_duration_that_does_not_end_with_its_unit_is_refused(
        servers, directive):
    status, text = servers.configtest(global_extra=directive + " 9h9")
    assert status != 0
    assert directive.split()[0] in text and '"9h9"' in text


@pytest.mark.parametrize("bad", ["s", "5mike", "1 s", "-1s", "+1s", "1.5s",
                                 "5us", "0x10", "9999999999", "25h"])
def test_p13_duration_is_a_number_and_a_unit(servers, bad):
    status, text = servers.configtest(
        global_extra='BailianGapTimeout "%s"' % bad)
    assert status != 0
    assert "BailianGapTimeout: must be a duration" in text


def test_p13_durations_with_each_unit_are_taken(servers):
    values = ("0", "500ms", "3s", "2min", "1h", "24H", "100MS", "007", "1s",
              "100ms")
    lines = "\n".join(" ".join(both) for both in zip(DURATIONS, values))
    status, text = servers.configtest(global_extra=lines)
    assert status == 0, text


def test_stuck_reader_does_not_keep_the_server_from_restarting(env):
    env.bailian.scenario("u28-firehose")
    stuck = env.ask_open(app="default", rcvbuf=4096)
    stuck.next_content()
    env.server.graceful()
    env.bailian.say(*TEA)
    assert_answer(env.ask())
    stuck.close()
    with pytest.raises((Silence, OSError)):
        stuck.conn.fill(0.01)


# --- P14: nothing that is opened before the fork is used after it -----------
def opened(pid):
    """What a process holds of what only a child may have: the database with
    its log and locks, pollsets and eventfds, sockets that are connected."""
    found = []
    for name in os.listdir("/proc/%d/fd" % pid):
        with contextlib.suppress(FileNotFoundError):
            target = os.readlink("/proc/%d/fd/%s" % (pid, name))
            if "/data/" in target or target.startswith("anon_inode:"):
                found.append(target)
    return found


# Six that start at once under valgrind, on a busy machine, keep one another
# from the database for longer than a child waits for it.
@pytest.mark.server(mpm="prefork", children=3 if is_crawling() else 6,
                    threads=6)
def test_p14_children_share_nothing_that_was_opened_before_the_fork(env):
    env.bailian.say(*TEA)
    ids = set()
    for number in range(24):
        stream = env.ask(user="p14-%d" % number)
        assert_answer(stream)
        ids.add(stream.stream_id)
    assert len(ids) == 24
    children = env.server.children()
    assert len(children) > 1
    # Those that came last may still be starting: the base line waits for their
    # engines, the last of their threads.
    env.server.base_line()
    for pid in children:
        until(lambda: [name for name in opened(pid)
                       if name.endswith("bailian.db")], 20, "its database")
    assert opened(env.server.process.pid) == []
    # What a child has, its siblings were not born with: threads are its own,
    # and the database is opened by each (no descriptor of one is another's).
    for pid in children:
        assert len(os.listdir("/proc/%d/task" % pid)) > 1
    assert len(os.listdir("/proc/%d/task" % env.server.process.pid)) == 1
