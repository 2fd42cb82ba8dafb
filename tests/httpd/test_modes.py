# SPDX-License-Identifier: Apache-2.0
"""The same answers over every way that httpd can carry them."""
import json
import subprocess
import zlib

import pytest

from answers import TEA, TEA_TEXT, assert_answer, last, piece
from env.environment import ask_body

MODES = {
    "event": {},
    "event-sync": {"global_extra": "BailianAsync sync"},
    "worker": {"mpm": "worker"},
    "prefork": {"mpm": "prefork", "threads": 10, "children": 2},
}


def modes(*names):
    chosen = names or MODES
    return pytest.mark.parametrize("env", [MODES[n] for n in chosen],
                                   indirect=True, ids=list(chosen))


@modes()
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_answer_comes_event_by_event(env, tls):
    env.bailian.scenario([piece(TEA[0]), {"barrier": "one"}, piece(TEA[1]),
                          {"barrier": "two"}, last(*TEA[2:])])
    stream = env.ask_open(tls=tls)
    for text, barrier in ((TEA[0], "one"), (TEA[1], "two")):
        assert stream.next_content().content == text
        env.bailian.release(barrier)
    assert_answer(stream.read())


@modes()
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_connection_is_kept_after_a_stream(env, tls):
    conn = env.connect(tls=tls)
    for _ in range(5):
        env.bailian.say(*TEA)
        stream = env.ask_open(conn=conn, close=False)
        assert_answer(stream.read())
        assert stream.ended == "clean"
    assert conn.ask("GET", "/bailian/livez").status == 200


@modes()
def test_heartbeats_come_in_every_mode(env):
    env.bailian.scenario([piece(TEA[0]), {"barrier": "go"}, last(*TEA[1:])])
    stream = env.ask_open(base="/beat")
    stream.next_content()
    stream.read_comments(1)
    env.bailian.release("go")
    assert_answer(stream.read())


@modes()
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_client_that_goes_is_noticed(env, tls):
    env.bailian.scenario([piece(*TEA[:2]), {"stall": True}])
    stream = env.ask_open(base="/cancel", tls=tls)
    stream.read(stop_after=2)
    stream.close()
    record = env.bailian.request(state="closed")
    assert record["ended_by"] in ("peer-fin", "peer-reset")
    assert env.ended(stream, base="/cancel")["outcome"] == "cancelled"


@modes()
def test_resume_works_in_every_mode(env):
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": "go"},
                          last(*TEA[2:])])
    first = env.ask_open()
    first.read(stop_after=2)
    first.close()
    env.bailian.release("go")
    again = env.resume(first, last_event_id=first.events[-1].id)
    assert first.text + again.text == TEA_TEXT
    assert again.end.content == TEA_TEXT


@modes()
@pytest.mark.server(global_extra="SendBufferSize 1048576")
def test_reader_that_does_not_read_holds_its_upstream_back(env):
    env.bailian.scenario("u28-firehose")
    stream = env.ask_open(rcvbuf=4096, seconds=60)
    stream.next_content()
    taken = env.events_taken(stream)
    assert stream.read().is_completed
    assert taken < stream.events[-1].seq / 2


@modes("event", "event-sync", "worker")
def test_graceful_restart_in_mid_answer(env):
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": "go"},
                          last(*TEA[2:])])
    streams = [env.ask_open(seconds=20) for _ in range(4)]
    for stream in streams:
        stream.read(stop_after=2)
    env.server.graceful()
    env.bailian.release("go")
    for stream in streams:
        assert_answer(stream.read())


@pytest.mark.server(threads=4, factor=50)
def test_parked_streams_outnumber_the_threads(env):
    """40 streams on 4 threads: nobody waits in line for a thread."""
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": "go"},
                          last(*TEA[2:])])
    streams = [env.ask_open(user="p%d" % n, seconds=30) for n in range(40)]
    for stream in streams:
        stream.read(stop_after=2)
    assert env.get("/bailian/livez").status == 200
    env.bailian.release("go")
    for stream in streams:
        assert_answer(stream.read())


@pytest.mark.server(locations='<Location "/packed">\nSetHandler bailian-sse\n'
                    "BailianAnonymous on\nSetOutputFilter DEFLATE\n"
                    "</Location>")
def test_stream_is_never_held_back_by_compression(env):
    env.bailian.scenario([piece(TEA[0]), {"barrier": "go"}, last(*TEA[1:])])
    stream = env.ask_open(base="/packed", headers={"Accept-Encoding": "gzip"})
    if stream.header("content-encoding") is None:
        assert stream.next_content().content == TEA[0]
    else:
        coder = zlib.decompressobj(31)
        text = b""
        while TEA[0].encode() not in text:
            text += coder.decompress(stream._body.read(3))
    env.bailian.release("go")


@pytest.mark.server(locations='RewriteEngine on\n'
                    'RewriteRule "^/old/stream$" "/bailian/stream" [PT]')
def test_rewritten_path_is_served(env):
    env.bailian.say(*TEA)
    stream = env.sse("/old/stream", ask_body())
    assert_answer(stream)


def curl(env, *options, **popen):
    return subprocess.run(
        ["curl", "-sSk", "--max-time", "120", *options],
        capture_output=True, check=False, **popen)


def curl_ask(env, *options, base="/bailian"):
    return curl(env, "-H", "Content-Type: application/json", "-d",
                json.dumps(ask_body()), *options,
                "https://127.0.0.1:%d%s/stream" % (env.server.tls_port, base))


def test_http2_stream(env):
    env.bailian.say(*TEA)
    done = curl_ask(env, "--http2", "-i")
    assert done.returncode == 0, done.stderr
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/2 200")
    data = [json.loads(line[6:]) for line in body.split(b"\n")
            if line.startswith(b"data: ")]
    assert data[-1]["isEnd"] is True and data[-1]["content"] == TEA_TEXT


def test_http2_events_are_not_held_back(env):
    env.bailian.scenario([piece(TEA[0]), {"barrier": "go"}, last(*TEA[1:])])
    process = subprocess.Popen(
        ["curl", "-sSkN", "--http2", "--max-time", "120", "-H",
         "Content-Type: application/json", "-d", json.dumps(ask_body()),
         "https://127.0.0.1:%d/bailian/stream" % env.server.tls_port],
        stdout=subprocess.PIPE)
    seen = b""
    while TEA[0].encode() not in seen:
        line = process.stdout.readline()
        assert line, seen
        seen += line
    env.bailian.release("go")
    rest = process.stdout.read()
    assert process.wait(120) == 0
    assert TEA_TEXT.encode() in rest


def test_http2_client_that_goes_is_noticed(env):
    env.bailian.scenario([piece(TEA[0]), {"stall": True}])
    process = subprocess.Popen(
        ["curl", "-sSkN", "--http2", "-H", "Content-Type: application/json",
         "-d", json.dumps(ask_body()), "https://127.0.0.1:%d/cancel/stream"
         % env.server.tls_port], stdout=subprocess.PIPE)
    while TEA[0].encode() not in process.stdout.readline():
        pass
    process.kill()
    process.wait()
    process.stdout.close()
    assert env.bailian.request(state="closed")["ended_by"] in (
        "peer-fin", "peer-reset")


@pytest.mark.server(mpm="event")
def test_health(env):
    reply = env.get("/bailian/livez")
    assert reply.status == 200
    assert env.server.dir.encode() not in reply.body
