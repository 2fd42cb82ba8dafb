# SPDX-License-Identifier: Apache-2.0
"""WebSockets by a client that others wrote: Python's websockets."""
import asyncio
import json
import ssl

import pytest

from answers import TEA, TEA_TEXT
from env import canary
from env.polling import FACTOR
from test_modes import modes

websockets = pytest.importorskip("websockets")
SECONDS = 20 * FACTOR


def url(env, tls, route):
    scheme, port = ("wss", env.server.tls_port) if tls else \
        ("ws", env.server.port)
    return "%s://localhost:%d/bailian/%s?userId=u1" % (scheme, port, route)


def context(tls):
    if not tls:
        return None
    found = ssl.create_default_context()
    found.check_hostname = False
    found.verify_mode = ssl.CERT_NONE
    return found


def connect(env, tls, route):
    """It offers permessage-deflate, as browsers do."""
    return websockets.connect(url(env, tls, route), ssl=context(tls),
                              host="127.0.0.1", open_timeout=SECONDS)


@modes("event", "event-sync")
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_answer_reaches_a_client_that_offers_compression(env, tls):
    async def run():
        async with connect(env, tls, "ws") as socket:
            await socket.send(json.dumps({
                "type": "CHAT_REQUEST", "data": {"message": canary.PROMPT}}))
            text = ""
            while True:
                found = json.loads(await socket.recv())
                if found["type"] == "CHAT_STREAM_DATA":
                    text += found["data"]["delta"]
                if found["type"] == "CHAT_STREAM_END":
                    return text, found["data"]["finishReason"]
    env.bailian.say(*TEA)
    assert asyncio.run(asyncio.wait_for(run(), SECONDS)) == \
        (TEA_TEXT, "completed")


def test_raw_text_and_a_ping_of_the_client(env):
    async def run():
        async with connect(env, False, "ws/chat") as socket:
            await (await socket.ping())
            await socket.send(canary.PROMPT)
            text = ""
            while True:
                found = await socket.recv()
                if not found:
                    break
                text += found
            await socket.close()
            return text, socket.close_code
    env.bailian.say(*TEA)
    assert asyncio.run(asyncio.wait_for(run(), SECONDS)) == (TEA_TEXT, 1000)
