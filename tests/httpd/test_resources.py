# SPDX-License-Identifier: Apache-2.0
"""What runs out: descriptors, places, the pipe of the log; and neighbours on
one database. fault-matrix.md 1.7 and 1.9."""
import contextlib
import json
import os
import signal
import sqlite3
import time

import pytest

from answers import TEA, assert_answer, last, piece
from env import raw
from env.build import IN_VALGRIND
from env.environment import Env
from env.polling import until
from env.sse import Stream

JSON = {"Content-Type": "application/json"}
SOAK = bool(os.environ.get("BL_SOAK"))


def held(env, count=1, base="/bailian", barrier="go"):
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": barrier},
                          last(*TEA[2:])])
    streams = [env.ask_open(base=base, user="held%d" % n, seconds=60)
               for n in range(count)]
    for stream in streams:
        stream.read(stop_after=2)
    return streams


# --- R01: descriptors -------------------------------------------------------
def limit_with_free(pid, count):
    """The limit below which so many descriptors are free. For 0 one that lies
    below all that the child may give back in the meantime."""
    if not count:
        return 8
    used = {int(name) for name in os.listdir("/proc/%d/fd" % pid)}
    limit = 0
    while count or limit in used:
        count -= limit not in used
        limit += 1
    return limit


def limit_descriptors(env, child, count):
    """None: as many as there were."""
    if IN_VALGRIND:
        pytest.skip("valgrind keeps a limit of descriptors of its own")
    with open("/proc/%d/limits" % child, encoding="ascii") as file:
        most = [line.split()[4] for line in file if "open files" in line][0]
    env.server.faults.set("files", count or 0)

    def is_so():
        with open("/proc/%d/limits" % child, encoding="ascii") as file:
            found = [line for line in file if "open files" in line][0]
        return found.split()[3] == str(count or most)
    until(is_so, 10, "the limit of descriptors")


def is_resting(pid):
    """Whether the process was idle for a moment: one that spins never is."""
    began, used = time.monotonic(), processor_seconds(pid)
    time.sleep(0.2)
    return processor_seconds(pid) - used < \
        0.5 * (time.monotonic() - began)


def processor_seconds(pid):
    with open("/proc/%d/stat" % pid, encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def outcome_of_question(env, conn):
    """What becomes of a question on a connection that was there before: when
    none can be accepted httpd itself ends the child gracefully (P08)."""
    body = json.dumps({"message": "q", "userId": "new"})
    conn.send(raw.request("POST", "/once/stream", body, JSON, close=True))
    stream = Stream(conn).read()
    if stream.status == 200:
        assert stream.end is not None, stream
    return stream.code or stream.status


@pytest.mark.own_server
@pytest.mark.server(children=1, threads=16, faults=True)
def test_r01_without_descriptors_what_runs_goes_on(env):
    env.allow_log("Too many open files", "BL1304", "BL1407", "BL1408")
    streams = held(env, 3)
    child, = env.server.children()
    seen = set()
    for count in range(41) if SOAK else (0, 1, 2, 3, 5, 9, 40):
        conn = env.connect()
        assert conn.ask("GET", "/bailian/livez").status == 200
        env.bailian.say(*TEA)
        limit_descriptors(env, child, limit_with_free(child, count))
        seen.add(outcome_of_question(env, conn))
        until(lambda: is_resting(child), 20, "the end of the work")
        limit_descriptors(env, child, None)
        env.bailian.say(*TEA)
        until(lambda: is_answered(env), 10, "an answer (I10)")
    assert seen - {200} and 200 in seen, seen
    env.bailian.release("go")
    for stream in streams:
        assert_answer(stream.read())
    assert env.server.children() == [child]


def is_answered(env):
    try:
        return env.ask(user="again", seconds=30).is_completed
    except (AssertionError, OSError):
        return False


# --- R04: places ------------------------------------------------------------
@pytest.mark.server(children=2, threads=16,
                    global_extra="BailianMaxStreams 3")
def test_r04_place_is_free_again_as_soon_as_a_stream_ends(env):
    for barrier in ("one", "two", "three"):
        streams = held(env, 3, barrier=barrier)
        refused = env.post("/bailian/stream",
                           {"message": "q", "userId": "one-more"})
        assert refused.status == 503 and refused.code == "overloaded"
        assert refused.header("retry-after")
        env.bailian.release(barrier)
        for stream in streams:
            assert_answer(stream.read())


# --- P12: two servers on one database ---------------------------------------
def beside(env, servers):
    """Another server whose database is this one's."""
    other = servers.create(env.server.settings)
    other.body = other.body.replace(other.dir + "/data",
                                    env.server.dir + "/data")
    return other


@pytest.mark.own_server
def test_p12_two_servers_on_one_database_lose_nothing(env, servers):
    stream, = held(env)
    other = beside(env, servers)
    other.log.begin()
    try:
        other.start()
        there = Env(other, env.bailian)
        state = there.state(stream, user="held0")
        assert state.status in (200, 404, 503)  # it lives in the first one
        env.bailian.say(*TEA)
        for number in range(5):
            assert_answer(there.ask(user="there%d" % number))
            assert_answer(env.ask(user="here%d" % number))
        other.stop()
    finally:
        other.remove()
    env.bailian.release("go")
    assert_answer(stream.read())
    for user in ["there%d" % n for n in range(5)]:
        talks = env.get("/bailian/conversations?userId=" + user).json()
        assert len(talks["items"]) == 1
    path = "file:%s?mode=ro" % env.server.path("data", "bailian.db")
    with contextlib.closing(sqlite3.connect(path, uri=True)) as base:
        assert base.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.own_server
def test_p12_newer_schema_is_refused_and_not_written(env):
    env.server.stop()
    path = env.server.path("data", "bailian.db")
    with contextlib.closing(sqlite3.connect(path)) as base:
        before = base.execute("SELECT count(*) FROM stream").fetchone()
        base.execute("PRAGMA user_version = 9999")
        base.commit()
    env.allow_log("BL1842", "BL1844")
    with contextlib.suppress(AssertionError):
        env.server.start()
    env.log.wait_for("9999", 10)
    if env.server.is_running:
        assert env.post("/bailian/stream", {"message": "q", "userId": "u1"}
                        ).status == 503
        env.server.stop()
    with contextlib.closing(sqlite3.connect(path)) as base:
        assert base.execute("PRAGMA user_version").fetchone() == (9999,)
        assert base.execute("SELECT count(*) FROM stream").fetchone() == before


# --- R08: nobody reads the log ----------------------------------------------
# A program for a piped log that takes nothing until the file "go" is there;
# its pipe is as small as can be.
READER = """#!/usr/bin/python3
import fcntl, os, shutil, sys, time
fcntl.fcntl(0, 1031, 4096)  # F_SETPIPE_SZ
open("{dir}/waits", "w").close()
while not os.path.exists("{dir}/go"):
    time.sleep(0.05)
with open("{dir}/error_log", "ab", 0) as log:
    shutil.copyfileobj(sys.stdin.buffer.raw, log)
"""


@pytest.mark.own_server
@pytest.mark.server(children=1, log_level="warn bailian_sse:debug")
def test_r08_log_that_takes_nothing_stops_no_stream(env):
    server, before = env.server, env.server.children()
    program = server.path("reader")
    with open(program, "w", encoding="ascii") as file:
        file.write(READER.format(dir=server.dir))
    os.chmod(program, 0o755)
    with open(server.path("httpd.conf"), encoding="utf-8") as file:
        config = file.read()
    with open(server.path("httpd.conf"), "w", encoding="utf-8") as file:
        file.write(config.replace("ErrorLog %s/error_log" % server.dir,
                                  'ErrorLog "|%s"' % program))
    server.signal(signal.SIGUSR1)
    until(lambda: os.path.exists(server.path("waits")), 20, "the reader")
    until(lambda: server.children() and
          not set(server.children()) & set(before), 20, "the new child")
    env.bailian.say(*TEA)
    for number in range(45):  # the pipe is full after a few
        answer = env.ask(user="r08-%d" % number, seconds=30)
        assert_answer(answer)
    with open(server.path("go"), "w", encoding="ascii"):
        pass
    until(lambda: answer.stream_id[:8] in server.read("error_log"), 20,
          "the lines that waited")
