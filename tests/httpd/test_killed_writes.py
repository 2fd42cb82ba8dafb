# SPDX-License-Identifier: Apache-2.0
"""P02, in httpd: a child is killed at each system call by which its writer
changes or locks the database, in turn. tests/store has the same without httpd.
"""
import contextlib
import os
import sqlite3

import pytest

from answers import TEA, assert_answer, last
from env.polling import until

SOAK = bool(os.environ.get("BL_SOAK"))
# A question and a change take some seventy calls.
POINTS = range(1, 151) if SOAK else (3, 30, 62)
MPMS = {"event": {"children": 1}, "worker": {"children": 1},
        "prefork": {"children": 2, "threads": 4}}
USER = "p02"


def query(env, text, *values):
    path = "file:%s?mode=ro" % env.server.path("data", "bailian.db")
    with contextlib.closing(sqlite3.connect(path, uri=True)) as base:
        return base.execute(text, values).fetchall()


def whatever_comes(what):
    """Its result; None when the child died over it."""
    try:
        return what()
    except (AssertionError, OSError):
        return None


def stored_title(env):
    (title,), = query(env, "SELECT title FROM conversation"
                           " WHERE client_id = 'kept'")
    return title


def rename(env, title):
    reply = env.http("PATCH", "/bailian/conversations/kept?userId=" + USER,
                     {"title": title})
    assert reply.status == 200
    return reply


def work(env, point):
    """An answer, and a change that is acknowledged; whether it was."""
    def ask():
        return env.ask(user=USER, seconds=30,
                       body={"conversionId": "p02-%d" % point})
    whatever_comes(ask)
    return whatever_comes(lambda: rename(env, "title %d" % point)) is not None


def kill_at(env, point):
    """Whether the change was acknowledged."""
    kills = env.server.kills
    before = env.server.children()
    kills.set("left", point)
    acknowledged = []

    def is_killed():
        acknowledged.append(work(env, point))
        return not kills.get("left")
    until(is_killed, 60, "so many calls")
    until(lambda: set(before) - set(env.server.children()), 20, "the kill")
    until(lambda: whatever_comes(lambda: env.get("/bailian/readyz").status
                                 == 200), 20, "the next child")
    return any(acknowledged)


@pytest.mark.own_server
@pytest.mark.parametrize("env", [dict(MPMS[name], mpm=name, kills=True)
                                 for name in MPMS], indirect=True,
                         ids=list(MPMS))
def test_p02_child_killed_in_a_write_loses_nothing_acknowledged(env):
    env.allow_log("exit signal", "BL1412", "BL1501")
    env.bailian.scenario([last(*TEA)])
    assert_answer(env.ask(user=USER, body={"conversionId": "kept"}))
    until(lambda: query(env, "SELECT 1 FROM stream WHERE outcome = 1"), 20,
          "the stored answer")
    env.server.kills.set("of_writer")
    title = stored_title(env)
    for point in POINTS:
        acknowledged = kill_at(env, point)
        was, title = title, stored_title(env)
        assert title == "title %d" % point or (
            title == was and not acknowledged)
    assert_answer(env.ask(user=USER))
    assert_sound(env)


def assert_sound(env):
    """No transaction is there in part, and nothing runs for ever (I2, I8)."""
    env.ctl("db", "check")
    until(lambda: not query(env, "SELECT 1 FROM stream WHERE outcome = 0"), 20,
          "an outcome of each stream")
    for half in ("SELECT id FROM stream s WHERE NOT EXISTS"
                 " (SELECT 1 FROM message WHERE answer_id = s.id)",
                 "SELECT id FROM message WHERE role = 'user'"
                 " AND answer_id NOT IN (SELECT id FROM message)",
                 "SELECT id FROM message m WHERE role = 'assistant'"
                 " AND NOT EXISTS (SELECT 1 FROM stream WHERE id = m.id)",
                 "SELECT s.id FROM stream s JOIN message m USING (id)"
                 " WHERE s.outcome = 1"
                 " AND length(CAST(m.content AS BLOB)) <> s.text_len"):
        assert query(env, half) == []
