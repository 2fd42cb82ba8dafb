# SPDX-License-Identifier: Apache-2.0
"""The admin page and its API: who is let in, what it shows."""
import base64

import pytest

from answers import TEA, piece
from env import canary
from env.polling import until

LOGIN = {"Authorization": "Basic " + base64.b64encode(
    ("li:%s" % canary.PASSWORD).encode()).decode()}
ADMIN = ('<Location "/bailian-admin">\nSetHandler bailian-admin\n'
         'AuthType Basic\nAuthName admin\nAuthUserFile users\n'
         'Require valid-user\n</Location>\n'
         '<Location "/open-admin">\nSetHandler bailian-admin\n</Location>\n')
pytestmark = pytest.mark.server(locations=ADMIN)


def get(env, path, headers=LOGIN):
    return env.get("/bailian-admin/" + path, headers)


def test_nobody_is_let_in_without_a_login(env):
    for path in ("", "api/overview", "api/live", "js/main.js"):
        assert get(env, path, None).status == 401


def test_a_location_that_authenticates_nobody_refuses_and_says_what_to_add(env):
    for path in ("", "api/overview", "api/live", "api/me", "no.css"):
        reply = env.get("/open-admin/" + path, LOGIN)
        assert reply.status == 403
        assert "AuthUserFile" in reply.json()["detail"]


def test_a_browser_that_is_refused_gets_a_page_that_says_so(env):
    browser = {"Accept": "text/html,*/*;q=0.8"}
    reply = env.get("/open-admin/", browser)
    assert reply.status == 403
    assert reply.header("content-type") == "text/html; charset=utf-8"
    assert "default-src 'none'" in reply.header("content-security-policy")
    assert env.get("/open-admin/app.css", browser).status == 200
    assert env.get("/open-admin/api/me", browser).status == 403


def test_page_and_its_files_carry_the_policy_of_s25(env):
    reply = get(env, "")
    assert reply.status == 200
    assert reply.header("content-type") == "text/html; charset=utf-8"
    assert "default-src 'none'" in reply.header("content-security-policy")
    assert reply.header("x-content-type-options") == "nosniff"
    assert get(env, "js/main.js").header("content-type").startswith(
        "text/javascript")
    assert get(env, "js/../../etc/passwd").status in (400, 404)
    assert get(env, "sql/001_base.sql").status == 404


def test_page_without_its_slash_redirects_to_it(env):
    reply = env.get("/bailian-admin", LOGIN)
    assert reply.status == 302
    assert reply.header("location").endswith("bailian-admin/")


def test_running_stream_is_shown_until_it_ends(env):
    env.bailian.scenario([piece(TEA[0]), {"stall": True}])
    before = get(env, "api/overview").json()
    stream = env.ask_open(user="shown")
    stream.read(stop_after=1)

    def shown():
        return [s for s in get(env, "api/live").json()["items"]
                if s["owner"] == "anon:shown"]

    # The first event is out a moment before the page's row tells of it, and
    # the row is not written in one go.
    def settled():
        rows = shown()
        return rows if [(s["phase"], s["readers"]) for s in rows] == \
            [("streaming", 1)] and rows[0]["firstContentMs"] is not None \
            and rows[0]["key"] else None
    rows = until(settled, 30, "its row, streaming, with its reader")
    assert len(rows) == 1 and rows[0]["id"] == stream.stream_id
    assert rows[0]["firstContentMs"] >= 0
    assert rows[0]["key"] and len(rows[0]["key"]) == 4
    env.delete("/bailian/streams/%s?userId=shown" % stream.stream_id)
    until(lambda: not any(s["owner"] == "anon:shown" for s in
                          get(env, "api/live").json()["items"]), 30, "the end")

    def cancelled(overview):
        return overview["counters"]["streams_cancelled"]

    until(lambda: cancelled(get(env, "api/overview").json()) ==
          cancelled(before) + 1, 30, "it is counted")
    assert before["store"]["guarded"] is True


def test_only_get_and_sensible_numbers(env):
    assert env.post("/bailian-admin/api/overview", {}, LOGIN).status == 405
    for query in ("limit=501", "limit=-1", "limit=x", "cursor=-1"):
        assert get(env, "api/live?" + query).status == 400
    assert get(env, "api/nothing").status == 404
