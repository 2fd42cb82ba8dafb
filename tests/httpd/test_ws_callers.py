# SPDX-License-Identifier: Apache-2.0
"""Who may open a WebSocket, from which page, and for how long.

Fault rows S-01, S-18, S-20, S-22, C21.
"""
import uuid

import pytest

from answers import TEA, TEA_TEXT
from env import canary, ws
from env.callers import KEY_FILE, bearer, jwt
from env.polling import until
from test_cors import APP, FOREIGN

LOCATIONS = """
<Location "/jwt">
    SetHandler bailian-sse
    BailianJwtIssuer shop HS256 {key} leeway=0
    BailianAllowOrigin {app}
</Location>
<Location "/query">
    SetHandler bailian-sse
    BailianTokenInQuery on
    BailianJwtIssuer shop HS256 {key}
</Location>
<Location "/tokens">
    SetHandler bailian-sse
</Location>
""".format(key=KEY_FILE, app=APP)
pytestmark = pytest.mark.server(locations=LOCATIONS)


def talk(env, path, headers=None):
    socket = ws.Talk(env.connect(), path, headers=headers)
    assert socket.status == 101, socket.headers
    socket.greeted()
    return socket


def status(env, path, **headers):
    return ws.Socket(env.connect(), path, headers=headers).status


def user_of(socket):
    socket.send_message("CONNECT")
    return socket.message()["userId"]


@pytest.mark.parametrize("places", [
    lambda token: bearer(token),
    lambda token: {"Sec-WebSocket-Protocol": "Bearer, " + token},
    lambda token: {"Sec-WebSocket-Protocol": token}],
    ids=["header", "Bearer", "alone"])
def test_token_names_the_caller(env, places):
    token = jwt("li")
    headers = places(token)
    socket = talk(env, "/jwt/ws?userId=wang", headers)
    offered = headers.get("Sec-WebSocket-Protocol")
    assert socket.headers.get("sec-websocket-protocol") == (
        offered and offered.split(",")[0])
    assert "wang" not in user_of(socket) and "li" in user_of(socket)
    env.bailian.say(*TEA)
    socket.ask(canary.PROMPT, streaming=False)
    assert socket.get("CHAT_RESPONSE")["content"] == TEA_TEXT


def test_s18_token_in_the_query_works_only_where_it_is_on(env):
    """That no log has it is checked after every test (I5)."""
    token = jwt("li")
    assert "li" in user_of(talk(env, "/query/ws?token=" + token))
    assert status(env, "/jwt/ws?token=" + token) == 401


def test_bad_token_never_makes_an_anonymous_caller(env):
    for path in ("/jwt/ws", "/bailian/ws?userId=u1"):
        for token in ("x", "bl_" + "0" * 64, jwt(secret="y" * 32)):
            assert status(env, path, **bearer(token)) == 401


def test_s22_origin_decides_who_may_connect(env):
    token = jwt("li")
    for origin in FOREIGN:
        assert status(env, "/jwt/ws", Origin=origin, **bearer(token)) == 403, \
            origin
    for origin in (APP, None):
        assert status(env, "/jwt/ws", Origin=origin, **bearer(token)) == 101


def test_s22_page_of_this_host_may_connect(env):
    own = "http://localhost:%d" % env.server.port
    assert status(env, "/bailian/ws?userId=u1", Origin=own,
                  Host="localhost:%d" % env.server.port) == 101
    assert status(env, "/bailian/ws?userId=u1", Origin=APP) == 403


@pytest.mark.parametrize("path", ["/jwt/ws", "/jwt/ws/chat"])
def test_c21_s20_connection_ends_with_its_token(env, path):
    def connect():
        """A slow machine may be late for a token that short."""
        found = ws.Socket(env.connect(), path,
                          headers=bearer(jwt("li", seconds=2)))
        return found if found.status == 101 else None
    socket = until(connect, 30, "a handshake before the token ends")
    assert socket.until_closed(30) == 1008
    assert socket.close_reason == "unauthenticated"


@pytest.mark.parametrize("verb", ["revoke", "disable"])
def test_c21_connection_ends_when_its_token_is_taken_away(env, verb):
    name = "t" + uuid.uuid4().hex[:12]
    token = env.ctl.json("caller", "add", name)["token"]
    socket = talk(env, "/tokens/ws", bearer(token))
    env.ctl("caller", verb, name)
    assert socket.until_closed(30) == 1008
    assert socket.close_reason == "unauthenticated"


def test_s01_scopes_of_a_token_hold_on_the_connection(env):
    name = "t" + uuid.uuid4().hex[:12]
    token = env.ctl.json("caller", "add", name, "--scopes", "ask,read")[
        "token"]
    socket = talk(env, "/tokens/ws", bearer(token))
    socket.send_message("SESSION_CREATE", sessionId="s-1")
    socket.get("SESSION_CREATE")
    for kind in ("SESSION_DELETE", "SESSION_UPDATE"):
        socket.send_message(kind, {"title": "x"}, sessionId="s-1")
        assert socket.message()["code"] == "forbidden"
    socket.send_message("CHAT_STREAM_END", {"messageId": "0" * 32})
    assert socket.message()["code"] == "forbidden"
