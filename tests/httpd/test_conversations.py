# SPDX-License-Identifier: Apache-2.0
"""Stored conversations: list, read, search, rename, delete, export."""
import base64
import json
from urllib.parse import quote

import pytest

from answers import TEA, TEA_TEXT
from env import canary
from env.polling import until

BASE = "/bailian/conversations"


def talk(env, name, question, user="talker", base="/bailian", **options):
    env.bailian.say(*TEA)
    stream = env.ask(base=base, message=question, user=user,
                     body={"conversionId": name}, **options)
    assert stream.is_completed, stream
    env.ended(stream, base=base, user=user)
    return stream


def listed(env, user, query=""):
    reply = env.get("%s?userId=%s%s" % (BASE, user, query))
    assert reply.status == 200, reply.body
    return reply.json()["items"]


def ids(found):
    return [c["conversationId"] for c in found]


def test_list_has_the_newest_first_and_nobody_elses(env):
    for name in ("la", "lb", "lc"):
        talk(env, name, "问题" + name, user="lister")
    talk(env, "ld", "别人的问题", user="other")
    assert ids(listed(env, "lister")) == ["lc", "lb", "la"]


def test_list_comes_in_pages(env):
    names = ["p%d" % n for n in range(5)]
    for name in names:
        talk(env, name, name, user="pager")
    seen, cursor = [], ""
    while True:
        reply = env.get("%s?userId=pager&limit=2%s" % (BASE, cursor)).json()
        assert len(reply["items"]) <= 2
        seen += ids(reply["items"])
        if not reply.get("next"):
            break
        cursor = "&cursor=" + reply["next"]
    assert seen == names[::-1]


def test_title_is_the_first_question(env):
    talk(env, "t1", "绿茶用多少度的水泡？", user="titler")
    talk(env, "t1", "那红茶呢？", user="titler")
    found, = listed(env, "titler")
    assert found["title"] == "绿茶用多少度的水泡？"


def test_conversation_has_its_messages_in_order(env):
    talk(env, "m1", "第一问", user="reader")
    talk(env, "m1", "第二问", user="reader")
    found = env.get(BASE + "/m1?userId=reader").json()
    assert [(m["role"], m["content"]) for m in found["messages"]] == [
        ("user", "第一问"), ("assistant", TEA_TEXT),
        ("user", "第二问"), ("assistant", TEA_TEXT)]


@pytest.mark.parametrize("query", ["茶", "绿茶", "green", "多少度"])
def test_search_finds_chinese_words_of_one_and_two_characters(env, query):
    user = "searcher"
    if not listed(env, user):
        talk(env, "s1", "绿茶用多少度的水泡？ green tea", user=user)
        env.bailian.say("好的。")
        other = env.ask(message="今天星期几", user=user,
                        body={"conversionId": "s2"})
        env.ended(other, user=user)
    assert ids(listed(env, user, "&q=" + quote(query))) == ["s1"]


@pytest.mark.parametrize("query", ["%25_%25_%25", "%22", "*", "NEAR(a%20b)",
                                   "a%27%20OR%201=1--", "AND", "%28", "-x"])
def test_s47_search_input_is_no_query_language(env, query):
    reply = env.get("%s?userId=searcher&q=%s" % (BASE, query))
    assert reply.status in (200, 400)


# A mini-program has no PATCH.
@pytest.mark.parametrize("method", ["PATCH", "POST"])
def test_rename(env, method):
    who = "renamer-" + method
    talk(env, "r1", "旧名字", user=who)
    reply = env.http(method, BASE + "/r1?userId=" + who, {"title": "新名字"})
    assert reply.status in (200, 204), reply.body
    found, = listed(env, who)
    assert found["title"] == "新名字"


def test_delete(env):
    talk(env, "d1", "删掉我", user="deleter")
    assert env.delete(BASE + "/d1?userId=deleter").status in (200, 204)
    assert listed(env, "deleter") == []
    assert env.get(BASE + "/d1?userId=deleter").status == 404
    assert env.delete(BASE + "/d1?userId=deleter").status == 404


def test_export_as_json_and_markdown(env):
    talk(env, "e1", "绿茶用多少度的水泡？", user="exporter")
    document = env.get(BASE + "/e1/export?userId=exporter&format=json")
    assert document.status == 200
    assert TEA_TEXT in json.dumps(document.json(), ensure_ascii=False)
    text = env.get(BASE + "/e1/export?userId=exporter&format=markdown")
    assert text.header("content-type").startswith("text/markdown")
    assert "attachment" in text.header("content-disposition")
    assert TEA_TEXT in text.body.decode()
    assert "绿茶用多少度的水泡？" in text.body.decode()
    refused = env.get(BASE + "/e2/export?userId=exporter&format=json")
    assert refused.status == 404
    assert refused.header("content-disposition") is None, "not to be saved"


def test_s04_another_person_can_do_nothing(env):
    talk(env, "x1", "我的秘密问题", user="owner")
    for method, path, body in (
            ("GET", "/x1", None), ("DELETE", "/x1", None),
            ("PATCH", "/x1", {"title": "t"}),
            ("POST", "/x1", {"title": "t"}),
            ("GET", "/x1/export?format=json", None)):
        mark = "&" if "?" in path else "?"
        reply = env.http(method, BASE + path + mark + "userId=thief", body)
        assert (reply.status, reply.code) == (404, "not_found")
    assert listed(env, "thief") == []
    assert len(listed(env, "owner")) == 1


def login(user):
    pair = "%s:%s" % (user, canary.PASSWORD)
    return {"Authorization": "Basic "
            + base64.b64encode(pair.encode()).decode()}


def test_s13_user_id_of_the_client_does_not_open_a_login(env):
    env.bailian.say(*TEA)
    stream = env.ask(base="/login", message="登录用户的问题", user="wang",
                     body={"conversionId": "li1"}, headers=login("li"))
    assert stream.is_completed
    until(lambda: ids(env.get("/login/conversations", login("li")).json()
                      ["items"]) == ["li1"], 5, "the conversation")
    for user in ("li", "user:li", "wang", "user:wang"):
        assert env.get("%s/li1?userId=%s" % (BASE, user)).status == 404
    other = env.get("/login/conversations/li1?userId=li", login("wang"))
    assert other.status == 404


def test_login_is_needed_where_the_server_says_so(env):
    env.allow_log("AH016", "AH01617")
    assert env.get("/login/conversations").status == 401
    wrong = {"Authorization": "Basic " + base64.b64encode(b"li:no").decode()}
    assert env.get("/login/conversations", wrong).status == 401
