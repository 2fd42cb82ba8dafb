# SPDX-License-Identifier: Apache-2.0
"""Large databases: D16, D17, D18."""
import sqlite3
import subprocess

from conftest import SLOW


def run(env, name, *words, seconds=600):
    done = subprocess.run([env.program(name), env.dir, *map(str, words)],
                          capture_output=True, text=True, timeout=seconds)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# D16: list, search, open and the admin's lists; ten million messages in the
# long form, which holds each p99 below 200 ms. The quick one only shows that
# every question is answered; that none reads a whole table: test_store_plans.
def test_d16_questions_to_a_large_database(env):
    if SLOW:
        run(env, "store_size", 1000000, 100000, 200, 200, seconds=3600)
    else:
        run(env, "store_size", 2000, 1000, 5, 0)


# D17: everything old is deleted while two processes write answers: no old
# text is left in the files, no new row is gone.
def test_d17_retention_beside_streams_that_write(env):
    if SLOW:
        run(env, "store_retention", 100000, "judge-slices", seconds=7200)
    else:
        run(env, "store_retention", 1000, seconds=300)


# D18: a copy made while a process writes is whole, equal to one state of the
# database, and holds keys only sealed.
def test_d18_backup_while_writing(env):
    env.ready()
    secret = "sk-" + "canary" * 6
    env.run("upstream", "add", "up", "--kind", "bailian-app",
            "--base-url", "https://x.example/api/v1")
    env.run("key", "add", "--upstream", "up", "--name", "k", stdin=secret)
    # Its input stays open, or the worker would end by itself.
    worker = subprocess.Popen([env.program("store_worker"), env.db, "1000"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        for _ in range(10):
            worker.stdout.readline()
        for n in range(3):
            to = "%s.copy%d" % (env.db, n)
            env.run("db", "backup", to)
            with open(to, "rb") as file:
                assert secret.encode() not in file.read()
            copy = sqlite3.connect("file:%s?mode=ro" % to, uri=True)
            assert copy.execute(
                "SELECT count(*) FROM message WHERE role = 'assistant'"
            ).fetchall() == copy.execute("SELECT count(*) FROM stream"
                                         ).fetchall()
            copy.close()
            assert "of which cannot be opened: 0" in env.run(
                "db", "check", database=to).stdout
    finally:
        worker.kill()
        worker.communicate()
