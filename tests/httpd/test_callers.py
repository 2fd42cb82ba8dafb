# SPDX-License-Identifier: Apache-2.0
"""Who calls without a login of httpd: JWTs, caller tokens, one-time tickets.

Fault rows S-02, S-03, S-04, S-10, S-13 to S-21, S-56, C12, C21, R04.
"""
import json
import time
import uuid

import pytest

from answers import TEA, TEA_BEGIN, TEA_TEXT, assert_answer, last, piece
from env.callers import KEY_FILE, SECRET, bearer, jwt, key_file
from env.polling import until
from env.raw import Body, request

LOCATIONS = """
<Location "/jwt">
    SetHandler bailian-sse
    BailianJwtIssuer shop HS256 {key} iss=shop.example aud=bailian leeway=0
</Location>
<Location "/tokens">
    SetHandler bailian-sse
</Location>
<Location "/tokens-sync">
    SetHandler bailian-sse
    BailianAsync sync
</Location>
<Location "/query">
    SetHandler bailian-sse
    BailianTokenInQuery on
    BailianJwtIssuer shop HS256 {key}
</Location>
<Location "/few">
    SetHandler bailian-sse
    BailianAnonymous on
    BailianStartsPerMinute 3
</Location>
<Location "/address">
    SetHandler bailian-sse
    BailianAnonymous on
    BailianStartsPerMinutePerAddress 4
</Location>
<Location "/thrifty">
    SetHandler bailian-sse
    BailianAnonymous on
    BailianTokensPerDay 1
</Location>
""".format(key=KEY_FILE)
pytestmark = pytest.mark.server(locations=LOCATIONS)


def li(sub="li", **claims):
    return bearer(jwt(sub, **dict({"iss": "shop.example", "aud": "bailian"},
                                  **claims)))


def token_of(env, *options):
    name = "t" + uuid.uuid4().hex[:12]
    made = env.ctl.json("caller", "add", name, *options)
    return name, made["token"]


def answered(env, token, base="/tokens"):
    """The stream of a token, which may have been made just now."""
    env.bailian.say(*TEA)
    stream = env.ask(base=base, user=None, headers=bearer(token))
    assert stream.status == 200, stream.code
    return stream


def path_of(stream, base, what="/events?after=0"):
    return "%s/streams/%s%s" % (base, stream.stream_id, what)


# --- JWT ---------------------------------------------------------------------
def test_jwt_of_the_header_is_a_caller_with_streams_of_his_own(env):
    env.bailian.say(*TEA)
    stream = env.ask(base="/jwt", user=None, headers=li())
    assert_answer(stream)
    assert env.get(path_of(stream, "/jwt"), li()).status == 200
    for other in (li("wang"), li("li2")):
        assert env.get(path_of(stream, "/jwt"), other).status == 404


@pytest.mark.parametrize("headers", [
    {}, li(iss="other.example"), li(aud="other"), li(seconds=-1),
    li(alg="none"), li(alg="HS512"), li(secret="x" * 40), bearer(""),
    bearer("x.y.z"), bearer("bl_" + "0" * 64), bearer("a" * 9000),
    {"Authorization": "bearer"}, {"Authorization": "Basic bGk6bGk="}])
def test_s14_s15_nobody_else_gets_in(env, headers):
    stream = env.ask(base="/jwt", user="li", headers=headers)
    assert stream.status in (400, 401)
    if stream.status == 401:
        assert stream.reply.code == "unauthenticated"
        assert "Bearer" in stream.reply.head.header("WWW-Authenticate")
    assert not env.bailian.requests()


def test_s02_a_bad_credential_is_never_an_anonymous_caller(env):
    for token in (jwt(), "bl_" + "0" * 64, "x"):
        stream = env.ask(headers=bearer(token))  # anonymous callers may here
        assert stream.status == 401


def test_s13_no_word_of_an_anonymous_caller_names_a_jwt(env):
    env.bailian.say(*TEA)
    stream = env.ask(base="/jwt", user=None, headers=li())
    for user in ("li", "jwt:shop:li", "shop:li"):
        assert env.resume(stream, after=0, user=user).status == 404


def opened_for_a_short_time(env):
    """A stream whose credential ends soon, on a machine of any speed."""
    for seconds in (2, 4, 8, 16, 32):
        env.bailian.scenario([piece(*TEA[:2]), {"barrier": "go"},
                              last(*TEA[2:])])
        stream = env.sse_open("/jwt/stream", {"message": "x"},
                              headers=li(seconds=seconds))
        if stream.status == 200:
            return stream
    raise AssertionError("no credential lived long enough")


def test_c21_s20_stream_ends_with_the_credential_and_goes_on_with_a_new_one(
        env):
    stream = opened_for_a_short_time(env)
    stream.read()
    assert stream.events[-1].json["reconnect"] is True
    assert stream.events[-1].json["code"] == "unauthenticated"
    old = env.get(path_of(stream, "/jwt"), li(seconds=-1))
    assert old.status == 401
    env.bailian.release("go")
    seq = max(stream.seqs, default=0)
    again = env.sse(path_of(stream, "/jwt", "/events?after=%d" % seq),
                    headers=li())
    assert stream.text + again.text == TEA_TEXT


@pytest.mark.parametrize("text,mode", [
    ("short", 0o600), ("", 0o600), (SECRET, 0o644),
    ("-----BEGIN PUBLIC KEY-----\n" + "x" * 40, 0o600)])
def test_s21_s06_weak_or_public_secret_refuses_the_start(servers, text, mode):
    path = key_file("weak.key", text, mode)
    status, words = servers.configtest(
        locations='<Location "/w">\nBailianJwtIssuer w HS256 %s\n</Location>'
        % path)
    assert status != 0 and "BailianJwtIssuer" in words
    assert not text or text not in words


# --- caller tokens -----------------------------------------------------------
def test_token_asks_and_is_not_in_the_database(env):
    name, token = token_of(env)
    assert_answer(answered(env, token))
    with open(env.server.path("data", "bailian.db"), "rb") as file:
        assert token.encode() not in file.read()
    listed = {c["name"]: c for c in env.ctl.json("caller", "list")}
    assert listed[name]["last4"] == token[-4:]
    assert "token" not in listed[name]


def test_s10_tokens_that_begin_alike_are_two_callers(env):
    _, first = token_of(env)
    _, second = token_of(env)
    stream = answered(env, first)
    answered(env, second)
    assert env.get(path_of(stream, "/tokens"), bearer(second)).status == 404
    changed = first[:-1] + ("0" if first[-1] != "0" else "1")
    assert env.get(path_of(stream, "/tokens"), bearer(changed)).status == 401


@pytest.mark.server(locations=LOCATIONS, children=3)
@pytest.mark.parametrize("verb", ["revoke", "disable", "delete"])
def test_a03_token_holds_and_is_refused_in_every_child_at_once(env, verb):
    # Each of these stays with the child that accepted it.
    conns = [env.connect() for _ in range(24)]

    def statuses(token):
        return {conn.ask("GET", "/tokens/conversations", None,
                         bearer(token)).status for conn in conns}
    assert statuses("bl_" + "0" * 64) == {401}
    name, token = token_of(env)
    assert statuses(token) == {200}
    stream = answered(env, token)
    env.ctl("caller", verb, name)
    assert statuses(token) == {401}
    assert env.get(path_of(stream, "/tokens", ""),
                   bearer(token)).status == 401


@pytest.mark.server(locations=LOCATIONS, children=2)
@pytest.mark.parametrize("verb", ["revoke", "disable"])
def test_a03_what_a_token_reads_ends_when_it_is_taken_away(env, verb):
    name, token = token_of(env)
    env.bailian.scenario([piece(*TEA[:2]), {"barrier": "go"}, last(*TEA[2:])])
    stream = env.sse_open("/tokens/stream", {"message": "x"}, seconds=40,
                          headers=bearer(token))
    stream.read(stop_after=2)
    readers = [stream] + [
        env.sse_open(path_of(stream, "/tokens"), headers=bearer(token),
                     seconds=40) for _ in range(3)]
    env.ctl("caller", verb, name)
    for reader in readers:
        reader.read()
        assert reader.events[-1].json["reconnect"] is True
        assert reader.events[-1].json["code"] == "unauthenticated"
        assert reader.text == TEA_BEGIN
    env.bailian.release("go")


@pytest.mark.parametrize("base", ["/tokens", "/tokens-sync"])
def test_a03_text_that_has_not_begun_is_refused_with_its_token(env, base):
    """Its head has not left: it can still say why nothing comes."""
    name, token = token_of(env)
    answered(env, token)
    before = len(env.bailian.requests())
    env.bailian.scenario([{"barrier": "go"}, last(*TEA)])
    conn = env.connect(seconds=40)
    conn.send(request("GET", base + "/miniapp-stream?message=x", None,
                      bearer(token)))
    until(lambda: len(env.bailian.requests()) > before, 20, "the question")
    env.ctl("caller", "revoke", name)
    head = conn.head()
    body = Body(conn, head, "GET").rest()
    assert head.status == 401
    assert json.loads(body.data)["success"] is False
    assert body.ended == "clean"
    env.bailian.release("go")


def test_scopes_and_apps_of_a_token_hold(env):
    _, reader = token_of(env, "--scopes", "read")
    _, asker = token_of(env, "--scopes", "ask", "--apps", "neighbour")
    stream = answered(env, token_of(env)[1])
    assert env.get("/tokens/conversations", bearer(reader)).status == 200
    refused = env.ask(base="/tokens", user=None, headers=bearer(reader))
    assert refused.status == 403 and refused.reply.code == "forbidden"
    assert env.delete(path_of(stream, "/tokens", ""),
                      bearer(reader)).status == 403
    for app, status in ((None, 403), ("default", 403), ("neighbour", 200)):
        assert env.ask(base="/tokens", user=None, app=app,
                       headers=bearer(asker)).status == status
    assert env.get("/tokens/conversations", bearer(asker)).status == 403


def test_expired_token_is_refused(env):
    _, token = token_of(env, "--expires", "2020-01-01T00:00:00Z")
    _, good = token_of(env)
    answered(env, good)
    assert env.ask(base="/tokens", user=None,
                   headers=bearer(token)).status == 401


# --- tickets -----------------------------------------------------------------
def ticket(env, route, headers, base="/jwt"):
    reply = env.post(base + "/tickets", {"route": route}, headers)
    assert reply.status == 201
    return reply.json()["ticket"]


@pytest.mark.server(locations=LOCATIONS, children=3)
def test_s19_ticket_opens_one_route_once_in_any_child(env):
    env.bailian.say(*TEA)
    stream = env.ask(base="/jwt", user=None, headers=li())
    route = "streams/%s/events" % stream.stream_id
    for _ in range(6):
        path = "/jwt/%s?after=0&ticket=%s" % (route, ticket(env, route, li()))
        assert env.sse(path).end.content == TEA_TEXT
        assert env.get(path).status == 401


def test_s19_ticket_is_for_its_route_alone_and_then_gone(env):
    env.bailian.say(*TEA)
    stream = env.ask(base="/jwt", user=None, headers=li())
    route = "streams/%s/events" % stream.stream_id
    found = ticket(env, route, li())
    for path in ("/jwt/streams/%s?ticket=%s" % (stream.stream_id, found),
                 "/jwt/%s?ticket=%s" % (route, found)):
        assert env.get(path).status == 401
    assert env.get("/query/%s?ticket=%s" % (
        route, ticket(env, route, li()))).status == 401
    assert env.get("/jwt/%s?ticket=%s" % (
        route, ticket(env, route, li("wang")))).status == 404


def test_s19_tickets_need_a_caller_and_are_few(env):
    assert env.post("/jwt/tickets", {"route": "stream"}).status == 401
    for body in ({}, {"route": ""}, {"route": "a?b"}, {"route": 1}):
        assert env.post("/jwt/tickets", body, li("few")).status == 400
    made = 0
    while env.post("/jwt/tickets", {"route": "stream"},
                   li("few")).status == 201:
        made += 1
        assert made < 1000
    assert made >= 64  # more, where the first have expired meanwhile


# --- tokens in URLs ----------------------------------------------------------
def test_s18_token_of_the_query_is_off_by_default(env):
    assert env.get("/jwt/conversations?token=" +
                   li()["Authorization"][7:]).status == 401
    token = jwt()
    assert env.get("/query/conversations?token=" + token).status == 200


@pytest.mark.parametrize("base,spelled", [
    ("/query", "token"), ("/query", "tok%65n"), ("/query", "TOKEN"),
    ("/jwt", "token"), ("/jwt", "ticket"), ("/%71uery", "%74oken"),
    ("//query", "token"), ("/x/../query", "token"), ("/login", "token")])
def test_s18_secret_of_a_url_reaches_no_log(env, base, spelled):
    token = jwt()
    mark = uuid.uuid4().hex
    reply = env.get("%s/conversations?a=%s&%s=%s" % (base, mark, spelled,
                                                     token),
                    {"Referer": "http://localhost/query?token=" + token})
    assert token not in reply.body.decode("utf-8", "replace")
    until(lambda: mark in env.server.read("access_log"), 10,
          "the line of the access log")
    for name in ("access_log", "error_log"):
        text = env.server.read(name)
        assert token not in text and token.split(".")[2] not in text


# --- limits ------------------------------------------------------------------
def starts_until_refused(start, per_minute):
    """How many starts a limit lets through: per_minute at once, then one each
    60 s / per_minute, however slow this machine is. The refusal."""
    begun, count = time.monotonic(), 0
    while True:
        reply = start(count)
        if reply.status != 200:
            break
        count += 1
        most = per_minute + (time.monotonic() - begun) * per_minute / 60 + 1
        assert count <= most
    assert reply.status == 429 and count >= per_minute
    return reply


@pytest.mark.server(locations=LOCATIONS, children=3)
def test_s56_r04_starts_a_minute_are_counted_over_all_children(env):
    user = uuid.uuid4().hex

    def start(_):
        env.bailian.say(*TEA)
        return env.ask(base="/few", user=user)
    reply = starts_until_refused(start, 3).reply
    assert reply.code == "rate_limited" and reply.head.header("Retry-After")
    env.bailian.say(*TEA)
    assert env.ask(base="/few", user=user + "x").status == 200


@pytest.mark.own_server
def test_s56_forged_names_do_not_help_an_address(env):
    starts_until_refused(lambda n: env.ask(
        base="/address", user=uuid.uuid4().hex,
        headers={"X-Forwarded-For": "10.0.0.%d" % n}), 4)


def test_s56_tokens_a_day_outlive_a_restart(env):
    user = uuid.uuid4().hex
    env.bailian.say(*TEA)
    stream = env.ask(base="/thrifty", user=user)
    assert stream.status == 200
    env.ended(stream, base="/thrifty", user=user)
    day = time.gmtime().tm_yday
    first = env.ask(base="/thrifty", user=user).status
    env.server.graceful()
    second = env.ask(base="/thrifty", user=user).status
    if time.gmtime().tm_yday == day:  # else a new day has begun meanwhile
        assert (first, second) == (429, 429)


def test_limits_of_a_token_stand_over_those_of_the_location(env):
    _, token = token_of(env, "--starts-per-minute", "2")
    answered(env, token)

    def start(_):
        env.bailian.say(*TEA)
        return env.ask(base="/tokens", user=None, headers=bearer(token))
    starts_until_refused(start, 1)
