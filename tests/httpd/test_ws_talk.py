# SPDX-License-Identifier: Apache-2.0
"""The message protocol of dialects.md 2 on a WebSocket, in every mode."""
import hashlib
import json
import re

import pytest

from answers import (ENDED_BADLY, TEA, TEA_BEGIN, TEA_TEXT, assert_answer,
                     last, piece)
from env import canary, ws
from env.polling import until
from test_modes import modes

SOCKET = "/bailian/ws?userId=u1"


def connect(env, path=SOCKET, tls=False, **options):
    socket = ws.Talk(env.connect(tls=tls), path, **options)
    assert socket.status == 101, socket.headers
    return socket


def talk(env, path=SOCKET, **options):
    """A connection that has been greeted."""
    socket = connect(env, path, **options)
    socket.greeted()
    return socket


def assert_whole(end, text=TEA_TEXT):
    assert (end["finished"], end["finishReason"]) == (True, "completed")
    assert end["length"] == len(text.encode())
    assert end["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert end["totalTokens"] > 0
    assert end["duration"] >= 0


def test_connection_is_greeted_and_knows_its_session(env):
    socket = connect(env, SOCKET + "&sessionId=s-1")
    connected = socket.greeted()
    assert connected["sessionId"] == "s-1"
    assert connected["maxMessageBytes"] == 2 ** 20
    assert len(connect(env).greeted()["sessionId"]) == 32


def test_s59_compression_is_not_agreed_to(env):
    socket = connect(env, headers={
        "Sec-WebSocket-Extensions": "permessage-deflate"})
    assert "sec-websocket-extensions" not in socket.headers
    socket.greeted()


@pytest.mark.parametrize("session", ["%0a", "x" * 128], ids=["lf", "long"])
def test_c13_session_that_cannot_be_is_refused_by_the_handshake(env, session):
    refused = ws.Socket(env.connect(), SOCKET + "&sessionId=" + session)
    assert refused.status == 400


@modes()
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_answer_comes_delta_by_delta(env, tls):
    env.bailian.scenario([piece(TEA[0]), {"barrier": "one"}, piece(TEA[1]),
                          {"barrier": "two"}, last(*TEA[2:])])
    socket = talk(env, SOCKET + "&sessionId=s-1", tls=tls)
    socket.ask(canary.PROMPT, requestId="q-1")
    start = socket.get("CHAT_STREAM_START")
    assert (start["requestId"], start["model"], start["conversationId"]) == \
        ("q-1", "default", "s-1")
    assert start["provider"] == "bailian-app"
    for index, barrier in enumerate(["one", "two"]):
        data = socket.get("CHAT_STREAM_DATA")
        assert (data["content"], data["delta"], data["index"]) == \
            (TEA[index], TEA[index], index)
        assert data["messageId"] == start["messageId"]
        env.bailian.release(barrier)
    rest, end = socket.deltas()
    assert rest == TEA[2:]
    assert_whole(end)
    socket.close()
    assert socket.until_closed() == 1000


def test_answer_is_stored_like_any_other(env):
    env.bailian.say(*TEA)
    socket = talk(env, SOCKET + "&sessionId=s-2")
    socket.ask(canary.PROMPT)
    start = socket.get("CHAT_STREAM_START")
    assert_whole(socket.deltas()[1])
    assert env.ended(start["streamId"])["outcome"] == "completed"
    found = env.get("/bailian/conversations/s-2?userId=u1").json()
    assert [m["content"] for m in found["messages"]] == \
        [canary.PROMPT, TEA_TEXT]


def test_question_without_streaming_is_answered_at_once(env):
    env.bailian.say(*TEA)
    socket = talk(env)
    socket.ask(canary.PROMPT, streaming=False, requestId="q-9")
    answer = socket.get("CHAT_RESPONSE")
    assert (answer["content"], answer["requestId"]) == (TEA_TEXT, "q-9")
    assert answer["totalTokens"] > 0 and answer["duration"] >= 0


def test_thoughts_come_beside_the_content(env):
    env.bailian.say(*TEA, thinking=["想一", "想"])
    socket = talk(env)
    socket.ask(canary.PROMPT, model="thinking")
    socket.get("CHAT_STREAM_START")
    content, thoughts = [], []
    while True:
        message = socket.message()
        if message["type"] == "CHAT_STREAM_END":
            break
        content.append(message["data"]["content"])
        thoughts.append(message["data"].get("reasoning", ""))
    assert ("".join(content), "".join(thoughts)) == (TEA_TEXT, "想一想")


@modes("event", "event-sync")
def test_streams_of_one_connection_run_side_by_side(env):
    env.bailian.scenario([piece(TEA[0]), {"barrier": "go"}, last(*TEA[1:])])
    socket = talk(env)
    asked = ["q%d" % number for number in range(5)]
    for name in asked:
        socket.ask(canary.PROMPT, requestId=name)
    texts, names, ended = {}, {}, set()
    while len(ended) < len(asked):
        message = socket.message()
        data = message["data"]
        stream = data["messageId"]
        if message["type"] == "CHAT_STREAM_START":
            names[stream] = data["requestId"]
            texts[stream] = ""
        elif message["type"] == "CHAT_STREAM_DATA":
            texts[stream] += data["content"]
            # Each has begun before any goes on.
            if list(texts.values()) == [TEA[0]] * len(asked):
                env.bailian.release("go")
        else:
            assert_whole(data)
            ended.add(stream)
    assert sorted(names.values()) == asked
    assert set(texts.values()) == {TEA_TEXT}


@modes("event", "event-sync")
def test_c02_one_stream_is_stopped_and_its_neighbour_goes_on(env):
    env.bailian.scenario([piece(TEA[0]), {"barrier": "go"}, last(*TEA[1:])])
    socket = talk(env)
    ids = {}
    for name in ("stopped", "kept"):
        socket.ask(canary.PROMPT, requestId=name)
        ids[name] = socket.get("CHAT_STREAM_START")["messageId"]
        assert socket.get("CHAT_STREAM_DATA")["content"] == TEA[0]
    socket.send_message("CHAT_STREAM_END", {"messageId": ids["stopped"]})
    end = socket.get("CHAT_STREAM_END")
    assert (end["messageId"], end["finishReason"]) == \
        (ids["stopped"], "cancelled")
    assert env.bailian.request(0, state="closed")
    env.bailian.release("go")
    rest, end = socket.deltas()
    assert (rest, end["messageId"]) == (TEA[1:], ids["kept"])
    assert_whole(end)
    assert env.ended(ids["stopped"])["outcome"] == "cancelled"


def test_c17_stop_of_what_has_ended_or_is_not_ours_is_told(env):
    env.bailian.say(*TEA)
    socket = talk(env)
    socket.ask(canary.PROMPT)
    stream = socket.get("CHAT_STREAM_START")["messageId"]
    socket.deltas()
    env.ended(stream)
    socket.send_message("CHAT_STREAM_END", {"messageId": stream})
    assert socket.get("INFO")["code"] == "completed"
    foreign = talk(env, "/bailian/ws?userId=u2")
    foreign.send_message("CHAT_STREAM_END", {"messageId": stream})
    assert foreign.message()["code"] == "not_found"


def test_c01_goodbye_cancels_what_the_connection_asked(env):
    env.bailian.scenario([piece(TEA[0]), {"barrier": "never"}])
    for leave in (lambda socket: socket.close(),
                  lambda socket: socket.send_message("DISCONNECT")):
        socket = talk(env)
        socket.ask(canary.PROMPT)
        stream = socket.get("CHAT_STREAM_START")["streamId"]
        assert socket.get("CHAT_STREAM_DATA")["content"] == TEA[0]
        leave(socket)
        assert socket.until_closed() == 1000
        assert env.ended(stream)["outcome"] == "cancelled"


@modes("event", "event-sync")
def test_answer_that_is_left_goes_on_and_is_resumed_on_the_connection(env):
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": "go"}, last(*TEA[2:])])
    socket = talk(env)
    socket.ask(canary.PROMPT)
    stream = socket.get("CHAT_STREAM_START")["streamId"]
    seq, text = 0, ""
    while text != TEA_BEGIN:
        said = socket.get("CHAT_STREAM_DATA")
        seq, text = said["seq"], text + said["delta"]
    socket.send_message("CHAT_STREAM_END",
                        {"messageId": stream, "leave": True})
    until(lambda: env.state(stream).json().get("readers") == 0, 20,
          "nobody who reads")
    socket.send_message("CHAT_STREAM_END",
                        {"messageId": stream, "leave": True})  # once more
    socket.send_message("CHAT_REQUEST",
                        {"resume": {"streamId": stream, "after": seq}})
    assert socket.get("CHAT_STREAM_START")["after"] == seq
    env.bailian.release("go")
    message = socket.message()
    while message["type"] == "CHAT_STREAM_DATA":
        text += message["data"]["delta"]
        message = socket.message()
    assert text == TEA_TEXT
    assert_whole(message["data"])


@modes("event", "event-sync")
def test_failure_is_said_and_the_connection_stays(env):
    """1.2, I4: ERROR, then an END that is not completed."""
    env.expect_log(ENDED_BADLY)
    env.bailian.scenario([piece(*TEA[:2]), {"reset": {"flush": True}}])
    socket = talk(env, "/once/ws?userId=u1")
    socket.ask(canary.PROMPT, requestId="q-1")
    start = socket.get("CHAT_STREAM_START")
    text = socket.get("CHAT_STREAM_DATA")["content"]
    text += socket.get("CHAT_STREAM_DATA")["content"]
    assert text == TEA_BEGIN
    error = socket.message()
    assert (error["type"], error["code"], error["messageId"],
            error["requestId"]) == \
        ("ERROR", "upstream_cut", start["messageId"], "q-1")
    assert isinstance(error["data"], str) and error["data"]
    end = socket.get("CHAT_STREAM_END")
    assert end["finishReason"] == "error"
    env.bailian.say(*TEA)
    socket.ask(canary.PROMPT, streaming=False)
    assert socket.get("CHAT_RESPONSE")["content"] == TEA_TEXT


def test_failed_question_without_streaming_is_an_error(env):
    env.expect_log(ENDED_BADLY)
    env.bailian.scenario([piece(*TEA[:2]), {"reset": {"flush": True}}])
    socket = talk(env, "/once/ws?userId=u1")
    socket.ask(canary.PROMPT, streaming=False, requestId="q-1")
    error = socket.message()
    assert (error["type"], error["code"], error["requestId"]) == \
        ("ERROR", "upstream_cut", "q-1")


def message(kind="CHAT_REQUEST", **data):
    return json.dumps({"type": kind, "data": data})


@pytest.mark.parametrize("text, code, field", [
    ("hello", "bad_json", None),
    ("{\"type\":\"CHAT_REQUEST\"", "bad_json", None),
    ("[]", "bad_value", None),
    ("[" * 33 + "]" * 33, "too_deep", None),
    ("{}", "bad_value", "type"),
    (message("chat_request"), "bad_value", "type"),
    (message("CHAT_RESPONSE"), "bad_value", "type"),
    (message("ERROR"), "bad_value", "type"),
    ('{"type":"CHAT_REQUEST"}', "bad_value", "data"),
    ('{"type":"CHAT_REQUEST","data":"x"}', "bad_value", "data"),
    (message(), "bad_value", "message"),
    (message(message=""), "bad_value", "message"),
    (message(message=7), "bad_value", "message"),
    (message(message="x", streaming="yes"), "bad_value", "streaming"),
    (message(message="x", model="no-such-app"), "bad_value", "model"),
    (message(message="x", model="a\nb"), "bad_value", "model"),
    (message(message="x", conversationId="x" * 128), "bad_value",
     "conversationId"),
    (message(message="x", requestId="a\u2028b"), "bad_value", "requestId"),
    (message(message="x", provider={}), "bad_value", "provider"),
    (message(resume={}), "bad_value", "resume"),
    (message(resume={"streamId": "x"}), "bad_value", "resume"),
    (message(resume={"streamId": "0" * 32, "after": -1}), "bad_value",
     "resume"),
    (message(resume={"streamId": "0" * 32}), "not_found", "resume"),
    (message("CHAT_STREAM_END"), "bad_value", "messageId"),
    (message("CHAT_STREAM_END", messageId="0" * 32), "not_found",
     "messageId"),
    (message("SESSION_DELETE"), "bad_value", "sessionId"),
    (message("SESSION_DELETE", sessionId="no-such"), "not_found",
     "sessionId"),
    (message("SESSION_UPDATE", sessionId="no-such", title="t"), "not_found",
     "sessionId"),
    (message("SESSION_UPDATE", title=""), "bad_value", "title"),
    (message("SESSION_LIST", limit=0), "bad_value", "limit"),
    (message("SESSION_LIST", cursor="x"), "bad_value", "query"),
    (message("HEARTBEAT", sessionId="a\nb"), "bad_value", "sessionId")])
def test_c12_bad_message_is_an_error_and_the_connection_stays(env, text, code,
                                                              field):
    socket = talk(env)
    socket.say(text)
    error = socket.message()
    assert (error["type"], error["code"], error.get("field")) == \
        ("ERROR", code, field)
    assert isinstance(error["data"], str) and error["data"]
    env.bailian.say(*TEA)
    socket.ask(canary.PROMPT, streaming=False)
    assert socket.get("CHAT_RESPONSE")["content"] == TEA_TEXT


def test_c19_bad_utf8_in_a_binary_message_is_an_error(env):
    socket = talk(env)
    socket.send(ws.BINARY, b'{"type":"\xff"}')
    assert socket.message()["code"] == "bad_utf8"


@pytest.mark.server(locations="""
<Location "/small">
    SetHandler bailian-sse
    BailianAnonymous on
    BailianWebSocketRate 2
</Location>
""")
def test_c20_rate_is_a_warning_first_and_then_an_error(env):
    socket = talk(env, "/small/ws?userId=u1")
    for _ in range(2):
        socket.send_message("SESSION_LIST")
        socket.get("SESSION_LIST")
    socket.send_message("SESSION_LIST")
    assert socket.get("WARNING")["code"] == "rate_limited"
    socket.get("SESSION_LIST")
    for _ in range(2):
        socket.send_message("SESSION_LIST")
        error = socket.message()
        assert (error["type"], error["code"]) == ("ERROR", "rate_limited")


@pytest.mark.parametrize("env", [
    {"global_extra": "BailianWebSocketHeartbeat 200ms"},
    {"global_extra": "BailianWebSocketHeartbeat 200ms\nBailianAsync sync"}],
    indirect=True, ids=["event", "event-sync"])
def test_c21_heartbeats_come_and_are_not_answered(env):
    socket = talk(env)
    for _ in range(3):
        while socket.json()["type"] != "HEARTBEAT":
            pass
        socket.send_message("HEARTBEAT", data=None)
    assert socket.pings >= 2  # each is one of the protocol too
    env.bailian.say(*TEA)
    socket.ask(canary.PROMPT)
    socket.get("CHAT_STREAM_START")
    assert "".join(socket.deltas()[0]) == TEA_TEXT


# --- resume -----------------------------------------------------------------
def half(env, path=SOCKET):
    """A connection that was lost in mid-answer: its id, text, last seq."""
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": "go"},
                          last(*TEA[2:])])
    socket = talk(env, path)
    socket.ask(canary.PROMPT)
    stream = socket.get("CHAT_STREAM_START")["streamId"]
    text = "".join(socket.get("CHAT_STREAM_DATA")["content"]
                   for _ in TEA[:2])
    return socket, stream, text


@modes()
def test_resume_after_a_lost_connection_misses_and_repeats_nothing(env):
    socket, stream, text = half(env)
    at = socket.at[stream]
    socket.conn.close()
    again = talk(env)
    again.send_message("CHAT_REQUEST",
                       {"resume": {"streamId": stream, "after": at}})
    start = again.get("CHAT_STREAM_START")
    assert (start["messageId"], start["after"]) == (stream, at)
    env.bailian.release("go")
    rest, end = again.deltas()
    assert text + "".join(rest) == TEA_TEXT
    assert_whole(end)
    assert len(env.bailian.requests()) == 1


@pytest.mark.server(children=2, threads=32)
def test_resume_from_any_child_and_from_the_beginning(env):
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": "go"},
                          last(*TEA[2:])])
    first = env.ask_open()
    first.read(stop_after=2)
    sockets = [talk(env) for _ in range(12)]  # some in the other child
    for socket in sockets:
        socket.send_message("CHAT_REQUEST",
                            {"resume": {"streamId": first.stream_id}})
        assert socket.get("CHAT_STREAM_START")["messageId"] == first.stream_id
    env.bailian.release("go")
    for socket in sockets:
        deltas, end = socket.deltas()
        assert deltas == TEA
        assert_whole(end)
    assert first.read().text == TEA_TEXT


# What a script sends that reads on later: it cannot send 1001.
def test_close_with_4001_leaves_the_answer_running(env):
    socket, stream, text = half(env)
    at = socket.at[stream]
    socket.close(4001)
    socket.until_closed()
    again = talk(env)
    again.send_message("CHAT_REQUEST",
                       {"resume": {"streamId": stream, "after": at}})
    assert again.get("CHAT_STREAM_START")["messageId"] == stream
    env.bailian.release("go")
    rest, end = again.deltas()
    assert text + "".join(rest) == TEA_TEXT
    assert_whole(end)


@pytest.mark.server(children=2, threads=32)
def test_question_with_a_known_key_gets_the_answer_that_runs(env):
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": "go"},
                          last(*TEA[2:])])
    first = talk(env)
    first.ask(canary.PROMPT, key="k-1")
    stream = first.get("CHAT_STREAM_START")["streamId"]
    others = [talk(env) for _ in range(6)]  # some in the other child
    for socket in others:
        socket.ask(canary.PROMPT, key="k-1")
        assert socket.get("CHAT_STREAM_START")["streamId"] == stream
    env.bailian.release("go")
    for socket in others:
        deltas, end = socket.deltas()
        assert deltas == TEA
        assert_whole(end)
    late = talk(env)
    late.ask(canary.PROMPT, key="k-1")
    assert late.get("CHAT_STREAM_START")["streamId"] == stream
    assert late.deltas()[0] == TEA
    assert len(env.bailian.requests()) == 1


def test_resume_of_an_ended_stream_from_every_event(env):
    env.bailian.say(*TEA)
    stream = env.ask()
    env.ended(stream)
    for event in stream.deltas + [stream.end]:
        socket = talk(env)
        socket.send_message("CHAT_REQUEST", {"resume": {
            "streamId": stream.stream_id, "after": event.seq}})
        socket.get("CHAT_STREAM_START")
        rest, end = socket.deltas()
        assert "".join(rest) == "".join(
            e.content for e in stream.deltas if e.seq > event.seq)
        assert end["finishReason"] == "completed"
        socket.conn.close()


def test_c14_resume_of_somebody_elses_stream_is_not_found(env):
    env.bailian.say(*TEA)
    stream = env.ask()
    socket = talk(env, "/bailian/ws?userId=u2")
    socket.send_message("CHAT_REQUEST",
                        {"resume": {"streamId": stream.stream_id}})
    error = socket.message()
    assert (error["type"], error["code"]) == ("ERROR", "not_found")


# --- sessions ---------------------------------------------------------------
def test_sessions_are_the_conversations_of_the_caller(env):
    socket = talk(env, "/bailian/ws?userId=sessions")
    socket.send_message("SESSION_CREATE", {"title": "茶"}, sessionId="s-1")
    assert socket.get("SESSION_CREATE") == {"sessionId": "s-1", "title": "茶"}
    socket.send_message("SESSION_CREATE", sessionId="s-1")
    assert socket.message()["code"] == "conflict"
    socket.send_message("SESSION_CREATE")
    made = socket.get("SESSION_CREATE")["sessionId"]
    socket.send_message("SESSION_LIST")
    titles = {i["conversationId"]: i["title"]
              for i in socket.get("SESSION_LIST")["items"]}
    assert titles == {"s-1": "茶", made: ""}
    socket.send_message("SESSION_UPDATE", {"title": "绿茶"}, sessionId="s-1")
    assert socket.get("SESSION_UPDATE") == {"sessionId": "s-1",
                                            "title": "绿茶"}
    # A session without a title gets one from its first question.
    env.bailian.say(*TEA)
    socket.ask("怎么泡茶？", conversationId=made, streaming=False)
    assert socket.get("CHAT_RESPONSE")["content"] == TEA_TEXT
    for session, title in ((made, "怎么泡茶？"), ("s-1", "绿茶")):
        found = env.get("/bailian/conversations/%s?userId=sessions" % session)
        assert found.json()["title"] == title
    socket.send_message("SESSION_DELETE", sessionId="s-1")
    assert socket.get("SESSION_DELETE") == {"sessionId": "s-1"}
    socket.send_message("SESSION_LIST", {"query": "泡茶"})
    assert [i["conversationId"] for i in
            socket.get("SESSION_LIST")["items"]] == [made]


def test_s04_session_of_somebody_else_is_not_found(env):
    socket = talk(env, "/bailian/ws?userId=mine")
    socket.send_message("SESSION_CREATE", sessionId="private")
    socket.get("SESSION_CREATE")
    other = talk(env, "/bailian/ws?userId=theirs")
    for kind in ("SESSION_UPDATE", "SESSION_DELETE"):
        other.send_message(kind, {"title": "x"}, sessionId="private")
        assert other.message()["code"] == "not_found"
    other.send_message("SESSION_LIST")
    assert other.get("SESSION_LIST")["items"] == []


def test_caller_without_a_name_has_no_sessions(env):
    socket = talk(env, "/bailian/ws")
    socket.send_message("SESSION_LIST")
    error = socket.message()
    assert (error["code"], error["field"]) == ("bad_value", "userId")


# --- the caller's other connections ------------------------------------------
@modes("event", "event-sync")
def test_what_a_client_tells_of_itself_reaches_his_other_connections(env):
    """Those alone, and not itself."""
    sockets = [talk(env) for _ in range(3)]
    stranger = talk(env, "/bailian/ws?userId=u2")
    for kind, data in (("TYPING_START", {}), ("TYPING_STOP", {"x": [1]}),
                       ("ONLINE_STATUS", {"status": "忙"})):
        sockets[0].send_message(kind, data, sessionId="s-1")
        for socket in sockets[1:]:
            found = socket.message()
            assert (found["type"], found["sessionId"], found["userId"],
                    found["data"]) == (kind, "s-1", "u1", data)
    for socket in (sockets[0], stranger):
        socket.send_message("SESSION_LIST")
        socket.get("SESSION_LIST")  # and nothing was before it


@pytest.mark.server(children=2, threads=32)
def test_connections_in_other_children_hear_it_too(env):
    sockets = [talk(env, "/bailian/ws?userId=many") for _ in range(16)]
    for sender in (sockets[0], sockets[-1]):
        sender.send_message("TYPING_START")
        for socket in sockets:
            if socket is not sender:
                assert socket.message()["type"] == "TYPING_START"


def test_strangers_without_a_name_hear_nothing_of_one_another(env):
    first, second = talk(env, "/bailian/ws"), talk(env, "/bailian/ws")
    first.send_message("TYPING_START")
    assert first.message()["field"] == "userId"
    env.bailian.say(*TEA)
    second.ask(canary.PROMPT, streaming=False)
    assert second.get("CHAT_RESPONSE")["content"] == TEA_TEXT


def test_c20_what_is_told_to_others_is_bounded(env):
    first, second = talk(env), talk(env)
    first.send_message("ONLINE_STATUS", {"x": "y" * 4089})
    assert first.message()["field"] == "data"
    first.send_message("ONLINE_STATUS", {"x": "y" * 4088})
    assert second.get("ONLINE_STATUS") == {"x": "y" * 4088}


# --- the server ends --------------------------------------------------------
@modes("event", "event-sync")
def test_p04_running_answer_is_finished_before_1012(env):
    socket, _, text = half(env)
    idle = talk(env)
    env.server.graceful()
    assert idle.until_closed(20) == 1012
    env.bailian.release("go")
    rest, end = socket.deltas()
    assert text + "".join(rest) == TEA_TEXT
    assert_whole(end)
    assert socket.until_closed(20) == 1012
    for closed in (idle, socket):
        assert re.fullmatch("draining retry=[1-6][0-9]{3}",
                            closed.close_reason), closed.close_reason


@pytest.mark.server(global_extra="BailianDrainTimeout 1s")
def test_p04_answer_that_outlives_the_drain_is_said_to_fail(env):
    env.allow_log("BL1304", "BL1307")
    socket, stream, _ = half(env)
    env.server.graceful()
    error = socket.message()
    assert (error["type"], error["code"], error["messageId"]) == \
        ("ERROR", "draining", stream)
    assert socket.get("CHAT_STREAM_END")["finishReason"] == "error"
    assert socket.until_closed(20) == 1012
    env.bailian.release("go")


# --- how much it holds ------------------------------------------------------
@pytest.mark.server(threads=4, factor=40)
def test_idle_connections_hold_no_worker(env):
    """Ten times as many as there are workers; each is served when it asks."""
    env.bailian.say(*TEA)
    sockets = [talk(env, "/bailian/ws?userId=idle%d" % number)
               for number in range(40)]
    assert_answer(env.ask())
    for socket in sockets:
        socket.ask(canary.PROMPT, streaming=False)
    for socket in sockets:
        assert socket.get("CHAT_RESPONSE")["content"] == TEA_TEXT
    # httpd's listener must not wait for a worker when it is told to stop.
    for socket in sockets:
        socket.close()
    for socket in sockets:
        assert socket.until_closed(20) == 1000


@modes("event", "prefork")
@pytest.mark.server(locations="""
<Location "/slow">
    SetHandler bailian-sse
    BailianAnonymous on
    BailianDisconnect cancel
    BailianSlowClientTimeout 1s
</Location>
""")
def test_c20_client_that_takes_nothing_is_disconnected(env):
    """Its neighbour is served."""
    stuck = ws.Talk(env.connect(rcvbuf=4096), "/slow/ws?userId=u1")
    stuck.greeted()
    stuck.ask(canary.PROMPT, model="u28-firehose")
    stream = stuck.get("CHAT_STREAM_START")["streamId"]
    env.bailian.say(*TEA)
    other = talk(env)
    other.ask(canary.PROMPT, streaming=False)
    assert other.get("CHAT_RESPONSE")["content"] == TEA_TEXT
    assert env.ended(stream, seconds=30)["outcome"] == "cancelled"
    env.log.wait_for("BL1851", 20)
