# SPDX-License-Identifier: Apache-2.0
"""What a change finds when random numbers or descriptors have run out: it is
refused with a sentence and nothing of it is there, or it is there whole.
fault-matrix.md 1.9, R01 and R06."""
import os
import uuid

import pytest

from answers import TEA, assert_answer
from env import canary, raw
from env.admin import JSON, LI, LOCATION, Admin
from env.callers import KEY_FILE, bearer, jwt
from env.polling import until
from test_resources import limit_descriptors, limit_with_free

LOCATIONS = LOCATION + """
<Location "/jwt">
    SetHandler bailian-sse
    BailianJwtIssuer shop HS256 %s
</Location>
""" % KEY_FILE
pytestmark = pytest.mark.server(locations=LOCATIONS, faults=True, children=1,
                                threads=16)
SECRET = "sk-scarce-2d8f0b6e51c74a93"
SOAK = bool(os.environ.get("BL_SOAK"))



def keys_named(env, name):
    return [key for key in Admin(env).items("keys?upstream=emulator")
            if key["name"] == name]


def callers_named(env, name):
    return [each for each in Admin(env).items("callers")
            if each["name"] == name]


def key_body(name):
    return {"upstream": "emulator", "name": name, "secret": SECRET,
            "enabled": False}


def post_ticket(env, user="li"):
    return env.post("/jwt/tickets", {"route": "conversations"},
                    bearer(jwt(user)))


def assert_refused(reply, code="overloaded"):
    assert (reply.status, reply.code) == (503, code), reply.body
    assert reply.header("retry-after")
    for secret in (SECRET.encode(), canary.API_KEY.encode(), b"/data/"):
        assert secret not in reply.body


# --- R06: no random numbers --------------------------------------------------
@pytest.fixture(name="dry")
def _dry(env):
    """The kernel gives none, until dry.clear(). A child that is still starting
    needs some."""
    env.allow_log("BL1101")  # once a minute
    until(env.server.whole, 30, "the child")
    env.server.faults.set("no_random")
    yield env.server.faults
    env.server.faults.clear()


def test_r06_without_random_numbers_no_key_is_sealed(env, dry):
    admin = Admin(env)
    old, = keys_named(env, "key0")
    assert_refused(admin.post("keys", key_body("dry")))
    assert_refused(admin.post("keys/%d/replace" % old["id"],
                              {"secret": SECRET}, old["version"]))
    assert_refused(admin.post("keys/import", {"keys": [key_body("dry")]}))
    assert not keys_named(env, "dry")
    assert keys_named(env, "key0") == [old]
    dry.clear()
    assert admin.post("keys", key_body("dry")).status == 201
    made, = keys_named(env, "dry")
    assert admin.delete("keys/%d" % made["id"], made["version"]).status == 204


def test_r06_without_random_numbers_no_token_is_made(env, dry):
    admin = Admin(env)
    assert_refused(admin.post("callers", {"name": "dry"}))
    assert not callers_named(env, "dry")
    dry.clear()
    made = admin.post("callers", {"name": "dry"})
    assert made.status == 201 and made.json()["token"].startswith("bl_")
    found, = callers_named(env, "dry")
    assert admin.delete("callers/%d" % found["id"],
                        found["version"]).status == 204


def test_r06_without_random_numbers_no_ticket_is_made(env, dry):
    assert_refused(post_ticket(env, "dry"))
    dry.clear()
    made = post_ticket(env, "dry")
    assert made.status == 201
    assert env.get("/jwt/conversations?ticket=" + made.json()["ticket"]
                   ).status == 200


def test_r06_without_random_numbers_nothing_is_shared(env, request):
    env.bailian.say(*TEA)
    owner, member = uuid.uuid4().hex, uuid.uuid4().hex
    stream = env.ask(user=owner, body={"conversionId": "dry"})
    env.ended(stream, user=owner)
    path = "/bailian/conversations/dry/members?userId=" + owner
    dry = request.getfixturevalue("dry")
    assert_refused(env.post(path, {"member": member}))
    dry.clear()
    assert env.get("/bailian/conversations?userId=" + member).json()[
        "items"] == []
    assert env.post(path, {"member": member}).status == 200


# --- R01: no descriptors -----------------------------------------------------
def asked_without(env, child, count, method, path, body, headers):
    """The answer on a connection that was there before all but so many
    descriptors were taken; they are given back."""
    conn = env.connect(seconds=60)
    assert conn.ask("GET", "/bailian/livez").status == 200
    limit_descriptors(env, child, limit_with_free(child, count))
    try:
        return conn.ask(method, path, body, dict(JSON, **headers))
    finally:
        limit_descriptors(env, child, None)


COUNTS = range(41) if SOAK else (0, 1, 2, 3, 5, 9, 40)


@pytest.mark.own_server
def test_r01_without_descriptors_a_key_is_added_whole_or_not(env):
    """httpd itself needs one to look up who asks: it says 500 then."""
    env.allow_log("Too many open files", "AH01620", "BL1407", "BL1408",
                  "BL1844")
    env.bailian.say(*TEA)
    assert_answer(env.ask())
    child, = env.server.children()
    seen = set()
    for count in COUNTS:
        name = "r01-%d" % count
        reply = asked_without(env, child, count, "POST",
                              "/bailian-admin/api/keys", key_body(name), LI)
        seen.add(reply.status)
        assert reply.status in (201, 500, 503), reply.body
        assert SECRET.encode() not in reply.body
        made = keys_named(env, name)
        assert len(made) == (reply.status == 201), (count, reply.status)
        if made:
            assert made[0]["last4"] == SECRET[-4:]
    assert seen - {201} and 201 in seen, seen
    assert env.server.children() == [child]


@pytest.mark.own_server
def test_r01_without_descriptors_a_ticket_is_made(env):
    """It lies in memory that is there: nothing has to be opened."""
    env.allow_log("Too many open files")
    post_ticket(env)  # the first one of a child loads what it needs
    child, = env.server.children()
    for count in COUNTS:
        reply = asked_without(env, child, count, "POST", "/jwt/tickets",
                              {"route": "conversations"}, bearer(jwt()))
        assert reply.status == 201, reply.body
        used = env.get("/jwt/conversations?ticket=" + reply.json()["ticket"])
        assert used.status == 200
    until(lambda: env.get("/bailian/livez").status == 200)
    assert env.server.children() == [child]
