# SPDX-License-Identifier: Apache-2.0
"""environment - what a test gets: a server, a Bailian, clients, checks."""
import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import urllib.parse

from . import build, canary, raw
from .polling import until
from .sse import Stream

# name -> (app id at the emulator, options of "app add")
APPS = {
    "default": ("scenario-current", "--default --incremental on"),
    "cumulative": ("scenario-current", "--incremental off"),
    "thinking": ("scenario-current",
                 "--incremental on --thoughts on --thinking on"),
    "message": ("scenario-current", "--flow message_format"),
    "plus": ("scenario-current", "--flow message_format_plus"),
    "full": ("scenario-current", "--flow full_thoughts --thoughts on"),
    "agent": ("scenario-current", "--incremental on --flow agent_format"),
    "neighbour": ("0f1e2d3c4b5a69788796a5b4c3d2e1f0", "--incremental on"),
    "denied": ("denied-app", "--incremental on"),
}
# Apps that always get one scenario of the emulator's library, for tests in
# which many streams run at once.
ALWAYS = ("u07-inspection-mid", "u12-stall", "u14-clean-close",
          "u15-reset-in-event", "u15-reset-after-end", "u16-inside-chunk",
          "u17-chunk-a-byte", "u21-duplicate", "u22-event-1m", "u24-cut-json",
          "u28-firehose")
APPS.update((name, ("scenario-" + name, "--incremental on"))
            for name in ALWAYS)
# Apps with an upstream of their own: a test that makes an upstream fail takes
# one, so that keys that cool down and open breakers are not the next test's.
FRESH = 40

# What fails there fails by what the upstream does, and not by a clock: so a
# busy machine changes no outcome.
QUICK = """\
    BailianHeartbeatFirst 200ms
    BailianHeartbeat 300ms
    BailianConnectTimeout 20s
    BailianFirstContentTimeout 20s
    BailianGapTimeout 20s
    BailianStreamTimeout 60s
"""
# For tests of these clocks.
HASTY = """\
    BailianHeartbeatFirst 100ms
    BailianHeartbeat 100ms
    BailianConnectTimeout 700ms
    BailianFirstContentTimeout 1s
    BailianGapTimeout 1s
"""

BODY = """\
BailianDatabase {dir}/data/bailian.db
BailianMasterKey {master_key}
{network}
BailianAllowPlainHttp 127.0.0.1
BailianAllowPlainHttp no-such-host.invalid
{global_extra}
<Location "/bailian">
    SetHandler bailian-sse
    BailianAnonymous on
    {extra}
</Location>
<Location "/quick">
    SetHandler bailian-sse
    BailianAnonymous on
{quick}    BailianRetry fixed 3 50ms
</Location>
<Location "/once">
    SetHandler bailian-sse
    BailianAnonymous on
{quick}    BailianRetry off
</Location>
<Location "/hasty">
    SetHandler bailian-sse
    BailianAnonymous on
{hasty}    BailianRetry off
</Location>
<Location "/hasty-again">
    SetHandler bailian-sse
    BailianAnonymous on
{hasty}    BailianRetry fixed 10 50ms
</Location>
<Location "/beat">
    SetHandler bailian-sse
    BailianAnonymous on
    BailianHeartbeatFirst 100ms
    BailianHeartbeat 100ms
</Location>
# No heartbeat: that a client is gone is seen by its socket, or not at all; and
# a pause before the next attempt that is as long as a test may take.
<Location "/cancel">
    SetHandler bailian-sse
    BailianAnonymous on
    BailianDisconnect cancel
    BailianHeartbeatFirst 1h
    BailianHeartbeat 1h
    BailianRetry fixed 3 10min
</Location>
<Location "/drain">
    SetHandler bailian-sse
    BailianAnonymous on
    BailianDisconnect drain
</Location>
<Location "/login">
    SetHandler bailian-sse
    AuthType Basic
    AuthName "test"
    AuthUserFile {dir}/users
    Require valid-user
</Location>
<Location "/closed">
    SetHandler bailian-sse
</Location>
{locations}
"""

PLAIN_BODY = "{locations}\n"


class Database:
    """Made once by bailianctl as an admin would; each server gets a copy."""

    def __init__(self, directory, bailian, targets):
        self.directory = directory
        self.file = os.path.join(directory, "bailian.db")
        self.master_key = os.path.join(directory, "master.key")
        os.makedirs(directory, exist_ok=True)
        os.chmod(directory, 0o700)
        tool = Tool(self.file, self.master_key, build.TEMPLATE_TOOL)
        tool("master-key", "create")
        tool("db", "migrate")
        add_upstream(tool, "emulator", bailian.base_url)
        for name, (app_id, options) in APPS.items():
            tool("app", "add", name, "--upstream", "emulator",
                 "--app-id", app_id, *options.split())
        for number in range(FRESH):
            add_target(tool, fresh_name(number), bailian.base_url)
        for name, target in targets.items():
            add_target(tool, name, *target)

    def copy_to(self, directory):
        """The database and its log, for the user that serves."""
        owner = os.stat(directory)
        for name in ("bailian.db", "bailian.db-wal"):
            source = os.path.join(self.directory, name)
            if os.path.exists(source):
                path = os.path.join(directory, name)
                shutil.copy(source, path)
                os.chown(path, owner.st_uid, owner.st_gid)
                os.chmod(path, 0o600)


def fresh_name(number):
    return "fresh%02d" % number


def add_upstream(tool, name, base_url, options="", keys=(canary.API_KEY,)):
    tool("upstream", "add", name, "--kind", "bailian-app",
         "--base-url", base_url, *options.split())
    for number, secret in enumerate(keys):
        tool("key", "add", "--upstream", name, "--name", "key%d" % number,
             secret=secret)


def add_target(tool, name, base_url, options="", keys=(canary.API_KEY,)):
    """An app with an upstream of its own, both of that name."""
    add_upstream(tool, name, base_url, options, keys)
    tool("app", "add", name, "--upstream", name, "--app-id",
         "scenario-current", "--incremental", "on")


class Tool:
    """bailianctl with its two paths given."""

    def __init__(self, database, master_key, program=build.TOOL):
        self.command = [program, "--database", database, "--master-key",
                        master_key]

    def run(self, *words, secret=None):
        return subprocess.run(
            [*self.command, *words], capture_output=True, text=True,
            timeout=300, check=False,
            input="" if secret is None else secret + "\n")

    def __call__(self, *words, secret=None):
        done = self.run(*words, secret=secret)
        assert done.returncode == 0, "bailianctl %s: %s" % (
            " ".join(words), done.stdout + done.stderr)
        return done.stdout

    def json(self, *words):
        return json.loads(self("--json", *words))


class Env:
    """The server of one test and all that looks at it."""

    def __init__(self, server, bailian, tool=None):
        self.server = server
        self.bailian = bailian
        self.ctl = tool
        self.log = server.log
        self.expect_log = server.log.expect
        self.allow_log = server.log.allow
        self._open = []

    def fresh_app(self):
        """Name of an app whose upstream nobody has used yet."""
        self.server.fresh_used += 1
        return fresh_name(self.server.fresh_used - 1)

    # --- clients ------------------------------------------------------------
    def connect(self, tls=False, **options):
        conn = raw.Raw(self.server.tls_port if tls else self.server.port,
                       tls=tls, **options)
        self._open.append(conn)
        return conn

    def http(self, method, path, body=None, headers=None, tls=False):
        with raw.Raw(self.server.tls_port if tls else self.server.port,
                     tls=tls) as conn:
            return conn.ask(method, path, body, headers, close=True)

    def get(self, path, headers=None, **options):
        return self.http("GET", path, None, headers, **options)

    def post(self, path, body=None, headers=None, **options):
        return self.http("POST", path, body, headers, **options)

    def delete(self, path, headers=None, **options):
        return self.http("DELETE", path, None, headers, **options)

    def sse_open(self, path="/bailian/stream", body=None, last_event_id=None,
                 headers=None, tls=False, conn=None, method=None, seconds=30,
                 close=True, **options):
        """Asks, and returns when the head of the response is there."""
        fields = dict({"Accept": "text/event-stream"}, **(headers or {}))
        if last_event_id is not None:
            fields["Last-Event-ID"] = last_event_id
        if conn is None:
            conn = self.connect(tls=tls, seconds=seconds, **options)
        conn.send(raw.request(method or ("GET" if body is None else "POST"),
                              path, body, fields, close=close))
        return Stream(conn)

    def sse(self, path="/bailian/stream", body=None, stop_after=None,
            **options):
        """Reads to the end, or until stop_after content events came."""
        stream = self.sse_open(path, body, **options)
        if stream.reply is None:
            stream.read(stop_after)
        stream.close()
        return stream

    def ask(self, base="/bailian", message=canary.PROMPT, app=None,
            user="u1", body=None, **options):
        """The plain chat request; a Stream that was read."""
        return self.sse(base + "/stream", ask_body(message, app, user, body),
                        **options)

    def ask_open(self, base="/bailian", message=canary.PROMPT, app=None,
                 user="u1", body=None, **options):
        return self.sse_open(base + "/stream",
                             ask_body(message, app, user, body), **options)

    def state(self, stream, base="/bailian", user="u1"):
        """GET {base}/streams/{id} of a stream (or an id)."""
        stream_id = getattr(stream, "stream_id", stream)
        return self.get("%s/streams/%s?userId=%s" % (
            base, stream_id, urllib.parse.quote(user)))

    def ended(self, stream, base="/bailian", user="u1", seconds=10):
        """The state of a stream as soon as it has an outcome."""
        def look():
            reply = self.state(stream, base, user)
            found = reply.json() if reply.status == 200 else {}
            return found if found.get("outcome") not in (None, "live", "") \
                else None
        return until(look, seconds, "the outcome of the stream")

    def events_taken(self, stream, seconds=30):
        """How many events the server took of an upstream that it holds back:
        the number stands still."""
        seen = []

        def is_still():
            seen.append(self.state(stream).json()["events"])
            return len(seen) > 40 and seen[-40] == seen[-1]
        until(is_still, seconds, "the pause of the upstream")
        return seen[-1]

    def stored_seq(self, stream):
        """The newest event of a stream that is in the database: what a crash
        cannot take any more."""
        path = "file:%s?mode=ro" % self.server.path("data", "bailian.db")
        with contextlib.closing(sqlite3.connect(path, uri=True)) as base:
            found, = base.execute(
                "SELECT max(last_seq) FROM stream_event JOIN stream"
                " ON stream.id = stream_event.stream WHERE stream_id = ?",
                (bytes.fromhex(stream.stream_id),)).fetchone()
        return found or 0

    def resume(self, stream, base="/bailian", after=None, last_event_id=None,
               user="u1", query="", **options):
        path = "%s/streams/%s/events?userId=%s%s" % (
            base, getattr(stream, "stream_id", stream),
            urllib.parse.quote(user), query)
        if after is not None:
            path += "&after=%s" % after
        return self.sse(path, last_event_id=last_event_id, **options)

    # --- checks -------------------------------------------------------------
    def finish(self, problems):
        for conn in self._open:
            conn.close()
        problems += self.log.problems(canary.SECRETS)
        assert not problems, "\n".join(problems)


def ask_body(message=canary.PROMPT, app=None, user="u1", body=None):
    found = {"message": message, "userId": user}
    if app is not None:
        found["appId"] = app
    found.update(body or {})
    return {name: value for name, value in found.items() if value is not None}
