# SPDX-License-Identifier: Apache-2.0
"""bailianctl: what an admin types, sees and is told."""
import fcntl
import json
import os
import pty
import pwd
import sqlite3
import stat
import subprocess
import termios

import pytest

from conftest import BUILD

SECRET = "sk-canary0123456789abcdefWXYZ"


def with_upstream(env):
    env.ready()
    env.run("upstream", "add", "bl", "--kind", "bailian-app",
            "--base-url", "https://dashscope.aliyuncs.com/api/v1")
    return env


# From nothing to a key in use: the six commands of the manual.
def test_first_steps(env):
    with_upstream(env)
    env.run("app", "add", "qa", "--upstream", "bl", "--app-id", "1234", "--default",
            "--parameters", '{"temperature":0.2}', "--policy", "detach 2min",
            "--gap-timeout", "90", "--connect-timeout", "500ms")
    env.run("key", "add", "--upstream", "bl", "--name", "main", stdin=SECRET + "\n")
    app, = env.json("app", "list")
    assert app["parameters"] == {"temperature": 0.2}
    assert app["policy"] == "detach 120s"
    assert (app["gapTimeoutMs"], app["connectTimeoutMs"]) == (90000, 500)
    assert app["default"] is True
    key, = env.json("key", "list")
    assert (key["last4"], key["state"], key["canBeOpened"]) == ("WXYZ", "enabled", True)
    assert "dashscope.aliyuncs.com" in env.run("upstream", "list").stdout
    assert "the database is whole" in env.run("db", "check").stdout


# S-42: the key is in no output, list, error or file.
def test_secret_is_shown_nowhere(env):
    with_upstream(env)
    seen = env.run("key", "add", "--upstream", "bl", "--name", "main", stdin=SECRET)
    texts = [seen.stdout, seen.stderr]
    for command in (["key", "list"], ["--json", "key", "list"], ["db", "check"]):
        done = env.run(*command)
        texts += [done.stdout, done.stderr]
    again = env.run("key", "add", "--upstream", "bl", "--name", "main", stdin=SECRET, ok=1)
    bad = env.run("key", "add", "--upstream", "bl", "--name", "x",
                  stdin=SECRET + " with a space", ok=2)
    texts += [again.stderr, bad.stderr]
    env.run("db", "backup", os.path.join(env.dir, "copy.db"))
    for name in os.listdir(env.dir):
        with open(os.path.join(env.dir, name), "rb") as f:
            texts.append(f.read().decode("latin-1"))
    assert not [t for t in texts if "canary" in t]


# A secret is no argument: nobody reads it in the process list or in a history.
@pytest.mark.parametrize("option", ["--secret", "--key", "--api-key"])
def test_secret_is_never_an_argument(env, option):
    with_upstream(env)
    done = env.run("key", "add", "--upstream", "bl", "--name", "n", option, SECRET, ok=2)
    assert "canary" not in done.stderr


def test_key_add_without_input_says_so(env):
    with_upstream(env)
    assert "standard input" in env.run("key", "add", "--upstream", "bl", "--name", "n",
                                       ok=2).stderr


def typed(env, text):
    """key add with a terminal: (exit code, what the screen shows, is echo on?)"""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [os.path.join(BUILD, "bailianctl"), "--database", env.db, "--master-key", env.key,
         "key", "add", "--upstream", "bl", "--name", "main"],
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    screen = b""
    while b"API key: " not in screen:
        screen += os.read(ours, 1024)
    os.write(ours, text)
    code = process.wait(30)
    echo = bool(termios.tcgetattr(theirs)[3] & termios.ECHO)
    os.close(theirs)
    try:
        while True:
            screen += os.read(ours, 1024)
    except OSError:  # the end of a terminal
        pass
    os.close(ours)
    return code, screen.decode(), echo


# On a terminal it is asked for, and what is typed is not shown.
def test_secret_typed_on_a_terminal_is_not_shown(env):
    with_upstream(env)
    code, screen, echo = typed(env, SECRET.encode() + b"\n")
    assert code == 0 and "in use" in screen and "canary" not in screen and echo
    assert env.json("key", "list")[0]["last4"] == "WXYZ"


# Who changes his mind gets his terminal back as it was.
def test_control_c_at_the_prompt_leaves_the_terminal_as_it_was(env):
    with_upstream(env)
    code, screen, echo = typed(env, b"sk-half\x03")
    assert code == 2 and echo and "half" not in screen
    assert env.json("key", "list") == []


# Each error says what would be right, on standard error, with its exit code.
@pytest.mark.parametrize("code,words,args", [
    (2, "see bailianctl --help", ["frobnicate"]),
    (2, "see bailianctl --help", ["--nonsense", "db", "check"]),
    (2, "see bailianctl --help", ["--database"]),
    (2, "master-key create", ["master-key", "make"]),
    (2, "db migrate", ["db", "vacuum"]),
    (2, "upstream list", ["upstream", "rename", "a", "b"]),
    (2, "key enable ID", ["key", "enable"]),
    (2, "key list", ["key", "enable", "one"]),
    (1, "key list", ["key", "enable", "7"]),
    (2, "baseUrl is needed", ["upstream", "add", "x", "--kind", "bailian-app"]),
    (2, "https://", ["upstream", "add", "x", "--kind", "bailian-app", "--base-url", "ftp://a"]),
    (2, "user name", ["upstream", "add", "x", "--kind", "bailian-app",
                      "--base-url", "https://u:p@a"]),
    (2, "on or off", ["upstream", "set", "bl", "--http2", "maybe"]),
    (2, "needs a value", ["upstream", "set", "bl", "--http2"]),
    (2, "given twice", ["upstream", "set", "bl", "--http2", "on", "--http2", "off"]),
    (2, "letters", ["upstream", "add", "a/b", "--kind", "bailian-app",
                    "--base-url", "https://a"]),
    (1, "upstream set", ["upstream", "add", "bl", "--kind", "bailian-app",
                         "--base-url", "https://a"]),
    (1, "upstream add", ["upstream", "set", "none", "--http2", "on"]),
    (1, "there is no app", ["app", "delete", "none"]),
    (2, "no upstream", ["app", "add", "x", "--upstream", "none", "--app-id", "1"]),
    (2, "appId is needed", ["app", "add", "x", "--upstream", "bl"]),
    (2, "500ms", ["app", "add", "x", "--upstream", "bl", "--app-id", "1",
                  "--gap-timeout", "soon"]),
    (2, "detach 60s", ["app", "add", "x", "--upstream", "bl", "--app-id", "1",
                       "--policy", "keep"]),
    (2, "JSON object", ["app", "add", "x", "--upstream", "bl", "--app-id", "1",
                        "--parameters", "[1]"]),
])
def test_errors_say_what_would_be_right(env, code, words, args):
    with_upstream(env)
    done = env.run(*args, ok=code)
    assert words in done.stderr and done.stdout == ""
    assert "error" in json.loads(env.run("--json", *args, ok=code).stderr)


def test_usage_and_version(env):
    assert "usage:" in env.run("--help").stdout
    assert env.run("--version").stdout.startswith("bailianctl ")
    assert "usage:" in env.run(ok=2).stderr


def test_commands_need_a_database_and_make_none(env):
    done = env.run("app", "list", ok=1)
    assert "db migrate" in done.stderr
    assert not os.path.exists(env.db)


def test_master_key_is_never_overwritten(env):
    env.run("master-key", "create")
    with open(env.key) as f:
        before = f.read()
    assert "rotate" in env.run("master-key", "create", ok=1).stderr
    with open(env.key) as f:
        assert f.read() == before
    assert stat.S_IMODE(os.stat(env.key).st_mode) == 0o400


# D13: without, or with another master key, everything goes on but the keys.
def test_d13_without_the_master_key(env):
    with_upstream(env)
    env.run("key", "add", "--upstream", "bl", "--name", "main", stdin=SECRET)
    os.unlink(env.key)
    assert env.json("key", "list")[0]["canBeOpened"] is False
    assert "master-key create" in env.run("key", "add", "--upstream", "bl", "--name", "b",
                                          stdin=SECRET, ok=1).stderr
    assert not os.path.exists(env.key)
    env.run("master-key", "create")
    assert env.json("key", "list")[0]["canBeOpened"] is False
    assert "cannot be opened: 1" in env.run("db", "check").stdout


# S-34
def test_moved_upstream_needs_its_keys_again(env):
    with_upstream(env)
    env.run("key", "add", "--upstream", "bl", "--name", "main", stdin=SECRET)
    told = env.run("upstream", "set", "bl", "--base-url", "https://other.example/api/v1")
    assert "entered again" in told.stderr
    assert env.json("key", "list")[0]["state"] == "reenter"
    assert "enter it again" in env.run("key", "enable", "1", ok=1).stderr
    env.run("key", "add", "--upstream", "bl", "--name", "main", stdin=SECRET)
    assert env.json("key", "list")[0]["state"] == "enabled"


def test_upstream_in_use_is_not_deleted(env):
    with_upstream(env)
    env.run("app", "add", "qa", "--upstream", "bl", "--app-id", "1")
    assert "delete its apps first" in env.run("upstream", "delete", "bl", ok=1).stderr
    env.run("app", "delete", "qa")
    env.run("upstream", "delete", "bl")
    assert env.json("upstream", "list") == []


# D15: without processes that run, one call does it all; the old line can go.
def test_d15_rotation(env):
    with_upstream(env)
    env.run("key", "add", "--upstream", "bl", "--name", "main", stdin=SECRET)
    env.run("master-key", "rotate")
    with open(env.key) as f:
        lines = f.read().splitlines()
    assert len(lines) == 2
    os.unlink(env.key)
    with open(env.key, "w") as f:
        f.write(lines[1] + "\n")
    os.chmod(env.key, 0o400)
    assert env.json("key", "list")[0]["canBeOpened"] is True
    assert "cannot be opened: 0" in env.run("db", "check").stdout


# D15: killed at any moment, and run again: every row under a key of the file.
def test_d15_rotation_killed_and_run_again(env):
    with_upstream(env)
    for i in range(8):
        env.run("key", "add", "--upstream", "bl", "--name", "k%d" % i, stdin=SECRET)
    for delay in (0.001, 0.003, 0.006, 0.01, 0.015, 0.02):
        process = subprocess.Popen(
            [os.path.join(BUILD, "bailianctl"), "--database", env.db, "--master-key", env.key,
             "master-key", "rotate"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert "cannot be opened: 0" in env.run("db", "check").stdout
    env.run("master-key", "rotate")
    keys = env.json("key", "list")
    assert len({k["masterKey"] for k in keys}) == 1 and all(k["canBeOpened"] for k in keys)


def test_backup_is_whole_private_and_never_replaces(env):
    with_upstream(env)
    copy = os.path.join(env.dir, "copy.db")
    env.run("db", "backup", copy)
    assert stat.S_IMODE(os.stat(copy).st_mode) == 0o600
    assert "there already" in env.run("db", "backup", copy, ok=1).stderr
    env.run("db", "check", database=copy)
    env.run("db", "backup", "/nowhere/copy.db", ok=1)


# D07: the exact commands, and nothing changed.
@pytest.mark.parametrize("offset", [0, 4096 * 4])
def test_d07_damaged_database(env, offset):
    with_upstream(env)
    c = sqlite3.connect(env.db)  # what is in the log belongs into the file
    c.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    c.close()
    with open(env.db, "r+b") as f:
        f.seek(offset)
        f.write(b"\x5a" * 4096)
    with open(env.db, "rb") as f:
        before = f.read()
    done = env.run("db", "check", ok=1)
    assert ".recover | sqlite3" in done.stdout + done.stderr
    with open(env.db, "rb") as f:
        assert f.read() == before


# Root works as the owner of the database: no file of root is left beside it.
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_becomes_the_owner_of_the_database(env):
    nobody = pwd.getpwnam("nobody")
    # pytest keeps its folders to root; the owner must reach his own.
    reachable = "/tmp/bl-owner-%d" % os.getpid()
    os.mkdir(reachable, 0o700)
    try:
        os.chown(reachable, nobody.pw_uid, nobody.pw_gid)
        env.db = os.path.join(reachable, "bailian.db")
        with_upstream(env)
        env.run("key", "add", "--upstream", "bl", "--name", "main", stdin=SECRET)
        env.run("master-key", "rotate")
        owners = {name: os.stat(os.path.join(reachable, name)).st_uid
                  for name in os.listdir(reachable)}
        assert set(owners.values()) == {nobody.pw_uid}, owners
        assert os.stat(env.key).st_uid == 0
        assert env.sql("SELECT DISTINCT actor FROM audit") == [("cli:root",)]
    finally:
        for name in os.listdir(reachable):
            os.unlink(os.path.join(reachable, name))
        os.rmdir(reachable)


# D08: other users may not reach it.
def test_d08_open_directory_is_refused(env):
    env.ready()
    os.chmod(env.dir, 0o755)
    assert "chmod 0700" in env.run("db", "check", ok=1).stderr
