# SPDX-License-Identifier: Apache-2.0
"""The chat dialect: a question goes up, an answer comes down, event by event.

dialects.md section 1.
"""
import hashlib
import re
import threading

import pytest

from answers import (ENDED_BADLY, TEA, TEA_TEXT, assert_answer, assert_failure,
                     last, piece)
from env import canary
from env.environment import ask_body


def test_answer_comes_whole_and_in_order(env):
    env.bailian.say(*TEA)
    stream = env.ask()
    assert_answer(stream)
    assert [e.content for e in stream.deltas] == TEA


def test_response_has_the_headers_of_an_event_stream(env):
    stream = env.ask()
    assert stream.header("content-type") == "text/event-stream; charset=utf-8"
    assert stream.header("cache-control") == "no-cache, no-transform"
    assert stream.header("x-accel-buffering") == "no"
    assert re.fullmatch("[0-9a-f]{32}", stream.stream_id)


def test_first_event_comes_before_the_upstream_says_anything(env):
    env.bailian.scenario([{"barrier": "go"}, last(*TEA)])
    stream = env.ask_open()
    first = stream.next()
    assert (first.content, first.is_end) == ("", False)
    env.bailian.release("go")
    assert_answer(stream.read())


def test_each_event_is_sent_as_soon_as_it_comes(env):
    steps = []
    for number, text in enumerate(TEA):
        steps += [piece(text), {"barrier": "b%d" % number}]
    env.bailian.scenario(steps + [last()])
    stream = env.ask_open()
    for number, text in enumerate(TEA):
        assert stream.next_content().content == text
        env.bailian.release("b%d" % number)
    assert stream.next_content().is_end


@pytest.mark.parametrize("app", ["default", "cumulative", "thinking",
                                 "message", "plus", "full", "agent"])
def test_every_upstream_mode_gives_the_same_text(env, app):
    env.bailian.say(*TEA, thinking=["先想", "一想。"])
    stream = env.ask(app=app)
    assert_answer(stream)
    if app == "thinking":
        assert stream.reasoning == "先想一想。"


FIXTURES = {
    "agent_incremental": ("default", TEA_TEXT),
    "agent_cumulative": ("cumulative", TEA_TEXT),
    "agent_thinking": ("thinking", "3的平方是9。"),
    "agent_references": ("default", "签收后七天内可以退货<ref>[1]</ref>。"),
    "workflow_full_thoughts": ("full", "《春日采茶》清晨，山上起了薄雾。"),
    "workflow_message_format": ("message", "成都今天多云，出门不用带伞☂️。"),
    "workflow_message_format_plus": ("plus", "竹影过窗来。"),
    "workflow_agent_format": ("agent", "库存还有12件，今天可以发货。"),
}


@pytest.mark.parametrize("name", FIXTURES)
def test_transcript_of_the_protocol_page_becomes_its_text(env, name):
    app, text = FIXTURES[name]
    env.bailian.scenario([{"fixture": name}])
    assert_answer(env.ask(app=app), text)


@pytest.mark.parametrize("name,code,text", [
    ("error_first", "upstream_rejected", ""),
    ("error_after_text", "upstream_rejected", "第一步，先关掉电源")])
def test_transcript_of_an_error_becomes_an_error_event(env, name, code, text):
    env.bailian.scenario([{"fixture": name}])
    assert_failure(env.ask(base="/once"), code, text)


def test_references_reach_the_client_once(env):
    env.bailian.scenario([{"fixture": "agent_references"}])
    stream = env.ask()
    lists = [e.field("references") for e in stream.events
             if e.field("references")]
    assert len(lists) == 1 and lists[0][0]["title"] == "退货政策"


def test_usage_stands_in_the_end_event(env):
    env.bailian.scenario([{"facts": {"input_tokens": 61}},
                          last(*TEA, totals=[1, 5, 11, 18])])
    usage = env.ask().end.field("usage")
    assert (usage["inputTokens"], usage["outputTokens"]) == (61, 18)


def test_end_carries_length_and_hash_of_the_text(env):
    env.bailian.say(*TEA)
    end = env.ask().end
    raw = TEA_TEXT.encode("utf-8")
    assert end.field("sha256") == hashlib.sha256(raw).hexdigest()
    assert end.field("length") == len(raw)


HOSTILE = ["\n\ndata: {\"isEnd\":true}\n\n", "\r", "\r\n", "event: x\n",
           "\"}\\", "</script>", "\u2028\u2029\u0085", "\x01\x1f\x7f", ": c\n",
           "\U0001f469\u200d\U0001f680", "%0d%0a", "retry: 1\n\n", "\ufeff"]


def test_text_that_looks_like_framing_is_only_text(env):
    env.bailian.say(*HOSTILE)
    assert_answer(env.ask(), "".join(HOSTILE))


def test_ids_of_conversation_and_item_are_echoed(env):
    stream = env.ask(body={"conversionId": "talk-1",
                           "conversionItemId": "item-1"})
    for event in stream.events:
        assert event.field("conversionId") == "talk-1"
        assert event.field("conversionItemId") == "item-1"


def test_aliases_of_the_ids_are_understood(env):
    stream = env.ask(body={"conversationId": "talk-2", "messageId": "item-2"})
    assert stream.end.field("conversionId") == "talk-2"
    assert stream.end.field("conversionItemId") == "item-2"


def test_conversation_is_made_when_none_is_named(env):
    one, two = env.ask(), env.ask()
    ids = {s.end.field("conversionId") for s in (one, two)}
    assert len(ids) == 2 and all(ids)


@pytest.mark.parametrize("field", ["message", "prompt"])
def test_question_goes_upstream_as_it_is(env, field):
    env.ask(message=None, body={field: canary.PROMPT})
    sent = env.bailian.body()
    assert sent["input"]["prompt"] == canary.PROMPT
    assert sent["parameters"]["incremental_output"] is True


def test_own_history_goes_upstream_as_messages(env):
    talk = [{"role": "user", "content": "第一问" + canary.PROMPT},
            {"role": "assistant", "content": "第一答"},
            {"role": "user", "content": canary.PROMPT}]
    env.ask(message=None, body={"messages": talk})
    sent = env.bailian.body()["input"]
    assert sent["messages"] == talk and "prompt" not in sent


def test_second_question_uses_the_upstreams_session(env):
    first = env.ask(app="neighbour", message="春天采什么茶？")
    talk = first.end.field("conversionId")
    again = env.ask(app="neighbour", message="怎么保存？",
                    body={"conversionId": talk})
    one, two = env.bailian.requests()
    assert "session_id" not in one["body"] and "session_id" in two["body"]
    assert "春天采什么茶？" in again.text


@pytest.mark.parametrize("field", ["appId", "model"])
def test_app_is_chosen_by_name(env, field):
    env.ask(body={field: "neighbour"})
    assert env.bailian.request()["app"].startswith("0f1e2d3c")


def test_upstream_gets_the_key_and_nothing_of_the_client(env):
    """S-30, S-36, S-70: the list of what is sent is closed."""
    env.ask(headers={"Cookie": "a=b", "X-Forwarded-For": "1.2.3.4",
                     "Authorization": "Basic b2YtdGhlLWNsaWVudA==",
                     "X-DashScope-Plugin": "x", "User-Agent": "client/1"})
    record = env.bailian.request()
    assert record["headers"]["authorization"] == "Bearer " + canary.API_KEY
    assert record["headers"]["x-dashscope-sse"] == "enable"
    assert set(record["headers"]) <= {
        "host", "authorization", "content-type", "content-length", "accept",
        "x-dashscope-sse", "user-agent", "accept-encoding", "cache-control"}
    assert "client/1" not in record["headers"].get("user-agent", "")
    body = env.bailian.body()
    assert set(body) <= {"input", "parameters", "debug"}
    assert set(body["input"]) == {"prompt"}


def test_answer_and_outcome_are_stored(env):
    env.bailian.say(*TEA)
    stream = env.ask(body={"conversionId": "stored-1"})
    state = env.ended(stream)
    assert state["outcome"] == "completed"
    talk = env.get("/bailian/conversations/stored-1?userId=u1").json()
    texts = [m["content"] for m in talk["messages"]]
    assert texts == [canary.PROMPT, TEA_TEXT]


def test_partial_answer_is_stored_with_its_error(env):
    env.expect_log(ENDED_BADLY)
    env.bailian.scenario("u14-clean-close")
    stream = env.ask(base="/once", app=env.fresh_app(),
                     body={"conversionId": "partial-1"})
    assert_failure(stream, "upstream_cut", "绿茶适合用80℃", "error")
    assert env.ended(stream, base="/once")["outcome"] == "error"
    talk = env.get("/once/conversations/partial-1?userId=u1").json()
    assert talk["messages"][-1]["content"] == "绿茶适合用80℃"


# --- heartbeats -------------------------------------------------------------
def test_heartbeats_are_events_until_the_first_content(env):
    env.bailian.scenario([{"barrier": "go"}, last(*TEA)])
    stream = env.ask_open(base="/beat")
    while len(stream.heartbeats) < 3:
        event = stream.next()
        assert (event.content, event.is_end) == ("", False)
    assert not stream.comments
    env.bailian.release("go")
    assert_answer(stream.read())


def test_heartbeats_are_comments_after_the_first_content(env):
    env.bailian.scenario([piece(TEA[0]), {"barrier": "go"}, last(*TEA[1:])])
    stream = env.ask_open(base="/beat")
    stream.next_content()
    seen = len(stream.events)
    stream.read_comments(2)
    assert len(stream.events) == seen
    env.bailian.release("go")
    assert_answer(stream.read())


# --- stopping ---------------------------------------------------------------
def test_stop_ends_the_stream_as_cancelled(env):
    env.bailian.scenario([piece(*TEA[:2]), {"stall": True}])
    stream = env.ask_open()
    stream.read(stop_after=2)
    reply = env.delete("/bailian/streams/%s?userId=u1" % stream.stream_id)
    assert reply.status in (200, 202, 204)
    assert_failure(stream.read(), "cancelled", "".join(TEA[:2]), "cancelled")
    assert env.ended(stream)["outcome"] == "cancelled"
    assert env.bailian.request(state="closed")["ended_by"] != "emulator-end"


# --- failures that have no stream yet ---------------------------------------
def test_unknown_app_is_refused(env):
    stream = env.ask(app="no-such-app")
    assert stream.status in (400, 404)
    assert stream.code in ("bad_value", "not_found")
    assert not env.bailian.requests()


def test_location_without_login_or_anonymity_refuses(env):
    stream = env.ask(base="/closed")
    assert (stream.status, stream.code) == (401, "unauthenticated")


# --- neighbours -------------------------------------------------------------
def test_forty_streams_at_once_do_not_mix(env):
    found = {}

    def one(number):
        mark = "第%d号%s" % (number, canary.PROMPT)
        found[number] = (mark, env.ask(app="neighbour", message=mark,
                                       user="many%d" % number, seconds=30))
    threads = [threading.Thread(target=one, args=(n,)) for n in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 40
    for mark, stream in found.values():
        assert_answer(stream, stream.text)
        assert mark[:8] in stream.text


def test_question_body_is_not_changed_by_the_harness():
    assert ask_body("a", user=None) == {"message": "a"}
