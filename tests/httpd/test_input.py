# SPDX-License-Identifier: Apache-2.0
"""Wrong and hostile requests: rows C07, C09 - C14, C24 and C25."""
import json

import pytest

from answers import TEA, assert_answer, last, piece
from env import canary, raw
from env.environment import ask_body
from env.sse import Stream

STREAM = "/bailian/stream"


def post(env, body, headers=None, path=STREAM):
    reply = env.post(path, body, headers)
    assert not env.bailian.requests(), "a bad request reached the upstream"
    return reply


def refused(reply, status, code):
    assert (reply.status, reply.code) == (status, code), reply.body
    document = reply.json()
    assert document["status"] == status
    assert set(document) <= {"type", "title", "status", "detail", "code",
                             "requestId", "instance", "offset", "field",
                             "retryable"}


# --- C07: bodies ------------------------------------------------------------
def sized(size):
    """A valid question of exactly size bytes."""
    shell = json.dumps(ask_body(message=""))
    return json.dumps(ask_body(message="a" * (size - len(shell)))).encode()


@pytest.mark.server(extra="BailianMaxBody 20000")
@pytest.mark.parametrize("size", [19999, 20000])
def test_c07_body_up_to_the_limit_is_taken(env, size):
    env.bailian.say(*TEA)
    body = sized(size)
    assert len(body) == size
    assert_answer(env.sse(STREAM, body))


@pytest.mark.server(extra="BailianMaxBody 20000")
@pytest.mark.parametrize("size", [20001, 200000])
def test_c07_body_above_the_limit_is_refused(env, size):
    refused(post(env, sized(size)), 413, "body_too_large")


def test_c07_default_limit_is_one_mebibyte(env):
    env.bailian.say(*TEA)
    assert_answer(env.sse(STREAM, sized(1024 * 1024)))
    env.bailian.forget()
    refused(post(env, sized(1024 * 1024 + 1)), 413, "body_too_large")


def test_c07_announced_gigabyte_is_refused_and_the_connection_closed(env):
    conn = env.connect()
    conn.send(raw.request("POST", STREAM, None, {
        "Content-Type": "application/json", "Content-Length": "1073741824"}))
    conn.send(b"{" * 1000)
    reply = conn.reply()
    assert reply.status == 413
    assert reply.header("connection", "").lower() == "close"
    while conn.fill():
        pass
    assert conn.ended in ("fin", "reset")


def test_c07_endless_chunked_body_is_cut(env):
    conn = env.connect()
    conn.send(raw.request("POST", STREAM, None, {
        "Content-Type": "application/json", "Transfer-Encoding": "chunked"}))
    block = b"%x\r\n%b\r\n" % (65536, b" " * 65536)
    try:
        for _ in range(40):
            conn.send(block)
    except OSError:
        pass
    try:
        assert conn.reply().status == 413
    except AssertionError:
        assert conn.ended == "reset"


@pytest.mark.parametrize("headers", [
    {"Content-Length": "-1"}, {"Content-Length": "5, 6"},
    {"Content-Length": "abc"}, {"Content-Length": "99999999999999999999"},
    {"Transfer-Encoding": "gzip"}])
def test_c07_bad_lengths_are_refused(env, headers):
    env.allow_log("AH0", "AH1")
    conn = env.connect()
    conn.send(raw.request("POST", STREAM, None, dict(
        {"Content-Type": "application/json"}, **headers)))
    assert conn.reply().status in (400, 413, 501)
    assert not env.bailian.requests()


def assert_whole(reply):
    """Read to its end: the next test counts what reaches the upstream."""
    assert reply.status == 200
    assert TEA[-1].encode() in reply.body


def test_c07_chunked_body_is_taken(env):
    env.bailian.say(*TEA)
    body = json.dumps(ask_body()).encode()
    conn = env.connect()
    conn.send(raw.request("POST", STREAM, None, {
        "Content-Type": "application/json", "Transfer-Encoding": "chunked"}))
    for octet in range(len(body)):
        conn.send(b"1\r\n%b\r\n" % body[octet:octet + 1])
    conn.send(b"0\r\n\r\n")
    assert_whole(conn.reply())


# --- C09: JSON --------------------------------------------------------------
BAD_JSON = {
    "empty": b"", "spaces": b"   ", "trailing": b'{"message":"a"} x',
    "two": b'{"message":"a"}{"message":"b"}', "comment": b'{"message":"a"/**/}',
    "nan": b'{"message":"a","x":NaN}', "single": b"{'message':'a'}",
    "bom": b'\xef\xbb\xbf{"message":"a"}', "comma": b'{"message":"a",}',
    "duplicate": b'{"message":"a","message":"b"}',
    "control": b'{"message":"a\nb"}', "open": b'{"message":"a"',
}


@pytest.mark.parametrize("name", BAD_JSON)
def test_c09_bad_json_is_told(env, name):
    refused(post(env, BAD_JSON[name]), 400, "bad_json")


def test_c09_valid_body_cut_at_every_byte_is_bad_json(env):
    body = json.dumps(ask_body(message="茶\\n")).encode()
    for end in range(len(body)):
        reply = env.post(STREAM, body[:end])
        assert reply.status == 400, body[:end]
        assert reply.code in ("bad_json", "bad_utf8", "bad_value")
    assert not env.bailian.requests()


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"17", b"null", b"true"])
def test_c09_body_that_is_no_object_is_refused(env, body):
    reply = post(env, body)
    assert reply.status == 400
    assert reply.code in ("bad_json", "bad_value")


def test_c09_number_of_ten_thousand_digits(env):
    body = b'{"userId":"u1","message":"a","x":' + b"9" * 10000 + b"}"
    reply = env.post(STREAM, body)
    assert reply.status in (200, 400)


# --- C10: depth -------------------------------------------------------------
def nested(depth, opening, closing):
    """The whole body is depth levels deep."""
    inner = opening * (depth - 1) + closing * (depth - 1)
    inner = inner.replace('{"a":}', "{}")
    return ('{"message":"a","userId":"u1","x":%s}' % inner).encode()


@pytest.mark.parametrize("depth", [31, 32])
def test_c10_allowed_depth(env, depth):
    env.bailian.say(*TEA)
    assert_answer(env.sse(STREAM, nested(depth, "[", "]")))


@pytest.mark.parametrize("depth", [33, 100000])
@pytest.mark.parametrize("opening,closing", [("[", "]"), ('{"a":', "}")])
def test_c10_too_deep(env, depth, opening, closing):
    refused(post(env, nested(depth, opening, closing)), 400, "too_deep")


# --- C11: UTF-8 -------------------------------------------------------------
BAD_UTF8 = [b"\x80", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80",
            b"\xe8\x8c", b"\xff"]


@pytest.mark.parametrize("octets", BAD_UTF8)
@pytest.mark.parametrize("field", ["message", "userId", "conversionId",
                                   "conversionItemId", "appId", "unknown"])
def test_c11_bad_utf8_in_a_field(env, field, octets):
    fields = {"message": b"a", "userId": b"u1"}
    fields[field] = b"x" + octets
    body = b"{" + b",".join(b'"%b":"%b"' % (k.encode(), v)
                            for k, v in fields.items()) + b"}"
    reply = post(env, body)
    assert reply.status == 400
    assert reply.code in ("bad_utf8", "bad_json")


@pytest.mark.parametrize("escape", ["\\u0000", "\\ud800", "\\udc00x"])
@pytest.mark.parametrize("field", ["message", "userId", "conversionId"])
def test_c11_escapes_that_are_no_text(env, field, escape):
    fields = {"message": "a", "userId": "u1"}
    fields[field] = "x@"
    body = json.dumps(fields).replace("@", escape)
    reply = post(env, body)
    assert reply.status == 400
    assert reply.code in ("bad_utf8", "bad_json", "bad_value")


# --- C12: values ------------------------------------------------------------
@pytest.mark.parametrize("fields", [
    {"message": 5}, {"message": ["a"]}, {"message": {"a": 1}},
    {"message": None}, {"message": ""}, {"messages": []}, {"messages": "a"},
    {"messages": [{"role": "root", "content": "a"}]},
    {"messages": [{"role": "user"}]}, {"messages": [5]},
    {"conversionId": 5}, {"conversionId": "x" * 200}, {"conversionId": ["a"]},
    {"conversionItemId": "x" * 200}, {"userId": 5}, {"userId": "x" * 200},
    {"appId": 5}, {"appId": "../../etc"}, {"appId": "a?b"}, {"appId": ""},
    {"appId": "x" * 300}])
def test_c12_hostile_values(env, fields):
    message = None if "messages" in fields else "a"
    body = dict(ask_body(message=message))
    body.update(fields)
    reply = env.post(STREAM, body)
    if fields == {"appId": ""}:
        return
    assert reply.status in (400, 404), reply.body
    assert reply.code in ("bad_value", "not_found")


def test_c12_too_many_messages(env):
    talk = [{"role": "user", "content": "a"}] * 257
    assert post(env, ask_body(message=None, body={"messages": talk})).status \
        == 400


def test_c12_fields_that_would_steer_the_target_are_not_read(env, traps):
    trap = "http://127.0.0.1:%d" % traps.redirect.port
    env.ask(body={"apiBase": trap, "base_url": trap, "api_key": "sk-other",
                  "apiKey": "sk-other", "url": trap, "proxy": trap,
                  "headers": {"Host": "x"}, "workspace": "w",
                  "parameters": {"model_id": "x"}})
    record = env.bailian.request()
    assert record["headers"]["authorization"] == "Bearer " + canary.API_KEY
    assert "x-dashscope-workspace" not in record["headers"]
    assert "sk-other" not in record["body"] and trap not in record["body"]
    assert traps.redirect.accepted == 0


def test_c12_conversation_of_another_person_is_not_told(env):
    env.ask(user="alice", body={"conversionId": "alices"})
    reply = env.get("/bailian/conversations/alices?userId=mallory")
    assert (reply.status, reply.code) == (404, "not_found")
    unknown = env.get("/bailian/conversations/nobodys?userId=mallory")
    assert unknown.status == 404


# --- C13: injection ---------------------------------------------------------
NASTY = ["a\r\nX-Injected: 1", "a\nb", "a\rb", "a\u2028b", "a\u0085b",
         "a\x00b", "a%0d%0aX-Injected: 1", "a\x1b[31m", "a\x7fb", "{{x}}"]


@pytest.mark.parametrize("field", ["conversionId", "conversionItemId",
                                   "userId"])
@pytest.mark.parametrize("value", NASTY)
def test_c13_line_ends_in_ids_change_no_framing(env, field, value):
    env.bailian.say(*TEA)
    stream = env.ask(body={field: value})
    assert stream.header("x-injected") is None
    if stream.status == 200:
        assert_answer(stream)
    else:
        assert stream.status == 400
    assert not [line for line in env.log.lines() if "\x1b" in line]


@pytest.mark.parametrize("value", ["a\x01b", "a\x1b[31m", "\x7f"])
def test_c13_control_characters_in_headers(env, value):
    env.allow_log("AH0", "AH1")
    reply = env.post(STREAM, ask_body(), {"Last-Event-ID": value,
                                          "Idempotency-Key": value})
    assert reply.status in (200, 400)
    assert "\x1b" not in env.log.text()


@pytest.mark.parametrize("query", ["%0d%0aX-Injected:1", "%00", "%ff", "%zz",
                                   "a%20b%22%3Cscript%3E"])
def test_c13_query_is_data(env, query):
    reply = env.get("/bailian/conversations?userId=u1&q=" + query)
    assert reply.header("x-injected") is None
    assert reply.status in (200, 400)
    assert b"<script>" not in reply.body


# --- content type and methods -----------------------------------------------
@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data",
                                  "application/x-www-form-urlencoded", None,
                                  "application/jsonx"])
def test_s23_only_json_starts_a_stream(env, kind):
    refused(post(env, ask_body(), {"Content-Type": kind}), 415, "bad_type")


@pytest.mark.parametrize("kind", ["application/json",
                                  "application/json; charset=utf-8",
                                  "Application/JSON;charset=UTF-8"])
def test_json_may_be_spelled_in_these_ways(env, kind):
    env.bailian.say(*TEA)
    assert_answer(env.ask(headers={"Content-Type": kind}))


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "BREW"])
def test_c24_wrong_method_is_told(env, method):
    env.allow_log("AH")
    reply = env.http(method, STREAM)
    assert reply.status in (405, 501)
    if reply.status == 405:
        assert "POST" in reply.header("allow")


def test_c24_trace_and_head_start_nothing(env):
    for method in ("HEAD", "TRACE", "OPTIONS"):
        with raw.Raw(env.server.port) as conn:
            reply = conn.ask(method, STREAM, close=True)
        assert reply.status in (200, 204, 405)
    assert not env.bailian.requests()


def test_c24_http_1_0_gets_its_answer_by_the_end_of_the_connection(env):
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": "go"},
                          last(*TEA[2:])])
    conn = env.connect()
    conn.send(raw.request("POST", STREAM, ask_body(), version="HTTP/1.0"))
    stream = Stream(conn)
    stream.read(stop_after=2)  # what is whole at once has a length
    env.bailian.release("go")
    stream.read()
    assert stream.header("transfer-encoding") is None
    assert stream.ended == "close" and stream.text == "".join(TEA)


def test_c24_expect_100_continue(env):
    env.bailian.say(*TEA)
    conn = env.connect()
    body = json.dumps(ask_body()).encode()
    conn.send(raw.request("POST", STREAM, None, {
        "Content-Type": "application/json", "Expect": "100-continue",
        "Content-Length": str(len(body))}))
    assert conn.line().startswith(b"HTTP/1.1 100")
    assert conn.line() == b""
    conn.send(body)
    assert_whole(conn.reply())


def test_c24_upgrade_on_a_wrong_path_is_no_tunnel(env):
    env.bailian.say(*TEA)
    stream = env.ask(headers={"Connection": "Upgrade", "Upgrade": "websocket"},
                     close=False)
    assert stream.status == 200


# --- C25: paths -------------------------------------------------------------
@pytest.mark.parametrize("path", [
    "/bailian//stream", "/bailian/./stream", "/bailian/x/../stream",
    "/bailian/%73tream"])
def test_c25_other_spellings_obey_the_same_rules(env, path):
    env.allow_log("AH")
    reply = env.post(path, ask_body())
    assert reply.status in (200, 404)


@pytest.mark.parametrize("path", [
    "/bailian/stream/", "/bailian/stream;x", "/bailian/STREAM",
    "/bailian/stream.", "/bailian/streamx", "/bailian/stream%00",
    "/bailian/%2e%2e/stream", "/bailian/stream%2f", "/bailian",
    "/bailian/", "/bailian/streams", "/bailian/streams/",
    "/bailian/streams/x/events/y", "/bailian/nothing",
    "/bailian/" + "a" * 8000, "/bailian/conversations/../../etc/passwd"])
def test_c25_unknown_paths_are_not_found(env, path):
    env.allow_log("AH")
    reply = env.post(path, ask_body())
    assert reply.status in (400, 403, 404, 405), reply.status
    assert not env.bailian.requests()


@pytest.mark.parametrize("path", ["/closed//stream", "/closed/./stream",
                                  "/closed/%73tream", "/login/%73tream"])
def test_c25_no_spelling_goes_around_the_login(env, path):
    env.allow_log("AH")
    assert env.post(path, ask_body()).status in (401, 404)


def test_problem_documents_are_in_the_language_of_the_client(env):
    english = env.post(STREAM, b"{")
    chinese = env.post(STREAM, b"{", {"Accept-Language": "zh-CN,zh;q=0.9"})
    assert "JSON" in english.body.decode()
    assert "请求" in chinese.body.decode()


def test_keep_alive_goes_on_after_a_refusal(env):
    """Not after a 400: httpd itself closes after that."""
    conn = env.connect()
    path = "/bailian/streams/%s?userId=u1" % ("0" * 32)
    assert conn.ask("GET", path).status == 404
    assert conn.ask("PUT", STREAM).status == 405
    assert conn.ask("GET", "/bailian/livez").status == 200
