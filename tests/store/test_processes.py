# SPDX-License-Identifier: Apache-2.0
"""Several processes on one database: D06, D10, P12."""
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

import pytest

from conftest import ROOT, SLOW

sys.path.append(os.path.join(ROOT, "tests", "httpd"))
from env.faults import Kills  # noqa: E402

# Where SQLite's fault was repaired: 3.51.3, and in two older series.
REPAIRED = ((3, 51, 3), (3, 50, 7), (3, 44, 6))


def has_fault():
    version = sqlite3.sqlite_version_info
    return version < REPAIRED[0] and not any(
        version[:2] == r[:2] and version >= r for r in REPAIRED[1:])


def race(env, seconds, writers, checkpointers, guard):
    # In memory where there is some: a slow disk makes the race a rare one.
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else env.dir
    with tempfile.TemporaryDirectory(prefix="bl-d06-", dir=place) as folder:
        done = subprocess.run(
            [env.program("d06_race"), folder, str(seconds), str(writers),
             str(checkpointers), guard],
            capture_output=True, text=True, timeout=seconds + 300)
    assert done.returncode != 2, done.stdout + done.stderr
    return done


# D06, the negative control: without the lock rows are lost in seconds, by
# chance. (tests/unit/test_log_reset.c has the moment at which that happens.)
@pytest.mark.skipif(not SLOW, reason="waits for chance: BL_STORE_SLOW=1")
@pytest.mark.skipif(not has_fault(), reason="this SQLite is repaired")
def test_d06_without_the_lock_rows_are_lost(env):
    for _ in range(20):
        done = race(env, 3, 2, 1, "unguarded")
        if done.returncode == 1:
            break
    assert done.returncode == 1, done.stdout + done.stderr


# D06: with the lock every commit is there, through the table and the index,
# and a fresh process finds the database sound (I8).
@pytest.mark.parametrize("writers,checkpointers", [(1, 1), (2, 2), (4, 3)] if not SLOW
                         else [(1, 1), (1, 3), (2, 2), (3, 1), (4, 3)])
def test_d06_with_the_lock_nothing_is_lost(env, writers, checkpointers):
    done = race(env, 120 if SLOW else 4, writers, checkpointers, "guarded")
    assert done.returncode == 0, done.stdout + done.stderr


def worker(env, first, **variables):
    return subprocess.Popen([env.program("store_worker"), env.db, str(first)],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                            env=dict(os.environ, **variables))


def acknowledged(out, first):
    lines = out.split("\n")[:-1]  # the last one may be cut
    return range(first, int(lines[-1]) + 1) if lines else range(0)


# D10: three processes write, each is killed at a random moment. What was
# acknowledged is there, no stream stays live, the database is sound. A fresh
# database for each round, lest the checks of I8 take ever longer.
@pytest.mark.parametrize("round", range(67 if SLOW else 1))
def test_d10_kill_at_random_times_loses_nothing_acknowledged(env, round):
    env.ready()
    seed = int(os.environ.get("BL_SEED", time.time())) + round
    print("BL_SEED=%d" % (seed - round))
    chance = random.Random(seed)
    expected = set()
    for turn in range(5):  # of three kills: 1,005 in all
        firsts = [(turn * 3 + i + 1) * 1000000 for i in range(3)]
        running = [worker(env, first) for first in firsts]
        if not expected:  # one that has begun, on a machine of any speed
            expected.add(int(running[-1].stdout.readline()))
        for process, first in zip(running, firsts):
            time.sleep(chance.uniform(0.02, 0.2) if SLOW
                       else chance.uniform(0.05, 0.4))
            process.kill()
            out, _ = process.communicate(timeout=120)
            expected.update(acknowledged(out, first))
        env.run("db", "check")
        assert expected and missing(env, expected) == []
    # The next process marks what the killed ones left behind.
    last = worker(env, 1)
    last.stdout.readline()
    last.communicate(timeout=120)  # closes its input, which ends it
    assert last.returncode == 0
    env.run("db", "check")
    assert missing(env, expected) == []
    assert set(outcomes(env).values()) <= {1, 6}


def outcomes(env):
    return {int.from_bytes(row[0], "big"): row[1]
            for row in env.sql("SELECT stream_id, outcome FROM stream")}


def missing(env, expected):
    found = outcomes(env)
    return [n for n in expected if found.get(n) != 1]


# P02: killed at each system call that changes or locks a file, in turn: each
# transaction is there whole or not at all, and what was acknowledged is there.
def test_p02_kill_at_each_system_call(env):
    env.ready()
    kills = Kills(env.dir)
    expected = set()
    points = range(1, 201) if SLOW else [n * (n + 1) // 2 for n in range(1, 12)]
    for point in points:
        first = point * 1000000
        # With nobody to kill it, until something is acknowledged.
        process = worker(env, first, BL_KILL_AT=kills.path)
        expected.update(range(first, int(process.stdout.readline()) + 1))
        kills.set("left", point)
        # Its input stays open, or the worker would end by itself.
        assert process.wait(120) == -signal.SIGKILL
        out, _ = process.communicate()
        expected.update(acknowledged(out, first))
        env.run("db", "check")
    assert missing(env, expected) == []
    # Whole or not at all: every ended stream has its three runs and its text.
    assert env.sql(
        "SELECT s.id FROM stream s JOIN message m USING (id) WHERE s.outcome = 1 AND"
        " (length(m.content) <> s.text_len OR 3 <>"
        " (SELECT count(*) FROM stream_event e WHERE e.stream = s.id))") == []


# P12: a schema that is newer than the code: nothing starts, nothing changes.
def test_p12_newer_schema_is_refused(env):
    env.ready()
    c = sqlite3.connect(env.db)
    c.execute("PRAGMA user_version = 99")
    c.commit()
    c.close()
    done = env.run("db", "migrate", ok=1)
    assert "schema 99" in done.stderr and "newer" in done.stderr
    process = subprocess.run([env.program("store_worker"), env.db, "1"],
                             stdin=subprocess.DEVNULL, capture_output=True,
                             text=True, timeout=120)
    assert process.returncode == 1 and "newer" in process.stderr


# P12: a newer version migrates while an older one runs: the older one stops
# writing with its next transaction.
def test_p12_running_process_stops_writing_after_a_migration(env):
    env.ready()
    process = worker(env, 1)
    for line in process.stdout:
        if int(line) >= 40:
            break
    c = sqlite3.connect(env.db, timeout=60)
    c.execute("PRAGMA user_version = 99")
    c.commit()
    count = c.execute("SELECT count(*) FROM stream").fetchone()[0]
    time.sleep(0.5)
    assert c.execute("SELECT count(*) FROM stream").fetchone()[0] == count
    process.kill()
    process.communicate()
