# SPDX-License-Identifier: Apache-2.0
"""The admin's view of conversations, deletions, usage and retention."""
import csv
import io
import time
from urllib.parse import quote

import pytest

from answers import TEA, TEA_TEXT, piece
from env import database
from env.admin import LI, LOCATION, WANG, Admin, admin_location
from env.polling import until

ROLES = admin_location("/roles-admin", """\
BailianAdminRole viewer user wang
BailianAdminRole operator user li
""")
pytestmark = pytest.mark.server(locations=LOCATION + ROLES)


@pytest.fixture
def admin(env):
    return Admin(env)


@pytest.fixture
def operator(env):
    return Admin(env, LI, "/roles-admin")


@pytest.fixture
def viewer(env):
    return Admin(env, WANG, "/roles-admin")


def talk(env, name, question, user, **options):
    env.bailian.say(*TEA)
    stream = env.ask(message=question, user=user, body={"conversionId": name},
                     **options)
    assert stream.is_completed, stream
    env.ended(stream, user=user)
    return stream


def listed(who, query):
    found = who.items("conversations?" + query)
    return [c["conversationId"] for c in found]


def audited(env, action, since=0):
    return database.look(
        env.server, "SELECT actor, object, detail FROM audit"
        " WHERE action = ? AND id > ? ORDER BY id", action, since)


def newest_audit(env):
    (found,), = database.look(env.server, "SELECT coalesce(max(id), 0)"
                              " FROM audit")
    return found


# --- the list ---------------------------------------------------------------

def test_list_has_everybodys_the_newest_first_without_text(env, viewer):
    for name, user in (("va", "v1"), ("vb", "v2"), ("vc", "v1")):
        talk(env, name, "绿茶的秘密", user)
    before = newest_audit(env)
    page = viewer.get("conversations?limit=3").json()
    assert [c["conversationId"] for c in page["items"]] == ["vc", "vb", "va"]
    first = page["items"][0]
    assert first["owner"] == "anon:v1" and first["title"] is None
    assert (first["questions"], first["outcome"]) == (1, "completed")
    assert first["app"] and first["updatedAt"].endswith("Z")
    assert "秘密" not in viewer.get("conversations").body.decode()
    assert newest_audit(env) == before


def test_list_is_filtered_by_user_app_outcome_and_date(env, viewer):
    began = time.time()
    talk(env, "fa", "q", "f1")
    app = viewer.get("conversations?user=anon:f1").json()["items"][0]["app"]
    assert listed(viewer, "user=anon:f1") == ["fa"]
    assert listed(viewer, "user=anon:f1&app=" + quote(app)) == ["fa"]
    assert listed(viewer, "user=anon:f1&app=other") == []
    assert listed(viewer, "user=anon:f1&outcome=completed") == ["fa"]
    assert listed(viewer, "user=anon:f1&outcome=error") == []
    before = int((began - 1) * 1000)
    assert listed(viewer, "user=anon:f1&from=%d" % before) == ["fa"]
    assert listed(viewer, "user=anon:f1&to=%d" % before) == []
    assert listed(viewer, "user=anon:f1&to=2999-01-01T00:00:00Z") == ["fa"]


def test_a_running_answer_is_live(env, admin):
    env.bailian.scenario([piece(TEA[0]), {"stall": True}])
    stream = env.ask_open(user="l1", body={"conversionId": "la"})
    stream.read(stop_after=1)
    item = until(lambda: admin.get(
        "conversations?user=anon:l1&outcome=live").json()["items"], 10,
        "the running answer")[0]
    assert item["outcome"] == "live"
    env.delete("/bailian/streams/%s?userId=l1" % stream.stream_id)
    env.ended(stream, user="l1")
    assert listed(admin, "user=anon:l1&outcome=live") == []
    assert listed(admin, "user=anon:l1&outcome=cancelled") == ["la"]


def test_list_pages_have_each_once(env, viewer):
    names = ["pg%d" % n for n in range(5)]
    for name in names:
        talk(env, name, "q", "pager")
    assert listed(viewer, "user=anon:pager&limit=2") == names[::-1]


def test_titles_and_search_need_operator_and_are_audited(
        env, viewer, operator):
    talk(env, "sa", "龙井怎么泡", "s1")
    talk(env, "sb", "别的", "s1")
    since = newest_audit(env)
    for query in ("titles=1", "q=" + quote("龙井")):
        reply = viewer.get("conversations?user=anon:s1&" + query)
        assert (reply.status, reply.json()["code"]) == (403, "forbidden")
    assert newest_audit(env) == since
    found = operator.get("conversations?user=anon:s1&q=" + quote("龙井"))
    assert [c["title"] for c in found.json()["items"]] == ["龙井怎么泡"]
    # words of the answer too
    assert listed(operator, "user=anon:s1&q=" + quote("茶汤")) == ["sb", "sa"]
    operator.get("conversations?titles=1")
    assert audited(env, "conversation.search", since) == \
        [("user:li", "anon:s1", None)] * 2
    assert audited(env, "conversation.list", since) == \
        [("user:li", "*", None)]


@pytest.mark.parametrize("query, field", [
    ("limit=0", "limit"), ("limit=101", "limit"), ("outcome=good", "outcome"),
    ("from=yesterday", "from"), ("to=2026-02-30T00:00:00Z", "to"),
    ("titles=yes", "titles")])
def test_bad_filters_are_named(admin, query, field):
    problem = admin.get("conversations?" + query).json()
    assert (problem["code"], problem["field"]) == ("bad_value", field)


def test_a_cursor_that_is_none_is_refused(admin):
    assert admin.get("conversations?cursor=x").status == 400


# --- one --------------------------------------------------------------------

def test_reading_one_needs_operator_and_is_audited(env, viewer, operator):
    stream = talk(env, "oa", "绿茶用多少度的水泡？", "o1")
    one, = viewer.get("conversations?user=anon:o1").json()["items"]
    path = "conversations/" + one["id"]
    since = newest_audit(env)
    assert viewer.get(path).status == 403
    assert viewer.get(path + "/export").status == 403
    found = operator.get(path).json()
    assert found["owner"] == "anon:o1" and found["title"]
    question, answer = found["messages"]
    assert question["content"] == "绿茶用多少度的水泡？"
    assert answer["content"] == TEA_TEXT
    assert answer["streamId"] == stream.stream_id
    assert (answer["outcome"], answer["app"]) == ("completed", one["app"])
    assert audited(env, "conversation.read", since) == \
        [("user:li", "anon:o1 oa", None)]


def test_export_as_json_and_markdown(env, operator):
    talk(env, "ea", "# 标题\n第二行", "e1")
    one, = operator.get("conversations?user=anon:e1").json()["items"]
    since = newest_audit(env)
    path = "conversations/%s/export" % one["id"]
    reply = operator.get(path)
    assert reply.header("content-disposition") == \
        'attachment; filename="conversation.json"'
    assert reply.json()["messages"][1]["content"] == TEA_TEXT
    reply = operator.get(path + "?format=markdown")
    assert reply.header("content-type").startswith("text/markdown")
    assert TEA_TEXT in reply.body.decode() and reply.body.decode().startswith("# ")
    assert operator.get(path + "?format=pdf").status == 400
    assert len(audited(env, "conversation.export", since)) == 2


def test_a_conversation_that_is_not_there_is_404(admin):
    for name in ("1-1", "x", "0-0", "999999-63f1a2b3c4d5e", "1", "-1-1"):
        assert admin.get("conversations/" + name).status == 404
        assert admin.delete("conversations/" + name).status == 404


# --- delete -----------------------------------------------------------------

def test_delete_one_needs_admin_and_is_audited(env, admin, operator):
    talk(env, "da", "q", "d1")
    one, = admin.get("conversations?user=anon:d1").json()["items"]
    path = "conversations/" + one["id"]
    since = newest_audit(env)
    assert operator.delete(path).status == 403
    assert admin.delete(path).status == 204
    assert admin.delete(path).status == 404
    assert listed(admin, "user=anon:d1") == []
    assert env.get("/bailian/conversations/da?userId=d1").status == 404
    assert audited(env, "conversation.delete", since) == \
        [("user:li", "anon:d1 da", None)]


def ended_deletion(admin, reply):
    assert reply.status == 202, reply.body.decode()
    path = "deletions/%d" % reply.json()["id"]
    return until(lambda: (lambda d: d if d["state"] == "done" else None)(
        admin.get(path).json()), 60, "the end of the deletion")


def test_delete_of_a_user_in_the_background_with_a_dry_run(env, admin):
    for n in range(3):
        talk(env, "ua%d" % n, "q", "u-gone")
    talk(env, "ub", "q", "u-stays")
    since = newest_audit(env)
    body = {"user": "anon:u-gone", "before": None, "dryRun": True}
    assert admin.post("conversations/delete", body).json() == \
        {"dryRun": True, "conversations": 3}
    assert len(listed(admin, "user=anon:u-gone")) == 3
    body["dryRun"] = False
    done = ended_deletion(admin, admin.post("conversations/delete", body))
    assert (done["conversations"], done["deleted"]) == (3, 3)
    assert (done["user"], done["before"], done["actor"]) == \
        ("anon:u-gone", None, "user:li")
    assert listed(admin, "user=anon:u-gone") == []
    assert listed(admin, "user=anon:u-stays") == ["ub"]
    assert admin.get("deletions").json()["items"][0] == done
    (who, what, detail), = audited(env, "conversation.delete.many", since)
    assert (who, what) == ("user:li", "anon:u-gone") and detail


def test_delete_by_age(env, admin):
    talk(env, "aa", "q", "old")
    talk(env, "ab", "q", "young")
    database.age(env.server, "anon:old", 100)
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 86400))
    body = {"before": at, "dryRun": True}
    assert admin.post("conversations/delete", body).json()[
        "conversations"] == 1
    ended_deletion(admin, admin.post("conversations/delete",
                                     {"before": at}))
    assert listed(admin, "user=anon:old") == []
    assert listed(admin, "user=anon:young") == ["ab"]


@pytest.mark.parametrize("body, field", [
    ({}, "user"), ({"user": ""}, "user"), ({"user": 5}, "user"),
    ({"before": "soon"}, "before"), ({"before": "2999-01-01T00:00:00Z"},
                                     "before"),
    ({"user": "anon:x", "dryRun": "no"}, "dryRun"),
    ({"user": "anon:x", "dryrun": True}, "dryrun")])
def test_a_deletion_that_says_nothing_clear_deletes_nothing(
        admin, body, field):
    problem = admin.post("conversations/delete", body).json()
    assert (problem["code"], problem["field"]) == ("bad_value", field)
    assert not [d for d in admin.get("deletions").json()["items"]
                if d["user"] == "anon:x"]


def test_delete_of_many_needs_admin_and_the_page_itself(admin, operator):
    body = {"user": "anon:nobody"}
    assert operator.post("conversations/delete", body).status == 403
    assert admin.post("conversations/delete", body, headers={
        "Sec-Fetch-Site": "cross-site"}).json()["code"] == "csrf_refused"
    assert admin.get("deletions/0").status == 404
    assert admin.get("deletions/x").status == 404


# --- usage ------------------------------------------------------------------

def sums(reply, name):
    found = [i for i in reply.json()["items"] if i["name"] == name]
    return found[0] if found else None


def test_usage_by_day_user_app_and_key(env, viewer):
    talk(env, "ga", "q", "=1+1")
    talk(env, "gb", "q", "=1+1")
    mine = viewer.get("usage?by=user&user=" + quote("anon:=1+1"))
    row = sums(mine, "anon:=1+1")
    assert (row["streams"], row["failures"]) == (2, 0)
    assert row["inputTokens"] > 0 and row["outputTokens"] > 0
    assert mine.json()["total"]["streams"] == 2
    assert mine.json()["more"] == 0
    today = time.strftime("%Y-%m-%d", time.gmtime())
    days = viewer.get("usage?user=" + quote("anon:=1+1")).json()
    assert days["by"] == "day" and days["to"] >= today
    assert sum(d["streams"] for d in days["items"]) == 2
    key, = viewer.get("usage?by=key&user=" + quote("anon:=1+1")).json()[
        "items"]
    assert key["keyId"] > 0 and len(key["last4"]) == 4 and key["upstream"]
    app, = viewer.get("usage?by=app&user=%s&key=%d" % (
        quote("anon:=1+1"), key["keyId"])).json()["items"]
    assert (app["streams"], app["inputTokens"]) == (2, row["inputTokens"])
    assert viewer.get("usage?by=user&key=0&user=" + quote(
        "anon:=1+1")).json()["items"] == []


def test_usage_stays_when_the_conversation_is_deleted(env, admin):
    talk(env, "ha", "q", "h1")
    one, = admin.get("conversations?user=anon:h1").json()["items"]
    assert admin.delete("conversations/" + one["id"]).status == 204
    assert admin.get("usage?user=anon:h1").json()["total"]["streams"] == 1


# S-29: the name of a user is somebody else's word.
def test_s29_usage_as_csv_runs_no_formula(env, viewer):
    talk(env, "ia", "q", "=cmd")
    database.change(env.server, "UPDATE usage_day SET owner = '=cmd|x'"
                    " WHERE owner = 'anon:=cmd'")
    reply = viewer.get("usage?by=user&format=csv")
    assert reply.header("content-type") == "text/csv; charset=utf-8"
    assert reply.header("content-disposition") == \
        'attachment; filename="usage.csv"'
    rows = list(csv.reader(io.StringIO(reply.body.decode().lstrip("\ufeff"))))
    assert rows[0] == ["name", "streams", "failures", "inputTokens",
                       "outputTokens"]
    assert [r for r in rows if r[0] == "'=cmd|x"]
    assert not [c for r in rows for c in r if c[:1] in "=+-@" and c]


@pytest.mark.parametrize("query, field", [
    ("by=week", "by"), ("from=2026-11-31", "from"), ("to=x", "to"),
    ("from=2026-01-02&to=2026-01-01", "from"),
    ("from=2024-01-01&to=2026-01-01", "from"), ("format=xls", "format"),
    ("key=-1", "key")])
def test_bad_questions_about_usage_are_named(viewer, query, field):
    problem = viewer.get("usage?" + query).json()
    assert (problem["code"], problem["field"]) == ("bad_value", field)


# --- settings ---------------------------------------------------------------

@pytest.fixture
def settings(admin):
    """The version of them; at the end they are as they were."""
    was = admin.get("settings").json()
    yield was["version"]
    now = admin.get("settings").json()["version"]
    assert admin.patch("settings", {"retention": was["retention"]},
                       now).status == 200


def test_settings_are_changed_with_if_match_and_audited(
        env, admin, operator, settings):
    since = newest_audit(env)
    body = {"retention": {"eventDays": 7}}
    assert operator.get("settings").json()["retention"] == \
        {"conversationDays": None, "eventDays": 30}
    assert operator.patch("settings", body, settings).status == 403
    assert admin.patch("settings", body).json()["code"] == \
        "precondition_required"
    assert admin.patch("settings", body, settings + 1).json()["code"] == \
        "version_conflict"
    reply = admin.patch("settings", body, settings)
    assert reply.status == 200
    assert reply.json()["retention"] == \
        {"conversationDays": None, "eventDays": 7}
    assert reply.header("etag") == '"%d"' % (settings + 1)
    assert admin.patch("settings", body, settings).status == 412
    assert audited(env, "setting.patch", since) == \
        [("user:li", "retention", '{"eventDays":7}')]


@pytest.mark.parametrize("body, field", [
    ({}, "retention"), ({"retention": 5}, "retention"),
    ({"retention": {"eventDays": 0}}, "retention.eventDays"),
    ({"retention": {"eventDays": 3651}}, "retention.eventDays"),
    ({"retention": {"eventDays": "7"}}, "retention.eventDays"),
    ({"retention": {"conversationDays": 1.5}}, "retention.conversationDays"),
    ({"retention": {"days": 1}}, "days"), ({"rentention": {}}, "rentention")])
def test_settings_that_are_wrong_change_nothing(admin, settings, body, field):
    problem = admin.patch("settings", body, settings).json()
    assert (problem["code"], problem["field"]) == ("bad_value", field)
    assert admin.get("settings").json()["version"] == settings


# D17
def test_d17_old_events_go_and_the_text_stays(env, admin, settings):
    stream = talk(env, "ta", "q", "trimmed")
    last = env.stored_seq(stream)
    database.age(env.server, "anon:trimmed", 20)
    assert admin.patch("settings", {"retention": {"eventDays": 10}},
                       settings).status == 200
    until(lambda: env.stored_seq(stream) == 0, 60, "the trimming")
    reply = env.get("/bailian/streams/%s/events?userId=trimmed&after=1"
                    % stream.stream_id)
    assert (reply.status, reply.json()["code"]) == (410, "events_trimmed")
    assert str(last) in reply.json()["detail"]
    assert env.get("/bailian/streams/%s/events?userId=trimmed&after=%d" % (
        stream.stream_id, last)).status == 204
    assert env.state(stream, user="trimmed").json()["outcome"] == "completed"
    found = env.get("/bailian/conversations/ta?userId=trimmed").json()
    assert found["messages"][1]["content"] == TEA_TEXT


def test_d17_old_conversations_go_and_young_ones_stay(env, admin, settings):
    talk(env, "ka", "q", "kept-not")
    talk(env, "kb", "q", "kept")
    database.age(env.server, "anon:kept-not", 400)
    assert admin.patch("settings", {"retention": {"conversationDays": 365}},
                       settings).status == 200
    until(lambda: not listed(admin, "user=anon:kept-not"), 60, "the deletion")
    progress = until(lambda: (lambda p: p if p["state"] == "idle" else None)(
        admin.get("settings").json()["progress"]), 60, "the end of the pass")
    assert progress["conversationsDeleted"] == 1 and progress["passAt"]
    assert progress["oldestAt"] > "2026"
    assert listed(admin, "user=anon:kept") == ["kb"]
