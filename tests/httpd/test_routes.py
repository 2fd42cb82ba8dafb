# SPDX-License-Identifier: Apache-2.0
"""Routes at paths of an admin's own: a front end keeps its URLs."""
import pytest

from answers import TEA, TEA_TEXT, assert_answer
from env.polling import until
from env.ws import Socket

LOCATIONS = """
<Location "/v2">
    SetHandler bailian-sse
    BailianAnonymous on
    BailianRoute /v2/ask stream
    BailianRoute /v2/answers/* streams/*
    BailianRoute /v2/wx/start api/chat/stream
    BailianRoute /v2/wx/poll api/chat/poll
    BailianRoute /v2/talk /ws/chat
</Location>
<Location "/only-here">
    SetHandler bailian-sse
    BailianAnonymous on
    BailianRoute /only-here miniapp-stream
</Location>
<Location "/legacy">
    SetHandler bailian-sse
    BailianAnonymous on
    BailianRoute /legacy/ask stream
    BailianRoute /legacy/text miniapp-stream
</Location>
<Location "/legacy/ask">
    BailianMaxBody 2048
    RequestHeader set Content-Type application/json
</Location>
<Location "/legacy/text">
    Header set Content-Type application/octet-stream
</Location>
"""
pytestmark = pytest.mark.server(locations=LOCATIONS)


def test_question_and_resume_at_own_paths(env):
    env.bailian.say(*TEA)
    stream = env.sse("/v2/ask", {"message": "x", "userId": "u1"})
    assert_answer(stream)
    path = "/v2/answers/%s/events?after=0&userId=u1" % stream.stream_id
    assert env.sse(path).end.content == TEA_TEXT
    assert env.get("/v2/answers/%s?userId=u1" % stream.stream_id).status == 200
    assert env.get(path.replace("/events", "/nothing")).status == 404
    env.bailian.say(*TEA)
    assert_answer(env.ask(base="/v2"))  # stays where it was


def test_session_at_own_paths(env):
    env.bailian.say(*TEA)
    sid = env.post("/v2/wx/start", {"message": "x", "userId": "u1"}).json()[
        "data"]["sessionId"]
    path = "/v2/wx/poll?sessionId=" + sid
    until(lambda: env.get(path).json()["data"]["complete"], 20, "the end")
    assert env.get(path).json()["data"]["content"] == TEA_TEXT
    assert env.get("/v2/wx/poll").json()["success"] is False


def test_location_itself_can_be_a_route(env):
    env.bailian.say(*TEA)
    reply = env.get("/only-here?message=x&userId=u1")
    assert (reply.status, reply.body.decode()) == (200, TEA_TEXT)


def test_websocket_at_an_own_path(env):
    env.bailian.say(*TEA)
    socket = Socket(env.connect(seconds=30), "/v2/talk?userId=u1")
    assert socket.status == 101


def test_own_path_has_a_body_limit_and_content_types_of_its_own(env):
    plain = {"Content-Type": "text/plain"}
    body = {"message": "x", "userId": "u1"}
    env.bailian.say(*TEA)
    assert_answer(env.sse("/legacy/ask", body, headers=plain))
    assert env.post("/legacy/stream", body, headers=plain).status == 415
    foreign = dict(plain, Origin="https://evil.example")  # still no way in
    assert env.post("/legacy/ask", body, headers=foreign).status == 403
    long = dict(body, message="x" * 3000)
    assert env.post("/legacy/ask", long).status == 413
    env.bailian.say(*TEA)
    assert_answer(env.sse("/legacy/stream", long))
    env.bailian.say(*TEA)
    reply = env.get("/legacy/text?message=x&userId=u1")
    assert reply.header("content-type") == "application/octet-stream"
    assert reply.body.decode() == TEA_TEXT


def test_no_other_path_becomes_a_route(env):
    for path in ("/v2/as", "/v2/askx", "/v2/ask/x", "/v2/answers", "/v2/wx"):
        assert env.post(path, {"message": "x"}).status == 404, path
    assert not env.bailian.requests()


@pytest.mark.parametrize("line,word", [
    ("BailianRoute ask stream", "begin with a slash"),
    ("BailianRoute /bad/ask?x stream", "without a query"),
    ("BailianRoute /bad/ask nowhere", "must be one of"),
    ("BailianRoute /bad/ask stream/x", "must be one of"),
    ("BailianRoute /bad/* stream", "both end"),
    ("BailianRoute /bad/x streams/*", "both end"),
])
def test_wrong_route_refuses_the_start(servers, line, word):
    status, text = servers.configtest(
        locations='<Location "/bad">\nSetHandler bailian-sse\n%s\n'
        '</Location>' % line)
    assert status != 0 and "BailianRoute" in text and word in text
