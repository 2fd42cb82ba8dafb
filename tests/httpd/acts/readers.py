# SPDX-License-Identifier: Apache-2.0
"""readers - who reads what others asked, or reads on."""
from answers import TEA_BEGIN, TEA_TEXT

from .questions import is_text
from .world import SECONDS, act


@act
def resume_live(w):
    stream = w.live()
    yield
    again = w.env.sse_open("/bailian/streams/%s/events?%s" % (
        stream.stream_id, w.query(after=0)), seconds=SECONDS)
    w.release()
    if again.reply is None:
        again.read()
    w.is_answered(again)


@act
def resume_ended(w):
    stream = w.asked()
    yield
    w.is_answered(w.env.resume(stream, after=0, user=w.user))


@act
def resume_as_text(w):
    stream = w.asked()
    yield
    is_text(w, w.events(stream, "text"))


@act
def events_as_json(w):
    stream = w.asked()
    yield
    reply = w.events(stream, "json")
    if w.is_done(reply):
        assert reply.json()["complete"] and "error" not in reply.json()
        assert TEA_TEXT == "".join(e.get("text", "") for e in
                                   reply.json()["events"]
                                   if e["kind"] == "delta")


@act
def long_poll(w):
    stream = w.live()
    place = w.events(stream, "json").json()["next"]
    yield
    w.release()
    is_delta(w, w.events(stream, "poll", place, wait=60000))


@act
def poll_parked(w):
    stream = w.live()
    place = w.events(stream, "json").json()["next"]
    conn = w.parked("GET", w.events_path(stream, "poll", place, wait=60000))
    yield
    w.release()
    is_delta(w, conn.reply())


def is_delta(w, reply):
    if w.is_done(reply):
        data = reply.json()["data"]
        assert TEA_TEXT[len(TEA_BEGIN):].startswith(data["delta"])


@act
def state(w):
    stream = w.asked()
    yield
    reply = w.env.state(stream, user=w.user)
    if w.is_done(reply):
        assert reply.json()["outcome"] == "completed"


@act
def stop(w):
    stream = w.live()
    yield
    w.is_done(w.env.delete("/bailian/streams/%s?%s" % (
        stream.stream_id, w.query())), 200, 202, 204)
    yield
    w.env.delete("/bailian/streams/%s?%s" % (stream.stream_id, w.query()))
    assert w.env.ended(stream, user=w.user)["outcome"] in (
        "cancelled", "error")
