# SPDX-License-Identifier: Apache-2.0
"""conversations - what is stored, read and changed."""
import uuid

from answers import TEA_TEXT
from env import canary

from .world import ACTS, act

CONVERSATIONS = "/bailian/conversations"


def listed(**query):
    def run(w):
        w.asked(body={"conversionId": "c"})
        yield
        w.has_listed(w.get(CONVERSATIONS, **query), "c")
    return run


ACTS["conversations"] = listed()
ACTS["search"] = listed(q="绿茶")


@act
def conversation(w):
    w.asked(body={"conversionId": "c"})
    yield
    reply = w.get(CONVERSATIONS + "/c")
    if w.is_done(reply):
        assert [m["content"] for m in reply.json()["messages"]] == [
            canary.PROMPT, TEA_TEXT]


@act
def export(w):
    w.asked(body={"conversionId": "c"})
    yield
    reply = w.get(CONVERSATIONS + "/c/export", format="markdown")
    if w.is_done(reply):
        assert TEA_TEXT in reply.body.decode()


@act
def rename(w):
    w.asked(body={"conversionId": "c"})
    yield
    is_done = w.is_done(w.env.http(
        "PATCH", "%s/c?%s" % (CONVERSATIONS, w.query()), {"title": "新名"}))
    yield
    title = w.get(CONVERSATIONS + "/c").json()["title"]
    assert title == "新名" or not is_done, title


@act
def delete(w):
    w.asked(body={"conversionId": "c"})
    yield
    is_done = w.is_done(w.env.delete("%s/c?%s" % (CONVERSATIONS, w.query())),
                        204)
    yield
    assert w.get(CONVERSATIONS + "/c").status in (
        (404,) if is_done else (404, 200))


@act
def share(w):
    w.asked(body={"conversionId": "c"})
    other = uuid.uuid4().hex
    yield
    is_done = w.is_done(w.env.post("%s/c/members?%s" % (
        CONVERSATIONS, w.query()), {"member": other}))
    yield
    found = w.env.get("%s?userId=%s" % (CONVERSATIONS, other)).json()["items"]
    assert len(found) == 1 or not is_done
