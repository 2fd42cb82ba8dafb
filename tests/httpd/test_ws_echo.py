# SPDX-License-Identifier: Apache-2.0
"""Whatever a client may send comes back as it was: sizes at each border of the
frame format, cut into frames and into writes by chance.

Of builds with --enable-ws-echo, which the sanitizers' is."""
import random

import pytest

from env import ws
from test_modes import modes

ECHO = """
<Location "/echo">
    SetHandler bailian-sse
    BailianAnonymous on
    BailianWebSocketRate 30000
    BailianWebSocketMaxControlFrames 1000
</Location>
"""
SIZES = [0, 1, 125, 126, 127, 128, 65535, 65536, 65537, 2 ** 20]
FRAMES_MOST = 128


def connect(env, tls):
    socket = ws.Socket(env.connect(tls, seconds=30), "/echo/ws/echo?userId=u1")
    if socket.status == 404:
        pytest.skip("built without --enable-ws-echo")
    assert socket.status == 101
    return socket


def frames_of(chance, opcode, payload):
    """The message in up to FRAMES_MOST frames, some of them empty, with pings
    between them."""
    parts = min(chance.choice([1, 1, 2, 7, FRAMES_MOST]), FRAMES_MOST)
    cuts = sorted(chance.randrange(len(payload) + 1)
                  for _ in range(parts - 1))
    found = bytearray()
    for number, (begin, end) in enumerate(zip([0] + cuts,
                                              cuts + [len(payload)])):
        found += ws.frame(opcode if number == 0 else 0, payload[begin:end],
                          fin=number == parts - 1,
                          mask=chance.randbytes(4))
        if chance.random() < 0.1:
            found += ws.frame(ws.PING, chance.randbytes(9))
    return bytes(found)


def echoed(socket):
    """The next message, which a server sends in one frame."""
    while True:
        opcode, payload = socket.frame(30)
        if opcode != ws.PONG:
            return opcode, payload


@modes("event", "event-sync")
@pytest.mark.server(locations=ECHO)
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_every_message_comes_back_as_it_was(env, tls):
    chance = random.Random(6455)
    socket = connect(env, tls)
    for size in SIZES + [chance.randrange(5000) for _ in range(60)]:
        if chance.random() < 0.5:
            payload = ("绿茶🍵ab" * (size // 12 + 1)).encode()[:size].decode(
                errors="ignore").encode()
            opcode = ws.TEXT
        else:
            payload, opcode = chance.randbytes(size), ws.BINARY
        data = frames_of(chance, opcode, payload)
        while data:
            cut = chance.choice([1, 7, 1000, len(data)])
            socket.conn.send(data[:cut])
            data = data[cut:]
        assert echoed(socket) == (opcode, payload)
    socket.close(3000, b"done")
    assert socket.until_closed(20) == 3000
