# SPDX-License-Identifier: Apache-2.0
"""The mini-program family: chunked text, start and poll, sync.

Fault rows C01, C11, C12, C22, S-13, S-23, I4.
"""
import json
import threading
import time
import urllib.parse
import uuid

import pytest

from answers import ENDED_BADLY, TEA, TEA_BEGIN, TEA_TEXT, last, piece
from env.callers import KEY_FILE, bearer, jwt
from env.polling import until
from env.raw import Body, request
from test_modes import modes

LOCATIONS = """
<Location "/short">
    SetHandler bailian-sse
    BailianAnonymous on
    BailianSessionKeep 50ms
</Location>
<Location "/jwt">
    SetHandler bailian-sse
    BailianJwtIssuer shop HS256 %s
</Location>
""" % KEY_FILE
pytestmark = pytest.mark.server(locations=LOCATIONS)
LONG = 60000  # the longest wait


def held(env, *first):
    """An answer that says these and then stands at a barrier."""
    env.bailian.scenario([piece(*(first or TEA[:2])), {"barrier": "go"},
                          last(*TEA[2:])])


def session():
    return uuid.uuid4().hex


def start(env, sid, base="/bailian", user="u1", **options):
    reply = env.post("%s/api/chat/stream?sessionId=%s" % (base, sid),
                     {"message": "x", "userId": user}, **options)
    assert reply.status == 200, reply.body
    return reply.json()["data"]


def poll(env, sid, base="/bailian", headers=None, conn=None, **query):
    path = "%s/api/chat/poll?%s" % (base, urllib.parse.urlencode(
        dict(query, sessionId=sid)))
    reply = env.get(path, headers) if conn is None else conn.ask(
        "GET", path, None, headers)
    assert reply.status == 200, reply.body
    return reply.json()


def content_of(env, sid, text, base="/bailian"):
    def look():
        found = poll(env, sid, base)["data"]
        return found if found["content"] == text else None
    return until(look, 20, "the content %r" % text)


def ended(env, sid, base="/bailian"):
    def look():
        found = poll(env, sid, base)
        return found if found.get("data", {}).get("complete") else None
    return until(look, 20, "the end of the session")


# --- chunked text ------------------------------------------------------------
@modes()
def test_text_comes_delta_by_delta(env):
    held(env, TEA[0])
    conn = env.connect(seconds=30)
    conn.send(request("GET", "/bailian/miniapp-stream?message=x&userId=u1",
                      None, {}))
    head = conn.head()
    assert head.status == 200
    assert head.header("content-type") == "text/plain; charset=utf-8"
    assert "no-cache" in head.header("cache-control")
    body = Body(conn, head, "GET")
    assert body.read().decode() == TEA[0]
    env.bailian.release("go")
    assert body.rest().data.decode() == "".join(TEA[2:])
    assert body.ended == "clean"


@pytest.mark.parametrize("query,body", [
    ("?message=x&userId=u1", None), ("?userId=u1", {"message": "x"}),
    ("", {"prompt": "x", "userId": "u1"})])
def test_question_stands_in_query_or_body(env, query, body):
    env.bailian.say(*TEA)
    reply = env.post("/bailian/miniapp-stream" + query, body)
    assert (reply.status, reply.body.decode()) == (200, TEA_TEXT)
    asked, = env.bailian.requests()
    assert json.loads(asked["body"])["input"]["prompt"] == "x"


def test_i4_text_of_a_failure_ends_without_the_last_chunk(env):
    env.expect_log(ENDED_BADLY)
    env.bailian.scenario([piece(*TEA[:2]), {"reset": True}])
    conn = env.connect(seconds=30)
    conn.send(request("GET", "/once/miniapp-stream?message=x", None, {}))
    body = Body(conn, conn.head(), "GET")
    assert body.rest().data.decode() == TEA_BEGIN
    assert body.ended != "clean"


@modes()
def test_i4_text_that_never_begins_is_an_error_of_its_class(env):
    env.expect_log(ENDED_BADLY)
    for path in ("", "&ascii=1&pace=50"):
        env.bailian.scenario("u08-503")
        reply = env.get("/once/miniapp-stream?message=x&userId=u1" + path,
                        {"Accept-Language": "zh"})
        found = reply.json()
        assert reply.status == found["status"] == 502
        assert (found["success"], found["code"]) == (False,
                                                     "upstream_unavailable")
        assert reply.header("content-type").startswith("application/json")
        assert "暂" in found["error"] or "不" in found["error"]
    assert reply.body.isascii()


def test_pace_keeps_pieces_apart(env):
    env.bailian.say(*TEA)
    begun = time_of(env, "/bailian/miniapp-stream?message=x&userId=u1")
    env.bailian.say(*TEA)
    paced = time_of(env,
                    "/bailian/miniapp-stream?message=x&userId=u1&pace=200")
    assert begun[0] == paced[0] == TEA_TEXT
    assert paced[1] >= 0.59  # four pieces, three times 200 ms between


def time_of(env, path):
    begun = time.monotonic()
    reply = env.get(path)
    assert reply.status == 200
    return reply.body.decode(), time.monotonic() - begun


def test_s23_page_of_another_site_cannot_make_a_browser_ask(env):
    for site, status in (("cross-site", 403), ("same-site", 403),
                         ("same-origin", 200), ("none", 200)):
        env.bailian.say(*TEA)
        reply = env.get("/bailian/miniapp-stream?message=x",
                        {"Sec-Fetch-Site": site})
        assert reply.status == status, site
    assert env.http("HEAD", "/bailian/miniapp-stream?message=x").status == 405


def test_s51_question_of_a_url_is_in_no_log(env):
    words, mark = "secret-" + session(), session()
    for name in ("message", "prompt", "mess%61ge"):
        env.bailian.say(*TEA)
        reply = env.get("/bailian/miniapp-stream?%s=%s&userId=%s" % (
            name, words, mark), {"Referer": "http://h/bailian/x?message=" +
                                 words})
        assert reply.status == 200
        asked = env.bailian.requests()[-1]
        assert json.loads(asked["body"])["input"]["prompt"] == words
    until(lambda: env.server.read("access_log").count(mark) == 3, 20,
          "the lines of the access log")
    for name in ("access_log", "error_log"):
        assert words not in env.server.read(name)


# --- start and poll ----------------------------------------------------------
@modes()
def test_session_is_started_and_polled(env):
    sid = session()
    held(env)
    started = start(env, sid)
    assert started["sessionId"] == sid and len(started["streamId"]) == 32
    found = content_of(env, sid, TEA_BEGIN)
    assert found["complete"] is False and found["streamId"] == \
        started["streamId"]
    seq = found["seq"]
    again = poll(env, sid, after=seq)["data"]
    assert (again["delta"], again["complete"]) == ("", False)
    assert again["seq"] == seq and "content" not in again
    env.bailian.release("go")
    delta = poll(env, sid, after=seq, wait=LONG,
                 conn=env.connect(seconds=80))["data"]["delta"]
    found = ended(env, sid)["data"]
    assert found["content"] == TEA_TEXT and found["seq"] > seq
    assert TEA_TEXT.startswith(TEA_BEGIN + delta) and delta
    assert poll(env, sid, after=found["seq"] - 1)["data"]["complete"]
    beyond = poll(env, sid, after=found["seq"] + 5)["data"]
    assert (beyond["delta"], beyond["complete"]) == ("", True)


@pytest.mark.server(locations=LOCATIONS, children=3)
def test_c22_any_child_answers_a_poll(env):
    sid = session()
    held(env)
    start(env, sid)
    for _ in range(12):  # whichever child accepts the connection
        assert content_of(env, sid, TEA_BEGIN)
    env.bailian.release("go")
    for _ in range(12):
        assert ended(env, sid)["data"]["content"] == TEA_TEXT


@pytest.mark.server(locations=LOCATIONS, children=3, faults=True)
def test_c22_no_child_goes_back_behind_what_another_one_said(env):
    sid = session()
    held(env)
    start(env, sid)
    for _ in range(12):
        assert content_of(env, sid, TEA_BEGIN)
    env.server.faults.set("late_ms", 200)
    env.bailian.release("go")
    ended(env, sid)
    for _ in range(12):
        assert poll(env, sid)["data"]["content"] == TEA_TEXT
    env.server.faults.clear()


def long_polls(env, sid, seq, count):
    """That many long polls at once, each in a thread; their answers."""
    found, threads = [], []

    def one():
        with env.connect(seconds=80) as conn:
            found.append(poll(env, sid, after=seq, wait=LONG, conn=conn))
    for _ in range(count):
        threads.append(threading.Thread(target=one))
        threads[-1].start()
    return found, threads


@pytest.mark.server(locations=LOCATIONS, threads=4, factor=32)
def test_c22_waiting_polls_hold_no_thread(env):
    """Many more of them than threads, and others are still served."""
    sid = session()
    held(env)
    stream_id = start(env, sid)["streamId"]
    seq = content_of(env, sid, TEA_BEGIN)["seq"]
    found, threads = long_polls(env, sid, seq, 24)

    def readers():
        reply = env.get("/bailian/streams/%s?userId=u1" % stream_id)
        return reply.status == 200 and reply.json()["readers"] == 24
    until(readers, 30, "24 waiting polls")
    assert not found
    env.bailian.release("go")
    for thread in threads:
        thread.join(60)
    assert len(found) == 24
    for answer in found:
        assert answer["data"]["delta"] and answer["data"]["seq"] > seq


def test_wait_is_over_without_news(env):
    sid = session()
    held(env)
    start(env, sid)
    seq = content_of(env, sid, TEA_BEGIN)["seq"]
    found = poll(env, sid, after=seq, wait=300)["data"]
    assert (found["delta"], found["complete"]) == ("", False)
    env.bailian.release("go")
    ended(env, sid)


def test_poller_that_goes_away_ends_nothing(env):
    """Also where the policy is cancel: nobody stays between two polls."""
    sid = session()
    held(env)
    start(env, sid, base="/cancel")
    seq = content_of(env, sid, TEA_BEGIN, "/cancel")["seq"]
    conn = env.connect(seconds=30)
    conn.send(request("GET", "/cancel/api/chat/poll?sessionId=%s&after=%d"
                      "&wait=%d" % (sid, seq, LONG), None, {}))
    conn.close()
    env.bailian.release("go")
    found = ended(env, sid, "/cancel")
    assert found["success"] and found["data"]["content"] == TEA_TEXT


def test_next_question_of_a_session_is_what_is_polled(env):
    sid = session()
    env.bailian.say(*TEA)
    first = start(env, sid)["streamId"]
    assert ended(env, sid)["data"]["streamId"] == first
    env.bailian.say("又一杯")
    second = start(env, sid)["streamId"]
    found = ended(env, sid)["data"]
    assert (found["streamId"], found["content"]) == (second, "又一杯")


def test_i4_failed_session_says_so_and_keeps_what_came(env):
    env.expect_log(ENDED_BADLY)
    sid = session()
    env.bailian.scenario([piece(*TEA[:2]), {"reset": True}])
    start(env, sid, base="/once")
    found = ended(env, sid, "/once")
    assert found["code"] and found["success"] is False and found["error"]
    assert found["data"]["content"] == TEA_BEGIN
    assert found["data"]["complete"] is True


def test_finished_session_is_gone_after_its_time(env):
    sid = session()
    env.bailian.say(*TEA)
    start(env, sid, base="/short")

    def gone():
        reply = env.get("/short/api/chat/poll?sessionId=" + sid)
        return reply.status == 404 and reply
    found = until(gone, 20, "the end of the session").json()
    assert found["success"] is False and found["code"] == "not_found"
    assert poll(env, sid)["data"]["content"] == TEA_TEXT  # by /bailian: kept


def test_s13_session_belongs_to_its_caller(env):
    sid = session()
    env.bailian.say(*TEA)
    start(env, sid, base="/jwt", user="x", headers=bearer(jwt("li")))
    mine = until(lambda: poll(env, sid, "/jwt", bearer(jwt("li")))["data"]
                 ["complete"], 20, "the end")
    assert mine
    for base, headers in (("/jwt", bearer(jwt("wang"))), ("/bailian", None)):
        reply = env.get("%s/api/chat/poll?sessionId=%s" % (base, sid), headers)
        assert reply.status == 404, base
        assert reply.json()["success"] is False
    assert env.get("/jwt/api/chat/poll?sessionId=" + sid).status == 401


def test_s13_session_of_two_anonymous_callers_is_nobodys(env):
    sid = session()
    for user in ("u1", "u2"):
        env.bailian.say(*TEA)
        start(env, sid, user=user)
    assert env.get("/bailian/api/chat/poll?sessionId=" + sid).status == 404
    for user in ("u1", "u2"):
        until(lambda: poll(env, sid, userId=user)["data"]["complete"], 20,
              "the end of either")


def test_c12_bad_input_gets_an_error_of_this_family(env):
    for method, path, body in (
            ("POST", "stream", {}), ("POST", "sync", {"message": 1}),
            ("POST", "stream?sessionId=%0a", {"message": "x"}),
            ("POST", "stream?pace=1001", {"message": "x"}),
            ("GET", "poll", None), ("GET", "poll?sessionId=a&after=x", None),
            ("GET", "poll?sessionId=a&wait=60001", None),
            ("GET", "poll?sessionId=a&ascii=2", None)):
        reply = env.http(method, "/bailian/api/chat/" + path, body)
        found = reply.json()
        assert (reply.status, found["success"]) == (400, False), path
        assert found["error"] and found["code"] == "bad_value", path
    assert env.get("/bailian/miniapp-stream?message=%ff").status == 400
    assert env.get("/bailian/api/chat/stream").status == 405
    assert not env.bailian.requests()


# --- sync --------------------------------------------------------------------
@modes()
def test_sync_answers_once_with_the_whole(env):
    env.bailian.say(*TEA)
    sid = session()
    reply = env.post("/bailian/api/chat/sync?sessionId=" + sid,
                     {"message": "x", "userId": "u1"})
    found = reply.json()
    assert (reply.status, found["success"]) == (200, True)
    data = found["data"]
    assert (data["content"], data["complete"]) == (TEA_TEXT, True)
    assert data["sessionId"] == sid and data["usage"]
    path = "/bailian/api/chat/poll?sessionId=" + sid
    until(lambda: env.get(path).status == 200, 20, "the stored session")
    assert poll(env, sid)["data"]["content"] == TEA_TEXT


def test_i4_sync_tells_a_failure(env):
    env.expect_log(ENDED_BADLY)
    env.bailian.scenario([piece(*TEA[:2]), {"reset": True}])
    found = env.post("/once/api/chat/sync", {"message": "x"}).json()
    assert found["success"] is False and found["code"] and found["error"]
    assert found["data"]["content"] == TEA_BEGIN


# A question that was lost with its answer, asked again by whichever route.
def test_question_with_a_known_key_is_asked_once(env):
    held(env)
    key = {"Idempotency-Key": "k-" + session()}
    sid = session()
    first = start(env, sid, headers=key)
    assert start(env, sid, headers=key) == first
    env.bailian.release("go")
    assert ended(env, sid)["data"]["content"] == TEA_TEXT
    again = env.post("/bailian/api/chat/sync",
                     {"message": "x", "userId": "u1"}, headers=key).json()
    assert again["data"]["content"] == TEA_TEXT
    assert again["data"]["streamId"] == first["streamId"]
    text = env.post("/bailian/miniapp-stream",
                    {"message": "x", "userId": "u1"}, headers=key)
    assert text.body.decode() == TEA_TEXT
    assert len(env.bailian.requests()) == 1


def answered(env, path):
    reply = env.get(path)
    return reply if reply.status == 200 else None


# --- ASCII -------------------------------------------------------------------
def test_ascii_on_request_is_the_same_text(env):
    env.bailian.say(*TEA)
    sid = "茶" + session()
    quoted = urllib.parse.quote(sid)
    body = {"message": "x", "userId": "u1", "conversionId": sid}
    reply = env.post("/bailian/stream?ascii=1", body)
    assert reply.status == 200
    first = reply.body
    texts = [json.loads(line[6:])["content"] for line in
             first.decode("ascii").splitlines() if line.startswith("data: ")]
    assert texts[-1] == TEA_TEXT and "".join(texts[:-1]) == TEA_TEXT
    for path in ("/bailian/api/chat/poll?sessionId=%s" % quoted,
                 "/bailian/streams/%s/events?as=json&after=0&userId=u1"
                 % reply.header("x-bailian-stream")):
        plain = until(lambda: answered(env, path), 20, "the stored answer")
        ascii_only = env.get(path + "&ascii=1")
        assert ascii_only.body.isascii() and not plain.body.isascii()
        assert ascii_only.json() == plain.json()

