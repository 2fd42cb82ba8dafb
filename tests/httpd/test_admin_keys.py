# SPDX-License-Identifier: Apache-2.0
"""API keys on the admin page: add, change, replace, import; who notices."""
import contextlib
import sqlite3

import pytest

from answers import ENDED_BADLY, TEA, last, piece
from env import canary
from env.admin import LI, LOCATION, WANG, Admin, admin_location

LOCATIONS = LOCATION + admin_location("/roles-admin", """\
BailianAdminRole viewer user wang
BailianAdminRole admin user li
""")
pytestmark = pytest.mark.server(locations=LOCATIONS)
SECRET = "sk-second-5f1e7a0c9b3d2846"


@pytest.fixture(name="admin")
def _admin(env):
    return Admin(env)


def new_key(admin, name, upstream="emulator", **more):
    body = dict({"upstream": upstream, "name": name, "secret": SECRET}, **more)
    return admin.post("keys", body)


@pytest.fixture(name="key")
def _key(admin, request):
    """A key that is disabled, and gone afterwards."""
    reply = new_key(admin, request.node.name[:60].replace("[", "_").split(
        "]")[0], enabled=False)
    assert reply.status == 201, reply.body
    made = reply.json()
    yield made
    left = admin.get("keys/%d" % made["id"])
    if left.status == 200:
        admin.delete("keys/%d" % made["id"], left.json()["version"])


def path_of(key, verb=""):
    return "keys/%d%s" % (key["id"], verb and "/" + verb)


# --- adding ------------------------------------------------------------------
def test_s42_added_key_shows_name_and_last_four_and_never_the_secret(
        env, admin, key):
    assert key["name"].startswith("test_s42_added_key") and key["version"] == 1
    assert key["last4"] == SECRET[-4:] and len(key["fingerprint"]) == 16
    assert key["state"] == "disabled" and key["enabled"] is False
    assert key["check"] is None and key["requests"] == 0
    for path in ("keys", path_of(key), "upstreams", "apps", "audit",
                 "audit?format=csv", "overview", "live", "me"):
        body = admin.get(path).body
        for _label, form in canary.secrets():
            assert form not in body
        assert SECRET.encode() not in body and SECRET[:-4].encode() \
            not in body, path
    assert "secret" not in key and "sealed" not in key
    assert SECRET not in env.server.read("error_log")


def test_bad_key_is_refused_and_the_field_named(admin):
    for body, field in (
            ({"upstream": "emulator", "name": "k"}, "secret"),
            ({"upstream": "emulator", "name": "k", "secret": "a b c d e f"},
             "secret"),
            ({"upstream": "emulator", "name": "k", "secret": 7}, "secret"),
            ({"upstream": "emulator", "name": "a/b", "secret": SECRET}, "name"),
            ({"upstream": "none", "name": "k", "secret": SECRET}, "upstream"),
            ({"name": "k", "secret": SECRET}, "upstream"),
            ({"upstream": "emulator", "name": "k", "secret": SECRET,
              "weight": 0}, "weight"),
            ({"upstream": "emulator", "name": "k", "secret": SECRET,
              "apps": "qa"}, "apps"),
            ({"upstream": "emulator", "name": "k", "secret": SECRET,
              "colour": 1}, "colour"),
            ({"upstream": "emulator", "name": "k", "secret": SECRET,
              "enabled": "yes"}, "enabled")):
        reply = admin.post("keys", body)
        assert (reply.status, reply.code) == (400, "bad_value"), body
        assert reply.json()["field"] == field
    assert not [k for k in admin.items("keys") if k["name"] == "k"]


def test_name_that_is_taken_is_a_conflict(admin, key):
    reply = new_key(admin, key["name"])
    assert (reply.status, reply.code) == (409, "conflict")
    assert reply.json()["field"] == "name"


# --- changing ----------------------------------------------------------------
def test_a01_two_admins_change_one_key_and_the_second_is_told(env, admin, key):
    etag = admin.get(path_of(key)).header("etag")
    assert etag == '"%d"' % key["version"]
    first = admin.patch(path_of(key), {"note": "first"}, key["version"])
    assert first.status == 200 and first.json()["version"] == 2
    second = Admin(env, WANG).patch(path_of(key), {"note": "second"},
                                    key["version"])
    assert (second.status, second.code) == (412, "version_conflict")
    assert "now 2" in second.json()["detail"]
    assert admin.get(path_of(key)).json()["note"] == "first"
    rows = admin.items("audit?object=emulator/%s&action=key.put" % key["name"])
    assert len(rows) == 1 and rows[0]["actor"] == "user:li"


def test_a01_change_without_a_version_is_refused(admin, key):
    for method, verb in (("PATCH", ""), ("DELETE", ""), ("POST", "replace"),
                         ("POST", "enable"), ("POST", "disable")):
        reply = admin.change(method, path_of(key, verb), {})
        assert (reply.status, reply.code) == (428, "precondition_required")
        for wrong in ("*", "7", '"x"', 'W/"1"'):
            reply = admin.change(method, path_of(key, verb), {},
                                 headers={"If-Match": wrong})
            assert reply.status == 400, wrong


def test_patch_changes_what_it_names_and_nothing_else(admin, key):
    change = {"name": key["name"] + ".b", "weight": 7, "priority": 2,
              "apps": ["default", "agent"], "models": ["qwen-plus"],
              "account": "main", "note": "für Frühstück 早餐"}
    after = admin.patch(path_of(key), change, key["version"]).json()
    assert {name: after[name] for name in change} == change
    assert after["last4"] == key["last4"] and after["state"] == "disabled"
    again = admin.patch(path_of(key), {"account": None, "apps": []},
                        after["version"]).json()
    assert again["account"] is None and again["apps"] == []
    assert again["weight"] == 7
    for body, field in (({"last4": "0000"}, "last4"),
                        ({"secret": SECRET}, "secret"),
                        ({"weight": "7"}, "weight"), ({"name": ""}, "name")):
        reply = admin.patch(path_of(key), body, again["version"])
        assert reply.status == 400 and reply.json()["field"] == field


def test_list_pages_filters_and_searches(admin, key):
    admin.patch(path_of(key), {"note": "needle-4711"}, 1)
    ids = [k["id"] for k in admin.items("keys?limit=7")]
    assert ids == sorted(set(ids)) and key["id"] in ids
    assert [k["id"] for k in admin.items("keys?q=NEEDLE-4711")] == [key["id"]]
    assert key["id"] in [k["id"] for k in admin.items("keys?state=disabled")]
    assert all(k["state"] == "ok" for k in admin.items("keys?state=ok&limit=3"))
    assert {k["upstream"] for k in admin.items("keys?upstream=emulator")} == {
        "emulator"}
    for query in ("limit=0", "limit=501", "limit=x", "cursor=x"):
        assert admin.get("keys?" + query).status == 400


def test_what_is_not_there_is_404(admin):
    for path in ("keys/999999", "keys/x", "keys/-1", "keys/1x", "keys/",
                 "apps/none", "upstreams/none", "keys/1/nothing"):
        assert admin.get(path).status == 404, path
    assert admin.delete("keys/999999", 1).status == 404
    assert admin.patch("apps/none", {}, 1).status == 404


# --- who notices -------------------------------------------------------------
def asked_with(env, app):
    env.ask(app=app)
    return env.bailian.request(-1)["headers"]["authorization"]


@pytest.mark.server(locations=LOCATIONS, children=3)
def test_a02_replaced_secret_is_used_by_the_next_question_of_any_child(
        env, admin):
    app = env.fresh_app()
    found, = admin.items("keys?upstream=" + app)
    assert asked_with(env, app).endswith(canary.API_KEY)
    reply = admin.post(path_of(found, "replace"), {"secret": SECRET},
                       found["version"])
    assert reply.status == 200 and reply.json()["last4"] == SECRET[-4:]
    assert reply.json()["version"] == found["version"] + 1
    for _ in range(8):
        assert asked_with(env, app).endswith(SECRET)


def test_a02_running_stream_finishes_with_the_key_that_is_disabled(env, admin):
    app = env.fresh_app()
    found, = admin.items("keys?upstream=" + app)
    env.bailian.scenario([piece(TEA[0]), {"barrier": "go"}, last(TEA[1])])
    stream = env.ask_open(app=app)
    stream.read(stop_after=1)
    done = admin.post(path_of(found, "disable"), {}, found["version"])
    assert done.json()["state"] == "disabled"
    env.expect_log(ENDED_BADLY)
    env.bailian.release("go")
    assert env.ask(base="/once", app=app).code == "upstream_auth"
    stream.read()
    assert stream.text == TEA[0] + TEA[1]


# --- import (A08) ------------------------------------------------------------
def rows(*names, **more):
    return [dict({"upstream": "emulator", "name": n, "secret": SECRET,
                  "enabled": False}, **more) for n in names]


def names_of(admin):
    return {k["name"] for k in admin.items("keys?upstream=emulator")}


def test_a08_import_is_tried_dry_and_then_done_whole(admin):
    before = names_of(admin)
    tried = admin.post("keys/import", {"dryRun": True,
                                       "keys": rows("im1", "im2")})
    assert tried.status == 200 and tried.json()["added"] == 0
    assert [i["ok"] for i in tried.json()["items"]] == [True, True]
    assert all(i["id"] is None for i in tried.json()["items"])
    assert names_of(admin) == before
    assert not admin.items("audit?object=emulator/im1")
    done = admin.post("keys/import", {"keys": rows("im1", "im2", note="n")})
    assert done.json()["added"] == 2
    assert names_of(admin) == before | {"im1", "im2"}
    assert SECRET.encode() not in done.body
    for item in done.json()["items"]:
        key = admin.get("keys/%d" % item["id"]).json()
        assert key["note"] == "n" and key["state"] == "disabled"
        assert admin.delete("keys/%d" % item["id"], key["version"]).status \
            == 204


def test_a08_import_with_one_wrong_item_adds_nothing_and_says_which(admin):
    before = names_of(admin)
    broken = rows("ok1") + [{"upstream": "emulator", "name": "x"}] \
        + rows("ok1") + rows("y", upstream="none") + rows("key0") + [7]
    for dry in (True, False):
        reply = admin.post("keys/import", {"dryRun": dry, "keys": broken[:5]})
        assert (reply.status, reply.json()["code"]) == (400, "bad_value")
        assert [(i["ok"], i["field"]) for i in reply.json()["items"]] == [
            (True, None), (False, "secret"), (False, "name"),
            (False, "upstream"), (False, "name")]
        assert reply.json()["added"] == 0
    reply = admin.post("keys/import", {"keys": broken})
    assert reply.status == 400 and reply.json()["items"][5]["ok"] is False
    assert names_of(admin) == before


def test_a08_import_of_nonsense_is_refused(admin):
    for body in ({}, {"keys": []}, {"keys": "x"}, {"keys": {}},
                 {"keys": rows("a"), "dryRun": 1},
                 {"keys": rows("a"), "more": 1},
                 {"keys": rows("a") * 1001}):
        assert admin.post("keys/import", body).status in (400, 413)
    reply = admin.change("POST", "keys/import", b"x" * 2000000)
    assert (reply.status, reply.code) == (413, "body_too_large")
    assert admin.change("POST", "keys/import", b"{").status == 400


def test_s74_refused_change_is_in_the_audit_too(env, admin):
    viewer = Admin(env, WANG, "/roles-admin")
    assert viewer.delete("keys/4711", 1).status == 403
    row = admin.get("audit?outcome=refused&limit=1").json()["items"][0]
    assert (row["actor"], row["action"], row["object"], row["detail"]) == (
        "user:wang", "admin.refused", "DELETE api/keys/4711", "admin")
    assert viewer.get("keys/4711").status == 404
    assert admin.get("audit?outcome=refused&limit=1").json()["items"][0][
        "id"] == row["id"]


# --- who may (S-23, roles, A09) ----------------------------------------------
def test_viewer_reads_and_changes_nothing(env):
    viewer = Admin(env, WANG, "/roles-admin")
    for path in ("keys", "upstreams", "apps", "audit", "me"):
        assert viewer.get(path).status == 200
    for method, path in (("POST", "keys"), ("PATCH", "keys/1"),
                         ("DELETE", "keys/1"), ("POST", "keys/1/restore"),
                         ("POST", "keys/import"), ("POST", "upstreams"),
                         ("PATCH", "apps/default"), ("POST", "apps"),
                         ("POST", "apps/default/try"),
                         ("POST", "upstreams/emulator/restore")):
        reply = viewer.change(method, path, {}, 1)
        assert (reply.status, reply.code) == (403, "forbidden"), path
        assert "BailianAdminRole" in reply.json()["detail"]


@pytest.mark.parametrize("headers, status", [
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Sec-Fetch-Site": "none"}, 403),
    ({"Origin": "https://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "http://localhost.evil.example"}, 403),
    ({"Origin": "http://localhost:81"}, 403),
    ({"Origin": "http://localhost"}, 200),
    ({"Origin": "http://localhost:80"}, 200),
    ({"Sec-Fetch-Site": "same-origin", "Origin": "https://front.example"}, 200),
    ({}, 200),
])
def test_s23_change_comes_from_the_page_itself(admin, key, headers, status):
    reply = admin.post(path_of(key, "restore"), {}, headers=headers)
    assert reply.status == status
    if status == 403:
        assert reply.code == "csrf_refused"


def test_s23_change_must_be_json(env, key):
    for kind in ("text/plain", "application/x-www-form-urlencoded",
                 "multipart/form-data", None):
        reply = env.http("POST", "/bailian-admin/api/" + path_of(key, "restore"),
                         b"{}", dict(LI, **{"Content-Type": kind}))
        assert (reply.status, reply.code) == (415, "bad_type")


def test_s23_get_changes_nothing(admin, key):
    for verb in ("enable", "disable", "restore", "replace", "test"):
        reply = admin.get(path_of(key, verb))
        assert reply.status == 405 and reply.header("allow") == "POST"
    assert admin.get(path_of(key)).json()["version"] == key["version"]


def test_s25_s27_headers_stand_on_every_answer(admin, key):
    for reply in (admin.get("keys"), admin.get("keys/999999"),
                  admin.get("audit?format=csv"), admin.post("keys", {}),
                  admin.get(path_of(key), {"Accept": "text/html"})):
        assert reply.header("cache-control") == "no-store"
        assert reply.header("x-content-type-options") == "nosniff"
        assert reply.header("referrer-policy") == "no-referrer"
        assert reply.header("cross-origin-opener-policy") == "same-origin"
        assert "default-src 'none'" in reply.header("content-security-policy")
        assert reply.header("content-type").split(";")[0] in (
            "application/json", "application/problem+json", "text/csv")


@contextlib.contextmanager
def broken_audit(env):
    """Nothing can be written into the audit meanwhile."""
    path = env.server.path("data", "bailian.db")
    with contextlib.closing(sqlite3.connect(path, timeout=60)) as base:
        base.execute("CREATE TRIGGER no_audit BEFORE INSERT ON audit BEGIN"
                     " SELECT RAISE(ABORT, 'no'); END")
        base.commit()
        yield
        base.execute("DROP TRIGGER no_audit")
        base.commit()


@pytest.mark.own_server
def test_a09_what_cannot_be_audited_is_not_done(env, admin, key):
    count = len(admin.items("keys"))
    with broken_audit(env):
        for reply in (new_key(admin, "a09"),
                      admin.patch(path_of(key), {"note": "x"}, 1),
                      admin.post(path_of(key, "enable"), {}, 1),
                      admin.post(path_of(key, "restore"), {}),
                      admin.delete(path_of(key), 1),
                      admin.post("upstreams", {
                          "name": "a09", "baseUrl": "https://a.example"}),
                      admin.delete("apps/default", 1)):
            assert reply.status in (409, 503), reply.body
        assert len(admin.items("keys")) == count
        assert admin.get(path_of(key)).json()["version"] == 1
    assert admin.patch(path_of(key), {"note": "x"}, 1).status == 200
