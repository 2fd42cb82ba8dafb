# SPDX-License-Identifier: Apache-2.0
"""Callers on the admin page: made, shown once, limited, revoked.

Fault rows A01, A03, S-06, S-14, S-42, S-74.
"""
import subprocess

import pytest

from answers import TEA, assert_answer
from env.admin import LOCATION, WANG, Admin, admin_location
from env.callers import bearer

ROLES = admin_location("/roles-admin",
                       "BailianAdminRole viewer user wang\n"
                       "BailianAdminRole admin user li\n")
pytestmark = pytest.mark.server(locations=LOCATION + ROLES + """
<Location "/tokens">
    SetHandler bailian-sse
</Location>
""")


@pytest.fixture(name="admin")
def _admin(env):
    return Admin(env)


def made(admin, **fields):
    reply = admin.post("callers", fields)
    assert reply.status == 201, reply.body
    return reply.json()


def public_key(*options):
    key = subprocess.run(["openssl", "genpkey", *options], check=True,
                         capture_output=True).stdout
    return subprocess.run(["openssl", "pkey", "-pubout"], input=key, check=True,
                          capture_output=True).stdout.decode()


EC = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")


def test_s42_token_is_shown_once_and_asks_at_once(env, admin):
    found = made(admin, name="crm", note="the CRM", startsPerMinute=60)
    token = found.pop("token")
    assert token.startswith("bl_") and found["last4"] == token[-4:]
    assert found["state"] == "ok" and found["version"] == 1
    assert found["scopes"] == ["ask", "read", "manage"] and found["apps"] == []
    assert found["kind"] == "token" and found["startsPerMinute"] == 60
    assert found["maxStreams"] is None and found["expiresAt"] is None

    env.bailian.say(*TEA)
    assert_answer(env.ask(base="/tokens", user=None, headers=bearer(token)))
    path = "callers/%d" % found["id"]
    for reply in (admin.get(path), admin.get("callers"), admin.get("audit")):
        assert reply.status == 200 and token not in reply.body.decode()
    assert admin.get(path).json() == found
    assert admin.get(path).header("etag") == '"1"'


def test_a03_caller_is_changed_disabled_revoked_and_deleted(env, admin):
    found = made(admin, name="portal")
    token, path = found["token"], "callers/%d" % found["id"]
    after = admin.patch(path, {"note": "n", "maxStreams": 3}, 1).json()
    assert (after["version"], after["note"], after["maxStreams"]) == (2, "n", 3)
    assert admin.patch(path, {"note": "x"}, 1).status == 412
    assert admin.patch(path, {"note": "x"}).status == 428
    assert admin.post(path + "/disable", {}, 2).json()["state"] == "disabled"
    assert admin.post(path + "/enable", {}, 3).json()["state"] == "ok"
    assert admin.post(path + "/revoke", {}, 4).json()["state"] == "revoked"
    refused = admin.post(path + "/enable", {}, 5)
    assert (refused.status, refused.code) == (409, "conflict")
    assert "add a new one" in refused.json()["detail"]
    assert env.get("/tokens/conversations", bearer(token)).status == 401
    assert admin.post("callers", {"name": "portal"}).json()["field"] == "name"
    assert admin.delete(path).status == 428
    assert admin.delete(path, 5).status == 204
    assert admin.get(path).status == 404
    assert admin.delete("callers/no-number", 1).status == 404


def test_s14_issuer_has_a_public_key_and_no_secret(admin):
    pem = public_key(*EC)
    found = made(admin, name="sso", kind="jwt", algorithm="ES256",
                 publicKey=pem, issuer="https://sso.example", audience="bailian")
    assert "token" not in found and found["last4"] is None
    assert found["publicKey"] == pem and found["leewaySeconds"] == 60
    good = {"name": "bad", "kind": "jwt", "algorithm": "ES256",
            "publicKey": pem}
    for change, field in (
            ({"algorithm": "HS256"}, "algorithm"),
            ({"algorithm": "none"}, "algorithm"),
            ({"algorithm": None}, "algorithm"), ({"publicKey": ""}, "publicKey"),
            ({"algorithm": "RS256"}, "publicKey"),
            ({"publicKey": pem[:60]}, "publicKey"),
            ({"leewaySeconds": 601}, "leewaySeconds"),
            ({"secret": "x" * 40}, "secret")):
        reply = admin.post("callers", dict(good, **change))
        assert (reply.status, reply.code) == (400, "bad_value"), change
        assert reply.json()["field"] == field, change


def test_bad_caller_is_refused_and_the_field_named(admin):
    for change, field in (
            ({"name": None}, "name"), ({"name": "a b"}, "name"),
            ({"name": "a:b"}, "name"), ({"name": "a" * 64}, "name"),
            ({"kind": "x"}, "kind"), ({"enabled": "yes"}, "enabled"),
            ({"scopes": ["root"]}, "scopes"), ({"scopes": "ask"}, "scopes"),
            ({"apps": [1]}, "apps"), ({"startsPerMinute": -1}, "startsPerMinute"),
            ({"maxStreams": 1.5}, "maxStreams"),
            ({"tokensPerDay": "many"}, "tokensPerDay"),
            ({"expiresAt": "tomorrow"}, "expiresAt"),
            ({"note": "a\nb"}, "note"), ({"token": "bl_x"}, "token"),
            ({"algorithm": "ES256"}, "algorithm")):
        reply = admin.post("callers", dict({"name": "bad"}, **change))
        assert (reply.status, reply.code) == (400, "bad_value"), change
        assert reply.json()["field"] == field, change
    assert not [c for c in admin.items("callers") if c["name"] == "bad"]


def test_list_is_filtered_and_comes_in_pages(admin):
    for n in range(3):
        made(admin, name="page%d" % n, note="Paged")
    names = [c["name"] for c in admin.items("callers?q=paged&limit=2")]
    assert names == ["page0", "page1", "page2"]
    assert not admin.items("callers?q=paged&kind=jwt")
    assert admin.get("callers?kind=x").status == 400
    assert admin.get("callers?limit=0").status == 400


def test_s74_viewer_sees_callers_and_changes_none(env, admin):
    found = made(admin, name="seen")
    viewer = Admin(env, WANG, "/roles-admin")
    path = "callers/%d" % found["id"]
    assert viewer.get(path).status == 200
    for method, where in (("POST", "callers"), ("PATCH", path),
                          ("DELETE", path), ("POST", path + "/revoke")):
        assert viewer.change(method, where, {}, 1).status == 403
    actions = [row["action"] for row in
               admin.items("audit?object=seen&limit=100")]
    assert "caller.add" in actions
