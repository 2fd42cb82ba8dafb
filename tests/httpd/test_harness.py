# SPDX-License-Identifier: Apache-2.0
"""The harness itself, against a plain httpd and the emulator alone."""
import re
import socket
import subprocess
import threading

import pytest

from env import build, canary, logs, polling
from env.raw import Raw, Silence, request
from env.sse import Stream

pytestmark = pytest.mark.server(with_module=False)


def page(env, text="hello"):
    with open(env.server.path("htdocs", "page.txt"), "w",
              encoding="utf-8") as file:
        file.write(text)


@pytest.mark.parametrize("tls", [False, True])
def test_plain_httpd_serves_a_page(env, tls):
    page(env)
    reply = env.get("/page.txt", tls=tls)
    assert (reply.status, reply.body, reply.ended) == (200, b"hello", "clean")


@pytest.mark.parametrize("env", [{"mpm": "worker"}, {"mpm": "prefork"}],
                         indirect=True)
def test_other_mpms_start(env):
    page(env)
    assert env.get("/page.txt").status == 200


def test_graceful_restart_keeps_serving(env):
    page(env)
    old = env.server.children()
    env.server.graceful()
    assert env.get("/page.txt").status == 200
    assert env.server.children() and old


def test_keep_alive_connection_is_used_twice(env):
    page(env)
    conn = env.connect()
    assert conn.ask("GET", "/page.txt").status == 200
    assert conn.ask("GET", "/page.txt").status == 200


def test_configuration_error_is_told(servers):
    status, text = servers.configtest(with_module=False,
                                      locations="NoSuchDirective on")
    assert status != 0 and "NoSuchDirective" in text


def test_unexpected_warning_is_a_problem(env):
    with open(env.server.path("error_log"), "a", encoding="utf-8") as file:
        file.write("[Fri] [bailian_sse:warn] [pid 1:tid 2] BL1603: odd\n")
    assert len(env.log.problems([])) == 1
    env.expect_log("BL1603")
    assert env.log.problems([]) == []


def test_expected_warning_that_does_not_come_is_a_problem(env, monkeypatch):
    monkeypatch.setattr(polling, "LEAST_S", 0)
    env.expect_log("BL9999")
    assert env.log.problems([]) == ["the log never said BL9999"]
    env.log.expected.clear()


@pytest.mark.parametrize("leak", [
    canary.API_KEY, canary.API_KEY[5:17], canary.PROMPT,
    canary.API_KEY.encode().hex()])
def test_canary_in_the_log_is_a_problem(env, leak):
    with open(env.server.path("error_log"), "a", encoding="utf-8") as file:
        file.write("[Fri] [core:info] [pid 1:tid 2] %s\n" % leak)
    assert env.log.problems(canary.SECRETS)
    env.log.begin()


class Canned:
    """A server that says one thing to one client."""

    def __init__(self, *writes):
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.writes = writes
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        conn, _ = self.sock.accept()
        for data in self.writes:
            conn.sendall(data)
        if self.writes[-1]:
            conn.shutdown(socket.SHUT_WR)
        conn.settimeout(60)
        try:
            conn.recv(1)
        except OSError:
            pass
        conn.close()
        self.sock.close()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" \
    b"Transfer-Encoding: chunked\r\n\r\n"


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


def stream_of(*writes):
    canned = Canned(*writes)
    conn = Raw(canned.port, seconds=30)
    return Stream(conn), conn, canned


# Frames as the sanitizer writes them: prefork's handler of TERM came while a
# connection was being closed.
STOPPED = """ERROR: AddressSanitizer: attempting double-free
    #0 0x1 in __interceptor_free asan_malloc_linux.cpp:52
    #1 0x2 in %s (/lib/x86_64-linux-gnu/libssl.so.3+0x3b39b)
    #2 0x3 in apr_pool_destroy (/lib/x86_64-linux-gnu/libapr-1.so.0+0x225dd)
    #3 0x4  (/usr/lib/apache2/modules/mod_mpm_prefork.so+0x3e26)
    #4 0x5  (/usr/lib/apache2/modules/mod_mpm_prefork.so+0x3e7a)
    #5 0x6  (/lib/x86_64-linux-gnu/libc.so.6+0x3c04f)
    #6 0x7 in SSL_free (/lib/x86_64-linux-gnu/libssl.so.3+0x3b39b)
    #7 0x8  (/usr/lib/apache2/modules/mod_mpm_prefork.so+0x5026)
"""


def test_crash_of_the_mpm_at_its_stop_is_told_from_ours():
    assert logs.is_unclean_stop(STOPPED % "SSL_free")
    assert not logs.is_unclean_stop(STOPPED % "mod_bailian_sse.so")
    ours = STOPPED.replace("mod_mpm_prefork", "mod_bailian_sse")
    assert not logs.is_unclean_stop(ours % "SSL_free")


# Two reports of the thread sanitizer as one file.
RACE = """==================
WARNING: ThreadSanitizer: data race (pid=6314)
  Write of size 8 at 0x7ffbdf3454f8 by thread T54:
    #0 memset sanitizer_common_interceptors.inc:799 (libtsan.so.2+0x5cbc4)
    #1 memset sanitizer_common_interceptors.inc:797 (libtsan.so.2+0x5cbc4)
    #2 <null> <null> (apache2+0x4ff6b)

  Previous read of size 8 at 0x7ffbdf3454f8 by thread T50:
    #0 %s
==================
==================
WARNING: ThreadSanitizer: data race (pid=6314)
  Read of size 8 at 0x7ffbdf3454f8 by thread T54:
    #0 %s
==================
"""
OURS = "ctx_of ../mod_bailian_sse/httpd/park.c:69 (mod_bailian_sse.so+0x313ec)"
HTTPDS = "apr_file_write <null> (libapr-1.so.0+0x1ee16)"


@pytest.mark.parametrize("frames,is_httpd", [
    ((HTTPDS, HTTPDS), True), ((OURS, HTTPDS), False), ((HTTPDS, OURS), False)])
def test_race_of_httpd_alone_is_told_from_ours(frames, is_httpd):
    assert logs.is_of_httpd_alone(RACE % frames) == is_httpd


def atomics_of(library):
    """Names of APR's atomic operations that a library has."""
    names = subprocess.run(["nm", "-D", "--defined-only", library],
                           capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"\bapr_atomic_\w+", names)) - {"apr_atomic_init"}


@pytest.mark.skipif(not build.has_thread_sanitizer(),
                    reason="not the thread sanitizer")
def test_thread_sanitizer_sees_every_atomic_operation_of_apr(env):
    with open("/proc/%d/maps" % env.server.process.pid,
              encoding="utf-8") as file:
        loaded = file.read()
    apr = re.search(r"/\S*/libapr-1\.so\S*", loaded).group(0)
    assert env.server.atomics in loaded
    assert atomics_of(env.server.atomics) == atomics_of(apr)


def test_client_tells_a_clean_end_from_a_cut():
    event = chunk(b'id: s:1\ndata: {"content":"a","isEnd":false}\n\n')
    for tail, ended in ((b"0\r\n\r\n", "clean"), (b"", "cut"),
                        (b"10\r\nabc", "cut")):
        stream, conn, canned = stream_of(HEAD + event + tail)
        stream.read()
        assert (stream.ended, stream.text) == (ended, "a")
        conn.close()
        canned.thread.join()


@pytest.mark.parametrize("block", [
    b"data: a\r\n\r\n\n", b"what: a\n\n", b"data:a\n\n", b"data: \xff\n\n",
    b"plain\n\n"])
def test_client_refuses_a_malformed_event(block):
    stream, conn, canned = stream_of(HEAD + chunk(block) + b"0\r\n\r\n")
    with pytest.raises((AssertionError, UnicodeDecodeError)):
        stream.read()
    conn.close()
    canned.thread.join()


def test_client_refuses_an_event_without_its_end():
    stream, conn, canned = stream_of(HEAD + chunk(b"data: a\n") + b"0\r\n\r\n")
    with pytest.raises(AssertionError, match="without its end"):
        stream.read()
    conn.close()
    canned.thread.join()


def test_client_gives_up_on_silence():
    stream, conn, canned = stream_of(HEAD, b"")
    with pytest.raises(Silence):
        stream.next(0.1)
    conn.close()
    canned.thread.join()


def test_emulator_is_scripted_from_here(env):
    env.bailian.scenario("u15-reset-before-head")
    conn = Raw(env.bailian.port)
    conn.send(request("POST", "/api/v1/apps/scenario-current/completion",
                      {"input": {"prompt": "hello"}},
                      {"Authorization": "Bearer sk-x"}))
    assert conn.head() is None and conn.ended == "reset"
    assert env.bailian.request()["scenario"] == "current"
