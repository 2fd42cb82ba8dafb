# SPDX-License-Identifier: Apache-2.0
"""Why streams ended: the list, the counts, the timeline of one stream."""
import csv
import io

import pytest

from answers import TEA, TEA_TEXT, piece
from env import canary
from env.admin import LI, WANG, admin_location
from env.polling import until

ADMIN = admin_location("/bailian-admin", "BailianAdminRole operator user li\n"
                       "BailianAdminRole viewer user wang\n")
pytestmark = pytest.mark.server(locations=ADMIN)


def get(env, path, headers=LI):
    return env.get("/bailian-admin/api/" + path, headers)


def ends(env, query=""):
    return get(env, "ends" + query).json()["items"]


def end_of(env, stream):
    """Its end, once it is stored."""
    return until(lambda: ends(env, "?q=" + stream.stream_id), 8,
                 "the end")[0]


def timeline(env, stream):
    return get(env, "streams/" + stream.stream_id).json()["timeline"]


def complete(env, user="u1", **options):
    env.bailian.say(*TEA)
    stream = env.ask(user=user, **options)
    assert stream.is_completed
    return stream


def test_end_says_who_what_and_how(env):
    stream = complete(env, "ended-1", headers={"X-Request-Id": "req-4711"})
    end = end_of(env, stream)
    assert end["outcome"] == "completed" and end["code"] is None
    assert end["owner"] == "anon:ended-1" and end["client"] == "127.0.0.1"
    assert end["upstream"] and end["app"] and end["transport"] == "sse"
    assert end["key"] == canary.API_KEY[-4:] and end["keyName"] == "key0"
    assert end["requestId"] == "req-4711"
    assert end["bytes"] == len(TEA_TEXT.encode())
    assert end["attempts"] == [dict(end["attempts"][0], n=1, **{
        "class": "ok", "status": 200})]
    assert end["startedAt"] <= end["endedAt"]
    assert 0 <= end["firstContentMs"] <= end["durationMs"]


def test_end_is_found_by_each_of_its_ids(env):
    stream = complete(env, "found", headers={"X-Request-Id": "req-found-1"})
    end = end_of(env, stream)
    for wanted in (stream.stream_id, "req-found-1", end["upstreamRequestId"]):
        assert [e["id"] for e in ends(env, "?q=" + wanted)][:1] == \
            [stream.stream_id], wanted
    assert ends(env, "?q=req-found") == []
    assert ends(env, "?q=" + "0" * 32) == []


def test_a_request_id_that_is_no_word_is_left_out(env):
    stream = complete(env, "word", headers={"X-Request-Id": "x" * 300})
    assert end_of(env, stream)["requestId"] != "x" * 300


def test_filters_and_pages(env):
    user = "pages"
    streams = [complete(env, user) for _ in range(3)]
    for stream in streams:
        end_of(env, stream)
    newest_first = [s.stream_id for s in streams[::-1]]
    mine = "?user=anon:" + user
    assert [e["id"] for e in ends(env, mine)] == newest_first
    first = get(env, "ends%s&limit=2" % mine).json()
    assert [e["id"] for e in first["items"]] == newest_first[:2]
    second = get(env, "ends%s&limit=2&cursor=%s" % (mine, first["next"])).json()
    assert [e["id"] for e in second["items"]] == newest_first[2:]
    assert second["next"] is None
    middle = first["items"][1]
    assert [e["id"] for e in ends(env, mine + "&to=" + middle["endedAt"])] == \
        newest_first[2:]
    assert len(ends(env, mine + "&from=" + middle["endedAt"])) == 2
    assert len(ends(env, mine + "&outcome=completed")) == 3
    for none in ("outcome=error", "app=none", "upstream=none", "key=zzzz",
                 "code=timeout"):
        assert ends(env, mine + "&" + none) == []
    assert len(ends(env, "%s&key=%s" % (mine, canary.API_KEY[-4:]))) == 3


@pytest.mark.parametrize("query", [
    "outcome=fine", "from=yesterday", "to=x", "cursor=1", "limit=0",
    "format=xml"])
def test_bad_parameters_are_named(env, query):
    reply = get(env, "ends?" + query)
    assert reply.status == 400
    assert reply.json()["field"] == query.split("=")[0]


def test_csv_holds_the_ends_and_runs_no_formula(env):
    stream = complete(env, "+cmd")
    end_of(env, stream)
    reply = get(env, "ends?format=csv")
    assert reply.header("content-type").startswith("text/csv")
    row = next(r for r in csv.DictReader(io.StringIO(
        reply.body.decode("utf-8-sig"), newline=""))
        if r["id"] == stream.stream_id)
    assert row["outcome"] == "completed" and row["attempts"] == "1"
    assert not row["owner"].startswith(("+", "="))


def test_summary_counts_by_outcome_over_time(env):
    stream = complete(env, "sum")
    end = end_of(env, stream)
    query = "ends/summary?user=anon:sum&bucket=60&by="
    reply = get(env, query + "outcome").json()
    assert [(g["name"], g["count"], sum(g["values"]))
            for g in reply["groups"]] == [("completed", 1, 1)]
    assert reply["bucketMs"] == 60000
    for by, name in (("app", end["app"]), ("upstream", end["upstream"]),
                     ("key", end["key"]), ("code", "ok"), ("attempts", "1")):
        groups = get(env, query + by).json()["groups"]
        assert [(g["name"], g["count"]) for g in groups] == [(name, 1)], by
    assert get(env, query + "colour").json()["field"] == "by"
    assert get(env, "ends/summary?bucket=60&from=1").json()["field"] == "bucket"


# --- one stream -------------------------------------------------------------

def whats(lines):
    return [line["what"] for line in lines]


def test_timeline_of_a_stream_that_ended(env):
    stream = complete(env, "line")
    end_of(env, stream)
    reply = get(env, "streams/" + stream.stream_id).json()
    assert reply["live"] is False and reply["outcome"] == "completed"
    found = whats(reply["timeline"])
    assert found[0] == "start" and found[-1] == "end"
    assert "attempt" in found and "firstContent" in found
    assert reply["timeline"][-1]["outcome"] == "completed"
    times = [line["atMs"] for line in reply["timeline"]]
    assert times == sorted(times)
    assert reply["timelineLost"] == 0


def test_timeline_of_a_live_stream_shows_who_came_and_went(env):
    env.bailian.scenario([piece(TEA[0]), {"stall": True}])
    stream = env.ask_open(user="livel")
    stream.next_content()
    until(lambda: "attached" in whats(timeline(env, stream)), 30, "the reader")
    stream.close()
    until(lambda: "detached" in whats(timeline(env, stream)), 30, "its leaving")
    again = env.sse_open("/bailian/streams/%s/events?userId=livel&after=1"
                         % stream.stream_id)
    until(lambda: "resumed" in whats(timeline(env, stream)), 30, "the resume")
    reply = get(env, "streams/" + stream.stream_id).json()
    assert reply["live"] is True and reply["resumes"] == 1
    env.delete("/bailian/streams/%s?userId=livel" % stream.stream_id)
    again.read()
    end_of(env, stream)
    last = timeline(env, stream)[-1]
    assert last["what"] == "end" and last["outcome"] == "cancelled"
    assert last["class"] == "cancelled"


def test_timeline_tells_when_an_upstream_was_held_back(env):
    env.allow_log("BL1501")  # megabytes at once
    slow = env.ask_open(app="u28-firehose", rcvbuf=4096, user="held",
                        seconds=120)
    slow.next_content()
    until(lambda: "paused" in whats(timeline(env, slow)), 60, "the pause")
    assert slow.read(seconds=120).is_completed
    assert end_of(env, slow)["outcome"] == "completed"
    found = whats(timeline(env, slow))
    assert found.index("paused") < found.index("continued") < len(found) - 1


def test_timeline_names_the_attempts_that_failed(env):
    env.bailian.scenario([{"reset": {"flush": False}}])
    env.allow_log("BL1304")
    stream = env.ask(base="/quick", user="fails", app=env.fresh_app())
    end = end_of(env, stream)
    assert end["outcome"] == "error" and end["code"].startswith("upstream_")
    assert len(end["attempts"]) > 1
    reply = get(env, "streams/" + stream.stream_id).json()
    failed = [l for l in reply["timeline"] if l["what"] == "failed"]
    assert [l["n"] for l in failed] == list(range(1, len(failed) + 1))
    assert failed[0]["class"] == end["attempts"][0]["class"]
    assert "retry" in whats(reply["timeline"])
    assert reply["timeline"][-1]["class"] == end["code"]


def test_heartbeats_stand_in_the_timeline(env):
    env.bailian.scenario([piece(TEA[0]), {"stall": True}])
    stream = env.ask_open(base="/beat", user="beats")
    stream.next_content()
    line = until(lambda: [l for l in timeline(env, stream)
                          if l["what"] == "heartbeats"], 8, "heartbeats")[0]
    assert line["n"] >= 1
    env.delete("/beat/streams/%s?userId=beats" % stream.stream_id)
    stream.read()


def test_unknown_stream_is_not_found(env):
    assert get(env, "streams/" + "0" * 32).status == 404
    assert get(env, "streams/x").status == 404


def test_text_is_for_operators_and_audited(env):
    stream = complete(env, "secretive")
    end_of(env, stream)
    path = "/bailian-admin/api/streams/%s/events" % stream.stream_id
    assert env.get(path, WANG).status == 403
    read = env.sse(path, headers=LI)
    assert read.text == TEA_TEXT
    env.bailian.scenario([piece(TEA[0]), {"stall": True}])
    live = env.ask_open(user="secretive")
    live.next_content()
    tail = env.sse_open("/bailian-admin/api/streams/%s/events"
                        % live.stream_id, headers=LI)
    assert tail.next_content().content == TEA[0]
    env.post("/bailian-admin/api/live/%s/stop" % live.stream_id, {}, LI)
    tail.read()
    assert tail.code == "cancelled"
