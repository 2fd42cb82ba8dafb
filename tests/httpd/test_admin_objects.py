# SPDX-License-Identifier: Apache-2.0
"""Upstreams, apps and the audit on the admin page; what an app says holds."""
import pytest

from answers import ENDED_BADLY, TEA, TEA_TEXT, piece
from env.admin import LI, LOCATION, Admin

pytestmark = pytest.mark.server(locations=LOCATION)


@pytest.fixture(name="admin")
def _admin(env):
    return Admin(env)


def change_app(admin, app, fields):
    version = admin.get("apps/" + app).json()["version"]
    reply = admin.patch("apps/" + app, fields, version)
    assert reply.status == 200, reply.body
    return reply.json()


# --- upstreams ---------------------------------------------------------------
def test_upstream_is_made_changed_and_deleted(admin):
    made = admin.post("upstreams", {
        "name": "own", "baseUrl": "https://dashscope.example/api/v1",
        "region": "cn-beijing", "note": "=1+1", "connectTimeoutMs": 700})
    assert made.status == 201 and made.header("etag") == '"1"'
    found = made.json()
    assert found["kind"] == "bailian-app" and found["http2"] is True
    assert found["region"] == "cn-beijing" and found["gapTimeoutMs"] is None
    assert found["keys"] == {"enabled": 0, "disabled": 0, "reenter": 0}
    assert found["apps"] == 0 and found["state"] == "ok"
    assert admin.post("upstreams", {
        "name": "own", "baseUrl": "https://x.example"}).status == 409
    after = admin.patch("upstreams/own", {"proxy": "http://proxy.example:3128"},
                        1).json()
    assert after["version"] == 2 and after["notice"] is None
    assert after["proxy"] == "http://proxy.example:3128"
    assert admin.patch("upstreams/own", {"note": "x"}, 1).status == 412
    assert admin.delete("upstreams/own", 1).status == 412
    assert admin.delete("upstreams/own").status == 428
    assert admin.delete("upstreams/own", 2).status == 204
    assert admin.get("upstreams/own").status == 404


def test_bad_upstream_is_refused_and_the_field_named(admin):
    good = {"name": "bad", "baseUrl": "https://a.example"}
    for change, field in (
            ({"baseUrl": None}, "baseUrl"), ({"baseUrl": "ftp://a"}, "baseUrl"),
            ({"baseUrl": "https://u:p@a.example"}, "baseUrl"),
            ({"name": "a b"}, "name"), ({"name": None}, "name"),
            ({"name": 7}, "name"), ({"kind": "x"}, "kind"),
            ({"caFile": "ca.pem"}, "caFile"), ({"http2": 1}, "http2"),
            ({"connectTimeoutMs": -1}, "connectTimeoutMs"),
            ({"note": "a\nb"}, "note"), ({"keys": {}}, "keys")):
        reply = admin.post("upstreams", dict(good, **change))
        assert (reply.status, reply.code) == (400, "bad_value"), change
        assert reply.json()["field"] == field, change
    assert admin.get("upstreams/bad").status == 404


def test_upstream_with_apps_is_not_deleted(admin):
    version = admin.get("upstreams/emulator").json()["version"]
    reply = admin.delete("upstreams/emulator", version)
    assert (reply.status, reply.code) == (409, "conflict")
    assert "delete its apps first" in reply.json()["detail"]


# --- apps --------------------------------------------------------------------
@pytest.mark.server(locations=LOCATION, children=3)
def test_app_is_made_used_at_once_in_any_child_and_deleted(env, admin):
    made = admin.post("apps", {
        "name": "own-app", "upstream": "emulator",
        "appId": "scenario-current", "note": "n",
        "parameters": {"top_p": 0.5}, "policy": "detach 5s"})
    assert made.status == 201, made.body
    found = made.json()
    assert found["default"] is False and found["incremental"] is True
    assert found["parameters"] == {"top_p": 0.5} and found["version"] == 1
    for _ in range(6):
        assert env.ask(app="own-app").status == 200
    assert env.bailian.body(-1)["parameters"]["top_p"] == 0.5
    assert admin.delete("apps/own-app", 1).status == 204
    for _ in range(6):
        assert env.ask(app="own-app").status == 400


def test_bad_app_is_refused_and_the_field_named(admin):
    good = {"name": "bad", "upstream": "emulator", "appId": "x"}
    for change, field in (
            ({"upstream": "none"}, "upstream"), ({"appId": "a b"}, "appId"),
            ({"appId": None}, "appId"), ({"flow": "x"}, "flow"),
            ({"policy": "never"}, "policy"), ({"retryPace": "x"}, "retryPace"),
            ({"heartbeatMs": 9}, "heartbeatMs"), ({"retries": 11}, "retries"),
            ({"parameters": []}, "parameters"), ({"default": 1}, "default"),
            ({"queueBytes": 1}, "queueBytes"),
            ({"maxStreamsPerPrincipal": 0}, "maxStreamsPerPrincipal")):
        reply = admin.post("apps", dict(good, **change))
        assert (reply.status, reply.code) == (400, "bad_value"), change
        assert reply.json()["field"] == field, change


def test_default_app_moves_and_there_is_one(env, admin):
    change_app(admin, "neighbour", {"default": True})
    assert [a["name"] for a in admin.items("apps") if a["default"]] == [
        "neighbour"]
    change_app(admin, "default", {"default": True})
    assert [a["name"] for a in admin.items("apps") if a["default"]] == [
        "default"]


def test_apps_own_heartbeat_stands_over_the_directive(env, admin):
    app = env.fresh_app()
    change_app(admin, app, {"heartbeatFirstMs": 50, "heartbeatMs": 50})
    env.bailian.scenario([piece(TEA[0]), {"stall": True}])

    stream = env.ask_open(app=app)
    stream.read(stop_after=1)
    stream.read_comments(20)  # by the directive: five minutes
    env.delete("/bailian/streams/%s?userId=u1" % stream.stream_id)


def test_apps_own_retry_and_limit_stand_over_the_directives(env, admin):
    env.expect_log(ENDED_BADLY)
    app = env.fresh_app()
    change_app(admin, app, {"retryPace": "off", "maxStreamsPerPrincipal": 1})
    env.bailian.scenario([{"stall": True}])

    with env.ask_open(app=app, user="lim") as first:
        assert env.ask_open(app=app, user="lim").code == "rate_limited"
        env.delete("/bailian/streams/%s?userId=lim" % first.stream_id)
    env.bailian.scenario("u06-429")
    stream = env.ask(base="/quick", app=app)
    assert stream.code == "upstream_quota"
    assert env.ended(stream, base="/quick")["attempts"] == 1


def test_upstreams_own_timeout_stands_under_its_apps(env, admin):
    env.expect_log(ENDED_BADLY)
    app = env.fresh_app()
    admin.patch("upstreams/" + app, {"firstContentTimeoutMs": 150},
                admin.get("upstreams/" + app).json()["version"])
    env.bailian.scenario([{"stall": True}])
    change_app(admin, app, {"retryPace": "off"})
    assert env.ask(app=app, seconds=60).code == "upstream_first_timeout"


# --- try it ------------------------------------------------------------------
def try_app(env, app, body):
    return env.sse("/bailian-admin/api/apps/%s/try" % app, body, headers=LI)


def test_app_is_tried_as_the_admin_and_streams_the_answer(env, admin):
    env.bailian.say(*TEA)
    stream = try_app(env, "default", {"message": "Wie brüht man Tee?"})
    assert stream.status == 200 and stream.text == TEA_TEXT
    assert stream.is_completed
    row = admin.get("audit?action=app.try&limit=1").json()["items"][0]
    assert row["object"] == "default" and row["actor"] == "user:li"
    for app, body, status in (("none", {"message": "x"}, 404),
                              ("default", {}, 400),
                              ("default", {"message": ""}, 400),
                              ("default", {"message": 7}, 400),
                              ("default", {"message": "x",
                                           "conversationId": "a\nb"}, 400)):
        assert admin.post("apps/%s/try" % app, body).status == status, body


# --- audit -------------------------------------------------------------------
def test_s74_audit_says_who_did_what_from_where(admin):
    admin.post("upstreams", {"name": "aud", "baseUrl": "https://a.example"})
    admin.delete("upstreams/aud", 1)
    rows = admin.items("audit?object=aud")
    assert [r["action"] for r in rows[:2]] == ["upstream.delete",
                                               "upstream.put"]
    for row in rows:
        assert row["actor"] == "user:li" and row["from"] == "127.0.0.1"
        assert row["outcome"] == "done" and row["at"].endswith("Z")
    assert rows[0]["id"] > rows[1]["id"]
    assert {r["action"].split(".")[0]
            for r in admin.items("audit?action=upstream.*")} == {"upstream"}
    assert admin.items("audit?actor=user:nobody") == []
    assert admin.items("audit?to=2020-01-01T00:00:00Z") == []
    assert admin.items("audit?object=aud&from=2020-01-01T00:00:00Z")
    assert admin.items("audit?q=a.example&limit=1")
    for query in ("from=x", "limit=0", "cursor=x", "format=xml"):
        reply = admin.get("audit?" + query)
        assert reply.status == 400
        assert reply.json()["field"] == query.split("=")[0]


def test_s29_audit_as_csv_is_an_attachment(admin):
    reply = admin.get("audit?format=csv&actor=cli:root")
    assert reply.header("content-type") == "text/csv; charset=utf-8"
    assert reply.header("content-disposition") == \
        'attachment; filename="audit.csv"'
    lines = reply.body.decode("utf-8-sig").split("\r\n")
    assert lines[0] == "id,at,actor,from,action,object,detail,outcome"
    assert len(lines) > 100 and lines[-1] == ""
    assert all(",cli:root,local," in line for line in lines[1:-1])
