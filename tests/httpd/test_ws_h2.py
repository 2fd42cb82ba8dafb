# SPDX-License-Identifier: Apache-2.0
"""WebSockets over HTTP/2 (RFC 8441), by python3-h2."""
import contextlib

import pytest

from answers import TEA, TEA_BEGIN, last, piece
from env import canary
from test_ws_talk import assert_whole

pytest.importorskip("h2")
from env.h2ws import H2Talk  # noqa: E402 pylint: disable=C0413

SOCKET = "/bailian/ws?userId=u1"
pytestmark = pytest.mark.server(global_extra="H2WebSockets on")


@contextlib.contextmanager
def connect(env, path=SOCKET):
    socket = H2Talk(env.server.tls_port, path)
    try:
        yield socket
    finally:
        socket.conn.close()


def test_answer_comes_delta_by_delta_over_http2(env):
    env.bailian.scenario([piece(TEA[0]), {"barrier": "one"}, piece(TEA[1]),
                          {"barrier": "two"}, last(*TEA[2:])])
    with connect(env) as socket:
        assert socket.status == 200
        socket.greeted()
        socket.ask(canary.PROMPT)
        socket.get("CHAT_STREAM_START")
        for text, barrier in ((TEA[0], "one"), (TEA[1], "two")):
            assert socket.get("CHAT_STREAM_DATA")["content"] == text
            env.bailian.release(barrier)
        rest, end = socket.deltas()
        assert rest == TEA[2:]
        assert_whole(end)
        socket.close()
        assert socket.until_closed() == 1000


def test_large_messages_pass_flow_control_over_http2(env):
    pieces = ["茶" * 4000] * 40  # more than the first window
    env.bailian.scenario([last(*pieces)])
    with connect(env) as socket:
        socket.greeted()
        socket.ask("x" * 300000)
        socket.get("CHAT_STREAM_START")
        deltas, end = socket.deltas()
        assert "".join(deltas) == "".join(pieces)
        assert_whole(end, "".join(pieces))


def test_c02_stream_that_is_reset_is_left(env):
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": "never"}])
    with connect(env, "/cancel/ws?userId=u1") as socket:
        socket.greeted()
        socket.ask(canary.PROMPT)
        stream = socket.get("CHAT_STREAM_START")["streamId"]
        text = "".join(socket.get("CHAT_STREAM_DATA")["content"]
                       for _ in TEA[:2])
        assert text == TEA_BEGIN
        socket.conn.reset()
        assert env.ended(stream, seconds=20)["outcome"] == "cancelled"


def test_c24_path_that_is_no_websocket_never_becomes_a_tunnel(env):
    for path, status in (("/bailian/ws/x", "404"), ("/closed/ws", "401")):
        with connect(env, path) as socket:
            assert socket.headers[":status"] == status
