# SPDX-License-Identifier: Apache-2.0
"""The emulator says what the protocol page says, and fails as it is told.

Raw sockets only: the byte on the wire is what is under test.
"""
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import zlib

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import scenarios  # noqa: E402
import steps  # noqa: E402

FIXTURES = sorted(name[:-4] for name in os.listdir(steps.FIXTURES)
                  if name.endswith(".sse"))
DEADLINE = 60


class Emulator:
    def __init__(self, *options):
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "bailian_emulator.py"),
             "--port", "0", "--speed", "100", *options],
            stdout=subprocess.PIPE, text=True)
        ready = self.process.stdout.readline()
        self.port = int(re.match(r"ready http://127.0.0.1:(\d+)",
                                 ready).group(1))

    def stop(self):
        self.process.terminate()
        return self.process.wait(DEADLINE)

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), DEADLINE)

    def control(self, method, path, body=None):
        data = b"" if body is None else json.dumps(body).encode()
        reply = self.ask(b"%s /_emulator/%s HTTP/1.1\r\nhost: e\r\n"
                         b"connection: close\r\ncontent-length: %d\r\n\r\n%s"
                         % (method.encode(), path.encode(), len(data), data))
        return json.loads(reply.body)

    def ask(self, request):
        with self.connect() as sock:
            sock.sendall(request)
            return Reply(sock)

    def complete(self, app, prompt="你好", sse=True, key="sk-test",
                 parameters=None, **given):
        return self.ask(completion(app, prompt, sse, key, parameters, **given))


def completion(app, prompt="你好", sse=True, key="sk-test", parameters=None,
               path=None, headers=b"", **given):
    body = json.dumps({"input": dict({"prompt": prompt}, **given),
                       "parameters": parameters or {}, "debug": {}}).encode()
    path = path or "/api/v1/apps/%s/completion" % app
    return (b"POST %s HTTP/1.1\r\nhost: e\r\nauthorization: Bearer %s\r\n"
            b"content-type: application/json\r\nconnection: close\r\n%s%s"
            b"content-length: %d\r\n\r\n%s"
            % (path.encode(), key.encode(), headers,
               b"x-dashscope-sse: enable\r\n" if sse else b"", len(body),
               body))


class Reply:
    """Everything up to the end of the connection, and how that came."""

    def __init__(self, sock):
        self.raw, self.reads, self.ended = b"", [], "fin"
        sock.settimeout(DEADLINE)
        try:
            while True:
                data = sock.recv(65536)
                if not data:
                    break
                self.reads.append(data)
        except ConnectionResetError:
            self.ended = "reset"
        except socket.timeout:
            self.ended = "silent"
        self.raw = b"".join(self.reads)
        head, _, rest = self.raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status_line = lines[0]
        self.headers = dict(line.lower().split(": ", 1) for line in lines[1:]
                            if ": " in line)
        self.is_whole = False
        self.chunks = []
        self.body = rest
        if self.headers.get("transfer-encoding") == "chunked":
            self._dechunk(rest)

    def _dechunk(self, rest):
        self.body = b""
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            try:
                count = int(size, 16)
            except ValueError:
                return
            if count == 0:
                self.is_whole = True
                return
            self.chunks.append(rest[:count])
            self.body += rest[:count]
            rest = rest[count + 2:]

    @property
    def status(self):
        return int(self.status_line.split()[1])

    def data(self):
        return [json.loads(line[5:]) for line
                in self.body.decode().split("\n") if line.startswith("data:")]


@pytest.fixture(scope="module")
def running():
    emulator = Emulator()
    yield emulator
    assert emulator.stop() == 0


@pytest.fixture
def emulator(running):
    running.control("POST", "reset")
    return running


def install(emulator, *found):
    emulator.control("PUT", "scenarios/now", {"steps": list(found)})


# --- by the book ------------------------------------------------------------
@pytest.mark.parametrize("name", FIXTURES)
def test_fixture_is_replayed_byte_for_byte(emulator, name):
    reply = emulator.complete("fixture-" + name)
    assert reply.body == steps.fixture(name)
    assert reply.is_whole and reply.status == 200


TEA = [("绿茶", 1), ("适合用80℃", 5), ("左右的水冲泡🍵，", 11),
       ("水太烫会让茶汤发苦。", 18)]
GENERATED = {
    "agent_incremental": ({"incremental_output": True}, TEA, [], {
        "session_id": "3f6c1b0e9a5d4c7f8e21b4a60d9c7735",
        "request_id": "8c1e4d52-77aa-9f0e-b3d4-5a6b0c1d2e3f",
        "input_tokens": 61}),
    "agent_cumulative": ({}, TEA, [], {
        "session_id": "a0b94c1d6e2f4b7c9d3e5f708192a3b4",
        "request_id": "1b7d0c64-2c11-9a5e-8d73-60f1e2a3b4c5",
        "input_tokens": 61}),
    "agent_thinking": (
        {"incremental_output": True, "has_thoughts": True},
        [("3的平方", 18), ("是9。", 21)],
        [("嗯", 3), ("，用户在问", 7), ("三的平方，直接算。", 14)], {
            "session_id": "c2d84a7be1f04f16b5c3a9d870e6f241",
            "request_id": "e5a91f37-40bd-9c62-a1f8-7d3c2b1a0f9e",
            "input_tokens": 31, "model": "deepseek-r1"}),
    "workflow_agent_format": (
        {"incremental_output": True, "flow_stream_mode": "agent_format"},
        [("库存还有", 3), ("12件，", 7), ("今天可以发货。", 13)], [], {
            "session_id": "0c9e8d7a6b5f4e3d2c1b0a9988776655",
            "request_id": "aa10bb20-cc30-9d40-8e50-ff60aa70bb80",
            "input_tokens": 52}),
    "workflow_message_format": (
        {"flow_stream_mode": "message_format"},
        [("成都今天", None), ("多云，", None), ("出门不用带伞☂️。", None)], [], {
            "session_id": "5be7f0a91c2d4e638fa0b1c2d3e4f506",
            "request_id": "b61f20c7-8d45-9123-9f7e-0a1b2c3d4e5f"}),
    "workflow_message_format_plus": (
        {"flow_stream_mode": "message_format_plus"},
        [("竹影", 6), ("过窗来。", 12)], [("先想一个意象。", 5)], {
            "session_id": "d84f1c6ba0e94c7385b2a6f70e1d9c34",
            "request_id": "4f0e6a92-b7c3-9d18-82e5-c6d7e8f90a1b",
            "input_tokens": 15, "model": "qwen-plus-latest"}),
}


@pytest.mark.parametrize("name", GENERATED)
def test_generated_answer_equals_the_transcript_of_its_mode(emulator, name):
    parameters, pieces, thoughts, facts = GENERATED[name]
    install(emulator, {"facts": facts}, {"answer": {
        "pieces": [p for p, _ in pieces], "interval": 0,
        "thinking": [p for p, _ in thoughts],
        "totals": [n for _, n in thoughts + pieces]}})
    reply = emulator.complete("scenario-now", parameters=parameters)
    assert reply.body == steps.fixture(name)


MODEL = "/api/v1/services/aigc/text-generation/generation"


@pytest.mark.parametrize("name,parameters", [
    ("model_message", {"incremental_output": True}),
    ("model_cumulative", {"incremental_output": False})])
def test_native_answer_equals_the_transcript_of_its_mode(
        emulator, name, parameters):
    ids = json.loads(steps.fixture(name).split(b"data:")[1].split(b"\n")[0])
    facts = {"request_id": ids["request_id"], "input_tokens": 22}
    inline = {"steps": [{"facts": facts}, {"answer": {
        "pieces": ["月亮", "绕地球一圈", "大约27.3天🌙。"], "interval": 0,
        "totals": [1, 5, 14]}}]}
    reply = emulator.complete(
        None, path=MODEL, parameters=parameters,
        headers=b"x-emulator-scenario: %s\r\n" % json.dumps(inline).encode())
    assert reply.body == steps.fixture(name)


def test_stream_has_the_header_set_of_the_service(emulator):
    reply = emulator.complete("app")
    assert reply.headers["content-type"] == "text/event-stream;charset=utf-8"
    for name in ("transfer-encoding", "server", "vary", "x-request-id",
                 "x-dashscope-call-gateway", "x-dashscope-timeout",
                 "x-dashscope-finished", "req-arrive-time", "resp-start-time",
                 "req-cost-time", "x-envoy-upstream-service-time"):
        assert name in reply.headers


@pytest.mark.parametrize("prompt,word", [
    ("绿茶用多少度的水泡？", "绿茶"), ("How do I brew tea?", "Water")])
def test_answer_is_in_the_language_of_the_prompt(emulator, prompt, word):
    data = emulator.complete(
        "app", prompt, parameters={"incremental_output": True}).data()
    text = "".join(item["output"]["text"] for item in data)
    assert prompt in text and word in text and "\n\n" in text
    assert all(len(item["output"]["text"]) <= 20 for item in data)
    assert [item["output"]["finish_reason"] for item in data][-2:] \
        == ["null", "stop"]


def test_second_question_of_a_session_mentions_the_first(emulator):
    first = emulator.complete("app", "春天采什么茶？").data()[-1]["output"]
    again = emulator.complete("app", "怎么保存？",
                              session_id=first["session_id"]).data()[-1]
    assert "春天采什么茶？" in again["output"]["text"]
    assert again["output"]["session_id"] == first["session_id"]


def test_unknown_session_begins_a_new_one(emulator):
    data = emulator.complete("app", session_id="f" * 32).data()
    assert data[-1]["output"]["session_id"] != "f" * 32


def test_all_thinking_comes_before_text(emulator):
    data = emulator.complete("app", "写一首诗", parameters={
        "has_thoughts": True, "enable_thinking": True,
        "incremental_output": True}).data()
    thoughts = [d["output"]["thoughts"][0]["thought"] for d in data]
    texts = [d["output"]["text"] for d in data]
    first_text = next(i for i, text in enumerate(texts) if text)
    assert all(thoughts[:first_text]) and not any(thoughts[first_text:])


def test_without_streaming_the_answer_is_one_json_document(emulator):
    reply = emulator.complete("app", "你好", sse=False)
    answer = json.loads(reply.body)
    assert reply.headers["content-type"] == "application/json"
    assert answer["output"]["finish_reason"] == "stop"
    assert answer["output"]["text"] and answer["usage"]["models"]


def test_full_thoughts_has_text_only_in_the_last_event(emulator):
    data = emulator.complete("app", parameters={
        "flow_stream_mode": "full_thoughts", "has_thoughts": True}).data()
    assert data[0]["output"].keys() == {"session_id", "finish_reason"}
    assert [i for i, d in enumerate(data) if "text" in d["output"]] \
        == [len(data) - 1]
    said = "".join(
        json.loads(json.loads(d["output"]["thoughts"][1]["response"])
                   ["nodeResult"])["result"] for d in data[2:-1])
    assert said == data[-1]["output"]["text"]


def test_connection_is_kept_for_the_next_request(emulator):
    request = completion("fixture-error_first").replace(
        b"connection: close\r\n", b"")
    with emulator.connect() as sock:
        sock.sendall(request)
        seen = b""
        while not seen.endswith(b"0\r\n\r\n"):
            seen += sock.recv(65536)
        sock.sendall(completion("fixture-error_first"))
        assert Reply(sock).is_whole
    numbers = [r["connection"] for r in emulator.control("GET", "requests")]
    assert len(numbers) == 2 and numbers[0] == numbers[1]


# --- refusals ---------------------------------------------------------------
@pytest.mark.parametrize("app,key,status,code", [
    ("app", "sk-bad", 401, "InvalidApiKey"),
    ("app", "other", 401, "InvalidApiKey"),
    ("denied-1", "sk-good", 403, "App.AccessDenied")])
def test_key_or_app_is_refused(emulator, app, key, status, code):
    reply = emulator.complete(app, key=key)
    assert reply.status == status
    assert json.loads(reply.body).keys() == {"code", "message", "request_id"}
    assert json.loads(reply.body)["code"] == code


def get(path, key="sk-a"):
    return b"GET %s HTTP/1.1\r\nhost: e\r\nconnection: close\r\n" \
        b"authorization: Bearer %s\r\n\r\n" % (path.encode(), key.encode())


def test_model_lists(emulator):
    compatible = json.loads(
        emulator.ask(get("/compatible-mode/v1/models")).body)
    assert compatible["object"] == "list" and compatible["data"][0]["id"]
    native = json.loads(emulator.ask(
        get("/api/v1/models?model=qwen-plus&page_no=1&page_size=1")).body)
    assert [m["model"] for m in native["output"]["models"]] == ["qwen-plus"]
    bad = emulator.ask(get("/compatible-mode/v1/models", "sk-bad"))
    assert bad.status == 401
    assert json.loads(bad.body)["error"]["code"] == "invalid_api_key"


# --- misbehaviour -----------------------------------------------------------
def one(emulator, name):
    return emulator.complete("scenario-" + name,
                             parameters={"incremental_output": True})


def test_every_library_scenario_is_well_formed():
    for scenario in scenarios.LIBRARY.values():
        steps.check(scenario)


@pytest.mark.parametrize("name,ended,whole", [
    ("u14-clean-close", "fin", True),
    ("u14-close-framing", "fin", False),
    ("u15-reset-before-head", "reset", False),
    ("u15-reset-after-head", "reset", False),
    ("u15-reset-in-event", "reset", False),
    ("u15-reset-between-events", "reset", False),
    ("u16-inside-chunk", "fin", False),
    ("u16-no-last-chunk", "fin", False),
    ("u16-length-too-large", "fin", False)])
def test_cut_answers_are_cut_as_named(emulator, name, ended, whole):
    reply = one(emulator, name)
    assert (reply.ended, reply.is_whole) == (ended, whole)
    assert b'"stop"' not in reply.raw


def test_reset_after_the_end_delivers_the_end_first(emulator):
    reply = one(emulator, "u15-reset-after-end")
    assert b'"finish_reason":"stop"' in reply.body
    assert reply.ended == "reset"


def test_one_byte_a_chunk(emulator):
    reply = one(emulator, "u17-chunk-a-byte")
    assert set(map(len, reply.chunks)) == {1}
    assert reply.data()[-1]["output"]["finish_reason"] == "stop"


def test_writes_are_cut_at_body_offsets(emulator):
    install(emulator, {"split": {"at": [4, 40], "gap": 0.05}},
            {"fixture": "error_first"})
    reply = emulator.complete("scenario-now")
    assert reply.body == steps.fixture("error_first")
    sent = steps.fixture("error_first")
    assert any(read.endswith(sent[:4]) for read in reply.reads)
    assert any(read.startswith(sent[4:40]) for read in reply.reads)


@pytest.mark.parametrize("name,pattern", [
    ("style-crlf", rb"^id:1\r\nevent:result\r\n:HTTP_STATUS/200\r\ndata:\{"),
    ("style-space", rb"^id: 1\nevent: result\n:HTTP_STATUS/200\ndata: \{"),
    ("style-no-blank", rb"\}\nid:2\n"),
    ("style-comments", rb"^: keepalive\nid:1"),
    ("style-leading-blank", rb"^\nid:1"),
    ("u19-overlong", rb"<\xc0\xaf>"),
    ("u19-surrogate", rb"<\xed\xa0\x80>"),
    ("u32-event-done", rb"event:done\ndata:\[DONE\]\n\n$")])
def test_odd_bytes_are_on_the_wire(emulator, name, pattern):
    assert re.search(pattern, one(emulator, name).body)


def test_big_event_has_exactly_the_size(emulator):
    body = one(emulator, "u22-event-1m+1").body
    sizes = [len(event) + 1 for event in body.split(b"\n\n")]
    assert 1024 * 1024 + 1 in sizes


def test_retry_after_variants(emulator):
    assert one(emulator, "u06-retry-after-text").headers["retry-after"] == "abc"
    assert one(emulator, "u06-retry-after-negative").headers[
        "retry-after"] == "-1"
    assert "retry-after" not in one(emulator, "u06-429").headers


def test_gzip_is_gzip(emulator):
    reply = one(emulator, "u25-gzip")
    assert reply.headers["content-encoding"] == "gzip"
    assert b"data:" in zlib.decompress(reply.body, 31)


def test_first_attempts_fail_then_it_works(emulator):
    assert [one(emulator, "u08-recovers").status for _ in range(4)] \
        == [503, 503, 200, 200]
    attempts = [r["attempt"] for r in emulator.control("GET", "requests")]
    assert attempts == [1, 2, 3, 4]


def test_connection_dies_when_it_is_used_again(emulator):
    request = completion("scenario-u31-reuse-closed").replace(
        b"connection: close\r\n", b"")
    with emulator.connect() as sock:
        sock.sendall(request)
        seen = b""
        while not seen.endswith(b"0\r\n\r\n"):
            seen += sock.recv(65536)
        sock.sendall(request)
        assert sock.recv(10) == b""


@pytest.mark.parametrize("name,begin", [
    ("u27-status-garbage", b"HTTP/1.1 ABC"), ("u27-http09", b"<html>"),
    ("early-hints", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 ")])
def test_odd_heads(emulator, name, begin):
    assert one(emulator, name).raw.startswith(begin)


def test_barrier_holds_until_it_is_released(emulator):
    install(emulator, {"answer": {"pieces": ["一"], "finish": False,
                                  "interval": 0}},
            {"barrier": "go"}, {"answer": {"pieces": ["二"]}})
    with emulator.connect() as sock:
        sock.sendall(completion("scenario-now"))
        until(lambda: emulator.control("GET", "barriers").get(
            "go", {}).get("waiting") == 1)
        emulator.control("POST", "release/go")
        assert "一二" in Reply(sock).body.decode()


def test_records_tell_when_the_peer_went_away(emulator):
    sock = emulator.connect()
    sock.sendall(completion("scenario-u11-no-head"))
    until(lambda: emulator.control("GET", "requests"))
    closed = time.monotonic()
    sock.close()
    until(lambda: emulator.control("GET", "requests")[0]["state"] == "closed")
    record, = emulator.control("GET", "requests")
    assert record["ended_by"] == "peer-fin"
    assert closed <= record["ended_at"] <= time.monotonic()
    assert record["headers"]["authorization"] == "Bearer sk-test"
    assert json.loads(record["body"])["input"]["prompt"] == "你好"


def test_unknown_scenario_and_verb_are_refused(emulator):
    assert one(emulator, "no-such").status == 400
    assert "error" in emulator.control("PUT", "scenarios/x",
                                       {"steps": [{"jump": 1}]})


def test_flood_stops_with_the_reader(emulator):
    sock = emulator.connect()
    sock.sendall(completion("scenario-u23-endless"))
    sock.recv(1000)
    sent = None

    def settled():
        nonlocal sent
        before, sent = sent, emulator.control("GET", "requests")[0]["sent"]
        return sent == before
    until(settled)
    assert sent < 64 * 1024 * 1024
    sock.close()
    until(lambda: emulator.control("GET", "requests")[0]["state"] == "closed")


def until(condition):
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "the condition never came"
        time.sleep(0.02)


def test_three_hundred_streams_at_once():
    emulator = Emulator("--speed", "1")
    try:
        replies = []

        def read():
            replies.append(emulator.complete(
                "app", "绿茶", parameters={"incremental_output": True}))
        threads = [threading.Thread(target=read) for _ in range(300)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(replies) == 300 and all(r.is_whole for r in replies)
        assert len({r.data()[-1]["output"]["session_id"]
                    for r in replies}) == 300
    finally:
        assert emulator.stop() == 0
