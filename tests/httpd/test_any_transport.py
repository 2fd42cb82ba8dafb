# SPDX-License-Identifier: Apache-2.0
"""One answer over every transport: begun by one, read on by any other from
event N, byte for byte, at once by several (C16).

A switch stands where the upstream waits at a barrier, so that it is at the
same event on a machine of any speed; which event that is, chance says.
"""
import itertools
import json
import random
import threading
import urllib.parse
import uuid

import pytest

from answers import last, piece
from env import raw
from env.polling import until
from env.ws import Socket, Talk

PIECES = ["绿茶", "适合", "用80℃", "左右的水", "冲泡🍵，", "a", "\n", "\"水\"",
          "太烫会", "让茶汤", "发苦。", "🍃🍃"]
TEXT = "".join(PIECES)
SECONDS = 30


def scenario(env, cuts):
    """The answer with a barrier before each of these pieces."""
    steps, at = [], 0
    for number, cut in enumerate(cuts):
        steps += [piece(*PIECES[at:cut]), {"barrier": "b%d" % number}]
        at = cut
    env.bailian.scenario(steps + [last(*PIECES[at:])])


def query(**values):
    return urllib.parse.urlencode(dict(values, userId="u1"))


def events_of(env, stream_id, after=0, form="json", **values):
    reply = env.get("/bailian/streams/%s/events?%s" % (
        stream_id, query(after=after, **dict(values, **{"as": form}))))
    assert reply.status == 200, reply.body
    return reply.json()


# --- readers: the text after event `after`, and the place behind it ----------
# `want` is what comes before the barrier; None: to the end.

def sse(env, stream_id, after, want):
    stream = env.sse_open("/bailian/streams/%s/events?%s" % (
        stream_id, query(after=after)), seconds=SECONDS)
    while want is not None and len(stream.text) < len(want):
        assert stream.next_content() is not None, stream
    if want is None:
        stream.read()
        assert stream.end.content == TEXT
    stream.close()
    return stream.text, max(stream.seqs)


def text(env, stream_id, after, want):
    conn = env.connect(seconds=SECONDS)
    conn.send(raw.request("GET", "/bailian/streams/%s/events?%s" % (
        stream_id, query(after=after, **{"as": "text"})), None, {}))
    body, found = raw.Body(conn, conn.head()), b""
    while not body.ended and (want is None or
                              len(found) < len(want.encode())):
        found += body.read()
    assert want is not None or body.ended == "clean"
    conn.close()
    found = found.decode()
    return found, place_behind(env, stream_id, after, found)


def place_behind(env, stream_id, after, read):
    """Text has no numbers: the event whose text is the last of these."""
    seen = 0
    for event in events_of(env, stream_id, after)["events"]:
        seen += len(event.get("text", "")) if event["kind"] == "delta" else 0
        if seen >= len(read):
            return event["seq"]
    raise AssertionError("%r is more than there is" % read)


def polled(env, stream_id, after, want, wait=0):
    found, place = "", after
    while want is None or len(found) < len(want):
        data = events_of(env, stream_id, place, "poll", wait=wait)["data"]
        found, place = found + data["delta"], data["seq"]
        if data["complete"]:
            break
    return found, place


def long_polled(env, stream_id, after, want):
    return polled(env, stream_id, after, want, wait=4000)


def batches(env, stream_id, after, want):
    found, place = "", after
    while want is None or len(found) < len(want):
        batch = events_of(env, stream_id, place)
        found += "".join(e.get("text", "") for e in batch["events"]
                         if e["kind"] == "delta")
        place = batch["next"]
        if batch["complete"]:
            break
    return found, place


def websocket(env, stream_id, after, want):
    talk = Talk(env.connect(seconds=SECONDS), "/bailian/ws?userId=u1")
    talk.greeted()
    talk.send_message("CHAT_REQUEST", {
        "resume": {"streamId": stream_id, "after": after}})
    talk.get("CHAT_STREAM_START")
    found = ""
    while want is None or len(found) < len(want):
        message = talk.message(SECONDS)
        if message["type"] == "CHAT_STREAM_END":
            assert message["data"]["finishReason"] == "completed"
            break
        found += message["data"]["content"]
    talk.conn.close()
    return found, talk.at.get(stream_id, after)


READERS = {"sse": sse, "text": text, "poll": polled, "long-poll": long_polled,
           "json": batches, "ws": websocket}


# --- beginnings: the stream of each ------------------------------------------
def begin_sse(env):
    stream = env.ask_open(seconds=SECONDS)
    stream.close()
    return stream.stream_id


def begin_text(env):
    conn = env.connect(seconds=SECONDS)
    conn.send(raw.request("GET", "/bailian/miniapp-stream?message=x&userId=u1",
                          None, {}))
    found = conn.head().header("x-bailian-stream")
    conn.close()
    return found


def begin_poll(env):
    return env.post("/bailian/api/chat/stream", {
        "message": "x", "userId": "u1"}).json()["data"]["streamId"]


def begin_ws(env):
    talk = Talk(env.connect(seconds=SECONDS), "/bailian/ws?userId=u1")
    talk.greeted()
    talk.ask("x")
    found = talk.get("CHAT_STREAM_START")["streamId"]
    talk.conn.close()
    return found


BEGIN = {"sse": begin_sse, "text": begin_text, "poll": begin_poll,
         "long-poll": begin_poll, "json": begin_poll, "ws": begin_ws}


def walk(env, names, cuts):
    """Reads one answer by these in turn, each up to the next cut."""
    scenario(env, cuts)
    stream_id = BEGIN[names[0]](env)
    whole, place, at = "", 0, 0
    for number, name in enumerate(names[:-1]):
        env.bailian.reached("b%d" % number, seconds=SECONDS)
        want = "".join(PIECES[at:cuts[number]])
        found, place = READERS[name](env, stream_id, place, want)
        assert found == want, (names, cuts, name)
        whole, at = whole + found, cuts[number]
        env.bailian.release("b%d" % number)
    found, _ = READERS[names[-1]](env, stream_id, place, None)
    assert whole + found == TEXT, (names, cuts)
    return stream_id


PAIRS = list(itertools.permutations(READERS, 2))


@pytest.mark.parametrize("first,second", PAIRS,
                         ids=["-then-".join(pair) for pair in PAIRS])
def test_answer_moves_from_one_transport_to_another(env, first, second):
    chance = random.Random(first + second)
    walk(env, [first, second], [chance.randrange(1, len(PIECES))])


@pytest.mark.server(children=3, threads=16)
@pytest.mark.parametrize("seed", range(3))
def test_answer_wanders_over_all_transports_and_children(env, seed):
    chance = random.Random(seed)
    cuts = sorted(chance.sample(range(1, len(PIECES)), 6))
    walk(env, chance.choices(list(READERS), k=7), cuts)


# --- transports that only begin: nothing in them has a number ----------------
def leave_sync(env):
    """Its caller waits for the whole, and goes."""
    session = "sync-" + uuid.uuid4().hex
    conn = env.connect(seconds=SECONDS)
    conn.send(raw.request("POST", "/bailian/api/chat/sync?sessionId=" + session,
                          {"message": "x", "userId": "u1"}, {}))

    def started():
        reply = env.get("/bailian/api/chat/poll?" + query(sessionId=session))
        return reply.status == 200 and reply.json()["data"]["streamId"]
    stream_id = until(started, SECONDS, "the session")
    conn.close()
    return "", stream_id, 0


def streams_of(env):
    """Of the newest conversations."""
    base = "/bailian/conversations"
    items = env.get("%s?%s" % (base, query(limit=5))).json()["items"]
    found = [env.get("%s/%s?%s" % (base, item["conversationId"], query()))
             for item in items]
    return {message["streamId"] for reply in found
            for message in reply.json()["messages"]}


def leave_raw_text(env):
    """Only the conversation that it began names its stream."""
    known = streams_of(env)
    socket = Socket(env.connect(seconds=SECONDS), "/bailian/ws/chat?userId=u1")
    socket.say({"message": "x"})
    text = ""
    while len(text) < len("".join(PIECES[:5])):
        text += socket.next(SECONDS)
    stream_id = until(lambda: streams_of(env) - known, SECONDS,
                      "the conversation").pop()
    socket.conn.close()
    return text, stream_id, place_behind(env, stream_id, 0, text)


@pytest.mark.parametrize("second", list(READERS))
@pytest.mark.parametrize("first", [leave_sync, leave_raw_text],
                         ids=["sync", "raw-text"])
def test_answer_of_a_transport_without_numbers_is_read_on_by_any_other(
        env, first, second):
    scenario(env, [5])
    found, stream_id, place = first(env)
    env.bailian.release("b0")
    rest, _ = READERS[second](env, stream_id, place, None)
    assert found + rest == TEXT


def test_c16_all_transports_read_one_answer_at_once(env):
    scenario(env, [4])
    stream_id = begin_poll(env)
    env.bailian.reached("b0", seconds=SECONDS)
    found = {}

    def read(name):
        found[name] = READERS[name](env, stream_id, 0, None)[0]
    threads = [threading.Thread(target=read, args=(name,))
               for name in list(READERS)]
    for thread in threads:
        thread.start()

    def are_reading():
        state = env.get("/bailian/streams/%s?userId=u1" % stream_id).json()
        return state["readers"] >= 3  # those that stay
    until(are_reading, SECONDS, "readers")
    env.bailian.release("b0")
    for thread in threads:
        thread.join(2 * SECONDS)
    assert found == {name: TEXT for name in READERS}, json.dumps(found)
