# SPDX-License-Identifier: Apache-2.0
"""Crashes, stuck threads, clocks that jump, a random source that fails:
fault-matrix.md 1.7 and 1.9, with the library of env/faults.py preloaded."""
import contextlib
import os
import signal
import sqlite3
import threading
import time

import pytest

from answers import (BREAKER_OPEN, ENDED_BADLY, TEA, TEA_TEXT, assert_answer,
                     last, piece)
from env import database
from env.build import is_slow
from env.polling import until

pytestmark = pytest.mark.server(faults=True, children=1)
SOAK = bool(os.environ.get("BL_SOAK"))
SIGNALS = [signal.SIGABRT]
if SOAK and not is_slow():
    SIGNALS.append(signal.SIGSEGV)


@pytest.fixture
def faults(env):
    yield env.server.faults
    env.server.faults.clear()
    env.allow_log("BL1309")  # back to the true time


def held(env, barrier="go"):
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": barrier},
                          last(*TEA[2:])])
    stream = env.ask_open(user="held", seconds=60)
    stream.read(stop_after=2)
    return stream


def ask_whatever_comes(env):
    """A question whose connection may break."""
    with contextlib.suppress(AssertionError, OSError):
        env.ask(user="other", seconds=20)


def answers_again(env):
    env.bailian.say(*TEA)

    def look():
        try:
            stream = env.ask(user="again", seconds=20)
        except (AssertionError, OSError):
            return None
        return stream if stream.end is not None else None
    assert_answer(until(look, 20, "an answer"))


def is_sound(env):
    path = "file:%s?mode=ro" % env.server.path("data", "bailian.db")
    with contextlib.closing(sqlite3.connect(path, uri=True)) as base:
        assert base.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert base.execute("PRAGMA foreign_key_check").fetchall() == []


# --- P03: a crash in each kind of thread ------------------------------------
@pytest.mark.own_server
@pytest.mark.parametrize("sig", SIGNALS)
@pytest.mark.parametrize("thread", ["reactor", "writer", "request"])
def test_p03_crash_in_a_thread_is_as_a_killed_child(env, faults, thread, sig):
    env.allow_log("exit signal", "BL1412", ENDED_BADLY)
    stream = held(env)
    until(lambda: env.stored_seq(stream) >= max(stream.seqs), 10,
          "the stored events")
    before = env.server.children()
    env.bailian.say(*TEA)
    faults.set("crash_" + thread, sig)
    ask_whatever_comes(env)
    until(lambda: not set(env.server.children()) & set(before), 20,
          "the end of the child")
    stream.read()
    assert stream.ended in ("cut", "reset") and stream.end is None
    state = env.ended(stream, user="held", seconds=20)
    assert state["outcome"] == "interrupted"
    again = env.resume(stream, after=max(stream.seqs), user="held")
    assert again.code == "interrupted" and again.end.seq > max(stream.seqs)
    answers_again(env)
    is_sound(env)


# --- P09: the reactor does not turn -----------------------------------------
def stick(env, faults, late_ms):
    """Its next turn hangs, and the clock says for how long already."""
    faults.set("stuck_seen", 0)
    faults.set("stuck")
    asker = threading.Thread(target=ask_whatever_comes, args=(env,))
    asker.start()
    until(lambda: faults.get("stuck_seen"), 20, "the stuck reactor")
    faults.set("boot_ms", faults.get("boot_ms") + late_ms)
    return asker


def assert_replaced(env, faults, stream, asker):
    """The child has ended: its stream is interrupted, and another serves."""
    faults.set("stuck", 0)
    asker.join(30)
    stream.read()
    assert stream.end is None
    assert env.ended(stream, user="held", seconds=20)["outcome"] == \
        "interrupted"
    answers_again(env)


def test_p09_reactor_stuck_for_10_s_is_late_but_whole(env, faults):
    env.allow_log("BL1501")
    stream = held(env)
    asker = stick(env, faults, 10000)
    faults.set("stuck", 0)
    env.bailian.release("go")
    assert_answer(stream.read())
    asker.join(30)
    env.log.wait_for("BL1501")


def test_p09_reactor_stuck_for_16_s_takes_no_new_question(env, faults):
    env.allow_log("BL1501")
    stream = held(env)
    asker = stick(env, faults, 16000)
    refused = env.post("/bailian/stream", {"message": "q", "userId": "u1"})
    assert refused.status == 503 and refused.code == "overloaded"
    assert refused.header("retry-after")
    faults.set("stuck", 0)
    env.bailian.release("go")
    assert_answer(stream.read())
    asker.join(30)
    answers_again(env)


@pytest.mark.own_server
def test_p09_reactor_stuck_for_a_minute_has_its_child_replaced(env, faults):
    env.allow_log("exit signal", "BL1412", "BL1501", ENDED_BADLY)
    env.expect_log("BL1308")
    stream = held(env)
    until(lambda: env.stored_seq(stream) >= max(stream.seqs), 10)
    before = env.server.children()
    asker = stick(env, faults, 61000)
    until(lambda: not set(env.server.children()) & set(before), 20,
          "the end of the child")
    assert_replaced(env, faults, stream, asker)


@pytest.mark.skipif(not SOAK, reason="hangs for 10 s")
def test_p09_reactor_that_hangs_for_10_s_is_late_but_whole(env, faults):
    env.allow_log("BL1501")
    stream = held(env)
    asker = stick(env, faults, 0)
    time.sleep(10)
    faults.set("stuck", 0)
    env.bailian.release("go")
    assert_answer(stream.read())
    asker.join(30)
    line = env.log.wait_for("BL1501")[0]
    assert int(line.split("a turn took ")[1].split()[0]) >= 10000
    assert not env.log.lines("BL1308")
    answers_again(env)


@pytest.mark.skipif(not SOAK, reason="hangs for a minute")
@pytest.mark.own_server
def test_p09_reactor_that_hangs_for_a_minute_has_its_child_replaced(env,
                                                                    faults):
    env.allow_log("exit signal", "BL1412", "BL1501", ENDED_BADLY)
    env.expect_log("BL1308")
    stream = held(env)
    until(lambda: env.stored_seq(stream) >= max(stream.seqs), 10)
    before = env.server.children()
    began = time.monotonic()
    asker = stick(env, faults, 0)
    time.sleep(16)
    refused = env.post("/bailian/stream", {"message": "q", "userId": "u1"})
    assert refused.status == 503 and refused.code == "overloaded"
    until(lambda: not set(env.server.children()) & set(before), 120,
          "the end of the child")
    assert time.monotonic() - began >= 60
    assert_replaced(env, faults, stream, asker)


# --- U01: the name service does not answer ----------------------------------
def ask_nameless(env):
    failed = env.ask(base="/hasty", app="nameless", user="nameless",
                     seconds=60)
    assert failed.code == "upstream_dns"


def test_u01_name_service_that_is_silent_stops_no_stream(env, faults):
    env.allow_log(ENDED_BADLY, BREAKER_OPEN)
    stream = held(env)
    faults.set("silent_names")
    ask_nameless(env)
    env.bailian.release("go")
    assert_answer(stream.read())
    answers_again(env)


@pytest.mark.own_server
def test_u01_name_service_that_is_silent_keeps_no_child_from_ending(env,
                                                                    faults):
    env.allow_log(ENDED_BADLY, BREAKER_OPEN)
    faults.set("silent_names")
    ask_nameless(env)
    before = env.server.children()
    env.server.graceful()
    until(lambda: not set(env.server.children()) & set(before), 60,
          "the end of the child")
    answers_again(env)


# --- P11: no thread can be made ---------------------------------------------
@pytest.mark.own_server
def test_p11_child_without_its_threads_says_so_and_refuses(env, faults):
    env.allow_log("BL1844")
    faults.set("no_threads")
    env.server.graceful()
    env.log.wait_for("a thread could not be started", 20)
    refused = until(lambda: refused_by_new_child(env), 20, "the refusal")
    assert refused.status == 503
    faults.clear()
    env.server.graceful()
    answers_again(env)


def refused_by_new_child(env):
    try:
        reply = env.post("/bailian/stream", {"message": "q", "userId": "u1"})
    except (AssertionError, OSError):
        return None
    return reply if reply.status >= 500 else None


# --- D03: the database is locked while a child begins -----------------------
@pytest.mark.own_server
def test_d03_child_born_while_the_database_is_locked_serves_later(env):
    env.allow_log("BL1844", "BL1853")
    assert env.get("/bailian/livez").status == 200
    with database.locked(env.server.path("data", "bailian.db")):
        env.server.graceful()
        env.log.wait_for("BL1844", 40)
        reply = until(lambda: refused_by_new_child(env), 20, "the refusal")
        assert reply.status == 503
        assert reply.code == "store_unavailable"
        assert int(reply.header("retry-after")) > 0
    env.log.wait_for("BL1853", 20)
    assert len(env.log.lines("BL1844")) == 1
    answers_again(env)


@pytest.mark.own_server
def test_d03_child_that_waits_for_the_database_ends_when_it_is_told(env):
    env.allow_log("BL1844")
    assert env.get("/bailian/livez").status == 200
    with database.locked(env.server.path("data", "bailian.db")):
        env.server.graceful()
        env.log.wait_for("BL1844", 40)
        env.server.stop()


# --- P15: the wall clock jumps ----------------------------------------------
YEAR = 365 * 86400


@pytest.mark.parametrize("jump", [3600, -3600, 10 * YEAR, -10 * YEAR])
def test_p15_wall_clock_that_jumps_changes_no_stream(env, faults, jump):
    env.expect_log("BL1309")
    stream = held(env)
    faults.set("wall_s", jump)
    env.log.wait_for("BL1309", 10)
    env.bailian.release("go")
    stream.read()
    seqs, text = stream.seqs, stream.text
    if stream.end is None:  # httpd's own Timeout is of the wall clock
        assert stream.ended in ("cut", "reset")
        env.ended(stream, user="held", seconds=20)
        stream = env.resume(stream, after=max(seqs), user="held")
        seqs, text = seqs + stream.seqs, text + stream.text
    assert stream.code is None and stream.end.content == text == TEA_TEXT
    assert seqs == sorted(set(seqs))
    answers_again(env)
    stored = env.get("/bailian/conversations?userId=again").json()
    assert stored


# --- P16: the machine sleeps ------------------------------------------------
@pytest.mark.own_server
def test_p16_machine_that_slept_10_min_ends_its_streams_once(env, faults):
    env.allow_log("BL1501", "BL1309", ENDED_BADLY)
    stream = held(env)
    child, = env.server.children()
    os.kill(child, signal.SIGSTOP)
    faults.set("boot_ms", 600000)
    faults.set("wall_s", 600)
    time.sleep(1.2)  # the watchdog's second passes while all stand still
    os.kill(child, signal.SIGCONT)
    stream.read()
    assert env.ended(stream, user="held")["outcome"] == "timeout"
    if stream.end is None:  # httpd's own Timeout has passed as well
        assert stream.ended in ("cut", "reset")
        stream = env.resume(stream, after=max(stream.seqs), user="held")
    assert stream.code == "upstream_stalled"
    env.log.wait_for("BL1304")  # a thread of its own writes the log
    assert len(env.log.lines("BL1304")) == 1
    assert env.server.children() == [child]
    answers_again(env)
    env.bailian.release("go")


# --- R06: no random numbers -------------------------------------------------
def test_r06_without_random_numbers_nothing_is_begun(env, faults):
    env.expect_log("BL1101")
    stream = held(env)
    faults.set("no_random")
    for _ in range(3):
        refused = env.post("/bailian/stream",
                           {"message": "q", "userId": "dry"})
        assert refused.status == 503 and refused.code == "overloaded"
    env.log.wait_for("BL1101")  # a thread of its own writes the log
    assert len(env.log.lines("BL1101")) == 1  # once a minute
    env.bailian.release("go")
    assert_answer(stream.read())
    faults.clear()
    talks = env.get("/bailian/conversations?userId=dry").json()
    assert not talks["items"]
    answers_again(env)
