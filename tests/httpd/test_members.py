# SPDX-License-Identifier: Apache-2.0
"""Conversations that several callers share: who may what, in any child."""
import threading
from urllib.parse import quote

import pytest

from answers import TEA, TEA_BEGIN, TEA_TEXT, last, piece
from env import canary
from env.polling import until
from test_ws_talk import talk

BASE = "/bailian/conversations/"


def ask(env, user, conversation, **options):
    env.bailian.say(*TEA)
    stream = env.ask(user=user, body={"conversionId": conversation}, **options)
    if stream.is_completed:
        env.ended(stream, user=user)
    return stream


def call(env, method, user, conversation, what="", body=None, query=""):
    return env.http(method, "%s%s%s?userId=%s%s" % (
        BASE, conversation, what, user, query), body)


def add(env, owner, conversation, *members):
    """Shares it; its id from then on."""
    for member in members:
        reply = call(env, "POST", owner, conversation, "/members",
                     {"member": member})
        assert reply.status == 200, reply.body
        conversation = reply.json()["conversationId"]
    return conversation


def shared(env, owner, *members):
    """One of owner's with an answer: (id, the stream)."""
    stream = ask(env, owner, "of-" + owner)
    return add(env, owner, "of-" + owner, *members), stream


def contents(env, user, conversation):
    reply = call(env, "GET", user, conversation)
    assert reply.status == 200, reply.body
    return [m["content"] for m in reply.json()["messages"]]


# --- who may what ------------------------------------------------------------
def test_members_read_and_ask_and_strangers_find_nothing(env):
    conversation, first = shared(env, "o1", "m1")
    assert conversation.startswith("shared-")
    assert call(env, "GET", "o1", "of-o1").status == 404  # its former name
    for user in ("o1", "m1"):
        assert contents(env, user, conversation) == [canary.PROMPT, TEA_TEXT]
        listed = env.get("/bailian/conversations?userId=" + user).json()
        assert [i["conversationId"] for i in listed["items"]] == [conversation]
        assert env.state(first, user=user).status == 200
    stream = ask(env, "m1", conversation)
    assert stream.events[-1].json["conversionId"] == conversation
    for user in ("o1", "m1"):
        assert len(contents(env, user, conversation)) == 4
        assert env.state(stream, user=user).json()["outcome"] == "completed"
    asked = [m for m in call(env, "GET", "o1", conversation).json()["messages"]
             if m["role"] == "user"]
    assert [m.get("asker") for m in asked] == [None, "anon:m1"]


def test_s04_stranger_finds_nothing_of_a_shared_conversation(env):
    conversation, stream = shared(env, "o2", "m2")
    for method, what, body in (
            ("GET", "", None), ("DELETE", "", None),
            ("PATCH", "", {"title": "x"}), ("GET", "/export", None),
            ("GET", "/members", None), ("POST", "/members", {"member": "x2"})):
        reply = call(env, method, "x2", conversation, what, body)
        assert (reply.status, reply.json()["code"]) == (404, "not_found")
    reply = call(env, "DELETE", "x2", conversation, "/members",
                 query="&member=m2")
    assert reply.status == 404
    refused = env.post("/bailian/stream", {
        "message": "x", "userId": "x2", "conversionId": conversation})
    assert (refused.status, refused.json()["code"]) == (404, "not_found")
    assert env.state(stream, user="x2").status == 404
    assert env.get("/bailian/streams/%s/events?userId=x2"
                   % stream.stream_id).status == 404
    assert env.get("/bailian/api/chat/poll?userId=x2&sessionId="
                   + conversation).status == 404
    assert env.get("/bailian/conversations?userId=x2").json()["items"] == []
    socket = talk(env, "/bailian/ws?userId=x2")
    for kind, data in (("SESSION_UPDATE", {"addMember": "x2"}),
                       ("SESSION_DELETE", {}), ("TYPING_START", {}),
                       ("CHAT_REQUEST", {"message": "x"})):
        socket.send_message(kind, data, sessionId=conversation)
        assert socket.message()["code"] == "not_found", kind
    assert contents(env, "m2", conversation) == [canary.PROMPT, TEA_TEXT]


def test_only_the_owner_renames_deletes_and_shares(env):
    conversation, _ = shared(env, "o3", "m3", "n3")
    for method, what, body in (
            ("DELETE", "", None), ("PATCH", "", {"title": "x"}),
            ("POST", "/members", {"member": "x3"})):
        reply = call(env, method, "m3", conversation, what, body)
        assert (reply.status, reply.json()["code"]) == (403, "forbidden")
    reply = call(env, "DELETE", "m3", conversation, "/members",
                 query="&member=n3")
    assert reply.status == 403
    reply = call(env, "PATCH", "o3", conversation, body={"title": "茶"})
    assert reply.json()["title"] == "茶"
    assert call(env, "DELETE", "o3", conversation).status == 204
    assert call(env, "GET", "m3", conversation).status == 404


def test_member_leaves_or_is_removed_and_then_finds_nothing(env):
    conversation, stream = shared(env, "o4", "m4", "n4")
    found = call(env, "GET", "m4", conversation, "/members").json()
    assert found["owner"] == "anon:o4"
    assert [m["member"] for m in found["members"]] == ["anon:m4", "anon:n4"]
    for who, member in (("m4", "m4"), ("o4", quote("anon:n4"))):
        assert call(env, "DELETE", who, conversation, "/members",
                    query="&member=" + member).status == 204
    for user in ("m4", "n4"):
        assert call(env, "GET", user, conversation).status == 404
        assert env.state(stream, user=user).status == 404
    refused = env.post("/bailian/stream", {
        "message": "x", "userId": "m4", "conversionId": conversation})
    assert refused.status == 404
    assert call(env, "GET", "o4", conversation, "/members").json()[
        "members"] == []


@pytest.mark.parametrize("body", [{}, {"member": ""}, {"member": 1},
                                  {"member": "o5"}, {"member": "a\nb"},
                                  {"member": "anon:"}, {"member": "m" * 128}])
def test_bad_member_is_refused_and_nothing_is_shared(env, body):
    ask(env, "o5", "of-o5")
    reply = call(env, "POST", "o5", "of-o5", "/members", body)
    assert (reply.status, reply.json()["detail"]) == (400, "member")
    assert call(env, "GET", "o5", "of-o5").status == 200


# --- streams that run ---------------------------------------------------------
def held(env, user, conversation):
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": "go"}, last(*TEA[2:])])
    stream = env.ask_open(user=user, body={"conversionId": conversation},
                          seconds=30)
    stream.read(stop_after=2)
    return stream


@pytest.mark.server(children=3, threads=8)
def test_running_answer_is_read_by_all_of_them_in_any_child(env):
    conversation, _ = shared(env, "o6", "m6", "n6")
    stream = held(env, "m6", conversation)
    readers = []
    for user in ("o6", "m6", "n6") * 3:  # whichever child accepts it
        reader = env.sse_open(
            "/bailian/streams/%s/events?after=0&userId=%s"
            % (stream.stream_id, user), method="GET", seconds=40)
        assert reader.status == 200
        readers.append(reader)
        assert env.state(stream, user="x6").status == 404
    env.bailian.release("go")
    for reader in readers:
        reader.read()
        assert reader.text == TEA_TEXT and reader.is_completed


@pytest.mark.server(children=2, threads=8)
def test_member_stops_what_he_asked_and_owner_too(env):
    conversation, _ = shared(env, "o7", "m7")
    for user in ("m7", "o7"):
        stream = held(env, "m7", conversation)
        assert env.delete("/bailian/streams/%s?userId=x7"
                          % stream.stream_id).status == 404
        reply = env.delete("/bailian/streams/%s?userId=%s"
                           % (stream.stream_id, user))
        assert reply.status == 200, reply.body
        assert env.ended(stream, user="m7",
                         seconds=20)["outcome"] == "cancelled"


def test_member_that_repeats_a_question_gets_its_answer(env):
    conversation, _ = shared(env, "o8", "m8")
    key = {"Idempotency-Key": "once-m8"}
    first = ask(env, "m8", conversation, headers=key)
    again = ask(env, "m8", conversation, headers=key)
    assert first.stream_id == again.stream_id
    other = ask(env, "o8", conversation, headers=key)
    assert other.stream_id != first.stream_id


def reading(env, stream, user):
    return env.sse_open("/bailian/streams/%s/events?after=0&userId=%s"
                        % (stream.stream_id, user), seconds=40)


def waiting(env, path, user, found):
    """A long poll in a thread; its answer goes to found."""
    def ask_for_more():
        found.append(env.get("%s&wait=60000&userId=%s" % (path, user)))
    thread = threading.Thread(target=ask_for_more)
    thread.start()
    return thread


@pytest.mark.parametrize("env", [dict(children=3, threads=8),
                                 dict(mpm="prefork")], indirect=True,
                         ids=["event", "prefork"])
def test_member_who_is_removed_reads_no_more_at_once_in_any_child(env):
    conversation, _ = shared(env, "o13", "m13", "n13")
    stream = held(env, "o13", conversation)
    stays = reading(env, stream, "n13")
    lost = [reading(env, stream, "m13") for _ in range(4)]
    for reader in [stays] + lost:
        reader.read(stop_after=2)
    polled, found = "/bailian/streams/%s/events?as=json&after=%d" % (
        stream.stream_id, max(stays.seqs)), []
    poll = waiting(env, polled, "m13", found)
    assert call(env, "DELETE", "o13", conversation, "/members",
                query="&member=m13").status == 204
    for reader in lost:
        reader.read()
        said = reader.events[-1].json
        assert (said["isEnd"], said["reconnect"], said["code"]) == \
            (False, True, "forbidden")
        assert reader.text == TEA_BEGIN
    poll.join()  # it may have come too late, and is then refused
    assert found[0].json().get("events", []) == []
    for path in (polled, "/bailian/streams/%s/events?after=0"
                 % stream.stream_id):
        refused = env.get(path + "&userId=m13")
        assert (refused.status, refused.json()["code"]) == (404, "not_found")
    env.bailian.release("go")
    for reader in (stream, stays):
        reader.read()
        assert reader.is_completed and reader.text == TEA_TEXT


@pytest.mark.parametrize("env", [dict(children=2, threads=8),
                                 dict(mpm="prefork")], indirect=True,
                         ids=["event", "prefork"])
def test_member_who_is_removed_gets_no_more_by_messages(env):
    conversation, _ = shared(env, "o14", "m14")
    stream = held(env, "o14", conversation)
    member = talk(env, "/bailian/ws?userId=m14")
    resume = {"resume": {"streamId": stream.stream_id, "after": 0}}
    member.send_message("CHAT_REQUEST", resume)
    member.get("CHAT_STREAM_START")
    for text in TEA[:2]:
        assert member.get("CHAT_STREAM_DATA")["content"] == text
    owner = talk(env, "/bailian/ws?userId=o14")
    owner.send_message("SESSION_UPDATE", {"removeMember": "m14"},
                       sessionId=conversation)
    assert owner.get("SESSION_UPDATE")["members"] == []
    told = member.get("WARNING")
    assert (told["code"], told["messageId"]) == ("forbidden", stream.stream_id)
    member.send_message("CHAT_REQUEST", resume)
    assert member.message()["code"] == "not_found"
    env.bailian.release("go")
    stream.read()
    assert stream.is_completed
    member.ask(canary.PROMPT, streaming=False)  # his connection stays
    env.bailian.say(*TEA)
    assert member.get("CHAT_RESPONSE")["content"] == TEA_TEXT


def test_member_of_one_conversation_is_removed_and_reads_on_in_another(env):
    """He is asked to come back, and misses nothing by it."""
    first, _ = shared(env, "o15", "m15")
    other = add(env, "o15", ask(env, "o15", "two-o15").events[-1].json[
        "conversionId"], "m15")
    stream = held(env, "o15", first)
    reader = reading(env, stream, "m15")
    reader.read(stop_after=2)
    assert call(env, "DELETE", "o15", other, "/members",
                query="&member=m15").status == 204
    reader.read()
    assert reader.events[-1].json["reconnect"] is True
    env.bailian.release("go")
    again = env.sse_open("/bailian/streams/%s/events?userId=m15"
                         % stream.stream_id, seconds=40,
                         last_event_id="%s:%d" % (stream.stream_id,
                                                  max(reader.seqs)))
    again.read()
    assert reader.text + again.text == again.end.content == TEA_TEXT


def test_session_that_is_shared_is_polled_by_all(env):
    conversation, _ = shared(env, "o9", "m9")
    env.bailian.say(*TEA)
    started = env.post("/bailian/api/chat/stream?sessionId=" + conversation,
                       {"message": "x", "userId": "m9"}).json()["data"]
    assert started["sessionId"] == conversation
    for user in ("o9", "m9"):
        found = until(lambda: (lambda d: d["complete"] and d)(env.get(
            "/bailian/api/chat/poll?userId=%s&sessionId=%s"
            % (user, conversation)).json()["data"]), 20, "the end")
        assert found["content"] == TEA_TEXT
        assert found["streamId"] == started["streamId"]


# --- the message protocol -------------------------------------------------------
def session(env, owner, *members):
    """(the owner's socket, the session)"""
    socket = talk(env, "/bailian/ws?userId=%s&sessionId=s" % owner)
    socket.send_message("SESSION_CREATE", {"title": "茶"}, sessionId="s")
    socket.get("SESSION_CREATE")
    found = {"sessionId": "s"}
    for member in members:
        socket.send_message("SESSION_UPDATE", {"addMember": member},
                            sessionId=found["sessionId"])
        found = socket.get("SESSION_UPDATE")
    assert [m["member"] for m in found["members"]] == \
        ["anon:" + member for member in members]
    return socket, found["sessionId"]


@pytest.mark.server(children=2, threads=32)
def test_typing_reaches_all_who_share_the_session_in_any_child(env):
    owner, shared_id = session(env, "o10", "m10", "n10")
    sockets = [owner] + [talk(env, "/bailian/ws?userId=" + user)
                         for user in ("m10", "n10") * 4]
    strangers = [talk(env, "/bailian/ws?userId=x10") for _ in range(4)]
    for sender, user in ((owner, "o10"), (sockets[1], "m10")):
        for kind, data in (("TYPING_START", {}), ("ONLINE_STATUS", {"s": 1}),
                           ("TYPING_STOP", {})):
            sender.send_message(kind, data, sessionId=shared_id)
            for socket in sockets:
                if socket is sender:
                    continue
                found = socket.message()
                assert (found["type"], found["sessionId"], found["userId"],
                        found["data"]) == (kind, shared_id, user, data)
    for socket in strangers + sockets:
        socket.send_message("SESSION_LIST")
        socket.get("SESSION_LIST")  # and nothing was before it


def test_session_is_shared_asked_in_and_left_by_messages(env):
    owner, shared_id = session(env, "o11", "m11")
    member = talk(env, "/bailian/ws?userId=m11")
    member.send_message("SESSION_LIST")
    assert [(i["conversationId"], i["title"]) for i in
            member.get("SESSION_LIST")["items"]] == [(shared_id, "茶")]
    env.bailian.say(*TEA)
    member.ask("x", conversationId=shared_id, streaming=False)
    assert member.get("CHAT_RESPONSE")["content"] == TEA_TEXT
    # The owner's connection goes on in it without naming it.
    env.bailian.say(*TEA)
    owner.ask("y", streaming=False)
    owner.get("CHAT_RESPONSE")
    assert contents(env, "m11", shared_id)[::2] == ["x", "y"]
    for kind, data in (("SESSION_DELETE", {}), ("SESSION_UPDATE",
                                                {"title": "z"}),
                       ("SESSION_UPDATE", {"addMember": "x11"})):
        member.send_message(kind, data, sessionId=shared_id)
        assert member.message()["code"] == "forbidden"
    owner.send_message("SESSION_UPDATE", {"removeMember": "m11"},
                       sessionId=shared_id)
    assert owner.get("SESSION_UPDATE")["members"] == []
    member.send_message("TYPING_START", sessionId=shared_id)
    assert member.message()["code"] == "not_found"


def test_running_answer_of_a_shared_session_is_resumed_by_a_message(env):
    conversation, _ = shared(env, "o12", "m12")
    stream = held(env, "o12", conversation)
    member = talk(env, "/bailian/ws?userId=m12")
    member.send_message("CHAT_REQUEST", {
        "resume": {"streamId": stream.stream_id, "after": 0}})
    assert member.get("CHAT_STREAM_START")["conversationId"] == conversation
    env.bailian.release("go")
    end = None
    while end is None:
        message = member.message()
        if message["type"] == "CHAT_STREAM_END":
            end = message["data"]
    assert end["length"] == len(TEA_TEXT.encode())
    assert TEA_TEXT.startswith(TEA_BEGIN)
