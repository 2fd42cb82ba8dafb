# SPDX-License-Identifier: Apache-2.0
"""What the admin API says, in the language that is asked for."""
import re

import pytest

from env.admin import LI, WANG, Admin, admin_location

pytestmark = pytest.mark.server(locations=admin_location(
    "/bailian-admin", "BailianAdminRole admin user li\n"
    "BailianAdminRole viewer user wang\n") +
    '<Location "/open-admin">\nSetHandler bailian-admin\n</Location>\n')
ZH, EN = {"Accept-Language": "zh-CN"}, {"Accept-Language": "en"}
KEY = {"upstream": "emulator", "name": "k", "secret": "sk-12345678"}
CALLER = {"name": "c"}
# method, path, body, If-Match; the code of what is wrong
WRONG = [
    ("POST", "keys", dict(KEY, weight=0), None, "number"),
    ("POST", "keys", dict(KEY, secret="short"), None, "secret"),
    ("POST", "keys", dict(KEY, upstream="none"), None, "no_upstream"),
    ("POST", "keys", dict(KEY, name="a b"), None, "name_within"),
    ("POST", "keys", dict(KEY, apps="all"), None, "names"),
    ("POST", "keys", dict(KEY, wight=1), None, "unknown_member"),
    ("POST", "keys", dict(KEY, enabled="yes"), None, "boolean"),
    ("POST", "keys/import", {"dryRun": True, "keys": []}, None, "keys"),
    ("POST", "keys/import", {"dryRun": True, "keys": [
        dict(KEY, secret="x")]}, None, "import_wrong"),
    ("POST", "upstreams", {"name": "u", "baseUrl": "ftp://x"}, None,
     "url_scheme"),
    ("POST", "upstreams", {"name": "u", "baseUrl": "https://x/"}, None,
     "url_slash"),
    ("POST", "upstreams", {"name": "u"}, None, "needed"),
    ("PATCH", "apps/default", {"note": "n"}, None, "version_needed"),
    ("PATCH", "apps/default", {"note": "n"}, 999999, "version_now"),
    ("PATCH", "apps/default", {"policy": "keep"}, "now", "policy"),
    ("POST", "callers", dict(CALLER, scopes=[]), None, "scopes"),
    ("POST", "callers", dict(CALLER, expiresAt="soon"), None, "time_or_null"),
    ("POST", "callers", dict(CALLER, kind="jwt", algorithm="RS256",
                             publicKey="-----BEGIN"), None, "pem_rs256"),
    ("POST", "alerts", {"name": "a", "url": "http:///x"}, None, "url_host"),
    ("POST", "live/stop", {"ids": []}, None, "stream_ids"),
    ("POST", "conversations/delete", {"dryRun": True}, None,
     "user_or_before"),
    ("PATCH", "settings", {"retention": {"eventDays": 0}}, "now", "days"),
    ("GET", "ends?from=today", None, None, "time"),
    ("GET", "live?limit=0", None, None, "number"),
    ("GET", "usage?by=month", None, None, "usage_group"),
    ("GET", "history?range=2h", None, None, "range"),
]


def is_chinese(text):
    return re.search("[\u4e00-\u9fff]", text) is not None


def ask(env, language, method, path, body=None, version=None, user=LI):
    admin = Admin(env, user)
    if method == "GET":
        return admin.get(path, language)
    if version == "now":
        version = admin.get(path).json()["version"]
    return admin.change(method, path, body, version, language)


def test_what_is_wrong_is_said_in_the_language_of_the_page(env):
    for method, path, body, version, code in WRONG:
        zh, en = (ask(env, language, method, path, body, version)
                  for language in (ZH, EN))
        assert zh.status == en.status in (400, 412, 428), zh.text
        zh, en = zh.json(), en.json()
        assert zh["reason"] == en["reason"] == code, zh
        assert zh.get("values") == en.get("values")
        for member in ("title", "detail"):
            assert is_chinese(zh[member]) and en[member].isascii(), (zh, en)


def test_items_of_an_import_are_said_in_that_language_too(env):
    body = {"dryRun": True, "keys": [dict(KEY, secret="x"), KEY, KEY]}
    items = ask(env, ZH, "POST", "keys/import", body).json()["items"]
    assert [i["ok"] for i in items] == [False, True, False]
    assert [i["reason"] for i in items] == ["secret", None, "taken"]
    assert all(i["ok"] or is_chinese(i["detail"]) for i in items), items


def test_health_has_codes_and_is_said_in_that_language(env):
    zh, en = (ask(env, language, "GET", "health").json()["checks"]
              for language in (ZH, EN))
    assert [c["name"] for c in zh] == [c["name"] for c in en]
    for a, b in zip(zh, en):
        assert is_chinese(a["detail"]) and b["detail"].isascii()
        assert a["fix"] is None or is_chinese(a["fix"])
        assert re.fullmatch("[a-z_0-9]+", a["code"])
        assert isinstance(a["values"], list)
    assert {c["code"] for c in en} >= {"store_ok", "guard_ok", "reactor_turn"}


def test_hints_of_the_path_check_are_said_in_that_language(env):
    stream = env.sse_open("/bailian-admin/api/pathcheck?ticks=2&everyMs=50",
                          headers=dict(LI, Via="1.1 box", **ZH))
    hint = stream.next(30).json["hints"][0]
    assert hint["code"] == "proxy" and is_chinese(hint["detail"])
    assert "proxy_buffering" in hint["fix"] and is_chinese(hint["fix"])
    stream.read()


def test_who_may_not_is_told_the_line_to_add_in_that_language(env):
    reply = ask(env, ZH, "POST", "live/stop", {"ids": ["0" * 32]}, user=WANG)
    assert reply.status == 403 and reply.json()["reason"] == "role"
    assert reply.json()["values"] == ["operator", "wang", "viewer"]
    assert "BailianAdminRole operator user \"wang\"" in reply.json()["detail"]
    assert is_chinese(reply.json()["detail"])
    reply = env.get("/open-admin/api/me", ZH)
    assert reply.status == 403
    assert reply.json()["reason"] == "not_authenticated"
    assert is_chinese(reply.json()["detail"])
    assert "AuthUserFile" in reply.json()["detail"]


def test_a_moved_upstream_says_what_to_do_in_that_language(env):
    """S-34: its keys are entered again before they are sent elsewhere."""
    admin = Admin(env)
    made = admin.post("upstreams", {"name": "mover",
                                    "baseUrl": "https://a.example/api/v1"})
    assert made.status == 201, made.text
    assert admin.post("keys", dict(KEY, upstream="mover")).status == 201
    moved = ask(env, ZH, "PATCH", "upstreams/mover",
                {"baseUrl": "https://b.example/api/v1"}, "now").json()
    assert is_chinese(moved["notice"]) and "1" in moved["notice"]
    admin.delete("upstreams/mover", moved["version"])
