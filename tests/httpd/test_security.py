# SPDX-License-Identifier: Apache-2.0
"""What docs/security.md promises and no other suite shows.

Fault rows C08, C23, A11; S-12, S-54, S-57, S-58, S-69, S-71, S-73, S-75, S-77.
"""
import json
import re
import socket
import urllib.parse

import pytest

from answers import TEA, TEA_TEXT, assert_answer, last, piece
from env import raw
from env.callers import bearer
from env.polling import until
from env.ws import Talk
from test_admin import LOGIN
from test_modes import modes

# What needs no more than the configuration that the README calls the smallest.
MINIMAL = """
<Location "/minimal">
    SetHandler bailian-sse
</Location>
<Location "/minimal-admin">
    SetHandler bailian-admin
</Location>
"""
LOCATIONS = MINIMAL + """
<Location "/address">
    SetHandler bailian-sse
    BailianAnonymous on
    BailianStartsPerMinutePerAddress 3
</Location>
<Location "/bailian-admin">
    SetHandler bailian-admin
    AuthType Basic
    AuthName "admin"
    AuthUserFile users
    Require valid-user
</Location>
"""
pytestmark = pytest.mark.server(locations=LOCATIONS)

FORGED = {"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9",
          "Forwarded": "for=203.0.113.9", "Client-IP": "203.0.113.9",
          "X-Client-IP": "203.0.113.9", "True-Client-IP": "203.0.113.9"}


# --- who asks ----------------------------------------------------------------
def test_s12_a_header_is_no_address(env):
    for number in range(3):
        env.bailian.say(*TEA)
        forged = {name: "203.0.113.%d" % number for name in FORGED}
        assert_answer(env.ask(base="/address", user="s12-%d" % number,
                              headers=forged))
    refused = env.ask(base="/address", user="s12-x", headers=FORGED)
    assert (refused.status, refused.reply.code) == (429, "rate_limited")


def test_s12_what_is_stored_is_the_address_of_the_connection(env):
    env.bailian.say(*TEA)
    stream = env.ask(user="s12", headers=FORGED)
    env.ended(stream, user="s12")
    found = env.get("/bailian-admin/api/streams/" + stream.stream_id,
                    LOGIN).body.decode()
    assert "203.0.113" not in found and "127.0.0.1" in found


def test_s69_equal_questions_of_two_people_are_asked_twice(env):
    for user, text in (("one", TEA_TEXT), ("two", "Anders.")):
        env.bailian.say(*(TEA if user == "one" else ["Anders."]))
        stream = env.ask(user=user, body={"conversionId": "same"})
        assert_answer(stream, text)
    assert len(env.bailian.requests()) == 2
    for user, text in (("one", TEA_TEXT), ("two", "Anders.")):
        found = until(lambda who=user: env.get(
            "/bailian/conversations?userId=" + who).json()["items"], 20,
            "the conversation of " + user)
        assert len(found) == 1
        messages = env.get("/bailian/conversations/%s?userId=%s" % (
            found[0]["conversationId"], user)).json()["messages"]
        assert [m["content"] for m in messages if m["role"] == "assistant"] \
            == [text]


# --- nothing but the smallest configuration ----------------------------------
ROUTES = [("POST", "/stream"), ("GET", "/miniapp-stream?message=x"),
          ("POST", "/miniapp-stream"), ("POST", "/api/chat/stream?sessionId=s"),
          ("GET", "/api/chat/poll?sessionId=s"), ("POST", "/api/chat/sync"),
          ("GET", "/streams/" + "0" * 32), ("DELETE", "/streams/" + "0" * 32),
          ("GET", "/streams/" + "0" * 32 + "/events"),
          ("GET", "/conversations"), ("GET", "/conversations/x"),
          ("PATCH", "/conversations/x"), ("DELETE", "/conversations/x"),
          ("GET", "/conversations/x/export?format=json"), ("POST", "/tickets")]


@pytest.mark.parametrize("method,path", ROUTES)
def test_s77_nobody_gets_in_where_nobody_was_let_in(env, method, path):
    body = None if method in ("GET", "DELETE") else {"message": "x"}
    for headers in ({}, bearer("bl_" + "0" * 64), {"X-Remote-User": "li"},
                    {"Origin": "https://evil.example", "Cookie": "user=li"}):
        reply = env.http(method, "/minimal" + path, body, headers)
        code = reply.json()["code"]
        assert (reply.status, code) == (401, "unauthenticated") or \
            "Origin" in headers and code == "origin_refused", reply.body
        assert reply.head.header("Access-Control-Allow-Origin") is None
    assert not env.bailian.requests()


def test_s77_no_socket_is_opened_where_nobody_was_let_in(env):
    for path in ("/ws", "/ws?userId=li", "/ws/chat"):
        assert Talk(env.connect(), "/minimal" + path).status == 401


def test_a11_nobody_is_an_admin_by_being_first(env):
    for path in ("/", "/api/keys", "/api/overview", "/api/live/events",
                 "/metrics", "/api/audit"):
        reply = env.get("/minimal-admin" + path)
        assert reply.status == 403, path
    for path in ("/api/keys", "/api/upstreams", "/api/callers"):
        assert env.post("/minimal-admin" + path, {"name": "x"}).status == 403


# --- the other side ----------------------------------------------------------
def by_sse(env):
    assert env.ask(base="/once").end.field("code") == "upstream_rejected"


def by_text(env):
    reply = env.get("/once/miniapp-stream?message=x&userId=u1")
    assert (reply.status, reply.json()["code"]) == (400, "upstream_rejected")


def by_sync(env):
    found = env.post("/once/api/chat/sync", {"message": "x", "userId": "u1"})
    assert found.json()["code"] == "upstream_rejected"


def by_poll(env):
    env.post("/once/api/chat/stream?sessionId=s71",
             {"message": "x", "userId": "u1"})

    def end():
        found = env.get("/once/api/chat/poll?sessionId=s71&userId=u1").json()
        return found if found["data"]["complete"] else None
    found = until(end, 20, "the end of the session")
    assert found["code"] == "upstream_rejected"


def by_socket(env):
    talk = Talk(env.connect(), "/once/ws?userId=u1")
    talk.greeted()
    talk.ask("x")
    talk.get("CHAT_STREAM_START")
    assert talk.message()["code"] == "upstream_rejected"


@pytest.mark.parametrize("sink", [by_sse, by_text, by_sync, by_poll,
                                  by_socket])
def test_s71_u07_what_was_inspected_is_asked_once_by_every_sink(env, sink):
    env.bailian.scenario("u07-inspection")
    sink(env)
    assert len(env.bailian.requests()) == 1


WAITS = [("POST", "/cancel/api/chat/sync", {"message": "x", "userId": "u1"}),
         ("GET", "/cancel/miniapp-stream?message=x&userId=u1", None)]


@modes()
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("method,path,body", WAITS, ids=["sync", "text"])
def test_c23_upstream_is_left_when_the_waiting_caller_goes(
        env, tls, method, path, body):
    env.bailian.scenario([{"barrier": "never"}])
    conn = env.connect(tls=tls)
    conn.send(raw.request(method, path, body, {}))
    env.bailian.reached("never", seconds=20)
    conn.close()
    ended = env.bailian.request(state="closed", seconds=20)
    assert ended["ended_by"] in ("peer-fin", "peer-reset")


@modes()
@pytest.mark.parametrize("method,path,body", WAITS, ids=["sync", "text"])
def test_c03_caller_that_closed_its_half_still_waits(env, method, path, body):
    env.bailian.scenario([{"barrier": "go"}, last(*TEA)])
    conn = env.connect(seconds=60)
    conn.send(raw.request(method, path, body, {}))
    env.bailian.reached("go", seconds=20)
    conn.half_close()
    assert conn.line(b"\r\n\r\n", 30) == b"HTTP/1.1 102 Processing"
    env.bailian.release("go")
    assert TEA_TEXT in conn.reply(30, method).body.decode()


# --- requests ----------------------------------------------------------------
def test_s57_nothing_of_a_body_is_read_before_the_caller_is_known(env):
    """What is unread closes the connection (S-54); no row, no question."""
    for path in ("stream", "miniapp-stream", "api/chat/sync", "tickets",
                 "conversations/x"):
        conn = env.connect(seconds=30)
        conn.send(("POST /minimal/%s HTTP/1.1\r\nHost: h\r\nContent-Type: "
                   "application/json\r\nContent-Length: 900000\r\n"
                   "Authorization: Bearer bl_%s\r\n\r\n{" % (
                       path, "0" * 64)).encode())
        head = conn.head()
        assert head.status == 401, path
        raw.Body(conn, head).rest()
        while conn.fill():
            pass
        assert conn.ended in ("fin", "reset"), path
    assert not env.bailian.requests()


@pytest.mark.server(locations=LOCATIONS, threads=4, factor=2,
                    global_extra="RequestReadTimeout header=1 body=1")
def test_c08_s58_slow_requests_are_ended_and_others_served(env):
    env.allow_log("AH00484")  # as many as there are workers
    slow = []
    for number in range(6):
        conn = env.connect(seconds=60)
        if number % 2:
            conn.send(b"POST /bailian/stream HTTP/1.1\r\nHost: h\r\nContent-"
                      b"Type: application/json\r\nContent-Length: 30\r\n\r\n{")
        else:
            conn.send(b"POST /bailian/stream HTTP/1.1\r\nHo")
        slow.append(conn)
    for _ in range(3):
        env.bailian.say(*TEA)
        assert_answer(env.ask(user="c08", seconds=60))
    for conn in slow:
        head = conn.head(60)
        assert head is None or head.status == 408
    asked = [json.loads(r["body"]) for r in env.bailian.requests()]
    assert len(asked) == 3


# --- errors ------------------------------------------------------------------
WRONG = [("GET", "/stream", None, {}), ("POST", "/stream", "{", {}),
         ("POST", "/stream", {"message": "x", "appId": "no-such-app"}, {}),
         ("POST", "/stream", {"message": "' OR 1=1 --", "appId": "../.."}, {}),
         ("POST", "/stream", {"message": "x"}, {"Content-Type": "text/xml"}),
         ("POST", "/stream", {"message": "x"}, {"Idempotency-Key": "\x7f"}),
         ("GET", "/streams/" + "f" * 32, None, {}),
         ("GET", "/streams/" + "f" * 32 + "/events?after=-1", None, {}),
         ("GET", "/streams/%2e%2e%2fetc", None, {}),
         ("GET", "/conversations?cursor=%27", None, {}),
         ("GET", "/conversations/" + "%27" * 9, None, {}),
         ("GET", "/conversations/x/export?format=exe", None, {}),
         ("GET", "/api/chat/poll", None, {}),
         ("GET", "/api/chat/poll?sessionId=nobody", None, {}),
         ("POST", "/api/chat/sync", {"message": ""}, {}),
         ("GET", "/chat/../../etc/passwd", None, {}),
         ("GET", "/nothing-here", None, {}),
         ("GET", "/ws/chat", None, {"Upgrade": "websocket",
                                    "Connection": "Upgrade"})]
TELLS = re.compile(
    r"sqlite|SELECT |INSERT |constraint|\bcurl|libcurl|0x[0-9a-f]{6}|\.c:\d|"
    r"/tmp/|/var/|/home/|/usr/|bailian\.db|127\.0\.0\.1:|www-data|[Aa]pache/|"
    r"stack|assert", re.I)


@pytest.mark.parametrize("method,path,body,headers", WRONG)
def test_s73_errors_tell_a_class_and_nothing_of_the_inside(
        env, method, path, body, headers):
    reply = env.http(method, "/bailian" + path, body, headers)
    words = reply.body.decode()
    assert 400 <= reply.status < 500, (reply.status, words)
    assert not TELLS.search(words), words
    assert "<script" not in words


@pytest.mark.parametrize("scenario", ["u08-500", "u09-html", "u05-403",
                                      "u15-reset-in-event"])
def test_s73_failures_of_the_upstream_tell_nothing_of_it(env, scenario):
    env.allow_log("BL1304", "BL1653", "BL1652")
    env.bailian.scenario(scenario)
    stream = env.ask(base="/once", app=env.fresh_app())
    assert not TELLS.search(bytes(stream.raw).decode())


def test_s73_a_store_that_is_gone_is_not_described(env):
    """The words of a class, whatever the library said."""
    quoted = urllib.parse.quote("\x01\x02'\";--")
    reply = env.get("/bailian/conversations?q=" + quoted)
    assert reply.status in (200, 400)
    assert not TELLS.search(reply.body.decode())
    with socket.create_connection(("127.0.0.1", env.server.port), 10) as sock:
        sock.sendall(b"GET /bailian/streams HTTP/1.1\r\nHost: h\r\n"
                     b"Connection: close\r\n\r\n")
        words = b"".join(iter(lambda: sock.recv(65536), b"")).decode()
    assert not TELLS.search(words.split("\r\n\r\n", 1)[1])


# --- operation ---------------------------------------------------------------
def test_s75_start_names_the_versions_of_what_is_used(env):
    line, = [line for line in env.server.read("error_log").split("\n")
             if "BL1846" in line][:1]
    for library in ("mod_bailian_sse/", "libcurl/", "OpenSSL/", "SQLite/",
                    "jansson/", "APR/"):
        assert re.search(re.escape(library) + r"\d+\.\d+", line), line
