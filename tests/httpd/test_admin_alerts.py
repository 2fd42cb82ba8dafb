# SPDX-License-Identifier: Apache-2.0
"""Alerts: who is told by a webhook, of what, and how."""
import os

import pytest

from answers import TEA
from env.admin import LI, WANG, Admin, admin_location
from env.hook import Hook
from env.polling import until

ADMIN = admin_location("/bailian-admin", "BailianAdminRole admin user li\n"
                       "BailianAdminRole viewer user wang\n")
pytestmark = pytest.mark.server(locations=ADMIN)
TOKEN = "webhook-canary-51f0c7"
FIRST_TLS = "BL1501"  # loading all certificate authorities of the system


@pytest.fixture(name="admin")
def _admin(env):
    return Admin(env)


@pytest.fixture(name="hook")
def _hook():
    hook = Hook()
    yield hook
    hook.close()


@pytest.fixture(name="make")
def _make(admin, hook):
    """Makes alerts, and deletes them in the end."""
    made = []

    def make(name, **fields):
        fields = {"name": name, "url": hook.url("/robot?access_token=" + TOKEN),
                  "keys": False, "store": False, **fields}
        reply = admin.post("alerts", fields)
        assert reply.status == 201, reply.body
        made.append(reply.json()["id"])
        return reply.json()

    yield make
    for number in made:
        reply = admin.get("alerts/%d" % number)
        if reply.status == 200:
            assert admin.delete("alerts/%d" % number,
                                reply.json()["version"]).status == 204


def path_of(alert, verb=""):
    return "alerts/%d%s" % (alert["id"], verb)


# --- stored -----------------------------------------------------------------
def test_alert_is_added_changed_and_deleted(admin, make, hook):
    alert = make("ops", shape="dingtalk", errorPercent=30, note="on call")
    assert alert["version"] == 1 and alert["enabled"] is True
    assert alert["host"] == hook.url("")
    assert (alert["windowSeconds"], alert["leastStreams"],
            alert["repeatMinutes"]) == (300, 10, 60)
    assert alert["firing"] == {} and alert["delivery"] is None
    assert admin.patch(path_of(alert), {"note": None}).status == 428
    changed = admin.patch(path_of(alert), {"errorPercent": None, "keys": True,
                                           "repeatMinutes": None}, 1)
    assert changed.status == 200 and changed.json()["version"] == 2
    assert changed.json()["errorPercent"] is None
    stale = admin.patch(path_of(alert), {"note": "x"}, 1)
    assert (stale.status, stale.code) == (412, "version_conflict")
    assert admin.get(path_of(alert)).json() == changed.json()
    assert admin.items("alerts") == [changed.json()]
    assert admin.delete(path_of(alert), 2).status == 204
    assert admin.get(path_of(alert)).status == 404
    actions = [r["action"] for r in admin.items("audit?object=ops")]
    assert actions[:3] == ["alert.delete", "alert.put", "alert.add"]


def test_s42_url_of_a_webhook_is_never_shown(env, admin, make):
    alert = make("secret")
    moved = admin.patch(path_of(alert), {
        "url": "https://hook.example/" + TOKEN}, 1)
    assert moved.json()["host"] == "https://hook.example"
    for reply in (moved, admin.get("alerts"), admin.get(path_of(alert)),
                  admin.get("audit?limit=20")):
        assert TOKEN.encode() not in reply.body
    for name in ("bailian.db", "bailian.db-wal"):
        with open(env.server.path("data", name), "rb") as file:
            assert TOKEN.encode() not in file.read()


@pytest.mark.parametrize("field, fields", [
    ("url", {"url": None}), ("url", {"url": "ftp://a.example/x"}),
    ("url", {"url": "https://u:p@a.example/x"}),
    ("url", {"url": "https://a.example/x?a#b"}),
    ("url", {"url": "https://a.example/x?" + "a" * 2048}),
    ("shape", {"shape": "slack"}), ("name", {"name": "a b"}),
    ("errorPercent", {"errorPercent": 0}),
    ("errorPercent", {"errorPercent": 101}),
    ("windowSeconds", {"windowSeconds": 59}),
    ("firstContentMs", {"firstContentMs": "1"}),
    ("repeatMinutes", {"repeatMinutes": 4}), ("colour", {"colour": 1}),
])
def test_bad_field_is_named_and_nothing_is_added(admin, field, fields):
    whole = {"name": "bad", "url": "https://a.example/x", **fields}
    if whole["url"] is None:
        del whole["url"]
    reply = admin.post("alerts", whole)
    assert (reply.status, reply.code) == (400, "bad_value"), reply.body
    assert reply.json()["field"] == field
    assert not admin.items("alerts")


def test_name_is_taken_once_and_there_are_32_at_most(admin, make):
    make("n0", enabled=False)
    twice = admin.post("alerts", {"name": "n0", "url": "https://a.example"})
    assert (twice.status, twice.json()["field"]) == (409, "name")
    for n in range(1, 32):
        make("n%d" % n, enabled=False)
    more = admin.post("alerts", {"name": "n32", "url": "https://a.example"})
    assert (more.status, more.code) == (409, "conflict")


def test_viewer_reads_alerts_and_does_no_more(env, make):
    alert = make("roles", enabled=False)
    viewer = Admin(env, WANG)
    assert viewer.get(path_of(alert)).status == 200
    for reply in (viewer.post("alerts", {}),
                  viewer.patch(path_of(alert), {"note": "x"}, 1),
                  viewer.delete(path_of(alert), 1),
                  viewer.post(path_of(alert, "/test")),
                  viewer.post(path_of(alert, "/silence"), {"minutes": 5})):
        assert (reply.status, reply.code) == (403, "forbidden")


# --- a test message ---------------------------------------------------------
@pytest.mark.parametrize("shape", ["dingtalk", "wecom", "feishu", "generic"])
def test_s38_message_has_the_shape_its_receiver_wants(admin, make, hook,
                                                      shape):
    alert = make("m", shape=shape)
    reply = admin.post(path_of(alert, "/test"))
    assert reply.json() == {"ok": True, "code": None, "status": 200}
    (path, headers, _), = hook.seen()
    assert path == "/robot?access_token=" + TOKEN
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    message, = hook.messages()
    text = {"feishu": lambda: message["content"]["text"],
            "generic": lambda: message["text"]}.get(
                shape, lambda: message["text"]["content"])()
    assert text.startswith("[Bailian] m: TEST")
    if shape == "feishu":
        assert message["msg_type"] == "text"
    elif shape == "generic":
        assert (message["alert"], message["rule"], message["state"],
                message["value"], message["limit"]) == (
                    "m", "test", "test", None, None)
        assert message["at"].endswith("Z")
    else:
        assert message["msgtype"] == "text"
    delivery = admin.get(path_of(alert)).json()["delivery"]
    assert delivery["ok"] is True and delivery["status"] == 200


@pytest.mark.parametrize("answer", [(204, "text/plain", b""),
                                    (200, "text/plain", b"ok"),
                                    (200, "application/json", b'{"code":0}')],
                         ids=["204", "text", "json"])
def test_any_answer_that_is_no_refusal_is_good(admin, make, hook, answer):
    hook.reply = answer
    reply = admin.post(path_of(make("good"), "/test")).json()
    assert (reply["ok"], reply["status"]) == (True, answer[0])


@pytest.mark.parametrize("answer, code", [
    ((200, "application/json", b'{"errcode":310000}'), "upstream_rejected"),
    ((200, "application/json", b'{"code":19024}'), "upstream_rejected"),
    ((302, "text/plain", b""), "upstream_garbage"),
    ((404, "text/plain", b""), "upstream_rejected"),
    ((503, "text/plain", b""), "upstream_unavailable"),
], ids=["dingtalk", "feishu", "redirect", "404", "503"])
def test_a06_refusal_is_said_and_not_repeated(env, admin, make, hook, answer,
                                              code):
    env.allow_log("BL1310")
    hook.reply = answer
    alert = make("refused")
    reply = admin.post(path_of(alert, "/test"))
    assert reply.json() == {"ok": False, "code": code, "status": answer[0]}
    assert len(hook.seen()) == 1
    assert admin.get(path_of(alert)).json()["delivery"]["code"] == code


def test_s32_webhook_obeys_the_rules_for_targets(env, admin, make):
    env.allow_log("BL1310")
    env.allow_log("BL1602")
    env.allow_log(FIRST_TLS)
    for name, url, code in (
            ("meta", "https://169.254.169.254/x", "upstream_dns"),
            ("plain", "http://192.0.2.7/x", "upstream_connect")):
        reply = admin.post(path_of(make(name, url=url), "/test")).json()
        assert (reply["ok"], reply["code"]) == (False, code)
    assert admin.post("alerts/999999/test").status == 404


# --- rules ------------------------------------------------------------------
def fail_once(env):
    env.bailian.scenario([{"reset": {"flush": False}}])
    env.allow_log("BL1304")
    assert env.ask(base="/once", app=env.fresh_app()).code


def newest(env):
    return env.get("/bailian-admin/api/history?series=live&range=5m",
                   LI).json()["to"]


def seconds_pass(env, count):
    """So many more seconds have been looked at."""
    for _ in range(count):
        before = newest(env)
        until(lambda: newest(env) != before, 30, "the next second")


def test_errors_are_told_once_by_one_of_all_children(env, admin, make, hook):
    alert = make("errors", errorPercent=1, leastStreams=1, windowSeconds=300)
    fail_once(env)
    until(lambda: hook.messages(state="firing"), 30, "the message")
    seconds_pass(env, 3)
    message, = hook.messages(state="firing")
    assert (message["alert"], message["rule"], message["limit"]) == (
        "errors", "errors", 1)
    assert message["value"] >= 1 and "%" in message["text"]
    # The receiver has it a moment before its answer is noted.
    until(lambda: (lambda a: list(a["firing"]) == ["errors"] and
                   a["delivery"] and a["delivery"]["ok"])(
                       admin.get(path_of(alert)).json()), 30, "the delivery")


def test_silent_alert_says_nothing_until_the_silence_ends(env, admin, make,
                                                          hook):
    alert = make("quiet", errorPercent=1, leastStreams=1, enabled=False)
    silent = admin.post(path_of(alert, "/silence"), {"minutes": 60})
    assert silent.json()["silencedUntilAt"] is not None
    assert admin.patch(path_of(alert), {"enabled": True}, 1).status == 200
    fail_once(env)
    until(lambda: admin.get(path_of(alert)).json()["firing"], 30, "the rule")
    seconds_pass(env, 2)
    assert not hook.seen()
    loud = admin.post(path_of(alert, "/silence"), {"minutes": 0})
    assert loud.json()["silencedUntilAt"] is None
    until(lambda: hook.messages(state="firing", alert="quiet"), 30,
          "the message")
    for body in ({}, {"minutes": -1}, {"minutes": 10081}, {"minutes": "5"},
                 {"minutes": 5, "x": 1}):
        reply = admin.post(path_of(alert, "/silence"), body)
        assert (reply.status, reply.json()["field"]) == (400, "minutes")


def test_first_content_is_told(env, make, hook):
    make("slow", firstContentMs=1, leastStreams=1)
    env.bailian.say(*TEA)
    env.ask()
    until(lambda: hook.messages(state="firing", rule="firstContent"), 30,
          "the message")


@pytest.mark.own_server
def test_refused_key_is_told_with_its_name(env, admin, make, hook):
    upstream = "alerted"
    base = admin.get("upstreams/emulator").json()["baseUrl"]
    assert admin.post("upstreams", {"name": upstream,
                                    "baseUrl": base}).status == 201
    assert admin.post("keys", {"upstream": upstream, "name": "worn-out",
                               "secret": "sk-bad-canary-0007"}).status == 201
    assert admin.post("apps", {"name": upstream, "upstream": upstream,
                               "appId": "scenario-current"}).status == 201
    make("keys", keys=True)
    env.allow_log("BL1304")
    env.allow_log("BL1653")
    until(lambda: env.ask(app=upstream).code == "upstream_auth", 30,
          "the refusal")
    message = until(lambda: hook.messages(state="firing", rule="keys"), 30,
                    "the message")[0]
    assert "worn-out" in message["text"]


@pytest.mark.own_server
def test_d09_store_that_is_lost_is_told(env, make, hook):
    make("store", store=True)
    path = env.server.path("data", "bailian.db")
    env.allow_log("BL1411")
    seconds_pass(env, 2)
    os.rename(path, path + ".away")
    until(lambda: hook.messages(state="firing", rule="store"), 60,
          "the message")
    os.rename(path + ".away", path)
    until(lambda: env.get("/bailian-admin/api/alerts", LI).status == 200, 60,
          "the database")


def test_message_that_did_not_arrive_is_not_taken_for_told(env, admin, make,
                                                           hook):
    env.allow_log("BL1310")
    hook.reply = (500, "text/plain", b"")
    alert = make("again", errorPercent=1, leastStreams=1)
    fail_once(env)
    until(lambda: hook.messages(state="firing"), 30, "the message")
    shown = until(lambda: (lambda a: a if a["delivery"] else None)(
        admin.get(path_of(alert)).json()), 30, "the result")
    assert shown["delivery"]["ok"] is False and shown["firing"]
