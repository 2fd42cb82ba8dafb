# SPDX-License-Identifier: Apache-2.0
"""Live streams on the admin API: lists, the feed, stopping, timelines."""
import contextlib
import csv
import io
import sqlite3
import threading

import pytest

from answers import TEA, last, piece
from env import canary
from env.admin import LI, WANG, admin_location
from env.polling import until

ADMIN = admin_location("/bailian-admin", "BailianAdminRole operator user li\n"
                       "BailianAdminRole viewer user wang\n")
STALL = [piece(TEA[0]), {"stall": True}]
MODES = {
    "event": {},
    "sync": {"global_extra": "BailianAsync sync"},
    "prefork": {"mpm": "prefork", "threads": 10, "children": 2},
}
pytestmark = pytest.mark.server(locations=ADMIN)
all_modes = pytest.mark.parametrize("env", list(MODES.values()),
                                    indirect=True, ids=list(MODES))


def get(env, path, headers=LI):
    return env.get("/bailian-admin/api/" + path, headers)


def post(env, path, body=None, headers=LI):
    return env.post("/bailian-admin/api/" + path, body or {}, headers)


def feed(env, query="", **options):
    return env.sse_open("/bailian-admin/api/live/events" + query,
                        headers=LI, **options)


def rows(env, query=""):
    return get(env, "live" + query).json()["items"]


def row_of(env, stream):
    return next((r for r in rows(env, "?q=" + stream.stream_id)), None)


def streaming_row(env, stream):
    """Its row when it tells of the reader and of what he has read: the events
    are out a moment before."""
    row = row_of(env, stream)
    return row if row and row["readers"] and row["phase"] == "streaming" \
        and row["bytes"] >= len(TEA[0].encode()) and row["events"] >= 2 \
        and row["firstContentMs"] is not None else None


def stall(env, user, **options):
    """A stream that has said one piece and then nothing."""
    env.bailian.scenario(STALL)
    stream = env.ask_open(user=user, **options)
    assert stream.next_content().content == TEA[0]
    return stream


def stop(env, *streams):
    for stream in streams:
        post(env, "live/%s/stop" % stream.stream_id)


# --- the list ---------------------------------------------------------------

def test_row_says_who_from_where_and_how_it_goes(env):
    stream = stall(env, "shown")
    row = until(lambda: streaming_row(env, stream), 30, "the row")
    assert row["owner"] == "anon:shown"
    assert row["transport"] == "sse"
    assert row["client"] == "127.0.0.1"
    assert row["phase"] == "streaming"
    assert row["key"] == canary.API_KEY[-4:]
    assert row["readers"] == 1 and row["retries"] == 0
    assert row["startedAt"].endswith("Z") and row["ageMs"] >= 0
    assert 0 <= row["firstContentMs"] <= row["ageMs"]
    assert row["events"] >= 2 and row["bytes"] >= len(TEA[0].encode())
    assert isinstance(row["eventsPerSecond"], (int, float))
    stop(env, stream)


def test_filters_by_user_text_and_phase(env):
    one, two = stall(env, "filter-a"), stall(env, "filter-b")
    mine = "?q=filter-"
    for stream in (one, two):
        until(lambda found=stream: streaming_row(env, found), 30, "its row")
    assert [r["id"] for r in rows(env, "?user=anon:filter-a")] == \
        [one.stream_id]
    assert rows(env, "?user=anon:filter-") == []
    assert [r["id"] for r in rows(env, "?q=FILTER-B")] == [two.stream_id]
    assert len(rows(env, mine + "&phase=streaming,paused")) == 2
    assert rows(env, mine + "&phase=retrying") == []
    assert rows(env, mine + "&app=nothing") == []
    assert rows(env, mine + "&key=zzzz") == []
    found = get(env, "live" + mine).json()
    assert found["matched"] == 2 <= found["total"]
    assert found["phases"]["streaming"] == 2
    stop(env, one, two)


def test_pages_and_orders(env):
    streams = [stall(env, "page-%d" % n) for n in range(3)]
    ids = [s.stream_id for s in streams]
    until(lambda: len(rows(env, "?q=page-")) == 3, 5, "all rows")
    assert [r["id"] for r in rows(env, "?q=page-")] == ids
    assert [r["id"] for r in rows(env, "?q=page-&order=asc")] == ids[::-1]
    assert [r["id"] for r in
            rows(env, "?q=page-&sort=owner&order=desc")] == ids[::-1]
    first = get(env, "live?q=page-&limit=2").json()
    assert [r["id"] for r in first["items"]] == ids[:2]
    second = get(env, "live?q=page-&limit=2&cursor=" + first["next"]).json()
    assert [r["id"] for r in second["items"]] == ids[2:]
    assert second["next"] is None
    stop(env, *streams)


@pytest.mark.parametrize("query", [
    "sort=colour", "order=up", "phase=streaming,asleep", "limit=0",
    "limit=501", "cursor=x", "format=xml", "app=" + "x" * 64])
def test_bad_parameters_are_named(env, query):
    reply = get(env, "live?" + query)
    assert reply.status == 400
    assert reply.json()["code"] == "bad_value"
    assert reply.json()["field"] == query.split("=")[0]


def test_export_holds_all_rows_and_runs_no_formula(env):
    stream = stall(env, "=cmd|' /C calc'!A0")
    until(lambda: row_of(env, stream), 30, "the row")
    reply = get(env, "live?format=csv&limit=1")
    assert reply.status == 200
    assert reply.header("content-type").startswith("text/csv")
    assert "attachment" in reply.header("content-disposition")
    table = list(csv.DictReader(io.StringIO(
        reply.body.decode("utf-8-sig"), newline="")))
    found = [r for r in table if r["id"] == stream.stream_id]
    assert len(found) == 1 and not found[0]["owner"].startswith("=")
    exported = get(env, "live?export=1")
    assert "attachment" in exported.header("content-disposition")
    assert stream.stream_id in exported.body.decode()
    stop(env, stream)


# --- the feed ---------------------------------------------------------------

class View:
    """What a page would hold that reads the feed."""

    def __init__(self, stream):
        self.stream = stream
        self.rows, self.order = {}, []

    def step(self):
        event = self.stream.next(30)
        assert event is not None, "the feed ended"
        data = event.json
        if event.event == "snapshot":
            self.rows = {}
            self.order = [r["id"] for r in data["items"]]
        else:
            assert event.event == "change"
            self.order = data.get("order", self.order)
        self.rows.update((r["id"], r) for r in data.get("items", ()))
        for gone in data.get("gone", ()):
            del self.rows[gone]
        assert set(self.order) == set(self.rows)
        assert data["matched"] >= len(self.rows)
        return data

    def until(self, condition, seconds=30):
        def look():
            self.step()
            return condition(self)
        until(look, seconds, "the feed to show it")


@all_modes
def test_feed_shows_a_stream_come_go_on_and_end(env):
    view = View(feed(env, "?q=feed-"))
    view.step()
    assert view.stream.events[0].event == "snapshot"
    stream = stall(env, "feed-1")
    view.until(lambda v: v.rows.get(stream.stream_id, {}).get("phase")
               == "streaming")
    quiet = view.step()
    assert "items" not in quiet or not [
        r for r in quiet["items"] if r["events"] != view.rows[r["id"]]["events"]]
    stop(env, stream)
    view.until(lambda v: stream.stream_id not in v.rows)
    view.stream.close()


def test_feed_takes_no_worker(env):
    """More feeds than the synchronous way would serve, all are fresh."""
    views = [View(feed(env, "?q=many-")) for _ in range(12)]
    for view in views:
        view.step()
    stream = stall(env, "many-1")
    for view in views:
        view.until(lambda v: stream.stream_id in v.rows)
    stop(env, stream)
    for view in views:
        view.until(lambda v: not v.rows)
        view.stream.close()


@pytest.mark.parametrize("env", [dict(
    mpm="event", threads=16, children=1,
    global_extra="BailianAsync sync")], indirect=True, ids=["sync"])
def test_feeds_that_hold_a_worker_are_few(env):
    feeds = [feed(env, seconds=30) for _ in range(9)]
    assert [f.status for f in feeds] == [200] * 8 + [503]
    assert feeds[8].code == "overloaded"
    for found in feeds:
        found.close()
    until(lambda: feed(env).status == 200, 30, "a place again")


def test_feed_of_a_page_says_who_left_it(env):
    streams = [stall(env, "left-%d" % n) for n in range(3)]
    view = View(feed(env, "?q=left-&limit=2"))
    view.until(lambda v: v.order == [s.stream_id for s in streams[:2]])
    stop(env, streams[0])
    view.until(lambda v: v.order == [s.stream_id for s in streams[1:]])
    view.stream.close()
    stop(env, *streams[1:])


def test_feed_refuses_what_the_list_refuses(env):
    reply = get(env, "live/events?sort=colour")
    assert reply.status == 400 and reply.json()["field"] == "sort"


@pytest.mark.own_server
def test_feed_says_goodbye_when_its_child_ends(env):
    stream = feed(env)
    assert stream.next().event == "snapshot"
    env.server.graceful()
    while True:
        event = stream.next(30)
        assert event is not None
        if event.event == "bye":
            break
    assert event.json == {"reason": "draining"}
    assert stream.next(30) is None and stream.ended in ("clean", "close")
    assert feed(env).next().event == "snapshot"


# --- stopping ---------------------------------------------------------------

def assert_stopped(reply, streams, begin=0):
    """A child that has not ended one within 2 s says so."""
    results = reply.json()["results"][begin:]
    assert [r["id"] for r in results] == [s.stream_id for s in streams]
    assert {r["state"] for r in results} <= {"stopped", "stopping"}


@pytest.mark.parametrize("env", [{}, dict(children=3)], indirect=True,
                         ids=["one", "children"])
def test_stop_ends_a_stream_of_any_child(env):
    streams = [stall(env, "stop-%d" % n) for n in range(4)]
    for stream in streams[:1]:
        reply = post(env, "live/%s/stop" % stream.stream_id)
        assert reply.status == 200, reply.body
        assert_stopped(reply, [stream])
        until(lambda: row_of(env, streams[0]) is None, 30, "its end")
    ids = [s.stream_id for s in streams]
    reply = post(env, "live/stop", {"ids": ids})
    assert reply.json()["results"][0] == {"id": ids[0], "state": "gone"}
    assert_stopped(reply, streams[1:], 1)
    for n, stream in enumerate(streams):
        stream.read()
        assert stream.code == "cancelled"
        assert env.ended(stream, user="stop-%d" % n)["outcome"] == "cancelled"


def test_a05_stop_of_a_stream_that_is_just_ending_has_one_outcome(env):
    for n in range(4):
        env.bailian.scenario([piece(TEA[0]), {"barrier": "go%d" % n},
                              last(TEA[1])])
        stream = env.ask_open(user="a05")
        assert stream.next_content().content == TEA[0]
        replies = []
        stopper = threading.Thread(target=lambda sid=stream.stream_id:
                                   replies.append(post(
                                       env, "live/%s/stop" % sid)))
        stopper.start()
        env.bailian.release("go%d" % n)
        stopper.join(60)
        stream.read()
        outcome = env.ended(stream, user="a05", seconds=30)["outcome"]
        assert outcome in ("completed", "cancelled")
        assert stream.is_completed == (outcome == "completed")
        assert (stream.code == "cancelled") == (outcome == "cancelled")
        assert replies[0].json()["results"][0]["state"] in (
            "stopped", "stopping", "gone")
        shown = until(lambda sid=stream.stream_id: (
            lambda r: None if r["live"] else r)(
                get(env, "streams/" + sid).json()), 30, "its end")
        assert shown["outcome"] == outcome
        assert [line["outcome"] for line in shown["timeline"]
                if line["what"] == "end"] == [outcome]


def test_stop_is_audited_and_for_operators_only(env):
    stream = stall(env, "audited")
    until(lambda: row_of(env, stream), 30, "the row")
    reply = post(env, "live/%s/stop" % stream.stream_id, headers=WANG)
    assert reply.status == 403 and reply.json()["code"] == "forbidden"
    assert row_of(env, stream)
    stop(env, stream)
    found = audit_rows(env, "stream.stop")
    assert found[-1]["object"] == stream.stream_id
    assert found[-1]["actor"] == "user:li"


def audit_rows(env, action):
    path = "file:%s?mode=ro" % env.server.path("data", "bailian.db")
    with contextlib.closing(sqlite3.connect(path, uri=True)) as base:
        return [dict(zip(("object", "actor"), row)) for row in base.execute(
            "SELECT object, actor FROM audit WHERE action = ?"
            " ORDER BY id", (action,))]


def test_stop_refuses_what_is_no_id(env):
    assert post(env, "live/stop", {"ids": []}).json()["field"] == "ids"
    assert post(env, "live/stop", {"ids": ["x"]}).status == 400
    assert post(env, "live/stop", {"ids": "x" * 32}).status == 400
    assert post(env, "live/nonsense/stop").status == 404
    assert get(env, "live/stop").status == 405
    gone = "0" * 32
    assert post(env, "live/stop", {"ids": [gone]}).json()["results"] == [
        {"id": gone, "state": "gone"}]
