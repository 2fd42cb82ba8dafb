# SPDX-License-Identifier: Apache-2.0
"""Keys are tested by the free call; their state is shown and restored."""
import pytest

from answers import ENDED_BADLY, KEY_REFUSED
from env import canary
from env.admin import LOCATION, Admin
from env.polling import until

pytestmark = pytest.mark.server(locations=LOCATION)
SLOW_TURN = "BL1501"  # loading all certificate authorities of the system
SECRET = "sk-third-9c4e1b7d20a86f35"


@pytest.fixture(name="admin")
def _admin(env):
    return Admin(env)


def key_of(admin, upstream):
    return admin.items("keys?upstream=" + upstream)[0]


def check(admin, key):
    reply = admin.post("keys/%d/test" % key["id"])
    assert reply.status == 200, reply.body
    assert reply.json()["id"] == key["id"]
    return reply.json()["check"]


# --- the free call -----------------------------------------------------------
def test_s38_key_is_tested_by_a_free_call_and_the_result_is_kept(env, admin):
    env.bailian.forget()
    key = key_of(admin, "emulator")
    found = check(admin, key)
    assert found["ok"] is True and found["code"] is None
    assert found["status"] == 200 and found["latencyMs"] >= 0 and found["at"]
    asked, = env.bailian.requests()
    assert asked["method"] == "GET"
    assert asked["path"] == "/compatible-mode/v1/models"
    assert asked["headers"]["authorization"] == "Bearer " + canary.API_KEY
    assert admin.get("keys/%d" % key["id"]).json()["check"] == found
    row = admin.get("audit?limit=1").json()["items"][0]
    assert (row["action"], row["object"], row["detail"]) == (
        "key.test", "emulator/key0", "ok")


@pytest.mark.parametrize("upstream, code, status", [
    ("bad-key", "upstream_auth", 401),
    ("closed", "upstream_connect", 0),
    ("nameless", "upstream_dns", 0),
    ("tls-unknown", "upstream_tls", 0),
    ("tls-name", "upstream_tls", 0),
])
def test_a06_test_says_what_is_wrong(env, admin, upstream, code, status):
    env.allow_log(SLOW_TURN)
    found = check(admin, key_of(admin, upstream))
    assert (found["ok"], found["code"], found["status"]) == (
        False, code, status)


def test_a06_test_through_tls_uses_the_upstreams_own_ca(admin):
    assert check(admin, key_of(admin, "tls"))["ok"] is True


def test_a06_s32_test_obeys_the_rules_for_targets(env, admin):
    for name, url, code in (
            ("meta", "https://169.254.169.254", "upstream_dns"),
            ("plain", "http://192.0.2.7/api/v1", "upstream_connect")):
        made = admin.post("upstreams", {"name": name, "baseUrl": url})
        assert made.status == 201, made.body
        key = admin.post("keys", {"upstream": name, "name": "k",
                                  "secret": SECRET}).json()
        env.allow_log("BL1602")
        found = check(admin, key)
        assert (found["ok"], found["code"]) == (False, code)
        assert admin.delete("upstreams/" + name,
                            made.json()["version"]).status == 204


def test_several_keys_are_tested_at_once_each_with_its_result(admin):
    names = ["emulator", "bad-key", "closed", "tls"]
    keys = {key_of(admin, name)["id"]: name for name in names}
    reply = admin.post("keys/test", {"ids": list(keys) + [999999]})
    assert reply.status == 200, reply.body
    results = {keys[k["id"]]: k["check"]["ok"] for k in reply.json()["items"]}
    assert results == {"emulator": True, "bad-key": False, "closed": False,
                       "tls": True}
    for body in ({"ids": []}, {"ids": "x"}, {"ids": ["1"]},
                 {"ids": list(range(1, 70))}, {"id": 1}):
        reply = admin.post("keys/test", body)
        assert reply.status == 400 and reply.json()["field"] == "ids"
    assert admin.post("keys/999999/test").status == 404


# --- S-34 --------------------------------------------------------------------
def test_s34_key_of_a_moved_upstream_is_sent_nowhere_before_it_is_reentered(
        env, admin, traps):
    app = env.fresh_app()
    before = admin.get("upstreams/" + app).json()
    heard = traps.unknown.accepted
    moved = admin.patch("upstreams/" + app, {
        "baseUrl": "https://127.0.0.1:%d/api/v1" % traps.unknown.port},
        before["version"]).json()
    assert "must be entered again" in moved["notice"]
    assert moved["keys"] == {"enabled": 0, "disabled": 0, "reenter": 1}
    key = key_of(admin, app)
    assert key["state"] == "reenter"
    for verb in ("test", "enable"):
        reply = admin.post("keys/%d/%s" % (key["id"], verb), {},
                           key["version"])
        assert (reply.status, reply.code) == (409, "conflict")
    env.expect_log(ENDED_BADLY)
    until(lambda: env.ask(base="/once", app=app).code == "upstream_auth", 10,
          "the catalog to know")
    assert traps.unknown.accepted == heard
    back = admin.patch("upstreams/" + app, {"baseUrl": before["baseUrl"]},
                       moved["version"])
    assert back.status == 200
    key = key_of(admin, app)
    assert key["state"] == "reenter"  # also where it came from
    done = admin.post("keys/%d/replace" % key["id"], {"secret": SECRET},
                      key["version"]).json()
    assert done["state"] == "ok" and check(admin, done)["ok"] is True
    env.bailian.say("wieder da")
    until(lambda: env.ask(base="/once", app=app).text == "wieder da", 10,
          "the key that was entered again")


# --- state -------------------------------------------------------------------
def test_refused_key_is_shown_and_restored(env, admin):
    env.expect_log(ENDED_BADLY)
    env.allow_log(KEY_REFUSED)
    key = key_of(admin, "bad-key")
    admin.post("keys/%d/restore" % key["id"])
    assert env.ask(base="/once", app="bad-key").code == "upstream_auth"
    found = admin.get("keys/%d" % key["id"]).json()
    assert found["state"] == "refused" and found["errors"]["upstream_auth"] > 0
    assert found["requests"] > 0 and found["lastUsedAt"]
    assert found["stateSinceAt"] and found["coolingMs"] == 0
    assert [k["id"] for k in admin.items("keys?state=refused")].count(
        key["id"]) == 1
    reply = admin.post("keys/%d/restore" % key["id"])
    assert reply.json()["state"] == "ok"
    row = admin.get("audit?action=key.restore&limit=1").json()["items"][0]
    assert row["object"] == "bad-key/key0"


def test_u06_throttled_key_cools_and_can_be_restored(env, admin):
    env.expect_log(ENDED_BADLY)
    app = env.fresh_app()
    key = key_of(admin, app)
    env.bailian.scenario("u06-retry-after-3600")
    env.ask(base="/once", app=app)
    found = admin.get("keys/%d" % key["id"]).json()
    assert found["state"] == "cooling" and found["throttled"] == 1
    assert 3000000 < found["coolingMs"] <= 3600000
    env.bailian.say("frei")
    assert env.ask(base="/once", app=app).code == "upstream_quota"
    assert admin.post("keys/%d/restore" % key["id"]).json()["state"] == "ok"
    assert env.ask(base="/once", app=app).text == "frei"


def test_u06_limit_of_an_account_rests_its_other_keys_too(env, admin):
    env.expect_log(ENDED_BADLY)
    first, second = env.fresh_app(), env.fresh_app()
    keys = [key_of(admin, app) for app in (first, second)]
    for key in keys:
        reply = admin.patch("keys/%d" % key["id"], {"account": "acc"},
                            key["version"])
        assert reply.status == 200
    env.bailian.scenario("u06-retry-after-3600")

    def throttled():
        admin.post("keys/%d/restore" % keys[0]["id"])
        env.ask(base="/once", app=first)
        return admin.get("keys/%d" % keys[1]["id"]).json()["state"] == "cooling"
    until(throttled, 10, "the other key of the account to rest")
    env.bailian.say("x")
    assert env.ask(base="/once", app=second).code == "upstream_quota"


def test_u30_open_breaker_is_shown_and_closed_by_the_admin(env, admin):
    env.expect_log(ENDED_BADLY)
    env.allow_log("BL1652", "BL1651")
    app = env.fresh_app()
    env.bailian.scenario("u30-down")
    for _ in range(5):
        env.ask(base="/once", app=app)
    found = admin.get("upstreams/" + app).json()
    assert found["state"] == "open" and found["failures"] >= 5
    assert 0 <= found["nextProbeMs"] <= 5000
    env.bailian.say("da")
    reply = admin.post("upstreams/%s/restore" % app)
    assert reply.json()["state"] == "ok"
    assert env.ask(base="/once", app=app).text == "da"
