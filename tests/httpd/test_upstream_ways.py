# SPDX-License-Identifier: Apache-2.0
"""The ways to an upstream that lead over another server: an HTTP proxy, and a
front that speaks HTTP/2. Both are an httpd of their own."""
import pytest

from answers import ENDED_BADLY, TEA, assert_answer, assert_failure, last, piece
from env import build, canary
from env.environment import add_target
from env.polling import until
from env.server import Httpd, Settings

BODY = """
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
LoadModule proxy_connect_module {modules}/mod_proxy_connect.so
CustomLog {dir}/ways_log "%{{remote}}p %H %r"
ProxyRequests On
AllowCONNECT {tls_port}
<Proxy "*">
    Require all granted
</Proxy>
<Proxy "http://127.0.0.1:{refused}/*">
    Require all denied
</Proxy>
ProxyPass "/front/" "http://127.0.0.1:{port}/" flushpackets=on
"""
MANY = 5  # of one client mod_http2 serves six at once


class Way:
    """An httpd between the module and the emulator."""

    def __init__(self, authority, bailian):
        self.authority = authority
        self.server = Httpd(Settings(with_module=False), authority.issue("way"))
        self.server.configure(BODY.format(
            modules=build.HTTPD_MODULES, dir=self.server.dir,
            port=bailian.port, tls_port=bailian.tls_port, refused=9))
        self.server.start()
        self.proxy = "--proxy http://127.0.0.1:%d" % self.server.port
        self.front = "https://127.0.0.1:%d/front/api/v1" % self.server.tls_port

    @property
    def trusted(self):
        return "--ca-file " + self.authority.file

    def requests(self):
        """(client's port, protocol, request line) of each, oldest first."""
        return [tuple(line.split(" ", 2))
                for line in self.server.read("ways_log").splitlines()]

    def close(self):
        self.server.stop()
        self.server.remove()


@pytest.fixture(scope="module")
def way(authority, bailian):
    found = Way(authority, bailian)
    yield found
    found.close()


def asked(env, app):
    env.bailian.say(*TEA)
    return env.ask(app=app, seconds=60)


def test_plain_upstream_is_asked_through_its_proxy(env, way, bailian):
    add_target(env.ctl, "by-proxy", bailian.base_url, way.proxy)
    before = len(way.requests())
    assert_answer(asked(env, "by-proxy"))
    until(lambda: len(way.requests()) > before, 20, "the proxy's line")
    assert way.requests()[-1][2].startswith(
        "POST http://127.0.0.1:%d/api/v1/apps/" % bailian.port)


def test_tls_goes_through_the_proxy_and_stays_closed_to_it(env, way, bailian):
    """Who carries the bytes learns host and port, and nothing else."""
    add_target(env.ctl, "tunnel", "https://127.0.0.1:%d/api/v1"
               % bailian.tls_port, way.proxy + " " + way.trusted)
    assert_answer(asked(env, "tunnel"))
    env.server.graceful()  # a tunnel is logged when it is closed
    until(lambda: ("CONNECT 127.0.0.1:%d HTTP/1.1" % bailian.tls_port) in [
        line for _, _, line in way.requests()], 60, "the tunnel's line")
    for name in ("ways_log", "access_log", "error_log"):
        assert canary.API_KEY not in way.server.read(name)


@pytest.mark.parametrize("where", ["gone", "denies"])
def test_proxy_that_does_not_help_is_an_error_of_the_way(env, way, where):
    proxy = way.proxy if where == "denies" else "--proxy http://127.0.0.1:9"
    add_target(env.ctl, "proxy-" + where, "https://127.0.0.1:9/api/v1", proxy)
    env.expect_log(ENDED_BADLY)
    assert_failure(asked(env, "proxy-" + where), "upstream_connect")
    assert not env.bailian.requests()


def test_asks_to_an_http2_front_share_one_connection(env, way):
    add_target(env.ctl, "front", way.front, way.trusted)
    assert_answer(asked(env, "front"))
    until(way.requests, 20, "the first request")
    env.bailian.scenario([piece(TEA[0]), {"barrier": "go"}, last(*TEA[1:])])
    streams = [env.ask_open(app="front", user="front-%d" % n, seconds=60)
               for n in range(MANY)]
    for stream in streams:
        stream.next_content()
    env.bailian.release("go")
    for stream in streams:
        assert_answer(stream.read())
    until(lambda: len(fronted(way)) >= MANY + 1, 20, "each request's line")
    assert {protocol for _, protocol, _ in fronted(way)} == {"HTTP/2.0"}
    # All at once: the connection was there and is not asked to wait for.
    assert len({port for port, _, _ in fronted(way)}) == 1


def fronted(way):
    return [r for r in way.requests() if " /front/" in r[2]]


def test_http2_is_left_alone_where_an_upstream_says_so(env, way):
    add_target(env.ctl, "front1", way.front, way.trusted + " --http2 off")
    before = len(fronted(way))
    assert_answer(asked(env, "front1"))
    until(lambda: len(fronted(way)) > before, 20, "the request's line")
    assert fronted(way)[-1][1] == "HTTP/1.1"


@pytest.fixture
def foreign_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


@pytest.mark.own_server
@pytest.mark.server(timeout=61)
def test_s33_proxy_of_the_environment_is_nobodys(foreign_proxy, env):
    assert_answer(asked(env, None))
