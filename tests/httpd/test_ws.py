# SPDX-License-Identifier: Apache-2.0
"""WebSocket: the raw text socket of dialects.md 3, in every mode."""
import contextlib
import sqlite3

import pytest

from answers import ENDED_BADLY, TEA, TEA_BEGIN, TEA_TEXT, last, piece
from env import canary, ws
from env.polling import until
from test_modes import modes

CHAT = "/bailian/ws/chat?userId=u1"


def connect(env, path=CHAT, tls=False, **options):
    socket = ws.Socket(env.connect(tls=tls), path, **options)
    assert socket.status == 101, socket.headers
    return socket


def answer(socket, seconds=30):
    """Texts up to the empty frame."""
    texts = []
    while True:
        text = socket.next(seconds)
        assert text is not None, (texts, socket.close_code,
                                  socket.close_reason)
        if not text:
            return texts
        texts.append(text)


@modes()
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_text_socket_sends_each_delta_as_it_comes(env, tls):
    env.bailian.scenario([piece(TEA[0]), {"barrier": "one"}, piece(TEA[1]),
                          {"barrier": "two"}, last(*TEA[2:])])
    socket = connect(env, tls=tls)
    socket.say({"message": canary.PROMPT, "userId": "u1"})
    for text, barrier in ((TEA[0], "one"), (TEA[1], "two")):
        assert socket.next() == text
        env.bailian.release(barrier)
    assert answer(socket) == TEA[2:]
    socket.close()
    assert socket.until_closed() == 1000
    assert socket.conn.ended == "fin"


def test_text_socket_says_how_an_answer_ended(env):
    env.bailian.say(*TEA)
    socket = connect(env, CHAT + "&end=json")
    socket.say(canary.PROMPT)  # plain text is a question too
    assert [socket.next() for _ in TEA] == TEA
    end = socket.json()
    assert (end["type"], end["outcome"]) == ("end", "completed")
    assert end["length"] == len(TEA_TEXT.encode())
    assert len(end["streamId"]) == 32
    assert "error" not in end
    # What was read here is stored like any other stream.
    assert env.ended(end["streamId"])["outcome"] == "completed"


def test_text_socket_answers_one_question_after_the_other(env):
    """Two questions at once: the deltas are not mixed."""
    pieces = ["%d " % number for number in range(20)]
    env.bailian.scenario([last(*pieces, interval=0.005)])
    socket = connect(env)
    socket.say("first")
    socket.say("second")
    assert [answer(socket), answer(socket)] == [pieces, pieces]


@pytest.mark.parametrize("query", ["", "&end=json"])
def test_cut_answer_never_looks_whole_on_a_text_socket(env, query):
    """1.2, I4: no empty frame and no 1000 after a failure."""
    env.expect_log(ENDED_BADLY)
    env.bailian.scenario([piece(*TEA[:2]), {"reset": {"flush": True}}])
    socket = connect(env, "/once/ws/chat?userId=u1" + query)
    socket.say(canary.PROMPT)
    assert socket.next() + socket.next() == TEA_BEGIN
    if query:
        end = socket.json()
        assert (end["outcome"], end["code"]) == ("error", "upstream_cut")
        assert end["error"]
        env.bailian.say(*TEA)
        socket.say(canary.PROMPT)
        assert [socket.next() for _ in TEA] == TEA
    else:
        assert socket.next() is None
        assert (socket.close_code, socket.close_reason) == \
            (1011, "upstream_cut")


def test_c24_path_that_is_no_websocket_never_becomes_a_tunnel(env):
    for path, status in (("/bailian/livez", 200), ("/bailian/ws/x", 404),
                         ("/bailian/streams/x", 404)):
        socket = ws.Socket(env.connect(), path + "?userId=u1")
        assert socket.status == status
        assert "upgrade" not in socket.headers


@pytest.mark.parametrize("change", [
    {"Upgrade": None}, {"Connection": "close"},
    {"Sec-WebSocket-Version": "8"}])
def test_c24_handshake_that_is_none_is_refused(env, change):
    socket = ws.Socket(env.connect(), CHAT, headers=change)
    assert socket.status == 426
    assert socket.headers["sec-websocket-version"] == "13"
    assert socket.headers["upgrade"] == "websocket"


@pytest.mark.parametrize("change", [
    {"Sec-WebSocket-Key": "short"}, {"Sec-WebSocket-Key": None},
    {"Content-Length": "5"}, {"Transfer-Encoding": "chunked"}])
def test_c24_broken_handshake_is_refused(env, change):
    socket = ws.Socket(env.connect(), CHAT, headers=change)
    assert socket.status == 400


def test_c24_handshake_is_a_get(env):
    reply = env.post("/bailian/ws/chat?userId=u1", {"message": "x"})
    assert (reply.status, reply.header("allow")) == (405, "GET")


@modes("event", "event-sync")
@pytest.mark.parametrize("bytes_, code", [
    (ws.frame(ws.TEXT, b"x", mask=None), 1002),
    (ws.frame(ws.TEXT, b"x", rsv=4), 1002),
    (ws.frame(3), 1002),
    (ws.frame(ws.PING, b"x", fin=False), 1002),
    (ws.frame(0, b"x"), 1002),
    (ws.frame(ws.TEXT, b"\xff"), 1007),
    (ws.frame(ws.TEXT, b"x", length=2 ** 20 + 1), 1009),
    (ws.frame(ws.CLOSE, b"\3"), 1002)], ids=str)
def test_c19_broken_frame_closes_with_its_code(env, bytes_, code):
    socket = connect(env)
    socket.conn.send(bytes_)
    assert socket.until_closed() == code


def test_c19_broken_frame_cancels_what_the_connection_asked(env):
    env.bailian.scenario([piece(TEA[0]), {"barrier": "never"}])
    socket = connect(env, "/bailian/ws/chat?userId=u1&end=json")
    socket.say(canary.PROMPT)
    assert socket.next() == TEA[0]
    stream_id = newest_stream(env)
    socket.conn.send(ws.frame(ws.TEXT, b"x", mask=None))
    assert socket.until_closed() == 1002
    assert env.ended(stream_id)["outcome"] == "cancelled"


def newest_stream(env):
    """Id of the stream that began last, as the database has it."""
    path = "file:%s?mode=ro" % env.server.path("data", "bailian.db")

    def look():
        with contextlib.closing(sqlite3.connect(path, uri=True)) as base:
            return base.execute("SELECT stream_id FROM stream ORDER BY id"
                                " DESC LIMIT 1").fetchone()
    return until(look, 10, "a stream in the database")[0].hex()


def test_c20_ping_flood_is_stopped(env):
    socket = connect(env)
    socket.conn.send(ws.frame(ws.PING, b"x") * 11)
    assert socket.until_closed() == 1008


def test_c20_fragments_without_end_are_stopped(env):
    socket = connect(env)
    socket.conn.send(ws.frame(ws.TEXT, b"", fin=False) +
                     ws.frame(0, b"", fin=False) * 128)
    assert socket.until_closed() == 1009


@pytest.mark.server(global_extra="BailianMaxWebSocketsPerPrincipal 2\n"
                    "BailianMaxWebSockets 3")
def test_c20_connections_of_one_user_and_of_all(env):
    sockets = [connect(env) for _ in range(2)]
    refused = ws.Socket(env.connect(), CHAT)
    assert refused.status == 429
    sockets.append(connect(env, "/bailian/ws/chat?userId=u2"))
    refused = ws.Socket(env.connect(), "/bailian/ws/chat?userId=u3")
    assert refused.status == 503
    sockets[0].close()
    assert sockets[0].until_closed() == 1000
    def again():
        found = ws.Socket(env.connect(), CHAT)
        return found.status == 101
    until(again, 10, "the place of the one that left")


LIVELY = "BailianWebSocketHeartbeat 500ms\nBailianWebSocketIdleTimeout 4s\n"


@pytest.mark.parametrize("env", [
    {"global_extra": LIVELY}, {"global_extra": LIVELY + "BailianAsync sync"}],
    indirect=True, ids=["event", "event-sync"])
def test_c21_silent_client_is_disconnected(env):
    alive, silent = connect(env), connect(env)
    while alive.pings < 10:  # longer than the limit
        opcode, payload = alive.frame()
        assert opcode == ws.PING
        alive.pings += 1
        alive.send(ws.PONG, payload)
    env.bailian.say(*TEA)
    alive.say(canary.PROMPT)
    assert "".join(answer(alive)) == TEA_TEXT
    opcode = ws.PING
    while opcode == ws.PING:
        opcode, payload = silent.frame()
    assert (opcode, payload[:2]) == (ws.CLOSE, b"\3\xf0")


SMALL = """
<Location "/small">
    SetHandler bailian-sse
    BailianAnonymous on
    BailianWebSocketMaxMessage 1024
    BailianWebSocketMaxFrames 2
    BailianWebSocketMaxControlFrames 1
    BailianWebSocketRate 2
</Location>
"""
small = pytest.mark.server(locations=SMALL)


@small
@pytest.mark.parametrize("frames,code", [
    (ws.frame(ws.TEXT, b"x" * 1025), 1009),
    (ws.frame(ws.TEXT, b"x", fin=False) + ws.frame(0, b"x", fin=False) * 2,
     1009),
    (ws.frame(ws.PING) * 2, 1008)], ids=["message", "frames", "controls"])
def test_c20_limits_are_those_of_the_location(env, frames, code):
    socket = connect(env, "/small/ws/chat?userId=u1")
    socket.conn.send(frames)
    assert socket.until_closed() == code


@small
def test_c20_messages_above_the_rate_are_refused_and_the_rest_goes_on(env):
    env.bailian.say(*TEA)
    socket = connect(env, "/small/ws/chat?userId=u1&end=json")
    for _ in range(2):
        socket.say(canary.PROMPT)
        assert [socket.next() for _ in TEA] == TEA
        assert socket.json()["outcome"] == "completed"
    socket.say(canary.PROMPT)
    assert socket.json()["code"] == "rate_limited"
