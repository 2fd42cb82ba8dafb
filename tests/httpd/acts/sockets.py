# SPDX-License-Identifier: Apache-2.0
"""sockets - questions over a WebSocket."""
import json

from answers import TEA_TEXT
from env import canary
from env.ws import Socket, Talk

from .world import SECONDS, act


def talk_to_the_end(w, socket, requests=1):
    """Whether it got its answer; else it was told, or was closed with 1011 or
    1013."""
    found = ""
    while True:
        message = socket.message(SECONDS)
        if message is None:
            assert socket.close_code in (1011, 1013), socket.close_code
            w.refusal("internal", "the connection was closed")
            return False
        if message["type"] == "ERROR":
            w.refusal(message["code"], message)
            if "messageId" not in (message["data"] or {}):
                return False
        elif message["type"] == "CHAT_STREAM_DATA":
            found += message["data"]["content"]
        elif message["type"] == "CHAT_STREAM_END":
            end = message["data"]
            assert TEA_TEXT.startswith(found)
            if end["finishReason"] == "completed":
                assert found == TEA_TEXT
                return True
            assert w.refused or w.is_told_stop, end
            return False


def greeted(w, path="/bailian/ws", **options):
    """A Talk, or None when the handshake was refused."""
    socket = Talk(w.env.connect(seconds=SECONDS), path + "?" + w.query(),
                  **options)
    if socket.status != 101:
        w.refusal(REASONS[socket.status], socket.status)
        return None
    return socket


REASONS = {500: "internal", 503: "overloaded"}


def is_cut(w, function, *args):
    """A WebSocket that ends without a Close frame is one that was lost."""
    try:
        return function(*args)
    except EOFError:
        w.refusal("internal", "the connection was cut")
        return False


@act
def websocket(w):
    w.say()
    yield
    socket = greeted(w)
    if socket is not None:
        socket.ask(canary.PROMPT)
        is_cut(w, talk_to_the_end, w, socket)
        socket.conn.close()


@act
def websocket_stop(w):
    w.hold()
    w.is_told_stop = True
    socket = greeted(w)
    socket.greeted()
    socket.ask(canary.PROMPT, requestId="q")
    begun = socket.get("CHAT_STREAM_START")
    yield
    socket.send_message("CHAT_STREAM_END", {"messageId": begun["messageId"]})
    is_cut(w, talk_to_the_end, w, socket)
    yield
    socket.conn.close()
    w.env.delete("/bailian/streams/%s?%s" % (begun["streamId"], w.query()))
    w.env.ended(begun["streamId"], user=w.user)


@act
def websocket_text(w):
    w.say()
    yield
    socket = Socket(w.env.connect(seconds=SECONDS),
                    "/bailian/ws/chat?" + w.query())
    if socket.status != 101:
        w.refusal(REASONS[socket.status], socket.status)
        return
    socket.say(w.body())
    texts = is_cut(w, texts_of, w, socket)
    assert not texts or texts == TEA_TEXT
    socket.conn.close()


def texts_of(w, socket):
    found = ""
    while True:
        text_frame = socket.next(SECONDS)
        if text_frame is None:
            assert socket.close_code in (1011, 1013), socket.close_code
            w.refusal("internal", "the connection was closed")
            return None
        if not text_frame:
            return found
        if text_frame.startswith("{"):
            w.refusal(json.loads(text_frame)["code"], text_frame)
            return None
        found += text_frame
