# SPDX-License-Identifier: Apache-2.0
"""Fixtures: one emulator a session, one server a setting, one env a test.

    @pytest.mark.server(mpm="worker", threads=8)

chooses settings (env/server.py, DEFAULTS); tests with equal settings share a
running server. `BL_BUILD_DIR` names the build to test.
"""
import base64
import hashlib
import os
import shutil
import tempfile

import pytest

from env import build, canary
from env.bailian import Bailian
from env.certs import Authority
from env.environment import (BODY, FRESH, HASTY, PLAIN_BODY, QUICK, Database,
                             Env, Tool)
from env.faults import Faults, Kills, compile_shim
from env.group import Group
from env.nomem import NoMemory
from env.server import Httpd, Settings
from env.traps import Traps


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "server(**settings): settings of the httpd of this test")
    config.addinivalue_line(
        "markers", "own_server: this test harms its server; nobody gets it "
        "afterwards")


def pytest_sessionstart(session):
    if os.geteuid() != 0:
        pytest.exit("the httpd tests start a server as root", 3)


@pytest.fixture(scope="session")
def workdir():
    path = tempfile.mkdtemp(prefix="bl-test-")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def authority(workdir):
    return Authority(os.path.join(workdir, "ca"))


@pytest.fixture(scope="session")
def bailian(authority):
    emulator = Bailian(authority.issue("emulator"))
    yield emulator
    emulator.stop()


class Servers:
    """At most one runs at a time; it is reused while the settings stay."""

    def __init__(self, workdir, authority, bailian, traps):
        self.workdir = workdir
        self.cert = authority.issue("httpd")
        self.bailian = bailian
        self.traps = traps
        self.current = None
        self._database = None
        self._shims = {}

    def shim(self, name):
        if name not in self._shims:
            self._shims[name] = compile_shim(self.workdir, name)
        return self._shims[name]

    def database(self):
        """The template; made when the first test needs it."""
        if self._database is None:
            assert build.is_built(), \
                "not built: %s, %s (BL_BUILD_DIR)" % (build.MODULE, build.TOOL)
            self._database = Database(
                os.path.join(self.workdir, "template"), self.bailian,
                self.traps.targets)
        return self._database

    def get(self, settings):
        if self.current is not None and (
                self.current.settings.key != settings.key
                or self.current.fresh_used > FRESH - 5
                or not self.current.is_running):
            self.drop()
        if self.current is None:
            server = self.create(settings)
            try:
                server.start()
            except AssertionError:
                server.remove()
                raise
            self.current = server
        return self.current

    def create(self, settings):
        """A server with its own directory and database, not started."""
        server = Httpd(settings, self.cert)
        if settings["faults"]:
            server.faults = Faults(server.dir, self.shim("faults"))
        if settings["memory_limit"]:
            server.group = Group(settings["memory_limit"])
        if settings["kills"]:
            server.kills = Kills(server.dir, self.shim("kill_at"))
        if settings["nomem"]:
            server.nomem = NoMemory(server.dir, self.shim("nomem"))
        if not build.is_slow():  # a sanitizer tells by itself
            server.crashes = self.shim("crashes")
        if build.has_thread_sanitizer():
            server.atomics = self.shim("atomics")
        chosen = {name: settings[name]
                  for name in ("extra", "locations", "global_extra",
                               "network")}
        if not settings["with_module"]:
            server.body = PLAIN_BODY.format(**chosen)
            return server
        database = self.database()
        database.copy_to(server.path("data"))
        with open(server.path("users"), "w", encoding="ascii") as file:
            for user in ("li", "wang"):
                file.write("%s:{SHA}%s\n" % (user, _sha1(canary.PASSWORD)))
        server.body = BODY.format(
            dir=server.dir, master_key=database.master_key, quick=QUICK,
            hasty=HASTY, **chosen)
        return server

    def configtest(self, **chosen):
        """(exit status, what it said) of a server that is not started."""
        server = self.create(Settings(**chosen))
        try:
            return server.configtest()
        finally:
            server.remove()

    def tool(self, server):
        if not server.settings["with_module"]:
            return None
        return Tool(server.path("data", "bailian.db"),
                    self.database().master_key)

    def drop(self, known=()):
        """Stops the current server; its last words are checked too, those
        that the test knew of left out."""
        server, self.current = self.current, None
        if server is None:
            return
        try:
            server.log.begin()
            server.log.allow(*known)
            server.stop()
            problems = server.log.problems(canary.SECRETS)
            assert not problems, "at the stop: " + "\n".join(problems)
        finally:
            if os.environ.get("BL_KEEP"):
                print("kept: " + server.dir)
            else:
                server.remove()


def _sha1(text):
    return base64.b64encode(hashlib.sha1(text.encode()).digest()).decode()


@pytest.fixture(scope="session")
def traps(authority, bailian):
    found = Traps(authority, bailian)
    yield found
    found.close()


@pytest.fixture(scope="session")
def servers(workdir, authority, bailian, traps):
    found = Servers(workdir, authority, bailian, traps)
    yield found
    found.drop()


@pytest.fixture
def env(request, servers, bailian):
    chosen = {}
    for mark in reversed(list(request.node.iter_markers("server"))):
        chosen.update(mark.kwargs)
    if hasattr(request, "param"):
        chosen.update(request.param)
    server = servers.get(Settings(**chosen))
    # Not before: a server that had to go may still have been asking.
    bailian.reset()
    server.log.begin()
    found = Env(server, bailian, servers.tool(server))
    yield found
    problems = []
    harmed = request.node.get_closest_marker("own_server") is not None
    if not harmed and not server.is_running:
        problems.append("httpd is gone")
    try:
        found.finish(problems)
    except AssertionError:
        harmed = True
        raise
    finally:
        if harmed:
            servers.drop(server.log.allowed + server.log.expected)
